//! That a deployment is about to be run, noted on disk before it is: one that could not be recorded afterwards, because the disk
//! is full or the run was killed, is not run again at each tick as if it had never been.

use super::WorkflowError;
use super::case::Case;
use crate::files::read;
use crate::rotation::step::Event;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

/// How such an attempt ended, as far as anybody can say.
const UNKNOWN: &str = "how it ended is not known: the run ended before that was recorded";

fn note(workspace: &Workspace, certificate: &str) -> PathBuf {
    workspace.state().join("deploying").join(certificate)
}

/// Notes that a command is about to be run for hosts. Where that cannot be kept, it must not be run.
pub(super) fn begin(
    workspace: &Workspace,
    id: &RotationId,
    hosts: &BTreeSet<String>,
) -> Result<(), WorkflowError> {
    let note = note(workspace, &id.certificate);
    if let Some(directory) = note.parent() {
        inside::create_directory(directory, 0o777)?;
    }
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let text = format!("{id} {}\n", hosts.join(" "));
    inside::replace(&note, text.as_bytes())?;
    Ok(())
}

/// How it ended is recorded.
pub(super) fn end(workspace: &Workspace, certificate: &str) -> Result<(), WorkflowError> {
    Ok(inside::remove(&note(workspace, certificate))?)
}

/// Records an attempt of an earlier run of which nobody knows how it ended.
pub(super) fn record_unfinished(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    now: Instant,
) -> Result<(), WorkflowError> {
    let certificate = case.certificate.name.clone();
    let note = note(workspace, &certificate);
    let text = match read::read_text_unlinked(&note, read::LIST) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == ErrorKind::InvalidData => String::new(),
        text => text.map_err(|source| WorkflowError::Unreadable { path: note, source })?,
    };
    if let Some((id, state)) = case.under_way() {
        let mut words = text.split_whitespace();
        let is_of_it = words.next().is_none_or(|of| of == id.to_string());
        let mut hosts: BTreeSet<String> = words.map(ToOwned::to_owned).collect();
        if hosts.is_empty() {
            // What is damaged may have been of any.
            hosts = state.endpoints.iter().map(|one| one.host.clone()).collect();
        }
        if is_of_it {
            let failed = Some(UNKNOWN.to_owned());
            case.record(lock, now, Event::DeploymentTried { hosts, failed })?;
        }
    }
    end(workspace, &certificate)
}
