//! MTA-STS policies fetched from a real HTTPS server, and from servers that no sender should trust.
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

use dane_support::Bench;
use https_support::{PolicyServer, Says, ok};
use std::time::{Duration, SystemTime};
use tlsa_rotate::observe::mta_sts::fetch::{FetchError, Way, fetch};
use tlsa_rotate::observe::mta_sts::policy::{Mode, Policy};
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::observe::web_roots::roots;
use tlsa_rotate::rotation::timing::{Instant, Span};

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmax_age: 86400\r\n";

struct World {
    bench: Bench,
    server: PolicyServer,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        bench.root("root");
        bench.root("stranger");
        let leaf = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:mta-sts.example.com";
        bench.issued("web", "x", "root", leaf, "20");
        let server =
            PolicyServer::start(&bench.path("web.pem"), &bench.path("web.key"), ok(POLICY));
        Self { bench, server }
    }

    fn fetch(&self, domain: &str, root: &str, at: Instant) -> Result<Policy, FetchError> {
        let way = Way {
            roots: roots(Some(&self.bench.path(root))).unwrap(),
            addresses: vec![self.server.address],
            patience: Duration::from_millis(1500),
        };
        wait_for(fetch(domain, &way, at)).unwrap()
    }
}

fn now() -> Instant {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Instant::from_unix(since.unwrap().as_secs())
}

#[test]
fn a_policy_is_fetched_as_senders_fetch_it() {
    let world = World::new();
    let policy = world.fetch("example.com", "root.pem", now()).unwrap();
    assert_eq!(
        (policy.mode, policy.max_age),
        (Mode::Enforce, Span::days(1))
    );
    assert!(policy.lists("mx1.example.com") && !policy.lists("mx2.example.com"));
    let request = world.server.requests().pop().unwrap().to_ascii_lowercase();
    assert!(
        request.starts_with("get /.well-known/mta-sts.txt http/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("host: mta-sts.example.com\r\n"),
        "{request}"
    );

    let chunked = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: TEXT/PLAIN\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{POLICY}\r\n0\r\n\r\n",
        POLICY.len()
    );
    let unending = format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{POLICY}");
    for (answer, why) in [
        (chunked, "chunked"),
        (unending, "HTTP/1.0, ended by the close"),
    ] {
        world.server.now_says(Says::Octets(answer.into_bytes()));
        assert_eq!(
            world.fetch("example.com", "root.pem", now()),
            Ok(policy.clone()),
            "{why}"
        );
    }
}

#[test]
fn what_senders_do_not_take_is_told() {
    let world = World::new();
    let answer = |head: &str, body: &str| {
        Says::Octets(
            format!(
                "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    };
    let endless_head = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(200_000));
    #[rustfmt::skip]
    let table = [
        (answer("301 Moved Permanently\r\nLocation: https://example.com/", ""), "mta-sts.example.com answers 301 Moved Permanently, and senders follow no redirect"),
        (answer("404 Not Found", ""), "answers 404 Not Found"),
        (answer("200 OK\r\nContent-Type: text/html", POLICY), "sends the policy as `text/html`, which senders do not take: it must be text/plain"),
        (answer("200 OK", POLICY), "sends the policy as ``"),
        (answer("200 OK\r\nContent-Type: text/plain", "hello"), "sends is no MTA-STS policy: it does not say `version: STSv1`"),
        (Says::Octets(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\nversion".to_vec()), "does not answer in HTTP"),
        (Says::Octets(b"SSH-2.0-x\r\n\r\n".to_vec()), "does not answer in HTTP"),
        (Says::Octets(endless_head.into_bytes()), "does not answer in HTTP"),
        (Says::Octets(Vec::new()), "does not answer in HTTP"),
        (Says::Endless, "does not answer in HTTP: length limit exceeded"),
        (Says::Nothing, "no answer from mta-sts.example.com within 1 s"),
        (Says::Closes, "does not pass as an HTTPS server"),
    ];
    for (says, expected) in table {
        world.server.now_says(says);
        let error = world
            .fetch("example.com", "root.pem", now())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}\ninstead of {expected}");
    }
    world.server.now_says(ok(POLICY));
    for (domain, root, at, expected) in [
        ("example.com", "stranger.pem", now(), "UnknownIssuer"),
        ("example.net", "root.pem", now(), "NotValidForName"),
        ("example.com", "root.pem", now() + Span::days(40), "expired"),
    ] {
        let error = world.fetch(domain, root, at).unwrap_err();
        assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
        let told = error.to_string();
        assert!(
            told.to_lowercase().contains(&expected.to_lowercase())
                || told.contains("not valid for name"),
            "{told}"
        );
    }
    let nowhere = Way {
        roots: Vec::new(),
        addresses: vec!["127.0.0.1:1".parse().unwrap()],
        patience: Duration::from_secs(5),
    };
    let error = wait_for(fetch("example.com", &nowhere, now()))
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(error, FetchError::NotConnected { .. }),
        "{error:?}"
    );
}

#[test]
fn roots_come_from_a_file_or_are_an_error_with_a_way_out() {
    let bench = Bench::new();
    bench.root("root");
    bench.write("empty", "");
    assert_eq!(roots(Some(&bench.path("root.pem"))).unwrap().len(), 1);
    for (file, says) in [
        ("absent", "No such file"),
        ("empty", "empty"),
        ("root.key", "no certificate in it"),
    ] {
        let error = roots(Some(&bench.path(file))).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint().contains("PEM"), "{error}");
    }
}
