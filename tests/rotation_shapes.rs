//! Rotations of every certificate shape by the real program: other usages in the RRset, RSA beside ECDSA, aliases, renewals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // a rotation is a story
    missing_docs
)]

mod dane_support;
mod rotation_support;

use dane_support::Bench;
use rotation_support::aliased::{OTHER, aliased, load_both};
use rotation_support::{
    BEGIN, HOSTS, Publish, Run, World, ZONE_FILE, hours, live_key, make_key, zone_key,
};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tlsa_rotate::dane::association::Parameters;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::{KeyFiles, KeyKind};

/// The TLSA data of the first certificate (or, for an issuer, of the second) in a PEM file.
fn record(path: &Path, numbers: (u8, u8, u8)) -> String {
    let chain = subject::read_chain(&fs::read(path).unwrap()).unwrap();
    let which = if numbers.0 == 2 { &chain[1] } else { &chain[0] };
    let subject = subject::Subject::Certificate(Box::new(which.clone()));
    let (usage, selector, matching) = numbers;
    let parameters = Parameters::new(usage, selector, matching).unwrap();
    parameters.associate(&subject).unwrap().to_string()
}

/// The TLSA records of both hosts in the zone that counts, sorted, without their owners.
fn records(world: &World) -> Vec<String> {
    let mut found: Vec<String> = world
        .zone()
        .iter()
        .filter_map(|line| {
            let (owner, data) = line.split_once(" IN TLSA ")?;
            Some(format!(
                "{} {}",
                owner.split(' ').next().unwrap(),
                data.to_lowercase()
            ))
        })
        .collect();
    found.sort();
    found
}

fn at(owner: &str, data: &[&str]) -> Vec<String> {
    let mut records: Vec<String> = data
        .iter()
        .map(|data| format!("{owner}.example.com. {data}"))
        .collect();
    records.sort();
    records
}

/// Adds TLSA records to the zone text, one line each.
fn with_records(text: &str, owner: &str, data: &[&str]) -> String {
    let lines: Vec<String> = data
        .iter()
        .map(|data| format!("{owner} IN TLSA {data}\n"))
        .collect();
    format!("{text}{}", lines.concat())
}

/// The host that no certificate has lies at a place that refuses at once.
fn near(text: &str) -> String {
    let text = text.replace("198.51.100.25", "127.0.0.1");
    text.replace("2001:db8:1::25", "::1")
}

fn without_mx2(config: &str) -> String {
    let both = "hosts = [\"mx1.example.com\", \"mx2.example.com\"]";
    assert!(config.contains(both));
    let config = config.replace(both, "hosts = [\"mx1.example.com\"]");
    let start = config.find(", \"mx2.example.com\" = [").unwrap();
    let end = start + config[start..].find(']').unwrap() + 1;
    config.replace(&config[start..end], "")
}

/// Drives a rotation that was started to its end, deploying as told; the last run.
fn driven(world: &World, deploy: &dyn Fn()) -> Run {
    for step in 0..60 {
        let now = hours(step * 3);
        let run = world.advance(now);
        assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
        if run.stdout.contains("it is over") {
            world.is_tidy();
            return run;
        }
        if run.stdout.contains("SwapOpen") {
            deploy();
        }
        world.load();
    }
    panic!("it never ends: {:#?}", world.run(hours(180), &["status"]))
}

/// A bench in the workspace's `ca` directory: roots and chains for both hosts.
fn issued(bench: &Bench, name: &str, issuer: &str) {
    let extensions = format!("subjectAltName=DNS:{},DNS:{}", HOSTS[0], HOSTS[1]);
    bench.issued(name, HOSTS[0], issuer, &extensions, "3000");
    bench.concat(
        &format!("{name}.chain.pem"),
        &[&format!("{name}.pem"), &format!("{issuer}.pem")],
    );
}

fn copied(bench: &Bench, name: &str, to: &Path, file: &str) -> KeyFiles {
    fs::create_dir_all(to).unwrap();
    let files = KeyFiles {
        key: to.join(format!("{file}.key.pem")),
        certificate: to.join(format!("{file}.chain.pem")),
        request: to.join("unused"),
    };
    fs::copy(bench.path(&format!("{name}.key")), &files.key).unwrap();
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::copy(bench.path(&format!("{name}.chain.pem")), &files.certificate).unwrap();
    files
}

#[test]
fn other_forms_of_the_key_in_use_are_rotated_along() {
    let extra = [(3, 0, 1), (3, 1, 2)];
    let world = World::shaped(
        Publish::Current,
        |config| without_mx2(&config),
        |root| vec![live_key(root)],
        |text, live| {
            let data = extra.map(|numbers| record(&live[0].certificate, numbers));
            let foreign = format!("1 1 1 {}", "ab".repeat(32));
            with_records(
                &near(&text),
                "_25._tcp.mx1",
                &[&data[0], &data[1], &foreign],
            )
        },
    );
    let started = world.start(BEGIN).ends(0);
    assert_eq!(
        started.stdout.matches("  in use   ").count(),
        3,
        "{started:#?}"
    );
    assert_eq!(
        started.stdout.matches("  next     ").count(),
        3,
        "{started:#?}"
    );
    assert!(
        started
            .stderr
            .contains("holds 1 1 1 abababab…, which mail senders do not look at"),
        "{started:#?}"
    );
    world.advance(BEGIN).ends(0);
    world.load();
    let status = world.run(hours(1), &["status"]).ends(0);
    assert!(
        !status.stdout.contains("lapse"),
        "each form matches: {status:#?}"
    );
    driven(&world, &|| world.deploy(0));
    let next = world.path("keys/tls/mail.1/ecdsa-p256.cert.pem");
    let expected = [(3, 1, 1), extra[0], extra[1]].map(|numbers| record(&next, numbers));
    let foreign = format!("1 1 1 {}", "ab".repeat(32));
    let left: Vec<&str> = expected
        .iter()
        .map(String::as_str)
        .chain([&*foreign])
        .collect();
    let found = records(&world);
    let of_mx1: Vec<&String> = found.iter().filter(|line| line.contains("mx1")).collect();
    assert_eq!(of_mx1, at("_25._tcp.mx1", &left).iter().collect::<Vec<_>>());
}

#[test]
fn an_issuer_that_stays_is_kept_and_one_that_does_not_is_said_before_publishing() {
    let bench = Bench::new();
    bench.root("old-ca");
    bench.root("new-ca");
    issued(&bench, "live", "old-ca");
    issued(&bench, "renewed", "old-ca");
    issued(&bench, "moved", "new-ca");
    let world = World::shaped(
        Publish::Current,
        |config| without_mx2(&config).replace("live/fullchain.pem", "live/mail.chain.pem"),
        |root| vec![copied(&bench, "live", &root.join("live"), "mail")],
        |text, live| {
            let issuer = record(&live[0].certificate, (2, 1, 1));
            with_records(&near(&text), "_25._tcp.mx1", &[&issuer])
        },
    );
    let other = world.copy();
    let again = &other;
    for (name, to) in [("renewed", &world), ("moved", again)] {
        copied(&bench, name, &to.path("live"), name);
    }
    let start = |name: &str| {
        let [certificate, key] = ["chain", "key"].map(|kind| format!("live/{name}.{kind}.pem"));
        [
            "start",
            "mail",
            "--certificate",
            &certificate,
            "--key",
            &key,
        ]
        .map(str::to_owned)
    };
    let run = |world: &World, name: &str| {
        let arguments = start(name);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        world.run(BEGIN, &arguments).ends(0)
    };

    // The next certificate is of the same issuer: its record stays and goes on matching.
    let started = run(&world, "renewed");
    assert!(
        started.stderr.contains("which goes on matching"),
        "{started:#?}"
    );
    let brought = (
        "keys/tls/mail.1/brought-0.cert.pem",
        "keys/tls/mail.1/brought-0.key.pem",
    );
    driven(&world, &|| world.present(0, &[brought]));
    let chain = world.path(brought.0);
    let left = [(2, 1, 1), (3, 1, 1)].map(|numbers| record(&chain, numbers));
    let found = records(&world);
    for record in &left {
        assert!(
            found.contains(&format!("_25._tcp.mx1.example.com. {record}")),
            "{found:#?}"
        );
    }
    assert_eq!(
        found.iter().filter(|line| line.contains("mx1")).count(),
        2,
        "{found:#?}"
    );

    // Of another issuer: said before anything is published, with the record that would do.
    let started = run(&other, "moved");
    assert!(
        started.stderr.contains("the next one does not"),
        "{started:#?}"
    );
    let before = other.read(ZONE_FILE);
    let stopped = other.advance(BEGIN).ends(3);
    assert!(
        stopped.stdout.contains(
            "mail.1: Hashed; next: you: _25._tcp.mx1.example.com. TLSA: no `2 1 1` record"
        ),
        "{stopped:#?}"
    );
    assert_eq!(other.read(ZONE_FILE), before);
    let status = other.run(BEGIN, &["status"]).ends(3);
    let new_issuer = record(&other.path("live/moved.chain.pem"), (2, 1, 1));
    let offer = format!("add `_25._tcp.mx1.example.com. TLSA {new_issuer}` to the zone");
    assert!(status.stdout.contains(&offer), "{status:#?}");
    // The operator adds it; the rotation sees that and goes on; nobody's record is taken out.
    let zone = with_records(&other.read(ZONE_FILE), "_25._tcp.mx1", &[&new_issuer]);
    other.write(ZONE_FILE, &zone.replace("2026112301", "2026112302"));
    other.git("commit --quiet --all --message issuer");
    let went_on = other.advance(hours(1)).ends(0);
    assert!(
        went_on
            .stdout
            .contains("Prepublishing (SurroundingsFound, PrepublishDecided)"),
        "{went_on:#?}"
    );
}

#[test]
fn of_a_pair_both_keys_are_rotated_or_one() {
    let pair = |root: &Path| {
        let rsa = KeyFiles {
            key: root.join("live/rsa.key.pem"),
            certificate: root.join("live/rsa.pem"),
            request: root.join("live/rsa.csr.pem"),
        };
        let ecdsa = live_key(root);
        make_key(&rsa, KeyKind::Rsa2048);
        vec![ecdsa, rsa]
    };
    let zone = |text: String, live: &[KeyFiles]| {
        let rsa = record(&live[1].certificate, (3, 1, 1));
        let text = with_records(&text, "_25._tcp.mx1", &[&rsa]);
        with_records(&text, "_25._tcp.mx2", &[&rsa])
    };
    let config = |config: String| {
        let one = "live = { certificate = \"live/fullchain.pem\" }";
        assert!(config.contains(one));
        config.replace(
            one,
            "live = [{ certificate = \"live/fullchain.pem\" }, { certificate = \"live/rsa.pem\" }]",
        )
    };
    let ecdsa = (
        "keys/tls/mail.1/ecdsa-p256.cert.pem",
        "keys/tls/mail.1/ecdsa-p256.key.pem",
    );
    let rsa = (
        "keys/tls/mail.1/rsa-2048.cert.pem",
        "keys/tls/mail.1/rsa-2048.key.pem",
    );
    let old_rsa = ("live/rsa.pem", "live/rsa.key.pem");

    // One: the RSA key stays where it is, in the zone and on the hosts.
    let one = World::shaped(Publish::Current, config, pair, zone);
    let started = one.start(BEGIN).ends(0);
    assert_eq!(
        started.stdout.matches("  in use   ").count(),
        1,
        "{started:#?}"
    );
    assert!(
        started
            .stderr
            .contains(" stays: no key of its algorithm is replaced"),
        "{started:#?}"
    );
    let stays = record(&one.path("live/rsa.pem"), (3, 1, 1));
    driven(&one, &|| {
        for host in 0..2 {
            one.present(host, &[ecdsa, old_rsa]);
        }
    });
    let next = record(&one.path(ecdsa.0), (3, 1, 1));
    let expected: Vec<String> = ["_25._tcp.mx1", "_25._tcp.mx2"]
        .iter()
        .flat_map(|owner| at(owner, &[&stays, &next]))
        .collect();
    assert_eq!(records(&one), expected);

    // Both, each host one after the other: a host with one new key is not done, and one old key is one too many.
    let both = World::shaped(
        Publish::Current,
        |text| {
            config(text).replace(
                "next = { generate = \"ecdsa-p256\" }",
                "next = { generate = [\"ecdsa-p256\", \"rsa-2048\"] }",
            )
        },
        pair,
        zone,
    );
    let started = both.start(BEGIN).ends(0);
    assert_eq!(
        started.stdout.matches("  in use   ").count(),
        2,
        "{started:#?}"
    );
    let halves = std::cell::Cell::new(0);
    driven(&both, &|| {
        let half = halves.get();
        halves.set(half + 1);
        match half {
            0 => both.present(0, &[ecdsa, old_rsa]),
            1 => {
                both.present(0, &[ecdsa, rsa]);
                both.present(1, &[("live/fullchain.pem", "live/privkey.pem"), rsa]);
            }
            _ => both.present(1, &[ecdsa, rsa]),
        }
    });
    assert_eq!(halves.get(), 3, "each half was seen for what it is");
    let next = [ecdsa.0, rsa.0].map(|file| record(&both.path(file), (3, 1, 1)));
    let expected: Vec<String> = ["_25._tcp.mx1", "_25._tcp.mx2"]
        .iter()
        .flat_map(|owner| at(owner, &[&next[0], &next[1]]))
        .collect();
    assert_eq!(records(&both), expected);
}

#[test]
fn of_a_pair_a_key_that_comes_again_in_its_renewal_stays() {
    let named = |root: &Path, name: &str| KeyFiles {
        key: root.join(format!("live/{name}.key.pem")),
        certificate: root.join(format!("live/{name}.pem")),
        request: root.join(format!("live/{name}.csr.pem")),
    };
    let live = |root: &Path| {
        let (ecdsa, rsa) = (live_key(root), named(root, "rsa"));
        make_key(&rsa, KeyKind::Rsa2048);
        let renewed = KeyFiles {
            key: rsa.key.clone(),
            ..named(root, "rsa.renewed")
        };
        make_key(&renewed, KeyKind::Rsa2048);
        make_key(&named(root, "next"), KeyKind::EcdsaP256);
        vec![ecdsa, rsa]
    };
    let config = |config: String| {
        let config = config.replace(
            "live = { certificate = \"live/fullchain.pem\" }",
            "live = [{ certificate = \"live/fullchain.pem\" }, { certificate = \"live/rsa.pem\" }]",
        );
        config.replace(
            "next = { generate = \"ecdsa-p256\" }",
            "next = [{ certificate = \"live/rsa.renewed.pem\", key = \"live/rsa.key.pem\" }, \
             { certificate = \"live/next.pem\", key = \"live/next.key.pem\" }]",
        )
    };
    let world = World::shaped(Publish::Current, config, live, |text, live| {
        let rsa = record(&live[1].certificate, (3, 1, 1));
        let text = with_records(&text, "_25._tcp.mx1", &[&rsa]);
        with_records(&text, "_25._tcp.mx2", &[&rsa])
    });
    let started = world.start(BEGIN).ends(0);
    let stays = record(&world.path("live/rsa.pem"), (3, 1, 1));
    let next = record(&world.path("live/next.pem"), (3, 1, 1));
    assert_eq!(
        started.stdout.matches("  in use   ").count(),
        1,
        "{started:#?}"
    );
    assert!(
        started.stdout.contains(&format!("  next     {next}\n")),
        "{started:#?}"
    );
    assert_eq!(
        started.stdout.matches("  next     ").count(),
        1,
        "{started:#?}"
    );
    driven(&world, &|| {
        for host in 0..2 {
            let rsa = ("live/rsa.renewed.pem", "live/rsa.key.pem");
            world.present(host, &[("live/next.pem", "live/next.key.pem"), rsa]);
        }
    });
    let expected: Vec<String> = ["_25._tcp.mx1", "_25._tcp.mx2"]
        .iter()
        .flat_map(|owner| at(owner, &[&stays, &next]))
        .collect();
    assert_eq!(records(&world), expected);
}

#[test]
fn a_renewal_under_the_same_key_is_nothing_to_do() {
    let renewed = |root: &Path| {
        // The same key in another certificate: what `certbot renew --reuse-key` leaves.
        let live = live_key(root);
        let next = KeyFiles {
            key: live.key.clone(),
            certificate: root.join("live/renewed.pem"),
            request: root.join("live/renewed.csr.pem"),
        };
        make_key(&next, KeyKind::EcdsaP256);
        assert_ne!(
            fs::read(&next.certificate).unwrap(),
            fs::read(&live.certificate).unwrap()
        );
        vec![live]
    };
    let config = |config: String| {
        let generated = "next = { generate = \"ecdsa-p256\" }";
        assert!(config.contains(generated));
        config.replace(
            generated,
            "next = { certificate = \"live/renewed.pem\", key = \"live/privkey.pem\" }",
        )
    };
    let world = World::shaped(Publish::Current, config, renewed, |text, _| text);
    let before = world.files();
    let start = world.start(BEGIN).ends(0);
    assert!(
        start
            .stdout
            .starts_with("mail: nothing to do: the next certificate has the key in use (3 1 1 "),
        "{start:#?}"
    );
    let advance = world.advance(BEGIN).ends(0);
    assert!(
        advance.stderr.contains("there is nothing to do"),
        "{advance:#?}"
    );
    assert!(before == world.files(), "and nothing is done");

    // Where a record is of the certificate itself, the renewal would not match it.
    let pinned = World::shaped(Publish::Current, config, renewed, |text, live| {
        with_records(
            &text,
            "_25._tcp.mx1",
            &[&record(&live[0].certificate, (3, 0, 1))],
        )
    });
    pinned
        .start(BEGIN)
        .ends(1)
        .complains_of("is of the present certificate and would not match it");
}

#[test]
fn the_rrset_behind_aliases_is_changed_where_it_lies() {
    let world = aliased();
    let started = world.start(BEGIN).ends(0);
    assert!(
        started.stderr.contains("_25._tcp.mx1.example.com. is an alias: the RRset to change lies at _dane.mail.example.net."),
        "{started:#?}"
    );
    world.advance(BEGIN).ends(3);
    let changed = world.git("diff --name-only main tlsa-rotate/mail.1");
    assert!(changed.lines().any(|file| file == OTHER), "{changed}");
    assert!(!changed.lines().any(|file| file == ZONE_FILE), "{changed}");
    let message = world.git("log -1 --format=%B tlsa-rotate/mail.1");
    assert!(
        message.contains("  + _dane.mail.example.net. TLSA 3 1 1 "),
        "{message}"
    );
    assert!(world.merge());
    world.advance(hours(1));
    load_both(&world);
    // The alias of mx1 is cached for a day: twice that and the margin bind, not the hour of the RRset.
    let waiting = world.advance(hours(2)).ends(0);
    assert!(
        waiting
            .stdout
            .contains("next: wait until 2026-12-03T11:00:00Z"),
        "{waiting:#?}"
    );

    // Somebody points an alias elsewhere: what was seen does not count any more.
    let before = world.read(ZONE_FILE);
    let moved = before.replacen("mail.example.net.", "old.example.net.", 1);
    world.write(ZONE_FILE, &moved.replace("2026112301", "2026120301"));
    world.git("commit --quiet --all --message elsewhere");
    world.advance(hours(3));
    load_both(&world);
    let stopped = world.advance(hours(90));
    assert!(
        stopped.stdout.contains("Waiting; next: you: "),
        "{stopped:#?}"
    );
    let status = world.run(hours(90), &["status"]);
    assert!(
        status.stdout.contains("_25._tcp.mx1.example.com. is an alias of old.example.net. there, no longer of _dane.mail.example.net."),
        "{status:#?}"
    );
    world.write(ZONE_FILE, &before.replace("2026112301", "2026120302"));
    world.git("commit --quiet --all --message back");
    world.advance(hours(91));
    load_both(&world);

    world.advance(hours(92)).ends(3);
    assert_eq!(world.step(hours(92)), "SwapOpen");
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(93)).ends(0);
    world.watch(93, 118);
    world.advance(hours(118)).ends(3);
    assert!(world.merge());
    world.advance(hours(119));
    load_both(&world);
    world.advance(hours(120)).ends(0);
    assert_eq!(world.step(hours(120)), "Retired");
    let text = world.read(OTHER);
    let next = record(
        &world.path("keys/tls/mail.1/ecdsa-p256.cert.pem"),
        (3, 1, 1),
    );
    assert_eq!(text.matches("TLSA").count(), 1, "{text}");
    assert!(text.to_lowercase().contains(&next), "{text}");
}

#[test]
fn an_alias_out_of_our_zones_says_whose_it_is() {
    let elsewhere = |text: String, _: &[KeyFiles]| {
        let start = text.find("_25._tcp.mx1").unwrap();
        let end = text.find("_25._tcp.mx2").unwrap();
        format!(
            "{}_25._tcp.mx1 IN CNAME tlsa.hoster.example.\n{}",
            &text[..start],
            &text[end..]
        )
    };
    let world = World::shaped(
        Publish::Current,
        |c| c,
        |root| vec![live_key(root)],
        elsewhere,
    );
    let before = world.files();
    let refused = world.start(BEGIN).ends(1);
    refused.complains_of("_25._tcp.mx1.example.com. is an alias of tlsa.hoster.example., which lies in no configured zone");
    assert!(
        refused
            .stderr
            .contains("ask whoever runs the zone of tlsa.hoster.example. to publish there"),
        "{refused:#?}"
    );
    assert!(before == world.files());

    let circle = |text: String, _: &[KeyFiles]| {
        let start = text.find("_25._tcp.mx1").unwrap();
        let end = text.find("_25._tcp.mx2").unwrap();
        format!(
            "{}_25._tcp.mx1 IN CNAME a\na IN CNAME b\nb IN CNAME a\n{}",
            &text[..start],
            &text[end..]
        )
    };
    let world = World::shaped(Publish::Current, |c| c, |root| vec![live_key(root)], circle);
    world
        .start(BEGIN)
        .ends(1)
        .complains_of("the aliases of _25._tcp.mx1.example.com. lead in a circle");
}

const DEV: &str = "dev.example.com.zone";

#[test]
#[ignore = "long: scripts/test runs it"]
fn one_certificate_on_hosts_and_ports_in_a_zone_and_in_one_below_it() {
    let live = |root: &Path| {
        let live = live_key(root);
        let data = record(&live.certificate, (3, 1, 1));
        let soa = "@ 3600 IN SOA ns1 hostmaster 2026112301 7200 3600 1209600 300";
        let text = format!(
            "$ORIGIN dev.example.com.\n$TTL 3600\n{soa}\n@ IN NS ns1\nns1 IN A 203.0.113.53\n\
             _25._tcp.mx IN TLSA {data}\n_587._tcp.mx IN TLSA {data}\n"
        );
        fs::write(root.join(DEV), text).unwrap();
        zone_key(root, "dev.example.com");
        vec![live]
    };
    let config = |config: String| {
        let start = config.find("[[zone]]").unwrap();
        let end = config.find("[[certificate]]").unwrap();
        let other = config[start..end].replace("example.com", "dev.example.com");
        let certificate = config[end..]
            .replace("mx2.example.com", "mx.dev.example.com")
            .replace("ports = [25]", "ports = [25, 587]");
        format!("{}{other}{certificate}", &config[..end])
    };
    let zone = |text: String, live: &[KeyFiles]| {
        let data = record(&live[0].certificate, (3, 1, 1));
        with_records(&text, "_587._tcp.mx1", &[&data])
    };
    let world = World::shaped(Publish::Branch, config, live, zone);
    let load = || {
        world.load();
        for server in 0..2 {
            world.load_other(server, "dev.example.com.zone.signed", "dev.example.com.");
        }
    };
    load();
    // The servers of the zone above are not asked for what lies in the one below.
    let checked = world.run(BEGIN, &["check", "--resolver", &world.server(0)]);
    assert!(checked.stdout.contains("(2 zones, "), "{checked:#?}");
    assert!(!checked.stdout.contains("server-"), "{checked:#?}");
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let branch = "tlsa-rotate/mail.1";
    let parent = world.git(&format!("show {branch}:{ZONE_FILE}"));
    assert!(
        !parent.contains("_tcp.mx.dev"),
        "each record in its own zone: {parent}"
    );
    // Both zones' changes wait on one branch, or one behind the other: merged until nothing waits.
    let mut merges = 0;
    for hour in 1..6 {
        merges += usize::from(world.merge());
        world.advance(hours(hour));
        load();
    }
    assert!(merges > 0);
    let text = |file: &str| world.git(&format!("show HEAD:{file}")).to_lowercase();
    let next = record(
        &world.path("keys/tls/mail.1/ecdsa-p256.cert.pem"),
        (3, 1, 1),
    );
    let old = record(&world.path("live/fullchain.pem"), (3, 1, 1));
    let counts = |file: &str, data: &str| {
        let digest = data.rsplit(' ').next().unwrap()[..40].to_owned();
        text(file).matches(&digest).count()
    };
    assert_eq!(
        [counts(DEV, &next), counts(DEV, &old)],
        [2, 2],
        "{}",
        text(DEV)
    );
    assert_eq!(counts(ZONE_FILE, &next), 2, "{}", text(ZONE_FILE));
    assert_eq!(world.step(hours(6)), "Waiting");
    world.advance(hours(40)).ends(3);
    world.deploy(0);
    let half = world.advance(hours(41)).ends(3);
    assert!(
        half.stdout.contains("next: you: mx.dev.example.com:25 on"),
        "{half:#?}"
    );
    world.deploy(1);
    world.advance(hours(42)).ends(0);
    world.watch(42, 67);
    world.advance(hours(67)).ends(3);
    for hour in 68..74 {
        world.merge();
        world.advance(hours(hour));
        load();
    }
    assert_eq!(world.step(hours(74)), "Retired");
    assert_eq!(
        [counts(DEV, &next), counts(DEV, &old)],
        [2, 0],
        "{}",
        text(DEV)
    );
    let of_mx2_elsewhere = 1;
    assert_eq!(
        [counts(ZONE_FILE, &next), counts(ZONE_FILE, &old)],
        [2, of_mx2_elsewhere]
    );
}

#[test]
fn a_record_that_matches_nothing_is_told_and_left_alone() {
    let stale = format!("2 1 1 {}", "cd".repeat(32));
    let world = World::shaped(
        Publish::Current,
        |config| without_mx2(&config),
        |root| vec![live_key(root)],
        |text, _| with_records(&near(&text), "_25._tcp.mx1", &[&stale]),
    );
    let started = world.start(BEGIN).ends(0);
    assert!(
        started
            .stderr
            .contains("holds 2 1 1 cdcdcdcd…, which is of no key in use; it is left alone"),
        "{started:#?}"
    );
    world.advance(BEGIN).ends(0);
    world.load();
    let status = world.run(hours(1), &["status"]).ends(0);
    assert!(
        status
            .stdout
            .contains("  lapse      _25._tcp.mx1.example.com. TLSA ("),
        "{status:#?}"
    );
    let json = world.run(hours(1), &["status", "--format", "json"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["rotations"][0]["at_risk"], serde_json::json!([]));
    assert!(
        !json["rotations"][0]["lapses"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    driven(&world, &|| world.deploy(0));
    assert!(records(&world).contains(&format!("_25._tcp.mx1.example.com. {stale}")));
}

/// A host that shared an RRset by an alias gets records of its own, and another leaves: neither locks the rotation.
#[test]
fn a_host_whose_alias_is_gone_goes_on_with_its_own_records() {
    let world = aliased();
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    assert!(world.merge());
    world.advance(hours(1));
    load_both(&world);
    world.advance(hours(2)).ends(0);
    assert_eq!(world.step(hours(2)), "Waiting");
    let keys = world.read(OTHER);
    let record = keys
        .lines()
        .find(|line| line.contains("_dane.mail IN TLSA"))
        .unwrap();
    let record = record.split_once("TLSA").unwrap().1;
    let zone = world.read(ZONE_FILE);
    let own = zone.replace(
        "_25._tcp.mx2 IN CNAME mail.example.net.",
        &format!("_25._tcp.mx2 IN TLSA{record}"),
    );
    assert_ne!(own, zone);
    world.write(ZONE_FILE, &own.replace("2026112301", "2026120301"));
    world.git("commit --quiet --all --message own");
    let run = world.advance(hours(3));
    assert!(
        run.stderr
            .contains("the records of mx2.example.com:25 are others now: mail.1 goes on with them"),
        "{run:#?}"
    );
    assert!(!run.stdout.contains("is no alias there"), "{run:#?}");
    assert!(world.merge(), "{run:#?}");
    for hour in 4..6 {
        world.advance(hours(hour));
        load_both(&world);
    }
    let status = world.run(hours(6), &["status"]);
    assert!(!status.stdout.contains("is no alias there"), "{status:#?}");
    world.advance(hours(60));
    assert_eq!(world.step(hours(60)), "SwapOpen");
}
