//! The soak as evidence: every host is seen with the next key again and again, from its beginning to its end.
//!
//! Two sightings a day apart would say nothing of the day between them. A look counts if every place presented an incoming
//! key and every server served the set; looks are kept in the state a few times in a soak, not at each run.

use super::blocker::Blocker;
use super::policy::Policy;
use super::step::Rotation;
use super::timing::{Instant, Span};
use super::wait::{Binding, TimeGate};

/// A soak that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Soak {
    /// The first look at which all was well; all looks since were.
    pub from: Instant,
    /// The last one that was kept.
    pub last: Instant,
}

impl Soak {
    /// It begins with a look at which all is well.
    pub const fn begun(at: Instant) -> Self {
        Self { from: at, last: at }
    }

    /// The soak that runs in this state; in a journal of 0.1.0 it began with the step.
    pub(super) fn of(rotation: &Rotation) -> Self {
        rotation.soak.unwrap_or(Self::begun(rotation.since))
    }

    /// When it has lasted.
    pub(super) fn gate(self, policy: &Policy) -> TimeGate {
        TimeGate {
            protocol: self.from,
            opens: self.from + policy.soak,
            binds: Binding::Soak,
        }
    }

    /// When it must be looked at again at the latest.
    pub(super) fn next_look(self, policy: &Policy) -> Instant {
        self.last + longest_gap(policy)
    }

    /// Whether nobody looked, or not everything was seen, for longer than a soak may go without. Who runs as seldom as may be
    /// does not run to the second.
    pub(super) fn has_gap(self, now: Instant, policy: &Policy) -> bool {
        policy.soak > Span::ZERO && now.since(self.last) > longest_gap(policy) + lateness(policy)
    }

    /// What a person has to know where it began anew after a time in which it could have ended, since all hosts were deployed.
    pub(super) fn looks_too_seldom(self, deployed: Instant, policy: &Policy) -> Option<Blocker> {
        let lost = self.from.since(deployed);
        let apart = longest_gap(policy);
        (policy.soak > Span::ZERO && lost >= policy.soak).then_some(Blocker::LooksTooSeldom {
            from: self.from,
            apart,
        })
    }

    /// Whether a look at which all is well is worth keeping: half an hour after the last one, in a soak of a day. One that is
    /// not kept must cost whoever looks as seldom as may be no more than they may be late.
    pub(super) fn wants_a_look(self, now: Instant, policy: &Policy) -> bool {
        let apart = Span::seconds(longest_gap(policy).as_seconds() / 12);
        now.since(self.last) >= apart && now > self.last
    }
}

/// The longest time that a soak may go without a look: a quarter of it.
pub fn longest_gap(policy: &Policy) -> Span {
    Span::seconds(policy.soak.as_seconds().div_ceil(4))
}

/// How much later than that a look may come after the last that was kept: an hour in a soak of a day.
fn lateness(policy: &Policy) -> Span {
    Span::seconds(longest_gap(policy).as_seconds() / 6)
}
