//! One record on one line, as key files and deltas hold it: absolute owner, TTL, class, type, data (RFC 1035 §5.1).

use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};

/// A record whose TTL may be left out.
pub(super) struct RecordLine {
    pub(super) owner: Name,
    pub(super) ttl: Option<Ttl>,
    pub(super) rtype: Rtype,
    pub(super) rdata: Rdata,
}

/// Why a line is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No absolute owner name in front.
    #[error("expected an absolute owner name, then TTL, IN, type and data")]
    Owner,
    /// No record type.
    #[error("expected a record type behind the owner, the TTL and the class IN")]
    Type,
    /// No TTL where one is needed.
    #[error("the TTL is missing")]
    Ttl,
    /// The data does not fit the type.
    #[error("the data of the {0} record is wrong: {1}")]
    Data(Rtype, String),
}

impl RecordLine {
    /// Reads `owner [ttl] [IN] type data`. The data may run over several lines in parentheses.
    pub(super) fn parse(text: &str) -> Result<Self, LineError> {
        let (owner, mut rest) = word(text);
        let owner = Name::parse(owner.as_bytes(), None).map_err(|_| LineError::Owner)?;
        let mut ttl = None;
        loop {
            let (next, after) = word(rest);
            rest = after;
            if let Ok(seconds) = next.parse() {
                ttl = Some(Ttl(seconds));
            } else if !next.eq_ignore_ascii_case("IN") {
                let rtype: Rtype = next.parse().map_err(|_| LineError::Type)?;
                let rdata = Rdata::from_text(rtype, rest.trim().as_bytes(), None)
                    .map_err(|e| LineError::Data(rtype, e.to_string()))?;
                return Ok(Self {
                    owner,
                    ttl,
                    rtype,
                    rdata,
                });
            }
        }
    }

    /// The record; its TTL must have been given.
    pub(super) fn into_record(self) -> Result<Record, LineError> {
        Ok(Record {
            ttl: self.ttl.ok_or(LineError::Ttl)?,
            owner: self.owner,
            rtype: self.rtype,
            rdata: self.rdata,
        })
    }
}

/// Why a text is not a list of DS records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DsTextError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Reads DS records of `zone`, one a line, as `key ds`, `dnssec-dsfromkey` and `dig` print them; comments are passed over.
///
/// Fails if a record is of another owner or type, or if there is none.
pub fn read_ds(text: &str, zone: &Name) -> Result<Vec<Rdata>, DsTextError> {
    let wrong = |line, what| DsTextError { line, what };
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let record = line.split(';').next().unwrap_or_default();
        if record.trim().is_empty() {
            continue;
        }
        let record = RecordLine::parse(record).map_err(|e| wrong(number, e.to_string()))?;
        if record.rtype != Rtype::DS || record.owner != *zone {
            return Err(wrong(number, format!("expected a DS record of {zone}")));
        }
        found.push(record.rdata);
    }
    if found.is_empty() {
        return Err(wrong(1, "there is no DS record".to_owned()));
    }
    Ok(found)
}

/// The first word and what follows it. Blanks inside names are always escaped, so no word holds one.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text
        .find(|c: char| c.is_ascii_whitespace())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_ttl_and_class_are_read() {
        for (text, ttl) in [
            ("mx.example. 300 IN A 192.0.2.1", Some(Ttl(300))),
            ("mx.example. IN 300 A 192.0.2.1", Some(Ttl(300))),
            ("mx.example.\tA\t192.0.2.1", None),
            ("MX.example. in a ( 192.0.2.1 )", None),
        ] {
            let line = RecordLine::parse(text).ok().unwrap();
            assert_eq!(line.ttl, ttl, "{text}");
            assert_eq!(line.owner.to_string().to_ascii_lowercase(), "mx.example.");
            assert_eq!(line.rdata, Rdata([192, 0, 2, 1].into()));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in [
            "",
            "mx",
            "mx.example.",
            "mx.example. IN",
            "mx.example. 1 IN A",
            "mx.example. 1 CH A 1.2.3.4",
            "mx.example. 1 IN A 1.2.3",
        ] {
            assert!(RecordLine::parse(text).is_err(), "{text}");
        }
        let without_ttl = RecordLine::parse("mx.example. A 192.0.2.1").ok().unwrap();
        assert_eq!(without_ttl.into_record(), Err(LineError::Ttl));
    }
}
