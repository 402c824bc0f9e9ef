//! Replies that are odd: the conversation comes as far as `TLS` where that of Postfix's client does, and no further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tlsa_rotate::observe::probe::present_anything;
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::rotation::observation::Endpoint;

const GREETING: &str = "220 mx1 ESMTP\r\n";
const READY: &str = "250-mx1\r\n250 STARTTLS\r\n";
const GO: &str = "220 go\r\n";

/// Greeting, replies to EHLO and STARTTLS, and whether Postfix begins TLS.
fn table() -> Vec<(String, String, &'static str, bool)> {
    let ehlo = |reply: &str, good| (GREETING.to_owned(), reply.to_owned(), GO, good);
    let greeting = |greeting: &str, good| (greeting.to_owned(), READY.to_owned(), GO, good);
    let go = |reply, good| (GREETING.to_owned(), READY.to_owned(), reply, good);
    let many = |count: usize| format!("{}250 STARTTLS\r\n", "250-and more of it\r\n".repeat(count));
    vec![
        ehlo(READY, true),
        ehlo("250 STARTTLS\r\n", true),
        ehlo("250-STARTTLS\r\n250 SIZE\r\n", true),
        ehlo("250 mx1 STARTTLS\r\n", false),
        ehlo("250-mx1\r\n250 STARTTLS=x\r\n", true),
        ehlo("250-mx1\r\n250 =STARTTLS\r\n", true),
        ehlo("250-mx1\r\n250 STARTTLS\tx\r\n", true),
        ehlo("250-mx1\r\n250\tSTARTTLS\r\n", true),
        ehlo("250-mx1\r\n250-\tSTARTTLS\r\n250 x\r\n", true),
        ehlo("250-mx1\r\n250   starttls\r\n", true),
        ehlo("250-mx1\r\n250---STARTTLS\r\n250 x\r\n", false),
        ehlo("250-mx1\r\n250 STARTTLS,x\r\n", false),
        ehlo("250-mx1\r\n250 SIZE STARTTLS\r\n", false),
        ehlo("250-mx1\r\n250STARTTLS\r\n", true),
        ehlo("250-mx1\r\n250_STARTTLS\r\n", false),
        ehlo("250-mx1\r\n250 STARTTLS\0x\r\n", true),
        ehlo("250-mx1\r\n500-x\r\n250 STARTTLS\r\n", true),
        ehlo("250-mx1\r\n250-STARTTLS\r\n500 x\r\n", false),
        ehlo("250-mx1\r\nfoo bar\r\n250 STARTTLS\r\n", false),
        ehlo("251-mx1\r\n251 STARTTLS\r\n", true),
        ehlo("250-mx1\n250-STARTTLS\n250\n", true),
        ehlo("250-mx1\r\r\n250 STARTTLS\r\r\n", true),
        ehlo(&many(50), true),
        ehlo(&many(300), false),
        ehlo(
            &format!("250-mx1\r\n250-{}\r\n250 STARTTLS\r\n", "y".repeat(5_000)),
            false,
        ),
        ehlo(
            &format!("250-mx1\r\n250-STARTTLS {}\r\n250 x\r\n", "y".repeat(5_000)),
            true,
        ),
        ehlo("502 what?\r\n", false),
        greeting(&format!("220 {}\r\n", "x".repeat(3_000)), true),
        greeting(&format!("220 {}\r\n", "x".repeat(500_000)), true),
        greeting(
            &format!("{}220 x\r\n", "220-hello there\r\n".repeat(10_000)),
            true,
        ),
        greeting("\r\n220 x\r\n", false),
        greeting("hello\r\n220 x\r\n", false),
        greeting(" 220 x\r\n", false),
        greeting("2200 x\r\n", false),
        greeting("120 wait\r\n220 x\r\n", false),
        greeting("620 x\r\n", false),
        greeting("221 x\r\n", true),
        greeting("200 x\r\n", true),
        greeting("220\r\n", true),
        go("250 go\r\n", true),
        go("299 go\r\n", true),
        go("354 go\r\n", false),
        go("220-go\r\n220 on\r\n", true),
        // What anybody may have put behind the reply is thrown away.
        go("220 go\r\n250 injected\r\n", true),
        go("220 go\r\n\r\n", true),
        go("501 no\r\n", false),
    ]
}

/// A server of these replies, and how many handshakes were begun with it.
fn server(replies: [String; 3]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if speak(&stream, &replies) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (address, begun)
}

/// Whether the client began a handshake.
fn speak(stream: &TcpStream, [greeting, ehlo, starttls]: &[String; 3]) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut to = stream;
    let mut from = BufReader::new(stream);
    let mut say = |text: &str| to.write_all(text.as_bytes()).is_ok();
    if !say(greeting) {
        return false;
    }
    loop {
        let mut line = String::new();
        if !from.read_line(&mut line).is_ok_and(|read| read > 0) {
            return false;
        }
        let said = match line.to_ascii_uppercase().get(..4) {
            Some("EHLO") => say(ehlo),
            Some("HELO") => say("250 mx1\r\n"),
            Some("STAR") => {
                let mut first = [0];
                let answered = say(starttls) && from.read_exact(&mut first).is_ok();
                // A record of TLS; anything else is the beginning of QUIT.
                return answered && first == [0x16];
            }
            Some("QUIT") => return false,
            _ => say("500 what?\r\n"),
        };
        if !said {
            return false;
        }
    }
}

#[tokio::test]
async fn odd_replies_lead_as_far_as_with_posttls_finger() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("main.cf"),
        "myhostname = probe.example.net\n",
    )
    .unwrap();
    let caller = Caller {
        name: "probe.example.net".to_owned(),
        ..Caller::within(Duration::from_secs(5))
    };
    let endpoint = Endpoint {
        host: "mx1.example.com".to_owned(),
        port: 25,
    };
    let mut wrong = Vec::new();
    for (greeting, ehlo, starttls, expected) in table() {
        let shown: String = format!("{greeting}{ehlo}{starttls}")
            .chars()
            .take(90)
            .collect();
        let (address, begun) = server([greeting, ehlo, starttls.to_owned()]);
        let theirs = Command::new("posttls-finger")
            .args(["-c", "-t", "5", "-T", "5", "-l", "encrypt"])
            .arg(format!("[127.0.0.1]:{}", address.port()))
            .env("MAIL_CONFIG", home.path())
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .output()
            .expect("posttls-finger must be installed");
        let by_postfix = begun.swap(0, Ordering::SeqCst);
        let found = present_anything(&endpoint, address, &caller).await;
        let by_us = begun.load(Ordering::SeqCst);
        if [by_postfix > 0, by_us > 0] != [expected; 2] {
            let said = String::from_utf8_lossy(&theirs.stdout).into_owned();
            wrong.push(format!(
                "{shown:?}: Postfix {by_postfix} ({said}), we {by_us} ({found:?})"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
