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
    world.advance(hours(27));
    assert_eq!(world.step(hours(27)), "SwapOpen");
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
