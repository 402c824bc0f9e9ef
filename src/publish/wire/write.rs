//! A message written: no longer than its limit, names compressed where every receiver must expect it (RFC 3597 §4).

use super::CLASS_IN;
use super::compress::Suffixes;
use crate::zone::name::{Name, split_name};
use crate::zone::record::Rtype;

/// The sections that records go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A message being written, never longer than its limit: what does not fit is not there at all.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Writer {
    octets: Vec<u8>,
    limit: usize,
    suffixes: Suffixes,
}

/// What does not fit into the message any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Full;

impl Writer {
    /// A message with this header, whose counts are zero, and no more octets than `limit`.
    pub(in crate::publish) fn new(id: u16, flags: u16, limit: usize) -> Self {
        let mut octets = Vec::with_capacity(limit.min(2048));
        octets.extend(id.to_be_bytes());
        octets.extend(flags.to_be_bytes());
        octets.extend([0; 8]);
        Self {
            octets,
            limit,
            suffixes: Suffixes::default(),
        }
    }

    /// How many octets it has.
    pub(in crate::publish) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Changes how many octets it may have.
    pub(in crate::publish) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The question.
    pub(in crate::publish) fn question(
        &mut self,
        name: &Name,
        rtype: Rtype,
        class: u16,
    ) -> Result<(), Full> {
        let before = self.octets.len();
        self.name(name.wire());
        self.octets.extend(rtype.0.to_be_bytes());
        self.octets.extend(class.to_be_bytes());
        self.keep(before, 4)
    }

    /// A record of class IN.
    pub(in crate::publish) fn record(
        &mut self,
        section: Section,
        owner: &Name,
        rtype: Rtype,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        let before = self.octets.len();
        self.name(owner.wire());
        self.octets.extend(rtype.0.to_be_bytes());
        self.octets.extend(CLASS_IN.to_be_bytes());
        self.octets.extend(ttl.to_be_bytes());
        let length_at = self.octets.len();
        self.octets.extend([0; 2]);
        self.data(rtype, rdata);
        let length = self
            .octets
            .len()
            .saturating_sub(length_at)
            .saturating_sub(2);
        // Data longer than 65535 octets do not fit into any message either.
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.put_u16(length_at, length);
        let count = match section {
            Section::Answer => 6,
            Section::Authority => 8,
            Section::Additional => 10,
        };
        self.keep(before, count)
    }

    /// Octets that are a whole record of the additional section, as OPT is.
    pub(in crate::publish) fn additional(&mut self, octets: &[u8]) -> Result<(), Full> {
        let before = self.octets.len();
        self.octets.extend_from_slice(octets);
        self.keep(before, 10)
    }

    /// Says that more would be said over TCP (TC).
    pub(in crate::publish) fn mark_truncated(&mut self) {
        if let Some(flags) = self.octets.get_mut(2) {
            *flags |= 0x02;
        }
    }

    /// The message.
    pub(in crate::publish) fn finish(self) -> Vec<u8> {
        self.octets
    }

    /// Counts what was written since `before`, or takes it back if it does not fit.
    fn keep(&mut self, before: usize, count_at: usize) -> Result<(), Full> {
        if self.octets.len() > self.limit {
            self.octets.truncate(before);
            self.suffixes.forget_from(before);
            return Err(Full);
        }
        if let Some(count) = self.octets.get(count_at..).and_then(<[u8]>::first_chunk) {
            let more = u16::from_be_bytes(*count).saturating_add(1);
            self.put_u16(count_at, more);
        }
        Ok(())
    }

    fn put_u16(&mut self, at: usize, number: u16) {
        let end = at.saturating_add(2);
        if let Some(place) = self.octets.get_mut(at..end) {
            place.copy_from_slice(&number.to_be_bytes());
        }
    }

    /// Data; names in them are compressed only where every receiver must expect it (RFC 3597 §4).
    fn data(&mut self, rtype: Rtype, rdata: &[u8]) {
        let (front, names) = match rtype {
            Rtype::NS | Rtype::CNAME | Rtype::PTR => (0, 1),
            Rtype::MX => (2, 1),
            Rtype::SOA => (0, 2),
            _ => (0, 0),
        };
        let (front, mut rest) = rdata.split_at_checked(front).unwrap_or((rdata, &[]));
        self.octets.extend_from_slice(front);
        for _ in 0..names {
            let Ok((name, after)) = split_name(rest) else {
                break;
            };
            self.name(name);
            rest = after;
        }
        self.octets.extend_from_slice(rest);
    }

    /// A name, as a pointer from where the rest of it stands already.
    fn name(&mut self, wire: &[u8]) {
        let mut starts = [0_u8; 128];
        let mut count = 0_usize;
        let mut at = 0_usize;
        while let Some(&length) = wire.get(at).filter(|length| **length != 0) {
            if let (Some(start), Ok(offset)) = (starts.get_mut(count), u8::try_from(at)) {
                *start = offset;
                count = count.saturating_add(1);
            }
            at = at.saturating_add(usize::from(length)).saturating_add(1);
        }
        let starts = starts.get(..count).unwrap_or_default();
        // From the right, so that each hash grows out of the one of the shorter suffix; all at once, as many may be new.
        let mut hashes = [0_u32; 128];
        let mut hash = 0x811c_9dc5_u32;
        let mut end = wire.len();
        for (start, kept) in starts.iter().zip(hashes.iter_mut()).rev() {
            let start = usize::from(*start);
            for octet in wire.get(start..end).unwrap_or_default() {
                hash = (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
            }
            *kept = hash;
            end = start;
        }
        let mut written = 0_usize;
        for (start, hash) in starts.iter().zip(hashes) {
            let start = usize::from(*start);
            let suffix = wire.get(start..).unwrap_or_default();
            if let Some(target) = self.suffixes.find(hash, suffix, &self.octets) {
                self.octets
                    .extend_from_slice(wire.get(written..start).unwrap_or_default());
                self.octets.extend((0xc000 | target).to_be_bytes());
                return;
            }
            self.suffixes.remember(hash, self.octets.len());
            let next = start
                .saturating_add(1)
                .saturating_add(usize::from(suffix.first().copied().unwrap_or(0)));
            self.octets
                .extend_from_slice(wire.get(written..next).unwrap_or_default());
            written = next;
        }
        self.octets.push(0);
    }
}
