//! Hosts that no rotation has taken in, though mail comes to them: configured before the first one, after the last, or when it
//! is too late to join the one that runs; those that left the configuration; and those whose alias leads to other records than
//! the rotation knows. What is published for them is held against the keys that they are seen with (RFC 7671 §8).

use super::admit;
use super::case::Case;
use super::head::Heads;
use super::hosts::listed_by;
use super::known::Known;
use super::{neighbours, surroundings};
use crate::dane::certificate::Certificate;
use crate::rotation::alarm::{self, Alarm};
use crate::rotation::decide::Decision;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::step::{Event, Rotation, apply};
use crate::rotation::stray::{self, Strays};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::CertificateConfig;
use std::collections::{BTreeMap, BTreeSet};

/// A state to look from: these hosts with what the zone has for them, and nothing under way. None where no record of theirs
/// lies in a zone of ours.
pub(super) fn at_rest(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    rotation: Option<&Rotation>,
    now: Instant,
) -> Option<Rotation> {
    let was_let_go = |one: &Endpoint| {
        let left = rotation.and_then(|state| state.left.get(one));
        left.is_some_and(|left| left.asked)
    };
    // The rotation looks after a host where it knows its records to be; not where an alias leads to others now.
    let is_looked_after = |one: &Endpoint, at: &TlsaName| {
        rotation.is_some_and(|state| {
            let has_dane = state.dane_left.is_none();
            has_dane && state.endpoints.contains(one) && state.name_of(one) == *at
        })
    };
    let (mut endpoints, mut aliases) = (BTreeSet::new(), BTreeMap::new());
    let (mut base, mut ttl) = (BTreeMap::new(), BTreeMap::new());
    let configured = certificate.endpoints().filter(|one| !was_let_go(one));
    let still: Vec<Endpoint> =
        rotation.map_or_else(Vec::new, |state| still_found(heads, state, now));
    let strangers = unconfigured(heads, certificate, rotation);
    let mine = certificate.endpoints().collect::<BTreeSet<_>>();
    let strangers = strangers
        .into_iter()
        .filter(|one| !was_let_go(one) && !mine.contains(one));
    for endpoint in configured.chain(still).chain(strangers) {
        // What cannot be found is told where a rotation begins.
        let Ok(found) = surroundings::find(heads, &endpoint.tlsa_name()) else {
            continue;
        };
        // No record is no DANE.
        if found.rrset.is_empty() || is_looked_after(&endpoint, &found.name) {
            continue;
        }
        for link in found.links {
            aliases.insert(link, found.name.clone());
        }
        let mark: &mut Ttl = ttl.entry(found.name.clone()).or_default();
        *mark = (*mark).max(found.ttl);
        base.insert(found.name, found.rrset);
        endpoints.insert(endpoint);
    }
    if endpoints.is_empty() {
        return None;
    }
    let live = admit::in_use(certificate).unwrap_or_default();
    let leaves = live.iter().filter_map(|chain| chain.first());
    let mut current: BTreeSet<_> = leaves.map(Certificate::spki_association).collect();
    if current.is_empty() {
        current = base.values().flatten().cloned().collect();
    }
    let started = Event::Started {
        endpoints,
        current,
        base: base.clone(),
        ttl,
        ttl_sources: BTreeMap::new(),
    };
    let found = Event::SurroundingsFound {
        aliases,
        base,
        staying: BTreeSet::new(),
        satisfied: BTreeMap::new(),
    };
    let state = apply(None, now, &started).ok()?;
    let mut state = apply(Some(&state), now, &found).ok()?;
    // Where a host that left was found, it may be found still.
    let known = rotation.map(|rotation| rotation.addresses.clone());
    let known = known.into_iter().flatten();
    let is_of = |host: &String| state.endpoints.iter().any(|one| one.host == *host);
    state.addresses = known.filter(|(host, _)| is_of(host)).collect();
    Some(state)
}

/// Hosts and ports that no certificate has and whose mail depends on the keys of this one all the same.
fn unconfigured(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    rotation: Option<&Rotation>,
) -> BTreeSet<Endpoint> {
    let mut names: BTreeSet<TlsaName> = BTreeSet::new();
    for endpoint in certificate.endpoints() {
        names.extend(surroundings::find(heads, &endpoint.tlsa_name()).map(|found| found.name));
    }
    let mut keys = BTreeSet::new();
    if let Some(state) = rotation {
        names.extend(state.names().iter().cloned());
        keys.extend(state.current.iter().chain(&state.incoming).cloned());
    } else {
        let live = admit::in_use(certificate).unwrap_or_default();
        let leaves = live.iter().filter_map(|chain| chain.first());
        keys.extend(leaves.map(Certificate::spki_association));
    }
    neighbours::unconfigured(heads, &names, &keys)
}

/// The hosts that left the rotation by the configuration and have RRsets of their own, as long as mail may come to them: until
/// what led there has run out, and longer where an MX RRset lists them still.
fn still_found(heads: &mut Heads<'_>, state: &Rotation, now: Instant) -> Vec<Endpoint> {
    let left = state
        .left
        .iter()
        .filter(|(one, left)| !left.asked && !state.names().contains(&state.name_of(one)));
    left.filter(|(one, left)| now < left.until || listed_by(heads, &one.host).is_some())
        .map(|(one, _)| one.clone())
        .collect()
}

/// The risks at the hosts that the latest rotation has not taken in, or that none has yet, as they are seen now.
pub(super) fn alarms<'w>(known: &mut Known<'w>, case: &Case<'w>) -> Vec<Alarm> {
    let rotation = case.rotation.as_ref().map(|(_, state)| state);
    let now = known.now;
    let Some(mut outside) = at_rest(&mut known.heads, case.certificate, rotation, now) else {
        // A rotation that looks after the hosts has taken them up. Else they wait for a zone that can be read again.
        if case.rotation.is_some() {
            known.strays.note(&case.certificate.name, &Strays::new());
        }
        return Vec::new();
    };
    let Some(mut sight) = known.sight_of(&case.certificate.name, &outside) else {
        return Vec::new();
    };
    // What the branch that counts holds and no server has is not handed on; who would do so says that.
    sight.observation.merged.clear();
    outside.strays = known.strays.of(&case.certificate.name);
    outside.strays = stray::seen_at_rest(&outside, &sight.observation);
    known.strays.note(&case.certificate.name, &outside.strays);
    alarm::alarms_at_rest(&outside, now, &sight.observation)
}

/// What there is to decide before the first rotation: nothing, but for mail that is at risk already.
pub(super) fn before_the_first<'w>(known: &mut Known<'w>, case: &Case<'w>) -> Option<Decision> {
    let alarms = alarms(known, case);
    (!alarms.is_empty()).then(|| Decision {
        alarms,
        ..Decision::default()
    })
}
