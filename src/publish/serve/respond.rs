//! A request's way to its answer: who asks, what may be asked, of which zone, and what fits (RFC 1035 §4.1, RFC 1996, RFC 6891, RFC 9715).
//!
//! No socket and no wait: octets in, octets out, or a transfer that whoever writes to the requester carries out.

use super::answer::{Answer, Rcode, answer};
use super::event::{Event, Events};
use super::request::{self, Edns, Head, Opcode, Question, Request};
use super::transfer::{self, Transfer};
use super::zones::{Access, Zones};
use crate::publish::tsig::{Judged, Keyring, Session, judge};
use crate::publish::wire::{CLASS_IN, Full, Section, Writer};
use crate::rotation::timing::Instant;
use crate::zone::record::{Record, Rtype};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The largest datagram we send: what crosses every path unfragmented (RFC 9715 §3.1).
const PAYLOAD: u16 = 1232;
/// Without EDNS (RFC 1035 §4.2.1), and the least that EDNS can ask for (RFC 6891 §6.2.3).
const PLAIN_PAYLOAD: u16 = 512;
/// The octets of our OPT record.
const OPT_SIZE: usize = 11;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// RCODEs (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9).
pub(super) mod code {
    pub(in super::super) const NOERROR: u16 = 0;
    pub(super) const FORMERR: u16 = 1;
    pub(super) const NXDOMAIN: u16 = 3;
    pub(super) const NOTIMP: u16 = 4;
    pub(super) const REFUSED: u16 = 5;
    pub(super) const YXDOMAIN: u16 = 6;
    pub(super) const NOTAUTH: u16 = 9;
    pub(super) const BADVERS: u16 = 16;
}

/// Everything an answer depends on but the request.
#[derive(Clone)]
pub(super) struct Responder {
    pub(super) zones: Arc<Zones>,
    pub(super) keys: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) events: Events,
}

/// Tells the time.
pub(super) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What goes back.
pub(super) enum Reply {
    /// Silence.
    Nothing,
    /// One message.
    Message(Vec<u8>),
    /// As many as it takes; over TCP alone.
    Transfer(Box<Transfer>),
}

/// How the answers to one request are put into messages.
pub(super) struct Form {
    head: Head,
    question: Option<Question>,
    edns: Option<Edns>,
    session: Option<Session>,
    transport: Transport,
}

impl Responder {
    /// Answers one message.
    pub(super) fn respond(&self, message: &[u8], peer: SocketAddr, transport: Transport) -> Reply {
        let Some(head) = request::head(message) else {
            return Reply::Nothing;
        };
        let mut form = Form {
            head,
            question: None,
            edns: None,
            session: None,
            transport,
        };
        let now = (self.clock)();
        let Some(request) = request::read(message) else {
            return form.only(code::FORMERR, now);
        };
        form.question = Some(request.question.clone());
        form.edns = request.edns;
        match judge(message, &self.keys, now) {
            Judged::Unsigned => {}
            Judged::Signed(session) => form.session = Some(session),
            Judged::Malformed => return form.only(code::FORMERR, now),
            Judged::Refused(session) => {
                form.session = Some(session);
                return form.only(code::NOTAUTH, now);
            }
        }
        if let Some(code) = refusal(head, &request) {
            return form.only(code, now);
        }
        match (head.opcode, request.question.rtype) {
            (Opcode::Notify, _) => self.notified(&request.question, peer, form, now),
            (_, Rtype::AXFR | Rtype::IXFR) => self.transfer(&request, peer.ip(), form, now),
            _ => self.answer(&request, peer.ip(), form, now),
        }
    }

    fn answer(&self, request: &Request, from: IpAddr, form: Form, now: Instant) -> Reply {
        let Question { name, rtype, .. } = &request.question;
        let Some(edition) = self.zones.of(name, *rtype) else {
            return form.only(code::REFUSED, now);
        };
        if !Access::admits(&edition.access.query, from, form.key()) {
            return form.only(code::REFUSED, now);
        }
        let dnssec_ok = request.edns.is_some_and(|edns| edns.dnssec_ok);
        form.message(&answer(&edition.zone, name, *rtype, dnssec_ok), now)
    }

    fn transfer(&self, request: &Request, from: IpAddr, form: Form, now: Instant) -> Reply {
        let Some(edition) = self.zones.at(&request.question.name) else {
            return form.only(code::NOTAUTH, now);
        };
        if !Access::admits(&edition.access.transfer, from, form.key()) {
            return form.only(code::REFUSED, now);
        }
        let incremental = request.question.rtype == Rtype::IXFR;
        if incremental && request.serial.is_none() {
            return form.only(code::FORMERR, now);
        }
        if form.transport == Transport::Udp && !incremental {
            return form.only(code::FORMERR, now);
        }
        let serial = request.serial.filter(|_| incremental);
        transfer::reply(&edition, serial, form, now)
    }

    /// Somebody says that there is a new version (RFC 1996 §3.11: what it says of it is not believed).
    fn notified(&self, question: &Question, peer: SocketAddr, form: Form, now: Instant) -> Reply {
        let Some(edition) = self.zones.at(&question.name) else {
            return form.only(code::NOTAUTH, now);
        };
        if question.rtype != Rtype::SOA {
            return form.only(code::FORMERR, now);
        }
        if !Access::admits(&edition.access.notify, peer.ip(), form.key()) {
            return form.only(code::REFUSED, now);
        }
        self.events.tell(Event::NotifyCame {
            zone: edition.zone.apex().clone(),
            from: peer,
        });
        let said = Answer {
            authoritative: true,
            ..Answer::default()
        };
        form.message(&said, now)
    }
}

/// Why a request gets no answer from any zone.
fn refusal(head: Head, request: &Request) -> Option<u16> {
    if head.opcode == Opcode::Other {
        return Some(code::NOTIMP);
    }
    if request.edns.is_some_and(|edns| edns.version > 0) {
        return Some(code::BADVERS);
    }
    if request.question.class != CLASS_IN {
        return Some(code::REFUSED);
    }
    match request.question.rtype.0 {
        // Types of messages, not of zones: OPT, TKEY, TSIG; then MAILB and MAILA, which nobody ever needed.
        41 | 249 | 250 => Some(code::FORMERR),
        253 | 254 => Some(code::NOTIMP),
        _ => None,
    }
}

impl Form {
    /// The key that the request is proven to come from.
    fn key(&self) -> Option<&crate::zone::name::Name> {
        self.session.as_ref().map(Session::key)
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    /// How many octets one answer may have before OPT and TSIG are put to it.
    pub(super) fn room(&self) -> usize {
        let most = match self.transport {
            Transport::Tcp => usize::from(u16::MAX),
            Transport::Udp => usize::from(self.edns.map_or(PLAIN_PAYLOAD, |edns| {
                edns.payload.clamp(PLAIN_PAYLOAD, PAYLOAD)
            })),
        };
        let edns = self.edns.map_or(0, |_| OPT_SIZE);
        let signature = self.session.as_ref().map_or(0, Session::size);
        most.saturating_sub(edns).saturating_sub(signature)
    }

    /// A message with header and question, as long as `room` allows.
    pub(super) fn begin(&self, code: u16, authoritative: bool, room: usize) -> Writer {
        let flags = 0x8000 | self.head.repeated | u16::from(authoritative) << 10 | code & 0x0f;
        let mut writer = Writer::new(self.head.id, flags, room);
        if let Some(question) = &self.question {
            // A question is at most 259 octets, and no limit of ours is below 512.
            let _ = writer.question(&question.name, question.rtype, question.class);
        }
        writer
    }

    /// Ends a message: OPT, then TSIG, for which there is room.
    pub(super) fn finish(&mut self, mut writer: Writer, code: u16, now: Instant) -> Vec<u8> {
        if let Some(edns) = self.edns {
            writer.set_limit(usize::from(u16::MAX));
            let mut opt = vec![0, 0, 41];
            opt.extend(PAYLOAD.to_be_bytes());
            let [_, upper] = (code >> 4).to_be_bytes();
            opt.extend([upper, 0, u8::from(edns.dnssec_ok) << 7, 0, 0, 0]);
            let _ = writer.additional(&opt);
        }
        let mut message = writer.finish();
        if let Some(session) = &mut self.session {
            session.sign(&mut message, now);
        }
        message
    }

    /// A message that says nothing but its code.
    fn only(mut self, code: u16, now: Instant) -> Reply {
        let writer = self.begin(code, false, self.room());
        Reply::Message(self.finish(writer, code, now))
    }

    /// An answer in one message; only TC and the question if it does not fit, so that no RRset arrives in part.
    fn message(mut self, answer: &Answer, now: Instant) -> Reply {
        let code = match answer.rcode {
            Rcode::NoError => code::NOERROR,
            Rcode::NxDomain => code::NXDOMAIN,
            Rcode::Refused => code::REFUSED,
            Rcode::YxDomain => code::YXDOMAIN,
        };
        let mut writer = self.begin(code, answer.authoritative, self.room());
        if write(&mut writer, answer).is_err() {
            writer = self.begin(code, answer.authoritative, self.room());
            writer.mark_truncated();
        }
        Reply::Message(self.finish(writer, code, now))
    }
}

fn write(writer: &mut Writer, answer: &Answer) -> Result<(), Full> {
    let sections = [
        (Section::Answer, &answer.answers),
        (Section::Authority, &answer.authorities),
        (Section::Additional, &answer.additionals),
    ];
    for (section, records) in sections {
        for record in records {
            let Record {
                owner,
                ttl,
                rtype,
                rdata,
            } = record;
            writer.record(section, owner, *rtype, ttl.0, &rdata.0)?;
        }
    }
    Ok(())
}
