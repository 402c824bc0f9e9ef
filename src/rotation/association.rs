//! The association of a TLSA record as a value: usage, selector, matching type and association data (RFC 6698 §2.1).

use serde::de::Visitor;
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

/// Usage, selector and matching type of a record. Each combination in an RRset must have a record that matches the chain
/// in use (RFC 7671 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Combination {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.usage, self.selector, self.matching)
    }
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

    /// Whether it names the leaf itself (usage 3): what changes with a key, and what the machine rotates.
    pub fn is_dane_ee(&self) -> bool {
        self.usage == 3 && self.is_usable_for_smtp()
    }

    /// Usage, selector and matching type: the combination that RFC 7671 §8 speaks of.
    pub fn parameters(&self) -> Combination {
        Combination {
            usage: self.usage,
            selector: self.selector,
            matching: self.matching,
        }
    }

    /// Whether SMTP senders look at it at all: usages 0 and 1 do not count for them (RFC 7672 §3.1.3), nor does what
    /// nobody assigned or a digest of another length (RFC 6698 §2.1).
    ///
    /// Whether exact data (matching type 0) is DER is not looked at: it counts, which can only cry wolf.
    pub fn is_usable_for_smtp(&self) -> bool {
        let whole = match self.matching {
            0 => true,
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && self.selector <= 1 && whole
    }

    /// Whether senders with digest agility pass it over when `other` is there too (RFC 7671 §9): of one usage and selector
    /// only the strongest digest counts; exact data is always looked at.
    pub fn is_weaker_than(&self, other: &Self) -> bool {
        self.matching != 0
            && (other.usage, other.selector) == (self.usage, self.selector)
            && other.matching > self.matching
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
        let data = from_hex(words.flat_map(str::bytes))
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

fn from_hex(mut digits: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    // Nearly all are of SHA-256.
    let mut octets = Vec::with_capacity(32);
    let mut half = None;
    digits.try_for_each(|digit| {
        let low = u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        match half.take() {
            None => half = Some(low << 4),
            Some(high) => octets.push(high | low),
        }
        Some(())
    })?;
    half.is_none().then_some(octets)
}

impl Serialize for Association {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Association {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Written)
    }
}

/// Reads an association where it stands, without a copy of the text.
struct Written;

impl Visitor<'_> for Written {
    type Value = Association;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Association, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_senders_look_at() {
        let record = |usage, selector, matching, octets| Association {
            usage,
            selector,
            matching,
            data: vec![7; octets],
        };
        let table = [
            (record(3, 1, 1, 32), true, "the usual form"),
            (record(2, 0, 2, 64), true, "an issuer by SHA-512"),
            (record(3, 0, 0, 900), true, "a whole certificate"),
            (record(0, 1, 1, 32), false, "PKIX-TA: RFC 7672 §3.1.3"),
            (record(1, 1, 1, 32), false, "PKIX-EE: RFC 7672 §3.1.3"),
            (record(4, 1, 1, 32), false, "no such usage"),
            (record(3, 2, 1, 32), false, "no such selector"),
            (record(3, 1, 3, 32), false, "no such matching type"),
            (record(3, 1, 1, 31), false, "SHA-256 has 32 octets"),
            (record(3, 1, 2, 32), false, "SHA-512 has 64 octets"),
        ];
        for (association, usable, why) in table {
            assert_eq!(association.is_usable_for_smtp(), usable, "{why}");
        }
        let weaker = [
            (record(3, 1, 1, 32), record(3, 1, 2, 64), true),
            (record(3, 1, 2, 64), record(3, 1, 1, 32), false),
            (record(3, 1, 1, 32), record(3, 0, 2, 64), false),
            (record(3, 1, 1, 32), record(2, 1, 2, 64), false),
            (record(3, 1, 0, 90), record(3, 1, 2, 64), false),
        ];
        for (one, other, expected) in weaker {
            assert_eq!(one.is_weaker_than(&other), expected, "{one} {other}");
        }
    }

    #[test]
    fn text_round_trips_and_odd_text_is_refused() {
        let one: Association = "3 1 1 00FF".parse().unwrap();
        assert_eq!(one.to_string(), "3 1 1 00ff");
        assert_eq!("3 1 1 00 ff".parse(), Ok(one), "hex may be split by blanks");
        let wanted =
            "expected usage, selector, matching type and hex digits, such as `3 1 1 0123…`";
        for bad in ["", "3 1 1", "3 1 1 0", "3 1 1 0g", "256 1 1 00", "3 1 00"] {
            let refused = bad.parse::<Association>().unwrap_err().to_string();
            assert_eq!(refused, format!("`{bad}` is not TLSA data: {wanted}"));
        }
        let number = serde_json::from_str::<Association>("5").unwrap_err();
        assert!(number.to_string().contains("expected a string"), "{number}");
    }
}
