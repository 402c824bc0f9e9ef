//! DNS messages as `hickory-proto` reads and writes them (RFC 1035 §4.1): read without trust, data of records untouched
//! whatever their type (RFC 3597); written whole or not at all. Answers of our own server are written in `publish`.

use crate::zone::name::Name;
use crate::zone::record::Rtype;
use hickory_proto::ProtoError;
use hickory_proto::op::{Header, Message, Query};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};
use std::fmt;

/// Octets of the header (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// Labels that a name can have at most, and so the pointers that can be followed within it (RFC 1035 §2.3.4).
const LABELS: usize = 128;

/// Octets that are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A name that is none, or whose pointers lead nowhere.
    Name,
    /// The octets end before the record does.
    CutShort,
}

/// A message that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// It has more octets than it may.
    TooLarge,
    /// Something in it has no form on the wire.
    Other(String),
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("it does not fit into one message"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// A message ID that nobody can guess (RFC 5452 §9.2); `None` if the system gives no random octets.
pub(crate) fn random_id() -> Option<u16> {
    let mut octets = [0; 2];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut octets).ok()?;
    Some(u16::from_be_bytes(octets))
}

/// The header of a message; `None` if it is shorter than one.
pub(crate) fn header(message: &[u8]) -> Option<Header> {
    Header::read(&mut BinDecoder::new(message)).ok()
}

/// A place in a message. Everything it gives is a copy or lies within the message.
pub(crate) struct Reader<'m> {
    message: &'m [u8],
    decoder: BinDecoder<'m>,
}

impl<'m> Reader<'m> {
    /// Behind the header.
    pub(crate) fn new(message: &'m [u8]) -> Self {
        let mut decoder = BinDecoder::new(message);
        // Octets that end within the header leave nothing to be read.
        let _ = decoder.read_slice(HEADER.min(message.len()));
        Self { message, decoder }
    }

    /// How far it has come, in octets.
    pub(crate) fn at(&self) -> usize {
        self.decoder.index()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'m [u8], Unreadable> {
        let taken = self.decoder.read_slice(length);
        Ok(taken.map_err(|_| Unreadable::CutShort)?.unverified())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Unreadable> {
        let read = self.decoder.read_u16();
        Ok(read.map_err(|_| Unreadable::CutShort)?.unverified())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Unreadable> {
        let read = self.decoder.read_u32();
        Ok(read.map_err(|_| Unreadable::CutShort)?.unverified())
    }

    /// A number of 48 bits: the seconds of RFC 8945 §4.2.
    pub(crate) fn u48(&mut self) -> Result<u64, Unreadable> {
        let (high, low) = (self.u16()?, self.u32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// A name, with its pointers followed; each must lead to an earlier place than the one before, and none into the header.
    pub(crate) fn name(&mut self) -> Result<Name, Unreadable> {
        if points_into_the_header(self.message, self.at()) {
            return Err(Unreadable::Name);
        }
        let read = WireName::read(&mut self.decoder).map_err(|_| Unreadable::Name)?;
        let mut wire = Vec::with_capacity(Name::MAX);
        for label in &read {
            wire.push(u8::try_from(label.len()).map_err(|_| Unreadable::Name)?);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        let name = Name::split_wire(&wire);
        name.map(|(name, _)| name).map_err(|_| Unreadable::Name)
    }

    /// One record of a section.
    pub(crate) fn record(&mut self) -> Result<RawRecord<'m>, Unreadable> {
        let at = self.at();
        let owner = self.name()?;
        let (rtype, class, ttl) = (Rtype(self.u16()?), self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let start = u16::try_from(self.at()).map_err(|_| Unreadable::CutShort)?;
        let data = Reader {
            message: self.message,
            decoder: self.decoder.clone(start),
        };
        self.take(length)?;
        Ok(RawRecord {
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

/// The fixed fields of a record and where it stands; its data have not been looked at.
pub(crate) struct RawRecord<'m> {
    /// The octet it begins at.
    pub(crate) at: usize,
    pub(crate) owner: Name,
    pub(crate) rtype: Rtype,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    /// At the data.
    pub(crate) data: Reader<'m>,
    /// How long they are, in octets.
    pub(crate) length: usize,
}

/// Whether the name at `at` points to where no name can stand. What else may be wrong with it is not looked at.
fn points_into_the_header(message: &[u8], mut at: usize) -> bool {
    for _ in 0..LABELS.saturating_mul(2) {
        let next = at.saturating_add(1);
        match message.get(at) {
            Some(&high @ 0xc0..) => {
                let low = message.get(next).copied().unwrap_or(u8::MAX);
                at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                if at < HEADER {
                    return true;
                }
            }
            Some(&length @ 1..=63) => at = next.saturating_add(usize::from(length)),
            _ => return false,
        }
    }
    false
}

fn wire_name(name: &Name) -> Result<WireName, Unwritable> {
    WireName::read(&mut BinDecoder::new(name.wire())).map_err(|e| Unwritable::Other(e.to_string()))
}

/// A question of class IN.
pub(crate) fn question(name: &Name, rtype: Rtype) -> Result<Query, Unwritable> {
    Ok(Query::query(wire_name(name)?, RecordType::from(rtype.0)))
}

/// A record whose data are these octets, whatever its type; names in them are never compressed.
pub(crate) fn record(
    owner: &Name,
    rtype: Rtype,
    class: DNSClass,
    ttl: u32,
    rdata: &[u8],
) -> Result<Record, Unwritable> {
    let code = RecordType::from(rtype.0);
    // The library refuses data that are none, with a panic, except in this form.
    let data = if rdata.is_empty() {
        RData::Update0(code)
    } else {
        let rdata = NULL::with(rdata.to_vec());
        RData::Unknown { code, rdata }
    };
    let mut record = Record::from_rdata(wire_name(owner)?, ttl, data);
    record.dns_class = class;
    Ok(record)
}

/// The message as octets, of which there are at most `limit`.
pub(crate) fn octets(message: &Message, limit: u16) -> Result<Vec<u8>, Unwritable> {
    let mut octets = Vec::with_capacity(512);
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_max_size(limit);
    message.emit(&mut encoder).map_err(|error| match error {
        ProtoError::MaxBufferSizeExceeded(_) | ProtoError::NotAllRecordsWritten { .. } => {
            Unwritable::TooLarge
        }
        other => Unwritable::Other(other.to_string()),
    })?;
    // What does not fit is left out by the encoder, which says so in the header: half a message is none.
    match header(&octets) {
        Some(header) if !header.metadata.truncation => Ok(octets),
        _ => Err(Unwritable::TooLarge),
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
