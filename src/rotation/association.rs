//! The association of a TLSA record as a value: usage, selector, matching type and association data (RFC 6698 §2.1).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// What one TLSA record says: "the key or certificate whose selected part, so digested, is this".
///
/// Prints and parses as in a zone file: `3 1 1 <hex>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Association {
    /// Certificate usage (RFC 6698 §2.1.1): 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// Selector (RFC 6698 §2.1.2): 0 whole certificate, 1 `SubjectPublicKeyInfo`.
    pub selector: u8,
    /// Matching type (RFC 6698 §2.1.3): 0 exact, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// Certificate association data: a digest, or the selected DER itself.
    pub data: Vec<u8>,
}

impl Association {
    /// A `3 1 1` association from a SHA-256 digest of a `SubjectPublicKeyInfo`.
    pub fn dane_ee_spki_sha256(digest: [u8; 32]) -> Self {
        Self {
            usage: 3,
            selector: 1,
            matching: 1,
            data: digest.to_vec(),
        }
    }

    /// Whether this is the `3 1 1` form that the machine rotates.
    pub fn is_3_1_1(&self) -> bool {
        (self.usage, self.selector, self.matching) == (3, 1, 1)
    }

    /// Usage, selector and matching type: the combination that RFC 7671 §8 speaks of.
    pub fn parameters(&self) -> (u8, u8, u8) {
        (self.usage, self.selector, self.matching)
    }

    /// The first eight hex digits of the data and an ellipsis: enough for a person to tell two records apart.
    pub fn short(&self) -> String {
        let mut text = format!("{} {} {} ", self.usage, self.selector, self.matching);
        for byte in self.data.iter().take(4) {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('…');
        text
    }
}

impl fmt::Display for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is not an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAssociation {
    text: String,
}

impl fmt::Display for NotAnAssociation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted =
            "expected usage, selector, matching type and hex digits, such as `3 1 1 0123…`";
        write!(f, "`{}` is not TLSA data: {wanted}", self.text)
    }
}

impl std::error::Error for NotAnAssociation {}

impl FromStr for Association {
    type Err = NotAnAssociation;

    /// Reads `usage selector matching hex…`; the hex may be split by blanks (RFC 6698 §2.2).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || NotAnAssociation {
            text: text.to_owned(),
        };
        let mut words = text.split_ascii_whitespace();
        let mut number = || {
            words
                .next()
                .and_then(|w| w.parse::<u8>().ok())
                .ok_or_else(refused)
        };
        let (usage, selector, matching) = (number()?, number()?, number()?);
        let digits: String = words.collect();
        let data = from_hex(&digits)
            .filter(|d| !d.is_empty())
            .ok_or_else(refused)?;
        Ok(Self {
            usage,
            selector,
            matching,
            data,
        })
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => {
                let (high, low) = (
                    char::from(*high).to_digit(16)?,
                    char::from(*low).to_digit(16)?,
                );
                u8::try_from((high << 4) | low).ok()
            }
            _ => None,
        })
        .collect()
}

impl Serialize for Association {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Association {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_odd_text_is_refused() {
        let one: Association = "3 1 1 00FF".parse().unwrap();
        assert_eq!(one.to_string(), "3 1 1 00ff");
        assert_eq!("3 1 1 00 ff".parse(), Ok(one), "hex may be split by blanks");
        for bad in ["", "3 1 1", "3 1 1 0", "3 1 1 0g", "256 1 1 00", "3 1 00"] {
            assert!(bad.parse::<Association>().is_err(), "{bad}");
        }
    }
}
