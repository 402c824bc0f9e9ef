//! What a power cut leaves of git: locks are taken away, for who held them is gone, and an index without contents is made
//! anew. Any other lock is told.

use super::flush::directories;
use super::{GitError, Repository, succeeded};
use crate::files::read;
use crate::workspace::durable;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What every index begins with (gitformat-index(5)).
const INDEX: &[u8] = b"DIRC";

impl Repository {
    /// Makes good what a power cut left, where nobody can lose anything by it.
    pub(super) fn recover(&self) -> Result<(), GitError> {
        self.break_old_locks()?;
        self.make_index_anew()
    }

    /// An index in which nothing is was not flushed: it is made anew from the commit that is checked out. No file changes.
    fn make_index_anew(&self) -> Result<(), GitError> {
        for index in self.git_paths(&["index"])? {
            let contents = read::beginning(&index, INDEX.len());
            if contents.is_ok_and(|octets| !octets.starts_with(INDEX)) {
                durable::remove(&index)?;
                let made = self.ask(["reset", "--quiet"])?;
                succeeded("make its index anew", made)?;
            }
        }
        Ok(())
    }

    /// Removes the locks that are older than the running system: no process of before can hold one.
    fn break_old_locks(&self) -> Result<(), GitError> {
        let Some(booted) = booted() else {
            return Ok(());
        };
        for lock in self.locks()? {
            let written = fs::metadata(&lock).and_then(|metadata| metadata.modified());
            if written.is_ok_and(|written| written < booted) {
                durable::remove(&lock)?;
            }
        }
        Ok(())
    }

    /// The lock that is in the way of every change of a branch, if there is one.
    pub(super) fn refuse_locked(&self, places: &[&str]) -> Result<(), GitError> {
        let names: Vec<String> = places.iter().map(|place| format!("{place}.lock")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut paths = self.git_paths(&names)?.into_iter();
        match paths.find(|path| path.exists()) {
            Some(path) => Err(GitError::Locked { path }),
            None => Ok(()),
        }
    }

    fn locks(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut places = Vec::new();
        for top in self.git_paths(&["refs", "worktrees"])? {
            places.extend(directories(&top));
        }
        let files = self.git_paths(&["packed-refs", "index"])?;
        places.extend(
            files
                .iter()
                .filter_map(|file| file.parent())
                .map(Path::to_owned),
        );
        let entries = places
            .into_iter()
            .filter_map(|place| fs::read_dir(place).ok());
        let entries = entries.flatten().flatten().map(|entry| entry.path());
        Ok(entries
            .filter(|path| path.extension().is_some_and(|ending| ending == "lock"))
            .collect())
    }
}

/// When the system was started.
fn booted() -> Option<SystemTime> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let since = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds = since.trim().parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
