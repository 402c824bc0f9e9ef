//! Decisions at the edges, as a table each: signatures at every gate, deadlines, hosts in turn, records taken out early, and
//! clocks that jump.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity, // tables: situation, world, expectation
    missing_docs
)]

mod decision_support;

use decision_support::{World, after, at, hours, mx, set, then};
use std::collections::BTreeSet;
use tlsa_rotate::rotation::alarm::publication_breaks;
use tlsa_rotate::rotation::blocker::Blocker;
use tlsa_rotate::rotation::deadline::Of;
use tlsa_rotate::rotation::decide::{Action, Decision, decide};
use tlsa_rotate::rotation::due::{Due, Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::{Authority, Endpoint, Seen, Source};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

impl World {
    fn decide(&self, rotation: &Rotation, hour: u64, policy: &Policy) -> Decision {
        decide(rotation, hours(hour), &self.seen(hour), policy)
    }
}

#[test]
fn at_every_gate_an_old_signature_of_a_signer_that_was_not_seen_to_renew_must_outlast_the_wait() {
    // From the gate's hour: one hour of TTL, and 25 hours of wait, 24 of soak or nothing.
    let table = [
        (Step::Prepublishing, 1, [1; 3], 1 + 25, "the wait"),
        (Step::Waiting, 26, [1; 3], 1 + 24, "the soak"),
        (Step::SwapOpen, 27, [2; 3], 1 + 24, "the soak"),
        (Step::Deployed, 51, [2; 3], 1, "nothing"),
        (Step::Verified, 51, [2; 3], 1, "nothing"),
    ];
    for (step, hour, presents, lasts, ahead) in table {
        for (signed_until, opens) in [(hour + lasts, true), (hour + lasts - 1, false)] {
            let world = World {
                signed_until,
                signed_before: 1_000,
                ..World::of(&[1, 2], presents)
            };
            let decision = world.decide(&at(step), hour, &Policy::default());
            assert_eq!(
                decision.event.is_some(),
                opens,
                "{step}, before {ahead}, signed until {signed_until}: {decision:?}"
            );
            let windows = decision.blockers.iter();
            let named = windows
                .filter(|b| matches!(b, Blocker::SignatureWindow { .. }))
                .count();
            assert_eq!(named, if opens { 0 } else { 3 }, "{step}: {decision:?}");
        }
    }
}

/// A day of validity, renewed each hour: nobody needs more (RFC 4035 §5.3.3).
#[test]
fn a_signer_that_was_seen_to_renew_needs_no_long_signatures() {
    let short = |signed_before, hour: u64| World {
        signed_until: hour + 2,
        signed_before,
        ..World::of(&[1, 2], [1; 3])
    };
    let policy = Policy::default();
    let first = short(22, 1).decide(&at(Step::Prepublishing), 1, &policy);
    assert_eq!(first.event, None, "nobody knows who signs: {first:?}");
    let began = first.remembered.iter();
    let began = began.filter(|fact| matches!(fact, Event::SignatureBegan { .. }));
    let state = began.fold(at(Step::Prepublishing), |state, fact| {
        apply(Some(&state), hours(1), fact).unwrap()
    });
    let same = short(22, 2).decide(&state, 2, &policy);
    assert_eq!(
        same.event, None,
        "the same signature an hour later: {same:?}"
    );
    let newer = short(21, 3).decide(&state, 3, &policy);
    let renewed: Vec<&Event> = newer
        .remembered
        .iter()
        .filter(|fact| matches!(fact, Event::SignerRenewed { .. }))
        .collect();
    assert_eq!(renewed.len(), 3, "{newer:?}");
    let state = renewed.into_iter().fold(state, |state, fact| {
        apply(Some(&state), hours(3), fact).unwrap()
    });
    let passes = short(21, 4).decide(&state, 4, &policy);
    assert!(
        matches!(passes.event, Some(Event::PrepublishServed { .. })),
        "{passes:?}"
    );
    let young = short(0, 1).decide(&at(Step::Prepublishing), 1, &policy);
    assert!(
        young.event.is_some(),
        "more than half of its life lies ahead: {young:?}"
    );
}

/// A host that was dead before anybody had the new key holds up no other.
#[test]
fn a_host_that_was_silent_before_goes_last() {
    let asked = |state: &Rotation, hour: u64, presents: [u8; 3]| -> Vec<String> {
        let decision = World::of(&[1, 2], presents).decide(state, hour, &Policy::default());
        let deployments = decision.actions.iter().filter_map(|action| match action {
            Action::Deploy(endpoints) => endpoints.first(),
            _ => None,
        });
        deployments.map(|endpoint| endpoint.host.clone()).collect()
    };
    let open = at(Step::SwapOpen);
    let found = World::of(&[1, 2], [0, 1, 1]).decide(&open, 26, &Policy::default());
    let silent = BTreeSet::from([mx(1)]);
    let was_silent = Event::HostsWereSilent { endpoints: silent };
    assert!(found.remembered.contains(&was_silent), "{found:?}");
    let dead_before = then(open.clone(), 26, &[was_silent]);
    let table = [
        (
            &dead_before,
            [0, 1, 1],
            "mx2.example.com",
            "the dead one waits",
        ),
        (
            &dead_before,
            [0, 0, 1],
            "mx2.example.com",
            "one that fell silent since is looked after first",
        ),
        (&dead_before, [0, 2, 1], "mx3.example.com", "on to the next"),
        (
            &dead_before,
            [0, 2, 2],
            "mx1.example.com",
            "nobody else is left",
        ),
        (
            &open,
            [0, 1, 1],
            "mx1.example.com",
            "it fell silent after the swap opened",
        ),
    ];
    for (state, presents, host, why) in table {
        assert_eq!(asked(state, 28, presents), [host], "{why}");
    }
}

/// A host that was heard with the swap open and falls silent later may have done so for the certificate that was put there.
#[test]
fn only_who_was_silent_when_the_swap_first_opened_and_ever_since_counts_as_dead_before() {
    let silence = |hosts: &[u8]| Event::HostsWereSilent {
        endpoints: hosts.iter().map(|host| mx(*host)).collect(),
    };
    let open = at(Step::SwapOpen); // at hour 26
    let known = then(open.clone(), 26, &[silence(&[1, 2])]);
    let regressed = Event::ServerRegressed {
        name: mx(1).tlsa_name(),
        authority: Authority("ns1 192.0.2.1:53".into()),
    };
    let again = then(
        known.clone(),
        30,
        &[
            regressed,
            Event::PrepublishServed { ttl: Ttl(3600) },
            Event::SwapOpened,
        ],
    );
    let table: [(&str, &Rotation, u64, [u8; 3], Option<Event>); 6] = [
        ("as it opens", &open, 26, [0, 1, 1], Some(silence(&[1]))),
        ("later", &open, 27, [0, 1, 1], None),
        ("still silent", &known, 27, [0, 0, 1], None),
        ("one is heard", &known, 27, [0, 1, 1], Some(silence(&[1]))),
        ("another falls silent", &known, 27, [0, 0, 0], None),
        ("it opens again", &again, 30, [0, 0, 0], None),
    ];
    for (situation, rotation, hour, presents, expected) in table {
        let seen = World::of(&[1, 2], presents);
        let remembered = seen.decide(rotation, hour, &Policy::default()).remembered;
        let mut told = remembered.into_iter();
        let told = told.find(|event| matches!(event, Event::HostsWereSilent { .. }));
        assert_eq!(told, expected, "{situation}");
    }
    // Who is heard after all hosts have the key is noted there.
    let deployed = then(known, 28, &[Event::HostsPresentedIncoming, silence(&[])]);
    assert_eq!(deployed.silent_at_swap, BTreeSet::new());
}

/// A host whose RRset listed a key of its own alone is not told to take the certificate's old key while caches may lack that.
#[test]
fn a_host_with_a_key_of_its_own_keeps_it_on_the_way_back() {
    let own = |mut rotation: Rotation| {
        rotation.base.insert(mx(3).tlsa_name(), set(&[7]));
        rotation
    };
    let abort = Event::AbortRequested {
        reason: "changed our minds".into(),
    };
    let back = own(then(at(Step::Waiting), 1, &[abort]));
    let asked = |rotation: &Rotation, hour: u64, third: u8| -> BTreeSet<Endpoint> {
        let seen = World::of(&[1, 2], [1, 1, third]).seen(hour);
        let decision = decide(rotation, hours(hour), &seen, &Policy::default());
        let actions = decision.actions.into_iter();
        let asked = actions.filter_map(|action| match action {
            Action::RollBack(hosts) => Some(hosts),
            _ => None,
        });
        asked.flatten().collect()
    };
    assert_eq!(asked(&back, 1, 7), BTreeSet::new(), "it has what it had");
    assert_eq!(
        asked(&back, 1, 2),
        BTreeSet::new(),
        "caches lack the old key"
    );
    let ran_out = BTreeSet::from([mx(3)]);
    assert_eq!(asked(&back, 3, 2), ran_out, "every cache lists the old key");
    let seen = World::of(&[1, 2], [1, 1, 7]).seen(3);
    let found = decide(&back, hours(3), &seen, &Policy::default());
    assert_eq!(found.event, Some(Event::WithdrawalDecided));
    // Before its record is merged, what is there breaks nothing.
    let before = own(at(Step::Prepublishing));
    let rrset = (&mx(3).tlsa_name(), &set(&[7]));
    let broken = publication_breaks(&before, hours(1), rrset, &Source::GitHead);
    assert_eq!(broken, None);
    let other = (&mx(3).tlsa_name(), &set(&[8]));
    let broken = publication_breaks(&before, hours(1), other, &Source::GitHead);
    assert!(broken.is_some(), "its own record is gone");
}

/// Two sightings a day apart say nothing of the day between them.
#[test]
fn a_soak_counts_while_it_is_watched() {
    let begun = then(at(Step::SwapOpen), 27, &[Event::HostsPresentedIncoming]);
    let well = World::of(&[1, 2], [2; 3]);
    let policy = Policy::default();
    let table = [
        (27, None, "it has just begun"),
        (30, Some(Event::SoakSeen), "half of the longest gap"),
        (33, Some(Event::SoakSeen), "a quarter of the soak"),
        (35, Some(Event::SoakInterrupted), "longer than a quarter"),
        (51, Some(Event::SoakInterrupted), "its end, unwatched"),
    ];
    for (hour, event, why) in table {
        assert_eq!(well.decide(&begun, hour, &policy).event, event, "{why}");
    }
    for (minutes, event) in [
        (29, None),
        (30, Some(Event::SoakSeen)),
        (420, Some(Event::SoakSeen)),
        (421, Some(Event::SoakInterrupted)),
    ] {
        let now = hours(27) + Span::minutes(minutes);
        let found = decide(&begun, now, &well.seen(27), &policy);
        assert_eq!(found.event, event, "{minutes} minutes after the last look");
    }
    let watched = (0..8).fold(begun.clone(), |state, look| {
        then(state, 30 + 3 * look, &[Event::SoakSeen])
    });
    assert_eq!(
        well.decide(&watched, 51, &policy).event,
        Some(Event::SoakPassed)
    );
    let anew = then(begun, 51, &[Event::SoakInterrupted]);
    assert_eq!(
        well.decide(&anew, 52, &policy).event,
        Some(Event::SoakSeen),
        "it began at 51"
    );
    let silent = World::of(&[1, 2], [2, 2, 0]);
    assert_eq!(
        silent.decide(&watched, 51, &policy).event,
        None,
        "a silent host is no look"
    );
}

/// Cron runs every six hours, and up to half an hour late; a person looks in between, whenever.
#[test]
fn a_run_by_hand_starts_no_soak_anew() {
    let well = World::of(&[1, 2], [2; 3]);
    let policy = Policy::default();
    for minute in (0..1_440).step_by(11) {
        let mut soaking = then(at(Step::SwapOpen), 27, &[Event::HostsPresentedIncoming]);
        let late = 29 - minute % 30;
        let cron = [360, 720 + late, 1_080, 1_440 + late];
        let mut runs: Vec<u64> = cron.into_iter().chain([minute]).collect();
        runs.sort_unstable();
        for run in runs {
            let now = hours(27) + Span::minutes(run);
            let found = decide(&soaking, now, &well.seen(27), &policy).event;
            assert_ne!(
                found,
                Some(Event::SoakInterrupted),
                "by hand at {minute}, at {run}"
            );
            if let Some(event) = found {
                soaking = apply(Some(&soaking), now, &event).unwrap();
            }
        }
        assert_ne!(soaking.step, Step::Deployed, "by hand at {minute}");
    }
}

#[test]
fn ends_of_certificates_that_come_too_early_are_said_as_soon_as_they_can_be_known() {
    let seen = |rotation: &Rotation, hour, live_until, policy: &Policy| {
        let world = World {
            live_until,
            ..World::of(&[1, 2], [1; 3])
        };
        let decision = world.decide(rotation, hour, policy);
        decision
            .deadlines
            .iter()
            .map(|d| (d.of, d.needed_until))
            .collect::<Vec<_>>()
    };
    let policy = Policy::default();
    let prepublishing = at(Step::Prepublishing);
    // Served now, at hour 5, the swap opens 25 hours later.
    assert_eq!(seen(&prepublishing, 5, 30, &policy), []);
    assert_eq!(
        seen(&prepublishing, 5, 29, &policy),
        [(Of::Live, hours(30))]
    );
    // Once the clock runs, its own end counts: hour 26.
    assert_eq!(seen(&at(Step::Waiting), 20, 26, &policy), []);
    assert_eq!(
        seen(&at(Step::Waiting), 20, 25, &policy),
        [(Of::Live, hours(26))]
    );
    // A standby key that is due later than the live certificate ends.
    let due = Due {
        at: hours(200),
        why: Release::Age,
    };
    let resting = Policy {
        rest: Rest::Until(Some(due)),
        ..policy
    };
    assert_eq!(
        seen(&at(Step::SwapOpen), 30, 199, &resting),
        [(Of::Live, hours(200))]
    );
    // The incoming certificate ends on day 100: 24 hours of soak no longer fit.
    let late = 24 * 100 - 23;
    let found = seen(&at(Step::SwapOpen), late, 9_999, &policy);
    assert_eq!(found, [(Of::Incoming, hours(late + 24))]);
    let world = World::of(&[1, 2], [1; 3]);
    // A stranger's certificate is not the live one, and once every host has changed none is.
    let short = |presents| World {
        live_until: 28,
        ..World::of(&[1, 2], presents)
    };
    let stranger = short([9; 3]).decide(&at(Step::Waiting), 20, &policy);
    assert_eq!(stranger.deadlines, []);
    let live = short([1; 3]).decide(&at(Step::SwapOpen), 29, &policy);
    assert_eq!(live.deadlines[0].of, Of::Live);
    assert!(
        live.deadlines[0]
            .way_out()
            .starts_with("renew the live certificate")
    );
    let back = short([2, 2, 1]).decide(&at(Step::Deployed), 29, &policy);
    assert_eq!(back.deadlines, []);
    let told = world.decide(&at(Step::SwapOpen), late, &policy).deadlines[0];
    assert!(told.way_out().starts_with("renew the next certificate"));
    assert_eq!(
        told.to_string(),
        "the next certificate ends on 2027-03-03T00:00:00Z, before the rotation can be over on 2027-03-03T01:00:00Z"
    );
}

#[test]
fn hosts_are_deployed_in_turn_and_none_while_another_may_be_down() {
    let table: [(&str, [u8; 3], Option<u32>, &[u8]); 7] = [
        ("one at a time, in order", [1, 1, 1], Some(1), &[1]),
        ("the next one once it is seen", [2, 1, 1], Some(1), &[2]),
        ("two at a time", [2, 1, 1], Some(2), &[2, 3]),
        ("all at once", [1, 1, 1], None, &[1, 2, 3]),
        ("a silent host goes first", [1, 1, 0], Some(1), &[3]),
        ("with a stranger's key too", [1, 9, 1], Some(1), &[2]),
        (
            "other hosts of the MX set go first",
            [1, 1, 1],
            Some(0),
            &[],
        ),
    ];
    for (situation, presents, concurrent, expected) in table {
        let policy = Policy {
            concurrent,
            ..Policy::default()
        };
        let decision = World::of(&[1, 2], presents).decide(&at(Step::SwapOpen), 27, &policy);
        let deploys = decision.actions.iter().find_map(|action| match action {
            Action::Deploy(hosts) => Some(hosts.clone()),
            _ => None,
        });
        let expected: BTreeSet<Endpoint> = expected.iter().map(|n| mx(*n)).collect();
        assert_eq!(deploys.unwrap_or_default(), expected, "{situation}");
        let paced = decision.blockers == [Blocker::Paced];
        assert_eq!(paced, concurrent == Some(0), "{situation}: {decision:?}");
    }
}

#[test]
fn what_was_seen_takes_back_what_was_established() {
    let table: [(&str, Step, &[u8], [u8; 3], &str, Step); 6] = [
        (
            "the incoming record is gone",
            Step::Deployed,
            &[1],
            [2; 3],
            "MergeReverted",
            Step::Prepublishing,
        ),
        (
            "also after the soak",
            Step::Verified,
            &[1],
            [2; 3],
            "MergeReverted",
            Step::Prepublishing,
        ),
        (
            "the old record is gone",
            Step::Deployed,
            &[2],
            [2; 3],
            "OldWithdrawn",
            Step::Reinstating,
        ),
        (
            "a host has its old key",
            Step::Verified,
            &[1, 2],
            [2, 2, 1],
            "HostRegressed",
            Step::SwapOpen,
        ),
        (
            "a host is silent",
            Step::Deployed,
            &[1, 2],
            [2, 2, 0],
            "",
            Step::Deployed,
        ),
        (
            "step 7 is not taken back by that",
            Step::Retiring,
            &[1, 2],
            [2, 2, 1],
            "",
            Step::Retiring,
        ),
    ];
    for (situation, step, zone, presents, event, then) in table {
        let rotation = at(step);
        let decision = World::of(zone, presents).decide(&rotation, 51, &Policy::default());
        let found = decision.event.as_ref();
        assert_eq!(
            found.map_or("", Event::name),
            event,
            "{situation}: {decision:?}"
        );
        let next = found.map_or(step, |e| apply(Some(&rotation), hours(51), e).unwrap().step);
        assert_eq!(next, then, "{situation}");
    }
}

#[test]
fn nothing_leaves_the_zone_while_a_host_was_seen_that_needs_it() {
    let asks = |presents| {
        let decision =
            World::of(&[1, 2], presents).decide(&at(Step::Retiring), 52, &Policy::default());
        decision
            .actions
            .iter()
            .any(|a| matches!(a, Action::ChangeZone(_)))
    };
    assert!(asks([2; 3]));
    assert!(!asks([2, 2, 1]), "one has the old key");
    assert!(!asks([2, 2, 0]), "silence is no yes");
    let request = Event::AbortRequested {
        reason: "asked".into(),
    };
    let rolling = apply(Some(&at(Step::SwapOpen)), hours(27), &request).unwrap();
    let withdrawing = apply(Some(&rolling), hours(28), &Event::WithdrawalDecided).unwrap();
    for (presents, asks) in [([1; 3], true), ([1, 1, 2], false), ([1, 1, 0], false)] {
        let decision = World::of(&[1, 2], presents).decide(&withdrawing, 29, &Policy::default());
        let change = Action::ChangeZone(withdrawing.requirement());
        let expected = if asks { vec![change] } else { Vec::new() };
        assert_eq!(decision.actions, expected, "{presents:?}");
    }
}

#[test]
fn an_outage_that_was_chosen_ends_when_the_last_cache_has_run_out_and_not_before() {
    let declared = Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: "stolen".into(),
    };
    let served = Event::ReplacementServed { ttl: Ttl(3600) };
    let replaced = after(&[(1, declared), (2, served)]);
    let world = World::of(&[2], [2; 3]);
    let second_before = Instant::from_unix(hours(3).unix() - 1);
    let mut early = world.seen(2);
    early.at = second_before;
    let waits = decide(&replaced, second_before, &early, &Policy::default());
    assert_eq!(waits.event, None);
    assert_eq!(waits.look_again_at, Some(hours(3)));
    let over = world.decide(&replaced, 3, &Policy::default());
    assert_eq!(over.event, Some(Event::ReplacementVerified));
    let late = world.decide(&replaced, 40, &Policy::default());
    assert_eq!(late.event, Some(Event::ReplacementVerified));
}

#[test]
fn a_run_that_comes_late_looks_again_whatever_its_clock_says() {
    // A year after the last run, the gate of time is long open; what is seen decides.
    let late = 24 * 60;
    let waiting = at(Step::Waiting);
    let good = World::of(&[1, 2], [1; 3]).decide(&waiting, late, &Policy::default());
    assert_eq!(good.event, Some(Event::SwapOpened));
    let gone = World::of(&[1], [1; 3]).decide(&waiting, late, &Policy::default());
    assert!(
        matches!(gone.event, Some(Event::MergeReverted { .. })),
        "{gone:?}"
    );
    let mut silent = World::of(&[1, 2], [1; 3]).seen(late);
    for servers in silent.served.values_mut() {
        for seen in servers.values_mut() {
            *seen = Seen::Unknown("its signature has expired".into());
        }
    }
    let none = decide(&waiting, hours(late), &silent, &Policy::default());
    assert_eq!(none.event, None);
}

#[test]
fn an_emergency_is_bounded_before_it_is_declared() {
    let hour = Span::hours(1);
    let table = [
        (
            Step::Prepublishing,
            Priority::Delivery,
            Span::ZERO,
            hour * 2,
            false,
        ),
        (
            Step::Prepublishing,
            Priority::Security,
            hour,
            Span::ZERO,
            true,
        ),
        (Step::Waiting, Priority::Security, hour, Span::ZERO, true),
        (
            Step::SwapOpen,
            Priority::Security,
            Span::ZERO,
            Span::ZERO,
            false,
        ),
        (
            Step::Deployed,
            Priority::Delivery,
            Span::ZERO,
            Span::ZERO,
            false,
        ),
    ];
    for (step, priority, outage, wait, waives) in table {
        let mut rotation = at(step);
        for (until, kept) in [(100, 100), (90, 100), (110, 110)] {
            let event = Event::SignatureSeen {
                until: hours(until),
            };
            rotation = apply(Some(&rotation), hours(60), &event).unwrap();
            let bounds = priority.bounds(&rotation);
            assert_eq!(bounds.replay, Some(hours(kept)), "the latest seen");
            assert_eq!(
                (bounds.outage, bounds.wait, bounds.waives_the_promise),
                (outage, wait, waives),
                "{step}, {priority} first"
            );
        }
    }
    // What is worth remembering is offered once.
    let world = World::of(&[1, 2], [1; 3]);
    let first = world.decide(&at(Step::Waiting), 2, &Policy::default());
    let [seen] = &first.remembered[..] else {
        panic!("{first:?}")
    };
    let remembers = apply(Some(&at(Step::Waiting)), hours(2), seen).unwrap();
    let again = world.decide(&remembers, 2, &Policy::default());
    assert_eq!(again.remembered, []);
}

#[test]
fn what_can_be_replayed_lasts_as_long_as_the_last_signature() {
    let world = World {
        signed_until: 500,
        ..World::of(&[1, 2], [1; 3])
    };
    let decision = decide(
        &at(Step::Waiting),
        hours(61),
        &world.seen(61),
        &Policy::default(),
    );
    let until = hours(507);
    assert!(
        decision
            .remembered
            .contains(&Event::SignatureSeen { until }),
        "{:?}",
        decision.remembered
    );
}
