//! TLSA data of a certificate or key: the selected octets, exact or digested (RFC 6698 §2.1, §4).
//!
//! The digest is that of the octets as they stand in the certificate. Tools that print the key and read it back
//! re-encode it; where a certificate is oddly encoded, their record never matches what senders see.

use crate::dane::certificate::Certificate;
use crate::dane::subject::Subject;
use crate::rotation::association::{Association, Combination};
use ring::digest::{SHA256, SHA512, digest};

/// The three numbers of a TLSA record, each checked.
///
/// ```
/// use tlsa_rotate::dane::association::Parameters;
/// assert_eq!(Parameters::new(3, 1, 1).unwrap(), Parameters::default());
/// assert!(Parameters::new(3, 2, 1).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    usage: u8,
    selector: u8,
    matching: u8,
}

/// Why there is no association.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssociationError {
    /// A number that RFC 6698 does not assign.
    #[error("there is no {field} {value} (RFC 6698 §2.1): use {allowed}")]
    Unassigned {
        /// Usage, selector or matching type.
        field: &'static str,
        /// The number given.
        value: u8,
        /// Those that exist.
        allowed: &'static str,
    },
    /// Selector 0 of something that is no certificate.
    #[error(
        "selector 0 is the whole certificate, and this is a {0}, which does not tell the certificate: \
         use selector 1, or give the certificate"
    )]
    NoCertificate(&'static str),
    /// The digest of nothing would be published.
    #[error("the selected octets are empty: a record of nothing matches no certificate")]
    Nothing,
}

impl Parameters {
    /// Usage 0 to 3, selector 0 or 1, matching type 0 to 2.
    pub fn new(usage: u8, selector: u8, matching: u8) -> Result<Self, AssociationError> {
        let fields = [
            ("usage", usage, 3, "0, 1, 2 or 3"),
            ("selector", selector, 1, "0 (certificate) or 1 (public key)"),
            (
                "matching type",
                matching,
                2,
                "0 (exact), 1 (SHA-256) or 2 (SHA-512)",
            ),
        ];
        for (field, value, greatest, allowed) in fields {
            if value > greatest {
                return Err(AssociationError::Unassigned {
                    field,
                    value,
                    allowed,
                });
            }
        }
        Ok(Self {
            usage,
            selector,
            matching,
        })
    }

    /// Certificate usage.
    pub fn usage(self) -> u8 {
        self.usage
    }

    /// The association of `subject` with these parameters.
    pub fn associate(self, subject: &Subject) -> Result<Association, AssociationError> {
        let selected = match (self.selector, subject) {
            (0, Subject::Certificate(certificate)) => certificate.der(),
            (0, other) => return Err(AssociationError::NoCertificate(other.kind())),
            (_, subject) => subject.spki(),
        };
        if selected.is_empty() {
            return Err(AssociationError::Nothing);
        }
        Ok(Association {
            usage: self.usage,
            selector: self.selector,
            matching: self.matching,
            data: matched(self.matching, selected),
        })
    }
}

impl Default for Parameters {
    /// `3 1 1`.
    fn default() -> Self {
        Self {
            usage: 3,
            selector: 1,
            matching: 1,
        }
    }
}

/// The association of a certificate in this combination; `None` where RFC 6698 assigns no such selector or matching type.
pub fn of_certificate(combination: Combination, certificate: &Certificate) -> Option<Association> {
    let selected = match combination.selector {
        0 => certificate.der(),
        1 => certificate.spki(),
        _ => return None,
    };
    (combination.matching <= 2).then(|| Association {
        usage: combination.usage,
        selector: combination.selector,
        matching: combination.matching,
        data: matched(combination.matching, selected),
    })
}

/// The `3 1 1` association of `SubjectPublicKeyInfo` octets.
pub fn dane_ee_spki(spki: &[u8]) -> Association {
    Association {
        usage: 3,
        selector: 1,
        matching: 1,
        data: matched(1, spki),
    }
}

/// Whether the association is a digest of the empty input: what a failed shell pipeline publishes (`e3b0c442…`).
///
/// It matches no certificate, ever.
pub fn is_digest_of_nothing(association: &Association) -> bool {
    matches!(association.matching, 1 | 2) && association.data == matched(association.matching, &[])
}

/// Whether `association` selects and matches `certificate`. Usage is not looked at.
pub(super) fn matches(association: &Association, certificate: &Certificate) -> bool {
    of_certificate(association.parameters(), certificate).as_ref() == Some(association)
}

/// RFC 6698 §2.1.3. Parameters above 2 do not reach this: they are refused or unusable.
fn matched(matching: u8, selected: &[u8]) -> Vec<u8> {
    match matching {
        1 => digest(&SHA256, selected).as_ref().to_vec(),
        2 => digest(&SHA512, selected).as_ref().to_vec(),
        _ => selected.to_vec(),
    }
}
