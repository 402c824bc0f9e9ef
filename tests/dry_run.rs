//! `--dry-run` of every command that writes: it says what would be done, and not one octet changes; the command itself does
//! change something where it was tried.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, PROGRAM, Publish, World, ZONE_FILE, hours};
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

/// Where a command is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No rotation has begun, and a record is left over.
    Fresh,
    /// A change waits for review.
    Proposed,
    /// The same, and paused.
    Paused,
    /// Every host presents the next key.
    Deployed,
    /// Taken back.
    Held,
    /// A host presents a key that its records do not list.
    Renewed,
}

/// Each command that writes, as it is called, and a word of what it would say.
const COMMANDS: [(&str, Place, &str); 19] = [
    ("start mail", Place::Fresh, "a start would make or admit"),
    (
        "emergency mail --priority delivery",
        Place::Fresh,
        "a run would begin mail.1",
    ),
    (
        "prune mail",
        Place::Fresh,
        "- _25._tcp.mx1.example.com. TLSA",
    ),
    (
        "disable mail",
        Place::Fresh,
        "until then the hosts keep their keys",
    ),
    ("pause mail", Place::Fresh, "nothing is deployed"),
    ("init new", Place::Fresh, "new/tlsa-rotate.toml"),
    ("advance", Place::Fresh, "no rotation"),
    (
        "adopt mail --certificate elsewhere/cert.pem",
        Place::Renewed,
        "+ _25._tcp.mx1.example.com. TLSA",
    ),
    ("advance", Place::Proposed, "mail.1"),
    ("propose --again mail", Place::Proposed, "mail.1"),
    ("abort mail", Place::Proposed, "mail.1"),
    ("abort mail --hold", Place::Proposed, "mail.1"),
    (
        "forget mx2.example.com",
        Place::Proposed,
        "mx2.example.com:25 left mail.1",
    ),
    ("deploy mail", Place::Proposed, "mail.1"),
    (
        "emergency mail --priority security",
        Place::Proposed,
        "mail.1",
    ),
    ("resume mail", Place::Paused, "would end the pause"),
    ("rollback mail", Place::Deployed, "mail.1"),
    ("deploy mail", Place::Held, "mail.1"),
    ("repair", Place::Deployed, "the clock is taken to be right"),
];

/// What is not changed by the command itself where it is tried: there is nothing to do.
const IDLE: [&str; 4] = ["advance", "propose --again mail", "repair", "deploy mail"];

fn world(place: Place) -> (World, Instant) {
    let fresh = || {
        let world = World::new(Publish::Branch);
        let zone = world.read(ZONE_FILE);
        let more = format!("_25._tcp.mx1 IN TLSA 3 1 1 {}\n", "ab".repeat(32));
        world.write(ZONE_FILE, &(zone + &more));
        world.git("commit --quiet --all --message more");
        world.advance(BEGIN).ends(0);
        world.load();
        world
    };
    let proposed = || {
        let world = fresh();
        world.start(hours(1)).ends(0);
        world.advance(hours(1)).ends(3);
        world
    };
    match place {
        Place::Fresh => (fresh(), hours(1)),
        Place::Renewed => {
            let world = fresh();
            world.renew_elsewhere(0);
            (world, hours(1))
        }
        Place::Proposed => (proposed(), hours(2)),
        Place::Paused => {
            let world = proposed();
            world.run(hours(1), &["pause", "mail"]).ends(0);
            (world, hours(2))
        }
        Place::Deployed | Place::Held => {
            let (world, hour) = World::new(Publish::Branch).brought_to("Deployed");
            if place == Place::Held {
                world.run(hours(hour), &["rollback", "mail"]).ends(3);
            }
            (world, hours(hour))
        }
    }
}

#[test]
fn a_dry_run_of_any_command_changes_nothing() {
    for place in [
        Place::Fresh,
        Place::Proposed,
        Place::Paused,
        Place::Deployed,
        Place::Held,
        Place::Renewed,
    ] {
        let (world, now) = world(place);
        for (call, _, told) in COMMANDS.iter().filter(|(_, at, _)| *at == place) {
            let words: Vec<&str> = call.split(' ').collect();
            let before = (world.files(), world.git("for-each-ref"));
            let run = world.run(now, &[&words[..], &["--dry-run"]].concat());
            assert!(matches!(run.code, Some(0 | 3 | 4)), "{call}: {run:#?}");
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(said.contains(told), "{call}: {run:#?}");
            let is_said = said.contains("nothing was changed") || *call == "advance";
            assert!(is_said, "{call}: {run:#?}");
            let after = (world.files(), world.git("for-each-ref"));
            assert!(before == after, "{call} changed something");
            if !IDLE.contains(call) {
                let other = world.copy();
                other.run(now, &words);
                let done = (other.files(), other.git("for-each-ref"));
                assert!(done != before, "{call} does nothing: what was shown?");
            }
        }
    }
}

#[test]
fn every_command_that_acts_on_a_rotation_has_one() {
    let acting = [
        "start",
        "advance",
        "propose",
        "abort",
        "rollback",
        "deploy",
        "forget",
        "repair",
        "archive",
        "emergency",
        "prune",
        "adopt",
        "enable",
        "disable",
        "pause",
        "resume",
        "init",
        "tlsrpt",
    ];
    for command in acting {
        let help = Command::new(PROGRAM).args([command, "--help"]).output();
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        assert!(help.contains("--dry-run"), "{command}");
    }
}
