//! A new workspace as `init` writes it: every key explained, private keys kept out of git, units that run it.

use super::CONFIG_FILE;
use super::durable::{self, WriteError};
use crate::files::read;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a file's text says in which directory the workspace lies.
const PLACE: &str = "@DIRECTORY@";

/// How the directory is written into a file.
#[derive(Clone, Copy)]
enum Quoting {
    /// It is not.
    None,
    /// As a value in a systemd unit (systemd.unit(5): `%` begins a specifier).
    Unit,
    /// As a word for the shell in a crontab line (crontab(5): `%` is a newline).
    Cron,
}

/// The zone that every explanation speaks of.
const ZONE: &str = include_str!("../../zones/example.com.zone");

/// The files of a workspace, in the order in which a newcomer would read them.
const FILES: &[(&str, &str, Quoting)] = &[
    (
        CONFIG_FILE,
        include_str!("template/tlsa-rotate.toml"),
        Quoting::None,
    ),
    ("zones/example.com.zone", ZONE, Quoting::None),
    (
        "keys/.gitignore",
        include_str!("template/keys.gitignore"),
        Quoting::None,
    ),
    (GITIGNORE, include_str!("template/gitignore"), Quoting::None),
    (
        "scripts/tlsa-rotate.service",
        include_str!("template/tlsa-rotate.service"),
        Quoting::Unit,
    ),
    (
        "scripts/tlsa-rotate.timer",
        include_str!("template/tlsa-rotate.timer"),
        Quoting::None,
    ),
    (
        "scripts/tlsa-rotate.cron",
        include_str!("template/tlsa-rotate.cron"),
        Quoting::Cron,
    ),
];

const GITIGNORE: &str = ".gitignore";

/// The line of the configuration that names the branch that counts.
const BRANCH: &str = "branch = \"main\"";

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The directory, absolute.
    pub root: PathBuf,
    /// The new files, relative to it.
    pub created: Vec<PathBuf>,
    /// The lines that the `.gitignore` that was there should have.
    pub to_ignore: Vec<String>,
}

/// Why no workspace was written.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Some of the files are there.
    #[error("{} already holds {}", root.display(), listed(files))]
    AlreadyThere {
        /// The directory.
        root: PathBuf,
        /// The files, relative to it.
        files: Vec<PathBuf>,
    },
    /// The directory's name cannot be written into the unit files.
    #[error("{} cannot be written into a unit file: its name is not UTF-8 or holds a line break", root.display())]
    Unwritable {
        /// The directory.
        root: PathBuf,
    },
    /// A file could not be written; those written before it are removed again.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl TemplateError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::AlreadyThere { .. } => vec![
                "nothing was written; move them away, or name another directory: tlsa-rotate init DIR".to_owned(),
            ],
            Self::Unwritable { .. } => vec!["choose a directory with a plain name".to_owned()],
            Self::Write(error) => error.hints(),
        }
    }
}

fn listed(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    names.join(", ")
}

/// Writes a workspace into `directory`, which is created when missing. All files or none; nothing is overwritten.
///
/// A `.gitignore` that is there stays as it is; the lines it lacks are returned. `branch` is the one that counts, where the
/// repository tells it; with `rehearsal` the workspace is one to practise in. With `only_told` nothing is written, and what would
/// be is returned.
pub fn write(
    directory: &Path,
    branch: Option<&str>,
    rehearsal: bool,
    only_told: bool,
) -> Result<Written, TemplateError> {
    if !only_told {
        durable::create_directory(directory, 0o777)?;
    }
    let absolute = || std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let root = fs::canonicalize(directory).unwrap_or_else(|_| absolute());
    let is_there = |name: &str| fs::symlink_metadata(root.join(name)).is_ok();
    let keep_ignore = is_there(GITIGNORE);
    let in_the_way: Vec<PathBuf> = FILES
        .iter()
        .filter(|(name, ..)| *name != GITIGNORE && is_there(name))
        .map(|(name, ..)| PathBuf::from(name))
        .collect();
    if !in_the_way.is_empty() {
        let files = in_the_way;
        return Err(TemplateError::AlreadyThere { root, files });
    }
    let place = root.to_str().filter(|r| !r.contains(['\n', '\r']));
    let Some(place) = place.map(ToOwned::to_owned) else {
        return Err(TemplateError::Unwritable { root });
    };
    let mut created = Vec::new();
    for (name, text, quoting) in FILES {
        if *name == GITIGNORE && keep_ignore {
            continue;
        }
        let mut text = filled(text, &place, *quoting);
        if *name == CONFIG_FILE {
            // A name that was guessed would be wrong once the repository is made with another.
            let line = branch.map_or(format!("# {BRANCH}"), |name| format!("branch = \"{name}\""));
            text = text.replacen(BRANCH, &line, 1);
        }
        if rehearsal && *name == CONFIG_FILE {
            text = text.replace("\n# rehearsal = true  ", "\nrehearsal = true    ");
        }
        if !only_told && let Err(error) = write_one(&root, name, &text) {
            for name in &created {
                durable::remove(&root.join(name))?;
            }
            return Err(error.into());
        }
        created.push(PathBuf::from(name));
    }
    let present = read::read_text(&root.join(GITIGNORE), read::LIST).unwrap_or_default();
    let (_, wanted, _) = FILES
        .iter()
        .find(|(name, ..)| *name == GITIGNORE)
        .unwrap_or(&("", "", Quoting::None));
    let lacking = |line: &&str| !line.starts_with('#') && !present.lines().any(|l| l == *line);
    let to_ignore = wanted
        .lines()
        .filter(lacking)
        .map(ToOwned::to_owned)
        .collect();
    Ok(Written {
        root,
        created,
        to_ignore,
    })
}

fn write_one(root: &Path, name: &str, text: &str) -> Result<(), WriteError> {
    let path = root.join(name);
    if let Some(above) = path.parent() {
        // Where keys will lie only their owner looks.
        let mode = if name.starts_with("keys/") {
            0o700
        } else {
            0o777
        };
        durable::create_directory(above, mode)?;
    }
    durable::create(&path, text.as_bytes(), 0o644)
}

fn filled(text: &str, place: &str, quoting: Quoting) -> String {
    let quoted = match quoting {
        Quoting::None => return text.to_owned(),
        Quoting::Unit => place.replace('%', "%%"),
        Quoting::Cron => format!("'{}'", place.replace('\'', "'\\''").replace('%', "\\%")),
    };
    text.replace(PLACE, &quoted)
}
