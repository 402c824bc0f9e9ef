//! A repository with a long history: it is read once, and then on from where it was read. What was kept of it is never relied
//! on where history is another one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout, // how long it took, for who runs it with --no-capture
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, JOURNAL, Publish, World};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where it is kept up to which commit git was read.
const KEPT: &str = ".tlsa-rotate/steps";

/// Puts `count` commits of other files onto the branch.
fn lengthen(world: &World, count: usize) {
    let mut text = String::new();
    let tip = world.git("rev-parse HEAD");
    for at in 0..count {
        let message = format!("commit {at}\n");
        let date = BEGIN.unix() - 1_000_000 + u64::try_from(at).unwrap();
        let _ = write!(
            text,
            "commit refs/heads/main\ncommitter Ada <ada@example.com> {date} +0000\ndata {}\n{message}",
            message.len()
        );
        if at == 0 {
            let _ = writeln!(text, "from {}", tip.trim());
        }
        let line = format!("line {at}\n");
        let _ = write!(
            text,
            "M 100644 inline other/f{}\ndata {}\n{line}\n",
            at % 50,
            line.len()
        );
    }
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet"]);
    import.current_dir(world.path("")).stdin(Stdio::piped());
    let mut import = import.spawn().unwrap();
    import
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(import.wait().unwrap().success());
    world.git("reset --quiet --hard");
}

/// A rotation whose first change is in the branch, where a person has made the last commit, and which was read.
fn read_once() -> World {
    let world = World::new(Publish::Current);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(0);
    // What lies there for review would tell of the rotation, too.
    world.git("rm --quiet -r changes");
    person(&world, "notes");
    world.advance(BEGIN).ends(0);
    assert!(world.path(KEPT).exists());
    world
}

fn person(world: &World, name: &str) {
    world.write(name, "a person's\n");
    world.git(&format!("add {name}"));
    world.git(&format!("commit --quiet --message {name}"));
}

/// A copy of a world whose journal is lost: git alone knows of its rotation. What was kept is kept of the copy.
fn without_journal(world: &World) -> World {
    let lost = world.copy();
    fs::remove_file(lost.path(JOURNAL)).unwrap();
    let (_, kept) = world.read(KEPT).split_once('\n').map(owned).unwrap();
    let copied = kept.replace(&root(world), &root(&lost));
    assert_ne!(copied, kept);
    keep(&lost, &copied);
    lost
}

fn owned((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

fn root(world: &World) -> String {
    let root = world.path("").display().to_string();
    root.trim_end_matches('/').to_owned()
}

#[track_caller]
fn git_is_believed(lost: &World, what: &str) {
    let run = lost.advance(BEGIN);
    let told = "git knows of mail.1";
    assert_eq!(run.code, Some(3), "{what}: {run:#?}");
    assert!(run.stderr.contains(told), "{what}: {run:#?}");
}

/// Writes what is kept as the program would have.
fn keep(world: &World, text: &str) {
    let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let sum = data_encoding::HEXLOWER.encode(sum.as_ref());
    world.write(KEPT, &format!("{sum}\n{text}"));
}

/// It was read up to `tip`, and nothing was found.
fn keep_nothing_up_to(world: &World, tip: &str) {
    let root = root(world);
    keep(
        world,
        &format!(
            "{{\"version\":1,\"repositories\":{{\"{root}\":{{\"tip\":\"{tip}\",\"steps\":[]}}}}}}"
        ),
    );
}

/// Nothing that is lost here is found by a run that relies on what is kept.
#[track_caller]
fn is_relied_on(world: &World) {
    let lost = without_journal(world);
    keep_nothing_up_to(&lost, &lost.git("rev-parse HEAD"));
    assert_eq!(
        lost.advance(BEGIN).code,
        Some(0),
        "what is kept is not read"
    );
}

#[test]
fn history_is_read_on_from_where_it_was_read() {
    let world = read_once();
    person(&world, "more");
    for run in 0..2 {
        let log = world.path(".tlsa-rotate/asked");
        let told = format!("echo \"$*\" >> {}", log.display());
        world.run_through(BEGIN, &["advance"], &told).ends(0);
        let asked = fs::read_to_string(&log).unwrap();
        fs::remove_file(log).unwrap();
        let asked: Vec<&str> = asked
            .lines()
            .filter(|line| line.contains("--grep="))
            .collect();
        // First what is new on the branch, and each time what is not on it.
        assert_eq!(asked.len(), 2 - run, "{asked:#?}");
        for line in &asked {
            assert!(line.contains(" --not "), "{line}");
        }
    }
    git_is_believed(&without_journal(&world), "as it is kept");
}

#[test]
fn what_was_kept_is_believed_only_of_the_history_that_is_there() {
    let world = read_once();
    let kept = world.read(KEPT);
    assert!(kept.contains("mail.1/publish"), "{kept}");

    let lost = without_journal(&world);
    fs::remove_file(lost.path(KEPT)).unwrap();
    git_is_believed(&lost, "lost");

    is_relied_on(&world);
    let lost = without_journal(&world);
    let damaged = lost.read(KEPT).replace("mail.1/publish", "else.1/publish");
    lost.write(KEPT, &damaged);
    git_is_believed(&lost, "damaged");

    // Read up to commits that are not in the branch: nowhere, and beside it.
    let lost = without_journal(&world);
    keep_nothing_up_to(&lost, &"f".repeat(40));
    git_is_believed(&lost, "of a commit that is not there");
    let lost = without_journal(&world);
    let beside = lost.git("commit-tree -p HEAD~2 -m beside HEAD^{tree}");
    keep_nothing_up_to(&lost, &beside);
    git_is_believed(&lost, "of a commit beside the branch");

    // The branch was set back and went on otherwise.
    let lost = without_journal(&world);
    let (first, step) = (lost.git("rev-parse HEAD~2"), lost.git("rev-parse HEAD~1"));
    lost.git(&format!("reset --quiet --hard {first}"));
    person(&lost, "other");
    lost.git("reflog expire --expire=now --all");
    assert_eq!(lost.advance(BEGIN).code, Some(0), "no branch holds a step");
    lost.git(&format!("cherry-pick {step}"));
    git_is_believed(&lost, "after the branch was set back");
}

#[test]
fn where_git_does_not_show_history_as_it_is_nothing_is_kept() {
    let world = read_once();
    person(&world, "last");
    let last = world.git("rev-parse HEAD");
    // Whoever looks now sees no parent of the last commit.
    world.git(&format!("replace --graft {last}"));
    let kept = world.read(KEPT);
    world.advance(BEGIN).ends(0);
    assert_eq!(world.read(KEPT), kept);
    world.git(&format!("replace -d {last}"));
    git_is_believed(&without_journal(&world), "after a look at half of it");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_hundred_thousand_commits_cost_a_run_nothing() {
    let world = World::new(Publish::Current);
    let took = |what: &str| {
        let began = Instant::now();
        world.run(BEGIN, &["advance"]).ends(0);
        let took = began.elapsed();
        println!("{what}: {took:?}");
        took
    };
    took("short history");
    lengthen(&world, 100_000);
    let first = took("long history, for the first time");
    let again = took("long history, again");
    assert!(again * 3 < first, "it was read as often as that: {again:?}");
    person(&world, "more");
    took("long history, and one commit more");
}
