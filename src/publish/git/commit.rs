//! Commits that hold our files and nothing else: on the branch that counts, or on one of their own for review.
//!
//! A commit is made in a working tree of its own (`scratch.rs`), so that what else is changed or staged here stays so. Where
//! the branch is checked out, the files follow before it moves; if it cannot move, they are put back.

use super::remote::Site;
use super::review::Review;
use super::{Finished, GitError, Repository, said, succeeded};
use crate::files::read;
use crate::workspace::inside;
use std::borrow::Borrow;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The trailer that says which step of which rotation a commit is.
pub(super) const TRAILER: &str = "Tlsa-Rotate-Step";

/// The trailer that says where the rotation's journal stood when the commit was made.
pub(super) const STOOD: &str = "Tlsa-Rotate-Journal";

/// A file as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, in the working tree.
    pub path: PathBuf,
    /// All its bytes.
    pub contents: Vec<u8>,
    /// Whether nobody but this program writes it, so that what a killed run left of it may be overwritten.
    pub generated: bool,
}

impl Change {
    /// A generated file that goes.
    pub fn gone(path: PathBuf) -> Self {
        Self {
            path,
            contents: Vec::new(),
            generated: true,
        }
    }

    /// What the file shall hold; none: it goes. What this program generates is never empty.
    pub(super) fn wanted(&self) -> Option<&[u8]> {
        let goes = self.generated && self.contents.is_empty();
        (!goes).then_some(&self.contents)
    }
}

/// What the commit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Subject, empty line, body.
    pub text: &'a str,
    /// Which step this is, such as `mail.1/publish`; the steps of several rotations have commas between them.
    pub step: &'a str,
    /// Where its journal stands, such as `7 3fa9c1d2e4b5a697`, if it has one; those of several are in the order of the steps.
    pub journal: Option<&'a str>,
}

/// Where the commit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Onto a branch of this repository, past which it must not have moved, whatever is checked out.
    Direct {
        /// The branch, without `refs/heads/`.
        branch: &'a str,
        /// Its tip, from which the changes were made.
        base: &'a str,
        /// An empty or missing directory for the temporary working tree.
        scratch: &'a Path,
    },
    /// Onto a branch of its own.
    Branch {
        /// Its name, without `refs/heads/`.
        name: &'a str,
        /// What it is based on: a commit or branch.
        base: &'a str,
        /// An empty or missing directory for the temporary working tree.
        scratch: &'a Path,
        /// Where the branch is.
        site: Site<'a>,
    },
    /// Onto a branch of a remote, past which it must not have moved; nothing that is checked out here changes.
    Upstream {
        /// The remote.
        remote: &'a str,
        /// Its branch, without `refs/heads/`.
        branch: &'a str,
        /// The tip of that branch, as it was fetched.
        base: &'a str,
        /// An empty or missing directory for the temporary working tree.
        scratch: &'a Path,
    },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new commit was made.
    Committed {
        /// The commit.
        commit: String,
    },
    /// The proposal was there, on another base or with other contents, and was made anew.
    Rebuilt {
        /// The commit.
        commit: String,
        /// The tip that it replaces.
        was: String,
    },
    /// The proposal of this step had been merged, and is wanted again: what it brought was taken out.
    Repeated {
        /// The commit.
        commit: String,
    },
    /// Everything was as it shall be.
    Unchanged {
        /// The commit that holds it.
        commit: String,
    },
}

impl Repository {
    /// Commits `changes`, and only these, whatever else is changed or staged. Does nothing when all is there already.
    pub fn commit(
        &self,
        changes: &[Change],
        message: Message<'_>,
        target: Target<'_>,
    ) -> Result<Outcome, GitError> {
        self.recover()?;
        match target {
            Target::Direct {
                branch,
                base,
                scratch,
            } => {
                let tip = self.tip(branch, Site::Here)?;
                let todo = self.missing_in(&tip, changes)?;
                if todo.is_empty() {
                    return Ok(Outcome::Unchanged { commit: tip });
                }
                let commit = if self.checked_out()?.as_deref() == Some(branch) {
                    self.ready()?;
                    self.commit_here((branch, base), &todo, message, scratch)?
                } else {
                    self.commit_aside(changes, message, (branch, base), scratch)?
                };
                Ok(Outcome::Committed { commit })
            }
            Target::Branch {
                name,
                base,
                scratch,
                site,
            } => {
                let base = self.resolve(base)?;
                match self.propose(changes, message, (name, site), &base, scratch)? {
                    Review::There(outcome) => Ok(outcome),
                    Review::Built(built) => {
                        self.put(site, std::slice::from_ref(&built))?;
                        Ok(built.outcome)
                    }
                }
            }
            Target::Upstream {
                remote,
                branch,
                base,
                scratch,
            } => {
                if self.missing_in(base, changes)?.is_empty() {
                    let commit = base.to_owned();
                    return Ok(Outcome::Unchanged { commit });
                }
                self.commit_upstream(changes, message, (remote, branch), base, scratch)
            }
        }
    }

    /// The changes whose contents `commit` does not hold yet.
    pub(super) fn missing_in<'c, C: Borrow<Change>>(
        &self,
        commit: &str,
        changes: &'c [C],
    ) -> Result<Vec<&'c Change>, GitError> {
        let changes = changes.iter().map(C::borrow);
        let files = changes.clone().map(|c| (&*c.path, c.wanted()));
        let held = self.agrees_at(commit, files)?;
        let missing = changes.zip(held).filter(|(_, held)| !held);
        Ok(missing.map(|(change, _)| change).collect())
    }

    /// Refuses what would make a commit on the current branch fail half way.
    pub(super) fn ready(&self) -> Result<(), GitError> {
        let unfinished = [
            ("MERGE_HEAD", "merge"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
        ];
        let names = unfinished.iter().map(|(file, _)| *file);
        let names: Vec<&str> = names.chain(["index.lock"]).collect();
        let mut paths = self.git_paths(&names)?.into_iter();
        for ((_, what), path) in unfinished.into_iter().zip(paths.by_ref()) {
            if path.exists() {
                let root = self.root.clone();
                return Err(GitError::InProgress { root, what });
            }
        }
        match paths.next().filter(|path| path.exists()) {
            Some(path) => Err(GitError::Locked { path }),
            None => Ok(()),
        }
    }

    pub(super) fn identified(&self) -> Result<(), GitError> {
        for who in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
            let asked = self.ask(["var", who])?;
            if !asked.status.success() {
                let said = said(&[], &asked.stderr);
                return Err(GitError::NoIdentity { said });
            }
        }
        Ok(())
    }

    /// Commits where the branch is checked out: the commit is made first, then the files and the index become what it holds,
    /// and last the branch moves, if it still is where it was. Whatever interrupts it, nobody's next commit undoes ours.
    fn commit_here(
        &self,
        (branch, base): (&str, &str),
        changes: &[&Change],
        message: Message<'_>,
        scratch: &Path,
    ) -> Result<String, GitError> {
        for change in changes {
            self.ours_to_write(change)?;
        }
        self.identified()?;
        let commit = self.build(changes, message, base, scratch)?;
        self.holds(&commit, changes)?;
        // Asked last: the files are as in this commit, and not as in one that somebody has made since.
        let tip = self.tip(branch, Site::Here)?;
        if tip != base {
            return Err(moved(base, tip));
        }
        let done = self.take_up(changes);
        // An index that is behind its branch would undo the commit with the next one.
        let done = done.and_then(|()| self.flush_names());
        let done = done.and_then(|()| self.move_on(branch, &commit, base));
        if let Err(error) = done {
            let tip = self.tip(branch, Site::Here)?;
            // A git that outlived a killed run can have been faster with the same commit.
            if self.holds(&tip, changes).is_ok() {
                return Ok(tip);
            }
            self.put_back(changes, &tip)?;
            return Err(error);
        }
        Ok(commit)
    }

    /// Makes the files and the index what the changes say.
    fn take_up(&self, changes: &[&Change]) -> Result<(), GitError> {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for change in changes {
            let relative = self.relative(&change.path)?;
            if let Some(contents) = change.wanted() {
                if let Some(directory) = change.path.parent() {
                    inside::create_directory(directory, 0o777)?;
                }
                inside::replace(&change.path, contents)?;
                there.push(relative);
            } else {
                inside::remove(&change.path)?;
                // Its directory goes with the last file in it; git does not know directories.
                let _ = change.path.parent().map(fs::remove_dir);
                gone.push(relative);
            }
        }
        self.in_index(&there, &gone)
    }

    /// Makes the files and the index what a commit holds, after a commit that was not made.
    fn put_back(&self, changes: &[&Change], commit: &str) -> Result<(), GitError> {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for change in changes {
            let relative = self.relative(&change.path)?;
            if let Some(old) = self.file_at(commit, &change.path)? {
                if let Some(directory) = change.path.parent() {
                    inside::create_directory(directory, 0o777)?;
                }
                inside::replace(&change.path, &old)?;
                there.push(relative);
            } else {
                inside::remove(&change.path)?;
                gone.push(relative);
            }
        }
        self.in_index(&there, &gone)
    }

    /// Takes files up into the index, and others out of it.
    fn in_index(&self, there: &[PathBuf], gone: &[PathBuf]) -> Result<(), GitError> {
        let mut done = Vec::new();
        if !there.is_empty() {
            done.push(self.ask_about(["add"], &borrowed(there))?);
        }
        if !gone.is_empty() {
            let unstage = ["rm", "-q", "--cached", "--ignore-unmatch"];
            done.push(self.ask_about(unstage, &borrowed(gone))?);
        }
        for one in done {
            succeeded("take the files up", one)?;
        }
        Ok(())
    }

    /// What a file is before it is written, if it may be: as in HEAD, or written by a run that was killed before its
    /// commit. Anything else is a person's unfinished work.
    fn ours_to_write(&self, change: &Change) -> Result<(), GitError> {
        if change.generated {
            return Ok(());
        }
        let path = change.path.clone();
        let present = match read::read_unlinked(&path, read::ZONE) {
            Ok(present) => Some(present),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(GitError::Unreadable { path, source }),
        };
        let status = self.status(&path)?;
        let left_over = present.as_ref() == Some(&change.contents)
            && [&b" M"[..], b"??", b" A", b"M ", b"A "].contains(&&*status);
        if left_over || status.is_empty() {
            Ok(())
        } else {
            Err(GitError::Dirty { path })
        }
    }

    /// Whether `commit` holds the changes byte for byte: filters and hooks can come in between.
    pub(super) fn holds<C: Borrow<Change>>(
        &self,
        commit: &str,
        changes: &[C],
    ) -> Result<(), GitError> {
        match self.missing_in(commit, changes)?.first() {
            None => Ok(()),
            Some(change) => Err(GitError::CommittedOtherwise {
                path: change.path.clone(),
                commit: commit.to_owned(),
            }),
        }
    }
}

pub(super) fn moved(base: &str, head: String) -> GitError {
    let base = base.to_owned();
    GitError::HeadMoved { base, head }
}

fn borrowed(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

pub(super) fn with_trailer(message: Message<'_>) -> Vec<u8> {
    let mut text = format!("{}\n\n", message.text.trim_end());
    let lines = [
        (TRAILER, message.step),
        (STOOD, message.journal.unwrap_or_default()),
    ];
    for (key, values) in lines {
        for value in values.split(',').filter(|value| !value.is_empty()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}: {value}");
        }
    }
    text.into_bytes()
}

pub(super) fn committed(finished: &Finished) -> Result<(), GitError> {
    if finished.status.success() {
        return Ok(());
    }
    Err(GitError::Refused {
        said: said(&finished.stdout, &finished.stderr),
    })
}
