//! The machine's way: the real `decide` and `apply`, run every quarter of an hour, in a world of lagging servers, people who
//! review in their own time and hosts that are deployed one by one.

use super::way::{Lags, Way, loads};
use super::{BEGIN, Keys, NEW, OLD, Scenario};
use crate::rotation::association::Association;
use crate::rotation::decide::Action;
use crate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset,
    SignatureWindow,
};
use crate::rotation::settle::settle;
use crate::rotation::step::{Event, IllegalEvent, Rotation, apply};
use crate::rotation::timing::{Instant, Span};
use std::collections::{BTreeMap, BTreeSet};

/// From one run to the next.
const PERIOD: u64 = 900;
/// More runs than any rotation needs whose waits are counted in weeks.
const MOST_RUNS: u64 = 40_000;

struct World<'a> {
    scenario: &'a Scenario,
    lags: &'a Lags,
    commits: Vec<(u64, Keys)>,
    /// What waits for review, and when it will be merged.
    proposed: Option<(u64, Keys)>,
    /// When each host presents the new key; the end of time where it is not deployed yet.
    swaps: Vec<u64>,
}

/// How the machine rotates in this scenario; an error would be a defect of the machine or of the simulation.
pub fn machine(scenario: &Scenario, seed: u64) -> Result<Way, IllegalEvent> {
    let lags = Lags::of(scenario, seed);
    let mut world = World {
        scenario,
        lags: &lags,
        commits: Vec::new(),
        proposed: None,
        swaps: vec![u64::MAX; scenario.hosts.len()],
    };
    let mut rotation = begun(scenario)?;
    for run in 0..MOST_RUNS {
        let now = BEGIN.saturating_add(run.saturating_mul(PERIOD));
        world.merge(now);
        rotation = world.run(&rotation, now)?;
        if rotation.is_over() {
            break;
        }
    }
    let said = (
        "tlsa-rotate",
        "both records, seen on every server; the wait; the hosts; the soak; then the old record leaves",
    );
    Ok(Way::new(
        said,
        scenario,
        &world.commits,
        &world.swaps,
        &lags,
    ))
}

fn begun(scenario: &Scenario) -> Result<Rotation, IllegalEvent> {
    let at = Instant::from_unix(BEGIN);
    let endpoints = (0..scenario.hosts.len()).map(|host| endpoint(scenario, host));
    let (mut base, mut ttl) = (BTreeMap::new(), BTreeMap::new());
    for (number, host) in scenario.hosts.iter().enumerate() {
        let name = endpoint(scenario, number).tlsa_name();
        base.insert(name.clone(), records(before(host.is_published)));
        ttl.insert(name, host.ttl);
    }
    let started = Event::Started {
        endpoints: endpoints.collect(),
        current: records(OLD),
        base,
        ttl,
        ttl_sources: BTreeMap::new(),
    };
    let admitted = Event::KeyAdmitted {
        not_after: at + Span::days(10_000),
        made_by: None,
    };
    let incoming = Event::AssociationsComputed {
        incoming: records(NEW),
    };
    let rotation = apply(None, at, &started)?;
    let rotation = apply(Some(&rotation), at, &admitted)?;
    apply(Some(&rotation), at, &incoming)
}

impl World<'_> {
    fn merge(&mut self, now: u64) {
        if let Some((at, keys)) = self.proposed.filter(|(at, _)| *at <= now) {
            self.commits.push((at, keys));
            self.proposed = None;
        }
    }

    fn run(&mut self, rotation: &Rotation, now: u64) -> Result<Rotation, IllegalEvent> {
        let observation = self.seen(now);
        let at = Instant::from_unix(now);
        let settled = settle(rotation, at, &observation, |_| self.scenario.policy)?;
        for action in &settled.decision.actions {
            self.act(action, now);
        }
        Ok(settled.state)
    }

    fn act(&mut self, action: &Action, now: u64) {
        match action {
            Action::ChangeZone(requirement) => {
                let head = self.head();
                let wanted = keys(&requirement.applied_to(&records(head.unwrap_or(OLD))));
                if head != Some(wanted) && self.proposed.is_none() {
                    let review = self.lags.review(self.commits.len());
                    self.proposed = Some((now.saturating_add(review), wanted));
                }
            }
            Action::Deploy(endpoints) => {
                for (number, swap) in self.swaps.iter_mut().enumerate() {
                    let is_asked = endpoints.contains(&endpoint(self.scenario, number));
                    if is_asked && *swap == u64::MAX {
                        *swap = now.saturating_add(self.lags.deploy(number));
                    }
                }
            }
            _ => {}
        }
    }

    /// The records of every host in the zone, once there was a change; before, each host has its own.
    fn head(&self) -> Option<Keys> {
        self.commits.last().map(|(_, keys)| *keys)
    }

    fn seen(&self, now: u64) -> Observation {
        let at = Instant::from_unix(now);
        let (mut merged, mut served, mut presented) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (number, host) in self.scenario.hosts.iter().enumerate() {
            let endpoint = endpoint(self.scenario, number);
            let name = endpoint.tlsa_name();
            let found = before(host.is_published);
            let head = records(self.head().unwrap_or(found));
            merged.insert(name.clone(), Seen::Known(head));
            let answers = (0..self.scenario.servers).map(|server| {
                let loaded = loads(server, &self.commits, self.lags);
                let answer = ServedRrset {
                    associations: records(at_instant(&loaded, now).unwrap_or(found)),
                    ttl: host.ttl,
                    signature: SignatureWindow {
                        inception: at - Span::hours(1),
                        expiration: at + Span::days(1000),
                    },
                    replayable_until: at + Span::days(1000),
                };
                (Authority(format!("ns{server}")), Seen::Known(answer))
            });
            served.insert(name, answers.collect::<BTreeMap<_, _>>());
            let swapped = self.swaps.get(number);
            let key = if swapped.is_some_and(|at| *at <= now) {
                NEW
            } else {
                OLD
            };
            let chain = Presented::of_key(association(key), at + Span::days(1000));
            let offers = BTreeMap::from([
                (KeyAlgorithm::Ecdsa, Seen::Known(Offer::Key(chain))),
                (KeyAlgorithm::Rsa, Seen::Known(Offer::NotOffered)),
            ]);
            presented.insert(
                endpoint,
                BTreeMap::from([("an address".to_owned(), offers)]),
            );
        }
        Observation {
            at,
            merged,
            served,
            presented,
            ..Observation::nothing(at)
        }
    }
}

fn before(is_published: bool) -> Keys {
    if is_published { OLD } else { 0 }
}

fn endpoint(scenario: &Scenario, host: usize) -> Endpoint {
    let name = scenario.hosts.get(host).map(|host| host.name.clone());
    Endpoint {
        host: name.unwrap_or_default(),
        port: 25,
    }
}

fn at_instant(versions: &[(u64, Keys)], now: u64) -> Option<Keys> {
    let held = versions.iter().take_while(|(from, _)| *from <= now);
    held.last().map(|(_, keys)| *keys)
}

fn association(key: Keys) -> Association {
    Association::dane_ee_spki_sha256([key; 32])
}

fn records(keys: Keys) -> BTreeSet<Association> {
    let of = |key: Keys| (keys & key != 0).then(|| association(key));
    [of(OLD), of(NEW)].into_iter().flatten().collect()
}

fn keys(records: &BTreeSet<Association>) -> Keys {
    let of = |key: Keys| {
        if records.contains(&association(key)) {
            key
        } else {
            0
        }
    };
    of(OLD) | of(NEW)
}
