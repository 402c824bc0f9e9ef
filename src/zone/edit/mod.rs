//! Edits of a master file that touch only the lines they must, in the file's own style, and are proven by reading again.
//!
//! An edit is refused unless the edited text means exactly the old records, the changes and a later serial.

mod digest;
mod layout;
mod place;
mod proof;
mod soa;

use crate::rotation::timing::{Instant, Ttl};
use crate::zone::diagnostic::{Diagnostics, Severity, Source};
use crate::zone::file::ZoneFile;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use crate::zone::serial::NextSerial;
use crate::zone::zonemd;
use std::ops::Range;

/// One wished change of a zone's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The zone shall hold this record. Its TTL must be that of the RRset if there is one already.
    Add(Record),
    /// The zone shall not hold this data, whatever its TTL.
    Remove {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: Rtype,
        /// The data.
        rdata: Rdata,
    },
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A line was written.
    Added,
    /// The record was there already; nothing was written.
    AlreadyPresent,
    /// The record's line is gone.
    Removed,
    /// The record was not there; nothing was removed.
    AlreadyAbsent,
}

/// The result of an edit.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The edited file, read again: its text, its meaning, its findings.
    pub file: ZoneFile,
    /// The old and the new serial; `None` when nothing had to change, or the serial is not ours to raise.
    pub serial: Option<NextSerial>,
    /// What became of each change, in their order.
    pub outcomes: Vec<Outcome>,
    /// Which of [`ZoneFile::sources`] have new text.
    pub touched: Vec<usize>,
}

impl Edited {
    /// Whether a digest of the whole zone (ZONEMD) is not of this edit: it stands where nothing is ours to write, and changes
    /// once more with the serial.
    pub fn outdates_digest(&self) -> bool {
        let zone = self.file.zone();
        !self.touched.is_empty() && zone.is_ok_and(|zone| !zonemd::faults(&zone).is_empty())
    }
}

/// Why a file was not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file has errors; editing it could hide them.
    #[error("the file has errors; correct them first:\n{0}")]
    HasErrors(Diagnostics),
    /// The SOA record is this room's business: its serial follows from the edit.
    #[error("the SOA record changes with every edit by itself and cannot be added or removed")]
    Soa,
    /// The owner lies outside of the zone.
    #[error("{owner} lies outside of the zone {apex}")]
    OutOfZone {
        /// The owner of the record.
        owner: Name,
        /// The zone.
        apex: Name,
    },
    /// An RRset has one TTL (RFC 2181 §5.2).
    #[error(
        "{owner} {rtype} has the TTL {present}, the new record asks for {wanted}: an RRset has one TTL"
    )]
    TtlDiffers {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: Rtype,
        /// The TTL in the file.
        present: Ttl,
        /// The TTL of the new record.
        wanted: Ttl,
    },
    /// The record stands in no line of its own.
    #[error(
        "{file}:{line}: {owner} {rtype} is made by $GENERATE together with others: write it out before it can be removed"
    )]
    Generated {
        /// The file.
        file: String,
        /// The line of the directive.
        line: usize,
        /// The owner of the record.
        owner: Name,
        /// Its type.
        rtype: Rtype,
    },
    /// Only one included file may be edited, and the record stands elsewhere.
    #[error(
        "{file}:{line}: {owner} {rtype} stands there, and only {ours} may be changed: move it into that file"
    )]
    NotOurs {
        /// The file that it stands in.
        file: String,
        /// The line.
        line: usize,
        /// The owner of the record.
        owner: Name,
        /// Its type.
        rtype: Rtype,
        /// The file that may be changed.
        ours: String,
    },
    /// The file that may be changed is not part of the zone.
    #[error("the zone does not include {ours}: put `$INCLUDE` with that file into its zone file")]
    NotIncluded {
        /// The file that may be changed.
        ours: String,
    },
    /// The SOA record is written in the generic form of RFC 3597.
    #[error(
        "{file}:{line}: the serial of the SOA record is not written as a number that could be raised"
    )]
    NoSerial {
        /// The file.
        file: String,
        /// The line of the SOA record.
        line: usize,
    },
    /// The edited text would not be a sound zone.
    #[error("the edited zone would have errors:\n{0}")]
    Breaks(Diagnostics),
    /// The edited text would mean something else than asked for. The file is written in a way that one line cannot change alone.
    #[error("the edit would also change other records ({0}): make it by hand")]
    Unproven(String),
}

/// Replaces a part of one file's text.
#[derive(Clone, Debug)]
struct Patch {
    source: usize,
    span: Range<usize>,
    text: Vec<u8>,
}

/// Where new lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// Behind the record that they have most in common with.
    Beside,
    /// At the end of the outermost file, where no line follows that would take owner or TTL from them (RFC 1035 §5.1).
    AtEnd,
    /// At the end of this included file: no other is ours to write.
    AtEndOf(usize),
}

/// Makes the changes, one after the other, and raises the serial if there was anything to do.
pub fn edit(file: &ZoneFile, changes: &[Change], now: Instant) -> Result<Edited, EditError> {
    if file.has_errors() {
        return Err(EditError::HasErrors(errors(file)));
    }
    match attempt(file, changes, Some(now), Placement::Beside) {
        Err(EditError::Unproven(other)) => {
            let at_end = attempt(file, changes, Some(now), Placement::AtEnd);
            at_end.map_err(|_| EditError::Unproven(other))
        }
        done => done,
    }
}

/// Makes the changes in the included file `ours` alone: whoever keeps the zone file raises its serial, and makes its digest
/// anew if it has one.
pub fn edit_included(file: &ZoneFile, changes: &[Change], ours: &str) -> Result<Edited, EditError> {
    if file.has_errors() {
        return Err(EditError::HasErrors(errors(file)));
    }
    let source = file.sources().iter().position(|s| *s.path == *ours);
    let Some(source) = source.filter(|at| *at > 0) else {
        let ours = ours.to_owned();
        return Err(EditError::NotIncluded { ours });
    };
    attempt(file, changes, None, Placement::AtEndOf(source))
}

/// The errors of a file, without what is only worth a look.
fn errors(file: &ZoneFile) -> Diagnostics {
    let found = file.diagnostics().iter();
    let errors = found.filter(|d| d.severity == Severity::Error);
    Diagnostics(errors.cloned().collect())
}

fn attempt(
    file: &ZoneFile,
    changes: &[Change],
    raised: Option<Instant>,
    placement: Placement,
) -> Result<Edited, EditError> {
    let mut edited = file.clone();
    let mut outcomes = Vec::new();
    let mut wanted = Vec::new();
    let mut serial = None;
    for change in changes {
        let (outcome, mut patches) = match change {
            Change::Add(record) => place::add(&edited, record, placement)?,
            Change::Remove {
                owner,
                rtype,
                rdata,
            } => place::remove(&edited, (owner, *rtype, rdata), placement)?,
        };
        outcomes.push(outcome);
        if !patches.is_empty() {
            wanted.push(change);
            if let Some(now) = raised.filter(|_| serial.is_none()) {
                // With the first change: a large file is not read once more for its serial.
                let (next, more) = soa::raise_serial(&edited, now)?;
                patches.extend(more);
                serial = Some(next);
            }
            edited = patched(&edited, patches);
        }
    }
    if raised.is_some() && !wanted.is_empty() {
        let renewed = digest::renew(&edited);
        if !renewed.is_empty() {
            edited = patched(&edited, renewed);
        }
    }
    if !wanted.is_empty() {
        proof::prove(file, &edited, &wanted, serial)?;
    }
    let text = |f: &ZoneFile, at: usize| f.sources().get(at).map(|s| s.bytes.clone());
    let touched = (0..edited.sources().len()).filter(|at| text(file, *at) != text(&edited, *at));
    Ok(Edited {
        touched: touched.collect(),
        file: edited,
        serial,
        outcomes,
    })
}

/// The file with patches applied, read again.
fn patched(file: &ZoneFile, mut patches: Vec<Patch>) -> ZoneFile {
    patches.sort_by_key(|p| (p.source, p.span.start, p.span.end));
    let mut sources: Vec<Source> = file.sources().to_vec();
    for (at, source) in sources.iter_mut().enumerate() {
        let old = source.bytes.as_slice();
        let mut new = Vec::with_capacity(old.len());
        let mut copied = 0;
        for patch in patches.iter().filter(|p| p.source == at) {
            new.extend_from_slice(old.get(copied..patch.span.start).unwrap_or_default());
            new.extend_from_slice(&patch.text);
            copied = patch.span.end;
        }
        if copied > 0 || patches.iter().any(|p| p.source == at) {
            new.extend_from_slice(old.get(copied..).unwrap_or_default());
            source.bytes = new.into();
        }
    }
    file.read_again(&sources)
}
