//! The archive of a journal: the lines of rotations that are long over, in a file beside it, `mail.archive` beside
//! `mail.jsonl`. The journal goes on where it ends: the number and the digest of the archive's last line come before its first.
//!
//! Lines are added to the archive before they leave the journal. A crash between the two leaves them in both; such a journal
//! is read as long as it tells the same story, and the next archiving finishes what was begun.

use super::line::{Digest, Line, instant, intact, named};
use super::{Corruption, Entry, Fact, Journal, JournalError, repair};
use crate::files::read;
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Where an archive ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archived {
    /// The number of its last line.
    pub(super) seq: u64,
    /// The number of the rotation it belongs to.
    pub(super) rotation: u32,
    /// Its digest.
    pub(super) digest: Digest,
}

/// What archiving did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many lines leave the journal.
    pub lines: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes stay.
    pub left: u64,
}

/// The archive that belongs to the journal at `path`.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension("archive")
}

/// How much of an archive's end is read first, in bytes; a line that is longer is read with more.
const FIRST_LOOK: u64 = 1 << 14;

/// Where the archive beside `path` ends; only its end is read. None where there is none, or none of its lines is whole.
pub(super) fn end(path: &Path, certificate: &str) -> Result<Option<Archived>, JournalError> {
    let archive = beside(path);
    let unreadable = |source| JournalError::Unreadable {
        path: archive.clone(),
        source,
    };
    let mut file = match read::open_unlinked(&archive) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let length = file.metadata().map_err(unreadable)?.len();
    if length > read::STATE {
        return Err(torn(&archive));
    }
    let mut look = FIRST_LOOK;
    loop {
        let octets = tail(&mut file, length.saturating_sub(look)).map_err(unreadable)?;
        // What follows the last newline was never finished.
        let whole = memchr::memrchr(b'\n', &octets).and_then(|at| octets.get(..at));
        let before = whole.and_then(|whole| memchr::memrchr(b'\n', whole));
        match (whole, before) {
            (Some(whole), Some(at)) => {
                let last = whole.get(at.saturating_add(1)..).unwrap_or_default();
                return read_end(last, certificate)
                    .map(Some)
                    .ok_or_else(|| torn(&archive));
            }
            (whole, _) if look >= length => {
                return match whole {
                    Some(last) => read_end(last, certificate)
                        .map(Some)
                        .ok_or_else(|| torn(&archive)),
                    None => Ok(None),
                };
            }
            _ => look = look.saturating_mul(4),
        }
    }
}

fn tail(file: &mut File, from: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut octets)?;
    Ok(octets)
}

fn read_end(line: &[u8], certificate: &str) -> Option<Archived> {
    let read: Line<'_, IgnoredAny> = serde_json::from_slice(line).ok()?;
    let (of, rotation) = named(&read.rotation).ok()?;
    instant(&read.at)?;
    Some(Archived {
        seq: read.seq,
        rotation,
        digest: intact(line, &read.digest)?,
    })
    .filter(|_| of == certificate)
}

fn torn(archive: &Path) -> JournalError {
    JournalError::Corrupt {
        path: archive.to_owned(),
        line: 0,
        what: Corruption::ArchiveEnd,
    }
}

impl<E: Fact + Serialize + DeserializeOwned + Clone> Journal<E> {
    /// The facts in the archive that are not in the journal, oldest first, verified from the first line on.
    pub fn earlier(&self) -> Result<Vec<Entry<E>>, JournalError> {
        if self.archived.is_none() {
            return Ok(Vec::new());
        }
        let first = self.entries.first().map_or(u64::MAX, |entry| entry.seq);
        let mut entries = self.archive_itself()?.entries;
        entries.retain(|entry| entry.seq < first);
        Ok(repair::effective(&entries, &self.entries))
    }

    fn archive_itself(&self) -> Result<Self, JournalError> {
        let path = beside(&self.path);
        let octets = match read::read_unlinked(&path, read::STATE) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Self::empty(&path, &self.certificate));
            }
            read => read.map_err(|source| JournalError::Unreadable {
                path: path.clone(),
                source,
            })?,
        };
        Self::parse(&path, &self.certificate, &octets)
    }

    /// How many lines belong to rotations before number `keep`, and what that comes to.
    pub fn archivable(&self, keep: u32) -> Result<Moved, JournalError> {
        let (lines, moved, stays) = self.split(keep)?;
        Ok(Moved {
            lines,
            bytes: moved.len() as u64,
            left: stays.len() as u64,
        })
    }

    fn split(&self, keep: u32) -> Result<(usize, Vec<u8>, Vec<u8>), JournalError> {
        let is_before = |entry: &&Entry<E>| entry.rotation.number < keep;
        let lines = self.entries.iter().take_while(is_before).count();
        let mut moved = self.octets()?;
        let ends = memchr::memchr_iter(b'\n', &moved).nth(lines.saturating_sub(1));
        let cut = match lines {
            0 => 0,
            _ => ends.map_or(moved.len(), |at| at.saturating_add(1)),
        };
        let stays = moved.split_off(cut);
        Ok((lines, moved, stays))
    }

    /// Moves the lines of rotations before number `keep` into the archive; durable, and done again without harm. What was
    /// added must have been written.
    pub fn archive(&mut self, lock: &WorkspaceLock, keep: u32) -> Result<Moved, JournalError> {
        self.mend(lock)?;
        let (lines, moved, stays) = self.split(keep)?;
        let told = Moved {
            lines,
            bytes: moved.len() as u64,
            left: stays.len() as u64,
        };
        let Some(last) = lines
            .checked_sub(1)
            .and_then(|at| self.entries.get(at))
            .cloned()
        else {
            return Ok(told);
        };
        let mut archive = self.archive_itself()?;
        archive.mend(lock)?;
        let held = archive.entries.last().map_or(0, |entry| entry.seq);
        let news = self
            .entries
            .iter()
            .take(lines)
            .filter(|entry| entry.seq > held);
        let there = lines.saturating_sub(news.count());
        let known = match there {
            0 => 0,
            _ => memchr::memchr_iter(b'\n', &moved)
                .nth(there.saturating_sub(1))
                .map_or(moved.len(), |at| at.saturating_add(1)),
        };
        let new = moved.get(known..).unwrap_or_default();
        if !new.is_empty() {
            if archive.length.is_some() {
                inside::append(&archive.path, archive.sound, new)?;
            } else {
                inside::create(&archive.path, new, 0o644)?;
            }
        }
        inside::replace(&self.path, &stays)?;
        let end = end(&self.path, &self.certificate)?;
        debug_assert_eq!(end.as_ref().map(|end| end.seq), Some(last.seq));
        self.archived = end;
        self.entries.drain(..lines);
        self.digests.drain(..lines);
        self.take_in_repairs();
        self.sound = told.left;
        self.length = Some(told.left);
        Ok(told)
    }
}
