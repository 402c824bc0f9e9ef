//! What a step demands of the RRsets, which sights take an earlier fact back or are worth remembering, and deployments that are
//! held or rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, after, at, hours, mx, resting, set, then};
use std::collections::BTreeMap;
use tlsa_rotate::rotation::blocker::{Blocker, Who};
use tlsa_rotate::rotation::decide::{Action, decide};
use tlsa_rotate::rotation::due::Release;
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::{Observation, Seen};
use tlsa_rotate::rotation::patience::Awaited;
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::regress::{longer_signature, regression};
use tlsa_rotate::rotation::requirement::Requirement;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Span, Ttl};

/// What the branch that counts and the one server have at the first name.
fn seen(head: &[u8], server: &[u8], presents: [u8; 3]) -> Observation {
    let mut seen = World::of(server, presents).seen(60);
    for held in seen.merged.values_mut() {
        *held = Seen::Known(set(head));
    }
    seen
}

#[test]
fn a_fact_is_taken_back_by_the_first_sight_that_contradicts_it_and_by_nothing_unknown() {
    let deployed = at(Step::Deployed);
    let silent = |mut seen: Observation| {
        seen.merged
            .values_mut()
            .for_each(|head| *head = Seen::Unknown("?".into()));
        let servers = seen.served.values_mut().flat_map(BTreeMap::values_mut);
        servers.for_each(|server| *server = Seen::Unknown("?".into()));
        seen
    };
    let table = [
        ("both everywhere", seen(&[1, 2], &[1, 2], [2; 3]), None),
        (
            "HEAD lacks the old one",
            seen(&[2], &[1, 2], [2; 3]),
            Some("OldWithdrawn"),
        ),
        (
            "a server lacks the old one",
            seen(&[1, 2], &[2], [2; 3]),
            Some("OldWithdrawn"),
        ),
        (
            "HEAD lacks the incoming one",
            seen(&[1], &[1, 2], [2; 3]),
            Some("MergeReverted"),
        ),
        (
            "a server lacks it",
            seen(&[1, 2], &[1], [2; 3]),
            Some("ServerRegressed"),
        ),
        (
            "nobody answers",
            silent(seen(&[1, 2], &[1, 2], [2; 3])),
            None,
        ),
        (
            "a host went back",
            seen(&[1, 2], &[1, 2], [2, 1, 2]),
            Some("HostRegressed"),
        ),
    ];
    for (situation, seen, expected) in table {
        let fact = regression(&deployed, &seen);
        assert_eq!(fact.as_ref().map(Event::name), expected, "{situation}");
    }
    // The mark grows by what is seen above it, wherever a record enters or leaves, and in no other step.
    let mut long = seen(&[1, 2], &[1, 2], [1; 3]);
    for server in long.served.values_mut().flat_map(BTreeMap::values_mut) {
        let Seen::Known(rrset) = server else { continue };
        rrset.ttl = Ttl(3601);
    }
    for (step, grows) in [
        (Step::Prepublishing, true),
        (Step::Retiring, true),
        (Step::Waiting, false),
    ] {
        let is_higher = |fact: &Event| matches!(fact, Event::HigherTtlSeen { ttl: Ttl(3601), .. });
        assert_eq!(
            regression(&at(step), &long).is_some_and(|f| is_higher(&f)),
            grows,
            "{step}"
        );
        assert_eq!(
            regression(&at(step), &seen(&[1, 2], &[1, 2], [1; 3])),
            None,
            "{step}"
        );
    }
}

#[test]
fn what_can_be_replayed_is_the_latest_signature_over_a_set_with_a_key_in_use() {
    let latest = |rotation: &Rotation, zone: &[u8], until| {
        let world = World {
            signed_until: until,
            ..World::of(zone, [1; 3])
        };
        longer_signature(rotation, &world.seen(60))
    };
    let (known, fact) = (hours(107), |until| Some(Event::SignatureSeen { until }));
    let none = at(Step::Waiting);
    let some = then(none.clone(), 60, &[Event::SignatureSeen { until: known }]);
    assert_eq!(latest(&none, &[1, 2], 100), fact(known));
    assert_eq!(latest(&none, &[2], 100), None, "it lists no key in use");
    assert_eq!(latest(&some, &[1], 100), None, "it is known");
    assert_eq!(latest(&some, &[1], 99), None, "a later one is known");
    // A signer that signs at each answer adds one fact a day; one that signs again for long is told as it is.
    assert_eq!(latest(&some, &[1], 101), fact(hours(107 + 24)));
    assert_eq!(latest(&some, &[1], 124), fact(hours(107 + 24)));
    assert_eq!(latest(&some, &[1], 125), fact(hours(125 + 7)));
}

/// Fifty runs, a minute to two hours apart, before a signer that signs at each answer, through every step in which the old
/// key's record is served: few facts, and at the end none that was seen expires after what is known.
#[test]
fn a_signer_that_signs_at_each_answer_adds_a_fact_a_day_and_none_it_made_outlasts_what_is_known() {
    for minutes in [1, 7, 60, 120] {
        for step in [
            Step::Prepublishing,
            Step::Waiting,
            Step::SwapOpen,
            Step::Retiring,
        ] {
            let (mut rotation, mut facts) = (at(step), 0);
            let mut last = hours(0);
            for run in 0..50 {
                let now = hours(60) + Span::minutes(run * minutes);
                last = now + Span::days(7);
                let mut seen = World::of(&[1, 2], [1; 3]).seen(60);
                for rrset in seen.served.values_mut().flat_map(|by| by.values_mut()) {
                    if let Seen::Known(rrset) = rrset {
                        rrset.replayable_until = last;
                    }
                }
                if let Some(fact) = longer_signature(&rotation, &seen) {
                    rotation = apply(Some(&rotation), now, &fact).unwrap();
                    facts += 1;
                }
                let known = rotation.signed_until.unwrap();
                assert!(known >= last, "{step}: {known} is before {last}");
                assert!(known < last + Span::days(1), "{step}: {known}, {last}");
            }
            let most = 2 + 50 * minutes / (24 * 60);
            assert!(
                facts <= most,
                "{step}: {facts} in 50 runs, {minutes} min apart"
            );
            let ended = match step {
                Step::Retiring => apply(Some(&rotation), hours(500), &Event::RetireServed).unwrap(),
                _ => rotation,
            };
            assert!(ended.signed_until >= Some(last), "{step}");
        }
    }
}

#[test]
fn a_step_demands_what_must_be_there_and_what_must_not_and_leaves_the_rest_alone() {
    let demanded = Requirement {
        present: set(&[1, 2]),
        absent: set(&[3]),
    };
    assert_eq!(demanded.applied_to(&set(&[1, 3, 9])), set(&[1, 2, 9]));
    let table: [(&[u8], &[u8], &[u8]); 5] = [
        (&[1, 2], &[], &[]),
        (&[1, 2, 9], &[], &[]),
        (&[1], &[2], &[]),
        (&[1, 2, 3], &[], &[3]),
        (&[3, 9], &[1, 2], &[3]),
    ];
    for (rrset, missing, unwanted) in table {
        let rrset = set(rrset);
        let met = missing.is_empty() && unwanted.is_empty();
        assert_eq!(demanded.is_met_by(&rrset), met, "{rrset:?}");
        assert!(demanded.missing_in(&rrset).eq(&set(missing)), "{rrset:?}");
        assert!(demanded.unwanted_in(&rrset).eq(&set(unwanted)), "{rrset:?}");
    }
    let mut state = after(&[]);
    state.staying = set(&[7]);
    let declared = Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: "stolen".into(),
    };
    let asked = Event::AbortRequested {
        reason: "asked".into(),
    };
    let replaced = [declared, Event::ReplacementServed { ttl: Ttl(1) }];
    let back = [asked, Event::WithdrawalDecided];
    let table: [(&[Event], &[u8], &[u8]); 5] = [
        (&[], &[1, 2, 7], &[]),
        (&replaced[..1], &[2, 7], &[1]),
        (&replaced, &[2, 7], &[1]),
        (&back[..1], &[1, 2, 7], &[]),
        (&back, &[1, 7], &[2]),
    ];
    for (facts, present, absent) in table {
        let rotation = then(state.clone(), 60, facts);
        let demanded = Requirement {
            present: set(present),
            absent: set(absent),
        };
        assert_eq!(rotation.requirement(), demanded, "{}", rotation.step);
    }
}

#[test]
fn a_held_deployment_goes_back_and_a_resting_one_waits() {
    let rollback = Event::RollbackRequested {
        reason: "it bounces".into(),
    };
    let held = then(at(Step::SwapOpen), 27, &[rollback]);
    let decided = |rotation: &Rotation, zone: &[u8], presents, policy: &Policy| {
        decide(
            rotation,
            hours(30),
            &World::of(zone, presents).seen(30),
            policy,
        )
    };
    let hosts = |actions: &[Action]| -> (usize, usize) {
        let mut found = (0, 0);
        for action in actions {
            match action {
                Action::Deploy(hosts) => found.0 += hosts.len(),
                Action::RollBack(hosts) => found.1 += hosts.len(),
                _ => {}
            }
        }
        found
    };
    let policy = Policy {
        concurrent: None,
        ..Policy::default()
    };
    let back = decided(&held, &[1, 2], [2, 1, 2], &policy);
    assert_eq!(hosts(&back.actions), (0, 2), "two hosts have the new key");
    assert_eq!(back.blockers.len(), 3, "each is named, and why: {back:?}");
    let settled = decided(&held, &[1, 2], [1; 3], &policy);
    assert_eq!(
        (hosts(&settled.actions), settled.blockers.len()),
        ((0, 0), 1)
    );
    let unsafe_now = decided(&held, &[2], [2; 3], &policy);
    assert_eq!(
        hosts(&unsafe_now.actions),
        (0, 0),
        "the old record is not there"
    );

    let open = at(Step::SwapOpen);
    assert_eq!(
        hosts(&decided(&open, &[1, 2], [1; 3], &policy).actions),
        (3, 0)
    );
    for due in [None, Some(31)] {
        let rest = Policy {
            concurrent: None,
            ..resting(due)
        };
        let rests = decided(&open, &[1, 2], [1; 3], &rest);
        assert_eq!(
            (rests.event, hosts(&rests.actions)),
            (None, (0, 0)),
            "{due:?}"
        );
        assert_eq!(rests.look_again_at, due.map(hours));
        let already = decided(&open, &[1, 2], [2; 3], &rest);
        let seen = Some(Event::HostsPresentedIncoming);
        assert_eq!(already.event, seen, "somebody was faster");
        let why = Release::Asked;
        let released = then(open.clone(), 30, &[Event::DeploymentReleased { why }]);
        let goes = decided(&released, &[1, 2], [1; 3], &rest);
        assert_eq!(hosts(&goes.actions), (3, 0), "let go");
        let waits_for_hosts = |why: &Blocker| matches!(why, Blocker::WrongKey { .. });
        assert!(goes.blockers.iter().all(waits_for_hosts), "{goes:?}");
    }
    let due = decided(&open, &[1, 2], [1; 3], &resting(Some(30)));
    let why = Release::Age;
    assert_eq!(due.event, Some(Event::DeploymentReleased { why }));
    // While it rests, a server that does not answer is said all the same.
    let mut seen = World::of(&[1, 2], [1; 3]).seen(30);
    for server in seen
        .served
        .get_mut(&mx(1).tlsa_name())
        .unwrap()
        .values_mut()
    {
        *server = Seen::Unknown("timed out".into());
    }
    let silent = decide(&open, hours(30), &seen, &resting(None));
    assert_eq!(silent.blockers.len(), 2, "{silent:?}");
}

/// Others keep a rotation waiting: for the policy's patience that is theirs, then a person is asked to look, and told since when.
#[test]
fn others_who_keep_a_rotation_waiting_for_too_long_are_for_a_person_to_look_at() {
    let policy = Policy::default(); // six hours
    let fact = |world: &Observation, rotation: &Rotation, hour| {
        let decision = decide(rotation, hours(hour), world, &policy);
        let mut facts = decision.remembered.iter();
        let fact = facts.find(|one| matches!(one, Event::DelaySeen { .. }));
        (fact.cloned(), decision.who_acts())
    };
    let over = Some(Event::DelaySeen { by: None });
    // Merged, and not served.
    let waits = at(Step::Prepublishing);
    let stale = seen(&[1, 2], &[1], [1; 3]);
    let (begun, who) = fact(&stale, &waits, 1);
    let begun = begun.unwrap();
    assert_eq!(who, Some(Who::World));
    let since = then(waits.clone(), 1, std::slice::from_ref(&begun));
    let (delay, at_hour) = since.delay.clone().unwrap();
    assert_eq!((delay.what, at_hour), (Awaited::Load, hours(1)));
    assert!(delay.place.ends_with(" on ns1 192.0.2.1:53"), "{delay:?}");
    assert_eq!(
        fact(&stale, &since, 7),
        (None, Some(Who::World)),
        "six hours, told once"
    );
    let late = decide(&since, hours(8), &stale, &policy);
    assert_eq!((late.who_acts(), &late.event), (Some(Who::You), &None));
    let told = late.blockers[0].to_string();
    let expected = format!(
        "others have kept this rotation waiting for 7h, since {}",
        hours(1)
    );
    assert!(
        told.starts_with(&expected) && told.contains("ns1 192.0.2.1:53"),
        "{told}"
    );
    let way_out = late.blockers[0].way_out();
    assert!(
        way_out.contains("find out what is wrong there: wait for ns1"),
        "{way_out}"
    );
    // Until a person has merged, nobody else is waited for: what began so is over.
    let unmerged = seen(&[1], &[1], [1; 3]);
    assert_eq!(fact(&unmerged, &waits, 1), (None, Some(Who::You)));
    assert_eq!(fact(&unmerged, &since, 8), (over.clone(), Some(Who::You)));
    assert_eq!(then(since.clone(), 8, &[over.clone().unwrap()]).delay, None);
    // Beside the clock, too: a gate will not open before a server that is silent.
    let mut dark = seen(&[1, 2], &[1, 2], [1; 3]);
    for of_name in dark.served.values_mut().flat_map(|by| by.values_mut()) {
        *of_name = Seen::Unknown("timed out".into());
    }
    let wait = at(Step::Waiting);
    let (other, who) = fact(&dark, &wait, 2);
    let other = other.unwrap();
    assert_eq!(who, Some(Who::Clock));
    let silent = then(wait, 2, std::slice::from_ref(&other));
    assert_eq!(fact(&dark, &silent, 9).1, Some(Who::You));
    // Another reason begins anew; one that comes and goes within an hour is one.
    assert_ne!(begun, other);
    assert_eq!(fact(&dark, &since, 1), (None, Some(Who::World)), "not yet");
    let (another, who) = fact(&dark, &since, 9);
    assert_eq!((another.as_ref(), who), (Some(&other), Some(Who::World)));
    let anew = then(since, 9, &[another.unwrap()]);
    assert_eq!(fact(&dark, &anew, 15), (None, Some(Who::World)));
    assert_eq!(fact(&dark, &anew, 16).1, Some(Who::You));
    // Another step begins anew.
    let open = then(silent, 27, &[Event::SwapOpened]);
    assert_eq!(open.delay, None);
    // Hosts that wait for their turn are told about where the turn is.
    let no_turn = Policy {
        concurrent: Some(0),
        ..policy
    };
    let paced = decide(&open, hours(28), &seen(&[1, 2], &[1, 2], [1; 3]), &no_turn);
    assert_eq!(paced.blockers, [Blocker::Paced]);
    let is_delay = |one: &Event| matches!(one, Event::DelaySeen { .. });
    assert!(!paced.remembered.iter().any(is_delay), "{paced:?}");
}
