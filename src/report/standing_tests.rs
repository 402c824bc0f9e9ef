//! What the line of a run tells of what was established in it.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rotation::association::Association;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::apply;
use crate::rotation::timing::{Instant, Ttl};
use std::collections::{BTreeMap, BTreeSet};

/// A larger TTL matters where an RRset was before: caches may hold it for longer. Where none was, each TTL is the first.
#[test]
fn a_higher_ttl_is_told_of_an_rrset_that_was_there() {
    let hosts = ["mx1.example.com", "mx2.example.com"].map(|host| Endpoint {
        host: host.to_owned(),
        port: 25,
    });
    let [old, new] = hosts.each_ref().map(Endpoint::tlsa_name);
    let key = BTreeSet::from([Association::dane_ee_spki_sha256([1; 32])]);
    let started = Event::Started {
        endpoints: hosts.into(),
        current: key.clone(),
        base: BTreeMap::from([(old.clone(), key), (new.clone(), BTreeSet::new())]),
        ttl: BTreeMap::from([(old.clone(), Ttl(3600)), (new.clone(), Ttl(300))]),
        ttl_sources: BTreeMap::new(),
    };
    let state = apply(None, Instant::from_unix(0), &started).unwrap();
    let ttl = Ttl(7200);
    for (name, told) in [
        (old, "mail.1: Started (HigherTtlSeen); "),
        (new, "mail.1: Started; "),
    ] {
        let standing = Standing {
            certificate: "mail",
            rotation: Some(("mail.1", &state)),
            decision: None,
            observation: None,
            events: &[Event::HigherTtlSeen { name, ttl }],
            deeds: &[],
            has_left_dane: false,
            afterwards: None,
        };
        let line = standing.line();
        assert!(line.starts_with(told), "{told}: {line}");
    }
}
