//! A message read: names with their pointers followed, records with their data untouched (RFC 1035 §4.1.3, §4.1.4).

use super::HEADER;
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// Pointers that are followed within one name: each must lead further back, so this is a bound and no limit.
const POINTERS: usize = 128;

/// A place in a message. Everything it gives is a copy or lies within the message.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    /// Behind the header.
    pub(in crate::publish) fn new(message: &'m [u8]) -> Self {
        Self {
            message,
            at: HEADER,
        }
    }

    /// How far it has come, in octets.
    pub(in crate::publish) fn at(&self) -> usize {
        self.at
    }

    pub(in crate::publish) fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(in crate::publish) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    pub(in crate::publish) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.take(4)?.first_chunk()?))
    }

    /// A number of 48 bits: the seconds of RFC 8945 §4.2.
    pub(in crate::publish) fn u48(&mut self) -> Option<u64> {
        let (high, low) = (self.u16()?, self.u32()?);
        Some(u64::from(high) << 32 | u64::from(low))
    }

    /// A name, with its pointers followed; each must lead to an earlier place than the one before.
    pub(in crate::publish) fn name(&mut self) -> Option<Name> {
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
pub(in crate::publish) struct RawRecord<'m> {
    /// The octet it begins at.
    pub(in crate::publish) at: usize,
    pub(in crate::publish) owner: Name,
    pub(in crate::publish) rtype: Rtype,
    pub(in crate::publish) class: u16,
    pub(in crate::publish) ttl: u32,
    /// At the data.
    pub(in crate::publish) data: Reader<'m>,
    /// How long they are, in octets.
    pub(in crate::publish) length: usize,
}

impl<'m> Reader<'m> {
    /// One record of a section.
    pub(in crate::publish) fn record(&mut self) -> Option<RawRecord<'m>> {
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
pub(in crate::publish) fn counts(message: &[u8]) -> Option<[u16; 4]> {
    let mut reader = Reader { message, at: 4 };
    Some([reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?])
}
