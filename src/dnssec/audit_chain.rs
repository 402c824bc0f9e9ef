//! Whether the chain of denial, of whatever kind, is closed and says of every name exactly what is there (RFC 4034 §4, RFC 4035 §2.3).

use crate::dnssec::audit_hashed::{check_hashed, holds_data};
use crate::dnssec::audit_place::{Place, Spot};
use crate::dnssec::finding::{Fault, Finding};
use crate::zone::content::{Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::rdata::bitmap;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;

/// What was found.
#[derive(Default)]
pub(super) struct Chain {
    /// Names in the chain.
    pub(super) names: usize,
    /// Whether delegations may be missing from it.
    pub(super) opt_out: bool,
}

/// Checks the chain. A zone on its way from NSEC to NSEC3 or back has both (RFC 5155 §10.4); then both must be right.
pub(super) fn check_chain(zone: &Zone, spots: &[Spot<'_>], findings: &mut Vec<Finding>) -> Chain {
    let holds = |rtype| spots.iter().any(|spot| spot.node.contains_key(&rtype));
    let hashed = holds(Rtype::NSEC3) || zone.rrset(&zone.apex, Rtype::NSEC3PARAM).is_some();
    let mut chain = Chain::default();
    if hashed {
        chain = check_hashed(zone, spots, findings);
    }
    if !hashed || holds(Rtype::NSEC) {
        chain.names = chain.names.max(check_links(spots, &zone.apex, findings));
    }
    chain
}

/// Checks the NSEC records of a zone, or of a run of its owners that ends before `next`; returns how many there are.
pub(super) fn check_links(spots: &[Spot<'_>], next: &Name, findings: &mut Vec<Finding>) -> usize {
    let mut linked: Vec<&Spot<'_>> = Vec::with_capacity(spots.len());
    for spot in spots {
        if holds_data(spot.node) && spot.place != Place::Beyond {
            linked.push(spot);
        } else if spot.node.contains_key(&Rtype::NSEC) {
            findings.push(Finding::new(spot.owner, Rtype::NSEC, Fault::StrayNsec));
        }
    }
    let nexts = linked.iter().skip(1).map(|spot| spot.owner);
    let nexts = nexts.chain(std::iter::once(next));
    for (spot, next) in linked.iter().zip(nexts) {
        let faults = match spot.node.get(&Rtype::NSEC) {
            None => vec![Fault::NoNsec],
            Some(rrset) => check_link(rrset, next, &present(spot)),
        };
        let found = |fault| Finding::new(spot.owner, Rtype::NSEC, fault);
        findings.extend(faults.into_iter().map(found));
    }
    linked.len()
}

/// The types that are to be found when the zone's servers are asked for this name.
fn present(spot: &Spot<'_>) -> BTreeSet<Rtype> {
    let answered = |rtype: &&Rtype| match **rtype {
        Rtype::NSEC3 => false,
        Rtype::NS | Rtype::DS => true,
        _ => spot.place == Place::Own,
    };
    let mut types: BTreeSet<Rtype> = spot.node.keys().filter(answered).copied().collect();
    // A link itself is there, and signed.
    types.extend([Rtype::NSEC, Rtype::RRSIG]);
    types
}

fn check_link(rrset: &Rrset, expected_next: &Name, expected: &BTreeSet<Rtype>) -> Vec<Fault> {
    let [rdata] = rrset.rdatas.as_slice() else {
        return vec![Fault::BrokenNsec];
    };
    let Ok((next, windows)) = Name::split_wire(&rdata.0) else {
        return vec![Fault::BrokenNsec];
    };
    let Some(types) = bitmap::types(windows) else {
        return vec![Fault::BrokenNsec];
    };
    let types: BTreeSet<Rtype> = types.into_iter().collect();
    let mut faults = Vec::new();
    if next != *expected_next {
        faults.push(Fault::WrongNext(next, expected_next.clone()));
    }
    faults.extend(Fault::of_types(&types, expected));
    faults
}
