//! What speaks against a change of records as hosts were seen, name by name: what a zone is held against before it is handed on.

use crate::rotation::admissible;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::{Observation, Seen as Asked, TlsaName};
use crate::rotation::step::{Rotation, Step};
use crate::workspace::config::{Config, ZoneConfig};
use crate::zone::name::Name;
use std::collections::BTreeSet;

/// Whether every server that could be asked, and at least one, answers that a name has no record.
pub(super) fn is_first(observation: &Observation, tlsa: &TlsaName) -> bool {
    let served = observation.served.get(tlsa).into_iter().flatten();
    let mut known = served.filter_map(|(_, seen)| match seen {
        Asked::Known(rrset) => Some(rrset.associations.is_empty()),
        Asked::Unknown(_) => None,
    });
    known
        .next()
        .is_some_and(|first| first && known.all(|other| other))
}

/// Whether an RRset of the rotation lies in the zone, or an alias on the way to one.
pub(super) fn lies_on_the_way(config: &Config, zone: &ZoneConfig, state: &Rotation) -> bool {
    let mut names = state.names().iter().chain(state.aliases.keys());
    names.any(|tlsa| {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        let place = name.and_then(|name| config.zone_of(&name));
        place.is_some_and(|place| place.name == zone.name)
    })
}

/// Adds what speaks against `after` at a name in place of what servers were seen to serve there, or, where none was seen and
/// something is `demanded` of them, of what was.
pub(super) fn add_objections(
    reasons: &mut Vec<Blocker>,
    state: &Rotation,
    (observation, demanded): (&Observation, bool),
    (tlsa, after): (&TlsaName, &BTreeSet<Association>),
) {
    let served = observation.served.get(tlsa).into_iter().flatten();
    let mut before: BTreeSet<&BTreeSet<Association>> = served
        .filter_map(|(_, seen)| match seen {
            Asked::Known(rrset) => Some(&rrset.associations),
            Asked::Unknown(_) => None,
        })
        .collect();
    // Where no server can be asked, everything that it demanded so far may be what it serves.
    let all = state.requirement_in(Step::SwapOpen).applied_to(after);
    if before.is_empty() && demanded {
        before.insert(&all);
    }
    for before in before {
        for reason in admissible::objections(state, observation, tlsa, (before, after)) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
}
