//! The clocks of several runners: what time forbids is refused, and a runner whose clock is far from what the others have recorded
//! dates nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, LEDGER, git, opened};
use rotation_support::{BEGIN, JOURNAL, PROGRAM, Publish, Run, hours};
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tlsa_rotate::rotation::timing::Span;

#[test]
fn a_swap_that_time_forbids_is_not_taken_over_and_opens_nothing() {
    let far = Far::new(Publish::Branch);
    far.waits();
    let (world, journal) = (&far.runner, far.runner.read(JOURNAL));
    let before = git(&far.bare(), &format!("rev-parse {LEDGER}"));
    // Two TTLs of an hour after hour 2, as the protocols ask.
    let forged = opened(world, hours(4) - Span::seconds(1));
    far.stranger(&forged, &[]);
    let told = "entry 12 cannot be true: the swap opened at 2026-12-01T11:59:59Z, and caches may lack the next key until 2026-12-01T12:00:00Z";
    let run = world.advance(hours(30)).ends(3);
    run.complains_of(told);
    assert_eq!(world.read(JOURNAL), journal, "{run:#?}");
    world
        .run(hours(30), &["abort", "mail"])
        .ends(3)
        .complains_of(told);
    // Nor does a clone in which nothing ever ran believe it.
    let clone = world.copy();
    fs::remove_dir_all(clone.path(".tlsa-rotate")).unwrap();
    clone.run(hours(30), &["status"]).ends(3).complains_of(told);
    let back = run
        .stderr
        .lines()
        .find_map(|line| line.split_once("put back what was there before: git "));
    world.git(back.unwrap().1);
    assert_eq!(git(&far.bare(), &format!("rev-parse {LEDGER}")), before);
    world.advance(hours(26)).ends(0);
    assert_eq!(world.step(hours(26)), "Waiting");
    // A run may do so a second later.
    far.stranger(&opened(world, hours(4)), &[]);
    world.advance(hours(4));
    assert_eq!(world.step(hours(4)), "SwapOpen");
}

#[test]
fn a_runner_behind_what_the_others_recorded_dates_nothing() {
    let far = Far::new(Publish::Branch);
    let (a, b) = (&far.runner, &far.runner.copy());
    a.start(hours(24)).ends(0);
    a.advance(hours(24)).ends(3);
    assert!(far.merge());
    a.advance(hours(25)).ends(0);
    a.load();
    // What every server answers with is seen, by a clock that is a day behind.
    let tip = git(&far.bare(), &format!("rev-parse {LEDGER}"));
    let run = b.advance(hours(1)).ends(3);
    assert!(
        run.stdout
            .contains("of the journal lie in the future, up to 2026-12-02T09:00:00Z"),
        "{run:#?}"
    );
    assert!(
        run.stdout
            .contains("see that the clock is right (`date --utc`)"),
        "{run:#?}"
    );
    assert_eq!(git(&far.bare(), &format!("rev-parse {LEDGER}")), tip);
    b.run(BEGIN, &["start", "mail"]).ends(3);
    // By minutes it is waited for, and nobody is asked.
    let run = b.advance(hours(25) - Span::minutes(5)).ends(0);
    assert!(
        run.stdout
            .contains("nothing to do before 2026-12-02T09:00:00Z"),
        "{run:#?}"
    );
    assert_eq!(git(&far.bare(), &format!("rev-parse {LEDGER}")), tip);
    b.advance(hours(25) - Span::minutes(6)).ends(3);
    b.advance(hours(25)).ends(0);
    assert_eq!(b.step(hours(25)), "Waiting");
}

#[test]
fn a_runner_that_is_ahead_sees_it_by_what_comes_late_and_opens_nothing() {
    let far = Far::new(Publish::Branch);
    let (a, b) = (&far.runner, &far.runner.copy());
    // It has looked while nothing was there, by a clock that is 26 hours ahead.
    b.advance(hours(26)).ends(0);
    a.start(hours(1)).ends(0);
    a.advance(hours(1)).ends(3);
    assert!(far.merge());
    let tip = || git(&far.bare(), &format!("rev-parse {LEDGER}"));
    let before = tip();
    let told = "another runner dated an entry 2026-12-01T09:00:00Z that was not there 1d1h later by this clock: one of the two clocks is wrong";
    let run = b.advance(hours(28)).ends(3);
    assert!(run.stdout.contains(told), "{run:#?}");
    assert_eq!(tip(), before, "it dates nothing");
    a.advance(hours(2)).ends(0);
    a.load();
    a.advance(hours(3)).ends(0);
    // By its clock the wait is over, again and again.
    let before = tip();
    for hour in [29, 30, 60] {
        let run = b.advance(hours(hour)).ends(3);
        let told = "another runner dated an entry 2026-12-01T09:00:00Z that was not there";
        assert!(run.stdout.contains(told), "{run:#?}");
        let swap = b.run(hours(hour), &["check", "--swap", "mail"]).ends(3);
        assert!(!swap.stdout.contains("deploy now"), "{swap:#?}");
    }
    assert_eq!(tip(), before);
    // The others are locked out of nothing.
    a.advance(hours(4)).ends(0);
    a.advance(hours(28)).ends(3);
    assert_eq!(a.step(hours(28)), "SwapOpen");
    // Its clock is put right, and a person says so: nothing that the others recorded is moved.
    let journal = a.read(JOURNAL);
    b.run(hours(28), &["repair"]).ends(0);
    assert_eq!(b.read(JOURNAL), journal);
    b.advance(hours(28));
    assert_eq!(b.read(JOURNAL), journal);
}

#[test]
fn what_a_runner_that_is_behind_recorded_is_waited_for_anew() {
    let far = Far::new(Publish::Branch);
    let (a, b) = (&far.runner, &far.runner.copy());
    a.start(hours(0)).ends(0);
    a.advance(hours(0)).ends(3);
    a.advance(hours(24)).ends(3);
    assert!(far.merge());
    // An hour later, by a clock that is a day behind; none of the entries is in its future.
    b.advance(hours(1)).ends(0);
    b.load();
    let run = b.advance(hours(2));
    assert_eq!(b.step(hours(2)), "Waiting", "{run:#?}");
    let run = a.advance(hours(26) + Span::minutes(10)).ends(3);
    assert!(
        run.stdout.contains("another runner dated an entry 2026-12-01T09:00:00Z that was not there 23h later by this clock"),
        "{run:#?}"
    );
    a.advance(hours(28)).ends(3);
    assert_ne!(a.step(hours(28)), "SwapOpen");
    // The clock here is right: what was dated too early counts from when it was not there yet.
    let run = a.run(hours(28), &["repair"]).ends(0);
    assert!(run.stdout.contains("with another time"), "{run:#?}");
    a.advance(hours(28)).ends(0);
    a.advance(hours(48)).ends(0);
    assert_eq!(a.step(hours(48)), "Waiting");
    a.advance(hours(52)).ends(3);
    assert_eq!(a.step(hours(52)), "SwapOpen");
}

#[test]
fn a_commit_of_the_future_on_the_branch_that_counts_stops_what_would_be_dated_now() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    // By the clock of this machine, and a colleague's.
    let config = world.read("tlsa-rotate.toml");
    world.write("tlsa-rotate.toml", &config.replace("rehearsal = true", ""));
    world.git("commit --quiet --all --message real");
    world.git("push --quiet origin main");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let commit = |ahead: u64| {
        let person = far.person();
        git(&person, "fetch --quiet origin");
        git(&person, "reset --quiet --hard origin/main");
        let made = Command::new("git")
            .current_dir(&person)
            .args(["commit", "--quiet", "--allow-empty", "--message", "work"])
            .env(
                "GIT_COMMITTER_DATE",
                format!("{} +0000", since.as_secs() + ahead),
            )
            .output();
        Run::from(made.unwrap()).ends(0);
        git(&person, "push --quiet origin HEAD:main");
        let root = world.path(".");
        let started = Command::new(PROGRAM)
            .current_dir(root)
            .args(["start", "mail"])
            .output();
        Run::from(started.unwrap())
    };
    let run = commit(86_400).ends(3);
    run.complains_of(
        "no rotation is begun now: the branch that counts has a commit of the future, ",
    );
    assert!(
        run.stderr
            .contains("put a commit by a right clock on top (git commit --allow-empty)"),
        "{run:#?}"
    );
    let run = commit(0);
    assert!(!run.stderr.contains("of the future"), "{run:#?}");
}
