//! The branch that counts, by the configuration's word or by what the repository tells, and where it is.
//!
//! What is checked out says nothing of it: to look at a proposal is not to merge it, nor is to bisect.

use super::{GitError, Repository, Site, line_of};
use crate::files::read;

/// The branches that are taken for the main one where nobody says which it is.
const USUAL: [&str; 2] = ["main", "master"];

/// The branch that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Its name, without `refs/heads/`.
    pub name: String,
    /// Why it is taken for the one, where the configuration does not say it.
    pub because: Option<&'static str>,
}

impl Repository {
    /// The branch at `site` that counts: the one that is `named`, or else the one that the remote's HEAD names, the only one
    /// of main and master, or the only one at all that is no proposal of ours. Before the first commit it is the one that this
    /// will make.
    pub fn counting(
        &self,
        named: Option<&str>,
        site: Site<'_>,
        is_proposal: impl Fn(&str) -> bool,
    ) -> Result<Counting, GitError> {
        if let Some(name) = named {
            let (name, because) = (name.to_owned(), None);
            return Ok(Counting { name, because });
        }
        let found = |name: &str, because| Counting {
            name: name.to_owned(),
            because: Some(because),
        };
        let remote = match site {
            Site::Here => "origin",
            Site::Remote(remote) => remote,
        };
        if let Some(name) = self.head_of(remote)?
            && self.branch_tip(&name, site)?.is_some()
        {
            return Ok(found(&name, "the remote's HEAD names it"));
        }
        let mut usual = Vec::new();
        for name in USUAL {
            usual.extend(self.branch_tip(name, site)?.map(|_| name));
        }
        if let [name] = &*usual {
            return Ok(found(name, "it is the only one of main and master"));
        }
        let mut branches = self.branches(site)?;
        branches.retain(|branch| !is_proposal(branch));
        match (&*usual, &*branches) {
            ([], [name]) => Ok(found(name, "it is the only branch that is no proposal")),
            ([], []) if site == Site::Here && self.has_no_branch()? => {
                let unborn = self.checked_out()?.filter(|name| !is_proposal(name));
                let because = "the first commit will make it";
                let unborn = unborn.map(|name| found(&name, because));
                unborn.ok_or_else(|| self.not_told(site))
            }
            _ => Err(self.not_told(site)),
        }
    }

    /// The branches at a place.
    fn branches(&self, site: Site<'_>) -> Result<Vec<String>, GitError> {
        let place = site.place("");
        let listed = self.ask(["for-each-ref", "--format=%(refname)", &place])?;
        let listed = line_of(&super::succeeded("list its branches", listed)?);
        let names = listed.lines().filter_map(|name| name.strip_prefix(&place));
        Ok(names
            .filter(|name| *name != "HEAD")
            .map(str::to_owned)
            .collect())
    }

    /// The tip of a branch; none where there is no branch of that name.
    pub fn branch_tip(&self, name: &str, site: Site<'_>) -> Result<Option<String>, GitError> {
        self.commit_of(&site.place(name))
    }

    /// The tip of the branch that counts, as it was fetched last where it is a remote's.
    pub fn tip(&self, branch: &str, site: Site<'_>) -> Result<String, GitError> {
        if let Some(tip) = self.branch_tip(branch, site)? {
            return Ok(tip);
        }
        let (root, branch) = (self.root.clone(), branch.to_owned());
        match site {
            Site::Remote(remote) => Err(GitError::NoUpstream {
                remote: remote.to_owned(),
                branch,
            }),
            Site::Here => Err(match self.last_seen(&branch)? {
                Some(commit) => GitError::BranchLost {
                    root,
                    branch,
                    commit,
                },
                None if self.has_no_branch()? => GitError::Unborn { root },
                None => GitError::NoBranch { root, branch },
            }),
        }
    }

    /// The branch that is checked out, without `refs/heads/`; none where HEAD is detached. It need not have a commit yet.
    pub fn checked_out(&self) -> Result<Option<String>, GitError> {
        let told = self.ask(["symbolic-ref", "-q", "HEAD"])?;
        let name = line_of(&told);
        let branch = name.strip_prefix("refs/heads/").map(str::to_owned);
        if told.status.success() || told.status.code() == Some(1) {
            return Ok(branch);
        }
        Err(self.corrupt(&told))
    }

    /// The branch that HEAD of `remote` names, as this clone remembers it.
    fn head_of(&self, remote: &str) -> Result<Option<String>, GitError> {
        let head = Site::Remote(remote).place("HEAD");
        let told = self.ask(["symbolic-ref", "-q", &head])?;
        let name = line_of(&told);
        let branch = name.strip_prefix(&Site::Remote(remote).place(""));
        Ok(branch.filter(|_| told.status.success()).map(str::to_owned))
    }

    /// Whether there is no branch, and no commit that is checked out without one.
    fn has_no_branch(&self) -> Result<bool, GitError> {
        let told = self.ask(["for-each-ref", "--count=1", "refs/heads"])?;
        let told = super::succeeded("list its branches", told)?;
        Ok(told.stdout.trim_ascii().is_empty() && self.commit_of("HEAD")?.is_none())
    }

    /// The commit that a branch was at last: git forgets that where somebody deletes the branch. Where no branch is left at
    /// all, that which was checked out last.
    fn last_seen(&self, branch: &str) -> Result<Option<String>, GitError> {
        let own = format!("logs/{}", Site::Here.place(branch));
        let mut notes = vec![&*own];
        if self.has_no_branch()? {
            notes.push("logs/HEAD");
        }
        let notes = self.git_paths(&notes)?.into_iter();
        let mut notes = notes.filter_map(|path| read::read_text(&path, read::STATE).ok());
        let last = |notes: String| Some(notes.lines().next_back()?.split(' ').nth(1)?.to_owned());
        Ok(notes.find_map(last))
    }

    fn not_told(&self, site: Site<'_>) -> GitError {
        GitError::BranchNotTold {
            root: self.root.clone(),
            remote: match site {
                Site::Here => None,
                Site::Remote(remote) => Some(remote.to_owned()),
            },
        }
    }
}
