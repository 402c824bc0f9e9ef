//! Use case `emergency`: the key in use is compromised. What either priority costs is told before, and by `plan` without acting.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::head::Heads;
use super::known::Known;
use super::look;
use super::present::Present;
use super::run::Run;
use super::start;
use crate::rotation::emergency::{Bounds, Priority};
use crate::rotation::regress;
use crate::rotation::step::{Event, Rotation, Step, apply};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;

/// What an emergency would cost, as far as it can be told now.
#[derive(Debug)]
pub struct Forecast {
    /// The rotation, or the one that would be started.
    pub id: RotationId,
    /// Its state, with the emergency declared where that can be.
    pub state: Rotation,
    /// The bounds.
    pub bounds: Bounds,
    /// Why something could not be looked at.
    pub notes: Vec<String>,
}

/// Tells the bounds of `priority` for the certificate `name`; looks at the servers for signatures, changes nothing.
pub fn forecast(
    workspace: &Workspace,
    name: &str,
    priority: Priority,
    now: Instant,
) -> Result<Forecast, WorkflowError> {
    let case = Case::open(workspace, name, now)?;
    let mut heads = Heads::of(workspace, now);
    case.is_whole(&mut heads)?;
    let (id, mut state) = if let Some((id, state)) = case.under_way() {
        (id.clone(), state.clone())
    } else {
        let (found, _) = start::beginning(&mut heads, case.certificate)?;
        let state = found
            .before_the_start(now)
            .map_err(WorkflowError::Illegal)?;
        (case.next_id(), state)
    };
    let sight = look::look(&mut heads, case.certificate, &state, now);
    if let Some(seen) = regress::longer_signature(&state, &sight.observation) {
        state = apply(Some(&state), now, &seen).map_err(WorkflowError::Illegal)?;
    }
    let bounds = priority.bounds(&state);
    state.emergency = Some(priority);
    Ok(Forecast {
        id,
        state,
        bounds,
        notes: sight.notes,
    })
}

/// Starts a rotation where none is under way, declares the emergency, and advances once.
pub fn declare(
    workspace: &Workspace,
    name: &str,
    (priority, reason): (Priority, &str),
    present: &Present,
) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let now = run.now;
    let mut case = run.open(name)?;
    match run.lock() {
        Some(lock) => {
            if case.under_way().is_none() {
                run.may_begin(&case)?;
                start::begin(
                    &mut Heads::of(workspace, now),
                    lock,
                    &mut case,
                    (None, None),
                )?;
            }
            let mut keys = Tick::of(name);
            let mut known = Known::nothing(workspace, now);
            super::act::finish_key_steps(&mut known, lock, &mut case, &mut keys)?;
        }
        None if case.under_way().is_none() => {
            let begins = format!(
                "a run would begin {}: the emergency needs a new key",
                case.next_id()
            );
            let mut tick = run.follow(&case);
            tick.notes.insert(0, begins);
            return Ok(tick);
        }
        None => {}
    }
    if let Some((id, state)) = case.under_way() {
        if matches!(state.step, Step::Reinstating | Step::Reinstated) {
            return Err(which_key(id, state.step));
        }
        let declared = Event::EmergencyDeclared {
            priority,
            reason: reason.to_owned(),
        };
        if apply(Some(state), now, &declared).is_err() {
            return Err(WorkflowError::NotFromHere {
                id: id.clone(),
                step: state.step,
                what: "declare an emergency in",
                why: "it is on its way back to the key in use, or that key is being replaced already",
                way_out: format!(
                    "let it end (`tlsa-rotate status {name}`), then declare the emergency again"
                ),
            });
        }
        if state.emergency != Some(priority) {
            case.note(now, declared)?;
            run.keep(&mut case)?;
        }
    }
    Ok(run.follow(&case))
}

/// On the way back from the end, hosts present the next key while the one before comes back: either may be meant.
fn which_key(id: &RotationId, step: Step) -> WorkflowError {
    let name = &id.certificate;
    WorkflowError::NotFromHere {
        id: id.clone(),
        step,
        what: "declare an emergency in",
        why: "hosts present the next key while the old one comes back, and which of them is compromised is not said",
        way_out: format!(
            "if it is the key that hosts present now, go on with the way back: `tlsa-rotate advance` is the shortest; if it is the old key, `tlsa-rotate deploy {name}` goes forward again and takes it out of the zone"
        ),
    }
}
