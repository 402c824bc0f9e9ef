//! What runs that are interrupted have in common: a run, what the operator does after it, and what must come of both.
#![allow(clippy::print_stdout)] // how many places were tried, for who runs it with --no-capture

use super::{BEGIN, BRANCH, Publish, Run, SIGNED, World, hours};
use std::time::{SystemTime, UNIX_EPOCH};
use tlsa_rotate::dnssec::verify::verify_zone;
use tlsa_rotate::rotation::timing::{Instant, Span};

/// At most so many places of one scenario are tried.
pub(crate) const PLACES: usize = 14;

/// What the server reads, as of the last reload; ignored by git as every signed zone.
pub(crate) const RELOADED: &str = "reloaded.signed";

pub(crate) struct Scenario<'s> {
    pub(crate) world: World,
    pub(crate) arguments: &'s [&'s str],
    pub(crate) now: Instant,
    /// When the next run comes.
    pub(crate) resumed: Instant,
    /// What the operator runs after the kill.
    pub(crate) again: &'s dyn Fn(&World, Instant) -> Run,
}

/// What there is to compare when all is done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) facts: Vec<&'static str>,
    pub(crate) zone: Vec<String>,
    pub(crate) serial: u32,
    pub(crate) commits: usize,
    pub(crate) proposed: Option<String>,
}

pub(crate) fn world(publish: Publish) -> World {
    World::with(publish, |config| {
        // A server has what it loaded in its memory; here, what it loaded survives as long as the note of it.
        let copy = format!("\"if={SIGNED}\", \"of={RELOADED}\", \"conv=fsync\", \"status=none\"");
        let reload = format!("[[zone]]\nreload = [\"dd\", {copy}]");
        config.replace("[[zone]]", &reload)
    })
}

/// A run of `advance` at `now`, and the next one at `resumed`.
pub(crate) fn advancing(world: World, now: Instant, resumed: Instant) -> Scenario<'static> {
    Scenario {
        world,
        arguments: &["advance"],
        now,
        resumed,
        again: &advance,
    }
}

/// A run that proposes the first change, or commits or writes it where nobody reviews.
pub(crate) fn proposing(publish: Publish) -> Scenario<'static> {
    let world = world(publish);
    world.start(BEGIN).ends(0);
    advancing(world, BEGIN, BEGIN)
}

/// A run that hands on what a person has merged.
pub(crate) fn merged() -> Scenario<'static> {
    let Scenario { world, .. } = proposing(Publish::Branch);
    world.advance(BEGIN).ends(3);
    assert!(world.merge());
    advancing(world, hours(1), hours(1))
}

pub(crate) fn advance(world: &World, now: Instant) -> Run {
    world.advance(now)
}

/// Those of the places that are tried today.
pub(crate) fn todays<T: Copy>(places: &[T], most: usize) -> Vec<T> {
    let step = places.len().div_ceil(most).max(1);
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let first = usize::try_from(seconds / 86_400).unwrap() % step;
    let chosen: Vec<T> = match std::env::var_os("EVERY_PLACE") {
        Some(_) => places.to_vec(),
        None => places.iter().copied().skip(first).step_by(step).collect(),
    };
    println!("{} of {} places, from {first}", chosen.len(), places.len());
    chosen
}

pub(crate) fn end(world: &World, now: Instant) -> End {
    let signed = world.signed();
    verify_zone(&signed, now, Span::ZERO, None).unwrap();
    assert_eq!(
        world.read(RELOADED),
        world.read(SIGNED),
        "the server has what was signed"
    );
    world.is_tidy();
    let git = world.publish != Publish::File;
    let is_proposed = git && !world.git(&format!("branch --list {BRANCH}")).is_empty();
    End {
        facts: world.facts(),
        zone: world.zone(),
        serial: signed.soa().unwrap().serial,
        commits: if git { world.commits() } else { 0 },
        proposed: is_proposed
            .then(|| world.git(&format!("diff main {BRANCH} -- example.com.zone"))),
    }
}

/// The run that comes after the interrupted one does all that is left; the one after that, nothing.
#[track_caller]
pub(crate) fn resumes(world: &World, scenario: &Scenario<'_>, place: &str) {
    let run = (scenario.again)(world, scenario.resumed);
    assert!(matches!(run.code, Some(0 | 3)), "{place}: {run:#?}");
    let before = world.files();
    let again = world.advance(scenario.resumed);
    assert!(matches!(again.code, Some(0 | 3)), "{place}: {again:#?}");
    assert!(
        before == world.files(),
        "{place}: one run did not do: {run:#?} {again:#?}"
    );
}
