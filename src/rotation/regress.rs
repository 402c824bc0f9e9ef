//! Facts that take earlier ones back: a server that went back, a reverted merge, a host on its old key again.
//!
//! One sighting establishes them; what is unknown takes nothing back.

use super::blocker::Blocker;
use super::gate::{self, Wanted};
use super::joining;
use super::observation::{Observation, Seen, TlsaName};
use super::step::{Event, Rotation, Step};
use super::timing::{Instant, Span};
use std::collections::BTreeSet;

/// The fact that takes an earlier one back in this step, if one was seen.
pub fn regression(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    if rotation.is_over() {
        return None;
    }
    of_step(rotation, observation).or_else(|| joining::regression(rotation, observation))
}

fn of_step(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    match rotation.step {
        Step::Hashed
        | Step::Prepublishing
        | Step::Retiring
        | Step::Replacing
        | Step::Reinstating => higher_ttl(rotation, observation),
        Step::Waiting | Step::SwapOpen | Step::Reinstated | Step::Replaced => {
            lost_publication(rotation, observation, Lost::Anything)
        }
        Step::Deployed | Step::Verified => lost_publication(rotation, observation, Lost::Incoming)
            .or_else(|| old_withdrawn(rotation, observation))
            .or_else(|| host_back_on_old_key(rotation, observation)),
        // Both stay published on the way back: what was waited for counts no more once a server was seen without one.
        Step::RollingBack if rotation.published.is_some() => {
            lost_publication(rotation, observation, Lost::Incoming)
        }
        _ => None,
    }
}

/// An RRset was seen under a larger TTL than any before: the high-water mark grows. Whatever is in it, a set that lacks one
/// of the keys may have been served under that TTL between two runs; and the full one makes the wait as long anyway.
fn higher_ttl(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    higher_ttl_of(rotation.names(), rotation, observation)
}

/// The same of these names.
pub(super) fn higher_ttl_of<'n>(
    names: impl IntoIterator<Item = &'n TlsaName>,
    rotation: &Rotation,
    observation: &Observation,
) -> Option<Event> {
    for name in names {
        let mark = rotation.ttl_old.get(name).copied().unwrap_or_default();
        for seen in observation
            .served
            .get(name)
            .into_iter()
            .flat_map(|s| s.values())
        {
            if let Seen::Known(rrset) = seen
                && rrset.ttl > mark
            {
                return Some(Event::HigherTtlSeen {
                    name: name.clone(),
                    ttl: rrset.ttl,
                });
            }
        }
    }
    None
}

/// What of the demanded set must be gone for the publication to count as lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// Whatever it is.
    Anything,
    /// An incoming association: caches may fill with RRsets that lack the key which hosts present.
    Incoming,
}

fn lost_publication(rotation: &Rotation, observation: &Observation, lost: Lost) -> Option<Event> {
    let requirement = rotation.requirement();
    let unfit = |rrset: &BTreeSet<_>| match lost {
        Lost::Anything => !requirement.is_met_by(rrset),
        Lost::Incoming => !rotation.incoming.is_subset(rrset),
    };
    for name in rotation.settled_names() {
        if matches!(observation.merged.get(name), Some(Seen::Known(rrset)) if unfit(rrset)) {
            return Some(Event::MergeReverted { name: name.clone() });
        }
        for (authority, seen) in observation.served.get(name).into_iter().flatten() {
            if let Seen::Known(rrset) = seen
                && unfit(&rrset.associations)
            {
                return Some(Event::ServerRegressed {
                    name: name.clone(),
                    authority: authority.clone(),
                });
            }
        }
    }
    None
}

/// Every host has the incoming key, and an old association left the zone by another hand: going back is no longer safe at
/// once, and must not be believed to be.
fn old_withdrawn(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    let lacks_old = |name: &&TlsaName| {
        let merged = match observation.merged.get(*name) {
            Some(Seen::Known(rrset)) => !rotation.current.is_subset(rrset),
            _ => false,
        };
        let servers = observation
            .served
            .get(name)
            .into_iter()
            .flat_map(|s| s.values());
        let mut rrsets = servers.filter_map(|seen| match seen {
            Seen::Known(rrset) => Some(&rrset.associations),
            Seen::Unknown(_) => None,
        });
        merged || rrsets.any(|rrset| !rotation.current.is_subset(rrset))
    };
    let name = rotation.settled_names().find(lacks_old)?;
    Some(Event::OldWithdrawn { name: name.clone() })
}

fn host_back_on_old_key(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    gate::presented(rotation, observation, Wanted::Incoming)
        .into_iter()
        .find_map(|blocker| match blocker {
            Blocker::WrongKey { endpoint, .. } => Some(Event::HostRegressed { endpoint }),
            _ => None,
        })
}

/// How far a bound may lie beyond what was seen: a signer that signs anew at each answer then adds a fact a day, not one at
/// each look.
const SLACK: Span = Span::days(1);

/// The latest expiration of a signature over an RRset that holds a key in use, if it is later than what is known.
///
/// What is known is never before an expiration that was seen, and less than a day after the latest of them: where a later
/// one is seen that is less than a day ahead, a bound is told that holds for a day of such signatures.
pub fn longer_signature(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    let names = rotation.names();
    let servers = names.iter().filter_map(|name| observation.served.get(name));
    let expirations = servers
        .flat_map(|s| s.values())
        .filter_map(|seen| match seen {
            Seen::Known(rrset) if !rotation.current.is_disjoint(&rrset.associations) => {
                Some(rrset.replayable_until)
            }
            _ => None,
        });
    let until: Instant = expirations.max()?;
    let Some(known) = rotation.signed_until else {
        return Some(Event::SignatureSeen { until });
    };
    (until > known).then(|| Event::SignatureSeen {
        until: until.max(known + SLACK),
    })
}
