//! The power is cut anywhere: of a run of the real program, and of every git that it starts, only what was flushed is left,
//! and the next run comes to the same as if nothing had been. Nobody has to help.
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

mod disk_support;
mod rotation_support;

use disk_support::{Keeps, traced};
use rotation_support::interrupted::{
    Scenario, advancing, end, merged, proposing, resumes, todays, world,
};
use rotation_support::{BEGIN, PROGRAM, Publish, World, ZONE_FILE};
use std::process::Command;

/// What git itself says of a repository; what nothing leads to is no damage, nor is right after a cut the index, which is
/// made anew.
#[track_caller]
fn is_whole(world: &World, is_after_a_cut: bool, place: &str) {
    let mut fsck = Command::new("git");
    fsck.args(["fsck", "--full", "--no-dangling", "--no-progress"]);
    if is_after_a_cut {
        fsck.env("GIT_INDEX_FILE", world.path(".git/no-index"));
    }
    let fsck = fsck.current_dir(world.path("")).output().unwrap();
    assert!(fsck.status.success(), "{place}: {fsck:?}");
}

/// Cuts the power of the scenario's run in both ways, at so many places of each; how many those were.
#[track_caller]
fn comes_back(scenario: &Scenario<'_>, most: usize) -> usize {
    let reference = scenario.world.copy();
    let now = scenario.now.to_string();
    let mut program = vec![PROGRAM, "--now", &now];
    program.extend(scenario.arguments);
    let run = traced(&reference.path(""), &program);
    let commits = reference.commits();
    (scenario.again)(&reference, scenario.resumed);
    let wanted = end(&reference, scenario.resumed);
    let mut tried = 0;
    for keeps in [Keeps::Nothing, Keeps::Names] {
        let cuts = run.cuts(keeps);
        let last = *cuts.last().unwrap();
        let mut places = todays(&cuts, most);
        places.push(last);
        for after in places {
            let place = format!("after call {after}, keeping {keeps:?}");
            let world = scenario.world.copy();
            run.cut(&world.path(""), after, keeps);
            is_whole(&world, true, &place);
            if after == last {
                assert_eq!(world.commits(), commits, "{place}: what was told is there");
            }
            resumes(&world, scenario, &place);
            assert_eq!(end(&world, scenario.resumed), wanted, "{place}");
            is_whole(&world, false, &place);
            tried += 1;
        }
    }
    tried
}

/// A run that hands on what a person has edited, where nobody reviews.
fn edited() -> Scenario<'static> {
    let world = world(Publish::Current);
    let zone = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &format!("{zone}extra.example.com. 3600 IN A 192.0.2.80\n"),
    );
    world.git("commit --quiet --all --message edit");
    advancing(world, BEGIN, BEGIN)
}

#[test]
fn what_was_not_flushed_is_made_again() {
    for scenario in [proposing(Publish::Branch), proposing(Publish::Current)] {
        assert!(comes_back(&scenario, 4) >= 6);
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn where_a_person_merges_a_hundred_cuts_lose_nothing_and_do_nothing_twice() {
    let tried = comes_back(&proposing(Publish::Branch), 55) + comes_back(&merged(), 30);
    assert!(tried >= 100, "only {tried}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn where_nobody_reviews_a_hundred_cuts_lose_nothing_and_do_nothing_twice() {
    let tried = comes_back(&proposing(Publish::Current), 75) + comes_back(&edited(), 30);
    assert!(tried >= 100, "only {tried}");
}
