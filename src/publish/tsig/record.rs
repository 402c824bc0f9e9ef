//! The TSIG record of a message, and the octets that its MAC covers (RFC 8945 §4.2, §4.3).

use super::key::TsigKey;
use crate::observe::message::{Reader, Unreadable, header};
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// TSIG (RFC 8945 §4.2).
const TSIG: Rtype = Rtype(250);
const CLASS_ANY: u16 = 255;

/// What a TSIG record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TsigRecord {
    /// The octet of the message that it begins at.
    pub(super) at: usize,
    pub(super) key: Name,
    pub(super) algorithm: Name,
    /// Seconds since 1970.
    pub(super) time: u64,
    pub(super) fudge: u16,
    pub(super) mac: Vec<u8>,
    pub(super) original_id: u16,
    pub(super) error: u16,
    pub(super) other: Vec<u8>,
}

/// A TSIG record that is not the last of its message, is there twice, or is not well-formed (RFC 8945 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Unreadable> for Malformed {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

/// The TSIG record of a message, if it has one.
pub(super) fn find(message: &[u8]) -> Result<Option<TsigRecord>, Malformed> {
    let counts = header(message).ok_or(Malformed)?.counts;
    let mut reader = Reader::new(message);
    for _ in 0..counts.queries {
        reader.name()?;
        reader.take(4)?;
    }
    for _ in 0..u32::from(counts.answers).saturating_add(counts.authorities.into()) {
        if reader.record()?.rtype == TSIG {
            return Err(Malformed);
        }
    }
    let mut found = None;
    for _ in 0..counts.additionals {
        let record = reader.record()?;
        if found.is_some() {
            return Err(Malformed);
        }
        if record.rtype != TSIG {
            continue;
        }
        if record.class != CLASS_ANY || record.ttl != 0 {
            return Err(Malformed);
        }
        let mut data = record.data;
        let end = data.at().saturating_add(record.length);
        found = Some(read(record.at, record.owner, &mut data)?);
        if data.at() != end {
            return Err(Malformed);
        }
    }
    Ok(found)
}

fn read(at: usize, key: Name, data: &mut Reader<'_>) -> Result<TsigRecord, Unreadable> {
    let algorithm = data.name()?;
    let time = data.u48()?;
    let fudge = data.u16()?;
    let length = usize::from(data.u16()?);
    let mac = data.take(length)?.to_vec();
    let (original_id, error) = (data.u16()?, data.u16()?);
    let length = usize::from(data.u16()?);
    let other = data.take(length)?.to_vec();
    Ok(TsigRecord {
        at,
        key,
        algorithm,
        time,
        fudge,
        mac,
        original_id,
        error,
        other,
    })
}

impl TsigRecord {
    /// A record that `key` is about to sign.
    pub(super) fn unsigned(key: &TsigKey, time: u64, original_id: u16) -> Self {
        Self {
            at: 0,
            key: key.name().clone(),
            algorithm: key.algorithm().name(),
            time,
            fudge: super::FUDGE,
            mac: Vec::new(),
            original_id,
            error: 0,
            other: Vec::new(),
        }
    }

    /// The message as it was before the record was put to it (RFC 8945 §4.3.2).
    pub(super) fn without<'m>(&self, message: &'m [u8]) -> Option<([u8; 12], &'m [u8])> {
        let header: &[u8; 12] = message.first_chunk()?;
        let mut header = *header;
        let additionals = u16::from_be_bytes([*header.get(10)?, *header.get(11)?]);
        header
            .get_mut(10..)?
            .copy_from_slice(&additionals.checked_sub(1)?.to_be_bytes());
        header
            .get_mut(..2)?
            .copy_from_slice(&self.original_id.to_be_bytes());
        Some((header, message.get(12..self.at)?))
    }

    /// The variables that a MAC covers (RFC 8945 §4.3.3).
    pub(super) fn variables(&self) -> Vec<u8> {
        let mut octets = self.key.canonical();
        octets.extend(CLASS_ANY.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(self.algorithm.canonical());
        octets.extend(self.timers());
        octets.extend(self.error.to_be_bytes());
        octets.extend(length(&self.other));
        octets.extend(&self.other);
        octets
    }

    /// What stands for the variables from the second message on (RFC 8945 §5.3.1).
    pub(super) fn timers(&self) -> Vec<u8> {
        let mut octets = u48(self.time).to_vec();
        octets.extend(self.fudge.to_be_bytes());
        octets
    }

    /// Puts the record to the end of a message.
    pub(super) fn append(&self, message: &mut Vec<u8>) {
        message.extend(self.key.wire());
        message.extend(TSIG.0.to_be_bytes());
        message.extend(CLASS_ANY.to_be_bytes());
        message.extend([0; 4]);
        let mut data = self.algorithm.wire().to_vec();
        data.extend(self.timers());
        data.extend(length(&self.mac));
        data.extend(&self.mac);
        data.extend(self.original_id.to_be_bytes());
        data.extend(self.error.to_be_bytes());
        data.extend(length(&self.other));
        data.extend(&self.other);
        message.extend(length(&data));
        message.extend(data);
        if let Some(count) = message.get_mut(10..12) {
            let more = count
                .first_chunk()
                .map_or(1, |count| u16::from_be_bytes(*count).saturating_add(1));
            count.copy_from_slice(&more.to_be_bytes());
        }
    }

    /// How many octets the record will take with a MAC of `mac` octets.
    pub(super) fn size(&self, mac: usize) -> usize {
        let names = self
            .key
            .wire()
            .len()
            .saturating_add(self.algorithm.wire().len());
        names
            .saturating_add(26)
            .saturating_add(mac)
            .saturating_add(self.other.len())
    }
}

/// A length in front of what it is the length of. MACs and such are far shorter than it can say.
pub(super) fn length(octets: &[u8]) -> [u8; 2] {
    u16::try_from(octets.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes()
}

/// Seconds in 48 bits.
pub(super) fn u48(seconds: u64) -> [u8; 6] {
    let octets = seconds.to_be_bytes();
    octets.last_chunk().copied().unwrap_or_default()
}
