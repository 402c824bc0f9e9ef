//! One look at the world for one rotation: what git HEAD holds, what every server answers, what every host presents.
//!
//! Nothing here fails: what could not be looked at is `Unknown` with its reason, and a note for the user.

use super::head::{self, Head};
use crate::dnssec::keystore::{entry_points, load_keys};
use crate::observe::addresses::{self, AuthorityAddress};
use crate::observe::authorities::{self, Limits, Trust};
use crate::observe::probe::{self, Bounds, Target};
use crate::observe::smtp::Caller;
use crate::rotation::association::Association;
use crate::rotation::observation::{Authority, Endpoint, Observation, Seen, TlsaName};
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

/// One zone with the names of the rotation that lie in it.
struct Place<'w> {
    zone: &'w ZoneConfig,
    names: Vec<(TlsaName, Name)>,
    head: Result<Head, String>,
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
    let merged = merged(&places);
    let targets = targets(&places, certificate, rotation);
    let caller = Caller::default();
    let (served, presented) = crate::observe::wait_for(async {
        let asked = async {
            let mut served = BTreeMap::new();
            for place in &places {
                served.extend(served_in(place, now).await);
            }
            served
        };
        let probed = probe::probe_endpoints(&targets, &caller, Bounds::default());
        tokio::join!(asked, probed)
    })
    .unwrap_or_else(|why| {
        notes.push(format!("nothing could be asked over the network: {why}"));
        (BTreeMap::new(), BTreeMap::new())
    });
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

fn places<'w>(
    workspace: &'w Workspace,
    rotation: &Rotation,
    now: Instant,
    notes: &mut Vec<String>,
) -> Vec<Place<'w>> {
    let mut places: Vec<Place<'w>> = Vec::new();
    for tlsa in rotation.names() {
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

async fn served_in(
    place: &Place<'_>,
    now: Instant,
) -> BTreeMap<TlsaName, BTreeMap<Authority, Seen<crate::rotation::observation::ServedRrset>>> {
    let unknown = |why: &str| {
        let nobody = Authority(format!("the servers of {}", place.zone.name));
        let seen = BTreeMap::from([(nobody, Seen::Unknown(why.to_owned()))]);
        place
            .names
            .iter()
            .map(|(tlsa, _)| (tlsa.clone(), seen.clone()))
            .collect()
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
    .tlsa
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
