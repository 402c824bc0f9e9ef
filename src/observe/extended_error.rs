//! Why an answer counts for less than it says: a sentence for people and the extended DNS error of it (RFC 8914 §4).

use std::fmt;

/// The errors of RFC 8914 §4 (and of its registry) that this program gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtendedError {
    /// 0: none of the others.
    Other,
    /// 1: the DNSKEY RRset has only algorithms that cannot be checked here.
    UnsupportedDnskeyAlgorithm,
    /// 2: the DS RRset has only digest types that cannot be checked here.
    UnsupportedDsDigestType,
    /// 5: no trust anchor lies above the name (RFC 4035 §4.3).
    DnssecIndeterminate,
    /// 6: a signature or a proof does not hold.
    DnssecBogus,
    /// 7: the signatures have expired.
    SignatureExpired,
    /// 8: the signatures are not valid yet.
    SignatureNotYetValid,
    /// 9: no DNSKEY that the DS RRset or a signature names.
    DnskeyMissing,
    /// 10: no signature where there must be one.
    RrsigsMissing,
    /// 11: the key that signed is not a zone key.
    NoZoneKeyBitSet,
    /// 12: no proof of an absence.
    NsecMissing,
    /// 20: the name lies in a zone that others serve.
    NotAuthoritative,
    /// 22: no server answers.
    NoReachableAuthority,
    /// 23: the network fails.
    NetworkError,
    /// 27: more NSEC3 iterations than are taken for secure.
    UnsupportedNsec3Iterations,
}

impl ExtendedError {
    /// The INFO-CODE.
    pub const fn code(self) -> u16 {
        match self {
            Self::Other => 0,
            Self::UnsupportedDnskeyAlgorithm => 1,
            Self::UnsupportedDsDigestType => 2,
            Self::DnssecIndeterminate => 5,
            Self::DnssecBogus => 6,
            Self::SignatureExpired => 7,
            Self::SignatureNotYetValid => 8,
            Self::DnskeyMissing => 9,
            Self::RrsigsMissing => 10,
            Self::NoZoneKeyBitSet => 11,
            Self::NsecMissing => 12,
            Self::NotAuthoritative => 20,
            Self::NoReachableAuthority => 22,
            Self::NetworkError => 23,
            Self::UnsupportedNsec3Iterations => 27,
        }
    }

    /// Its name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "Other Error",
            Self::UnsupportedDnskeyAlgorithm => "Unsupported DNSKEY Algorithm",
            Self::UnsupportedDsDigestType => "Unsupported DS Digest Type",
            Self::DnssecIndeterminate => "DNSSEC Indeterminate",
            Self::DnssecBogus => "DNSSEC Bogus",
            Self::SignatureExpired => "Signature Expired",
            Self::SignatureNotYetValid => "Signature Not Yet Valid",
            Self::DnskeyMissing => "DNSKEY Missing",
            Self::RrsigsMissing => "RRSIGs Missing",
            Self::NoZoneKeyBitSet => "No Zone Key Bit Set",
            Self::NsecMissing => "NSEC Missing",
            Self::NotAuthoritative => "Not Authoritative",
            Self::NoReachableAuthority => "No Reachable Authority",
            Self::NetworkError => "Network Error",
            Self::UnsupportedNsec3Iterations => "Unsupported NSEC3 Iterations Value",
        }
    }
}

/// The EDNS option of extended errors.
const OPTION: u16 = 15;
/// Characters of a server's text that are kept.
const CHARACTERS: usize = 120;

/// What a server says of its own error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The INFO-CODE.
    pub code: u16,
    /// Its words, printable; mostly none.
    pub text: String,
}

impl Explanation {
    /// The first among EDNS options (RFC 8914 §2).
    pub(super) fn first_of(mut options: &[u8]) -> Option<Self> {
        while let [a, b, c, d, rest @ ..] = options {
            let length = usize::from(u16::from_be_bytes([*c, *d]));
            let (value, after) = rest.split_at_checked(length)?;
            if u16::from_be_bytes([*a, *b]) == OPTION {
                let (code, text) = value.split_first_chunk()?;
                // From a stranger, for a terminal: printable characters only, and not many.
                let text = String::from_utf8_lossy(text);
                let printable = text.chars().filter(|c| !c.is_control());
                return Some(Self {
                    code: u16::from_be_bytes(*code),
                    text: printable.take(CHARACTERS).collect(),
                });
            }
            options = after;
        }
        None
    }

    /// Whether the server has made up its mind: it judged the data or is not willing, and would say so again. All else
    /// (no server reached, an error kept from before, not ready yet) may be over in a moment.
    pub fn is_verdict(&self) -> bool {
        matches!(self.code, 1 | 2 | 5..=12 | 15..=18 | 20 | 21 | 25 | 27)
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The extended error that a validating resolver would give.
    pub error: ExtendedError,
    /// What, where and why, for people.
    pub reason: String,
}

impl Flaw {
    /// A flaw of this kind.
    pub fn new(error: ExtendedError, reason: impl Into<String>) -> Self {
        Self {
            error,
            reason: reason.into(),
        }
    }

    /// The same flaw, said of something.
    #[must_use]
    pub fn of(self, what: &str) -> Self {
        Self {
            reason: format!("{what}: {}", self.reason),
            ..self
        }
    }
}

impl From<String> for Flaw {
    fn from(reason: String) -> Self {
        Self::new(ExtendedError::DnssecBogus, reason)
    }
}

impl From<&str> for Flaw {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extended error {}", self.code)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

impl fmt::Display for ExtendedError {
    /// `7 (Signature Expired)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code(), self.name())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
