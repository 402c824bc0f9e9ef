//! Why a journal cannot be used, with the line and the way out.

use super::MAX_SIZE;
use super::line::{RotationId, VERSION};
use crate::workspace::durable::WriteError;
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file is there and cannot be read.
    #[error("cannot read the journal {}: {source}", path.display())]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what this program wrote there.
    #[error("{}:{line}: the journal is corrupt: {what}", path.display())]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: Corruption,
    },
    /// The entry to be added belongs to another journal or skips a rotation.
    #[error("{rotation} cannot be recorded in {}: {what}", path.display())]
    Misplaced {
        /// The journal.
        path: PathBuf,
        /// The rotation of the entry.
        rotation: RotationId,
        /// Why not.
        what: Corruption,
    },
    /// The event has no JSON form.
    #[error("the event cannot be written as JSON: {0}")]
    Event(serde_json::Error),
    /// The line could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    /// Not JSON, or not the fields of an entry, or not an event this program knows.
    #[error("not an entry: {0}")]
    NotAnEntry(String),
    /// Written by another version of the program.
    #[error("it has version {0}, this program reads version {VERSION}")]
    UnknownVersion(u64),
    /// A line was removed, repeated or moved.
    #[error("entry {expected} should stand here, this is entry {found}")]
    Gap {
        /// The number that should be here.
        expected: u64,
        /// The number that is.
        found: u64,
    },
    /// The line before was changed after this one was written.
    #[error("its `previous` is not the digest of the line before: that line was changed")]
    BrokenChain,
    /// The line itself was changed.
    #[error("its `digest` is not that of the line: it was changed after it was written")]
    Altered,
    /// The entry belongs to the journal of another certificate.
    #[error("{found} is no rotation of certificate `{certificate}`")]
    ForeignRotation {
        /// The rotation named.
        found: String,
        /// The certificate whose journal this is.
        certificate: String,
    },
    /// Rotations follow each other, counted from 1.
    #[error("rotation {found} stands where {expected} is the next")]
    RotationOutOfOrder {
        /// The rotation named.
        found: u32,
        /// The latest one that may stand here.
        expected: u32,
    },
    /// The archive has lines after the end of the journal.
    #[error("the archive beside it goes on to entry {0}, and this is the last one here")]
    ArchiveAhead(u64),
    /// The archive and the journal tell different stories.
    #[error("the archive beside it has another entry in this place")]
    OtherThanArchived,
    /// The end of the archive is not what this program wrote there.
    #[error("its last line is not what this program wrote there")]
    ArchiveEnd,
    /// The file is larger than any journal this program writes.
    #[error("it is larger than {MAX_SIZE} bytes")]
    TooLarge,
}

impl JournalError {
    /// The ways out, one line each.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unreadable { path, .. } => format!("make it readable: ls -l {}", path.display()),
            Self::Corrupt {
                what: Corruption::UnknownVersion(_),
                ..
            } => "use the version of tlsa-rotate that wrote it; journals are never converted silently".to_owned(),
            Self::Corrupt { path, .. } => format!(
                "restore {} from a backup; without one, move it away and start again: the next run looks at servers and hosts anew",
                path.display()
            ),
            Self::Write(error) => return error.hints(),
            Self::Misplaced { .. } | Self::Event(_) => return Vec::new(),
        };
        vec![hint]
    }
}
