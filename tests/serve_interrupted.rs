//! `serve` killed in the middle of a swap, and with serials given twice: what it serves is whole all the same, and what it
//! says has changed leads secondaries there.
//!
//! SIGKILL is injected by strace on entry of the n-th call of each kind in the thread that takes a version up. It is tried at a share of the places that changes from day to day; with `EVERY_PLACE` in the environment, at all of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout, // how many places were tried, for who runs it with --no-capture
    missing_docs
)]

mod engine_support;
mod path_support;
mod serve_support;
mod workspace_support;

use engine_support::{Engine, Secondary, at, ports, serial};
use path_support::World;
use serve_support::{APEX, Peer, dig, stdout_of, until, within};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use workspace_support::traced::{attached, calls};
use workspace_support::versions::{Versions, assert_whole, records};
use workspace_support::{KEPT, edit, log, serve, sign, version, workspace};

/// At most so many places are tried on one day.
const PLACES: usize = 14;

/// Those of the places that are tried today.
fn todays<T: Clone>(places: &[T]) -> Vec<T> {
    let step = places.len().div_ceil(PLACES).max(1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = usize::try_from(since.as_secs() / 86_400).unwrap() % step;
    let chosen: Vec<T> = match std::env::var_os("EVERY_PLACE") {
        Some(_) => places.to_vec(),
        None => places.iter().skip(first).step_by(step).cloned().collect(),
    };
    println!("{} of {} places, from {first}", chosen.len(), places.len());
    chosen
}

/// A workspace with two secondaries that ask with a key; this machine may transfer, too.
fn with_secondaries(primary: u16, engines: &[(Engine, u16)]) -> (World, Vec<Secondary>) {
    let told: Vec<String> = engines
        .iter()
        .map(|(_, port)| format!("\"{},key:xfr\"", at(*port)))
        .collect();
    let world = workspace(&format!(
        "keys = [\"xfr.tsig\"], transfer = [\"127.0.0.0/8\"], secondaries = [{}]",
        told.join(", ")
    ));
    let started = engines
        .iter()
        .map(|(engine, port)| Secondary::start(*engine, *port, at(primary)));
    let started = started.collect();
    (world, started)
}

fn assert_followed(ours: &Peer, secondaries: &[Secondary], versions: &Versions, situation: &str) {
    let (serial, zone) = versions.last_key_value().unwrap();
    for secondary in secondaries {
        let what = format!("{situation}: {:?} follows", secondary.engine);
        // BIND forgets what it was told while a transfer of its was failing, and tries again when its own timer says so. A
        // hang-up makes the server tell everybody anew.
        let mut told = Instant::now();
        within(Duration::from_secs(120), &what, || {
            if told.elapsed() > Duration::from_secs(5) {
                stdout_of("kill", &["-HUP", &ours.child.id().to_string()]);
                told = Instant::now();
            }
            secondary.serial() == Some(*serial)
        });
        assert_eq!(records(secondary.address), *zone, "{what}");
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn killed_at_any_moment_of_a_swap_it_comes_back_with_a_whole_version() {
    let ports = ports(3);
    let server = at(ports[0]);
    let engines = [(Engine::Bind, ports[1]), (Engine::Nsd, ports[2])];
    let (world, secondaries) = with_secondaries(ports[0], &engines);
    let mut versions = Versions::new();
    let mut ours = serve(&world, ports[0]);
    for next in 1..=2 {
        if next > 1 {
            edit(&world, next);
        }
        until("the first versions", || serial(server) == Some(next));
        assert_whole(&world, server, &mut versions, "at first");
    }
    until("the first change is kept", || {
        world.path(KEPT).join("1-2.delta").exists()
    });
    let all = calls(&world, &ours, 3, ports[0]);
    assert_whole(&world, server, &mut versions, "undisturbed");
    let places = todays(&all);
    assert!(places.len() >= 10, "only {places:?}");
    let mut killed = 0;
    for ((call, number, shown), next) in places.into_iter().zip(4..) {
        let situation = format!("{call} {number}, {shown}");
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let trace = format!("trace={call}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let tracer = attached(ours.child.id(), &options);
        edit(&world, next);
        let kept = world.path(KEPT).join(format!("{}-{next}.delta", next - 1));
        until(&situation, || {
            let over = ours.child.try_wait().unwrap().is_some();
            killed += usize::from(over);
            over || kept.exists() && log(&world).contains(&format!("serial {next} "))
        });
        drop(tracer);
        drop(ours);
        ours = serve(&world, ports[0]);
        until("it is back", || serial(server) == Some(next));
        assert_whole(&world, server, &mut versions, &situation);
        assert_followed(&ours, &secondaries, &versions, &situation);
    }
    assert!(killed >= 8, "only {killed}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn serials_given_twice_lead_nobody_to_a_zone_that_never_was() {
    let port = ports(1)[0];
    let world = workspace("");
    let mut versions = Versions::new();
    let mut ours = serve(&world, port);
    until("the first version", || serial(at(port)) == Some(1));
    assert_whole(&world, at(port), &mut versions, "at first");
    for next in 2..=3 {
        edit(&world, next);
        until("the next", || serial(at(port)) == Some(next));
        assert_whole(&world, at(port), &mut versions, "in order");
    }
    // Taken back by hand, and other content under the same serials.
    let served = world.path("example.com.zone.signed");
    let previous = ["--previous", served.to_str().unwrap()];
    for (taken, address, more) in [(2, 92, [].as_slice()), (3, 93, &previous)] {
        let (mine, other) = (format!("A 127.0.0.{taken}"), format!("A 127.0.0.{address}"));
        sign(&world, &version(&world, taken).replace(&mine, &other), more);
        until("another version of it", || {
            let said = dig(at(port), &["+short", "mx1.example.com", "A"]);
            said.contains(&format!("127.0.0.{address}"))
        });
    }
    // Secondaries that have one of the versions taken back are out of anybody's reach: the serial says it is the same.
    versions.retain(|serial, _| *serial == 1);
    let kept = world.path(KEPT).join("2-3.delta");
    until("the change is kept", || {
        fs::read_to_string(&kept).is_ok_and(|text| text.contains("127.0.0.93"))
    });
    assert_whole(&world, at(port), &mut versions, "other versions");
    ours.child.kill().unwrap();
    ours.child.wait().unwrap();
    let _again = serve(&world, port);
    until("it is back", || serial(at(port)) == Some(3));
    assert_whole(&world, at(port), &mut versions, "started again");
    let changes = dig(at(port), &["+tcp", APEX, "IXFR=2"]);
    assert!(
        !changes.contains("IN\tMX\t"),
        "what fits is not lost: {changes}"
    );
}
