//! What lies ahead: plans from every kind of step, the earliest swap and end, what caches may hold until when, and ends that
//! come too early.
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

use decision_support::{World, after, at, hours, key, mx, resting, set, then};
use std::collections::BTreeMap;
use tlsa_rotate::rotation::act_by::{Act, Ahead, act_by};
use tlsa_rotate::rotation::deadline::deadlines;
use tlsa_rotate::rotation::due::{Due, Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::expiry::Expiry;
use tlsa_rotate::rotation::exposure::Exposure;
use tlsa_rotate::rotation::observation::{Authority, ZoneName};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step};
use tlsa_rotate::rotation::timeline::{Timeline, look_ahead};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};
use tlsa_rotate::rotation::wait::{end_at_earliest, swap_at_earliest};

fn abort() -> Event {
    let reason = "asked".into();
    Event::AbortRequested { reason }
}

fn rollback() -> Event {
    let reason = "it bounces".into();
    Event::RollbackRequested { reason }
}

fn security() -> Event {
    Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: "stolen".into(),
    }
}

/// Hour and step of each entry, marked where a gate of time kept it until then, and what stops the plan.
fn told(plan: &Timeline) -> String {
    let mut words: Vec<String> = Vec::new();
    for entry in &plan.entries {
        let hour = entry.at.since(hours(0)).as_seconds() / 3600;
        let gate = entry.gate.map_or("", |_| "!");
        words.push(format!("{hour}{gate} {}", entry.step));
    }
    words.extend(plan.stopped_by.iter().map(|why| format!("stopped: {why}")));
    words.join(", ")
}

fn plan(rotation: &Rotation, hour: u64, policy: &Policy) -> String {
    told(&look_ahead(rotation, hours(hour), policy, &set(&[2])).unwrap())
}

#[test]
fn a_plan_leads_from_every_step_to_an_end_or_to_what_stops_it() {
    let replacing = then(at(Step::Waiting), 2, &[security()]);
    let withdrawn = Event::OldWithdrawn {
        name: mx(1).tlsa_name(),
    };
    let back = then(at(Step::Deployed), 30, &[withdrawn]);
    let given_up = then(at(Step::Retiring), 60, &[abort()]);
    let held = then(at(Step::SwapOpen), 27, &[rollback()]);
    let table = [
        (
            at(Step::Prepublishing),
            0,
            "0 Waiting, 25! SwapOpen, 25 Deployed, 49! Verified, 49 Retiring, 49 Retired",
        ),
        (
            at(Step::SwapOpen),
            27,
            "27 Deployed, 51! Verified, 51 Retiring, 51 Retired",
        ),
        (
            at(Step::Deployed),
            30,
            "51! Verified, 51 Retiring, 51 Retired",
        ),
        (at(Step::Retiring), 60, "60 Retired"),
        (replacing, 2, "2 Replaced, 3! Retired"),
        (
            back,
            30,
            "30 Reinstated, 55! SwapOpen, 55 Deployed, 79! Verified, 79 Retiring, 79 Retired",
        ),
        (
            given_up,
            60,
            "60 Reinstated, 85! RollingBack, 85 Withdrawing, 85 Aborted",
        ),
        (
            held,
            28,
            "stopped: the deployment is held after a rollback: it bounces",
        ),
    ];
    for (rotation, hour, expected) in table {
        let found = plan(&rotation, hour, &Policy::default());
        assert_eq!(found, expected, "{}", rotation.step);
    }
}

#[test]
fn a_standby_key_rests_in_the_plan_until_it_is_due_or_for_good() {
    let open = at(Step::SwapOpen);
    let due = plan(&open, 30, &resting(Some(200)));
    assert_eq!(
        due,
        "200 SwapOpen, 200 Deployed, 224! Verified, 224 Retiring, 224 Retired"
    );
    let rests = plan(&open, 30, &resting(None));
    assert_eq!(
        rests,
        "stopped: the next key is published and rests until a person lets it go"
    );
    let why = Release::Asked;
    let released = then(open, 40, &[Event::DeploymentReleased { why }]);
    let goes_on = plan(&released, 40, &resting(None));
    assert_eq!(
        goes_on,
        "40 Deployed, 64! Verified, 64 Retiring, 64 Retired"
    );
}

#[test]
fn a_plan_knows_keys_that_stay_and_says_what_would_stop_it() {
    let mut beside = at(Step::Waiting);
    beside.staying = set(&[7]);
    let whole = "26! SwapOpen, 26 Deployed, 50! Verified, 50 Retiring, 50 Retired";
    assert_eq!(plan(&beside, 2, &Policy::default()), whole);
    // A certificate that ends before the rotation could is not published, in the plan as in deed.
    let mut short = after(&[]);
    short.step = Step::Hashed;
    short.not_after = Some(hours(49));
    let policy = Policy::default();
    assert!(plan(&short, 0, &policy).starts_with("0 Prepublishing, 0 Waiting, 25! SwapOpen"));
    let stopped = plan(&short, 1, &policy);
    assert!(
        stopped.starts_with("stopped: the next certificate ends on"),
        "{stopped}"
    );
    // Steps that need a key are taken as done at once, with a certificate that lasts a day longer than it must.
    let mut started = after(&[]);
    started.step = Step::Started;
    started.incoming = set(&[]);
    let timeline = look_ahead(&started, hours(0), &policy, &set(&[2])).unwrap();
    let made = Event::KeyAdmitted {
        not_after: hours(25 + 24 + 24),
        made_by: None,
    };
    assert_eq!(timeline.entries[0].event, made);
    assert_eq!(timeline.entries[1].state.incoming, set(&[2]));
    assert_eq!(timeline.reaches(Step::SwapOpen), Some(hours(25)));
    assert_eq!(timeline.reaches(Step::Aborted), None);
}

#[test]
fn the_earliest_swap_and_end_count_what_still_lies_ahead() {
    let policy = Policy::default();
    // The step, at an hour: when the swap can be open and when all can be over.
    let table = [
        (Step::Prepublishing, 5, 30, 54),
        (Step::Waiting, 5, 26, 50),
        (Step::Waiting, 40, 40, 64),
        (Step::SwapOpen, 30, 30, 54),
        (Step::Deployed, 30, 30, 51),
        (Step::Deployed, 60, 60, 60),
        (Step::Verified, 60, 60, 60),
        (Step::Retiring, 70, 70, 70),
    ];
    for (step, now, swap, end) in table {
        let (rotation, now) = (at(step), hours(now));
        assert_eq!(
            swap_at_earliest(&rotation, now, &policy),
            hours(swap),
            "{step}"
        );
        assert_eq!(
            end_at_earliest(&rotation, now, &policy),
            hours(end),
            "{step}"
        );
    }
    let open = at(Step::SwapOpen);
    for (due, released, swap) in [(200, false, 200), (20, false, 30), (200, true, 30)] {
        let mut rotation = open.clone();
        rotation.released = released;
        let found = swap_at_earliest(&rotation, hours(30), &resting(Some(due)));
        assert_eq!(found, hours(swap), "due {due}, released {released}");
    }
}

#[test]
fn caches_hold_what_was_published_until_it_has_run_out() {
    let withdrawn = Event::OldWithdrawn {
        name: mx(1).tlsa_name(),
    };
    let reinstated = Event::ReinstatementServed { ttl: Ttl(3600) };
    let replaced = Event::ReplacementServed { ttl: Ttl(3600) };
    let back = [withdrawn, reinstated];
    let (old, both, new): (&[u8], &[u8], &[u8]) = (&[1], &[1, 2], &[2]);
    let now = [security(), replaced];
    // The step, reached at hour 60 (waiting: at 1), and what caches may hold within an hour and after it.
    let table: [(Rotation, u64, Vec<&[u8]>, Vec<&[u8]>); 8] = [
        (
            at(Step::Prepublishing),
            60,
            vec![old, both],
            vec![old, both],
        ),
        (at(Step::Waiting), 1, vec![old, both], vec![both]),
        (at(Step::Deployed), 1, vec![old, both], vec![both]),
        (
            then(at(Step::Deployed), 60, &back[..1]),
            60,
            vec![both, new],
            vec![both, new],
        ),
        (
            then(at(Step::Deployed), 60, &back),
            60,
            vec![both, new],
            vec![both],
        ),
        (
            then(at(Step::Waiting), 60, &now[..1]),
            60,
            vec![old, both, new],
            vec![old, both, new],
        ),
        (
            then(at(Step::Waiting), 60, &now),
            60,
            vec![old, both, new],
            vec![new],
        ),
        (at(Step::Retiring), 60, vec![both, new], vec![both, new]),
    ];
    for (rotation, reached, within, after) in table {
        let ran_out = hours(reached + 1);
        let second_before = Instant::from_unix(ran_out.unix() - 1);
        for (now, expected) in [(second_before, within), (ran_out, after)] {
            let exposure = Exposure::of_caches(&rotation, now);
            let held: Vec<_> = exposure.caches[&mx(1).tlsa_name()]
                .keys()
                .cloned()
                .collect();
            let expected: Vec<_> = expected.into_iter().map(set).collect();
            assert_eq!(held, expected, "{} at {now}", rotation.step);
        }
    }
    let previous = Exposure::of_previous_keys(&at(Step::Waiting));
    let keys = previous.hosts.values().flat_map(BTreeMap::keys);
    let keys: Vec<_> = keys.map(|chain| chain.key.clone()).collect();
    assert_eq!(keys, [key(1), key(1), key(1)], "of each of three names");
    assert_eq!(previous.caches, BTreeMap::new());
}

#[test]
fn only_the_end_of_a_certificate_in_use_is_a_deadline_of_the_swap() {
    let policy = Policy::default();
    // The swap opens at hour 26.
    let of = |presents, live_until| {
        let world = World {
            live_until,
            ..World::of(&[1, 2], [presents; 3])
        };
        deadlines(&at(Step::Waiting), hours(20), &world.seen(20), &policy).len()
    };
    assert_eq!((of(1, 25), of(1, 26)), (1, 0));
    assert_eq!(
        of(9, 25),
        0,
        "a stranger's certificate may end when it will"
    );
}

#[test]
fn an_end_is_met_by_what_is_planned_no_later() {
    for (planned, met, apart) in [(9, true, 1), (10, true, 0), (13, false, 3)] {
        let expiry = Expiry {
            what: "a signature".into(),
            ends: hours(10),
            before: "it is made anew",
            planned: hours(planned),
        };
        assert_eq!((expiry.is_met(), expiry.apart()), (met, Span::hours(apart)));
    }
}

/// Hour of the last moment to merge and to install, marked where a person is asked for by then.
fn last_moments(
    rotation: &Rotation,
    hour: u64,
    (policy, certificate): (&Policy, Option<u64>),
    is_merged: bool,
) -> String {
    let ahead = Ahead {
        certificate: certificate.map(hours),
        is_merged,
        incoming: &set(&[2]),
    };
    let told = act_by(rotation, hours(hour), policy, ahead).into_iter();
    let words = told.map(|one| {
        let hour = one.by.since(hours(0)).as_seconds() / 3600;
        let near = if one.is_near { "!" } else { "" };
        format!("{} {hour}{near}", one.act.name())
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A situation: the rotation, the hour and the policy, when the certificate ends, whether it is merged, and what is told.
type Moment<'a> = (
    &'a str,
    &'a Rotation,
    u64,
    &'a Policy,
    Option<u64>,
    bool,
    &'a str,
);

#[track_caller]
fn tells(table: &[Moment<'_>]) {
    for (situation, rotation, hour, policy, end, merged, expected) in table {
        let told = last_moments(rotation, *hour, (policy, *end), *merged);
        assert_eq!(told, *expected, "{situation}");
    }
}

#[test]
fn the_last_moment_to_merge_and_to_install_is_told_from_the_first_day_and_asked_for_in_time() {
    let policy = &Policy::default(); // 24 h wait, 1 h margin
    let (before, open) = (&at(Step::Prepublishing), &at(Step::SwapOpen));
    let emergency = &then(before.clone(), 2, &[security()]);
    let (end, both) = (Some(600), "merge 575, install 600");
    let (first, last) = ("merge 575!, install 600", "merge 575!, install 600!");
    tells(&[
        ("not merged", before, 0, policy, end, false, both),
        ("merged", before, 0, policy, end, true, "install 600"),
        ("an hour too early", before, 502, policy, end, false, both),
        ("three days ahead", before, 503, policy, end, false, first),
        ("at the last moment", before, 575, policy, end, false, last),
        (
            "too late to merge",
            before,
            576,
            policy,
            end,
            false,
            "install 600!",
        ),
        ("no end is known", before, 0, policy, None, false, ""),
        ("open", open, 30, policy, end, true, "install 600"),
        ("deployed", &at(Step::Deployed), 28, policy, end, true, ""),
        ("an emergency", emergency, 2, policy, end, false, ""),
    ]);
}

#[test]
fn who_rests_has_as_last_moment_what_comes_first() {
    let rests = |at, why| Policy {
        rest: Rest::Until(Some(Due { at: hours(at), why })),
        ..Policy::default()
    };
    let (young, old) = (&rests(900, Release::Age), &rests(300, Release::Age));
    let (expires, forever) = (&rests(500, Release::Expiry), &resting(None));
    let (before, open) = (&at(Step::Prepublishing), &at(Step::SwapOpen));
    let asked = Event::DeploymentReleased {
        why: Release::Asked,
    };
    let released = &then(open.clone(), 30, &[asked]);
    let (end, both) = (Some(600), "merge 575, install 600");
    tells(&[
        ("for good", open, 528, forever, end, true, "install 600!"),
        ("released", released, 30, young, end, true, "install 600"),
        ("until it is due", before, 2, expires, end, false, both),
        ("until its age, later", before, 2, young, end, false, both),
        (
            "until its age, before",
            before,
            2,
            old,
            end,
            false,
            "merge 275, install 600",
        ),
    ]);
}

#[test]
fn the_last_moments_are_what_the_plan_says_to_the_second_and_say_why() {
    let policy = Policy::default();
    let resting_until_age = Policy {
        rest: Rest::Until(Some(Due {
            at: hours(300),
            why: Release::Age,
        })),
        ..policy
    };
    let before = at(Step::Prepublishing);
    let merge = hours(575);
    for (late, in_time) in [(0, true), (1, false)] {
        let at = merge + Span::seconds(late);
        let ahead = look_ahead(&before, at, &policy, &set(&[2])).unwrap();
        assert_eq!(
            ahead.reaches(Step::Deployed).unwrap() <= hours(600),
            in_time
        );
    }
    let ahead = Ahead {
        certificate: Some(hours(600)),
        is_merged: false,
        incoming: &set(&[2]),
    };
    let told = act_by(&before, hours(0), &policy, ahead);
    assert_eq!(told[0].act, Act::Merge);
    assert_eq!(
        told[0].to_string(),
        format!(
            "merge by {merge}: the certificate in use ends on {}, and hosts may have the next key 1d1h after the merge",
            hours(600)
        )
    );
    assert!(
        told[1].advice().contains("RFC 7671 §5.1"),
        "{}",
        told[1].advice()
    );
    let old = act_by(&before, hours(2), &resting_until_age, ahead);
    assert!(
        old[0].to_string().contains("reaches policy max_age"),
        "{}",
        old[0]
    );
}

/// What a rotation knows of servers and addresses is all there in the ideal world: none is waited for in vain, and one that
/// has left is waited out.
#[test]
fn a_plan_asks_every_server_and_address_that_the_rotation_knows() {
    let zone = ZoneName::new("example.com.");
    let servers = |names: &[&str]| {
        let each = names
            .iter()
            .map(|name| (Authority((*name).into()), Ttl(7200)));
        Event::ServersSeen {
            zone: zone.clone(),
            servers: each.collect(),
        }
    };
    let addresses = Event::AddressesSeen {
        host: mx(1).host,
        addresses: BTreeMap::from([("192.0.2.25".to_owned(), Ttl(3600))]),
    };
    let known = [servers(&["ns1", "ns2"]), addresses];
    let alone = plan(&at(Step::Prepublishing), 0, &Policy::default());
    let seen = then(at(Step::Prepublishing), 0, &known);
    assert!(alone.ends_with("Retired"), "{alone}");
    assert_eq!(plan(&seen, 0, &Policy::default()), alone);
    let ahead = Ahead {
        certificate: Some(hours(600)),
        is_merged: false,
        incoming: &set(&[2]),
    };
    let told = act_by(&seen, hours(0), &Policy::default(), ahead);
    assert_eq!(told[0].by, hours(575));
    // Two hours for the one that left at the beginning.
    let left = then(seen, 0, &[servers(&["ns1"])]);
    let waits = plan(&left, 0, &Policy::default());
    assert!(waits.starts_with("2 Waiting, "), "{waits}");
}
