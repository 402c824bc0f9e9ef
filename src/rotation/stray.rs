//! Stray RRsets: answers that no step asked for and that refuse a key of a host. They are remembered until caches drop them.
//!
//! Somebody took a record out by hand, or a server went back for an hour. That it is over at the servers does not end it in
//! caches: those keep the answer for its TTL (RFC 2181 §5.2), and RFC 7671 §8.4 counts them.

use super::association::Association;
use super::emergency::Priority;
use super::exposure::{Chain, Exposure, Holder};
use super::observation::{Authority, Observation, Seen, ServedRrset, TlsaName};
use super::promise::{self, Mismatch};
use super::reach::{self, Reach};
use super::step::{Event, Rotation};
use super::timing::{Instant, Ttl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An RRset that was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stray {
    /// Its records.
    pub rrset: BTreeSet<Association>,
    /// The largest TTL that it was answered with.
    pub ttl: Ttl,
}

/// The stray RRsets of each name: those that are answered with, and those that caches may still hold.
pub type Strays = BTreeMap<TlsaName, Reach<BTreeSet<Association>>>;

/// Takes in which stray RRsets of a name are answered with at `at`: one that is not among them left the servers now.
pub(super) fn see(strays: &mut Strays, name: &TlsaName, answered: &[Stray], at: Instant) {
    let one = |stray: &Stray| (stray.rrset.clone(), stray.ttl);
    let answered = answered.iter().map(one).collect();
    let known = strays.entry(name.clone()).or_default();
    reach::see(known, &answered, at);
    if known.is_empty() {
        strays.remove(name);
    }
}

/// The stray RRsets that servers answer with in this run, where that differs from what is known. `exposure` holds what was
/// seen in it.
pub(super) fn news(
    rotation: &Rotation,
    observation: &Observation,
    exposure: &Exposure,
) -> Vec<Event> {
    // Where a person waived the promise, that some senders refuse was told.
    if rotation.emergency == Some(Priority::Security) && rotation.dane_left.is_none() {
        return Vec::new();
    }
    // Whatever is answered with after the names left DANE binds their hosts for its TTL, however late a server is.
    let has_left = rotation.dane_left.is_some();
    let mut hosts = None;
    let news = rotation.names().iter().filter_map(|name| {
        static NOTHING: Reach<BTreeSet<Association>> = Reach::new();
        let known = rotation.strays.get(name).unwrap_or(&NOTHING);
        let unexpected = unexpected(exposure, name);
        if known.is_empty() && unexpected.is_empty() {
            return None;
        }
        let step = || Exposure::of_step(rotation, observation.at).with_seen(rotation, observation);
        let hosts = hosts.get_or_insert_with(|| step().hosts);
        let chains = hosts.get(name);
        let is_stray = |rrset: &BTreeSet<Association>| {
            (has_left && !rrset.is_empty())
                || known.get(rrset).is_some_and(|stray| stray.until.is_none())
                || chains
                    .into_iter()
                    .flatten()
                    .any(|(chain, _)| refuses(rrset, chain))
        };
        let strays = unexpected.into_iter().filter(|rrset| is_stray(rrset));
        let answered = answered(strays, known, observation.served.get(name)?);
        reach::is_news(Some(known), &answered).then(|| Event::StraysAnswered {
            name: name.clone(),
            answered: answered
                .into_iter()
                .map(|(rrset, ttl)| Stray { rrset, ttl })
                .collect(),
        })
    });
    news.collect()
}

/// What there is after a look at hosts that no rotation looks after: whatever refuses a key that is in use there is stray.
pub fn seen_at_rest(at_rest: &Rotation, observation: &Observation) -> Strays {
    let exposure = Exposure::default().with_seen(at_rest, observation);
    let mut strays = at_rest.strays.clone();
    for event in news(at_rest, observation, &exposure) {
        if let Event::StraysAnswered { name, answered } = event {
            see(&mut strays, &name, &answered, observation.at);
        }
    }
    // What is answered with still, and refuses nobody any more, is no stray.
    let hosts = Exposure::of_step(at_rest, observation.at)
        .with_seen(at_rest, observation)
        .hosts;
    for (name, known) in &mut strays {
        let refuses_some = |rrset: &BTreeSet<Association>| {
            let mut chains = hosts.get(name).into_iter().flatten();
            chains.any(|(chain, _)| refuses(rrset, chain))
        };
        known.retain(|rrset, stray| match stray.until {
            Some(until) => observation.at < until,
            None => refuses_some(rrset),
        });
    }
    strays.retain(|_, known| !known.is_empty());
    strays
}

/// What a rotation that begins takes up of them, as facts: that it begins empties no cache.
pub fn taken_up(strays: &Strays, rotation: &Rotation, now: Instant) -> Vec<Event> {
    let kept = strays
        .iter()
        .filter(|(name, _)| rotation.names().contains(*name));
    let facts = kept.map(|(name, known)| {
        let there = known.iter().filter(|(_, stray)| stray.is_there(now));
        let answered = there.map(|(rrset, stray)| Stray {
            rrset: rrset.clone(),
            ttl: stray.until.map_or(stray.ttl, |until| {
                Ttl(u32::try_from(until.since(now).as_seconds()).unwrap_or(u32::MAX))
            }),
        });
        Event::StraysAnswered {
            name: name.clone(),
            answered: answered.collect(),
        }
    });
    facts.collect()
}

/// What some server answers with at `name`, and no step asked for.
fn unexpected<'e>(exposure: &'e Exposure, name: &TlsaName) -> Vec<&'e BTreeSet<Association>> {
    let rrsets = exposure.caches.get(name).into_iter().flatten();
    let of_servers = rrsets.filter(|(_, holder)| matches!(holder, Holder::Server(_)));
    of_servers.map(|(rrset, _)| rrset).collect()
}

/// These with their TTLs. Whoever does not answer us may still answer others as before.
fn answered<'e>(
    strays: impl Iterator<Item = &'e BTreeSet<Association>>,
    known: &Reach<BTreeSet<Association>>,
    served: &BTreeMap<Authority, Seen<ServedRrset>>,
) -> BTreeMap<BTreeSet<Association>, Ttl> {
    let ttl = |rrset: &BTreeSet<Association>| {
        let seen = served.values().filter_map(|seen| match seen {
            Seen::Known(served) if served.associations == *rrset => Some(served.ttl),
            _ => None,
        });
        seen.max().unwrap_or_default()
    };
    let mut answered: BTreeMap<_, _> = strays.map(|rrset| (rrset.clone(), ttl(rrset))).collect();
    if served.values().any(|seen| matches!(seen, Seen::Unknown(_))) {
        let still = known.iter().filter(|(_, known)| known.until.is_none());
        for (rrset, known) in still {
            answered.entry(rrset.clone()).or_insert(known.ttl);
        }
    }
    answered
}

fn refuses(rrset: &BTreeSet<Association>, chain: &Chain) -> bool {
    promise::mismatches(rrset, &chain.satisfies).contains(&Mismatch::KeyNotListed)
}
