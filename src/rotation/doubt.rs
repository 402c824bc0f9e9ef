//! Why the present cannot be told: a premise that is handed in, like everything that was seen. While there is a doubt no gate
//! passes and nothing is asked of the world (waits are differences of times: RFC 7671 §8.1).

use super::timing::{Instant, Span};
use std::fmt;

/// By how much the clocks of several runners may differ without anybody being asked: it is waited for so long.
pub const APART: Span = Span::minutes(5);

/// By how much an entry may be dated before it reaches another runner that looks: a run can take a while, and the policy
/// `safety_margin` is for so much.
pub const FAR: Span = Span::hours(1);

/// A reason to rely on no clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Facts are recorded that lie in the future.
    FactsAhead {
        /// How many.
        facts: usize,
        /// When the last of them is said to have been.
        last: Instant,
        /// What the clock shows.
        now: Instant,
    },
    /// An entry of another runner came when it should have been there long before.
    Apart {
        /// When it is said to have been made.
        dated: Instant,
        /// So much later it was not there yet, by this clock.
        by: Span,
    },
    /// The branch that counts holds a commit that is made in the future: whoever made it has another time.
    CommitAhead {
        /// The commit.
        commit: String,
        /// When it says that it was made.
        made: Instant,
        /// What the clock shows.
        now: Instant,
    },
    /// Between two runs the clock went on by much more, or much less, than time did.
    Jumped {
        /// By how much.
        by: Span,
        /// Whether it shows later times than it would have.
        forward: bool,
    },
    /// What an earlier run noted of the clock is there, and damaged.
    NoteDamaged,
    /// The machine was started a short while ago, and nobody has set its clock since.
    NotSetYet {
        /// Until when it is waited for.
        until: Instant,
    },
}

impl Doubt {
    /// Until when time alone may end it.
    pub fn until(&self) -> Option<Instant> {
        match self {
            Self::NotSetYet { until } => Some(*until),
            Self::FactsAhead { last, now, .. } if last.since(*now) <= APART => Some(*last),
            Self::FactsAhead { .. }
            | Self::CommitAhead { .. }
            | Self::Apart { .. }
            | Self::Jumped { .. }
            | Self::NoteDamaged => None,
        }
    }

    /// The way out, as one sentence.
    pub fn way_out(&self) -> String {
        match self {
            Self::FactsAhead { last, .. } if self.until().is_some() => {
                format!("nothing to do before {last}")
            }
            Self::CommitAhead { made, .. } => format!(
                "see that the clock is right (`date --utc`); if it is, put a commit by a right clock on top (git commit --allow-empty), or wait until {made}"
            ),
            Self::FactsAhead { .. }
            | Self::Apart { .. }
            | Self::Jumped { .. }
            | Self::NoteDamaged => {
                "see that the clock is right (`date --utc`), then run `tlsa-rotate repair`"
                    .to_owned()
            }
            Self::NotSetYet { until } => format!(
                "nothing to do before {until}: then the clock is taken as it is, or earlier, once it is synchronised"
            ),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FactsAhead { facts, last, now } => {
                let (entries, lie) = if *facts == 1 {
                    ("entry", "lies")
                } else {
                    ("entries", "lie")
                };
                write!(
                    f,
                    "{facts} {entries} of the journal {lie} in the future, up to {last}: the clock was wrong then, or is now ({now})"
                )
            }
            Self::Apart { dated, by } => write!(
                f,
                "another runner dated an entry {dated} that was not there {by} later by this clock: one of the two clocks is wrong"
            ),
            Self::CommitAhead { commit, made, now } => write!(
                f,
                "the branch that counts has a commit of the future, {commit} of {made}: this clock is behind ({now}), or whoever made it is ahead"
            ),
            Self::Jumped { by, forward } => {
                let to = if *forward { "forward" } else { "back" };
                let by = Span::minutes(by.as_seconds().saturating_add(30) / 60);
                write!(
                    f,
                    "the clock was set {to} by {by} since an earlier run: no wait can be told by it"
                )
            }
            Self::NoteDamaged => f.write_str(
                "what an earlier run noted of the clock (.tlsa-rotate/clock) is damaged: whether the clock was set since is not known",
            ),
            Self::NotSetYet { until } => write!(
                f,
                "this machine was started a short while ago, and its clock is not synchronised yet: nothing rests on it until {until}"
            ),
        }
    }
}
