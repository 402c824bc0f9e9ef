//! What the TTL of an RRset was before a rotation began: the largest that is seen, remembered or stated, and an assumption
//! where nothing tells. Caches may hold the RRset of before for that long (RFC 1035 §3.2.1, RFC 7583 §3.2.1).

use super::timing::Ttl;
use serde::{Deserialize, Serialize};

/// How a TTL from before is known.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TtlSource {
    /// It was seen, in the zone or on one of its servers.
    #[default]
    Seen,
    /// An earlier version of the zone had it, as git remembers.
    History,
    /// An earlier run saw it in the zone.
    Remembered,
    /// The operator stated it.
    Stated,
    /// Nothing tells; it is assumed.
    Assumed,
}

/// All that is known of the TTL of one RRset before a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlsBefore {
    /// The largest that is seen now.
    pub seen: Ttl,
    /// The largest of a version in git that caches may still hold; zero where there is none.
    pub history: Ttl,
    /// The largest that earlier runs saw and that caches may still hold; zero where there is none.
    pub remembered: Ttl,
    /// Whether git or earlier runs know every version for as long back as `assumed`.
    pub reaches_back: bool,
    /// What the operator says that it was at most.
    pub stated: Option<Ttl>,
    /// What is assumed where nothing tells.
    pub assumed: Ttl,
}

impl TtlsBefore {
    /// `TTL_old` and how it is known: the largest. What nobody remembers is as the operator states, even where that is less
    /// than would be assumed; without a word from the operator it is assumed.
    pub fn old(self) -> (Ttl, TtlSource) {
        let unremembered = match self.stated {
            Some(stated) => Some((stated, TtlSource::Stated)),
            None if self.reaches_back => None,
            None => Some((self.assumed, TtlSource::Assumed)),
        };
        let mut known = (self.seen, TtlSource::Seen);
        for other in [
            (self.history, TtlSource::History),
            (self.remembered, TtlSource::Remembered),
        ] {
            if other.0 > known.0 {
                known = other;
            }
        }
        match unremembered {
            // Of two that are equal, the one is told that nobody could know by looking.
            Some(other) if other.0 > known.0 || (other.0 == known.0 && !self.reaches_back) => other,
            _ => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counts_and_an_assumption_only_where_nothing_else_tells() {
        use TtlSource::{Assumed, History, Remembered, Seen, Stated};
        let reaches = true;
        let table = [
            // seen, in git, by earlier runs, reaches back, stated, expected
            (1, 0, 0, reaches, None, (1, Seen)),
            (1, 1, 0, reaches, None, (1, Seen)),
            (1, 48, 0, reaches, None, (48, History)),
            (1, 0, 0, !reaches, None, (24, Assumed)),
            (1, 48, 0, !reaches, None, (48, History)),
            (48, 0, 0, !reaches, None, (48, Seen)),
            (24, 0, 0, !reaches, None, (24, Assumed)),
            (1, 0, 0, !reaches, Some(2), (2, Stated)),
            (1, 0, 0, !reaches, Some(1), (1, Stated)),
            (1, 0, 0, !reaches, Some(48), (48, Stated)),
            (3, 0, 0, !reaches, Some(2), (3, Seen)),
            (1, 48, 0, !reaches, Some(2), (48, History)),
            (1, 0, 0, reaches, Some(1), (1, Seen)),
            (1, 0, 0, reaches, Some(48), (48, Stated)),
            (1, 0, 48, !reaches, None, (48, Remembered)),
            (1, 48, 48, reaches, None, (48, History)),
            (1, 2, 48, reaches, None, (48, Remembered)),
            (1, 0, 2, !reaches, None, (24, Assumed)),
            (2, 0, 2, reaches, None, (2, Seen)),
        ];
        for (seen, history, remembered, reaches_back, stated, (ttl, source)) in table {
            let before = TtlsBefore {
                seen: Ttl(seen),
                history: Ttl(history),
                remembered: Ttl(remembered),
                reaches_back,
                stated: stated.map(Ttl),
                assumed: Ttl(24),
            };
            assert_eq!(before.old(), (Ttl(ttl), source), "{before:?}");
        }
    }
}
