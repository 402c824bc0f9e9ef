//! Where what counts as merged of a zone is: the branch that the configuration names, here or at a remote.
//!
//! What is checked out says nothing of it: who looks at a proposal has not merged it.

use super::WorkflowError;
use crate::publish::git::{Counting, Repository, Site, Target};
use crate::workspace::Workspace;
use crate::workspace::config::ZoneConfig;
use std::path::Path;

/// The repository that a zone lies in, and the branch that counts: here, or, where a remote is configured, there, as it was
/// fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    /// The repository.
    pub(super) repository: Repository,
    /// The branch, without `refs/heads/`.
    pub(super) branch: String,
    /// The remote, if there is one.
    pub(super) remote: Option<String>,
}

impl Upstream {
    /// Of a zone that is published by git.
    pub(super) fn of(workspace: &Workspace, zone: &ZoneConfig) -> Result<Self, WorkflowError> {
        let repository = Repository::discover(&zone.file)?;
        let branch = counting(workspace, zone, &repository)?.name;
        let remote = zone.remote.clone();
        Ok(Self {
            repository,
            branch,
            remote,
        })
    }

    /// The commit that counts as merged.
    pub(super) fn tip(&self) -> Result<String, WorkflowError> {
        Ok(self.repository.tip(&self.branch, self.site())?)
    }

    /// Where branches are.
    pub(super) fn site(&self) -> Site<'_> {
        site(self.remote.as_deref())
    }

    /// Where a commit goes that nobody reviews.
    pub(super) fn direct<'a>(&'a self, base: &'a str, scratch: &'a Path) -> Target<'a> {
        let branch = &self.branch;
        match &self.remote {
            None => Target::Direct {
                branch,
                base,
                scratch,
            },
            Some(remote) => Target::Upstream {
                remote,
                branch,
                base,
                scratch,
            },
        }
    }
}

fn site(remote: Option<&str>) -> Site<'_> {
    remote.map_or(Site::Here, Site::Remote)
}

fn counting(
    workspace: &Workspace,
    zone: &ZoneConfig,
    repository: &Repository,
) -> Result<Counting, WorkflowError> {
    let config = &workspace.config;
    let is_proposal = |branch: &str| config.is_proposal(branch);
    let site = site(zone.remote.as_deref());
    Ok(repository.counting(config.branch.as_deref(), site, is_proposal)?)
}

/// Which branch is taken for the one that counts, where the configuration does not name it.
pub fn taken(workspace: &Workspace) -> Option<String> {
    if workspace.config.branch.is_some() {
        return None;
    }
    let mut zones = workspace.config.zones.iter();
    let zone = zones.find(|zone| zone.publication.is_git())?;
    let repository = Repository::discover(&zone.file).ok()?;
    let Counting { name, because } = counting(workspace, zone, &repository).ok()?;
    let (place, because) = (workspace.config_path.display(), because?);
    Some(format!(
        "branch {name} counts as merged, because {because}; say so at the top of {place}: branch = \"{name}\""
    ))
}
