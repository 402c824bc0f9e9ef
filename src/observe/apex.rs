//! What every address of every authoritative server of a zone has at the apex now: serial and DNSKEY RRset, taken as they are
//! said (RFC 1035 §3.3.13, RFC 4034 §2).
//!
//! Nothing is verified: a zone that is about to be signed must follow what is out there, whether that holds or not.

use super::addresses::AuthorityAddress;
use super::dns::{self, Reply, Silence, Transport};
use super::proof;
use super::side_by_side::side_by_side;
use crate::rotation::observation::{Authority, Seen};
use crate::zone::name::Name;
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeMap;
use std::time::Duration;

/// Servers that are asked at once.
const AT_ONCE: usize = 32;

/// What one server has at the apex of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apex {
    /// The serial; `None` if it does not serve the zone, or nothing listens there.
    pub serial: Seen<Option<u32>>,
    /// The DNSKEY RRset; empty if it has none.
    pub dnskeys: Seen<Vec<Rdata>>,
}

/// Asks every address, each for at most `patience`.
pub async fn see(
    apex: &Name,
    servers: &[AuthorityAddress],
    patience: Duration,
) -> BTreeMap<Authority, Apex> {
    let seen = side_by_side(servers, AT_ONCE, |server| async move {
        let ask = |rtype| answer(server, apex, rtype, patience);
        let (soa, dnskey) = tokio::join!(ask(Rtype::SOA), ask(Rtype::DNSKEY));
        let rrset = |reply: &Reply, rtype| proof::rrset(&reply.answers, apex, rtype);
        let serial = |reply: &Reply| {
            let rdatas = rrset(reply, Rtype::SOA)?.rdatas;
            Soa::from_rdata(rdatas.first()?).map(|soa| soa.serial)
        };
        let serial = match soa {
            Ok(reply) => Seen::Known(serial(&reply)),
            Err(Silence::ConnectionRefused) => Seen::Known(None),
            Err(why) => Seen::Unknown(why.to_string()),
        };
        let dnskeys = match dnskey {
            Ok(reply) => {
                Seen::Known(rrset(&reply, Rtype::DNSKEY).map_or(Vec::new(), |keys| keys.rdatas))
            }
            Err(Silence::ConnectionRefused) => Seen::Known(Vec::new()),
            Err(why) => Seen::Unknown(why.to_string()),
        };
        (server.authority(), Apex { serial, dnskeys })
    });
    seen.await.into_iter().collect()
}

/// The answer over UDP, or over TCP where that was cut off or did not come.
async fn answer(
    server: &AuthorityAddress,
    apex: &Name,
    rtype: Rtype,
    patience: Duration,
) -> Result<Reply, Silence> {
    match dns::ask(server.address, Transport::Udp, apex, rtype, patience).await {
        Ok(reply) if !reply.truncated => Ok(reply),
        _ => dns::ask(server.address, Transport::Tcp, apex, rtype, patience).await,
    }
}
