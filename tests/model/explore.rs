//! Breadth-first search through every order of moves, the properties asked at each, and the story of the first that fails.

use crate::faults;
use crate::judge;
use crate::machine::{Machine, Number, Outcome, endpoint};
use crate::mutants::{Mutant, Proof};
use crate::setting::Setting;
use crate::world::{Key, Move, REPORTS, TTL, WEB, Wish, World};
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
    setting: Setting,
    mutant: Mutant,
    proof: Proof,
    machine: Machine,
    known: HashMap<Node, u32>,
    nodes: Vec<(Node, Option<(u32, Move)>)>,
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
    let asks_for_ends = mutant == Mutant::None && story.is_none() && !setting.faults;
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
    fn step(&mut self, (world, number): Node, action: Move) -> Option<(Node, Option<String>)> {
        let mut next = self
            .setting
            .after(&world, self.machine.state(number), action);
        let mut wrong = None;
        let number = match action {
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
        next.fill_caches(&self.setting);
        if self.setting.faults {
            // Faults refuse mail by themselves; what the machine owes then is judged at its runs.
        } else if let Some(why) = judge::refusal(&next, &self.setting)
            && !self.is_the_price(&next)
        {
            wrong = wrong.or(Some(why));
        }
        Some(((next, number), wrong))
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
        for (write, (written, event)) in outcome.writes.iter().enumerate() {
            if write >= most {
                break;
            }
            after = *written;
            if matches!(event, Event::HostsPresentedIncoming) {
                next.soaked = 0;
            }
            let emergency = self.machine.state(*written).rotation.emergency;
            let truth = if self.proof == Proof::Refusal {
                None
            } else {
                judge::untrue(event, next, &self.setting, emergency)
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
                next.regressed[server] = false; // it was looked at
                let good = next.servers[server].set == self.setting.records.full();
                next.sighted[server] |= good && self.mutant == Mutant::SightingsAddUp;
            }
        }
        if wrong.is_none() && self.proof != Proof::Refusal {
            *wrong = self.asks_too_much(world, after, &outcome, most);
        }
        if wrong.is_none() && self.setting.faults {
            *wrong = faults::wrong(
                next,
                self.machine.state(after),
                &outcome.decision,
                &self.setting,
            );
        }
        after
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
                let why = if endpoints.len() > 1 && !at_once {
                    "two hosts are to be deployed at a time"
                } else if !at_once && self.another_may_be_down(world, endpoints) {
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
            since < TTL
                || !self.setting.all_hosts(world, Key::New)
                || world.servers.iter().any(|v| v.set & new != new)
        })
    }

    /// Whether a host that is plainly well with its old key is asked for while another is silent, or has changed one chain
    /// of two.
    fn another_may_be_down(&self, world: &World, asked: &BTreeSet<Endpoint>) -> bool {
        let replaced = |algorithm: &usize| self.setting.records.replaces(*algorithm);
        let may_be_down = |host: usize| {
            let mut keys = (0..2).filter(replaced).map(|at| world.hosts[host][at]);
            let first = keys.next();
            world.host_is_silent(host) || keys.any(|key| Some(key) != first)
        };
        let hosts = || 0..world.hosts.len();
        let is_asked = |host: usize| asked.contains(&endpoint(host));
        hosts().any(|host| is_asked(host) && !may_be_down(host))
            && hosts().any(|host| !is_asked(host) && may_be_down(host))
    }

    /// How a state came about, as a person would tell it.
    fn story(&self, mut at: usize) -> Vec<String> {
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

    /// A state from which a world that cooperates from now on does not come to an end, if there is one.
    fn stuck(&mut self) -> Option<Vec<String>> {
        let mut good = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut path = Vec::new();
            let mut at = start;
            while !good[at] {
                let (node, _) = self.nodes[at];
                if self.machine.state(node.1).step.is_the_end() {
                    break;
                }
                if path.contains(&at) {
                    return Some(self.story(start));
                }
                path.push(at);
                let next = self.cooperate(node);
                let key = (next.0.canonical(&self.setting), next.1);
                let known = self.known.get(&key);
                at = usize::try_from(*known.expect("cooperation is made of moves")).unwrap();
            }
            for passed in path {
                good[passed] = true;
            }
            good[start] = true;
        }
        None
    }

    /// Everyone answers, merges, transfers, deploys what is asked for and lets go what is held; the machine runs; time passes.
    fn cooperate(&mut self, mut node: Node) -> Node {
        let objected = node.0.objected;
        let mut make = |search: &mut Self, action: Move| {
            let may = search
                .setting
                .moves(&node.0, search.machine.state(node.1), Mutant::None);
            if may.contains(&action)
                && let Some((next, _)) = search.step(node, action)
            {
                node = next;
            }
            node
        };
        make(self, Move::Resign);
        make(self, Move::Silent(0));
        for who in [WEB, REPORTS] {
            if objected[who] {
                make(self, Move::Object(who));
            }
        }
        make(self, Move::Ask(Wish::Deploy));
        let (world, _) = make(self, Move::Run);
        for zone in 0..self.setting.zones {
            make(self, Move::Merge(zone));
        }
        for server in 0..world.servers.len() {
            make(self, Move::Load(server));
        }
        let (_, number) = make(self, Move::Run);
        let step = self.machine.state(number).step;
        for host in 0..world.hosts.len() {
            for algorithm in 0..if self.setting.halves { 2 } else { 1 } {
                match step {
                    Step::SwapOpen | Step::Replacing | Step::Replaced => {
                        make(self, Move::Deploy(host, algorithm));
                    }
                    Step::RollingBack => {
                        make(self, Move::PutBack(host, algorithm));
                    }
                    _ => {}
                }
            }
        }
        make(self, Move::Time)
    }
}
