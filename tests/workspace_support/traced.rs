//! strace on a server that runs: what the thread that takes a version up calls, and how to make it fail there.

use super::{KEPT, edit, log};
use crate::engine_support::{at, serial};
use crate::path_support::World;
use crate::serve_support::{APEX, Peer, until};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

/// strace on a running process and all its threads.
pub(crate) fn attached(child: u32, options: &[&str]) -> Peer {
    let tracer = Command::new("strace")
        .args(["-f", "-qq", "-p", &child.to_string()])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`strace` is needed for this test");
    let tracer = Peer { child: tracer };
    // Or it met its end at once.
    let is_held =
        |status: String| !status.contains("TracerPid:\t0\n") || status.contains("State:\tZ");
    let what =
        "strace attaches to another process of this user (kernel.yama.ptrace_scope=0, or root)";
    until(what, || {
        let tasks = fs::read_dir(format!("/proc/{child}/task")).unwrap();
        let mut tasks = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")));
        tasks.all(|status| status.is_ok_and(is_held))
    });
    tracer
}

/// Every call of the thread that takes the next version up, with its number among those of its kind, and as strace shows it.
pub(crate) fn calls(
    world: &World,
    ours: &Peer,
    next: u32,
    port: u16,
) -> Vec<(String, usize, String)> {
    let notes = world.path("notes");
    let tracer = attached(ours.child.id(), &["-y", "-o", notes.to_str().unwrap()]);
    edit(world, next);
    let kept = world.path(KEPT).join(format!("{}-{next}.delta", next - 1));
    until("the version is served, and its change kept", || {
        serial(at(port)) == Some(next) && kept.exists()
    });
    let said = format!("serving {APEX} serial {next} ");
    until("it said so", || log(world).contains(&said));
    drop(tracer);
    let text = fs::read_to_string(notes).unwrap();
    let of = |line: &str| {
        line.split_once(char::is_whitespace)
            .map(|(t, c)| (t.to_owned(), c.trim().to_owned()))
    };
    let all: Vec<_> = text.lines().filter_map(of).collect();
    let is_reading = |call: &str| call.starts_with("pread64(") && call.contains(".signed>");
    let reader = all.iter().find(|(_, call)| is_reading(call));
    let (reader, _) = reader.expect("a thread reads the signed file").clone();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let its = all.into_iter().filter(|(thread, _)| *thread == reader);
    its.filter_map(|(_, call)| {
        let kind = call.split_once('(').filter(|_| !call.starts_with('<'))?.0;
        let number = numbers.entry(kind.to_owned()).or_default();
        *number += 1;
        Some((kind.to_owned(), *number, call.clone()))
    })
    .collect()
}
