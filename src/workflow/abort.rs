//! Use case `abort`: record that a person gives the rotation up, then take whatever step back is safe already.

use super::WorkflowError;
use super::advance::{self, Tick};
use super::case::Case;
use super::shared;
use crate::rotation::step::Event;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;

/// Records the wish and advances once.
pub fn abort(
    workspace: &Workspace,
    name: &str,
    reason: &str,
    now: Instant,
) -> Result<Tick, WorkflowError> {
    // Held to the end: the wish and the first step back belong to one run.
    let lock = workspace.lock()?;
    shared::synchronise(workspace, &lock)?;
    let mut case = Case::open(workspace, name, now)?;
    if case.under_way().is_none() {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    }
    case.record(
        &lock,
        now,
        Event::AbortRequested {
            reason: reason.to_owned(),
        },
    )?;
    Ok(advance::tick(workspace, &lock, name, now))
}
