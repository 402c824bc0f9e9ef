//! What lies at a name on the way down from a trust anchor, and why the way ends there (RFC 4035 §5.2, RFC 6840 §5.2).

use super::answer::{NoAnswer, Security};
use super::extended_error::{ExtendedError, Flaw};
use super::proof::{Keys, Trust};
use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::Ds;
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use std::sync::Arc;

/// What lies at a name: the apex of a signed zone, or no zone cut.
#[derive(Clone)]
pub(super) enum Cut {
    Zone(Arc<Keys>),
    None,
}

/// Why the chain does not go on at a name.
#[derive(Clone)]
pub(super) enum Stop {
    Insecure(Flaw),
    Indeterminate(Flaw),
    No(NoAnswer),
}

impl Stop {
    /// What an answer is worth whose chain stops so.
    pub(super) fn security(self) -> Result<Security, NoAnswer> {
        match self {
            Self::Insecure(flaw) => Ok(Security::Insecure(flaw)),
            Self::Indeterminate(flaw) => Ok(Security::Indeterminate(flaw)),
            Self::No(no) => Err(no),
        }
    }
}

/// Goes on only where every link holds.
pub(super) fn secured(security: Security) -> Result<(), Stop> {
    match security {
        Security::Secure => Ok(()),
        Security::Insecure(flaw) => Err(Stop::Insecure(flaw)),
        Security::Indeterminate(flaw) => Err(Stop::Indeterminate(flaw)),
    }
}

/// The DS records that can be checked here; a zone that has only others counts as unsigned (RFC 4035 §5.2, RFC 6840 §5.2).
pub(super) fn checkable(zone: &Name, ds: Vec<Rdata>) -> Result<Trust, Stop> {
    let fields = || ds.iter().filter_map(Ds::parse);
    let known = |ds: &Ds<'_>| Algorithm::from_number(ds.key.algorithm).is_some();
    if fields().any(|ds| known(&ds) && ds.is_checkable()) {
        return Ok(Trust::new(zone, ds, &[]));
    }
    let (error, what) = if fields().any(|ds| known(&ds)) {
        (ExtendedError::UnsupportedDsDigestType, "digest types")
    } else {
        (ExtendedError::UnsupportedDnskeyAlgorithm, "algorithms")
    };
    let reason = format!(
        "the DS records of {zone} have only {what} that cannot be checked: it counts as unsigned"
    );
    Err(Stop::Insecure(Flaw::new(error, reason)))
}

pub(super) fn bogus(flaw: Flaw) -> Stop {
    Stop::No(NoAnswer::Bogus(flaw))
}
