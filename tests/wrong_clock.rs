//! A clock that was wrong: facts of the future lock nothing and open nothing, and `repair` sets them aside.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, JOURNAL, Publish, Run, World, hours};
use tlsa_rotate::dnssec::verify::verify_zone;
use tlsa_rotate::rotation::doubt::Doubt;
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workspace::clock::{Noted, Reading, is_kernel_asked, judge};

/// When the clock is wrong.
const THEN: u64 = 200;

fn with_traces(config: &str) -> String {
    let deploy = "deploy = { command = [\"touch\", \"live/deployed\"] }";
    config.replace("deploy = { manual = true }", deploy)
}

/// A rotation that waited for an hour when a run by a clock that was eight days ahead opened the swap and signed the zone.
fn ahead() -> World {
    let (world, hour) =
        World::with(Publish::Branch, |config| with_traces(&config)).brought_to("Waiting");
    assert_eq!(hour, 2);
    world.load();
    world.advance(hours(THEN));
    assert_eq!(world.facts().last(), Some(&"SwapOpened"));
    assert!(world.path("live/deployed").exists());
    std::fs::remove_file(world.path("live/deployed")).unwrap();
    world
}

fn says_so(run: &Run) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains(" of the journal lie"), "{run:#?}");
    assert!(
        said.contains(" in the future, up to 2026-12-09T16:00:00Z"),
        "{run:#?}"
    );
    assert!(said.contains("tlsa-rotate repair"), "{run:#?}");
}

#[test]
fn facts_of_the_future_lock_no_command_and_open_no_gate() {
    let world = ahead();
    let now = hours(3);
    let before = world.files();
    // What only looks, and what goes on, says so and does nothing.
    let table: [(&[&str], i32); 4] = [
        (&["status"], 3),
        (&["advance"], 3),
        (&["plan", "mail"], 0),
        (&["check", "--swap", "mail"], 3),
    ];
    for (arguments, code) in table {
        let run = world.run(now, arguments).ends(code);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(" of the journal lie"), "{run:#?}");
        if arguments != ["check", "--swap", "mail"] {
            says_so(&run);
        }
        assert!(world.files() == before, "something was changed: {run:#?}");
    }
    assert!(!world.path("live/deployed").exists());
    // A person's word counts at once, and is recorded when it was said.
    for (arguments, fact) in [
        (&["abort", "mail"][..], "AbortRequested"),
        (&["rollback", "mail"], "RollbackRequested"),
        (
            &["emergency", "mail", "--priority", "security"],
            "EmergencyDeclared",
        ),
        (&["forget", "mx2.example.com"], "HostsLeft"),
    ] {
        let copy = world.copy();
        let run = copy.run(now, arguments).ends(3);
        says_so(&run);
        assert_eq!(copy.facts().last(), Some(&fact), "{run:#?}");
        // It outlasts the repair.
        copy.run(now, &["repair"]).ends(0);
        let is_there = copy.facts().contains(&fact);
        assert_eq!(is_there, fact != "RollbackRequested", "{:?}", copy.facts());
    }
}

#[test]
fn a_repair_sets_the_facts_of_the_future_aside_and_what_they_led_to_begins_anew() {
    let world = ahead();
    let now = hours(3);
    let journal = world.read(JOURNAL);
    let run = world.run(now, &["repair"]).ends(0);
    assert!(
        run.stdout
            .contains("SwapOpened: the next key was let go: hosts may present it"),
        "{run:#?}"
    );
    assert!(
        run.stdout.contains("mail.1 stands at Waiting again"),
        "{run:#?}"
    );
    // Every line stays, and one says which of them count no more.
    let repaired = world.read(JOURNAL);
    let line = repaired.strip_prefix(&journal).unwrap();
    assert!(
        line.lines().count() == 1 && line.contains("clock-repaired"),
        "{line}"
    );
    assert_eq!(world.facts().last(), Some(&"PrepublishServed"));
    // A second one finds nothing to do.
    let again = world.run(now, &["repair"]).ends(0);
    assert!(
        again.stdout.contains("mail: every fact stays as it is"),
        "{again:#?}"
    );
    assert_eq!(world.read(JOURNAL), repaired);
    // What was signed by the wrong clock is signed anew, and the wait goes on from where it began.
    world.advance(now);
    verify_zone(&world.signed(), now, Span::ZERO, None).unwrap();
    world.load();
    for (hour, step) in [(4, "Waiting"), (26, "Waiting"), (27, "SwapOpen")] {
        world.advance(hours(hour));
        assert_eq!(world.step(hours(hour)), step, "at {hour}");
    }
    world.is_tidy();
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn whatever_was_recorded_in_the_future_a_repaired_rotation_comes_to_its_end() {
    for (step, left) in [
        ("Hashed", "Hashed"),
        ("SwapOpen", "Prepublishing"),
        ("Deployed", "Prepublishing"),
        ("Retired", "Prepublishing"),
    ] {
        let world = World::new(Publish::Current);
        world.bring_to(step, THEN);
        let now = hours(1);
        let run = world.run(now, &["status"]);
        assert!(run.stdout.contains(" in the future, up to "), "{run:#?}");
        world.run(now, &["repair"]).ends(0);
        assert_eq!(world.step(now), left, "{step}");
        let mut hour = 1;
        while world.facts().last() != Some(&"RetireServed") {
            assert!(hour < 200, "{step}: {:?}", world.facts());
            let run = world.advance(hours(hour));
            assert!(run.code != Some(1), "{step} at {hour}: {run:#?}");
            world.go_along(hours(hour));
            hour += 5;
        }
    }
}

trait Others {
    /// What people and servers do between two runs.
    fn go_along(&self, now: Instant);
    /// Brings a rotation to `step` by a clock that is ahead by `then` hours from its start on.
    fn bring_to(&self, step: &str, then: u64);
}

impl Others for World {
    fn go_along(&self, now: Instant) {
        self.load();
        if self.step(now) == "SwapOpen" {
            self.deploy(0);
            self.deploy(1);
        }
    }

    fn bring_to(&self, step: &str, then: u64) {
        self.start(hours(then)).ends(0);
        let mut hour = then;
        while self.step(hours(hour)) != step {
            assert!(hour < then + 150, "{:?}", self.facts());
            self.go_along(hours(hour));
            hour += 5;
            self.advance(hours(hour));
        }
    }
}

#[test]
fn nothing_begins_by_a_clock_in_doubt() {
    let world = ahead();
    // Over, by the wrong clock.
    world.run(hours(THEN + 1), &["abort", "mail"]);
    for hour in 2..5 {
        world.advance(hours(THEN + hour));
        world.merge();
        world.load();
    }
    assert_eq!(world.step(hours(THEN + 5)), "Aborted");
    let before = world.files();
    for arguments in [
        &["start", "mail"][..],
        &["emergency", "mail", "--priority", "delivery"],
    ] {
        let run = world.run(hours(3), arguments).ends(3);
        run.complains_of("no rotation is begun now: ");
        assert!(world.files() == before, "{run:#?}");
    }
    world.run(hours(3), &["repair"]).ends(0);
}

fn reading(boot: &str, shown: Instant, up: Span, synchronised: Option<bool>) -> Reading {
    Reading {
        shown,
        since_boot: up,
        boot: boot.to_owned(),
        synchronised,
    }
}

/// What was noted at BEGIN, an hour after a start, against what the clocks say later.
#[test]
fn a_clock_that_was_set_shows() {
    let noted = Noted::right(&reading("a", BEGIN, Span::hours(1), None));
    let (hour, minutes) = (Span::hours(1), Span::minutes);
    let jumped = |by, forward| Some(Doubt::Jumped { by, forward });
    // (boot, what it shows, for how long it has run, what the kernel says) -> the doubt, and why
    let table = [
        ("a", BEGIN + hour, hour + hour, None, None, "time went on"),
        (
            "a",
            BEGIN + hour + minutes(5),
            hour + hour,
            None,
            None,
            "set by little",
        ),
        (
            "a",
            BEGIN + hour + minutes(6),
            hour + hour,
            None,
            jumped(minutes(6), true),
            "set forward",
        ),
        (
            "a",
            BEGIN + hour,
            hour + hour + minutes(9),
            None,
            jumped(minutes(9), false),
            "set back",
        ),
        (
            "a",
            BEGIN + Span::days(9),
            hour + hour,
            Some(true),
            jumped(Span::days(9) - hour, true),
            "whoever keeps it now",
        ),
        (
            "b",
            BEGIN + hour,
            minutes(20),
            None,
            None,
            "another start, a while ago: many clocks are kept by nobody",
        ),
        (
            "b",
            BEGIN + hour,
            minutes(2),
            Some(true),
            None,
            "another start, and the clock is kept",
        ),
        (
            "b",
            BEGIN + hour,
            minutes(2),
            Some(false),
            Some(Doubt::NotSetYet {
                until: BEGIN + hour + minutes(13),
            }),
            "just started",
        ),
        (
            "b",
            BEGIN + hour,
            minutes(2),
            None,
            Some(Doubt::NotSetYet {
                until: BEGIN + hour + minutes(13),
            }),
            "nobody can be asked",
        ),
        (
            "b",
            BEGIN - hour,
            minutes(20),
            None,
            jumped(hour, false),
            "went back at a start",
        ),
        (
            "b",
            BEGIN - hour,
            minutes(20),
            Some(true),
            None,
            "went back, and is kept right now",
        ),
    ];
    for (boot, shown, up, synchronised, doubt, why) in table {
        let now = reading(boot, shown, up, synchronised);
        let (after, found) = judge(Some(&noted), &now);
        assert_eq!(found, doubt, "{why}");
        let unknown = reading(boot, shown, up, None);
        assert!(
            found.is_none() || is_kernel_asked(Some(&noted), &unknown),
            "{why}"
        );
        // What was set stays noticed, whatever the next runs see; a person's word ends it.
        if matches!(found, Some(Doubt::Jumped { .. })) {
            let later = reading(boot, shown + hour, up + hour, synchronised);
            assert_eq!(judge(Some(&after), &later).1, doubt, "{why}");
            assert_eq!(judge(Some(&Noted::right(&now)), &later).1, None, "{why}");
        }
    }
    // In a new workspace nothing was recorded that could rest on another time.
    let started = reading("a", BEGIN, minutes(1), Some(false));
    assert_eq!(judge(None, &started).1, None);
}
