//! What `verify` tells in each of its forms, and the two ways to tell it where to go: `--resolve` and `--via`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, Run, World, hours};
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpListener;
use tlsa_rotate::workspace::tls_key::{KeyFiles, KeyKind};

/// `verify` by the world's first server, with the zone's own key as the trust anchor.
fn verify(world: &World, arguments: &[&str]) -> Run {
    let ds = world.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    world.write("anchor", &ds.ends(0).stdout);
    let resolver = world.server(0);
    let always = [
        "verify",
        "--resolver",
        &resolver,
        "--trust-anchor",
        "anchor",
    ];
    world.run(hours(1), &[&always, arguments].concat())
}

/// `NAME=ADDR:PORT` of each host.
fn places(world: &World) -> Vec<String> {
    let hosts = HOSTS.iter().zip(world.hosts());
    hosts
        .map(|(name, address)| format!("{name}={address}"))
        .collect()
}

#[test]
fn one_verdict_for_each_host_address_and_algorithm_in_every_form() {
    let world = World::new(Publish::File);
    let places = places(&world);
    let asked = [
        "example.com",
        "--resolve",
        &places[0],
        "--resolve",
        &places[1],
    ];
    let with = |more: &[&str]| verify(&world, &[&asked[..], more].concat());
    let text = with(&[]).ends(0).stdout;
    assert!(
        text.starts_with(
            "example.com is served by mx1.example.com (10), mx2.example.com (20) (MX secure)\n"
        ),
        "{text}"
    );
    for place in &places {
        let address = place.split_once('=').unwrap().1;
        let about: Vec<&str> = text.lines().filter(|line| line.contains(address)).collect();
        assert_eq!(about.len(), 2, "one line for each algorithm: {text}");
        assert!(
            about[0].contains("ECDSA") && about[0].starts_with("verified"),
            "{text}"
        );
        assert!(about[1].contains("RSA"), "{text}");
    }
    let json = |run: &Run| -> Value { serde_json::from_str(&run.stdout).unwrap() };
    let told = json(&with(&["--format", "json"]).ends(0));
    assert_eq!(
        (&told["schema"], &told["standing"]),
        (&"tlsa-rotate/verify/v1".into(), &"verified".into())
    );
    let host = &told["targets"][0]["hosts"][1];
    assert_eq!(
        (&host["host"], &host["port"], &host["tlsa"]["status"]),
        (&"mx2.example.com".into(), &25.into(), &"published".into())
    );
    assert_eq!(host["addresses"][0]["verdict"], "verified");
    let nagios = with(&["--format", "nagios"]).ends(0).stdout;
    assert!(
        nagios.starts_with("TLSA OK - ") && nagios.lines().count() == 1,
        "{nagios}"
    );

    // A key that no record is for, on one of the two hosts.
    let stranger = KeyFiles {
        key: world.path("stranger.key"),
        certificate: world.path("stranger.pem"),
        request: world.path("stranger.csr"),
    };
    rotation_support::make_key(&stranger, KeyKind::EcdsaP256);
    world.present(1, &[("stranger.pem", "stranger.key")]);
    let text = with(&[]).ends(4).stdout;
    let refused: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("REFUSED"))
        .collect();
    assert!(
        refused.len() == 1 && refused[0].contains("mx2.example.com"),
        "{text}"
    );
    assert!(text.contains("\n             do: "), "{text}");
    let told = json(&with(&["--format", "json"]).ends(4));
    let standings = [0, 1].map(|at| {
        told["targets"][0]["hosts"][at]["standing"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    assert_eq!(standings, ["verified", "at-risk"]);
    let nagios = with(&["--format", "nagios"]).ends(2).stdout;
    assert!(
        nagios.starts_with("TLSA CRITICAL - ") && nagios.lines().count() == 1,
        "{nagios}"
    );
}

/// The host sees where it is called from, and an address that is not this machine's is told and proves nothing.
#[test]
fn hosts_are_called_at_the_address_given_and_from_the_address_given() {
    let world = World::new(Publish::File);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("mx1.example.com={}", listener.local_addr().unwrap());
    let callers = std::thread::spawn(move || {
        let calls = listener.incoming().take(4).map(|stream| {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"554 closed today\r\n");
            stream.peer_addr().unwrap().ip().to_string()
        });
        calls.collect::<Vec<_>>()
    });
    let asked = ["[mx1.example.com]", "--resolve", &place, "--via"];
    let strange = verify(&world, &[&asked[..], &["192.0.2.77"]].concat()).ends(1);
    assert!(strange.stdout.contains("from 192.0.2.77"), "{strange:#?}");
    let refused = verify(&world, &[&asked[..], &["127.0.0.9"]].concat());
    assert!(refused.stdout.contains("554"), "{refused:#?}");
    assert_eq!(callers.join().unwrap(), ["127.0.0.9"; 4]);
}
