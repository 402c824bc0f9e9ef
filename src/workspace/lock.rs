//! One lock per workspace: two runs never write at once, and a run that dies lets go.
//!
//! The lock is the kernel's (`flock`), on a file that is never deleted; the process id in it is for people only.

use super::durable::WriteError;
use super::inside;
use crate::files::read;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The right to write in a workspace; let go when it is dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct WorkspaceLock {
    file: File,
}

/// Why the lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it (exit code 5).
    #[error("another run{} holds the lock {}", holder.map(|id| format!(" (process {id})")).unwrap_or_default(), path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process that wrote its id into it, if that process is still there.
        holder: Option<u32>,
    },
    /// The lock file cannot be used at all.
    #[error("cannot lock {}: {source}", path.display())]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory of the lock file cannot be created.
    #[error(transparent)]
    Directory(#[from] WriteError),
}

impl LockError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Held { holder, .. } => {
                let look = holder.map(|id| format!("if it seems to hang, look at it: ps -fp {id}"));
                let wait =
                    "nothing was changed; run the command again when the other run has ended"
                        .to_owned();
                std::iter::once(wait).chain(look).collect()
            }
            Self::Unusable { path, .. } => vec![format!(
                "the lock file must be readable and writable for the user who runs the command: ls -l {}",
                path.display()
            )],
            Self::Directory(error) => error.hints(),
        }
    }
}

impl WorkspaceLock {
    /// Takes the lock at `path`, or says at once who has it. Creates the file and its directory when missing.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let unusable = |source| LockError::Unusable {
            path: path.to_owned(),
            source,
        };
        // What is opened here is cut to nothing below: a link would choose what.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(read::bits(flags))
            .open(path)
            .map_err(unusable)?;
        let found = file.metadata().map_err(unusable)?;
        read::regular(found.file_type()).map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder: holder(&file),
                });
            }
            Err(errno) => return Err(unusable(errno.into())),
        }
        // The id is a courtesy: a full disk must not keep a run from reading and reporting.
        let _ = file
            .set_len(0)
            .and_then(|()| (&file).write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { file })
    }
}

impl Drop for WorkspaceLock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// The process named in the lock file, unless it is known to be gone (an id left by a run that was killed).
fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    let id: u32 = text.trim().parse().ok()?;
    let gone = Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{id}")).exists();
    (!gone).then_some(id)
}
