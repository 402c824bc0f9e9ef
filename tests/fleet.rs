//! Many certificates in one run: what is broken with one stops no other, and those at rest cost next to nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, SIGNED, World, ZONE_FILE, hours, live_key};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tlsa_rotate::workspace::config::Config;
use tlsa_rotate::workspace::tls_key::KeyFiles;

/// Three certificates more than the one that there is, each of a host of its own, and more that rest.
fn fleet(resting: usize) -> World {
    let names = || {
        let names = ["a", "b", "c"].map(str::to_owned);
        let rest = (0..resting).map(|number| format!("rest{number}"));
        names.into_iter().chain(rest)
    };
    let configured = |mut config: String| {
        let there = config.split_once("\"mx1.example.com\" = [").unwrap().1;
        let there = there.split_once(']').unwrap().0.to_owned();
        for name in names() {
            // The same machine for all: the first records of a name are published only once its host was seen.
            let _ = write!(
                config,
                "\n[[certificate]]\nname = \"{name}\"\nhosts = [\"{name}.example.com\"]\nlive = {{ certificate = \"live/fullchain.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\naddresses = {{ \"{name}.example.com\" = [{there}] }}\n"
            );
        }
        config
    };
    let zone = |mut text: String, _: &[KeyFiles]| {
        for name in names() {
            let _ = writeln!(text, "{name} IN A 192.0.2.30");
        }
        text
    };
    World::shaped(
        Publish::Current,
        configured,
        |root| vec![live_key(root)],
        zone,
    )
}

#[test]
fn one_broken_rotation_stops_no_other() {
    let world = fleet(0);
    for name in ["mail", "a", "b", "c"] {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    // One with a journal that is not one, one with a key directory that is a file.
    fs::write(world.path(".tlsa-rotate/journal/a.jsonl"), "{}\n").unwrap();
    let run = world.advance(BEGIN).ends(1);
    run.complains_of("a.jsonl:1: the journal is corrupt");
    let lines: Vec<&str> = run.stdout.lines().collect();
    for (line, beginning) in lines.iter().zip([
        "mail.1: Prepublishing",
        "a: its journal cannot be read, so its step is not known",
        "b.1: Prepublishing",
        "c.1: Prepublishing",
    ]) {
        assert!(line.starts_with(beginning), "{run:#?}");
    }
    assert_eq!(lines.len(), 4, "{run:#?}");
    assert_eq!(
        world.tlsa(HOSTS[0]).len(),
        2,
        "the zone was changed for the others"
    );
    assert_eq!(world.tlsa("c.example.com").len(), 2);
    world.load();
    let run = world.advance(hours(1)).ends(1);
    assert!(
        run.stdout.contains("mail.1: Waiting (PrepublishServed)"),
        "{run:#?}"
    );
    assert!(
        run.stdout.contains("c.1: Waiting (PrepublishServed)"),
        "that its absence had a smaller TTL is no news: {run:#?}"
    );
    let status = world.run(hours(1), &["status"]).ends(1);
    assert!(
        status.stdout.contains("mail.1: Waiting since"),
        "{status:#?}"
    );
}

#[test]
fn a_zone_that_would_break_the_rotation_of_another_certificate_is_not_handed_on() {
    let world = fleet(0);
    let live = world.tlsa(HOSTS[0]).remove(0);
    for name in ["mail", "a"] {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    let (signed, good) = (world.read(SIGNED), world.read(ZONE_FILE));
    // The record of the key that a.example.com presents, the last of these, is misspelt; no other is touched.
    let at = good.rfind(&live[..48]).unwrap();
    let (before, after) = (&good[..at], &good[at + 48..]);
    world.write(ZONE_FILE, &format!("{before}{}{after}", "0".repeat(48)));
    world.git("commit --quiet --all --message tidied");
    let run = world.run(hours(2), &["advance", "mail"]).ends(4);
    run.complains_of("was not handed to its servers, for a.1: ");
    assert!(run.stderr.contains("tlsa-rotate status a"), "{run:#?}");
    assert_eq!(world.read(SIGNED), signed, "the servers keep the good zone");
    // Its own turn puts the record back, and the next run hands the zone on for all.
    world.advance(hours(3)).ends(4);
    assert!(world.tlsa("a.example.com").contains(&live));
    world.run(hours(4), &["advance", "mail"]).ends(0);
    assert_ne!(world.read(SIGNED), signed);
}

/// How often a run asks git.
fn gits(world: &World) -> usize {
    let count = world.path(".tlsa-rotate/count");
    let script = format!("echo >> {}", count.display());
    world.run_through(hours(1), &["advance"], &script).ends(0);
    fs::read_to_string(count).unwrap().lines().count()
}

#[test]
fn certificates_share_one_reading_of_their_zone() {
    let (few, many) = (gits(&fleet(3)), gits(&fleet(1500)));
    assert!(few > 0);
    assert_eq!(
        few, many,
        "git is asked as often for 1504 certificates as for 7"
    );
    // Likewise where each waits for the caches.
    let rotating = |count: usize| {
        let world = fleet(count);
        let rest: Vec<String> = (0..count).map(|number| format!("rest{number}")).collect();
        for name in ["mail", "a", "b", "c"]
            .into_iter()
            .chain(rest.iter().map(String::as_str))
        {
            world.run(BEGIN, &["start", name]).ends(0);
        }
        world.advance(BEGIN).ends(0);
        world.load();
        world.advance(BEGIN).ends(0);
        let status = world.run(BEGIN, &["status"]).ends(0);
        assert_eq!(
            status.stdout.matches(": Waiting since").count(),
            count + 4,
            "{status:#?}"
        );
        gits(&world)
    };
    let (few, many) = (rotating(0), rotating(6));
    assert!(few > 0);
    assert_eq!(few, many, "git is asked as often for 10 rotations as for 4");
}

/// How often each name and type was asked for over TCP, where nothing is asked twice because an answer was slow.
type Asked = Arc<Mutex<BTreeMap<(String, u16), usize>>>;

/// Stands between the program and a server, and counts; its address.
fn counting(truth: &str, asked: &Asked) -> String {
    let (udp, tcp) = std::iter::repeat_with(|| UdpSocket::bind("127.0.0.1:0").unwrap())
        .take(100)
        .find_map(|udp| Some((TcpListener::bind(udp.local_addr().unwrap()).ok()?, udp)))
        .map(|(tcp, udp)| (udp, tcp))
        .unwrap();
    let address = udp.local_addr().unwrap().to_string();
    let upstream = truth.to_owned();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let (udp, question) = (udp.try_clone().unwrap(), buffer[..length].to_vec());
            let upstream = upstream.clone();
            std::thread::spawn(move || {
                let asks = UdpSocket::bind("127.0.0.1:0").unwrap();
                let mut answer = [0; 4096];
                asks.send_to(&question, upstream).unwrap();
                let length = asks.recv(&mut answer).unwrap();
                let _ = udp.send_to(&answer[..length], from);
            });
        }
    });
    let (upstream, asked) = (truth.to_owned(), Arc::clone(asked));
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let (mut stream, mut upstream) =
                (stream.unwrap(), TcpStream::connect(&upstream).unwrap());
            let question = message(&mut stream);
            *asked
                .lock()
                .unwrap()
                .entry(question_of(&question))
                .or_default() += 1;
            upstream.write_all(&question).unwrap();
            let _ = stream.write_all(&message(&mut upstream));
        }
    });
    address
}

/// One message with its length before it (RFC 1035 §4.2.2).
fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = vec![0; 2];
    stream.read_exact(&mut octets).unwrap();
    let length = u16::from_be_bytes([octets[0], octets[1]]);
    octets.resize(usize::from(length) + 2, 0);
    stream.read_exact(&mut octets[2..]).unwrap();
    octets
}

/// Name and type of the one question (RFC 1035 §4.1.2).
fn question_of(message: &[u8]) -> (String, u16) {
    let (mut at, mut name) = (14, String::new());
    while message[at] > 0 {
        let end = at + 1 + usize::from(message[at]);
        name += &String::from_utf8_lossy(&message[at + 1..end]).to_lowercase();
        name.push('.');
        at = end;
    }
    (name, u16::from_be_bytes([message[at + 1], message[at + 2]]))
}

#[test]
fn the_servers_of_a_zone_are_asked_once_for_all_rotations_in_it() {
    const SOA: u16 = 6;
    const DNSKEY: u16 = 48;
    const TLSA: u16 = 52;
    let world = fleet(4);
    let names = ["mail", "a", "b", "c", "rest0", "rest1", "rest2", "rest3"];
    for name in names {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    let asked = Asked::default();
    let (config, truth) = (world.read("tlsa-rotate.toml"), world.server(0));
    world.write(
        "tlsa-rotate.toml",
        &config.replace(&truth, &counting(&truth, &asked)),
    );
    let run = world.advance(hours(2)).ends(0);
    assert_eq!(
        run.stdout.matches(": Waiting").count(),
        names.len(),
        "{run:#?}"
    );
    let hosts = HOSTS.into_iter().map(str::to_owned);
    let others = names[1..].iter().map(|name| format!("{name}.example.com"));
    let mut expected = BTreeMap::from([
        (("example.com.".to_owned(), SOA), 1),
        (("example.com.".to_owned(), DNSKEY), 1),
    ]);
    expected.extend(
        hosts
            .chain(others)
            .map(|host| ((format!("_25._tcp.{host}."), TLSA), 1)),
    );
    assert_eq!(*asked.lock().unwrap(), expected);
}

/// What reading a configuration with a zone for each of `count` certificates costs this thread, in seconds.
fn reading(count: usize) -> f64 {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "[[zone]]\nname = \"example{number}.com\"\nfile = \"{number}.zone\"\nsign = {{ keys = \"keys\" }}\n[[certificate]]\nname = \"mail{number}\"\nhosts = [\"mx.example{number}.com\"]\nlive = {{ certificate = \"live.pem\" }}\n"
        );
    }
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let once = |_| {
        let began = now();
        let config = Config::parse(&text, Path::new("/")).unwrap();
        let spent = now().checked_sub(began).unwrap();
        assert_eq!(config.certificates.len(), count);
        spent.as_secs_f64()
    };
    (0..5).map(once).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_configuration_costs_as_much_for_each_zone_however_many_there_are() {
    // Ten times as many cost ten times as much, and more for caches that they do not fit in; if each were held against each
    // other it would be a hundred times.
    let growth = reading(5_000) / reading(500);
    assert!(
        growth < 25.0,
        "{growth:.1} times as much for ten times as many"
    );
}
