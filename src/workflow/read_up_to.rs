//! Up to which commit each repository was asked for our steps, and which of them were found: what lies before it is not read
//! again.
//!
//! A cache, made anew where it is lost or damaged, and believed only where the commit that it goes up to is still in the history
//! of the branch: a commit stands for all that it descends from. Where git does not show that as it is, nothing is kept.

use super::WorkflowError;
use crate::files::read;
use crate::publish::git::{Repository, StepCommit};
use crate::workspace::durable::{Operation, WriteError};
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The form of the file, and the way in which history was read for it.
const VERSION: u32 = 1;

/// What was found so far, by the working tree of each repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadUpTo {
    repositories: BTreeMap<String, Found>,
    is_new: bool,
}

/// What one repository holds of our steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    /// The commit up to which it was read.
    tip: String,
    /// The commits of each certificate's last rotation that it descends from, newest first.
    steps: Vec<StepCommit>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    repositories: BTreeMap<String, Found>,
}

fn path(state: &Path) -> PathBuf {
    state.join("steps")
}

impl ReadUpTo {
    /// What was kept; nothing where it cannot be read, or is not as it was written.
    pub(super) fn read(state: &Path) -> Self {
        let text = read::read_text_unlinked(&path(state), read::STATE);
        let repositories = text.ok().and_then(|text| {
            let (told, text) = text.split_once('\n')?;
            let text: Text = serde_json::from_str((told == sum(text)).then_some(text)?).ok()?;
            (text.version == VERSION).then_some(text.repositories)
        });
        Self {
            repositories: repositories.unwrap_or_default(),
            is_new: false,
        }
    }

    /// Keeps it, if there is anything new.
    pub(super) fn keep(&mut self, state: &Path) -> Result<(), WriteError> {
        if !std::mem::take(&mut self.is_new) {
            return Ok(());
        }
        let text = Text {
            version: VERSION,
            repositories: self.repositories.clone(),
        };
        let path = path(state);
        let text = serde_json::to_string(&text).map_err(|e| WriteError {
            operation: Operation::Replace,
            path: path.clone(),
            source: e.into(),
        })?;
        inside::replace(&path, format!("{}\n{text}", sum(&text)).as_bytes()).map(|_| ())
    }

    /// The commits of our steps in a repository, newest first; of earlier rotations some are left out. `tip` is that of the
    /// branch that counts, if it has one.
    pub(super) fn steps(
        &mut self,
        repository: &Repository,
        tip: Option<&str>,
    ) -> Result<Vec<StepCommit>, WorkflowError> {
        let Some(tip) = tip.filter(|_| repository.tells_all().unwrap_or(false)) else {
            return Ok(repository.steps_made(None)?);
        };
        let place = repository.root().to_string_lossy().into_owned();
        let is_before = |found: &Found| {
            // One that git does not find any more is before nothing.
            found.tip == tip || repository.is_ancestor(&found.tip, tip).unwrap_or(false)
        };
        let known = self.repositories.get(&place).filter(|one| is_before(one));
        let (was, mut steps) = known.map_or_else(Default::default, |known| {
            (Some(known.tip.clone()), known.steps.clone())
        });
        if was.as_deref() != Some(tip) {
            let mut all = repository.steps_up_to(tip, was.as_deref())?;
            all.append(&mut steps);
            steps = of_last_rotations(all);
            let found = Found {
                tip: tip.to_owned(),
                steps: steps.clone(),
            };
            self.repositories.insert(place, found);
            self.is_new = true;
        }
        let mut all = repository.steps_made(Some(tip))?;
        all.append(&mut steps);
        Ok(all)
    }
}

/// The rotations that a commit is a step of.
fn rotations(commit: &StepCommit) -> impl Iterator<Item = RotationId> + '_ {
    let steps = commit.step.iter().flat_map(|steps| steps.split(';'));
    steps.filter_map(|step| step.split_once('/')?.0.parse().ok())
}

/// The commits that are a step of the last rotation of any certificate: no earlier one is asked for.
fn of_last_rotations(mut commits: Vec<StepCommit>) -> Vec<StepCommit> {
    let mut last: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for id in commits.iter().flat_map(rotations) {
        let number = last.entry(id.certificate).or_default();
        *number = (*number).max(id.number);
    }
    let is_last = |id: RotationId| last.get(&id.certificate) == Some(&id.number);
    commits.retain(|commit| rotations(commit).any(is_last));
    commits
}

fn sum(text: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}
