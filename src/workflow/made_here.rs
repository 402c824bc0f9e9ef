//! Keys that lie where those of the next rotation will: made here by a start that was interrupted, or by nobody knows whom.
//!
//! Before a start makes a key it notes for which rotation. Files without that note are never used; files with it are, and
//! that is told.

use super::WorkflowError;
use super::admit;
use crate::rotation::association::Association;
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Where it is noted that keys are made for a rotation.
fn note(workspace: &Workspace, id: &RotationId) -> PathBuf {
    workspace.state().join("made").join(id.to_string())
}

/// Notes that keys are made for the rotation; what of it is there already, one sentence.
///
/// Refuses files in its directory that this program did not put there for it.
pub(super) fn begin(
    workspace: &Workspace,
    id: &RotationId,
) -> Result<Option<String>, WorkflowError> {
    let note = note(workspace, id);
    let there = files(workspace, id)?;
    if note.exists() {
        let names: Vec<String> = there.iter().map(|p| p.display().to_string()).collect();
        return Ok((!names.is_empty()).then(|| {
            format!(
                "an earlier start of {id} was interrupted: the files that it made are used: {}",
                names.join(", ")
            )
        }));
    }
    if !there.is_empty() {
        return Err(WorkflowError::KeysOfOthers {
            id: id.clone(),
            directory: admit::directory(workspace, id),
            files: there,
        });
    }
    if let Some(directory) = note.parent() {
        inside::create_directory(directory, 0o700)?;
    }
    inside::replace(&note, b"")?;
    Ok(None)
}

/// The rotation has begun: from now on its journal tells which keys it has.
pub(super) fn end(workspace: &Workspace, id: &RotationId) -> Result<(), WorkflowError> {
    Ok(inside::remove(&note(workspace, id))?)
}

/// The start came to nothing: what it made goes again. What cannot be removed is adopted by the next start, as after a crash.
pub(super) fn undo(workspace: &Workspace, id: &RotationId) {
    let directory = admit::directory(workspace, id);
    let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut all = true;
    for path in entries.map(|entry| entry.path()) {
        all &= inside::remove(&path).is_ok();
    }
    // Its directory goes with the last file.
    let _ = fs::remove_dir(&directory);
    if all {
        let _ = end(workspace, id);
    }
}

/// Takes away the keys of a start of this runner that another one was faster than: their records are published nowhere. Says
/// so.
pub(super) fn give_way(
    workspace: &Workspace,
    id: &RotationId,
    incoming: &BTreeSet<Association>,
) -> Option<String> {
    if incoming.is_empty() || !note(workspace, id).exists() {
        return None;
    }
    let there = files(workspace, id).ok()?;
    if there.is_empty() || admit::holds(workspace, id, incoming).ok()? {
        let _ = end(workspace, id);
        return None;
    }
    undo(workspace, id);
    let directory = admit::directory(workspace, id);
    Some(format!(
        "another runner was faster with {id}: the key that a start had made here was removed from {}",
        directory.display()
    ))
}

fn files(workspace: &Workspace, id: &RotationId) -> Result<Vec<PathBuf>, WorkflowError> {
    let directory = admit::directory(workspace, id);
    let entries = match fs::read_dir(&directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| admit::unreadable(&directory, source))?,
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "pem"))
        .collect();
    files.sort();
    Ok(files)
}
