//! One line of a journal: its fields, its digest, and the name of the rotation it belongs to.

use crate::rotation::timing::Instant;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The version of the line format, and the only one read.
pub const VERSION: u64 = 2;

/// Which rotation of which certificate; prints as `mail.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RotationId {
    /// The name of the certificate in the configuration.
    pub certificate: Arc<str>,
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
        let (certificate, number) = named(text)?;
        Ok(Self {
            certificate: certificate.into(),
            number,
        })
    }
}

/// The certificate and the number in the name of a rotation.
pub(super) fn named(text: &str) -> Result<(&str, u32), NotARotation> {
    let (certificate, digits) = text.rsplit_once('.').ok_or(NotARotation)?;
    // One way to write each: no sign, no leading zero.
    let canonical = digits.starts_with(|digit: char| matches!(digit, '1'..='9'));
    match digits.parse() {
        Ok(number) if canonical && !certificate.is_empty() => Ok((certificate, number)),
        _ => Err(NotARotation),
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

/// A SHA-256 as lines carry it: in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 64]);

impl Digest {
    /// Of these octets.
    pub(super) fn of(octets: &[u8]) -> Self {
        Self::written(ring::digest::digest(&SHA256, octets))
    }

    fn written(digest: ring::digest::Digest) -> Self {
        let mut digits = [0; 64];
        HEXLOWER.encode_mut(digest.as_ref(), &mut digits);
        Self(digits)
    }

    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The line's octets with their own digest as the last field, so that the last line, which no other rests on, cannot be
/// changed unseen either.
pub(super) fn sealed(mut fields: Vec<u8>) -> Vec<u8> {
    fields.pop(); // the brace at the end
    let own = Digest::of(&fields);
    fields.extend([BEFORE_OWN, own.as_str().as_bytes(), AFTER_OWN].concat());
    fields
}

/// What stands before and after a line's own digest.
const BEFORE_OWN: &[u8] = b",\"digest\":\"";
const AFTER_OWN: &[u8] = b"\"}";

/// The digest of a whole line, if it ends with the digest of what stands before that; its octets are read once.
pub(super) fn intact(line: &[u8], own: &str) -> Option<Digest> {
    let before_end = line.strip_suffix(AFTER_OWN)?;
    let before_own = before_end.strip_suffix(own.as_bytes())?;
    let fields = before_own.strip_suffix(BEFORE_OWN)?;
    let ending = line.get(fields.len()..)?;
    let mut context = Context::new(&SHA256);
    context.update(fields);
    let found = Digest::written(context.clone().finish());
    context.update(ending);
    (found.as_str() == own).then(|| Digest::written(context.finish()))
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
