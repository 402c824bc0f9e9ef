//! Next keys of every kind that senders know, with their certificate or before it, up to the proposed record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
mod rotation_support;

use dane_support::Bench;
use rotation_support::{BEGIN, HOSTS, Publish, World};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tlsa_rotate::dane::subject;

/// Makes the key and its certificate for both hosts in the workspace; its record.
fn next(world: &World, kind: &str) -> String {
    let bench = Bench::new();
    bench.key("next", kind);
    let names: Vec<String> = HOSTS.iter().map(|host| format!("DNS:{host}")).collect();
    bench.openssl(&format!(
        "req -x509 -key next.key -out next.pem -days 3650 -subj /CN={} -addext subjectAltName={}",
        HOSTS[0],
        names.join(",")
    ));
    for file in ["next.key", "next.pem"] {
        let path = world.path(&format!("live/{file}"));
        fs::write(&path, bench.read(file)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let chain = subject::read_chain(&bench.read("next.pem")).unwrap();
    chain[0].spki_association().to_string()
}

#[test]
fn a_next_key_of_any_kind_that_senders_know_is_published() {
    let ways = [
        "next = { certificate = \"live/next.pem\", key = \"live/next.key\" }",
        "next = { key = \"live/next.key\" }",
    ];
    for kind in ["p384", "p521", "ed25519", "ed448", "pss"] {
        for way in ways {
            let world = World::with(Publish::Current, |config| {
                config.replace("next = { generate = \"ecdsa-p256\" }", way)
            });
            let record = next(&world, kind);
            world.start(BEGIN).ends(0);
            world.advance(BEGIN).ends(0);
            for host in ["mx1", "mx2"] {
                let published = world.tlsa(host);
                let there = published
                    .iter()
                    .any(|digest| record.ends_with(digest.as_str()));
                assert!(there, "{kind} {way}: {record} is not in {published:?}");
            }
        }
    }
}

#[test]
fn a_next_key_that_is_too_small_is_refused_with_its_size() {
    let world = World::with(Publish::Current, |config| {
        let way = "next = { certificate = \"live/next.pem\", key = \"live/next.key\" }";
        config.replace("next = { generate = \"ecdsa-p256\" }", way)
    });
    next(&world, "small");
    world.start(BEGIN).ends(1).complains_of("RSA 1024");
}
