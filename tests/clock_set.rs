//! A clock that was set between two runs of the real program, by the clock: nothing rests on it until a person has looked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod engine_support;
mod path_support;
mod serve_support;

use engine_support::ports;
use path_support::World;
use serde_json::Value;
use serve_support::until;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workflow::advance::{Mode, advance};
use tlsa_rotate::workflow::present::Present;
use tlsa_rotate::workspace::Workspace;
use tlsa_rotate::workspace::clock::Reading;

const CLOCK: &str = ".tlsa-rotate/clock";
const KEPT: [&str; 3] = [
    ".tlsa-rotate/journal/mail.jsonl",
    "example.com.zone",
    "example.com.zone.signed",
];

/// A rotation under way whose server nobody runs.
fn world() -> World {
    let world = World::new();
    fs::write(world.path("example.com.zone"), world.zone()).unwrap();
    let zone =
        "file = \"example.com.zone\"\nsign = { keys = \"keys\" }\npublish = { file = true }\n";
    world.configure(zone, &[ports(1)[0]]);
    for arguments in [
        &["key", "generate", "example.com", "--keys", "keys"][..],
        &["start", "mail"],
    ] {
        let (code, said) = world.run(arguments);
        assert_eq!(code, 0, "{said}");
    }
    let said = world.advance();
    assert!(said.contains("Prepublishing"), "{said}");
    let second = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let recorded = second();
    until("the facts are of another second", || second() > recorded);
    world
}

/// As if the clock had been set by so many seconds since the last run.
fn set_clock_by(world: &World, seconds: i64) {
    let text = fs::read_to_string(world.path(CLOCK)).unwrap();
    let mut noted: Value = serde_json::from_str(&text).unwrap();
    for field in ["shown", "last"] {
        noted[field] = (noted[field].as_i64().unwrap() - seconds).into();
    }
    fs::write(world.path(CLOCK), noted.to_string()).unwrap();
}

fn kept(world: &World) -> Vec<Vec<u8>> {
    KEPT.map(|file| fs::read(world.path(file)).unwrap()).into()
}

#[test]
fn nothing_rests_on_a_clock_that_was_set_until_a_person_has_looked() {
    for (seconds, told) in [
        (108_000, "the clock was set forward by 1d6h"),
        (-7_200, "the clock was set back by 2h"),
    ] {
        let world = world();
        let before = kept(&world);
        let (code, said) = world.run(&["status"]);
        assert!(code == 0 && !said.contains("the clock was set"), "{said}");
        set_clock_by(&world, seconds);
        for arguments in [
            &["status"][..],
            &["advance"],
            &["check", "--swap", "mail"],
            &["advance"],
        ] {
            let (code, said) = world.run(arguments);
            assert!(code == 3 && said.contains(told), "{arguments:?}: {said}");
            if arguments[0] != "check" {
                assert!(said.contains("tlsa-rotate repair"), "{said}");
            }
            assert!(
                kept(&world) == before,
                "{arguments:?}: something was changed"
            );
        }
        let (code, said) = world.run(&["repair"]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("the clock is taken to be right"), "{said}");
        // What was begun too early counts from when it was, by the clock that is right.
        let is_moved = said.contains("with another time");
        assert_eq!(is_moved, seconds > 0, "{said}");
        let (_, said) = world.run(&["advance"]);
        assert!(!said.contains("the clock was set"), "{said}");
    }
}

#[test]
fn a_small_correction_and_a_lost_note_ask_nobody() {
    let world = world();
    set_clock_by(&world, 200);
    let said = world.advance();
    assert!(!said.contains("the clock was set"), "{said}");
    fs::remove_file(world.path(CLOCK)).unwrap();
    let said = world.advance();
    assert!(!said.contains("the clock was set"), "{said}");
    // On a machine that was started just now it is waited for.
    let is_waited_for = said.contains("was started a short while ago");
    assert!(world.path(CLOCK).exists() || is_waited_for, "{said}");
}

#[test]
fn a_damaged_note_is_a_doubt_until_a_person_has_looked() {
    let world = world();
    for note in ["", "{", "{\"version\":9}", "\0\0\0\0"] {
        fs::write(world.path(CLOCK), note).unwrap();
        let said = world.advance();
        assert!(
            said.contains("is damaged") && said.contains("`tlsa-rotate repair`"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(world.path(CLOCK)).unwrap(), note);
    }
    let (code, said) = world.run(&["repair"]);
    assert_eq!(code, 0, "{said}");
    let said = world.advance();
    assert!(!said.contains("is damaged"), "{said}");
}

#[test]
fn another_time_is_no_yes_for_a_deployment() {
    let world = world();
    // Whatever the rotation stands at, the gate says why not.
    let (code, said) = world.run(&["check", "--swap", "mail", "--now", "2030-01-01T00:00:00Z"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("this is a rehearsal"), "{said}");
}

/// A journal that came along, from a remote or a backup, has no note of this machine beside it.
#[test]
fn just_after_a_start_nothing_rests_on_the_clock_where_there_is_a_journal() {
    let world = world();
    let workspace = Workspace::open(&world.path("tlsa-rotate.toml")).unwrap();
    let shown = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let shown = Instant::from_unix(shown.as_secs());
    let is_in_doubt = |since_boot, synchronised| {
        let reading = Reading {
            shown,
            since_boot: Span::seconds(since_boot),
            boot: "another".to_owned(),
            synchronised,
        };
        let present = Present::shown(shown, Some(reading));
        let ticks = advance(&workspace, &[], &present, Mode::Look).unwrap();
        ticks[0].is_in_doubt()
    };
    fs::remove_file(world.path(CLOCK)).unwrap();
    for (since_boot, synchronised, expected) in [
        (100, None, true),
        (100, Some(false), true),
        (100, Some(true), false),
        (1_000, None, false),
    ] {
        assert_eq!(
            is_in_doubt(since_boot, synchronised),
            expected,
            "{since_boot} s, {synchronised:?}"
        );
    }
}
