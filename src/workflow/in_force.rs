//! The configuration that counts where git tracks it: that of the branch that counts, here, or, where several runners share a
//! remote, there, as it was fetched last. What lies in a directory may be a checkout of long ago, a request that somebody
//! looks at, or a draft: to edit a configuration is not to merge it.
//!
//! By two configurations of one certificate two runners would take its hosts in and let them go in turn; so would one runner
//! whose working tree moves. Where git does not track it, the file is all there is.

use super::WorkflowError;
use crate::files::read;
use crate::publish::git::{Repository, Site};
use crate::workspace::config::{Config, Problem};
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::{STATE, Workspace};
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace by the configuration that counts, where that is another one than what lies here.
pub struct InForce {
    /// The workspace.
    pub workspace: Workspace,
    /// What a person should know who changed the file here: those changes do not count yet.
    pub draft: Option<String>,
}

/// The workspace by the configuration that counts; nothing where the file here is that, or where git does not track it.
pub fn in_force(workspace: &Workspace) -> Result<Option<InForce>, WorkflowError> {
    // Where git cannot be asked, whatever needs it says so.
    let Ok(repository) = Repository::discover(&workspace.config_path) else {
        return Ok(None);
    };
    let mut place = Place::of(workspace);
    // What is checked out may name itself. By which branch runs went before says more, as long as there is one.
    let mut other_branch = None;
    if let Some(branch) = noted(&workspace.state()) {
        let own = workspace.config.branch.as_ref();
        other_branch = own.filter(|own| **own != branch).map(|own| {
            format!(
                "branch {branch} counts, by which earlier runs went, and the file here names {own}: if {own} is to count, rm {}",
                note_in(&workspace.state()).display()
            )
        });
        place.branch = Some(branch);
        if matches!(
            committed(workspace, &place, &repository)?,
            Committed::Nowhere
        ) {
            place = Place::of(workspace);
            other_branch = None;
        }
    }
    let mut found: Option<InForce> = None;
    for _ in 0..MOST_BRANCHES {
        // A configuration may name another branch than the one that it is on.
        let next = match committed(workspace, &place, &repository)? {
            Committed::Nowhere => return Ok(found),
            Committed::AsHere => {
                found = None;
                Place::of(workspace)
            }
            Committed::Other(other) => {
                let next = Place::of(&other.workspace);
                found = Some(*other);
                next
            }
        };
        if next == place {
            if let Some(found) = &mut found {
                let said = [found.draft.take(), other_branch];
                let said: Vec<String> = said.into_iter().flatten().collect();
                found.draft = (!said.is_empty()).then(|| said.join("; "));
            }
            return Ok(found);
        }
        place = next;
    }
    let (commit, path) = ("HEAD".to_owned(), workspace.config_path.clone());
    let reason = "`branch` and `remote` lead from one configuration to another, and to no end";
    Err(WorkflowError::ConfigAt {
        commit,
        path,
        reason: reason.to_owned(),
    })
}

/// The same where the file at `path` is none that can be used: somebody's draft, or a branch that is checked out, stops nothing.
/// Nothing where no branch that counts has one, either.
pub fn instead_of(path: &Path) -> Result<Option<InForce>, WorkflowError> {
    let (directory, name) = (path.parent(), path.file_name());
    let directory = directory.filter(|above| !above.as_os_str().is_empty());
    let root = fs::canonicalize(directory.unwrap_or(Path::new(".")));
    let (Ok(root), Some(name)) = (root, name) else {
        return Ok(None);
    };
    let config_path = root.join(name);
    let Ok(repository) = Repository::discover(&config_path) else {
        return Ok(None);
    };
    let state = root.join(STATE);
    let derived = || repository.counting(None, Site::Here, |_| false).ok();
    let branch = noted(&state).or_else(|| Some(derived()?.name));
    let tip = branch.and_then(|branch| repository.tip(&branch, Site::Here).ok());
    let Some(tip) = tip else { return Ok(None) };
    let octets = repository.file_at(&tip, &config_path)?;
    let text = octets.and_then(|octets| String::from_utf8(octets).ok());
    let config = text.and_then(|text| Config::parse(&text, &root).ok());
    let Some(config) = config else {
        return Ok(None); // what is wrong here is told
    };
    in_force(&Workspace {
        root,
        config_path,
        config,
    })
}

/// How many branches in a row may each name another one.
const MOST_BRANCHES: usize = 4;

/// Keeps in mind by which branch a run goes; what cannot be kept holds nothing up.
pub(super) fn note(workspace: &Workspace, _lock: &WorkspaceLock) {
    if let Some(branch) = &workspace.config.branch
        && noted(&workspace.state()).as_ref() != Some(branch)
    {
        let _ = inside::replace(
            &note_in(&workspace.state()),
            format!("{branch}\n").as_bytes(),
        );
    }
}

fn noted(state: &Path) -> Option<String> {
    let text = read::read_text_unlinked(&note_in(state), read::LIST).ok()?;
    let branch = text.trim();
    (!branch.is_empty()).then(|| branch.to_owned())
}

fn note_in(state: &Path) -> PathBuf {
    state.join("branch")
}

/// Where a configuration says that what counts is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    branch: Option<String>,
    remote: Option<String>,
}

impl Place {
    fn of(workspace: &Workspace) -> Self {
        let config = &workspace.config;
        let mut remotes = config.zones.iter().map(|zone| &zone.remote);
        Self {
            branch: config.branch.clone(),
            remote: remotes.find_map(Option::as_ref).cloned(),
        }
    }
}

/// What the branch that counts has.
enum Committed {
    /// No configuration, or there is no such branch: the file here is the operator's own.
    Nowhere,
    /// The file that lies here.
    AsHere,
    /// Another one.
    Other(Box<InForce>),
}

/// The configuration at a place.
fn committed(
    workspace: &Workspace,
    place: &Place,
    repository: &Repository,
) -> Result<Committed, WorkflowError> {
    let remote = place.remote.as_deref();
    let is_proposal = |branch: &str| workspace.config.is_proposal(branch);
    let site = remote.map_or(Site::Here, Site::Remote);
    let Ok(branch) = repository.counting(place.branch.as_deref(), site, is_proposal) else {
        return Ok(Committed::Nowhere);
    };
    let Ok(tip) = repository.tip(&branch.name, site) else {
        return Ok(Committed::Nowhere);
    };
    let path = &workspace.config_path;
    let Some(octets) = repository.file_at(&tip, path)? else {
        return Ok(Committed::Nowhere);
    };
    let here = read::read_unlinked(path, read::LIST).ok();
    if here.as_ref() == Some(&octets) {
        return Ok(Committed::AsHere);
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
    let is_old = is_of_the_past(repository, &tip, here.as_deref(), &workspace);
    let draft = (!is_old).then(|| {
        let place = match remote {
            Some(remote) => format!("branch {} at {remote}", branch.name),
            None => format!("branch {}", branch.name),
        };
        format!(
            "{} differs from that of {place}, which counts: what was changed here is not used before it is there",
            path.display(),
        )
    });
    Ok(Committed::Other(Box::new(InForce { workspace, draft })))
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
