//! Where a person says that a file is to be written (`--output`, `--delta`, `--to`, `--live`, `--zone`): a regular file or none
//! yet, through no symbolic link, and never in place of what cannot be got back: keys, git's files, what runs remember.
//!
//! What is there is judged by its place, by its mode and by its content; a name alone says little of a secret.

use super::config::Config;
use super::durable::{self, Replaced, WriteError};
use super::{CONFIG_FILE, ROTATION_KEYS, STATE};
use crate::files::links::{self, Link};
use crate::files::{guard, read, secret};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How much of a file is looked at for a secret, in bytes.
const LOOKED_AT: usize = 1 << 20;

/// What the names of files end in that lie where nothing but keys does.
const OF_KEYS: &[&str] = &["private", "key", "state", "pem", "csr", "tsig", "crt"];

/// A file that may be written: judged, and judged again when it is written.
#[derive(Clone, Debug)]
pub struct Output {
    path: PathBuf,
    held: Held,
}

/// What a file may hold that is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Nothing that is secret.
    Public,
    /// What was read and judged before.
    Known,
}

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A symbolic link leads there.
    #[error("{} is a symbolic link, and nothing is written through one: a merged change can have brought it", .0.0.display())]
    Link(Link),
    /// It lies where others keep theirs.
    #[error("{} lies in {}, which is {what}: nothing else is written there", path.display(), directory.display())]
    Inside {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
        /// What lies there.
        what: &'static str,
    },
    /// The configuration of the workspace that it lies in says that it is something else, or it is that configuration.
    #[error("{} is {what}, and would be overwritten", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It holds a secret.
    #[error("{} holds {what}, which would be overwritten", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// Of which kind.
        what: &'static str,
    },
    /// Nobody else may read it, which is how secrets are kept.
    #[error(
        "{} can be read by its owner alone (mode {mode:04o}), as secrets are kept, and would be overwritten",
        path.display()
    )]
    Private {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no regular file, or cannot be looked at.
    #[error("nothing is written to {}: {source}", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What it is, or what the system said.
        source: io::Error,
    },
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Refused {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Link(Link(link)) => vec![
                format!(
                    "look where it leads, and who brought it: ls -l {}",
                    link.display()
                ),
                "nothing was written; name the file itself, by a path without links".to_owned(),
            ],
            Self::Inside { .. } => {
                vec!["nothing was written; name a file in another directory".to_owned()]
            }
            Self::Taken { .. } | Self::Secret { .. } => vec![
                "nothing was written; name another file".to_owned(),
                "if nobody needs what is there any more, move it away first".to_owned(),
            ],
            Self::Private { path, .. } => vec![
                "nothing was written; name another file".to_owned(),
                format!("if it holds no secret: chmod 644 {}", path.display()),
            ],
            Self::NoFile { .. } => {
                vec![
                    "nothing was written; name a regular file, or one that is not there yet"
                        .to_owned(),
                ]
            }
        }
    }
}

impl OutputError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused(refused) => refused.hints(),
            Self::Write(error) => error.hints(),
        }
    }
}

/// Whether two paths lead to one file, there or not yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let there = fs::canonicalize(path);
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        there.ok().or_else(|| {
            let above = fs::canonicalize(above.unwrap_or(Path::new("."))).ok()?;
            Some(above.join(path.file_name()?))
        })
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

impl Output {
    /// The file at `path`, where what is made may be written: over nothing that is, or may be, a secret.
    pub fn named(path: &Path) -> Result<Self, Refused> {
        Self::judged(path, Held::Public)
    }

    /// The file at `path`, where nothing is written over but what carries the mark of whoever writes it.
    pub fn marked(path: &Path, mark: &str) -> Result<Self, Refused> {
        let output = Self::named(path)?;
        let there = read::read_unlinked(path, read::LIST).unwrap_or_default();
        let is_marked = String::from_utf8_lossy(&there).contains(mark);
        if there.is_empty() || is_marked {
            return Ok(output);
        }
        Err(Refused::Taken {
            path: path.to_owned(),
            what: "nothing that this command wrote before",
        })
    }

    /// Refuses outputs that are one file, and one that is what the command reads.
    pub fn apart(outputs: &[Self], inputs: &[&Path]) -> Result<(), Refused> {
        let taken = |output: &Self, what| Refused::Taken {
            path: output.path.clone(),
            what,
        };
        for (at, output) in outputs.iter().enumerate() {
            let mut others = outputs.iter().take(at);
            if others.any(|other| is_same(&other.path, &output.path)) {
                return Err(taken(output, "named for two outputs"));
            }
            if inputs.iter().any(|input| is_same(input, &output.path)) {
                return Err(taken(output, "what this command reads"));
            }
        }
        Ok(())
    }

    /// The file at `path`, which was read, and found to be what is written there.
    pub fn known(path: &Path) -> Result<Self, Refused> {
        Self::judged(path, Held::Known)
    }

    fn judged(path: &Path, held: Held) -> Result<Self, Refused> {
        let output = Self {
            path: path.to_owned(),
            held,
        };
        output.judge()?;
        Ok(output)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks again, as what is there can have changed meanwhile; to be done just before it is written.
    pub fn judge(&self) -> Result<(), Refused> {
        let path = std::path::absolute(&self.path).map_err(|source| self.no_file(source))?;
        // Outermost first: a repository, or a workspace, that the path leads through.
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        let is_ours = |directory: &&&Path| {
            directory.join(".git").exists() || directory.join(CONFIG_FILE).exists()
        };
        if let Some(root) = above.iter().rev().find(is_ours) {
            links::none_below(root, &path).map_err(Refused::Link)?;
        }
        let there = match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => return Err(Refused::Link(Link(path))),
            Ok(there) => Some(there),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(self.no_file(e)),
        };
        let path = real(&path).map_err(|source| self.no_file(source))?;
        self.place(&path)?;
        there.map_or(Ok(()), |there| self.content(&path, &there))
    }

    /// Makes the file hold `contents`, at once or not at all.
    pub fn replace(&self, contents: &[u8]) -> Result<Replaced, OutputError> {
        self.judge()?;
        Ok(durable::replace(&self.path, contents)?)
    }

    /// Judges where it lies.
    fn place(&self, path: &Path) -> Result<(), Refused> {
        let inside = |directory: &Path, what| Refused::Inside {
            path: self.path.clone(),
            directory: directory.to_owned(),
            what,
        };
        for directory in path.ancestors() {
            let name = directory.file_name().unwrap_or_default();
            let is = |one: &str| name.eq_ignore_ascii_case(one);
            if is(".git") || is_of_git(directory) {
                return Err(inside(directory, "git's own"));
            }
            if is(STATE) {
                return Err(inside(directory, "what tlsa-rotate remembers"));
            }
        }
        let taken = |what| Refused::Taken {
            path: self.path.clone(),
            what,
        };
        let mut above = path.ancestors().skip(1);
        let root = above.find(|directory| directory.join(CONFIG_FILE).is_file());
        if let Some(keys) = root.map(|root| root.join(ROTATION_KEYS))
            && path.starts_with(&keys)
        {
            return Err(inside(&keys, "where the keys of rotations lie"));
        }
        if self.held == Held::Known {
            return Ok(());
        }
        if path.file_name().is_some_and(|name| name == CONFIG_FILE) {
            return Err(taken("a configuration of tlsa-rotate"));
        }
        match root.and_then(|root| Config::protects(root, path)) {
            Some((other, what)) if other == path => return Err(taken(what)),
            Some((other, what)) => return Err(inside(&other, what)),
            None => {}
        }
        let parent = path.parent();
        parent
            .filter(|directory| holds_keys_alone(directory))
            .map_or(Ok(()), |keys| Err(inside(keys, "where keys lie")))
    }

    /// Judges what is there.
    fn content(&self, path: &Path, there: &Metadata) -> Result<(), Refused> {
        read::regular(there.file_type()).map_err(|source| self.no_file(source))?;
        if self.held == Held::Known {
            return Ok(());
        }
        let octets = read::beginning(path, LOOKED_AT).map_err(|source| self.no_file(source))?;
        if let Some(what) = secret::whole(&octets) {
            return Err(Refused::Secret {
                path: self.path.clone(),
                what,
            });
        }
        let mode = there.mode() & 0o7777;
        // Where new files are kept so, too, it says nothing.
        if !octets.is_empty() && guard::is_for_its_owner(mode) && umask() & 0o077 != 0o077 {
            return Err(Refused::Private {
                path: self.path.clone(),
                mode,
            });
        }
        Ok(())
    }

    fn no_file(&self, source: io::Error) -> Refused {
        Refused::NoFile {
            path: self.path.clone(),
            source,
        }
    }
}

/// The path without links, whether or not something is there yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    for above in path.ancestors() {
        match fs::canonicalize(above) {
            Ok(real) => {
                let below = path.strip_prefix(above).unwrap_or(Path::new(""));
                return Ok(if below.as_os_str().is_empty() {
                    real
                } else {
                    real.join(below)
                });
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(path.to_owned())
}

/// Whether a directory is one that git keeps for itself, whatever its name (a bare repository, `git init --separate-git-dir`).
fn is_of_git(directory: &Path) -> bool {
    directory.join("HEAD").is_file()
        && directory.join("objects").is_dir()
        && directory.join("refs").is_dir()
}

/// Whether private keys lie in a directory, and nothing else than keys. Where zones lie with their keys, as BIND has it unless
/// it is told otherwise, zones are written there.
fn holds_keys_alone(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    let mut has_secret = false;
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let ending = Path::new(&name).extension().unwrap_or_default();
        let Some(ending) = OF_KEYS.iter().find(|one| ending == **one) else {
            return false;
        };
        let is_pem = matches!(*ending, "pem" | "key");
        has_secret |= matches!(*ending, "private" | "tsig")
            || (is_pem
                && read::beginning(&entry.path(), LOOKED_AT)
                    .is_ok_and(|octets| secret::whole(&octets).is_some()));
    }
    has_secret
}

/// The permission bits that new files of this process do not get (`proc_pid_status(5)`).
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let told = lines.find_map(|line| line.strip_prefix("Umask:"));
    told.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
        .unwrap_or(0o022)
}
