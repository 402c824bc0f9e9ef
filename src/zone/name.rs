//! Domain names in wire form with the text form of master files (RFC 1035 §3.1, §5.1; canonical order RFC 4034 §6.1).

use crate::zone::order::{compare_wire, is_below};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An absolute domain name, uncompressed, at most 255 octets, in the case it was written in.
///
/// Equality, order and hash ignore ASCII case; the order is the canonical order of DNSSEC.
///
/// ```
/// use tlsa_rotate::zone::name::Name;
/// let origin = Name::parse(b"example.com.", None).unwrap();
/// let name = Name::parse(b"_25._tcp.MX1", Some(&origin)).unwrap();
/// assert_eq!(name.to_string(), "_25._tcp.MX1.example.com.");
/// assert!(name.is_at_or_below(&origin));
/// ```
#[derive(Clone, Debug)]
pub struct Name {
    /// Shared by its copies: large zones have each owner in several places.
    wire: Arc<[u8]>,
}

/// Why a text or an octet string is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing where a name should stand.
    #[error("a name is expected, this is empty")]
    Empty,
    /// Two dots in a row, or a dot in front.
    #[error("a label is empty (two dots in a row, or one in front)")]
    EmptyLabel,
    /// RFC 1035 §2.3.4.
    #[error("a label is longer than 63 octets")]
    LongLabel,
    /// RFC 1035 §2.3.4.
    #[error("the name is longer than 255 octets")]
    LongName,
    /// `\` at the end, or `\DDD` above 255 or with fewer than three digits.
    #[error("a `\\` must be followed by a character or by three digits up to 255")]
    BadEscape,
    /// The name has no dot at the end, and nothing says what it is relative to.
    #[error("the name is relative (no dot at the end) and no origin is known")]
    NoOrigin,
    /// Octets that end within a label, or a compression pointer.
    #[error("the octets end within the name, or hold a compression pointer")]
    BadWire,
}

impl Name {
    /// The longest name in octets (RFC 1035 §2.3.4).
    pub const MAX: usize = 255;

    /// The root.
    pub fn root() -> Self {
        Self {
            wire: Arc::new([0]),
        }
    }

    /// Reads the text form; a name without a final dot is taken relative to `origin`.
    ///
    /// `@` has no special meaning here: what it stands for is the master file's business.
    pub fn parse(text: &[u8], origin: Option<&Self>) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(text.len().saturating_add(2).min(Self::MAX));
        append_wire(text, origin.map(Self::wire), &mut wire)?;
        Ok(Self { wire: wire.into() })
    }

    /// The name whose wire form, known to be well-formed, is `wire`.
    pub(crate) fn from_checked_wire(wire: &[u8]) -> Self {
        Self { wire: wire.into() }
    }

    /// Reads an uncompressed name from the front of `octets`; returns it and what follows.
    pub fn split_wire(octets: &[u8]) -> Result<(Self, &[u8]), NameError> {
        let (wire, rest) = split_name(octets)?;
        Ok((Self { wire: wire.into() }, rest))
    }

    /// The wire form, uncompressed, in the case it was written in.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The canonical wire form: lower case (RFC 4034 §6.2).
    pub fn canonical(&self) -> Vec<u8> {
        // Length octets are at most 63, below every upper-case letter: lower-casing all octets leaves them alone.
        self.wire.to_ascii_lowercase()
    }

    /// The labels from the leftmost to the top, without the root.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.wire }
    }

    /// How many labels the name has, the root not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let first = self.labels().next()?;
        let wire = self.wire.get(first.len().saturating_add(1)..)?;
        Some(Self { wire: wire.into() })
    }

    /// Whether this is `other` or lies below it.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        is_below(&self.wire, &other.wire)
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.labels().next() == Some(b"*")
    }

    /// The name that a DNAME record at `owner` makes of this one: with `target` in place of its end (RFC 6672 §2.2). `None`
    /// if that is no name.
    pub fn redirected(&self, owner: &Self, target: &Self) -> Option<Self> {
        let kept = self.label_count().checked_sub(owner.label_count())?;
        let labels: Vec<&[u8]> = self.labels().take(kept).collect();
        let mut labels = labels.into_iter().rev();
        labels.try_fold(target.clone(), |under, label| under.child(label).ok())
    }

    /// `label` in front of this name.
    pub fn child(&self, label: &[u8]) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(
            self.wire
                .len()
                .saturating_add(label.len())
                .saturating_add(1),
        );
        wire.push(0);
        wire.extend_from_slice(label);
        close_label(&mut wire, 0)?;
        wire.extend_from_slice(&self.wire);
        if wire.len() > Self::MAX {
            Err(NameError::LongName)
        } else {
            Ok(Self { wire: wire.into() })
        }
    }
}

/// Appends the wire form of a text name to `out`; a relative name needs `origin`, itself in wire form.
///
/// On error `out` holds what had been appended so far: the caller drops it.
pub(crate) fn append_wire(
    text: &[u8],
    origin: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), NameError> {
    let start = out.len();
    match text {
        [] => return Err(NameError::Empty),
        b"." => {
            out.push(0);
            return Ok(());
        }
        _ => {}
    }
    // Where the length octet of the label under way stands; it is filled in when the label ends.
    let mut length_at = start;
    out.push(0);
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|b| matches!(b, b'.' | b'\\'));
        let (plain, after) = rest
            .split_at_checked(plain.unwrap_or(rest.len()))
            .unwrap_or_default();
        out.extend_from_slice(plain);
        rest = match after {
            [] => break,
            [b'.', after @ ..] => {
                close_label(out, length_at)?;
                length_at = out.len();
                out.push(0);
                after
            }
            [_, after @ ..] => {
                let (octet, after) = unescape(after)?;
                out.push(octet);
                after
            }
        };
    }
    // After a final dot the label under way is empty: its length octet is the root's.
    if length_at.saturating_add(1) != out.len() {
        close_label(out, length_at)?;
        out.extend_from_slice(origin.ok_or(NameError::NoOrigin)?);
    }
    if out.len().saturating_sub(start) > Name::MAX {
        return Err(NameError::LongName);
    }
    Ok(())
}

fn close_label(out: &mut [u8], length_at: usize) -> Result<(), NameError> {
    let length = out.len().saturating_sub(length_at).saturating_sub(1);
    match (u8::try_from(length), out.get_mut(length_at)) {
        (Ok(0), _) => Err(NameError::EmptyLabel),
        (Ok(length @ 1..=63), Some(octet)) => {
            *octet = length;
            Ok(())
        }
        _ => Err(NameError::LongLabel),
    }
}

/// Splits an uncompressed name off the front of `octets`.
pub(crate) fn split_name(octets: &[u8]) -> Result<(&[u8], &[u8]), NameError> {
    let mut rest = octets;
    loop {
        let (&length, after) = rest.split_first().ok_or(NameError::BadWire)?;
        if length > 63 {
            return Err(NameError::BadWire);
        }
        rest = after.get(usize::from(length)..).ok_or(NameError::BadWire)?;
        if length == 0 {
            break;
        }
    }
    let length = octets.len().saturating_sub(rest.len());
    if length > Name::MAX {
        return Err(NameError::LongName);
    }
    octets.split_at_checked(length).ok_or(NameError::BadWire)
}

/// The octet that follows a `\`: `DDD` as a number, anything else as itself (RFC 1035 §5.1).
pub(crate) fn unescape(after: &[u8]) -> Result<(u8, &[u8]), NameError> {
    match after {
        [a, b, c, rest @ ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
            let digits =
                std::str::from_utf8(after.get(..3).unwrap_or_default()).unwrap_or_default();
            digits
                .parse()
                .map(|octet| (octet, rest))
                .map_err(|_| NameError::BadEscape)
        }
        [digit, ..] if digit.is_ascii_digit() => Err(NameError::BadEscape),
        [octet, rest @ ..] => Ok((*octet, rest)),
        [] => Err(NameError::BadEscape),
    }
}

/// The labels of a [`Name`], leftmost first.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, after) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = after.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(label)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(&self.wire, f)
    }
}

/// Prints a wire name in the text form of master files (RFC 1035 §5.1), absolute.
pub(crate) fn write_name(wire: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut empty = true;
    for label in (Labels { rest: wire }) {
        empty = false;
        for chunk in label.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
            match (chunk, std::str::from_utf8(chunk)) {
                // NSD takes a backslash at the end of a label for one before the dot: as a number, all read it.
                ([b'\\'], _) => out.write_str("\\092")?,
                ([octet], _) if !is_plain(*octet) && octet.is_ascii_graphic() => {
                    write!(out, "\\{}", char::from(*octet))?;
                }
                ([octet], _) if !is_plain(*octet) => write!(out, "\\{octet:03}")?,
                (_, Ok(plain)) => out.write_str(plain)?,
                _ => {}
            }
        }
        out.write_char('.')?;
    }
    if empty { out.write_char('.') } else { Ok(()) }
}

/// Whether an octet of a label stands for itself in master files.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_graphic() && !br#".\";()@$"#.contains(&octet)
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in &*self.wire {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    /// RFC 4034 §6.1: by labels from the right, each as lower-cased octets, absent labels first.
    fn cmp(&self, other: &Self) -> Ordering {
        compare_wire(&self.wire, &other.wire)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034_6_1() {
        let rfc = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let mut sorted: Vec<Name> = rfc.iter().rev().map(|t| name(t)).collect();
        sorted.sort();
        assert_eq!(
            sorted.iter().map(ToString::to_string).collect::<Vec<_>>(),
            rfc
        );
    }

    #[test]
    fn escapes_round_trip_and_bad_names_are_refused() {
        assert_eq!(name("a\\046b\\\\.c\\.d.").to_string(), "a\\.b\\092.c\\.d.");
        assert_eq!(Name::parse(b"..", None), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(b"a", None), Err(NameError::NoOrigin));
        assert_eq!(Name::parse(b"a\\25.", None), Err(NameError::BadEscape));
        assert_eq!(Name::parse(b"a\\256.", None), Err(NameError::BadEscape));
        assert_eq!(
            Name::parse("a".repeat(64).as_bytes(), Some(&Name::root())),
            Err(NameError::LongLabel)
        );
        assert_eq!(
            Name::parse("abc.".repeat(64).as_bytes(), None),
            Err(NameError::LongName)
        );
        assert_eq!(
            Name::split_wire(&[1, b'a', 0xc0, 0]),
            Err(NameError::BadWire)
        );
        assert!(!name("xexample.com.").is_at_or_below(&name("example.com.")));
    }
}
