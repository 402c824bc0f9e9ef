//! Proposals of one run: what stands on every branch is asked once, and what was made goes to all branches at once.
//!
//! A push is one conversation with a forge, and each may start its pipelines.

use super::commit::{Outcome, TRAILER};
use super::proposal::memory;
use super::remote::{Move, Site};
use super::{GitError, Repository, succeeded};
use std::collections::BTreeMap;

/// A proposal that is made, and stands on no branch yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The branch that it is for.
    pub branch: String,
    /// What it is.
    pub outcome: Outcome,
    /// Its commit.
    pub(super) commit: String,
    /// Where the branch and our memory of it were seen.
    pub(super) were: [Option<String>; 2],
}

/// What there is to put on a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Review {
    /// Nothing: what is wanted is there.
    There(Outcome),
    /// This.
    Built(Built),
}

/// What stands on a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The commit.
    pub commit: String,
    /// The commits before it.
    pub parents: Vec<String>,
    /// The steps in its trailers, such as `mail.1/publish`.
    pub steps: Vec<String>,
    /// Whether it is the commit that was set there last by us.
    pub is_as_set: bool,
}

impl Repository {
    /// What stands on every branch, and the last commit of ours on those that are gone.
    pub fn standing(&self, site: Site<'_>) -> Result<BTreeMap<String, Standing>, GitError> {
        let steps = format!("%(trailers:key={TRAILER},valueonly,separator=%x2C)");
        let format = format!("--format=%(refname)%00%(objectname)%00%(parent)%00{steps}%00");
        let (heads, ours) = (site.place(""), memory(""));
        let asked = ["for-each-ref", &format, heads.trim_end_matches('/'), &ours];
        let listed = succeeded("list its branches", self.ask(asked)?)?.stdout;
        let text = String::from_utf8_lossy(&listed).into_owned();
        let mut fields = text.split('\0');
        let (mut there, mut set) = (BTreeMap::new(), BTreeMap::new());
        while let (Some(name), Some(commit), Some(parents), Some(steps)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        {
            let name = name.trim_start();
            if let Some(branch) = name.strip_prefix(&ours) {
                set.insert(branch.to_owned(), commit.to_owned());
            } else if let Some(branch) = name.strip_prefix(&heads) {
                let words = |text: &str, by: char| -> Vec<String> {
                    let words = text.split(by).map(str::trim);
                    let words = words.filter(|word| !word.is_empty());
                    words.map(str::to_owned).collect()
                };
                let standing = Standing {
                    commit: commit.to_owned(),
                    parents: words(parents, ' '),
                    steps: words(steps, ','),
                    is_as_set: false,
                };
                there.insert(branch.to_owned(), standing);
            }
        }
        for (branch, standing) in &mut there {
            standing.is_as_set = set.get(branch) == Some(&standing.commit);
        }
        Ok(there)
    }

    /// Deletes branches of ours, each with our memory of it and only if both still are at this commit; all of them or none.
    /// One that is checked out stays.
    pub fn take_down(&self, site: Site<'_>, branches: &[(&str, &str)]) -> Result<(), GitError> {
        let mut moves = Vec::new();
        for (branch, commit) in branches {
            self.not_checked_out(branch, site)?;
            let places = [format!("refs/heads/{branch}"), memory(branch)];
            moves.extend(places.map(|place| Move {
                place,
                from: Some((*commit).to_owned()),
                to: None,
            }));
        }
        match (site, branches) {
            (_, []) => Ok(()),
            (Site::Remote(remote), _) => self.push(remote, &moves),
            (Site::Here, [(first, _), ..]) => self.update(first, &moves),
        }
    }

    /// Puts proposals on their branches, each only if it still is where it was seen; all of them or none.
    pub fn put(&self, site: Site<'_>, built: &[Built]) -> Result<(), GitError> {
        let Some(first) = built.first() else {
            return Ok(());
        };
        self.flush_objects()?;
        let mut moves = Vec::new();
        for one in built {
            self.not_checked_out(&one.branch, site)?;
            let places = [format!("refs/heads/{}", one.branch), memory(&one.branch)];
            let both = places.into_iter().zip(&one.were);
            moves.extend(both.map(|(place, from)| Move {
                place,
                from: from.clone(),
                to: Some(one.commit.clone()),
            }));
        }
        match site {
            Site::Remote(remote) => self.push(remote, &moves),
            Site::Here => self.update(&first.branch, &moves),
        }
    }
}
