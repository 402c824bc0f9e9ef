//! The records of a reading in canonical order, owner by owner (RFC 4034 §6), as numbers.

use crate::zone::order::{compare_wire, count_labels, is_below, sort_prefix};
use crate::zone::records::{Records, Stored};
use std::cmp::Ordering;

/// Numbers of records in canonical order of owner, type and data; equal ones stay as in the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    numbers: Vec<u32>,
    /// How many numbers there are up to the end of each owner's.
    ends: Vec<u32>,
    outsiders: bool,
}

/// Records that follow one another in the text and share one copy of their owner: what is sorted, rather than records.
struct Stretch {
    /// Sixteen octets that sort like the owner.
    prefix: [u64; 2],
    first: u32,
    end: u32,
}

impl Sorted {
    /// Sorts the records of a zone at `apex`.
    pub(crate) fn of(records: &Records, apex: &[u8]) -> Self {
        let owner = |number: u32| records.get(number).map_or(&[][..], |r| records.owner(r));
        let (mut stretches, outsiders) = stretches(records, apex);
        stretches.sort_unstable_by(|a, b| {
            let owners = a.prefix.cmp(&b.prefix);
            let owners = owners.then_with(|| compare_wire(owner(a.first), owner(b.first)));
            owners.then(a.first.cmp(&b.first))
        });
        let mut sorted = Self {
            numbers: Vec::with_capacity(records.all().len()),
            ends: Vec::with_capacity(stretches.len()),
            outsiders,
        };
        let same = |a: &Stretch, b: &Stretch| {
            a.prefix == b.prefix && owner(a.first).eq_ignore_ascii_case(owner(b.first))
        };
        for node in stretches.chunk_by(same) {
            let start = sorted.numbers.len();
            sorted
                .numbers
                .extend(node.iter().flat_map(|s| s.first..s.end));
            let numbers = sorted.numbers.get_mut(start..).unwrap_or_default();
            if numbers.len() > 1 {
                numbers.sort_by(|a, b| match (records.get(*a), records.get(*b)) {
                    (Some(a), Some(b)) => records.compare_in_node(a, b),
                    _ => Ordering::Equal,
                });
            }
            // The reader stores fewer records than 32 bits can number.
            let end = u32::try_from(sorted.numbers.len()).unwrap_or(u32::MAX);
            sorted.ends.push(end);
        }
        sorted
    }

    /// All numbers.
    pub(crate) fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// Whether an owner lies outside of the zone.
    pub(crate) fn has_outsiders(&self) -> bool {
        self.outsiders
    }

    /// The numbers of each owner's records, by type and then by data.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.ends.len()).filter_map(|at| self.node(at))
    }

    /// The numbers of the records of `owner`; none where it has none.
    pub(crate) fn find(&self, records: &Records, owner: &[u8]) -> &[u32] {
        let compare = |end: &u32| {
            let last = self.slice(end.saturating_sub(1), *end).first();
            let last = last.and_then(|n| records.get(*n));
            last.map_or(Ordering::Greater, |r| compare_wire(records.owner(r), owner))
        };
        let found = self.ends.binary_search_by(compare).ok();
        found.and_then(|at| self.node(at)).unwrap_or_default()
    }

    fn node(&self, at: usize) -> Option<&[u32]> {
        let end = *self.ends.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        Some(self.slice(before.copied().unwrap_or(0), end))
    }

    fn slice(&self, start: u32, end: u32) -> &[u32] {
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let range = index(start)..index(end);
        self.numbers.get(range).unwrap_or_default()
    }
}

/// The stretches in the order of the text, and whether an owner of them does not lie in the zone at `apex`.
fn stretches(records: &Records, apex: &[u8]) -> (Vec<Stretch>, bool) {
    let shares = |a: &Stored, b: &Stored| a.shares_owner(b);
    let chunks = || records.all().chunk_by(shares);
    let owner = |chunk: &[Stored]| chunk.first().map_or(&[][..], |r| records.owner(r));
    let outsiders = chunks().any(|chunk| !is_below(owner(chunk), apex));
    let skipped = if outsiders { 0 } else { count_labels(apex) };
    let mut first = 0_u32;
    let stretches = chunks().map(|chunk| {
        let start = first;
        first = first.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        Stretch {
            prefix: sort_prefix(owner(chunk), skipped),
            first: start,
            end: first,
        }
    });
    (stretches.collect(), outsiders)
}
