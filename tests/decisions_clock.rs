//! The machine while the time cannot be told, and what it makes of facts that a wrong clock recorded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, at, hours, key, mx, set};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::blocker::{Blocker, Who};
use tlsa_rotate::rotation::decide::decide;
use tlsa_rotate::rotation::doubt::Doubt;
use tlsa_rotate::rotation::observation::Observation;
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::repair::{Recorded, Repair, TooEarly, done_in_its_name, repair};
use tlsa_rotate::rotation::step::{Event, Step};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

fn doubts() -> [(Doubt, Who, Option<Instant>, &'static str); 4] {
    let ahead = Doubt::FactsAhead {
        facts: 2,
        last: hours(400),
        now: hours(26),
    };
    let jumped = Doubt::Jumped {
        by: Span::hours(30),
        forward: true,
    };
    let until = hours(27);
    // The clocks of two runners are never quite the same.
    let a_little = Doubt::FactsAhead {
        facts: 1,
        last: hours(26) + Span::minutes(5),
        now: hours(26),
    };
    [
        (
            a_little,
            Who::Clock,
            Some(hours(26) + Span::minutes(5)),
            "nothing to do before",
        ),
        (ahead, Who::You, None, "tlsa-rotate repair"),
        (jumped, Who::You, None, "tlsa-rotate repair"),
        (
            Doubt::NotSetYet { until },
            Who::Clock,
            Some(until),
            "nothing to do before",
        ),
    ]
}

#[test]
fn while_the_time_cannot_be_told_nothing_is_established_or_asked_for() {
    // At each step a look by which it would go on, or ask for something.
    let table = [
        (Step::Prepublishing, &[1, 2][..], [1; 3], 2),
        (Step::Waiting, &[1, 2], [1; 3], 26),
        (Step::Waiting, &[1], [1; 3], 5),
        (Step::SwapOpen, &[1, 2], [1; 3], 27),
        (Step::SwapOpen, &[1, 2], [2; 3], 27),
        (Step::Deployed, &[1, 2], [2; 3], 51),
        (Step::Deployed, &[1, 2], [2, 1, 2], 46),
        (Step::Verified, &[1, 2], [2; 3], 51),
        (Step::Retiring, &[2], [2; 3], 52),
        (Step::Retiring, &[1, 2], [2; 3], 52),
    ];
    let policy = Policy::default();
    for (step, zone, presents, hour) in table {
        let (rotation, now) = (at(step), hours(hour));
        let seen = World::of(zone, presents).seen(hour);
        let sure = decide(&rotation, now, &seen, &policy);
        let moves = sure.event.is_some() || !sure.actions.is_empty();
        assert!(moves, "{step} {zone:?} {presents:?}: {sure:?}");
        for (doubt, who, until, way_out) in doubts() {
            let seen = Observation {
                doubt: Some(doubt.clone()),
                ..seen.clone()
            };
            let unsure = decide(&rotation, now, &seen, &policy);
            assert_eq!(unsure.event, None, "{step}");
            assert!(
                unsure.actions.is_empty() && unsure.remembered.is_empty(),
                "{step}"
            );
            assert_eq!(unsure.blockers, [Blocker::Clock(doubt)], "{step}");
            assert_eq!(
                (unsure.who_acts(), unsure.look_again_at),
                (Some(who), until)
            );
            assert!(unsure.blockers[0].way_out().contains(way_out));
            // Mail at risk is said all the same.
            assert_eq!(unsure.alarms, sure.alarms, "{step}");
        }
    }
}

/// The facts of a whole rotation, one an hour from `begin` on.
fn whole(begin: u64) -> Vec<(Instant, Event)> {
    let ttl = Ttl(3600);
    let name = mx(1).tlsa_name();
    let facts = [
        Event::Started {
            endpoints: BTreeSet::from([mx(1)]),
            current: set(&[1]),
            base: BTreeMap::from([(name.clone(), set(&[1]))]),
            ttl: BTreeMap::from([(name, ttl)]),
            ttl_sources: BTreeMap::new(),
        },
        Event::KeyAdmitted {
            not_after: hours(9_000),
            made_by: None,
        },
        Event::AssociationsComputed {
            incoming: BTreeSet::from([key(2)]),
        },
        Event::PrepublishDecided,
        Event::PrepublishServed { ttl },
        Event::SwapOpened,
        Event::HostsPresentedIncoming,
        Event::SoakPassed,
        Event::RetireDecided,
        Event::RetireServed,
    ];
    let times = (begin..).map(hours);
    times.zip(facts).collect()
}

fn repaired(facts: &[(Instant, Event)], now: Instant, early: Option<TooEarly>) -> Repair {
    let recorded = |(seq, (at, event)): (u64, &'_ (Instant, Event))| (seq, *at, event.clone());
    let owned: Vec<(u64, Instant, Event)> = (1..).zip(facts).map(recorded).collect();
    let recorded: Vec<Recorded<'_>> = owned
        .iter()
        .map(|(seq, at, event)| Recorded {
            seq: *seq,
            at: *at,
            rotation: 1,
            event,
        })
        .collect();
    repair(&recorded, now, early)
}

#[test]
fn what_was_seen_in_the_future_counts_for_nothing_and_what_rests_on_no_time_counts_from_now() {
    let now = hours(3);
    // (when the rotation began, what is set aside, what counts from now)
    for (begin, aside, redated) in [
        (0, (5..=10).collect::<BTreeSet<u64>>(), vec![]),
        (2, (5..=10).collect(), vec![3, 4]),
        (500, (5..=10).collect(), vec![1, 2, 3, 4]),
    ] {
        let found = repaired(&whole(begin), now, None);
        assert_eq!(found.set_aside, aside, "{begin}");
        let redated: BTreeMap<u64, Instant> = redated.into_iter().map(|seq| (seq, now)).collect();
        assert_eq!(found.redated, redated, "{begin}");
    }
    // Nothing lies in the future: nothing is done.
    assert!(repaired(&whole(0), hours(9), None).is_empty());
    // A person gave it up by a clock that is right: the word stays, whatever is set aside before it.
    let mut facts = whole(0);
    let reason = "x".to_owned();
    facts.push((
        now,
        Event::AbortRequested {
            reason: reason.clone(),
        },
    ));
    assert_eq!(repaired(&facts, now, None).set_aside, (5..=10).collect());
    // What cannot follow any more goes too.
    facts.pop();
    facts.truncate(6);
    facts.push((now, Event::RollbackRequested { reason }));
    assert_eq!(
        repaired(&facts, now, None).set_aside,
        BTreeSet::from([5, 6, 7])
    );
}

#[test]
fn a_wait_that_began_by_a_clock_that_was_behind_is_no_longer_than_it_was() {
    // Set forward by 30 hours at hour 40, noticed an hour later.
    let early = TooEarly {
        from: hours(4),
        before: hours(41),
        by: Span::hours(30),
    };
    let mut facts = whole(0);
    facts.truncate(5);
    let found = repaired(&facts, hours(41), Some(early));
    assert!(found.set_aside.is_empty());
    // The wait began at hour 4 by that clock, and at 34 by this one; what was before that start of the machine is left alone.
    assert_eq!(found.redated, BTreeMap::from([(5, hours(34))]));
    // A second repair moves nothing a second time.
    let mut moved = facts.clone();
    moved[4].0 = hours(34);
    let done = Event::ClockRepaired {
        set_aside: BTreeSet::new(),
        redated: BTreeMap::from([(5, hours(34))]),
    };
    moved.push((hours(41), done));
    assert!(repaired(&moved, hours(42), Some(early)).is_empty());
    // A swap that comes to stand before the end of the wait that led to it counts for nothing.
    let mut opened = whole(0);
    opened.truncate(6);
    assert_eq!(opened[5].1, Event::SwapOpened);
    let before = hours(5);
    let alone = TooEarly { before, ..early };
    let found = repaired(&opened, hours(41), Some(alone));
    assert_eq!(found.redated, BTreeMap::from([(5, hours(34))]));
    assert_eq!(found.set_aside, BTreeSet::from([6]));
    // No fact comes to lie in the future.
    let found = repaired(&facts, hours(20), Some(early));
    assert_eq!(found.redated, BTreeMap::from([(5, hours(20))]));
}

#[test]
fn what_says_until_when_something_lasts_goes_along() {
    let mut left = Event::HostsLeft {
        endpoints: vec![(mx(1), hours(510))],
        asked: Some("gone".to_owned()),
    };
    left.move_times(hours(500), hours(3));
    let Event::HostsLeft { endpoints, .. } = &left else {
        panic!("{left:?}")
    };
    assert_eq!(endpoints[0].1, hours(13));
    assert_eq!(done_in_its_name(&left), None);
    assert!(
        done_in_its_name(&Event::SwapOpened)
            .unwrap()
            .contains("deploy")
    );
}
