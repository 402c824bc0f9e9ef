//! Facts that were recorded by a clock that was not right, and what became of them: a later line sets them aside, or gives them
//! another time. The lines themselves stay where they are, so that the chain holds and every runner reads the same story.

use super::Entry;
use crate::rotation::step::Event;
use crate::rotation::timing::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What a journal asks of the facts that it holds.
pub trait Fact {
    /// The numbers of the entries that count for nothing from this fact on, and of those that count with another time.
    fn repairs(&self) -> Option<(&BTreeSet<u64>, &BTreeMap<u64, Instant>)> {
        None
    }

    /// Moves what it says of times after it along with it.
    fn redate(&mut self, _from: Instant, _to: Instant) {}
}

impl Fact for Event {
    fn repairs(&self) -> Option<(&BTreeSet<u64>, &BTreeMap<u64, Instant>)> {
        match self {
            Self::ClockRepaired { set_aside, redated } => Some((set_aside, redated)),
            _ => None,
        }
    }

    fn redate(&mut self, from: Instant, to: Instant) {
        self.move_times(from, to);
    }
}

/// What `entries` come to once every repair among them, and those among the `later` ones, is taken in.
pub(super) fn effective<E: Fact + Clone>(
    entries: &[Entry<E>],
    later: &[Entry<E>],
) -> Vec<Entry<E>> {
    let mut counting = entries.to_vec();
    let repairs = entries.iter().chain(later);
    for (set_aside, redated) in repairs.filter_map(|entry| entry.event.repairs()) {
        counting.retain(|entry| !set_aside.contains(&entry.seq));
        for entry in &mut counting {
            if let Some(at) = redated.get(&entry.seq) {
                entry.event.redate(entry.at, *at);
                entry.at = *at;
            }
        }
    }
    counting
}
