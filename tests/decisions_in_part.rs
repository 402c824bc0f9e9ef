//! A place that answers a part of what it is asked: what was seen counts, and silence is silence about its own question alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, at, hours, key, mx, set, then};
use std::collections::BTreeMap;
use tlsa_rotate::rotation::admissible::objections;
use tlsa_rotate::rotation::blocker::Blocker;
use tlsa_rotate::rotation::decide::{Action, Decision, decide};
use tlsa_rotate::rotation::gate::{Wanted, presented};
use tlsa_rotate::rotation::observation::{KeyAlgorithm, Observation, Offer, Presented, Seen};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Step};
use tlsa_rotate::rotation::timing::Ttl;

const SILENT: &str = "timed out";

/// An answer: `-` for none of the algorithm, `?` for silence, `2` for that key on every connection, `2?` for that key on some
/// connections and silence on others.
fn answer(words: &str) -> Seen<Offer> {
    let keys = words.chars().filter_map(|one| one.to_digit(10));
    let chain = |one| Presented::of_key(key(u8::try_from(one).unwrap()), hours(9_999));
    let mut met: Vec<Presented> = keys.map(chain).collect();
    match (met.len(), words.contains('?')) {
        (0, true) => Seen::Unknown(SILENT.to_owned()),
        (0, false) => Seen::Known(Offer::NotOffered),
        (_, true) => {
            let unanswered = format!("1 of 3 connections were not answered ({SILENT})");
            Seen::Known(Offer::InPart { met, unanswered })
        }
        (1, false) => Seen::Known(Offer::Key(met.remove(0))),
        (_, false) => Seen::Known(Offer::Several(met)),
    }
}

/// What a look sees where the third host answers so, for ECDSA and for RSA.
fn third_answers(hour: u64, [ecdsa, rsa]: [&str; 2]) -> Observation {
    let mut seen = World::of(&[1, 2], [2, 2, 2]).seen(hour);
    for by_algorithm in seen.presented.get_mut(&mx(3)).unwrap().values_mut() {
        by_algorithm.insert(KeyAlgorithm::Ecdsa, answer(ecdsa));
        by_algorithm.insert(KeyAlgorithm::Rsa, answer(rsa));
    }
    seen
}

fn decided(hour: u64, answers: [&str; 2]) -> Decision {
    let seen = third_answers(hour, answers);
    decide(&at(Step::SwapOpen), hours(hour), &seen, &Policy::default())
}

/// Answers, whether all is deployed, the keys of blockers that name one, the algorithms of which nothing is known.
type Told<'t> = ([&'t str; 2], bool, &'t [u8], &'t [KeyAlgorithm]);

#[test]
fn a_key_that_is_seen_is_told_whatever_else_stays_silent() {
    #[rustfmt::skip]
    let table: [Told<'_>; 12] = [
        (["2", "-"], true, &[], &[]),
        (["1", "-"], false, &[1], &[]),
        (["1", "?"], false, &[1], &[KeyAlgorithm::Rsa]),
        (["?", "1"], false, &[1], &[KeyAlgorithm::Ecdsa]),
        (["1?", "-"], false, &[1], &[]),
        (["12?", "-"], false, &[1], &[]),
        (["2?", "-"], false, &[], &[KeyAlgorithm::Ecdsa]),
        (["2?", "1"], false, &[1], &[KeyAlgorithm::Ecdsa]),
        (["2", "?"], false, &[], &[KeyAlgorithm::Rsa]),
        (["?", "-"], false, &[], &[KeyAlgorithm::Ecdsa]),
        (["9?", "?"], false, &[9], &[KeyAlgorithm::Rsa]),
        (["?", "?"], false, &[], &[KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa]),
    ];
    for (answers, deployed, keys, silent) in table {
        let decision = decided(33, answers);
        let blockers = &decision.blockers;
        let is_deployed = decision.event == Some(Event::HostsPresentedIncoming);
        assert_eq!(is_deployed, deployed, "{answers:?}: {decision:?}");
        let named = blockers.iter().filter_map(|blocker| match blocker {
            Blocker::WrongKey { presents, .. } => Some(presents.clone()),
            _ => None,
        });
        let expected: Vec<_> = keys.iter().map(|one| key(*one)).collect();
        assert_eq!(named.collect::<Vec<_>>(), expected, "{answers:?}");
        let unknown = blockers.iter().filter_map(|blocker| match blocker {
            Blocker::HostUnknown { algorithm, why, .. } => {
                assert!(why.contains(SILENT), "{why}");
                Some(*algorithm)
            }
            _ => None,
        });
        assert_eq!(unknown.collect::<Vec<_>>(), silent, "{answers:?}");
        // What was seen is told first.
        let first = matches!(blockers.first(), Some(Blocker::WrongKey { .. }));
        assert_eq!(first, !keys.is_empty(), "{answers:?}: {blockers:?}");
        // A key that no record lists refuses mail, and is an alarm at once.
        assert_eq!(!decision.alarms.is_empty(), keys == [9], "{answers:?}");
    }
}

#[test]
fn the_silence_of_one_address_hides_nothing_of_another() {
    let mut seen = third_answers(33, ["?", "-"]);
    let there = seen.presented.get_mut(&mx(3)).unwrap();
    let mut other = there.values().next().unwrap().clone();
    other.insert(KeyAlgorithm::Ecdsa, answer("7"));
    there.insert("192.0.2.26".to_owned(), other);
    let mut rotation = at(Step::SwapOpen);
    rotation.staying = set(&[7]);
    let blockers = presented(&rotation, &seen, Wanted::Incoming);
    let only_staying = |blocker: &Blocker| matches!(blocker, Blocker::OnlyStayingKey { .. });
    assert!(blockers.iter().any(only_staying), "{blockers:?}");
}

#[test]
fn no_record_leaves_while_a_question_is_open_and_what_was_seen_is_named() {
    let change = (&set(&[1, 2]), &set(&[2]));
    let retiring = at(Step::Retiring);
    #[rustfmt::skip]
    let table = [
        (["2", "-"], 0, 0), (["2?", "-"], 0, 1), (["1?", "-"], 1, 1), (["12?", "?"], 1, 2), (["1", "?"], 1, 1),
    ];
    for (answers, refused, unknown) in table {
        let seen = third_answers(53, answers);
        let against = objections(&retiring, &seen, &mx(3).tlsa_name(), change);
        let count = |is: fn(&Blocker) -> bool| against.iter().filter(|one| is(one)).count();
        let told = (
            count(|one| matches!(one, Blocker::WouldRefuse(_))),
            count(|one| matches!(one, Blocker::HostUnknown { .. })),
        );
        assert_eq!(told, (refused, unknown), "{answers:?}: {against:?}");
    }
}

#[test]
fn a_host_that_answered_once_is_not_silent_and_two_keys_are_two_servers() {
    for (answers, silent) in [
        (["?", "?"], true),
        (["1?", "?"], false),
        (["?", "-"], false),
    ] {
        let mut rotation = at(Step::SwapOpen);
        rotation.opened = Some(hours(33));
        let seen = third_answers(33, answers);
        let decision = decide(&rotation, hours(33), &seen, &Policy::default());
        let told = decision.remembered.iter().any(
            |event| matches!(event, Event::HostsWereSilent { endpoints } if endpoints.contains(&mx(3))),
        );
        assert_eq!(told, silent, "{answers:?}: {:?}", decision.remembered);
    }
    for (answers, several) in [(["12?", "-"], true), (["2?", "-"], false)] {
        let decision = decided(33, answers);
        let told = |event: &Event| matches!(event, Event::SeveralKeysSeen { .. });
        assert_eq!(decision.remembered.iter().any(told), several, "{answers:?}");
    }
    // Nobody is sent to a host of which all that was seen is the next key, as to one that has the old one.
    let asked = |answers| {
        let mut actions = decided(33, answers).actions.into_iter();
        actions.any(|action| matches!(action, Action::Deploy(hosts) if hosts.contains(&mx(3))))
    };
    assert!(asked(["1?", "-"]) && !asked(["2", "-"]));
}

/// The third host is asked nowhere; what is known of its addresses, and whether the others present the next key.
#[test]
fn a_host_to_which_no_sender_can_come_keeps_no_other_waiting() {
    let nowhere = Seen::Known(BTreeMap::new());
    let somewhere = BTreeMap::from([("192.0.2.25".to_owned(), Ttl(3600))]);
    let unknown = Seen::Unknown(SILENT.to_owned());
    #[rustfmt::skip]
    let table = [
        ("no server knows an address", Some(nowhere.clone()), false, true, true),
        ("nobody was asked", None, false, true, false),
        ("a server did not answer", Some(unknown), false, true, false),
        ("it has one", Some(Seen::Known(somewhere.clone())), false, true, false),
        ("a cache may know one", Some(nowhere.clone()), true, true, false),
        ("nothing at all is seen", Some(nowhere), false, false, false),
    ];
    for (situation, addresses, cached, others, goes_on) in table {
        let mut rotation = at(Step::SwapOpen);
        if cached {
            let known = Event::AddressesSeen {
                host: mx(3).host,
                addresses: somewhere.clone(),
            };
            rotation = then(rotation, 30, &[known]);
        }
        let mut seen = World::of(&[1, 2], [2, 2, 0]).seen(31);
        seen.presented.remove(&mx(3));
        if !others {
            seen.presented.clear();
        }
        seen.addresses
            .extend(addresses.map(|known| (mx(3).host, known)));
        let blockers = presented(&rotation, &seen, Wanted::Incoming);
        assert_eq!(blockers.is_empty(), goes_on, "{situation}: {blockers:?}");
        let change = (&set(&[1, 2]), &set(&[2]));
        let against = objections(&rotation, &seen, &mx(3).tlsa_name(), change);
        assert_eq!(against.is_empty(), goes_on, "{situation}: {against:?}");
    }
}
