//! What is around a rotation where that changes: who is asked for the zone, who takes mail and where, which keys are left, and
//! what a look can meet.

use crate::judge;
use crate::machine::State;
use crate::setting::Setting;
use crate::world::{Key, PLACES, World};

/// For how long caches keep who serves the zone, and where a host is.
pub(crate) const WAY_TTL: u8 = 2;
/// The same of a server that had left before the rotation began.
pub(crate) const WAY_TTL_BEFORE: u8 = 3;
/// For how many units what one of several servers behind an address presented counts, though another was met.
pub(crate) const REMEMBERED: u8 = 2;

/// What changes in a setting beside the zone's records and the hosts' keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// Server 1 leaves the zone or joins it, there and at the parent.
    Servers,
    /// Host 1 joins, leaves or dies; or keys are lost.
    Hosts(Hosts),
    /// One host, whose mail goes to one or both of two machines by its addresses.
    Addresses,
    /// One host with two servers behind its address, of which a look meets one or both.
    Balanced,
    /// Hosts change their keys back at the last moment, and after the end.
    Restores,
    /// Host 1 has another certificate, and its name leads to the RRset of the rotation.
    Others,
    /// The soak is seen to pass, or not: only here the judge counts looks.
    Looks,
    /// The names leave DANE.
    LeavesDane,
}

/// What hosts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each freedom is given or not
pub(crate) struct Hosts {
    /// Host 1 joins; it does not take part at the beginning.
    pub(crate) join: bool,
    /// It may have a key of others then, or no RRset.
    pub(crate) strangers: bool,
    /// It leaves.
    pub(crate) leave: bool,
    /// It dies.
    pub(crate) die: bool,
    /// A key is lost.
    pub(crate) lose: bool,
}

/// The hosts stay.
pub(crate) const NOBODY: Hosts = Hosts {
    join: false,
    strangers: false,
    leave: false,
    die: false,
    lose: false,
};

/// The state of all this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Around {
    /// The servers that the parent refers to, a bit each.
    pub(crate) parent: u8,
    /// The hosts (or machines) that take mail by MX and address now, a bit each.
    pub(crate) listed: u8,
    /// For how much longer a cache may lead to each server, and to each host.
    pub(crate) to_server: [u8; PLACES],
    pub(crate) to_host: [u8; PLACES],
    /// Gone for good, bits as of silence.
    pub(crate) dead: u8,
    /// The key that no host can get any more.
    pub(crate) lost: Option<Key>,
    /// How often something changed.
    pub(crate) changes: u8,
    /// A host changed its key back when nothing could keep it from being refused: its record had left, or no look has met
    /// it since.
    pub(crate) too_late: bool,
    /// How long ago a look met each of the servers behind the one address; and whether one ever saw that they are several.
    pub(crate) unmet: [u8; PLACES],
    pub(crate) is_known: bool,
    /// Which of them the look of a run meets.
    pub(crate) meets: u8,
    /// For how long nobody saw that all is well.
    pub(crate) unwatched: u8,
    pub(crate) left_dane: bool,
}

impl Change {
    /// Whether server 0 and 1, or host 0 and 1, are not alike.
    pub(crate) fn tells_places_apart(self) -> bool {
        matches!(
            self,
            Self::Servers | Self::Hosts(_) | Self::Addresses | Self::Balanced | Self::Others
        )
    }

    /// Whether both hosts are machines of one.
    pub(crate) fn is_one_host(self) -> bool {
        matches!(self, Self::Addresses | Self::Balanced)
    }

    pub(crate) fn hosts(self) -> Hosts {
        match self {
            Self::Hosts(hosts) => hosts,
            _ => NOBODY,
        }
    }
}

impl Around {
    pub(crate) fn beginning(setting: &Setting) -> Self {
        let all = 0b11;
        let begins_alone = setting.change.hosts().join || setting.change == Change::Addresses;
        let listed = if begins_alone { 0b01 } else { all };
        Self {
            parent: setting.base().ns,
            listed,
            // Where server 1 is not there, it has just left, and was to be kept for longer.
            to_server: [
                WAY_TTL,
                if setting.base().ns == all {
                    WAY_TTL
                } else {
                    WAY_TTL_BEFORE
                },
            ],
            to_host: [WAY_TTL, if begins_alone { 0 } else { WAY_TTL }],
            dead: 0,
            lost: None,
            changes: 0,
            too_late: false,
            unmet: [0; PLACES],
            is_known: false,
            meets: all,
            unwatched: 0,
            left_dane: false,
        }
    }

    /// One unit of time.
    pub(crate) fn pass(&mut self, setting: &Setting) {
        match setting.change {
            Change::Servers => self.to_server = self.to_server.map(|left| left.saturating_sub(1)),
            Change::Hosts(_) | Change::Addresses => {
                self.to_host = self.to_host.map(|left| left.saturating_sub(1));
            }
            Change::Balanced => {
                self.unmet = self.unmet.map(|since| (since + 1).min(REMEMBERED + 1));
            }
            Change::Looks => self.unwatched = (self.unwatched + 1).min(2),
            _ => {}
        }
    }

    /// What a run can see of it.
    pub(crate) fn visible(self) -> Self {
        Self {
            to_server: [0; PLACES],
            to_host: [0; PLACES],
            lost: None,
            changes: 0,
            too_late: false,
            unmet: [0; PLACES],
            is_known: false,
            unwatched: 0,
            ..self
        }
    }
}

impl World {
    /// Whether some resolver may ask a server.
    pub(crate) fn is_asked(&self, server: usize) -> bool {
        self.around.to_server[server] > 0
    }

    /// Whether one that asks it is answered: one that is silent to us may answer others.
    pub(crate) fn answers_resolvers(&self, server: usize) -> bool {
        self.is_asked(server) && self.around.dead & (1 << server) == 0
    }

    /// Whether some sender may connect to a host, and is answered.
    pub(crate) fn takes_mail(&self, host: usize) -> bool {
        self.around.to_host[host] > 0 && self.around.dead & (1 << (host + PLACES)) == 0
    }

    pub(crate) fn is_listed(&self, host: usize) -> bool {
        self.around.listed & (1 << host) != 0
    }

    /// The servers that resolvers are referred to from `parent` on. One that has left is not believed about itself (A10).
    pub(crate) fn referred(&self, parent: u8) -> u8 {
        let mut found = parent;
        for _ in 0..PLACES {
            for server in 0..PLACES {
                if found & (1 << server) != 0 && self.around.dead & (1 << server) == 0 {
                    found |= self.servers[server].ns;
                }
            }
        }
        found
    }

    /// A look meets these of the servers behind the one address.
    pub(crate) fn met(&mut self, met: u8, setting: &Setting) {
        for server in 0..PLACES {
            if met & (1 << server) != 0 {
                self.around.unmet[server] = 0;
            }
        }
        self.around.is_known |= met == 0b11 && self.hosts[0] != self.hosts[1];
        let is_old = |server: usize| met & (1 << server) != 0 && self.hosts[server][0] == Key::Old;
        let is_met = (0..PLACES).any(is_old);
        self.around.too_late &= !is_met || judge::refusal(self, setting).is_some();
    }

    /// The judge's own account of looks at a soak: one that comes too late begins it anew.
    pub(crate) fn watch(&mut self, setting: &Setting, state: &State) {
        let full = setting.records.full();
        let all_is_well = self.silent == 0
            && setting.all_hosts(self, state.hosts, Key::New)
            && self.all_servers(|set| set == full);
        if all_is_well {
            if self.around.unwatched > 1 {
                self.soaked = 0;
            }
            self.around.unwatched = 0;
        }
    }

    /// Whoever is listed now may be cached now.
    pub(crate) fn lead(&mut self, setting: &Setting) {
        let referred = if setting.change == Change::Servers {
            self.referred(self.around.parent)
        } else {
            0b11
        };
        for place in 0..PLACES {
            if referred & (1 << place) != 0 {
                let left = &mut self.around.to_server[place];
                *left = (*left).max(WAY_TTL);
            }
            if self.is_listed(place) {
                self.around.to_host[place] = WAY_TTL;
            }
        }
    }
}
