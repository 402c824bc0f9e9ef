//! The records of a reading in the order of the text, packed: octets in one buffer, places as offsets.
//!
//! A zone of a million records costs two allocations that grow, not millions.

use crate::rotation::timing::Ttl;
use crate::zone::name::{Name, split_name};
use crate::zone::order::compare_wire;
use crate::zone::rdata;
use crate::zone::record::{Rdata, Record, Rtype};
use std::cmp::Ordering;

/// One record in 24 octets: where its octets lie and where its text stands. Offsets have 32 bits: see [`MOST_OCTETS`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    owner: u32,
    data: u32,
    /// Offset of the logical line in its file.
    line: u32,
    /// What else [`Records::place`] says.
    surroundings: u32,
    pub(crate) ttl: Ttl,
    data_length: u16,
    pub(crate) rtype: Rtype,
}

/// How long a file may be, and how much memory the records of one zone may take: what 32 bits count.
pub(crate) const MOST_OCTETS: usize = u32::MAX as usize;

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

/// What the places of neighbouring records have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Surroundings {
    source: u32,
    origin: u32,
    generated: bool,
}

/// One record of an owner and the first of those that stand with it in one run of lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    number: u32,
    start: u32,
}

/// Records in the order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    octets: Vec<u8>,
    stored: Vec<Stored>,
    surroundings: Vec<Surroundings>,
    origins: Vec<Name>,
}

/// A number below [`MOST_OCTETS`], which the reader sees to.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Stored {
    /// Whether two records have one copy of their owner, as records that follow one another mostly do.
    pub(crate) fn shares_owner(&self, other: &Self) -> bool {
        self.owner == other.owner
    }
}

impl Records {
    /// All records.
    pub(crate) fn all(&self) -> &[Stored] {
        &self.stored
    }

    /// The record with this number, in the order of the text.
    pub(crate) fn get(&self, number: u32) -> Option<&Stored> {
        self.stored.get(wide(number))
    }

    /// The owner in wire form.
    pub(crate) fn owner(&self, record: &Stored) -> &[u8] {
        let rest = self.octets.get(wide(record.owner)..).unwrap_or_default();
        split_name(rest).map_or(&[], |(name, _)| name)
    }

    /// The data octets.
    pub(crate) fn data(&self, record: &Stored) -> &[u8] {
        let start = wide(record.data);
        let end = start.saturating_add(usize::from(record.data_length));
        self.octets.get(start..end).unwrap_or_default()
    }

    /// Where the text of a record stands.
    pub(crate) fn place(&self, record: &Stored) -> Place {
        let around = self.surroundings.get(wide(record.surroundings));
        Place {
            source: around.map_or(usize::MAX, |a| wide(a.source)),
            line: wide(record.line),
            origin: around.map_or(usize::MAX, |a| wide(a.origin)),
            generated: around.is_some_and(|a| a.generated),
        }
    }

    /// The origin that was in force at a place; `None` when there was none yet.
    pub(crate) fn origin(&self, place: Place) -> Option<&Name> {
        self.origins.get(place.origin)
    }

    /// Remembers an origin; returns its number for [`Place::origin`].
    pub(crate) fn add_origin(&mut self, origin: &Name) -> usize {
        // Only the last one is looked at: a file may have as many origins as lines.
        if self
            .origins
            .last()
            .is_none_or(|o| o.wire() != origin.wire())
        {
            self.origins.push(origin.clone());
        }
        self.origins.len().saturating_sub(1)
    }

    /// The buffer that owner and data of the next record are appended to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// How many octets of memory the records take.
    pub(crate) fn size(&self) -> usize {
        let places = self.stored.len().saturating_mul(size_of::<Stored>());
        self.octets.len().saturating_add(places)
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
        let around = Surroundings {
            source: narrow(place.source),
            origin: narrow(place.origin),
            generated: place.generated,
        };
        if self.surroundings.last() != Some(&around) {
            self.surroundings.push(around);
        }
        self.stored.push(Stored {
            owner: narrow(owner),
            data: narrow(data),
            line: narrow(place.line),
            surroundings: narrow(self.surroundings.len().saturating_sub(1)),
            ttl,
            // Data is checked against this limit when it is read.
            data_length: u16::try_from(length).unwrap_or(u16::MAX),
            rtype,
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

    /// Where the runs of lines of one owner begin, whose records are `node`; empty when all of them have the same TTL.
    pub(crate) fn runs(&self, node: &[u32]) -> Vec<Run> {
        let ttl = |number: &u32| self.get(*number).map(|r| r.ttl);
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
    pub(crate) fn ttl_of(&self, runs: &[Run], rrset: impl Iterator<Item = u32> + Clone) -> Ttl {
        let ttl = |number: u32| self.get(number).map_or(Ttl(0), |r| r.ttl);
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
    pub(crate) fn compare_in_node(&self, a: &Stored, b: &Stored) -> Ordering {
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
