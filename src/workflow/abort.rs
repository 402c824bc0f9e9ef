//! Use case `abort`: record that a person gives the rotation up, then take whatever step back is safe already.

use super::WorkflowError;
use super::advance::{self, Tick};
use super::case::Case;
use super::shared;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;

/// Records the wish and advances once. With `hold`, no rotation begins by itself afterwards; that can be asked for of one
/// that was given up before, too.
pub fn abort(
    workspace: &Workspace,
    name: &str,
    reason: &str,
    hold: bool,
    now: Instant,
) -> Result<Tick, WorkflowError> {
    // Held to the end: the wish and the first step back belong to one run.
    let lock = workspace.lock()?;
    shared::synchronise(workspace, &lock)?;
    let mut case = Case::open(workspace, name, now)?;
    if hold
        && case.under_way().is_none()
        && matches!(&case.rotation, Some((_, state)) if state.step == Step::Aborted)
    {
        case.record(&lock, now, Event::CadenceHeld)?;
        return Ok(advance::tick(workspace, &lock, name, now));
    }
    let Some((id, state)) = case.under_way() else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    may_abort(id, state)?;
    let reason = reason.to_owned();
    case.note(now, Event::AbortRequested { reason })?;
    if hold {
        case.note(now, Event::CadenceHeld)?;
    }
    case.keep(&lock)?;
    Ok(advance::tick(workspace, &lock, name, now))
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
        Step::Replacing | Step::Replaced => (
            "the key it would go back to was declared compromised",
            format!(
                "let it end; then `tlsa-rotate start {}` brings another key",
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
