//! BIND, Knot and PowerDNS as primaries that take dynamic updates: the RRset alone changes, and only if it is as it was seen.
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

use engine_support::{
    OTHER_SECRET, PrimaryPlan, SECRET, at, bind_primary, key_file, knot_primary, ports,
    powerdns_primary, serial,
};
use serve_support::{Peer, dig, until};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tlsa_rotate::publish::primary::{Primary, PrimaryError, RrsetChange};
use tlsa_rotate::publish::tsig::{NotAuthentic, read_keys};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Rtype};

const ZONE: &str = "$ORIGIN example.com.\n$TTL 60\n\
    @ SOA ns1.example.net. host.example.net. 1 7200 3600 1209600 5\n@ NS ns1.example.net.\n\
    mx1 A 192.0.2.25\n_25._tcp.mx1 TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn tlsa(digit: &str) -> Rdata {
    Rdata::from_text(
        Rtype::TLSA,
        format!("3 1 1 {}", digit.repeat(64)).as_bytes(),
        None,
    )
    .unwrap()
}

fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Instant::from_unix(since.unwrap().as_secs())
}

fn change(before: &[&str], added: &[&str], removed: &[&str]) -> RrsetChange {
    let all = |digits: &[&str]| digits.iter().map(|d| tlsa(d)).collect::<Vec<_>>();
    RrsetChange {
        owner: name("_25._tcp.mx1.example.com."),
        rtype: Rtype::TLSA,
        before: all(before),
        ttl: Ttl(60),
        added: all(added)
            .into_iter()
            .map(|rdata| (Ttl(60), rdata))
            .collect(),
        removed: all(removed),
    }
}

fn with_key(directory: &Path, port: u16, key: &str, secret: &str) -> Primary {
    let path = key_file(
        &directory.join(format!("{key}.{}", &secret[..4])),
        key,
        "hmac-sha256",
        secret,
    );
    let keys = read_keys(&path).unwrap();
    let key = Arc::clone(keys.keys().next().unwrap());
    Primary {
        server: at(port),
        key,
    }
}

fn exercise(engine: &str, start: impl Fn(&PrimaryPlan<'_>) -> Peer) {
    let directory = tempfile::tempdir().unwrap();
    let port = ports(1)[0];
    let plan = PrimaryPlan {
        directory: directory.path(),
        port,
        zone: ZONE,
        notify: None,
    };
    let _peer = start(&plan);
    until(&format!("{engine} answers"), || serial(at(port)).is_some());
    let apex = name("example.com.");
    let owner = name("_25._tcp.mx1.example.com.");
    let primary = with_key(directory.path(), port, "update", SECRET);
    let seen = || {
        let mut conversation = primary.converse(now()).unwrap();
        let reply = conversation.ask(&apex, &owner, Rtype::TLSA).unwrap();
        let mut data: Vec<String> = reply
            .answers
            .iter()
            .filter(|r| r.rtype == Rtype::TLSA)
            .map(|r| {
                r.rdata.to_text(Rtype::TLSA).split(' ').next_back().unwrap()[..1]
                    .to_ascii_lowercase()
            })
            .collect();
        data.sort();
        data.concat()
    };
    assert_eq!(seen(), "a", "{engine}");
    let update = |c: RrsetChange| primary.converse(now()).unwrap().update(&apex, &[c]);
    update(change(&["a"], &["b"], &[])).unwrap_or_else(|e| panic!("{engine}: {e}"));
    assert_eq!(seen(), "ab", "{engine}");

    // Thought out for what is there no longer, for part of it, for more than it: refused, and nothing happens.
    for before in [["a"].as_slice(), &["b"], &["a", "b", "c"], &[]] {
        let refused = update(change(before, &["d"], &["a"])).expect_err(engine);
        assert!(
            matches!(refused, PrimaryError::Changed { .. }),
            "{engine} {before:?}: {refused}"
        );
        assert_eq!(seen(), "ab", "{engine} {before:?}");
    }
    // The clock of this program may be rehearsed, or wrong: the server's, which it signs, is taken.
    // PowerDNS refuses without saying why: nothing can be learnt from it.
    let later = if engine == "PowerDNS" {
        now()
    } else {
        now() + Span::hours(5)
    };
    primary
        .converse(later)
        .unwrap()
        .update(&apex, &[change(&["b", "a"], &[], &["a"])])
        .unwrap_or_else(|e| panic!("{engine}: {e}"));
    assert_eq!(seen(), "b", "{engine}");
    let mut another = change(&[], &["e"], &[]);
    another.owner = name("_25._tcp.mx9.example.com.");
    update(another).unwrap_or_else(|e| panic!("{engine}: {e}"));
    let there = dig(at(port), &["+short", "_25._tcp.mx9.example.com", "TLSA"]);
    assert!(there.starts_with("3 1 1 "), "{engine}: {there}");
    let untouched = dig(at(port), &["+short", "mx1.example.com", "A"]);
    assert_eq!(untouched.trim(), "192.0.2.25", "{engine}");

    let forged = with_key(directory.path(), port, "update", OTHER_SECRET);
    let refused = forged
        .converse(now())
        .unwrap()
        .update(&apex, &[change(&["b"], &["c"], &[])])
        .expect_err(engine);
    let said = refused.to_string();
    assert!(!said.contains(OTHER_SECRET), "{said}");
    if engine != "PowerDNS" {
        let expected = matches!(
            refused,
            PrimaryError::NotAuthentic {
                source: NotAuthentic::OtherSecret { .. },
                ..
            }
        );
        assert!(expected, "{engine}: {refused:?}");
    }
    let weaker = with_key(directory.path(), port, "xfr", SECRET);
    weaker
        .converse(now())
        .unwrap()
        .update(&apex, &[change(&["b"], &["c"], &[])])
        .expect_err(engine);
    assert_eq!(seen(), "b", "{engine}");
}

#[test]
fn bind_takes_updates() {
    exercise("BIND", |plan| bind_primary(plan, None));
}

#[test]
fn knot_takes_updates() {
    exercise("Knot", knot_primary);
}

#[test]
fn powerdns_takes_updates() {
    exercise("PowerDNS", powerdns_primary);
}

#[test]
fn a_primary_that_is_silent_or_talks_nonsense_is_given_up() {
    use std::io::{Read as _, Write as _};
    let directory = tempfile::tempdir().unwrap();
    let nobody = with_key(directory.path(), ports(1)[0], "update", SECRET);
    assert!(matches!(
        nobody.converse(now()),
        Err(PrimaryError::Unreachable { .. })
    ));
    for nonsense in [
        b"\x00\x00".as_slice(),
        b"\x00\x04abcd",
        b"\x00\x0c\0\0\x80\0\0\0\0\0\0\0\0\0",
        b"\xff\xff",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(nonsense);
        });
        let primary = with_key(directory.path(), port, "update", SECRET);
        let mut conversation = primary.converse(now()).unwrap();
        conversation
            .update(&name("example.com."), &[change(&[], &["a"], &[])])
            .expect_err("nonsense");
        server.join().unwrap();
    }
}
