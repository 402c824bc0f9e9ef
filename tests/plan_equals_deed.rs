//! The plan equals the deed: in a world that cooperates, the real `decide` and `apply`, asked at odd moments, act at exactly
//! the instants that `look_ahead` gave before, and a plan made on the way gives the same dates as the one made at the start.
//!
//! The world here is its own: a zone, servers and hosts that do what a decision asks, when it is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::decide::{Action, decide};
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset,
    SignatureWindow, TlsaName,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::soak::longest_gap;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timeline::{Timeline, look_ahead};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

const BEGIN: Instant = Instant::from_unix(1_796_112_000);

/// What a case is made of.
#[derive(Clone, Debug)]
struct Case {
    policy: Policy,
    /// The TTL of each host's RRset.
    ttls: Vec<u32>,
    /// Whether each host has a record before.
    published: Vec<bool>,
    pair: Pair,
    /// Whether the RRsets hold `3 0 1` records of the keys too.
    certificates_too: bool,
    servers: usize,
    /// Moments at which the machine is run in between, in permille of the whole.
    odd_moments: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Ecdsa,
    Both,
    EcdsaBesideRsaThatStays,
}

fn cases() -> impl Strategy<Value = Case> {
    let span = || {
        prop_oneof![
            Just(Span::ZERO),
            (0_u64..1_000_000).prop_map(Span::seconds),
            (0_u64..72).prop_map(Span::hours),
        ]
    };
    let policy = (span(), span(), span()).prop_map(|(min_wait, soak, safety_margin)| Policy {
        min_wait,
        soak,
        safety_margin,
        ..Policy::default()
    });
    let ttl = prop_oneof![Just(0_u32), 1_u32..90_000, Just(3600), Just(604_800)];
    let pair = prop_oneof![
        Just(Pair::Ecdsa),
        Just(Pair::Both),
        Just(Pair::EcdsaBesideRsaThatStays)
    ];
    let hosts = prop::collection::vec((ttl, prop::bool::weighted(0.8)), 1..4);
    let moments = prop::collection::vec(0_u64..1000, 0..4);
    (policy, hosts, pair, any::<bool>(), 1_usize..4, moments).prop_map(
        |(policy, hosts, pair, certificates_too, servers, odd_moments)| Case {
            policy,
            ttls: hosts.iter().map(|(ttl, _)| *ttl).collect(),
            published: hosts.iter().map(|(_, there)| *there).collect(),
            pair,
            certificates_too,
            servers,
            odd_moments,
        },
    )
}

/// A key that exists: its records and what it is.
#[derive(Clone, Debug)]
struct Key {
    algorithm: KeyAlgorithm,
    records: BTreeSet<Association>,
}

fn key(byte: u8, algorithm: KeyAlgorithm, certificates_too: bool) -> Key {
    let spki = Association::dane_ee_spki_sha256([byte; 32]);
    let certificate = Association {
        selector: 0,
        ..Association::dane_ee_spki_sha256([byte ^ 0x80; 32])
    };
    let records = [Some(spki), Some(certificate).filter(|_| certificates_too)];
    Key {
        algorithm,
        records: records.into_iter().flatten().collect(),
    }
}

fn records(keys: &[Key]) -> BTreeSet<Association> {
    keys.iter().flat_map(|key| key.records.clone()).collect()
}

/// A zone, its servers and the hosts.
struct World {
    rrsets: BTreeMap<TlsaName, (BTreeSet<Association>, Ttl)>,
    servers: usize,
    hosts: BTreeMap<Endpoint, Vec<Key>>,
    current: Vec<Key>,
    incoming: Vec<Key>,
    staying: Vec<Key>,
}

impl World {
    fn of(case: &Case) -> Self {
        let make = |byte, algorithm| key(byte, algorithm, case.certificates_too);
        let (ecdsa, rsa) = (KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa);
        let (current, incoming, staying) = match case.pair {
            Pair::Ecdsa => (vec![make(1, ecdsa)], vec![make(2, ecdsa)], vec![]),
            Pair::Both => (
                vec![make(1, ecdsa), make(3, rsa)],
                vec![make(2, ecdsa), make(4, rsa)],
                vec![],
            ),
            Pair::EcdsaBesideRsaThatStays => (
                vec![make(1, ecdsa)],
                vec![make(2, ecdsa)],
                vec![make(3, rsa)],
            ),
        };
        let live = [current.clone(), staying.clone()].concat();
        let (mut rrsets, mut hosts) = (BTreeMap::new(), BTreeMap::new());
        for (number, (ttl, there)) in case.ttls.iter().zip(&case.published).enumerate() {
            let endpoint = Endpoint {
                host: format!("mx{number}.example.com"),
                port: 25,
            };
            let rrset = if *there {
                records(&live)
            } else {
                BTreeSet::new()
            };
            rrsets.insert(endpoint.tlsa_name(), (rrset, Ttl(*ttl)));
            hosts.insert(endpoint, live.clone());
        }
        Self {
            rrsets,
            servers: case.servers,
            hosts,
            current,
            incoming,
            staying,
        }
    }

    fn started(&self) -> Event {
        let part =
            |(name, (rrset, _)): (&TlsaName, &(BTreeSet<_>, Ttl))| (name.clone(), rrset.clone());
        Event::Started {
            endpoints: self.hosts.keys().cloned().collect(),
            current: records(&self.current),
            base: self.rrsets.iter().map(part).collect(),
            ttl: self
                .rrsets
                .iter()
                .map(|(name, (_, ttl))| (name.clone(), *ttl))
                .collect(),
            ttl_sources: BTreeMap::new(),
        }
    }

    fn surroundings(&self) -> Event {
        let part =
            |(name, (rrset, _)): (&TlsaName, &(BTreeSet<_>, Ttl))| (name.clone(), rrset.clone());
        let keys = [&self.current, &self.incoming, &self.staying]
            .into_iter()
            .flatten();
        let satisfied = keys.map(|key| {
            let identity = key.records.iter().find(|record| record.is_3_1_1()).unwrap();
            (identity.clone(), key.records.clone())
        });
        Event::SurroundingsFound {
            aliases: BTreeMap::new(),
            base: self.rrsets.iter().map(part).collect(),
            staying: records(&self.staying),
            satisfied: satisfied.collect(),
        }
    }

    fn seen(&self, now: Instant) -> Observation {
        let (mut merged, mut served, mut presented) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, (rrset, ttl)) in &self.rrsets {
            merged.insert(name.clone(), Seen::Known(rrset.clone()));
            let answer = ServedRrset {
                associations: rrset.clone(),
                ttl: *ttl,
                signature: SignatureWindow {
                    inception: now - Span::hours(1),
                    expiration: now + Span::days(400),
                },
                replayable_until: now + Span::days(400),
            };
            let servers = (0..self.servers).map(|number| {
                (
                    Authority(format!("ns{number}")),
                    Seen::Known(answer.clone()),
                )
            });
            served.insert(name.clone(), servers.collect());
        }
        for (endpoint, keys) in &self.hosts {
            let mut offers = BTreeMap::new();
            for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
                let found = keys.iter().find(|key| key.algorithm == algorithm);
                let offer = found.map_or(Offer::NotOffered, |key| {
                    let identity = key.records.iter().find(|record| record.is_3_1_1()).unwrap();
                    let mut chain = Presented::of_key(identity.clone(), now + Span::days(9));
                    chain.satisfies.clone_from(&key.records);
                    Offer::Key(chain)
                });
                offers.insert(algorithm, Seen::Known(offer));
            }
            presented.insert(
                endpoint.clone(),
                BTreeMap::from([("192.0.2.1".to_owned(), offers)]),
            );
        }
        Observation {
            at: now,
            merged,
            served,
            presented,
            ..Observation::nothing(now)
        }
    }

    /// Does what is asked; whether anything changed by it.
    fn act(&mut self, actions: &[Action]) -> bool {
        let mut changed = false;
        for action in actions {
            match action {
                Action::ChangeZone(requirement) => {
                    for (rrset, _) in self.rrsets.values_mut() {
                        let wanted = requirement.applied_to(rrset);
                        changed |= wanted != *rrset;
                        *rrset = wanted;
                    }
                }
                Action::Deploy(endpoints) => {
                    let next = [self.incoming.clone(), self.staying.clone()].concat();
                    let asked = self.hosts.iter_mut();
                    for (_, keys) in asked.filter(|(endpoint, _)| endpoints.contains(endpoint)) {
                        changed |= records(keys) != records(&next);
                        keys.clone_from(&next);
                    }
                }
                _ => {}
            }
        }
        changed
    }
}

/// The rotation as it stands once its keys are there.
fn hashed(world: &World) -> Rotation {
    let facts = [
        Event::KeyAdmitted {
            not_after: BEGIN + Span::days(4000),
            made_by: None,
        },
        world.surroundings(),
        Event::AssociationsComputed {
            incoming: records(&world.incoming),
        },
    ];
    let begun = apply(None, BEGIN, &world.started()).unwrap();
    let known = |state: Rotation, fact: &Event| apply(Some(&state), BEGIN, fact).unwrap();
    facts.iter().fold(begun, known)
}

fn dates(plan: &Timeline) -> Vec<(Step, Instant)> {
    let of_steps = plan.entries.iter().filter(|entry| {
        // Facts that leave the step as it is (a larger TTL) have no date of their own in a plan.
        !matches!(entry.event, Event::HigherTtlSeen { .. })
    });
    of_steps.map(|entry| (entry.step, entry.at)).collect()
}

/// One run at `now`: decide, record and act until nothing follows. The steps it came to.
fn run(
    world: &mut World,
    state: &mut Rotation,
    now: Instant,
    policy: &Policy,
) -> Vec<(Step, Instant)> {
    let mut reached = Vec::new();
    loop {
        let observation = world.seen(now);
        let mut actions;
        loop {
            let decision = decide(state, now, &observation, policy);
            assert_eq!(decision.alarms, [], "at {now} in {}", state.step);
            actions = decision.actions;
            let Some(event) = decision.event else { break };
            let before = state.step;
            *state = apply(Some(state), now, &event).unwrap();
            if state.step != before {
                reached.push((state.step, now));
            }
        }
        if !world.act(&actions) {
            return reached;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "long: scripts/test runs it"]
    fn the_machine_acts_when_the_plan_said(case in cases()) {
        let mut world = World::of(&case);
        let mut state = hashed(&world);
        let incoming = records(&world.incoming);
        let plan = look_ahead(&state, BEGIN, &case.policy, &incoming).unwrap();
        prop_assert_eq!(&plan.stopped_by, &vec![]);
        let planned = dates(&plan);
        let end = planned.last().unwrap().1;
        prop_assert_eq!(planned.last().unwrap().0, Step::Retired);
        // The instants that matter, a second before each, and odd moments in between.
        let length = end.since(BEGIN).as_seconds();
        let mut moments: BTreeSet<Instant> = planned.iter().map(|(_, at)| *at).collect();
        moments.extend(planned.iter().map(|(_, at)| *at - Span::seconds(1)));
        moments.extend(case.odd_moments.iter().map(|part| BEGIN + Span::seconds(length * part / 1000)));
        // And a timer that watches the soak.
        let deployed = planned.iter().find(|(step, _)| *step == Step::Deployed).unwrap().1;
        let gap = (longest_gap(&case.policy).as_seconds() / 2).max(1);
        let soak = case.policy.soak.as_seconds();
        moments.extend((0..=soak / gap).map(|look| deployed + Span::seconds(look * gap)));
        moments.retain(|at| *at >= BEGIN);
        let mut deeds = Vec::new();
        for now in moments {
            let before = deeds.len();
            deeds.extend(run(&mut world, &mut state, now, &case.policy));
            prop_assert_eq!(&deeds[..], &planned[..deeds.len()], "at {}", now);
            if deeds.len() > before {
                let ahead = look_ahead(&state, now, &case.policy, &incoming).unwrap();
                prop_assert_eq!(&dates(&ahead)[..], &planned[deeds.len()..], "planned anew at {}", now);
            }
        }
        prop_assert_eq!(deeds, planned);
        // What is left is what was wanted: nothing of the old keys, all of the others.
        let left = &records(&world.incoming) | &records(&world.staying);
        for (rrset, _) in world.rrsets.values() {
            prop_assert_eq!(rrset, &left);
        }
    }
}
