//! Every TLS that a sender speaks: kinds of keys, ways to exchange them, and servers that end a handshake in ways of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
mod tls_support;

use dane_support::Bench;
use std::net::SocketAddr;
use std::time::Duration;
use tls_support::Server;
use tlsa_rotate::dane::judge::{self, Rules, Verdict};
use tlsa_rotate::dane::subject::read_chain;
use tlsa_rotate::observe::probe::{Answer, Obstacle, present_anything, probe};
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use tlsa_rotate::rotation::timing::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const HOST: &str = "mx1.example.com";
/// A port on which TLS begins at once: `openssl s_server` does not speak SMTP.
const PORT: u16 = 465;

async fn ask(address: SocketAddr, algorithm: KeyAlgorithm, step: Duration) -> Seen<Answer> {
    let caller = Caller {
        name: "probe.example.net".to_owned(),
        step,
        whole: Duration::from_secs(20),
        via: None,
    };
    let endpoint = Endpoint {
        host: HOST.to_owned(),
        port: PORT,
    };
    probe(&endpoint, address, algorithm, &caller).await
}

const PATIENT: Duration = Duration::from_secs(10);

fn presented(bench: &Bench, name: &str) -> Seen<Answer> {
    let chain = read_chain(&bench.read(&format!("{name}.pem"))).unwrap();
    Seen::Known(Answer::Chain(
        chain.iter().map(|one| one.der().to_vec()).collect(),
    ))
}

const ABSENT: Seen<Answer> = Seen::Known(Answer::NotOffered);

#[tokio::test]
async fn every_kind_of_key_is_met_in_every_version_and_exchange_that_senders_speak() {
    let bench = Bench::new();
    let kinds = ["rsa", "pss", "p256", "p384", "p521", "ed25519", "ed448"];
    for kind in kinds {
        bench.self_signed(kind, kind, HOST);
    }
    let mut table: Vec<(&str, &str)> = kinds
        .iter()
        .flat_map(|kind| [(*kind, ""), (*kind, "-tls1_2"), (*kind, "-tls1_3")])
        .collect();
    table.extend([
        ("rsa", "-tls1_2 -cipher AES128-GCM-SHA256"),
        ("rsa", "-tls1_2 -cipher AES256-SHA"),
        ("rsa", "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256"),
        (
            "p521",
            "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256 -named_curve P-521",
        ),
        ("rsa", "-sigalgs RSA-PSS+SHA512"),
        ("rsa", "-tls1_2 -sigalgs RSA+SHA256"),
    ]);
    for (kind, how) in table {
        let server = Server::start(bench.dir.path(), kind, how);
        let of_rsa = ["rsa", "pss"].contains(&kind);
        let (own, other) = if of_rsa {
            (KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa)
        } else {
            (KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa)
        };
        let seen = ask(server.address, own, PATIENT).await;
        assert_eq!(seen, presented(&bench, kind), "{kind} {how}");
        assert_eq!(
            ask(server.address, other, PATIENT).await,
            ABSENT,
            "{kind} {how}"
        );
    }
}

#[tokio::test]
async fn a_key_that_is_too_small_for_senders_is_named_as_that() {
    let bench = Bench::new();
    for (bits, taken) in [(768, false), (1024, true), (2048, true)] {
        let name = format!("rsa{bits}");
        bench.openssl(&format!(
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {name}.key"
        ));
        bench.openssl(&format!(
            "req -x509 -key {name}.key -out {name}.pem -days 30 -subj /CN={HOST}"
        ));
        let server = Server::start(bench.dir.path(), &name, "-cipher ALL:@SECLEVEL=0");
        let seen = ask(server.address, KeyAlgorithm::Rsa, PATIENT).await;
        assert_eq!(seen, presented(&bench, &name), "{bits}");
        let chain = read_chain(&bench.read(&format!("{name}.pem"))).unwrap();
        let record = chain[0].spki_association();
        let at = Instant::from_unix(1);
        let judged = judge::judge(&[record], &chain, &[HOST], at, Rules::Smtp);
        assert_eq!(
            matches!(judged.verdict, Verdict::Verified(_)),
            taken,
            "{bits}"
        );
        let said = judged.records[0].1.to_string();
        let named = said.contains("(RSA 768) is too small: senders refuse RSA below 1024 bits");
        assert_eq!(named, !taken, "{said}");
    }
}

/// What becomes of a connection whose server would say by an alert that nothing fits.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Close,
    Reset,
    Silence,
}

/// Stands before a server and keeps its alerts back; the address to ask.
async fn without_alerts(server: SocketAddr, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, server, manner));
        }
    });
    address
}

/// RFC 8446 §5.1
const ALERT: u8 = 21;

async fn pass(mut client: TcpStream, server: SocketAddr, manner: Manner) {
    let mut server = TcpStream::connect(server).await.unwrap();
    let mut hello = vec![0; 16 * 1024];
    let count = client.read(&mut hello).await.unwrap();
    server.write_all(&hello[..count]).await.unwrap();
    let mut first = [0];
    if server.read_exact(&mut first).await.is_err() || first[0] == ALERT {
        match manner {
            Manner::Close => {}
            Manner::Reset => client.set_zero_linger().unwrap(),
            Manner::Silence => {
                // Until the client gives up.
                let _ = client.read(&mut hello).await;
            }
        }
        return;
    }
    client.write_all(&first).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn a_server_that_says_by_no_alert_that_nothing_fits_is_understood() {
    let bench = Bench::new();
    for kind in ["rsa", "p256"] {
        bench.self_signed(kind, kind, HOST);
    }
    let step = Duration::from_secs(1);
    for kind in ["rsa", "p256"] {
        for how in ["", "-tls1_2"] {
            let server = Server::start(bench.dir.path(), kind, how);
            for manner in [Manner::Close, Manner::Reset, Manner::Silence] {
                let address = without_alerts(server.address, manner).await;
                let (own, other) = match kind {
                    "rsa" => (KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa),
                    _ => (KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa),
                };
                let seen = ask(address, own, step).await;
                assert_eq!(seen, presented(&bench, kind), "{kind} {how} {manner:?}");
                let seen = ask(address, other, step).await;
                assert_eq!(seen, ABSENT, "{kind} {how} {manner:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_with_which_no_handshake_ends_is_not_understood() {
    for manner in [Manner::Close, Manner::Reset, Manner::Silence] {
        // Whatever it is asked: nobody is there who could present anything.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut hello = vec![0; 16 * 1024];
                    let _ = client.read(&mut hello).await;
                    match manner {
                        Manner::Close => {}
                        Manner::Reset => client.set_zero_linger().unwrap(),
                        Manner::Silence => {
                            let _ = client.read(&mut hello).await;
                        }
                    }
                });
            }
        });
        for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
            let seen = ask(address, algorithm, Duration::from_millis(500)).await;
            assert!(
                matches!(seen, Seen::Unknown(_)),
                "{manner:?} {algorithm}: {seen:?}"
            );
        }
    }
}

/// What no sender can speak: each handshake is ended, by an alert or by OpenSSL, which senders have too.
#[tokio::test]
async fn a_server_with_which_no_sender_can_do_a_handshake_is_known_as_that() {
    let bench = Bench::new();
    for kind in ["rsa", "p256"] {
        bench.self_signed(kind, kind, HOST);
    }
    let endpoint = Endpoint {
        host: HOST.to_owned(),
        port: PORT,
    };
    let caller = Caller::within(PATIENT);
    let table = [
        ("rsa", "-tls1_2 -cipher aNULL:@SECLEVEL=0", true),
        ("p256", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", true),
        ("rsa", "-tls1 -cipher DEFAULT:@SECLEVEL=0", true),
        ("rsa", "-tls1_2", false),
    ];
    for (kind, how, ended) in table {
        let server = Server::start(bench.dir.path(), kind, how);
        let met = present_anything(&endpoint, server.address, &caller).await;
        let told = matches!(met, Err(Obstacle::NoHandshake(_)));
        assert_eq!(told, ended, "{kind} {how}: {met:?}");
        assert_eq!(met.is_ok(), !ended, "{kind} {how}: {met:?}");
        let rsa = ask(server.address, KeyAlgorithm::Rsa, PATIENT).await;
        let is_seen = matches!(rsa, Seen::Known(Answer::Chain(_)));
        assert_eq!(is_seen, !ended, "{kind} {how}: {rsa:?}");
    }
}
