//! Our server before real peers: delv and Unbound validate it, BIND answers the same, NSD transfers from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::similar_names,
    clippy::too_many_lines, // tables
    missing_docs
)]

mod serve_support;

use serve_support::{
    APEX, Keys, Ours, Peer, ZONE, delv, dig, free_port, named, nsd, run, serve, stdout_of, until,
};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const POSITIVE: &str = "; fully validated";
const NEGATIVE: &str = "; negative response, fully validated";

/// Names, types, and what a validator must say of the answer.
const VALIDATED: &[(&str, &str, &str)] = &[
    ("example.com", "SOA", POSITIVE),
    ("mx1.example.com", "A", POSITIVE),
    ("_25._tcp.mx1.example.com", "TLSA", POSITIVE),
    ("MX1.Example.COM", "AAAA", POSITIVE),
    ("big.example.com", "TXT", POSITIVE),
    ("unknown.example.com", "TYPE65280", POSITIVE),
    ("mx1.example.com", "TXT", NEGATIVE),
    ("example.com", "TXT", NEGATIVE),
    ("nohost.example.com", "A", NEGATIVE),
    ("_25._tcp.nohost.example.com", "TLSA", NEGATIVE),
    ("a.b.c.nohost.example.com", "A", NEGATIVE),
    ("_25._tcp.mx3.example.com", "TLSA", NEGATIVE),
    ("_26._tcp.mx1.example.com", "TLSA", NEGATIVE),
    ("zzz.example.com", "A", NEGATIVE),
    ("_tcp.mx1.example.com", "A", NEGATIVE),
    ("ent.example.com", "A", NEGATIVE),
    ("b.ent.example.com", "TLSA", NEGATIVE),
    ("x.b.ent.example.com", "A", NEGATIVE),
    ("x.wild.example.com", "TXT", POSITIVE),
    ("x.y.z.wild.example.com", "TXT", POSITIVE),
    ("*.wild.example.com", "TXT", POSITIVE),
    ("_25._tcp.x.wild.example.com", "TXT", POSITIVE),
    ("x.wild.example.com", "A", NEGATIVE),
    ("_25._tcp.host.tlsa.example.com", "TLSA", POSITIVE),
    ("www.example.com", "A", POSITIVE),
    ("_25._tcp.mx2.example.com", "TLSA", POSITIVE),
    ("www.example.com", "TXT", "ncache nxrrset"),
    ("dangling.example.com", "A", "ncache nxdomain"),
    ("secure.example.com", "DS", POSITIVE),
    ("insecure.example.com", "DS", NEGATIVE),
    ("a.b.old.example.com", "A", POSITIVE),
    ("nothing.old.example.com", "A", "ncache nxdomain"),
];

fn assert_validated(server: SocketAddr, keys: &Keys, of: &str) {
    for (name, rtype, expected) in VALIDATED {
        let said = delv(server, keys, name, rtype);
        assert!(
            said.contains(expected),
            "{of}: {name} {rtype}: delv says\n{said}"
        );
    }
}

#[test]
fn delv_validates_every_kind_of_answer_with_nsec() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    assert_validated(ours.address, &keys, "NSEC");
}

#[test]
fn delv_validates_every_kind_of_answer_with_nsec3() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &["-3", "aabbccdd", "-H", "3"]), &[]);
    assert_validated(ours.address, &keys, "NSEC3");
}

#[test]
fn delv_validates_every_kind_of_answer_from_a_zone_that_we_signed() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign_ourselves(ZONE, &[]), &[]);
    assert_validated(ours.address, &keys, "our NSEC");
    let ours = serve(&keys.sign_ourselves(ZONE, &["--nsec3"]), &[]);
    assert_validated(ours.address, &keys, "our NSEC3");
}

/// The flags, RCODE and records of an answer, in an order that does not depend on the server.
fn essence(server: SocketAddr, name: &str, rtype: &str, more: &[&str]) -> String {
    let mut arguments = vec![
        "+qr",
        "+noall",
        "+comments",
        "+answer",
        "+authority",
        "+nocookie",
        "+noedns",
    ];
    arguments.retain(|a| *a != "+qr" && (*a != "+noedns" || more.contains(&"+noedns")));
    arguments.extend(more.iter().filter(|a| **a != "+noedns"));
    arguments.extend([name, rtype]);
    let said = dig(server, &arguments);
    let mut essence = String::new();
    for line in said.lines() {
        if let Some(at) = line.find("status: ") {
            let status = line[at + 8..].split(',').next().unwrap();
            writeln!(essence, "{status}").unwrap();
        } else if let Some(flags) = line.strip_prefix(";; flags: ") {
            writeln!(essence, "{}", flags.split(';').next().unwrap()).unwrap();
        }
    }
    let section = |title: &str| {
        let after = said
            .split(&format!(";; {title} SECTION:\n"))
            .nth(1)
            .unwrap_or("");
        let mut lines: Vec<String> = after
            .lines()
            .take_while(|l| !l.is_empty())
            .map(|l| {
                l.split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .to_ascii_lowercase()
            })
            .collect();
        lines.sort();
        format!("{title}\n{}\n", lines.join("\n"))
    };
    essence + &section("ANSWER") + &section("AUTHORITY")
}

fn assert_same_as_bind(options: &[&str]) {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, options);
    let ours = serve(&signed, &[]);
    let directory = tempfile::tempdir().unwrap();
    let (_named, bind) = named(directory.path(), &signed);
    let up = || {
        run(
            "dig",
            &[
                "@127.0.0.1",
                "-p",
                &bind.port().to_string(),
                "+time=1",
                "+tries=1",
                APEX,
                "SOA",
            ],
        )
    };
    until("named answers", || {
        String::from_utf8_lossy(&up().stdout).contains("status: NOERROR")
    });
    let more = [
        ("secure.example.com", "A"),
        ("x.y.secure.example.com", "TXT"),
        ("ns.secure.example.com", "A"),
        ("insecure.example.com", "NS"),
        ("x.insecure.example.com", "TLSA"),
        ("outside.example.com", "A"),
        ("old.example.com", "DNAME"),
        ("old.example.com", "A"),
        ("example.com", "DNSKEY"),
        ("example.com", "NS"),
        ("www.example.com", "CNAME"),
        ("_25._tcp.mx2.example.com", "CNAME"),
        ("mx1.example.com", "NSEC"),
        ("example.org", "A"),
        ("com", "A"),
        (".", "NS"),
    ];
    let all = VALIDATED
        .iter()
        .map(|(name, rtype, _)| (*name, *rtype))
        .chain(more);
    let mut different = String::new();
    for (name, rtype) in all {
        for flags in [["+dnssec"].as_slice(), &["+nodnssec"], &["+noedns"]] {
            let (mine, theirs) = (
                essence(ours.address, name, rtype, flags),
                essence(bind, name, rtype, flags),
            );
            if mine != theirs {
                writeln!(
                    different,
                    "--- {name} {rtype} {flags:?}\nours\n{mine}\nBIND\n{theirs}"
                )
                .unwrap();
            }
        }
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn bind_gives_the_same_answers_from_an_nsec_zone() {
    assert_same_as_bind(&[]);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn bind_gives_the_same_answers_from_an_nsec3_zone_with_opt_out() {
    assert_same_as_bind(&["-3", "-", "-A"]);
}

#[test]
fn a_referral_is_not_authoritative_and_brings_proof_and_glue() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let secure = dig(ours.address, &["+dnssec", "x.secure.example.com", "A"]);
    assert!(secure.contains("flags: qr;"), "AA must be 0:\n{secure}");
    assert!(
        secure.contains("ANSWER: 0, AUTHORITY: 3, ADDITIONAL: 2"),
        "NS, DS, RRSIG; glue and OPT:\n{secure}"
    );
    assert!(secure.contains("IN\tDS\t12345 13 2"), "{secure}");
    let insecure = dig(ours.address, &["+dnssec", "insecure.example.com", "A"]);
    assert!(
        insecure.contains("IN\tNSEC\t"),
        "the proof that there is no DS:\n{insecure}"
    );
    assert!(
        insecure.contains("2001:db8::54") && insecure.contains("192.0.2.54"),
        "glue:\n{insecure}"
    );
    let plain = dig(ours.address, &["+nodnssec", "x.secure.example.com", "A"]);
    assert!(
        !plain.contains("IN\tDS\t"),
        "nothing of DNSSEC without DO:\n{plain}"
    );
}

#[test]
fn aliases_that_lead_in_a_circle_are_each_said_once() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let said = dig(ours.address, &["loop.example.com", "A"]);
    assert!(
        said.contains("status: NOERROR") && said.contains("ANSWER: 2,"),
        "{said}"
    );
}

#[test]
fn what_does_not_fit_is_cut_as_a_whole_and_asked_again_over_tcp() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let table: &[(&str, &str, &[&str], bool)] = &[
        ("mx1.example.com", "A", &["+noedns"], false),
        ("big.example.com", "TXT", &["+noedns"], true),
        ("big.example.com", "TXT", &["+bufsize=4096"], true),
        ("big.example.com", "TXT", &["+tcp"], false),
        (
            "_25._tcp.mx1.example.com",
            "TLSA",
            &["+dnssec", "+bufsize=512"],
            false,
        ),
        (
            "dangling.example.com",
            "TLSA",
            &["+dnssec", "+bufsize=512"],
            true,
        ),
    ];
    for (name, rtype, options, cut) in table {
        let mut arguments = vec!["+ignore", "+notcp", *name, *rtype];
        arguments.extend(*options);
        let said = dig(ours.address, &arguments);
        let tc = said
            .lines()
            .any(|l| l.starts_with(";; flags:") && l.contains(" tc"));
        assert_eq!(tc, *cut, "{name} {options:?}\n{said}");
        assert_eq!(
            said.contains("ANSWER: 0, AUTHORITY: 0"),
            *cut,
            "no RRset in part: {name} {options:?}\n{said}"
        );
    }
    let again = dig(ours.address, &["+bufsize=1232", "big.example.com", "TXT"]);
    assert!(
        again.contains("(TCP)") && again.contains("ANSWER: 1,"),
        "{again}"
    );
}

/// A zone large enough for many transfer messages.
fn large_zone() -> String {
    let mut zone = ZONE.to_owned();
    for n in 0..3000 {
        writeln!(
            zone,
            "host{n} A 10.0.{}.{}\n_25._tcp.host{n} TLSA 3 1 1 {n:064x}",
            n / 250,
            n % 250
        )
        .unwrap();
    }
    zone
}

#[test]
fn a_transfer_takes_as_many_messages_as_it_needs_and_leaves_nothing_out() {
    let keys = Keys::generate();
    let signed = keys.sign(&large_zone(), &[]);
    let ours = serve(&signed, &[]);
    let transferred = dig(ours.address, &["+onesoa", "+nodnssec", APEX, "AXFR"]);
    assert!(!transferred.contains("; Transfer failed"), "{transferred}");
    let messages = transferred
        .lines()
        .find(|l| l.contains("XFR size"))
        .unwrap();
    assert!(
        messages.contains("messages") && !messages.contains("(messages 1,"),
        "{messages}"
    );
    let copy = signed.with_extension("copy");
    fs::write(&copy, &transferred).unwrap();
    let canonical = |file: &std::path::Path| {
        let file = file.to_str().unwrap();
        stdout_of(
            "named-compilezone",
            &[
                "-q", "-i", "none", "-k", "ignore", "-s", "full", "-o", "-", APEX, file,
            ],
        )
    };
    assert_eq!(
        canonical(&copy),
        canonical(&signed),
        "RRSIGs go along even without DO"
    );
    let current = dig(ours.address, &[APEX, "IXFR=2026112301"]);
    assert!(
        current.contains("XFR size: 1 records"),
        "nothing new: {current}"
    );
    let older = dig(ours.address, &[APEX, "IXFR=2026112300"]);
    assert!(
        !older.contains("XFR size: 1 records") && older.contains("XFR size"),
        "all of it"
    );
}

#[test]
fn nsd_as_secondary_keeps_the_signatures_and_validates() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(&large_zone(), &[]), &[]);
    let directory = tempfile::tempdir().unwrap();
    let options = format!("request-xfr: 127.0.0.1@{} NOKEY", ours.address.port());
    let (_nsd, secondary) = nsd(directory.path(), &options);
    let port = secondary.port().to_string();
    let soa = || {
        run(
            "dig",
            &[
                "@127.0.0.1",
                "-p",
                &port,
                "+time=1",
                "+tries=1",
                "+short",
                APEX,
                "SOA",
            ],
        )
    };
    until("NSD has transferred the zone", || {
        String::from_utf8_lossy(&soa().stdout).contains("2026112301")
    });
    assert_validated(secondary, &keys, "NSD");
}

#[test]
fn unbound_validates_through_our_server() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let directory = tempfile::tempdir().unwrap();
    let (d, port) = (directory.path().display(), free_port());
    fs::write(directory.path().join("anchor"), keys.anchor()).unwrap();
    let config = directory.path().join("unbound.conf");
    let text = format!(
        "server:\n interface: 127.0.0.1\n port: {port}\n username: \"\"\n chroot: \"\"\n directory: \"{d}\"\n pidfile: \"\"\n \
         use-syslog: no\n do-not-query-localhost: no\n module-config: \"validator iterator\"\n trust-anchor-file: \"{d}/anchor\"\n \
         qname-minimisation: yes\n\
         remote-control:\n control-enable: no\n\
         stub-zone:\n name: example.com\n stub-addr: 127.0.0.1@{}\n",
        ours.address.port()
    );
    fs::write(&config, text).unwrap();
    let log = directory.path().join("log");
    let _unbound = Peer::start("unbound", &["-d", "-c", config.to_str().unwrap()], &log);
    let ask = |name: &str, rtype: &str| {
        let port = port.to_string();
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
        ("mx1.example.com", "TXT", "NOERROR"),
        ("nohost.example.com", "A", "NXDOMAIN"),
        ("_25._tcp.nohost.example.com", "TLSA", "NXDOMAIN"),
        ("x.y.wild.example.com", "TXT", "NOERROR"),
        ("x.wild.example.com", "A", "NOERROR"),
        ("_25._tcp.mx2.example.com", "TLSA", "NOERROR"),
        ("ent.example.com", "A", "NOERROR"),
        ("a.b.old.example.com", "A", "NOERROR"),
        ("big.example.com", "TXT", "NOERROR"),
    ] {
        let said = ask(name, rtype);
        let ad = said
            .lines()
            .any(|l| l.starts_with(";; flags:") && l.contains(" ad"));
        assert!(
            ad && said.contains(&format!("status: {status}")),
            "{name} {rtype}\n{said}"
        );
    }
}

/// Sends octets over UDP; the RCODE of the answer, or nothing if none comes.
fn rcode(server: SocketAddr, message: &[u8]) -> Option<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(400)))
        .unwrap();
    socket.send_to(message, server).unwrap();
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).ok()?;
    assert!(length >= 12 && answer[..2] == message[..2] && answer[2] & 0x80 != 0);
    Some(answer[3] & 0x0f)
}

#[test]
fn bad_input_gets_the_rcode_it_deserves_and_the_server_lives_on() {
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let header = |flags: u8, qd: u8, ar: u8| vec![0xbe, 0xef, flags, 0, 0, qd, 0, 0, 0, 0, 0, ar];
    let question = b"\x07example\x03com\x00\x00\x06\x00\x01";
    let with = |front: Vec<u8>, rest: &[&[u8]]| [front, rest.concat()].concat();
    let label = [b"\x3f".as_slice(), &[b'a'; 63]].concat();
    let longest = [
        label.repeat(3),
        [b"\x3d".as_slice(), &[b'a'; 61]].concat(),
        vec![0, 0, 1, 0, 1],
    ]
    .concat();
    let too_long = [label.repeat(4), vec![0, 0, 1, 0, 1]].concat();
    let table: Vec<(&str, Vec<u8>, Option<u8>)> = vec![
        (
            "a good question",
            with(header(0, 1, 0), &[question]),
            Some(0),
        ),
        ("nothing", vec![], None),
        ("half a header", header(0, 1, 0)[..7].to_vec(), None),
        ("no question", header(0, 0, 0), Some(1)),
        (
            "two questions",
            with(header(0, 2, 0), &[question, question]),
            Some(1),
        ),
        (
            "a question that is cut off",
            with(header(0, 1, 0), &[&question[..9]]),
            Some(1),
        ),
        (
            "65535 questions",
            [header(0, 1, 0)[..4].to_vec(), vec![0xff; 8]].concat(),
            Some(1),
        ),
        (
            "a name that points at itself",
            with(header(0, 1, 0), &[b"\xc0\x0c\x00\x01\x00\x01"]),
            Some(1),
        ),
        (
            "a name that points into the header",
            with(header(0, 1, 0), &[b"\xc0\x04\x00\x01\x00\x01"]),
            Some(1),
        ),
        (
            "the longest name",
            with(header(0, 1, 0), &[&longest]),
            Some(5),
        ),
        (
            "a longer name",
            with(header(0, 1, 0), &[&too_long]),
            Some(1),
        ),
        ("a response", with(header(0x80, 1, 0), &[question]), None),
        (
            "an inverse query",
            with(header(0x08, 1, 0), &[question]),
            Some(4),
        ),
        (
            "a notification, for which this machine is trusted",
            with(header(0x20, 1, 0), &[question]),
            Some(0),
        ),
        ("an update", with(header(0x28, 1, 0), &[question]), Some(4)),
        ("opcode 15", with(header(0x78, 1, 0), &[question]), Some(4)),
        (
            "class CH",
            with(header(0, 1, 0), &[&question[..13], b"\x00\x10\x00\x03"]),
            Some(5),
        ),
        (
            "type OPT",
            with(header(0, 1, 0), &[&question[..13], b"\x00\x29\x00\x01"]),
            Some(1),
        ),
        (
            "type MAILB",
            with(header(0, 1, 0), &[&question[..13], b"\x00\xfd\x00\x01"]),
            Some(4),
        ),
        (
            "AXFR over UDP",
            with(header(0, 1, 0), &[&question[..13], b"\x00\xfc\x00\x01"]),
            Some(1),
        ),
        (
            "two OPT",
            with(
                header(0, 1, 2),
                &[
                    question,
                    b"\0\0\x29\x04\xd0\0\0\0\0\0\0",
                    b"\0\0\x29\x04\xd0\0\0\0\0\0\0",
                ],
            ),
            Some(1),
        ),
        (
            "garbage",
            (0..600_u32)
                .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
                .collect(),
            None,
        ),
    ];
    for (situation, message, expected) in table {
        // A garbage header may or may not look like a response: whatever comes, the server must live on.
        let got = rcode(ours.address, &message);
        if situation != "garbage" {
            assert_eq!(got, expected, "{situation}");
        }
    }
    let version = dig(ours.address, &["+edns=1", "+noednsneg", APEX, "SOA"]);
    assert!(version.contains("BADVERS"), "{version}");
    tcp_survives_bad_clients(&ours);
}

fn tcp_survives_bad_clients(ours: &Ours) {
    let send = |octets: &[u8]| {
        let mut stream = TcpStream::connect(ours.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream.write_all(octets).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    assert!(send(b"").is_empty());
    assert!(send(b"\x00").is_empty());
    assert!(send(b"\xff\xffshort").is_empty());
    assert!(send(b"\x00\x00").is_empty(), "an empty message");
    let question = b"\x00\x1d\xbe\xef\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x06\x00\x01";
    let answer = send(question);
    assert_eq!(
        usize::from(answer[0]) << 8 | usize::from(answer[1]),
        answer.len() - 2,
        "a half-closed client is answered"
    );
    let twice = send(&question.repeat(2));
    assert_eq!(twice.len(), answer.len() * 2, "questions in a row");
    let idle: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(ours.address).unwrap())
        .collect();
    let said = dig(ours.address, &["+tcp", APEX, "SOA"]);
    assert!(
        said.contains("status: NOERROR"),
        "100 idle connections do not stop it: {said}"
    );
    drop(idle);
}

#[test]
fn a_zone_is_exchanged_on_sighup_and_a_bad_file_is_refused() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let mut ours = serve(&signed, &[]);
    let serial = || dig(ours.address, &["+short", APEX, "SOA"]);
    let hang_up = || stdout_of("kill", &["-HUP", &ours.peer.child.id().to_string()]);
    let log = || fs::read_to_string(&ours.log).unwrap();
    assert!(serial().contains("2026112301"));

    fs::write(&signed, "example.com. 300 IN SOA broken").unwrap();
    hang_up();
    until("the bad file is refused", || {
        log().contains("keeping serial 2026112301")
    });
    assert!(serial().contains("2026112301"));

    let newer = keys.sign(&ZONE.replace("2026112301", "2026112302"), &[]);
    fs::rename(newer, &signed).unwrap();
    hang_up();
    until("the new serial is served", || {
        serial().contains("2026112302")
    });
    assert_validated(ours.address, &keys, "after the exchange");

    stdout_of("kill", &["-TERM", &ours.peer.child.id().to_string()]);
    assert!(
        ours.peer.child.wait().unwrap().success(),
        "{}",
        fs::read_to_string(&ours.log).unwrap()
    );
}

#[test]
fn what_must_not_be_served_is_refused_with_the_way_out() {
    let keys = Keys::generate();
    let good = keys.sign(ZONE, &[]);
    let tampered = keys.path("tampered");
    fs::write(
        &tampered,
        fs::read_to_string(&good)
            .unwrap()
            .replace("192.0.2.25", "192.0.2.66"),
    )
    .unwrap();
    let unsigned = keys.path("zone");
    let expired = keys.sign(ZONE, &["-s", "20200101000000", "-e", "20200201000000"]);
    for (situation, file, expected) in [
        ("tampered with", &tampered, "mx1.example.com."),
        ("unsigned", &unsigned, "--unsigned"),
        ("expired", &expired, "expired"),
        ("missing", &keys.path("nowhere"), "nowhere"),
    ] {
        let argument = format!("{APEX}={}", file.display());
        let output = run(
            env!("CARGO_BIN_EXE_tlsa-rotate"),
            &["serve", "--listen", "127.0.0.1:0", "--zone", &argument],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{situation}: {said}");
        assert!(
            said.starts_with("error: ") && said.contains(expected),
            "{situation}: {said}"
        );
    }
}
