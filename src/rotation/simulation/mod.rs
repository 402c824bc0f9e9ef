//! A rotation rehearsed against random senders and caches: how many mails each way of doing it would have refused.
//!
//! The machine's way is the real `decide` and `apply` in a simulated world; beside it stand the ways that people take
//! without it. The senders judge by themselves: nothing here asks `promise` or `exposure`, so that an error there would
//! show as refused mail.
//!
//! Everything follows from the seed, in whole numbers only: the same seed gives the same numbers on every machine.

mod chance;
mod machine;
mod sender;
mod way;

pub use self::machine::machine;
pub use self::sender::{Tally, tally};
pub use self::way::{Way, naive};

use super::policy::Policy;
use super::step::IllegalEvent;
use super::timing::{Span, Ttl};
use std::ops::Range;

/// The zone, its servers and the policy that is rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The hosts, the most preferred first.
    pub hosts: Vec<Host>,
    /// How many authoritative servers there are; the first is the primary.
    pub servers: usize,
    /// How often a secondary that heard no NOTIFY looks for a new zone (SOA REFRESH, RFC 1035 §3.3.13).
    pub refresh: Span,
    /// The policy of the machine.
    pub policy: Policy,
}

/// One host as senders meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The TTL of its TLSA RRset; where it has none, of the absence.
    pub ttl: Ttl,
    /// Whether it has TLSA records before the rotation.
    pub is_published: bool,
}

/// Records of an RRset, or the key of a host, as bits.
type Keys = u8;
/// The key in use before.
const OLD: Keys = 1;
/// The key that replaces it.
const NEW: Keys = 2;

/// When a rotation begins: any instant would do, but not the beginning of time, since caches are warm before it.
const BEGIN: u64 = 1_000_000_000;

/// No resolver keeps anything longer (RFC 8767 §4 recommends the cap).
const LONGEST_CACHED: u64 = 7 * 86_400;

/// What a way of rotating came to, over one world of chance or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The way's name.
    pub name: &'static str,
    /// What was done, in a sentence.
    pub story: &'static str,
    /// From the beginning to the last change, at the longest.
    pub took: Span,
    /// What became of the mails.
    pub tally: Tally,
}

/// The machine's way and those without it in one world, by the luck of `seed`, with these senders; the machine's first.
pub fn rehearse(
    scenario: &Scenario,
    senders: Range<u64>,
    seed: u64,
) -> Result<Vec<Outcome>, IllegalEvent> {
    let mut ways = vec![machine(scenario, seed)?];
    ways.extend(naive(scenario, seed));
    let tallies = tally(scenario, &ways, senders, seed);
    let outcome = |(way, tally): (&Way, Tally)| Outcome {
        name: way.name,
        story: way.story,
        took: Span::seconds(way.took()),
        tally,
    };
    Ok(ways.iter().zip(tallies).map(outcome).collect())
}

impl Outcome {
    /// Counts the same way in another world in.
    pub fn take_in(&mut self, other: &Self) {
        self.took = self.took.max(other.took);
        self.tally.take_in(other.tally);
    }
}

impl Scenario {
    /// The longest that any cache keeps what it holds when the rotation begins.
    fn longest_cached(&self) -> u64 {
        let ttls = self.hosts.iter().map(|host| u64::from(host.ttl.0));
        ttls.max().unwrap_or_default().min(LONGEST_CACHED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(ttls: &[u32], servers: usize) -> Scenario {
        let hosts = ttls.iter().zip(1..).map(|(ttl, number)| Host {
            name: format!("mx{number}.example.com"),
            ttl: Ttl(*ttl),
            is_published: true,
        });
        Scenario {
            hosts: hosts.collect(),
            servers,
            refresh: Span::hours(2),
            policy: Policy::default(),
        }
    }

    fn refused(scenario: &Scenario, ways: &[Way], seed: u64) -> Vec<u64> {
        let tallies = tally(scenario, ways, 0..2_000, seed);
        assert!(
            tallies.iter().all(|tally| tally.mails > 1_000),
            "{tallies:?}"
        );
        tallies.iter().map(|tally| tally.refused).collect()
    }

    #[test]
    fn the_machine_refuses_no_mail_and_people_do() {
        let bare = Policy {
            min_wait: Span::ZERO,
            soak: Span::ZERO,
            safety_margin: Span::ZERO,
            ..Policy::default()
        };
        let mut first_use = scenario(&[300, 300], 2);
        first_use
            .hosts
            .iter_mut()
            .for_each(|host| host.is_published = false);
        let impatient = |ttls: &[u32]| Scenario {
            policy: bare,
            ..scenario(ttls, 3)
        };
        let table = [
            ("an hour's TTL", scenario(&[3600, 3600], 2)),
            ("a day's", scenario(&[86_400], 3)),
            ("two TTLs", scenario(&[300, 172_800], 4)),
            ("no patience beyond the protocols", impatient(&[3600, 7200])),
            ("no patience and a long TTL", impatient(&[200_000])),
            ("the first use of DANE", first_use),
        ];
        for (situation, scenario) in table {
            for seed in 0..3 {
                let way = machine(&scenario, seed).unwrap();
                assert!(
                    way.presented.iter().all(|keys| keys[1].0 < u64::MAX),
                    "{situation}: swapped"
                );
                let last = way.served[0][0].last().unwrap();
                assert_eq!(last.1, NEW, "{situation}: retired");
                assert_eq!(refused(&scenario, &[way], seed), [0], "{situation}");
                if scenario.hosts.iter().all(|host| host.is_published) {
                    let people = refused(&scenario, &naive(&scenario, seed)[..4], seed);
                    assert!(people.iter().all(|n| *n > 0), "{situation}: {people:?}");
                }
            }
        }
    }

    #[test]
    fn one_ttl_from_the_commit_is_too_short_where_a_server_lags() {
        let scenario = scenario(&[3600, 3600], 6);
        let total: u64 = (0..6)
            .map(|seed| refused(&scenario, &naive(&scenario, seed)[4..], seed)[0])
            .sum();
        assert!(total > 0);
    }

    #[test]
    fn a_sabotaged_wait_is_counted() {
        let scenario = scenario(&[86_400, 86_400], 3);
        for seed in 0..3 {
            let way = machine(&scenario, seed).unwrap();
            // T_all: the last server's load of the first change. The hosts are swapped then, or a TTL later.
            let t_all = way.served.iter().map(|hosts| hosts[0][1].0).max().unwrap();
            for (wait, is_refused) in [(0, true), (80_000, true), (86_400, false)] {
                let mut sabotaged = way.clone();
                for keys in &mut sabotaged.presented {
                    keys[1].0 = t_all + wait;
                }
                let found = refused(&scenario, &[sabotaged], seed)[0];
                assert_eq!(
                    found > 0,
                    is_refused,
                    "swapped {wait} s after T_all: {found}"
                );
            }
            // The old record leaves before the hosts have the new key.
            let mut early = way.clone();
            let swap = early.presented[0][1].0;
            for versions in early.served.iter_mut().flatten() {
                versions.last_mut().unwrap().0 = swap - 7200;
            }
            assert!(refused(&scenario, &[early], seed)[0] > 0);
        }
    }

    #[test]
    fn a_ttl_the_machine_was_not_told_of_is_counted() {
        let told = Scenario {
            policy: Policy {
                min_wait: Span::ZERO,
                ..Policy::default()
            },
            ..scenario(&[300, 300], 2)
        };
        let real = Scenario {
            hosts: scenario(&[172_800, 172_800], 2).hosts,
            ..told.clone()
        };
        let way = machine(&told, 1).unwrap();
        assert!(
            refused(&real, &[way], 1)[0] > 0,
            "the high-water mark is what counts"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_however_the_senders_are_shared_out() {
        let scenario = scenario(&[3600, 3600], 2);
        let ways = naive(&scenario, 5);
        let whole = tally(&scenario, &ways, 0..300, 5);
        let mut parts = tally(&scenario, &ways, 0..120, 5);
        for (all, part) in parts.iter_mut().zip(tally(&scenario, &ways, 120..300, 5)) {
            all.take_in(part);
        }
        assert_eq!(whole, parts);
        assert_ne!(whole, tally(&scenario, &ways, 0..300, 6));
    }

    #[test]
    fn each_way_is_told_with_its_own_mails_and_several_worlds_add_up() {
        let scenario = scenario(&[3600, 3600], 2);
        let mut ways = vec![machine(&scenario, 7).unwrap()];
        ways.extend(naive(&scenario, 7));
        let tallies = tally(&scenario, &ways, 0..500, 7);
        let told = rehearse(&scenario, 0..500, 7).unwrap();
        assert_eq!(told.len(), ways.len());
        for ((outcome, way), tally) in told.iter().zip(&ways).zip(tallies) {
            assert_eq!((outcome.name, outcome.tally), (way.name, tally));
            assert_eq!(outcome.took, Span::seconds(way.took()));
        }
        let other = rehearse(&scenario, 0..500, 8).unwrap();
        let (one, two) = (&told[0], &other[0]);
        assert_ne!(one.took, two.took, "other luck");
        for (first, second) in [(one, two), (two, one)] {
            let mut both = first.clone();
            both.take_in(second);
            assert_eq!(both.took, one.took.max(two.took));
            assert_eq!(both.tally.mails, one.tally.mails + two.tally.mails);
        }
    }

    #[test]
    fn no_cache_keeps_anything_for_more_than_a_week() {
        let longest = |ttl| scenario(&[60, ttl], 1).longest_cached();
        assert_eq!(longest(604_799), 604_799);
        assert_eq!(longest(604_801), 604_800);
    }

    #[test]
    fn one_seed_gives_these_numbers_on_every_machine() {
        let table = [
            (
                (&[3600, 7200][..], 3, 1),
                55_945,
                [
                    (223_849, 0, 0),
                    (3660, 941, 497),
                    (1398, 262, 206),
                    (8598, 1376, 707),
                    (7258, 239, 187),
                    (14_458, 0, 0),
                ],
            ),
            (
                (&[86_400][..], 2, 2),
                136_387,
                [
                    (372_709, 0, 0),
                    (3654, 10_141, 897),
                    (1281, 3998, 751),
                    (87_681, 17_593, 1419),
                    (86_457, 3955, 714),
                    (172_857, 0, 0),
                ],
            ),
            (
                (&[600, 600, 300][..], 4, 3),
                65_859,
                [
                    (279_589, 0, 0),
                    (3648, 556, 401),
                    (1626, 77, 71),
                    (2226, 157, 137),
                    (6580, 16, 16),
                    (10_180, 0, 0),
                ],
            ),
            // Longer than a day: some resolvers cap it.
            (
                (&[345_600][..], 2, 4),
                365_515,
                [
                    (857_328, 0, 0),
                    (3656, 30_368, 1138),
                    (1263, 13_218, 1027),
                    (346_863, 68_523, 1845),
                    (345_656, 13_180, 993),
                    (691_256, 0, 0),
                ],
            ),
        ];
        for ((ttls, servers, seed), mails, ways) in table {
            let told = rehearse(&scenario(ttls, servers), 0..2_000, seed).unwrap();
            for (outcome, (took, refused, senders)) in told.iter().zip(ways) {
                let Tally {
                    mails: all,
                    refused: bad,
                    senders: who,
                    ..
                } = outcome.tally;
                assert_eq!(
                    (outcome.took, all, bad, who),
                    (Span::seconds(took), mails, refused, senders),
                    "{} by seed {seed}",
                    outcome.name
                );
            }
        }
    }

    #[test]
    fn a_secondary_may_be_late_and_the_primary_never_is() {
        let lags = way::Lags::of(&scenario(&[3600], 2), 1);
        let latest = |server| (0..200).map(|change| lags.load(server, change)).max();
        assert!(latest(0) <= Some(60), "{:?}", latest(0));
        assert!(latest(1) > Some(3600), "{:?}", latest(1));
    }
}
