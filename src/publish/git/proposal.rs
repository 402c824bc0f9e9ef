//! A branch that a person reviews: our changes in one commit on an up-to-date base, and never a person's work lost.
//!
//! It is built in a temporary working tree, so that hooks and signing work and nothing the user has checked out moves;
//! then the branch is moved only if it is still where it was seen. `refs/tlsa-rotate/<branch>` remembers, in the same
//! transaction, the tip that was set: a branch with another tip was worked on by a person.

use super::commit::{Change, Message, Outcome, TRAILER, moved};
use super::remote::{Move, Site};
use super::review::{Built, Review};
use super::{GitError, Repository, said, succeeded};
use crate::files::read;
use std::path::{Path, PathBuf};

/// The tip of a branch that changes are proposed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The commit.
    pub commit: String,
    /// The commit before it.
    pub parent: Option<String>,
    /// The step in its trailer, such as `mail.1/publish`; none in a person's commit.
    pub step: Option<String>,
}

impl Repository {
    /// What stands on `branch`; none when there is no such branch.
    pub fn proposal(&self, branch: &str, site: Site<'_>) -> Result<Option<Proposal>, GitError> {
        let Some(commit) = self.commit_of(&site.place(branch))? else {
            return Ok(None);
        };
        let parent = self.commit_of(&format!("{commit}^"))?;
        let mut steps = self.steps(&["--max-count=1", &commit])?;
        let step = steps.pop().filter(|step| !step.is_empty());
        Ok(Some(Proposal {
            commit,
            parent,
            step,
        }))
    }

    /// Deletes `branch` if it holds the proposal of `step`, which is not merged into `base`, and nothing else; whether it did.
    pub fn retract(
        &self,
        branch: &str,
        step: &str,
        base: &str,
        site: Site<'_>,
    ) -> Result<bool, GitError> {
        let Some(Proposal {
            commit,
            step: stands,
            ..
        }) = self.proposal(branch, site)?
        else {
            return Ok(false);
        };
        let set = self.commit_of(&memory(branch))?;
        let Some(set) = set else {
            return Ok(false);
        };
        let is_ours = if set == commit {
            stands.as_deref() == Some(step)
        } else {
            self.step_of(&set)? == step && self.below_updates(&commit, Some(&set), base)?.is_some()
        };
        if !is_ours || self.is_ancestor(&commit, base)? {
            return Ok(false);
        }
        self.set_branch(branch, site, [Some(&commit), Some(&set)])?;
        Ok(true)
    }

    /// Deletes `branch` if its tip is a proposal of `rotation` (such as `mail.1`) that `base` holds as it is; whether it did.
    /// What is not merged, what a person has put on it, and a branch that is checked out stay.
    pub fn forget_merged(
        &self,
        branch: &str,
        rotation: &str,
        base: &str,
        site: Site<'_>,
    ) -> Result<bool, GitError> {
        let Some(Proposal { commit, step, .. }) = self.proposal(branch, site)? else {
            return Ok(false);
        };
        let is_of_rotation = |steps: &str| {
            let mut purposes = steps.split(',').map(|step| step.strip_prefix(rotation));
            purposes.any(|purpose| purpose.is_some_and(|purpose| purpose.starts_with('/')))
        };
        if !step.as_deref().is_some_and(is_of_rotation) || !self.is_ancestor(&commit, base)? {
            return Ok(false);
        }
        match self.not_checked_out(branch, site) {
            Err(GitError::BranchCheckedOut { .. }) => return Ok(false),
            checked => checked?,
        }
        let set = self.commit_of(&memory(branch))?;
        self.set_branch(branch, site, [Some(&commit), set.as_deref()])?;
        Ok(true)
    }

    /// The tip that was set last on a branch of ours.
    pub fn remembered(&self, branch: &str) -> Result<Option<String>, GitError> {
        self.commit_of(&memory(branch))
    }

    /// Forgets that `commit` was proposed on a branch that somebody has deleted since.
    pub fn forget_deleted(
        &self,
        branch: &str,
        commit: &str,
        site: Site<'_>,
    ) -> Result<(), GitError> {
        self.set_branch(branch, site, [None, Some(commit)])
    }

    /// Makes a proposal of these changes for a branch, in one commit on `base`.
    pub fn propose(
        &self,
        changes: &[Change],
        message: Message<'_>,
        (branch, site): (&str, Site<'_>),
        base: &str,
        scratch: &Path,
    ) -> Result<Review, GitError> {
        self.recover()?;
        if self.missing_in(base, changes)?.is_empty() {
            let commit = base.to_owned();
            return Ok(Review::There(Outcome::Unchanged { commit }));
        }
        succeeded(
            "use this name for a branch",
            self.ask(["check-ref-format", "--branch", branch])?,
        )?;
        let tip = self.commit_of(&site.place(branch))?;
        let set = self.commit_of(&memory(branch))?;
        let generated = self.generated(changes)?;
        let is_merged = match tip.as_ref().or(set.as_ref()) {
            Some(last) => self.was_merged(last, base, &generated)?,
            // A branch that was merged is deleted; what it generated stays in the history.
            None => self.has_touched(base, &generated)?,
        };
        if let Some(tip) = &tip {
            self.refuse_to_overwrite(branch, tip, set.as_deref(), base)?;
            if self.is_proposal(tip, base, changes, message)? {
                let commit = tip.clone();
                return Ok(Review::There(Outcome::Unchanged { commit }));
            }
        } else if let Some(set) = &set
            && !is_merged
            && self.step_of(set)? == message.step
        {
            return Err(GitError::BranchDeleted {
                branch: branch.to_owned(),
                remote: match site {
                    Site::Here => None,
                    Site::Remote(remote) => Some(remote.to_owned()),
                },
            });
        }
        self.not_checked_out(branch, site)?;
        self.identified()?;
        let commit = self.build_unflushed(changes, message, base, scratch)?;
        self.holds(&commit, changes)?;
        let were = [tip.clone(), set.clone()];
        let last = tip.as_ref().or(set.as_ref());
        let is_same_step = match last {
            Some(last) => self.step_of(last)? == message.step,
            None => is_merged,
        };
        let (branch, to) = (branch.to_owned(), commit.clone());
        let outcome = match tip {
            // What was merged and is wanted again was taken out meanwhile; after another step this is just the next one.
            _ if is_merged && is_same_step => Outcome::Repeated { commit },
            Some(was) if !is_merged => Outcome::Rebuilt { commit, was },
            _ => Outcome::Committed { commit },
        };
        Ok(Review::Built(Built {
            branch,
            outcome,
            commit: to,
            were,
        }))
    }

    /// Makes a commit on `base`, which is the tip of a branch of `remote`, and puts it there.
    pub(super) fn commit_upstream(
        &self,
        changes: &[Change],
        message: Message<'_>,
        (remote, branch): (&str, &str),
        base: &str,
        scratch: &Path,
    ) -> Result<Outcome, GitError> {
        self.identified()?;
        let commit = self.build(changes, message, base, scratch)?;
        self.holds(&commit, changes)?;
        self.push_onto(remote, branch, (base, &commit))?;
        Ok(Outcome::Committed { commit })
    }

    /// Makes a commit on `base`, the tip of a branch that no working tree has checked out, and puts the branch there.
    pub(super) fn commit_aside(
        &self,
        changes: &[Change],
        message: Message<'_>,
        (branch, base): (&str, &str),
        scratch: &Path,
    ) -> Result<String, GitError> {
        self.not_checked_out(branch, Site::Here)?;
        self.not_rebased(branch)?;
        self.identified()?;
        let commit = self.build(changes, message, base, scratch)?;
        self.holds(&commit, changes)?;
        self.not_checked_out(branch, Site::Here)?;
        self.move_on(branch, &commit, base)?;
        Ok(commit)
    }

    /// Moves a branch here from `base` to `commit`, if it still is there.
    pub(super) fn move_on(&self, branch: &str, commit: &str, base: &str) -> Result<(), GitError> {
        let place = Site::Here.place(branch);
        let told = "tlsa-rotate: commit";
        let moves = ["update-ref", "-m", told, &place, commit, base];
        let done = self.deed(moves).run_to_end()?;
        if done.status.success() {
            return self.flush_names();
        }
        self.refuse_locked(&["HEAD", "packed-refs", &place])?;
        match self.tip(branch, Site::Here)? {
            tip if tip != base => Err(moved(base, tip)),
            _ => Err(GitError::Git {
                doing: "move the branch to the commit",
                said: said(&done.stdout, &done.stderr),
            }),
        }
    }

    /// Refuses to move a branch that a rebase is going to move.
    fn not_rebased(&self, branch: &str) -> Result<(), GitError> {
        let notes = ["rebase-merge/head-name", "rebase-apply/head-name"];
        let place = Site::Here.place(branch);
        for note in self.git_paths(&notes)? {
            if read::read_text(&note, read::LIST).is_ok_and(|name| name.trim() == place) {
                let (root, what) = (self.root.clone(), "rebase");
                return Err(GitError::InProgress { root, what });
            }
        }
        Ok(())
    }

    /// The files among the changes that only this program writes, as git names them.
    fn generated(&self, changes: &[Change]) -> Result<Vec<PathBuf>, GitError> {
        let is_written = |change: &&Change| change.generated && change.wanted().is_some();
        let generated = changes.iter().filter(is_written);
        generated
            .map(|change| self.relative(&change.path))
            .collect()
    }

    /// The step in a commit's trailer; empty where there is none.
    pub(super) fn step_of(&self, commit: &str) -> Result<String, GitError> {
        Ok(self
            .steps(&["--max-count=1", commit])?
            .pop()
            .unwrap_or_default())
    }

    /// Refuses a branch that holds more than what was set by us and what the base holds.
    fn refuse_to_overwrite(
        &self,
        branch: &str,
        tip: &str,
        set: Option<&str>,
        base: &str,
    ) -> Result<(), GitError> {
        if set == Some(tip)
            || self.is_ancestor(tip, base)?
            || self.below_updates(tip, set, base)?.is_some()
        {
            return Ok(());
        }
        // A clone does not have the memory of where the branch was set; there the trailers have to do.
        let steps = self.steps(&[&format!("{base}..{tip}")])?;
        if set.is_none() && !steps.is_empty() && steps.iter().all(|step| !step.is_empty()) {
            return Ok(());
        }
        Err(GitError::BranchEdited {
            branch: branch.to_owned(),
            tip: tip.to_owned(),
        })
    }

    /// The step in the trailer of each commit of a range; empty where there is none.
    fn steps(&self, range: &[&str]) -> Result<Vec<String>, GitError> {
        let format = format!("--format=%(trailers:key={TRAILER},valueonly,separator=%x2C)");
        let arguments = ["log", "-z", &format]
            .into_iter()
            .chain(range.iter().copied());
        let log = succeeded("read the log", self.ask(arguments)?)?;
        let text = String::from_utf8_lossy(&log.stdout).into_owned();
        let mut steps: Vec<String> = text
            .split('\0')
            .map(|step| step.trim().to_owned())
            .collect();
        // `-z` ends each commit with NUL, and an empty range prints nothing at all.
        steps.pop();
        Ok(steps)
    }

    /// Whether `tip` is exactly these changes, as this step, in one commit on `base`.
    fn is_proposal(
        &self,
        tip: &str,
        base: &str,
        changes: &[Change],
        message: Message<'_>,
    ) -> Result<bool, GitError> {
        if self.commit_of(&format!("{tip}^"))?.as_deref() != Some(base)
            || !self.missing_in(tip, changes)?.is_empty()
            || self.steps(&["--max-count=1", tip])? != [message.step]
        {
            return Ok(false);
        }
        let mut expected = Vec::new();
        for change in changes {
            expected.push(self.root.join(self.relative(&change.path)?));
        }
        let differing = self.differing(base, tip)?;
        Ok(differing.iter().all(|path| expected.contains(path)))
    }

    pub(super) fn not_checked_out(&self, branch: &str, site: Site<'_>) -> Result<(), GitError> {
        if site != Site::Here {
            return Ok(());
        }
        let list = succeeded(
            "list its working trees",
            self.ask(["worktree", "list", "--porcelain", "-z"])?,
        )?;
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let (mut place, wanted) = ("", format!("branch refs/heads/{branch}"));
        for line in list.split('\0') {
            if let Some(path) = line.strip_prefix("worktree ") {
                place = path;
            } else if line == wanted {
                return Err(GitError::BranchCheckedOut {
                    branch: branch.to_owned(),
                    place: place.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Deletes the branch and our memory of it; both or neither, and only if they still are where they `were` seen.
    fn set_branch(
        &self,
        branch: &str,
        site: Site<'_>,
        were: [Option<&str>; 2],
    ) -> Result<(), GitError> {
        let places = [format!("refs/heads/{branch}"), memory(branch)];
        // What is not there needs nothing.
        let both = places.into_iter().zip(were);
        let both = both.filter(|(_, from)| from.is_some());
        let moves: Vec<Move> = both
            .map(|(place, from)| Move {
                place,
                from: from.map(str::to_owned),
                to: None,
            })
            .collect();
        if let Site::Remote(remote) = site {
            return self.push(remote, &moves);
        }
        self.not_checked_out(branch, site)?;
        self.update(branch, &moves)
    }

    /// Moves what is named here, in one transaction; `branch` is the first of them.
    pub(super) fn update(&self, branch: &str, moves: &[Move]) -> Result<(), GitError> {
        let lines = moves.iter().map(|one| {
            let Move { place, from, to } = one;
            match (to, from) {
                (None, from) => format!("delete {place} {}", from.as_deref().unwrap_or_default()),
                (Some(to), Some(from)) => format!("update {place} {to} {from}"),
                (Some(to), None) => format!("update {place} {to} {}", "0".repeat(to.len())),
            }
        });
        let lines: Vec<String> = lines.collect();
        let mut update = self.deed(["update-ref", "-m", "tlsa-rotate: propose", "--stdin"]);
        update.input = format!("start\n{}\nprepare\ncommit\n", lines.join("\n")).into_bytes();
        let updated = update.run_to_end()?;
        if updated.status.success() {
            return self.flush_names();
        }
        let places = moves.iter().map(|one| &*one.place);
        let places: Vec<&str> = ["HEAD", "packed-refs"].into_iter().chain(places).collect();
        self.refuse_locked(&places)?;
        Err(GitError::BranchMoved {
            branch: branch.to_owned(),
            said: said(&updated.stdout, &updated.stderr),
        })
    }
}

/// The ref that remembers the tip that was set.
pub(super) fn memory(branch: &str) -> String {
    format!("refs/tlsa-rotate/{branch}")
}
