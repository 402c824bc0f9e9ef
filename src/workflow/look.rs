//! One look at the world for one rotation: what git HEAD holds, what every server answers, what every host presents.
//!
//! Nothing here fails: what could not be looked at is `Unknown` with its reason, and a note for the user.

use super::behind_aliases;
use super::head::{self, Head, Heads};
use crate::dane::judge;
use crate::dnssec::keystore::{entry_points, load_keys};
use crate::observe::addresses::{self, AuthorityAddress};
use crate::observe::authorities::{self, Limits, Served, Trust};
use crate::observe::probe::{self, Bounds, Sighting, Target};
use crate::observe::side_by_side::side_by_side;
use crate::observe::smtp::Caller;
use crate::rotation::association::Association;
use crate::rotation::observation::{
    Authority, Endpoint, Observation, Seen, ServedRrset, Source, TlsaName,
};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workspace::config::{CertificateConfig, Signing, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Zones of one rotation that are looked at at once.
const AT_ONCE: usize = 8;

/// What was seen, and what the user should know about the looking itself.
pub(super) struct Sight {
    /// What was seen.
    pub(super) observation: Observation,
    /// Why something could not be looked at, one sentence each.
    pub(super) notes: Vec<String>,
}

/// One zone with the names of the rotation, and the aliases of them, that lie in it.
pub(super) struct Place<'w> {
    pub(super) zone: &'w ZoneConfig,
    pub(super) names: Vec<(TlsaName, Name)>,
    pub(super) head: Result<Arc<Head>, String>,
}

/// Where a rotation is looked at.
pub(super) struct View<'w> {
    certificate: &'w CertificateConfig,
    /// The rotation.
    pub(super) rotation: Rotation,
    /// The zones that its names lie in.
    pub(super) places: Vec<Place<'w>>,
    notes: Vec<String>,
}

/// Looks at everything that the rotation depends on.
pub(super) fn look<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
    rotation: &Rotation,
    now: Instant,
) -> Sight {
    let view = View::of(heads, certificate, rotation.clone());
    let targets = view.targets();
    let seen = crate::observe::wait_for(async {
        let asked = side_by_side(&view.places, AT_ONCE, |place| {
            let head = place.head.as_deref().ok();
            served_in(place.zone, head, &place.names, now)
        });
        tokio::join!(asked, survey(&targets))
    });
    match seen {
        Ok((asked, sightings)) => {
            let mut all = Served::default();
            for served in asked {
                add(&mut all, served);
            }
            view.sight(all, &targets, Ok(sightings), now)
        }
        Err(why) => view.sight(Served::default(), &targets, Err(why.to_string()), now),
    }
}

/// Adds what was seen in one zone to what was seen in others.
pub(super) fn add(all: &mut Served, served: Served) {
    all.tlsa.extend(served.tlsa);
    all.aliases.extend(served.aliases);
}

async fn survey(targets: &[Target]) -> Vec<Sighting> {
    probe::survey(targets, &Caller::default(), Bounds::default()).await
}

impl<'w> View<'w> {
    /// Of a rotation as it stands.
    pub(super) fn of(
        heads: &mut Heads<'w>,
        certificate: &'w CertificateConfig,
        rotation: Rotation,
    ) -> Self {
        let mut notes = Vec::new();
        let places = places(heads, &rotation, &mut notes);
        Self {
            certificate,
            rotation,
            places,
            notes,
        }
    }

    fn targets(&self) -> Vec<Target> {
        targets(&self.places, self.certificate, &self.rotation)
    }

    /// Looks at the hosts, and puts it beside what the servers were seen to serve.
    pub(super) fn look_at_hosts(&self, asked: Served, now: Instant) -> Sight {
        let targets = self.targets();
        let sightings = crate::observe::wait_for(survey(&targets));
        self.sight(
            asked,
            &targets,
            sightings.map_err(|why| why.to_string()),
            now,
        )
    }

    fn sight(
        &self,
        asked: Served,
        targets: &[Target],
        sightings: Result<Vec<Sighting>, String>,
        now: Instant,
    ) -> Sight {
        let mut notes = self.notes.clone();
        let sightings = sightings.unwrap_or_else(|why| {
            notes.push(format!("nothing could be asked over the network: {why}"));
            Vec::new()
        });
        let rotation = &self.rotation;
        let merged = behind_aliases::merged(rotation, &self.places, merged(&self.places));
        let served = behind_aliases::served(rotation, asked);
        let satisfied = |endpoint: &Endpoint, chain: &[Vec<u8>]| {
            let chain = judge::presented(chain).unwrap_or_default();
            let candidates = at_hand(rotation, &rotation.name_of(endpoint), &merged, &served);
            judge::satisfied(&candidates, &chain, &[&endpoint.host], now)
        };
        let presented = probe::offers(targets, sightings, satisfied);
        Sight {
            observation: Observation {
                at: now,
                merged,
                sources: sources(&self.places),
                served,
                presented,
                ..Observation::nothing(now)
            },
            notes,
        }
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
    heads: &mut Heads<'w>,
    rotation: &Rotation,
    notes: &mut Vec<String>,
) -> Vec<Place<'w>> {
    let workspace = heads.workspace;
    let mut places: Vec<Place<'w>> = Vec::new();
    let aliases = rotation.aliases.keys();
    for tlsa in rotation.names().iter().chain(aliases) {
        let Ok(name) = Name::parse(tlsa.as_str().as_bytes(), None) else {
            notes.push(format!("`{tlsa}` is not a domain name"));
            continue;
        };
        let Some(zone) = workspace.config.zone_of(&name) else {
            notes.push(format!("{tlsa} lies in no configured zone"));
            continue;
        };
        if let Some(place) = places.iter_mut().find(|place| place.zone.name == zone.name) {
            place.names.push((tlsa.clone(), name));
        } else {
            let head = heads.get(zone).map_err(|e| e.to_string());
            places.push(Place {
                zone,
                names: vec![(tlsa.clone(), name)],
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

/// Where the zones are kept that are not in git.
fn sources(places: &[Place<'_>]) -> BTreeMap<TlsaName, Source> {
    let mut sources = BTreeMap::new();
    for place in places {
        let source = head::source(place.zone);
        if source != Source::GitHead {
            let names = place.names.iter();
            sources.extend(names.map(|(tlsa, _)| (tlsa.clone(), source.clone())));
        }
    }
    sources
}

/// What every server of a zone serves at these names.
pub(super) async fn served_in(
    zone: &ZoneConfig,
    head: Option<&Head>,
    names: &[(TlsaName, Name)],
    now: Instant,
) -> Served {
    let unknown = |why: &str| {
        let nobody = Authority(format!("the servers of {}", zone.name));
        let seen = BTreeMap::from([(nobody, Seen::Unknown(why.to_owned()))]);
        let names = names.iter().map(|(tlsa, _)| tlsa.clone());
        Served {
            tlsa: names.map(|name| (name, seen.clone())).collect(),
            ..Served::default()
        }
    };
    let servers = match servers(zone, head) {
        Ok(servers) => servers,
        Err(why) => return unknown(&why),
    };
    let trust = match trust(zone, now) {
        Ok(trust) => trust,
        Err(why) => return unknown(&why),
    };
    let names: Vec<Name> = names.iter().map(|(_, name)| name.clone()).collect();
    let limits = Limits::for_names(names.len());
    authorities::see(&zone.name, &servers, &names, &trust, now, limits).await
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
