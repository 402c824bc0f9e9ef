//! An included file alone in git: somebody else keeps the zone file, its serial and its signatures. A whole rotation by
//! the real program, each change proposed, judged as a pull request, and merged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::external::{self, sign as sign_elsewhere};
use rotation_support::{BEGIN, BRANCH, HOSTS, Publish, Run, WHOLE, World, ZONE_FILE, hours};
use std::fs;
use tlsa_rotate::rotation::timing::Instant;

/// The file that is ours.
const OURS: &str = "zones/tlsa.inc";

/// A world whose TLSA records lie in a file of their own; what signs the zone is no business of ours.
fn world() -> World {
    let world = external::world(Publish::Branch, &format!("include = \"{OURS}\""));
    let zone = world.read(ZONE_FILE);
    let (before, tlsa) = zone.split_at(zone.find("_25._tcp.mx1").unwrap());
    let (tlsa, after) = tlsa.split_at(tlsa.find("; A delegation").unwrap());
    fs::create_dir(world.path("zones")).unwrap();
    world.write(OURS, tlsa);
    world.write(ZONE_FILE, &format!("{before}$INCLUDE {OURS}\n{after}"));
    world.git("add --all");
    world.git("commit --quiet --message include");
    world
}

/// What `check --merge` says of the proposal; it may be merged.
#[track_caller]
fn allowed(world: &World, now: Instant) -> Run {
    let judged = world
        .run(now, &["check", "--merge", "--head", BRANCH])
        .ends(0);
    assert!(judged.stdout.contains("it may be merged"), "{judged:#?}");
    judged
}

/// Judges the proposal and merges it. It changes our file and what stands beside it for review; no serial is missed.
#[track_caller]
fn merge(world: &World, now: Instant) {
    let judged = allowed(world, now);
    assert!(!judged.stdout.contains("serial"), "{judged:#?}");
    let changed = world.git(&format!("diff --name-only main {BRANCH}"));
    let stray: Vec<&str> = changed
        .lines()
        .filter(|file| *file != OURS && !file.starts_with("changes/mail.1/"))
        .collect();
    assert!(changed.contains(OURS) && stray.is_empty(), "{changed}");
    assert!(!changed.contains(".delta"), "nobody signs here: {changed}");
    assert!(world.merge());
}

#[test]
fn a_whole_rotation_is_proposed_judged_and_merged_in_the_included_file_alone() {
    let world = world();
    sign_elsewhere(&world, BEGIN);
    let kept = world.read(ZONE_FILE);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    merge(&world, hours(1));
    world.advance(hours(1)).ends(0);
    sign_elsewhere(&world, hours(2));
    world.advance(hours(2)).ends(0);
    world.advance(hours(27)).ends(3);
    (0..HOSTS.len()).for_each(|host| world.deploy(host));
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(3);
    merge(&world, hours(53));
    world.advance(hours(53)).ends(0);
    sign_elsewhere(&world, hours(54));
    world.advance(hours(54)).ends(0);
    assert_eq!(world.facts(), WHOLE);
    assert_eq!(
        world.read(ZONE_FILE),
        kept,
        "who keeps it finds it untouched"
    );
}

#[test]
fn who_keeps_the_zone_file_is_told_of_a_serial_that_stands_still_and_refused_one_that_goes_back() {
    let world = world();
    sign_elsewhere(&world, BEGIN);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    merge(&world, hours(1));
    let zone = world.read(ZONE_FILE);
    let pull_request = |text: &str| {
        world.git("checkout --quiet -B pr main");
        world.write(ZONE_FILE, text);
        world.git("commit --quiet --all --message work");
        world.git("checkout --quiet main");
        world.run(hours(2), &["check", "--merge", "--head", "pr"])
    };
    let more = format!("{zone}more IN A 192.0.2.99\n");
    let told = pull_request(&more).ends(0).stdout;
    assert!(told.contains("changes under the same serial"), "{told}");
    let back = zone
        .replacen("20261", "20251", 1)
        .replacen("20260", "20250", 1);
    assert_ne!(back, zone);
    let told = pull_request(&back).ends(3).stdout;
    assert!(told.contains("goes back"), "{told}");
    // Our own file is guarded as any other: what a rotation published does not leave.
    let ours = world.read(OURS);
    world.git("checkout --quiet -B pr main");
    let last = ours.trim_end().rfind("\n_25._tcp").map_or(0, |at| at + 1);
    world.write(OURS, &ours[..last]);
    world.git("commit --quiet --all --message work");
    world.git("checkout --quiet main");
    let told = world.run(hours(2), &["check", "--merge", "--head", "pr"]);
    assert_eq!(told.code, Some(4), "{told:#?}");
    assert!(told.stdout.contains("it must not be merged"), "{told:#?}");
}

#[test]
fn who_keeps_the_zone_file_is_told_of_a_digest_that_is_not_of_the_zone_any_more() {
    for has_digest in [true, false] {
        let world = world();
        let zone = world.read(ZONE_FILE);
        let zeros = "00".repeat(48);
        if has_digest {
            let line = format!("example.com. 3600 IN ZONEMD 1 1 1 {zeros}\n");
            world.write(ZONE_FILE, &format!("{zone}{line}"));
            world.git("commit --quiet --all --message digest");
        }
        sign_elsewhere(&world, BEGIN);
        world.start(BEGIN).ends(0);
        let said = world.advance(BEGIN).ends(3);
        let said = format!("{}{}", said.stdout, said.stderr);
        let message = world.git(&format!("log -1 --format=%B {BRANCH}"));
        for told in [&said, &message] {
            let is_told = told.contains("ZONEMD: the digest is of the zone before");
            assert_eq!(is_told, has_digest, "{told}");
        }
        let kept = world.git(&format!("diff --name-only main {BRANCH}"));
        assert!(!kept.contains(ZONE_FILE), "{kept}");
    }
}
