//! One report of a mail sender about the TLS sessions it tried (RFC 8460 §4), and what is odd about it, as values.

use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use std::collections::BTreeSet;
use std::fmt;

/// No report is longer, uncompressed.
pub const MAX_OCTETS: usize = 4 * 1024 * 1024;
/// Reports of one text that are read.
pub(super) const REPORTS: usize = 1_000;

/// What one sender reports about one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The reporting organisation; empty if it does not say.
    pub organisation: String,
    /// The report's name, unique for the organisation.
    pub id: String,
    /// From when until when it counts; `None` if that is missing or no date.
    pub span: Option<(Instant, Instant)>,
    /// One entry for each policy that was applied.
    pub policies: Vec<Policy>,
    /// What is odd about it.
    pub oddities: Vec<Oddity>,
}

/// One policy that the sender applied, and how its sessions went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which kind.
    pub kind: Kind,
    /// The domain it belongs to, lower case; `None` if missing.
    pub domain: Option<String>,
    /// The TLSA records that the sender saw, where it tells them.
    pub associations: BTreeSet<Association>,
    /// The MX names or patterns of the policy, lower case.
    pub mx: Vec<String>,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that did not, as the summary says.
    pub failed: u64,
    /// The failures one by one.
    pub failures: Vec<Failure>,
}

/// Kinds of policy (RFC 8460 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// The sender found neither.
    NoPolicyFound,
    /// Something this program does not know, or nothing.
    Other(String),
}

/// Sessions that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The result type (RFC 8460 §4.3), lower case: `validation-failure`, `certificate-host-mismatch`, …
    pub result: String,
    /// The MX host, lower case, without a final dot; `None` if missing.
    pub host: Option<String>,
    /// The address that was connected to.
    pub receiving_ip: Option<String>,
    /// The address of the sending host.
    pub sending_ip: Option<String>,
    /// How many sessions.
    pub sessions: u64,
    /// What the sender adds: a reason code and further words.
    pub reason: Option<String>,
}

/// A habit of a sender that a reader should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The organisation is not named.
    NoOrganisation,
    /// The report has no name: it cannot be told from a second copy of itself.
    NoId,
    /// The dates are missing or cannot be read.
    NoDates,
    /// A policy does not say for which domain it is.
    NoPolicyDomain,
    /// A policy's total of failures is not the sum of its failures.
    TotalsDisagree {
        /// The policy's domain.
        domain: String,
        /// The total in the summary.
        total: u64,
        /// The sum of the details.
        details: u64,
    },
    /// A policy's text is JSON inside a string.
    PolicyInString,
    /// More policies, failures or lines than are kept.
    TooMany {
        /// How many were left out.
        left_out: u64,
    },
}

/// Why a text is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReport {
    /// Too long.
    #[error("longer than {} MiB: no TLS report is", MAX_OCTETS / 1024 / 1024)]
    TooLong,
    /// More in one text than are read.
    #[error("more than {REPORTS} reports in one file")]
    TooMany,
    /// A text in another encoding, where a name of a host, domain or result is not ASCII: what it says is not known.
    #[error("its text is not UTF-8 (RFC 8259 §8.1), nor is all of it that counts ASCII")]
    Encoding,
    /// A number of sessions that is none: how many failed is not known.
    #[error("its `{field}` is `{found}`, which is no number of sessions (RFC 8460 §4.4)")]
    Count {
        /// The field.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not JSON, or JSON of another shape.
    #[error("not a TLS report (RFC 8460 §4.4): {0}")]
    Json(String),
}

impl Policy {
    /// The MX host that a failure is about: as it says, else the only one the policy has.
    pub fn host_of<'p>(&'p self, failure: &'p Failure) -> Option<&'p str> {
        let only = match self.mx.as_slice() {
            [one] if !one.starts_with('*') && !one.starts_with('.') => Some(one.as_str()),
            _ => None,
        };
        failure.host.as_deref().or(only)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
            Self::Other(text) if text.is_empty() => "(no policy type)",
            Self::Other(text) => text,
        })
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOrganisation => f.write_str("it does not say who reports"),
            Self::NoId => f.write_str("it has no report-id, so a second copy would count twice"),
            Self::NoDates => f.write_str("its date-range is missing or cannot be read"),
            Self::NoPolicyDomain => f.write_str("a policy does not say its policy-domain"),
            Self::TotalsDisagree {
                domain,
                total,
                details,
            } => {
                let of = if domain.is_empty() { "" } else { " of " };
                write!(
                    f,
                    "the policy{of}{domain} counts {total} failed sessions, its failure-details add up to {details}"
                )
            }
            Self::PolicyInString => {
                f.write_str("its policy-string is JSON inside a string, read as such")
            }
            Self::TooMany { left_out } => {
                write!(f, "{left_out} entries beyond what is kept were left out")
            }
        }
    }
}
