//! Pushes that a remote refused: remembered, and told in each run until one of them goes through.
//!
//! Whoever refuses a ref of ours, by a rule or a missing right, stops every runner there; a run that happens to have nothing to
//! push must not look as if all were well.

use super::WorkflowError;
use super::advance::Tick;
use crate::files::read;
use crate::publish::git::GitError;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::inside;
use std::fmt::Write as _;
use std::path::PathBuf;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Since when.
    pub since: Instant,
    /// The remote.
    pub remote: String,
    /// The ref.
    pub place: String,
    /// What was said, on one line.
    pub said: String,
}

/// How much is kept of what a remote said.
const MOST_SAID: usize = 400;

/// Remembers that a push was refused, if that is what went wrong. What cannot be kept holds nothing up: it was told.
pub(super) fn note(workspace: &Workspace, error: &WorkflowError, now: Instant) {
    let WorkflowError::Git(GitError::PushRefused {
        remote,
        places,
        moved: false,
        said,
        ..
    }) = error
    else {
        return;
    };
    let mut all = noted(workspace);
    for place in places {
        if all
            .iter()
            .any(|one| one.place == *place && one.remote == *remote)
        {
            continue;
        }
        let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        all.push(Refused {
            since: now,
            remote: remote.clone(),
            place: place.clone(),
            said: said.chars().take(MOST_SAID).collect(),
        });
    }
    let _ = write(workspace, &all);
}

/// A push of these refs went through.
pub(super) fn mended<'p>(workspace: &Workspace, places: impl IntoIterator<Item = &'p str>) {
    let all = noted(workspace);
    if all.is_empty() {
        return;
    }
    let places: Vec<&str> = places.into_iter().collect();
    let left: Vec<Refused> = all
        .iter()
        .filter(|one| !places.contains(&&*one.place))
        .cloned()
        .collect();
    if left.len() != all.len() {
        let _ = write(workspace, &left);
    }
}

/// What is refused still, for whoever was not told by this run's own errors.
pub(super) fn told(workspace: &Workspace, ticks: &[Tick]) -> Vec<Tick> {
    let is_told = |place: &str| {
        ticks.iter().any(|tick| match &tick.failed {
            Some(WorkflowError::Git(GitError::PushRefused { places, .. })) => {
                places.iter().any(|one| one == place)
            }
            _ => false,
        })
    };
    let mut all = noted(workspace);
    all.retain(|one| !is_told(&one.place));
    let Some(first) = all.into_iter().next() else {
        return Vec::new();
    };
    let mut tick = Tick::of(&first.remote);
    tick.zone = workspace.config.zones.first().map(|zone| zone.name.clone());
    tick.failed = Some(WorkflowError::StillRefused(Box::new(first)));
    vec![tick]
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.state().join("refused")
}

fn write(workspace: &Workspace, all: &[Refused]) -> Result<(), WorkflowError> {
    if all.is_empty() {
        return Ok(inside::remove(&path(workspace))?);
    }
    let mut text = String::new();
    for one in all {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}",
            one.since.unix(),
            one.remote,
            one.place,
            one.said
        );
    }
    inside::replace(&path(workspace), text.as_bytes())?;
    Ok(())
}

fn noted(workspace: &Workspace) -> Vec<Refused> {
    let text = read::read_text_unlinked(&path(workspace), read::LIST).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(4, '\t');
        let since = fields.next()?.parse().ok()?;
        Some(Refused {
            since: Instant::from_unix(since),
            remote: fields.next()?.to_owned(),
            place: fields.next()?.to_owned(),
            said: fields.next()?.to_owned(),
        })
    });
    lines.collect()
}
