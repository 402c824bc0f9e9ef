//! Whether a run of owners that was signed anew is as the whole zone must be, and fits what lies around it (RFC 4035 §2).

use crate::dnssec::audit::{check_claims, collect_claims};
use crate::dnssec::audit_chain::check_links;
use crate::dnssec::audit_hashed::{holds_data, present};
use crate::dnssec::audit_keys::{Expectation, KeySet, check_entry};
use crate::dnssec::audit_place::{Place, Spot, survey};
use crate::dnssec::finding::{Fault, Finding};
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::{Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

/// A run of owners of a zone, and what of the zone its signatures depend on. Its first owner is the zone's own.
pub(super) struct Passage<'a> {
    /// As it was; this has been verified.
    pub(super) before: &'a Zone,
    /// As it is now.
    pub(super) now: &'a Zone,
    /// The owner that follows it; at the end of the zone, the apex.
    pub(super) next: &'a Name,
    /// The run that holds the apex with its DNSKEY RRset.
    pub(super) top: &'a Zone,
}

/// Every fault: of all RRsets at owners that differ from before, and of the links of the denial chain at all owners.
pub(super) fn verify_passage(passage: &Passage<'_>, at: Instant) -> Vec<Finding> {
    let expectation = Expectation {
        at,
        horizon: Span::ZERO,
        ds: None,
        // A passage is short.
        threads: NonZeroUsize::MIN,
    };
    let zone = passage.now;
    let mut findings = Vec::new();
    let keys = KeySet::read(passage.top, &mut findings);
    let mut claims = Vec::new();
    let spots = survey(zone);
    for spot in &spots {
        if passage.before.nodes.get(spot.owner) != Some(spot.node) {
            collect_claims(zone, spot, &mut claims, &mut findings);
        }
    }
    let tally = check_claims(&claims, &keys, zone, &expectation);
    findings.extend(tally.findings);
    check_entry(zone, &keys, &expectation, &mut findings);
    if passage
        .top
        .rrset(&passage.top.apex, Rtype::NSEC3PARAM)
        .is_some()
    {
        check_unmoved(&survey(passage.before), &spots, &mut findings);
    } else {
        check_links(&spots, passage.next, &mut findings);
    }
    findings
}

/// The links of hashed names lie all over the zone: they are right if names, types and links here are as before.
fn check_unmoved(before: &[Spot<'_>], now: &[Spot<'_>], findings: &mut Vec<Finding>) {
    let mut fault = |owner: &Name, fault| findings.push(Finding::new(owner, Rtype::NSEC3, fault));
    let (old, new) = (Proven::by(before), Proven::by(now));
    for (owner, types) in &new.types {
        match old.types.get(owner) {
            None => fault(owner, Fault::NoNsec3),
            Some(shown) => Fault::of_types(shown, types)
                .into_iter()
                .for_each(|types| fault(owner, types)),
        }
    }
    let gone = old
        .types
        .keys()
        .filter(|owner| !new.types.contains_key(*owner));
    gone.for_each(|owner| fault(owner, Fault::StrayNsec3));
    let owners: BTreeSet<&Name> = old.links.keys().chain(new.links.keys()).copied().collect();
    let moved = |owner: &&Name| old.links.get(*owner) != new.links.get(*owner);
    owners
        .into_iter()
        .filter(moved)
        .for_each(|owner| fault(owner, Fault::BrokenNsec3));
}

/// The names that NSEC3 records speak of, and those records.
struct Proven<'z> {
    types: BTreeMap<&'z Name, BTreeSet<Rtype>>,
    links: BTreeMap<&'z Name, &'z Rrset>,
}

impl<'z> Proven<'z> {
    fn by(spots: &[Spot<'z>]) -> Self {
        let own = |spot: &&Spot<'_>| spot.place != Place::Beyond && holds_data(spot.node);
        let link = |spot: &Spot<'z>| Some((spot.owner, spot.node.get(&Rtype::NSEC3)?));
        Self {
            types: spots
                .iter()
                .filter(own)
                .map(|s| (s.owner, present(s)))
                .collect(),
            links: spots.iter().filter_map(link).collect(),
        }
    }
}
