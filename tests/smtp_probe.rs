//! The probe against our mail host and openssl, and a sender that delivers only what DANE allows, on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::{Bench, rsa_spki_without_null};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tlsa_rotate::dane::certificate::Certificate;
use tlsa_rotate::dane::subject::read_chain;
use tlsa_rotate::observe::probe::{
    Answer, Bounds, Obstacle, Target, present, probe, probe_endpoints,
};
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::observation::{Endpoint, KeyAlgorithm, Offer, Seen};
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::workflow::demo::delivery::{Host, Mail, Outcome, deliver};
use tlsa_rotate::workflow::demo::mail_host::{KeyedChain, MailHost};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const HOST: &str = "mx1.example.com";
const LOOPBACK: &str = "127.0.0.1:0";
const BOTH: [KeyAlgorithm; 2] = [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa];

fn caller() -> Caller {
    Caller {
        name: "probe.example.net".to_owned(),
        step: Duration::from_secs(5),
        whole: Duration::from_secs(10),
        via: None,
    }
}

fn hasty() -> Caller {
    Caller {
        step: Duration::from_millis(300),
        whole: Duration::from_secs(2),
        ..caller()
    }
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint {
        host: HOST.to_owned(),
        port,
    }
}

fn keys() -> Bench {
    let bench = Bench::new();
    bench.root("root");
    bench.issued(
        "ec",
        HOST,
        "root",
        &format!("subjectAltName=DNS:{HOST}"),
        "20",
    );
    bench.concat("ec.chain", &["ec.pem", "root.pem"]);
    bench.self_signed("rsa", "rsa", HOST);
    bench.concat("rsa.chain", &["rsa.pem"]);
    bench.self_signed("ed", "ed25519", HOST);
    bench.concat("ed.chain", &["ed.pem"]);
    bench.self_signed("next", "p384", HOST);
    bench.concat("next.chain", &["next.pem"]);
    bench
}

fn keyed(bench: &Bench, name: &str) -> KeyedChain {
    let chain = bench.read(&format!("{name}.chain"));
    KeyedChain::from_pem(&chain, &bench.read(&format!("{name}.key"))).unwrap()
}

fn chain(bench: &Bench, name: &str) -> Seen<Answer> {
    let chain = read_chain(&bench.read(&format!("{name}.chain"))).unwrap();
    Seen::Known(Answer::Chain(
        chain.iter().map(|c| c.der().to_vec()).collect(),
    ))
}

fn association(bench: &Bench, name: &str) -> Association {
    let chain = read_chain(&bench.read(&format!("{name}.chain"))).unwrap();
    chain[0].spki_association()
}

async fn both(address: SocketAddr, port: u16) -> [Seen<Answer>; 2] {
    let endpoint = endpoint(port);
    let caller = caller();
    [
        probe(&endpoint, address, KeyAlgorithm::Rsa, &caller).await,
        probe(&endpoint, address, KeyAlgorithm::Ecdsa, &caller).await,
    ]
}

const ABSENT: Seen<Answer> = Seen::Known(Answer::NotOffered);

#[tokio::test]
async fn each_algorithm_is_seen_by_itself_and_a_swap_at_once() {
    let bench = keys();
    let host = MailHost::start(HOST, LOOPBACK.parse().unwrap(), vec![])
        .await
        .unwrap();
    let at = host.address();
    for (names, rsa, ecdsa) in [
        (
            &["rsa", "ec"][..],
            chain(&bench, "rsa"),
            chain(&bench, "ec"),
        ),
        (&["ec", "rsa"], chain(&bench, "rsa"), chain(&bench, "ec")),
        (&["rsa"], chain(&bench, "rsa"), ABSENT),
        (&["ec"], ABSENT, chain(&bench, "ec")),
        (&["ed", "rsa"], chain(&bench, "rsa"), chain(&bench, "ed")),
        (&["next"], ABSENT, chain(&bench, "next")),
    ] {
        host.present(names.iter().map(|name| keyed(&bench, name)).collect());
        assert_eq!(both(at, 25).await, [rsa, ecdsa], "{names:?}");
    }
    assert_eq!(host.delivered(), 0, "no mail is ever sent by the probe");
}

#[tokio::test]
async fn many_endpoints_become_what_the_machine_reads() {
    let bench = keys();
    let start = async |names: &[&str]| {
        let chains = names.iter().map(|name| keyed(&bench, name)).collect();
        MailHost::start(HOST, LOOPBACK.parse().unwrap(), chains)
            .await
            .unwrap()
    };
    let (one, two, none) = (
        start(&["rsa", "ec"]).await,
        start(&["ec"]).await,
        start(&[]).await,
    );
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let silent = listener.local_addr().unwrap();
    let closed = {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        listener.local_addr().unwrap()
    };
    let target = Target {
        endpoint: endpoint(25),
        addresses: vec![one.address(), two.address(), none.address(), silent, closed],
    };
    let same_port = Target {
        endpoint: endpoint(one.address().port()),
        addresses: vec![one.address()],
    };
    let bounds = Bounds {
        at_once: 3,
        overall: Duration::from_secs(20),
        late: Duration::ZERO,
    };
    let seen = probe_endpoints(&[target, same_port], &hasty(), bounds).await;
    let offers = &seen[&endpoint(25)];
    let key = |offer: &Seen<Offer>| match offer {
        Seen::Known(Offer::Key(presented)) => Some(presented.key.clone()),
        _ => None,
    };
    let of = |address: SocketAddr, algorithm| &offers[&address.to_string()][&algorithm];
    let [rsa, ecdsa] = BOTH;
    assert_eq!(
        key(of(one.address(), rsa)),
        Some(association(&bench, "rsa"))
    );
    assert_eq!(
        key(of(one.address(), ecdsa)),
        Some(association(&bench, "ec"))
    );
    assert_eq!(*of(two.address(), rsa), Seen::Known(Offer::NotOffered));
    assert_eq!(
        key(of(two.address(), ecdsa)),
        Some(association(&bench, "ec"))
    );
    for algorithm in BOTH {
        for (address, reason) in [
            (none.address(), "refuses RSA and ECDSA alike"),
            (silent, "no reply to the connection within 0.3 s"),
            (closed, "cannot connect"),
        ] {
            let Seen::Unknown(why) = of(address, algorithm) else {
                panic!("{address}: {:?}", of(address, algorithm));
            };
            assert!(why.contains(reason), "{why}");
        }
    }
    let same_port = &seen[&endpoint(one.address().port())];
    assert!(
        same_port.contains_key("127.0.0.1"),
        "at its own port, an address is its IP"
    );

    let short = Bounds {
        at_once: 1,
        overall: Duration::from_millis(100),
        late: Duration::ZERO,
    };
    let target = Target {
        endpoint: endpoint(25),
        addresses: vec![silent; 1],
    };
    let seen = probe_endpoints(&[target], &caller(), short).await;
    let Seen::Unknown(why) = &seen[&endpoint(25)][&silent.to_string()][&rsa] else {
        panic!("a run that ends early knows nothing");
    };
    assert!(why.contains("took longer than 0.1 s"), "{why}");
}

/// A door before a mail host: where somebody is inside, and the first `deaf` times whatever is, it says these things, one at
/// first and one to each line it hears, and closes.
async fn door(to: SocketAddr, busy: &'static [&'static str], deaf: u32) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (inside, came) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let (inside, came) = (Arc::clone(&inside), Arc::clone(&came));
            tokio::spawn(async move {
                let is_full = inside.fetch_add(1, Relaxed) > 0;
                if is_full || came.fetch_add(1, Relaxed) < deaf {
                    for (number, reply) in busy.iter().enumerate() {
                        if number > 0 {
                            let _ = client.read(&mut [0; 512]).await;
                        }
                        let _ = client.write_all(reply.as_bytes()).await;
                    }
                    let _ = client.shutdown().await;
                } else {
                    let mut host = tokio::net::TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut host).await;
                }
                inside.fetch_sub(1, Relaxed);
            });
        }
    });
    address
}

/// A door that opens after a while, each time.
async fn late_door(to: SocketAddr, after: Duration) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let mut host = tokio::net::TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut host).await;
            });
        }
    });
    address
}

/// A greeting that comes in time, though late, leaves time for the conversations after it: that there is no ECDSA takes two.
#[tokio::test]
async fn a_server_that_greets_late_is_asked_to_the_end() {
    let bench = keys();
    let host = MailHost::start(HOST, LOOPBACK.parse().unwrap(), vec![keyed(&bench, "rsa")]);
    let to = host.await.unwrap();
    let late = late_door(to.address(), Duration::from_millis(1_500)).await;
    let caller = Caller {
        step: Duration::from_secs(2),
        whole: Duration::from_secs(2),
        ..caller()
    };
    let targets = Target {
        endpoint: endpoint(25),
        addresses: vec![late],
    };
    let bounds = |late| Bounds {
        at_once: 64,
        overall: Duration::from_secs(2),
        late,
    };
    let targets = [targets];
    let (seen, afar) = tokio::join!(
        probe_endpoints(&targets, &caller, bounds(Duration::from_secs(20))),
        probe_endpoints(&targets, &caller, bounds(Duration::ZERO)),
    );
    let [rsa, ecdsa] = BOTH;
    let offers = &seen[&endpoint(25)][&late.to_string()];
    assert!(
        matches!(offers[&rsa], Seen::Known(Offer::Key(_))),
        "{offers:?}"
    );
    assert_eq!(offers[&ecdsa], Seen::Known(Offer::NotOffered));
    let offers = &afar[&endpoint(25)][&late.to_string()];
    assert!(
        matches!(offers[&rsa], Seen::Known(Offer::Key(_))),
        "{offers:?}"
    );
    assert!(
        matches!(offers[&ecdsa], Seen::Unknown(_)),
        "where no more time is given, it ends: {offers:?}"
    );
}

/// A host that has no TLS for a while (RFC 3207 §4).
const NO_TLS: &[&str] = &[
    "220 mx1\r\n",
    "250-mx1\r\n250 STARTTLS\r\n",
    "454 4.7.0 TLS not available due to temporary reason\r\n",
];

/// Servers that limit connections or defer (greylisting) are asked again, one conversation after another.
#[tokio::test]
async fn a_server_that_puts_off_is_asked_again_until_it_answers() {
    let bench = keys();
    let chains = ["rsa", "ec"].map(|name| keyed(&bench, name)).into_iter();
    let host = MailHost::start(HOST, LOOPBACK.parse().unwrap(), chains.collect());
    let to = host.await.unwrap();
    let to = to.address();
    let patient = Caller {
        whole: Duration::from_secs(40),
        ..caller()
    };
    let doors = [
        door(to, &["421 4.7.0 too many connections\r\n"], 0).await,
        door(to, &[""], 1).await,
        door(
            to,
            &["220 mx1\r\n", "450 4.2.0 greylisted, come again\r\n"],
            1,
        )
        .await,
        door(to, &["220 mx1\r\n", "451 4.7.1 later\r\n"], 1).await,
        door(to, NO_TLS, 1).await,
    ];
    let targets = Target {
        endpoint: endpoint(25),
        addresses: doors.to_vec(),
    };
    let bounds = Bounds {
        at_once: 64,
        overall: Duration::from_secs(60),
        late: Duration::ZERO,
    };
    let seen = probe_endpoints(&[targets], &patient, bounds).await;
    for address in doors {
        let offers = &seen[&endpoint(25)][&address.to_string()];
        for (algorithm, name) in BOTH.into_iter().zip(["rsa", "ec"]) {
            let Seen::Known(Offer::Key(key)) = &offers[&algorithm] else {
                panic!("{address} {algorithm}: {:?}", offers[&algorithm]);
            };
            assert_eq!(key.key, association(&bench, name));
        }
    }
    // Whoever defers for good is unknown, and what was tried is said.
    let shut = door(
        to,
        &["220 mx1\r\n", "450 4.2.0 greylisted, come again\r\n"],
        u32::MAX,
    )
    .await;
    let short = Caller {
        whole: Duration::from_secs(3),
        ..caller()
    };
    let Seen::Unknown(why) = probe(&endpoint(25), shut, KeyAlgorithm::Rsa, &short).await else {
        panic!("nobody was let in");
    };
    assert!(why.contains("450 4.2.0 greylisted"), "{why}");
    assert!(why.contains("(asked 2 times in "), "{why}");
    // That TLS is not to be had is told as that if it lasts: senders defer for it, too.
    let without = door(to, NO_TLS, u32::MAX).await;
    let met = present(&endpoint(25), without, KeyAlgorithm::Rsa, &short).await;
    assert!(matches!(met, Err(Obstacle::NoStarttls(_))), "{met:?}");
}

/// `openssl s_server` on a free port, ended when dropped.
struct OpensslServer {
    child: Child,
    address: SocketAddr,
}

impl OpensslServer {
    fn start(bench: &Bench, options: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", LOOPBACK])
            .args(options.split(' '))
            .current_dir(bench.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl must be installed");
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = out
            .find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned))
            .expect("s_server says where it listens");
        // It goes on to print what it does: nobody listening would end it.
        std::thread::spawn(move || out.count());
        Self {
            child,
            address: address.parse().unwrap(),
        }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn openssl_servers_of_every_version_and_key_on_a_port_with_tls_from_the_start() {
    let bench = keys();
    let ec = "-key ec.key -cert ec.pem -cert_chain root.pem";
    let rsa = "-key rsa.key -cert rsa.pem";
    let (has_rsa, has_ec) = (chain(&bench, "rsa"), chain(&bench, "ec"));
    for version in ["-tls1_2", "-tls1_3", "-no_tls1_1"] {
        for (keys, expected) in [
            (
                format!("{rsa} -dkey ec.key -dcert ec.pem -dcert_chain root.pem"),
                [has_rsa.clone(), has_ec.clone()],
            ),
            (ec.to_owned(), [ABSENT, has_ec.clone()]),
            (rsa.to_owned(), [has_rsa.clone(), ABSENT]),
        ] {
            let server = OpensslServer::start(&bench, &format!("{version} {keys}"));
            assert_eq!(
                both(server.address, 465).await,
                expected,
                "{version} {keys}"
            );
        }
    }
    // A chain of an EC leaf under an RSA root, by a server that holds to RFC 8446 §4.4.2.2 strictly.
    bench.key("rsaroot", "rsa");
    bench.openssl("req -x509 -key rsaroot.key -out rsaroot.pem -subj /CN=rsaroot -addext basicConstraints=critical,CA:TRUE");
    bench.issued(
        "mixed",
        HOST,
        "rsaroot",
        &format!("subjectAltName=DNS:{HOST}"),
        "20",
    );
    bench.concat("mixed.chain", &["mixed.pem", "rsaroot.pem"]);
    let options = "-strict -key mixed.key -cert mixed.pem -cert_chain rsaroot.pem";
    let server = OpensslServer::start(&bench, options);
    assert_eq!(
        both(server.address, 465).await,
        [ABSENT, chain(&bench, "mixed")]
    );
}

#[tokio::test]
async fn odd_certificates_are_seen_too() {
    let bench = keys();
    // Its AlgorithmIdentifier lacks the NULL, so that its own signature is wrong, too.
    let normal = bench.openssl("x509 -in rsa.pem -outform DER");
    bench.write("odd.der", rsa_spki_without_null(&normal));
    bench.openssl("x509 -inform DER -in odd.der -out odd.pem");
    bench.concat("odd.chain", &["odd.pem"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = OpensslServer::start(&bench, &format!("{version} -key rsa.key -cert odd.pem"));
        assert_eq!(
            both(server.address, 465).await,
            [chain(&bench, "odd"), ABSENT]
        );
    }
    // Version 1, no extensions, expired, for another name: still its owner's.
    bench.key("v1", "p256");
    bench.openssl("req -new -key v1.key -subj /CN=elsewhere -out v1.csr");
    bench.openssl("x509 -req -in v1.csr -key v1.key -days -1 -out v1.pem");
    bench.concat("v1.chain", &["v1.pem"]);
    let server = OpensslServer::start(&bench, "-key v1.key -cert v1.pem");
    assert_eq!(
        both(server.address, 465).await,
        [ABSENT, chain(&bench, "v1")]
    );
}

#[tokio::test]
async fn a_sender_delivers_what_dane_allows_and_keeps_the_rest() {
    let bench = keys();
    let chains = vec![keyed(&bench, "rsa"), keyed(&bench, "ec")];
    let host = MailHost::start(HOST, LOOPBACK.parse().unwrap(), chains)
        .await
        .unwrap();
    let mail = Mail {
        from: "a@example.net",
        to: "b@example.com",
        text: "Subject: x\n\n.dot\n..\nend",
    };
    let (rsa, ec) = (association(&bench, "rsa"), association(&bench, "ec"));
    let next = association(&bench, "next");
    let send = async |rrset: &[Association]| {
        let host = Host {
            name: HOST,
            address: host.address(),
            rrset,
        };
        deliver(&host, &mail, Instant::from_unix(1_800_000_000), &caller()).await
    };
    let delivered = send(&[rsa.clone(), ec.clone()]).await;
    assert!(matches!(delivered, Outcome::Delivered(by) if by == rsa || by == ec));
    let refused = send(std::slice::from_ref(&next)).await;
    assert!(
        matches!(&refused, Outcome::RefusedByDane(why) if why.contains("another key")),
        "{refused:?}"
    );
    assert_eq!(send(&[]).await, Outcome::DeliveredUnauthenticated);
    assert_eq!(host.delivered(), 2);
    host.present(vec![keyed(&bench, "next")]);
    assert_eq!(
        send(&[rsa, ec, next.clone()]).await,
        Outcome::Delivered(next)
    );
    assert_eq!(host.delivered(), 3);
    let address = host.address();
    drop(host);
    let gone = Host {
        name: HOST,
        address,
        rrset: &[],
    };
    let outcome = deliver(&gone, &mail, Instant::from_unix(1_800_000_000), &hasty()).await;
    assert!(matches!(outcome, Outcome::Deferred(_)), "{outcome:?}");
}

#[test]
fn a_key_of_another_certificate_is_not_presented() {
    let bench = keys();
    let error = KeyedChain::from_pem(&bench.read("ec.chain"), &bench.read("rsa.key")).unwrap_err();
    assert!(error.to_string().contains("cannot be presented"), "{error}");
    assert!(Certificate::from_der(b"").is_err());
}
