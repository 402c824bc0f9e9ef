//! The world outside the machine, in few bits: zone versions, servers, hosts and caches, and what time makes of them.

use crate::around::Around;
use crate::setting::Setting;

/// Servers and hosts of the model.
pub(crate) const PLACES: usize = 2;
/// Servers among the bits of places that are silent; hosts have the others.
pub(crate) const ALL_SERVERS: u8 = 0b0011;
/// Who objects: the Web PKI, or senders in their reports.
pub(crate) const WEB: usize = 0;
pub(crate) const REPORTS: usize = 1;
/// The TTL of the zone in the model's units of time, and those that it can be lowered or raised to.
pub(crate) const TTL: u8 = 2;
pub(crate) const LOW: u8 = 0;
pub(crate) const HIGH: u8 = 5;
/// How long the soak takes, where a setting says nothing else.
pub(crate) const SOAK: u8 = 1;
/// For how long a signature holds when it is made, where signatures end at all and a setting says nothing else.
pub(crate) const VALID: u8 = 7;

/// The four records: the old and the new key of each algorithm.
const RSA: u8 = 0b0101;

/// Which of the four records are rotated, and which stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) old: u8,
    pub(crate) new: u8,
    pub(crate) staying: u8,
}

/// The TLSA RRset of a zone version, its TTL, and the servers in the NS RRset of that version, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) set: u8,
    pub(crate) ttl: u8,
    pub(crate) ns: u8,
}

/// What a host presents for one algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Old,
    New,
    /// One that the rotation does not know: somebody else renewed the certificate.
    Strange,
}

/// One host: its RSA and its ECDSA chain.
pub(crate) type Host = [Key; 2];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    /// The zone as it is merged; with two zones, each of them.
    pub(crate) heads: [Version; PLACES],
    pub(crate) servers: [Version; PLACES],
    /// Went back to an old zone and was not looked at since (assumption A3).
    pub(crate) regressed: [bool; PLACES],
    /// The places that do not answer us, a bit each: servers first.
    pub(crate) silent: u8,
    pub(crate) hosts: [Host; PLACES],
    /// For how much longer some cache may hold each record set of each zone.
    pub(crate) cached: [[u8; 16]; PLACES],
    /// The record sets of each zone that a run met on a server while they refused a host, and that caches may still hold.
    pub(crate) met: [u16; PLACES],
    /// How often a person has set the TTL.
    pub(crate) ttl_was_set: u8,
    /// What the Web PKI holds against the incoming certificate, and what senders report of it.
    pub(crate) objected: [bool; 2],
    /// How long the signatures still hold, where they end.
    pub(crate) signed: u8,
    /// They were made anew at some time: whoever signs does so again.
    pub(crate) resigned: bool,
    /// Which servers were ever seen with the whole set: only a weakened machine remembers that.
    pub(crate) sighted: [bool; PLACES],
    /// The judge's own clock of the soak.
    pub(crate) soaked: u8,
    /// An outage was chosen, and since when every server has the new records: the judge's own clock of it.
    pub(crate) outage: Option<u8>,
    /// Who may be asked and reached, where that changes.
    pub(crate) around: Around,
}

impl Records {
    pub(crate) const PAIR: Self = Self {
        old: 0b0011,
        new: 0b1100,
        staying: 0,
    };
    /// Of the pair only the RSA key is replaced.
    pub(crate) const RSA_ALONE: Self = Self {
        old: 0b0001,
        new: 0b0100,
        staying: 0b0010,
    };

    /// Both, and what stays.
    pub(crate) fn full(self) -> u8 {
        self.old | self.new | self.staying
    }

    /// Whether the algorithm's key is replaced.
    pub(crate) fn replaces(self, algorithm: usize) -> bool {
        self.old & (1 << algorithm) != 0
    }
}

impl World {
    /// Old keys and old records everywhere, and caches full of them.
    pub(crate) fn beginning(setting: &Setting) -> Self {
        let base = setting.base();
        let mut cached = [[0; 16]; PLACES];
        for zone in cached.iter_mut().take(setting.zones) {
            zone[usize::from(base.set)] = setting.ttl.max(setting.ttl_before);
        }
        let mut versions = [base; PLACES];
        if setting.change.hosts().strangers {
            versions[1].set = 0;
            cached[1] = [0; 16];
        }
        Self {
            heads: versions,
            servers: versions,
            regressed: [false; PLACES],
            silent: 0,
            hosts: [[Key::Old; 2]; PLACES],
            cached,
            met: [0; PLACES],
            ttl_was_set: 0,
            objected: [false; 2],
            signed: setting.valid,
            resigned: false,
            sighted: [false; PLACES],
            soaked: 0,
            outage: None,
            around: Around::beginning(setting),
        }
    }

    pub(crate) fn server_is_silent(&self, server: usize) -> bool {
        (self.silent | self.around.dead) & (1 << server) != 0
    }

    pub(crate) fn host_is_silent(&self, host: usize) -> bool {
        (self.silent | self.around.dead) & (1 << (host + PLACES)) != 0
    }

    /// Whether it is so on every server that some resolver may ask.
    pub(crate) fn all_servers(&self, fits: impl Fn(u8) -> bool) -> bool {
        let asked = (0..PLACES).filter(|server| self.answers_resolvers(*server));
        asked
            .into_iter()
            .all(|server| fits(self.servers[server].set))
    }

    /// One unit of time.
    pub(crate) fn pass(&mut self, setting: &Setting) {
        self.cached = self
            .cached
            .map(|zone| zone.map(|left| left.saturating_sub(1)));
        self.soaked = (self.soaked + 1).min(setting.soak);
        if let Some(since) = &mut self.outage {
            *since = (*since + 1).min(setting.ttl);
        }
        if setting.signatures_end {
            self.signed = self.signed.saturating_sub(1);
        }
        self.around.pass(setting);
    }

    /// Whatever a server answers now may be fetched now and cached for its TTL.
    /// An answer whose signature has expired is taken by none.
    pub(crate) fn fill_caches(&mut self, setting: &Setting) {
        let answered = if setting.signatures_end && self.signed == 0 {
            0
        } else {
            PLACES
        };
        self.lead(setting);
        for (server, version) in self.servers.iter().enumerate().take(answered) {
            // An empty answer is no DANE: it refuses nobody.
            if self.answers_resolvers(server) && version.set != 0 {
                let left = &mut self.cached[setting.zone_of(server)][usize::from(version.set)];
                *left = (*left).max(version.ttl);
            }
        }
        let new = setting.records.new;
        if self.outage.is_some() && !self.all_servers(|set| set & new == new) {
            self.outage = Some(0);
        }
        for (met, cached) in self.met.iter_mut().zip(&self.cached) {
            let held = (0..16_usize).filter(|set| cached[*set] > 0);
            *met &= held.map(|set| 1 << set).sum::<u16>();
        }
        // A set that lasts no longer than one of its own subsets refuses nobody whom that one accepts; and the whole set
        // refuses only strangers, whom every other refuses as well.
        for cached in &mut self.cached {
            for set in 1..16_usize {
                let outlived = (1..16_usize).any(|other| {
                    other != set && other & set == other && cached[other] >= cached[set]
                });
                if outlived {
                    cached[set] = 0;
                }
            }
        }
    }

    /// The state that stands for all those that differ only by which server, host or algorithm is which.
    pub(crate) fn canonical(&self, setting: &Setting) -> Self {
        let mut least = *self;
        if setting.change.tells_places_apart() {
            return least;
        }
        for way in 1..8_u8 {
            let mut other = *self;
            let (servers, hosts) = (way & 1 != 0, way & 2 != 0);
            if setting.zones > 1 && servers != hosts {
                continue; // a server and a host belong to the same zone
            }
            if servers {
                other.servers.swap(0, 1);
                other.regressed.swap(0, 1);
                other.sighted.swap(0, 1);
                other.silent = other.silent & !ALL_SERVERS | swapped_pair(other.silent);
            }
            if hosts {
                other.hosts.swap(0, 1);
                other.silent =
                    other.silent & ALL_SERVERS | swapped_pair(other.silent >> PLACES) << PLACES;
            }
            if setting.zones > 1 && servers {
                other.heads.swap(0, 1);
                other.cached.swap(0, 1);
                other.met.swap(0, 1);
            }
            if way & 4 != 0 {
                if setting.records != Records::PAIR {
                    continue;
                }
                other.swap_algorithms();
            }
            least = least.min(other);
        }
        least
    }

    fn swap_algorithms(&mut self) {
        let swapped = |set: u8| (set & RSA) << 1 | (set >> 1) & RSA;
        for version in self.heads.iter_mut().chain(&mut self.servers) {
            version.set = swapped(version.set);
        }
        for host in &mut self.hosts {
            host.swap(0, 1);
        }
        for met in &mut self.met {
            let before = *met;
            let is_met = |set: &u8| before & (1 << *set) != 0;
            *met = (0..16).filter(is_met).map(|set| 1 << swapped(set)).sum();
        }
        for cached in &mut self.cached {
            let before = *cached;
            for set in 0..16_u8 {
                cached[usize::from(swapped(set))] = before[usize::from(set)];
            }
        }
    }
}

fn swapped_pair(bits: u8) -> u8 {
    (bits & 1) << 1 | (bits >> 1) & 1
}
