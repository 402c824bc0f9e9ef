//! Servers that went back: what the journal says that every server served, and one serves no more (RFC 7671 §8.1).

use super::evidence::ZoneEvidence;
use crate::observe::ailment::{Ailment, Finding};
use crate::observe::authorities::Served;
use crate::rotation::observation::{Authority, Observation, Seen, ServedRrset, TlsaName};
use crate::rotation::regress::regression;
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::Instant;
use crate::workflow::behind_aliases;
use crate::workspace::journal::RotationId;
use std::collections::BTreeMap;

/// Notes them in the zones that the RRsets lie in. An RRset behind aliases, in another zone perhaps, counts as it does for
/// the machine: while every link leads to it.
pub(super) fn note(zones: &mut [ZoneEvidence], rotations: &[(RotationId, Rotation)], now: Instant) {
    let mut all = Served::default();
    for zone in &*zones {
        all.add(zone.served.clone());
    }
    for (id, rotation) in rotations {
        let served = behind_aliases::served(rotation, all.clone());
        for zone in &mut *zones {
            let mut here = served.clone();
            here.retain(|name, _| zone.served.tlsa.contains_key(name));
            let gone_back = regressed(id, rotation, &here, now);
            zone.served.findings.extend(gone_back);
        }
    }
}

/// Each server whose RRset takes back what the rotation counts on, by the machine's own rule.
fn regressed(
    id: &RotationId,
    rotation: &Rotation,
    served: &BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>,
    now: Instant,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, servers) in served {
        for (authority, seen) in servers {
            // One server at a time: the machine needs only the first, a person wants them all.
            let alone = Observation {
                at: now,
                merged: BTreeMap::new(),
                served: [(name.clone(), [(authority.clone(), seen.clone())].into())].into(),
                ..Observation::nothing(now)
            };
            let lacks = match regression(rotation, &alone) {
                Some(Event::ServerRegressed { .. }) => "lacks what it served",
                Some(Event::OldWithdrawn { .. }) => "lacks the old record, which it served",
                _ => continue,
            };
            let step = rotation.step;
            let reason = format!(
                "{name} {lacks} when {id} went on to {step}: caches that ask it may hold the wrong set"
            );
            found.push(Finding {
                authority: authority.clone(),
                ailment: Ailment::Regressed,
                reason,
            });
        }
    }
    found
}
