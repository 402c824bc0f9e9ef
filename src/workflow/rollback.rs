//! Use case `rollback`: every host back on the previous key at once, while both keys are in every cache.

use super::WorkflowError;
use super::advance::{self, Tick};
use super::case::Case;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;

/// Records the wish and advances once; the rotation then holds until `deploy` or `abort`.
pub fn rollback(
    workspace: &Workspace,
    name: &str,
    reason: &str,
    now: Instant,
) -> Result<Tick, WorkflowError> {
    // Held to the end: the wish and the first step back belong to one run.
    let lock = workspace.lock()?;
    let mut case = Case::open(workspace, name, now)?;
    let Some((id, state)) = &case.rotation else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    may_roll_back(id, state)?;
    let wish = Event::RollbackRequested {
        reason: reason.to_owned(),
    };
    case.record(&lock, now, wish)?;
    Ok(advance::tick(workspace, &lock, name, now))
}

fn may_roll_back(id: &RotationId, state: &Rotation) -> Result<(), WorkflowError> {
    let name = &id.certificate;
    let (why, way_out) = match state.step {
        Step::SwapOpen | Step::Deployed | Step::Verified => return Ok(()),
        Step::Started | Step::Generated | Step::Hashed | Step::Prepublishing | Step::Waiting => (
            "the swap is not open, so no host should have the incoming key",
            format!(
                "`tlsa-rotate abort {name}` gives the rotation up; `tlsa-rotate status {name}` names a host that has the key all the same"
            ),
        ),
        Step::Retiring | Step::Reinstating | Step::Reinstated => (
            "some cache may hold the incoming association alone: the previous key would be refused",
            format!(
                "leave the incoming key on the hosts; `tlsa-rotate abort {name}` publishes the old association again, waits, and then goes back"
            ),
        ),
        Step::Retired => (
            "the previous key's association has left every server: that key would be refused",
            format!(
                "put the next key back on the hosts; if it is not to stay there, `tlsa-rotate abort {name}` publishes the old record again first"
            ),
        ),
        Step::Replacing | Step::Replaced => (
            "the previous key was declared compromised",
            format!(
                "let it end; then `tlsa-rotate start {name}` brings another key. To publish the old key again all the same: `tlsa-rotate abort {name}`"
            ),
        ),
        Step::RollingBack | Step::Withdrawing | Step::Aborted => (
            "it is on the way back, or there, already",
            format!(
                "`tlsa-rotate status {name}` says what is left to do; `tlsa-rotate deploy {name}` goes forward again"
            ),
        ),
    };
    Err(WorkflowError::NotFromHere {
        id: id.clone(),
        step: state.step,
        what: "roll back",
        why,
        way_out,
    })
}
