//! Whether the clocks of two runners are apart: what another one recorded reaches this one within minutes, so that an entry which
//! was not there when this runner last looked, and is dated long before that, was dated by a clock that is behind, or this one
//! is ahead. That holds however seldom a runner runs.

use super::WorkflowError;
use crate::files::read;
use crate::rotation::doubt::{Doubt, FAR};
use crate::rotation::repair::TooEarly;
use crate::rotation::step::Event;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::Entry;
use std::path::{Path, PathBuf};

/// Between two notes of when the journals were looked at: a run at rest writes nothing.
const REFRESHED: Span = Span::minutes(30);

/// When this runner last had all that the others had recorded, by its own clock.
fn looked(workspace: &Workspace) -> PathBuf {
    workspace.state().join("looked")
}

/// What showed that two clocks are apart.
fn found(workspace: &Workspace) -> PathBuf {
    workspace.state().join("apart")
}

/// What came late, in all since a person last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// The earliest date of it.
    from: Instant,
    /// When this runner last looked before some of it came.
    before: Instant,
    /// By how much at least it came late.
    by: Span,
}

fn instants(path: &Path) -> Option<Vec<Instant>> {
    let text = read::read_text_unlinked(path, read::LIST).ok()?;
    let words = text.split_whitespace();
    words
        .map(|word| Some(Instant::from_unix(word.parse().ok()?)))
        .collect()
}

fn read_found(workspace: &Workspace) -> Option<Found> {
    match instants(&found(workspace))?[..] {
        [from, before, by] => Some(Found {
            from,
            before,
            by: Span::seconds(by.unix()),
        }),
        _ => None,
    }
}

/// Holds the entries that have just come, of a journal that was here already, against when this runner last looked. To be done
/// before they are taken over: who is killed between the two finds them anew.
pub(super) fn compare<'e>(
    workspace: &Workspace,
    come: impl IntoIterator<Item = &'e Entry<Event>>,
    now: Instant,
) -> Result<(), WorkflowError> {
    let Some(&[looked]) = instants(&looked(workspace)).as_deref() else {
        return Ok(());
    };
    let dated = come.into_iter().map(|entry| entry.at).min();
    // By a clock that was set back since, nothing can be told.
    let Some(dated) = dated.filter(|dated| looked <= now && looked.since(*dated) > FAR) else {
        return Ok(());
    };
    let (mut from, mut by) = (dated, looked.since(dated));
    if let Some(earlier) = read_found(workspace) {
        (from, by) = (from.min(earlier.from), by.max(earlier.by));
    }
    let text = format!("{} {} {}\n", from.unix(), looked.unix(), by.as_seconds());
    inside::replace(&found(workspace), text.as_bytes())?;
    Ok(())
}

/// Keeps in mind that now all is here that was recorded.
pub(super) fn note(workspace: &Workspace, now: Instant) -> Result<(), WorkflowError> {
    let known = instants(&looked(workspace));
    let is_near = |last: &Instant| *last <= now && now.since(*last) < REFRESHED;
    // That this clock was set back since tells which one was wrong.
    let is_back = |last: &Instant| *last > now && found(workspace).exists();
    if known
        .as_deref()
        .is_some_and(|known| known.iter().any(is_back))
    {
        return Ok(());
    }
    if !known
        .as_deref()
        .is_some_and(|known| known.iter().any(is_near))
    {
        let text = format!("{}\n", now.unix());
        inside::replace(&looked(workspace), text.as_bytes())?;
    }
    Ok(())
}

/// That two clocks were found to be apart, as long as nobody has said which is right.
pub(super) fn doubt(workspace: &Workspace) -> Option<Doubt> {
    let Found { from, by, .. } = read_found(workspace)?;
    Some(Doubt::Apart { dated: from, by })
}

/// The entries that were dated too early, where this clock is right.
pub(super) fn too_early(workspace: &Workspace, now: Instant) -> Option<TooEarly> {
    let Found { from, before, by } = read_found(workspace)?;
    let looked = instants(&looked(workspace)).unwrap_or_default();
    // One that was set back since was the wrong one itself.
    let is_right = looked.iter().all(|looked| *looked <= now);
    is_right.then(|| TooEarly {
        from,
        before: before.max(now - by),
        by,
    })
}

/// A person has looked.
pub(super) fn settled(workspace: &Workspace) -> Result<(), WorkflowError> {
    for path in [found(workspace), looked(workspace)] {
        inside::remove(&path)?;
    }
    Ok(())
}
