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
use tlsa_rotate::zone::content::Zone;

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
    let remedy = &told["targets"][0]["hosts"][1]["addresses"][0]["remedy"];
    let put_back = "put the certificate with a published key back now";
    assert!(remedy.as_str().unwrap().starts_with(put_back), "{told}");
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

/// Serves a zone beside the world's own, and verifies names in it.
fn beside(world: &World, records: &str, arguments: &[&str]) -> Run {
    let front = "$ORIGIN beside.test.\n$TTL 3600\n@ SOA ns h 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n";
    world.write("beside", &format!("{front}{records}"));
    let sign = [
        "zone",
        "sign",
        "beside",
        "--keys",
        "theirs",
        "--output",
        "beside.signed",
    ];
    world.run(BEGIN, &sign).ends(0);
    world.serve(
        0,
        Zone::parse(world.read("beside.signed").as_bytes(), None).unwrap(),
    );
    let ds = world.run(BEGIN, &["key", "ds", "beside.test", "--keys", "theirs"]);
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

/// What a domain says of its mail in its MX records alone: that it takes none (RFC 7505), or that and the contrary.
#[test]
fn a_null_mx_takes_no_mail_and_stands_alone() {
    let world = World::new(Publish::File);
    let key = ["key", "generate", "beside.test", "--keys", "theirs"];
    world.run(BEGIN, &key).ends(0);
    let null = "@ MX 0 .\n";
    let run = beside(&world, null, &["beside.test"]).ends(1);
    let summary = "beside.test: takes no mail: there is no host to verify";
    assert!(run.stdout.contains(summary), "{run:#?}");
    assert!(!run.stdout.contains("unknown"), "{run:#?}");
    let json = ["beside.test", "--format", "json"];
    let run = beside(&world, null, &json).ends(1);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["standing"], "takes-no-mail");
    let run = beside(&world, null, &["beside.test", "--format", "nagios"]).ends(1);
    assert!(
        run.stdout
            .starts_with("TLSA WARNING - beside.test: takes no mail"),
        "{run:#?}"
    );

    // Postfix goes by the null MX, wherever it stands.
    for both in [
        "@ MX 0 .\n@ MX 10 mx\nmx A 127.9.9.9\n",
        "@ MX 10 mx\n@ MX 20 .\nmx A 127.9.9.9\n",
    ] {
        let run = beside(&world, both, &["beside.test"]).ends(4);
        assert!(
            run.stdout
                .contains("REFUSED      beside.test MX: a null MX"),
            "{run:#?}"
        );
        assert!(
            run.stdout.contains("do: remove the null MX, or the others"),
            "{run:#?}"
        );
    }
}

/// Programs are told of an alias in an MX record what people are told.
#[test]
fn an_alias_in_an_mx_record_is_noted_in_json_too() {
    let world = World::new(Publish::File);
    let key = ["key", "generate", "beside.test", "--keys", "theirs"];
    world.run(BEGIN, &key).ends(0);
    let records = "@ MX 10 alias\nalias CNAME mx\nmx A 127.9.9.9\n";
    let run = beside(&world, records, &["beside.test", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"));
    let notes = &told["targets"][0]["hosts"][0]["notes"];
    assert_eq!(
        notes[0]["remedy"], "name mx.beside.test in the MX record",
        "{told}"
    );
    assert!(
        notes[0]["what"]
            .as_str()
            .unwrap()
            .contains("RFC 2181 §10.3"),
        "{told}"
    );
    let run = beside(&world, records, &["[mx.beside.test]", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        told["targets"][0]["hosts"][0]["notes"],
        serde_json::json!([]),
        "{told}"
    );
}

/// Postfix goes to no host, and follows no alias, whose name is none of a host; programs are told what to do as well.
#[test]
fn a_name_that_is_none_of_a_host_is_refused() {
    let world = World::new(Publish::File);
    let key = ["key", "generate", "beside.test", "--keys", "theirs"];
    world.run(BEGIN, &key).ends(0);
    for records in [
        "@ MX 10 mx-\nmx- A 127.9.9.9\n",
        "@ MX 10 alias\nalias CNAME mx-\nmx- A 127.9.9.9\n",
    ] {
        let run = beside(&world, records, &["beside.test"]).ends(4);
        let said = "mx-.beside.test is no host name (RFC 1123 §2.1), and senders on Postfix do not go there";
        assert!(run.stdout.contains(said), "{run:#?}");
        let run = beside(&world, records, &["beside.test", "--format", "json"]).ends(4);
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            told["targets"][0]["hosts"][0]["tlsa"]["status"], "no-host-name",
            "{told}"
        );
    }
    // The same where an alias stands in place of the records, or of the domain.
    let tlsa = format!("TLSA 3 1 1 {}\n", "ab".repeat(32));
    let records = format!("@ MX 10 mx\nmx A 127.9.9.9\n_25._tcp.mx CNAME a/b\na/b {tlsa}");
    let run = beside(&world, &records, &["beside.test"]).ends(4);
    assert!(
        run.stdout.contains("a/b.beside.test is no host name"),
        "{run:#?}"
    );
    let records = format!("d CNAME odd-\nodd- MX 10 mx\nmx A 127.9.9.9\n_25._tcp.mx {tlsa}");
    let run = beside(&world, &records, &["d.beside.test"]).ends(4);
    assert!(
        run.stdout
            .contains("the alias leads to odd-.beside.test., which is no host name"),
        "{run:#?}"
    );
}
