//! Run every minute, every six hours or eight times at once: the journal and the zone come to the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{
    BEGIN, BRANCH, HOSTS, Publish, Run, SIGNED, WHOLE, World, ZONE_FILE, hours,
};
use std::process::Stdio;
use tlsa_rotate::dnssec::verify::verify_zone;
use tlsa_rotate::rotation::timing::{Instant, Span};

/// What one way of running it led to.
#[derive(Debug, PartialEq, Eq)]
struct End {
    facts: Vec<&'static str>,
    zone: Vec<String>,
    commits: usize,
}

/// Runs `advance` until the rotation is over; between the runs people and servers do what is theirs to do.
fn driven(world: &World, next: impl Fn(Instant, &str) -> Instant) -> (End, usize) {
    let mut now = BEGIN;
    for runs in 1..3000 {
        verify_zone(&world.signed(), now, Span::ZERO, None)
            .unwrap_or_else(|e| panic!("at {now} the served zone does not verify: {e:?}"));
        let run = world.advance(now);
        assert!(matches!(run.code, Some(0 | 3)), "{now}: {run:#?}");
        world.merge();
        world.load();
        if run.stdout.contains("SwapOpen") {
            HOSTS
                .iter()
                .enumerate()
                .for_each(|(host, _)| world.deploy(host));
        }
        if run.stdout.contains("it is over") {
            world.is_tidy();
            let facts = world.facts();
            let commits = if world.publish == Publish::File {
                0
            } else {
                world.commits()
            };
            return (
                End {
                    facts,
                    zone: world.zone(),
                    commits,
                },
                runs,
            );
        }
        now = next(now, &run.stdout);
    }
    panic!("it never ends")
}

/// Every minute, except that an hour passes at a time while only the clock is waited for, up to five minutes before.
fn busily(now: Instant, said: &str) -> Instant {
    let Some(gate) = said.split("wait until ").nth(1) else {
        return now + Span::minutes(1);
    };
    let left = (0..=60).find(|&minutes| (now + Span::minutes(minutes)).to_string() == gate.trim());
    now + match left {
        None => Span::minutes(55),
        Some(left) => Span::minutes(left.saturating_sub(5).max(1)),
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn every_minute_or_every_six_hours_comes_to_the_same() {
    for publish in [Publish::Branch, Publish::Current, Publish::File] {
        let seldom = World::new(publish);
        seldom.start(BEGIN).ends(0);
        let often = seldom.copy();
        // As seldom as a soak of a day allows.
        let (rarely, runs) = driven(&seldom, |now, _| now + Span::hours(6));
        assert!(runs < 30, "{publish:?}: {runs} runs");
        assert_eq!(rarely.facts, WHOLE, "{publish:?}");
        for host in 0..HOSTS.len() {
            often.put_back(host);
        }
        often.load();
        let (constantly, runs) = driven(&often, busily);
        assert!(runs > 50, "{publish:?}: {runs} runs");
        assert_eq!(constantly, rarely, "{publish:?}");
        assert_eq!(rarely.commits, if publish == Publish::File { 0 } else { 2 });
    }
}

#[test]
fn a_proposal_stands_over_midnight_and_nothing_is_signed_again() {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let (tip, files) = (world.git(&format!("rev-parse {BRANCH}")), world.files());
    for hour in 1..40 {
        world.advance(hours(hour)).ends(3);
        assert_eq!(
            world.git(&format!("rev-parse {BRANCH}")),
            tip,
            "hour {hour}"
        );
        assert!(files == world.files(), "hour {hour}");
    }
    // Somebody changes something else: one proposal still, now on top of that.
    world.write(
        ZONE_FILE,
        &world
            .read(ZONE_FILE)
            .replace("2026112301", "2026120201")
            .replace("192.0.2.80", "192.0.2.81"),
    );
    world.git("commit --quiet --all --message web");
    for hour in 40..43 {
        world.advance(hours(hour)).ends(3);
        assert_eq!(
            world.git(&format!("rev-parse {BRANCH}^")),
            world.git("rev-parse main")
        );
        assert_eq!(world.commits(), 1);
    }
    let proposed = world.git(&format!("show {BRANCH}:{ZONE_FILE}"));
    assert!(
        proposed.contains("192.0.2.81") && proposed.contains("2026120202"),
        "{proposed}"
    );
}

#[test]
fn signatures_are_made_again_only_before_they_run_out() {
    let world = World::new(Publish::Branch);
    let made = world.signatures();
    for day in 1..6 {
        world.advance(hours(24 * day)).ends(0);
        assert_eq!(world.signatures(), made, "day {day}");
    }
    world.advance(hours(24 * 7)).ends(0);
    let anew = world.signatures();
    assert!(made.iter().all(|signature| !anew.contains(signature)));
    verify_zone(&world.signed(), hours(24 * 14), Span::days(6), None).unwrap();
    let signed = world.read(SIGNED);
    world.advance(hours(24 * 7 + 1)).ends(0);
    assert_eq!(world.read(SIGNED), signed);
}

#[test]
fn eight_runs_at_once_do_the_work_of_one() {
    for publish in [Publish::Branch, Publish::Current, Publish::File] {
        let world = World::new(publish);
        world.start(BEGIN).ends(0);
        for round in 0..3 {
            let children: Vec<_> = (0..8)
                .map(|_| {
                    let mut command = world.command(BEGIN, &["advance"]);
                    command
                        .stdin(Stdio::null())
                        .stdout(Stdio::piped())
                        .stderr(Stdio::piped());
                    command.spawn().unwrap()
                })
                .collect();
            let runs: Vec<Run> = children
                .into_iter()
                .map(|child| child.wait_with_output().unwrap().into())
                .collect();
            let mut locked = 0;
            for run in &runs {
                if run.code == Some(5) {
                    locked += 1;
                    run.complains_of("another run");
                    assert!(run.stderr.contains(".tlsa-rotate/lock"), "{run:#?}");
                    assert_eq!(run.stdout, "", "{run:#?}");
                } else {
                    assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
                }
            }
            assert!(locked < 8, "one of them works");
            if round == 0 {
                assert!(locked > 0, "they did not meet: {runs:#?}");
            }
        }
        assert_eq!(world.facts(), WHOLE[..4], "{publish:?}");
        if publish != Publish::File {
            assert_eq!(world.commits(), 1);
        }
        world.is_tidy();
    }
}

#[test]
fn the_one_who_holds_the_lock_is_named_and_readers_need_none() {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    let lock =
        tlsa_rotate::workspace::lock::WorkspaceLock::acquire(&world.path(".tlsa-rotate/lock"))
            .unwrap();
    let before = world.everything();
    let me = format!("(process {})", std::process::id());
    for arguments in [&["advance"][..], &["start", "mail"], &["abort", "mail"]] {
        world.run(BEGIN, arguments).ends(5).complains_of(&me);
    }
    for arguments in [&["status"][..], &["plan"], &["advance", "--dry-run"]] {
        assert!(
            matches!(world.run(BEGIN, arguments).code, Some(0 | 3)),
            "{arguments:?}"
        );
    }
    assert!(before == world.everything());
    drop(lock);
    world.advance(BEGIN).ends(3);
}
