//! What the machine owes where the assumptions do not hold: it says so, and it makes nothing worse.

use crate::judge;
use crate::machine::{State, rrset};
use crate::setting::wanted;
use crate::world::{Key, NEW, OLD, World};
use tlsa_rotate::rotation::decide::{Action, Decision};

/// What is wrong with what a run concluded in this world.
pub(crate) fn wrong(world: &World, state: &State, decision: &Decision) -> Option<String> {
    if world.silent.is_some() {
        return None; // what cannot be seen cannot be said
    }
    if decision.alarms.is_empty()
        && let Some(why) = visible(world, state)
    {
        return Some(format!("nothing is said, and {why}"));
    }
    for action in &decision.actions {
        match action {
            Action::ChangeZone(_) => {
                let proposed = wanted(state, world.head.set);
                let places = world.servers.iter().map(|v| v.set).chain([world.head.set]);
                let mut now_refused = places.flat_map(|set| refused_by(world, set));
                if let Some(host) = refused_by(world, proposed)
                    .into_iter()
                    .find(|host| !now_refused.any(|known| known == *host))
                {
                    return Some(format!(
                        "{:?} is proposed for the zone, which mx{host} does not match and nothing there refuses now",
                        rrset(proposed).len()
                    ));
                }
            }
            Action::Deploy(_) if world.servers.iter().any(|v| v.set & NEW != NEW) => {
                return Some(
                    "a deployment is asked for while a server lacks the new records".into(),
                );
            }
            Action::RollBack(_) if world.servers.iter().any(|v| v.set & OLD != OLD) => {
                return Some("the old key is asked for while a server lacks its record".into());
            }
            _ => {}
        }
    }
    None
}

/// A refusal that the machine can see, or must suppose from the step it is in.
fn visible(world: &World, state: &State) -> Option<String> {
    for (set, host) in judge::refusals(world) {
        let served = world.servers.iter().any(|v| v.set == set);
        let early = state.base_is_about && set == OLD && world.hosts[host] != [Key::Old; 2];
        if served || early {
            return Some(format!("a sender with {set:04b} refuses mx{host}"));
        }
    }
    None
}

fn refused_by(world: &World, set: u8) -> Vec<usize> {
    let only = World {
        servers: [crate::world::Version {
            set,
            lowered: false,
        }; 2],
        cached: [0; 16],
        ..*world
    };
    judge::refusals(&only)
        .into_iter()
        .map(|(_, host)| host)
        .collect()
}
