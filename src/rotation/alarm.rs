//! Delivery at risk, named: what is wrong, where and since when, and the shortest safe plan.
//!
//! The judgement is `promise`'s alone; here a breach gets a name that a person can act on. What can only be detected, never
//! prevented (a certificate deployed early, a secondary that goes back, a restored zone), ends up here.

use super::association::Association;
use super::exposure::{Chain, Exposure, Holder, Presenter};
use super::observation::{Observation, Seen, Source, TlsaName};
use super::promise::{self, Breach};
use super::step::{Rotation, Step};
use super::timing::Instant;
use super::wait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// A host presents the next key while some RRset lacks it: it was deployed before its time, or the zone went back.
    EarlyKey,
    /// A host presents the previous key while some RRset lacks it: it was put back after its record left.
    OldKeyAgain,
    /// A host presents a key that the rotation does not know: somebody else renewed its certificate.
    UnknownKey,
    /// Some RRset does not list the key that a host presents, though no rotation is to take it out.
    Unlisted,
    /// A server answers with an RRset that does not list a key that the step demands: it went back, or a zone was restored.
    ServerUnfit,
    /// The zone holds such an RRset where it is kept: it is about to be served.
    HeadUnfit,
    /// Caches hold an RRset that servers answered with for a while, and that does not list the key.
    StaleInCaches,
    /// An emergency put security first; senders that hold the old RRset defer mail.
    PromiseWaived,
}

/// A trouble in one place: what the journal remembers of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// What is wrong.
    pub trouble: Trouble,
    /// Where: a host with its address, a server, or an owner name on the branch that counts.
    pub place: String,
}

/// Delivery is at risk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What and where.
    pub risk: Risk,
    /// Since when it has been seen.
    pub since: Instant,
    /// The first breach of the promise that it consists of.
    pub breach: Breach,
    /// When caches will have recovered by themselves, if that can be told.
    pub recovers: Option<Instant>,
    /// The shortest safe plan, the first sentence first.
    pub plan: Vec<String>,
}

/// Breaches of the promise at this moment, one alarm for each trouble and place: keys that were seen against RRsets that
/// caches may hold, that servers answer with, or that the branch that counts is about to bring.
pub fn alarms(rotation: &Rotation, now: Instant, observation: &Observation) -> Vec<Alarm> {
    let exposure = Exposure::of_caches(rotation, now).with_seen(rotation, observation);
    let breaches = promise::breaches(&exposure);
    named(rotation, now, observation, (&exposure, breaches))
}

/// The same where nothing is under way: caches hold what servers were seen to answer with, now and not long ago.
pub fn alarms_at_rest(at_rest: &Rotation, now: Instant, observation: &Observation) -> Vec<Alarm> {
    let exposure = Exposure::of_strays(at_rest, now).with_seen(at_rest, observation);
    let breaches = promise::breaches(&exposure);
    named(at_rest, now, observation, (&exposure, breaches))
}

/// The same, where what may be met and what breaks the promise is known.
pub(super) fn named(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    (exposure, breaches): (&Exposure, Vec<Breach>),
) -> Vec<Alarm> {
    let mut alarms: BTreeMap<Risk, Alarm> = BTreeMap::new();
    for breach in breaches.into_iter().filter(Breach::refuses_mail) {
        let risk = risk(rotation, &breach);
        if alarms.contains_key(&risk) {
            continue;
        }
        let recovers = recovers(rotation, now, &breach);
        let alarm = Alarm {
            since: rotation.risks.get(&risk).copied().unwrap_or(now),
            plan: plan(rotation, observation, exposure, &risk, &breach, recovers),
            risk: risk.clone(),
            breach,
            recovers,
        };
        alarms.insert(risk, alarm);
    }
    alarms.into_values().collect()
}

fn risk(rotation: &Rotation, breach: &Breach) -> Risk {
    // Where nothing is under way, nobody knows which of host and records is wrong: the host is named.
    let is_under_way = !rotation.incoming.is_empty();
    let demanded = is_under_way && rotation.requirement().present.contains(&breach.key);
    let (trouble, place) = match &breach.holder {
        Holder::Server(server) if demanded => {
            (Trouble::ServerUnfit, format!("{} on {server}", breach.name))
        }
        Holder::Stray(_) => (Trouble::StaleInCaches, breach.name.to_string()),
        Holder::Head(source) if demanded => (
            Trouble::HeadUnfit,
            format!("{} {}", breach.name, source.located()),
        ),
        _ => (of_key(rotation, &breach.key), place_of(&breach.presenter)),
    };
    Risk { trouble, place }
}

fn of_key(rotation: &Rotation, key: &Association) -> Trouble {
    if rotation.incoming.contains(key) {
        match rotation.step {
            Step::Replacing | Step::Replaced => Trouble::PromiseWaived,
            _ => Trouble::EarlyKey,
        }
    } else if rotation.incoming.is_empty() {
        Trouble::Unlisted
    } else if rotation.current.contains(key) {
        match rotation.step {
            Step::Started
            | Step::Generated
            | Step::Hashed
            | Step::Prepublishing
            | Step::Waiting
            | Step::Withdrawing
            | Step::Aborted => Trouble::Unlisted,
            _ => Trouble::OldKeyAgain,
        }
    } else {
        Trouble::UnknownKey
    }
}

fn place_of(presenter: &Presenter) -> String {
    match presenter {
        Presenter::Host { endpoint, address } => format!("{endpoint} on {address}"),
        Presenter::Step(step) => format!("a host in step {step}"),
    }
}

/// When every cache holds what the step demands, if that lists the key, its publication is complete and time alone remains.
fn recovers(rotation: &Rotation, now: Instant, breach: &Breach) -> Option<Instant> {
    if let Holder::Stray(until) = breach.holder {
        return Some(until);
    }
    if !rotation.requirement().present.contains(&breach.key) {
        return None;
    }
    let published = rotation.published?;
    let at = wait::caches_empty_of_base(rotation, published);
    (at > now).then_some(at)
}

fn plan(
    rotation: &Rotation,
    observation: &Observation,
    exposure: &Exposure,
    risk: &Risk,
    breach: &Breach,
    recovers: Option<Instant>,
) -> Vec<String> {
    if let (Step::Replacing | Step::Replaced, Presenter::Host { endpoint, .. }) =
        (rotation.step, &breach.presenter)
        && matches!(risk.trouble, Trouble::OldKeyAgain | Trouble::UnknownKey)
    {
        let why = if risk.trouble == Trouble::OldKeyAgain {
            "its key is the compromised one"
        } else {
            "security goes first, and that key is the one that the zone is to list"
        };
        return vec![format!(
            "put the next certificate and key on {endpoint} now: {why}"
        )];
    }
    let mut plan = Vec::new();
    let (name, key) = (&breach.name, breach.key.short());
    match risk.trouble {
        Trouble::PromiseWaived => plan.push(
            "nothing: the emergency that was declared puts security first; mail is deferred, not lost".into(),
        ),
        Trouble::ServerUnfit => plan.push(format!(
            "make {} load the present zone now: look at its transfers and at what it was restored from",
            breach.holder.place()
        )),
        Trouble::HeadUnfit => {
            let source = observation.source_of(name);
            let nothing_runs = rotation.is_over() || rotation.incoming.is_empty();
            let how = match (&source, nothing_runs) {
                (Source::GitHead, true) => ": revert that change",
                (Source::GitHead, false) => {
                    ": revert that change, or merge what `tlsa-rotate advance` proposes"
                }
                (_, true) => "",
                (_, false) => ": the next `tlsa-rotate advance` does",
            };
            plan.push(format!(
                "put {key} back into {name} {} before any server loads it{how}",
                source.located()
            ));
        }
        // Who left DANE has changed it.
        Trouble::StaleInCaches if rotation.dane_left.is_some() => {}
        Trouble::StaleInCaches => plan.push(format!(
            "find out who changed {name}, so that it does not happen again: the servers answer with other records now, but caches keep what they have"
        )),
        Trouble::EarlyKey
        | Trouble::OldKeyAgain
        | Trouble::UnknownKey
        | Trouble::Unlisted => {}
    }
    let is_the_hosts = matches!(
        risk.trouble,
        Trouble::EarlyKey | Trouble::OldKeyAgain | Trouble::UnknownKey | Trouble::Unlisted
    );
    let mut or_else = "";
    if risk.trouble != Trouble::PromiseWaived {
        if let Some(other) = safe_key(rotation, exposure, breach) {
            plan.push(other);
            if matches!(risk.trouble, Trouble::UnknownKey | Trouble::Unlisted) {
                plan.push(format!(
                    "if {key} is yours and is to stay: `tlsa-rotate adopt` publishes its record"
                ));
            }
            or_else = if is_the_hosts { "without that, " } else { "" };
        } else if is_the_hosts {
            plan.push(publish(rotation, name, &key));
        }
    }
    let lacking = lacking(observation, name, &breach.key);
    let ttl = wait::ttl_old(rotation).span();
    plan.push(match recovers {
        Some(at) => format!("if nothing is done, caches recover by {at}"),
        None if lacking.is_empty() => {
            format!("senders that hold another RRset recover within {ttl} after that")
        }
        None => format!(
            "{or_else}senders recover within {ttl} after the last of these lists {key}: {}",
            lacking.join(", ")
        ),
    });
    plan
}

fn publish(rotation: &Rotation, name: &TlsaName, key: &str) -> String {
    let publish = format!(
        "publish {key} at {name} now and make every server load it (`tlsa-rotate adopt` does, if that key is yours)"
    );
    if rotation.incoming.is_empty() {
        format!("{publish}, or put a certificate on that host whose key the records list")
    } else {
        format!("{publish}: no other key is safe on that host either")
    }
}

/// The keys of this rotation that every RRset lists which a sender may meet: going there is safe at once.
fn safe_key(rotation: &Rotation, exposure: &Exposure, breach: &Breach) -> Option<String> {
    let Presenter::Host { endpoint, .. } = &breach.presenter else {
        return None;
    };
    let only = |chain: Chain| Exposure {
        caches: exposure.caches.clone(),
        hosts: BTreeMap::from([(
            breach.name.clone(),
            BTreeMap::from([(chain, breach.presenter.clone())]),
        )]),
    };
    let is_accepted = |chain: Chain| {
        let breaches = promise::breaches(&only(chain));
        !breaches.iter().any(Breach::refuses_mail)
    };
    let is_safe = |keys: &BTreeSet<Association>| {
        !keys.is_empty()
            && !keys.contains(&breach.key)
            && rotation.chains(keys).into_iter().all(is_accepted)
    };
    // What was declared compromised goes back nowhere, however safe its records make it.
    if rotation.emergency.is_none() && is_safe(&rotation.current) {
        Some(format!(
            "put the previous certificate and key back on {endpoint} now: every RRset that a sender may hold lists that key"
        ))
    } else if is_safe(&rotation.incoming) {
        Some(format!(
            "put the next certificate and key on {endpoint} now: every RRset that a sender may hold lists that key"
        ))
    } else {
        None
    }
}

/// Where the key is not listed now: the zone as it is kept, servers.
fn lacking(observation: &Observation, name: &TlsaName, key: &Association) -> Vec<String> {
    let mut places = Vec::new();
    if let Some(Seen::Known(rrset)) = observation.merged.get(name)
        && !rrset.contains(key)
    {
        places.push(observation.source_of(name).to_string());
    }
    for (authority, seen) in observation.served.get(name).into_iter().flatten() {
        if let Seen::Known(rrset) = seen
            && !rrset.associations.contains(key)
        {
            places.push(authority.to_string());
        }
    }
    places
}

/// The breach that publishing `rrset` at `name`, as `source` holds it, would make now with a key that the step lets hosts
/// present, if any.
///
/// To be asked before a zone is handed to its servers: a restored or hand-edited zone must not get out by our own hand.
pub fn publication_breaks(
    rotation: &Rotation,
    now: Instant,
    (name, rrset): (&TlsaName, &BTreeSet<Association>),
    source: &Source,
) -> Option<Breach> {
    if rotation.step == Step::Replacing || rotation.dane_left.is_some() {
        return None; // the promise is waived, or there is none any more
    }
    let mut exposure = Exposure::of_step(rotation, now);
    if rotation.step == Step::RollingBack && rotation.opened.is_none() {
        // The swap was never open: no host has the incoming key, and the zone need not hold it.
        exposure.hosts = Exposure::of_previous_keys(rotation).hosts;
    }
    exposure.caches = BTreeMap::from([(
        name.clone(),
        BTreeMap::from([(rrset.clone(), Holder::Head(source.clone()))]),
    )]);
    let mut breaches = promise::breaches(&exposure);
    breaches.retain(Breach::refuses_mail);
    breaches.into_iter().next()
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EarlyKey => "the next key before its time",
            Self::OldKeyAgain => "the previous key, whose record leaves or has left",
            Self::UnknownKey => "a key that this rotation does not know",
            Self::Unlisted => "a key that its records do not list",
            Self::ServerUnfit => "a server went back",
            Self::HeadUnfit => "the zone lacks a record that is needed",
            Self::StaleInCaches => "records that were served for a while are still in caches",
            Self::PromiseWaived => "security goes first",
        })
    }
}

impl fmt::Display for Alarm {
    /// What, where and since when.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            risk,
            since,
            breach,
            ..
        } = self;
        write!(
            f,
            "{} ({}, since {since}): {breach}",
            risk.trouble, risk.place
        )
    }
}
