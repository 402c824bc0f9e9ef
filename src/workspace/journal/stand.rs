//! Where a journal stood: the number and the digest of its last line, as commits carry them along. A journal that does not
//! hold that line is older than the commit, or another one.

use super::line::Digest;
use super::{Fact, Journal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::str::FromStr;

/// How many digits of a digest tell one line from another.
const DIGITS: usize = 16;

/// The last line of a journal at some time; prints as `7 3fa9c1d2e4b5a697`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stand {
    /// The number of the line.
    pub seq: u64,
    digest: String,
}

/// A text that does not name a line as commits do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is named by its number and {DIGITS} digits of its digest")]
pub struct NotAStand;

impl Stand {
    fn of(seq: u64, digest: &Digest) -> Self {
        let digest = digest.as_str().chars().take(DIGITS).collect();
        Self { seq, digest }
    }
}

impl fmt::Display for Stand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.digest)
    }
}

impl FromStr for Stand {
    type Err = NotAStand;

    fn from_str(text: &str) -> Result<Self, NotAStand> {
        let (seq, digest) = text.split_once(' ').ok_or(NotAStand)?;
        let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
        if digest.len() != DIGITS || !digest.chars().all(is_digit) {
            return Err(NotAStand);
        }
        Ok(Self {
            seq: seq.parse().map_err(|_| NotAStand)?,
            digest: digest.to_owned(),
        })
    }
}

impl<E: Fact + Serialize + DeserializeOwned + Clone> Journal<E> {
    /// Its last line; none before the first.
    pub fn stand(&self) -> Option<Stand> {
        let last = self.last_of_all();
        Some(Stand::of(last.seq, last.digest.as_ref()?))
    }

    /// Whether the journal holds that line. What was archived is taken to be as it was: only the end of the archive is read.
    pub fn has_stood_at(&self, stand: &Stand) -> bool {
        let Some(first) = self.entries.first().map(|entry| entry.seq) else {
            let end = self.archived.as_ref().map_or(0, |end| end.seq);
            return stand.seq <= end;
        };
        let Some(at) = stand.seq.checked_sub(first) else {
            return true;
        };
        let digest = usize::try_from(at).ok().and_then(|at| self.digests.get(at));
        digest.is_some_and(|digest| Stand::of(stand.seq, digest) == *stand)
    }

    /// Whether a fact of rotation number `rotation` is such, whatever became of it later.
    pub fn ever_held(&self, rotation: u32, is_such: impl Fn(&E) -> bool) -> bool {
        let mut of_it = self.entries.iter();
        of_it.any(|entry| entry.rotation.number == rotation && is_such(&entry.event))
    }
}
