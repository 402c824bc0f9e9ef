//! `verify` beside `posttls-finger`, in one run on one machine, against real servers: one host at two addresses with RSA
//! and ECDSA, and a thousand hosts at once.
//!
//! Needs root, for a network namespace of its own, and the peers that `scripts/test` installs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    missing_docs
)]

#[path = "../senders_interop/authorities.rs"]
mod authorities;
#[path = "../senders_interop/mail.rs"]
mod mail;
#[path = "../senders_interop/pki.rs"]
mod pki;
#[path = "../senders_interop/world.rs"]
mod world;

use authorities::RESOLVER;
use mail::{EXIM, POSTFIX, at};
use pki::Pki;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tlsa_rotate::observe::probe::{Answer, present};
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::rotation::observation::{Endpoint, KeyAlgorithm};
use world::{World, both, ours};

/// The zone whose hosts are looked at.
const ZONE: &str = "ldns.com";
/// Runs of which the median counts.
const RUNS: usize = 15;
/// Hosts at once.
const HOSTS: usize = 1_000;
/// Conversations of one `verify` with two addresses: RSA and ECDSA, each in the best TLS and in TLS 1.2.
const CONVERSATIONS: u32 = 8;

fn main() {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    if addresses.is_empty() {
        let world = build();
        one_host(&world);
        many_hosts(&world);
    } else {
        handshakes(&addresses);
    }
}

fn build() -> World {
    let mut world = World::new(RESOLVER);
    let names = ["*.ldns.com", "mx.two.ldns.com"].map(str::to_owned);
    let pki = Pki::make(&world, &names);
    let (postfix, exim) = (at(&POSTFIX, "RSA+A"), at(&EXIM, "RSA+A"));
    let mut records = format!("_25._tcp.forged TLSA 3 1 1 {}\n", "e1".repeat(32));
    let mut host = |name: &str, addresses: &[&str]| {
        for address in addresses {
            records.push_str(&format!("{name} A {address}\n"));
        }
        for digest in [&pki.a, &pki.r] {
            records.push_str(&format!("_25._tcp.{name} TLSA 3 1 1 {digest}\n"));
        }
    };
    host("mx.two", &[postfix, exim]);
    for number in 0..HOSTS {
        host(&format!("h{number}"), &[postfix]);
    }
    records.push_str("two MX 10 mx.two\n");
    let others = format!("mx A {postfix}\n");
    let forge = ("e1".repeat(32), "f0".repeat(32));
    authorities::serve(
        &mut world,
        |_| records.clone(),
        &others,
        &others,
        (&forge.0, &forge.1),
    );
    mail::postfix(&mut world, "interop.test");
    mail::exim(&mut world);
    world
}

fn one_host(world: &World) {
    println!("one host, 2 addresses × 2 algorithms (median of {RUNS})");
    let domain = format!("two.{ZONE}");
    let verify = || {
        let args = ["verify", &domain, "--trust-anchor", "anchor"];
        succeed(&mut world.command(&ours(), &args), "verified")
    };
    let finger = || {
        let args = ["-c", "-l", "dane", "-L", "summary", &domain];
        let mut command = world.command("posttls-finger", &args);
        command.env("MAIL_CONFIG", world.path("postfix/etc"));
        succeed(&mut command, "Verified TLS connection established")
    };
    let nothing = || succeed(&mut world.command("true", &[]), "");
    // The resolver's cache is full after one of each.
    verify();
    finger();
    let (mut mine, mut theirs, mut start) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        mine.push(verify());
        theirs.push(finger());
        start.push(nothing());
    }
    let (mine, theirs, start) = (median(mine), median(theirs), median(start));
    let targets = [at(&POSTFIX, "RSA+A"), at(&EXIM, "RSA+A")];
    let me = std::env::current_exe().unwrap();
    let told = world.run(me.to_str().unwrap(), &targets);
    let handshake = Duration::from_secs_f64(told.trim().parse().unwrap());
    let bound = theirs * 6 / 5 + handshake * (CONVERSATIONS - 1);
    row("a process in the namespace", start);
    row("posttls-finger", theirs);
    row("one conversation with STARTTLS, alone", handshake);
    row("tlsa-rotate verify", mine);
    row("1.2 × posttls-finger + 7 conversations", bound);
    ratio("times posttls-finger", mine, theirs);
    ratio("times the bound", mine, bound);
}

fn many_hosts(world: &World) {
    println!("\n{HOSTS} hosts at once, at one Postfix");
    let targets: Vec<String> = (0..HOSTS).map(|n| format!("h{n}.{ZONE}:25")).collect();
    let mut args = vec![
        "verify",
        "--trust-anchor",
        "anchor",
        "--timeout",
        "10m",
        "--format",
        "json",
    ];
    args.extend(targets.iter().map(String::as_str));
    let report = fs::File::create(world.path("many.json")).unwrap();
    let began = Instant::now();
    let mut child = world
        .command(&ours(), &args)
        .stdout(report)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(sockets(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    };
    let mine = began.elapsed();
    assert!(status.success(), "{}", world.read("many.json"));
    row("tlsa-rotate verify, 4 conversations with each", mine);
    println!("  {:44} {most:10}", "sockets open at most");
    let names: Vec<String> = (0..HOSTS).map(|n| format!("h{n}.{ZONE}\n")).collect();
    world.write("hosts", names.concat());
    let script =
        "xargs -a hosts -P 64 -I{} posttls-finger -c -l dane -L summary '[{}]' >fingers 2>&1";
    let mut command = world.command("bash", &["-c", script]);
    let theirs = succeed(command.env("MAIL_CONFIG", world.path("postfix/etc")), "");
    let verified = world
        .read("fingers")
        .matches("Verified TLS connection established")
        .count();
    row("64 posttls-finger at a time, 1 with each", theirs);
    println!("  {:44} {verified:10}", "verified by them");
    ratio("times posttls-finger", mine, theirs);
}

/// The median of conversations with each of these addresses for both algorithms, one at a time, in seconds.
fn handshakes(addresses: &[String]) {
    let endpoint = Endpoint {
        host: format!("mx.two.{ZONE}"),
        port: 25,
    };
    let caller = Caller::default();
    let mut taken = Vec::new();
    for _ in 0..RUNS {
        for address in addresses {
            let address = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 25);
            for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
                let began = Instant::now();
                let answer = wait_for(present(&endpoint, address, algorithm, &caller)).unwrap();
                taken.push(began.elapsed());
                assert!(matches!(answer, Ok(Answer::Chain(_))), "{answer:?}");
            }
        }
    }
    println!("{}", median(taken).as_secs_f64());
}

fn succeed(command: &mut Command, word: &str) -> Duration {
    let began = Instant::now();
    let done = command.output().unwrap();
    let taken = began.elapsed();
    let said = both(&done);
    assert!(done.status.success() && said.contains(word), "{said}");
    taken
}

fn sockets(pid: u32) -> usize {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    open.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken[taken.len() / 2]
}

fn row(what: &str, taken: Duration) {
    println!("  {what:44} {:10.1} ms", taken.as_secs_f64() * 1e3);
}

fn ratio(what: &str, one: Duration, other: Duration) {
    println!(
        "  {what:44} {:10.2}",
        one.as_secs_f64() / other.as_secs_f64()
    );
}
