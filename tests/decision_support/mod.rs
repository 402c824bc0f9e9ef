//! A rotation of one key on three hosts at each step, and the world that a run sees of it: what the decision tests share.
#![allow(dead_code)] // each test file uses its part

use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::due::{Due, Release, Rest};
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset,
    SignatureWindow,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

const START: u64 = 1_795_392_000; // 2026-11-23T00:00:00Z

pub(crate) fn key(byte: u8) -> Association {
    Association::dane_ee_spki_sha256([byte; 32])
}

pub(crate) fn set(keys: &[u8]) -> BTreeSet<Association> {
    keys.iter().map(|byte| key(*byte)).collect()
}

pub(crate) fn mx(number: u8) -> Endpoint {
    Endpoint {
        host: format!("mx{number}.example.com"),
        port: 25,
    }
}

pub(crate) fn hours(n: u64) -> Instant {
    Instant::from_unix(START) + Span::hours(n)
}

/// The rotation after these facts, all at one hour.
pub(crate) fn then(rotation: Rotation, hour: u64, facts: &[Event]) -> Rotation {
    let next = |rotation: Rotation, fact| apply(Some(&rotation), hours(hour), fact).unwrap();
    facts.iter().fold(rotation, next)
}

/// A policy of rest, until the due date at this hour if there is one.
pub(crate) fn resting(hour: Option<u64>) -> Policy {
    let due = hour.map(|hour| Due {
        at: hours(hour),
        why: Release::Age,
    });
    Policy {
        rest: Rest::Until(due),
        ..Policy::default()
    }
}

/// Three hosts, one key; TTL one hour. The rotation after the events of `way`, each at its hour.
pub(crate) fn after(way: &[(u64, Event)]) -> Rotation {
    let hosts = [1, 2, 3].map(mx);
    let names = hosts.each_ref().map(Endpoint::tlsa_name);
    let started = Event::Started {
        endpoints: hosts.into(),
        current: set(&[1]),
        base: names.iter().map(|n| (n.clone(), set(&[1]))).collect(),
        ttl: names.iter().map(|n| (n.clone(), Ttl(3600))).collect(),
        ttl_sources: BTreeMap::new(),
    };
    let admitted = Event::KeyAdmitted {
        not_after: hours(24 * 100),
        made_by: None,
    };
    let computed = Event::AssociationsComputed {
        incoming: set(&[2]),
    };
    let first = [(0, admitted), (0, computed), (0, Event::PrepublishDecided)];
    let begun = apply(None, hours(0), &started).unwrap();
    first
        .iter()
        .chain(way)
        .fold(begun, |rotation, (hour, event)| {
            apply(Some(&rotation), hours(*hour), event).unwrap()
        })
}

/// The way to a step: served at hour 1, open at 26, deployed at 27 and watched every six hours, verified at 51.
pub(crate) fn at(step: Step) -> Rotation {
    let way = [
        (1, Event::PrepublishServed { ttl: Ttl(3600) }),
        (26, Event::SwapOpened),
        (27, Event::HostsPresentedIncoming),
        (33, Event::SoakSeen),
        (39, Event::SoakSeen),
        (45, Event::SoakSeen),
        (51, Event::SoakPassed),
        (51, Event::RetireDecided),
    ];
    let events = match step {
        Step::Prepublishing => 0,
        Step::Waiting => 1,
        Step::SwapOpen => 2,
        Step::Deployed => 6,
        Step::Verified => 7,
        Step::Retiring => 8,
        other => unreachable!("{other}"),
    };
    let rotation = after(&way[..events]);
    assert_eq!(rotation.step, step);
    rotation
}

pub(crate) struct World {
    pub(crate) zone: Vec<u8>,
    pub(crate) presents: [u8; 3],
    pub(crate) signed_until: u64,
    /// How many hours before the first the signatures began.
    pub(crate) signed_before: u64,
    pub(crate) live_until: u64,
}

impl World {
    pub(crate) fn of(zone: &[u8], presents: [u8; 3]) -> Self {
        Self {
            zone: zone.to_vec(),
            presents,
            signed_until: 9_999,
            signed_before: 0,
            live_until: 9_999,
        }
    }

    /// What a run sees; a host that presents 0 does not answer.
    pub(crate) fn seen(&self, hour: u64) -> Observation {
        let mut observation = Observation {
            at: hours(hour),
            merged: BTreeMap::new(),
            served: BTreeMap::new(),
            ..Observation::nothing(hours(hour))
        };
        for (number, presents) in (1..).zip(self.presents) {
            let served = Seen::Known(ServedRrset {
                associations: set(&self.zone),
                ttl: Ttl(3600),
                signature: SignatureWindow {
                    inception: hours(0) - Span::hours(self.signed_before),
                    expiration: hours(self.signed_until),
                },
                replayable_until: hours(self.signed_until + 7),
            });
            let name = mx(number).tlsa_name();
            observation
                .merged
                .insert(name.clone(), Seen::Known(set(&self.zone)));
            observation.served.insert(
                name,
                BTreeMap::from([(Authority("ns1 192.0.2.1:53".into()), served)]),
            );
            let offer = match presents {
                0 => Seen::Unknown("timed out".into()),
                byte => Seen::Known(Offer::Key(Presented::of_key(
                    key(byte),
                    hours(self.live_until),
                ))),
            };
            let offers = BTreeMap::from([
                (KeyAlgorithm::Ecdsa, offer),
                (
                    KeyAlgorithm::Rsa,
                    match presents {
                        0 => Seen::Unknown("timed out".into()),
                        _ => Seen::Known(Offer::NotOffered),
                    },
                ),
            ]);
            observation.presented.insert(
                mx(number),
                BTreeMap::from([("192.0.2.25".to_owned(), offers)]),
            );
        }
        observation
    }
}
