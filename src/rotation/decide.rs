//! The one decision: state, time, observation and policy in; the next fact, or why not, out.
//!
//! Gates are asked in a fixed order: wanted, policy, safety, time, human. Asking earlier than needed is harmless,
//! asking later only delays. The timing is that of RFC 7671 §8.1 and RFC 7583 §3.2.1.

use super::blocker::{Blocker, Who};
use super::combination;
use super::exposure::Exposure;
use super::gate::{self, Wanted};
use super::observation::{Observation, Seen, TlsaName};
use super::policy::Policy;
use super::promise::{self, Breach};
use super::step::{Event, Requirement, Rotation, Step, apply};
use super::timing::{Instant, Span, Ttl};
use super::wait;

/// What the machine concludes from one look at the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The fact that is established now, if any; the caller records it and asks again.
    pub event: Option<Event>,
    /// What the world should be asked to do in the present step.
    pub actions: Vec<Action>,
    /// Why nothing further is established, most pressing first; empty if there is an event or nothing is left to do.
    pub blockers: Vec<Blocker>,
    /// Breaches of the promise as the world stands now, wherever the rotation is.
    pub alarms: Vec<Breach>,
    /// Combinations that no record matches as the world stands now, though mail flows by another (RFC 7671 §8).
    pub lapses: Vec<Breach>,
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
    /// Put the incoming certificate on every host.
    Deploy,
    /// Put the previous certificate back on every host.
    RollBack,
}

/// What is established now, or why nothing is.
pub fn decide(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: &Policy,
) -> Decision {
    let question = Question {
        rotation,
        now,
        observation,
        policy,
    };
    let (alarms, lapses) = standing_breaches(rotation, now, observation);
    let mut decision = Decision {
        actions: question.actions(),
        alarms,
        lapses,
        ..Decision::default()
    };
    let answer = question
        .regression()
        .map_or_else(|| question.advance(), |event| Ok(Some(event)));
    match answer.and_then(|event| question.safe(event)) {
        Ok(event) => decision.event = event,
        Err(mut blockers) => {
            blockers.sort_by_key(Blocker::who);
            decision.look_again_at = blockers.iter().filter_map(Blocker::until).min();
            decision.blockers = blockers;
        }
    }
    decision
}

/// Breaches of the promise at this moment: keys that were seen against RRsets that caches may hold.
pub fn alarms(rotation: &Rotation, now: Instant, observation: &Observation) -> Vec<Breach> {
    standing_breaches(rotation, now, observation).0
}

/// The breaches at this moment that refuse mail, and those that do not.
fn standing_breaches(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
) -> (Vec<Breach>, Vec<Breach>) {
    let exposure = Exposure::of_caches(rotation, now).with_seen(rotation, observation);
    let found = promise::breaches(&exposure).into_iter();
    let (alarms, lapses): (Vec<_>, Vec<_>) = found.partition(Breach::refuses_mail);
    let mut told: Vec<Breach> = Vec::new();
    for lapse in lapses {
        // Of one key and combination once, in however many versions caches hold the RRset.
        if !told
            .iter()
            .any(|known| known.key == lapse.key && known.is_the_same_as(&lapse))
        {
            told.push(lapse);
        }
    }
    (alarms, told)
}

struct Question<'a> {
    rotation: &'a Rotation,
    now: Instant,
    observation: &'a Observation,
    policy: &'a Policy,
}

type Answer = Result<Option<Event>, Vec<Blocker>>;

impl Question<'_> {
    fn actions(&self) -> Vec<Action> {
        match self.rotation.step {
            Step::Started => vec![Action::AdmitKey],
            Step::Generated => vec![Action::ComputeAssociations],
            Step::Hashed | Step::Retired | Step::Aborted | Step::Verified => vec![],
            Step::Prepublishing | Step::Waiting | Step::Deployed | Step::Retiring => {
                vec![Action::ChangeZone(self.rotation.requirement())]
            }
            Step::SwapOpen => self.deployment(),
            Step::RollingBack => {
                vec![
                    Action::ChangeZone(self.rotation.requirement()),
                    Action::RollBack,
                ]
            }
            Step::Withdrawing => vec![Action::ChangeZone(self.rotation.requirement())],
        }
    }

    /// A fact that takes an earlier one back. It is established by one sighting; what is unknown takes nothing back.
    fn regression(&self) -> Option<Event> {
        match self.rotation.step {
            Step::Hashed | Step::Prepublishing => self.higher_ttl(),
            Step::Waiting | Step::SwapOpen => self.lost_publication(),
            Step::Deployed | Step::Verified => self.host_back_on_old_key(),
            _ => None,
        }
    }

    fn advance(&self) -> Answer {
        match self.rotation.step {
            Step::Started | Step::Generated => Err(vec![Blocker::KeyMissing]),
            Step::Hashed => self.may_prepublish(),
            Step::Prepublishing => self
                .served_and_merged(wait_span(self.rotation, self.policy))
                .map(|ttl| Some(Event::PrepublishServed { ttl })),
            Step::Waiting => self.may_swap(),
            Step::SwapOpen => self.deployed(),
            Step::Deployed => self.soaked(),
            Step::Verified => self.hosts_present(Wanted::Incoming, Event::RetireDecided),
            Step::Retiring => self
                .served_and_merged(Span::ZERO)
                .map(|_| Some(Event::RetireServed)),
            Step::RollingBack => self.hosts_present(Wanted::Current, Event::WithdrawalDecided),
            Step::Withdrawing => self
                .served_and_merged(Span::ZERO)
                .map(|_| Some(Event::WithdrawalServed)),
            Step::Retired | Step::Aborted => Ok(None),
        }
    }

    /// The incoming certificate must outlive the rotation (for senders without DANE; RFC 7671 §5.1 ignores its end).
    fn may_prepublish(&self) -> Answer {
        let needed_until = self.now + wait::remaining(self.rotation, self.policy);
        let lost = combination::lost(self.rotation).into_iter();
        let mut blockers: Vec<Blocker> = lost.map(Blocker::CombinationLost).collect();
        if let Some(not_after) = self.rotation.not_after.filter(|end| *end < needed_until) {
            blockers.push(Blocker::ExpiresTooSoon {
                not_after,
                needed_until,
            });
        }
        if blockers.is_empty() {
            Ok(Some(Event::PrepublishDecided))
        } else {
            Err(blockers)
        }
    }

    fn may_swap(&self) -> Answer {
        let Some(published) = self.rotation.published else {
            return Err(vec![Blocker::NothingObserved {
                what: "the publication".into(),
            }]);
        };
        let gate = wait::swap_gate(self.rotation, published, self.policy);
        let mut blockers = Vec::new();
        if self.now < gate.opens {
            blockers.push(Blocker::CachesMayLackIt(gate));
        }
        // The same must hold again in the run that opens the swap, whatever the clock says.
        if let Err(more) = self.served_and_merged(self.policy.soak) {
            blockers.extend(more);
        }
        if blockers.is_empty() {
            Ok(Some(Event::SwapOpened))
        } else {
            Err(blockers)
        }
    }

    /// Deployment is asked for only in a run that saw every server serve both (step 5's gate, re-observed).
    fn deployment(&self) -> Vec<Action> {
        let mut actions = vec![Action::ChangeZone(self.rotation.requirement())];
        if self.served_and_merged(self.policy.soak).is_ok() {
            actions.push(Action::Deploy);
        }
        actions
    }

    fn deployed(&self) -> Answer {
        let answer = self.hosts_present(Wanted::Incoming, Event::HostsPresentedIncoming);
        answer.map_err(|mut blockers| {
            if let Err(more) = self.served_and_merged(self.policy.soak) {
                blockers.extend(more);
            }
            blockers
        })
    }

    fn soaked(&self) -> Answer {
        let gate = wait::soak_gate(self.rotation.since, self.policy);
        let mut blockers = Vec::new();
        if self.now < gate.opens {
            blockers.push(Blocker::Soaking(gate));
        }
        blockers.extend(gate::presented(
            self.rotation,
            self.observation,
            Wanted::Incoming,
        ));
        // Passing DANE means against what is published: every server must still serve it.
        if let Err(more) = self.served_and_merged(Span::ZERO) {
            blockers.extend(more);
        }
        if blockers.is_empty() {
            Ok(Some(Event::SoakPassed))
        } else {
            Err(blockers)
        }
    }

    fn hosts_present(&self, wanted: Wanted, event: Event) -> Answer {
        let blockers = gate::presented(self.rotation, self.observation, wanted);
        if blockers.is_empty() {
            Ok(Some(event))
        } else {
            Err(blockers)
        }
    }

    /// Git HEAD and every server meet the step's requirement in this run; if so, the largest TTL served.
    fn served_and_merged(&self, until_next_gate: Span) -> Result<Ttl, Vec<Blocker>> {
        let requirement = self.rotation.requirement();
        let mut blockers = gate::merged(self.rotation, self.observation, &requirement);
        match gate::served(
            self.rotation,
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

    fn higher_ttl(&self) -> Option<Event> {
        for name in self.rotation.names() {
            let mark = self
                .rotation
                .ttl_old
                .get(&name)
                .copied()
                .unwrap_or_default();
            for seen in self
                .observation
                .served
                .get(&name)
                .into_iter()
                .flat_map(|s| s.values())
            {
                if let Seen::Known(rrset) = seen
                    && !self.rotation.incoming.is_subset(&rrset.associations)
                    && rrset.ttl > mark
                {
                    return Some(Event::HigherTtlSeen {
                        name,
                        ttl: rrset.ttl,
                    });
                }
            }
        }
        None
    }

    fn lost_publication(&self) -> Option<Event> {
        let requirement = self.rotation.requirement();
        let reverted = |name: &TlsaName| match self.observation.merged.get(name) {
            Some(Seen::Known(rrset)) => !requirement.is_met_by(rrset),
            _ => false,
        };
        for name in self.rotation.names() {
            if reverted(&name) {
                return Some(Event::MergeReverted { name });
            }
            for (authority, seen) in self.observation.served.get(&name).into_iter().flatten() {
                if let Seen::Known(rrset) = seen
                    && !requirement.is_met_by(&rrset.associations)
                {
                    return Some(Event::ServerRegressed {
                        name,
                        authority: authority.clone(),
                    });
                }
            }
        }
        None
    }

    fn host_back_on_old_key(&self) -> Option<Event> {
        gate::presented(self.rotation, self.observation, Wanted::Incoming)
            .into_iter()
            .find_map(|blocker| match blocker {
                Blocker::WrongKey { endpoint, .. } => Some(Event::HostRegressed { endpoint }),
                _ => None,
            })
    }
}

/// How long until the gate after publication: what the signatures must outlast.
fn wait_span(rotation: &Rotation, policy: &Policy) -> Span {
    let from = Instant::from_unix(0);
    let published = super::step::Published {
        t_all: from,
        ttl_new: wait::ttl_old(rotation),
    };
    wait::swap_gate(rotation, published, policy)
        .opens
        .since(from)
}

impl Decision {
    /// Who must act next, if anyone: the most pressing blocker's answer.
    pub fn who_acts(&self) -> Option<Who> {
        self.blockers.first().map(Blocker::who)
    }
}
