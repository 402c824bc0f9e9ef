//! `pause`, `resume` and the deploy window by the real program: nothing is proposed and nothing deployed, and all else goes on.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BRANCH, Publish, Run, SIGNED, World, ZONE_FILE, hours};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn pause(world: &World, hour: u64, more: &[&str]) -> Run {
    world.run(hours(hour), &[&["pause", "mail"], more].concat())
}

#[test]
fn a_paused_rotation_proposes_nothing_and_all_else_goes_on() {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    let files = world.files();
    let run = pause(&world, 1, &["--until", "5d", "--dry-run"]).ends(0);
    assert!(run.stderr.contains("nothing is proposed"), "{run:#?}");
    assert!(world.files() == files);
    let late = pause(&world, 1, &["--until", "2030-01-01T00:00:00Z", "--dry-run"]).ends(0);
    assert!(
        late.stderr
            .contains("lasts longer than this can wait: merge by"),
        "{late:#?}"
    );
    let past = pause(&world, 1, &["--until", "2026-11-30T00:00:00Z"]).ends(1);
    past.complains_of("would be over");
    assert!(
        pause(&world, 1, &["--until", "soon"])
            .ends(1)
            .stderr
            .contains("5d")
    );
    let run = pause(&world, 1, &["--until", "5d", "--reason", "change freeze"]).ends(0);
    assert!(run.stderr.contains("change freeze"), "{run:#?}");
    for hour in [2, 40, 100] {
        let run = world.advance(hours(hour)).ends(0);
        assert!(run.stderr.contains("paused since"), "{run:#?}");
        assert_eq!(world.git(&format!("branch --list {BRANCH}")), "", "{hour}");
    }
    let status = world.run(hours(100), &["status", "mail"]).ends(0);
    assert!(
        status.stderr.contains("tlsa-rotate resume mail"),
        "{status:#?}"
    );
    let plan = world.run(hours(100), &["plan", "mail"]).ends(0);
    assert!(plan.stderr.contains("is paused until"), "{plan:#?}");
    // What a person merges is signed and served.
    let zone = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &format!("{zone}new IN A 192.0.2.81\n"));
    world.git("commit --quiet --all --message edit");
    let before = world.read(SIGNED);
    world.advance(hours(101)).ends(0);
    assert_ne!(world.read(SIGNED), before);
    world.load();
    // Mail at risk is told.
    world.renew_elsewhere(0);
    world.advance(hours(102)).ends(4);
    world.put_back(0);
    // It ends by itself, and by a word.
    let other = world.copy();
    other.advance(hours(121)).ends(3);
    assert_ne!(other.git(&format!("branch --list {BRANCH}")), "");
    world
        .run(hours(103), &["resume", "mail", "--dry-run"])
        .ends(3);
    assert_eq!(world.git(&format!("branch --list {BRANCH}")), "");
    world.run(hours(103), &["resume", "mail"]).ends(3);
    assert_ne!(world.git(&format!("branch --list {BRANCH}")), "");
    let run = world.run(hours(103), &["resume", "mail"]).ends(1);
    run.complains_of("is not paused");
}

#[test]
fn a_pause_begins_no_rotation_and_an_emergency_goes_on() {
    let world = World::with(Publish::Branch, |config| {
        config.replace("[policy]\n", "[policy]\nmax_age = \"1h\"\n")
    });
    let fresh = world.copy();
    pause(&fresh, 0, &[]).ends(0);
    let run = fresh.advance(hours(30)).ends(0);
    assert!(!run.stderr.contains("began mail.1"), "{run:#?}");
    fresh.run(hours(31), &["resume", "mail"]);
    assert!(fresh.advance(hours(31)).ends(3).stdout.contains("mail.1"));
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    pause(&world, 1, &[]).ends(0);
    let words = ["emergency", "mail", "--priority", "delivery"];
    world.run(hours(2), &words);
    assert_ne!(world.git(&format!("branch --list {BRANCH}")), "");
}

/// A world whose deployment notes that it was run, with more in the certificate's configuration.
fn deploying(more: &str) -> World {
    let world = World::with(Publish::Branch, |config| {
        let command = "deploy = { command = [\"./install\"] }";
        let config = config.replace("deploy = { manual = true }", command);
        config + more
    });
    let path = world.path("install");
    fs::write(&path, "#!/bin/sh\ntouch .tlsa-rotate/installed\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    world.git("add install");
    world.git("commit --quiet --message install");
    world
}

/// Up to the time at which the swap opens, exclusive.
fn on_the_way(world: &World) {
    world.start(hours(0)).ends(0);
    world.advance(hours(0)).ends(3);
    world.merge();
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    assert_eq!(world.step(hours(1)), "Waiting");
}

#[test]
fn hosts_get_their_key_in_the_window_and_at_no_other_time() {
    // The swap opens on Wednesday morning; the window is on Thursday, in an hour east of UTC.
    let world = deploying("deploy_window = \"Thu 10:00-12:00 +01:00\"\n");
    let run = world.run(hours(0), &["plan", "mail"]).ends(0);
    assert!(run.stderr.contains("deploy_window"), "{run:#?}");
    on_the_way(&world);
    let is_installed = || world.path(".tlsa-rotate/installed").exists();
    for hour in [27, 34, 40] {
        let run = world.advance(hours(hour));
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(
            run.stderr.contains("from 2026-12-03T09:00:00Z on"),
            "{run:#?}"
        );
        assert!(!is_installed(), "{hour}");
    }
    let run = world.run(hours(41), &["advance", "--dry-run"]);
    assert!(run.stderr.contains("deploy_window"), "{run:#?}");
    assert!(!run.stderr.contains("would run ./install"), "{run:#?}");
    let paused = world.copy();
    pause(&paused, 41, &[]).ends(0);
    paused.advance(hours(49)).ends(0);
    assert!(!paused.path(".tlsa-rotate/installed").exists());
    world.advance(hours(49));
    assert!(is_installed());
    let wrong = World::new(Publish::Branch);
    let config = wrong.read("tlsa-rotate.toml");
    wrong.write(
        "tlsa-rotate.toml",
        &format!("{config}deploy_window = \"Tue-Thu 08:00-16:00\"\n"),
    );
    let run = wrong.advance(hours(1)).ends(1);
    assert!(run.stderr.contains("UTC or an offset from it"), "{run:#?}");
}

#[test]
fn after_the_end_too_nothing_is_proposed_while_it_lasts() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    world.merge();
    world.advance(hours(hour + 1));
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    // The removal is reverted by a hand: it would be proposed again.
    world.git("revert --no-edit HEAD");
    let paused = world.copy();
    let commits = |world: &World| world.git("rev-list --all --count");
    let before = commits(&paused);
    pause(&paused, hour + 2, &[]);
    paused.advance(hours(hour + 3));
    assert_eq!(commits(&paused), before);
    let before = commits(&world);
    world.advance(hours(hour + 2));
    assert_ne!(commits(&world), before);
}

/// Whoever asks whether the next key may be installed is told of the pause.
#[test]
fn no_key_is_installed_while_it_lasts() {
    let (world, hour) = World::new(Publish::Branch).brought_to("SwapOpen");
    world.run(hours(hour), &["check", "--swap", "mail"]).ends(0);
    pause(&world, hour, &["--until", "5d"]).ends(0);
    let held = world.run(hours(hour), &["check", "--swap", "mail"]).ends(3);
    assert!(held.stderr.contains("mail is paused"), "{held:#?}");
}
