//! The journal: one append-only file of facts per certificate, one JSON object a line, chained by digests.
//!
//! A line is `{"version":2,"seq":2,"at":"2026-11-23T08:00:00Z","rotation":"mail.1","event":{…},"previous":"<hex>","digest":"<hex>"}`;
//! `previous` is the SHA-256 of the line before without its newline, and null on the first; `digest` is that of the line's
//! own octets before the comma in front of it. Reading is strict: what
//! this version did not write exactly so, it refuses to act on. A line may be of an earlier time than the one before it, where
//! the clock was wrong in between; a later line says what became of such facts ([`Fact`]). The one thing forgiven is an end that a crash tore:
//! no later fact can rest on it, because a line counts only once it is flushed.

mod archive;
mod error;
mod grow;
mod line;
mod octets;
mod repair;
mod stand;
mod torn;

use crate::files::read;
pub use archive::Moved;
pub use error::{Corruption, JournalError};
pub use line::{Entry, NotARotation, RotationId, VERSION};
pub use repair::Fact;
pub use stand::{NotAStand, Stand};
pub use torn::TornEnd;

use archive::Archived;
use line::{Digest, Line, Versioned, instant, intact, is_cut_off, named};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest journal read, in bytes: some hundred thousand lines, more than any mail server will ever need.
pub const MAX_SIZE: u64 = 64 << 20;

/// The journal of one certificate, as read.
#[derive(Clone, Debug)]
pub struct Journal<E> {
    path: PathBuf,
    certificate: Arc<str>,
    entries: Vec<Entry<E>>,
    /// The facts that count, where a repair is among the entries.
    counting: Option<Vec<Entry<E>>>,
    torn: Option<TornEnd>,
    /// How many bytes of the file hold good lines.
    sound: u64,
    /// How many bytes of the file there are; none when the file is not there.
    length: Option<u64>,
    /// The digest of each good line, pending ones included.
    digests: Vec<Digest>,
    /// Whole lines that are not on disk yet.
    pending: Vec<u8>,
    /// Where the archive beside it ends, if there is one.
    archived: Option<Archived>,
}

/// What stands before a line.
struct Before {
    /// The number of the line before; zero before the first.
    seq: u64,
    /// The number of its rotation.
    rotation: u32,
    digest: Option<Digest>,
}

impl<E: Fact + Serialize + DeserializeOwned + Clone> Journal<E> {
    /// Reads the journal of `certificate`; one that is not there is empty.
    ///
    /// Without the lock a line may be seen while another run writes it; it then shows as a torn end.
    pub fn read(path: &Path, certificate: &str) -> Result<Self, JournalError> {
        let unreadable = |source| JournalError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut journal = Self::empty(path, certificate);
        journal.archived = archive::end(path, certificate)?;
        let file = match read::open_unlinked(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(journal),
            Err(e) => return Err(unreadable(e)),
        };
        octets::of(file, |bytes| journal.take_up(bytes)).map_err(unreadable)??;
        journal.follows_its_archive()?;
        Ok(journal)
    }

    /// Reads the journal of `certificate` from its octets; `path` says where they are from.
    pub fn parse(path: &Path, certificate: &str, bytes: &[u8]) -> Result<Self, JournalError> {
        let mut journal = Self::empty(path, certificate);
        journal.take_up(bytes)?;
        Ok(journal)
    }

    fn empty(path: &Path, certificate: &str) -> Self {
        Self {
            path: path.to_owned(),
            certificate: certificate.into(),
            entries: Vec::new(),
            counting: None,
            torn: None,
            sound: 0,
            length: None,
            digests: Vec::new(),
            pending: Vec::new(),
            archived: None,
        }
    }

    /// What stands before the line of number `seq`: the last line, or the end of the archive. None where that is in the
    /// middle of the archive: lines that an interrupted archiving left in both.
    fn before(&self, seq: u64) -> Option<Before> {
        match (self.entries.last(), &self.archived) {
            (Some(last), _) => Some(Before {
                seq: last.seq,
                rotation: last.rotation.number,
                digest: self.digests.last().copied(),
            }),
            (None, Some(end)) if seq > end.seq => Some(Before {
                seq: end.seq,
                rotation: end.rotation,
                digest: Some(end.digest),
            }),
            (None, Some(_)) if seq > 1 => None,
            (None, _) => Some(Before {
                seq: 0,
                rotation: 0,
                digest: None,
            }),
        }
    }

    /// What stands before the line that is added next.
    fn last_of_all(&self) -> Before {
        self.before(u64::MAX).unwrap_or(Before {
            seq: 0,
            rotation: 0,
            digest: None,
        })
    }

    /// Whether the journal goes on where its archive ends, or repeats the end of it.
    fn follows_its_archive(&self) -> Result<(), JournalError> {
        let (Some(end), Some(last)) = (&self.archived, self.entries.last()) else {
            return Ok(());
        };
        if last.seq < end.seq {
            return Err(self.corrupt(self.entries.len(), Corruption::ArchiveAhead(end.seq)));
        }
        Ok(())
    }

    fn take_up(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let length = bytes.len() as u64;
        self.length = Some(length);
        if length > MAX_SIZE {
            return Err(self.corrupt(1, Corruption::TooLarge));
        }
        self.fold(bytes)
    }

    fn fold(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        self.entries.reserve(lines);
        self.digests.reserve(lines);
        let mut rest = bytes;
        let mut number = 0usize;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
            let (piece, after) = rest.split_at(end);
            rest = after;
            number = number.saturating_add(1);
            let is_last = rest.is_empty();
            let line = piece.strip_suffix(b"\n");
            let entry = match self.entry(line.unwrap_or(piece)) {
                Err(Corruption::NotAnEntry(_)) if is_last && is_cut_off(piece.trim_ascii_end()) => {
                    self.torn = Some(TornEnd::of(number, piece, false));
                    break;
                }
                read => read.map_err(|what| self.corrupt(number, what))?,
            };
            if line.is_none() {
                self.torn = Some(TornEnd::of(number, piece, true));
            }
            let (entry, digest) = entry;
            self.sound = self.sound.saturating_add(piece.len() as u64);
            self.digests.push(digest);
            self.entries.push(entry);
        }
        self.take_in_repairs();
        Ok(())
    }

    fn take_in_repairs(&mut self) {
        let is_repaired = self
            .entries
            .iter()
            .any(|entry| entry.event.repairs().is_some());
        self.counting = is_repaired.then(|| repair::effective(&self.entries, &[]));
    }

    /// The entry that `line` holds, checked against those before it, and the line's digest.
    fn entry(&self, line: &[u8]) -> Result<(Entry<E>, Digest), Corruption> {
        let octets = line;
        // Text is looked at once for the whole line; what is none is refused where it stands.
        let line = str::from_utf8(octets).map_or_else(
            |_| serde_json::from_slice::<Line<'_, E>>(octets),
            serde_json::from_str,
        );
        let line = match line {
            Ok(line) if line.version == VERSION => line,
            // Of another version other fields are no surprise: the version is what is wrong.
            read => {
                let versioned = serde_json::from_slice(octets);
                let Versioned { version } = versioned.map_err(|e| not_an_entry(&e))?;
                if version != VERSION {
                    return Err(Corruption::UnknownVersion(version));
                }
                read.map_err(|e| not_an_entry(&e))?
            }
        };
        let at = instant(&line.at).ok_or_else(|| {
            Corruption::NotAnEntry(format!(
                "`{}` is not a time such as 2026-12-01T08:00:00Z",
                line.at
            ))
        })?;
        let before = self.before(line.seq);
        if let Some(before) = &before {
            let expected = before.seq.saturating_add(1);
            if line.seq != expected {
                let found = line.seq;
                return Err(Corruption::Gap { expected, found });
            }
            if line.previous.as_deref() != before.digest.as_ref().map(Digest::as_str) {
                return Err(Corruption::BrokenChain);
            }
        }
        let rotation = match named(&line.rotation) {
            Ok((certificate, number)) if *certificate == *self.certificate => RotationId {
                certificate: Arc::clone(&self.certificate),
                number,
            },
            _ => return Err(self.foreign(&line.rotation)),
        };
        if let Some(before) = &before {
            self.may_follow(before, &rotation)?;
        }
        let digest = intact(octets, &line.digest).ok_or(Corruption::Altered)?;
        // The chain makes what both have the same to the first line, if it is the same here.
        let end = self.archived.as_ref().filter(|end| end.seq == line.seq);
        if end.is_some_and(|end| end.digest != digest) {
            return Err(Corruption::OtherThanArchived);
        }
        let entry = Entry {
            seq: line.seq,
            at,
            rotation,
            event: line.event,
        };
        Ok((entry, digest))
    }

    /// Whether an entry of `rotation` may stand there: the same rotation goes on, or the next one begins, whatever its number
    /// where none was before.
    fn may_follow(&self, before: &Before, rotation: &RotationId) -> Result<(), Corruption> {
        if rotation.certificate != self.certificate {
            return Err(self.foreign(&rotation.to_string()));
        }
        let current = before.rotation;
        let next = current.saturating_add(1);
        // Where an earlier journal was lost, the first rotation of this one has the number after those that git knows.
        let is_first = current == 0 && rotation.number > 0;
        if is_first || rotation.number == next || rotation.number == current {
            Ok(())
        } else {
            Err(Corruption::RotationOutOfOrder {
                found: rotation.number,
                expected: next,
            })
        }
    }

    /// The number of the latest rotation, archived ones included; zero before the first.
    pub fn latest(&self) -> u32 {
        self.last_of_all().rotation
    }

    /// The facts that count, in the order in which they were recorded; those in the archive are not among them
    /// ([`Self::earlier`]).
    pub fn entries(&self) -> &[Entry<E>] {
        self.counting.as_deref().unwrap_or(&self.entries)
    }

    /// The incomplete end, if there is one that has not been mended.
    pub fn torn(&self) -> Option<&TornEnd> {
        self.torn.as_ref()
    }

    /// The certificate that it is of.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Where the journal lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn foreign(&self, found: &str) -> Corruption {
        Corruption::ForeignRotation {
            found: found.to_owned(),
            certificate: self.certificate.to_string(),
        }
    }

    fn corrupt(&self, line: usize, what: Corruption) -> JournalError {
        JournalError::Corrupt {
            path: self.path.clone(),
            line,
            what,
        }
    }
}

/// What `serde_json` says, its "line 1" taken out: the line is the journal's.
fn not_an_entry(error: &serde_json::Error) -> Corruption {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(what, _)| what);
    Corruption::NotAnEntry(format!("{what} (column {})", error.column()))
}
