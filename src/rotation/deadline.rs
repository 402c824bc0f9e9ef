//! Ends of certificates that come before the rotation can get there: said as soon as it can be known.
//!
//! RFC 7671 §5.1 ignores the dates of a DANE-EE certificate; senders and clients without DANE do not.

use super::observation::{Observation, Seen};
use super::policy::Policy;
use super::step::{Rotation, Step};
use super::timing::Instant;
use super::wait;
use std::fmt;

/// Whose end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The certificate that hosts present now.
    Live,
    /// The certificate that replaces it.
    Incoming,
}

/// A certificate ends before the rotation can get where it must be by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Whose end.
    pub of: Of,
    /// When the certificate ends.
    pub not_after: Instant,
    /// The earliest instant at which the rotation could do without it, or be over.
    pub needed_until: Instant,
}

/// Every deadline that cannot be met from here even if everyone acts at once.
pub fn deadlines(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: &Policy,
) -> Vec<Deadline> {
    let mut missed = Vec::new();
    let mut check = |of, not_after: Option<Instant>, needed_until| {
        if let Some(not_after) = not_after.filter(|end| *end < needed_until) {
            missed.push(Deadline {
                of,
                not_after,
                needed_until,
            });
        }
    };
    if rotation.step < Step::Deployed {
        let swap = wait::swap_at_earliest(rotation, now, policy);
        check(Of::Live, live_end(rotation, observation), swap);
    }
    // Before publication the same is a refusal: the rotation does not begin with a certificate that ends too soon.
    if (Step::Prepublishing..Step::Retiring).contains(&rotation.step) {
        let end = wait::end_at_earliest(rotation, now, policy);
        check(Of::Incoming, rotation.not_after, end);
    }
    missed
}

/// The earliest end among the certificates with a key in use that hosts were seen presenting.
pub fn live_end(rotation: &Rotation, observation: &Observation) -> Option<Instant> {
    let offers = observation
        .presented
        .values()
        .flat_map(|offers| offers.values());
    offers
        .flat_map(|by_algorithm| by_algorithm.values())
        .flat_map(|seen| match seen {
            Seen::Known(offer) => offer.chains(),
            Seen::Unknown(_) => &[],
        })
        .filter(|presented| rotation.current.contains(&presented.key))
        .map(|presented| presented.not_after)
        .min()
}

impl Deadline {
    /// The way out, as one sentence.
    pub fn way_out(&self) -> &'static str {
        match self.of {
            Of::Live => {
                "renew the live certificate with the key it has (selector 1: nothing changes in the zone), or shorten min_wait; senders that use DANE ignore the end of a certificate (RFC 7671 §5.1), mail clients and senders that follow MTA-STS do not"
            }
            Of::Incoming => {
                "renew the next certificate with the key it has, or abort and start with one that lasts longer"
            }
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            not_after,
            needed_until,
            ..
        } = self;
        match self.of {
            Of::Live => write!(
                f,
                "the live certificate ends on {not_after}, the next one cannot take over before {needed_until}"
            ),
            Of::Incoming => write!(
                f,
                "the next certificate ends on {not_after}, before the rotation can be over on {needed_until}"
            ),
        }
    }
}
