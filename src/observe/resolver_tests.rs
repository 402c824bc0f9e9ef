//! Which servers are asked, how often, and what their silence and errors come to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::observe::wait_for;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Datagrams are repeated after a third of it: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a server does with one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Silent,
    Rcode(u8),
    /// SERVFAIL with this extended error.
    Explained(u16),
}

const ANSWER: Deed = Deed::Rcode(0);
const FAIL: Deed = Deed::Rcode(2);

/// A server that does these things one after the other, and then the last of them for ever; how many datagrams came.
/// Its thread ends with the process.
fn server(deeds: &'static [Deed]) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut octets) {
            let at = count.fetch_add(1, Ordering::SeqCst);
            let mut reply = octets[..length].to_vec();
            reply[2] |= 0x80;
            match deeds[at.min(deeds.len() - 1)] {
                Deed::Silent => continue,
                Deed::Rcode(rcode) => reply[3] = rcode,
                Deed::Explained(code) => {
                    reply[3] = 2;
                    // The question's OPT record is the last thing in it, without options.
                    reply.truncate(length - 2);
                    reply.extend([0, 6, 0, 15, 0, 2]);
                    reply.extend(code.to_be_bytes());
                }
            }
            let _ = socket.send_to(&reply, from);
        }
    });
    (address, came)
}

fn ask(servers: Vec<SocketAddr>) -> Result<Reply, String> {
    let resolvers = Resolvers::new(servers, PATIENCE, 1);
    let name = Name::parse(b"a.example.", None).unwrap();
    let began = Instant::now();
    let said = wait_for(resolvers.ask(&name, Rtype::TLSA)).unwrap();
    assert!(began.elapsed() < PATIENCE * 10, "{said:?}");
    said
}

/// What is done, datagrams that come, what it comes to.
type Row = (&'static [Deed], usize, &'static str, &'static str);

#[test]
fn what_may_be_over_in_a_moment_is_asked_again_and_a_verdict_is_not() {
    use Deed::{Explained, Rcode, Silent};
    #[rustfmt::skip]
    let table: [Row; 12] = [
        (&[ANSWER], 1, "NOERROR", "an answer"),
        (&[Rcode(3)], 1, "NXDOMAIN", "an answer, too"),
        (&[FAIL, ANSWER], 2, "NOERROR", "an error of a moment"),
        (&[FAIL], 2, "SERVFAIL", "an error that stays, and no third time"),
        (&[Explained(22), ANSWER], 2, "NOERROR", "no server could be reached"),
        (&[Explained(22), FAIL], 2, "SERVFAIL extended error 22", "what explains more stays"),
        (&[FAIL, Explained(6)], 2, "SERVFAIL extended error 6", "what explains more stays"),
        (&[Explained(6), ANSWER], 1, "SERVFAIL extended error 6", "bogus: the resolver has looked at the data"),
        (&[Explained(7), ANSWER], 1, "SERVFAIL extended error 7", "expired"),
        (&[Rcode(5), ANSWER], 1, "REFUSED", "it does not want to"),
        (&[Silent, Silent, Silent, ANSWER], 4, "NOERROR", "silent for a whole round"),
        (&[FAIL, Silent], 4, "SERVFAIL", "one that did answer said more than silence"),
    ];
    let row = |(deeds, datagrams, expected, why): Row| {
        let (server, came) = server(deeds);
        let told = match ask(vec![server]) {
            Ok(reply) => {
                let explained = reply.explanation.map(|e| format!(" {e}"));
                rcode_name(reply.rcode) + &explained.unwrap_or_default()
            }
            Err(why) => why,
        };
        assert_eq!(told, expected, "{deeds:?}: {why}");
        assert_eq!(came.load(Ordering::SeqCst), datagrams, "{deeds:?}: {why}");
    };
    std::thread::scope(|scope| {
        for of in table {
            scope.spawn(move || row(of));
        }
    });
}

#[test]
fn silence_and_errors_are_named_for_each_server() {
    use Deed::Silent;
    let ((silent, _), (failing, _)) = (server(&[Silent]), server(&[FAIL]));
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let table = [
        (vec![], "no resolver is known".to_owned()),
        (vec![silent], format!("{silent}: no answer within")),
        (vec![closed], format!("{closed}: connection refused")),
        (
            vec![failing, closed],
            format!("{failing} answers SERVFAIL; {closed}: connection refused"),
        ),
    ];
    std::thread::scope(|scope| {
        for (servers, expected) in table {
            scope.spawn(move || {
                let why = ask(servers).unwrap_err();
                assert!(why.starts_with(&expected), "{expected}: {why}");
            });
        }
    });
}

#[test]
fn the_second_round_asks_each_that_may_answer_better() {
    let (verdict, asked) = server(&[Deed::Explained(6), ANSWER]);
    let (moment, came) = server(&[FAIL, ANSWER]);
    assert_eq!(ask(vec![verdict, moment]).unwrap().rcode, 0);
    let counts = [asked, came].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [1, 2]);
}

#[test]
fn servers_stand_in_lines_of_their_own() {
    let table = [
        ("nameserver 192.0.2.1\n", "192.0.2.1:53", "one"),
        (
            "# nameserver 192.0.2.9\nsearch a\n\tnameserver\t::1 # x\nnameserver 192.0.2.2\n",
            "[::1]:53 192.0.2.2:53",
            "comments, tabs, IPv6",
        ),
        (
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
            "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53",
            "three at most",
        ),
        (
            "nameserver\nnameserver x\nnameservers 192.0.2.1\n",
            "",
            "none",
        ),
    ];
    for (text, expected, why) in table {
        let servers: Vec<String> = servers_of(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers.join(" "), expected, "{why}");
    }
}
