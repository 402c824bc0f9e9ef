//! What git knows of a certificate's rotations where its journal knows of none: a journal that was lost is never taken for
//! one that has not begun.

use super::WorkflowError;
use crate::publish::git::{Repository, StepCommit};
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The last rotation of which git holds a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// The rotation.
    pub(super) id: RotationId,
    /// The last step of it that was committed, such as `publish`.
    step: String,
    /// That commit.
    commit: String,
}

/// The last rotation of each certificate that git knows of.
pub(super) type InGit = BTreeMap<String, Lost>;

/// Asks every repository that a zone of the workspace is published by, once for all certificates.
pub(super) fn in_git(workspace: &Workspace) -> Result<InGit, WorkflowError> {
    let mut asked = BTreeSet::new();
    let mut latest = InGit::new();
    for zone in &workspace.config.zones {
        if !zone.publication.is_git() {
            continue;
        }
        let repository = Repository::discover(&zone.file)?;
        if !asked.insert(repository.root().to_owned()) {
            continue;
        }
        let certificates = workspace.config.certificates.iter();
        let known: BTreeSet<&str> = certificates.map(|one| one.name.as_str()).collect();
        for found in repository.steps_made()? {
            let Some(lost) = Lost::of(&found) else {
                continue;
            };
            let certificate = lost.id.certificate.to_string();
            let before = latest.get(&certificate);
            if known.contains(&*certificate)
                && before.is_none_or(|before| lost.id.number > before.id.number)
            {
                latest.insert(certificate, lost);
            }
        }
    }
    Ok(latest)
}

impl Lost {
    /// From the commit of a step, such as `mail.1/publish`.
    fn of(found: &StepCommit) -> Option<Self> {
        let (id, step) = found.step.as_ref()?.split_once('/')?;
        Some(Self {
            id: id.parse().ok()?,
            step: step.to_owned(),
            commit: found.commit.clone(),
        })
    }

    /// Why nothing is done without the journal.
    pub(super) fn into_error(self, journal: &Path) -> WorkflowError {
        WorkflowError::JournalLost {
            certificate: self.id.certificate.to_string(),
            rotation: self.id,
            step: self.step,
            commit: self.commit,
            path: journal.to_owned(),
        }
    }
}
