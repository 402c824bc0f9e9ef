//! The real `apply` and `decide` in the model's world: what a run sees, decides and writes; weakened machines too.

use crate::mutants::Mutant;
use crate::setting::Setting;
use crate::world::{PLACES, Records, SOAK, TTL, VALID, Wish, World};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::decide::{Action, Decision, decide};
use tlsa_rotate::rotation::due::{Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::{Endpoint, TlsaName};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

/// The present of every state: time passes by moving the past away.
const NOW: u64 = 1_000;
/// The end of every certificate: later than anything in the model.
pub(crate) const FAR: u64 = 1_000_000;

/// A state of the machine with what the world asks of it, by number.
pub(crate) struct State {
    pub(crate) rotation: Rotation,
    pub(crate) step: Step,
    pub(crate) present: u8,
    pub(crate) absent: u8,
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
    runs: HashMap<(Number, World), Outcome>,
    older: HashMap<Number, Number>,
}

/// What a run came to.
#[derive(Clone)]
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

pub(crate) fn units(count: u8) -> Span {
    Span::seconds(u64::from(count))
}

/// The rotation after steps 1 and 2.
fn begun(setting: &Setting) -> Rotation {
    let Records { old, new, staying } = setting.records;
    let endpoints: BTreeSet<_> = (0..PLACES).map(endpoint).collect();
    let owners: BTreeSet<_> = endpoints.iter().map(Endpoint::tlsa_name).collect();
    let mut aliases = BTreeMap::new();
    if setting.aliased {
        let target = TlsaName::new("tlsa.example.com.");
        aliases = owners
            .iter()
            .map(|owner| (owner.clone(), target.clone()))
            .collect();
    }
    let lies_at = |owner: &TlsaName| aliases.get(owner).unwrap_or(owner).clone();
    let names: BTreeSet<_> = owners.iter().map(lies_at).collect();
    let with_staying = rrset(old | staying);
    let base: BTreeMap<_, _> = names
        .iter()
        .map(|n| (n.clone(), with_staying.clone()))
        .collect();
    let started = Event::Started {
        endpoints,
        current: rrset(old),
        base: base.clone(),
        ttl: names.iter().map(|n| (n.clone(), Ttl(TTL.into()))).collect(),
        ttl_sources: BTreeMap::new(),
    };
    let mut rotation = apply(None, now(), &started).unwrap();
    let mut facts = vec![
        Event::KeyAdmitted {
            not_after: Instant::from_unix(FAR),
        },
        Event::AssociationsComputed {
            incoming: rrset(new),
        },
    ];
    if staying != 0 || setting.aliased {
        facts.push(Event::SurroundingsFound {
            aliases,
            base,
            staying: rrset(staying),
            satisfied: BTreeMap::new(),
        });
    }
    for event in facts {
        rotation = apply(Some(&rotation), now(), &event).unwrap();
    }
    rotation
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
        let first = machine.number(begun(&setting));
        (machine, first)
    }

    pub(crate) fn state(&self, number: Number) -> &State {
        &self.states[usize::from(number)]
    }

    pub(crate) fn count(&self) -> usize {
        self.states.len()
    }

    fn number(&mut self, rotation: Rotation) -> Number {
        let rotation = self.normal(rotation);
        if let Some(number) = self.numbers.get(&rotation) {
            return *number;
        }
        let number = Number::try_from(self.states.len()).unwrap();
        let requirement = rotation.requirement();
        self.states.push(State {
            step: rotation.step,
            present: bits(&requirement.present),
            absent: bits(&requirement.absent),
            base_is_about: match (rotation.step, rotation.published) {
                (Step::Prepublishing, _) => true,
                (Step::Waiting, Some(published)) => {
                    published.t_all + units(self.longest_ttl()) > now()
                }
                _ => false,
            },
            rotation: rotation.clone(),
        });
        self.numbers.insert(rotation, number);
        number
    }

    fn longest_ttl(&self) -> u8 {
        self.setting.sets_ttl.iter().copied().fold(TTL, u8::max)
    }

    /// A state without what changes no decision: old ages are equal, and what a step does not ask for is forgotten.
    fn normal(&self, mut rotation: Rotation) -> Rotation {
        let at = |age: u64| Instant::from_unix(NOW - age);
        let age = |instant: Instant, most: u64| (NOW - instant.unix()).min(most);
        rotation.since = now();
        if let Some(soak) = &mut rotation.soak {
            soak.from = at(age(soak.from, SOAK.into()));
            // A gap is a gap, however long it is.
            soak.last = at(age(soak.last, u64::from(SOAK) + 1));
        }
        if !self.setting.signatures_end {
            rotation.signers.clear();
        }
        for signer in rotation.signers.values_mut() {
            signer.inception = at(age(signer.inception, VALID.into()));
        }
        rotation.started = now();
        let counts = matches!(
            rotation.step,
            Step::Waiting
                | Step::SwapOpen
                | Step::Deployed
                | Step::Verified
                | Step::RollingBack
                | Step::Reinstated
                | Step::Replaced
        );
        rotation.published = rotation.published.filter(|_| counts);
        if let Some(published) = &mut rotation.published {
            // No gate of the model counts longer.
            published.t_all = at(age(published.t_all, u64::from(2 * self.longest_ttl())));
        }
        rotation.released &= self.setting.standby && rotation.step <= Step::Verified;
        rotation.signed_until = None;
        rotation.risks.clear();
        rotation.delay = None;
        rotation
    }

    /// The same a unit of time later.
    pub(crate) fn older(&mut self, number: Number) -> Number {
        if let Some(older) = self.older.get(&number) {
            return *older;
        }
        let mut rotation = self.state(number).rotation.clone();
        if let Some(soak) = &mut rotation.soak {
            soak.from = soak.from - units(1);
            soak.last = soak.last - units(1);
        }
        for signer in rotation.signers.values_mut() {
            signer.inception = signer.inception - units(1);
        }
        if let Some(published) = &mut rotation.published {
            published.t_all = published.t_all - units(1);
        }
        let older = self.number(rotation);
        self.older.insert(number, older);
        older
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
        let asked = apply(Some(&believed), now(), &event).ok()?;
        let asked = self.number(asked);
        (asked != number).then_some(asked)
    }

    /// A run: look once, decide and write until quiet.
    pub(crate) fn run(&mut self, number: Number, world: &World) -> Outcome {
        // Caches, and what only the judge keeps, are nothing a run can see.
        let visible = World {
            cached: [[0; 16]; PLACES],
            regressed: [false; PLACES],
            ttl_was_set: 0,
            soaked: 0,
            outage: None,
            resigned: false,
            ..*world
        };
        if let Some(outcome) = self.runs.get(&(number, visible)) {
            return outcome.clone();
        }
        let mut writes = Vec::new();
        let mut rotation = self.state(number).rotation.clone();
        let mut decision;
        loop {
            let observation = self.look(&rotation, world);
            let believed = self.believed(&rotation, world);
            decision = decide(&believed, now(), &observation, &self.policy(&rotation));
            self.weaken(&rotation, &mut decision);
            let Some(event) = decision.event.clone() else {
                break;
            };
            rotation =
                apply(Some(&rotation), now(), &event).expect("decide offers only legal events");
            writes.push((self.number(rotation.clone()), event));
            assert!(writes.len() < 16, "a run must end: {writes:?}");
        }
        let outcome = Outcome { writes, decision };
        self.runs.insert((number, visible), outcome.clone());
        outcome
    }

    fn policy(&self, rotation: &Rotation) -> Policy {
        let mutant = self.mutant;
        let rests = self.setting.standby && mutant != Mutant::StandbyDeploysEarly;
        let soak = if mutant == Mutant::NoSoak { 0 } else { SOAK };
        let _ = rotation;
        Policy {
            min_wait: Span::ZERO,
            soak: units(soak),
            safety_margin: Span::ZERO,
            concurrent: (mutant != Mutant::PacingIgnored).then_some(1),
            rest: if rests { Rest::Until(None) } else { Rest::No },
            ..Policy::default()
        }
    }

    /// The rotation as a weakened machine takes it to be.
    fn believed(&self, rotation: &Rotation, world: &World) -> Rotation {
        let mut believed = rotation.clone();
        let mut ttl_is = |ttl: u8| {
            for mark in believed.ttl_old.values_mut() {
                *mark = Ttl(ttl.into());
            }
        };
        match self.mutant {
            Mutant::NewTtlIsUsed => ttl_is(world.servers.iter().map(|v| v.ttl).max().unwrap()),
            Mutant::HighWaterMarkIgnored => ttl_is(world.heads[0].ttl),
            Mutant::HigherTtlIgnored if rotation.step == Step::Waiting => ttl_is(TTL),
            Mutant::HeldIsForgotten => believed.held = None,
            _ => {}
        }
        let no_wait = match self.mutant {
            Mutant::NoWait => true,
            Mutant::ReturnWithoutWaiting => rotation.step == Step::Reinstated,
            Mutant::EmergencySkipsTheWait => rotation.emergency.is_some(),
            _ => false,
        };
        if let Some(published) = believed.published.as_mut().filter(|_| no_wait) {
            published.t_all = Instant::from_unix(0);
        }
        believed
    }

    /// What a weakened machine leaves out of its decision.
    fn weaken(&self, rotation: &Rotation, decision: &mut Decision) {
        let regressed = matches!(
            decision.event,
            Some(Event::ServerRegressed { .. } | Event::MergeReverted { .. })
        );
        match self.mutant {
            Mutant::RegressionIgnored if regressed => decision.event = None,
            Mutant::HighWaterMarkIgnored
                if matches!(decision.event, Some(Event::HigherTtlSeen { .. })) =>
            {
                decision.event = None;
            }
            Mutant::AlarmsAreSilent => decision.alarms.clear(),
            Mutant::RetiresOnWhateverHostsDo if rotation.step == Step::Retiring => {
                decision.actions = vec![Action::ChangeZone(rotation.requirement())];
            }
            _ => {}
        }
    }
}
