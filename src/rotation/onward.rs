//! Which fact is established next in each step, or why none is: the gates of the seven steps and of the ways back.

use super::blocker::Blocker;
use super::combination;
use super::decide::{Answer, Question};
use super::gate::Wanted;
use super::joining;
use super::policy::Policy;
use super::soak::Soak;
use super::step::{Event, Rotation, Step};
use super::timing::{Instant, Span, Ttl};
use super::wait;
use super::witness;

impl Question<'_> {
    pub(super) fn advance_or_join(&self) -> Answer {
        let answer = self.advance();
        if matches!(answer, Ok(Some(_))) || self.rotation.joining.is_empty() {
            return answer;
        }
        let joins = joining::progress(self.rotation, self.now, self.observation, self.policy);
        match (answer, joins) {
            (_, Ok(Some(event))) => Ok(Some(event)),
            (Err(blockers), Err(more)) => Err([blockers, more].concat()),
            (Err(blockers), _) | (_, Err(blockers)) => Err(blockers),
            (Ok(_), Ok(None)) => Ok(None),
        }
    }

    fn advance(&self) -> Answer {
        match self.rotation.step {
            Step::Started | Step::Generated => Err(vec![Blocker::KeyMissing]),
            Step::Hashed => self.may_prepublish(),
            Step::Prepublishing => self
                .served_and_merged(wait_span(self.rotation, self.policy))
                .map(|ttl| Some(Event::PrepublishServed { ttl })),
            Step::Waiting => {
                let objections = self.unless_hurried(witness::before_swap(self.observation));
                self.waited(
                    wait::swap_gate,
                    Blocker::CachesMayLackIt,
                    objections,
                    Event::SwapOpened,
                )
            }
            Step::SwapOpen => self.deployed(),
            Step::Deployed => self.soaked(),
            Step::Verified => self.all_of(
                [
                    self.presented(Wanted::Incoming),
                    self.as_demanded(Span::ZERO),
                    // What senders report of the soak arrives a day after it.
                    self.unless_hurried(witness::after_swap(self.rotation, self.observation)),
                ],
                Event::RetireDecided,
            ),
            // The end is as much a claim about hosts as about servers: nothing goes back by itself after it.
            Step::Retiring => self.all_of(
                [
                    self.presented(Wanted::Incoming),
                    self.as_demanded(Span::ZERO),
                ],
                Event::RetireServed,
            ),
            Step::RollingBack => self.all_of([self.not_rolled_back()], Event::WithdrawalDecided),
            Step::Withdrawing => self.all_of(
                [
                    self.presented(Wanted::Current),
                    self.as_demanded(Span::ZERO),
                ],
                Event::WithdrawalServed,
            ),
            Step::Reinstating => self
                .served_and_merged(wait_span(self.rotation, self.policy))
                .map(|ttl| Some(Event::ReinstatementServed { ttl })),
            Step::Reinstated => self.waited(
                wait::swap_gate,
                Blocker::CachesMayLackOld,
                Vec::new(),
                Event::ReturnOpened,
            ),
            Step::Replacing => self
                .served_and_merged(Span::ZERO)
                .map(|ttl| Some(Event::ReplacementServed { ttl }))
                .map_err(|blockers| [self.presented(Wanted::Incoming), blockers].concat()),
            Step::Replaced => self.replaced(),
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
        blockers.extend(self.objections());
        if blockers.is_empty() {
            Ok(Some(Event::PrepublishDecided))
        } else {
            Err(blockers)
        }
    }

    /// A gate of time that counts from `T_all`, and the same evidence again in the run that opens it, whatever the clock
    /// says: a run that comes late, or whose clock has jumped ahead, opens nothing on the strength of what was once seen.
    fn waited(
        &self,
        gate: fn(&Rotation, super::step::Published, &Policy) -> wait::TimeGate,
        not_yet: fn(wait::TimeGate) -> Blocker,
        objections: Vec<Blocker>,
        event: Event,
    ) -> Answer {
        let Some(published) = self.rotation.published else {
            return Err(vec![Blocker::NothingObserved {
                what: "the publication".into(),
            }]);
        };
        let gate = gate(self.rotation, published, self.policy);
        let time = (self.now < gate.opens).then(|| not_yet(gate));
        self.all_of(
            [
                time.into_iter().collect(),
                self.as_demanded(self.policy.soak),
                objections,
            ],
            event,
        )
    }

    /// The soak is over when it has lasted; until then each look counts, and a time without one begins it anew.
    fn soaked(&self) -> Answer {
        let mut blockers = self.presented(Wanted::Incoming);
        // Passing DANE means against what is published: every server must still serve it.
        blockers.extend(self.as_demanded(Span::ZERO));
        let is_well = blockers.is_empty();
        let objections = witness::after_swap(self.rotation, self.observation);
        blockers.extend(self.unless_hurried(objections));
        let soak = Soak::of(self.rotation);
        let gate = soak.gate(self.policy);
        let time = (self.now < gate.opens).then_some(Blocker::Soaking(gate));
        let against: Vec<Blocker> = time.into_iter().chain(blockers).collect();
        // What others object keeps the soak from its end; the look counts all the same.
        if is_well && soak.has_gap(self.now, self.policy) {
            Ok(Some(Event::SoakInterrupted))
        } else if against.is_empty() {
            Ok(Some(Event::SoakPassed))
        } else if is_well && soak.wants_a_look(self.now, self.policy) {
            Ok(Some(Event::SoakSeen))
        } else {
            let seldom = soak.looks_too_seldom(self.rotation.since, self.policy);
            Err(against.into_iter().chain(seldom).collect())
        }
    }

    fn replaced(&self) -> Answer {
        let gate = self
            .rotation
            .published
            .map(|p| wait::outage_gate(self.rotation, p));
        let time = gate
            .filter(|gate| self.now < gate.opens)
            .map(Blocker::OutageRuns);
        self.all_of(
            [
                time.into_iter().collect(),
                self.presented(Wanted::Incoming),
                self.as_demanded(Span::ZERO),
            ],
            Event::ReplacementVerified,
        )
    }

    /// The event, if nothing stands against it.
    #[allow(clippy::unused_self)] // reads as part of the question
    fn all_of<const N: usize>(&self, against: [Vec<Blocker>; N], event: Event) -> Answer {
        let blockers: Vec<Blocker> = against.into_iter().flatten().collect();
        if blockers.is_empty() {
            Ok(Some(event))
        } else {
            Err(blockers)
        }
    }
}

/// How long until the gate after publication: what the signatures must outlast.
fn wait_span(rotation: &Rotation, policy: &Policy) -> Span {
    let from = Instant::from_unix(0);
    let published = super::step::Published {
        t_all: from,
        ttl_new: Ttl(0),
    };
    wait::swap_gate(rotation, published, policy)
        .opens
        .since(from)
}
