//! Random senders: each with a resolver and a rhythm of its own, each judging by RFC 7672 §2.2 for itself.

use super::chance::Chance;
use super::way::Way;
use super::{BEGIN, Keys, LONGEST_CACHED, Scenario};
use std::ops::Range;

/// What became of the mails of some senders in one way of rotating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often a sender came with a mail.
    pub mails: u64,
    /// How often it found no record of the key that the host presented.
    pub refused: u64,
    /// How many senders that happened to.
    pub senders: u64,
    /// Seconds from the beginning of the rotation to the first refusal.
    pub first: Option<u64>,
    /// And to the last.
    pub last: Option<u64>,
}

impl Tally {
    /// Counts other senders in.
    pub fn take_in(&mut self, other: Self) {
        self.mails = self.mails.saturating_add(other.mails);
        self.refused = self.refused.saturating_add(other.refused);
        self.senders = self.senders.saturating_add(other.senders);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

/// A sender and its resolver.
struct Sender {
    /// Twice the mean time between two mails.
    rhythm: u64,
    /// The resolver keeps nothing longer.
    cap: u64,
    /// Whether it asks again for what is used shortly before it runs out.
    prefetches: bool,
    chance: Chance,
}

/// What a cache holds of one host's RRset.
#[derive(Clone, Copy, Default)]
struct Cached {
    keys: Keys,
    /// Until when; 0: nothing is held.
    until: u64,
    /// From when on a use makes a prefetching resolver ask again.
    stale_from: u64,
}

/// The mails of these senders in each of `ways`; every sender comes at the same moments in all of them.
pub fn tally(scenario: &Scenario, ways: &[Way], senders: Range<u64>, seed: u64) -> Vec<Tally> {
    let longest = scenario.longest_cached();
    let last_end = ways.iter().map(|way| way.end).max().unwrap_or(BEGIN);
    // Caches are warm when it begins, and it is watched until every cache has forgotten.
    let window =
        BEGIN.saturating_sub(longest)..last_end.saturating_add(longest).saturating_add(3_600);
    let mut tallies = vec![Tally::default(); ways.len()];
    let mut caches = vec![Cached::default(); scenario.hosts.len()];
    for number in senders {
        for (way, tally) in ways.iter().zip(&mut tallies) {
            caches.fill(Cached::default());
            tally.take_in(Sender::of(seed, number).through(way, scenario, &window, &mut caches));
        }
    }
    tallies
}

impl Sender {
    /// One mail in half an hour to one in five days; most resolvers honour every TTL, some cap it at an hour or a day.
    fn of(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, number);
        let rhythm = 3_600_u64 << chance.below(9);
        let cap = match chance.below(100) {
            0..10 => 3_600,
            10..30 => 86_400,
            _ => LONGEST_CACHED,
        };
        Self {
            rhythm,
            cap,
            prefetches: chance.percent(25),
            chance,
        }
    }

    fn through(
        mut self,
        way: &Way,
        scenario: &Scenario,
        window: &Range<u64>,
        caches: &mut [Cached],
    ) -> Tally {
        let mut tally = Tally::default();
        let mut now = window.start.saturating_add(self.chance.below(self.rhythm));
        while now < window.end {
            tally.mails = tally.mails.saturating_add(1);
            let host = self.host(caches.len());
            let server = self.pick(way.served.len());
            if let Some(cached) = caches.get_mut(host)
                && !self.delivers(way, scenario, (host, server), cached, now)
            {
                tally.refused = tally.refused.saturating_add(1);
                tally.senders = 1;
                let since = now.saturating_sub(BEGIN);
                tally.first = tally.first.or(Some(since));
                tally.last = Some(since);
            }
            now = now
                .saturating_add(self.chance.below(self.rhythm))
                .saturating_add(1);
        }
        tally
    }

    /// Four of five mails go to the most preferred host, the others to any (RFC 5321 §5.1).
    fn host(&mut self, hosts: usize) -> usize {
        if self.chance.percent(80) {
            0
        } else {
            self.pick(hosts)
        }
    }

    fn pick(&mut self, among: usize) -> usize {
        let among = u64::try_from(among).unwrap_or_default();
        usize::try_from(self.chance.below(among)).unwrap_or_default()
    }

    fn delivers(
        &self,
        way: &Way,
        scenario: &Scenario,
        (host, server): (usize, usize),
        cached: &mut Cached,
        now: u64,
    ) -> bool {
        let asks = now >= cached.until;
        let prefetches = self.prefetches && now >= cached.stale_from;
        let held = cached.keys;
        if asks || prefetches {
            let answer = way.served.get(server).and_then(|hosts| hosts.get(host));
            let ttl = scenario
                .hosts
                .get(host)
                .map_or(0, |host| u64::from(host.ttl.0));
            let ttl = ttl.min(self.cap);
            *cached = Cached {
                keys: at(answer, now),
                until: now.saturating_add(ttl),
                stale_from: now.saturating_add(ttl.saturating_sub(ttl.wrapping_div(10))),
            };
        }
        // A prefetch comes too late for the mail that caused it: that one is judged by what was held.
        let rrset = if asks { cached.keys } else { held };
        let presented = at(way.presented.get(host), now);
        rrset == 0 || rrset & presented != 0
    }
}

/// What holds at an instant.
fn at(versions: Option<&Vec<(u64, Keys)>>, now: u64) -> Keys {
    let mut keys = 0;
    for (from, then) in versions.into_iter().flatten() {
        if *from > now {
            break;
        }
        keys = *then;
    }
    keys
}
