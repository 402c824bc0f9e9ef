//! The world outside the machine, in few bits: zone versions, servers, hosts, caches, and what people and time may do.

/// Servers and hosts of the model.
pub(crate) const PLACES: usize = 2;
/// The TTL of the zone in the model's units of time, and the one it can be lowered to once.
pub(crate) const TTL: u8 = 2;
pub(crate) const LOW: u8 = 0;
/// How long the soak takes.
pub(crate) const SOAK: u8 = 1;
/// For how long a signature holds when it is made, where signatures end at all.
pub(crate) const VALID: u8 = 7;

/// The four records: the old and the new key of each algorithm.
pub(crate) const RSA: u8 = 0b0101;
pub(crate) const OLD: u8 = 0b0011;
pub(crate) const NEW: u8 = 0b1100;
pub(crate) const FULL: u8 = OLD | NEW;

/// The TLSA RRset of a zone version, and its TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) set: u8,
    pub(crate) lowered: bool,
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
    pub(crate) head: Version,
    pub(crate) servers: [Version; PLACES],
    /// Went back to an old zone and was not looked at since (assumption A3).
    pub(crate) regressed: [bool; PLACES],
    /// The one place that does not answer us, if any: servers first (assumption A6).
    pub(crate) silent: Option<u8>,
    pub(crate) hosts: [Host; PLACES],
    /// For how much longer some cache may hold each record set.
    pub(crate) cached: [u8; 16],
    pub(crate) ttl_was_lowered: bool,
    /// How long the signatures still hold, where they end.
    pub(crate) signed: u8,
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
    /// A person merges what the machine proposes now.
    Merge,
    /// A person merges or reverts to any other version that passes the pre-merge check (R1).
    MergeOther(u8),
    LowerTtl,
    Load(usize),
    /// A server goes back to the zone before the rotation.
    Regress(usize),
    /// Nobody, or this place only, is silent from now on.
    Silent(Option<u8>),
    Deploy(usize, usize),
    PutBack(usize, usize),
    /// Somebody else renews a certificate with a key of their own.
    Renew(usize),
    Resign,
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
            Self::Merge => "a person merges what the machine proposes".into(),
            Self::MergeOther(set) => format!("a person merges a zone with {}", listed(set)),
            Self::LowerTtl => "a person lowers the TTL".into(),
            Self::Load(_) => "a server loads the zone from git HEAD".into(),
            Self::Regress(_) => "a server goes back to the zone before the rotation".into(),
            Self::Silent(None) => "everyone answers".into(),
            Self::Silent(Some(place)) if usize::from(place) < PLACES => {
                "a server falls silent".into()
            }
            Self::Silent(Some(_)) => "a host falls silent".into(),
            Self::Deploy(_, algorithm) => {
                format!("a host gets the incoming key ({})", chain(algorithm))
            }
            Self::PutBack(_, algorithm) => {
                format!("a host gets the old key back ({})", chain(algorithm))
            }
            Self::Renew(_) => "somebody else gives a host a key of their own".into(),
            Self::Resign => "the zone is signed anew".into(),
            Self::Ask(wish) => format!("a person asks: {wish:?}"),
        }
    }
}

impl Version {
    pub(crate) const BASE: Self = Self {
        set: OLD,
        lowered: false,
    };

    pub(crate) fn ttl(self) -> u8 {
        if self.lowered { LOW } else { TTL }
    }
}

impl World {
    /// Old keys and old records everywhere, and caches full of them.
    pub(crate) fn beginning() -> Self {
        let mut cached = [0; 16];
        cached[usize::from(OLD)] = TTL;
        Self {
            head: Version::BASE,
            servers: [Version::BASE; PLACES],
            regressed: [false; PLACES],
            silent: None,
            hosts: [[Key::Old; 2]; PLACES],
            cached,
            ttl_was_lowered: false,
            signed: VALID,
            sighted: [false; PLACES],
            soaked: 0,
            outage: None,
        }
    }

    pub(crate) fn server_is_silent(&self, server: usize) -> bool {
        self.silent == u8::try_from(server).ok()
    }

    pub(crate) fn host_is_silent(&self, host: usize) -> bool {
        self.silent == u8::try_from(host + PLACES).ok()
    }

    pub(crate) fn all_hosts(&self, key: Key) -> bool {
        self.hosts.iter().flatten().all(|k| *k == key)
    }

    pub(crate) fn all_servers(&self, fits: impl Fn(u8) -> bool) -> bool {
        self.servers.iter().all(|version| fits(version.set))
    }

    /// One unit of time.
    pub(crate) fn pass(&mut self, signatures_end: bool) {
        self.cached = self.cached.map(|left| left.saturating_sub(1));
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
    pub(crate) fn fill_caches(&mut self, signatures_end: bool) {
        let answered = if signatures_end && self.signed == 0 {
            0
        } else {
            PLACES
        };
        for version in self.servers.iter().take(answered) {
            let left = &mut self.cached[usize::from(version.set)];
            *left = (*left).max(version.ttl());
        }
        if self.outage.is_some() && !self.all_servers(|set| set & NEW == NEW) {
            self.outage = Some(0);
        }
        // A set that lasts no longer than one of its own subsets refuses nobody whom that one accepts; and the whole set
        // refuses only strangers, whom every other refuses as well.
        for set in 1..16_usize {
            let outlived = (1..16_usize).any(|other| {
                other != set && other & set == other && self.cached[other] >= self.cached[set]
            });
            if outlived {
                self.cached[set] = 0;
            }
        }
    }

    /// The state that stands for all those that differ only by which server, host or algorithm is which.
    pub(crate) fn canonical(&self) -> Self {
        let mut least = *self;
        for way in 1..8_u8 {
            let mut other = *self;
            if way & 1 != 0 {
                other.servers.swap(0, 1);
                other.regressed.swap(0, 1);
                other.sighted.swap(0, 1);
                other.silent = other
                    .silent
                    .map(|place| if place < 2 { 1 - place } else { place });
            }
            if way & 2 != 0 {
                other.hosts.swap(0, 1);
                other.silent = other
                    .silent
                    .map(|place| if place < 2 { place } else { 5 - place });
            }
            if way & 4 != 0 {
                other.swap_algorithms();
            }
            least = least.min(other);
        }
        least
    }

    fn swap_algorithms(&mut self) {
        let swapped = |set: u8| (set & RSA) << 1 | (set >> 1) & RSA;
        self.head.set = swapped(self.head.set);
        for version in &mut self.servers {
            version.set = swapped(version.set);
        }
        for host in &mut self.hosts {
            host.swap(0, 1);
        }
        let before = self.cached;
        for set in 0..16_u8 {
            self.cached[usize::from(swapped(set))] = before[usize::from(set)];
        }
    }
}
