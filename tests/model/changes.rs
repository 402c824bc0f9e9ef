//! What changes around a rotation, one freedom to a setting: the moves, when they may be made, and what they make.

use crate::around::{Change, REMEMBERED};
use crate::begun::address;
use crate::judge;
use crate::machine::State;
use crate::moves::{Move, Wish};
use crate::setting::Setting;
use crate::world::{Key, PLACES, World};
use tlsa_rotate::rotation::step::Step;

impl Setting {
    /// The runs that there may be: behind a balancer, whichever of its servers each look meets (A11).
    pub(crate) fn runs(&self, world: &World) -> Vec<Move> {
        if self.change != Change::Balanced {
            return vec![Move::Run];
        }
        let may_miss = |server: usize| world.around.unmet[server] < self.longest_unmet(world);
        let meets =
            |met: &u8| (0..PLACES).all(|server| met & (1 << server) != 0 || may_miss(server));
        (1..=0b11).filter(meets).map(Move::RunMeets).collect()
    }

    /// Whether a unit of time may pass without a look.
    pub(crate) fn may_pass(&self, world: &World) -> bool {
        let met = |since: &u8| *since <= self.longest_unmet(world);
        self.change != Change::Balanced || world.around.unmet.iter().all(met)
    }

    /// For how long looks may miss one of several servers.
    fn longest_unmet(&self, world: &World) -> u8 {
        if world.around.is_known {
            REMEMBERED.max(self.soak)
        } else {
            self.soak
        }
    }

    /// What may change around the rotation in this state.
    pub(crate) fn changes(&self, moves: &mut Vec<Move>, world: &World, state: &State) {
        let around = &world.around;
        let may_change = around.changes < self.most_changes;
        let step = state.step;
        match self.change {
            Change::Servers => Self::server_changes(moves, world, state, may_change),
            Change::Hosts(may) => {
                let forgets = (0..PLACES).filter(|host| around.dead & (4 << host) != 0);
                moves.extend(forgets.map(|host| Move::Ask(Wish::Forget(host))));
                if !may_change {
                    return;
                }
                if may.join && !world.is_listed(1) && around.dead == 0 {
                    let is_back = around.to_host[1] > 0;
                    let has = world.hosts[1][0];
                    if self.is_matched(world, 1, has) {
                        moves.push(Move::Join(1, has));
                    }
                    if may.strangers && !is_back {
                        moves.push(Move::Join(1, Key::Strange));
                    }
                }
                // Assumption A3: who joined an RRset of others stays until a run has noted it.
                let is_noted = state.hosts & 0b10 != 0 || !self.aliased;
                if may.leave && world.is_listed(1) && is_noted {
                    moves.push(Move::Leave(1));
                }
                if may.die && around.dead == 0 {
                    moves.push(Move::Die(1));
                }
                if may.lose && around.lost.is_none() {
                    moves.extend([Key::Old, Key::New].map(Move::Lose));
                }
            }
            Change::Addresses if may_change => {
                for machine in 0..PLACES {
                    let has = world.hosts[machine][0];
                    if !world.is_listed(machine) {
                        // Assumption A2 holds for a machine that comes back as well.
                        if may_have(state, has) {
                            moves.push(Move::Join(machine, has));
                        }
                    } else if world.is_listed(1 - machine) && is_seen(state, machine) {
                        moves.push(Move::Leave(machine));
                    }
                }
            }
            Change::Restores | Change::Balanced => {
                for host in 0..PLACES {
                    let has = world.hosts[host][0];
                    // Assumption A2 is broken here, in one way: a host gets the key back that it had before.
                    let (away, back) = match step {
                        Step::Retiring | Step::Retired => {
                            (Move::PutBack(host, 0), Move::Deploy(host, 0))
                        }
                        Step::Withdrawing | Step::Aborted
                            if state.rotation.opened.is_some()
                                && self.change == Change::Restores =>
                        {
                            (Move::Deploy(host, 0), Move::PutBack(host, 0))
                        }
                        _ => continue,
                    };
                    let may_go =
                        may_change && (self.change == Change::Restores || step == Step::Retiring);
                    if may_have(state, has) {
                        moves.extend(may_go.then_some(away));
                    } else {
                        moves.push(back);
                    }
                }
            }
            Change::LeavesDane => moves.push(Move::Ask(Wish::LeaveDane)),
            _ => {}
        }
    }

    /// Whether every RRset that some sender holds or gets accepts this key of a host, so that it may join (A2).
    fn is_matched(&self, world: &World, host: usize, has: Key) -> bool {
        let mut joined = *world;
        joined.around.to_host[host] = 1;
        joined.hosts[host] = [has; 2];
        let refused = judge::refusals(&joined, self);
        refused.iter().all(|(_, refused)| *refused != host)
    }

    fn server_changes(moves: &mut Vec<Move>, world: &World, state: &State, may_change: bool) {
        let around = &world.around;
        let is_gone = around.dead & 0b10 != 0;
        // Assumption A3: who joins, or goes back, stays so until a run has seen it.
        let known = state.rotation.servers.values().flatten();
        let mut present = known.filter(|(_, known)| known.until.is_none());
        let is_seen = present.any(|(authority, _)| authority.0 == "ns1");
        // Assumption A4: who joins after the swap has opened serves what the others serve.
        let serves =
            world.servers[1].set == world.servers[0].set || state.rotation.opened.is_none();
        let toggles = [
            (world.heads[0].ns, Move::List(1)),
            (around.parent, Move::Refer(1)),
        ];
        for (there, change) in toggles {
            let may = if there & 0b10 == 0 {
                may_change && serves && !is_gone
            } else {
                // What is gone for good is taken out whatever else has changed.
                (may_change && is_seen) || is_gone
            };
            if may {
                moves.push(change);
            }
        }
        if may_change && !is_gone && is_seen {
            moves.push(Move::ServerDies(1));
        }
    }

    /// What such a move makes of the world.
    pub(crate) fn change(&self, next: &mut World, action: Move) {
        let around = &mut next.around;
        match action {
            Move::List(server) => {
                next.heads[0].ns ^= 1 << server;
                note_joined(next, server, self);
            }
            Move::Refer(server) => {
                around.parent ^= 1 << server;
                note_joined(next, server, self);
            }
            Move::Join(host, has) => {
                around.listed |= 1 << host;
                next.hosts[host] = [has; 2];
            }
            Move::Leave(host) => around.listed &= !(1 << host),
            Move::Die(host) => around.dead |= 4 << host,
            Move::ServerDies(server) => around.dead |= 1 << server,
            Move::Lose(key) => around.lost = Some(key),
            _ => return,
        }
        let around = &mut next.around;
        around.changes = (around.changes + 1).min(self.most_changes);
    }
}

/// The keys that hosts may have in a step.
fn may_have(state: &State, key: Key) -> bool {
    let step = state.step;
    let forward = matches!(
        step,
        Step::Retiring | Step::Retired | Step::Reinstating | Step::Reinstated
    );
    let swap = matches!(step, Step::SwapOpen | Step::Deployed | Step::Verified);
    let both = swap || (step == Step::RollingBack && state.rotation.opened.is_some());
    both || (key == Key::New) == forward
}

/// Assumption A3: an address stays until a run has seen it.
fn is_seen(state: &State, machine: usize) -> bool {
    let mut known = state.rotation.addresses.values().flatten();
    known.any(|(one, known)| *one == address(machine) && known.until.is_none())
}

/// Who joins with an old zone counts as one that went back.
fn note_joined(next: &mut World, server: usize, setting: &Setting) {
    next.regressed[server] |= next.servers[server].set & setting.records.new == 0
        && next.heads[0].set & setting.records.new != 0;
}
