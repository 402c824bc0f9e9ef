//! The operator's workspace on disk: configuration, journal, lock, and files that are whole or absent.

pub mod clock;
pub mod config;
pub mod durable;
pub mod halted;
pub mod handed_out;
pub mod held;
pub mod inside;
pub mod installed;
pub mod journal;
pub mod lock;
pub mod memory;
pub mod output;
pub mod signed;
pub mod stand_in;
pub mod strays;
pub mod template;
pub mod tls_key;
pub mod told;
pub mod ways;

use crate::files::links::{self, Link};
use crate::files::read;
use config::{Config, ConfigError, Problem, Signing};
use journal::RotationId;
use lock::{LockError, WorkspaceLock};
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the configuration; the directory it lies in is the workspace.
pub const CONFIG_FILE: &str = "tlsa-rotate.toml";

/// The directory of what the program remembers, below the workspace; not for git.
pub const STATE: &str = ".tlsa-rotate";

/// The directory of the keys that were made for rotations, below the workspace.
pub const ROTATION_KEYS: &str = "keys/tls";

/// An opened workspace: a checked configuration and where everything lies. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The directory of the configuration.
    pub root: PathBuf,
    /// The configuration file.
    pub config_path: PathBuf,
    /// What it says.
    pub config: Config,
}

impl Workspace {
    /// Opens the workspace that `from` lies in: the configuration is looked for there and upwards.
    pub fn find(from: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: from.to_owned(),
            source,
        };
        let from = fs::canonicalize(from).map_err(unreadable)?;
        match above(&from) {
            Some(path) => Self::open(&path),
            None => Err(ConfigError::NotFound { from }),
        }
    }

    /// Where the configuration of a workspace belongs that runs left something of, in this directory or one above.
    pub fn missing_above(from: &Path) -> Option<PathBuf> {
        let from = fs::canonicalize(from).ok()?;
        let root = from.ancestors().find(|root| root.join(STATE).is_dir())?;
        Some(root.join(CONFIG_FILE))
    }

    /// Whether `from` lies in a workspace to practise in: for commands that need nothing else of a workspace.
    pub fn is_for_rehearsals(from: &Path) -> bool {
        let found = fs::canonicalize(from).ok().and_then(|from| above(&from));
        let text = found.and_then(|path| read_text(&path).ok());
        text.is_some_and(|text| Config::is_for_rehearsals(&text))
    }

    /// Opens the workspace with the configuration at `path`.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let (root, config_path) = locate(path).map_err(unreadable)?;
        let text = read_text(&config_path).map_err(unreadable)?;
        let config = Config::parse(&text, &root).map_err(|problems| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        })?;
        let workspace = Self {
            root,
            config_path,
            config,
        };
        workspace.no_links()?;
        Ok(workspace)
    }

    /// The same workspace by another configuration.
    pub fn with(&self, config: Config) -> Result<Self, Link> {
        let workspace = Self {
            config,
            ..self.clone()
        };
        workspace.no_links()?;
        Ok(workspace)
    }

    /// Refuses symbolic links where files of ours lie, or will: a merged change can bring one, and it leads anywhere.
    fn no_links(&self) -> Result<(), Link> {
        let below = |path: &Path| links::none_below(&self.root, path);
        for zone in &self.config.zones {
            below(&zone.file)?;
            zone.included.as_deref().map_or(Ok(()), below)?;
            if let Signing::Here { keys, signed, .. } = &zone.signing {
                below(keys)?;
                below(signed)?;
            }
        }
        below(&self.root.join(ROTATION_KEYS))?;
        below(&self.state())?;
        // One level deeper, too: the lock, the journals, the notes.
        for entry in entries(&self.state(), |_| true) {
            below(&entry)?;
            for link in entries(&entry, |kind| kind.is_symlink()) {
                below(&link)?;
            }
        }
        Ok(())
    }

    /// What the configuration allows and a person should know, as `file:line: …`.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        let told = |problem: &Problem| format!("{}:{problem}", self.config_path.display());
        self.config.warnings.iter().map(told)
    }

    /// Takes the lock; needed by everything that writes.
    pub fn lock(&self) -> Result<WorkspaceLock, LockError> {
        let lock = WorkspaceLock::acquire(&self.state().join("lock"))?;
        // Nothing in this directory is for git. That it is not, is a courtesy, and no reason to refuse to work.
        let _ = inside::create(&self.state().join(".gitignore"), b"*\n", 0o644);
        Ok(lock)
    }

    /// The directory of what the program remembers.
    pub fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    /// The journal of a certificate.
    pub fn journal(&self, certificate: &str) -> PathBuf {
        let mut path = self.journals();
        path.push(format!("{certificate}.jsonl"));
        path
    }

    /// The directory of all journals.
    pub fn journals(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// The directory of the TLS keys generated for a rotation.
    pub fn tls_keys(&self, rotation: &RotationId) -> PathBuf {
        self.root.join(ROTATION_KEYS).join(rotation.to_string())
    }
}

/// The configuration in a directory, or in the nearest one above it that has one.
fn above(from: &Path) -> Option<PathBuf> {
    let directories = from.ancestors();
    let mut candidates = directories.map(|directory| directory.join(CONFIG_FILE));
    candidates.find(|candidate| candidate.exists())
}

/// The workspace and the file; the directory is made absolute, a link at the file's own place is kept.
fn locate(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let root = fs::canonicalize(directory)?;
    let file = root.join(name);
    Ok((root, file))
}

/// What lies in a directory, if it is one and can be looked into.
/// The entries of a directory that are of a kind, which the directory itself tells: there may be thousands.
fn entries(directory: &Path, is_wanted: impl Fn(FileType) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(&is_wanted))
        .map(|entry| entry.path())
        .collect()
}

fn read_text(path: &Path) -> io::Result<String> {
    read::read_text(path, config::MAX_SIZE)
}
