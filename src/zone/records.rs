//! The records of a reading in the order of the text, packed: octets in one buffer, places as offsets.
//!
//! A zone of a million records costs two allocations that grow, not millions.

use crate::rotation::timing::Ttl;
use crate::zone::name::{Name, split_name};
use crate::zone::order::{compare_wire, count_labels, is_below, sort_prefix};
use crate::zone::rdata;
use crate::zone::record::{Rdata, Record, Rtype};
use std::cmp::Ordering;

/// One record: where its octets lie and where its text stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    owner: usize,
    data: usize,
    data_length: u16,
    pub(crate) rtype: Rtype,
    pub(crate) ttl: Ttl,
    pub(crate) place: Place,
}

/// Where the text of a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Which file.
    pub(crate) source: usize,
    /// Offset of the logical line in it.
    pub(crate) line: usize,
    /// Which origin was in force ([`Records::origin`]).
    pub(crate) origin: usize,
    /// Whether `$GENERATE` made the record: the line then stands for many.
    pub(crate) generated: bool,
}

/// One record of an owner and the first of those that stand with it in one run of lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    number: usize,
    start: usize,
}

/// Records in the order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    octets: Vec<u8>,
    stored: Vec<Stored>,
    origins: Vec<Name>,
}

impl Records {
    /// All records.
    pub(crate) fn all(&self) -> &[Stored] {
        &self.stored
    }

    /// The owner in wire form.
    pub(crate) fn owner(&self, record: &Stored) -> &[u8] {
        self.name_at(record.owner)
    }

    fn name_at(&self, at: usize) -> &[u8] {
        let rest = self.octets.get(at..).unwrap_or_default();
        split_name(rest).map_or(&[], |(name, _)| name)
    }

    /// The data octets.
    pub(crate) fn data(&self, record: &Stored) -> &[u8] {
        let end = record.data.saturating_add(usize::from(record.data_length));
        self.octets.get(record.data..end).unwrap_or_default()
    }

    /// The origin that was in force at a place; `None` when there was none yet.
    pub(crate) fn origin(&self, place: Place) -> Option<&Name> {
        self.origins.get(place.origin)
    }

    /// Remembers an origin; returns its number for [`Place::origin`].
    pub(crate) fn add_origin(&mut self, origin: &Name) -> usize {
        let known = self.origins.iter().rposition(|o| o.wire() == origin.wire());
        known.unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.origins.len().saturating_sub(1)
        })
    }

    /// The buffer that owner and data of the next record are appended to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// How far the buffer is filled.
    pub(crate) fn filled(&self) -> usize {
        self.octets.len()
    }

    /// Forgets what was appended behind `length`.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.octets.truncate(length);
    }

    /// Adds the record whose owner begins at `owner` and whose data begins at `data` and ends with the buffer.
    pub(crate) fn push(&mut self, owner: usize, data: usize, rtype: Rtype, ttl: Ttl, place: Place) {
        let length = self.octets.len().saturating_sub(data);
        self.stored.push(Stored {
            owner,
            data,
            // Data is checked against this limit when it is read.
            data_length: u16::try_from(length).unwrap_or(u16::MAX),
            rtype,
            ttl,
            place,
        });
    }

    /// The record as a value of its own.
    pub(crate) fn to_record(&self, record: &Stored) -> Record {
        Record {
            owner: Name::from_checked_wire(self.owner(record)),
            ttl: record.ttl,
            rtype: record.rtype,
            rdata: Rdata(self.data(record).into()),
        }
    }

    /// Numbers of the records in canonical order of owner, type and data (RFC 4034 §6); equal ones stay as in the text.
    ///
    /// Owners are ranked first, each once, by sixteen octets of their order; records then fall into place by rank.
    pub(crate) fn sorted(&self) -> Vec<usize> {
        let (ranks, owners) = self.owner_ranks();
        let mut ends = vec![0_usize; owners];
        for rank in &ranks {
            if let Some(count) = ends.get_mut(*rank) {
                *count = count.saturating_add(1);
            }
        }
        let mut filled: Vec<usize> = ends
            .iter_mut()
            .scan(0_usize, |sum, count| {
                let start = *sum;
                *sum = sum.saturating_add(*count);
                *count = *sum;
                Some(start)
            })
            .collect();
        let mut sorted = vec![0; ranks.len()];
        for (number, rank) in ranks.iter().enumerate() {
            if let Some(next) = filled.get_mut(*rank) {
                if let Some(slot) = sorted.get_mut(*next) {
                    *slot = number;
                }
                *next = next.saturating_add(1);
            }
        }
        let mut rest = sorted.as_mut_slice();
        let mut start = 0;
        for end in ends {
            let Some((node, after)) = rest.split_at_mut_checked(end.saturating_sub(start)) else {
                break;
            };
            node.sort_by(|a, b| match (self.stored.get(*a), self.stored.get(*b)) {
                (Some(a), Some(b)) => self.compare_in_node(a, b),
                _ => Ordering::Equal,
            });
            (rest, start) = (after, end);
        }
        sorted
    }

    /// For each record the rank of its owner among all owners, and how many ranks there are.
    fn owner_ranks(&self) -> (Vec<usize>, usize) {
        // Lines of one owner mostly stand together and share one copy of it.
        let mut owners: Vec<(u128, usize, usize)> = Vec::new();
        let mut ranks = Vec::with_capacity(self.stored.len());
        let top = self.stored.first().map_or(&[][..], |r| self.owner(r));
        let in_zone = self.stored.iter().all(|r| is_below(self.owner(r), top));
        let skipped = if in_zone { count_labels(top) } else { 0 };
        for record in &self.stored {
            if owners.last().is_none_or(|(_, at, _)| *at != record.owner) {
                let prefix = sort_prefix(self.owner(record), skipped);
                owners.push((prefix, record.owner, owners.len()));
            }
            ranks.push(owners.len().saturating_sub(1));
        }
        owners.sort_unstable_by(|(a, a_at, _), (b, b_at, _)| {
            a.cmp(b)
                .then_with(|| compare_wire(self.name_at(*a_at), self.name_at(*b_at)))
        });
        let mut rank_of = vec![0; owners.len()];
        let (mut rank, mut previous): (usize, Option<(u128, usize)>) = (0, None);
        for (prefix, at, number) in owners {
            if let Some((other, other_at)) = previous {
                let same = other == prefix
                    && self
                        .name_at(other_at)
                        .eq_ignore_ascii_case(self.name_at(at));
                rank = rank.saturating_add(usize::from(!same));
            }
            previous = Some((prefix, at));
            if let Some(slot) = rank_of.get_mut(number) {
                *slot = rank;
            }
        }
        for number in &mut ranks {
            *number = rank_of.get(*number).copied().unwrap_or(0);
        }
        (ranks, rank.saturating_add(1))
    }

    /// Where the runs of lines of one owner begin, whose records are `node`; empty when all of them have the same TTL.
    pub(crate) fn runs(&self, node: &[usize]) -> Vec<Run> {
        let ttl = |number: &usize| self.stored.get(*number).map(|r| r.ttl);
        if node.windows(2).all(|pair| match pair {
            [a, b] => ttl(a) == ttl(b),
            _ => true,
        }) {
            return Vec::new();
        }
        let mut numbers = node.to_vec();
        numbers.sort_unstable();
        let mut runs: Vec<Run> = Vec::with_capacity(numbers.len());
        for number in numbers {
            let start = match runs.last() {
                Some(last) if last.number.saturating_add(1) == number => last.start,
                _ => number,
            };
            runs.push(Run { number, start });
        }
        runs
    }

    /// The TTL of an RRset. RFC 2181 §5.2 gives no sense to records that differ in theirs: as BIND does, the first one in the
    /// last run of lines of that owner counts.
    pub(crate) fn ttl_of(&self, runs: &[Run], rrset: impl Iterator<Item = usize> + Clone) -> Ttl {
        let ttl = |number: usize| self.stored.get(number).map_or(Ttl(0), |r| r.ttl);
        let last = rrset.clone().max().unwrap_or(0);
        let run = runs.binary_search_by_key(&last, |r| r.number).ok();
        let start = run.and_then(|at| runs.get(at)).map_or(last, |r| r.start);
        let first = rrset.filter(|number| *number >= start).min();
        ttl(first.unwrap_or(last))
    }

    /// Whether two records have the same owner.
    pub(crate) fn same_owner(&self, a: &Stored, b: &Stored) -> bool {
        a.owner == b.owner || self.owner(a).eq_ignore_ascii_case(self.owner(b))
    }

    /// Canonical order of two records of one owner, TTLs apart.
    fn compare_in_node(&self, a: &Stored, b: &Stored) -> Ordering {
        a.rtype.cmp(&b.rtype).then_with(|| {
            let (mine, theirs) = (self.data(a), self.data(b));
            if mine == theirs {
                return Ordering::Equal;
            }
            let mine = rdata::canonical(a.rtype, mine);
            mine.cmp(&rdata::canonical(b.rtype, theirs))
        })
    }
}

/// A record together with the records it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InOrder<'a> {
    records: &'a Records,
    stored: &'a Stored,
}

impl<'a> InOrder<'a> {
    pub(crate) fn new(records: &'a Records, stored: &'a Stored) -> Self {
        Self { records, stored }
    }

    pub(crate) fn ttl(self) -> Ttl {
        self.stored.ttl
    }

    pub(crate) fn data(self) -> &'a [u8] {
        self.records.data(self.stored)
    }

    pub(crate) fn to_record(self) -> Record {
        self.records.to_record(self.stored)
    }

    /// Canonical order of records of two readings, TTLs apart.
    pub(crate) fn compare(self, other: InOrder<'_>) -> Ordering {
        let rtype = self.stored.rtype;
        let owners = compare_wire(
            self.records.owner(self.stored),
            other.records.owner(other.stored),
        );
        owners.then(rtype.cmp(&other.stored.rtype)).then_with(|| {
            let mine = rdata::canonical(rtype, self.data());
            mine.cmp(&rdata::canonical(rtype, other.data()))
        })
    }
}
