//! What may happen in a setting: its freedoms, and the moves that they allow in a state.

use crate::around::Change;
use crate::machine::State;
use crate::moves::{Move, Wish};
use crate::mutants::Mutant;
use crate::world::{Key, PLACES, REPORTS, Records, Version, WEB, World};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::step::Step;
use tlsa_rotate::rotation::wait;

/// The freedoms of a model.
#[allow(clippy::struct_excessive_bools)] // each freedom is given or not
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// Which keys are replaced, and which stay.
    pub(crate) records: Records,
    /// One zone with two servers and the names of two hosts, or two zones with one each.
    pub(crate) zones: usize,
    /// Both hosts' TLSA names are aliases of one (RFC 7671 §6).
    pub(crate) aliased: bool,
    /// RSA and ECDSA records and chains move one at a time; else together.
    pub(crate) halves: bool,
    /// How many servers and hosts fall silent at the same time, at most, and which may: servers have the low bits.
    pub(crate) silence: u32,
    pub(crate) may_be_silent: u8,
    /// The TTLs that a person may set: once, before anything is published.
    pub(crate) sets_ttl: &'static [u8],
    /// They may do so twice, at any time.
    pub(crate) sets_ttl_again: bool,
    /// Runs are killed between writes.
    pub(crate) kills: bool,
    /// People ask for abort and rollback.
    pub(crate) ways_back: bool,
    /// The next key rests until a person lets it go.
    pub(crate) standby: bool,
    /// Signatures end, and are made anew at any time.
    pub(crate) signatures_end: bool,
    /// The key is declared compromised at any time.
    pub(crate) emergency: Option<Priority>,
    /// The Web PKI and reports of senders speak against the incoming certificate at any time.
    pub(crate) objections: bool,
    /// What cannot be prevented: deployment before its time or of a stranger's key, hosts put back after the retirement,
    /// servers that go back at any time, and versions that no check has passed.
    pub(crate) faults: bool,
    /// What servers answered with that no step asked for is remembered.
    pub(crate) strays: bool,
    /// The TTL of the zone, and a larger one under which caches hold its RRset since before the rotation.
    pub(crate) ttl: u8,
    pub(crate) ttl_before: u8,
    /// Server 1 has left just before the rotation.
    pub(crate) server_had_left: bool,
    /// How long the soak takes, and for how long a signature holds.
    pub(crate) soak: u8,
    pub(crate) valid: u8,
    /// A unit of time, in seconds.
    pub(crate) unit: u32,
    /// Nothing is taken out of a zone, and nothing published first, by a run that has not seen every host.
    pub(crate) looks_first: bool,
    /// A person may ask to go forward again.
    pub(crate) forward: bool,
    /// What else changes, and how often at most.
    pub(crate) change: Change,
    pub(crate) most_changes: u8,
}

impl Setting {
    /// Whether a rotation may end without the incoming key.
    pub(crate) fn may_give_up(&self) -> bool {
        self.ways_back || self.change == Change::LeavesDane
    }

    /// The zone before the rotation.
    pub(crate) fn base(&self) -> Version {
        Version {
            set: self.records.old | self.records.staying,
            ttl: self.ttl,
            ns: if self.server_had_left { 0b01 } else { 0b11 },
        }
    }

    /// What people and the world may do in this state.
    pub(crate) fn moves(&self, world: &World, state: &State, mutant: Mutant) -> Vec<Move> {
        let mut moves = self.runs(world);
        if self.may_pass(world) {
            moves.push(Move::Time);
        }
        if self.kills {
            moves.extend([Move::RunKilled(1), Move::RunKilled(2)]);
        }
        self.zone(&mut moves, world, state, mutant);
        self.servers(&mut moves, world, state);
        let silences = (0..16_u8).filter(|places| {
            places.count_ones() <= self.silence && places & !self.may_be_silent == 0
        });
        moves.extend(silences.filter(|s| *s != world.silent).map(Move::Silent));
        if self.signatures_end {
            moves.push(Move::Resign);
        }
        if self.objections {
            moves.extend([WEB, REPORTS].map(Move::Object));
        }
        self.hosts(&mut moves, world, state);
        if self.ways_back {
            moves.extend([Wish::Abort, Wish::Rollback].map(Move::Ask));
        }
        if self.ways_back || self.standby {
            moves.push(Move::Ask(Wish::Deploy));
        }
        if self.forward {
            moves.push(Move::Ask(Wish::Forward));
        }
        if self.emergency.is_some() {
            moves.push(Move::Ask(Wish::Emergency));
        }
        self.changes(&mut moves, world, state);
        moves
    }

    fn zone(&self, moves: &mut Vec<Move>, world: &World, state: &State, mutant: Mutant) {
        let step = state.step;
        let over = step.is_the_end();
        let Records { old, new, staying } = self.records;
        // Assumption A1: what is merged has passed the check, that everything demanded is in it.
        let demanded = match mutant {
            Mutant::NoPreMergeCheck => 0,
            Mutant::BothAreNotDemanded => match step {
                Step::Deployed | Step::Verified | Step::Retiring | Step::Retired => new,
                _ => old,
            },
            Mutant::StayingIsNotDemanded => state.present & !staying,
            _ => state.present,
        };
        for zone in 0..self.zones {
            let head = world.heads[zone];
            if state.settled_or_joining & (1 << zone) == 0 {
                continue; // the rotation does not ask for it
            }
            if wanted(state, head.set) != head.set && step != Step::Hashed && !over {
                moves.push(Move::Merge(zone));
            }
            for set in 1..=self.records.full() {
                let half = |records: u8| set & records != 0 && set & records != records;
                let is_half = half(old) || half(new);
                let passes = set & demanded == demanded || self.faults;
                let may = passes && (self.halves || !is_half) && (!over || self.faults);
                if set != head.set && set & !self.records.full() == 0 && may {
                    moves.push(Move::MergeOther(zone, set));
                }
            }
            let (times, in_time) = if self.sets_ttl_again {
                (2, !over)
            } else {
                (1, step == Step::Hashed)
            };
            if world.ttl_was_set < times && in_time {
                // Assumption A9: what was raised is noted before it is lowered.
                let noted = u32::from(head.ttl) <= wait::ttl_old(&state.rotation).0;
                let others = self.sets_ttl.iter();
                let others = others.filter(|ttl| **ttl > head.ttl || (noted && **ttl < head.ttl));
                moves.extend(others.map(|ttl| Move::SetTtl(zone, *ttl)));
            }
        }
    }

    /// The zone that a server serves, or the records of a host lie in.
    pub(crate) fn zone_of(&self, place: usize) -> usize {
        if self.zones > 1 { place } else { 0 }
    }

    /// The host that a machine is one of.
    pub(crate) fn host_of(&self, machine: usize) -> usize {
        if self.change.is_one_host() {
            0
        } else {
            machine
        }
    }

    /// Whether each of these hosts presents this key where one is replaced.
    pub(crate) fn all_hosts(&self, world: &World, hosts: u8, key: Key) -> bool {
        let machines = (0..PLACES).filter(|machine| match self.change {
            Change::Addresses => world.around.to_host[*machine] > 0,
            _ => hosts & (1 << self.host_of(*machine)) != 0,
        });
        machines.into_iter().all(|machine| {
            (0..2_usize).all(|algorithm| {
                !self.records.replaces(algorithm) || world.hosts[machine][algorithm] == key
            })
        })
    }

    fn servers(&self, moves: &mut Vec<Move>, world: &World, state: &State) {
        // Assumption A4: after the swap has opened no server goes back, also where a person goes forward again.
        for server in 0..PLACES {
            let zone = self.zone_of(server);
            let head = world.heads[zone];
            if world.servers[server] != head && !world.regressed[server] {
                moves.push(Move::Load(server));
            }
            let joins = state.settled_or_joining & !state.settled & (1 << zone) != 0;
            // Where a host was restored as it had been after the swap, it counts as open again.
            let is_restored = self.change == Change::Restores && world.around.changes > 0;
            // One that lists server 1 again lists one that serves what hosts need.
            let (old, servers) = (self.records.old, &world.servers);
            let lists_well = self.change != Change::Servers || servers[1].set & old == old;
            // Nobody waits for a zone in which no host takes part.
            let is_waited_for = state.settled_or_joining & (1 << zone) != 0;
            let before = (state.rotation.opened.is_none() || joins) && is_waited_for;
            let may_regress = self.faults || (before && !is_restored && lists_well);
            let has_new = world.servers[server].set & self.records.new != 0;
            if may_regress && has_new && !world.regressed[server] {
                moves.push(Move::Regress(server));
            }
        }
    }

    fn hosts(&self, moves: &mut Vec<Move>, world: &World, state: &State) {
        let step = state.step;
        let swap = matches!(step, Step::SwapOpen | Step::Deployed | Step::Verified);
        let rests = self.standby && !state.rotation.released;
        let held = state.rotation.held.is_some() || (rests && step == Step::SwapOpen);
        // Assumption A2: hosts get the new key when the machine says so, and the old one back while it says so.
        let may_deploy = (swap && !held) || matches!(step, Step::Replacing | Step::Replaced);
        // Whom a balancer may hide does not go back unseen (A11).
        let before_retiring = step < Step::Retiring;
        let may_put_back = (swap && self.change != Change::Balanced) || step == Step::RollingBack;
        for (host, keys) in world.hosts.iter().enumerate() {
            let is_known = state.hosts | if self.aliased { state.left } else { 0 };
            let takes_part = is_known & (1 << self.host_of(host)) != 0;
            let is_dead = world.around.dead & (4 << host) != 0;
            if !takes_part || is_dead {
                continue;
            }
            let waits = state.settled & (1 << self.zone_of(host)) == 0;
            // One that left, or joins late, and is seen with the key that is to go is given the other.
            let is_late = self.aliased && self.change.hosts().join;
            let has_left = is_late || state.hosts & (1 << self.host_of(host)) == 0;
            let may_deploy = (may_deploy && !waits) || (has_left && step == Step::Retiring);
            let may_deploy = may_deploy && world.around.lost != Some(Key::New);
            let may_put_back = may_put_back || (has_left && step == Step::Withdrawing);
            let may_put_back = may_put_back && world.around.lost != Some(Key::Old);
            for (algorithm, key) in keys.iter().enumerate() {
                let moves_along = !self.halves && algorithm > 0;
                if moves_along || !self.records.replaces(algorithm) {
                    continue;
                }
                if (may_deploy || self.faults) && *key != Key::New {
                    moves.push(Move::Deploy(host, algorithm));
                }
                // Who joined with the key of somebody else gets the one in use.
                let may_put_back = may_put_back
                    || (*key == Key::Strange && self.change.hosts().strangers && before_retiring);
                if (may_put_back || self.faults) && *key != Key::Old {
                    moves.push(Move::PutBack(host, algorithm));
                }
            }
            if self.faults && keys[0] != Key::Strange {
                moves.push(Move::Renew(host));
            }
        }
    }

    /// The world after a move that is not the machine's.
    pub(crate) fn after(&self, world: &World, state: &State, action: Move) -> World {
        let mut next = *world;
        let is_restored = matches!(self.change, Change::Restores | Change::Balanced)
            && match state.step {
                Step::Retiring | Step::Retired => matches!(action, Move::PutBack(..)),
                Step::Withdrawing | Step::Aborted => matches!(action, Move::Deploy(..)),
                _ => false,
            };
        next.around.changes += u8::from(is_restored);
        let put = |next: &mut World, host: usize, algorithm: usize, key: Key| {
            if self.halves {
                next.hosts[host][algorithm] = key;
            } else {
                next.hosts[host] = [key; 2];
            }
        };
        match action {
            Move::Time => next.pass(self),
            Move::Merge(zone) => {
                next.heads[zone].set = wanted(state, world.heads[zone].set);
            }
            Move::MergeOther(zone, set) => next.heads[zone].set = set,
            Move::SetTtl(zone, ttl) => {
                next.ttl_was_set += 1;
                next.heads[zone].ttl = ttl;
            }
            Move::Load(server) => next.servers[server] = world.heads[self.zone_of(server)],
            Move::Regress(server) => {
                next.servers[server] = self.base();
                next.regressed[server] = true;
            }
            Move::Object(who) => next.objected[who] = !world.objected[who],
            Move::Silent(places) => next.silent = places,
            Move::Deploy(host, algorithm) => put(&mut next, host, algorithm, Key::New),
            Move::PutBack(host, algorithm) => put(&mut next, host, algorithm, Key::Old),
            Move::Renew(host) => next.hosts[host] = [Key::Strange; 2],
            Move::Resign => {
                next.resigned |= world.signed < self.valid;
                next.signed = self.valid;
            }
            Move::Run | Move::RunKilled(_) | Move::RunMeets(_) | Move::Ask(_) => {}
            _ => self.change(&mut next, action),
        }
        next
    }
}

/// What the machine proposes to make of a record set.
pub(crate) fn wanted(state: &State, set: u8) -> u8 {
    (set | state.present) & !state.absent
}
