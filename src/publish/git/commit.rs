//! Commits that hold our files and nothing else: on the branch that is checked out, or on one of their own for review.
//!
//! On the checked-out branch `git commit --only` is used: what else is changed or staged stays so. If git refuses, the
//! files are put back. The other way is in `proposal.rs`.

use super::remote::Site;
use super::{Finished, GitError, Repository, about, said, succeeded};
use crate::workspace::durable;
use std::borrow::Borrow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The trailer that says which step of which rotation a commit is.
pub(super) const TRAILER: &str = "Tlsa-Rotate-Step";

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
    /// Which step this is, such as `mail.1/publish`.
    pub step: &'a str,
}

/// Where the commit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Onto the branch that is checked out.
    Current {
        /// The commit that the changes were made from: HEAD must not have moved since.
        base: &'a str,
    },
    /// Onto a branch of its own.
    Branch {
        /// Its name, without `refs/heads/`.
        name: &'a str,
        /// What it is based on: a commit or branch, usually `HEAD`.
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
        let head = self.head()?;
        match target {
            Target::Current { base } => {
                let todo = self.missing_in(&head.commit, changes)?;
                if todo.is_empty() {
                    return Ok(Outcome::Unchanged {
                        commit: head.commit,
                    });
                }
                if head.branch.is_none() {
                    return Err(GitError::DetachedHead {
                        root: self.root.clone(),
                    });
                }
                self.ready()?;
                let commit = self.commit_here(base, &todo, message)?;
                Ok(Outcome::Committed { commit })
            }
            Target::Branch {
                name,
                base,
                scratch,
                site,
            } => {
                let base = self.resolve(base)?;
                if self.missing_in(&base, changes)?.is_empty() {
                    return Ok(Outcome::Unchanged { commit: base });
                }
                self.commit_on_branch(changes, message, (name, site), &base, scratch)
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
    fn ready(&self) -> Result<(), GitError> {
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
            Some(path) => Err(GitError::IndexLocked { path }),
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

    fn commit_here(
        &self,
        base: &str,
        changes: &[&Change],
        message: Message<'_>,
    ) -> Result<String, GitError> {
        let mut before = Vec::new();
        for change in changes {
            before.push(self.ours_to_write(change)?);
        }
        // Asked last: the files are as in this commit, and not as in one that somebody has made since.
        let head = self.head()?.commit;
        if head != base {
            return Err(moved(base, head));
        }
        let mut done = self.write_and_commit(changes, message);
        // A git that outlived a killed run can have been faster with the same commit.
        if done.is_err() && self.holds("HEAD", changes).is_ok() {
            done = Ok(());
        }
        if done.is_err() {
            for (change, was) in changes.iter().zip(before) {
                let old = match was {
                    Was::Present(old) => old,
                    Was::AsCommitted => self.file_at(base, &change.path)?,
                };
                if let Some(old) = old {
                    if let Some(directory) = change.path.parent() {
                        durable::create_directory(directory, 0o777)?;
                    }
                    durable::replace(&change.path, &old)?;
                    continue;
                }
                durable::remove(&change.path)?;
                let relative = self.relative(&change.path)?;
                let unstage = ["rm", "-q", "--cached", "--ignore-unmatch"];
                succeeded("forget a file", self.ask_about(unstage, &[&relative])?)?;
            }
            // What git says of it is not what there is to be done.
            self.identified()?;
        }
        done?;
        let commit = self.head()?.commit;
        self.holds(&commit, changes)?;
        let parent = self.resolve(&format!("{commit}^"))?;
        if parent != base {
            self.undoes_nothing(&commit, &parent, base, changes)?;
        }
        Ok(commit)
    }

    /// git has no condition on what a commit follows: whoever committed one of these files in the moment in which it was
    /// written has been undone. Our commit is taken back then, if it is the last one still.
    fn undoes_nothing(
        &self,
        commit: &str,
        parent: &str,
        base: &str,
        changes: &[&Change],
    ) -> Result<(), GitError> {
        let mut was = Vec::new();
        for change in changes {
            was.push(self.file_at(parent, &change.path)?);
        }
        let mut undone = false;
        for (change, was) in changes.iter().zip(&was) {
            let is_ours = was.as_deref() == change.wanted();
            undone |= !is_ours && *was != self.file_at(base, &change.path)?;
        }
        if !undone {
            return Ok(());
        }
        let back = self.ask(["update-ref", "HEAD", parent, commit])?;
        succeeded("take back a commit that came too late", back)?;
        for (change, was) in changes.iter().zip(was) {
            match was {
                Some(contents) => {
                    durable::replace(&change.path, &contents)?;
                }
                None => durable::remove(&change.path)?,
            }
        }
        let paths = changes.iter().map(|change| self.relative(&change.path));
        let paths: Vec<PathBuf> = paths.collect::<Result<_, _>>()?;
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        succeeded(
            "forget files",
            self.ask_about(["reset", "--quiet"], &paths)?,
        )?;
        Err(moved(base, parent.to_owned()))
    }

    /// What a file is before it is written, if it may be: as in HEAD, or written by a run that was killed before its
    /// commit. Anything else is a person's unfinished work.
    fn ours_to_write(&self, change: &Change) -> Result<Was, GitError> {
        if change.generated {
            return Ok(Was::AsCommitted);
        }
        let path = change.path.clone();
        let present = match fs::read(&path) {
            Ok(present) => Some(present),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(GitError::Unreadable { path, source }),
        };
        let status = self.status(&path)?;
        let left_over = present.as_ref() == Some(&change.contents)
            && [&b" M"[..], b"??", b" A"].contains(&&*status);
        if left_over {
            Ok(Was::AsCommitted)
        } else if status.is_empty() {
            Ok(Was::Present(present))
        } else {
            Err(GitError::Dirty { path })
        }
    }

    fn write_and_commit(&self, changes: &[&Change], message: Message<'_>) -> Result<(), GitError> {
        let (mut files, mut there) = (Vec::new(), Vec::new());
        for change in changes {
            let relative = self.relative(&change.path)?;
            if let Some(contents) = change.wanted() {
                if let Some(directory) = change.path.parent() {
                    durable::create_directory(directory, 0o777)?;
                }
                durable::replace(&change.path, contents)?;
                there.push(relative.clone());
            } else {
                durable::remove(&change.path)?;
                // Its directory goes with the last file in it; git does not know directories.
                let _ = change.path.parent().map(fs::remove_dir);
            }
            files.push(relative);
        }
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let there: Vec<&Path> = there.iter().map(PathBuf::as_path).collect();
        // git commits named files only if it has heard of them.
        succeeded(
            "take up new files",
            self.ask_about(["add", "--intent-to-add"], &there)?,
        )?;
        let mut commit = about(
            self.invocation([
                "commit",
                "--quiet",
                "--only",
                "--cleanup=whitespace",
                "--file=-",
            ]),
            &files,
        );
        commit.input = with_trailer(message);
        committed(&commit.run_to_end()?)
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

fn moved(base: &str, head: String) -> GitError {
    let base = base.to_owned();
    GitError::HeadMoved { base, head }
}

/// What a file was before it was written.
enum Was {
    /// These bytes; none where there was no file.
    Present(Option<Vec<u8>>),
    /// What the commit before holds.
    AsCommitted,
}

pub(super) fn with_trailer(message: Message<'_>) -> Vec<u8> {
    format!(
        "{}\n\n{TRAILER}: {}\n",
        message.text.trim_end(),
        message.step
    )
    .into_bytes()
}

pub(super) fn committed(finished: &Finished) -> Result<(), GitError> {
    if finished.status.success() {
        return Ok(());
    }
    Err(GitError::Refused {
        said: said(&finished.stdout, &finished.stderr),
    })
}
