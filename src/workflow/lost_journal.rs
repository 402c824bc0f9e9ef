//! What git knows of a certificate's rotations where its journal knows of none: a journal that was lost is never taken for
//! one that has not begun.

use super::WorkflowError;
use crate::publish::git::Repository;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use std::collections::BTreeSet;
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

impl Lost {
    /// Asks every repository that a zone of the workspace is published by.
    pub(super) fn of(
        workspace: &Workspace,
        certificate: &str,
    ) -> Result<Option<Self>, WorkflowError> {
        let mut asked = BTreeSet::new();
        let mut last: Option<Self> = None;
        for zone in &workspace.config.zones {
            if !zone.publication.is_git() {
                continue;
            }
            let repository = Repository::discover(&zone.file)?;
            if !asked.insert(repository.root().to_owned()) {
                continue;
            }
            for found in repository.steps_of(&format!("{certificate}."))? {
                let step = found.step.unwrap_or_default();
                let Some((id, step)) = step.split_once('/') else {
                    continue;
                };
                let Ok(id) = id.parse::<RotationId>() else {
                    continue;
                };
                let is_later = last.as_ref().is_none_or(|last| id.number > last.id.number);
                if &*id.certificate == certificate && is_later {
                    last = Some(Self {
                        id,
                        step: step.to_owned(),
                        commit: found.commit,
                    });
                }
            }
        }
        Ok(last)
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
