//! Use case `archive`: the lines of rotations that are long over go out of a journal into a file beside it, so that every run
//! reads no more than it did in the first year.
//!
//! What runs ask for in every minute stays: the latest rotation, the one that brought the key in use, and those whose retired
//! keys are still kept. What is asked for once in a rotation (was this key ever used?) is looked up in the archive.

use super::WorkflowError;
use super::advance::Mode;
use super::case::Case;
use super::present::Present;
use super::shared::Shared;
use crate::workspace::Workspace;
use crate::workspace::journal::Moved;
use std::path::PathBuf;

/// What became of one journal.
#[derive(Debug)]
pub struct Archived {
    /// The certificate.
    pub certificate: String,
    /// The journal.
    pub journal: PathBuf,
    /// Its archive.
    pub archive: PathBuf,
    /// How many rotations went.
    pub rotations: usize,
    /// The number of the first rotation that stays; zero where there is none.
    pub first: u32,
    /// How much went, and how much stays.
    pub moved: Moved,
}

/// Archives the journals of the certificates named, or of all; in a rehearsal it only tells what would go.
pub fn archive(
    workspace: &Workspace,
    names: &[String],
    present: &Present,
) -> Result<Vec<Archived>, WorkflowError> {
    let now = present.now;
    if let Some(shared) = Shared::of(workspace, now)? {
        return Err(WorkflowError::SharedNotArchived {
            place: shared.place(),
        });
    }
    let lock = match present.mode(workspace)? {
        Mode::Act => Some(workspace.lock()?),
        Mode::Rehearse | Mode::Look => None,
    };
    let mut told = Vec::new();
    for name in workspace.config.named_or_all(names) {
        let mut case = Case::open(workspace, &name, now)?;
        let first = case.first_needed(now, case.certificate.policy.keep_retired_keys);
        let journal = case.journal();
        let mut numbers: Vec<u32> = journal
            .entries()
            .iter()
            .map(|e| e.rotation.number)
            .collect();
        numbers.retain(|number| *number < first);
        numbers.dedup();
        let moved = match &lock {
            Some(lock) => journal.archive(lock, first)?,
            None => journal.archivable(first)?,
        };
        told.push(Archived {
            certificate: name,
            journal: journal.path().to_owned(),
            archive: journal.path().with_extension("archive"),
            rotations: numbers.len(),
            first,
            moved,
        });
    }
    Ok(told)
}
