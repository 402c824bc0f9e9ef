//! A commit made in a temporary working tree, so that hooks and signing work and nothing that is checked out moves.

use super::commit::{Change, Message, committed, with_trailer};
use super::{GitError, Repository, succeeded};
use crate::workspace::inside;
use std::borrow::Borrow;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Repository {
    /// Makes the commit in a temporary working tree, and sees to it that it is on disk; no branch knows it yet.
    pub(super) fn build<C: Borrow<Change>>(
        &self,
        changes: &[C],
        message: Message<'_>,
        base: &str,
        scratch: &Path,
    ) -> Result<String, GitError> {
        let commit = self.build_unflushed(changes, message, base, scratch)?;
        // What a name is going to lead to is on disk before the name is.
        self.flush_objects()?;
        Ok(commit)
    }

    /// The same, for whoever flushes before any name leads to it.
    pub(super) fn build_unflushed<C: Borrow<Change>>(
        &self,
        changes: &[C],
        message: Message<'_>,
        base: &str,
        scratch: &Path,
    ) -> Result<String, GitError> {
        self.clear(scratch)?;
        if let Some(above) = scratch.parent() {
            inside::create_directory(above, 0o777)?;
        }
        let mut add = self.deed(["worktree", "add", "--quiet", "--detach"]);
        add.arguments
            .extend([scratch.as_os_str().to_owned(), OsString::from(base)]);
        succeeded("make a temporary working tree", add.run_to_end()?)?;
        let built = self.build_in(changes, message, scratch);
        let cleared = self.clear(scratch);
        let commit = built?;
        cleared?;
        Ok(commit)
    }

    fn build_in<C: Borrow<Change>>(
        &self,
        changes: &[C],
        message: Message<'_>,
        scratch: &Path,
    ) -> Result<String, GitError> {
        let there = Self {
            root: scratch.to_owned(),
        };
        let mut files = Vec::new();
        for change in changes.iter().map(C::borrow) {
            let relative = self.relative(&change.path)?;
            let path = scratch.join(&relative);
            if let Some(contents) = change.wanted() {
                if let Some(directory) = path.parent() {
                    inside::create_directory(directory, 0o777)?;
                }
                inside::replace(&path, contents)?;
            } else if path.exists() {
                inside::remove(&path)?;
            } else {
                continue; // git would not know what is meant
            }
            files.push(relative);
        }
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        succeeded("take up the files", there.ask_about(["add"], &files)?)?;
        let mut commit = there.deed(["commit", "--quiet", "--cleanup=whitespace", "--file=-"]);
        commit.input = with_trailer(message);
        committed(&commit.run_to_end()?)?;
        Ok(there.head()?.commit)
    }

    /// Removes the temporary working tree, also one that a killed run left.
    fn clear(&self, scratch: &Path) -> Result<(), GitError> {
        let mut remove = self.invocation(["worktree", "remove", "--force", "--force"]);
        remove.arguments.push(scratch.as_os_str().to_owned());
        // Fails when git does not know it; then it is only a directory.
        remove.run_to_end()?;
        match fs::remove_dir_all(scratch) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                let path = scratch.to_owned();
                return Err(GitError::Unreadable { path, source: e });
            }
            _ => {}
        }
        succeeded("forget a working tree", self.ask(["worktree", "prune"])?)?;
        Ok(())
    }
}
