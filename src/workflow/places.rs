//! The zones that a rotation depends on: those that its names lie in, and those that its hosts have their addresses in.

use super::head::{self, Head, Heads};
use super::{WorkflowError, zone_look};
use crate::observe::addresses;
use crate::observe::listing::{Addresses, Listing};
use crate::rotation::observation::{Source, TlsaName};
use crate::rotation::step::Rotation;
use crate::workspace::config::ZoneConfig;
use crate::workspace::memory::Memory;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One zone with the names of the rotation, and the aliases of them, that lie in it.
pub(super) struct Place<'w> {
    pub(super) zone: &'w ZoneConfig,
    pub(super) names: Vec<(TlsaName, Name)>,
    pub(super) head: Result<Arc<Head>, String>,
    /// The hosts of the rotation that lie in it.
    hosts: Vec<(String, Name)>,
    /// Who serves it, as it is kept.
    pub(super) kept: Result<Listing, String>,
    /// An earlier run could read the parent's delegation of it.
    pub(super) parent_was_read: bool,
}

impl Place<'_> {
    /// The hosts of the rotation that lie in it, with their addresses as it is kept.
    pub(super) fn hosts_at_home(&self) -> impl Iterator<Item = (String, (Name, Addresses))> {
        let content = self.head.as_deref().ok().map(|head| &*head.content);
        self.hosts.iter().map(move |(host, name)| {
            let kept = zone_look::at_home(content, name);
            (host.clone(), (name.clone(), kept))
        })
    }
}

/// The zones of a rotation. What lies in none is noted.
pub(super) fn places<'w>(
    heads: &mut Heads<'w>,
    rotation: &Rotation,
    notes: &mut Vec<String>,
) -> Vec<Place<'w>> {
    let mut places: Vec<Place<'w>> = Vec::new();
    let aliases = rotation.aliases.keys();
    for tlsa in rotation.names().iter().chain(aliases) {
        let Ok(name) = Name::parse(tlsa.as_str().as_bytes(), None) else {
            notes.push(format!("`{tlsa}` is not a domain name"));
            continue;
        };
        match place_of(heads, &mut places, &name) {
            Some(place) => place.names.push((tlsa.clone(), name)),
            None => notes.push(format!("{tlsa} lies in no configured zone")),
        }
    }
    let looked_at = rotation.places_to_look_at();
    let hosts: BTreeSet<&str> = looked_at.map(|one| &*one.host).collect();
    for host in hosts {
        // What lies in no zone is told of its TLSA records already.
        if let Ok(name) = Name::parse(format!("{host}.").as_bytes(), None)
            && let Some(place) = place_of(heads, &mut places, &name)
        {
            place.hosts.push((host.to_owned(), name));
        }
    }
    places
}

/// The zone that a name lies in, whether it is among the places yet or not.
fn place_of<'p, 'w>(
    heads: &mut Heads<'w>,
    places: &'p mut Vec<Place<'w>>,
    name: &Name,
) -> Option<&'p mut Place<'w>> {
    let zone = heads.workspace.config.zone_of(name)?;
    if let Some(at) = places.iter().position(|place| place.zone.name == zone.name) {
        return places.get_mut(at);
    }
    let head = heads.get(zone).map_err(|e| e.to_string());
    let kept = match &head {
        Ok(head) => Ok(kept(heads, &head.content)),
        Err(why) => Err(why.clone()),
    };
    places.push(Place {
        zone,
        names: Vec::new(),
        head,
        hosts: Vec::new(),
        kept,
        parent_was_read: parent_was_read(heads, zone),
    });
    places.last_mut()
}

/// Whether earlier runs could read the parent's delegation of a zone. What they noted and cannot be read is told elsewhere.
fn parent_was_read(heads: &Heads<'_>, zone: &ZoneConfig) -> bool {
    let memory = Memory::read(&heads.workspace.state(), &zone.name);
    memory.is_ok_and(|memory| memory.is_some_and(|memory| memory.parent_was_read()))
}

/// Who serves a zone as it is kept. Servers in another zone that is kept here are found there.
pub(super) fn kept(heads: &mut Heads<'_>, content: &Zone) -> Listing {
    let mut listing = Listing::of_zone(content);
    let known = &listing.addresses;
    let servers = listing.servers.keys();
    let without: Vec<Name> = servers
        .filter(|s| !known.contains_key(s))
        .cloned()
        .collect();
    for server in without {
        let zone = heads.workspace.config.zone_of(&server);
        let zone = zone.filter(|zone| zone.name != content.apex);
        if let Some(Ok(other)) = zone.map(|zone| heads.get(zone)) {
            let found = zone_look::at_home(Some(&other.content), &server);
            if !found.is_empty() {
                listing.addresses.insert(server, found);
            }
        }
    }
    listing
}

/// Refuses names in a zone of which `servers` hides name servers.
pub(super) fn hide_no_server<'n>(
    heads: &mut Heads<'_>,
    names: impl IntoIterator<Item = &'n TlsaName>,
) -> Result<(), WorkflowError> {
    for zone in head::zones_of(heads.workspace, names) {
        let head = heads.get(zone)?;
        let listing = kept(heads, &head.content);
        let servers = addresses::place(&listing, &zone.servers).uncovered;
        if !servers.is_empty() {
            return Err(WorkflowError::ServersHidden {
                zone: zone.name.clone(),
                servers,
            });
        }
    }
    Ok(())
}

/// Where the zones are kept that are not in git.
pub(super) fn sources(places: &[Place<'_>]) -> BTreeMap<TlsaName, Source> {
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
