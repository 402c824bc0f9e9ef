//! What the machine owes where the assumptions do not hold: it says so, and it makes nothing worse.

use crate::judge;
use crate::machine::{State, rrset};
use crate::setting::{Setting, wanted};
use crate::world::{Key, PLACES, Version, World};
use tlsa_rotate::rotation::decide::{Action, Decision};

/// What is wrong with what a run concluded in this world.
pub(crate) fn wrong(
    world: &World,
    state: &State,
    decision: &Decision,
    setting: &Setting,
) -> Option<String> {
    let (old, new) = (setting.records.old, setting.records.new);
    if world.silent != 0 {
        return None; // what cannot be seen cannot be said
    }
    if decision.alarms.is_empty()
        && let Some(why) = visible(world, state, setting)
    {
        return Some(format!("nothing is said, and {why}"));
    }
    for action in &decision.actions {
        match action {
            Action::ChangeZone(_) => {
                let head = world.heads[0].set;
                let proposed = wanted(state, head);
                let places = world.servers.iter().map(|v| v.set).chain([head]);
                let mut now_refused = places.flat_map(|set| refused_by(world, set, setting));
                if let Some(host) = refused_by(world, proposed, setting)
                    .into_iter()
                    .find(|host| !now_refused.any(|known| known == *host))
                {
                    return Some(format!(
                        "{:?} is proposed for the zone, which mx{host} does not match and nothing there refuses now",
                        rrset(proposed).len()
                    ));
                }
            }
            Action::Deploy(_) if world.servers.iter().any(|v| v.set & new != new) => {
                return Some(
                    "a deployment is asked for while a server lacks the new records".into(),
                );
            }
            Action::RollBack(_) if world.servers.iter().any(|v| v.set & old != old) => {
                return Some("the old key is asked for while a server lacks its record".into());
            }
            _ => {}
        }
    }
    None
}

/// A refusal that the machine can see, has seen, or must suppose from the step it is in.
fn visible(world: &World, state: &State, setting: &Setting) -> Option<String> {
    for (set, host) in judge::refusals(world, setting) {
        let served = world.servers.iter().any(|v| v.set == set);
        let met = world.met[setting.zone_of(host)] & (1 << set) != 0;
        let early =
            state.base_is_about && set == setting.records.old && world.hosts[host] != [Key::Old; 2];
        if served || early || met {
            return Some(format!("a sender with {set:04b} refuses mx{host}"));
        }
    }
    None
}

impl World {
    /// What comes back to a server between two runs may go again before the next: that was met by none.
    pub(crate) fn forget_what_is_served_anew(&mut self, before: &Self, setting: &Setting) {
        for (server, version) in self.servers.iter().enumerate() {
            let zone = setting.zone_of(server);
            let mut there = (0..PLACES).filter(|server| setting.zone_of(*server) == zone);
            if !there.any(|server| before.servers[server].set == version.set) {
                self.met[zone] &= !(1 << version.set);
            }
        }
    }

    /// A run looks at the servers: it knows from now on which sets caches may hold that refuse a host.
    pub(crate) fn meet(&mut self, setting: &Setting) {
        for (set, host) in judge::refusals(self, setting) {
            let zone = setting.zone_of(host);
            let mut servers = (0..PLACES).filter(|server| setting.zone_of(*server) == zone);
            if servers
                .any(|server| self.servers[server].set == set && !self.server_is_silent(server))
            {
                self.met[zone] |= 1 << set;
            }
        }
    }
}

fn refused_by(world: &World, set: u8, setting: &Setting) -> Vec<usize> {
    let only = World {
        servers: [Version {
            set,
            ..setting.base()
        }; PLACES],
        cached: [[0; 16]; PLACES],
        met: [0; PLACES],
        ..*world
    };
    judge::refusals(&only, setting)
        .into_iter()
        .map(|(_, host)| host)
        .collect()
}
