//! What each `advance` notes of the zones as the branch that counts holds them, so that a later start knows what there was
//! before (RFC 7583 §3.2.1), also where no git remembers it.

use super::advance::Tick;
use super::head::{Head, Heads};
use super::history::{UNTIL_SERVED, leading_to, led_to_by};
use super::known::Known;
use super::surroundings::{alias, find, ttl_at};
use super::zone_look::{self, at_home};
use crate::observe::referral::Guide;
use crate::rotation::observation::{Authority, TlsaName};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::workspace::memory::{Held, Memory, Parent, REFRESHED};
use crate::zone::name::Name;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Notes what the branch that counts holds of the zones that the certificates' names and hosts lie in. What cannot be read is
/// not noted, and what cannot be noted holds nothing up.
pub(super) fn note(known: &mut Known<'_>) -> Vec<Tick> {
    let (workspace, now) = (known.workspace, known.now);
    let state = workspace.state();
    let (mut all, mut left_out) = (BTreeMap::new(), BTreeSet::new());
    for certificate in &workspace.config.certificates {
        let mut gathered = Notes {
            heads: &mut known.heads,
            held: &mut all,
            left_out: &mut left_out,
            asks: &|zone| is_due(&Memory::read(&state, &zone.name), now),
            takes_parents: true,
        };
        gathered.take(certificate);
    }
    let mut ticks = strays(known);
    for (zone, held) in all {
        let memory = Memory::read(&state, &zone).ok().flatten();
        let mut memory = memory.unwrap_or_else(|| Memory::beginning(now));
        if memory.take_in(&held, now, UNTIL_SERVED)
            && let Err(error) = memory.write(&state, &zone)
        {
            ticks.push(Tick {
                zone: Some(zone.clone()),
                notes: vec![format!("what {zone} holds now was not noted: {error}")],
                ..Tick::of(&zone.to_string())
            });
        }
    }
    ticks
}

/// Keeps the answers in mind that refused a host which no rotation looks after.
fn strays(known: &mut Known<'_>) -> Vec<Tick> {
    let lost = known.strays_lost.take().map(|why| {
        format!("which answers caches may still hold is not known from earlier runs: {why}")
    });
    let failed = known.strays.write(&known.workspace.state()).err();
    let failed =
        failed.map(|error| format!("the answers that caches may hold were not noted: {error}"));
    let notes: Vec<String> = lost.into_iter().chain(failed).collect();
    // It is of no zone alone, and told with the first.
    let first = known.workspace.config.zones.first();
    let told = first.filter(|_| !notes.is_empty()).map(|zone| Tick {
        zone: Some(zone.name.clone()),
        notes,
        ..Tick::of(&zone.name.to_string())
    });
    told.into_iter().collect()
}

/// Adds the servers that the parent names, where this run asked it.
fn at_the_parent(
    guide: &Guide,
    zone: &ZoneConfig,
    servers: &mut BTreeMap<Authority, Ttl>,
) -> Parent {
    if !zone_look::asks_parent(zone) {
        return Parent::Aside;
    }
    match guide.learnt_delegation(&zone.name) {
        Some(Ok(listing)) => {
            for (server, ttl) in led_to_by(&listing) {
                let known = servers.entry(server).or_default();
                *known = ttl.max(*known);
            }
            Parent::Read
        }
        Some(Err(_)) | None => Parent::Unasked,
    }
}

/// Whether it is time to ask whoever keeps a zone for it, though nobody else did in this run.
fn is_due(memory: &io::Result<Option<Memory>>, now: Instant) -> bool {
    let memory = memory.as_ref().ok().and_then(Option::as_ref);
    memory.is_none_or(|memory| now.since(memory.last()) >= REFRESHED)
}

/// What earlier runs noted of a zone, as far as these names of a certificate, and what has changed since. That it cannot be
/// read is said.
pub(super) fn of_zone(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    zone: &ZoneConfig,
    now: Instant,
    notes: &mut Vec<String>,
) -> Option<Memory> {
    let memory = match Memory::read(&heads.workspace.state(), &zone.name) {
        Ok(memory) => memory?,
        Err(why) => {
            notes.push(format!(
                "what earlier runs noted of {} is lost, nothing is known from it: {why}",
                zone.name
            ));
            return None;
        }
    };
    let (mut all, mut left_out) = (BTreeMap::new(), BTreeSet::new());
    let mut gathered = Notes {
        heads,
        held: &mut all,
        left_out: &mut left_out,
        asks: &|_| true,
        // Whom the parent alone names may leave before the first run looks: it is waited for as who has left.
        takes_parents: false,
    };
    gathered.take(certificate);
    let mut memory = memory;
    memory.take_in(&all.remove(&zone.name)?, now, UNTIL_SERVED);
    Some(memory)
}

/// What the zones hold, gathered from certificate to certificate.
struct Notes<'n, 'w> {
    heads: &'n mut Heads<'w>,
    held: &'n mut BTreeMap<Name, Held>,
    /// The zones that were not read.
    left_out: &'n mut BTreeSet<Name>,
    /// Whether whoever keeps a zone is to be asked for it.
    asks: &'n dyn Fn(&ZoneConfig) -> bool,
    /// Whether the servers that the parent names now count.
    takes_parents: bool,
}

impl Notes<'_, '_> {
    fn take(&mut self, certificate: &CertificateConfig) {
        for tlsa in certificate.endpoints().map(|one| one.tlsa_name()) {
            self.take_rrset(&tlsa);
        }
        for host in &certificate.hosts {
            self.take_host(host);
        }
    }

    /// The RRset at a name, and the aliases on the way to it.
    fn take_rrset(&mut self, tlsa: &TlsaName) {
        let Some((name, head, there)) = self.at(tlsa.as_str()) else {
            return;
        };
        there
            .ttls
            .insert(tlsa.as_str().to_owned(), ttl_at(&head, &name));
        if alias(&head, &name).is_none() {
            return;
        }
        let Ok(found) = find(self.heads, tlsa) else {
            return; // a start says why
        };
        for further in found.links.iter().chain([&found.name]).skip(1) {
            if let Some((name, head, there)) = self.at(further.as_str()) {
                let ttl = ttl_at(&head, &name);
                there.ttls.insert(further.as_str().to_owned(), ttl);
            }
        }
    }

    fn take_host(&mut self, host: &str) {
        if let Some((name, head, there)) = self.at(&format!("{host}.")) {
            for (address, ttl) in at_home(Some(&head.content), &name) {
                there
                    .addresses
                    .insert((host.to_owned(), address.to_string()), ttl);
            }
        }
    }

    /// The zone that a name lies in, and what is noted of it.
    fn at(&mut self, text: &str) -> Option<(Name, std::sync::Arc<Head>, &mut Held)> {
        let name = Name::parse(text.as_bytes(), None).ok()?;
        let zone = self.heads.workspace.config.zone_of(&name)?;
        if self.left_out.contains(&zone.name) {
            return None;
        }
        let is_at_hand = !zone.publication.is_elsewhere() || self.heads.holds(zone);
        let head = if is_at_hand || self.held.contains_key(&zone.name) || (self.asks)(zone) {
            self.heads.get(zone).ok()
        } else {
            None
        };
        let Some(head) = head else {
            self.left_out.insert(zone.name.clone());
            return None;
        };
        let there = match self.held.entry(zone.name.clone()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let mut servers = leading_to(&head.content);
                let parent = if self.takes_parents {
                    at_the_parent(&self.heads.guide, zone, &mut servers)
                } else {
                    Parent::Aside
                };
                let servers = servers.into_iter();
                place.insert(Held {
                    servers: servers.map(|(server, ttl)| (server.0, ttl)).collect(),
                    parent,
                    ..Held::default()
                })
            }
        };
        Some((name, head, there))
    }
}
