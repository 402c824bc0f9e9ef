//! What the decision makes of a world that changes: hosts and servers that come and go, places that show several keys, names
//! that leave DANE.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, after, at, hours, key, mx, set, then};
use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use tlsa_rotate::rotation::admissible::objections;
use tlsa_rotate::rotation::blocker::Blocker;
use tlsa_rotate::rotation::decide::{Action, decide};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset, TlsaName,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::Ttl;

fn asked() -> String {
    "asked".to_owned()
}

fn abort() -> Event {
    Event::AbortRequested { reason: asked() }
}

/// One server lacks the incoming association of one name.
fn without_incoming(mut observation: Observation, name: &TlsaName) -> Observation {
    for seen in observation.served.get_mut(name).unwrap().values_mut() {
        if let Seen::Known(ServedRrset { associations, .. }) = seen {
            *associations = set(&[1]);
        }
    }
    observation
}

#[test]
fn what_was_seen_is_noted_whatever_it_opens() {
    // Of the other names, caches would be feared to lack the key from now on: that is no reason not to know it.
    let rotation = then(at(Step::SwapOpen), 27, &[abort()]);
    let name = mx(2).tlsa_name();
    let seen = without_incoming(World::of(&[1, 2], [1, 1, 1]).seen(28), &name);
    let decision = decide(&rotation, hours(28), &seen, &Policy::default());
    let regressed = Event::ServerRegressed {
        name,
        authority: Authority("ns1 192.0.2.1:53".into()),
    };
    assert_eq!(decision.event, Some(regressed));
}

#[test]
fn forward_again_after_the_way_back_waits_anew_where_a_server_went_back() {
    let back = then(at(Step::SwapOpen), 27, &[abort()]);
    let forward = Event::ForwardRequested { reason: asked() };
    assert_eq!(
        then(back.clone(), 28, slice::from_ref(&forward)).step,
        Step::Waiting
    );
    let regressed = Event::ServerRegressed {
        name: mx(2).tlsa_name(),
        authority: Authority("ns1 192.0.2.1:53".into()),
    };
    let back = then(back, 28, &[regressed]);
    assert_eq!(then(back, 28, &[forward]).step, Step::Prepublishing);
}

#[test]
fn names_that_left_dane_are_not_taken_up_again() {
    let left = Event::DaneLeft { reason: asked() };
    let rotation = then(at(Step::SwapOpen), 27, &[left]);
    assert_eq!(rotation.step, Step::Aborted);
    let forward = Event::ForwardRequested { reason: asked() };
    assert!(apply(Some(&rotation), hours(28), &forward).is_err());
}

/// A host with a name of its own, whose RRset holds the old key.
fn joins(number: u8) -> Event {
    let name = mx(number).tlsa_name();
    Event::HostsJoined {
        endpoints: BTreeSet::from([mx(number)]),
        aliases: BTreeMap::new(),
        base: BTreeMap::from([(name.clone(), set(&[1]))]),
        ttl: BTreeMap::from([(name, Ttl(3600))]),
        ttl_sources: BTreeMap::new(),
    }
}

#[test]
fn a_name_that_joined_is_waited_for_by_itself_through_the_way_back_and_no_further() {
    let name = mx(4).tlsa_name();
    let forward = Event::ForwardRequested { reason: asked() };
    let back = then(at(Step::SwapOpen), 27, &[joins(4), abort()]);
    let again = then(back.clone(), 28, &[forward]);
    assert_eq!(again.step, Step::Waiting);
    assert!(again.joining.contains_key(&name), "nobody waited for it");
    let decided = then(back, 28, &[Event::WithdrawalDecided]);
    assert!(decided.joining.is_empty(), "every name is left together");
    let security = Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: asked(),
    };
    let replaced = then(at(Step::Waiting), 2, &[joins(4), security]);
    assert_eq!(replaced.step, Step::Replacing);
    assert!(
        replaced.joining.is_empty(),
        "every name is replaced together"
    );
}

#[test]
fn a_host_joins_an_rrset_that_is_there_in_every_step_and_another_only_before_the_end_of_the_swap() {
    let (retiring, name) = shared(None);
    let mut one_more = joins(4);
    if let Event::HostsJoined { aliases, .. } = &mut one_more {
        aliases.insert(mx(4).tlsa_name(), name);
    }
    let joined = then(retiring.clone(), 2, &[one_more]);
    assert_eq!(joined.step, Step::Retiring);
    assert!(joined.endpoints.contains(&mx(4)) && joined.joining.is_empty());
    assert!(apply(Some(&retiring), hours(2), &joins(4)).is_err());
}

#[test]
fn no_host_is_deployed_while_one_that_joins_may_be_down() {
    let rotation = then(at(Step::SwapOpen), 27, &[joins(4)]);
    let policy = Policy {
        concurrent: Some(1),
        ..Policy::default()
    };
    for (presents, deployed) in [(1, true), (0, false)] {
        let mut seen = World::of(&[1, 2], [1, 1, presents]).seen(28);
        // The fourth is as the third.
        let offers = seen.presented[&mx(3)].clone();
        seen.presented.insert(mx(4), offers);
        let third = World::of(&[1, 2], [1, 1, 1]).seen(28).presented[&mx(3)].clone();
        seen.presented.insert(mx(3), third);
        let actions = decide(&rotation, hours(28), &seen, &policy).actions;
        let deploys =
            |action: &Action| matches!(action, Action::Deploy(hosts) if !hosts.contains(&mx(4)));
        assert_eq!(actions.iter().any(deploys), deployed, "{actions:?}");
    }
}

/// Three hosts whose names are aliases of one; both keys were published and deployed, and the third host has left.
fn shared(asked_for: Option<String>) -> (Rotation, TlsaName) {
    let name = TlsaName::new("tlsa.example.com.");
    let hosts = [1, 2, 3].map(mx);
    let names = hosts.each_ref().map(Endpoint::tlsa_name);
    let base = BTreeMap::from([(name.clone(), set(&[1]))]);
    let started = Event::Started {
        endpoints: hosts.into(),
        current: set(&[1]),
        base: base.clone(),
        ttl: BTreeMap::from([(name.clone(), Ttl(3600))]),
        ttl_sources: BTreeMap::new(),
    };
    let facts = [
        Event::KeyAdmitted {
            not_after: hours(24 * 100),
            made_by: None,
        },
        Event::AssociationsComputed {
            incoming: set(&[2]),
        },
        Event::SurroundingsFound {
            aliases: names.into_iter().map(|n| (n, name.clone())).collect(),
            base,
            staying: BTreeSet::new(),
            satisfied: BTreeMap::new(),
        },
        Event::PrepublishDecided,
        Event::PrepublishServed { ttl: Ttl(3600) },
        Event::SwapOpened,
        Event::HostsLeft {
            endpoints: vec![(mx(3), hours(48))],
            asked: asked_for,
        },
        Event::HostsPresentedIncoming,
        Event::SoakPassed,
        Event::RetireDecided,
    ];
    let begun = apply(None, hours(0), &started).unwrap();
    (then(begun, 0, &facts), name)
}

#[test]
fn a_host_that_left_keeps_the_record_it_shares_until_no_mail_comes_there() {
    let table: [(&str, bool, u64, u8, bool); 6] = [
        ("silent, mail may still come", false, 47, 0, false),
        ("silent, no mail comes any more", false, 48, 0, true),
        ("silent, and a person let it go", true, 2, 0, true),
        ("with the incoming key", false, 2, 2, true),
        ("with the old key, mail may still come", false, 2, 1, false),
        ("with the old key, though let go", true, 99, 1, false),
    ];
    for (situation, is_asked, hour, presents, may) in table {
        let (rotation, name) = shared(is_asked.then(asked));
        let seen = World::of(&[1, 2], [2, 2, presents]).seen(hour);
        let change = (&set(&[1, 2]), &set(&[2]));
        let against = objections(&rotation, &seen, &name, change);
        assert_eq!(against.is_empty(), may, "{situation}: {against:?}");
    }
}

#[test]
fn a_host_that_left_can_still_be_let_go_once() {
    let (rotation, _) = shared(None);
    let forget = Event::HostsLeft {
        endpoints: vec![(mx(3), hours(48))],
        asked: Some(asked()),
    };
    let rotation = then(rotation, 2, slice::from_ref(&forget));
    assert!(rotation.left[&mx(3)].asked);
    assert!(apply(Some(&rotation), hours(3), &forget).is_err());
}

/// What a look sees where the third host shows these keys.
fn third_shows(hour: u64, keys: &[u8]) -> Observation {
    let mut seen = World::of(&[1, 2], [2, 2, 2]).seen(hour);
    let chain = |byte: &u8| Presented::of_key(key(*byte), hours(9_999));
    let chains: Vec<Presented> = keys.iter().map(chain).collect();
    let offer = match chains.as_slice() {
        [one] => Offer::Key(one.clone()),
        _ => Offer::Several(chains),
    };
    let offers = seen.presented.get_mut(&mx(3)).unwrap();
    for by_algorithm in offers.values_mut() {
        by_algorithm.insert(KeyAlgorithm::Ecdsa, Seen::Known(offer.clone()));
    }
    seen
}

#[test]
fn one_of_several_servers_that_is_met_alone_is_still_there() {
    let place = (mx(3), "192.0.2.25".to_owned());
    let several = Event::SeveralKeysSeen {
        endpoint: place.0.clone(),
        address: place.1.clone(),
    };
    let known = then(at(Step::SwapOpen), 30, slice::from_ref(&several));
    let table: [(&str, &Rotation, u64, &[u8], bool); 6] = [
        ("both are met", &at(Step::SwapOpen), 33, &[1, 2], true),
        (
            "an old key, of one server",
            &at(Step::SwapOpen),
            33,
            &[1],
            false,
        ),
        ("an old key, of one of several", &known, 33, &[1], true),
        ("the same long after", &known, 40, &[1], true),
        ("the incoming key", &known, 33, &[2], false),
        ("noted less than an hour ago", &known, 30, &[1], false),
    ];
    for (situation, rotation, hour, keys, noted) in table {
        let seen = third_shows(hour, keys);
        let decision = decide(rotation, hours(hour), &seen, &Policy::default());
        assert_eq!(decision.remembered.contains(&several), noted, "{situation}");
    }
}

#[test]
fn nothing_is_taken_out_while_one_of_several_servers_was_met_with_another_key_lately() {
    let several = Event::SeveralKeysSeen {
        endpoint: mx(3),
        address: "192.0.2.25".into(),
    };
    let rotation = then(at(Step::Retiring), 52, &[several]);
    let name = mx(3).tlsa_name();
    for (hour, may) in [(53, false), (57, false), (58, true)] {
        let change = (&set(&[1, 2]), &set(&[2]));
        let against = objections(&rotation, &third_shows(hour, &[2]), &name, change);
        assert_eq!(against.is_empty(), may, "at hour {hour}: {against:?}");
        let is_told = |blocker: &Blocker| matches!(blocker, Blocker::SeveralKeys { .. });
        assert_eq!(against.iter().any(is_told), !may);
    }
}

#[test]
fn a_name_that_joins_under_a_larger_ttl_makes_no_alarm_of_the_others() {
    let mut joined = joins(4);
    if let Event::HostsJoined { ttl, .. } = &mut joined {
        ttl.insert(mx(4).tlsa_name(), Ttl(86_400));
    }
    let way = [
        (1, Event::PrepublishServed { ttl: Ttl(3600) }),
        (4, Event::SwapOpened),
    ];
    let rotation = then(after(&way), 4, &[joined]);
    let seen = World::of(&[1, 2], [2, 2, 2]).seen(5);
    let decision = decide(&rotation, hours(5), &seen, &Policy::default());
    assert_eq!(
        decision.alarms,
        [],
        "every cache has both keys of the first three"
    );
}
