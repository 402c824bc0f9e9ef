//! Use case `abort`: record that a person gives the rotation up, then take whatever step back is safe already.

use super::WorkflowError;
use super::advance::Tick;
use super::before;
use super::head::{self, Heads};
use super::present::Present;
use super::run::Run;
use super::surroundings;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::rotation::wait;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::BTreeSet;

/// How a rotation is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending<'a> {
    /// In the person's words.
    pub reason: &'a str,
    /// No rotation begins by itself afterwards; that can be asked for of one that was given up before, too.
    pub hold: bool,
    /// The names leave DANE: there is no way back to walk, the records are out of the zone already.
    pub leaves_dane: bool,
}

/// Records the wish and advances once.
pub fn abort(
    workspace: &Workspace,
    name: &str,
    ending: Ending<'_>,
    present: &Present,
) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let now = run.now;
    let mut case = run.open(name)?;
    if ending.hold
        && case.under_way().is_none()
        && matches!(&case.rotation, Some((_, state)) if state.step == Step::Aborted)
    {
        case.note(now, Event::CadenceHeld)?;
        run.keep(&mut case)?;
        return Ok(run.follow(&case));
    }
    let still_can = |state: &Rotation| {
        let can_go_back = !state.is_over() || state.step == Step::Retired;
        state.dane_left.is_none() && (ending.leaves_dane || can_go_back)
    };
    let latest = case.rotation.as_ref();
    let Some((id, state)) = latest.filter(|(_, state)| still_can(state)) else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    let reason = ending.reason.to_owned();
    let wish = if ending.leaves_dane {
        has_left_dane(workspace, (id, state), now)?;
        Event::DaneLeft { reason }
    } else {
        may_abort(id, state)?;
        Event::AbortRequested { reason }
    };
    let told = told(&wish, state, now);
    let higher = before::higher_ttls(&mut Heads::of(workspace, now), case.certificate, state, now);
    case.note(now, wish)?;
    case.note_those_that_fit(now, higher)?;
    if ending.hold {
        case.note(now, Event::CadenceHeld)?;
    }
    run.keep(&mut case)?;
    let mut tick = run.follow(&case);
    tick.notes.extend(told);
    Ok(tick)
}

/// What the wish costs, beside what each step says of itself.
fn told(wish: &Event, state: &Rotation, now: Instant) -> Option<String> {
    match (wish, state.step) {
        (Event::DaneLeft { .. }, _) => Some(format!(
            "nothing is proposed any more. Leave the keys on the hosts as they are until {}, and for {} after the last name server has stopped to answer with TLSA records (`tlsa-rotate status` names those that still do): until then caches may hold them",
            now + wait::ttl_old(state).span(),
            wait::ttl_old(state).span()
        )),
        (Event::AbortRequested { .. }, Step::Replacing | Step::Replaced) => Some(
            "the key that was declared compromised goes back into the zone: whoever has it can pass for your hosts again".to_owned(),
        ),
        _ => None,
    }
}

/// A rotation has no object any more once the zones hold none of its records.
fn has_left_dane(
    workspace: &Workspace,
    (id, state): (&RotationId, &Rotation),
    now: Instant,
) -> Result<(), WorkflowError> {
    let ours = &(&state.current | &state.incoming) | &state.staying;
    let mut heads = Heads::of(workspace, now);
    // A host's alias may lead to other records by now.
    let led_to = state.endpoints.iter().filter_map(|endpoint| {
        let found = surroundings::find(&mut heads, &endpoint.tlsa_name());
        found.ok().map(|found| found.name)
    });
    let names: BTreeSet<TlsaName> = led_to.chain(state.names().iter().cloned()).collect();
    for tlsa in &names {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        let zone = name
            .as_ref()
            .and_then(|name| workspace.config.zone_of(name));
        let (Some(name), Some(zone)) = (name, zone) else {
            continue; // the zone is kept here no more
        };
        let head = heads.get(zone)?;
        if !head::associations(&head.content, &name).is_disjoint(&ours) {
            return Err(WorkflowError::NotFromHere {
                id: id.clone(),
                step: state.step,
                what: "leave DANE in",
                why: "the zone still holds TLSA records of it",
                way_out: format!(
                    "take the TLSA records of {tlsa} out of the zone first, all of them at once; or leave `--leave-dane` out for the way back to the key in use"
                ),
            });
        }
    }
    Ok(())
}

fn may_abort(id: &RotationId, state: &Rotation) -> Result<(), WorkflowError> {
    let (why, way_out) = match state.step {
        Step::RollingBack | Step::Withdrawing => (
            "it is being given up already",
            format!(
                "`tlsa-rotate status {}` says what is left to do",
                id.certificate
            ),
        ),
        Step::Reinstating | Step::Reinstated if state.abort_reason.is_some() => (
            "it is being given up already",
            format!(
                "`tlsa-rotate status {}` says what is left to do",
                id.certificate
            ),
        ),
        _ => return Ok(()),
    };
    Err(WorkflowError::NotFromHere {
        id: id.clone(),
        step: state.step,
        what: "abort",
        why,
        way_out,
    })
}
