//! One line of a journal: its fields, its digest, and the name of the rotation it belongs to.

use crate::rotation::timing::Instant;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
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
pub(super) struct Line<E> {
    pub(super) version: u64,
    pub(super) seq: u64,
    pub(super) at: String,
    pub(super) rotation: String,
    pub(super) event: E,
    pub(super) previous: Option<String>,
    /// Of the line's own octets, up to this field.
    #[serde(skip_serializing)]
    pub(super) digest: String,
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
        let number = digits.parse().map_err(|_| NotARotation)?;
        let id = Self {
            certificate: certificate.to_owned(),
            number,
        };
        // One way to write each: no sign, no leading zero.
        let canonical = number > 0 && !certificate.is_empty() && id.to_string() == text;
        canonical.then_some(id).ok_or(NotARotation)
    }
}

/// A time exactly as [`Instant`] prints it.
pub(super) fn instant(text: &str) -> Option<Instant> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let instant = Instant::from_unix(u64::try_from(parsed.timestamp()).ok()?);
    (instant.to_string() == text).then_some(instant)
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
