//! What can be wrong with a signed zone, said so that the owner, the type and the key are named.

use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::KeyId;
use crate::dnssec::nsec3::MOST_ITERATIONS;
use crate::dnssec::verify::Invalid;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use crate::zone::zonemd;
use std::collections::BTreeSet;
use std::fmt;

/// One fault of a zone. Prints as `mx.example.com. TLSA: the signature expired at …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{owner} {rtype}: {fault}")]
pub struct Finding {
    /// Where.
    pub owner: Name,
    /// At which RRset.
    pub rtype: Rtype,
    /// What.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No SOA at the apex.
    NoSoa,
    /// No DNSKEY at all.
    NoKeys,
    /// No signature at all.
    Unsigned,
    /// A DNSKEY that ends early.
    BrokenKey,
    /// Only algorithms that cannot be checked, or only keys that may not sign.
    NoUsableAlgorithm,
    /// An owner that is not in the zone.
    OutOfZone,
    /// DS where nothing is delegated.
    StrayDs,
    /// An RRSIG that cannot be read.
    BrokenSignature,
    /// The RRset under the signature is gone.
    SignatureWithoutRrset,
    /// Delegation, glue, or below a DNAME.
    MustNotBeSigned,
    /// No signature of this algorithm, of which the zone has a DNSKEY.
    NotSignedBy(u8),
    /// A signature that does not hold.
    Invalid(KeyId, Invalid),
    /// A signature made for another name: the labels field does not fit the owner.
    Labels(KeyId, u8),
    /// The TTL that was signed, and the one that the RRset has.
    Ttl(KeyId, Ttl, Ttl),
    /// The signature ends within the horizon.
    Expiring(KeyId, Instant),
    /// There are SEP keys, and none of them signs the DNSKEY RRset.
    NoEntryPointSigns,
    /// The DS records given cannot be checked.
    NoUsableDs,
    /// The DS records name this algorithm, but no key they stand for signs the DNSKEY RRset.
    NoDsMatches(u8),
    /// The name owns data and has no NSEC.
    NoNsec,
    /// NSEC at a name that owns nothing of the zone's.
    StrayNsec,
    /// Several NSEC records, or one that cannot be read.
    BrokenNsec,
    /// NSEC points at the first name, but the next is the second.
    WrongNext(Name, Name),
    /// Types that the bitmap leaves out, and types that it has too many.
    WrongTypes(Vec<Rtype>, Vec<Rtype>),
    /// There are NSEC3 records, but no NSEC3PARAM says how they are to be found.
    NoNsec3Param,
    /// NSEC3PARAM that is malformed, of an unknown hash, or with flags: servers pass over it.
    BrokenNsec3Param,
    /// More additional iterations than validators accept.
    Iterations(u16),
    /// The name exists and its hash has no NSEC3 record.
    NoNsec3,
    /// An NSEC3 record for a hash that no name has, or not directly below the apex.
    StrayNsec3,
    /// Two NSEC3 records of one hash and chain, or one that cannot be read, or one that validators pass over.
    BrokenNsec3,
    /// NSEC3 with other parameters than any NSEC3PARAM.
    Nsec3OfNoChain,
    /// The record does not point at the next hash.
    WrongNextHash,
    /// A digest of the whole zone that does not vouch for it.
    Digest(zonemd::Fault),
}

impl Finding {
    pub(super) fn new(owner: &Name, rtype: Rtype, fault: Fault) -> Self {
        Self {
            owner: owner.clone(),
            rtype,
            fault,
        }
    }
}

impl Fault {
    /// What is wrong with the types of a link in the chain of denial, if they are not those expected.
    pub(super) fn of_types(found: &BTreeSet<Rtype>, expected: &BTreeSet<Rtype>) -> Option<Self> {
        let only = |a: &BTreeSet<Rtype>, b| a.difference(b).copied().collect();
        (found != expected).then(|| Self::WrongTypes(only(expected, found), only(found, expected)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSoa => f.write_str("there is no SOA record"),
            Self::NoKeys => f.write_str("there is no DNSKEY record: the zone is not signed"),
            Self::Unsigned => f.write_str("there is no signature that could be checked"),
            Self::BrokenKey => f.write_str("a DNSKEY record is truncated"),
            Self::NoUsableAlgorithm => f.write_str(
                "no DNSKEY may sign zone data with an algorithm that can be checked here",
            ),
            Self::OutOfZone => f.write_str("the owner is not in the zone"),
            Self::StrayDs => f.write_str("DS records where nothing is delegated"),
            Self::BrokenSignature => f.write_str("an RRSIG record is malformed"),
            Self::SignatureWithoutRrset => f.write_str("signed, but there is no such RRset"),
            Self::MustNotBeSigned => {
                f.write_str("signed, but not the zone's own: a delegation, glue, or below a DNAME")
            }
            Self::NotSignedBy(number) => write!(f, "no signature by {}", algorithm(*number)),
            Self::Invalid(key, invalid) => write!(f, "signature by key {key}: {invalid}"),
            Self::Labels(key, labels) => write!(
                f,
                "signature by key {key}: the labels field {labels} does not fit the owner"
            ),
            Self::Ttl(key, signed, found) => write!(
                f,
                "signature by key {key}: made for a TTL of {signed}, the RRset has {found}"
            ),
            Self::Expiring(key, at) => write!(f, "signature by key {key}: expires soon, at {at}"),
            Self::NoEntryPointSigns => {
                f.write_str("no key with the SEP flag (257) signs the DNSKEY RRset")
            }
            Self::NoUsableDs => f.write_str("no DS record given can be checked"),
            Self::NoDsMatches(number) => write!(
                f,
                "the DS records name {}, but no key that they stand for signs the DNSKEY RRset",
                algorithm(*number)
            ),
            Self::NoNsec => f.write_str("there is no NSEC record"),
            Self::StrayNsec => {
                f.write_str("an NSEC record at a name that owns nothing of the zone's")
            }
            Self::BrokenNsec => f.write_str("several NSEC records, or one that is malformed"),
            Self::WrongNext(found, expected) => {
                write!(f, "NSEC points at {found}, but the next name is {expected}")
            }
            Self::WrongTypes(missing, surplus) => {
                f.write_str("the types it is said to have are wrong:")?;
                missing
                    .iter()
                    .try_for_each(|t| write!(f, " {t} is missing"))?;
                surplus
                    .iter()
                    .try_for_each(|t| write!(f, " {t} is not there"))
            }
            Self::NoNsec3Param => f.write_str("there are NSEC3 records, but no NSEC3PARAM record"),
            Self::BrokenNsec3Param => {
                f.write_str("malformed, of an unknown hash algorithm, or with flags")
            }
            Self::Iterations(number) => write!(
                f,
                "{number} additional iterations, more than the {MOST_ITERATIONS} that validators accept"
            ),
            Self::NoNsec3 => f.write_str("there is no NSEC3 record for the hash of this name"),
            Self::StrayNsec3 => f.write_str("an NSEC3 record for a hash that no name here has"),
            Self::BrokenNsec3 => f.write_str(
                "two NSEC3 records of one chain, or one that is malformed or has unknown flags",
            ),
            Self::Nsec3OfNoChain => {
                f.write_str("an NSEC3 record whose parameters are not those of NSEC3PARAM")
            }
            Self::Digest(fault) => fault.fmt(f),
            Self::WrongNextHash => f.write_str("it does not point at the next hash of the chain"),
        }
    }
}

fn algorithm(number: u8) -> String {
    Algorithm::from_number(number).map_or(format!("algorithm {number}"), |known| {
        format!("{known} (algorithm {number})")
    })
}
