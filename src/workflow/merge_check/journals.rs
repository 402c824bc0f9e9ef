//! Where the requirements are from: the journals, in the repository or beside it, replayed by the machine's own table.

use crate::publish::git::Repository;
use crate::rotation::step::{Event, Rotation};
use crate::workflow::WorkflowError;
use crate::workflow::case::replay;
use crate::workspace::Workspace;
use crate::workspace::journal::{Journal, RotationId};
use std::fs;
use std::io::ErrorKind;

/// The latest rotation of every certificate, and where that is from.
pub(super) struct Told {
    pub(super) rotations: Vec<(RotationId, Rotation)>,
    pub(super) source: String,
}

/// The latest rotation of every certificate that has a journal, also of those that the configuration names no more.
pub(super) fn rotations(
    workspace: &Workspace,
    repository: &Repository,
) -> Result<Told, WorkflowError> {
    let _ = repository;
    here(workspace)
}

/// From the directory beside the zones.
fn here(workspace: &Workspace) -> Result<Told, WorkflowError> {
    let directory = workspace.journals();
    let unreadable = |source| WorkflowError::Unreadable {
        path: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(WorkflowError::NoJournals { path: directory });
        }
        Err(e) => return Err(unreadable(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".jsonl"));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    let mut rotations = Vec::new();
    for name in names {
        let journal = Journal::<Event>::read(&workspace.journal(&name), &name)?;
        rotations.extend(replay(&journal)?);
    }
    Ok(Told {
        rotations,
        source: "the journals beside the zones".to_owned(),
    })
}
