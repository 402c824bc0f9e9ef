//! What the DNSKEY RRset demands of a zone, and whether the parent's DS leads into it (RFC 4035 §2.2, §5.2).

use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::{Dnskey, Ds};
use crate::dnssec::finding::{Fault, Finding};
use crate::dnssec::verify::{entry_points, verify_rrset};
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::Zone;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

/// What a zone must stand up to.
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    /// The instant at which signatures must hold.
    pub at: Instant,
    /// A signature that ends within this span is a fault.
    pub horizon: Span,
    /// The parent's DS records, if they are known.
    pub ds: Option<&'a [Rdata]>,
    /// Threads that check signatures.
    pub threads: NonZeroUsize,
}

impl Expectation<'_> {
    /// That the zone holds at an instant, checked with all the processors there are.
    pub fn at(at: Instant) -> Self {
        Self {
            at,
            horizon: Span::ZERO,
            ds: None,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// What the DNSKEY RRset demands.
pub(super) struct KeySet<'z> {
    pub(super) rdatas: &'z [Rdata],
    /// Algorithms by which every RRset must be signed.
    pub(super) required: BTreeSet<u8>,
    pub(super) unchecked: BTreeSet<u8>,
}

impl<'z> KeySet<'z> {
    pub(super) fn read(zone: &'z Zone, findings: &mut Vec<Finding>) -> Self {
        let rdatas = zone
            .rrset(&zone.apex, Rtype::DNSKEY)
            .map(|rrset| rrset.rdatas.as_slice())
            .unwrap_or_default();
        let mut fault = |fault| findings.push(Finding::new(&zone.apex, Rtype::DNSKEY, fault));
        if rdatas.is_empty() {
            fault(Fault::NoKeys);
        }
        let (mut required, mut unchecked) = (BTreeSet::new(), BTreeSet::new());
        for rdata in rdatas {
            match Dnskey::parse(rdata) {
                None => fault(Fault::BrokenKey),
                Some(key) if !key.may_sign_zone_data() => {}
                Some(key) if Algorithm::from_number(key.algorithm).is_some() => {
                    required.insert(key.algorithm);
                }
                Some(key) => {
                    unchecked.insert(key.algorithm);
                }
            }
        }
        if required.is_empty() && !rdatas.is_empty() {
            fault(Fault::NoUsableAlgorithm);
        }
        Self {
            rdatas,
            required,
            unchecked,
        }
    }
}

/// Whether a key of the zone as it was vouches for the keys of the zone as it shall be: it is still there, and signs their set.
/// Where it had none, nothing vouches for any.
pub fn has_common_entry(before: &Zone, after: &Zone, at: Instant) -> bool {
    let keys = |zone: &Zone| -> Vec<Rdata> {
        let rrset = zone.rrset(&zone.apex, Rtype::DNSKEY);
        rrset.map(|rrset| rrset.rdatas.clone()).unwrap_or_default()
    };
    let signs = |rdata: &Rdata| Dnskey::parse(rdata).is_some_and(|key| key.may_sign_zone_data());
    let known = keys(before);
    let is_entry = |rdata: &Rdata| {
        let key = Dnskey::parse(rdata);
        signs(rdata) && key.is_some_and(|key| key.is_secure_entry_point())
    };
    let has_entries = known.iter().any(is_entry);
    let counts =
        |rdata: &&Rdata| known.contains(rdata) && signs(rdata) && (!has_entries || is_entry(rdata));
    let Some(node) = after.nodes.get(&after.apex) else {
        return false;
    };
    let (Some(rrset), Some(rrsigs)) = (node.get(&Rtype::DNSKEY), node.get(&Rtype::RRSIG)) else {
        return false;
    };
    let apex = &after.apex;
    rrset.rdatas.iter().filter(counts).any(|key| {
        let key = std::slice::from_ref(key);
        rrsigs
            .rdatas
            .iter()
            .any(|rrsig| verify_rrset(apex, Rtype::DNSKEY, rrset, rrsig, key, apex, at).is_ok())
    })
}

/// Whether the DNSKEY RRset is signed by the keys that the chain of trust enters through.
pub(super) fn check_entry(
    zone: &Zone,
    keys: &KeySet<'_>,
    expectation: &Expectation<'_>,
    findings: &mut Vec<Finding>,
) {
    let Some(node) = zone.nodes.get(&zone.apex) else {
        return;
    };
    let (Some(rrset), Some(rrsigs)) = (node.get(&Rtype::DNSKEY), node.get(&Rtype::RRSIG)) else {
        return;
    };
    let mut fault = |fault| findings.push(Finding::new(&zone.apex, Rtype::DNSKEY, fault));
    let signs_the_set = |key: &Rdata| {
        let key = std::slice::from_ref(key);
        let (apex, at) = (&zone.apex, expectation.at);
        rrsigs
            .rdatas
            .iter()
            .any(|rrsig| verify_rrset(apex, Rtype::DNSKEY, rrset, rrsig, key, apex, at).is_ok())
    };
    let is_entry = |rdata: &&Rdata| {
        Dnskey::parse(rdata)
            .is_some_and(|key| key.may_sign_zone_data() && key.is_secure_entry_point())
    };
    let entries: Vec<&Rdata> = keys.rdatas.iter().filter(is_entry).collect();
    if !entries.is_empty() && !entries.iter().any(|key| signs_the_set(key)) {
        fault(Fault::NoEntryPointSigns);
    }
    let Some(ds) = expectation.ds else { return };
    let named: BTreeSet<u8> = ds
        .iter()
        .filter_map(Ds::parse)
        .filter(|ds| ds.is_checkable() && Algorithm::from_number(ds.key.algorithm).is_some())
        .map(|ds| ds.key.algorithm)
        .collect();
    if named.is_empty() {
        fault(Fault::NoUsableDs);
    }
    let vouched = entry_points(&zone.apex, keys.rdatas, ds);
    for algorithm in named {
        let of_it = |key: &&Rdata| Dnskey::parse(key).is_some_and(|k| k.algorithm == algorithm);
        if !vouched.iter().filter(of_it).any(signs_the_set) {
            fault(Fault::NoDsMatches(algorithm));
        }
    }
}
