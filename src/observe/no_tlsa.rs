//! Why no TLSA record of a host counts, so that a sender delivers as if there were no DANE (RFC 7672 §2.1, §2.2).

use super::extended_error::Flaw;
use super::senders_view::plain;
use crate::zone::name::Name;
use std::fmt;

/// Why no TLSA record counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTlsa {
    /// The addresses are not secure, so no TLSA record is looked for (RFC 7672 §2.2.2).
    InsecureAddress(Flaw),
    /// There is none, and that is proven.
    ProvenAbsent {
        /// Where it was looked for.
        owner: Name,
    },
    /// The answer is not secure, whatever it says.
    Insecure {
        /// Where it was looked for.
        owner: Name,
        /// Whether there are records all the same.
        records: bool,
        /// Why they do not count.
        flaw: Flaw,
    },
}

impl fmt::Display for NoTlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsecureAddress(flaw) => {
                write!(
                    f,
                    "the host's addresses are not secure, so no TLSA record counts: {flaw}"
                )
            }
            Self::ProvenAbsent { owner } => {
                write!(f, "there is no TLSA record at {}", plain(owner))
            }
            Self::Insecure {
                owner,
                records: true,
                flaw,
            } => {
                write!(
                    f,
                    "the TLSA records at {} do not count, they are not secure: {flaw}",
                    plain(owner)
                )
            }
            Self::Insecure {
                owner,
                records: false,
                flaw,
            } => {
                write!(
                    f,
                    "there is no TLSA record at {} (not secure either: {flaw})",
                    plain(owner)
                )
            }
        }
    }
}
