#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use super::*;
use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::DigestType;
use crate::dnssec::keystore::{Role as Kind, new_key};

const T0: Instant = Instant::from_unix(1_800_000_000);
const TTL: Ttl = Ttl(3600);
const WAITS: Waits = Waits {
    propagation: Span::hours(2),
    longest: Ttl(7200),
};

fn apex() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn key(kind: Kind, times: Timing) -> SigningKey {
    let mut key = new_key(&apex(), Algorithm::Ed25519, kind, &[], (T0, T0))
        .unwrap()
        .key;
    key.set_timing(times);
    key
}

/// In use from an hour on, in hours after `T0`; out of use and out of the zone from others on.
fn times(publish: u64, activate: u64, inactive: Option<u64>, delete: Option<u64>) -> Timing {
    let at = |hours| T0 + Span::hours(hours);
    Timing {
        publish: Some(at(publish)),
        activate: Some(at(activate)),
        inactive: inactive.map(at),
        delete: delete.map(at),
        ..Timing::default()
    }
}

/// Runs every hour until `hours`; what signs, and what is published, after each run; by the positions of the keys.
struct Run {
    keys: Vec<(Kind, Timing)>,
    /// From when the parent has the DS of the key at this position.
    ds: Vec<(u64, usize)>,
}

type Hour = (Vec<usize>, Vec<usize>, Vec<usize>);

impl Run {
    fn hours(&self, hours: u64) -> Vec<Hour> {
        let mut succession = Succession::default();
        let own: Vec<SigningKey> = self.keys.iter().map(|(kind, t)| key(*kind, *t)).collect();
        let mut keys = own;
        let position: Vec<Rdata> = keys.iter().map(|key| key.dnskey().clone()).collect();
        let mut seen = Vec::new();
        for hour in 0..hours {
            let now = T0 + Span::hours(hour);
            for (key, (_, times)) in keys.iter_mut().zip(&self.keys) {
                key.set_timing(*times);
            }
            if succession.wants_ds(&keys, now) {
                let there = self.ds.iter().filter(|(from, _)| *from <= hour);
                let ds: Vec<Rdata> = there
                    .map(|(_, at)| {
                        let key = Dnskey::parse(position.get(*at).unwrap()).unwrap();
                        key.ds(&apex(), DigestType::Sha256)
                    })
                    .collect();
                succession.vouch(&apex(), &ds, now);
            }
            if !succession.is_settled(&keys, now) {
                succession.hold(&mut keys, WAITS, now).unwrap();
            }
            let ids = |role| {
                let signing = signers(&keys, role, now);
                signing.iter().map(|key| key.id()).collect::<Vec<_>>()
            };
            let published: Vec<Rdata> = keys
                .iter()
                .filter(|key| key.is_published(now))
                .map(|key| key.dnskey().clone())
                .collect();
            let (key_set, data) = (ids(Role::KeySet), ids(Role::Data));
            let places = |wanted: &dyn Fn(&SigningKey) -> bool| -> Vec<usize> {
                let keys = keys.iter().enumerate();
                keys.filter(|(_, key)| wanted(key))
                    .map(|(at, _)| at)
                    .collect()
            };
            seen.push((
                places(&|key| key_set.contains(&key.id())),
                places(&|key| data.contains(&key.id())),
                places(&|key| published.contains(key.dnskey())),
            ));
            succession.follow(&published, TTL, (&key_set, &data), now);
        }
        seen
    }
}

#[test]
fn a_new_zsk_does_not_sign_alone_and_the_old_one_does_not_leave_before_caches_follow() {
    let ksk = (Kind::Ksk, times(0, 0, None, None));
    // Exchanged at once at hour 5: published, signing, the old one inactive and deleted.
    let run = Run {
        keys: vec![
            ksk,
            (Kind::Zsk, times(0, 0, Some(5), Some(5))),
            (Kind::Zsk, times(5, 5, None, None)),
        ],
        ds: vec![],
    };
    let hours = run.hours(16);
    let data: Vec<_> = hours.iter().map(|(_, data, _)| data.clone()).collect();
    let published: Vec<_> = hours
        .iter()
        .map(|(.., published)| published.clone())
        .collect();
    // A TTL of one hour and a server two hours behind: until hour 8 both sign.
    assert_eq!(data.get(4), Some(&vec![1]));
    for hour in 5..8 {
        assert_eq!(data.get(hour), Some(&vec![1, 2]), "{hour}");
    }
    assert_eq!(data.get(8), Some(&vec![2]));
    // Its last signatures were replaced at hour 8; those with two hours of TTL, on a server two behind, are gone at 12.
    for hour in 5..12 {
        assert_eq!(published.get(hour), Some(&vec![0, 1, 2]), "{hour}");
    }
    assert_eq!(published.get(12), Some(&vec![0, 2]));
}

#[test]
fn a_rollover_that_keeps_its_times_is_left_alone() {
    let run = Run {
        keys: vec![
            (Kind::Ksk, times(0, 0, None, None)),
            (Kind::Zsk, times(0, 0, Some(10), Some(20))),
            (Kind::Zsk, times(2, 10, None, None)),
        ],
        ds: vec![],
    };
    for (hour, (key_set, data, published)) in run.hours(24).into_iter().enumerate() {
        assert_eq!(key_set, [0]);
        assert_eq!(data, if hour < 10 { [1] } else { [2] }, "{hour}");
        let there: &[usize] = match hour {
            0 | 1 => &[0, 1],
            2..20 => &[0, 1, 2],
            _ => &[0, 2],
        };
        assert_eq!(published, there, "{hour}");
    }
}

#[test]
fn the_old_ksk_signs_until_the_parent_has_had_the_ds_of_the_new_one_for_a_day() {
    let run = |ds| Run {
        keys: vec![
            (Kind::Csk, times(0, 0, Some(10), Some(10))),
            (Kind::Csk, times(2, 8, None, None)),
        ],
        ds,
    };
    let signs = |hours: &[Hour]| -> Vec<bool> {
        hours
            .iter()
            .map(|(key_set, ..)| key_set.contains(&0))
            .collect()
    };
    // The parent never has it: the old key never stops.
    let never = signs(&run(vec![(0, 0)]).hours(80));
    assert!(never.iter().all(|signs| *signs));
    // It has it from hour 20 on: the old one signs until hour 44.
    let late = signs(&run(vec![(0, 0), (20, 1)]).hours(80));
    assert_eq!(late.iter().position(|signs| !signs), Some(44));
    assert!(late.iter().skip(44).all(|signs| !signs));
    // The parent has no DS at all: nobody enters there.
    let none = signs(&run(vec![]).hours(80));
    assert!(none.iter().any(|signs| !signs));
}

#[test]
fn the_parent_is_asked_for_keys_that_are_to_follow_and_for_no_others() {
    let two = |second: Timing| {
        [
            key(Kind::Csk, times(0, 0, Some(50), None)),
            key(Kind::Csk, second),
        ]
    };
    // When the second is in the zone, asked in this hour → whether it is wanted, why
    let table = [
        (times(0, 0, None, None), 5, false, "they began together"),
        (times(0, 0, None, None), 50, true, "the first has to leave"),
        (times(10, 90, None, None), 5, false, "not in the zone yet"),
        (times(10, 90, None, None), 12, true, "on its way"),
        (
            times(10, 12, None, None),
            15,
            true,
            "signing beside the first",
        ),
    ];
    for (second, hour, wanted, why) in table {
        let keys = two(second);
        let mut succession = Succession::default();
        let first: Vec<&SigningKey> = keys.iter().filter(|key| key.is_active(T0)).collect();
        let dnskeys: Vec<Rdata> = first.iter().map(|key| key.dnskey().clone()).collect();
        let ids: Vec<KeyId> = first.iter().map(|key| key.id()).collect();
        succession.follow(&dnskeys, TTL, (&ids, &ids), T0);
        let now = T0 + Span::hours(hour);
        let unvouched = succession.unvouched(&keys, now);
        let second = keys.last().unwrap().id();
        assert_eq!(
            unvouched.iter().any(|(id, _)| *id == second),
            wanted,
            "{why}"
        );
        assert_eq!(unvouched.len(), usize::from(wanted), "{why}");
    }
}

#[test]
fn the_last_key_of_an_algorithm_goes_on_while_it_is_not_deleted() {
    let run = Run {
        keys: vec![(Kind::Csk, times(0, 0, Some(5), None))],
        ds: vec![],
    };
    for (key_set, data, published) in run.hours(40) {
        assert_eq!((key_set, data, published), (vec![0], vec![0], vec![0]));
    }
}

#[test]
fn a_key_that_is_needed_and_not_there_is_an_error() {
    let mut keys = vec![
        key(Kind::Ksk, times(0, 0, None, None)),
        key(Kind::Zsk, times(0, 0, None, None)),
        key(Kind::Zsk, times(5, 5, None, None)),
    ];
    let all: Vec<Rdata> = keys
        .iter()
        .map(|key| key.dnskey().clone())
        .take(2)
        .collect();
    let ids: Vec<KeyId> = keys.iter().map(SigningKey::id).collect();
    let mut succession = Succession::default();
    let by = |range: std::ops::Range<usize>| ids.get(range).unwrap();
    succession.follow(&all, TTL, (by(0..1), by(1..2)), T0);
    let gone = keys.remove(1).id();
    let at = T0 + Span::hours(5);
    let error = succession.hold(&mut keys, WAITS, at).unwrap_err();
    assert_eq!((error.key, error.until), (gone, None));
}

#[test]
fn a_key_set_follows_another_if_a_key_that_signs_it_is_an_entry_of_both() {
    let all: Vec<SigningKey> = [Kind::Ksk, Kind::Zsk, Kind::Ksk, Kind::Zsk]
        .map(|kind| key(kind, times(0, 0, None, None)))
        .into();
    // (new set, who signs it, the other set) → follows, why
    #[allow(clippy::type_complexity)] // a table
    let table: [(&[usize], &[usize], &[usize], bool, &str); 5] = [
        (&[0, 1], &[0], &[0, 1], true, "the same"),
        (&[0, 3], &[0], &[0, 1], true, "another ZSK"),
        (&[2, 1], &[2], &[0, 1], false, "the ZSK alone is no entry"),
        (
            &[0, 2, 1],
            &[2],
            &[0, 1],
            false,
            "the shared one does not sign",
        ),
        (&[0, 2, 1], &[0, 2], &[0, 1], true, "both sign"),
    ];
    let set = |of: &[usize]| -> Vec<Rdata> {
        of.iter()
            .map(|at| all.get(*at).unwrap().dnskey().clone())
            .collect()
    };
    for (new, by, other, follows, why) in table {
        let by: Vec<KeyId> = by.iter().map(|at| all.get(*at).unwrap().id()).collect();
        let shares = Succession::shares_entry(&set(new), &by, &set(other));
        assert_eq!(shares, follows, "{why}");
    }
}
