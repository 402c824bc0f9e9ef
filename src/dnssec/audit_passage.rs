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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dnssec::Earlier;
    use crate::dnssec::algorithm::Algorithm;
    use crate::dnssec::denial::Denial;
    use crate::dnssec::keystore::{Role, new_key};
    use crate::dnssec::nsec3::Hashing;
    use crate::dnssec::sign::{SigningPolicy, sign};
    use crate::zone::record::Rdata;

    const NOW: Instant = Instant::from_unix(1_800_000_000);

    fn zone(more: &str, denial: Denial) -> Zone {
        let text = format!(
            "$ORIGIN example.com.\n$TTL 60\n@ SOA ns.x. h 1 2 3 4 5\n NS ns.x.\na A 192.0.2.1\nz A 192.0.2.1\n{more}"
        );
        let zone = Zone::parse(text.as_bytes(), None).unwrap();
        let key = new_key(&zone.apex, Algorithm::Ed25519, Role::Csk, &[], (NOW, NOW));
        let policy = SigningPolicy {
            now: NOW,
            inception: NOW,
            expiration: Instant::from_unix(1_900_000_000),
            denial,
            ..SigningPolicy::default()
        };
        let keys = [key.unwrap().key];
        sign(&zone, &keys, Earlier::default(), &policy)
            .unwrap()
            .zone
    }

    fn faults(before: &Zone, now: &Zone) -> usize {
        let passage = Passage {
            before,
            now,
            next: &now.apex,
            top: now,
        };
        verify_passage(&passage, NOW).len()
    }

    #[test]
    fn a_wrong_signature_link_or_type_at_a_changed_owner_is_found() {
        let hashed = Denial::Nsec3 {
            hashing: Hashing::default(),
            opt_out: false,
        };
        for denial in [Denial::Nsec, hashed] {
            let old = zone("b A 192.0.2.1\n", denial.clone());
            assert_eq!(faults(&old, &old), 0);
            for (at, node) in old.nodes.values().enumerate() {
                for (&rtype, rrset) in node {
                    let mut now = old.clone();
                    let node = now.nodes.values_mut().nth(at).unwrap();
                    let mut octets = rrset.rdatas.first().unwrap().0.to_vec();
                    *octets.last_mut().unwrap() ^= 1;
                    let changed = Rdata(octets.into());
                    node.get_mut(&rtype).unwrap().rdatas = vec![changed];
                    assert_ne!(faults(&old, &now), 0, "{rtype} {denial:?}");
                }
            }
        }
        let hashed = Denial::Nsec3 {
            hashing: Hashing::default(),
            opt_out: false,
        };
        // A name more, which the chain that is kept does not speak of.
        let old = zone("", hashed);
        let mut now = old.clone();
        let host = old.nodes.iter().find(|(name, _)| name.label_count() == 3);
        let more = old.apex.child(b"b").unwrap();
        now.nodes.insert(more, host.unwrap().1.clone());
        assert_ne!(faults(&old, &now), 0);
    }
}
