//! What a plan must be done before: the ends of certificates and of signatures (RFC 4035 §5.3.3; RFC 7671 §5.1 ignores a
//! certificate's end, senders without DANE do not).

use super::step::Step;
use super::timeline::Timeline;
use super::timing::{Instant, Span};

/// An end that lies ahead, and what must have happened by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// What ends.
    pub what: String,
    /// When it ends.
    pub ends: Instant,
    /// What must be done before, in words.
    pub before: &'static str,
    /// When that is planned.
    pub planned: Instant,
}

impl Expiry {
    /// Whether the plan is done in time.
    pub fn is_met(&self) -> bool {
        self.planned <= self.ends
    }

    /// How much time is left between the two, whichever comes first.
    pub fn apart(&self) -> Span {
        self.ends
            .since(self.planned)
            .max(self.planned.since(self.ends))
    }
}

impl Timeline {
    /// When a step is reached, if it lies ahead.
    pub fn reaches(&self, step: Step) -> Option<Instant> {
        let entry = self.entries.iter().find(|entry| entry.step == step)?;
        Some(entry.at)
    }
}
