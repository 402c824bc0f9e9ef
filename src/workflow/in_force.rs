//! The configuration that counts where several runners share a remote: that of the branch that counts there, as it was fetched
//! last. What lies in a runner's own directory may be a checkout of long ago, or somebody's draft.
//!
//! By two configurations of one certificate two runners would take its hosts in and let them go in turn.

use super::WorkflowError;
use crate::files::read;
use crate::publish::git::{Repository, Site};
use crate::workspace::Workspace;
use crate::workspace::config::{Config, Problem};

/// The workspace by the configuration that counts, where that is another one than what lies here.
pub struct InForce {
    /// The workspace.
    pub workspace: Workspace,
    /// What a person should know who changed the file here: those changes do not count yet.
    pub draft: Option<String>,
}

/// The workspace by the configuration that counts; nothing where the file here is that, or where no remote has one.
pub fn in_force(workspace: &Workspace) -> Result<Option<InForce>, WorkflowError> {
    let mut remotes = workspace.config.zones.iter().map(|zone| &zone.remote);
    let Some(remote) = remotes.find_map(Option::as_ref) else {
        return Ok(None);
    };
    // Where git cannot be asked, whatever needs it says so.
    let Ok(repository) = Repository::discover(&workspace.config_path) else {
        return Ok(None);
    };
    let config = &workspace.config;
    let is_proposal = |branch: &str| config.is_proposal(branch);
    let site = Site::Remote(remote);
    let Ok(branch) = repository.counting(config.branch.as_deref(), site, is_proposal) else {
        return Ok(None);
    };
    let Ok(tip) = repository.tip(&branch.name, site) else {
        return Ok(None);
    };
    let path = &workspace.config_path;
    let Some(octets) = repository.file_at(&tip, path)? else {
        return Ok(None); // it is not in git: the operator's own
    };
    let here = read::read_unlinked(path, read::LIST).ok();
    if here.as_ref() == Some(&octets) {
        return Ok(None);
    }
    let wrong = |reason: String| WorkflowError::ConfigAt {
        commit: tip.clone(),
        path: path.clone(),
        reason,
    };
    let text = String::from_utf8(octets).map_err(|e| wrong(e.to_string()))?;
    let told = |problems: Vec<Problem>| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        wrong(problems.join("; "))
    };
    let config = Config::parse(&text, &workspace.root).map_err(told)?;
    let workspace = workspace
        .with(config)
        .map_err(|link| wrong(link.to_string()))?;
    let is_old = is_of_the_past(&repository, &tip, here.as_deref(), &workspace);
    let draft = (!is_old).then(|| {
        format!(
            "{} differs from that of branch {} at {remote}, which counts: what was changed here is not used before it is there",
            path.display(),
            branch.name
        )
    });
    Ok(Some(InForce { workspace, draft }))
}

/// Whether the file here is only behind: as it was committed, in a commit that the branch that counts has.
fn is_of_the_past(
    repository: &Repository,
    tip: &str,
    here: Option<&[u8]>,
    workspace: &Workspace,
) -> bool {
    let Ok(head) = repository.head() else {
        return false;
    };
    let committed = repository.file_at(&head.commit, &workspace.config_path);
    let is_committed = committed.is_ok_and(|committed| committed.as_deref() == here);
    is_committed && repository.is_ancestor(&head.commit, tip).unwrap_or(false)
}
