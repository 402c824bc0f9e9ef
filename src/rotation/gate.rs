//! The questions that gates ask of an observation: merged? served by every server? presented by every host?
//!
//! Each is asked of everything in one run (review rules R3 and R4). Silence and emptiness answer no question.

use super::blocker::Blocker;
use super::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset, TlsaName,
};
use super::step::{Requirement, Rotation};
use super::timing::{Instant, Span, Ttl};
use std::collections::BTreeSet;

/// Which keys hosts should present for a gate to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The incoming keys only.
    Incoming,
    /// The previous keys only.
    Current,
}

/// Whether git HEAD, or wherever a zone is kept, meets the requirement for every name (R3).
pub fn merged(
    rotation: &Rotation,
    observation: &Observation,
    requirement: &Requirement,
) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for name in rotation.names() {
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

/// Whether every address of every authoritative server meets the requirement for every name, in this run (R4), under
/// signatures that hold now and for `horizon` beyond the TTL (RFC 4035 §5.3.3). If so, the largest TTL served.
pub fn served(
    rotation: &Rotation,
    observation: &Observation,
    requirement: &Requirement,
    horizon: Span,
) -> Result<Ttl, Vec<Blocker>> {
    let mut blockers = Vec::new();
    let mut ttl = Ttl(0);
    for name in rotation.names() {
        let servers = observation.served.get(name).into_iter().flatten();
        let mut asked = false;
        for (authority, seen) in servers {
            asked = true;
            match seen {
                Seen::Unknown(why) => blockers.push(Blocker::ServerUnknown {
                    name: name.clone(),
                    authority: authority.clone(),
                    why: why.clone(),
                }),
                Seen::Known(rrset) => {
                    ttl = ttl.max(rrset.ttl);
                    blockers.extend(server_meets(
                        name,
                        authority,
                        rrset,
                        requirement,
                        observation.at,
                        horizon,
                    ));
                }
            }
        }
        if !asked {
            blockers.push(Blocker::NothingObserved {
                what: format!("the servers of {name}"),
            });
        }
    }
    if blockers.is_empty() {
        Ok(ttl)
    } else {
        Err(blockers)
    }
}

fn server_meets(
    name: &TlsaName,
    authority: &Authority,
    rrset: &ServedRrset,
    requirement: &Requirement,
    now: Instant,
    horizon: Span,
) -> Option<Blocker> {
    if !requirement.is_met_by(&rrset.associations) {
        return Some(Blocker::NotServed {
            name: name.clone(),
            authority: authority.clone(),
            missing: requirement
                .missing_in(&rrset.associations)
                .cloned()
                .collect(),
            unwanted: requirement
                .unwanted_in(&rrset.associations)
                .cloned()
                .collect(),
        });
    }
    let window = rrset.signature;
    let needed_until = now + rrset.ttl.span() + horizon;
    let lasts = window.inception <= now && window.expiration >= needed_until;
    (!lasts).then(|| Blocker::SignatureWindow {
        name: name.clone(),
        authority: authority.clone(),
        inception: window.inception,
        expiration: window.expiration,
        needed_until,
    })
}

/// Whether every host presents only wanted keys, on every address and asked for every algorithm, in this run. Keys that are
/// not replaced are wanted too, but no host is deployed by presenting only those.
pub fn presented(rotation: &Rotation, observation: &Observation, wanted: Wanted) -> Vec<Blocker> {
    let endpoints = rotation.endpoints.iter();
    endpoints
        .flat_map(|endpoint| presented_by(endpoint, rotation, observation, wanted))
        .collect()
}

/// The hosts and ports that were not seen presenting only wanted keys in this run.
pub fn not_presenting(
    rotation: &Rotation,
    observation: &Observation,
    wanted: Wanted,
) -> BTreeSet<Endpoint> {
    let endpoints = rotation.endpoints.iter();
    endpoints
        .filter(|e| !presented_by(e, rotation, observation, wanted).is_empty())
        .cloned()
        .collect()
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
        return vec![Blocker::NothingObserved {
            what: endpoint.to_string(),
        }];
    };
    let mut blockers = Vec::new();
    for (address, by_algorithm) in offers {
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
        let (endpoint, address) = (endpoint.clone(), address.clone());
        if !presents_any {
            blockers.push(Blocker::NoCertificate { endpoint, address });
        } else if !presents_incoming && wanted == Wanted::Incoming && blockers.is_empty() {
            blockers.push(Blocker::OnlyStayingKey { endpoint, address });
        }
    }
    blockers
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
        Some(Seen::Known(offer)) => {
            let mut chains = offer.chains().iter();
            chains.find_map(|chain| chain_is_wanted(place, chain, rotation, wanted))
        }
    }
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
    if rotation.staying.contains(&presents) {
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
