//! Changes of a zone on disk, so that a server that was started again still sends secondaries the changes alone (RFC 1995).
//!
//! One file for each, in the text form of deltas. What cannot be read, or leads nowhere, is as good as not there.

use crate::dnssec::delta::Delta;
use crate::workspace::durable::{self, WriteError};
use crate::zone::name::Name;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How many changes are kept.
const KEPT: usize = 64;
/// The largest file read, in bytes: larger changes are as good as the zone.
const MAX_SIZE: u64 = 16 << 20;
const ENDING: &str = ".delta";

/// The directory of one zone's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    directory: PathBuf,
}

impl History {
    /// The changes of `zone` below the state directory of a workspace.
    pub(super) fn of(state: &Path, zone: &Name) -> Self {
        Self {
            directory: state.join("served").join(zone.to_string()),
        }
    }

    /// All that can be read.
    pub(super) fn read(&self) -> Vec<Delta> {
        let read = |path: PathBuf| {
            let mut text = String::new();
            let file = fs::File::open(path).ok()?;
            file.take(MAX_SIZE).read_to_string(&mut text).ok()?;
            Delta::parse(&text).ok()
        };
        self.files().into_iter().filter_map(read).collect()
    }

    /// Writes one more, and lets go of the oldest.
    pub(super) fn keep(&self, delta: &Delta) -> Result<(), WriteError> {
        durable::create_directory(&self.directory, 0o777)?;
        let name = format!("{}-{}{ENDING}", delta.old_serial(), delta.new_serial());
        durable::replace(&self.directory.join(name), delta.to_string().as_bytes())?;
        let files = self.files();
        let surplus = files.len().saturating_sub(KEPT);
        for file in files.iter().take(surplus) {
            durable::remove(file)?;
        }
        Ok(())
    }

    /// The files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let mut files: Vec<_> = entries
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(ENDING))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }
}
