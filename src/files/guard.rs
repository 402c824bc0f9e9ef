//! Whether a secret is kept as sshd wants its keys kept (`sshd_config`(5), `StrictModes`): its owner is the user or root,
//! nobody else may read it or write where it lies, and no symbolic link leads there.

use super::links::{self, Link};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The bit of a directory in which only owners move their files (`/tmp`).
const STICKY: u32 = 0o1000;

/// How a secret is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// A symbolic link leads to it.
    #[error("{} is a symbolic link: no key is used through one", .0.0.display())]
    Link(Link),
    /// Somebody else owns it, or a directory that it lies in.
    #[error("{} belongs to another user (id {owner}), who can put another key there", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others may write to it, or where it lies.
    #[error("others may write to {} (mode {mode:04o}) and put another key there", path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may read it.
    #[error("{} can be read by others (mode {mode:04o}): the key may be known", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be looked at.
    #[error("cannot look at {}: {source}", path.display())]
    Unseen {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Unkept {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Link(link) => vec![format!(
                "look where it leads (ls -l {0}), and put the file or directory itself in its place",
                link.0.display()
            )],
            Self::Owner { path, .. } => vec![format!(
                "look who changed it; if it is yours: chown \"$(id -u)\" {}",
                path.display()
            )],
            Self::Writable { path, .. } => {
                vec![format!(
                    "look whether all in it is yours, then: chmod go-w {}",
                    path.display()
                )]
            }
            Self::Readable { path, .. } => vec![
                format!("if nobody can have read it: chmod 600 {}", path.display()),
                "otherwise make a new key".to_owned(),
            ],
            Self::Unseen { .. } => Vec::new(),
        }
    }
}

/// Judges the directory at `path`, and all that it lies in. One that is not there yet, is judged by where it will lie.
pub fn directory(path: &Path) -> Result<(), Unkept> {
    let absolute = std::path::absolute(path).map_err(|source| unseen(path, source))?;
    links::none_on(&absolute).map_err(Unkept::Link)?;
    above(&absolute, Strict::Itself)
}

/// Judges the secret file at `path`, of which `open` is what is known of the open file, and where it lies.
pub fn file(path: &Path, open: &Metadata) -> Result<(), Unkept> {
    let absolute = std::path::absolute(path).map_err(|source| unseen(path, source))?;
    links::none_on(&absolute).map_err(Unkept::Link)?;
    itself(path, open)?;
    let parent = absolute.parent();
    parent.map_or(Ok(()), |parent| above(parent, Strict::Itself))
}

/// As [`file()`], for one that somebody else keeps in a place of theirs: links lead there (certbot's `live`), and are followed.
pub fn brought(path: &Path, open: &Metadata) -> Result<(), Unkept> {
    itself(path, open)?;
    let real = fs::canonicalize(path).map_err(|source| unseen(path, source))?;
    let parent = real.parent();
    parent.map_or(Ok(()), |parent| above(parent, Strict::Nowhere))
}

/// Whether permission bits let nobody but the owner in.
pub const fn is_for_its_owner(mode: u32) -> bool {
    matches!(mode & 0o077, 0)
}

/// Whether the file at `path` is kept as a secret is: nobody but its owner may read it.
pub fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && is_for_its_owner(file.mode()))
}

fn itself(path: &Path, open: &Metadata) -> Result<(), Unkept> {
    owned(path, open)?;
    let mode = open.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Unkept::Readable {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Where it is not enough that others cannot move what is not theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strict {
    /// In the directory itself: every key that lies in it counts.
    Itself,
    /// Nowhere: one file of it is named.
    Nowhere,
}

fn above(directory: &Path, strict: Strict) -> Result<(), Unkept> {
    for (directory, is_itself) in directory
        .ancestors()
        .zip(std::iter::once(true).chain(std::iter::repeat(false)))
    {
        let found = match fs::metadata(directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            found => found.map_err(|source| unseen(directory, source))?,
        };
        owned(directory, &found)?;
        let mode = found.mode() & 0o7777;
        let may_be_sticky = !is_itself || strict == Strict::Nowhere;
        if mode & 0o022 != 0 && !(may_be_sticky && mode & STICKY != 0) {
            return Err(Unkept::Writable {
                path: directory.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

fn owned(path: &Path, found: &Metadata) -> Result<(), Unkept> {
    let owner = found.uid();
    if owner == 0 || owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Unkept::Owner {
        path: path.to_owned(),
        owner,
    })
}

fn unseen(path: &Path, source: io::Error) -> Unkept {
    Unkept::Unseen {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_key_is_judged_as_sshd_judges_one() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let keys = root.join("keys");
        fs::create_dir(&keys).unwrap();
        let key = keys.join("key");
        fs::write(&key, "secret").unwrap();
        symlink("keys", root.join("link")).unwrap();
        symlink("key", keys.join("another")).unwrap();
        let table = [
            ("keys/key", 0o600, 0o700, ""),
            ("keys/key", 0o400, 0o755, ""),
            ("keys/key", 0o640, 0o700, "read by others (mode 0640)"),
            ("keys/key", 0o600, 0o770, "keys (mode 0770)"),
            ("keys/key", 0o600, 0o1777, "keys (mode 1777)"),
            ("link/key", 0o600, 0o700, "link is a symbolic link"),
            ("keys/another", 0o600, 0o700, "another is a symbolic link"),
        ];
        for (path, mode, above, why) in table {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            fs::set_permissions(&keys, fs::Permissions::from_mode(above)).unwrap();
            let path = root.join(path);
            let judged = file(&path, &fs::metadata(&path).unwrap());
            let said = judged.map_or_else(|e| e.to_string(), |()| String::new());
            assert_eq!(said.is_empty(), why.is_empty(), "{said}");
            assert!(said.contains(why), "{said}");
        }
    }
}
