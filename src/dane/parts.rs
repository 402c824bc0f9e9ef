//! Where the parts of a certificate stand in its octets (RFC 5280 §4.1). What a part says is the business of whoever asks:
//! libraries differ in that, and a certificate with a part that one of them cannot read is still one that a host presents.

use crate::dane::der::{self, Element, tag};

/// The parts, as slices of the certificate.
#[derive(Clone, Debug)]
pub(super) struct Parts<'a> {
    /// 1, 2 or 3.
    pub(super) version: u8,
    /// The algorithm of the signature as the signed part has it, whole.
    pub(super) inner_algorithm: &'a [u8],
    /// The same as it stands beside the signature, whole.
    pub(super) outer_algorithm: &'a [u8],
    /// The distinguished names, whole.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Start and end of validity.
    pub(super) validity: [Element<'a>; 2],
    /// `SubjectPublicKeyInfo`, whole.
    pub(super) spki: &'a [u8],
    /// Whether it has one of the unique identifiers of version 2.
    pub(super) has_unique_id: bool,
    pub(super) extensions: Vec<Extension<'a>>,
}

/// One extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    /// The contents of its identifier.
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    /// What the OCTET STRING holds.
    pub(super) value: &'a [u8],
}

/// `id-ce-basicConstraints`.
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

const BOOLEAN: u8 = 0x01;
const CONTEXT_3: u8 = 0xa3;

impl<'a> Parts<'a> {
    /// Takes the one certificate apart that `octets` are.
    pub(super) fn of(octets: &'a [u8]) -> Option<Self> {
        let body = der::only(tag::SEQUENCE, octets)?;
        let (signed, rest) = der::expect(tag::SEQUENCE, body)?;
        let (outer, signature) = der::split(rest).ok()?;
        der::only(tag::BIT_STRING, signature)?;
        let (first, after) = der::split(signed).ok()?;
        let (version, after_version) = if first.tag == tag::CONTEXT_0 {
            let number = der::only(tag::INTEGER, first.contents)?;
            let number = number.last().copied().filter(|_| number.len() == 1)?;
            (number.checked_add(1)?, after)
        } else {
            (1, signed)
        };
        let (_serial, rest) = der::expect(tag::INTEGER, after_version)?;
        let (inner, rest) = der::split(rest).ok()?;
        let (issuer, rest) = der::split(rest).ok()?;
        let (validity, rest) = der::expect(tag::SEQUENCE, rest)?;
        let (from, until) = der::split(validity).ok()?;
        let (until, after_until) = der::split(until).ok()?;
        let (subject, rest) = der::split(rest).ok()?;
        let (spki, mut rest) = der::split(rest).ok()?;
        let named = [inner, outer, issuer, subject, spki];
        if named.iter().any(|part| part.tag != tag::SEQUENCE) || !after_until.is_empty() {
            return None;
        }
        let (mut has_unique_id, mut extensions) = (false, Vec::new());
        while !rest.is_empty() {
            let (part, after) = der::split(rest).ok()?;
            match part.tag & 0x1f {
                1 | 2 => has_unique_id = true,
                _ if part.tag == CONTEXT_3 => extensions = all(part.contents)?,
                _ => return None,
            }
            rest = after;
        }
        Some(Self {
            version,
            inner_algorithm: inner.octets,
            outer_algorithm: outer.octets,
            issuer: issuer.octets,
            subject: subject.octets,
            validity: [from, until],
            spki: spki.octets,
            has_unique_id,
            extensions,
        })
    }

    /// Whether basicConstraints says CA (RFC 5280 §4.2.1.9).
    pub(super) fn is_ca(&self) -> bool {
        let constraints = self.extension(BASIC_CONSTRAINTS);
        let body = constraints.and_then(|one| der::only(tag::SEQUENCE, one.value));
        let flag = body.and_then(|body| der::expect(BOOLEAN, body));
        flag.is_some_and(|(flag, _)| flag.iter().any(|octet| *octet != 0))
    }

    /// Whether an extension stands there twice, which RFC 5280 §4.2 forbids.
    pub(super) fn has_duplicate_extension(&self) -> bool {
        let mut rest = self.extensions.as_slice();
        while let Some((one, others)) = rest.split_first() {
            if others.iter().any(|other| other.oid == one.oid) {
                return true;
            }
            rest = others;
        }
        false
    }

    /// The first extension with this identifier.
    pub(super) fn extension(&self, oid: &[u8]) -> Option<Extension<'a>> {
        self.extensions.iter().find(|one| one.oid == oid).copied()
    }
}

/// Whether each value of a distinguished name is of a string type that GnuTLS reads: UTF-8, printable, teletex or BMP.
pub(super) fn is_readable(name: &[u8]) -> bool {
    const STRINGS: [u8; 4] = [0x0c, 0x13, 0x14, 0x1e];
    fn inner(set: &[u8]) -> Option<u8> {
        let pair = der::only(tag::SEQUENCE, set)?;
        let (_, value) = der::expect(tag::OID, pair)?;
        der::split(value).ok().map(|(value, _)| value.tag)
    }
    let mut rest = der::only(tag::SEQUENCE, name).unwrap_or_default();
    while let Ok((set, after)) = der::split(rest) {
        if !inner(set.contents).is_some_and(|tag| STRINGS.contains(&tag)) {
            return false;
        }
        rest = after;
    }
    true
}

fn all(contents: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut rest = der::only(tag::SEQUENCE, contents)?;
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        let (whole, after) = der::split(rest).ok()?;
        extensions.push(one(whole)?);
        rest = after;
    }
    Some(extensions)
}

fn one(whole: Element<'_>) -> Option<Extension<'_>> {
    if whole.tag != tag::SEQUENCE {
        return None;
    }
    let (oid, rest) = der::expect(tag::OID, whole.contents)?;
    let (critical, rest) = match der::expect(BOOLEAN, rest) {
        Some((flag, rest)) => (flag.iter().any(|octet| *octet != 0), rest),
        None => (false, rest),
    };
    Some(Extension {
        oid,
        critical,
        value: der::only(tag::OCTET_STRING, rest)?,
    })
}
