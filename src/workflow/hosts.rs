//! The hosts of a rotation follow the configuration while it runs: who is added joins with a wait of its own, who is taken
//! out is let go; a host that is gone for good is let go by a person (`forget`).

use super::WorkflowError;
use super::advance::Tick;
use super::before;
use super::case::Case;
use super::head::{self, Heads};
use super::known::{Known, plain};
use super::sign;
use super::surroundings::{self, Found, Surroundings};
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::Config;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};

/// Records who joined and who left the certificate since the last run.
pub(super) fn follow_configuration(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way().cloned() else {
        return Ok(());
    };
    let configured: BTreeSet<Endpoint> = case.certificate.endpoints().collect();
    let gone: BTreeSet<Endpoint> = state.endpoints.difference(&configured).cloned().collect();
    let was_let_go = |one: &&Endpoint| state.left.get(*one).is_some_and(|left| left.asked);
    let new: BTreeSet<Endpoint> = configured
        .difference(&state.endpoints)
        .filter(|one| !was_let_go(one))
        .cloned()
        .collect();
    let now = known.now;
    if !new.is_empty() {
        if takes_in(state.step) {
            let joined = joined(known, case, &state, new.clone(), tick)?;
            case.note(now, joined)?;
            tick.deeds.push(format!("{} joined {id}", listed(&new)));
        } else {
            tick.notes.push(format!(
                "{} joins with the next rotation: {id} is {}. Leave the key there that its records list",
                listed(&new),
                state.step
            ));
        }
    }
    follow_those_that_left(known, case, &configured)?;
    follow_records(known, case, tick)?;
    if !gone.is_empty() {
        if gone.len() == state.endpoints.len() && new.is_empty() && !lets_all_go(state.step) {
            tick.notes.push(format!(
                "no host of {id} is configured any more; to end it: tlsa-rotate abort {}",
                id.certificate
            ));
        } else {
            let left = left(known, &state, &gone, None);
            tick.deeds.extend(told(known, &state, (&id, &left)));
            case.note(now, left)?;
        }
    }
    case.keep(lock)?;
    tick.rotation.clone_from(&case.rotation);
    Ok(())
}

/// A host that left the configuration and is still listed in an MX RRset goes on getting mail: where it shares an RRset, it is
/// waited for until the MX of before has run out.
fn follow_those_that_left(
    known: &mut Known<'_>,
    case: &mut Case<'_>,
    configured: &BTreeSet<Endpoint>,
) -> Result<(), WorkflowError> {
    let Some((_, state)) = case.under_way().cloned() else {
        return Ok(());
    };
    let now = known.now;
    let mut still = BTreeSet::new();
    for (endpoint, left) in &state.left {
        let shares = state.names().contains(&state.name_of(endpoint));
        if left.asked || !shares || configured.contains(endpoint) {
            continue;
        }
        if let Some((_, ttl)) = listed_by(&mut known.heads, &endpoint.host)
            && left.until.since(now).as_seconds() < u64::from(ttl.0) / 2
        {
            still.insert(endpoint.clone());
        }
    }
    if still.is_empty() {
        return Ok(());
    }
    let left = left(known, &state, &still, None);
    case.note(now, left)
}

/// A host whose RRset lies elsewhere now, as an alias came, went or leads to another, moves there with a wait of its own.
/// So does one that joined with records that were corrected before any server had them: no cache holds those.
fn follow_records(
    known: &mut Known<'_>,
    case: &mut Case<'_>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way().cloned() else {
        return Ok(());
    };
    let (mut moved, mut corrected) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in &state.endpoints {
        // What cannot be found now is told where it is looked at.
        let Ok(found) = surroundings::find(&mut known.heads, &endpoint.tlsa_name()) else {
            continue;
        };
        let name = state.name_of(endpoint);
        if found.name != name && is_fit_to_move_to(&state, &endpoint.tlsa_name(), &found) {
            moved.insert(endpoint.clone());
        } else if was_corrected(known, &state, &name, &found.rrset) {
            corrected.insert(endpoint.clone());
        }
    }
    let changed: BTreeSet<Endpoint> = moved.union(&corrected).cloned().collect();
    if changed.is_empty() {
        return Ok(());
    }
    let joined = joined(known, case, &state, changed.clone(), tick)?;
    case.note(known.now, joined)?;
    let goes_back = case
        .under_way()
        .is_some_and(|(_, after)| after.step != state.step);
    let what = if goes_back {
        format!("{id} waits for them anew")
    } else {
        format!("{id} goes on with them")
    };
    let who = listed(&changed);
    tick.deeds
        .push(format!("the records of {who} are others now: {what}"));
    Ok(())
}

/// Whether a host that is led to other records can be followed there. Before anybody may have the next key, records of its own
/// are no slip whatever they hold; an alias that leads elsewhere may be one, and so may records that lack a key which the host
/// has or may have by now: such a zone is not handed on.
fn is_fit_to_move_to(state: &Rotation, own: &TlsaName, found: &Found) -> bool {
    let needed = match state.step {
        Step::Started | Step::Generated => return false,
        step if step < Step::SwapOpen && found.name == *own => BTreeSet::new(),
        step if step < Step::SwapOpen => &state.current | &state.staying,
        _ => state.requirement().present,
    };
    needed.is_subset(&found.rrset)
}

/// Whether a name joined with records that are gone from `rrset`, and that what was handed out last does not hold.
fn was_corrected(
    known: &Known<'_>,
    state: &Rotation,
    name: &TlsaName,
    rrset: &BTreeSet<Association>,
) -> bool {
    let is_joining = matches!(state.joining.get(name), Some(None));
    let Some(base) = state
        .base
        .get(name)
        .filter(|base| is_joining && !base.is_subset(rrset))
    else {
        return false;
    };
    let Ok(owner) = Name::parse(name.as_str().as_bytes(), None) else {
        return false;
    };
    let zone = known.workspace.config.zone_of(&owner);
    // Where nobody here hands it out, it may have been served.
    let handed_out = zone.and_then(|zone| sign::handed_out(zone).ok().flatten());
    handed_out.is_some_and(|zone| head::associations(&zone, &owner).is_disjoint(base))
}

/// The mail domain that lists a host in its MX RRset, with the largest TTL of those that do.
pub(super) fn listed_by(heads: &mut Heads<'_>, host: &str) -> Option<(Name, Ttl)> {
    let zones = &heads.workspace.config.zones;
    let mut found: Option<(Name, Ttl)> = None;
    for zone in zones {
        // A zone that cannot be read is told at its own gates.
        let Ok(head) = heads.get(zone) else {
            continue;
        };
        for (domain, exchanges) in mail::exchanges(&head.content) {
            if exchanges.iter().any(|(_, one)| plain(one) == host)
                && let Some(mx) = head.content.rrset(&domain, Rtype::MX)
                && found.as_ref().is_none_or(|(_, ttl)| *ttl < mx.ttl)
            {
                found = Some((domain, mx.ttl));
            }
        }
    }
    found
}

/// The steps in which a host can still join: before the old records leave.
fn takes_in(step: Step) -> bool {
    step <= Step::Verified
}

/// The steps in which the last host may go: nothing but the records is left to care for.
pub(super) fn lets_all_go(step: Step) -> bool {
    matches!(step, Step::RollingBack | Step::Withdrawing)
}

fn listed(endpoints: &BTreeSet<Endpoint>) -> String {
    let names: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// What is found of the hosts that join: where their RRsets lie, what is in them, and what caches may hold of them.
fn joined(
    known: &mut Known<'_>,
    case: &Case<'_>,
    state: &Rotation,
    endpoints: BTreeSet<Endpoint>,
    tick: &mut Tick,
) -> Result<Event, WorkflowError> {
    let (mut aliases, mut base, mut ttl) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for tlsa in endpoints.iter().map(Endpoint::tlsa_name) {
        let found = surroundings::find(&mut known.heads, &tlsa)?;
        for link in found.links {
            aliases.insert(link, found.name.clone());
        }
        let is_unpublished = matches!(state.joining.get(&found.name), Some(None));
        if state.names().contains(&found.name) && !is_unpublished {
            continue; // it shares an RRset that is part of the rotation
        }
        let mark: &mut Ttl = ttl.entry(found.name.clone()).or_default();
        *mark = (*mark).max(found.ttl);
        base.insert(found.name, found.rrset);
    }
    let mut found = Surroundings {
        endpoints,
        aliases,
        base,
        ttl,
        ..Surroundings::of_keys(state)
    };
    let certificate = known.workspace.config.certificate(&case.certificate.name);
    if let Some(certificate) = certificate.filter(|_| !found.base.is_empty()) {
        before::ask_servers(&mut known.heads, certificate, &mut found, known.now);
        let stated = certificate.ttl_before;
        let notes = before::remember(&mut known.heads, certificate, &mut found, stated, known.now);
        super::advance::remember(&mut tick.notes, notes);
    }
    Ok(Event::HostsJoined {
        endpoints: found.endpoints,
        aliases: found.aliases,
        base: found.base,
        ttl: found.ttl,
        ttl_sources: found.ttl_sources,
    })
}

/// The fact that these hosts leave, with the time until which senders may still come to each.
pub(super) fn left(
    known: &mut Known<'_>,
    state: &Rotation,
    gone: &BTreeSet<Endpoint>,
    asked: Option<String>,
) -> Event {
    let now = known.now;
    let endpoints = gone.iter().map(|endpoint| {
        let until = senders_come_until(known, state, endpoint, now);
        (endpoint.clone(), until)
    });
    Event::HostsLeft {
        endpoints: endpoints.collect(),
        asked,
    }
}

/// Until when some sender may hold an MX, address or TLSA record that leads to the host.
fn senders_come_until(
    known: &mut Known<'_>,
    state: &Rotation,
    endpoint: &Endpoint,
    now: Instant,
) -> Instant {
    let addresses = state.addresses.get(&endpoint.host).into_iter().flatten();
    let mut longest = addresses.map(|(_, one)| one.ttl).max().unwrap_or_default();
    if let Some(ttl) = state.ttl_old.get(&state.name_of(endpoint)) {
        longest = longest.max(*ttl);
    }
    if let Some((_, ttl)) = listed_by(&mut known.heads, &endpoint.host) {
        longest = longest.max(ttl);
    }
    now + longest.span()
}

/// What it costs that hosts leave, one sentence each.
pub(super) fn told(
    known: &mut Known<'_>,
    state: &Rotation,
    (id, left): (&RotationId, &Event),
) -> Vec<String> {
    let Event::HostsLeft { endpoints, asked } = left else {
        return Vec::new();
    };
    let told = endpoints.iter().map(|(endpoint, until)| {
        let name = state.name_of(endpoint);
        let mut others = state.endpoints.iter();
        let shares = others.any(|one| one != endpoint && state.name_of(one) == name);
        let records = match (shares, asked) {
            (false, _) => "nothing is proposed for it any more".to_owned(),
            (true, None) => format!("its records at {name} are those of other hosts, too: the key that it has stays in them until no sender comes to it"),
            (true, Some(_)) => format!("its records at {name} are those of other hosts, too: nobody waits for it any more, but as long as it is seen with the previous key, that key stays in them"),
        };
        // An MX leads to one port alone (RFC 5321 §5.1).
        let listed = listed_by(&mut known.heads, &endpoint.host);
        let come = match listed.filter(|_| endpoint.port == 25) {
            Some((domain, ttl)) => format!("The MX of {domain} still lists it: senders come to it until that is taken out, and {} longer", ttl.span()),
            None => format!("Senders may come to it until {until}"),
        };
        format!(
            "{endpoint} left {id}: {records}. {come}; if it answers, they accept only a key that its records list"
        )
    });
    told.collect()
}

/// Whether a configured host is the one that a person named.
pub(super) fn is(configured: &str, named: &str) -> bool {
    configured.eq_ignore_ascii_case(named.trim_end_matches('.'))
}

/// The ports of a host that a rotation waits for: those that take part, and those that left the configuration.
pub(super) fn of_host(state: &Rotation, host: &str) -> BTreeSet<Endpoint> {
    let left = state.left.iter().filter(|(_, left)| !left.asked);
    let endpoints = state.endpoints.iter().chain(left.map(|(one, _)| one));
    endpoints
        .filter(|endpoint| is(&endpoint.host, host))
        .cloned()
        .collect()
}

/// The certificates that are configured for a host.
pub(super) fn configured_for(config: &Config, host: &str) -> Vec<String> {
    let certificates = config.certificates.iter();
    certificates
        .filter(|one| one.hosts.iter().any(|configured| is(configured, host)))
        .map(|one| one.name.clone())
        .collect()
}
