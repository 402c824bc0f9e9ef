//! A host that is moved: an address that a change brings, where what answers has a key that the host's records do not list.

use super::head::{self, Head};
use super::sign;
use super::zone_look::at_home;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::exposure::{Holder, Presenter};
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Observation, Offer, Seen, TlsaName};
use crate::rotation::promise::{self, Breach, Mismatch};
use crate::rotation::step::Rotation;
use crate::workspace::config::ZoneConfig;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What would be refused at addresses that the zone has for hosts of a rotation and that it did not have when it was handed
/// out last.
pub(super) fn would_refuse(
    (zone, head): (&ZoneConfig, &Head),
    state: &Rotation,
    observation: &Observation,
) -> Vec<Blocker> {
    let mut found = Vec::new();
    for endpoint in &state.endpoints {
        let Ok(host) = Name::parse(endpoint.host.as_bytes(), Some(&Name::root())) else {
            continue;
        };
        let name = state.name_of(endpoint);
        let Some(rrset) = rrset(head, &name, observation) else {
            continue;
        };
        for address in at_home(Some(&head.content), &host).into_keys() {
            let refused = refused_at(observation, endpoint, address, &rrset);
            found.extend(refused.map(|key| {
                (
                    host.clone(),
                    address,
                    breach(endpoint, address, &name, &rrset, key),
                )
            }));
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    // What was handed out is read only now: it may be large.
    let before = sign::handed_out(zone).ok().flatten();
    let is_new = |host: &Name, address: &IpAddr| {
        let before = before.as_ref();
        before.is_some_and(|before| !at_home(Some(before), host).contains_key(address))
    };
    let found = found.into_iter();
    found
        .filter(|(host, address, _)| is_new(host, address))
        .map(|(_, _, breach)| Blocker::WouldRefuse(breach))
        .collect()
}

/// The RRset of a name as the zone has it; where it lies in another, as that is kept.
fn rrset(head: &Head, tlsa: &TlsaName, observation: &Observation) -> Option<BTreeSet<Association>> {
    let name = Name::parse(tlsa.as_str().as_bytes(), None).ok()?;
    if name.is_at_or_below(&head.content.apex) {
        return Some(head::associations(&head.content, &name));
    }
    match observation.merged.get(tlsa) {
        Some(Seen::Known(rrset)) => Some(rrset.clone()),
        _ => None,
    }
}

/// A key that was seen at an address and that the RRset does not list.
fn refused_at(
    observation: &Observation,
    endpoint: &Endpoint,
    address: IpAddr,
    rrset: &BTreeSet<Association>,
) -> Option<Association> {
    let offers = observation
        .presented
        .get(endpoint)?
        .get(&address.to_string())?;
    refused_of(offers, rrset)
}

/// A key among those offered at one address that the RRset does not list.
pub(super) fn refused_of(
    offers: &BTreeMap<KeyAlgorithm, Seen<Offer>>,
    rrset: &BTreeSet<Association>,
) -> Option<Association> {
    let chains = offers.values().filter_map(|seen| match seen {
        Seen::Known(offer) => Some(offer.chains()),
        Seen::Unknown(_) => None,
    });
    let mut refused = chains.flatten().filter(|chain| {
        promise::mismatches(rrset, &chain.satisfies).contains(&Mismatch::KeyNotListed)
    });
    refused.next().map(|chain| chain.key.clone())
}

fn breach(
    endpoint: &Endpoint,
    address: IpAddr,
    name: &TlsaName,
    rrset: &BTreeSet<Association>,
    key: Association,
) -> Breach {
    Breach {
        name: name.clone(),
        rrset: rrset.clone(),
        holder: Holder::Change,
        key,
        presenter: Presenter::Host {
            endpoint: endpoint.clone(),
            address: address.to_string(),
        },
        mismatch: Mismatch::KeyNotListed,
    }
}
