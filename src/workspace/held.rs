//! A file that one run reads, judges and replaces, while no other run does.
//!
//! The lock is the kernel's (`flock`), on the file itself: it ends with the process, and nothing is left behind.

use super::durable::{self, WriteError};
use crate::files::read;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file that is held, and what was in it.
#[derive(Debug)]
pub struct HeldFile {
    /// Open as long as it is held.
    _file: File,
    seen: Identity,
    path: PathBuf,
    contents: Vec<u8>,
}

/// What tells one version of a file from another: device, file, length, time of the last change.
type Identity = (u64, u64, u64, i64, i64);

/// Why a file is not held, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run holds it (exit code 5).
    #[error("another run is working on {}", .0.display())]
    Held(PathBuf),
    /// It is not what it was when it was read.
    #[error("somebody else has changed {} meanwhile", .0.display())]
    Changed(PathBuf),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl HeldFile {
    /// Opens, locks and reads a file.
    pub fn open(path: &Path) -> Result<Self, HoldError> {
        let unreadable = |source| HoldError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = read::open(path).map_err(unreadable)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(HoldError::Held(path.to_owned()));
        }
        // Before it is read: what comes later is a change.
        let seen = identity(&file.metadata().map_err(unreadable)?);
        let contents = read::bounded(&file, read::ZONE).map_err(unreadable)?;
        let held = Self {
            _file: file,
            seen,
            path: path.to_owned(),
            contents,
        };
        // The run that had it before may have put another file in its place between the opening and the lock.
        held.unchanged()?;
        Ok(held)
    }

    /// What was in it.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// Puts `contents` in its place, at once or not at all, if it still is what was read.
    pub fn replace(&self, contents: &[u8]) -> Result<(), HoldError> {
        self.unchanged()?;
        durable::replace(&self.path, contents)?;
        Ok(())
    }

    fn unchanged(&self) -> Result<(), HoldError> {
        match fs::metadata(&self.path) {
            Ok(there) if identity(&there) == self.seen => Ok(()),
            _ => Err(HoldError::Changed(self.path.clone())),
        }
    }
}

fn identity(file: &fs::Metadata) -> Identity {
    (
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
    )
}
