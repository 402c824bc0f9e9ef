//! Whether the NSEC chain is closed and says of every name exactly what is there (RFC 4034 §4, RFC 4035 §2.3).

use crate::dnssec::audit::{Place, place};
use crate::dnssec::finding::{Fault, Finding};
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::rdata::bitmap;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;

/// Checks the chain; returns how many names are in it.
pub(super) fn check_chain(zone: &Zone, findings: &mut Vec<Finding>) -> usize {
    let by_nsec3 = |node: &Node| node.contains_key(&Rtype::NSEC3PARAM);
    if zone.nodes.get(&zone.apex).is_some_and(by_nsec3) {
        findings.push(Finding::new(&zone.apex, Rtype::NSEC3PARAM, Fault::Nsec3));
        return 0;
    }
    check_links(zone, &zone.apex, findings)
}

/// Checks the NSEC records of a zone, or of a run of its owners that ends before `next`; returns how many there are.
pub(super) fn check_links(zone: &Zone, next: &Name, findings: &mut Vec<Finding>) -> usize {
    let mut linked: Vec<(&Name, &Node, Place)> = Vec::new();
    for (owner, node) in &zone.nodes {
        let place = place(zone, owner);
        let holds_data = node
            .keys()
            .any(|t| !matches!(*t, Rtype::NSEC | Rtype::RRSIG));
        if holds_data && place != Place::Beyond {
            linked.push((owner, node, place));
        } else if node.contains_key(&Rtype::NSEC) {
            findings.push(Finding::new(owner, Rtype::NSEC, Fault::StrayNsec));
        }
    }
    let nexts = linked.iter().skip(1).map(|(owner, ..)| *owner);
    let nexts = nexts.chain(std::iter::once(next));
    for ((owner, node, place), next) in linked.iter().zip(nexts) {
        let faults = match node.get(&Rtype::NSEC) {
            None => vec![Fault::NoNsec],
            Some(rrset) => check_link(rrset, next, &present(node, *place)),
        };
        let found = |fault| Finding::new(owner, Rtype::NSEC, fault);
        findings.extend(faults.into_iter().map(found));
    }
    linked.len()
}

/// The types that are to be found when the zone's servers are asked for this name.
fn present(node: &Node, place: Place) -> BTreeSet<Rtype> {
    let answered = |rtype: &&Rtype| place == Place::Own || matches!(**rtype, Rtype::NS | Rtype::DS);
    let mut types: BTreeSet<Rtype> = node.keys().filter(answered).copied().collect();
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
    if types != *expected {
        let missing = expected.difference(&types).copied().collect();
        let surplus = types.difference(expected).copied().collect();
        faults.push(Fault::WrongTypes(missing, surplus));
    }
    faults
}
