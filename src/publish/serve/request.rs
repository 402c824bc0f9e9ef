//! A request read from its octets: header, question, EDNS, and the serial that its sender has (RFC 1035 §4.1, RFC 6891 §6.1).

use crate::observe::message::{Reader, header};
use crate::publish::wire::HEADER;
use crate::zone::name::Name;
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Rtype};

const OPT: Rtype = Rtype(41);

/// The kinds of requests (RFC 1035 §4.1.1, RFC 1996 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Query,
    Notify,
    /// None that we do anything for.
    Other,
}

/// The fields of a header that an answer repeats or depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u16,
    pub(super) opcode: Opcode,
    /// What the answer repeats: opcode, RD and CD (RFC 4035 §3.1.6).
    pub(super) repeated: u16,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) rtype: Rtype,
    pub(super) class: u16,
}

/// What the sender says of itself (RFC 6891 §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) payload: u16,
    pub(super) version: u8,
    pub(super) dnssec_ok: bool,
}

/// A request that can be read as a whole.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) question: Question,
    pub(super) edns: Option<Edns>,
    /// The serial in the SOA record that goes with IXFR (RFC 1995 §3).
    pub(super) serial: Option<u32>,
}

/// The header; nothing where no answer may go: to fragments, and to answers, which is how loops begin.
pub(super) fn head(message: &[u8]) -> Option<Head> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let [a, b, c, d, ..] = *header;
    let flags = u16::from_be_bytes([c, d]);
    if flags & 0x8000 != 0 {
        return None;
    }
    Some(Head {
        id: u16::from_be_bytes([a, b]),
        opcode: match flags >> 11 {
            0 => Opcode::Query,
            4 => Opcode::Notify,
            _ => Opcode::Other,
        },
        repeated: flags & 0x7910,
    })
}

/// The rest; nothing where it is not well-formed or has not exactly one question.
pub(super) fn read(message: &[u8]) -> Option<Request> {
    let counts = header(message)?.counts;
    if counts.queries != 1 {
        return None;
    }
    let mut reader = Reader::new(message);
    let question = Question {
        name: reader.name().ok()?,
        rtype: Rtype(reader.u16().ok()?),
        class: reader.u16().ok()?,
    };
    let mut serial = None;
    for _ in 0..counts.answers {
        reader.record().ok()?;
    }
    for _ in 0..counts.authorities {
        let mut record = reader.record().ok()?;
        if record.rtype == Rtype::SOA && record.owner == question.name {
            let data = &mut record.data;
            let (mname, rname) = (data.name().ok()?, data.name().ok()?);
            let octets = [mname.wire(), rname.wire(), data.take(20).ok()?].concat();
            serial = Some(Soa::from_rdata(&Rdata(octets.into()))?.serial);
        }
    }
    let mut edns = None;
    for _ in 0..counts.additionals {
        let record = reader.record().ok()?;
        if record.rtype != OPT {
            continue;
        }
        if edns.is_some() || record.owner != Name::root() {
            return None;
        }
        let [_, version, flags, _] = record.ttl.to_be_bytes();
        edns = Some(Edns {
            payload: record.class,
            version,
            dnssec_ok: flags & 0x80 != 0,
        });
    }
    Some(Request {
        question,
        edns,
        serial,
    })
}
