//! Files that are whole or absent: every byte this program keeps on disk is written here.
//!
//! A file is written under a temporary name beside its target, flushed (fsync), renamed over it, and the directory
//! is flushed too, so that a crash or a power cut leaves the old file or the new one. The temporary file stays locked
//! while it is written: one that nobody has locked belongs to a run that was killed and is swept by the next write.
//!
//! Kept on replacement: permission bits, owner and group. Not kept: access control lists, extended attributes and
//! further hard links. A symbolic link is written through: the file it points to is replaced, never the link. Inside of a
//! workspace none is (`inside.rs`).

mod temporary;

use crate::files::links::Link;
use crate::files::read;
pub use temporary::sweep;

use rustix::fs::OFlags;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use temporary::{sweep_beside, write_temporary};

/// How many symbolic links in a row are followed before it is a loop (Linux's own limit).
const LINKS: usize = 40;

/// What was being done when a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating a file that must not be there yet.
    Create,
    /// Replacing a file, or creating it.
    Replace,
    /// Adding to the end of a file.
    Append,
    /// Cutting off the end of a file.
    Truncate,
    /// Deleting a file.
    Remove,
    /// Creating a directory.
    CreateDirectory,
}

/// A write that did not happen. The file is as it was before.
#[derive(Debug, thiserror::Error)]
#[error("{}cannot {operation} {}: {source}", full(source), path.display())]
pub struct WriteError {
    /// What was being done.
    pub operation: Operation,
    /// To which file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn full(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full: ",
        _ => "",
    }
}

impl WriteError {
    /// Whether the file was there although it had to be new.
    pub fn is_already_there(&self) -> bool {
        self.source.kind() == ErrorKind::AlreadyExists
    }

    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        let link = self
            .source
            .get_ref()
            .and_then(|why| why.downcast_ref::<Link>());
        if let Some(link) = link {
            return link.hints();
        }
        let directory = self.path.parent().unwrap_or(Path::new("/")).display();
        let hint = match self.source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!(
                "free some space on the file system of {directory}, then run the command again; nothing was changed"
            ),
            ErrorKind::ReadOnlyFilesystem => format!(
                "{directory} lies on a read-only file system: remount it writable, or keep the workspace elsewhere"
            ),
            ErrorKind::PermissionDenied => format!(
                "run the command as a user who may write in {directory}, or give this one the right to"
            ),
            ErrorKind::AlreadyExists => {
                "an existing file is never overwritten here: move it away if it is not needed"
                    .to_owned()
            }
            ErrorKind::NotFound => format!("{directory} must exist first"),
            _ => return Vec::new(),
        };
        vec![hint]
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Replace => "write",
            Self::Append => "append to",
            Self::Truncate => "cut off the incomplete end of",
            Self::Remove => "delete",
            Self::CreateDirectory => "create the directory",
        })
    }
}

/// What a replacement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The file has new contents.
    Changed,
    /// The file held these bytes already; they are now known to be on disk.
    Unchanged,
}

/// Makes the file at `path` hold `contents`, at once or not at all.
///
/// An existing file keeps its mode, owner and group; a new one gets 0666 less the umask. Leftovers of killed runs
/// beside it are removed.
pub fn replace(path: &Path, contents: &[u8]) -> Result<Replaced, WriteError> {
    let failed = |source| WriteError {
        operation: Operation::Replace,
        path: path.to_owned(),
        source,
    };
    let target = follow(path).map_err(failed)?;
    replace_real(&target, contents).map_err(failed)
}

fn replace_real(target: &Path, contents: &[u8]) -> io::Result<Replaced> {
    let old = present(target)?;
    // Opened first: a directory that cannot be flushed shall be found before anything has changed.
    let directory = Directory::open(directory_of(target))?;
    if old
        .as_ref()
        .is_some_and(|old| old.len() == contents.len() as u64)
        && holds(target, contents)?
    {
        directory.flush()?;
        return Ok(Replaced::Unchanged);
    }
    sweep_beside(target);
    persist_over(target, old.as_ref(), &directory, |mut file| {
        file.write_all(contents)
    })?;
    Ok(Replaced::Changed)
}

/// Makes the file at `path` hold what `fill` writes into a new one, at once or not at all.
///
/// For contents that are too large to be held in memory; otherwise as [`replace`].
pub fn replace_with(
    path: &Path,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), WriteError> {
    let replace = || {
        let target = follow(path)?;
        let old = present(&target)?;
        let directory = Directory::open(directory_of(&target))?;
        sweep_beside(&target);
        persist_over(&target, old.as_ref(), &directory, fill)
    };
    replace().map_err(|source| WriteError {
        operation: Operation::Replace,
        path: path.to_owned(),
        source,
    })
}

/// Puts a new file, filled by `fill`, in the place of `target`, with the mode and the owner of what is there.
fn persist_over(
    target: &Path,
    old: Option<&fs::Metadata>,
    directory: &Directory,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mode = old.map_or(0o666, |_| 0o600);
    let temporary = write_temporary(target, mode, |file| {
        if let Some(old) = old {
            keep_owner(file, old)?;
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        fill(file)
    })?;
    temporary.persist(target).map_err(|e| e.error)?;
    directory.flush()
}

/// What is known of the regular file at `target`, if there is one.
fn present(target: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(target) {
        Ok(old) if !old.is_file() => Err(io::Error::other("it is not a regular file")),
        Ok(old) => Ok(Some(old)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Creates the file at `path` with `contents` and exactly the permission bits `mode`; refuses if anything is there.
///
/// The file appears whole, so that a reader never sees half a key. Use 0o600 for secrets: the bytes are never
/// readable by others, not even before the file has its name.
pub fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), WriteError> {
    let create_real = || {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let directory = Directory::open(directory_of(path))?;
        sweep_beside(path);
        let temporary = write_temporary(path, 0o600, |mut file| {
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(contents)
        })?;
        temporary.persist_noclobber(path).map_err(|e| e.error)?;
        directory.flush()
    };
    create_real().map_err(|source| WriteError {
        operation: Operation::Create,
        path: path.to_owned(),
        source,
    })
}

/// Adds `line` to the end of the file at `path`, which must be `length` bytes long, in one write, and flushes it.
///
/// If the write fails half way (disk full), what was written of it is cut off again.
pub fn append(path: &Path, length: u64, line: &[u8]) -> Result<(), WriteError> {
    let append_real = || {
        let mut file = OpenOptions::new()
            .append(true)
            .custom_flags(read::bits(OFlags::NOFOLLOW | OFlags::NONBLOCK))
            .open(path)?;
        read::regular(file.metadata()?.file_type())?;
        if file.metadata()?.len() != length {
            return Err(changed_meanwhile());
        }
        let written = file.write(line).and_then(|n| match n {
            n if n == line.len() => file.sync_all(),
            _ => Err(ErrorKind::StorageFull.into()),
        });
        if written.is_err() {
            // Whether or not this succeeds, the first error is the one to tell; a torn end is found by the next reader.
            let _ = file.set_len(length).and_then(|()| file.sync_all());
        }
        written
    };
    append_real().map_err(|source| WriteError {
        operation: Operation::Append,
        path: path.to_owned(),
        source,
    })
}

/// Cuts the file at `path`, which must be `length` bytes long, down to its first `kept` bytes and flushes it.
pub fn truncate(path: &Path, length: u64, kept: u64) -> Result<(), WriteError> {
    let truncate_real = || {
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(read::bits(OFlags::NOFOLLOW | OFlags::NONBLOCK))
            .open(path)?;
        read::regular(file.metadata()?.file_type())?;
        if file.metadata()?.len() != length {
            return Err(changed_meanwhile());
        }
        file.set_len(kept)?;
        file.sync_all()
    };
    truncate_real().map_err(|source| WriteError {
        operation: Operation::Truncate,
        path: path.to_owned(),
        source,
    })
}

/// Deletes the file at `path` for good; one that is not there is no error.
pub fn remove(path: &Path) -> Result<(), WriteError> {
    let removed = match fs::remove_file(path) {
        Ok(()) => Directory::open(directory_of(path)).and_then(|d| d.flush()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    };
    removed.map_err(|source| WriteError {
        operation: Operation::Remove,
        path: path.to_owned(),
        source,
    })
}

/// Creates the directory at `path` and those above it that are missing, each with the permission bits `mode` less
/// the umask, and flushes every directory that got an entry.
pub fn create_directory(path: &Path, mode: u32) -> Result<(), WriteError> {
    create_directory_real(path, mode).map_err(|source| WriteError {
        operation: Operation::CreateDirectory,
        path: path.to_owned(),
        source,
    })
}

fn create_directory_real(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = directory_of(path);
    create_directory_real(above, mode)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Directory::open(above)?.flush(),
    }
}

/// The path that a chain of symbolic links at `path` ends at, whether or not anything is there.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&at) {
            Ok(next) => at = directory_of(&at).join(next),
            // Not a link, or nothing at all.
            Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(at);
            }
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("its symbolic links form a loop"))
}

fn changed_meanwhile() -> io::Error {
    io::Error::other("somebody else has written to it meanwhile")
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

/// Whether the file holds exactly `contents`; if so it is flushed, since a killed run may not have got that far.
fn holds(path: &Path, contents: &[u8]) -> io::Result<bool> {
    let file = match File::open(path) {
        // Not being allowed to read a file does not mean not being allowed to replace it.
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return Ok(false),
        opened => opened?,
    };
    let mut present = Vec::with_capacity(contents.len());
    let limit = (contents.len() as u64).saturating_add(1);
    (&file).take(limit).read_to_end(&mut present)?;
    let same = present == contents;
    if same {
        file.sync_all()?;
    }
    Ok(same)
}

/// Gives `file` the owner and group of the file that it replaces.
///
/// Only root may give files away; for others the group must still be right, or the kept mode would mean other people.
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if new.uid() != old.uid() && fchown(file, Some(old.uid()), Some(old.gid())).is_ok() {
        return Ok(());
    }
    if new.gid() == old.gid() {
        return Ok(());
    }
    fchown(file, None, Some(old.gid()))
}

/// A directory whose entries can be flushed.
struct Directory(File);

impl Directory {
    fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    fn flush(&self) -> io::Result<()> {
        match self.0.sync_all() {
            // Some file systems cannot flush a directory; there is nothing more that could be done on them.
            Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                Ok(())
            }
            flushed => flushed,
        }
    }
}
