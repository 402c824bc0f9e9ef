//! When a key is due to be replaced: by its age, or ahead of its certificate's end; and until when a standby key rests.

use super::timing::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// When the machine acts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cadence {
    /// Keep the next key published at all times; the swap then never waits.
    pub standby: bool,
    /// The longest a key is in use.
    pub max_age: Option<Span>,
    /// How long before the end of the certificate in use the next one takes over.
    pub renew_before: Option<Span>,
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

    /// Where a rotation rests once its swap is open.
    pub fn rest(&self, live: Live) -> Rest {
        if self.standby {
            Rest::Until(self.due(live))
        } else {
            Rest::No
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
        }
    }
}
