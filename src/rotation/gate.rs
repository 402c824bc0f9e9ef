//! The questions that gates ask of an observation: merged? served by every server? presented by every host?
//!
//! Each is asked of everything in one run (review rules R3 and R4). Silence and emptiness answer no question.

use super::association::Association;
use super::blocker::Blocker;
use super::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Offers, Presented, Seen, ServedRrset,
    TlsaName,
};
use super::reach;
use super::several;
use super::signature;
use super::step::{Requirement, Rotation};
use super::timing::{Instant, Span, Ttl};
use std::collections::{BTreeMap, BTreeSet};

/// Which keys hosts should present for a gate to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The incoming keys only.
    Incoming,
    /// The previous keys only: those in use when the rotation started, and, at each name, those that its RRset listed then.
    Current,
}

/// Whether the branch that counts, or wherever a zone is kept, meets the requirement for every name that is not on its own way
/// (R3).
pub fn merged(
    rotation: &Rotation,
    observation: &Observation,
    requirement: &Requirement,
) -> Vec<Blocker> {
    merged_at(rotation.settled_names(), observation, requirement)
}

/// The same for these names.
pub(super) fn merged_at<'n>(
    names: impl IntoIterator<Item = &'n TlsaName>,
    observation: &Observation,
    requirement: &Requirement,
) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for name in names {
        let source = observation.source_of(name);
        match observation.merged.get(name) {
            None => blockers.push(Blocker::NothingObserved {
                what: format!("{name} {}", source.located()),
            }),
            Some(Seen::Unknown(why)) => {
                blockers.push(Blocker::MergedUnknown {
                    name: name.clone(),
                    source,
                    why: why.clone(),
                });
            }
            Some(Seen::Known(rrset)) if !requirement.is_met_by(rrset) => {
                blockers.push(Blocker::NotMerged {
                    missing: requirement.missing_in(rrset).cloned().collect(),
                    unwanted: requirement.unwanted_in(rrset).cloned().collect(),
                    name: name.clone(),
                    source,
                });
            }
            Some(Seen::Known(_)) => {}
        }
    }
    blockers
}

/// Whether every address of every server that some resolver may still ask meets the requirement for these names, in this
/// run (R4), under signatures that hold now and are seen to be renewed, or hold for `horizon` beyond the TTL. If so, the
/// largest TTL served.
pub(super) fn served_at<'n>(
    rotation: &Rotation,
    names: impl IntoIterator<Item = &'n TlsaName>,
    observation: &Observation,
    requirement: &Requirement,
    horizon: Span,
) -> Result<Ttl, Vec<Blocker>> {
    let mut blockers = Vec::new();
    let mut ttl = Ttl(0);
    for name in names {
        let at = Answers {
            rotation,
            name,
            observation,
            requirement,
            horizon,
        };
        match at.all_meet() {
            Ok(seen) => ttl = ttl.max(seen),
            Err(more) => blockers.extend(more),
        }
    }
    if blockers.is_empty() {
        Ok(ttl)
    } else {
        Err(blockers)
    }
}

/// What is asked of the answers for one name.
struct Answers<'a> {
    rotation: &'a Rotation,
    name: &'a TlsaName,
    observation: &'a Observation,
    requirement: &'a Requirement,
    horizon: Span,
}

impl Answers<'_> {
    fn all_meet(&self) -> Result<Ttl, Vec<Blocker>> {
        static NOBODY: BTreeMap<Authority, Seen<ServedRrset>> = BTreeMap::new();
        let asked = self.observation.served.get(self.name).unwrap_or(&NOBODY);
        let (mut blockers, mut ttl) = (Vec::new(), Ttl(0));
        for (authority, seen) in asked {
            match seen {
                Seen::Unknown(why) => blockers.push(self.unknown(authority, why)),
                Seen::Known(rrset) => {
                    ttl = ttl.max(rrset.ttl);
                    blockers.extend(self.meets(authority, rrset));
                }
            }
        }
        let known = self.rotation.servers_of(self.name, self.observation.at);
        let unasked = known.filter(|(authority, _)| !asked.contains_key(*authority));
        blockers.extend(unasked.map(|(authority, _)| self.unknown(authority, "it was not asked")));
        if asked.is_empty() && blockers.is_empty() {
            blockers.push(Blocker::NothingObserved {
                what: format!("the servers of {}", self.name),
            });
        }
        if blockers.is_empty() {
            blockers.extend(self.others_unknown());
        }
        if blockers.is_empty() {
            Ok(ttl)
        } else {
            Err(blockers)
        }
    }

    /// That there may be servers which nobody asked.
    fn others_unknown(&self) -> Option<Blocker> {
        let zones = self.observation.servers.iter();
        let zones = zones.filter(|(zone, _)| zone.holds(self.name));
        let (zone, seen) = zones.max_by_key(|(zone, _)| zone.as_str().len())?;
        match seen {
            Seen::Known(_) => None,
            Seen::Unknown(why) => Some(Blocker::ServersUnknown {
                zone: zone.clone(),
                why: why.clone(),
            }),
        }
    }

    /// Until when a server that has left may still be asked.
    fn leaves(&self, authority: &Authority) -> Option<Instant> {
        let mut servers = self.rotation.servers_of(self.name, self.observation.at);
        let (_, server) = servers.find(|(known, _)| *known == authority)?;
        server.until
    }

    fn unknown(&self, authority: &Authority, why: &str) -> Blocker {
        let (name, authority, why) = (self.name.clone(), authority.clone(), why.to_owned());
        match self.leaves(&authority) {
            Some(until) => Blocker::ServerLeaves {
                name,
                authority,
                until,
                why,
            },
            None => Blocker::ServerUnknown {
                name,
                authority,
                why,
            },
        }
    }

    fn meets(&self, authority: &Authority, rrset: &ServedRrset) -> Option<Blocker> {
        let (name, authority) = (self.name.clone(), authority.clone());
        let held = &rrset.associations;
        if !self.requirement.is_met_by(held) {
            let missing: Vec<_> = self.requirement.missing_in(held).cloned().collect();
            let unwanted: Vec<_> = self.requirement.unwanted_in(held).cloned().collect();
            return Some(match self.leaves(&authority) {
                Some(until) => Blocker::ServerLeaves {
                    name,
                    authority,
                    until,
                    why: "it answers with the set of before".to_owned(),
                },
                None => Blocker::NotServed {
                    name,
                    authority,
                    missing,
                    unwanted,
                },
            });
        }
        let needed_until = self.observation.at + rrset.ttl.span() + self.horizon;
        let lasts = signature::lasts(
            self.rotation.signers.get(&name),
            rrset,
            self.observation.at,
            needed_until,
        );
        (!lasts).then_some(Blocker::SignatureWindow {
            name,
            authority,
            inception: rrset.signature.inception,
            expiration: rrset.signature.expiration,
            needed_until,
        })
    }
}

/// Whether every host presents only wanted keys, on every address and asked for every algorithm, in this run. Keys that are
/// not replaced are wanted too, but no host is deployed by presenting only those.
///
/// A host that left counts where it shares an RRset with others: as they do until no sender comes there any more; after
/// that, or where a person let it go, only if it is seen with another key all the same.
pub fn presented(rotation: &Rotation, observation: &Observation, wanted: Wanted) -> Vec<Blocker> {
    presented_where(rotation, observation, wanted, |_| true)
}

/// The same of those hosts and ports alone.
pub(super) fn presented_where(
    rotation: &Rotation,
    observation: &Observation,
    wanted: Wanted,
    is_asked: impl Fn(&Endpoint) -> bool,
) -> Vec<Blocker> {
    let endpoints = rotation.endpoints.iter().filter(|one| is_asked(one));
    let here = endpoints.flat_map(|one| presented_by(one, rotation, observation, wanted));
    let left = rotation.left_sharing().filter(|one| is_asked(one));
    let seen = left.flat_map(|one| {
        let is_let_go = rotation.is_let_go(one, observation.at);
        let mut blockers = presented_by(one, rotation, observation, wanted);
        blockers.retain(|blocker| !is_let_go || matches!(blocker, Blocker::WrongKey { .. }));
        blockers
    });
    here.chain(seen).collect()
}

/// The hosts and ports that were not seen presenting only wanted keys in this run.
pub fn not_presenting(
    rotation: &Rotation,
    observation: &Observation,
    wanted: Wanted,
) -> BTreeSet<Endpoint> {
    let endpoints = rotation.endpoints.iter();
    // What is left of a host at an address that it has left is nothing to act on.
    let lacks = |endpoint: &&Endpoint| {
        let mut blockers = presented_by(endpoint, rotation, observation, wanted).into_iter();
        blockers.any(|blocker| !matches!(blocker, Blocker::AddressLeaves { .. }))
    };
    endpoints.filter(lacks).cloned().collect()
}

fn presented_by(
    endpoint: &Endpoint,
    rotation: &Rotation,
    observation: &Observation,
    wanted: Wanted,
) -> Vec<Blocker> {
    let offers = observation
        .presented
        .get(endpoint)
        .filter(|offers| !offers.is_empty());
    let Some(offers) = offers else {
        let what = endpoint.to_string();
        let blocker = Blocker::NothingObserved { what };
        let waits = !reach::is_nowhere(endpoint, rotation, observation);
        return waits.then_some(blocker).into_iter().collect();
    };
    let mut blockers = unseen_addresses(endpoint, offers, rotation, observation.at);
    for (address, by_algorithm) in offers {
        let before = blockers.len();
        if let Some(until) = several::until(rotation, endpoint, address, observation.at) {
            blockers.push(Blocker::SeveralKeys {
                endpoint: endpoint.clone(),
                address: address.clone(),
                until,
            });
        }
        let (mut presents_any, mut presents_incoming) = (false, false);
        for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
            let seen = by_algorithm.get(&algorithm);
            presents_any |= !matches!(seen, Some(Seen::Known(Offer::NotOffered)));
            presents_incoming |= match seen {
                Some(Seen::Known(offer)) => {
                    let mut chains = offer.chains().iter();
                    chains.any(|chain| !rotation.staying.contains(&chain.key))
                }
                _ => false,
            };
            let place = (endpoint, address.as_str(), algorithm);
            blockers.extend(offer_is_wanted(place, seen, rotation, wanted));
        }
        // What was seen is told before what was not.
        if let Some(here) = blockers.get_mut(before..) {
            here.sort_by_key(|blocker| matches!(blocker, Blocker::HostUnknown { .. }));
        }
        let place = (endpoint.clone(), address.clone());
        let (endpoint, address) = place.clone();
        if !presents_any {
            blockers.push(Blocker::NoCertificate { endpoint, address });
        } else if !presents_incoming && wanted == Wanted::Incoming && blockers.len() == before {
            blockers.push(Blocker::OnlyStayingKey { endpoint, address });
        }
        if let Some(until) = left_until(rotation, &place.0, &place.1, observation.at)
            && let Some(first) = blockers.get(before).cloned()
        {
            blockers.truncate(before);
            blockers.push(Blocker::AddressLeaves {
                endpoint: place.0,
                address: place.1,
                until,
                why: first.to_string(),
            });
        }
    }
    blockers
}

/// Until when senders may still come to an address that its host has left.
fn left_until(
    rotation: &Rotation,
    endpoint: &Endpoint,
    address: &str,
    at: Instant,
) -> Option<Instant> {
    let known = rotation.addresses.get(&endpoint.host)?.get(address)?;
    known.until.filter(|until| at < *until)
}

/// The addresses at which senders may still look for a host, and nobody asked.
fn unseen_addresses(
    endpoint: &Endpoint,
    offers: &Offers,
    rotation: &Rotation,
    at: Instant,
) -> Vec<Blocker> {
    let known = rotation.addresses.get(&endpoint.host).into_iter().flatten();
    let there = known.filter(|(_, known)| known.is_there(at));
    let unseen = there.filter(|(address, _)| !offers.contains_key(*address));
    let blocker = |(address, _): (&String, _)| Blocker::HostUnknown {
        endpoint: endpoint.clone(),
        address: address.clone(),
        algorithm: KeyAlgorithm::Ecdsa,
        why: "it was not asked".to_owned(),
    };
    unseen.map(blocker).collect()
}

fn offer_is_wanted(
    place: (&Endpoint, &str, KeyAlgorithm),
    seen: Option<&Seen<Offer>>,
    rotation: &Rotation,
    wanted: Wanted,
) -> Option<Blocker> {
    let unknown = |why: &str| Blocker::HostUnknown {
        endpoint: place.0.clone(),
        address: place.1.to_owned(),
        algorithm: place.2,
        why: why.to_owned(),
    };
    match seen {
        None => Some(unknown("it was not asked")),
        Some(Seen::Unknown(why)) => Some(unknown(why)),
        // What was met counts, whatever the other connections met: silence is told where nothing else is.
        Some(Seen::Known(offer)) => {
            let mut chains = offer.chains().iter();
            let refused = chains.find_map(|chain| chain_is_wanted(place, chain, rotation, wanted));
            refused.or_else(|| offer.unanswered().map(unknown))
        }
    }
}

/// Whether the RRset of a host listed this key before the rotation: a host with a key of its own goes back to that, or never
/// had another.
fn was_listed(rotation: &Rotation, endpoint: &Endpoint, key: &Association) -> bool {
    let base = rotation.base.get(&rotation.name_of(endpoint));
    base.is_some_and(|base| base.contains(key))
}

fn chain_is_wanted(
    (endpoint, address, algorithm): (&Endpoint, &str, KeyAlgorithm),
    presented: &Presented,
    rotation: &Rotation,
    wanted: Wanted,
) -> Option<Blocker> {
    let incoming_wanted = wanted == Wanted::Incoming;
    let keys = if incoming_wanted {
        &rotation.incoming
    } else {
        &rotation.current
    };
    let (endpoint, address) = (endpoint.clone(), address.to_owned());
    let presents = presented.key.clone();
    let was_there = !incoming_wanted && was_listed(rotation, &endpoint, &presents);
    if was_there || rotation.staying.contains(&presents) {
        None
    } else if !keys.contains(&presents) {
        Some(Blocker::WrongKey {
            endpoint,
            address,
            algorithm,
            presents,
            incoming_wanted,
        })
    } else if incoming_wanted && !presented.is_of(keys) {
        // A record of selector 0 is of one certificate, whatever its key.
        Some(Blocker::OtherCertificate {
            endpoint,
            address,
            presents,
        })
    } else {
        None
    }
}
