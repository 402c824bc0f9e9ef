//! Use case `deploy`: let a deployment go that rests (standby) or is held (after a rollback). Safe at any time: the gates
//! of the deployment itself are asked all the same.

use super::WorkflowError;
use super::advance::{self, Tick};
use super::case::Case;
use crate::rotation::due::Release;
use crate::rotation::step::{Event, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;

/// Records that a person lets the deployment go, and advances once.
pub fn deploy(workspace: &Workspace, name: &str, now: Instant) -> Result<Tick, WorkflowError> {
    let lock = workspace.lock()?;
    let mut case = Case::open(workspace, name, now)?;
    let Some((id, state)) = case.under_way() else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    let is_ahead = matches!(
        state.step,
        Step::Hashed | Step::Prepublishing | Step::Waiting | Step::SwapOpen
    );
    if !is_ahead {
        return Err(WorkflowError::NotFromHere {
            id: id.clone(),
            step: state.step,
            what: "let the deployment go in",
            why: "no deployment lies ahead of it",
            way_out: format!("`tlsa-rotate status {name}` says what does"),
        });
    }
    if state.held.is_some() || !state.released {
        let why = Release::Asked;
        case.record(&lock, now, Event::DeploymentReleased { why })?;
    }
    Ok(advance::tick(workspace, &lock, name, now))
}
