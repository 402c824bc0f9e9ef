//! What shows that rotations began where no journal and no commit of ours tells of one: files for review that a merge in a
//! person's own words brought, and a history that is cut. A journal that is lost there is not taken for one that has not begun.

use super::WorkflowError;
use super::draft::reviewed;
use super::shared;
use super::upstream::Upstream;
use crate::workspace::journal::RotationId;
use crate::workspace::{ROTATION_KEYS, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// What was found, once for all certificates.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    /// The last rotation of each certificate that files for review are of, with one of these.
    reviewed: BTreeMap<String, (RotationId, PathBuf)>,
    /// A repository whose history is cut, where nothing else tells of rotations.
    cut: Option<PathBuf>,
}

impl Traces {
    /// Looks at every repository that a zone of the workspace is published by.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, WorkflowError> {
        let zones = workspace.config.zones.iter();
        let mut zones: Vec<_> = zones.filter(|zone| zone.publication.is_git()).collect();
        // Zones in one directory are of one repository.
        zones.sort_by_key(|zone| zone.file.parent());
        zones.dedup_by_key(|zone| zone.file.parent());
        let (mut traces, mut asked) = (Self::default(), BTreeSet::new());
        let (mut ledger, mut cut) = (false, None);
        for zone in zones {
            let Ok(upstream) = Upstream::of(workspace, zone) else {
                continue; // whoever needs the zone says so
            };
            let (repository, tip) = (&upstream.repository, upstream.tip());
            if !asked.insert(repository.root().to_owned()) {
                continue;
            }
            ledger |= repository.ledger()?.is_some();
            // Before the first commit nothing can have been merged.
            let Ok(tip) = tip else { continue };
            for (id, path) in reviewed(workspace, repository, &tip)? {
                let of = traces.reviewed.entry(id.certificate.to_string());
                let last = of.or_insert_with(|| (id.clone(), path.clone()));
                if last.0.number < id.number {
                    *last = (id, path);
                }
            }
            if cut.is_none() && !repository.tells_all()? {
                cut = Some(repository.root().to_owned());
            }
        }
        // Where any journal is, those that are not there have not begun.
        let is_kept = ledger || !shared::names(workspace)?.is_empty();
        traces.cut = cut.filter(|_| !is_kept);
        Ok(traces)
    }

    /// Refuses to take it that no rotation of a certificate has begun, where one may have.
    pub(super) fn none_of(
        &self,
        workspace: &Workspace,
        certificate: &str,
    ) -> Result<(), WorkflowError> {
        let path = workspace.journal(certificate);
        if let Some((rotation, review)) = self.reviewed.get(certificate) {
            return Err(WorkflowError::JournalGone {
                rotation: rotation.clone(),
                review: review.clone(),
                path,
            });
        }
        match &self.cut {
            None => Ok(()),
            Some(root) => Err(WorkflowError::HistoryCut {
                certificate: certificate.to_owned(),
                root: root.clone(),
                path,
            }),
        }
    }

    /// The last number that a rotation of a certificate may have had, for one that begins in spite of what was lost.
    pub(super) fn last(&self, workspace: &Workspace, certificate: &str) -> u32 {
        let keys = fs::read_dir(workspace.root.join(ROTATION_KEYS));
        let keys = keys.into_iter().flatten().flatten();
        let keys = keys.filter_map(|entry| entry.file_name().to_str()?.parse::<RotationId>().ok());
        let reviewed = self.reviewed.get(certificate).map(|(id, _)| id.clone());
        let all = keys.chain(reviewed);
        let ours = all.filter(|id| *id.certificate == *certificate);
        ours.map(|id| id.number).max().unwrap_or_default()
    }
}
