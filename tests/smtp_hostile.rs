//! The probe against hostile and broken peers: nothing they do is a yes or a no, and nothing holds it up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // a table, one row for each peer
    missing_docs
)]

use std::net::SocketAddr;
use std::time::Duration;
use tlsa_rotate::observe::probe::probe;
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: &str = "127.0.0.1:0";
const BOTH: [KeyAlgorithm; 2] = [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa];

fn hasty() -> Caller {
    Caller {
        name: "probe.example.net".to_owned(),
        step: Duration::from_millis(300),
        whole: Duration::from_secs(2),
        via: None,
    }
}

/// A peer that answers each line it gets (and the connection itself) with the next text, then does `last`.
async fn peer(texts: &'static [&'static str], last: Last) -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                // The prober leaves when it has seen enough.
                let _ = speak(stream, texts, last).await;
            });
        }
    });
    address
}

#[derive(Clone, Copy)]
enum Last {
    Close,
    Hold,
    Flood,
    Drip,
}

async fn speak(mut stream: TcpStream, texts: &[&str], last: Last) -> std::io::Result<()> {
    let mut heard = [0; 1024];
    for (number, text) in texts.iter().enumerate() {
        if number > 0 && stream.read(&mut heard).await? == 0 {
            return Ok(());
        }
        stream.write_all(text.as_bytes()).await?;
    }
    match last {
        Last::Close => {
            // With nothing unread, so that the close is an orderly one.
            let _ = stream.read(&mut heard).await?;
            stream.shutdown().await
        }
        Last::Hold => {
            while stream.read(&mut heard).await? > 0 {}
            Ok(())
        }
        Last::Flood => loop {
            stream
                .write_all(&b"250-more and more and more of it\r\n".repeat(2_000))
                .await?;
        },
        Last::Drip => loop {
            stream.write_all(b"2").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        },
    }
}

#[tokio::test]
async fn what_hostile_or_broken_peers_do_is_unknown_with_its_reason() {
    const READY: &str = "250-mx1\r\n250 STARTTLS\r\n";
    let table: [(&'static [&'static str], Last, &str); 17] = [
        (
            &["220 mx1\r\n", "250-mx1\r\n250 SIZE 1\r\n"],
            Last::Hold,
            "STARTTLS is not offered",
        ),
        (
            &["220 mx1\r\n", READY, "454 4.7.0 TLS not available\r\n"],
            Last::Hold,
            "STARTTLS was answered with `454 4.7.0",
        ),
        (
            &["554 5.7.1 go away\r\n"],
            Last::Hold,
            "the connection was answered with `554 5.7.1 go away`",
        ),
        (
            &["220 mx1\r\n", "500 what?\r\n"],
            Last::Hold,
            "EHLO probe.example.net was answered with `500 what?`",
        ),
        (&[""], Last::Hold, "no reply to the connection within 0.3 s"),
        (&["220 mx1\r\n"], Last::Hold, "no reply to EHLO"),
        (
            &["220 mx1\r\n", READY, ""],
            Last::Hold,
            "no reply to STARTTLS",
        ),
        (
            &["220 mx1\r\n", READY, "220 go\r\n"],
            Last::Hold,
            "no TLS handshake within 0.3 s",
        ),
        (
            &["220-"],
            Last::Drip,
            "no reply to the connection within 0.3 s",
        ),
        (
            &["220-\r\n"],
            Last::Flood,
            "the reply to the connection is longer than 4 MiB",
        ),
        (
            &["220 mx1\r\n", "250-a\r\n"],
            Last::Flood,
            "is longer than 4 MiB",
        ),
        (
            &["SSH-2.0-OpenSSH_9.2\r\n"],
            Last::Hold,
            "is not SMTP: `SSH-2.0",
        ),
        (
            &["220 mx1\r\n", "\u{1b}[2J250 x\r\n"],
            Last::Hold,
            "is not SMTP: `\\u{1b}[2J250 x`",
        ),
        (
            &["220 mx1\r\n"],
            Last::Close,
            "the connection was closed instead of a reply to EHLO",
        ),
        (
            &["220 mx1\r\n", READY, "220 go\r\n250 injected\r\n"],
            Last::Hold,
            "no TLS handshake within 0.3 s",
        ),
        (
            &[
                "220 mx1\r\n",
                READY,
                "220 go\r\n",
                "this is no TLS at all\r\n",
            ],
            Last::Hold,
            "TLS handshake:",
        ),
        (
            &["220 mx1\r\n", READY, "220 go\r\n"],
            Last::Close,
            "closed during the TLS handshake",
        ),
    ];
    let endpoint = Endpoint {
        host: "mx1.example.com".to_owned(),
        port: 25,
    };
    for (texts, last, expected) in table {
        let address = peer(texts, last).await;
        let caller = match last {
            // It is length that ends it, not time.
            Last::Flood => Caller {
                step: Duration::from_secs(30),
                whole: Duration::from_secs(30),
                ..hasty()
            },
            _ => hasty(),
        };
        for algorithm in BOTH {
            let seen = probe(&endpoint, address, algorithm, &caller).await;
            let Seen::Unknown(reason) = seen else {
                panic!("{expected}: {seen:?}");
            };
            assert!(
                reason.contains(expected),
                "expected {expected}, got {reason}"
            );
        }
    }
}

/// How far a conversation comes whose replies are odd and say yes all the same, and one with a server that knows HELO alone.
#[tokio::test]
async fn what_senders_take_for_a_yes_is_one() {
    let endpoint = Endpoint {
        host: "mx1.example.com".to_owned(),
        port: 25,
    };
    let table: [(&'static [&'static str], &str); 7] = [
        (
            &["250 mx1\r\n", "220-mx1\r\n220 STARTTLS\r\n", "250 go\r\n"],
            "no TLS handshake within",
        ),
        (
            &[
                "220-mx1\n220-\n220\n",
                "250-mx1\n250-starttls\n250\n",
                "220-a\n220 b\n",
            ],
            "no TLS handshake within",
        ),
        (
            &[
                "220-mx1\r\n250 mx1\r\n",
                "250-mx1\r\n250 STARTTLS\r\n",
                "250-a\r\n220 go\r\n",
            ],
            "no TLS handshake within",
        ),
        (
            &["220-mx1\r\n554 go away\r\n"],
            "the connection was answered with `554",
        ),
        (&["354 mx1\r\n"], "the connection was answered with `354"),
        (
            &["220 mx1\r\n", "502 what?\r\n", "250 mx1\r\n"],
            "STARTTLS is not offered",
        ),
        (
            &["220 mx1\r\n", "550 not you\r\n", "550 nor so\r\n"],
            "EHLO probe.example.net was answered with `550 not you`",
        ),
    ];
    for (texts, expected) in table {
        let address = peer(texts, Last::Hold).await;
        let seen = probe(&endpoint, address, KeyAlgorithm::Rsa, &hasty()).await;
        let Seen::Unknown(reason) = seen else {
            panic!("{expected}: {seen:?}");
        };
        assert!(
            reason.contains(expected),
            "expected {expected}, got {reason}"
        );
    }
}
