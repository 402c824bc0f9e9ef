//! What git leaves to the file system: the directories in which its files got their names.
//!
//! git flushes a file and then renames it; that the name survives a power cut is for the directory to tell (fsync(2)).

use super::{GitError, Repository};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Directories within directories, at most: no name of a branch is that deep.
const DEEPEST: usize = 64;

impl Repository {
    /// Flushes every directory in which objects have their names, whoever wrote there and when: what a killed run left is
    /// relied on, too, and no clock tells what has reached the disk. To be done before a name leads to new ones.
    pub(super) fn flush_objects(&self) -> Result<(), GitError> {
        self.flush_all(&["objects"])
    }

    /// Flushes where the names of commits lie, and that of the index.
    pub(super) fn flush_names(&self) -> Result<(), GitError> {
        self.flush_all(&["refs", "logs"])?;
        // The index is of this working tree, packed refs of all of them.
        for file in self.git_paths(&["packed-refs", "index"])? {
            let Some(directory) = file.parent() else {
                continue;
            };
            flush(directory).map_err(|source| unreadable(directory, source))?;
        }
        Ok(())
    }

    fn flush_all(&self, tops: &[&str]) -> Result<(), GitError> {
        for top in self.git_paths(tops)? {
            flush_below(&top, DEEPEST).map_err(|source| unreadable(&top, source))?;
        }
        Ok(())
    }
}

fn unreadable(path: &Path, source: io::Error) -> GitError {
    GitError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn flush_below(directory: &Path, deepest: usize) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if deepest > 0 && entry.file_type()?.is_dir() {
            flush_below(&entry.path(), deepest.saturating_sub(1))?;
        }
    }
    flush(directory)
}

fn flush(path: &Path) -> io::Result<()> {
    let opened = File::open(path).and_then(|opened| opened.sync_all());
    match opened {
        // Another git has tidied up.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The directories below and at `top`, as far down as names of branches go.
pub(super) fn directories(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_owned()];
    let mut at = 0;
    while let Some(directory) = found.get(at).cloned() {
        at = at.saturating_add(1);
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(below.map(|entry| entry.path()));
    }
    found
}
