//! Use case `rollback`: every host back on the previous key at once, while both keys are in every cache.

use super::WorkflowError;
use super::advance::Tick;
use super::present::Present;
use super::run::Run;
use crate::rotation::step::{Event, Rotation, Step};
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;

/// Records the wish and advances once; the rotation then holds until `deploy` or `abort`.
pub fn rollback(
    workspace: &Workspace,
    name: &str,
    reason: &str,
    present: &Present,
) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let mut case = run.open(name)?;
    let Some((id, state)) = &case.rotation else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    may_roll_back(id, state)?;
    let wish = Event::RollbackRequested {
        reason: reason.to_owned(),
    };
    case.note(run.now, wish)?;
    run.keep(&mut case)?;
    Ok(run.follow(&case))
}

fn may_roll_back(id: &RotationId, state: &Rotation) -> Result<(), WorkflowError> {
    let name = &id.certificate;
    let (why, way_out) = match state.step {
        Step::SwapOpen | Step::Deployed | Step::Verified => return Ok(()),
        Step::Started | Step::Generated | Step::Hashed | Step::Prepublishing | Step::Waiting => (
            "the swap is not open, so no host should have the next key",
            format!(
                "`tlsa-rotate abort {name}` gives the rotation up; `tlsa-rotate status {name}` names a host that has the key all the same"
            ),
        ),
        Step::Retiring | Step::Reinstating | Step::Reinstated => (
            "some cache may hold the record of the next key alone: the previous key would be refused",
            format!(
                "leave the next key on the hosts; `tlsa-rotate abort {name}` publishes the old record again, waits, and then goes back"
            ),
        ),
        Step::Retired => (
            "the previous key's record has left every server: that key would be refused",
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
