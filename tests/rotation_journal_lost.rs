//! A journal that is gone, by the real program: what git knows of the rotation keeps every command from beginning in silence.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{JOURNAL, Publish, World, ZONE_FILE, hours};
use std::fs;

/// A rotation whose first change was merged, and its journal.
fn world() -> (World, Vec<u8>) {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    world.merge();
    let journal = fs::read(world.path(JOURNAL)).unwrap();
    (world, journal)
}

#[test]
fn a_lost_journal_is_never_taken_for_one_that_has_not_begun() {
    let (world, journal) = world();
    let config = world.read("tlsa-rotate.toml");
    let cadence = config.replace("[policy]\n", "[policy]\nmax_age = \"1h\"\n");
    for (gone, config) in [
        (JOURNAL, &config),
        (".tlsa-rotate", &config),
        (JOURNAL, &cadence),
    ] {
        let lost = world.copy();
        lost.write("tlsa-rotate.toml", config);
        let path = lost.path(gone);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let head = lost.git("rev-parse HEAD");
        for command in [
            &["advance"][..],
            &["advance", "--dry-run"],
            &["status", "mail"],
            &["status", "mail", "--format", "json"],
            &["plan", "mail"],
            &["start", "mail"],
            &["emergency", "mail", "--priority", "delivery"],
        ] {
            let run = lost.run(hours(2), command).ends(3);
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(
                told.contains("git knows of mail.1")
                    && told.contains("its step `publish`")
                    && told.contains("tlsa-rotate start mail --journal-lost"),
                "{command:?}: {run:#?}"
            );
            assert!(!told.contains("no rotation"), "{command:?}: {run:#?}");
        }
        assert!(!lost.path(JOURNAL).exists(), "{gone}");
        assert_eq!(lost.git("rev-parse HEAD"), head, "{gone}");
    }
    // From a backup it goes on as if nothing had been.
    let restored = world.copy();
    fs::remove_file(restored.path(JOURNAL)).unwrap();
    fs::write(restored.path(JOURNAL), journal).unwrap();
    restored.advance(hours(2)).ends(0);
    assert!(restored.read(JOURNAL).len() > world.read(JOURNAL).len());
}

#[test]
fn a_journal_that_is_lost_for_good_is_given_up_by_a_persons_word() {
    let (world, _) = world();
    world.advance(hours(2)).ends(0);
    fs::remove_file(world.path(JOURNAL)).unwrap();
    let begun = ["start", "mail", "--journal-lost"];
    let run = world.run(hours(3), &begun).ends(0);
    assert!(run.stdout.contains("mail.2"), "{run:#?}");
    // It is read again, and proposes beside what is there: no record leaves.
    world.advance(hours(3)).ends(3);
    let records = |at: &str| {
        let zone = world.git(&format!("show {at}:{ZONE_FILE}"));
        zone.matches(" TLSA ").count()
    };
    assert!(records("tlsa-rotate/mail.2") > records("main"));
    // Where nothing is lost the word changes nothing.
    let anew = World::new(Publish::Branch);
    let run = anew.run(hours(1), &begun).ends(0);
    assert!(run.stdout.contains("mail.1"), "{run:#?}");
}
