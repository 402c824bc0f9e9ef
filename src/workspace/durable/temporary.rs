//! Temporary files beside what they are to become: flushed and locked while they are written, swept once nobody has
//! locked them any more.

use super::directory_of;
use crate::files::read;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use tempfile::NamedTempFile;

/// What the names of temporary files end in.
const TEMPORARY: &str = ".tlsa-rotate-tmp";

/// A flushed temporary file beside `target` with what `write` puts into it, locked until it is closed.
pub(super) fn write_temporary(
    target: &Path,
    mode: u32,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<NamedTempFile<File>> {
    let temporary = tempfile::Builder::new()
        .prefix(&temporary_prefix(target)?)
        .suffix(TEMPORARY)
        .make_in(directory_of(target), |path| {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(path)?;
            // A sweep can come between creation and lock; "already there" makes the caller take another name.
            let locked = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if !locked || file.metadata()?.nlink() == 0 {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Ok(file)
        })?;
    let file = temporary.as_file();
    write(file)?;
    file.sync_all()?;
    Ok(temporary)
}

fn temporary_prefix(target: &Path) -> io::Result<OsString> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::other("the path does not end in a file name"))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    Ok(prefix)
}

/// Removes the temporary files in `directory` that killed runs left, whichever file they were to become. Best effort: a
/// leftover is harmless.
pub fn sweep(directory: &Path) {
    sweep_those(directory, b".");
}

/// The same for those of `target` alone.
pub(super) fn sweep_beside(target: &Path) {
    if let Ok(prefix) = temporary_prefix(target) {
        sweep_those(directory_of(target), prefix.as_encoded_bytes());
    }
}

fn sweep_those(directory: &Path, prefix: &[u8]) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let ours = name.as_encoded_bytes().starts_with(prefix)
            && name.as_encoded_bytes().ends_with(TEMPORARY.as_bytes());
        if !ours {
            continue;
        }
        let Ok(leftover) = read::open_unlinked(&entry.path()) else {
            continue;
        };
        // The lock is held while the name is removed, so that a writer cannot take the file up in between.
        if flock(&leftover, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}
