//! The text form of a delta: what is written beside a proposal, kept by a server, and read again.

use super::{Delta, advances, serial_of};
use crate::dnssec::line::{LineError, RecordLine};
use crate::zone::rdata::Soa;
use crate::zone::record::{Record, Rtype};
use std::fmt;

/// The first line of the text form; a number for a form that can change.
const HEADER: &str = "; tlsa-rotate delta 1";

/// Why a text is not a delta.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DeltaTextError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Delta {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, DeltaTextError> {
        let wrong = |line, what: String| DeltaTextError { line, what };
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(wrong(1, format!("expected `{HEADER}`")));
        }
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            let (side, record) = match (line.strip_prefix('-'), line.strip_prefix('+')) {
                (Some(record), _) if added.is_empty() => (&mut removed, record),
                (Some(_), _) => {
                    return Err(wrong(
                        number,
                        "`-` behind `+`: what goes comes first".into(),
                    ));
                }
                (_, Some(record)) => (&mut added, record),
                _ if line.starts_with(';') => continue,
                _ => return Err(wrong(number, "expected `-`, `+` or `;` in front".into())),
            };
            let record = RecordLine::parse(record)
                .and_then(RecordLine::into_record)
                .map_err(|e: LineError| wrong(number, e.to_string()))?;
            side.push(record);
        }
        Self::assembled(removed, added).map_err(|what| wrong(1, what.to_owned()))
    }

    /// A delta must begin with a SOA on either side, of one owner, with a serial that advances, and hold no other.
    fn assembled(removed: Vec<Record>, added: Vec<Record>) -> Result<Self, &'static str> {
        let leads = |side: &[Record]| match side {
            [soa, rest @ ..] => {
                soa.rtype == Rtype::SOA
                    && Soa::from_rdata(&soa.rdata).is_some()
                    && rest.iter().all(|record| record.rtype != Rtype::SOA)
                    && rest
                        .iter()
                        .all(|record| record.owner.is_at_or_below(&soa.owner))
            }
            [] => false,
        };
        if !leads(&removed) || !leads(&added) {
            return Err("each side must be one SOA record, then other records of its zone");
        }
        let owners = (removed.first(), added.first());
        let (Some(old), Some(new)) = owners else {
            return Err("the SOA records are missing");
        };
        if old.owner != new.owner {
            return Err("the SOA records are of two zones");
        }
        if !advances(serial_of(&removed), serial_of(&added)) {
            return Err("the serial does not advance");
        }
        Ok(Self {
            apex: old.owner.clone(),
            removed,
            added,
        })
    }
}

impl fmt::Display for Delta {
    /// The text form, which [`Delta::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        writeln!(f, "; zone {}", self.apex)?;
        writeln!(f, "; serial {} to {}", self.old_serial(), self.new_serial())?;
        for record in &self.removed {
            writeln!(f, "-{record}")?;
        }
        for record in &self.added {
            writeln!(f, "+{record}")?;
        }
        Ok(())
    }
}
