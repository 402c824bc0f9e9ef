//! One look at the world for one rotation: what git HEAD holds, what every server answers, what every host presents.
//!
//! Nothing here fails: what could not be looked at is `Unknown` with its reason, and a note for the user.

use super::behind_aliases;
use super::head::{self, Head};
use crate::dane::judge;
use crate::dnssec::keystore::{entry_points, load_keys};
use crate::observe::addresses::{self, AuthorityAddress};
use crate::observe::authorities::{self, Limits, Served, Trust};
use crate::observe::probe::{self, Bounds, Target};
use crate::observe::smtp::Caller;
use crate::rotation::association::Association;
use crate::rotation::observation::{Authority, Endpoint, Observation, Seen, ServedRrset, TlsaName};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::rotation::witness::Witness;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Signing, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What was seen, and what the user should know about the looking itself.
pub(super) struct Sight {
    /// What was seen.
    pub(super) observation: Observation,
    /// Why something could not be looked at, one sentence each.
    pub(super) notes: Vec<String>,
}

/// One zone with the names of the rotation, and the aliases of them, that lie in it.
pub(super) struct Place<'w> {
    zone: &'w ZoneConfig,
    pub(super) names: Vec<(TlsaName, Name)>,
    pub(super) head: Result<Head, String>,
}

/// Looks at everything that the rotation depends on.
pub(super) fn look(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    rotation: &Rotation,
    now: Instant,
) -> Sight {
    let mut notes = Vec::new();
    let places = places(workspace, rotation, now, &mut notes);
    let targets = targets(&places, certificate, rotation);
    let caller = Caller::default();
    let (asked, sightings) = crate::observe::wait_for(async {
        let asked = async {
            let mut all = Served::default();
            for place in &places {
                let served = served_in(place, now).await;
                all.tlsa.extend(served.tlsa);
                all.aliases.extend(served.aliases);
            }
            all
        };
        let probed = probe::survey(&targets, &caller, Bounds::default());
        tokio::join!(asked, probed)
    })
    .unwrap_or_else(|why| {
        notes.push(format!("nothing could be asked over the network: {why}"));
        (Served::default(), Vec::new())
    });
    let merged = behind_aliases::merged(rotation, &places, merged(&places));
    let served = behind_aliases::served(rotation, asked);
    let satisfied = |endpoint: &Endpoint, chain: &[Vec<u8>]| {
        let chain = judge::presented(chain).unwrap_or_default();
        let candidates = at_hand(rotation, &rotation.name_of(endpoint), &merged, &served);
        judge::satisfied(&candidates, &chain, &[&endpoint.host], now)
    };
    let presented = probe::offers(&targets, sightings, satisfied);
    Sight {
        observation: Observation {
            at: now,
            merged,
            served,
            presented,
            witness: Witness::default(),
        },
        notes,
    }
}

/// Every association that a chain at `name` may be held against.
fn at_hand(
    rotation: &Rotation,
    name: &TlsaName,
    merged: &BTreeMap<TlsaName, Seen<BTreeSet<Association>>>,
    served: &BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>,
) -> BTreeSet<Association> {
    let mut at_hand = &(&rotation.current | &rotation.incoming) | &rotation.staying;
    at_hand.extend(rotation.base.get(name).into_iter().flatten().cloned());
    if let Some(Seen::Known(rrset)) = merged.get(name) {
        at_hand.extend(rrset.iter().cloned());
    }
    for seen in served.get(name).into_iter().flat_map(BTreeMap::values) {
        if let Seen::Known(rrset) = seen {
            at_hand.extend(rrset.associations.iter().cloned());
        }
    }
    at_hand
}

fn places<'w>(
    workspace: &'w Workspace,
    rotation: &Rotation,
    now: Instant,
    notes: &mut Vec<String>,
) -> Vec<Place<'w>> {
    let mut places: Vec<Place<'w>> = Vec::new();
    let aliases = rotation.aliases.keys().cloned();
    for tlsa in rotation.names().into_iter().chain(aliases) {
        let Ok(name) = Name::parse(tlsa.as_str().as_bytes(), None) else {
            notes.push(format!("`{tlsa}` is not a domain name"));
            continue;
        };
        let Some(zone) = workspace.config.zone_of(&name) else {
            notes.push(format!("{tlsa} lies in no configured zone"));
            continue;
        };
        if let Some(place) = places.iter_mut().find(|place| place.zone.name == zone.name) {
            place.names.push((tlsa, name));
        } else {
            let head = head::head(workspace, zone, now).map_err(|e| e.to_string());
            places.push(Place {
                zone,
                names: vec![(tlsa, name)],
                head,
            });
        }
    }
    places
}

fn merged(places: &[Place<'_>]) -> BTreeMap<TlsaName, Seen<BTreeSet<Association>>> {
    let mut merged = BTreeMap::new();
    for place in places {
        for (tlsa, name) in &place.names {
            let seen = match &place.head {
                Ok(head) => Seen::Known(head::associations(&head.content, name)),
                Err(why) => Seen::Unknown(why.clone()),
            };
            merged.insert(tlsa.clone(), seen);
        }
    }
    merged
}

async fn served_in(place: &Place<'_>, now: Instant) -> Served {
    let unknown = |why: &str| {
        let nobody = Authority(format!("the servers of {}", place.zone.name));
        let seen = BTreeMap::from([(nobody, Seen::Unknown(why.to_owned()))]);
        let names = place.names.iter().map(|(tlsa, _)| tlsa.clone());
        Served {
            tlsa: names.map(|name| (name, seen.clone())).collect(),
            ..Served::default()
        }
    };
    let servers = match servers(place.zone, place.head.as_ref().ok()) {
        Ok(servers) => servers,
        Err(why) => return unknown(&why),
    };
    let trust = match trust(place.zone, now) {
        Ok(trust) => trust,
        Err(why) => return unknown(&why),
    };
    let names: Vec<Name> = place.names.iter().map(|(_, name)| name.clone()).collect();
    authorities::see(
        &place.zone.name,
        &servers,
        &names,
        &trust,
        now,
        Limits::default(),
    )
    .await
}

/// Every address of every authoritative server: as configured, else as the zone at HEAD gives them.
pub(super) fn servers(
    zone: &ZoneConfig,
    head: Option<&Head>,
) -> Result<Vec<AuthorityAddress>, String> {
    let empty = Zone::empty(zone.name.clone());
    let content = head.map_or(&empty, |head| &head.content);
    addresses::addresses(content, &zone.servers).map_err(|e| e.to_string())
}

/// What the zone's keys are measured by: our own key files, or the anchor the operator gave.
pub(super) fn trust(zone: &ZoneConfig, now: Instant) -> Result<Trust, String> {
    match &zone.signing {
        Signing::Here { keys, .. } => {
            let keys = load_keys(keys, &zone.name).map_err(|e| e.to_string())?;
            let trusted = entry_points(&keys, now).into_iter();
            let dnskeys: Vec<Rdata> = trusted.map(|key| key.dnskey().clone()).collect();
            Ok(Trust::new(&zone.name, Vec::new(), &dnskeys))
        }
        Signing::External { anchor } => {
            let records = head::anchor_records(anchor, &zone.name).map_err(|e| e.to_string())?;
            let of = |rtype| {
                let wanted = records.iter().filter(move |r| r.rtype == rtype);
                wanted.map(|r| r.rdata.clone()).collect::<Vec<_>>()
            };
            Ok(Trust::new(&zone.name, of(Rtype::DS), &of(Rtype::DNSKEY)))
        }
    }
}

/// Where every host is reached: as configured, else at its A and AAAA in the zone at HEAD.
fn targets(
    places: &[Place<'_>],
    certificate: &CertificateConfig,
    rotation: &Rotation,
) -> Vec<Target> {
    let to_target = |endpoint: &Endpoint| {
        let configured = certificate.addresses.get(&endpoint.host);
        let addresses = match configured {
            Some(addresses) => addresses.iter().map(|a| a.socket(endpoint.port)).collect(),
            None => addresses_at_head(places, endpoint),
        };
        Target {
            endpoint: endpoint.clone(),
            addresses,
        }
    };
    rotation.endpoints.iter().map(to_target).collect()
}

fn addresses_at_head(places: &[Place<'_>], endpoint: &Endpoint) -> Vec<SocketAddr> {
    let Ok(host) = Name::parse(format!("{}.", endpoint.host).as_bytes(), None) else {
        return vec![];
    };
    let place = places
        .iter()
        .find(|place| host.is_at_or_below(&place.zone.name));
    let Some(Ok(head)) = place.map(|place| &place.head) else {
        return vec![];
    };
    addresses::in_zone(&head.content, &host)
        .into_iter()
        .map(|ip| SocketAddr::new(ip, endpoint.port))
        .collect()
}
