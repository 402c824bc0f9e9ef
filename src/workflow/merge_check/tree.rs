//! One of the two sides that are held against each other: the base, and what the merge makes of it; each read by its own
//! configuration.

use crate::publish::git::{GitError, Repository};
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::workflow::WorkflowError;
use crate::workflow::head::{self, Head};
use crate::workspace::Workspace;
use crate::workspace::config::{Config, Publication, ZoneConfig};
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A commit or tree, read by its own configuration.
pub(super) struct Tree {
    /// The object.
    pub(super) commit: String,
    pub(super) workspace: Workspace,
}

/// The zones of a side.
#[derive(Default)]
pub(super) struct Zones {
    /// Those that were read.
    pub(super) read: BTreeMap<Name, Head>,
    /// Those that could not be, with what is wrong with them.
    pub(super) broken: BTreeMap<Name, String>,
}

impl Tree {
    /// Reads the configuration by which a request is judged: that of the base. What is checked out may be the request, and
    /// says nothing of where the journals are, nor whom to ask, nor what to run.
    pub(super) fn of_base(
        workspace: &Workspace,
        repository: &Repository,
        (base, head): (&str, &str),
    ) -> Result<Self, WorkflowError> {
        let path = &workspace.config_path;
        let is_at = |commit| Ok::<_, WorkflowError>(repository.file_at(commit, path)?.is_some());
        if !is_at(base)? && is_at(head)? {
            return Err(WorkflowError::ConfigAt {
                commit: base.to_owned(),
                path: path.clone(),
                reason: "the base does not hold it, and the request brings it along".to_owned(),
            });
        }
        Self::of(workspace, repository, base)
    }

    /// Reads the configuration that `commit` holds; a pull request may have changed it. One that is not in git is the
    /// operator's own, or that of the base: it holds for every tree.
    pub(super) fn of(
        workspace: &Workspace,
        repository: &Repository,
        commit: &str,
    ) -> Result<Self, WorkflowError> {
        let mut workspace = workspace.clone();
        let wrong = |reason: String| WorkflowError::ConfigAt {
            commit: commit.to_owned(),
            path: workspace.config_path.clone(),
            reason,
        };
        let octets = match repository.file_at(commit, &workspace.config_path) {
            // What has come in its place is a finding of its own.
            Err(GitError::NotAFile { .. }) => None,
            octets => octets?,
        };
        if let Some(octets) = octets {
            let text = String::from_utf8(octets).map_err(|e| wrong(e.to_string()))?;
            let told = |problems: Vec<crate::workspace::config::Problem>| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                wrong(problems.join("; "))
            };
            workspace.config = Config::parse(&text, &workspace.root).map_err(told)?;
        }
        Ok(Self {
            commit: commit.to_owned(),
            workspace,
        })
    }

    /// What the merge makes of the base; where it takes the configuration out of git, by that of the base.
    pub(super) fn of_merge(
        workspace: &Workspace,
        repository: &Repository,
        (base, tree): (&str, &str),
    ) -> Result<Self, WorkflowError> {
        let by_base = Self::of(workspace, repository, base)?;
        Self::of(&by_base.workspace, repository, tree)
    }

    pub(super) fn zone_of(&self, tlsa: &TlsaName) -> Option<&ZoneConfig> {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        self.workspace.config.zone_of(&name)
    }

    /// The TLSA RRset at a name, as the zones of this tree hold it.
    pub(super) fn rrset(
        &self,
        zones: &BTreeMap<Name, Head>,
        tlsa: &TlsaName,
    ) -> Option<BTreeSet<Association>> {
        let zone = self.zone_of(tlsa)?;
        let owner = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
        let head = zones.get(&zone.name)?;
        Some(head::associations(&head.content, &owner))
    }

    /// The zones that lie in the repository, each read once: those of `before` that no path of `changed` is part of are taken
    /// from there.
    pub(super) fn zones(
        &self,
        repository: &Repository,
        before: Option<(&Zones, &BTreeSet<PathBuf>)>,
    ) -> Result<Zones, WorkflowError> {
        let mut zones = Zones::default();
        let is_here = |zone: &&ZoneConfig| {
            zone.publication != Publication::File
                && !zone.publication.is_elsewhere()
                && zone.file.starts_with(repository.root())
        };
        for zone in self.workspace.config.zones.iter().filter(is_here) {
            if let Some((before, changed)) = before
                && let Some(head) = before.read.get(&zone.name)
                && is_untouched(head, zone, changed)
            {
                zones.read.insert(zone.name.clone(), head.clone());
                continue;
            }
            match head::at_commit(&self.workspace, zone, repository, &self.commit) {
                Ok(head) => {
                    zones.read.insert(zone.name.clone(), head);
                }
                Err(WorkflowError::NotCommitted { .. }) => {}
                Err(WorkflowError::Zone(findings)) => {
                    zones.broken.insert(zone.name.clone(), findings);
                }
                Err(WorkflowError::Git(error @ GitError::NotAFile { .. })) => {
                    zones.broken.insert(zone.name.clone(), error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(zones)
    }
}

/// Whether a zone is made of the same files as before, and none of them changed.
fn is_untouched(head: &Head, zone: &ZoneConfig, changed: &BTreeSet<PathBuf>) -> bool {
    let mut sources = head
        .file
        .sources()
        .iter()
        .map(|source| Path::new(&source.path));
    let is_same_file = sources.next() == Some(zone.file.as_path());
    // What it includes may have been a file that is not there any more, or a directory on the way to it.
    let is_changed = |source: &Path| changed.iter().any(|path| source.starts_with(path));
    is_same_file && !is_changed(&zone.file) && !sources.any(is_changed)
}
