//! `advance --cron`: what a person reads of a rotation whose timer runs every other hour, and of a day at rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, Run, World};
use tlsa_rotate::rotation::timing::{Instant, Span};

const STRIDE: u64 = 120;

fn minutes(count: u64) -> Instant {
    BEGIN + Span::minutes(count)
}

fn tick(world: &World, minute: u64) -> Run {
    world.run(minutes(minute), &["advance", "--cron"])
}

fn is_silent(run: &Run) -> bool {
    run.stdout.is_empty() && run.stderr.is_empty()
}

/// The review is done after a day and a half, everything else at once.
#[test]
fn a_rotation_is_told_once_at_each_step_and_rest_is_silent() {
    let world = World::new(Publish::Branch);
    for minute in (0..24 * 60).step_by(240) {
        let run = tick(&world, minute).ends(0);
        assert!(is_silent(&run), "at rest: {run:#?}");
    }
    let began = 24 * 60;
    world.start(minutes(began)).ends(0);
    let (mut told, mut reminded, mut minute) = (Vec::new(), 0, began);
    while world.facts().last() != Some(&"RetireServed") {
        minute += STRIDE;
        assert!(minute < began + 8 * 24 * 60, "no end: {told:#?}");
        let run = tick(&world, minute);
        let spoken = !is_silent(&run);
        assert!(spoken || run.code == Some(0), "{run:#?}");
        if run.code == Some(3) {
            assert!(run.stdout.is_empty(), "not on standard error: {run:#?}");
            assert!(run.stderr.contains("way out"), "{run:#?}");
        }
        if spoken {
            reminded += usize::from(run.stderr.contains("a reminder"));
            told.push((minute, run));
        }
        if minute == began + 36 * 60 {
            assert!(world.merge());
        } else if minute > began + 36 * 60 {
            world.merge();
        }
        world.load();
        if world
            .run(minutes(minute), &["check", "--swap", "mail"])
            .code
            == Some(0)
        {
            world.deploy(0);
            world.deploy(1);
        }
    }
    assert_eq!(reminded, 1, "{told:#?}");
    let (steps, reviews) = (6, 2);
    let days = usize::try_from((minute - began).div_ceil(24 * 60)).unwrap();
    assert!(told.len() <= steps + reviews + days, "{told:#?}");
    for _ in 0..6 {
        minute += 240;
        let run = tick(&world, minute).ends(0);
        assert!(is_silent(&run), "after the end: {run:#?}");
    }
}

#[test]
fn mail_at_risk_is_told_at_each_run_and_that_it_is_over_once() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = |more: u64| hour * 60 + more;
    tick(&world, at(10)).ends(0);
    world.deploy(0);
    for more in [20, 30, 40] {
        let run = tick(&world, at(more)).ends(4);
        assert!(run.stderr.contains("AT RISK"), "{run:#?}");
    }
    world.put_back(0);
    let run = tick(&world, at(50)).ends(0);
    assert!(run.stdout.contains("all clear"), "{run:#?}");
    let run = tick(&world, at(60)).ends(0);
    assert!(is_silent(&run), "{run:#?}");
}

/// What was told is only kept for the reader's sake: damaged, it holds nothing up.
#[test]
fn a_damaged_memory_of_what_was_told_tells_anew() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = |more: u64| hour * 60 + more;
    assert!(!is_silent(&tick(&world, at(10)).ends(0)));
    assert!(is_silent(&tick(&world, at(20)).ends(0)));
    world.write(".tlsa-rotate/told", "{\"certificate mail\": 7");
    assert!(!is_silent(&tick(&world, at(30)).ends(0)));
    assert!(is_silent(&tick(&world, at(40)).ends(0)));
}
