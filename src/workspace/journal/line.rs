//! One line of a journal: its fields, its digest, and the name of the rotation it belongs to.

use crate::rotation::timing::Instant;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The version of the line format, and the only one read.
pub const VERSION: u64 = 2;

/// Which rotation of which certificate; prints as `mail.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RotationId {
    /// The name of the certificate in the configuration.
    pub certificate: String,
    /// Counted from 1.
    pub number: u32,
}

/// One fact with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<E> {
    /// Counted from 1, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Instant,
    /// The rotation it belongs to.
    pub rotation: RotationId,
    /// The fact.
    pub event: E,
}

/// A line as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'l, E> {
    pub(super) version: u64,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) at: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) rotation: Cow<'l, str>,
    pub(super) event: E,
    #[serde(borrow)]
    pub(super) previous: Option<Cow<'l, str>>,
    /// Of the line's own octets, up to this field.
    #[serde(borrow, skip_serializing)]
    pub(super) digest: Cow<'l, str>,
}

/// The one field that every version has.
#[derive(Deserialize)]
pub(super) struct Versioned {
    pub(super) version: u64,
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.certificate, self.number)
    }
}

/// A text that does not name a rotation as `mail.1` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rotation is named by its certificate, a dot and a number from 1, such as `mail.1`")]
pub struct NotARotation;

impl FromStr for RotationId {
    type Err = NotARotation;

    fn from_str(text: &str) -> Result<Self, NotARotation> {
        let (certificate, digits) = text.rsplit_once('.').ok_or(NotARotation)?;
        // One way to write each: no sign, no leading zero.
        let canonical = digits.starts_with(|digit: char| matches!(digit, '1'..='9'));
        match digits.parse() {
            Ok(number) if canonical && !certificate.is_empty() => Ok(Self {
                certificate: certificate.to_owned(),
                number,
            }),
            _ => Err(NotARotation),
        }
    }
}

/// A time exactly as [`Instant`] prints it.
pub(super) fn instant(text: &str) -> Option<Instant> {
    // A leap second is of no day that an instant prints, and a journal is read too often to print each time that it names.
    const SHAPE: &[u8] = b"0000-00-00T00:00:00Z";
    let fits = |(octet, wanted): (&u8, &u8)| match wanted {
        b'0' => octet.is_ascii_digit(),
        _ => octet == wanted,
    };
    let shaped = text.len() == SHAPE.len() && text.as_bytes().iter().zip(SHAPE).all(fits);
    if !shaped || text.ends_with(":60Z") {
        return None;
    }
    let parsed = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Instant::from_unix(u64::try_from(parsed.timestamp()).ok()?))
}

/// The line's octets with their own digest as the last field, so that the last line, which no other rests on, cannot be
/// changed unseen either.
pub(super) fn sealed(mut fields: Vec<u8>) -> Vec<u8> {
    fields.pop(); // the brace at the end
    let own = digest(&fields);
    fields.extend(format!(",\"digest\":\"{own}\"}}").into_bytes());
    fields
}

/// The digest of a whole line, if it ends with the digest of what stands before that; its octets are read once.
pub(super) fn intact(line: &[u8], own: &str) -> Option<String> {
    let ending = format!(",\"digest\":\"{own}\"}}");
    let fields = line.strip_suffix(ending.as_bytes())?;
    let mut context = Context::new(&SHA256);
    context.update(fields);
    let found = context.clone().finish();
    context.update(ending.as_bytes());
    (HEXLOWER.encode(found.as_ref()) == own).then(|| HEXLOWER.encode(context.finish().as_ref()))
}

pub(super) fn digest(line: &[u8]) -> String {
    HEXLOWER.encode(ring::digest::digest(&SHA256, line).as_ref())
}

/// Whether a last line looks as a crash leaves it: JSON that stops early, or blocks never written (zeros).
pub(super) fn is_cut_off(line: &[u8]) -> bool {
    line.contains(&0)
        || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|e| e.is_eof())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_and_a_rotation_are_read_only_as_they_are_printed() {
        for seconds in [0, 951_782_400, 1_796_112_000, 253_402_300_799] {
            let printed = Instant::from_unix(seconds).to_string();
            assert_eq!(instant(&printed), Some(Instant::from_unix(seconds)));
        }
        for wrong in [
            "2026-12-01T08:00:00+00:00",
            "2026-12-01t08:00:00Z",
            "2026-12-01 08:00:00Z",
            "2026-12-01T08:00:60Z",
            "2016-12-31T23:59:60Z",
            "2026-02-29T08:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-12-01T08:00:00.0Z",
        ] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
        let id = "a.b.7".parse::<RotationId>().unwrap();
        assert_eq!((&*id.certificate, id.number), ("a.b", 7));
        for wrong in [
            "a.0",
            "a.+1",
            "a.01",
            ".1",
            "a",
            "a.",
            "a.1x",
            "a.4294967296",
        ] {
            assert_eq!(wrong.parse::<RotationId>(), Err(NotARotation), "{wrong}");
        }
    }
}
