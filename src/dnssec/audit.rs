//! Whether a whole zone is signed as validators demand: every RRset, every algorithm, nothing that must not be (RFC 4035 §2).
//!
//! Decides for itself what is authoritative and what must be signed; the signer's opinion is not asked. Fails closed:
//! what cannot be judged is a finding.

pub use super::audit_keys::has_common_entry;

use crate::dnssec::audit_chain::check_chain;
use crate::dnssec::audit_hashed::holds_data;
pub use crate::dnssec::audit_keys::Expectation;
use crate::dnssec::audit_keys::{KeySet, check_entry};
use crate::dnssec::audit_place::{Place, Spot, survey};
use crate::dnssec::dnskey::KeyId;
use crate::dnssec::finding::{Fault, Finding};
use crate::dnssec::rrsig::{Rrsig, labels_field};
use crate::dnssec::share::in_blocks;
use crate::dnssec::verify::{Invalid, Judge, KeyRing, Verified};
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::{Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::zonemd;
use std::collections::BTreeSet;

/// What a zone without fault holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The zone.
    pub apex: Name,
    /// Its serial.
    pub serial: u32,
    /// RRsets that are signed.
    pub rrsets: usize,
    /// Signatures that were checked.
    pub signatures: usize,
    /// Names in the denial chain.
    pub chain: usize,
    /// Whether the chain is one of NSEC3 records that leaves out delegations without DS (RFC 5155 §6).
    pub opt_out: bool,
    /// The keys that signed, and what of.
    pub keys: BTreeSet<KeyId>,
    /// Algorithms of DNSKEYs that cannot be checked here; their signatures were passed over.
    pub unchecked: BTreeSet<u8>,
    /// Latest inception and earliest expiration of all signatures.
    pub window: SignatureWindow,
}

/// Checks the whole zone at the instant `at`; see [`judge_zone`].
pub fn verify_zone(
    zone: &Zone,
    at: Instant,
    horizon: Span,
    ds: Option<&[Rdata]>,
) -> Result<Summary, Vec<Finding>> {
    let expectation = Expectation {
        horizon,
        ds,
        ..Expectation::at(at)
    };
    judge_zone(zone, &expectation)
}

/// Checks the whole zone; on failure, every fault in canonical order of owners.
///
/// Every RRset of the zone's own must carry a signature that holds by every algorithm of the DNSKEY RRset; a signature
/// that does not hold is a fault even beside one that does. The DNSKEY RRset must be signed by a key with the SEP flag,
/// if there is one, and by a key of every algorithm that the parent's DS records name, if they are given. The chain of
/// denial, NSEC or NSEC3, must be closed and say of every name what is there.
pub fn judge_zone(zone: &Zone, expectation: &Expectation<'_>) -> Result<Summary, Vec<Finding>> {
    let mut findings = Vec::new();
    let serial = zone.soa().map(|soa| soa.serial);
    if serial.is_none() {
        findings.push(Finding::new(&zone.apex, Rtype::SOA, Fault::NoSoa));
    }
    let keys = KeySet::read(zone, &mut findings);
    let spots = survey(zone);
    let (mut tally, mut rrsets) = (Tally::default(), 0_usize);
    for stretch in spots.chunks(STRETCH) {
        let mut claims = Vec::new();
        for spot in stretch {
            collect_claims(zone, spot, &mut claims, &mut findings);
        }
        rrsets = rrsets.saturating_add(claims.len());
        tally.add(check_claims(&claims, &keys, zone, expectation));
    }
    findings.append(&mut tally.findings);
    check_entry(zone, &keys, expectation, &mut findings);
    let chain = check_chain(zone, &spots, &mut findings);
    for (_, fault) in zonemd::faults(zone) {
        findings.push(Finding::new(
            &zone.apex,
            Rtype::ZONEMD,
            Fault::Digest(fault),
        ));
    }
    findings.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.rtype.cmp(&b.rtype)));
    match (serial, tally.window) {
        (Some(serial), Some(window)) if findings.is_empty() => Ok(Summary {
            apex: zone.apex.clone(),
            serial,
            rrsets,
            signatures: tally.signatures,
            chain: chain.names,
            opt_out: chain.opt_out,
            keys: tally.keys,
            unchecked: keys.unchecked,
            window,
        }),
        _ => {
            if findings.is_empty() {
                findings.push(Finding::new(&zone.apex, Rtype::RRSIG, Fault::Unsigned));
            }
            Err(findings)
        }
    }
}

/// An RRset that must be signed, and its signatures.
pub(super) struct Claim<'z> {
    owner: &'z Name,
    rtype: Rtype,
    rrset: &'z Rrset,
    rrsigs: Vec<&'z Rdata>,
}

/// Whether the RRset must be signed; if not, it must not be.
fn must_be_signed(place: Place, rtype: Rtype) -> bool {
    match (rtype, place) {
        (Rtype::RRSIG, _) => false,
        // NSEC3 records are the zone's own even below a DNAME at the apex.
        (Rtype::NSEC3, _) | (_, Place::Own) => true,
        (_, Place::Delegation) => matches!(rtype, Rtype::DS | Rtype::NSEC),
        (_, Place::Beyond) => false,
    }
}

pub(super) fn collect_claims<'z>(
    zone: &Zone,
    spot: &Spot<'z>,
    claims: &mut Vec<Claim<'z>>,
    findings: &mut Vec<Finding>,
) {
    let Spot { owner, node, place } = *spot;
    let mut fault = |rtype, fault| findings.push(Finding::new(owner, rtype, fault));
    if !owner.is_at_or_below(&zone.apex) {
        return fault(Rtype::ANY, Fault::OutOfZone);
    }
    if node.contains_key(&Rtype::DS) && (place != Place::Delegation) {
        fault(Rtype::DS, Fault::StrayDs);
    }
    let signatures = node.get(&Rtype::RRSIG).map(|r| r.rdatas.as_slice());
    let signatures = signatures.unwrap_or_default();
    for rrsig in signatures {
        match Rrsig::covered_by(rrsig) {
            None => fault(Rtype::RRSIG, Fault::BrokenSignature),
            // Nobody is given a signature without what it covers. Alone, it makes a name that the chain does not know.
            Some(covered) if !node.contains_key(&covered) => {
                if !holds_data(node) {
                    fault(covered, Fault::SignatureWithoutRrset);
                }
            }
            Some(covered) if !must_be_signed(place, covered) => {
                fault(covered, Fault::MustNotBeSigned);
            }
            Some(_) => {}
        }
    }
    for (&rtype, rrset) in node {
        if must_be_signed(place, rtype) {
            let over = |rrsig: &&Rdata| Rrsig::covered_by(rrsig) == Some(rtype);
            claims.push(Claim {
                owner,
                rtype,
                rrset,
                rrsigs: signatures.iter().filter(over).collect(),
            });
        }
    }
}

/// What a thread found.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) findings: Vec<Finding>,
    signatures: usize,
    keys: BTreeSet<KeyId>,
    window: Option<SignatureWindow>,
}

/// Owners whose claims are in memory together: enough to keep every thread busy, a fraction of a large zone.
const STRETCH: usize = 1 << 15;

/// Claims that a thread takes at a time.
const BLOCK: usize = 64;

pub(super) fn check_claims(
    claims: &[Claim<'_>],
    keys: &KeySet<'_>,
    zone: &Zone,
    expectation: &Expectation<'_>,
) -> Tally {
    let ring = KeyRing::read(keys.rdatas);
    let tallies = in_blocks(claims, BLOCK, expectation.threads, || {
        let mut judge = Judge::new(&ring, &zone.apex, expectation.at);
        move |claims: &[Claim<'_>]| {
            let mut tally = Tally::default();
            for claim in claims {
                tally.check(claim, keys, &zone.apex, &mut judge, expectation);
            }
            tally
        }
    });
    let mut whole = Tally::default();
    for tally in tallies {
        whole.add(tally);
    }
    whole
}

impl Tally {
    fn check(
        &mut self,
        claim: &Claim<'_>,
        keys: &KeySet<'_>,
        apex: &Name,
        judge: &mut Judge<'_>,
        expectation: &Expectation<'_>,
    ) {
        let mut unmet = keys.required.clone();
        for rdata in &claim.rrsigs {
            let Ok(rrsig) = Rrsig::parse(rdata) else {
                self.fault(claim, Fault::BrokenSignature);
                continue;
            };
            // During an algorithm roll signatures come before their DNSKEY does (RFC 6781 §4.1.4): not for us to judge.
            let known = keys.required.contains(&rrsig.key.algorithm);
            if !known && rrsig.signer == *apex {
                continue;
            }
            let judged = judge.judge(claim.owner, claim.rtype, claim.rrset, &rrsig);
            // Validators pass over the signature of a key that is gone, as BIND and Knot do; it stands for nothing.
            if let Err(Invalid::NoSuchKey(_)) = judged {
                continue;
            }
            unmet.remove(&rrsig.key.algorithm);
            match judged {
                Err(invalid) => self.fault(claim, Fault::Invalid(rrsig.key, invalid)),
                Ok(verified) => self.count(claim, &rrsig, &verified, expectation),
            }
        }
        for algorithm in unmet {
            self.fault(claim, Fault::NotSignedBy(algorithm));
        }
    }

    /// What the zone's own copy must satisfy beyond what an answer must.
    fn count(
        &mut self,
        claim: &Claim<'_>,
        rrsig: &Rrsig<'_>,
        verified: &Verified,
        expectation: &Expectation<'_>,
    ) {
        let (key, window) = (verified.key, verified.window);
        if rrsig.labels != labels_field(claim.owner) {
            self.fault(claim, Fault::Labels(key, rrsig.labels));
        }
        if verified.original_ttl != claim.rrset.ttl {
            self.fault(
                claim,
                Fault::Ttl(key, verified.original_ttl, claim.rrset.ttl),
            );
        }
        if window.ends_within(expectation.at, expectation.horizon) {
            self.fault(claim, Fault::Expiring(key, window.expiration));
        }
        self.signatures = self.signatures.saturating_add(1);
        self.keys.insert(key);
        self.window = Some(self.window.map_or(window, |so_far| so_far.both(window)));
    }

    fn fault(&mut self, claim: &Claim<'_>, fault: Fault) {
        self.findings
            .push(Finding::new(claim.owner, claim.rtype, fault));
    }

    fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.signatures = self.signatures.saturating_add(other.signatures);
        self.keys.extend(other.keys);
        if let Some(window) = other.window {
            self.window = Some(self.window.map_or(window, |so_far| so_far.both(window)));
        }
    }
}
