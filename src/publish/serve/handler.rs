//! A request's way to its answer: what may be asked, of which zone, and what fits (RFC 1035 §4.1, RFC 6891, RFC 9715).

use super::answer::{Answer, Rcode, answer};
use super::served::ServedZone;
use super::{transfer, wire};
use crate::zone::name::Name;
use crate::zone::record::{Record, Rtype};
use async_trait::async_trait;
use hickory_server::net::NetError;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::{DNSClass, Record as WireRecord};
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// The largest datagram we send: what crosses every path unfragmented (RFC 9715 §3.1).
const PAYLOAD: u16 = 1232;
/// Without EDNS (RFC 1035 §4.2.1), and the least that EDNS can ask for (RFC 6891 §6.2.3).
const PLAIN_PAYLOAD: u16 = 512;

/// Who may transfer a zone, besides this machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Addresses of secondaries.
    pub to: Vec<IpAddr>,
}

impl Transfers {
    fn allow(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from.is_loopback() || self.to.contains(&from)
    }
}

/// The zones being served; each is replaced as a whole, so that no reader sees half of two.
#[derive(Debug, Default)]
pub(super) struct Zones(RwLock<HashMap<Name, Arc<ServedZone>>>);

impl Zones {
    pub(super) fn publish(&self, zone: Arc<ServedZone>) {
        // A poisoned lock guards a map that is whole all the same: `insert` is the only thing ever done to it.
        let mut zones = self.0.write().unwrap_or_else(PoisonError::into_inner);
        zones.insert(zone.apex().clone(), zone);
    }

    pub(super) fn at(&self, apex: &Name) -> Option<Arc<ServedZone>> {
        let zones = self.0.read().unwrap_or_else(PoisonError::into_inner);
        zones.get(apex).cloned()
    }

    /// The zone that answers for `name`: the deepest; for DS the one above a cut (RFC 4035 §3.1.4.1).
    fn of(&self, name: &Name, rtype: Rtype) -> Option<Arc<ServedZone>> {
        let mut at_the_name = None;
        let mut above = Some(name.clone());
        while let Some(apex) = above {
            if let Some(zone) = self.at(&apex) {
                if rtype != Rtype::DS || apex != *name {
                    return Some(zone);
                }
                at_the_name = Some(zone);
            }
            above = apex.parent();
        }
        at_the_name
    }
}

/// Our side of hickory's server.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    pub(super) zones: Arc<Zones>,
    pub(super) transfers: Arc<Transfers>,
}

/// One request, and where its answer goes.
pub(super) struct Exchange<'r, R> {
    pub(super) request: &'r Request,
    pub(super) out: R,
}

/// What one message says, before it is cut to size.
#[derive(Default)]
pub(super) struct Sections {
    pub(super) code: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response_handle: R,
    ) -> ResponseInfo {
        let mut exchange = Exchange {
            request,
            out: response_handle,
        };
        let sent = match refusal(request) {
            Some(code) => exchange.send(Sections::only(code)).await,
            None => self.respond(&mut exchange).await,
        };
        // There is nobody to tell that a requester went away.
        sent.unwrap_or_else(|_| {
            ResponseInfo::from(Header {
                metadata: Metadata::response_from_request(&request.metadata),
                counts: HeaderCounts::default(),
            })
        })
    }
}

impl Handler {
    async fn respond<R: ResponseHandler>(
        &self,
        exchange: &mut Exchange<'_, R>,
    ) -> Result<ResponseInfo, NetError> {
        let Some((name, rtype)) = question(exchange.request.queries.as_bytes()) else {
            return exchange.send(Sections::only(ResponseCode::FormErr)).await;
        };
        if matches!(rtype, Rtype::AXFR | Rtype::IXFR) {
            if !self.transfers.allow(exchange.request.src().ip()) {
                return exchange.send(Sections::only(ResponseCode::Refused)).await;
            }
            return match self.zones.at(&name) {
                Some(zone) => transfer::send(&zone, rtype, exchange).await,
                None => exchange.send(Sections::only(ResponseCode::NotAuth)).await,
            };
        }
        let dnssec_ok = exchange
            .request
            .edns
            .as_ref()
            .is_some_and(|edns| edns.flags().dnssec_ok);
        let sections = match self.zones.of(&name, rtype) {
            Some(zone) => Sections::from(answer(&zone, &name, rtype, dnssec_ok)),
            None => Sections::only(ResponseCode::Refused),
        };
        exchange.send(sections).await
    }
}

/// Why a request gets no answer from any zone.
fn refusal(request: &Request) -> Option<ResponseCode> {
    if request.metadata.op_code != OpCode::Query {
        return Some(ResponseCode::NotImp);
    }
    if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Some(ResponseCode::BADVERS);
    }
    let [query] = request.queries.queries() else {
        return Some(ResponseCode::FormErr);
    };
    if query.query_class() != DNSClass::IN {
        return Some(ResponseCode::Refused);
    }
    match u16::from(query.query_type()) {
        // Types of messages, not of zones: OPT, TKEY, TSIG; then MAILB and MAILA, which nobody ever needed.
        41 | 249 | 250 => Some(ResponseCode::FormErr),
        253 | 254 => Some(ResponseCode::NotImp),
        _ => None,
    }
}

/// The name and type of the one question; a name that is a compression pointer is none.
fn question(octets: &[u8]) -> Option<(Name, Rtype)> {
    let (name, rest) = Name::split_wire(octets).ok()?;
    Some((name, Rtype(u16::from_be_bytes(*rest.first_chunk()?))))
}

impl<R: ResponseHandler> Exchange<'_, R> {
    /// Sends one message; over UDP only TC and the question if it does not fit, so that no RRset arrives in part.
    pub(super) async fn send(&mut self, sections: Sections) -> Result<ResponseInfo, NetError> {
        let edns = self.request.edns.as_ref().map(|theirs| {
            let mut ours = Edns::new();
            ours.set_max_payload(PAYLOAD)
                .set_dnssec_ok(theirs.flags().dnssec_ok);
            ours
        });
        let mut metadata = Metadata::response_from_request(&self.request.metadata);
        metadata.response_code = sections.code;
        metadata.authoritative = sections.authoritative;
        let convert = |records: &[Record]| -> Option<Vec<WireRecord>> {
            records.iter().map(wire::record).collect()
        };
        let converted = convert(&sections.answers)
            .zip(convert(&sections.authorities))
            .zip(convert(&sections.additionals));
        let Some(((answers, authorities), additionals)) = converted else {
            return Err(NetError::from("a record cannot be put on the wire"));
        };
        let all: [&[WireRecord]; 3] = [&answers, &authorities, &additionals];
        let edns = edns.as_ref();
        let queries = &self.request.queries;
        if self.request.protocol() == Protocol::Udp {
            let mut octets = Vec::new();
            let mut encoder = BinEncoder::new(&mut octets);
            encoder.set_max_size(self.limit());
            let whole = message(queries, edns, metadata, all)
                .destructive_emit(&mut encoder)
                .is_ok_and(|info| !info.truncation);
            if !whole {
                metadata.truncation = true;
                return self
                    .out
                    .send_response(message(queries, edns, metadata, [&[]; 3]))
                    .await;
            }
        }
        self.out
            .send_response(message(queries, edns, metadata, all))
            .await
    }

    /// How many octets the requester takes in one datagram.
    fn limit(&self) -> u16 {
        self.request.edns.as_ref().map_or(PLAIN_PAYLOAD, |edns| {
            edns.max_payload().clamp(PLAIN_PAYLOAD, PAYLOAD)
        })
    }
}

type Records<'a> = std::slice::Iter<'a, WireRecord>;
type Response<'q, 'a> = MessageResponse<'q, 'a, Records<'a>, Records<'a>, Records<'a>, Records<'a>>;

fn message<'q, 'a>(
    queries: &'q Queries,
    edns: Option<&'q Edns>,
    metadata: Metadata,
    [answers, authorities, additionals]: [&'a [WireRecord]; 3],
) -> Response<'q, 'a> {
    let none: &[WireRecord] = &[];
    MessageResponseBuilder::new(queries, edns).build(
        metadata,
        answers,
        authorities,
        none,
        additionals,
    )
}

impl Sections {
    /// A response that says nothing but its code.
    pub(super) fn only(code: ResponseCode) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }
}

impl From<Answer> for Sections {
    fn from(answer: Answer) -> Self {
        Self {
            code: match answer.rcode {
                Rcode::NoError => ResponseCode::NoError,
                Rcode::NxDomain => ResponseCode::NXDomain,
                Rcode::Refused => ResponseCode::Refused,
                Rcode::YxDomain => ResponseCode::YXDomain,
            },
            authoritative: answer.authoritative,
            answers: answer.answers,
            authorities: answer.authorities,
            additionals: answer.additionals,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_zone_goes_to_this_machine_and_to_the_secondaries_named() {
        let transfers = Transfers {
            to: vec!["192.0.2.1".parse().unwrap()],
        };
        let table = [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8::1", false),
        ];
        for (from, allowed) in table {
            assert_eq!(transfers.allow(from.parse().unwrap()), allowed, "{from}");
        }
    }

    #[test]
    fn the_deepest_zone_answers_and_the_one_above_a_cut_answers_for_ds() {
        let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
        let zones = Zones::default();
        for apex in ["e.", "s.e."] {
            let text = format!("{apex} 60 SOA n h 1 2 3 4 5\n{apex} 60 NS n.example.net.\n");
            let zone = crate::zone::content::Zone::parse(text.as_bytes(), Some(&name(apex)));
            zones.publish(Arc::new(ServedZone::unverified(zone.unwrap()).unwrap()));
        }
        let table = [
            ("e.", Rtype::A, Some("e.")),
            ("x.e.", Rtype::DS, Some("e.")),
            ("x.s.e.", Rtype::A, Some("s.e.")),
            ("s.e.", Rtype::A, Some("s.e.")),
            ("s.e.", Rtype::DS, Some("e.")),
            ("e.", Rtype::DS, Some("e.")),
            ("f.", Rtype::A, None),
        ];
        for (asked, rtype, expected) in table {
            let zone = zones.of(&name(asked), rtype);
            let apex = zone.map(|z| z.apex().to_string());
            assert_eq!(apex.as_deref(), expected, "{asked} {rtype}");
        }
    }
}
