//! Zone transfers in as many messages as they need (RFC 5936; RFC 1995, answered with the whole zone).

use super::handler::{Exchange, Sections};
use super::served::ServedZone;
use super::wire;
use crate::zone::record::{Record, Rtype};
use hickory_server::net::NetError;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::RData;
use hickory_server::server::{Request, ResponseHandler, ResponseInfo};

/// Octets of records in one message, before compression: below the end of what compression pointers reach.
const MESSAGE: usize = 16_000;

/// Sends `zone` from SOA to SOA, or its SOA alone where that is the answer; signatures always go along.
pub(super) async fn send<R: ResponseHandler>(
    zone: &ServedZone,
    rtype: Rtype,
    exchange: &mut Exchange<'_, R>,
) -> Result<ResponseInfo, NetError> {
    let soa = Record {
        owner: zone.apex().clone(),
        ttl: zone.soa().ttl,
        rtype: Rtype::SOA,
        rdata: match zone.soa().rdatas.first() {
            Some(rdata) => rdata.clone(),
            None => return exchange.send(Sections::only(ResponseCode::ServFail)).await,
        },
    };
    let udp = exchange.request.protocol() == Protocol::Udp;
    if rtype == Rtype::AXFR && udp {
        return exchange.send(Sections::only(ResponseCode::FormErr)).await;
    }
    // RFC 1995 §2, §4: over UDP the SOA says "ask over TCP"; to one who has this serial it says "nothing new".
    if rtype == Rtype::IXFR && (udp || has_serial(exchange.request, zone.serial())) {
        return exchange.send(message(vec![soa])).await;
    }
    let mut batch = vec![soa.clone()];
    let mut size = wire::bound(&soa);
    for record in records(zone) {
        let more = wire::bound(&record);
        if size.saturating_add(more) > MESSAGE {
            exchange.send(message(std::mem::take(&mut batch))).await?;
            size = 0;
        }
        size = size.saturating_add(more);
        batch.push(record);
    }
    batch.push(soa);
    exchange.send(message(batch)).await
}

fn message(answers: Vec<Record>) -> Sections {
    Sections {
        authoritative: true,
        answers,
        ..Sections::default()
    }
}

/// Every record but the SOA.
fn records(zone: &ServedZone) -> impl Iterator<Item = Record> + '_ {
    let apex = zone.apex();
    zone.zone()
        .records()
        .filter(move |record| record.rtype != Rtype::SOA || record.owner != *apex)
}

/// Whether the requester says that it has `serial` or a later one (RFC 1982 §3.2).
fn has_serial(request: &Request, serial: u32) -> bool {
    request.authorities.iter().any(|record| match &record.data {
        RData::SOA(soa) => soa.serial.wrapping_sub(serial) < 1 << 31,
        _ => false,
    })
}
