//! What earlier runs saw counts at a start, by the real program: TTLs that were lowered, servers and addresses that left, and
//! days in which nothing ran.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, World, ZONE_FILE, hours};
use std::fs;
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

const NOTED: &str = ".tlsa-rotate/seen/example.com.";
const DAYS: &str = "2d, seen in the zone by an earlier run";
const ASSUMED: &str = "assumed, as nothing tells what it was before";

/// A world without git and without a word from the operator, whose TLSA RRsets have this TTL at first.
fn world(publish: Publish, ttl: &str) -> World {
    let config = |config: String| config.replace("ttl_before = \"1h\"\n", "");
    let of_tlsa = format!(" {ttl} IN TLSA ");
    let zone = |text: String, _: &[_]| text.replace(" IN TLSA ", &of_tlsa);
    let live = |root: &std::path::Path| vec![rotation_support::live_key(root)];
    World::shaped(publish, config, live, zone)
}

/// Edits the zone file as a person does, and runs.
fn edit(world: &World, now: Instant, change: &[(&str, &str)]) {
    let mut text = world.read(ZONE_FILE);
    for (from, to) in change {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    world.write(ZONE_FILE, &text);
    if world.publish != Publish::File {
        world.git("commit --quiet --all --message edit");
    }
    world.advance(now).ends(0);
    world.load();
}

fn planned(world: &World, now: Instant) -> String {
    let run = world.run(now, &["plan", "mail"]).ends(0);
    run.stdout + &run.stderr
}

#[test]
fn a_ttl_that_was_lowered_counts_until_it_has_run_out() {
    let world = world(Publish::File, "172800");
    edit(&world, hours(1), &[(" 172800 IN TLSA ", " 300 IN TLSA ")]);
    let plan = planned(&world, hours(2));
    assert!(plan.contains(DAYS), "{plan}");
    assert!(!plan.contains(ASSUMED), "{plan}");
    // Two days, and one until the last server follows.
    for hour in (24..=96).step_by(24) {
        world.advance(hours(hour)).ends(0);
        let plan = planned(&world, hours(hour));
        assert_eq!(plan.contains(DAYS), hour < 73, "{hour}: {plan}");
        assert!(!plan.contains(ASSUMED), "{hour}: {plan}");
    }
    world.start(hours(97)).ends(0);
    assert!(planned(&world, hours(97)).contains("5m, seen: "));
}

#[test]
fn a_zone_that_came_into_git_just_now_is_known_from_earlier_runs() {
    let world = world(Publish::Current, "172800");
    fs::remove_dir_all(world.path(".git")).unwrap();
    let text = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &text.replace(" 172800 IN TLSA ", " 300 IN TLSA "),
    );
    for line in [
        "init --quiet --initial-branch=main",
        "config user.name Ada",
        "config user.email ada@example.com",
        "add --all",
    ] {
        world.git(line);
    }
    world.git_at(hours(1), &["commit", "--quiet", "--message", "as it is"]);
    world.advance(hours(1)).ends(0);
    world.load();
    world.start(hours(1)).ends(0);
    let plan = planned(&world, hours(1));
    assert!(plan.contains(DAYS), "{plan}");
}

#[test]
fn where_nothing_ran_for_days_or_the_notes_are_lost_the_ttl_is_assumed() {
    let world = world(Publish::File, "3600");
    assert!(planned(&world, BEGIN).contains(ASSUMED));
    world.advance(hours(12)).ends(0);
    assert!(planned(&world, hours(23)).contains(ASSUMED));
    let known = planned(&world, hours(24));
    assert!(!known.contains(ASSUMED), "{known}");
    let whole = world.read(NOTED);
    world.advance(hours(60)).ends(0);
    assert!(
        planned(&world, hours(61)).contains(ASSUMED),
        "a gap of two days"
    );
    for noted in [Some("{}"), None] {
        world.write(NOTED, &whole);
        assert!(!planned(&world, hours(24)).contains(ASSUMED));
        match noted {
            Some(text) => world.write(NOTED, text),
            None => fs::remove_file(world.path(NOTED)).unwrap(),
        }
        let plan = planned(&world, hours(24));
        assert!(plan.contains(ASSUMED), "{plan}");
        assert_eq!(plan.contains("is lost"), noted.is_some(), "{plan}");
    }
    // Damaged or not, the next run notes anew.
    world.write(NOTED, "{}");
    world.advance(hours(25)).ends(0);
    assert!(world.read(NOTED).contains("\"version\":1"));
}

#[test]
fn servers_and_addresses_that_left_are_known_from_earlier_runs() {
    let world = world(Publish::File, "3600");
    edit(
        &world,
        hours(1),
        &[
            ("                IN NS   ns2\n", ""),
            (
                "mx2             IN A    198.51.100.25",
                "mx2             IN A    198.51.100.26",
            ),
        ],
    );
    let plan = planned(&world, hours(2));
    for left in [
        "caches may lead to ns2.example.com. 198.51.100.53:53, which example.com. has no more, until ",
        "caches may lead to 198.51.100.25, which mx2.example.com has no more, until ",
    ] {
        assert!(plan.contains(left), "no `{left}`: {plan}");
    }
    world.advance(hours(20)).ends(0);
    world.advance(hours(40)).ends(0);
    assert!(!planned(&world, hours(40)).contains("caches may lead to"));
}

#[test]
fn a_run_that_sees_nothing_new_writes_nothing_within_the_hour() {
    let world = world(Publish::File, "3600");
    let changed = |now: Instant| {
        let before = fs::metadata(world.path(NOTED)).unwrap();
        world.advance(now).ends(0);
        let after = fs::metadata(world.path(NOTED)).unwrap();
        std::os::unix::fs::MetadataExt::ino(&before) != std::os::unix::fs::MetadataExt::ino(&after)
    };
    let minutes = |count: u64| BEGIN + tlsa_rotate::rotation::timing::Span::minutes(count);
    let written: Vec<u64> = [1, 30, 59, 60, 61, 119, 120]
        .into_iter()
        .filter(|minute| changed(minutes(*minute)))
        .collect();
    assert_eq!(written, [60, 120]);
    // A rehearsal notes nothing, and neither does who only looks.
    let before = world.read(NOTED);
    for command in ["status", "check", "plan"] {
        let mut run: Command = world.command(minutes(300), &[command]);
        run.output().unwrap();
    }
    assert_eq!(before, world.read(NOTED));
}
