//! When a key is due to be replaced: by its age, or ahead of its certificate's end; and until when a standby key rests.

use super::timing::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// When the machine acts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Keep the next key published at all times; the swap then never waits.
    pub standby: bool,
    /// The longest a key is in use.
    pub max_age: Option<Span>,
    /// How long before the end of the certificate in use the next one takes over.
    pub renew_before: Option<Span>,
    /// How long after a rotation was given up the next begins by itself at the earliest.
    pub retry_after_abort: Span,
}

impl Default for Cadence {
    /// Nothing begins by itself.
    fn default() -> Self {
        Self {
            standby: false,
            max_age: None,
            renew_before: None,
            retry_after_abort: Span::days(1),
        }
    }
}

/// Why a rotation begins by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The next key is to be published at all times.
    Standby,
    /// The key in use is due to be replaced.
    Due(Release),
}

/// A rotation that begins by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// When, or as soon after it as anything runs.
    pub at: Instant,
    /// Why.
    pub why: Occasion,
}

/// What comes after a rotation that is over, where a cadence is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// The next one begins by itself.
    Begins(Beginning),
    /// None does: whoever gave the rotation up asked for that.
    Held,
}

/// What is known of the key in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Since when hosts present it.
    pub since: Option<Instant>,
    /// The earliest end among its certificates.
    pub not_after: Option<Instant>,
}

/// What lets a deployment go that rested or was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// A person said so.
    Asked,
    /// The key in use has reached its age.
    Age,
    /// The certificate in use ends soon.
    Expiry,
}

/// An instant at which a key is due to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub at: Instant,
    /// Why then.
    pub why: Release,
}

/// Whether a rotation whose swap is open rests there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// It goes on at once.
    #[default]
    No,
    /// It rests until this is due; with none, until a person lets it go.
    Until(Option<Due>),
}

impl Cadence {
    /// When the key in use is due to be replaced, if this and the cadence say so: the earlier of age and expiry.
    pub fn due(&self, live: Live) -> Option<Due> {
        let age = self.max_age.zip(live.since).map(|(age, since)| Due {
            at: since + age,
            why: Release::Age,
        });
        let expiry = self
            .renew_before
            .zip(live.not_after)
            .map(|(ahead, end)| Due {
                at: end - ahead,
                why: Release::Expiry,
            });
        age.into_iter().chain(expiry).min()
    }

    /// Whether rotations begin by themselves at all.
    pub fn is_asked_for(&self) -> bool {
        self.standby || self.max_age.is_some() || self.renew_before.is_some()
    }

    /// When the next rotation begins by itself, if no other is under way; `aborted` is when the last was given up, if it was.
    /// A rotation that was given up is not begun again at once: whoever gave it up had a reason.
    pub fn begins(&self, live: Live, aborted: Option<Instant>) -> Option<Beginning> {
        let due = self.due(live).map(|due| (due.at, Occasion::Due(due.why)));
        let (at, why) = if self.standby {
            (Instant::from_unix(0), Occasion::Standby)
        } else {
            due?
        };
        let earliest = aborted.map(|aborted| aborted + self.retry_after_abort);
        Some(Beginning {
            at: earliest.map_or(at, |earliest| at.max(earliest)),
            why,
        })
    }

    /// Where a rotation rests once its swap is open.
    pub fn rest(&self, live: Live) -> Rest {
        if self.standby {
            Rest::Until(self.due(live))
        } else {
            Rest::No
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standby => f.write_str("policy standby keeps the next key published"),
            Self::Due(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Afterwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins(Beginning { at, why }) if at.unix() == 0 => {
                write!(f, "the next rotation begins by itself: {why}")
            }
            Self::Begins(Beginning { at, why }) => {
                write!(f, "the next rotation begins by itself on {at}: {why}")
            }
            Self::Held => f.write_str(
                "no rotation begins by itself: the last was given up with `--hold`; `tlsa-rotate start` begins one",
            ),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "a person lets it go",
            Self::Age => "the key in use has reached policy max_age",
            Self::Expiry => "the certificate in use is within policy renew_before of its end",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]
    use super::*;

    #[test]
    fn the_earlier_of_age_and_expiry_is_due() {
        let day = |n| Instant::from_unix(0) + Span::days(n);
        let live = Live {
            since: Some(day(10)),
            not_after: Some(day(100)),
        };
        let table = [
            ("nothing asked for", None, None, live, None),
            ("age", Some(30), None, live, Some((40, Release::Age))),
            ("expiry", None, Some(20), live, Some((80, Release::Expiry))),
            (
                "age first",
                Some(30),
                Some(20),
                live,
                Some((40, Release::Age)),
            ),
            (
                "expiry first",
                Some(90),
                Some(20),
                live,
                Some((80, Release::Expiry)),
            ),
            (
                "nothing known of the key",
                Some(30),
                Some(20),
                Live::default(),
                None,
            ),
        ];
        for (situation, age, ahead, live, expected) in table {
            let cadence = Cadence {
                standby: false,
                max_age: age.map(Span::days),
                renew_before: ahead.map(Span::days),
                ..Cadence::default()
            };
            let due = cadence.due(live).map(|due| (due.at, due.why));
            assert_eq!(due, expected.map(|(at, why)| (day(at), why)), "{situation}");
            assert_eq!(cadence.rest(live), Rest::No, "{situation}");
            let standby = Cadence {
                standby: true,
                ..cadence
            };
            assert_eq!(
                standby.rest(live),
                Rest::Until(cadence.due(live)),
                "{situation}"
            );
            // What was given up begins again when it is due, a day later at the earliest.
            let begins = |cadence: &Cadence, aborted: Option<u64>| {
                cadence.begins(live, aborted.map(day)).map(|next| next.at)
            };
            let due = expected.map(|(at, _)| at);
            assert_eq!(begins(&cadence, None), due.map(day), "{situation}");
            for aborted in [0, 39, 40, 200] {
                let at = due.map(|due| day(due.max(aborted + 1)));
                assert_eq!(begins(&cadence, Some(aborted)), at, "{situation}");
                assert_eq!(begins(&standby, Some(aborted)), Some(day(aborted + 1)));
            }
        }
    }
}
