//! Writes inside of a workspace, or of a repository: as [`durable`] writes, and through no symbolic link. One that was not there
//! when the run began can have come since, with a change that somebody merged.

use super::durable::{self, Operation, Replaced, WriteError};
use crate::files::links;
use std::io;
use std::path::Path;

/// Refuses a symbolic link at `path` or on the way to it.
pub fn unlinked(operation: Operation, path: &Path) -> Result<(), WriteError> {
    let absolute = std::path::absolute(path);
    let judged = absolute.and_then(|path| links::none_on(&path).map_err(io::Error::other));
    judged.map_err(|source| WriteError {
        operation,
        path: path.to_owned(),
        source,
    })
}

/// As [`durable::replace`].
pub fn replace(path: &Path, contents: &[u8]) -> Result<Replaced, WriteError> {
    unlinked(Operation::Replace, path)?;
    durable::replace(path, contents)
}

/// As [`durable::create`].
pub fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), WriteError> {
    unlinked(Operation::Create, path)?;
    durable::create(path, contents, mode)
}

/// As [`durable::append`].
pub fn append(path: &Path, length: u64, line: &[u8]) -> Result<(), WriteError> {
    unlinked(Operation::Append, path)?;
    durable::append(path, length, line)
}

/// As [`durable::truncate`].
pub fn truncate(path: &Path, length: u64, kept: u64) -> Result<(), WriteError> {
    unlinked(Operation::Truncate, path)?;
    durable::truncate(path, length, kept)
}

/// As [`durable::remove`].
pub fn remove(path: &Path) -> Result<(), WriteError> {
    unlinked(Operation::Remove, path)?;
    durable::remove(path)
}

/// As [`durable::create_directory`].
pub fn create_directory(path: &Path, mode: u32) -> Result<(), WriteError> {
    unlinked(Operation::CreateDirectory, path)?;
    durable::create_directory(path, mode)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_written_through_a_link() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let (inside, outside) = (root.join("inside"), root.join("outside"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("file"), "theirs").unwrap();
        symlink("../outside", inside.join("way")).unwrap();
        symlink("../outside/file", inside.join("file")).unwrap();
        for path in ["way/file", "file"] {
            let path = inside.join(path);
            let refused = [
                replace(&path, b"ours").err(),
                create(&path, b"ours", 0o600).err(),
                append(&path, 6, b"ours").err(),
                truncate(&path, 6, 0).err(),
                remove(&path).err(),
                create_directory(&path.join("deep"), 0o700).err(),
            ];
            for error in refused {
                let error = error.unwrap();
                assert!(error.to_string().contains("is a symbolic link"), "{error}");
                assert!(error.hints()[0].contains("who brought it"), "{error:?}");
            }
        }
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        replace(&inside.join("plain"), b"ours").unwrap();
    }
}
