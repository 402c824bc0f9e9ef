//! Changes of a zone on disk, so that a server that was started again still sends secondaries the changes alone (RFC 1995).
//!
//! One file for each, in the text form of deltas. What cannot be read, or leads nowhere, is as good as not there.

use crate::dnssec::delta::Delta;
use crate::files::read;
use crate::workspace::durable::{self, WriteError};
use crate::zone::name::Name;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How many changes are kept.
const KEPT: usize = 64;
/// The largest file read, in bytes: larger changes are as good as the zone.
const MAX_SIZE: u64 = 16 << 20;
/// The most octets that are read of all of them when a server starts: what is older, secondaries get with the zone.
const MAX_READ: u64 = 64 << 20;
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

    /// The latest that can be read, whatever else lies there.
    pub(super) fn read(&self) -> Vec<Delta> {
        self.read_at_most(MAX_READ)
    }

    fn read_at_most(&self, octets: u64) -> Vec<Delta> {
        let mut left = octets;
        let files = self.files();
        let latest = files.iter().rev().take(KEPT);
        let affordable = latest.take_while(|path| {
            let size = fs::metadata(path).map_or(0, |file| file.len());
            let rest = left.checked_sub(size.min(MAX_SIZE));
            left = rest.unwrap_or(0);
            rest.is_some()
        });
        affordable.filter_map(|path| read(path, MAX_SIZE)).collect()
    }

    /// Writes one more, and lets go of the oldest.
    pub(super) fn keep(&self, delta: &Delta) -> Result<(), WriteError> {
        durable::create_directory(&self.directory, 0o777)?;
        // Each change has a name of its own, so that no later write sweeps what a killed one left.
        durable::sweep(&self.directory);
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

/// The change in a file of at most `limit` bytes. Of a larger one a part would be a change, too, but another one.
fn read(path: &Path, limit: u64) -> Option<Delta> {
    let mut text = String::new();
    let file = read::open(path).ok()?;
    file.take(limit.saturating_add(1))
        .read_to_string(&mut text)
        .ok()?;
    let is_whole = u64::try_from(text.len()).is_ok_and(|length| length <= limit);
    Delta::parse(&text).ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )]
    use super::*;

    const TEXT: &str = "; tlsa-rotate delta 1\n-e. 60 IN SOA n. h. 1 2 3 4 5\n+e. 60 IN SOA n. h. 2 2 3 4 5\n\
                        +a.e. 60 IN A 192.0.2.1\n+b.e. 60 IN A 192.0.2.17\n";

    #[test]
    fn a_change_that_is_too_large_is_not_read_in_part() {
        let whole = Delta::parse(TEXT).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1-2.delta");
        fs::write(&path, TEXT).unwrap();
        let length = TEXT.len() as u64;
        for limit in 0..length {
            assert_eq!(read(&path, limit), None, "{limit} of {length}");
        }
        assert_eq!(read(&path, length), Some(whole));
    }

    #[test]
    fn of_very_many_changes_the_latest_are_read() {
        let state = tempfile::tempdir().unwrap();
        let history = History::of(state.path(), &Name::parse(b"e.", None).unwrap());
        fs::create_dir_all(&history.directory).unwrap();
        let began = std::time::SystemTime::UNIX_EPOCH;
        for old in 1..=1000_u32 {
            let text = TEXT.replace("h. 2 ", &format!("h. {} ", old + 1));
            let text = text.replace("h. 1 ", &format!("h. {old} "));
            // Names sort in another order than the changes came in.
            let path = history.directory.join(format!("{}.delta", 2000 - old));
            fs::write(&path, text).unwrap();
            let file = fs::File::options().append(true).open(&path).unwrap();
            let age = std::time::Duration::from_secs(old.into());
            file.set_modified(began + age).unwrap();
        }
        let serials = |read: Vec<Delta>| read.iter().map(Delta::old_serial).collect::<Vec<_>>();
        let latest: Vec<u32> = (937..=1000).rev().collect();
        assert_eq!(serials(history.read()), latest);
        let size = fs::metadata(history.directory.join("1000.delta"))
            .unwrap()
            .len();
        assert_eq!(serials(history.read_at_most(size * 2)), latest[..2]);
    }

    #[test]
    fn what_a_killed_server_left_is_swept_with_the_next_change() {
        let state = tempfile::tempdir().unwrap();
        let history = History::of(state.path(), &Name::parse(b"e.", None).unwrap());
        fs::create_dir_all(&history.directory).unwrap();
        let left = history.directory.join(".7-8.delta.AAAAAA.tlsa-rotate-tmp");
        fs::write(&left, &TEXT[..40]).unwrap();
        let delta = Delta::parse(TEXT).unwrap();
        history.keep(&delta).unwrap();
        assert!(!left.exists());
        assert_eq!(history.read(), [delta]);
    }
}
