//! A journal that grows: facts are added, and count once they are on disk.

use super::line::{Digest, Line, RotationId, VERSION, sealed};
use super::{Entry, Fact, Journal, JournalError, TornEnd};
use crate::files::read;
use crate::rotation::timing::Instant;
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::io::Read as _;

impl<E: Fact + Serialize + DeserializeOwned + Clone> Journal<E> {
    /// Records `event` at `now`: returns once it is on disk. Mends a torn end first.
    ///
    /// The journal must have been read under the same lock.
    pub fn append(
        &mut self,
        lock: &WorkspaceLock,
        now: Instant,
        rotation: &RotationId,
        event: E,
    ) -> Result<(), JournalError> {
        self.add(now, rotation, event)?;
        self.write(lock)
    }

    /// Adds `event` at `now`, not yet on disk: [`Self::write`] brings it there, together with what else was added.
    pub fn add(
        &mut self,
        now: Instant,
        rotation: &RotationId,
        event: E,
    ) -> Result<(), JournalError> {
        let before = self.last_of_all();
        self.may_follow(&before, rotation)
            .map_err(|what| JournalError::Misplaced {
                path: self.path.clone(),
                rotation: rotation.clone(),
                what,
            })?;
        let line = Line {
            version: VERSION,
            seq: before.seq.saturating_add(1),
            at: now.to_string().into(),
            rotation: rotation.to_string().into(),
            event,
            previous: before.digest.as_ref().map(|digest| digest.as_str().into()),
            digest: Cow::Borrowed(""),
        };
        let bytes = sealed(serde_json::to_vec(&line).map_err(JournalError::Event)?);
        self.digests.push(Digest::of(&bytes));
        self.pending.extend(bytes);
        self.pending.push(b'\n');
        self.entries.push(Entry {
            seq: line.seq,
            at: now,
            rotation: rotation.clone(),
            event: line.event,
        });
        if self.counting.is_some()
            || self
                .entries
                .last()
                .is_some_and(|e| e.event.repairs().is_some())
        {
            self.take_in_repairs();
        }
        Ok(())
    }

    /// Writes what was added; returns once it is on disk. Mends a torn end first.
    pub fn write(&mut self, lock: &WorkspaceLock) -> Result<(), JournalError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.mend(lock)?;
        if let Some(length) = self.length {
            inside::append(&self.path, length, &self.pending)?;
        } else {
            if let Some(directory) = self.path.parent() {
                inside::create_directory(directory, 0o777)?;
            }
            inside::create(&self.path, &self.pending, 0o644)?;
        }
        self.sound = self.sound.saturating_add(self.pending.len() as u64);
        self.length = Some(self.sound);
        self.pending.clear();
        Ok(())
    }

    /// Whether something was added that is not on disk yet.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The octets of all whole lines, those that were added included.
    pub fn octets(&self) -> Result<Vec<u8>, JournalError> {
        let mut octets = Vec::new();
        if self.length.is_some() {
            let read = read::open_unlinked(&self.path)
                .and_then(|f| f.take(self.sound).read_to_end(&mut octets));
            read.map_err(|source| JournalError::Unreadable {
                path: self.path.clone(),
                source,
            })?;
        }
        if !octets.is_empty() && !octets.ends_with(b"\n") {
            octets.push(b'\n');
        }
        octets.extend(&self.pending);
        Ok(octets)
    }

    /// Mends a torn end: cuts off half a line, or gives a whole one its newline. What it mended is returned, to be told.
    pub fn mend(&mut self, _lock: &WorkspaceLock) -> Result<Option<TornEnd>, JournalError> {
        let Some(torn) = self.torn.clone() else {
            return Ok(None);
        };
        if torn.whole {
            inside::append(&self.path, self.sound, b"\n")?;
            self.sound = self.sound.saturating_add(1);
        } else {
            inside::truncate(&self.path, self.length.unwrap_or_default(), self.sound)?;
        }
        self.length = Some(self.sound);
        self.torn = None;
        Ok(Some(torn))
    }
}
