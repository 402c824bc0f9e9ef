//! Two writers of one primary: whoever comes in between our look and our update is never overwritten (RFC 2136 §3.2).
//!
//! A relay before the real server lets the other one write as soon as our update has left us, and hands it on then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod path_support;
mod serve_support;

use engine_support::{PrimaryPlan, at, bind_primary, knot_primary, ports, serial};
use path_support::{TLSA, World};
use serve_support::{Peer, dig, until};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tlsa_rotate::publish::primary::{Primary, RrsetChange};
use tlsa_rotate::publish::tsig::read_keys;
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Rtype};

/// UPDATE, as the third octet of a message has it (RFC 2136 §2.2).
const UPDATE: u8 = 5 << 3;

/// Hands messages on to `server`, each update only after `meanwhile` has been told its number, counted from 1.
fn relay(
    server: SocketAddr,
    meanwhile: impl Fn(usize) + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let updates = Arc::new(AtomicUsize::new(0));
    let (count, meanwhile) = (Arc::clone(&updates), Arc::new(meanwhile));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, meanwhile) = (client.unwrap(), Arc::clone(&meanwhile));
            let (count, server) = (Arc::clone(&count), TcpStream::connect(server).unwrap());
            thread::spawn(move || {
                converse(client, server, |message| {
                    if message[2] & 0x78 == UPDATE {
                        meanwhile(count.fetch_add(1, Ordering::SeqCst) + 1);
                    }
                });
            });
        }
    });
    (address, updates)
}

/// One message there, one back, until the client goes.
fn converse(mut client: TcpStream, mut server: TcpStream, before: impl Fn(&[u8])) {
    while let Some(question) = message(&mut client) {
        before(&question[2..]);
        server.write_all(&question).unwrap();
        let Some(answer) = message(&mut server) else {
            return;
        };
        client.write_all(&answer).unwrap();
    }
}

/// A message with its length before it.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut framed = length.to_vec();
    framed.resize(2 + usize::from(u16::from_be_bytes(length)), 0);
    stream.read_exact(&mut framed[2..]).ok()?;
    Some(framed)
}

/// The association data that a server answers with, the record of another digit each.
fn served(server: SocketAddr) -> BTreeSet<String> {
    let told = dig(server, &["+short", "+norec", TLSA, "TLSA"]);
    let data = told.lines().filter_map(|line| line.split_once("3 1 1 "));
    data.map(|(_, data)| data.replace(' ', "").to_ascii_lowercase())
        .collect()
}

/// Another writer, who adds records of its own.
struct Other {
    primary: Primary,
}

impl Other {
    fn adds(&self, digit: usize) {
        let owner = Name::parse(TLSA.as_bytes(), Some(&Name::root())).unwrap();
        let data = format!("3 1 1 {}", digit.to_string().repeat(64));
        let seen: Vec<Rdata> = served(self.primary.server)
            .iter()
            .map(|data| {
                Rdata::from_text(Rtype::TLSA, format!("3 1 1 {data}").as_bytes(), None).unwrap()
            })
            .collect();
        let change = RrsetChange {
            owner,
            rtype: Rtype::TLSA,
            before: seen,
            ttl: Ttl(5),
            added: vec![(
                Ttl(5),
                Rdata::from_text(Rtype::TLSA, data.as_bytes(), None).unwrap(),
            )],
            removed: Vec::new(),
        };
        let zone = Name::parse(b"example.com.", None).unwrap();
        self.primary
            .converse(now())
            .unwrap()
            .update(&zone, &[change])
            .unwrap();
    }
}

fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_unix(since.unwrap().as_secs())
}

/// A rotation about to publish, before a primary whose records another one writes `times` before our updates.
fn contended(start: impl Fn(&PrimaryPlan<'_>) -> Peer, times: usize) {
    let world = World::new();
    let port = ports(1)[0];
    let directory = tempfile::tempdir().unwrap();
    let zone = world.zone();
    let plan = PrimaryPlan {
        directory: directory.path(),
        port,
        zone: &zone,
        notify: None,
    };
    let _primary = start(&plan);
    until("the primary answers", || serial(at(port)).is_some());
    world.anchor(port);
    let keys = read_keys(&world.path("update.tsig")).unwrap();
    let other = Other {
        primary: Primary {
            server: at(port),
            key: Arc::clone(keys.keys().next().unwrap()),
        },
    };
    let (relayed, updates) = relay(at(port), move |number| {
        if number <= times {
            other.adds(number);
        }
    });
    world.configure(
        &format!(
            "sign = \"external\"\nanchor = \"anchor\"\n\
             publish = {{ update = {{ server = \"{relayed}\", tsig = \"update.tsig\" }} }}\n"
        ),
        &[port],
    );
    let (code, said) = world.run(&["start", "mail"]);
    assert_eq!(code, 0, "{said}");
    let before = served(at(port));
    assert_eq!(before.len(), 1, "{before:?}");
    let others = |count: usize| (1..=count).map(|digit| digit.to_string().repeat(64));

    let (code, said) = world.run(&["advance"]);
    let after = served(at(port));
    let made = updates.load(Ordering::SeqCst);
    let kept: BTreeSet<String> = before
        .iter()
        .cloned()
        .chain(others(times.min(made)))
        .collect();
    assert!(
        after.is_superset(&kept),
        "overwritten: {after:?} of {kept:?}: {said}"
    );
    if times < 3 {
        assert_ne!(code, 1, "{said}");
        assert_eq!(made, times + 1, "{said}");
        assert!(said.contains("somebody was faster: looked again"), "{said}");
        assert_eq!(after.len(), kept.len() + 1, "{after:?}: {said}");
        return;
    }
    // It gives way for now, and says so; the next run finds nobody in its way.
    assert_eq!((code, made), (1, 3), "{said}");
    assert!(
        said.contains("someone else has changed the records meanwhile"),
        "{said}"
    );
    assert_eq!(after, kept, "{said}");
    let (code, said) = world.run(&["advance"]);
    assert_ne!(code, 1, "{said}");
    assert_eq!(updates.load(Ordering::SeqCst), 4, "{said}");
    let at_last = served(at(port));
    assert!(at_last.is_superset(&kept), "{at_last:?}: {said}");
    assert_eq!(at_last.len(), kept.len() + 1, "{at_last:?}: {said}");
}

#[test]
fn bind_refuses_what_was_thought_out_for_other_records_and_we_look_again() {
    contended(|plan| bind_primary(plan, None), 1);
}

#[test]
fn knot_refuses_what_was_thought_out_for_other_records_and_we_look_again() {
    contended(knot_primary, 1);
}

#[test]
fn who_is_overtaken_again_and_again_gives_way_until_the_next_run() {
    contended(|plan| bind_primary(plan, None), 3);
}
