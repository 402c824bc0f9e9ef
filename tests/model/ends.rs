//! Liveness: from every state, a world that cooperates from now on comes to an end, and nobody is refused there. People follow
//! what is printed: they merge, deploy, let go what is held, forget the dead, and turn round where a key is lost.

use crate::around::Change;
use crate::explore::{Node, Search};
use crate::judge;
use crate::moves::{Move, Wish};
use crate::mutants::Mutant;
use crate::world::{Key, PLACES, REPORTS, WEB, World};
use tlsa_rotate::rotation::step::Step;

impl Search {
    /// A state from which there is no end, if there is one.
    pub(crate) fn stuck(&mut self) -> Option<Vec<String>> {
        let mut good = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut path = Vec::new();
            let mut at = start;
            while !good[at] {
                let (node, _) = self.nodes[at];
                if self.is_an_end(node) {
                    break;
                }
                if path.contains(&at) {
                    let mut story = self.story(start);
                    let step = self.machine.state(node.1).step;
                    story.push(format!("and whatever people do then, it stays in {step}"));
                    return Some(story);
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

    fn is_an_end(&self, (world, number): Node) -> bool {
        let is_over = self.machine.state(number).step.is_the_end();
        is_over && (world.around.left_dane || judge::refusal(&world, &self.setting).is_none())
    }

    /// Makes a move, if it may be made.
    fn make(&mut self, node: &mut Node, action: Move) {
        let state = self.machine.state(node.1);
        let may = self.setting.moves(&node.0, state, Mutant::None);
        if may.contains(&action)
            && let Some((next, _)) = self.step(*node, action)
        {
            *node = next;
        }
    }

    /// Everyone who can answers, merges, transfers, deploys what is asked for and lets go what is held; the machine runs;
    /// time passes.
    fn cooperate(&mut self, mut node: Node) -> Node {
        let at = &mut node;
        self.make(at, Move::Resign);
        let silent = self.stays_silent(&at.0);
        self.make(at, Move::Silent(silent));
        for who in [WEB, REPORTS] {
            if at.0.objected[who] {
                self.make(at, Move::Object(who));
            }
        }
        self.turn_round(at);
        self.make(at, Move::Ask(Wish::Deploy));
        let run = match self.setting.change {
            Change::Balanced => Move::RunMeets(0b11),
            _ => Move::Run,
        };
        self.make(at, run);
        for zone in 0..self.setting.zones {
            self.make(at, Move::Merge(zone));
        }
        for server in 0..PLACES {
            self.make(at, Move::Load(server));
        }
        self.make(at, run);
        let step = self.machine.state(at.1).step;
        for host in 0..PLACES {
            for algorithm in 0..if self.setting.halves { 2 } else { 1 } {
                match step {
                    _ if at.0.hosts[host][algorithm] == Key::Strange => {
                        self.make(at, Move::PutBack(host, algorithm));
                    }
                    Step::SwapOpen
                    | Step::Retiring
                    | Step::Retired
                    | Step::Replacing
                    | Step::Replaced => {
                        self.make(at, Move::Deploy(host, algorithm));
                    }
                    Step::RollingBack | Step::Withdrawing => {
                        self.make(at, Move::PutBack(host, algorithm));
                    }
                    _ => {}
                }
            }
        }
        self.make(at, Move::Time);
        node
    }

    /// A server that has left need not answer ever again.
    fn stays_silent(&self, world: &World) -> u8 {
        let has_left = self.setting.change == Change::Servers
            && (world.referred(world.around.parent) | world.heads[0].ns) & 0b10 == 0;
        if has_left { world.silent & 0b10 } else { 0 }
    }

    /// What people do about what is gone for good.
    fn turn_round(&mut self, at: &mut Node) {
        let around = at.0.around;
        for host in 0..PLACES {
            self.make(at, Move::Ask(Wish::Forget(host)));
        }
        if around.dead & 0b10 != 0 {
            if at.0.heads[0].ns & 0b10 != 0 {
                self.make(at, Move::List(1));
            }
            if around.parent & 0b10 != 0 {
                self.make(at, Move::Refer(1));
            }
        }
        let state = self.machine.state(at.1);
        let (step, hosts) = (state.step, state.hosts);
        let lacks = |key| !self.setting.all_hosts(&at.0, hosts, key);
        let is_refused = step.is_the_end() && judge::refusal(&at.0, &self.setting).is_some();
        let turns = match (around.lost, step) {
            (_, Step::Retired) if is_refused => Some(Wish::Abort),
            (_, Step::Aborted) if is_refused => Some(Wish::Forward),
            (Some(Key::Old), Step::RollingBack) if lacks(Key::Old) => Some(Wish::Forward),
            (Some(Key::New), step)
                if (step <= Step::Verified || matches!(step, Step::Replacing | Step::Replaced))
                    && lacks(Key::New) =>
            {
                Some(Wish::Abort)
            }
            _ => None,
        };
        if let Some(wish) = turns {
            self.make(at, Move::Ask(wish));
        }
    }
}
