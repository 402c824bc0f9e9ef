//! Breadth-first search through every order of moves, the properties asked at each, and the story of the first that fails.

use crate::around::Change;
use crate::faults;
use crate::judge;
use crate::machine::{Machine, Number, Outcome, State, endpoint};
use crate::moves::{Move, Wish};
use crate::mutants::{Mutant, Proof};
use crate::setting::Setting;
use crate::world::{Key, PLACES, World};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tlsa_rotate::rotation::decide::Action;
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::Endpoint;
use tlsa_rotate::rotation::step::{Event, Step};

/// A state of everything.
pub(crate) type Node = (World, Number);

/// What a search found.
pub(crate) struct Checked {
    pub(crate) states: usize,
    pub(crate) moves: usize,
    pub(crate) machine_states: usize,
    pub(crate) reached: BTreeMap<Step, usize>,
    pub(crate) story: Option<Vec<String>>,
    /// The first state from which a world that cooperates reaches no end, as a story.
    pub(crate) stuck: Option<Vec<String>>,
}

pub(crate) struct Search {
    pub(crate) setting: Setting,
    mutant: Mutant,
    proof: Proof,
    pub(crate) machine: Machine,
    pub(crate) known: HashMap<Node, u32>,
    pub(crate) nodes: Vec<(Node, Option<(u32, Move)>)>,
}

pub(crate) fn check(setting: Setting, mutant: Mutant, proof: Proof) -> Checked {
    let (machine, first) = Machine::new(setting, mutant);
    let mut search = Search {
        setting,
        mutant,
        proof,
        machine,
        known: HashMap::new(),
        nodes: Vec::new(),
    };
    search.meet((World::beginning(&setting), first), None);
    let mut moves_made = 0;
    let mut at = 0;
    let mut story = None;
    'search: while let Some(((world, number), _)) = search.nodes.get(at).copied() {
        let from = u32::try_from(at).unwrap();
        for action in setting.moves(&world, search.machine.state(number), mutant) {
            let Some((next, wrong)) = search.step((world, number), action) else {
                continue;
            };
            moves_made += 1;
            let fresh = search.meet(next, Some((from, action)));
            if let Some(why) = wrong {
                let end = if fresh { search.nodes.len() - 1 } else { at };
                let mut lines = search.story(end);
                if !fresh {
                    lines.push(action.told());
                }
                lines.push(why);
                story = Some(lines);
                break 'search;
            }
        }
        at += 1;
    }
    let mut reached = BTreeMap::new();
    for ((_, number), _) in &search.nodes {
        *reached
            .entry(search.machine.state(*number).step)
            .or_default() += 1;
    }
    // A world with faults owes the machine nothing, so there it may be stuck.
    let asks_for_ends = proof != Proof::Refusal && story.is_none() && !setting.faults;
    let asks_for_ends = asks_for_ends && (mutant == Mutant::None || proof == Proof::NoEnd);
    let stuck = asks_for_ends.then(|| search.stuck()).flatten();
    Checked {
        states: search.nodes.len(),
        moves: moves_made,
        machine_states: search.machine.count(),
        reached,
        story,
        stuck,
    }
}

impl Search {
    /// Adds a state, if it is new.
    fn meet(&mut self, (world, number): Node, from: Option<(u32, Move)>) -> bool {
        let node = (world.canonical(&self.setting), number);
        let next = u32::try_from(self.nodes.len()).unwrap();
        if self.known.contains_key(&node) {
            return false;
        }
        self.known.insert(node, next);
        self.nodes.push((node, from));
        true
    }

    /// The state after a move, and what is wrong with it; `None` where the move cannot be.
    pub(crate) fn step(
        &mut self,
        (world, number): Node,
        action: Move,
    ) -> Option<(Node, Option<String>)> {
        if let Move::Load(server) = action
            && self.setting.looks_first
            && !self.hands_on((world, number), server)
        {
            return None;
        }
        let mut next = self
            .setting
            .after(&world, self.machine.state(number), action);
        let mut wrong = None;
        let number = match action {
            Move::RunMeets(met) => {
                let mut world = world;
                world.around.meets = met;
                next.met(met, &self.setting);
                self.run((&world, number), &mut next, usize::MAX, &mut wrong)
            }
            Move::Run => self.run((&world, number), &mut next, usize::MAX, &mut wrong),
            Move::RunKilled(writes) => {
                self.run((&world, number), &mut next, writes.into(), &mut wrong)
            }
            Move::Time => self.machine.older(number),
            Move::Ask(wish) => {
                let asked = self.machine.ask(number, wish)?;
                wrong = self.asked(number, asked, wish, &mut next);
                asked
            }
            _ => number,
        };
        next.forget_what_is_served_anew(&world, &self.setting);
        next.fill_caches(&self.setting);
        let refusal = judge::refusal(&next, &self.setting);
        let changed = next.around.changes > world.around.changes;
        next.around.too_late |= match self.setting.change {
            Change::Restores => is_put(action) && refusal.is_some(),
            Change::Balanced => changed,
            _ => false,
        };
        // Faults refuse mail by themselves; what the machine owes then is judged at its runs.
        let is_owed = !self.setting.faults && !next.around.too_late && !next.around.left_dane;
        if let Some(why) = refusal
            && is_owed
            && !self.is_the_price(&next)
        {
            wrong = wrong.or(Some(why));
        }
        Some(((next, number), wrong))
    }

    /// Whether some look that there may be lets a server have the zone.
    fn hands_on(&self, (world, number): Node, server: usize) -> bool {
        self.setting.runs(&world).into_iter().any(|run| {
            let mut world = world;
            if let Move::RunMeets(met) = run {
                world.around.meets = met;
            }
            self.machine.hands_on(number, &world, server)
        })
    }

    fn run(
        &mut self,
        (world, number): (&World, Number),
        next: &mut World,
        most: usize,
        wrong: &mut Option<String>,
    ) -> Number {
        let outcome = self.machine.run(number, world);
        let mut after = number;
        if self.setting.change == Change::Looks {
            next.watch(&self.setting, self.machine.state(number));
        }
        for (write, (written, event)) in outcome.writes.iter().enumerate() {
            if write >= most {
                break;
            }
            after = *written;
            if matches!(event, Event::HostsPresentedIncoming) {
                next.soaked = 0;
            }
            // What a balancer hides of a restored server is nothing that a look could tell (A11).
            let is_hidden = self.setting.change == Change::Balanced && next.around.too_late;
            let truth = if self.proof == Proof::Refusal || is_hidden {
                None
            } else {
                judge::untrue(event, next, &self.setting, self.machine.state(*written))
            };
            if !self.setting.faults && wrong.is_none() {
                *wrong = truth;
            }
            if matches!(event, Event::ReplacementVerified) {
                next.outage = None;
            }
        }
        for server in 0..next.servers.len() {
            let answers = !self.setting.signatures_end || next.signed > 0;
            if answers && !next.server_is_silent(server) {
                let alive = next.servers[server].ns & !next.around.dead;
                if self.machine.has_noted(after, alive) {
                    next.regressed[server] = false; // it was looked at
                }
                let good = next.servers[server].set == self.setting.records.full();
                next.sighted[server] |= good && self.mutant == Mutant::SightingsAddUp;
            }
        }
        if wrong.is_none() && self.proof != Proof::Refusal {
            *wrong = self.asks_too_much(world, after, &outcome, most);
        }
        if wrong.is_none() && (self.setting.faults || self.owes_a_word(world)) {
            *wrong = faults::wrong(
                next,
                self.machine.state(after),
                &outcome.decision,
                &self.setting,
            );
        }
        if self.setting.faults && self.setting.strays {
            next.meet(&self.setting);
        }
        after
    }

    /// Whether a host was restored too late, and every look sees it.
    fn owes_a_word(&self, world: &World) -> bool {
        self.setting.change == Change::Restores && world.around.too_late
    }

    /// What the machine asks people to do and must not.
    fn asks_too_much(
        &self,
        world: &World,
        after: Number,
        outcome: &Outcome,
        most: usize,
    ) -> Option<String> {
        if outcome.writes.len() > most {
            return None; // it was killed before it could ask
        }
        let state = self.machine.state(after);
        for action in &outcome.decision.actions {
            if let Action::Deploy(endpoints) = action {
                let rests = self.setting.standby && !state.rotation.released;
                let at_once = state.rotation.emergency == Some(Priority::Security);
                let is_judged = !at_once && !self.setting.faults;
                let why = if is_judged && self.would_be_refused(world, endpoints) {
                    "a deployment is asked for after which mail is refused"
                } else if endpoints.len() > 1 && !at_once {
                    "two hosts are to be deployed at a time"
                } else if !at_once && self.another_may_be_down(world, state, endpoints) {
                    "a host is to be deployed while another may be down"
                } else if state.rotation.held.is_some() {
                    "a deployment is asked for although it is held"
                } else if rests && state.step == Step::SwapOpen {
                    "a standby key is to be deployed before it is due"
                } else if matches!(
                    state.step,
                    Step::SwapOpen | Step::Replacing | Step::Replaced
                ) {
                    continue;
                } else {
                    "a deployment is asked for out of step"
                };
                return Some(why.to_owned());
            }
        }
        None
    }

    /// What a wish makes of the world, and whether it was heard.
    fn asked(&self, before: Number, after: Number, wish: Wish, next: &mut World) -> Option<String> {
        let (before, after) = (self.machine.state(before), self.machine.state(after));
        if before.rotation.dane_left.is_some() {
            return Some("the rotation goes on although its names left DANE".to_owned());
        }
        next.around.left_dane |= wish == Wish::LeaveDane;
        if wish != Wish::Emergency {
            return None;
        }
        let security = self.setting.emergency == Some(Priority::Security);
        if after.step == Step::Replacing {
            next.outage = Some(0);
        }
        let ignored = security
            && before.step < Step::SwapOpen
            && after.absent & self.setting.records.old == 0;
        ignored.then(|| "security goes first, and the compromised key stays in the zone".to_owned())
    }

    /// An outage that was chosen may refuse mail until every server has had the new records for a whole TTL and every host
    /// has the new key.
    fn is_the_price(&self, world: &World) -> bool {
        let new = self.setting.records.new;
        world.outage.is_some_and(|since| {
            since < self.setting.ttl
                || !self.setting.all_hosts(world, 0b11, Key::New)
                || world.servers.iter().any(|v| v.set & new != new)
        })
    }

    /// Whether a host that is plainly well with its old key is asked for while another is silent, or has changed one chain
    /// of two.
    ///
    /// One that was silent when the swap first opened, and ever since, is down for reasons of its own.
    fn another_may_be_down(
        &self,
        world: &World,
        state: &State,
        asked: &BTreeSet<Endpoint>,
    ) -> bool {
        let hosts = state.hosts;
        let was_silent = &state.rotation.silent_at_swap;
        let replaced = |algorithm: &usize| self.setting.records.replaces(*algorithm);
        let may_be_down = |host: usize| {
            let mut keys = (0..2).filter(replaced).map(|at| world.hosts[host][at]);
            let first = keys.next();
            let fell_silent = !was_silent.contains(&endpoint(self.setting.host_of(host)));
            (world.host_is_silent(host) && fell_silent) || keys.any(|key| Some(key) != first)
        };
        let takes_part = |host: &usize| hosts & (1 << self.setting.host_of(*host)) != 0;
        let hosts = || (0..PLACES).filter(takes_part);
        let is_asked = |host: usize| asked.contains(&endpoint(self.setting.host_of(host)));
        hosts().any(|host| is_asked(host) && !may_be_down(host))
            && hosts().any(|host| !is_asked(host) && may_be_down(host))
    }

    /// Whether some sender would refuse one of these hosts if it had the incoming key now.
    fn would_be_refused(&self, world: &World, asked: &BTreeSet<Endpoint>) -> bool {
        let mut deployed = *world;
        for machine in 0..PLACES {
            if asked.contains(&endpoint(self.setting.host_of(machine))) {
                for algorithm in (0..2).filter(|one| self.setting.records.replaces(*one)) {
                    deployed.hosts[machine][algorithm] = Key::New;
                }
            }
        }
        let refused = |world: &World| judge::refusals(world, &self.setting);
        let before = refused(world);
        refused(&deployed).iter().any(|one| !before.contains(one))
    }

    /// How a state came about, as a person would tell it.
    pub(crate) fn story(&self, mut at: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some((from, action)) = self.nodes[at].1 {
            let state = self.machine.state(self.nodes[at].0.1);
            let before = self
                .machine
                .state(self.nodes[usize::try_from(from).unwrap()].0.1);
            let step = if before.step == state.step {
                String::new()
            } else {
                format!(": {} -> {}", before.step, state.step)
            };
            lines.push(format!("{}{step}", action.told()));
            at = usize::try_from(from).unwrap();
        }
        lines.reverse();
        lines
    }
}

/// A host gets a key.
fn is_put(action: Move) -> bool {
    matches!(action, Move::PutBack(..) | Move::Deploy(..))
}
