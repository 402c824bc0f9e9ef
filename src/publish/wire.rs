//! DNS messages as octets: read without trust, written with name compression (RFC 1035 §4.1, RFC 3597 §4).

use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// Octets of the header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;
/// The class of the Internet.
pub(super) const CLASS_IN: u16 = 1;
/// Pointers that are followed within one name: each must lead further back, so this is a bound and no limit.
const POINTERS: usize = 128;

/// A place in a message. Everything it gives is a copy or lies within the message.
#[derive(Clone, Debug)]
pub(super) struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    /// Behind the header.
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self {
            message,
            at: HEADER,
        }
    }

    /// How far it has come, in octets.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.take(4)?.first_chunk()?))
    }

    /// A number of 48 bits: the seconds of RFC 8945 §4.2.
    pub(super) fn u48(&mut self) -> Option<u64> {
        let (high, low) = (self.u16()?, self.u32()?);
        Some(u64::from(high) << 32 | u64::from(low))
    }

    /// A name, with its pointers followed; each must lead to an earlier place than the one before.
    pub(super) fn name(&mut self) -> Option<Name> {
        let mut wire = [0_u8; Name::MAX];
        let mut length = 0_usize;
        let (mut at, mut end) = (self.at, None);
        let mut earliest = self.at;
        for _ in 0..POINTERS.saturating_mul(2) {
            let octet = *self.message.get(at)?;
            match octet {
                0 => {
                    self.at = end.unwrap_or(at.checked_add(1)?);
                    let whole = wire.get(..length.checked_add(1)?)?;
                    return Some(Name::from_checked_wire(whole));
                }
                1..=63 => {
                    let next = at.checked_add(usize::from(octet))?.checked_add(1)?;
                    let label = self.message.get(at..next)?;
                    let longer = length.checked_add(label.len())?;
                    // One octet must be left for the root.
                    if longer >= Name::MAX {
                        return None;
                    }
                    wire.get_mut(length..longer)?.copy_from_slice(label);
                    (length, at) = (longer, next);
                }
                0xc0.. => {
                    let low = *self.message.get(at.checked_add(1)?)?;
                    let target = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
                    end = end.or(at.checked_add(2));
                    if target >= earliest || target < HEADER {
                        return None;
                    }
                    (earliest, at) = (target, target);
                }
                _ => return None,
            }
        }
        None
    }
}

/// The fixed fields of a record and where it stands; its data have not been looked at.
#[derive(Clone, Debug)]
pub(super) struct RawRecord<'m> {
    /// The octet it begins at.
    pub(super) at: usize,
    pub(super) owner: Name,
    pub(super) rtype: Rtype,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// At the data.
    pub(super) data: Reader<'m>,
    /// How long they are, in octets.
    pub(super) length: usize,
}

impl<'m> Reader<'m> {
    /// One record of a section.
    pub(super) fn record(&mut self) -> Option<RawRecord<'m>> {
        let at = self.at;
        let owner = self.name()?;
        let (rtype, class, ttl) = (Rtype(self.u16()?), self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let data = self.clone();
        self.take(length)?;
        Some(RawRecord {
            at,
            owner,
            rtype,
            class,
            ttl,
            data,
            length,
        })
    }
}

/// The four counts of a header: questions, answers, authorities, additionals.
pub(super) fn counts(message: &[u8]) -> Option<[u16; 4]> {
    let mut reader = Reader { message, at: 4 };
    Some([reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?])
}

/// The fixed fields of a record to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct RR<'n> {
    pub(super) owner: &'n Name,
    pub(super) rtype: Rtype,
    pub(super) class: u16,
    pub(super) ttl: u32,
}

/// The sections that records go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A message being written, never longer than its limit: what does not fit is not there at all.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    octets: Vec<u8>,
    limit: usize,
    suffixes: Suffixes,
}

/// What does not fit into the message any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Writer {
    /// A message with this header, whose counts are zero, and no more octets than `limit`.
    pub(super) fn new(id: u16, flags: u16, limit: usize) -> Self {
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
    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Changes how many octets it may have.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The question.
    pub(super) fn question(&mut self, name: &Name, rtype: Rtype, class: u16) -> Result<(), Full> {
        let before = self.octets.len();
        self.name(name.wire());
        self.octets.extend(rtype.0.to_be_bytes());
        self.octets.extend(class.to_be_bytes());
        self.keep(before, 4)
    }

    /// A record of class IN.
    pub(super) fn record(
        &mut self,
        section: Section,
        owner: &Name,
        rtype: Rtype,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        let class = CLASS_IN;
        self.rr(
            section,
            RR {
                owner,
                rtype,
                class,
                ttl,
            },
            rdata,
        )
    }

    /// A record of any class.
    pub(super) fn rr(&mut self, section: Section, fixed: RR<'_>, rdata: &[u8]) -> Result<(), Full> {
        let RR {
            owner,
            rtype,
            class,
            ttl,
        } = fixed;
        let before = self.octets.len();
        self.name(owner.wire());
        self.octets.extend(rtype.0.to_be_bytes());
        self.octets.extend(class.to_be_bytes());
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
    pub(super) fn additional(&mut self, octets: &[u8]) -> Result<(), Full> {
        let before = self.octets.len();
        self.octets.extend_from_slice(octets);
        self.keep(before, 10)
    }

    /// Says that more would be said over TCP (TC).
    pub(super) fn mark_truncated(&mut self) {
        if let Some(flags) = self.octets.get_mut(2) {
            *flags |= 0x02;
        }
    }

    /// The message.
    pub(super) fn finish(self) -> Vec<u8> {
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
            let Ok((name, after)) = crate::zone::name::split_name(rest) else {
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

/// Where suffixes of names stand in the message, by hash.
#[derive(Clone, Debug)]
struct Suffixes {
    slots: Box<[(u32, u16); Self::SLOTS]>,
    used: usize,
}

impl Default for Suffixes {
    fn default() -> Self {
        Self {
            slots: Box::new([(0, 0); Self::SLOTS]),
            used: 0,
        }
    }
}

impl Suffixes {
    /// A power of two; more suffixes than three quarters of this are written in full.
    const SLOTS: usize = 256;
    /// What a pointer can reach (RFC 1035 §4.1.4).
    const REACH: usize = 0x3fff;

    fn slots_of(hash: u32) -> impl Iterator<Item = usize> {
        let first = usize::try_from(hash ^ (hash >> 16)).unwrap_or(0);
        (0..Self::SLOTS).map(move |step| first.wrapping_add(step) & (Self::SLOTS - 1))
    }

    fn find(&self, hash: u32, suffix: &[u8], message: &[u8]) -> Option<u16> {
        for slot in Self::slots_of(hash) {
            match self.slots.get(slot) {
                Some((_, 0)) | None => return None,
                Some((kept, at)) if *kept == hash && stands_at(message, *at, suffix) => {
                    return Some(*at);
                }
                Some(_) => {}
            }
        }
        None
    }

    fn remember(&mut self, hash: u32, at: usize) {
        if at > Self::REACH || self.used >= Self::SLOTS / 4 * 3 {
            return;
        }
        let free =
            Self::slots_of(hash).find(|slot| self.slots.get(*slot).is_some_and(|(_, at)| *at == 0));
        if let (Some(place), Ok(at)) = (
            free.and_then(|slot| self.slots.get_mut(slot)),
            u16::try_from(at),
        ) {
            *place = (hash, at);
            self.used = self.used.saturating_add(1);
        }
    }

    /// Forgets what stood at `at` and behind. Called when a record did not fit, after which little is written.
    fn forget_from(&mut self, at: usize) {
        let kept: Vec<(u32, u16)> = self
            .slots
            .iter()
            .copied()
            .filter(|(_, place)| *place != 0 && usize::from(*place) < at)
            .collect();
        *self = Self::default();
        for (hash, place) in kept {
            self.remember(hash, usize::from(place));
        }
    }
}

/// Whether the name at `at` of a message, pointers followed, is `wire`, octet for octet.
fn stands_at(message: &[u8], at: u16, wire: &[u8]) -> bool {
    let (mut at, mut rest) = (usize::from(at), wire);
    loop {
        let Some(&octet) = message.get(at) else {
            return false;
        };
        match octet {
            0xc0.. => {
                let Some(&low) = message.get(at.saturating_add(1)) else {
                    return false;
                };
                at = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
            }
            0 => return rest == [0],
            _ => {
                let length = usize::from(octet).saturating_add(1);
                let next = at.saturating_add(length);
                let (Some(label), Some(mine)) = (message.get(at..next), rest.get(..length)) else {
                    return false;
                };
                if label != mine {
                    return false;
                }
                rest = rest.get(length..).unwrap_or_default();
                at = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn names_are_compressed_and_come_back() {
        let mut writer = Writer::new(7, 0x8400, 512);
        let names = [
            "example.com.",
            "a.example.com.",
            "b.a.example.com.",
            "a.example.com.",
            "example.org.",
            ".",
            "x.org.",
            "A.example.com.",
        ];
        writer
            .question(&name("example.com."), Rtype::NS, CLASS_IN)
            .unwrap();
        for owner in names {
            let target = name("b.a.example.com.");
            writer
                .record(Section::Answer, &name(owner), Rtype::NS, 60, target.wire())
                .unwrap();
        }
        let message = writer.finish();
        assert_eq!(counts(&message), Some([1, 8, 0, 0]));
        let mut reader = Reader::new(&message);
        assert_eq!(reader.name().unwrap().to_string(), "example.com.");
        reader.take(4).unwrap();
        for owner in names {
            let mut record = reader.record().unwrap();
            assert_eq!(
                record.owner.to_string(),
                owner,
                "in the case it was written in"
            );
            assert_eq!(record.data.name().unwrap().to_string(), "b.a.example.com.");
        }
        assert_eq!(reader.at(), message.len());
        assert!(
            message.len() < 12 + 17 + names.len() * 20,
            "{} octets",
            message.len()
        );
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_behind() {
        let mut writer = Writer::new(7, 0x8400, 60);
        writer
            .question(&name("example.com."), Rtype::TXT, CLASS_IN)
            .unwrap();
        let long = writer.record(
            Section::Answer,
            &name("long.example.com."),
            Rtype::TXT,
            60,
            &[9; 40],
        );
        assert_eq!(long, Err(Full));
        writer
            .record(
                Section::Answer,
                &name("long.example.com."),
                Rtype::TXT,
                60,
                b"\x01a",
            )
            .unwrap();
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        reader.name().unwrap();
        reader.take(4).unwrap();
        assert_eq!(
            reader.record().unwrap().owner.to_string(),
            "long.example.com."
        );
        assert_eq!(counts(&message), Some([1, 1, 0, 0]));
    }

    #[test]
    fn many_names_are_written_in_full_rather_than_wrong() {
        let mut writer = Writer::new(7, 0x8400, 65_535);
        let names: Vec<Name> = (0..1500)
            .map(|n| name(&format!("h{n}.{}.example.com.", n % 300)))
            .collect();
        for owner in &names {
            writer
                .record(Section::Answer, owner, Rtype::A, 60, &[192, 0, 2, 1])
                .unwrap();
        }
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        for owner in &names {
            assert_eq!(reader.record().unwrap().owner, *owner);
        }
    }

    #[test]
    fn hostile_names_are_none() {
        let table: [(&str, &[u8]); 7] = [
            ("points at itself", b"\xc0\x0c"),
            ("points forward", b"\xc0\x0e\x00"),
            ("points into the header", b"\xc0\x04"),
            ("ends in a label", b"\x05ab"),
            ("ends", b"\x01a"),
            ("reserved bits", b"\x80\x00"),
            ("two that point at each other", b"\x01a\xc0\x0c"),
        ];
        for (why, octets) in table {
            let message = [&[0; 12], octets].concat();
            assert!(Reader::new(&message).name().is_none(), "{why}");
        }
        let longest = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        let message = [&[0; 12], longest.as_slice(), &[0]].concat();
        assert!(
            Reader::new(&message).name().is_none(),
            "longer than 255 octets"
        );
    }
}
