//! What may happen in a model: one whole setting, and small ones that each add what the whole one leaves out.

use crate::machine::State;
use crate::mutants::Mutant;
use crate::world::{FULL, Key, LOW, Move, NEW, OLD, PLACES, Wish, World};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::step::Step;

/// The freedoms of a model.
#[allow(clippy::struct_excessive_bools)] // each freedom is given or not
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// RSA and ECDSA records and chains move one at a time; else together.
    pub(crate) halves: bool,
    /// Servers, or hosts, fall silent.
    pub(crate) silence: bool,
    /// The TTL may be lowered.
    pub(crate) lowers_ttl: bool,
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
    /// What cannot be prevented: deployment before its time or of a stranger's key, hosts put back after the retirement,
    /// servers that go back at any time, and versions that no check has passed.
    pub(crate) faults: bool,
}

impl Setting {
    /// Everything that people, servers and hosts do under the assumptions.
    pub(crate) const WHOLE: Self = Self {
        name: "whole",
        halves: true,
        silence: true,
        lowers_ttl: true,
        kills: true,
        ways_back: true,
        standby: false,
        signatures_end: false,
        emergency: None,
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
        silence: false,
        ways_back: false,
        lowers_ttl: false,
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
        silence: false,
        kills: false,
        lowers_ttl: false,
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
        self.servers(&mut moves, world, step);
        if self.silence {
            let places = u8::try_from(2 * PLACES).unwrap();
            let silences = (0..places).map(Some).chain([None]);
            moves.extend(silences.filter(|s| *s != world.silent).map(Move::Silent));
        }
        if self.signatures_end {
            moves.push(Move::Resign);
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
        if wanted(state, world.head.set) != world.head.set && step != Step::Hashed && !over {
            moves.push(Move::Merge);
        }
        // Assumption A1: what is merged has passed the check, that everything demanded is in it.
        let demanded = match mutant {
            Mutant::NoPreMergeCheck => 0,
            Mutant::BothAreNotDemanded => match step {
                Step::Deployed | Step::Verified | Step::Retiring | Step::Retired => NEW,
                _ => OLD,
            },
            _ => state.present,
        };
        for set in 1..=FULL {
            let half = set & OLD != 0 && set & OLD != OLD || set & NEW != 0 && set & NEW != NEW;
            let passes = set & demanded == demanded || self.faults;
            if set != world.head.set && passes && (self.halves || !half) && (!over || self.faults) {
                moves.push(Move::MergeOther(set));
            }
        }
        if self.lowers_ttl && !world.ttl_was_lowered && step == Step::Hashed {
            moves.push(Move::LowerTtl);
        }
    }

    fn servers(&self, moves: &mut Vec<Move>, world: &World, step: Step) {
        // Assumption A4: after the swap has opened no server goes back.
        let may_regress = self.faults || step < Step::SwapOpen;
        for server in 0..PLACES {
            if world.servers[server] != world.head && !world.regressed[server] {
                moves.push(Move::Load(server));
            }
            let has_new = world.servers[server].set & NEW != 0;
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
                if !self.halves && algorithm > 0 {
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
            Move::Merge => next.head.set = wanted(state, world.head.set),
            Move::MergeOther(set) => next.head.set = set,
            Move::LowerTtl => {
                next.ttl_was_lowered = true;
                next.head.lowered = true;
                assert!(next.head.ttl() == LOW);
            }
            Move::Load(server) => next.servers[server] = world.head,
            Move::Regress(server) => {
                next.servers[server] = crate::world::Version::BASE;
                next.regressed[server] = true;
            }
            Move::Silent(place) => next.silent = place,
            Move::Deploy(host, algorithm) => put(&mut next, host, algorithm, Key::New),
            Move::PutBack(host, algorithm) => put(&mut next, host, algorithm, Key::Old),
            Move::Renew(host) => next.hosts[host] = [Key::Strange; 2],
            Move::Resign => next.signed = crate::world::VALID,
            Move::Run | Move::RunKilled(_) | Move::Ask(_) => {}
        }
        next
    }
}

/// What the machine proposes to make of a record set.
pub(crate) fn wanted(state: &State, set: u8) -> u8 {
    (set | state.present) & !state.absent
}
