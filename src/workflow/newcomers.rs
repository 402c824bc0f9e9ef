//! A name server that a change lets resolvers ask, where it answers with records that refuse a key which a host presents: a
//! secondary that joins with the zone of before, or whose machine was restored (RFC 1034 §4.2.1).

use super::head::Head;
use super::moved;
use super::sign;
use super::zone_look::at_home;
use crate::observe::addresses::address_in;
use crate::rotation::blocker::Blocker;
use crate::rotation::exposure::{Holder, Presenter};
use crate::rotation::observation::{Authority, Observation, Seen};
use crate::rotation::promise::{Breach, Mismatch};
use crate::rotation::step::Rotation;
use crate::workspace::config::ZoneConfig;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// What would be refused by the answers of servers that the zone lists, and that it did not list when it was handed out last.
pub(super) fn would_refuse(
    (zone, head): (&ZoneConfig, &Head),
    state: &Rotation,
    observation: &Observation,
) -> Vec<Blocker> {
    let mut found = Vec::new();
    for endpoint in &state.endpoints {
        let name = state.name_of(endpoint);
        let places = observation.presented.get(endpoint).into_iter().flatten();
        let places: Vec<_> = places.collect();
        for (authority, seen) in observation.served.get(&name).into_iter().flatten() {
            let Seen::Known(served) = seen else {
                continue;
            };
            if !is_listed(&head.content, authority) {
                continue;
            }
            for (address, offers) in &places {
                let refused = moved::refused_of(offers, &served.associations);
                found.extend(refused.map(|key| {
                    let breach = Breach {
                        name: name.clone(),
                        rrset: served.associations.clone(),
                        holder: Holder::Server(authority.0.clone()),
                        key,
                        presenter: Presenter::Host {
                            endpoint: endpoint.clone(),
                            address: (*address).clone(),
                        },
                        mismatch: Mismatch::KeyNotListed,
                    };
                    (authority, breach)
                }));
            }
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    // What was handed out is read only now: it may be large.
    let before = sign::handed_out(zone).ok().flatten();
    let is_new = |authority: &Authority| {
        let before = before.as_ref();
        before.is_some_and(|before| !is_listed(before, authority))
    };
    let found = found.into_iter();
    found
        .filter(|(authority, _)| is_new(authority))
        .map(|(_, breach)| Blocker::WouldRefuse(breach))
        .collect()
}

/// Whether a zone lists a server: by the name that it was asked under, or by its address.
fn is_listed(zone: &Zone, authority: &Authority) -> bool {
    let named = authority.0.split(' ').next().unwrap_or_default();
    let address = address_in(authority).map(|address| address.ip());
    let servers = zone.rrset(&zone.apex, Rtype::NS);
    let mut servers = servers
        .into_iter()
        .flat_map(|rrset| &rrset.rdatas)
        .filter_map(|rdata| Some(Name::split_wire(&rdata.0).ok()?.0));
    servers.any(|server| {
        let addresses = at_home(Some(zone), &server);
        match address {
            // Of a server outside of the zone, the name alone is known.
            Some(address) if !addresses.is_empty() => addresses.contains_key(&address),
            _ => server.to_string() == named,
        }
    })
}
