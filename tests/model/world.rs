//! The world outside the machine, in few bits: zone versions, servers, hosts, caches, and what people and time may do.

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
/// How long the soak takes.
pub(crate) const SOAK: u8 = 1;
/// For how long a signature holds when it is made, where signatures end at all.
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

/// The TLSA RRset of a zone version, and its TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) set: u8,
    pub(crate) ttl: u8,
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
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// A whole run of the machine.
    Run,
    /// A run that is killed after so many writes to its journal.
    RunKilled(u8),
    Time,
    /// A person merges what the machine proposes now for a zone.
    Merge(usize),
    /// A person merges or reverts a zone to any other version that passes the pre-merge check (R1).
    MergeOther(usize, u8),
    SetTtl(usize, u8),
    Load(usize),
    /// A server goes back to the zone before the rotation.
    Regress(usize),
    /// These places are silent from now on, and no other.
    Silent(u8),
    Deploy(usize, usize),
    PutBack(usize, usize),
    /// Somebody else renews a certificate with a key of their own.
    Renew(usize),
    Resign,
    /// The Web PKI, or a sender's report, begins or ceases to speak against the incoming certificate.
    Object(usize),
    Ask(Wish),
}

/// What a person asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Abort,
    Rollback,
    /// Let the deployment go.
    Deploy,
    Emergency,
}

/// The records of a set, in words.
pub(crate) fn listed(set: u8) -> String {
    let names = ["old RSA", "old ECDSA", "new RSA", "new ECDSA"];
    let there = (0..4)
        .filter(|bit| set & (1 << bit) != 0)
        .map(|bit| names[bit]);
    format!("{{{}}}", there.collect::<Vec<_>>().join(", "))
}

impl Move {
    /// The move as a sentence. Servers and hosts have no names here: those that are alike are one state.
    pub(crate) fn told(self) -> String {
        let chain = |algorithm: usize| ["RSA", "ECDSA"][algorithm];
        match self {
            Self::Run => "the machine runs".into(),
            Self::RunKilled(writes) => {
                format!("the machine runs and is killed after {writes} writes")
            }
            Self::Time => "a unit of time passes".into(),
            Self::Merge(_) => "a person merges what the machine proposes".into(),
            Self::MergeOther(_, set) => format!("a person merges a zone with {}", listed(set)),
            Self::SetTtl(_, ttl) => format!("a person sets the TTL to {ttl} units"),
            Self::Load(_) => "a server loads the zone from git HEAD".into(),
            Self::Regress(_) => "a server goes back to the zone before the rotation".into(),
            Self::Silent(0) => "everyone answers".into(),
            Self::Silent(places) => {
                let servers = (places & ALL_SERVERS).count_ones();
                let hosts = (places & !ALL_SERVERS).count_ones();
                format!("{servers} of the servers and {hosts} of the hosts are silent, no other")
            }
            Self::Deploy(_, algorithm) => {
                format!("a host gets the incoming key ({})", chain(algorithm))
            }
            Self::PutBack(_, algorithm) => {
                format!("a host gets the old key back ({})", chain(algorithm))
            }
            Self::Renew(_) => "somebody else gives a host a key of their own".into(),
            Self::Resign => "the zone is signed anew".into(),
            Self::Object(WEB) => "the Web PKI changes its mind of the incoming certificate".into(),
            Self::Object(_) => "a report of failures arrives, or is set aside".into(),
            Self::Ask(wish) => format!("a person asks: {wish:?}"),
        }
    }
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

    /// The zone before the rotation.
    pub(crate) fn base(self) -> Version {
        let set = self.old | self.staying;
        Version { set, ttl: TTL }
    }

    /// Whether the algorithm's key is replaced.
    pub(crate) fn replaces(self, algorithm: usize) -> bool {
        self.old & (1 << algorithm) != 0
    }
}

impl World {
    /// Old keys and old records everywhere, and caches full of them.
    pub(crate) fn beginning(setting: &Setting) -> Self {
        let base = setting.records.base();
        let mut cached = [[0; 16]; PLACES];
        for zone in cached.iter_mut().take(setting.zones) {
            zone[usize::from(base.set)] = TTL;
        }
        Self {
            heads: [base; PLACES],
            servers: [base; PLACES],
            regressed: [false; PLACES],
            silent: 0,
            hosts: [[Key::Old; 2]; PLACES],
            cached,
            ttl_was_set: 0,
            objected: [false; 2],
            signed: VALID,
            resigned: false,
            sighted: [false; PLACES],
            soaked: 0,
            outage: None,
        }
    }

    pub(crate) fn server_is_silent(&self, server: usize) -> bool {
        self.silent & (1 << server) != 0
    }

    pub(crate) fn host_is_silent(&self, host: usize) -> bool {
        self.silent & (1 << (host + PLACES)) != 0
    }

    pub(crate) fn all_servers(&self, fits: impl Fn(u8) -> bool) -> bool {
        self.servers.iter().all(|version| fits(version.set))
    }

    /// One unit of time.
    pub(crate) fn pass(&mut self, signatures_end: bool) {
        self.cached = self
            .cached
            .map(|zone| zone.map(|left| left.saturating_sub(1)));
        self.soaked = (self.soaked + 1).min(SOAK);
        if let Some(since) = &mut self.outage {
            *since = (*since + 1).min(TTL);
        }
        if signatures_end {
            self.signed = self.signed.saturating_sub(1);
        }
    }

    /// Whatever a server answers now may be fetched now and cached for its TTL.
    /// An answer whose signature has expired is taken by none.
    pub(crate) fn fill_caches(&mut self, setting: &Setting) {
        let answered = if setting.signatures_end && self.signed == 0 {
            0
        } else {
            PLACES
        };
        for (server, version) in self.servers.iter().enumerate().take(answered) {
            let left = &mut self.cached[setting.zone_of(server)][usize::from(version.set)];
            *left = (*left).max(version.ttl);
        }
        let new = setting.records.new;
        if self.outage.is_some() && !self.all_servers(|set| set & new == new) {
            self.outage = Some(0);
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
