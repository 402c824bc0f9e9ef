//! What is seen of authoritative servers: real ones that are right, and servers that are silent, lame or lie.
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

use serve_support::{APEX, Keys, ZONE, named, nsd, run, serve, until};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tlsa_rotate::observe::addresses::AuthorityAddress;
use tlsa_rotate::observe::ailment::Ailment;
use tlsa_rotate::observe::authorities::{Limits, Served, Trust, see};
use tlsa_rotate::rotation::observation::{Authority, Seen, ServedRrset, TlsaName};
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

const NAMES: [&str; 8] = [
    "_25._tcp.mx1.example.com.",
    "_25._tcp.mx3.example.com.",
    "_25._tcp.nohost.example.com.",
    "_tcp.mx1.example.com.",
    "x.wild.example.com.",
    "_25._tcp.a.tlsa.example.com.",
    "_25._tcp.mx2.example.com.",
    "_25._tcp.x.insecure.example.com.",
];

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_unix(since.unwrap().as_secs())
}

/// Trust in the key-signing key alone.
fn trust(keys: &Keys) -> Trust {
    let text = format!(
        "{APEX} 60 SOA n h 1 2 3 4 5\n{APEX} 60 NS n.example.net.\n{}\n",
        keys.anchor().replace("IN DNSKEY", "60 IN DNSKEY")
    );
    let zone = Zone::parse(text.as_bytes(), Some(&name(APEX))).unwrap();
    let dnskeys = &zone.rrset(&zone.apex, Rtype::DNSKEY).unwrap().rdatas;
    Trust::new(&zone.apex, Vec::new(), dnskeys)
}

fn quick() -> Limits {
    Limits {
        answer: Duration::from_millis(600),
        server: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn at(address: SocketAddr) -> AuthorityAddress {
    AuthorityAddress {
        server: None,
        address,
    }
}

fn look(servers: &[SocketAddr], names: &[&str], trust: &Trust, limits: Limits) -> Served {
    let servers: Vec<_> = servers.iter().map(|s| at(*s)).collect();
    let names: Vec<_> = names.iter().map(|n| name(n)).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(see(&name(APEX), &servers, &names, trust, now(), limits))
}

fn one<'s>(served: &'s Served, server: SocketAddr, name: &str) -> &'s Seen<ServedRrset> {
    &served.tlsa[&TlsaName::new(name)][&Authority(server.to_string())]
}

fn unknown<T: std::fmt::Debug>(seen: &Seen<T>) -> &str {
    match seen {
        Seen::Unknown(why) => why,
        Seen::Known(known) => panic!("expected Unknown, saw {known:?}"),
    }
}

fn known(seen: &Seen<ServedRrset>) -> &ServedRrset {
    match seen {
        Seen::Known(known) => known,
        Seen::Unknown(why) => panic!("expected an RRset, saw: {why}"),
    }
}

/// What every server with the signed zone must be seen to serve.
fn assert_all_seen(server: SocketAddr, keys: &Keys) {
    let served = look(&[server], &NAMES, &trust(keys), Limits::default());
    let rrset = |name| known(one(&served, server, name));
    let tlsa = rrset("_25._tcp.mx1.example.com.");
    let data: BTreeSet<String> = tlsa.associations.iter().map(ToString::to_string).collect();
    let expected = ["a", "b"].map(|digit| format!("3 1 1 {}", digit.repeat(64)));
    assert_eq!(data, BTreeSet::from(expected));
    assert_eq!(tlsa.ttl, Ttl(3600));
    let (from, to) = (tlsa.signature.inception, tlsa.signature.expiration);
    assert!(
        from <= now() && now() < to && to.since(from).as_seconds() > 29 * 86_400,
        "{from} {to}"
    );
    for absent in &NAMES[1..5] {
        let rrset = rrset(absent);
        assert!(rrset.associations.is_empty(), "{absent}: {rrset:?}");
        assert_eq!(rrset.ttl, Ttl(300), "{absent}: min(SOA TTL, MINIMUM)");
    }
    assert_eq!(rrset(NAMES[5]).associations.len(), 1, "from the wildcard");
    assert!(unknown(one(&served, server, NAMES[6])).contains("is an alias (CNAME) of "));
    assert!(unknown(one(&served, server, NAMES[7])).contains("refers to the servers of"));
    assert_eq!(
        served.serials[&Authority(server.to_string())],
        Seen::Known(2_026_112_301)
    );
}

fn wait_for(server: SocketAddr) {
    let port = server.port().to_string();
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
    until("the peer answers", || {
        String::from_utf8_lossy(&soa().stdout).contains("20261123")
    });
}

#[test]
fn our_server_nsd_and_bind_are_seen_alike_with_nsec_and_nsec3() {
    for options in [[].as_slice(), &["-3", "aabb", "-H", "2"]] {
        let keys = Keys::generate();
        let signed = keys.sign(ZONE, options);
        let ours = serve(&signed, &[]);
        assert_all_seen(ours.address, &keys);
        let directory = tempfile::tempdir().unwrap();
        let (_nsd, peer) = nsd(directory.path(), &format!("zonefile: {}", signed.display()));
        wait_for(peer);
        assert_all_seen(peer, &keys);
        let (_named, peer) = named(directory.path(), &signed);
        wait_for(peer);
        assert_all_seen(peer, &keys);
    }
}

#[test]
fn of_several_signatures_the_first_to_end_binds_the_gates_and_the_last_one_a_replay() {
    let keys = Keys::generate();
    let (short, long) = (
        keys.sign(ZONE, &[]),
        keys.sign(ZONE, &["-e", "now+5184000"]),
    );
    let long = fs::read_to_string(long).unwrap();
    let both = fs::read_to_string(short).unwrap() + tlsa_signature(&long) + "\n";
    let file = keys.path("both");
    fs::write(&file, both).unwrap();
    let ours = serve(&file, &["--unsigned"]);
    let served = look(&[ours.address], &[TLSA], &trust(&keys), Limits::default());
    let tlsa = known(one(&served, ours.address, TLSA));
    let days = |end: Instant| end.since(now()).as_seconds() / 86_400;
    let ends = (days(tlsa.signature.expiration), days(tlsa.replayable_until));
    assert!(matches!(ends, (29..=30, 59..=60)), "{ends:?}");
}

/// The line of the RRSIG over the TLSA RRset.
fn tlsa_signature(signed: &str) -> &str {
    let is_it = |line: &&str| line.starts_with(TLSA) && line.contains("RRSIG\tTLSA ");
    signed.lines().find(is_it).unwrap()
}

const TLSA: &str = "_25._tcp.mx1.example.com.";
const ABSENT: &str = "_25._tcp.nohost.example.com.";

/// What is said of `name` at a server with this file; served as it is.
fn said_of(file: &Path, keys: &Keys, name: &str) -> (String, Vec<Ailment>) {
    let ours = serve(file, &["--unsigned"]);
    let served = look(&[ours.address], &[name], &trust(keys), Limits::default());
    let said = unknown(one(&served, ours.address, name)).to_owned();
    (said, ailments(&served, ours.address))
}

/// What is found wrong with one server.
fn ailments(served: &Served, server: SocketAddr) -> Vec<Ailment> {
    let at = Authority(server.to_string());
    let findings = served.findings.iter().filter(|f| f.authority == at);
    findings.map(|finding| finding.ailment).collect()
}

#[test]
fn a_zone_that_does_not_prove_itself_is_unknown_and_says_what_is_wrong() {
    let keys = Keys::generate();
    let good = fs::read_to_string(keys.sign(ZONE, &[])).unwrap();
    let others = Keys::generate();
    let write = |file: &str, text: &str| {
        let path = keys.path(file);
        fs::write(&path, text).unwrap();
        path
    };
    let plain = stdout_of_canonical(&good, &keys);
    let without = |what: &dyn Fn(&str) -> bool| {
        plain
            .lines()
            .filter(|l| !what(l))
            .fold(String::new(), |t, l| t + l + "\n")
    };
    let is = |line: &str, owner: &str, rtype: &str| {
        line.starts_with(&format!("{owner} ")) && line.contains(rtype)
    };
    let table = [
        (
            "no key at all",
            write("a", ZONE),
            TLSA,
            "served unsigned",
            Ailment::Unsigned,
        ),
        (
            "keys of somebody else",
            others.sign(ZONE, &[]),
            TLSA,
            "no key of the DNSKEY RRset matches",
            Ailment::Bogus,
        ),
        (
            "RRSIG stripped",
            write("b", &without(&|l| is(l, TLSA, "RRSIG TLSA"))),
            TLSA,
            "is not signed",
            Ailment::Unsigned,
        ),
        (
            "data changed",
            write("c", &plain.replace(&"B".repeat(56), &"E".repeat(56))),
            TLSA,
            "does not fit the records",
            Ailment::Bogus,
        ),
        (
            "TLSA left out",
            write(
                "d",
                &without(&|l| l.starts_with(&format!("{TLSA} ")) && !l.contains("NSEC")),
            ),
            TLSA,
            "leaves out records",
            Ailment::Bogus,
        ),
        (
            "no NSEC at all",
            write("e", &without(&|l| l.contains("NSEC"))),
            ABSENT,
            "without proof",
            Ailment::Unsigned,
        ),
        (
            "expired",
            keys.sign(ZONE, &["-s", "20200101000000", "-e", "20200201000000"]),
            TLSA,
            "expired at 2020-02-01T00:00:00Z",
            Ailment::Expired,
        ),
        (
            "not valid yet",
            keys.sign(ZONE, &["-s", "20400101000000", "-e", "20400201000000"]),
            TLSA,
            "not valid before 2040-01-01",
            Ailment::Bogus,
        ),
    ];
    for (situation, file, name, expected, ailment) in table {
        let (said, ailments) = said_of(&file, &keys, name);
        assert!(said.contains(expected), "{situation}: {said}");
        assert_eq!(ailments, [ailment], "{situation}: {said}");
    }
}

/// One record a line, absolute, in BIND's canonical layout with single spaces.
fn stdout_of_canonical(signed: &str, keys: &Keys) -> String {
    let path = keys.path("to-canonical");
    fs::write(&path, signed).unwrap();
    let text = serve_support::stdout_of(
        "named-compilezone",
        &[
            "-q",
            "-i",
            "none",
            "-k",
            "ignore",
            "-s",
            "full",
            "-o",
            "-",
            APEX,
            path.to_str().unwrap(),
        ],
    );
    text.lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

/// A server between the question and the truth: `bend` may change what the true server answers.
struct Liar {
    address: SocketAddr,
}

type Bend = dyn Fn(Vec<u8>, bool) -> Option<Vec<u8>> + Send + Sync;

impl Liar {
    /// `bend` gets each true answer, and whether it travels over TCP.
    fn start(truth: SocketAddr, bend: Arc<Bend>) -> Self {
        let port = serve_support::free_port();
        let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = udp.local_addr().unwrap();
        let bent = Arc::clone(&bend);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
                upstream.send_to(&buffer[..length], truth).unwrap();
                let mut answer = [0; 4096];
                let length = upstream.recv(&mut answer).unwrap();
                if let Some(answer) = bend(answer[..length].to_vec(), false) {
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let mut question = [0; 2];
                stream.read_exact(&mut question).unwrap();
                let length = usize::from(u16::from_be_bytes(question));
                let mut rest = vec![0; length];
                stream.read_exact(&mut rest).unwrap();
                let mut upstream = TcpStream::connect(truth).unwrap();
                upstream
                    .write_all(&[&question[..], &rest].concat())
                    .unwrap();
                let mut length = [0; 2];
                upstream.read_exact(&mut length).unwrap();
                let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
                upstream.read_exact(&mut answer).unwrap();
                if let Some(answer) = bent(answer, true) {
                    let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&[&length[..], &answer].concat());
                }
            }
        });
        Self { address }
    }
}

#[test]
fn servers_that_lie_are_found_out_and_none_stalls_the_others() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let ours = serve(&signed, &[]);
    let older = keys.sign(
        &ZONE
            .replace("2026112301", "2026112300")
            .replace(&"b".repeat(64), &"d".repeat(64)),
        &[],
    );
    let behind = serve(&older, &[]);
    let truth = ours.address;
    let liar = |bend: Arc<Bend>| Liar::start(truth, bend).address;
    let with = |at: usize, octet: u8| -> Arc<Bend> {
        Arc::new(move |mut answer, _| {
            answer[at] = octet;
            Some(answer)
        })
    };
    let other_over_tcp = behind.address;
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deaf = TcpListener::bind(silent.local_addr().unwrap()).unwrap();
    let table: Vec<(&str, SocketAddr, &str, Ailment)> = vec![
        (
            "the wrong id",
            liar(Arc::new(|mut a, _| {
                a[0] ^= 1;
                Some(a)
            })),
            "another message id",
            Ailment::Wrong,
        ),
        (
            "not authoritative",
            liar(Arc::new(|mut a, _| {
                a[2] &= !4;
                Some(a)
            })),
            "AA is missing",
            Ailment::Lame,
        ),
        (
            "SERVFAIL",
            liar(with(3, 2)),
            "answers SERVFAIL",
            Ailment::Lame,
        ),
        (
            "REFUSED",
            liar(with(3, 5)),
            "answers REFUSED",
            Ailment::Lame,
        ),
        (
            "cut short",
            liar(Arc::new(|a, _| Some(a[..a.len() - 5].to_vec()))),
            "not usable",
            Ailment::Wrong,
        ),
        (
            "garbage",
            liar(Arc::new(|a, _| {
                Some(vec![a[0], a[1], 0x84, 0, 0xff, 0xff, 0xff])
            })),
            "shorter than a DNS header",
            Ailment::Wrong,
        ),
        (
            "TC over TCP",
            liar(Arc::new(|mut a, _| {
                a[2] |= 2;
                Some(a)
            })),
            "TC (truncated) over TCP",
            Ailment::Truncated,
        ),
        (
            "silence over TCP",
            liar(Arc::new(|a, tcp| (!tcp).then_some(a))),
            "TCP: the connection was closed",
            Ailment::Silent,
        ),
        (
            "silence over UDP",
            liar(Arc::new(|a, tcp| tcp.then_some(a))),
            "UDP: no answer within 0.6 s",
            Ailment::Silent,
        ),
        (
            "another zone over TCP",
            crossed(truth, other_over_tcp),
            "UDP and TCP disagree",
            Ailment::Wrong,
        ),
        (
            "silence",
            silent.local_addr().unwrap(),
            "no answer within 0.6 s (UDP and TCP)",
            Ailment::Silent,
        ),
        (
            "nobody",
            SocketAddr::from(([127, 0, 0, 1], serve_support::free_port())),
            "connection refused (UDP and TCP)",
            Ailment::Silent,
        ),
    ];
    let mut servers: Vec<SocketAddr> = table.iter().map(|(_, address, ..)| *address).collect();
    servers.extend([truth, behind.address]);
    let began = std::time::Instant::now();
    let served = look(&servers, &[TLSA, ABSENT], &trust(&keys), quick());
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "one server stalled the run: {:?}",
        began.elapsed()
    );
    for (situation, address, expected, ailment) in &table {
        let said = unknown(one(&served, *address, TLSA));
        assert!(said.contains(expected), "{situation}: {said}");
        let found = ailments(&served, *address);
        assert!(found.contains(ailment), "{situation}: {found:?}: {said}");
    }
    let (now, before) = (
        known(one(&served, truth, TLSA)),
        known(one(&served, behind.address, TLSA)),
    );
    assert_ne!(
        now.associations, before.associations,
        "a server that lags is seen as it is"
    );
    let serial = |server: SocketAddr| &served.serials[&Authority(server.to_string())];
    assert_eq!(
        (serial(truth), serial(behind.address)),
        (&Seen::Known(2_026_112_301), &Seen::Known(2_026_112_300))
    );
    assert_eq!(ailments(&served, truth), []);
    assert_eq!(ailments(&served, behind.address), [Ailment::Stale]);
    drop(deaf);
}

/// UDP from one server, TCP from another: a middlebox, or two machines behind one address.
fn crossed(udp: SocketAddr, tcp: SocketAddr) -> SocketAddr {
    let bend: Arc<Bend> = Arc::new(move |answer, over_tcp| {
        if !over_tcp {
            return Some(answer);
        }
        // The question again, to the other server, under the same id.
        let mut end = 12;
        while answer[end] != 0 {
            end += usize::from(answer[end]) + 1;
        }
        let mut question = answer[..end + 5].to_vec();
        question[2..12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        question.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
        let mut stream = TcpStream::connect(tcp).unwrap();
        let length = u16::try_from(question.len()).unwrap().to_be_bytes();
        stream
            .write_all(&[&length[..], &question].concat())
            .unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut other = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut other).unwrap();
        Some(other)
    });
    Liar::start(udp, bend).address
}

/// The type that a question, or the question in an answer, is about.
fn asked_type(message: &[u8]) -> u16 {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    u16::from_be_bytes([message[at + 1], message[at + 2]])
}

#[test]
fn a_server_that_drops_or_refuses_tlsa_alone_is_told_from_a_dead_one() {
    const TYPE_TLSA: u16 = 52;
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let ours = serve(&signed, &[]);
    let truth = ours.address;
    let dropping: Arc<Bend> =
        Arc::new(|answer, _| (asked_type(&answer) != TYPE_TLSA).then_some(answer));
    let answering = |rcode: u8| -> Arc<Bend> {
        Arc::new(move |mut answer, _| {
            if asked_type(&answer) == TYPE_TLSA {
                answer[3] = answer[3] & 0xf0 | rcode;
            }
            Some(answer)
        })
    };
    let bends = [
        dropping,
        answering(2),
        answering(4),
        answering(5),
        answering(1),
    ];
    let servers: Vec<SocketAddr> = bends
        .into_iter()
        .map(|bend| Liar::start(truth, bend).address)
        .collect();
    let served = look(&servers, &[TLSA], &trust(&keys), quick());
    for server in servers {
        assert_eq!(ailments(&served, server), [Ailment::NoTlsa]);
        let said = unknown(one(&served, server, TLSA));
        assert!(
            said.starts_with(&format!("it answers for A at {TLSA}, and not for TLSA: ")),
            "{said}"
        );
    }
}

#[test]
fn answers_without_authority_from_everybody_are_an_interception_and_from_one_are_lame() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let ours = serve(&signed, &[]);
    let truth = ours.address;
    let cache = |udp_alone: bool, strips: bool| -> Arc<Bend> {
        Arc::new(move |mut answer, tcp| {
            if tcp && udp_alone {
                return Some(answer);
            }
            answer[2] &= !4;
            if strips && asked_type(&answer) != 6 {
                // As of a resolver that knows nothing of DNSSEC: no records at all.
                answer.truncate(12);
                return None;
            }
            Some(answer)
        })
    };
    let start = |udp, strips| Liar::start(truth, cache(udp, strips)).address;
    for (servers, what) in [
        (
            vec![start(false, false), start(false, false)],
            "both transports",
        ),
        (vec![start(true, false), start(true, false)], "UDP alone"),
        (
            vec![start(false, true), start(false, true)],
            "without DNSSEC",
        ),
    ] {
        let served = look(&servers, &[TLSA], &trust(&keys), quick());
        for server in &servers {
            assert_eq!(ailments(&served, *server), [Ailment::Intercepted], "{what}");
        }
        let beside: Vec<SocketAddr> = servers.iter().copied().chain([truth]).collect();
        let served = look(&beside, &[TLSA], &trust(&keys), quick());
        for server in servers {
            let found = ailments(&served, server);
            assert!(found.contains(&Ailment::Lame), "{what}: {found:?}");
            assert!(!found.contains(&Ailment::Intercepted), "{what}: {found:?}");
        }
    }
}
