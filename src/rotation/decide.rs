//! The one decision: state, time, observation and policy in; the next fact, or why not, out.
//!
//! Gates are asked in a fixed order: wanted, policy, safety, time, human. Asking earlier than needed is harmless,
//! asking later only delays. The timing is that of RFC 7671 §8.1 and RFC 7583 §3.2.1.

use super::act_by::ActBy;
use super::admissible;
use super::alarm::{self, Alarm, Risk};
use super::blocker::{Blocker, Who};
use super::deadline::{self, Deadline};
use super::doubt::Doubt;
use super::emergency::Priority;
use super::exposure::Exposure;
use super::gate::{self, Wanted};
use super::observation::{Endpoint, Observation, Seen};
use super::patience;
use super::policy::Policy;
use super::promise::{self, Breach};
use super::reach;
use super::regress;
use super::several;
use super::signature;
use super::step::{Event, Requirement, Rotation, Step, apply};
use super::stray;
use super::timing::{Instant, Span, Ttl};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What the machine concludes from one look at the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The fact that is established now, if any; the caller records it and asks again.
    pub event: Option<Event>,
    /// What the world should be asked to do in the present step.
    pub actions: Vec<Action>,
    /// Why nothing further is established, most pressing first; empty if there is an event or nothing is left to do.
    pub blockers: Vec<Blocker>,
    /// Delivery at risk as the world stands now, wherever the rotation is.
    pub alarms: Vec<Alarm>,
    /// Combinations that no record matches as the world stands now, though mail flows by another (RFC 7671 §8).
    pub lapses: Vec<Breach>,
    /// Ends of certificates that come before the rotation can get there.
    pub deadlines: Vec<Deadline>,
    /// The last moments for a person to merge and to install; whoever runs the decision fills them in ([`super::act_by`]).
    pub act_by: Vec<ActBy>,
    /// Facts that change nothing and are worth remembering; the caller records them when no event is left.
    pub remembered: Vec<Event>,
    /// When time alone will change the answer.
    pub look_again_at: Option<Instant>,
}

/// Something the world should be asked to do; each can be asked again without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make or admit the next key and certificate.
    AdmitKey,
    /// Compute the incoming associations.
    ComputeAssociations,
    /// Bring the zone to meet this.
    ChangeZone(Requirement),
    /// Put the incoming certificate on these hosts, which may have it now.
    Deploy(BTreeSet<Endpoint>),
    /// Put the previous certificate back on these hosts.
    RollBack(BTreeSet<Endpoint>),
}

/// What is established now, or why nothing is.
pub fn decide(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: &Policy,
) -> Decision {
    let hurried = rotation.emergency.map(|priority| priority.hurried(policy));
    let question = Question {
        rotation,
        now,
        observation,
        policy: hurried.as_ref().unwrap_or(policy),
    };
    let exposure = Exposure::of_caches(rotation, now).with_seen(rotation, observation);
    let breaches = promise::breaches(&exposure);
    let mut decision = Decision {
        actions: question.actions(),
        lapses: lapses(&breaches),
        alarms: alarm::named(rotation, now, observation, (&exposure, breaches)),
        deadlines: deadline::deadlines(rotation, now, observation, question.policy),
        ..Decision::default()
    };
    if let Some(doubt) = &observation.doubt {
        return untimely(decision, doubt);
    }
    decision.remembered = question.worth_remembering(&decision.alarms);
    decision
        .remembered
        .extend(stray::news(rotation, observation, &exposure));
    let established =
        reach::news(rotation, observation).or_else(|| regress::regression(rotation, observation));
    // What was seen is so, whatever it opens; only what follows from it can be put off.
    let next = || {
        let answer = question.advance_or_join();
        answer.and_then(|event| question.safe(event))
    };
    match established.map_or_else(next, |event| Ok(Some(event))) {
        Ok(event) => decision.event = event,
        Err(mut blockers) => {
            for objection in question.objections() {
                if !blockers.contains(&objection) {
                    blockers.push(objection);
                }
            }
            only_what_is_wanted(&mut blockers, &decision.actions);
            let others = patience::fact(rotation, now, &blockers);
            decision.remembered.extend(others);
            blockers.extend(patience::at_its_end(rotation, now, policy, &blockers));
            // Of several waits the longest is the one that counts.
            blockers.sort_by_key(|blocker| (blocker.who(), Reverse(blocker.until())));
            let soak = rotation.soak.filter(|_| rotation.step == Step::Deployed);
            let look = soak.map(|soak| soak.next_look(question.policy));
            let ahead = blockers.iter().filter_map(Blocker::until).max();
            decision.look_again_at = ahead.into_iter().chain(look.filter(|at| *at > now)).min();
            decision.blockers = blockers;
        }
    }
    decision
}

/// Where the time cannot be told, nothing is established, asked for or remembered; mail at risk is said all the same.
fn untimely(decision: Decision, doubt: &Doubt) -> Decision {
    Decision {
        alarms: decision.alarms,
        lapses: decision.lapses,
        look_again_at: doubt.until(),
        blockers: vec![Blocker::Clock(doubt.clone())],
        ..Decision::default()
    }
}

/// A change of the zone that is not asked for now, for other reasons, is nothing to merge now.
fn only_what_is_wanted(blockers: &mut Vec<Blocker>, actions: &[Action]) {
    let is_merge = |blocker: &Blocker| matches!(blocker, Blocker::NotMerged { .. });
    let changes = |action: &Action| matches!(action, Action::ChangeZone(_));
    if !actions.iter().any(changes) && !blockers.iter().all(is_merge) {
        blockers.retain(|blocker| !is_merge(blocker));
    }
}

/// The breaches at this moment that refuse no mail.
fn lapses(breaches: &[Breach]) -> Vec<Breach> {
    let mut told: Vec<Breach> = Vec::new();
    for lapse in breaches {
        // Of one key and combination once, in however many versions caches hold the RRset.
        let is_told = |known: &Breach| known.key == lapse.key && known.is_the_same_as(lapse);
        if !lapse.refuses_mail() && !told.iter().any(is_told) {
            told.push(lapse.clone());
        }
    }
    told
}

pub(super) struct Question<'a> {
    pub(super) rotation: &'a Rotation,
    pub(super) now: Instant,
    pub(super) observation: &'a Observation,
    pub(super) policy: &'a Policy,
}

pub(super) type Answer = Result<Option<Event>, Vec<Blocker>>;

impl Question<'_> {
    fn actions(&self) -> Vec<Action> {
        let zone = || self.change();
        match self.rotation.step {
            Step::Started => vec![Action::AdmitKey],
            Step::Generated => vec![Action::ComputeAssociations],
            Step::Hashed | Step::Retired | Step::Aborted => vec![],
            Step::SwapOpen => self.deployment(),
            // An association leaves only while no host was seen that needs it.
            Step::Retiring if !self.all_present(Wanted::Incoming) => vec![],
            Step::Withdrawing if !self.all_present(Wanted::Current) => vec![],
            Step::Prepublishing
            | Step::Waiting
            | Step::Deployed
            | Step::Verified
            | Step::Reinstating
            | Step::Reinstated
            | Step::Retiring
            | Step::Withdrawing => zone().into_iter().collect(),
            Step::Replacing | Step::Replaced => zone().into_iter().chain(self.deploy()).collect(),
            Step::RollingBack => zone().into_iter().chain(self.roll_back()).collect(),
        }
    }

    /// The change that the step wants, unless some host would be refused after it, or was not seen where that must be known.
    pub(super) fn change(&self) -> Option<Action> {
        let admissible = self.objections().is_empty();
        admissible.then(|| Action::ChangeZone(self.rotation.requirement()))
    }

    /// Why the change that the step wants must not be made as hosts were seen.
    pub(super) fn objections(&self) -> Vec<Blocker> {
        match self.rotation.step {
            Step::Started | Step::Generated | Step::Retired | Step::Aborted => Vec::new(),
            Step::Hashed => self.objections_to(&self.rotation.requirement_in(Step::Prepublishing)),
            _ => self.objections_to(&self.rotation.requirement()),
        }
    }

    fn objections_to(&self, requirement: &Requirement) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        for name in self.rotation.names() {
            if let Some(Seen::Known(before)) = self.observation.merged.get(name)
                && !requirement.is_met_by(before)
            {
                let after = requirement.applied_to(before);
                let change = (before, &after);
                blockers.extend(admissible::objections(
                    self.rotation,
                    self.observation,
                    name,
                    change,
                ));
            }
        }
        blockers
    }

    /// What others object, except where security goes first: a key that is known to be compromised is replaced all the same.
    pub(super) fn unless_hurried(&self, objections: Vec<Blocker>) -> Vec<Blocker> {
        if self.rotation.emergency == Some(Priority::Security) {
            Vec::new()
        } else {
            objections
        }
    }

    pub(super) fn presented(&self, wanted: Wanted) -> Vec<Blocker> {
        gate::presented(self.rotation, self.observation, wanted)
    }

    fn all_present(&self, wanted: Wanted) -> bool {
        self.presented(wanted).is_empty()
    }

    /// What keeps the branch that counts or a server from the step's requirement; nothing if all meet it.
    pub(super) fn as_demanded(&self, until_next_gate: Span) -> Vec<Blocker> {
        self.served_and_merged(until_next_gate)
            .err()
            .unwrap_or_default()
    }

    fn worth_remembering(&self, alarms: &[Alarm]) -> Vec<Event> {
        let mut facts: Vec<Event> = regress::longer_signature(self.rotation, self.observation)
            .into_iter()
            .collect();
        if !self.rotation.is_over() {
            facts.extend(signature::evidence(self.rotation, self.observation));
            facts.extend(several::evidence(self.rotation, self.observation));
            facts.extend(self.silent_at_swap());
        }
        let risks: BTreeSet<Risk> = alarms.iter().map(|alarm| alarm.risk.clone()).collect();
        if !risks.iter().eq(self.rotation.risks.keys()) {
            facts.push(Event::RisksSeen { risks });
        }
        facts
    }

    /// The branch that counts and every server meet the step's requirement in this run; if so, the largest TTL served.
    pub(super) fn served_and_merged(&self, until_next_gate: Span) -> Result<Ttl, Vec<Blocker>> {
        let requirement = self.rotation.requirement();
        let mut blockers = gate::merged(self.rotation, self.observation, &requirement);
        match gate::served_at(
            self.rotation,
            self.rotation.settled_names(),
            self.observation,
            &requirement,
            until_next_gate,
        ) {
            Ok(ttl) if blockers.is_empty() => return Ok(ttl),
            Ok(_) => {}
            Err(more) => blockers.extend(more),
        }
        Err(blockers)
    }

    /// The guard of every move: it may open no way to a refused mail that is not open already.
    fn safe(&self, event: Option<Event>) -> Answer {
        let Some(event) = event else { return Ok(None) };
        let Ok(after) = apply(Some(self.rotation), self.now, &event) else {
            return Ok(Some(event)); // the caller's apply reports it with its reason
        };
        let exposure = |rotation: &Rotation| {
            Exposure::of_step(rotation, self.now).with_seen(rotation, self.observation)
        };
        let before = promise::breaches(&exposure(self.rotation));
        let mut new = promise::breaches(&exposure(&after));
        new.retain(|breach| !before.iter().any(|known| known.is_the_same_as(breach)));
        if new.is_empty() {
            Ok(Some(event))
        } else {
            Err(new.into_iter().map(Blocker::Unsafe).collect())
        }
    }
}

impl Decision {
    /// Who must act next, if anyone: the most pressing blocker's answer.
    pub fn who_acts(&self) -> Option<Who> {
        self.blockers.first().map(Blocker::who)
    }
}
