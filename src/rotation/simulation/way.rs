//! A way of rotating: what every server serves and every host presents, and from when; and the ways without the machine.

use super::chance::Chance;
use super::{BEGIN, Keys, NEW, OLD, Scenario};

/// One way of rotating the keys of all hosts, as it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// What was done, in a sentence.
    pub story: &'static str,
    /// By server and host: the records served, each from an instant on; oldest first.
    pub(super) served: Vec<Vec<Vec<(u64, Keys)>>>,
    /// By host: the key presented, each from an instant on; oldest first.
    pub(super) presented: Vec<Vec<(u64, Keys)>>,
    /// When the last of it happened.
    pub(super) end: u64,
}

/// How long one server takes to serve a change, and one host to present a key. The same for every way of one seed.
#[derive(Clone, Debug)]
pub(super) struct Lags {
    seed: u64,
    refresh: u64,
}

impl Lags {
    pub(super) fn of(scenario: &Scenario, seed: u64) -> Self {
        Self {
            seed,
            refresh: scenario.refresh.as_seconds(),
        }
    }

    /// NOTIFY reaches nine of ten secondaries (RFC 1996); the tenth waits for its refresh.
    pub(super) fn load(&self, server: usize, change: usize) -> u64 {
        let mut luck = self.chance(1, server, change);
        let prompt = luck.below(60).saturating_add(1);
        if server > 0 && luck.percent(10) {
            prompt.saturating_add(luck.below(self.refresh))
        } else {
            prompt
        }
    }

    /// Hosts are deployed one by one within half an hour.
    pub(super) fn deploy(&self, host: usize) -> u64 {
        self.chance(2, host, 0).below(1800)
    }

    /// A person reviews within a day.
    pub(super) fn review(&self, change: usize) -> u64 {
        self.chance(3, change, 0).below(86_400)
    }

    fn chance(&self, what: u64, which: usize, when: usize) -> Chance {
        let which = u64::try_from(which).unwrap_or_default();
        let when = u64::try_from(when).unwrap_or_default();
        let number = (what << 48) | (which << 24) | when;
        Chance::of(self.seed ^ 0x5757_5757, number)
    }
}

impl Way {
    /// From the changes of the zone as they were committed (the same records for every host) and when each host was swapped.
    pub(super) fn new(
        (name, story): (&'static str, &'static str),
        scenario: &Scenario,
        commits: &[(u64, Keys)],
        swaps: &[u64],
        lags: &Lags,
    ) -> Self {
        let served: Vec<Vec<Vec<(u64, Keys)>>> = (0..scenario.servers)
            .map(|server| {
                let loaded = loads(server, commits, lags);
                let hosts = scenario.hosts.iter();
                hosts
                    .map(|host| {
                        let before = if host.is_published { OLD } else { 0 };
                        let mut versions = vec![(0, before)];
                        versions.extend(loaded.iter().copied());
                        versions
                    })
                    .collect()
            })
            .collect();
        let presented = swaps.iter().map(|at| vec![(0, OLD), (*at, NEW)]).collect();
        let loaded = served.iter().flatten().flatten().map(|(at, _)| *at);
        let end = loaded.chain(swaps.iter().copied()).max();
        Self {
            name,
            story,
            served,
            presented,
            end: end.unwrap_or(BEGIN),
        }
    }

    /// The seconds from the beginning until the last change was in place.
    pub fn took(&self) -> u64 {
        self.end.saturating_sub(BEGIN)
    }
}

/// When one server loads each change: a later one brings the earlier ones with it.
pub(super) fn loads(server: usize, commits: &[(u64, Keys)], lags: &Lags) -> Vec<(u64, Keys)> {
    let mut loaded: Vec<(u64, Keys)> = Vec::new();
    for (change, (committed, keys)) in commits.iter().enumerate() {
        let at = committed.saturating_add(lags.load(server, change));
        loaded.retain(|(earlier, _)| *earlier < at);
        loaded.push((at, *keys));
    }
    loaded
}

/// What somebody sets out to do: its name and story, the commits, and when the hosts are to be swapped.
type Undertaking = ((&'static str, &'static str), Vec<(u64, Keys)>, u64);

/// The ways that people take without the machine, the worst first.
pub fn naive(scenario: &Scenario, seed: u64) -> Vec<Way> {
    let lags = Lags::of(scenario, seed);
    let ttls = scenario.hosts.iter().map(|host| u64::from(host.ttl.0));
    let ttl = ttls.max().unwrap_or_default();
    let hour = 3_600;
    let swapped_at = |asked: u64| -> Vec<u64> {
        let hosts = 0..scenario.hosts.len();
        hosts
            .map(|host| asked.saturating_add(lags.deploy(host)))
            .collect()
    };
    let later = |seconds: u64| BEGIN.saturating_add(seconds);
    let both = OLD | NEW;
    let ways: [Undertaking; 5] = [
        (
            (
                "deploy, then publish",
                "the new certificate goes onto the hosts, its record replaces the old one an hour later",
            ),
            vec![(later(hour), NEW)],
            BEGIN,
        ),
        (
            (
                "publish and deploy at once",
                "the new record replaces the old one while the hosts get the new certificate",
            ),
            vec![(BEGIN, NEW)],
            BEGIN,
        ),
        (
            (
                "replace, wait one TTL, deploy",
                "the new record replaces the old one, the hosts get the new certificate a TTL later",
            ),
            vec![(BEGIN, NEW)],
            later(ttl),
        ),
        (
            (
                "publish beside, deploy at once",
                "the new record joins the old one while the hosts get the new certificate; the old one leaves after a TTL",
            ),
            vec![(BEGIN, both), (later(ttl), NEW)],
            BEGIN,
        ),
        (
            (
                "publish beside, wait one TTL from the commit, deploy",
                "the new record joins the old one, the hosts get the new certificate a TTL after the commit; the old one leaves after another",
            ),
            vec![
                (BEGIN, both),
                (
                    later(ttl.saturating_mul(2)).max(later(ttl.saturating_add(hour))),
                    NEW,
                ),
            ],
            later(ttl),
        ),
    ];
    ways.into_iter()
        .map(|(said, commits, asked)| Way::new(said, scenario, &commits, &swapped_at(asked), &lags))
        .collect()
}
