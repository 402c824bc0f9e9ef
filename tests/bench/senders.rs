//! `verify` beside `posttls-finger`, in one run on one machine, against real servers: one host at two addresses with RSA
//! and ECDSA, and a thousand hosts at once; each with the resolver's cache full, and empty. Wall time (medians), and CPU time
//! of all processes that were run (means), which says more on a busy machine.
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
use serde_json::Value;
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

/// How long something took, and how much of a processor.
#[derive(Clone, Copy)]
struct Time {
    wall: Duration,
    cpu: Duration,
}

/// What was measured with all answers in the resolver's cache, and with none.
#[derive(Clone, Copy)]
struct Taken {
    warm: Time,
    cold: Time,
}

impl Taken {
    /// So many pairs of runs: one after the resolver has forgotten all, one after that.
    fn of(world: &World, runs: usize, mut run: impl FnMut() -> Duration) -> Self {
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        let mut timed = || {
            let before = cpu(CHILDREN);
            let wall = run();
            let cpu = cpu(CHILDREN).checked_sub(before).unwrap();
            Time { wall, cpu }
        };
        for _ in 0..runs {
            forget(world);
            cold.push(timed());
            warm.push(timed());
        }
        Self {
            warm: Time::of(&warm),
            cold: Time::of(&cold),
        }
    }

    fn plus(self, other: Self, sum: impl Fn(Duration, Duration) -> Duration) -> Self {
        let time = |one: Time, other: Time| Time {
            wall: sum(one.wall, other.wall),
            cpu: sum(one.cpu, other.cpu),
        };
        Self {
            warm: time(self.warm, other.warm),
            cold: time(self.cold, other.cold),
        }
    }
}

impl Time {
    fn of(runs: &[Self]) -> Self {
        let cpu: Duration = runs.iter().map(|run| run.cpu).sum();
        Self {
            wall: median(runs.iter().map(|run| run.wall).collect()),
            cpu: cpu / u32::try_from(runs.len()).unwrap(),
        }
    }
}

/// Where `/proc/self/stat` has the CPU time of a process, and of its children that have ended.
const ITSELF: usize = 11;
const CHILDREN: usize = 13;

/// User and system time, which the kernel counts in hundredths of a second.
fn cpu(field: usize) -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace();
    let hundredths: u64 = fields
        .skip(field)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(hundredths * 10)
}

/// Makes the resolver forget all that it has learnt: records, keys, and how fast each server is.
fn forget(world: &World) {
    let config = world.at("unbound.conf");
    let control =
        |arguments: &[&str]| world.run("unbound-control", &[&["-c", &config], arguments].concat());
    control(&["flush_zone", "."]);
    control(&["flush_infra", "all"]);
    let left = control(&["dump_cache"]);
    assert!(!left.contains(".com."), "{left}");
}

fn one_host(world: &World) {
    heading(&format!(
        "one host, 2 addresses × 2 algorithms (median of {RUNS})"
    ));
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
    let mine = Taken::of(world, RUNS, verify);
    let theirs = Taken::of(world, RUNS, finger);
    let start = Taken::of(world, RUNS, nothing);
    let targets = [at(&POSTFIX, "RSA+A"), at(&EXIM, "RSA+A")];
    let me = std::env::current_exe().unwrap();
    let told = world.run(me.to_str().unwrap(), &targets);
    let told: Vec<f64> = told
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    let alone = Time {
        wall: Duration::from_secs_f64(told[0]),
        cpu: Duration::from_secs_f64(told[1]),
    };
    let alone = Taken {
        warm: alone,
        cold: alone,
    };
    let bound = theirs.plus(alone, |theirs, alone| {
        theirs * 6 / 5 + alone * (CONVERSATIONS - 1)
    });
    row("a process in the namespace", start);
    row("posttls-finger", theirs);
    row("one conversation with STARTTLS, alone", alone);
    row("tlsa-rotate verify", mine);
    row("1.2 × posttls-finger + 7 conversations", bound);
    ratio("times posttls-finger", mine, theirs);
    ratio("times the bound", mine, bound);
}

fn many_hosts(world: &World) {
    println!();
    heading(&format!("{HOSTS} hosts at once, at one Postfix"));
    let mut most = 0;
    let mine = Taken::of(world, 1, || verify_many(world, &mut most));
    row("tlsa-rotate verify, 4 conversations with each", mine);
    println!("  {:45} {most:10}", "sockets open at most");
    let errors = world.read("unbound.out").matches("SERVFAIL").count();
    println!("  {:45} {errors:10}", "errors of the resolver, asked again");
    let theirs = Taken::of(world, 1, || finger_many(world));
    row("64 posttls-finger at a time, 1 with each", theirs);
    ratio("times posttls-finger", mine, theirs);
}

/// One `verify` of all hosts, each of which must be verified; `most` grows to the sockets that it had open. A resolver that
/// has just forgotten everything answers SERVFAIL now and then, and is asked again.
fn verify_many(world: &World, most: &mut usize) -> Duration {
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
    while child.try_wait().unwrap().is_none() {
        *most = (*most).max(sockets(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let taken = began.elapsed();
    let told: Value = serde_json::from_str(&world.read("many.json")).unwrap();
    let hosts = told["targets"].as_array().unwrap();
    let not: Vec<&Value> = hosts
        .iter()
        .filter(|host| host["standing"] != "verified")
        .collect();
    assert!(
        not.is_empty() && hosts.len() == HOSTS,
        "{}: {not:#?}\n{}",
        not.len(),
        world.read("unbound.out")
    );
    taken
}

/// One `posttls-finger` for each host. Those that a SERVFAIL kept from an answer are told: it does not ask again.
fn finger_many(world: &World) -> Duration {
    let names: Vec<String> = (0..HOSTS).map(|n| format!("h{n}.{ZONE}\n")).collect();
    world.write("hosts", names.concat());
    let script =
        "xargs -a hosts -P 64 -I{} posttls-finger -c -l dane -L summary '[{}]' >fingers 2>&1";
    let mut command = world.command("bash", &["-c", script]);
    let taken = succeed(command.env("MAIL_CONFIG", world.path("postfix/etc")), "");
    let fingers = world.read("fingers");
    let verified = fingers
        .matches("Verified TLS connection established")
        .count();
    if verified < HOSTS {
        println!("  posttls-finger verified {verified} of {HOSTS} hosts in this run");
    }
    // More would be another reason, and no measure of its speed.
    assert!(HOSTS - verified <= HOSTS / 100, "{fingers}");
    taken
}

/// Conversations with each of these addresses for both algorithms, one at a time: the median of their times, and the mean of
/// the CPU time here, in seconds.
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
    let mean = cpu(ITSELF) / u32::try_from(taken.len()).unwrap();
    println!("{} {}", median(taken).as_secs_f64(), mean.as_secs_f64());
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

fn heading(what: &str) {
    println!(
        "{what:47} {:>13} {:>13} {:>13} {:>13}",
        "warm cache", "cold cache", "warm CPU", "cold CPU"
    );
}

fn row(what: &str, taken: Taken) {
    let shown = |taken: Duration| format!("{:10.1} ms", taken.as_secs_f64() * 1e3);
    let [warm, cold] = [taken.warm.wall, taken.cold.wall].map(shown);
    let [warm_cpu, cold_cpu] = [taken.warm.cpu, taken.cold.cpu].map(shown);
    println!("  {what:45} {warm} {cold} {warm_cpu} {cold_cpu}");
}

fn ratio(what: &str, one: Taken, other: Taken) {
    let shown = |one: Duration, other: Duration| {
        format!("{:10.2}   ", one.as_secs_f64() / other.as_secs_f64())
    };
    let [warm, cold] = [
        shown(one.warm.wall, other.warm.wall),
        shown(one.cold.wall, other.cold.wall),
    ];
    let [warm_cpu, cold_cpu] = [
        shown(one.warm.cpu, other.warm.cpu),
        shown(one.cold.cpu, other.cold.cpu),
    ];
    println!("  {what:45} {warm} {cold} {warm_cpu} {cold_cpu}");
}
