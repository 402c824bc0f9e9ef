//! What each fact leaves behind in a rotation, and which facts a step does not take.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity, // tables: situation, facts, expectation
    missing_docs
)]

mod decision_support;

use decision_support::{World, at, hours, key, mx, set, then};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::alarm::{Risk, Trouble};
use tlsa_rotate::rotation::decide::decide;
use tlsa_rotate::rotation::due::{Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::Authority;
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Published, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

fn abort() -> Event {
    Event::AbortRequested {
        reason: "asked".into(),
    }
}

fn withdrawn() -> Event {
    let name = mx(1).tlsa_name();
    Event::OldWithdrawn { name }
}

fn regressed() -> Event {
    Event::ServerRegressed {
        name: mx(1).tlsa_name(),
        authority: Authority("ns1".into()),
    }
}

fn declared(priority: Priority) -> Event {
    let reason = "stolen".into();
    Event::EmergencyDeclared { priority, reason }
}

fn reinstated() -> Event {
    Event::ReinstatementServed { ttl: Ttl(60) }
}

/// Why the rotation does not take the fact.
#[track_caller]
fn refused(rotation: &Rotation, fact: &Event) -> &'static str {
    apply(Some(rotation), hours(99), fact).unwrap_err().why
}

#[test]
fn the_return_to_the_old_key_ends_in_an_open_swap_or_in_giving_up() {
    let by_another_hand = then(at(Step::Deployed), 60, &[withdrawn()]);
    let open = then(
        by_another_hand.clone(),
        61,
        &[reinstated(), Event::ReturnOpened],
    );
    assert_eq!(open.step, Step::SwapOpen, "the rotation goes on");
    let facts = [reinstated(), abort(), reinstated(), Event::ReturnOpened];
    let given_up = then(by_another_hand, 61, &facts);
    assert_eq!(given_up.step, Step::RollingBack, "asked for on the way");
    let after_the_end = then(at(Step::Retiring), 60, &[Event::RetireServed, abort()]);
    assert_eq!(
        after_the_end.step,
        Step::Reinstating,
        "a host went back after the end"
    );
    let last = then(at(Step::Retiring), 60, &[abort()]);
    assert_eq!(last.step, Step::Reinstating);
    assert_eq!(
        refused(&last, &abort()),
        "no such transition",
        "once is enough"
    );
    let last = then(last, 61, &[reinstated(), Event::ReturnOpened]);
    assert_eq!(last.step, Step::RollingBack, "asked for in the last step");
}

#[test]
fn an_emergency_moves_the_step_only_where_security_breaks_the_promise() {
    let over = then(at(Step::Retiring), 60, &[Event::RetireServed]);
    let replacing = then(at(Step::Waiting), 60, &[declared(Priority::Security)]);
    let table = [
        (at(Step::Prepublishing), Some(Step::Replacing)),
        (at(Step::Waiting), Some(Step::Replacing)),
        (at(Step::SwapOpen), Some(Step::SwapOpen)),
        (at(Step::Deployed), Some(Step::Deployed)),
        (at(Step::Verified), Some(Step::Verified)),
        (at(Step::Retiring), Some(Step::Retiring)),
        (over, None),
        (replacing, None),
    ];
    for (rotation, expected) in table {
        let step = rotation.step;
        let by = |priority| {
            let after = apply(Some(&rotation), hours(99), &declared(priority));
            after.ok().map(|after| after.step)
        };
        assert_eq!(by(Priority::Security), expected, "{step}");
        let stays = expected.map(|_| step);
        assert_eq!(by(Priority::Delivery), stays, "{step}");
    }
}

/// What was given up is taken up again by a person's word, and with it a key that turns out to be lost or stolen.
#[test]
fn from_every_step_of_the_way_back_a_way_leads_forward() {
    use Step::{Prepublishing, Replacing, Retiring, Waiting};
    let forward = || Event::ForwardRequested {
        reason: "the old key is lost".into(),
    };
    let back = || then(at(Step::SwapOpen), 60, &[abort()]);
    let early = || then(at(Prepublishing), 60, &[abort()]);
    let withdrawing = || then(back(), 61, &[Event::WithdrawalDecided]);
    let aborted = || then(withdrawing(), 62, &[Event::WithdrawalServed]);
    let reinstating = || then(at(Retiring), 60, &[abort()]);
    let regressed = || {
        let name = mx(1).tlsa_name();
        then(back(), 61, &[Event::MergeReverted { name }])
    };
    let table = [
        (
            back(),
            Waiting,
            Some(Waiting),
            Some(Waiting),
            "both are in every cache, once it is looked at again",
        ),
        (
            regressed(),
            Prepublishing,
            Some(Prepublishing),
            Some(Replacing),
            "a server went back on the way",
        ),
        (
            early(),
            Prepublishing,
            Some(Prepublishing),
            Some(Replacing),
            "the swap was never open",
        ),
        (
            withdrawing(),
            Prepublishing,
            Some(Prepublishing),
            Some(Replacing),
            "some cache may lack the next key",
        ),
        (aborted(), Prepublishing, None, None, "it was over"),
        (
            reinstating(),
            Retiring,
            Some(Retiring),
            Some(Replacing),
            "hosts have the next key",
        ),
    ];
    for (rotation, to, delivery, security, why) in table {
        let after = then(rotation.clone(), 70, &[forward()]);
        assert_eq!((after.step, after.abort_reason), (to, None), "{why}");
        let by = |priority| {
            let after = apply(Some(&rotation), hours(99), &declared(priority));
            after.ok().map(|after| after.step)
        };
        assert_eq!(by(Priority::Delivery), delivery, "delivery first, {why}");
        assert_eq!(by(Priority::Security), security, "security first, {why}");
    }
    let anew = then(withdrawing(), 70, &[forward()]);
    assert_eq!(
        (anew.published, anew.opened),
        (None, None),
        "nothing that was waited for counts"
    );
}

#[test]
fn an_emergency_leaves_the_protocols_patience_and_one_host_at_a_time_unless_security_goes_first() {
    let patient = Policy {
        concurrent: Some(2),
        rest: Rest::Until(None),
        ..Policy::default()
    };
    for (priority, concurrent) in [(Priority::Delivery, Some(2)), (Priority::Security, None)] {
        let hurried = Policy {
            min_wait: Span::ZERO,
            soak: Span::ZERO,
            safety_margin: Span::ZERO,
            concurrent,
            rest: Rest::No,
            ..patient
        };
        assert_eq!(priority.hurried(&patient), hurried, "{priority}");
    }
    // It holds in the decision: two TTLs after hour 1, not a day.
    let waiting = then(at(Step::Waiting), 1, &[declared(Priority::Delivery)]);
    let decided = |hour| {
        decide(
            &waiting,
            hours(hour),
            &World::of(&[1, 2], [1; 3]).seen(hour),
            &patient,
        )
    };
    assert_eq!(decided(2).event, None);
    assert_eq!(decided(3).event, Some(Event::SwapOpened));
}

#[test]
fn a_publication_counts_from_the_run_that_saw_it_until_something_takes_it_back() {
    let seen = |hour, ttl| {
        let (t_all, ttl_new) = (hours(hour), Ttl(ttl));
        Some(Published { t_all, ttl_new })
    };
    let name = || mx(1).tlsa_name();
    let table: [(&str, Rotation, Vec<Event>, Option<Published>); 12] = [
        ("both", at(Step::Waiting), vec![], seen(1, 3600)),
        (
            "the swap keeps it",
            at(Step::Verified),
            vec![],
            seen(1, 3600),
        ),
        (
            "a server went back",
            at(Step::Waiting),
            vec![regressed()],
            None,
        ),
        (
            "the merge was reverted",
            at(Step::Waiting),
            vec![Event::MergeReverted { name: name() }],
            None,
        ),
        (
            "the old record left",
            at(Step::Deployed),
            vec![withdrawn()],
            None,
        ),
        (
            "both again",
            at(Step::Deployed),
            vec![withdrawn(), reinstated()],
            seen(60, 60),
        ),
        (
            "given up with both in every cache",
            at(Step::SwapOpen),
            vec![abort()],
            seen(1, 3600),
        ),
        (
            "given up in the last step",
            at(Step::Retiring),
            vec![abort()],
            None,
        ),
        (
            "given up with both back",
            at(Step::Deployed),
            vec![withdrawn(), reinstated(), abort()],
            None,
        ),
        (
            "delivery first",
            at(Step::Waiting),
            vec![declared(Priority::Delivery)],
            seen(1, 3600),
        ),
        (
            "security first",
            at(Step::Waiting),
            vec![declared(Priority::Security)],
            None,
        ),
        (
            "the incoming one alone",
            at(Step::Waiting),
            vec![
                declared(Priority::Security),
                Event::ReplacementServed { ttl: Ttl(30) },
            ],
            seen(60, 30),
        ),
    ];
    for (situation, rotation, facts, expected) in table {
        assert_eq!(
            then(rotation, 60, &facts).published,
            expected,
            "{situation}"
        );
    }
}

#[test]
fn a_rollback_holds_until_it_is_let_go_or_an_emergency_overrules_it() {
    let rollback = Event::RollbackRequested {
        reason: "it bounces".into(),
    };
    let asked = Event::DeploymentReleased {
        why: Release::Asked,
    };
    let state = |facts: &[Event]| {
        let after = then(at(Step::SwapOpen), 60, facts);
        (after.held, after.released, after.emergency)
    };
    let held = Some("it bounces".to_owned());
    assert_eq!(state(&[]), (None, false, None));
    assert_eq!(
        state(&[asked.clone(), rollback.clone()]),
        (held, false, None)
    );
    assert_eq!(state(&[rollback.clone(), asked]), (None, true, None));
    let declared = declared(Priority::Delivery);
    let overruled = state(&[rollback, declared]);
    assert_eq!(overruled, (None, true, Some(Priority::Delivery)));
}

#[test]
fn the_first_two_steps_remember_the_key_and_its_surroundings() {
    let hashed = |staying: &[u8], incoming: &[u8]| {
        let name = mx(1).tlsa_name();
        let found = Event::SurroundingsFound {
            aliases: BTreeMap::from([(mx(2).tlsa_name(), name.clone())]),
            base: BTreeMap::from([(name, set(&[1, 7]))]),
            staying: set(staying),
            satisfied: BTreeMap::from([(key(1), set(&[1, 9]))]),
        };
        let mut state = at(Step::Prepublishing);
        state.step = Step::Hashed;
        state.incoming = set(incoming);
        apply(Some(&state), hours(0), &found)
    };
    let state = hashed(&[7], &[2]).unwrap();
    assert_eq!(
        (state.step, state.not_after),
        (Step::Hashed, Some(hours(2400)))
    );
    assert_eq!((state.staying.clone(), state.base.len()), (set(&[7]), 1));
    assert_eq!(state.names().len(), 2, "one of the three is an alias");
    assert_eq!(state.chains(&set(&[1]))[0].satisfies, set(&[1, 9]));
    for staying in [1, 2] {
        let why = hashed(&[staying], &[2]).unwrap_err().why;
        assert_eq!(why, "a key cannot stay and be replaced");
    }
    let computed = |incoming| {
        let mut state = hashed(&[7], &[]).unwrap();
        state.step = Step::Generated;
        let fact = Event::AssociationsComputed { incoming };
        apply(Some(&state), hours(0), &fact).map_err(|refused| refused.why)
    };
    assert_eq!(computed(set(&[2])).unwrap().incoming, set(&[2]));
    assert_eq!(computed(BTreeSet::new()), Err("no next key"));
    let in_use = Err("the next key is already in use: with selector 1 nothing changes");
    assert_eq!(computed(set(&[1])), in_use);
    assert_eq!(computed(set(&[2, 7])), in_use, "that one stays");
}

#[test]
fn the_state_says_since_when_it_stands_and_goes_forward_only() {
    let open = at(Step::SwapOpen);
    assert_eq!(open.since, hours(26));
    let noted = then(open.clone(), 30, &[declared(Priority::Delivery)]);
    assert_eq!(noted.since, hours(26), "the step is the same");
    let until = hours(90);
    let fact = Event::SignatureSeen { until };
    assert!(
        apply(Some(&open), hours(26), &fact).is_ok(),
        "in the same second"
    );
    let before = Instant::from_unix(hours(26).unix() - 1);
    let why = apply(Some(&open), before, &fact).unwrap_err().why;
    assert_eq!(why, "it is dated before the event that precedes it");
}

#[test]
fn what_is_only_remembered_moves_no_step_and_forgets_nothing() {
    let higher = |ttl| Event::HigherTtlSeen {
        name: mx(1).tlsa_name(),
        ttl: Ttl(ttl),
    };
    let marked = then(at(Step::Prepublishing), 2, &[higher(9000), higher(60)]);
    assert_eq!(
        marked.ttl_old[&mx(1).tlsa_name()],
        Ttl(9000),
        "a high-water mark"
    );
    let risk = |place: &str| Risk {
        trouble: Trouble::EarlyKey,
        place: place.into(),
    };
    let risks = |places: &[&str]| Event::RisksSeen {
        risks: places.iter().map(|place| risk(place)).collect(),
    };
    let mut state = then(at(Step::Waiting), 2, &[risks(&["a"])]);
    state = then(state, 3, &[risks(&["a", "b"])]);
    let expected = BTreeMap::from([(risk("a"), hours(2)), (risk("b"), hours(3))]);
    assert_eq!((state.step, &state.risks), (Step::Waiting, &expected));
    let over = then(state, 4, &[risks(&[])]);
    assert_eq!(over.risks, BTreeMap::new());
    // Even after the end: what can be replayed and what goes back is still looked at.
    let until = hours(90);
    let facts = [
        Event::RetireServed,
        Event::SignatureSeen { until },
        risks(&["c"]),
    ];
    let ended = then(at(Step::Retiring), 60, &facts);
    assert_eq!(
        (ended.step, ended.signed_until),
        (Step::Retired, Some(until))
    );
}
