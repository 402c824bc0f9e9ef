//! What a run would do, without doing it: one look, the facts that would follow, and what would be asked of the world.
//!
//! Nothing here writes: a case that was opened is kept by nobody.

use super::WorkflowError;
use super::advance::{Mode, Tick, remember};
use super::begin::due;
use super::case::Case;
use super::deadlines::act_by;
use super::establish::{deployment, news};
use super::known::Known;
use super::look::Sight;
use super::look_ahead::Seen;
use super::sight::sight_of;
use super::{act, afterwards, at_rest, elsewhere, head};
use super::{pace, pause, start, witness};
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::decide::Action;
use crate::rotation::observation::{Endpoint, Observation, Seen as Asked};
use crate::rotation::settle::{settle, take_in};
use crate::rotation::step::{Requirement, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::Deploy;
use std::collections::BTreeSet;

/// What would follow from what was noted of a case and is kept by nobody.
pub(super) fn rehearse<'w>(workspace: &'w Workspace, case: &Case<'w>, now: Instant) -> Tick {
    let mut tick = Tick::of(&case.certificate.name);
    let mut known = Known::nothing(workspace, now);
    let looked = look_at_case(&mut known, case, (Mode::Rehearse, None), &mut tick);
    tick.failed = looked.err();
    pause::tell(workspace, now, &mut tick);
    tick
}

/// One look at a certificate as its journal has it, and, in a rehearsal, the facts that would follow.
pub(super) fn look_at(
    known: &mut Known<'_>,
    name: &str,
    how: (Mode, Option<Seen>),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let case = Case::open(known.workspace, name, known.now)?;
    look_at_case(known, &case, how, tick)
}

/// The same without writing: one look, and, in a rehearsal, the facts that would follow.
pub(super) fn look_at_case<'w>(
    known: &mut Known<'w>,
    case: &Case<'w>,
    (mode, ahead): (Mode, Option<Seen>),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let now = known.now;
    tick.notes.extend(case.torn_end());
    case.is_whole(&mut known.heads)?;
    tick.is_read = true;
    tick.rotation.clone_from(&case.rotation);
    let mut not_begun = None;
    if known.doubt(case).is_none()
        && let Some(why) = due(case, now)?
    {
        // What keeps a run from beginning it keeps it so until a person acts.
        not_begun = start::may_begin(&mut known.heads, case, None).err();
        if mode == Mode::Rehearse {
            tick.notes
                .push(format!("a run would begin {}: {why}", case.next_id()));
        }
    }
    seen(known, case, (mode, ahead), tick)?;
    not_begun.map_or(Ok(()), Err)
}

/// What is seen of it, and what follows from that.
fn seen<'w>(
    known: &mut Known<'w>,
    case: &Case<'w>,
    (mode, ahead): (Mode, Option<Seen>),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let doubt = known.doubt(case);
    let Some((id, mut state)) = case.rotation.clone() else {
        tick.decision = at_rest::before_the_first(known, case);
        if let Some(doubt) = doubt {
            let decision = tick.decision.get_or_insert_default();
            decision.blockers.push(Blocker::Clock(doubt));
        }
        return if tick.is_in_doubt() {
            Ok(())
        } else {
            act::would_be_handed_on(known, case, None)
        };
    };
    let Sight {
        mut observation,
        mut notes,
        asides,
        denied,
        ..
    } = sight_of(known, case, &state, ahead);
    observation.doubt = doubt;
    observation.witness = witness::witness(known, case, &state, &mut notes);
    remember(&mut tick.notes, notes);
    remember(&mut tick.notes, asides);
    let mut waits = Vec::new();
    let policy = |state: &Rotation| {
        let (policy, why) = pace::policy(known, case, state);
        waits.extend(why);
        policy
    };
    let settled = if mode == Mode::Rehearse {
        settle(&state, now, &observation, policy)
    } else {
        take_in(&state, now, &observation, policy)
    };
    let settled = settled.map_err(WorkflowError::Illegal)?;
    tick.policy = settled.policy;
    if mode == Mode::Rehearse {
        tick.events = news(settled.events);
        state = settled.state;
    }
    let mut decision = settled.decision;
    remember(&mut tick.notes, waits);
    afterwards::notice(case.certificate, &state, &observation, &mut decision);
    if observation.doubt.is_none() {
        act_by(&state, now, (&observation, &tick.policy), &mut decision);
    }
    Sight::tell_denied(denied, &mut decision);
    decision.alarms.extend(at_rest::alarms(known, case));
    tick.afterwards = pace::afterwards(case).unwrap_or_default();
    tick.rotation = Some((id, state));
    tick.decision = Some(decision);
    tick.observation = Some(observation);
    if !tick.is_in_doubt() {
        tick.notes.extend(deployment(workspace, tick));
    }
    if mode == Mode::Rehearse {
        let done = would_be_done(workspace, case, tick, now)?;
        tick.notes.extend(done);
    }
    if tick.is_in_doubt() {
        return Ok(());
    }
    act::would_be_handed_on(known, case, tick.observation.as_ref())?;
    let actions = tick.decision.iter().flat_map(|decision| &decision.actions);
    let changes = actions.filter_map(|action| match action {
        Action::ChangeZone(requirement) => Some(requirement.clone()),
        _ => None,
    });
    let changes: Vec<Requirement> = changes.collect();
    if let Some((_, state)) = case.rotation.as_ref().filter(|_| !changes.is_empty()) {
        for zone in head::zones_of(workspace, state.names()) {
            elsewhere::may_change(workspace, zone)?;
        }
    }
    let mut keeps = changes.iter();
    keeps.try_for_each(|change| act::takes_from_nobody(known, case, change, tick))
}

/// What the decision asks of the world, one sentence each.
fn would_be_done(
    workspace: &Workspace,
    case: &Case<'_>,
    tick: &mut Tick,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let Some(decision) = tick.decision.clone() else {
        return Ok(Vec::new());
    };
    let emergency = tick
        .rotation
        .as_ref()
        .and_then(|(_, state)| state.emergency);
    let asked = (&*decision.actions, emergency);
    let actions = pause::allowed(workspace, case.certificate, asked, now, tick)?;
    let Some(seen) = &tick.observation else {
        return Ok(Vec::new());
    };
    let runs = |command: &[String], places: &BTreeSet<Endpoint>| {
        let hosts: BTreeSet<&str> = places.iter().map(|place| place.host.as_str()).collect();
        let hosts: Vec<&str> = hosts.into_iter().collect();
        let command = command.join(" ");
        vec![format!("a run would run {command} for {}", hosts.join(" "))]
    };
    let told = actions.iter().flat_map(|action| match action {
        Action::AdmitKey | Action::ComputeAssociations => Vec::new(),
        Action::ChangeZone(requirement) => changes(requirement, seen),
        Action::Deploy(places) => match &case.certificate.deploy {
            Deploy::Command(command) if !places.is_empty() => runs(command, places),
            _ => Vec::new(),
        },
        Action::RollBack(places) => match &case.certificate.rollback {
            Some(command) if !places.is_empty() => runs(command, places),
            _ => Vec::new(),
        },
    });
    Ok(told.collect())
}

/// What would change in the zones as they are kept, one sentence for each RRset.
fn changes(requirement: &Requirement, seen: &Observation) -> Vec<String> {
    let mut told = Vec::new();
    for (name, merged) in &seen.merged {
        let Asked::Known(rrset) = merged else {
            continue;
        };
        let added: Vec<String> = requirement
            .missing_in(rrset)
            .map(Association::short)
            .collect();
        let removed: Vec<String> = requirement
            .unwanted_in(rrset)
            .map(Association::short)
            .collect();
        let parts = [("add", added), ("take out", removed)];
        let parts = parts.iter().filter(|(_, what)| !what.is_empty());
        let parts: Vec<String> = parts
            .map(|(verb, what)| format!("{verb} {}", what.join(", ")))
            .collect();
        if !parts.is_empty() {
            told.push(format!(
                "a run would change {name} TLSA: {}",
                parts.join("; ")
            ));
        }
    }
    told
}
