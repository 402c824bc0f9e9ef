//! Killed anywhere: runs of the real program die at a system call, and the next run comes to the same as if nothing had been.
//!
//! SIGKILL is injected by strace on entry of the n-th call of each kind that writes, and of `pipe2`, which comes before
//! each git that is started; and so are a full disk, a file system that became read-only, and one that cannot flush.
//!
//! Each scenario is tried at a share of its places that changes from day to day; with `EVERY_PLACE` in the environment, at
//! all of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout, // how many places were tried, for who runs it with --no-capture
    missing_docs
)]

mod rotation_support;

use rotation_support::interrupted::{
    End, PLACES, Scenario, advancing, end, merged, proposing, resumes, todays, world,
};
use rotation_support::{BEGIN, BRANCH, HOSTS, JOURNAL, PROGRAM, Publish, Run, World, hours};
use std::fs;
use std::process::{Command, Stdio};

const CALLS: [&str; 13] = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "fsync",
    "fdatasync",
    "ftruncate",
    "unlink",
    "unlinkat",
    "mkdir",
    "write",
    "flock",
    "pipe2",
];
/// At most so many failures of the disk of one scenario are tried.
const FAILURES: usize = 10;
fn strace(world: &World, scenario: &Scenario<'_>, options: &[&str]) -> bool {
    Command::new("strace")
        .current_dir(world.path(""))
        .arg("-qq")
        .args(options)
        .arg(PROGRAM)
        .args(["--now", &scenario.now.to_string()])
        .args(scenario.arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace")
        .code()
        .is_some_and(|code| code < 100)
}

/// Every call that the uninterrupted run makes, with its number among those of its kind.
fn places(scenario: &Scenario<'_>) -> (World, Vec<(&'static str, usize)>) {
    let (world, calls) = calls(scenario);
    let places = calls.into_iter().map(|(call, number, _)| (call, number));
    (world, places.collect())
}

/// The same, and whether it is about a file of the workspace: writes also go to pipes, terminals and eventfds.
fn calls(scenario: &Scenario<'_>) -> (World, Vec<(&'static str, usize, bool)>) {
    let world = scenario.world.copy();
    let notes = tempfile::NamedTempFile::new().unwrap();
    let trace = format!("trace={}", CALLS.join(","));
    let options = ["-y", "-o", notes.path().to_str().unwrap(), "-e", &trace];
    assert!(strace(&world, scenario, &options), "the uninterrupted run");
    let text = fs::read_to_string(notes.path()).unwrap();
    let root = world.path("").display().to_string();
    let mut calls = Vec::new();
    for call in CALLS {
        let of_kind = format!("{call}(");
        let lines = text.lines().filter(|line| line.starts_with(&of_kind));
        calls.extend(
            lines
                .zip(1..)
                .map(|(line, number)| (call, number, line.contains(&root))),
        );
    }
    (world, calls)
}

/// Kills the scenario's run at every place and compares what the next run leads to; how many were killed.
#[track_caller]
fn survives(scenario: &Scenario<'_>, same: impl Fn(&End, &End, &str)) {
    let (world, places) = places(scenario);
    let wanted = end(&world, scenario.resumed);
    let places = todays(&places, PLACES);
    assert!(places.len() >= 10, "only {places:?}");
    let mut killed = 0;
    for (call, number) in places {
        let place = format!("{call} {number}");
        let world = scenario.world.copy();
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let trace = format!("trace={call}");
        if strace(
            &world,
            scenario,
            &["-o", "/dev/null", "-e", &trace, "-e", &inject],
        ) {
            continue;
        }
        killed += 1;
        resumes(&world, scenario, &place);
        same(&end(&world, scenario.resumed), &wanted, &place);
    }
    assert!(killed >= 6, "only {killed}");
}

/// What disks do: the kind of call that fails, the error, and whether all later ones fail, too. One that the kernel has
/// made read-only stays so; a write of a file or a flush fails, and then the run gives up.
const TROUBLES: [(&str, &str, &str, &str); 5] = [
    ("write", "ENOSPC", "", "No space left on device"),
    ("rename", "EROFS", "+", "Read-only file system"),
    ("fsync", "EIO", "", "Input/output error"),
    ("fdatasync", "EIO", "", "Input/output error"),
    ("mkdir", "EROFS", "+", "Read-only file system"),
];

/// Lets the scenario's run fail at every place: it says so, and the next run comes to the same as if nothing had been.
#[track_caller]
fn withstands(scenario: &Scenario<'_>) {
    let (world, calls) = calls(scenario);
    let wanted = end(&world, scenario.resumed);
    let mut failures = Vec::new();
    for (call, number, _) in calls.into_iter().filter(|(.., is_ours)| *is_ours) {
        let troubles = TROUBLES.iter().filter(|(kind, ..)| *kind == call);
        failures.extend(troubles.map(|trouble| (trouble, number)));
    }
    let failures = todays(&failures, FAILURES);
    let mut told = 0;
    for ((call, error, on, words), number) in failures {
        let place = format!("{error} at {call} {number}");
        let world = scenario.world.copy();
        let inject = format!("inject={call}:error={error}:when={number}{on}");
        let output = Command::new("strace")
            .current_dir(world.path(""))
            .args([
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &inject,
            ])
            .arg(PROGRAM)
            .args(["--now", &scenario.now.to_string()])
            .args(scenario.arguments)
            .output();
        let run = Run::from(output.unwrap());
        // How often the asynchronous runtime wakes itself differs from run to run: the number was not of a file's write.
        if run.stderr.contains("failed to wake I/O driver") {
            continue;
        }
        // What is a courtesy may fail silently: the process id in the lock file.
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{place}: {run:#?}");
        if run.code == Some(1) {
            assert!(run.stderr.contains("error: "), "{place}: {run:#?}");
            assert!(run.stderr.contains(words), "{place}: {run:#?}");
            told += 1;
        }
        assert!(!run.stderr.contains("panicked"), "{place}: {run:#?}");
        resumes(&world, scenario, &place);
        assert_eq!(end(&world, scenario.resumed), wanted, "{place}");
    }
    assert!(told >= 2, "nothing failed");
}

/// A workspace whose origin lies in it, so that a copy of one is a copy of both.
fn far() -> World {
    let world = world(Publish::Branch);
    let config = world.read("tlsa-rotate.toml");
    let (plain, far) = (
        "branch = \"tlsa-rotate/{rotation}\" }",
        "branch = \"tlsa-rotate/{rotation}\", remote = \"origin\" }",
    );
    assert!(config.contains(plain));
    world.write("tlsa-rotate.toml", &config.replace(plain, far));
    world.git("commit --quiet --all --message remote");
    world.git("init --quiet --bare --initial-branch=main .git/origin.git");
    world.git("remote add origin ./.git/origin.git");
    world.git("push --quiet origin main");
    world
}

/// What the origin holds: every ref, the journal, and what is proposed.
fn origin(world: &World) -> Vec<String> {
    let at = "--git-dir=.git/origin.git";
    vec![
        world.git(&format!("{at} for-each-ref --format=%(refname)")),
        world.git(&format!("{at} show refs/tlsa-rotate/journal:mail.jsonl")),
        world.git(&format!("{at} diff main {BRANCH} -- example.com.zone")),
    ]
}

fn all_the_same(found: &End, wanted: &End, place: &str) {
    assert_eq!(found, wanted, "killed at {place}");
}

/// A step that was not recorded before the kill is taken on the next day, and its serial is of that day.
fn the_same_but_for_the_serial(found: &End, wanted: &End, place: &str) {
    let without = |end: &End| {
        let diff = end.proposed.clone().unwrap_or_default();
        let lines = diff.lines();
        let lines = lines.filter(|l| !l.contains("; serial: ") && !l.starts_with("index "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without(found), without(wanted), "killed at {place}");
    let (found, wanted) = (
        (&found.facts, &found.zone, found.commits),
        (&wanted.facts, &wanted.zone, wanted.commits),
    );
    assert_eq!(found, wanted, "killed at {place}");
}

#[test]
fn a_start_is_finished_by_a_second_start_or_by_the_next_run() {
    let scenario = Scenario {
        world: world(Publish::File),
        arguments: &["start", "mail"],
        now: BEGIN,
        resumed: BEGIN,
        again: &|world, now| {
            let run = world.start(now);
            assert!(
                run.code == Some(0) || run.stderr.contains("rotation mail.1 is under way"),
                "{run:#?}"
            );
            assert_eq!(world.facts()[0], "Started");
            world.advance(now)
        },
    };
    survives(&scenario, |found, started, place| {
        let mut facts = started.facts.clone();
        facts.push("PrepublishDecided");
        assert_eq!(found.facts, facts, "killed at {place}");
        // Each start makes a key of its own: one record more for each host is what can be compared.
        assert_eq!(
            found.zone.len(),
            started.zone.len() + HOSTS.len(),
            "killed at {place}"
        );
    });
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_proposal_is_made_once() {
    survives(&proposing(Publish::Branch), all_the_same);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_proposal_is_made_once_also_on_the_day_after() {
    let world = world(Publish::Branch);
    world.start(BEGIN).ends(0);
    let scenario = advancing(world, BEGIN, hours(20));
    survives(&scenario, the_same_but_for_the_serial);
}

#[test]
fn what_is_merged_is_signed_and_handed_over() {
    survives(&merged(), all_the_same);
}

#[test]
fn a_fact_is_recorded_once() {
    let world = world(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    let scenario = advancing(world, hours(2), hours(2));
    survives(&scenario, all_the_same);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn the_old_key_is_retired_once() {
    let world = world(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    world.advance(hours(27)).ends(3);
    HOSTS
        .iter()
        .enumerate()
        .for_each(|(host, _)| world.deploy(host));
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    let scenario = advancing(world, hours(52), hours(52));
    survives(&scenario, all_the_same);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_commit_on_the_current_branch_is_made_once() {
    survives(&proposing(Publish::Current), all_the_same);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_commit_on_the_current_branch_is_made_once_also_on_the_day_after() {
    let world = world(Publish::Current);
    world.start(BEGIN).ends(0);
    let scenario = advancing(world, BEGIN, hours(20));
    survives(&scenario, the_same_but_for_the_serial);
}

#[test]
fn a_file_without_git_is_written_once() {
    survives(&proposing(Publish::File), all_the_same);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn an_abort_takes_its_proposal_back() {
    let world = world(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let scenario = Scenario {
        world,
        arguments: &["abort", "mail"],
        now: BEGIN,
        resumed: BEGIN,
        again: &|world, now| {
            if world.facts().contains(&"AbortRequested") {
                return world.advance(now);
            }
            world.run(now, &["abort", "mail"])
        },
    };
    survives(&scenario, |found, wanted, place| {
        assert_eq!(found, wanted, "killed at {place}");
        assert_eq!(found.proposed, None);
    });
}

/// The one line of a repair is in the journal, whole, or it is not; the next repair finishes what is left.
#[test]
fn a_repair_is_made_once() {
    let world = world(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    // By a clock that was ahead.
    world.advance(hours(90)).ends(0);
    let journal = world.read(JOURNAL);
    let scenario = Scenario {
        world,
        arguments: &["repair"],
        now: hours(2),
        resumed: hours(2),
        again: &|world, now| world.run(now, &["repair"]),
    };
    let (reference, places) = places(&scenario);
    let wanted = reference.read(JOURNAL);
    assert!(wanted.starts_with(&journal) && wanted != journal);
    let mut killed = 0;
    for (call, number) in todays(&places, PLACES) {
        let place = format!("{call} {number}");
        let world = scenario.world.copy();
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let trace = format!("trace={call}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        killed += usize::from(!strace(&world, &scenario, &options));
        let left = world.read(JOURNAL);
        assert!(left == journal || left == wanted, "{place}: {left}");
        (scenario.again)(&world, scenario.resumed).ends(0);
        assert_eq!(world.read(JOURNAL), wanted, "{place}");
        world.advance(scenario.resumed).ends(0);
        resumes(&world, &scenario, &place);
        world.is_tidy();
    }
    assert!(killed >= 3, "only {killed}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn with_a_remote_nothing_is_lost_nor_done_twice_between_two_pushes() {
    let world = far();
    world.start(BEGIN).ends(0);
    let scenario = advancing(world, BEGIN, BEGIN);
    let (reference, places) = places(&scenario);
    let wanted = origin(&reference);
    // The gits that are started, one after the other: between any two of them the run is killed.
    let gits: Vec<_> = places
        .into_iter()
        .filter(|(call, _)| *call == "pipe2")
        .collect();
    assert!(gits.len() > 20, "only {gits:?}");
    for (call, number) in todays(&gits, PLACES) {
        let place = format!("{call} {number}");
        let world = scenario.world.copy();
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let trace = format!("trace={call}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        assert!(!strace(&world, &scenario, &options), "{place}: not killed");
        resumes(&world, &scenario, &place);
        assert_eq!(origin(&world), wanted, "{place}");
        assert_eq!(world.facts(), reference.facts(), "{place}");
        world.is_tidy();
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_disk_that_fails_is_told_and_loses_nothing_where_a_person_reviews() {
    withstands(&proposing(Publish::Branch));
}

#[test]
fn a_disk_that_fails_is_told_and_loses_nothing_while_what_is_merged_is_signed() {
    withstands(&merged());
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_disk_that_fails_is_told_and_loses_nothing_on_the_current_branch_and_without_git() {
    for publish in [Publish::Current, Publish::File] {
        withstands(&proposing(publish));
    }
}
