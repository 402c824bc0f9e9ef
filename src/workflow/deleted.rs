//! Proposals whose branch somebody deleted without merging it: told, and proposed again after a day, or when a person asks.
//!
//! Whoever deletes a branch may have cleaned up, or may not want the change; the first is by far more common, and a rotation
//! that nobody proposes any more ends with an expired certificate.

use super::WorkflowError;
use crate::files::read;
use crate::publish::git::{Repository, Site};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use std::fmt::Write as _;

/// How long a deletion is left alone, from when a run first saw it.
const PATIENCE: Span = Span::hours(24);

/// A deletion that was seen: the branch, the proposal that was on it, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    branch: String,
    commit: String,
    since: Instant,
}

/// Lets the proposal that was on a deleted branch go, so that it is made again, if it is time; whether it was.
pub(super) fn let_go(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    (repository, site): (&Repository, Site<'_>),
    branch: &str,
    now: Instant,
) -> Result<bool, WorkflowError> {
    let Some(commit) = repository.remembered(branch)? else {
        return Ok(false);
    };
    let mut seen = noted(workspace);
    let known = seen
        .iter()
        .find(|one| one.branch == branch && one.commit == commit);
    let since = known.map(|one| one.since);
    // A clock that was ahead once keeps nobody waiting for longer than the whole time.
    let goes = since.is_some_and(|since| now >= since + PATIENCE);
    let is_ahead = since.is_some_and(|since| since > now);
    seen.retain(|one| one.branch != branch);
    if goes {
        repository.forget_deleted(branch, &commit, site)?;
    } else {
        let since = since.filter(|_| !is_ahead).unwrap_or(now);
        seen.push(Seen {
            branch: branch.to_owned(),
            commit,
            since,
        });
    }
    note(workspace, &seen)?;
    Ok(goes)
}

/// What a person asks for: the deletions that runs have seen are old enough for the next run. Whether there are any.
pub fn ask_again(workspace: &Workspace) -> Result<bool, WorkflowError> {
    let _lock = workspace.lock()?;
    let mut seen = noted(workspace);
    for one in &mut seen {
        one.since = Instant::from_unix(0);
    }
    note(workspace, &seen)?;
    Ok(!seen.is_empty())
}

fn note(workspace: &Workspace, seen: &[Seen]) -> Result<(), WorkflowError> {
    let mut text = String::new();
    for one in seen {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", one.since.unix(), one.commit, one.branch);
    }
    inside::replace(&path(workspace), text.as_bytes())?;
    Ok(())
}

/// What runs have noted; a file that cannot be read tells nothing, and the day begins anew.
fn noted(workspace: &Workspace) -> Vec<Seen> {
    let text = read::read_text_unlinked(&path(workspace), read::LIST).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ' ');
        let since = fields.next()?.parse().ok()?;
        Some(Seen {
            since: Instant::from_unix(since),
            commit: fields.next()?.to_owned(),
            branch: fields.next()?.to_owned(),
        })
    });
    lines.collect()
}

fn path(workspace: &Workspace) -> std::path::PathBuf {
    workspace.state().join("deleted")
}
