//! TLSA data as an association, and the mistakes that break mail (RFC 6698 §2.1, RFC 7671 §5.1).

use crate::rotation::association::Association;
use crate::zone::record::Rdata;

/// SHA-256 of no input: what a failed pipeline publishes.
const EMPTY_SHA_256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
/// SHA-512 of no input.
const EMPTY_SHA_512: [u8; 64] = [
    0xcf, 0x83, 0xe1, 0x35, 0x7e, 0xef, 0xb8, 0xbd, 0xf1, 0x54, 0x28, 0x50, 0xd6, 0x6d, 0x80, 0x07,
    0xd6, 0x20, 0xe4, 0x05, 0x0b, 0x57, 0x15, 0xdc, 0x83, 0xf4, 0xa9, 0x21, 0xd3, 0x6c, 0xe9, 0xce,
    0x47, 0xd0, 0xd1, 0x3c, 0x5d, 0x85, 0xf2, 0xb0, 0xff, 0x83, 0x18, 0xd2, 0x87, 0x7e, 0xec, 0x2f,
    0x63, 0xb9, 0x31, 0xbd, 0x47, 0x41, 0x7a, 0x81, 0xa5, 0x38, 0x32, 0x7a, 0xf9, 0x27, 0xda, 0x3e,
];

/// TLSA or SMIMEA data that is well-formed and still matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsaFault {
    /// RFC 6698 §7.2 knows 0 to 3, 255 is for private use.
    #[error(
        "certificate usage {0} is unknown: 3 (DANE-EE) and 2 (DANE-TA) are for mail, 0 and 1 need a public CA"
    )]
    Usage(u8),
    /// RFC 6698 §7.3.
    #[error("selector {0} is unknown: 1 is the public key, 0 the whole certificate")]
    Selector(u8),
    /// RFC 6698 §7.4.
    #[error("matching type {0} is unknown: 1 is SHA-256, 2 is SHA-512, 0 the data itself")]
    Matching(u8),
    /// The data is not as long as the digest.
    #[error("the data is {found} octets long, a {name} digest is {expected}")]
    Length {
        /// The digest's name.
        name: &'static str,
        /// How long it is in octets.
        expected: usize,
        /// How long the data is.
        found: usize,
    },
    /// What a pipeline publishes whose first command failed.
    #[error(
        "this is the {0} of empty input: the command that should have fed the digest printed nothing"
    )]
    EmptyInput(&'static str),
}

impl TlsaFault {
    /// Whether the numbers are those of nobody yet, or of somebody's private use (RFC 6698 §7.2 to §7.4): clients take such a
    /// record for unusable, and a zone may hold it.
    pub fn is_unassigned(self) -> bool {
        matches!(self, Self::Usage(_) | Self::Selector(_) | Self::Matching(_))
    }
}

/// What is wrong with TLSA data, if something is.
pub(crate) fn fault(octets: &[u8]) -> Option<TlsaFault> {
    let [usage, selector, matching, data @ ..] = octets else {
        return None;
    };
    if *usage > 3 {
        return Some(TlsaFault::Usage(*usage));
    }
    if *selector > 1 {
        return Some(TlsaFault::Selector(*selector));
    }
    let (name, expected) = match matching {
        0 => return None,
        1 => ("SHA-256", EMPTY_SHA_256.len()),
        2 => ("SHA-512", EMPTY_SHA_512.len()),
        unknown => return Some(TlsaFault::Matching(*unknown)),
    };
    if data.len() != expected {
        let found = data.len();
        return Some(TlsaFault::Length {
            name,
            expected,
            found,
        });
    }
    let empty = data == EMPTY_SHA_256 || data == EMPTY_SHA_512;
    empty.then_some(TlsaFault::EmptyInput(name))
}

impl From<&Association> for Rdata {
    /// TLSA data of an association.
    fn from(association: &Association) -> Self {
        let parameters = [
            association.usage,
            association.selector,
            association.matching,
        ];
        Self([parameters.as_slice(), &association.data].concat().into())
    }
}

impl Rdata {
    /// The association that TLSA data holds; `None` when there is no association data (RFC 6698 §2.1).
    pub fn association(&self) -> Option<Association> {
        match &*self.0 {
            [usage, selector, matching, data @ ..] if !data.is_empty() => Some(Association {
                usage: *usage,
                selector: *selector,
                matching: *matching,
                data: data.to_vec(),
            }),
            _ => None,
        }
    }

    /// What is wrong with well-formed TLSA data, if something is.
    pub fn tlsa_fault(&self) -> Option<TlsaFault> {
        fault(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::record::Rtype;
    use ring::digest::{SHA256, SHA512, digest};

    #[test]
    fn the_digests_of_nothing_are_what_they_say() {
        assert_eq!(digest(&SHA256, b"").as_ref(), EMPTY_SHA_256);
        assert_eq!(digest(&SHA512, b"").as_ref(), EMPTY_SHA_512);
    }

    #[test]
    fn what_can_match_nothing_is_named() {
        let (sha_256, sha_512) = ("00".repeat(32), "00".repeat(64));
        let length = |name, expected, found| {
            Some(TlsaFault::Length {
                name,
                expected,
                found,
            })
        };
        let table = [
            (format!("3 1 1 {sha_256}"), None),
            (format!("3 1 2 {sha_512}"), None),
            ("2 0 0 3000".to_owned(), None),
            (format!("4 1 1 {sha_256}"), Some(TlsaFault::Usage(4))),
            (format!("3 2 1 {sha_256}"), Some(TlsaFault::Selector(2))),
            (format!("3 1 3 {sha_256}"), Some(TlsaFault::Matching(3))),
            (format!("3 1 1 {sha_512}"), length("SHA-256", 32, 64)),
            (format!("3 1 2 {sha_256}"), length("SHA-512", 64, 32)),
        ];
        for (text, fault) in table {
            let rdata = Rdata::from_text(Rtype::TLSA, text.as_bytes(), None).unwrap();
            assert_eq!(rdata.tlsa_fault(), fault, "{text}");
            let association = rdata.association().unwrap();
            assert_eq!(association.to_string(), text);
            assert_eq!(Rdata::from(&association), rdata);
        }
        let empty = [&[3, 1, 1][..], &EMPTY_SHA_256].concat();
        assert_eq!(fault(&empty), Some(TlsaFault::EmptyInput("SHA-256")));
    }
}
