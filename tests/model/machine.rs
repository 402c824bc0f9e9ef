//! The real `apply` and `decide` in the model's world: what a run sees, decides and writes; weakened machines too.

use crate::around::{Change, WAY_TTL};
use crate::begun::{begun, server, zone};
use crate::moves::Wish;
use crate::mutants::Mutant;
use crate::setting::Setting;
use crate::world::{PLACES, World};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use tlsa_rotate::rotation::admissible::objections;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::decide::{Decision, decide};
use tlsa_rotate::rotation::due::{Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::Endpoint;
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span};

/// The present of every state: time passes by moving the past away.
pub(crate) const NOW: u64 = 10_000_000;
/// The end of every certificate: later than anything in the model.
pub(crate) const FAR: u64 = 1_000_000_000;

/// A state of the machine with what the world asks of it, by number.
pub(crate) struct State {
    pub(crate) rotation: Rotation,
    pub(crate) step: Step,
    pub(crate) present: u8,
    pub(crate) absent: u8,
    /// The hosts that take part; the zones of their names; and those of the names that do not wait for themselves.
    pub(crate) hosts: u8,
    /// The hosts that left.
    pub(crate) left: u8,
    pub(crate) settled_or_joining: u8,
    pub(crate) settled: u8,
    /// Whether caches may still hold the RRset of before, as far as the machine has to suppose.
    pub(crate) base_is_about: bool,
}

pub(crate) type Number = u16;

/// Every state of the machine met so far, and what runs make of them.
pub(crate) struct Machine {
    pub(crate) setting: Setting,
    pub(crate) mutant: Mutant,
    states: Vec<State>,
    numbers: HashMap<Rotation, Number>,
    runs: HashMap<(Number, World), Rc<Outcome>>,
    pub(crate) older: HashMap<Number, Number>,
}

/// What a run came to.
pub(crate) struct Outcome {
    /// The machine's state after each write, and what was written.
    pub(crate) writes: Vec<(Number, Event)>,
    pub(crate) decision: Decision,
}

pub(crate) fn now() -> Instant {
    Instant::from_unix(NOW)
}

pub(crate) fn key(bit: u8) -> Association {
    Association::dane_ee_spki_sha256([bit + 1; 32])
}

pub(crate) fn endpoint(host: usize) -> Endpoint {
    Endpoint {
        host: format!("mx{host}.example.com"),
        port: 25,
    }
}

pub(crate) fn rrset(set: u8) -> BTreeSet<Association> {
    (0..4)
        .filter(|bit| set & (1 << bit) != 0)
        .map(key)
        .collect()
}

fn bits(rrset: &BTreeSet<Association>) -> u8 {
    (0..4)
        .filter(|bit| rrset.contains(&key(*bit)))
        .map(|bit| 1 << bit)
        .sum()
}

impl Machine {
    /// The machine and its state after steps 1 and 2.
    pub(crate) fn new(setting: Setting, mutant: Mutant) -> (Self, Number) {
        let mut machine = Self {
            setting,
            mutant,
            states: Vec::new(),
            numbers: HashMap::new(),
            runs: HashMap::new(),
            older: HashMap::new(),
        };
        let first = machine.number(begun(&setting, mutant));
        (machine, first)
    }

    pub(crate) fn state(&self, number: Number) -> &State {
        &self.states[usize::from(number)]
    }

    pub(crate) fn count(&self) -> usize {
        self.states.len()
    }

    pub(crate) fn number(&mut self, rotation: Rotation) -> Number {
        let rotation = self.normal(rotation);
        if let Some(number) = self.numbers.get(&rotation) {
            return *number;
        }
        let number = Number::try_from(self.states.len()).unwrap();
        let requirement = rotation.requirement();
        let of = |host: &usize| rotation.endpoints.contains(&endpoint(*host));
        let hosts = || (0..PLACES).filter(of);
        let settled = |host: &usize| {
            let name = rotation.name_of(&endpoint(*host));
            !rotation.joining.contains_key(&name)
        };
        let zone = |host: usize| 1 << self.setting.zone_of(host);
        self.states.push(State {
            hosts: hosts().map(|host| 1 << host).sum(),
            left: (0..PLACES)
                .filter(|host| rotation.left.contains_key(&endpoint(*host)))
                .map(|host| 1 << host)
                .sum(),
            settled_or_joining: hosts().map(zone).fold(0, |all, one| all | one),
            settled: hosts()
                .filter(settled)
                .map(zone)
                .fold(0, |all, one| all | one),
            step: rotation.step,
            present: bits(&requirement.present),
            absent: bits(&requirement.absent),
            base_is_about: match (rotation.step, rotation.published) {
                (Step::Prepublishing, _) => true,
                (Step::Waiting, Some(published)) => {
                    published.t_all + self.setting.units(self.longest_ttl()) > now()
                }
                _ => false,
            },
            rotation: rotation.clone(),
        });
        self.numbers.insert(rotation, number);
        number
    }

    /// A person's wish is recorded, if the table allows it here.
    pub(crate) fn ask(&mut self, number: Number, wish: Wish) -> Option<Number> {
        let reason = "asked".to_owned();
        let rotation = &self.state(number).rotation;
        let mut event = match wish {
            Wish::Abort => Event::AbortRequested { reason },
            Wish::Rollback => Event::RollbackRequested { reason },
            Wish::Deploy => Event::DeploymentReleased {
                why: Release::Asked,
            },
            Wish::Emergency => Event::EmergencyDeclared {
                priority: self.setting.emergency?,
                reason,
            },
            Wish::Forward => Event::ForwardRequested { reason },
            Wish::LeaveDane => Event::DaneLeft { reason },
            Wish::Forget(_) if self.mutant == Mutant::LeftIsRequired => return None,
            Wish::Forget(host) => Event::HostsLeft {
                endpoints: vec![(endpoint(host), now() + self.setting.units(WAY_TTL))],
                asked: Some(reason),
            },
        };
        let mut believed = rotation.clone();
        match (self.mutant, wish, rotation.step) {
            (Mutant::AbortFromRetiringAtOnce, Wish::Abort, Step::Retiring)
            | (Mutant::RollbackFromRetiring, Wish::Rollback, Step::Retiring) => {
                believed.step = Step::Verified;
            }
            (Mutant::EmergencyNeverWaives, Wish::Emergency, _) => {
                let priority = Priority::Delivery;
                event = Event::EmergencyDeclared {
                    priority,
                    reason: "asked".to_owned(),
                };
            }
            _ => {}
        }
        let mut asked = apply(Some(&believed), now(), &event).ok()?;
        if self.mutant == Mutant::ForwardKeepsTheClock && wish == Wish::Forward {
            Self::keep_the_clock(&mut asked);
        }
        if self.mutant == Mutant::WayBackForgetsWhoJoined && asked.step == Step::RollingBack {
            asked.joining.clear();
        }
        let asked = self.number(asked);
        (asked != number).then_some(asked)
    }

    /// A run: look once, decide and write until quiet.
    pub(crate) fn run(&mut self, number: Number, world: &World) -> Rc<Outcome> {
        // Caches, and what only the judge keeps, are nothing a run can see.
        let visible = World {
            cached: [[0; 16]; PLACES],
            met: [0; PLACES],
            regressed: [false; PLACES],
            ttl_was_set: 0,
            soaked: 0,
            outage: None,
            resigned: false,
            around: world.around.visible(),
            ..*world
        };
        if let Some(outcome) = self.runs.get(&(number, visible)) {
            return Rc::clone(outcome);
        }
        let mut writes = Vec::new();
        let mut rotation = self.state(number).rotation.clone();
        for event in self.membership(&rotation, world) {
            // Where hosts cannot join or leave in this step, they do later.
            if let Ok(after) = apply(Some(&rotation), now(), &event) {
                rotation = after;
                writes.push((self.number(rotation.clone()), event));
            }
        }
        let mut decision;
        loop {
            let observation = self.look(&rotation, world);
            let believed = self.believed(&rotation, world);
            decision = decide(&believed, now(), &observation, &self.policy());
            self.weaken(&rotation, &mut decision);
            let Some(event) = decision.event.clone() else {
                break;
            };
            rotation =
                apply(Some(&rotation), now(), &event).expect("decide offers only legal events");
            writes.push((self.number(rotation.clone()), event));
            assert!(writes.len() < 16, "a run must end: {writes:?}");
        }
        for fact in decision.remembered.clone() {
            let counts = matches!(
                fact,
                Event::SeveralKeysSeen { .. }
                    | Event::SignatureBegan { .. }
                    | Event::SignerRenewed { .. }
            );
            let is_stray = matches!(fact, Event::StraysAnswered { .. }) && self.setting.strays;
            if (counts || is_stray) && self.remembers(&fact) {
                rotation = apply(Some(&rotation), now(), &fact).expect("a fact fits every step");
                writes.push((self.number(rotation.clone()), fact));
            }
        }
        let outcome = Rc::new(Outcome { writes, decision });
        self.runs.insert((number, visible), Rc::clone(&outcome));
        outcome
    }

    /// The hosts that join or leave by the configuration, where that differs from those that take part.
    fn membership(&self, rotation: &Rotation, world: &World) -> Vec<Event> {
        let mut facts = Vec::new();
        if !matches!(self.setting.change, Change::Hosts(_)) {
            return facts;
        }
        for host in 0..PLACES {
            let one = endpoint(host);
            let takes_part = rotation.endpoints.contains(&one);
            let is_let_go = rotation.left.get(&one).is_some_and(|left| left.asked);
            let is_ignored =
                self.mutant == Mutant::LateJoinIsIgnored && rotation.step > Step::Verified;
            if world.is_listed(host) && !takes_part && !is_let_go && !is_ignored {
                let aliases = self.setting.aliases(&one);
                let own = one.tlsa_name();
                let name = aliases.get(&own).unwrap_or(&own).clone();
                let head = world.heads[self.setting.zone_of(host)];
                let ttl = self.setting.ttl_of(head.ttl);
                facts.push(Event::HostsJoined {
                    endpoints: BTreeSet::from([one]),
                    aliases,
                    base: BTreeMap::from([(name.clone(), rrset(head.set))]),
                    ttl: BTreeMap::from([(name, ttl)]),
                    ttl_sources: BTreeMap::new(),
                });
            } else if !world.is_listed(host) && takes_part && self.mutant != Mutant::LeftIsRequired
            {
                facts.push(Event::HostsLeft {
                    endpoints: vec![(one, now() + self.setting.units(WAY_TTL))],
                    asked: None,
                });
            }
        }
        facts
    }

    /// Whether these servers are known to be there, where that changes.
    pub(crate) fn has_noted(&self, number: Number, servers: u8) -> bool {
        let known = self.state(number).rotation.servers.get(&zone());
        let is_known = |at: &usize| {
            let known = known.and_then(|all| all.get(&server(*at)));
            known.is_some_and(|known| known.until.is_none())
        };
        let mut listed = (0..PLACES).filter(|at| servers & (1 << at) != 0);
        self.setting.change != Change::Servers || listed.all(|at| is_known(&at))
    }

    /// Whether a run hands the zone on to a server: nothing is taken out, and nothing is published first, unseen.
    pub(crate) fn hands_on(&self, number: Number, world: &World, server: usize) -> bool {
        let mut rotation = self.state(number).rotation.clone();
        for event in self.membership(&rotation, world) {
            rotation = apply(Some(&rotation), now(), &event).unwrap_or(rotation);
        }
        let mut rotation = self.believed(&rotation, world);
        if self.mutant == Mutant::HandsOnByTheLastLook {
            rotation.several.clear();
        }
        let rotation = &rotation;
        let observation = self.look(rotation, world);
        let zone = self.setting.zone_of(server);
        let before = rrset(world.servers[server].set);
        let after = rrset(world.heads[zone].set);
        let unseen = match self.mutant {
            Mutant::HandsOnUnseen => true,
            Mutant::FirstIsHandedOnUnseen => before.is_empty(),
            _ => false,
        };
        let hosts = (0..PLACES).filter(|host| self.setting.zone_of(*host) == zone);
        let mut names = hosts.map(|host| rotation.name_of(&endpoint(host)));
        unseen
            || names
                .all(|name| objections(rotation, &observation, &name, (&before, &after)).is_empty())
    }

    pub(crate) fn policy(&self) -> Policy {
        let mutant = self.mutant;
        let rests = self.setting.standby && mutant != Mutant::StandbyDeploysEarly;
        let soak = if mutant == Mutant::NoSoak {
            0
        } else {
            self.setting.soak
        };
        Policy {
            min_wait: Span::ZERO,
            soak: self.setting.units(soak),
            safety_margin: Span::ZERO,
            concurrent: (mutant != Mutant::PacingIgnored).then_some(1),
            rest: if rests { Rest::Until(None) } else { Rest::No },
            ..Policy::default()
        }
    }
}
