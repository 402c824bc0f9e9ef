//! A compromised key: what goes first, and what either choice costs.
//!
//! RFC 7671 §13: an RRset can be replayed until its signature expires, whatever the zone says by then.

use super::policy::Policy;
use super::step::{Rotation, Step};
use super::timing::{Instant, Span};
use super::wait;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What goes first when the key in use is compromised and the next one is not in every cache yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// No mail is refused; the compromised key stays acceptable for the protocol's own minimum of waiting.
    Delivery,
    /// Zone and hosts change at once; senders that hold the old RRset defer mail until it has run out.
    Security,
}

/// What an emergency costs, as far as it can be told before acting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For how long senders may defer mail, once every server serves the incoming associations; zero where none does.
    pub outage: Span,
    /// How long the protocols ask to wait before the swap, once every server serves both.
    pub wait: Span,
    /// Until when the old RRset can be replayed to senders, as far as its signatures were seen.
    pub replay: Option<Instant>,
    /// Whether the promise is waived: validating senders will meet keys that their RRset does not list.
    pub waives_the_promise: bool,
}

impl Priority {
    /// The bounds of declaring this for `rotation` now.
    pub fn bounds(self, rotation: &Rotation) -> Bounds {
        let both_everywhere = matches!(
            rotation.step,
            Step::SwapOpen | Step::Deployed | Step::Verified | Step::Retiring | Step::Retired
        );
        let ttl = wait::ttl_old(rotation).span();
        let waives_the_promise = self == Self::Security && !both_everywhere;
        Bounds {
            outage: if waives_the_promise { ttl } else { Span::ZERO },
            wait: if both_everywhere || waives_the_promise {
                Span::ZERO
            } else {
                ttl * 2
            },
            replay: rotation.signed_until,
            waives_the_promise,
        }
    }

    /// The patience that is left: what the protocols ask for, and nothing of the operator's.
    pub fn hurried(self, policy: &Policy) -> Policy {
        Policy {
            min_wait: Span::ZERO,
            soak: Span::ZERO,
            safety_margin: Span::ZERO,
            // A broken deployment on every host at once would end all delivery; who puts security first takes that risk.
            concurrent: policy.concurrent.filter(|_| self == Self::Delivery),
            rest: super::due::Rest::No,
            ..*policy
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivery => "delivery",
            Self::Security => "security",
        })
    }
}
