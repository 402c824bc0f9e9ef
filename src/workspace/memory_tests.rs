//! What is remembered of a zone counts until the last cache has dropped it.
#![allow(clippy::unwrap_used)]
use super::*;

const OWNER: &str = "_25._tcp.mx1.e.";
const LAG: Span = Span::hours(1);

fn hours(count: u64) -> Instant {
    Instant::from_unix(1_000_000) + Span::hours(count)
}

fn held(ttls: &[(&str, u32)], servers: &[(&str, u32)]) -> Held {
    let of = |pairs: &[(&str, u32)]| {
        let pairs = pairs.iter();
        pairs.map(|(k, ttl)| ((*k).to_owned(), Ttl(*ttl))).collect()
    };
    let addresses = BTreeMap::from([(("mx1.e".to_owned(), "192.0.2.1".to_owned()), Ttl(60))]);
    Held {
        ttls: of(ttls),
        servers: of(servers),
        addresses,
        parent: Parent::Aside,
    }
}

#[test]
fn a_ttl_counts_until_the_last_cache_has_lost_it() {
    let mut memory = Memory::beginning(hours(0));
    let day: u32 = 24 * 3600;
    assert!(memory.take_in(&held(&[(OWNER, 2 * day)], &[]), hours(0), LAG));
    assert!(memory.take_in(&held(&[(OWNER, 300)], &[]), hours(1), LAG));
    // Gone at the first note without it, an hour until the servers follow, and two days in a cache.
    for (hour, expected) in [(1, 2 * day), (49, 2 * day), (50, 300)] {
        assert_eq!(
            memory.ttl_of(OWNER, hours(hour), LAG),
            Ttl(expected),
            "{hour}"
        );
    }
    assert_eq!(memory.since_of(OWNER), Some(hours(0)));
    assert_eq!(memory.since_of("_25._tcp.mx2.e."), None);
    assert_eq!(memory.ttl_of("_25._tcp.mx2.e.", hours(1), LAG), Ttl(0));
}

#[test]
fn it_is_written_on_a_change_and_once_an_hour() {
    let mut memory = Memory::beginning(hours(0));
    let now = held(&[(OWNER, 300)], &[("ns1", 60)]);
    assert!(memory.take_in(&now, hours(0), LAG));
    assert!(!memory.take_in(&now, hours(0) + Span::minutes(59), LAG));
    assert!(memory.take_in(&now, hours(1), LAG));
    let other = held(&[(OWNER, 300)], &[("ns2", 60)]);
    let soon = hours(1) + Span::minutes(1);
    assert!(memory.take_in(&other, soon, LAG));
    let left = soon + Span::minutes(61);
    assert_eq!(
        memory.servers_left(soon, LAG),
        BTreeMap::from([("ns1", left)])
    );
    // What no cache holds any more is forgotten; a clock behind teaches nothing.
    assert!(memory.take_in(&other, left, LAG));
    assert_eq!(memory.servers_left(soon, LAG), BTreeMap::new());
    assert!(!memory.take_in(&now, hours(0), LAG));
}

#[test]
fn of_days_in_which_nothing_ran_nothing_is_known() {
    let mut memory = Memory::beginning(hours(0));
    let now = held(&[(OWNER, 300)], &[]);
    for hour in [0, 24, 48] {
        memory.take_in(&now, hours(hour), LAG);
    }
    assert_eq!(
        (memory.since(), memory.since_of(OWNER)),
        (hours(0), Some(hours(0)))
    );
    memory.take_in(&now, hours(74), LAG);
    assert_eq!(
        (memory.since(), memory.since_of(OWNER)),
        (hours(74), Some(hours(74)))
    );
    // A name of which one note had nothing, though the zone was looked at all the time.
    memory.take_in(&held(&[], &[]), hours(75), LAG);
    memory.take_in(&now, hours(76), LAG);
    assert_eq!(
        (memory.since(), memory.since_of(OWNER)),
        (hours(74), Some(hours(76)))
    );
}

#[test]
fn it_comes_back_from_its_file_as_it_was() {
    let state = tempfile::tempdir().unwrap();
    let zone = Name::parse(b"e.", None).unwrap();
    assert_eq!(Memory::read(state.path(), &zone).unwrap(), None);
    let mut memory = Memory::beginning(hours(0));
    memory.take_in(&held(&[(OWNER, 300)], &[("ns1", 60)]), hours(0), LAG);
    memory.take_in(&held(&[(OWNER, 60)], &[]), hours(1), LAG);
    memory.clone().write(state.path(), &zone).unwrap();
    assert_eq!(Memory::read(state.path(), &zone).unwrap(), Some(memory));
    std::fs::write(path(state.path(), &zone), "{").unwrap();
    Memory::read(state.path(), &zone).unwrap_err();
}

/// A server that the parent alone names is remembered while nobody asks the parent, and leaves once it names it no more.
#[test]
fn who_the_parent_names_is_remembered_until_it_names_it_no_more() {
    let day = 24 * 3600;
    let with = |servers, parent| Held {
        parent,
        ..held(&[], servers)
    };
    let (both, child) = ([("ns1", 3600), ("ns2", 2 * day)], [("ns1", 3600)]);
    let mut memory = Memory::beginning(hours(0));
    assert!(!memory.parent_was_read());
    assert!(memory.take_in(&with(&both, Parent::Read), hours(0), LAG));
    assert!(memory.parent_was_read());
    memory.take_in(&with(&child, Parent::Unasked), hours(1), LAG);
    assert!(memory.servers_left(hours(1), LAG).is_empty());
    memory.take_in(&with(&child, Parent::Read), hours(2), LAG);
    let until = hours(2) + LAG + Span::days(2);
    assert_eq!(memory.servers_left(hours(3), LAG), [("ns2", until)].into());
    let home = tempfile::tempdir().unwrap();
    let zone = Name::parse(b"e.", None).unwrap();
    memory.clone().write(home.path(), &zone).unwrap();
    assert_eq!(Memory::read(home.path(), &zone).unwrap(), Some(memory));
}
