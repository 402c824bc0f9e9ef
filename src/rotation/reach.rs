//! Who may still be asked, and where hosts may still be reached: what left stays until every cache has forgotten it.
//!
//! A resolver that was referred to a server keeps its name and address for their TTLs (RFC 1035 §3.2.1, RFC 2181 §5.4.1);
//! a sender keeps the address of a host as long.

use super::observation::{Endpoint, Observation, Seen};
use super::step::{Event, Rotation};
use super::timing::{Instant, Ttl};
use std::collections::BTreeMap;

/// How one server or address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reachable {
    /// The largest TTL of the records that lead to it.
    pub ttl: Ttl,
    /// Once it has left: when the last cache forgets it.
    pub until: Option<Instant>,
}

/// Each server of a zone, or address of a host, that may still be found.
pub type Reach<K> = BTreeMap<K, Reachable>;

/// Takes in what was seen at `at`: all of `present`; what is missing leaves now.
pub(super) fn see<K: Clone + Ord>(reach: &mut Reach<K>, present: &BTreeMap<K, Ttl>, at: Instant) {
    for (one, known) in reach.iter_mut() {
        if !present.contains_key(one) && known.until.is_none() {
            known.until = Some(at + known.ttl.span());
        }
    }
    for (one, ttl) in present {
        let known = reach.get(one);
        let before = known.map_or(Ttl(0), |known| known.ttl_from(known.until, at));
        let ttl = before.max(*ttl);
        reach.insert(one.clone(), Reachable { ttl, until: None });
    }
    forget(reach, at);
}

/// Takes in what had left before anybody looked. What is present stays so.
pub(super) fn had_left<K: Clone + Ord>(
    reach: &mut Reach<K>,
    until: &BTreeMap<K, Instant>,
    at: Instant,
) {
    for (one, end) in until {
        let known = reach.entry(one.clone()).or_insert(Reachable {
            ttl: Ttl(0),
            until: Some(*end),
        });
        if known.until.is_none() {
            known.ttl = known.ttl_from(Some(*end), at);
        }
        known.until = known.until.map(|known| known.max(*end));
    }
    forget(reach, at);
}

/// What has run out by `at` is gone.
fn forget<K: Ord>(reach: &mut Reach<K>, at: Instant) {
    reach.retain(|_, known| known.is_there(at));
}

impl Reachable {
    /// The TTL for which a cache may lead to it from `at` on, where one that leads there already ends at `until`: who leaves
    /// again at once is no sooner forgotten.
    fn ttl_from(&self, until: Option<Instant>, at: Instant) -> Ttl {
        let left = until.map_or(0, |until| until.since(at).as_seconds());
        self.ttl.max(Ttl(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    /// Whether some cache may still lead to it at `at`.
    pub fn is_there(&self, at: Instant) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

/// Whether no sender can come to a host, now or by what a cache holds: every server of its zone was seen to know no address
/// of it. Other hosts, of which some was seen, need not wait for that one.
pub(super) fn is_nowhere(endpoint: &Endpoint, rotation: &Rotation, seen: &Observation) -> bool {
    let host = &endpoint.host;
    let none_now = matches!(seen.addresses.get(host), Some(Seen::Known(all)) if all.is_empty());
    let mut earlier = rotation.addresses.get(host).into_iter().flatten();
    let none_cached = !earlier.any(|(_, known)| known.is_there(seen.at));
    none_now && none_cached && seen.presented.values().any(|offers| !offers.is_empty())
}

/// The servers or addresses that were seen now, where that differs from what is known.
pub(super) fn news(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    if rotation.is_over() {
        return None;
    }
    for (zone, seen) in &observation.servers {
        if let Seen::Known(servers) = seen
            && is_news(rotation.servers.get(zone), servers)
        {
            return Some(Event::ServersSeen {
                zone: zone.clone(),
                servers: servers.clone(),
            });
        }
    }
    for (host, seen) in &observation.addresses {
        if let Seen::Known(addresses) = seen
            && is_news(rotation.addresses.get(host), addresses)
        {
            return Some(Event::AddressesSeen {
                host: host.clone(),
                addresses: addresses.clone(),
            });
        }
    }
    None
}

/// Whether what is present now adds anything to what is known: one that joined, left, came back or has a larger TTL.
pub(super) fn is_news<K: Ord>(reach: Option<&Reach<K>>, present: &BTreeMap<K, Ttl>) -> bool {
    let Some(reach) = reach else { return true };
    let joined = present
        .iter()
        .any(|(one, ttl)| !matches!(reach.get(one), Some(known) if known.until.is_none() && known.ttl >= *ttl));
    let left = reach
        .iter()
        .any(|(one, known)| known.until.is_none() && !present.contains_key(one));
    joined || left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u64) -> Instant {
        Instant::from_unix(hour.saturating_mul(3_600))
    }

    fn seen(one: &[(&'static str, u32)]) -> BTreeMap<&'static str, Ttl> {
        one.iter()
            .map(|(name, hours)| (*name, Ttl(hours.saturating_mul(3_600))))
            .collect()
    }

    fn there(reach: &Reach<&'static str>, hour: u64) -> Vec<&'static str> {
        let there = reach.iter().filter(|(_, known)| known.is_there(at(hour)));
        there.map(|(one, _)| *one).collect()
    }

    #[test]
    fn what_left_stays_for_the_largest_ttl_that_led_to_it() {
        let mut reach = Reach::new();
        see(&mut reach, &seen(&[("a", 1), ("b", 48)]), at(0));
        see(&mut reach, &seen(&[("a", 1), ("b", 2)]), at(1));
        see(&mut reach, &seen(&[("a", 1)]), at(2));
        assert_eq!(there(&reach, 49), ["a", "b"], "48 hours after it left");
        assert_eq!(there(&reach, 50), ["a"]);
    }

    #[test]
    fn who_comes_back_is_present_again() {
        let mut reach = Reach::new();
        see(&mut reach, &seen(&[("a", 1), ("b", 4)]), at(0));
        see(&mut reach, &seen(&[("a", 1)]), at(1));
        see(&mut reach, &seen(&[("a", 1), ("b", 1)]), at(2));
        assert_eq!(there(&reach, 99), ["a", "b"]);
    }

    #[test]
    fn who_comes_back_and_leaves_again_is_no_sooner_forgotten() {
        let mut reach = Reach::new();
        see(&mut reach, &seen(&[("a", 1)]), at(0));
        had_left(&mut reach, &BTreeMap::from([("b", at(9))]), at(0));
        see(&mut reach, &seen(&[("a", 1), ("b", 1)]), at(1));
        see(&mut reach, &seen(&[("a", 1)]), at(2));
        assert_eq!(there(&reach, 8), ["a", "b"]);
        let mut reach = Reach::new();
        see(&mut reach, &seen(&[("b", 1)]), at(0));
        had_left(&mut reach, &BTreeMap::from([("b", at(9))]), at(0));
        see(&mut reach, &seen(&[("a", 1)]), at(1));
        assert_eq!(there(&reach, 8), ["a", "b"]);
    }

    #[test]
    fn what_had_left_before_takes_nothing_from_who_is_present() {
        let mut reach = Reach::new();
        see(&mut reach, &seen(&[("a", 1)]), at(0));
        had_left(
            &mut reach,
            &BTreeMap::from([("a", at(3)), ("b", at(5))]),
            at(0),
        );
        assert_eq!(there(&reach, 4), ["a", "b"]);
        assert_eq!(there(&reach, 5), ["a"]);
    }

    #[test]
    fn only_a_change_is_news() {
        let mut reach = Reach::new();
        assert!(is_news(None, &seen(&[("a", 1)])));
        see(&mut reach, &seen(&[("a", 1), ("b", 1)]), at(0));
        let table = [
            (seen(&[("a", 1), ("b", 1)]), false, "the same"),
            (
                seen(&[("a", 0), ("b", 1)]),
                false,
                "a smaller TTL is no news",
            ),
            (seen(&[("a", 2), ("b", 1)]), true, "a larger one is"),
            (seen(&[("a", 1)]), true, "one left"),
            (seen(&[("a", 1), ("b", 1), ("c", 1)]), true, "one joined"),
        ];
        for (present, news, why) in table {
            assert_eq!(is_news(Some(&reach), &present), news, "{why}");
        }
    }
}
