//! `check` over a real world on loopback: nothing to do when all is well, and each thing that goes wrong by its name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
mod https_support;
mod rotation_support;

use dane_support::Bench;
use https_support::{PolicyServer, Says, ok};
use rotation_support::{BEGIN, Publish, Run, SIGNED, World, ZONE_FILE, hours};
use serde_json::Value;
use std::net::{TcpListener, UdpSocket};
use tlsa_rotate::zone::content::Zone;

/// Where the world's first server answers, as its configuration says.
fn resolver(world: &World) -> String {
    let config = world.read("tlsa-rotate.toml");
    let servers = config.lines().find(|l| l.starts_with("servers")).unwrap();
    servers.split('"').nth(1).unwrap().to_owned()
}

/// The DS of the world's zone, as the registrar would get it.
fn ds(world: &World) -> String {
    let ds = world.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    ds.ends(0).stdout
}

/// `check` with the zone's own key as the trust anchor.
fn check(world: &World, hour: u64, more: &[&str]) -> Run {
    world.write("anchor", &ds(world));
    check_from(world, "anchor", hour, more)
}

fn check_from(world: &World, anchor: &str, hour: u64, more: &[&str]) -> Run {
    let resolver = resolver(world);
    let arguments = ["check", "--resolver", &resolver, "--trust-anchor", anchor];
    world.run(hours(hour), &[&arguments[..], more].concat())
}

/// The findings that ask for something: severity, check, place, in order.
fn findings(world: &World, hour: u64) -> (Option<i32>, Vec<String>) {
    world.write("anchor", &ds(world));
    findings_from(world, "anchor", hour)
}

fn findings_from(world: &World, anchor: &str, hour: u64) -> (Option<i32>, Vec<String>) {
    let run = check_from(world, anchor, hour, &["--format", "json"]);
    let document: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"));
    assert_eq!(document["schema"], "tlsa-rotate/check/v1");
    let findings = document["findings"].as_array().unwrap().iter();
    let found = findings
        .filter(|f| f["severity"] != "advice")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap();
            assert!(
                text("rfc").starts_with("RFC ") && !text("way_out").is_empty(),
                "{finding}"
            );
            format!("{} {} {}", text("severity"), text("check"), text("place"))
        });
    (run.code, found.collect())
}

/// A world whose zone was changed before it was signed and loaded again.
fn with_zone(change: impl Fn(&str) -> String) -> World {
    let world = World::new(Publish::File);
    world.write(ZONE_FILE, &change(&world.read(ZONE_FILE)));
    // The zone is signed anew by the next run, whatever that run is about.
    world.advance(BEGIN);
    world.load();
    world
}

const MX1: &str = "_25._tcp.mx1.example.com.";

#[test]
fn a_healthy_world_has_nothing_to_do() {
    let world = World::new(Publish::File);
    let run = check(&world, 1, &[]).ends(0);
    let shared = "advice   example.com MX: all 2 MX hosts present one key, ";
    assert!(run.stdout.starts_with(shared), "{run:#?}");
    assert!(
        run.stdout
            .ends_with("\nnothing to do, 1 to consider (1 zone, 1 mail domain, 2 hosts)\n"),
        "{run:#?}"
    );
    assert_eq!(run.stdout.lines().count(), 4, "{run:#?}");
    assert_eq!(run.stderr, "");
    let nagios = check(&world, 1, &["--format", "nagios"]).ends(0);
    assert_eq!(
        nagios.stdout,
        "DANE OK - nothing to do, 1 to consider (1 zone, 1 mail domain, 2 hosts)\n"
    );
    let unknown = check(&world, 1, &["nobody"]).ends(1);
    assert!(unknown.stderr.contains("nobody"), "{unknown:#?}");
    assert_eq!(
        check(&world, 1, &["mail", "--merge"]).code,
        Some(2),
        "two questions at once"
    );
    assert_eq!(
        check(&world, 1, &["--swap", "mail"]).code,
        Some(2),
        "the gate looks at servers, not resolvers"
    );
}

#[test]
fn what_is_wrong_in_the_zone_is_told() {
    let digest = "ab".repeat(32);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let no_mx3 = "mx3 IN A 192.0.2.26\n@ IN MX 30 mx3\n";
    #[rustfmt::skip]
    let table: Vec<(String, &[&str], &str)> = vec![
        (format!("_25._tcp.mx1 IN TLSA 1 1 1 {digest}\n"), &["person-needed unusable-record _25._tcp.mx1.example.com."], "usage 1"),
(format!("_25._tcp.mx1 IN TLSA 3 1 1 {empty}\n"), &["person-needed zone example.com."], "nothing's digest: no zone holds it, the reader says where"),
        (format!("_25._tcp.mx1 IN TLSA 2 1 1 {digest}\n"), &["person-needed ca-pin _25._tcp.mx1.example.com."], "a CA that nobody presents"),
        ("_mta-sts IN TXT \"v=STSv1; id=a-b\"\n".to_owned(), &["person-needed mta-sts-record _mta-sts.example.com"], "a wrong id"),
        ("_smtp._tls IN TXT \"v=TLSRPTv1; rua=mailto:b@example.com\"\n".to_owned(), &["person-needed tls-rpt _smtp._tls.example.com"], "two records"),
    ];
    for (lines, expected, why) in table {
        let world = with_zone(|zone| format!("{zone}\n{lines}"));
        let (code, found) = findings(&world, 1);
        assert_eq!(found, expected, "{why}");
        let at_risk = expected.iter().any(|f| f.starts_with("delivery"));
        assert_eq!(code, Some(if at_risk { 4 } else { 3 }), "{why}");
    }
    let world = with_zone(|zone| format!("{zone}\n{no_mx3}"));
    // Its address is documentation's: nobody answers there.
    let (_, found) = findings(&world, 1);
    assert!(
        found.contains(&"person-needed no-tlsa _25._tcp.mx3.example.com.".to_owned()),
        "{found:?}"
    );
    let without = with_zone(|zone| zone.replace("_smtp._tls ", "_other._tls "));
    let run = check(&without, 1, &[]).ends(0);
    assert!(run.stdout.contains("way out: publish: _smtp._tls.example.com. IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@example.com\""), "{run:#?}");
}

#[test]
fn a_zone_that_cannot_be_read_comes_with_the_way_out_of_its_own() {
    let world = World::new(Publish::File);
    let said = || {
        let (out, ways) = (check(&world, 1, &[]).ends(3).stdout, "way out: ");
        let (_, told) = out.split_once("the zone cannot be read: ").unwrap();
        told.split_once(ways)
            .unwrap()
            .1
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let text = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &format!("{text}mx1 A not an address\n"));
    let broken = said();
    assert!(broken.contains("`tlsa-rotate zone check`"), "{broken}");
    world.write(ZONE_FILE, &text);
    let config = world.read("tlsa-rotate.toml");
    let in_git = config.replace(
        "publish = { file = true }",
        "publish = { git = { branch = \"tlsa-rotate/{rotation}\" } }",
    );
    assert_ne!(in_git, config);
    world.write("tlsa-rotate.toml", &in_git);
    let without_git = said();
    assert!(without_git.contains("`git init`"), "{without_git}");
}

#[test]
fn servers_and_hosts_that_go_wrong_are_named() {
    let world = World::new(Publish::File);
    // A secondary that has stayed behind.
    let zone = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &format!("{zone}\nnew IN A 192.0.2.99\n"));
    world.advance(BEGIN);
    world.load_into(0);
    let (code, found) = findings(&world, 1);
    assert_eq!(
        (code, found),
        (
            Some(3),
            vec![format!("person-needed server-stale {}", world.server(1))]
        )
    );
    world.load();

    // A host with a key that nobody published.
    world.start(BEGIN).ends(0);
    world.deploy(0);
    let run = check(&world, 1, &[]).ends(4);
    assert!(
        run.stdout
            .starts_with("AT RISK  mx1.example.com:25 127.0.0.1:"),
        "{run:#?}"
    );
    assert!(
        run.stdout
            .contains("ECDSA: validating senders refuse it: 3 1 1 ")
            && run.stdout.contains("refused, RFC 7672 §3.1"),
        "{run:#?}"
    );
    let nagios = check(&world, 1, &["--format", "nagios"]).ends(2);
    assert!(
        nagios
            .stdout
            .starts_with("DANE CRITICAL - delivery at risk: 1 to do at once, 0 more"),
        "{nagios:#?}"
    );
    assert_eq!(nagios.stdout.lines().count(), 1);
    world.put_back(0);

    // Signatures that run out because nobody signs any more.
    let (code, found) = findings(&world, 24 * 13 + 8);
    assert_eq!(code, Some(4));
    assert_eq!(found.len(), 4, "two hosts on two servers: {found:?}");
    assert!(
        found
            .iter()
            .all(|f| f.starts_with("delivery-at-risk signature-ends _25._tcp.mx")),
        "{found:?}"
    );
    // And those that have.
    let (code, found) = findings(&world, 24 * 15);
    assert_eq!(code, Some(4));
    for expected in [
        "delivery-at-risk chain example.com.",
        "delivery-at-risk mx example.com MX",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected}: {found:?}");
    }
    assert_eq!(
        found
            .iter()
            .filter(|f| f.contains("server-expired"))
            .count(),
        2,
        "{found:?}"
    );

    // Servers that are gone: the second of them, then the resolver.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let (first, gone) = (resolver(&world), udp.local_addr().unwrap().to_string());
    drop((udp, tcp));
    let config = world.read("tlsa-rotate.toml");
    let second = config
        .lines()
        .find(|l| l.starts_with("servers"))
        .unwrap()
        .split('"')
        .nth(3)
        .unwrap();
    world.write("tlsa-rotate.toml", &config.replace(second, &gone));
    let (code, found) = findings(&world, 1);
    assert_eq!(
        (code, found),
        (Some(3), vec![format!("person-needed server-silent {gone}")])
    );
    let arguments = ["check", "--resolver", &gone, "--trust-anchor", "anchor"];
    let blind = world.run(hours(1), &arguments).ends(3);
    for expected in [
        "you      example.com.: the chain to the zone is not known",
        "name a resolver that answers, and passes DNSSEC records on, with --resolver",
    ] {
        assert!(blind.stdout.contains(expected), "{first}: {blind:#?}");
    }
}

#[test]
fn a_server_that_went_back_is_named_by_what_the_journal_knows() {
    let world = World::new(Publish::Branch);
    let old = world.signed();
    let (world, hour) = world.brought_to("Deployed");
    let regressed = |hour| {
        let (code, found) = findings(&world, hour);
        let regressed = found.iter().filter(|f| f.contains("server-regressed"));
        (code, regressed.cloned().collect::<Vec<_>>())
    };
    assert_eq!(regressed(hour).1, [""; 0], "all have both");
    world.serve(1, old);
    let finding = format!("delivery-at-risk server-regressed {}", world.server(1));
    let (code, found) = regressed(hour + 1);
    assert_eq!(
        (code, found),
        (Some(4), vec![finding; 2]),
        "once for each host"
    );
    let told = check(&world, hour + 1, &[]).ends(4).stdout;
    let what = "_25._tcp.mx1.example.com. lacks what it served when mail.1 went on to Deployed";
    assert!(told.contains(what), "{told}");
    // A fact of the journal, and no more than that: nothing is written by looking.
    assert!(
        !world.facts().contains(&"ServerRegressed"),
        "{:?}",
        world.facts()
    );
}

/// An NXDOMAIN for a name above TLSA records, from a server that answers everything so.
#[test]
fn a_server_that_denies_the_names_above_records_is_named() {
    let world = World::new(Publish::File);
    let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = liar.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = liar.recv_from(&mut buffer) {
            if length == 1 {
                return;
            }
            let mut answer = buffer[..length].to_vec();
            // A response (QR, AA), NXDOMAIN, with the question and without the OPT record.
            answer[2] |= 0x84;
            answer[3] = 3;
            answer[10..12].copy_from_slice(&[0, 0]);
            let end = 12 + answer[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
            answer.truncate(end);
            liar.send_to(&answer, from).unwrap();
        }
    });
    let config = world.read("tlsa-rotate.toml");
    let second = config
        .lines()
        .find(|l| l.starts_with("servers"))
        .unwrap()
        .split('"')
        .nth(3)
        .unwrap();
    world.write("tlsa-rotate.toml", &config.replace(second, &address));
    let (code, found) = findings(&world, 1);
    assert_eq!(code, Some(4));
    let denied = format!("delivery-at-risk empty-non-terminal {address}");
    assert_eq!(
        found.iter().filter(|f| **f == denied).count(),
        4,
        "two names for each host: {found:?}"
    );
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .send_to(&[0], &address)
        .unwrap();
    answering.join().unwrap();
}

#[test]
fn an_mta_sts_policy_is_held_against_hosts_and_certificates() {
    let bench = Bench::new();
    bench.root("root");
    let leaf = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:mta-sts.example.com";
    bench.issued("web", "x", "root", leaf, "60");
    let policy = |mode: &str| {
        ok(&format!(
            "version: STSv1\nmode: {mode}\nmx: mx1.example.com\nmax_age: 604800\n"
        ))
    };
    let server = PolicyServer::start(
        &bench.path("web.pem"),
        &bench.path("web.key"),
        policy("enforce"),
    );
    let world = with_zone(|zone| format!("{zone}\n_mta-sts IN TXT \"v=STSv1; id=1\"\n"));
    let lines = format!(
        "[[certificate]]\nmta_sts = {{ roots = \"{}\", addresses = [\"{}\"] }}",
        bench.path("root.pem").display(),
        server.address
    );
    let config = world.read("tlsa-rotate.toml");
    world.write(
        "tlsa-rotate.toml",
        &config.replace("[[certificate]]", &lines),
    );
    let (code, found) = findings(&world, 1);
    assert_eq!(code, Some(4));
    let of = |severity: &str| {
        vec![
            format!("{severity} mta-sts-mx https://mta-sts.example.com/.well-known/mta-sts.txt"),
            format!("{severity} mta-sts-certificate mx1.example.com:25"),
            format!("{severity} mta-sts-certificate mx2.example.com:25"),
        ]
    };
    let without_addresses = |found: Vec<String>| {
        let short = |f: String| f.split(" 127.").next().unwrap().to_owned();
        let mut short: Vec<String> = found.into_iter().map(short).collect();
        short.sort();
        short
    };
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(without_addresses(found), sorted(of("delivery-at-risk")));
    server.now_says(policy("testing"));
    let (code, found) = findings(&world, 1);
    assert_eq!(
        (code, without_addresses(found)),
        (Some(3), sorted(of("person-needed")))
    );
    server.now_says(Says::Octets(
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ));
    let (code, found) = findings(&world, 1);
    assert_eq!(
        (code, found),
        (
            Some(3),
            vec!["person-needed mta-sts-policy _mta-sts.example.com".to_owned()]
        )
    );
    // DANE is satisfied all the while.
    assert!(
        world.read(SIGNED).contains("TLSA") && !world.tlsa("mx1.example.com").is_empty(),
        "{MX1}"
    );
}

/// The chain from a parent that we sign, with its DS right, doubled, wrong and missing.
#[test]
fn the_chain_from_the_parent_and_its_ds_are_looked_at() {
    let world = World::new(Publish::File);
    world
        .run(BEGIN, &["key", "generate", "com", "--keys", "parent"])
        .ends(0);
    let anchor = world
        .run(BEGIN, &["key", "ds", "com", "--keys", "parent"])
        .ends(0);
    world.write("parent.ds", &anchor.stdout);
    world
        .run(
            BEGIN,
            &["key", "generate", "example.com", "--keys", "others"],
        )
        .ends(0);
    let right = ds(&world);
    let stray = world
        .run(BEGIN, &["key", "ds", "example.com", "--keys", "others"])
        .ends(0)
        .stdout;
    let at = |severity: &str, checks: &[&str]| -> Vec<String> {
        checks
            .iter()
            .map(|check| format!("{severity} {check}"))
            .collect()
    };
    let nobody_goes_there = ["chain example.com.", "mx example.com MX"];
    let unprotected = [
        "chain example.com.",
        "mx example.com MX",
        "unprotected mx1.example.com:25",
        "unprotected mx2.example.com:25",
    ];
    #[rustfmt::skip]
    let table = [
        (right.clone(), Vec::new(), 0, "as it should be"),
        (format!("{right}{stray}"), at("person-needed", &["ds example.com."]), 3, "a DS of no key"),
        (stray, at("delivery-at-risk", &nobody_goes_there), 4, "the DS of another key alone: senders defer"),
        (String::new(), at("person-needed", &unprotected), 3, "no DS: mail flows, unprotected"),
    ];
    for (number, (records, expected, code, why)) in table.into_iter().enumerate() {
        let zone = format!(
            "$ORIGIN com.\n$TTL 3600\n@ SOA ns h {} 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n\
             example NS ns1.example\nns1.example A 192.0.2.53\n{records}",
            number + 1
        );
        world.write("parent.zone", &zone);
        let arguments = [
            "zone",
            "sign",
            "parent.zone",
            "--keys",
            "parent",
            "--output",
            "parent.signed",
        ];
        world.run(BEGIN, &arguments).ends(0);
        let signed = world.read("parent.signed");
        world.serve(0, Zone::parse(signed.as_bytes(), None).unwrap());
        let (seen, mut found) = findings_from(&world, "parent.ds", 1);
        found.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!((seen, found), (Some(code), expected), "{why}");
    }
}

#[test]
fn a_record_that_is_left_over_is_told_with_the_command_that_takes_it_out() {
    let old = "ab".repeat(32);
    let world = with_zone(|zone| format!("{zone}_25._tcp.mx1 IN TLSA 3 1 1 {old}\n"));
    let run = check(&world, 1, &[]).ends(0);
    assert!(
        run.stdout.contains("left-over, RFC 7671") && run.stdout.contains("tlsa-rotate prune mail"),
        "{run:#?}"
    );
    // Of a host that is silent nobody knows which key it has, and the next key of a rotation is its own.
    world.silence(0);
    let run = check(&world, 1, &[]);
    assert!(!run.stdout.contains("left-over"), "{run:#?}");
    let world = World::new(Publish::File);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN);
    world.load();
    let run = check(&world, 1, &[]);
    assert!(!run.stdout.contains("left-over"), "{run:#?}");
}
