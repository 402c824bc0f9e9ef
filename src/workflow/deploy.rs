//! Use case `deploy`: forward. Let a deployment go that rests (standby) or is held (after a rollback), or take a rotation up
//! again that was being given up. Safe at any time: the gates of the deployment itself are asked all the same.

use super::WorkflowError;
use super::advance::Tick;
use super::before;
use super::head::Heads;
use super::present::Present;
use super::run::Run;
use super::{admit, awaited, renewed};
use crate::rotation::due::Release;
use crate::rotation::step::{Event, Rotation, Step};
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use std::fmt;
use std::path::PathBuf;

/// Records that a person lets the deployment go, or wants to go forward again, and advances once.
pub fn deploy(
    workspace: &Workspace,
    name: &str,
    reason: &str,
    present: &Present,
) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let mut case = run.open(name)?;
    let Some((id, state)) = case.rotation.clone() else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    let wish = match state.step {
        Step::Hashed | Step::Prepublishing | Step::Waiting | Step::SwapOpen => {
            let rests = state.held.is_some() || !state.released || !state.tried.is_empty();
            rests.then_some(Event::DeploymentReleased {
                why: Release::Asked,
            })
        }
        Step::RollingBack
        | Step::Withdrawing
        | Step::Aborted
        | Step::Reinstating
        | Step::Reinstated => {
            may_go_forward(workspace, &id, &state)?;
            Some(Event::ForwardRequested {
                reason: reason.to_owned(),
            })
        }
        _ => {
            return Err(WorkflowError::NotFromHere {
                what: "let the deployment go in",
                why: "no deployment lies ahead of it",
                way_out: format!("`tlsa-rotate status {name}` says what does"),
                step: state.step,
                id,
            });
        }
    };
    let told = wish.as_ref().and_then(|wish| skipped(wish, &state));
    if let Some(wish) = wish {
        let mut heads = Heads::of(workspace, run.now);
        let higher = before::higher_ttls(&mut heads, case.certificate, &state, run.now);
        case.note(run.now, wish)?;
        case.note_those_that_fit(run.now, higher)?;
        run.keep(&mut case)?;
    }
    let mut tick = run.follow(&case);
    tick.notes.extend(told);
    Ok(tick)
}

/// What going forward leaves out, because it was done before.
fn skipped(wish: &Event, state: &Rotation) -> Option<String> {
    let retires = matches!(state.step, Step::Reinstating | Step::Reinstated)
        && matches!(wish, Event::ForwardRequested { .. });
    retires.then(|| {
        "nothing is deployed and no soak begins: every host had the next key before the previous records left, so those leave again as soon as every host is seen with it".to_owned()
    })
}

/// Whoever goes forward again needs the next keys: here, or on the hosts.
fn may_go_forward(
    workspace: &Workspace,
    id: &RotationId,
    state: &Rotation,
) -> Result<(), WorkflowError> {
    let is_there = !state.incoming.is_empty() && admit::holds(workspace, id, &state.incoming)?;
    if is_there || state.opened.is_some() {
        return Ok(());
    }
    Err(WorkflowError::NotFromHere {
        id: id.clone(),
        step: state.step,
        what: "go forward again with",
        why: "its next key is not here any more",
        way_out: format!(
            "let it end; then `tlsa-rotate start {}` makes another key",
            id.certificate
        ),
    })
}

/// The files of the next key on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextFiles {
    /// Where they lie.
    pub directory: PathBuf,
    /// Whether they are of the key whose record is published, and of no other.
    pub are_right: bool,
    /// The runner that has them, as the journal says it.
    pub made_by: Option<String>,
    /// That a certificate is still to come, if one is.
    pub awaited: Option<String>,
}

/// Where the files of a rotation's next key lie. Another runner may have made that key, or somebody may have put another one
/// in its place: hosts that get such a file present a key that no record lists.
pub fn next_files(workspace: &Workspace, id: &RotationId, state: &Rotation) -> NextFiles {
    NextFiles {
        directory: admit::directory(workspace, id),
        are_right: admit::holds(workspace, id, &state.incoming).is_ok_and(|are_right| are_right)
            && renewed::sound_pairs(workspace, id).is_ok(),
        made_by: state.made_by.clone(),
        awaited: awaited::told(workspace, id),
    }
}

impl fmt::Display for NextFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.directory.display();
        if let Some(awaited) = &self.awaited {
            f.write_str(awaited)
        } else if self.are_right {
            write!(f, "the next certificate and key lie in {directory}")
        } else {
            write!(
                f,
                "the next key is not in {directory}: install none from there. It lies on {}",
                self.made_by.as_deref().map_or_else(
                    || "the machine that made it".to_owned(),
                    |host| format!("{host}, where a runner made it")
                )
            )
        }
    }
}
