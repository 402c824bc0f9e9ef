//! What may happen in a model: one whole setting, and small ones that each add what the whole one leaves out.

use crate::machine::State;
use crate::mutants::Mutant;
use crate::world::{HIGH, Host, Key, LOW, Move, PLACES, REPORTS, Records, WEB, Wish, World};
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
    /// How many servers and hosts fall silent at the same time, at most.
    pub(crate) silence: u32,
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
}

impl Setting {
    /// Everything that people, servers and hosts do under the assumptions.
    pub(crate) const WHOLE: Self = Self {
        name: "whole",
        records: Records::PAIR,
        zones: 1,
        aliased: false,
        halves: true,
        silence: 1,
        sets_ttl: &[LOW],
        sets_ttl_again: false,
        kills: true,
        ways_back: true,
        standby: false,
        signatures_end: false,
        emergency: None,
        objections: false,
        faults: false,
    };
    const SMALL: Self = Self {
        name: "small",
        halves: false,
        ..Self::WHOLE
    };
    pub(crate) const STANDBY: Self = Self {
        name: "standby",
        standby: true,
        ..Self::SMALL
    };
    pub(crate) const SIGNATURES: Self = Self {
        name: "signatures",
        signatures_end: true,
        silence: 0,
        ways_back: false,
        sets_ttl: &[],
        ..Self::SMALL
    };
    pub(crate) const DELIVERY: Self = Self {
        name: "emergency, delivery first",
        emergency: Some(Priority::Delivery),
        ..Self::SMALL
    };
    pub(crate) const SECURITY: Self = Self {
        name: "emergency, security first",
        emergency: Some(Priority::Security),
        ..Self::SMALL
    };
    pub(crate) const FAULTS: Self = Self {
        name: "faults",
        faults: true,
        // What cannot be seen cannot be said: silence only withholds here.
        silence: 0,
        kills: false,
        sets_ttl: &[],
        ..Self::SMALL
    };
    /// Any number of places fall silent at the same time.
    pub(crate) const SILENCE: Self = Self {
        name: "silence of any places",
        silence: 4,
        ..Self::SMALL
    };
    /// The TTL is raised or lowered at any time.
    pub(crate) const TTLS: Self = Self {
        name: "TTL raised or lowered",
        sets_ttl: &[LOW, HIGH],
        sets_ttl_again: true,
        silence: 0,
        ..Self::SMALL
    };
    /// The ECDSA key stays, and its record with it; the records lie behind aliases.
    pub(crate) const STAYING: Self = Self {
        name: "a key that stays, behind aliases",
        records: Records::RSA_ALONE,
        aliased: true,
        halves: true,
        ..Self::SMALL
    };
    pub(crate) const ZONES: Self = Self {
        name: "two zones",
        zones: 2,
        silence: 0,
        ..Self::SMALL
    };
    pub(crate) const OBJECTIONS: Self = Self {
        name: "objections",
        objections: true,
        silence: 0,
        ..Self::SMALL
    };
    pub(crate) const SMALLEST: Self = Self::SMALL;

    /// What people and the world may do in this state.
    pub(crate) fn moves(&self, world: &World, state: &State, mutant: Mutant) -> Vec<Move> {
        let step = state.step;
        let mut moves = vec![Move::Run, Move::Time];
        if self.kills {
            moves.extend([Move::RunKilled(1), Move::RunKilled(2)]);
        }
        self.zone(&mut moves, world, state, mutant);
        self.servers(&mut moves, world, state);
        let silences = (0..16_u8).filter(|places| places.count_ones() <= self.silence);
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
        if self.emergency.is_some() {
            moves.push(Move::Ask(Wish::Emergency));
        }
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

    /// Whether every host presents this key where one is replaced.
    pub(crate) fn all_hosts(&self, world: &World, key: Key) -> bool {
        let replaced = |host: &Host| {
            (0..2_usize)
                .all(|algorithm| !self.records.replaces(algorithm) || host[algorithm] == key)
        };
        world.hosts.iter().all(replaced)
    }

    fn servers(&self, moves: &mut Vec<Move>, world: &World, state: &State) {
        // Assumption A4: after the swap has opened no server goes back, also where a person goes forward again.
        let before = state.step < Step::SwapOpen && !state.rotation.opened;
        let may_regress = self.faults || before;
        for server in 0..PLACES {
            let head = world.heads[self.zone_of(server)];
            if world.servers[server] != head && !world.regressed[server] {
                moves.push(Move::Load(server));
            }
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
        let may_put_back = swap || step == Step::RollingBack;
        for (host, keys) in world.hosts.iter().enumerate() {
            for (algorithm, key) in keys.iter().enumerate() {
                let moves_along = !self.halves && algorithm > 0;
                if moves_along || !self.records.replaces(algorithm) {
                    continue;
                }
                if (may_deploy || self.faults) && *key != Key::New {
                    moves.push(Move::Deploy(host, algorithm));
                }
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
        let put = |next: &mut World, host: usize, algorithm: usize, key: Key| {
            if self.halves {
                next.hosts[host][algorithm] = key;
            } else {
                next.hosts[host] = [key; 2];
            }
        };
        match action {
            Move::Time => next.pass(self.signatures_end),
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
                next.servers[server] = self.records.base();
                next.regressed[server] = true;
            }
            Move::Object(who) => next.objected[who] = !world.objected[who],
            Move::Silent(places) => next.silent = places,
            Move::Deploy(host, algorithm) => put(&mut next, host, algorithm, Key::New),
            Move::PutBack(host, algorithm) => put(&mut next, host, algorithm, Key::Old),
            Move::Renew(host) => next.hosts[host] = [Key::Strange; 2],
            Move::Resign => {
                next.resigned |= world.signed < crate::world::VALID;
                next.signed = crate::world::VALID;
            }
            Move::Run | Move::RunKilled(_) | Move::Ask(_) => {}
        }
        next
    }
}

/// What the machine proposes to make of a record set.
pub(crate) fn wanted(state: &State, set: u8) -> u8 {
    (set | state.present) & !state.absent
}
