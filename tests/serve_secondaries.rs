//! BIND, Knot, NSD and PowerDNS transfer from our server, all of it and then what changed, and serve what validators accept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod serve_support;

use engine_support::{ENGINES, Engine, SECRET, Secondary, key_file, ports};
use serve_support::{APEX, Keys, Peer, ZONE, delv, dig, run, serve, stdout_of, until};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// What a validator must say of each engine's answers. `PowerDNS` answers some names that others deny: those are left out.
const VALIDATED: &[(&str, &str, &str)] = &[
    ("example.com", "SOA", "; fully validated"),
    ("_25._tcp.mx1.example.com", "TLSA", "; fully validated"),
    ("unknown.example.com", "TYPE65280", "; fully validated"),
    ("x.y.wild.example.com", "TXT", "; fully validated"),
    ("_25._tcp.mx2.example.com", "TLSA", "; fully validated"),
    ("secure.example.com", "DS", "; fully validated"),
    (
        "mx1.example.com",
        "TXT",
        "; negative response, fully validated",
    ),
    (
        "nohost.example.com",
        "A",
        "; negative response, fully validated",
    ),
    (
        "_25._tcp.nohost.example.com",
        "TLSA",
        "; negative response, fully validated",
    ),
    (
        "ent.example.com",
        "A",
        "; negative response, fully validated",
    ),
    (
        "insecure.example.com",
        "DS",
        "; negative response, fully validated",
    ),
];

fn large_zone(serial: &str, digit: &str) -> String {
    let mut zone = ZONE
        .replace("2026112301", serial)
        .replace(&"b".repeat(64), &digit.repeat(64));
    for n in 0..300 {
        writeln!(zone, "host{n} A 10.0.{}.{}", n / 250, n % 250).unwrap();
    }
    zone
}

/// The records of a server's copy, in an order and form that do not depend on the server.
fn records(server: SocketAddr) -> BTreeSet<String> {
    let said = dig(server, &["+onesoa", APEX, "AXFR"]);
    assert!(!said.contains("; Transfer failed"), "{server}: {said}");
    let lines = said
        .lines()
        .filter(|l| !l.starts_with(';') && !l.is_empty());
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.map(|line| words(line).to_ascii_lowercase()).collect()
}

/// The records of our copy, for who has the key.
fn whole_with(server: SocketAddr, key: &Path) -> BTreeSet<String> {
    let said = dig(
        server,
        &["-k", key.to_str().unwrap(), "+onesoa", APEX, "AXFR"],
    );
    let lines = said.lines().filter(|l| {
        !l.starts_with(';') && !l.is_empty() && !l.split_whitespace().any(|word| word == "TSIG")
    });
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.map(|line| words(line).to_ascii_lowercase()).collect()
}

fn unbound(keys: &Keys, directory: &Path, stub: SocketAddr) -> (Peer, u16) {
    let (d, port) = (directory.display(), ports(1)[0]);
    fs::write(directory.join("anchor"), keys.anchor()).unwrap();
    let config = directory.join("unbound.conf");
    let text = format!(
        "server:\n interface: 127.0.0.1\n port: {port}\n username: \"\"\n chroot: \"\"\n directory: \"{d}\"\n pidfile: \"\"\n \
         use-syslog: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n trust-anchor-file: \"{d}/anchor\"\n\
         remote-control:\n control-enable: no\n\
         stub-zone:\n name: example.com\n stub-addr: 127.0.0.1@{}\n",
        stub.port()
    );
    fs::write(&config, text).unwrap();
    let arguments = ["-d", "-c", config.to_str().unwrap()];
    (
        Peer::start("unbound", &arguments, &directory.join("unbound.log")),
        port,
    )
}

fn assert_secure_through_unbound(keys: &Keys, secondary: &Secondary) {
    let directory = tempfile::tempdir().unwrap();
    let (_unbound, port) = unbound(keys, directory.path(), secondary.address);
    let port = port.to_string();
    let ask = |name: &str, rtype: &str| {
        let arguments = [
            "@127.0.0.1",
            "-p",
            &port,
            "+time=2",
            "+tries=1",
            "+dnssec",
            name,
            rtype,
        ];
        String::from_utf8_lossy(&run("dig", &arguments).stdout).into_owned()
    };
    until("Unbound answers", || {
        ask(APEX, "SOA").contains("status: NOERROR")
    });
    for (name, rtype, status) in [
        ("_25._tcp.mx1.example.com", "TLSA", "NOERROR"),
        ("_25._tcp.nohost.example.com", "TLSA", "NXDOMAIN"),
        ("mx1.example.com", "TXT", "NOERROR"),
    ] {
        let said = ask(name, rtype);
        let mut flags = said.lines().filter(|line| line.starts_with(";; flags:"));
        let secure = flags.any(|line| line.contains(" ad"));
        assert!(
            secure && said.contains(&format!("status: {status}")),
            "{:?}: {name} {rtype}\n{said}",
            secondary.engine
        );
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn four_engines_transfer_all_and_then_what_changed_and_validate() {
    let keys = Keys::generate();
    let made = keys.sign_ourselves(&large_zone("1", "b"), &[]);
    let signed = keys.path("served");
    fs::rename(made, &signed).unwrap();
    let key = key_file(&keys.path("xfr.tsig"), "xfr", "hmac-sha256", SECRET);
    let places = ports(ENGINES.len());
    let mut options = vec!["--keys".to_owned(), key.display().to_string()];
    options.extend(["--allow-transfer".to_owned(), "key:xfr".to_owned()]);
    for port in &places {
        options.extend(["--notify".to_owned(), format!("127.0.0.1:{port},key:xfr")]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ours = serve(&signed, &options);
    let refused = dig(ours.address, &[APEX, "AXFR"]);
    assert!(
        refused.contains("; Transfer failed"),
        "without the key: {refused}"
    );
    let pairs = ENGINES.iter().zip(&places);
    let secondaries: Vec<Secondary> = pairs
        .map(|(e, p)| Secondary::start(*e, *p, ours.address))
        .collect();
    let all_have = |serial: u32| {
        for secondary in &secondaries {
            let what = format!("{:?} serves serial {serial}", secondary.engine);
            until(&what, || secondary.serial() == Some(serial));
        }
    };
    all_have(1);
    let whole = || whole_with(ours.address, &key);
    let first = whole();
    assert!(first.iter().filter(|line| line.contains(" rrsig ")).count() > 300);
    for secondary in &secondaries {
        assert_eq!(
            records(secondary.address),
            first,
            "{:?} keeps every record",
            secondary.engine
        );
    }

    // The next version keeps most signatures, as ours do: then the changes are few.
    let newer = keys.sign_again(&large_zone("2", "c"), &signed);
    fs::rename(newer, &signed).unwrap();
    stdout_of("kill", &["-HUP", &ours.peer.child.id().to_string()]);
    all_have(2);
    let log = || fs::read_to_string(&ours.log).unwrap();
    let said = |log: String| {
        // PowerDNS asks for all of a signed zone, even with the metadata IXFR (issue 12756 of PowerDNS/pdns).
        log.matches(": the changes since 1\n").count() >= ENGINES.len() - 1
            && places.iter().all(|port| {
                log.contains(&format!("told 127.0.0.1:{port} of example.com. serial 2"))
            })
    };
    let heard =
        std::panic::catch_unwind(|| until("told, and sent the changes alone", || said(log())));
    assert!(
        heard.is_ok(),
        "each was sent the changes alone, and confirmed that it was told:\n{}\n{}",
        log(),
        secondaries[3].log()
    );
    let second = whole();
    assert_ne!(first, second);
    for secondary in &secondaries {
        assert_eq!(
            records(secondary.address),
            second,
            "{:?} after the change",
            secondary.engine
        );
        for (name, rtype, expected) in VALIDATED {
            let said = delv(secondary.address, &keys, name, rtype);
            assert!(
                said.contains(expected),
                "{:?}: {name} {rtype}\n{said}",
                secondary.engine
            );
        }
        assert_secure_through_unbound(&keys, secondary);
    }
}

/// What PowerDNS does with changes can be seen with unsigned zones alone.
#[test]
fn powerdns_takes_the_changes_of_an_unsigned_zone_and_has_every_record() {
    let keys = Keys::generate();
    let file = keys.path("served");
    fs::write(&file, large_zone("1", "b")).unwrap();
    let key = key_file(&keys.path("xfr.tsig"), "xfr", "hmac-sha256", SECRET);
    let place = ports(1)[0];
    let told = format!("127.0.0.1:{place},key:xfr");
    let plain = ["--unsigned", "--allow-transfer", "key:xfr"];
    let named = ["--keys", key.to_str().unwrap(), "--notify", &told];
    let ours = serve(&file, &[plain.as_slice(), &named].concat());
    let secondary = Secondary::start(Engine::PowerDns, place, ours.address);
    until("all of it", || secondary.serial() == Some(1));
    let mut before = whole_with(ours.address, &key);
    assert_eq!(records(secondary.address), before);
    let replaced = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let mut text = large_zone("1", "b");
    for (serial, changes) in [
        // Data in the place of other data, a name more, a name less.
        (
            2,
            [
                ("A     192.0.2.25\n", "A     192.0.2.26\n"),
                ("mx3  ", "mx4  "),
            ],
        ),
        // Another TTL, and a record less beside one that stays.
        (
            3,
            [
                ("host7 A ", "host7 60 A "),
                ("                AAAA  2001:db8::25\n", ""),
            ],
        ),
    ] {
        text = replaced(
            &text,
            &format!(" {} 7200 ", serial - 1),
            &format!(" {serial} 7200 "),
        );
        for (from, to) in changes {
            text = replaced(&text, from, to);
        }
        fs::write(keys.path("new"), &text).unwrap();
        fs::rename(keys.path("new"), &file).unwrap();
        stdout_of("kill", &["-HUP", &ours.peer.child.id().to_string()]);
        until("what changed", || secondary.serial() == Some(serial));
        let now = whole_with(ours.address, &key);
        assert_ne!(now, before);
        assert_eq!(records(secondary.address), now, "{}", secondary.log());
        let sent = format!(": the changes since {}\n", serial - 1);
        let log = fs::read_to_string(&ours.log).unwrap();
        assert!(log.contains(&sent), "{log}\n{}", secondary.log());
        before = now;
    }
}
