//! How long what was seen ahead counts.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use super::*;
use crate::rotation::association::Association;
use crate::rotation::observation::{
    Authority, Endpoint, Observation, Seen as Asked, ServedRrset, SignatureWindow,
};
use crate::rotation::step::{Event, Step, apply};
use crate::rotation::timing::{Span, Ttl};
use std::collections::BTreeSet;

const NOW: Instant = Instant::from_unix(1_800_000_000);

fn key(byte: u8) -> BTreeSet<Association> {
    BTreeSet::from([Association::dane_ee_spki_sha256([byte; 32])])
}

fn mx() -> Endpoint {
    Endpoint {
        host: "mx1.example.com".to_owned(),
        port: 25,
    }
}

/// A rotation whose records are to be published.
fn prepublishing() -> Rotation {
    let name = mx().tlsa_name();
    let events = [
        Event::KeyAdmitted {
            not_after: NOW + Span::days(90),
            made_by: None,
        },
        Event::AssociationsComputed { incoming: key(2) },
        Event::PrepublishDecided,
    ];
    let started = Event::Started {
        endpoints: BTreeSet::from([mx()]),
        current: key(1),
        base: BTreeMap::from([(name.clone(), key(1))]),
        ttl: BTreeMap::from([(name, Ttl(3600))]),
        ttl_sources: BTreeMap::new(),
    };
    let begun = apply(None, NOW, &started).unwrap();
    let then = |rotation: Rotation, event: &Event| apply(Some(&rotation), NOW, event).unwrap();
    events.iter().fold(begun, then)
}

/// The one server answers with these records, and the branch that counts holds both.
fn sight(served: BTreeSet<Association>) -> Sight {
    let name = mx().tlsa_name();
    let both: BTreeSet<Association> = key(1).union(&key(2)).cloned().collect();
    let rrset = ServedRrset {
        associations: served,
        ttl: Ttl(3600),
        signature: SignatureWindow {
            inception: NOW,
            expiration: NOW + Span::days(30),
        },
        replayable_until: NOW + Span::days(30),
    };
    let ns1 = Authority("ns1 192.0.2.1:53".into());
    Sight {
        observation: Observation {
            at: NOW,
            merged: BTreeMap::from([(name.clone(), Asked::Known(both))]),
            served: BTreeMap::from([(name, BTreeMap::from([(ns1, Asked::Known(rrset))]))]),
            ..Observation::nothing(NOW)
        },
        notes: Vec::new(),
        asides: Vec::new(),
        denied: BTreeMap::new(),
        serials: BTreeMap::new(),
    }
}

/// A gate must not pass on what was seen minutes ago; where nothing follows from it, nobody needs to look again.
#[test]
fn no_gate_passes_on_what_is_no_longer_fresh() {
    let state = prepublishing();
    let both: BTreeSet<Association> = key(1).union(&key(2)).cloned().collect();
    let began = Tick::now();
    let counts = |served: &BTreeSet<Association>, state: &Rotation, age: Duration| {
        let ahead = Seen {
            of: prepublishing(),
            sight: sight(served.clone()),
            began,
        };
        let policy = Policy::default();
        ahead.still(state, NOW, &policy, began + age).is_some()
    };
    let late = FRESH + Duration::from_secs(1);
    assert!(counts(&both, &state, Duration::ZERO), "seen just now");
    assert!(counts(&both, &state, FRESH), "still fresh");
    assert!(!counts(&both, &state, late), "the gate would pass on it");
    let mut other = state.clone();
    other.step = Step::Waiting;
    assert!(!counts(&both, &other, Duration::ZERO), "it has moved on");
    assert!(
        counts(&key(1), &state, late),
        "the server lags: nothing follows from it"
    );
}
