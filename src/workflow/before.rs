//! What there was before a rotation begins, as far as caches may still hold it: the TTLs of its TLSA RRsets with how each is
//! known, and the name servers and addresses that have left. What nobody knows is assumed and said, never passed over.

use super::head::{self, Head, Heads};
use super::history::{self, Past, UNTIL_SERVED, Wanted};
use super::noted;
use super::surroundings::Surroundings;
use super::zone_look::{Asked, Question};
use super::{behind_aliases, look};
use crate::observe::side_by_side::side_by_side;
use crate::rotation::before::{TtlSource, TtlsBefore};
use crate::rotation::observation::{Authority, Seen, TlsaName, ZoneName};
use crate::rotation::step::Event;
use crate::rotation::step::Rotation;
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::workspace::memory::Memory;
use crate::zone::name::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Zones that are asked at once.
const AT_ONCE: usize = 8;

/// One zone of a rotation, and what is remembered of it.
struct Remembered<'w> {
    zone: &'w ZoneConfig,
    head: Arc<Head>,
    past: Past,
    memory: Option<Memory>,
}

/// Raises the TTLs of a rotation that begins to the largest under which its servers serve the RRsets now, as far as they can
/// be asked: the file of a zone need not have been theirs for long.
pub(super) fn ask_servers<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
    found: &mut Surroundings,
    now: Instant,
) {
    let Ok(state) = found.before_the_start(now) else {
        return; // the start itself says why
    };
    let view = look::View::of(heads, certificate, state, now);
    let questions: Vec<Question<'_>> = view.questions().collect();
    let asked = crate::observe::wait_for(side_by_side(&questions, AT_ONCE, |question| {
        question.ask(now)
    }));
    let mut all = Asked::default();
    for asked in asked.unwrap_or_default() {
        all.add(asked);
    }
    for (name, by_server) in behind_aliases::served(&view.rotation, all.served) {
        for seen in by_server.into_values() {
            if let Seen::Known(rrset) = seen {
                let mark = found.ttl.entry(name.clone()).or_default();
                *mark = (*mark).max(rrset.ttl);
            }
        }
    }
}

/// Adds what there was before: raises each TTL to `TTL_old` with its source, and notes servers and addresses that left.
/// `stated` is what the operator says of the TTL. Says what it found, one sentence each.
pub(super) fn remember(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    found: &mut Surroundings,
    stated: Option<Ttl>,
    now: Instant,
) -> Vec<String> {
    let mut notes = Vec::new();
    let links = found
        .aliases
        .iter()
        .map(|(alias, name)| (alias.clone(), name.clone()));
    let own = found.base.keys().map(|name| (name.clone(), name.clone()));
    let names: Vec<(TlsaName, TlsaName)> = own.chain(links).collect();
    let mut ttls: BTreeMap<TlsaName, TtlsBefore> = found
        .ttl
        .iter()
        .map(|(name, seen)| {
            let before = TtlsBefore {
                seen: *seen,
                history: Ttl(0),
                remembered: Ttl(0),
                reaches_back: true,
                stated,
                assumed: certificate.assume_ttl,
            };
            (name.clone(), before)
        })
        .collect();
    for one in remembered(heads, certificate, &names, now, &mut notes) {
        let back = certificate.assume_ttl.span();
        for (tlsa, rrset) in &names {
            let Some(owner) = home(heads, one.zone, tlsa.as_str()) else {
                continue;
            };
            let Some(before) = ttls.get_mut(rrset) else {
                continue;
            };
            let memory = one.memory.as_ref();
            let since = memory.and_then(|memory| memory.since_of(tlsa.as_str()));
            before.reaches_back &=
                one.past.reaches(back, now) || since.is_some_and(|since| since + back <= now);
            let in_git = one.past.ttls.get(&owner).copied().unwrap_or_default();
            before.history = before.history.max(in_git);
            let by_runs = memory.map(|memory| memory.ttl_of(tlsa.as_str(), now, UNTIL_SERVED));
            let by_runs = by_runs.unwrap_or_default();
            before.remembered = before.remembered.max(by_runs);
            let ttl = in_git.max(by_runs);
            if ttl > before.seen {
                notes.push(format!(
                    "an earlier version of {owner} may still be cached: it counts with its TTL of {}",
                    ttl.span()
                ));
            }
        }
        found.left.extend(who_left(&one, certificate, now));
    }
    for (name, before) in &ttls {
        let (ttl, source) = before.old();
        found.ttl.insert(name.clone(), ttl);
        if source != TtlSource::Seen {
            found.ttl_sources.insert(name.clone(), source);
        }
    }
    notes.extend(of_ttls(&ttls));
    notes.extend(found.left.iter().flat_map(of_those_who_left));
    notes
}

/// The name in the zone that it lies in, if that is this one.
fn home(heads: &Heads<'_>, zone: &ZoneConfig, text: &str) -> Option<Name> {
    let name = Name::parse(text.as_bytes(), None).ok()?;
    let deepest = heads.workspace.config.zone_of(&name)?;
    (deepest.name == zone.name).then_some(name)
}

fn remembered<'w>(
    heads: &mut Heads<'w>,
    certificate: &CertificateConfig,
    names: &[(TlsaName, TlsaName)],
    now: Instant,
    notes: &mut Vec<String>,
) -> Vec<Remembered<'w>> {
    let workspace = heads.workspace;
    let mut all = Vec::new();
    for zone in head::zones_of(workspace, names.iter().map(|(name, _)| name)) {
        // A zone that cannot be read has kept the rotation from being found.
        let Ok(head) = heads.get(zone) else { continue };
        let owners = names.iter().map(|(name, _)| name.as_str());
        let hosts = certificate.hosts.iter().map(String::as_str);
        let wanted = Wanted {
            owners: owners
                .filter_map(|owner| home(heads, zone, owner))
                .collect(),
            hosts: hosts
                .filter_map(|host| Some((host, home(heads, zone, &format!("{host}."))?)))
                .collect(),
            back: certificate.assume_ttl.span(),
        };
        let past = history::past(heads, zone, &head, &wanted, now, notes);
        let memory = noted::of_zone(heads, certificate, zone, now, notes);
        all.push(Remembered {
            zone,
            head,
            past,
            memory,
        });
    }
    all
}

/// The TTLs that runs have seen under way or after the end, and that are larger than any that the rotation knows, as facts: a
/// wait that begins now goes by them.
pub(super) fn higher_ttls(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    state: &Rotation,
    now: Instant,
) -> Vec<Event> {
    let mut higher = Vec::new();
    for zone in head::zones_of(heads.workspace, state.names()) {
        let Some(memory) = noted::of_zone(heads, certificate, zone, now, &mut Vec::new()) else {
            continue;
        };
        for name in state.names() {
            let ttl = memory.ttl_of(name.as_str(), now, UNTIL_SERVED);
            if state.ttl_old.get(name).is_some_and(|known| *known < ttl) {
                higher.push(Event::HigherTtlSeen {
                    name: name.clone(),
                    ttl,
                });
            }
        }
    }
    higher
}

/// Name servers and addresses that left one zone, as facts. Where neither git nor earlier runs know of as long back as caches
/// do, one server that nobody knows stands for all that may have left.
fn who_left(one: &Remembered<'_>, certificate: &CertificateConfig, now: Instant) -> Vec<Event> {
    let zone = ZoneName::new(one.zone.name.to_string());
    let present = history::leading_to(&one.head.content);
    let (mut until, mut addresses) = (one.past.servers.clone(), one.past.addresses.clone());
    if let Some(memory) = &one.memory {
        let is_here = |server: &str| present.keys().any(|one| one.0.eq_ignore_ascii_case(server));
        let left = memory.servers_left(now, UNTIL_SERVED).into_iter();
        for (server, end) in left.filter(|(server, _)| !is_here(server)) {
            let known = until.entry(Authority(server.to_owned())).or_insert(end);
            *known = (*known).max(end);
        }
        for host in &certificate.hosts {
            for (address, end) in memory.addresses_left(host, now, UNTIL_SERVED) {
                let of_host = addresses.entry(host.clone()).or_default();
                let known = of_host.entry(address.to_owned()).or_insert(end);
                *known = (*known).max(end);
            }
        }
    }
    let back = present.into_values().max();
    let back = back.unwrap_or(certificate.assume_ttl).span();
    let noted_since = one.memory.as_ref().map(Memory::since);
    if !one.past.reaches(back, now) && noted_since.is_none_or(|since| since + back > now) {
        until.insert(nobody_knows(&zone), now + back);
    }
    let mut facts = Vec::new();
    if !until.is_empty() {
        facts.push(Event::ServersHadLeft { zone, until });
    }
    let addresses = addresses.into_iter();
    facts.extend(addresses.map(|(host, until)| Event::AddressesHadLeft { host, until }));
    facts
}

/// The server that stands for all that nobody knows of.
fn nobody_knows(zone: &ZoneName) -> Authority {
    Authority(format!("an earlier server of {zone}"))
}

fn of_ttls(ttls: &BTreeMap<TlsaName, TtlsBefore>) -> Vec<String> {
    let mut notes = Vec::new();
    let unknown = ttls.iter().filter(|(_, before)| {
        !before.reaches_back && (before.stated.is_some() || before.old().1 == TtlSource::Assumed)
    });
    let unknown: Vec<(&TlsaName, &TtlsBefore)> = unknown.collect();
    let Some((_, before)) = unknown.first() else {
        return notes;
    };
    let names: Vec<&str> = unknown.iter().map(|(name, _)| name.as_str()).collect();
    let (names, assumed) = (names.join(" and "), before.assumed.span());
    match before.stated {
        Some(stated) if stated < before.assumed => notes.push(format!(
            "no history tells what TTL {names} had before: {} counts, as stated, though {assumed} would be assumed (policy assume_ttl)",
            stated.span()
        )),
        Some(_) => {}
        None => notes.push(format!(
            "no history tells what TTL {names} had before: {assumed} is assumed (policy assume_ttl); `tlsa-rotate start --ttl-before` or `ttl_before` of the certificate states what it was"
        )),
    }
    notes
}

fn of_those_who_left(fact: &Event) -> Vec<String> {
    match fact {
        Event::ServersHadLeft { zone, until } => until
            .iter()
            .map(|(server, end)| {
                if *server == nobody_knows(zone) {
                    format!("no history tells which name servers {zone} had before: one that has left may be asked until {end}")
                } else {
                    format!("caches may lead to {server}, which {zone} has no more, until {end}")
                }
            })
            .collect(),
        Event::AddressesHadLeft { host, until } => until
            .iter()
            .map(|(address, end)| {
                format!("caches may lead to {address}, which {host} has no more, until {end}")
            })
            .collect(),
        _ => Vec::new(),
    }
}
