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
mod tls_support;

use dane_support::Bench;
use rotation_support::{BEGIN, HOSTS, Publish, World, hours, make_key};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tls_support::Server;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::{KeyFiles, KeyKind};

/// Makes `name.key` of a kind and `name.pem` for both hosts.
fn make(bench: &Bench, name: &str, kind: &str) {
    bench.key(name, kind);
    let names: Vec<String> = HOSTS.iter().map(|host| format!("DNS:{host}")).collect();
    bench.openssl(&format!(
        "req -x509 -key {name}.key -out {name}.pem -days 3650 -subj /CN={} -addext subjectAltName={}",
        HOSTS[0],
        names.join(",")
    ));
}

/// The `3 1 1` record of `name.pem`.
fn record(bench: &Bench, name: &str) -> String {
    record_of(&bench.read(&format!("{name}.pem")))
}

fn record_of(pem: &[u8]) -> String {
    let chain = subject::read_chain(pem).unwrap();
    chain[0].spki_association().to_string()
}

/// Puts a file of the bench into a workspace, as a secret is put there.
fn put(bench: &Bench, file: &str, path: &Path) {
    fs::write(path, bench.read(file)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Makes the key and its certificate for both hosts in the workspace; its record.
fn next(world: &World, kind: &str) -> String {
    let bench = Bench::new();
    make(&bench, "next", kind);
    for file in ["next.key", "next.pem"] {
        put(&bench, file, &world.path(&format!("live/{file}")));
    }
    record(&bench, "next")
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

/// A world whose hosts are `openssl s_server` with `live`, on a port where TLS begins at once; `next` is the key to come.
fn with_real_hosts(bench: &Bench, hosts: &[Server]) -> World {
    let places = HOSTS.iter().zip(hosts);
    let places: Vec<String> = places
        .map(|(name, host)| format!("\"{name}\" = [\"{}\"]", host.address))
        .collect();
    let addresses = format!("addresses = {{ {} }}", places.join(", "));
    let config = |text: String| {
        let is_addresses = |line: &&str| !line.starts_with("addresses = ");
        let mut lines: Vec<&str> = text.lines().filter(is_addresses).collect();
        lines.push(&addresses);
        lines
            .join("\n")
            .replace("[[certificate]]addresses", "[[certificate]]\n# addresses")
            .replace("ports = [25]", "ports = [465]")
            .replace(
                "next = { generate = \"ecdsa-p256\" }",
                "next = { certificate = \"live/next.pem\", key = \"live/next.key\" }",
            )
            + "\n"
    };
    // The hosts of the world itself, which nobody is led to, know no such keys.
    let stand_in = |root: &Path| {
        fs::create_dir_all(root.join("live")).unwrap();
        let files = KeyFiles {
            key: root.join("live/stand-in.key"),
            certificate: root.join("live/stand-in.pem"),
            request: root.join("live/stand-in.csr"),
        };
        make_key(&files, KeyKind::EcdsaP256);
        for (file, to) in [
            ("live.pem", "fullchain.pem"),
            ("next.pem", "next.pem"),
            ("next.key", "next.key"),
        ] {
            put(bench, file, &root.join("live").join(to));
        }
        vec![files]
    };
    let zone = |text: String, stand_ins: &[KeyFiles]| {
        let stand_in = fs::read(&stand_ins[0].certificate).unwrap();
        let halves = |record: String| {
            let (front, back) = record.split_at(record.len() - 16);
            let front = front.rsplit(' ').next().unwrap();
            (front.to_owned(), back.to_owned())
        };
        let (front, back) = halves(record_of(&stand_in));
        let (live_front, live_back) = halves(record(bench, "live"));
        text.replace("_25._tcp", "_465._tcp")
            .replace(&front, &live_front)
            .replace(&back, &live_back)
    };
    World::shaped(Publish::Current, config, stand_in, zone)
}

/// Every kind is in use once and comes once; the world is told by real servers which it is.
#[test]
fn a_key_of_any_kind_that_senders_know_is_rotated_away_from_and_to() {
    let pairs = [
        ("p521", "ed448"),
        ("ed448", "pss"),
        ("pss", "ed25519"),
        ("ed25519", "p521"),
    ];
    for (live, next) in pairs {
        let bench = Bench::new();
        make(&bench, "live", live);
        make(&bench, "next", next);
        let directory = bench.dir.path();
        let mut hosts = HOSTS.map(|_| Server::start(directory, "live", ""));
        let world = with_real_hosts(&bench, &hosts);
        let is = |hour: u64, step: &str| {
            let now = world.step(hours(hour));
            assert_eq!(now, step, "{live} to {next} at hour {hour}");
        };
        world.start(BEGIN).ends(0);
        world.advance(BEGIN).ends(0);
        world.load();
        world.advance(hours(1)).ends(0);
        is(1, "Waiting");
        world.advance(hours(26)).ends(3);
        is(26, "SwapOpen");
        hosts[0].presents(directory, "next");
        let half = world.advance(hours(27)).ends(3);
        assert!(
            half.stdout.contains(HOSTS[1]),
            "{live} to {next}: {half:#?}"
        );
        hosts[1].presents(directory, "next");
        world.advance(hours(28)).ends(0);
        is(28, "Deployed");
        // One that has the key of before again is seen.
        hosts[0].presents(directory, "live");
        let back = world.advance(hours(29)).ends(3);
        let short = record(&bench, "live").chars().take(14).collect::<String>();
        assert!(back.stdout.contains(&short), "{live} to {next}: {back:#?}");
    }
}
