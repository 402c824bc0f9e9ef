//! What the server must withstand: secondaries that stall, thousands of transfers, questions without end, a swap in between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout, // what the flood came to, for who runs it with --no-capture
    missing_docs
)]

mod engine_support;
mod serve_support;

use serve_support::{APEX, Keys, Ours, ZONE, delv, dig, serve, stdout_of, until};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const AXFR: &[u8] = b"\x00\x1d\xbe\xef\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\xfc\x00\x01";

/// A zone of many megabytes, more than the kernel keeps for one who does not read.
fn vast_zone(serial: &str, records: usize) -> String {
    let mut zone = ZONE.replace("2026112301", serial);
    let text = "x".repeat(250);
    for n in 0..records {
        writeln!(zone, "h{n} TXT {text}").unwrap();
    }
    zone
}

fn served(keys: &Keys, zone: &str) -> Ours {
    let file = keys.path("served");
    fs::write(&file, zone).unwrap();
    serve(&file, &["--unsigned", "--allow-transfer", "127.0.0.0/8"])
}

fn memory(ours: &Ours) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", ours.peer.child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn ask(server: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(AXFR).unwrap();
    stream
}

/// The next message, if one comes.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

#[test]
fn secondaries_that_stall_hold_up_neither_questions_nor_others_and_cost_little() {
    let keys = Keys::generate();
    let ours = served(&keys, &vast_zone("1", 40_000));
    let before = memory(&ours);
    let stalled: Vec<TcpStream> = (0..80).map(|_| ask(ours.address)).collect();
    let began = Instant::now();
    let said = dig(ours.address, &["+tcp", APEX, "SOA"]);
    assert!(said.contains("status: NOERROR"), "{said}");
    // Another secondary, from another address.
    let whole = dig(
        ours.address,
        &["-b", "127.0.0.2", "+noall", "+stats", APEX, "AXFR"],
    );
    assert!(whole.contains("XFR size: 40"), "{whole}");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "others waited {took:?}");
    let grown = memory(&ours).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more for 80 that stall");
    drop(stalled);
}

#[test]
fn a_transfer_under_way_ends_with_the_version_it_began_with() {
    let keys = Keys::generate();
    let ours = served(&keys, &vast_zone("1", 24_000));
    let mut stream = ask(ours.address);
    let mut all = vec![message(&mut stream).unwrap()];
    fs::write(keys.path("new"), vast_zone("2", 24_000)).unwrap();
    fs::rename(keys.path("new"), keys.path("served")).unwrap();
    stdout_of("kill", &["-HUP", &ours.peer.child.id().to_string()]);
    let newer = || dig(ours.address, &["+short", APEX, "SOA"]).contains(" 2 7200");
    until("the new version is served", newer);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    while let Some(more) = message(&mut stream) {
        all.push(more);
    }
    let octets: usize = all.iter().map(Vec::len).sum();
    assert!(octets > 6 << 20, "all of it: {octets} octets");
    let soas = |message: &Vec<u8>, serial: u32| {
        let fields = [serial.to_be_bytes(), 7200_u32.to_be_bytes()].concat();
        message
            .windows(8)
            .filter(|window| *window == fields)
            .count()
    };
    let count = |serial| {
        all.iter()
            .map(|message| soas(message, serial))
            .sum::<usize>()
    };
    assert_eq!(
        (count(1), count(2)),
        (2, 0),
        "the SOA that opens it and the one that closes it"
    );
}

#[test]
fn ten_thousand_transfers_are_carried_out_in_turn_and_in_bounded_memory() {
    let keys = Keys::generate();
    let ours = served(&keys, ZONE);
    let one = {
        let mut stream = ask(ours.address);
        message(&mut stream).unwrap().len()
    };
    let before = memory(&ours);
    let threads: Vec<_> = (0..10)
        .map(|_| {
            let address = ours.address;
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream
                    .set_read_timeout(Some(Duration::from_secs(60)))
                    .unwrap();
                let mut writer = stream.try_clone().unwrap();
                let requests = std::thread::spawn(move || {
                    // The server reads no faster than it is read from: this blocks, and must not fail.
                    (0..1000).all(|_| writer.write_all(AXFR).is_ok())
                });
                let got = (0..1000)
                    .filter(|_| message(&mut stream).is_some_and(|m| m.len() == one))
                    .count();
                assert!(requests.join().unwrap());
                got
            })
        })
        .collect();
    let got: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(got, 10_000);
    let grown = memory(&ours).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    assert!(dig(ours.address, &[APEX, "SOA"]).contains("status: NOERROR"));
}

/// Questions for names that nobody has, no two alike.
fn random_questions(count: usize) -> String {
    let mut questions = String::new();
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        writeln!(questions, "_25._tcp.x{state:x}.example.com TLSA").unwrap();
    }
    questions
}

/// What dnsperf says after so many seconds with 10,000 questions a second.
fn flood(server: SocketAddr, questions: &Path, seconds: u32) -> String {
    let (port, seconds) = (server.port().to_string(), seconds.to_string());
    let rate = ["-Q", "10000", "-D", "-c", "8"];
    let whom = ["-s", "127.0.0.1", "-p", &port, "-l", &seconds];
    let what = ["-d", questions.to_str().unwrap()];
    stdout_of("dnsperf", &[whom.as_slice(), &rate, &what].concat())
}

/// Whether it denies a random name with proof, and answers for one that is there.
fn answers_right(ours: &Ours, keys: &Keys, number: usize) -> bool {
    let ask = |name: &str| dig(ours.address, &["+dnssec", name, "TLSA"]);
    let there = ask("_25._tcp.mx1.example.com");
    let absent = format!("_25._tcp.y{number}.example.com");
    there.contains("status: NOERROR")
        && there.contains("RRSIG\tTLSA")
        && ask(&absent).contains("status: NXDOMAIN")
        && delv(ours.address, keys, &absent, "TLSA")
            .contains("; negative response, fully validated")
}

/// For four seconds; with `WHOLE_MINUTE` in the environment for sixty, which wants a machine that does nothing else and
/// `--release`, and then the rate is judged, too.
#[test]
fn random_names_without_end_take_no_memory_and_others_are_answered_right() {
    let long = std::env::var_os("WHOLE_MINUTE").is_some();
    let seconds = if long { 60 } else { 4 };
    let keys = Keys::generate();
    let ours = serve(&keys.sign(ZONE, &[]), &[]);
    let questions = keys.path("questions");
    // More than are asked, so that no answer can be one that was remembered.
    fs::write(&questions, random_questions(seconds as usize * 12_000)).unwrap();
    flood(ours.address, &questions, 1);
    let before = memory(&ours);
    let (mut asked, mut right) = (0_usize, 0_usize);
    let said = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(ours.address, &questions, seconds));
        while asked < 5 || !flood.is_finished() {
            asked += 1;
            right += usize::from(answers_right(&ours, &keys, asked));
        }
        flood.join().unwrap()
    });
    let of = |what: &str| {
        let line = said.lines().find(|line| line.contains(what)).unwrap();
        let number = line.split(':').nth(1).unwrap().split_whitespace().next();
        number.unwrap().parse::<f64>().unwrap()
    };
    let after = memory(&ours);
    println!(
        "{asked} asked meanwhile, {right} right; {before} KiB before, {after} KiB after\n{said}"
    );
    assert!(right == asked, "{right} of {asked}");
    // How many depends on what else the machine does; a server that stalls would answer next to none.
    let least = if long { 590_000.0 } else { 500.0 };
    assert!(of("Queries completed") > least, "{said}");
    let codes = said.lines().find(|line| line.contains("Response codes:"));
    assert!(
        codes.is_some_and(|codes| codes.contains("NXDOMAIN") && codes.ends_with("(100.00%)")),
        "{said}"
    );
    let grown = after.saturating_sub(before);
    assert!(grown < 4 << 10, "{grown} KiB more");
}
