//! No symbolic link is followed inside of a workspace, also not one that came while the run was under way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::external::{LOADED, reloaded};
use rotation_support::{BEGIN, Publish, SIGNED, World, ZONE_FILE, hours};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A directory that is none of the program's business, with a file in it.
fn elsewhere() -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "theirs\n").unwrap();
    let before = contents(home.path());
    (home, before)
}

fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap_or_default())
    });
    named.collect()
}

#[test]
fn a_link_that_the_branch_brings_for_the_files_of_a_review_leads_nowhere() {
    for publish in [Publish::Branch, Publish::Current] {
        for place in ["changes", "changes/mail.1"] {
            let (outside, before) = elsewhere();
            let world = World::new(publish);
            world.start(BEGIN).ends(0);
            let link = world.path(place);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(outside.path(), &link).unwrap();
            world.git("add --all");
            world.git("commit --quiet --message review");
            let run = world.advance(BEGIN);
            assert_eq!(contents(outside.path()), before, "{place}: {run:#?}");
            run.complains_of("is a symbolic link");
            // Where it is another directory of the workspace it is no better.
            fs::remove_file(&link).unwrap();
            symlink(world.path("keys"), &link).unwrap();
            world.git("commit --quiet --all --message inside");
            let run = world.advance(BEGIN);
            run.complains_of("is a symbolic link");
            assert!(!world.path("keys/mail.1").exists());
            assert_eq!(world.git("status --porcelain"), "");
            world.git(&format!("rm --quiet {place}"));
            world.git("commit --quiet --message gone");
            let run = world.advance(BEGIN);
            assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
        }
    }
}

#[test]
fn a_link_that_comes_while_a_run_is_under_way_is_not_followed_either() {
    // Each lies where the run is about to write; it comes with one of the calls of git that the run makes before.
    let places = [
        SIGNED,
        ".tlsa-rotate/reload",
        ".tlsa-rotate/seals",
        ".tlsa-rotate/handed-out",
    ];
    for place in places {
        let (outside, before) = elsewhere();
        let world = World::with(Publish::Branch, |config| {
            config.replace("[[zone]]", "[[zone]]\nreload = [\"true\"]")
        });
        world.start(BEGIN).ends(0);
        world.advance(BEGIN).ends(3);
        world.merge();
        let there = world.path(place);
        assert!(there.exists(), "{place}");
        let to = if there.is_dir() {
            outside.path().to_owned()
        } else {
            outside.path().join("file")
        };
        let away = world.path(".tlsa-rotate/away");
        let script = format!(
            "[ -e {away} ] || {{ mv {there} {away}; ln -s {to} {there}; }}",
            away = away.display(),
            there = there.display(),
            to = to.display()
        );
        let run = world.run_through(hours(1), &["advance"], &script);
        assert!(away.exists(), "{place}");
        assert_eq!(contents(outside.path()), before, "{place}: {run:#?}");
        run.complains_of("is a symbolic link");
    }
}

#[test]
fn a_server_is_not_told_to_load_a_link_though_it_leads_to_the_same_text() {
    let world = reloaded(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let loaded = world.read(LOADED);
    world.merge();
    let script = format!(
        "[ -e {zone}.real ] || {{ mv {zone} {zone}.real; ln -s {zone}.real {zone}; }}",
        zone = world.path(ZONE_FILE).display()
    );
    let run = world.run_through(hours(1), &["advance"], &script).ends(3);
    run.complains_of("is a symbolic link");
    assert_eq!(world.read(LOADED), loaded);
}
