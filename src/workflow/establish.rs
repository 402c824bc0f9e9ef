//! What one look establishes: the facts that follow from it, recorded together, and the decision that they lead to.

use super::WorkflowError;
use super::advance::{Tick, remember};
use super::case::Case;
use super::deadlines::act_by;
use super::deploy::next_files;
use super::known::Known;
use super::look::Sight;
use super::{afterwards, at_rest, pace, witness};
use crate::rotation::decide::{Action, Decision};
use crate::rotation::settle::settle;
use crate::rotation::step::{Event, Step};
use crate::workspace::Workspace;
use crate::workspace::lock::WorkspaceLock;

/// What was established, without what is only kept in mind.
pub(super) fn news(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !event.is_kept_in_mind());
    events
}

/// Where the files lie that a person is to deploy.
pub(super) fn deployment(workspace: &Workspace, tick: &Tick) -> Option<String> {
    let (id, state) = tick.rotation.as_ref()?;
    let mut actions = tick.decision.iter().flat_map(|decision| &decision.actions);
    let is_asked_for = actions.any(|action| matches!(action, Action::Deploy(_)));
    let is_open = state.step == Step::SwapOpen && is_asked_for;
    is_open.then(|| next_files(workspace, id, state).to_string())
}

/// Records what was seen, and the facts that follow from it, until none does.
pub(super) fn establish<'w>(
    known: &mut Known<'w>,
    lock: &WorkspaceLock,
    case: &mut Case<'w>,
    sight: Sight,
    tick: &mut Tick,
) -> Result<Decision, WorkflowError> {
    let now = known.now;
    let mut decision = Decision::default();
    let Some((_, state)) = &case.rotation else {
        return Ok(decision);
    };
    let Sight {
        mut observation,
        mut notes,
        asides,
        denied,
        ..
    } = sight;
    observation.witness = witness::witness(known, case, state, &mut notes);
    remember(&mut tick.notes, notes);
    let mut waits = Vec::new();
    let settled = {
        let case: &Case<'w> = case;
        settle(state, now, &observation, |state| {
            let (policy, why) = pace::policy(known, case, state);
            waits.extend(why);
            policy
        })
    };
    let settled = settled.map_err(WorkflowError::Illegal)?;
    tick.policy = settled.policy;
    remember(&mut tick.notes, waits);
    decision = settled.decision;
    for fact in &settled.events {
        case.note(now, fact.clone())?;
    }
    if let Some((_, state)) = &case.rotation {
        afterwards::notice(case.certificate, state, &observation, &mut decision);
        act_by(state, now, (&observation, &tick.policy), &mut decision);
    }
    // What was handed on for the first time just now, servers may still be about to load.
    let was_served = matches!(&case.rotation, Some((_, state)) if state.published.is_some());
    if was_served || tick.deeds.is_empty() {
        Sight::tell_denied(denied, &mut decision);
    }
    decision.alarms.extend(at_rest::alarms(known, case));
    // They are of one look, and are kept together.
    case.keep(lock)?;
    let news = news(settled.events);
    if !news.is_empty() {
        remember(&mut tick.notes, asides);
    }
    tick.events.extend(news);
    tick.rotation.clone_from(&case.rotation);
    tick.observation = Some(observation);
    Ok(decision)
}
