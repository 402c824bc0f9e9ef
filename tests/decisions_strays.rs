//! Records that servers answered with for a while, by another hand: the risk lasts until caches have dropped them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, at, hours, mx, set};
use std::collections::BTreeMap;
use tlsa_rotate::rotation::alarm::Trouble;
use tlsa_rotate::rotation::blocker::Blocker;
use tlsa_rotate::rotation::decide::{Action, Decision, decide};
use tlsa_rotate::rotation::observation::{Authority, Observation, Seen};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span};

/// What a run sees at an instant, where the servers answer with `zone` and the hosts present `presents`.
fn seen(zone: &[u8], presents: u8, at: Instant) -> Observation {
    let mut seen = World::of(zone, [presents; 3]).seen(0);
    seen.at = at;
    seen
}

/// A whole run: every fact is recorded, those that are only remembered last.
fn run(rotation: &mut Rotation, seen: &Observation) -> Decision {
    for _ in 0..16 {
        let decision = decide(rotation, seen.at, seen, &Policy::default());
        let Some(event) = &decision.event else {
            for fact in &decision.remembered {
                *rotation = apply(Some(rotation), seen.at, fact).unwrap();
            }
            return decision;
        };
        *rotation = apply(Some(rotation), seen.at, event).unwrap();
    }
    panic!("a run must end");
}

fn troubles(decision: &Decision) -> Vec<Trouble> {
    let alarms = decision.alarms.iter();
    let mut troubles: Vec<_> = alarms.map(|alarm| alarm.risk.trouble).collect();
    troubles.dedup();
    troubles
}

#[test]
fn what_servers_answered_with_is_at_risk_until_caches_have_dropped_it() {
    // In each step: what the servers should answer with, what somebody made of it, and the key that hosts present.
    let ended = |end: Event| apply(Some(&at(Step::Retiring)), hours(60), &end).unwrap();
    let table: [(Rotation, &[u8], &[u8], u8); 4] = [
        (at(Step::Prepublishing), &[1, 2], &[2], 1),
        (at(Step::Waiting), &[1, 2], &[2], 1),
        (at(Step::SwapOpen), &[1, 2], &[2, 3], 1),
        (ended(Event::RetireServed), &[2], &[3], 2),
    ];
    for (mut rotation, whole, broken, presents) in table {
        let (step, t) = (rotation.step, hours(60));
        assert_eq!(troubles(&run(&mut rotation, &seen(whole, presents, t))), []);
        let wrong = run(&mut rotation, &seen(broken, presents, t + Span::minutes(5)));
        assert!(
            troubles(&wrong).contains(&Trouble::ServerUnfit),
            "{step}: {:?}",
            wrong.alarms
        );
        // The servers are right again five minutes later: caches keep the others for an hour from then at most.
        let back = t + Span::minutes(10);
        for minutes in [0, 5, 59] {
            let later = run(
                &mut rotation,
                &seen(whole, presents, back + Span::minutes(minutes)),
            );
            assert_eq!(
                troubles(&later),
                [Trouble::StaleInCaches],
                "{step} {minutes}"
            );
            assert!(
                later
                    .alarms
                    .iter()
                    .all(|alarm| alarm.recovers == Some(back + Span::hours(1)))
            );
        }
        let over = run(&mut rotation, &seen(whole, presents, back + Span::hours(1)));
        assert_eq!(troubles(&over), [], "{step}");
    }
}

#[test]
fn a_server_that_falls_silent_may_answer_others_as_before() {
    let mut rotation = at(Step::Waiting);
    let t = hours(3);
    run(&mut rotation, &seen(&[2], 1, t));
    let mut dark = seen(&[1, 2], 1, t + Span::hours(2));
    for servers in dark.served.values_mut() {
        let ns2 = Authority("ns2 192.0.2.2:53".into());
        servers.insert(ns2, Seen::Unknown("timed out".into()));
    }
    let decision = run(&mut rotation, &dark);
    assert_eq!(troubles(&decision), [Trouble::StaleInCaches]);
    let back = t + Span::hours(9);
    let decision = run(&mut rotation, &seen(&[1, 2], 1, back));
    assert_eq!(troubles(&decision), [Trouble::StaleInCaches]);
    let decision = run(&mut rotation, &seen(&[1, 2], 1, back + Span::hours(1)));
    assert_eq!(troubles(&decision), []);
}

#[test]
fn what_refuses_nobody_is_no_stray() {
    let mut rotation = at(Step::Waiting);
    // Another's record beside ours, and a set that a step of this rotation publishes.
    for zone in [&[1, 2, 3][..], &[1], &[1, 2]] {
        run(&mut rotation, &seen(zone, 1, hours(3)));
        assert_eq!(rotation.strays, BTreeMap::new(), "{zone:?}");
    }
    let names = [mx(1), mx(2), mx(3)].map(|one| one.tlsa_name());
    run(&mut rotation, &seen(&[2], 1, hours(4)));
    assert_eq!(
        rotation.strays.keys().collect::<Vec<_>>(),
        [&names[0], &names[1], &names[2]]
    );
    assert!(rotation.strays[&names[0]].contains_key(&set(&[2])));
}

#[test]
fn one_time_of_wrong_answers_is_two_facts_however_often_it_is_looked_at() {
    let mut rotation = at(Step::Waiting);
    let mut facts = 0;
    for minute in 0..120 {
        let zone: &[u8] = if (10..40).contains(&minute) {
            &[2]
        } else {
            &[1, 2]
        };
        let look = seen(zone, 1, hours(3) + Span::minutes(minute));
        let decision = decide(&rotation, look.at, &look, &Policy::default());
        let stray = |fact: &&Event| matches!(fact, Event::StraysAnswered { .. });
        facts += decision.remembered.iter().filter(stray).count();
        run(&mut rotation, &look);
    }
    assert_eq!(facts, 2 * 3, "three names");
}

/// On the way back nobody is told to put the previous key where a server, or a cache, lacks its record.
#[test]
fn nobody_is_sent_back_to_a_key_whose_record_was_taken_out() {
    let back = Event::AbortRequested {
        reason: "it fails".into(),
    };
    let mut rotation = apply(Some(&at(Step::SwapOpen)), hours(27), &back).unwrap();
    assert_eq!(rotation.step, Step::RollingBack);
    let sent_back = |decision: &Decision| {
        let wrong = |one: &Blocker| matches!(one, Blocker::WrongKey { .. });
        let told = decision.blockers.iter().any(wrong);
        let asked = |one: &Action| matches!(one, Action::RollBack(_));
        assert_eq!(told, decision.actions.iter().any(asked), "{decision:?}");
        told
    };
    let t = hours(28);
    assert!(sent_back(&run(&mut rotation, &seen(&[1, 2], 2, t))));
    let out = run(&mut rotation, &seen(&[2], 2, t + Span::minutes(5)));
    assert!(!sent_back(&out) && !out.blockers.is_empty(), "{out:?}");
    for minutes in [10, 69] {
        let decision = run(&mut rotation, &seen(&[1, 2], 2, t + Span::minutes(minutes)));
        assert!(!sent_back(&decision), "{minutes}: {decision:?}");
        let waits = |one: &Blocker| matches!(one, Blocker::CachesMayLackOld(_));
        assert!(
            decision.blockers.iter().any(waits),
            "{minutes}: {decision:?}"
        );
    }
    assert!(sent_back(&run(
        &mut rotation,
        &seen(&[1, 2], 2, t + Span::minutes(70))
    )));
}

/// A run a day is too seldom for a soak of a day: somebody is told how often.
#[test]
fn a_soak_that_comes_to_no_end_is_a_matter_for_a_person() {
    let mut rotation = apply(
        Some(&at(Step::SwapOpen)),
        hours(27),
        &Event::HostsPresentedIncoming,
    )
    .unwrap();
    let mut told = Vec::new();
    for day in 1..4 {
        let look = seen(&[1, 2], 2, hours(27 + 24 * day));
        let decision = run(&mut rotation, &look);
        let seldom = |one: &Blocker| matches!(one, Blocker::LooksTooSeldom { .. });
        told.push(decision.blockers.iter().any(seldom));
        assert_eq!(rotation.step, Step::Deployed);
    }
    assert_eq!(told, [true, true, true]);
    let words = Blocker::LooksTooSeldom {
        from: hours(27),
        apart: Span::hours(6),
    };
    assert!(words.way_out().contains("at least every 6h"));
    // Watched from then on, it ends, whatever was before.
    for hour in [6, 12, 18, 24] {
        let look = seen(&[1, 2], 2, hours(27 + 72 + hour));
        run(&mut rotation, &look);
    }
    assert_ne!(rotation.step, Step::Deployed);
}

/// A server that follows late when the names leave DANE binds their hosts to their keys for a TTL after its last answer.
#[test]
fn what_a_late_server_answered_with_after_dane_was_left_counts_until_caches_have_dropped_it() {
    let left = Event::DaneLeft {
        reason: "asked".into(),
    };
    let mut rotation = apply(Some(&at(Step::Waiting)), hours(60), &left).unwrap();
    let late = hours(65);
    // Caches of the time before are empty by now; this server fills them again.
    assert_eq!(troubles(&run(&mut rotation, &seen(&[1, 2], 1, late))), []);
    let gone = late + Span::minutes(5);
    assert_eq!(troubles(&run(&mut rotation, &seen(&[], 1, gone))), []);
    let other = run(&mut rotation, &seen(&[], 3, gone + Span::minutes(10)));
    assert_eq!(troubles(&other), [Trouble::StaleInCaches]);
    let over = run(&mut rotation, &seen(&[], 3, gone + Span::hours(1)));
    assert_eq!(troubles(&over), []);
}
