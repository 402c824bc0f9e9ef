//! `verify` in front of resolvers and mail hosts that are silent, slow or lie: it ends in time, says what it saw, and
//! takes silence for nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tlsa_rotate::observe::anchors::Anchors;
use tlsa_rotate::observe::chain::{NoAnswer, Security, Source, Validator};
use tlsa_rotate::observe::dns::Reply;
use tlsa_rotate::observe::senders_view::{Families, Overrides, Sender};
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::rotation::timing::{Instant as Moment, Ttl};
use tlsa_rotate::workflow::verdict::Standing;
use tlsa_rotate::workflow::verify::{Bounds, Question, Verification, verify};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

/// What a resolver does with a question: the octets to answer with, each after a wait.
type Habit = fn(&[u8]) -> Vec<(Duration, Vec<u8>)>;

/// A resolver on UDP and TCP of one port. Its threads end with the process.
fn resolver(udp: Habit, tcp: Habit) -> SocketAddr {
    let (socket, listener) = loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            break (socket, listener);
        }
    };
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            for (wait, octets) in udp(&question[..length]) {
                std::thread::sleep(wait);
                let _ = socket.send_to(&octets, from);
            }
        }
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut question = [0; 4096];
                let Ok(length) = stream.read(&mut question) else {
                    return;
                };
                for (wait, octets) in tcp(question.get(2..length).unwrap_or_default()) {
                    std::thread::sleep(wait);
                    if stream.write_all(&octets).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn silence(_: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    Vec::new()
}

/// The question itself with these flags: an empty answer.
fn echo(question: &[u8], flags: [u8; 2]) -> Vec<u8> {
    let mut octets = question.to_vec();
    octets[2..4].copy_from_slice(&flags);
    octets
}

#[test]
fn no_resolver_stalls_or_fools_it() {
    let habits: [(&str, Habit, Habit, i32, &str); 7] = [
        ("silent", silence, silence, 1, "no answer within"),
        (
            "garbage",
            |_| vec![(Duration::ZERO, vec![0xff; 700])],
            silence,
            1,
            "not usable",
        ),
        (
            "SERVFAIL",
            |q| vec![(Duration::ZERO, echo(q, [0x81, 0x82]))],
            silence,
            4,
            "SERVFAIL",
        ),
        (
            "unsigned, nothing there",
            |q| vec![(Duration::ZERO, echo(q, [0x81, 0x80]))],
            silence,
            1,
            "passes no DNSSEC records on",
        ),
        (
            "NXDOMAIN without proof",
            |q| vec![(Duration::ZERO, echo(q, [0x81, 0x83]))],
            silence,
            1,
            "passes no DNSSEC records on",
        ),
        (
            "truncated, and silent over TCP",
            |q| vec![(Duration::ZERO, echo(q, [0x83, 0x80]))],
            silence,
            1,
            "closed",
        ),
        (
            "truncated, and a drip over TCP",
            |q| vec![(Duration::ZERO, echo(q, [0x83, 0x80]))],
            |_| vec![(Duration::from_millis(300), vec![0xff]); 200],
            1,
            "",
        ),
    ];
    std::thread::scope(|scope| {
        let targets = ["example.com", "mx.example.com:25"];
        let asked = targets
            .iter()
            .flat_map(|target| habits.map(|habit| (*target, habit)));
        for (target, (what, udp, tcp, code, expected)) in asked {
            scope.spawn(move || {
                let server = resolver(udp, tcp).to_string();
                let began = Instant::now();
                let done = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
                    .args(["verify", target, "--timeout", "2", "--resolver", &server])
                    .output()
                    .unwrap();
                let said = String::from_utf8(done.stdout).unwrap();
                assert!(
                    began.elapsed() < Duration::from_secs(10),
                    "{target}, {what}: {:?}",
                    began.elapsed()
                );
                assert_eq!(done.status.code(), Some(code), "{target}, {what}: {said}");
                assert!(
                    said.contains(expected),
                    "{target}, {what}: no `{expected}` in {said}"
                );
            });
        }
    });
}

/// Answers everything with the same records.
struct Always(Reply);

impl Source for Always {
    async fn ask(&self, _: &Name, _: Rtype) -> Result<Reply, String> {
        Ok(self.0.clone())
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let names = prop::sample::select(vec![
        ".",
        "com.",
        "example.com.",
        "*.example.com.",
        "a.example.com.",
        "_25._tcp.a.example.com.",
    ]);
    let types = prop::sample::select(vec![1_u16, 2, 5, 6, 15, 39, 43, 46, 47, 48, 50, 52, 65_280]);
    let covered = prop::sample::select(vec![1_u16, 5, 15, 39, 43, 47, 48, 50, 52]);
    (
        names.clone(),
        types,
        covered,
        names,
        prop::collection::vec(any::<u8>(), 0..80),
    )
        .prop_map(|(owner, rtype, covered, signer, mut octets)| {
            if rtype == 46 && octets.len() > 20 {
                // An RRSIG that can be read, so that its signer's keys are asked for.
                let signer = Name::parse(signer.as_bytes(), None).unwrap();
                octets.splice(0..2, covered.to_be_bytes());
                octets.splice(18..18, signer.wire().to_vec());
            }
            Record {
                owner: Name::parse(owner.as_bytes(), None).unwrap(),
                ttl: Ttl(60),
                rtype: Rtype(rtype),
                rdata: Rdata(octets.into()),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    /// Whatever records come back, a validator ends, and calls nothing secure that nobody of trust has signed.
    #[test]
    fn no_records_stall_or_fool_the_validator(
        answers in prop::collection::vec(any_record(), 0..12),
        authorities in prop::collection::vec(any_record(), 0..12),
        rcode in prop::sample::select(vec![0_u16, 0, 0, 3, 2]),
        rtype in prop::sample::select(vec![1_u16, 15, 43, 52]),
    ) {
        let reply = Reply {
            rcode,
            authoritative: false,
            truncated: false,
            answers,
            authorities,
            additionals: Vec::new(),
            explanation: None,
        };
        let validator = Validator::new(Always(reply), Anchors::root(), Moment::from_unix(1_795_435_200));
        let name = Name::parse(b"_25._tcp.a.example.com.", None).unwrap();
        let lookup = async { tokio::time::timeout(Duration::from_secs(20), validator.lookup(&name, Rtype(rtype))).await };
        let outcome = wait_for(lookup).unwrap();
        prop_assert!(outcome.is_ok(), "the validator hangs");
        match outcome.unwrap() {
            Err(NoAnswer::Bogus(_) | NoAnswer::Failed(_)) => {}
            Ok(answer) => prop_assert!(answer.security != Security::Secure && rcode == 2, "{answer:?}"),
        }
    }
}

/// Many hosts on a listener that counts: sockets are bounded, and none is forgotten.
#[test]
fn a_thousand_hosts_are_asked_with_bounded_sockets() {
    const HOSTS: usize = 1_000;
    const AT_ONCE: usize = 32;
    let (open, most, all) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    {
        let (open, most, all) = (Arc::clone(&open), Arc::clone(&most), Arc::clone(&all));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (open, most) = (Arc::clone(&open), Arc::clone(&most));
                all.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut stream = stream;
                    most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let _ = stream.write_all(b"220 here\r\n");
                    let mut line = [0; 512];
                    let _ = stream.read(&mut line);
                    // No STARTTLS. Counted as gone before the client can know.
                    open.fetch_sub(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"250 here\r\n");
                });
            }
        });
    }
    let refused = Reply {
        rcode: 2,
        authoritative: false,
        truncated: false,
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
        explanation: None,
    };
    let question = |n: usize| Question {
        name: Name::parse(format!("mx{n}.example.com.").as_bytes(), None).unwrap(),
        port: None,
        is_host: true,
    };
    let questions: Vec<Question> = (0..HOSTS).map(question).collect();
    let overrides: Overrides = questions
        .iter()
        .map(|q| (q.name.clone(), vec![address]))
        .collect();
    // No trust anchor above: TLSA records count for nobody, the hosts are spoken to all the same.
    let anchor = b"elsewhere. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
    let empty = Reply {
        rcode: 0,
        ..refused
    };
    let now = Moment::from_unix(1_795_435_200);
    let sender = Arc::new(Sender {
        validator: Validator::new(Always(empty), Anchors::read("anchor", anchor).unwrap(), now),
        overrides,
        families: Families::Both,
    });
    let bounds = Bounds {
        conversations: AT_ONCE,
        overall: Duration::from_secs(60),
    };
    let began = Instant::now();
    let found = wait_for(verify(&questions, &sender, &Caller::default(), now, bounds)).unwrap();
    let took = began.elapsed();
    assert_eq!(found.len(), HOSTS);
    for (question, verification) in questions.iter().zip(&found) {
        assert_eq!(verification.question, *question);
        assert_eq!(
            verification.standing(),
            Standing::Unprotected,
            "{verification:?}"
        );
    }
    let lines: usize = found
        .iter()
        .map(|v: &Verification| v.hosts[0].lines.len())
        .sum();
    let (most, all) = (most.load(Ordering::SeqCst), all.load(Ordering::SeqCst));
    assert_eq!(
        (lines, all),
        (HOSTS * 2, HOSTS * 4),
        "two algorithms, each in TLS 1.3 and in TLS 1.2"
    );
    assert!(most <= AT_ONCE, "{most} sockets at once");
    assert!(took < Duration::from_secs(45), "{took:?}");
}
