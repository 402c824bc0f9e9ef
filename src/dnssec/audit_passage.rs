//! Whether a run of owners that was signed anew is as the whole zone must be, and fits what lies around it (RFC 4035 §2).

use crate::dnssec::audit::{check_claims, collect_claims};
use crate::dnssec::audit_chain::check_links;
use crate::dnssec::audit_keys::{Expectation, KeySet, check_entry};
use crate::dnssec::audit_place::survey;
use crate::dnssec::finding::Finding;
use crate::rotation::timing::{Instant, Span};
use crate::zone::content::Zone;
use crate::zone::name::Name;
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
    check_links(&spots, passage.next, &mut findings);
    findings
}
