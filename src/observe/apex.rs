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
    /// The serial; `None` if it does not serve the zone.
    pub serial: Seen<Option<u32>>,
    /// The DNSKEY RRset; empty if it has none.
    pub dnskeys: Seen<Vec<Rdata>>,
    /// Nothing listens there: no server yet, one that is down, or a port that is closed on the way.
    pub refuses_connections: bool,
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
        let refuses_connections = matches!(soa, Err(Silence::ConnectionRefused));
        let serial = match soa {
            Ok(reply) => Seen::Known(serial(&reply)),
            Err(why) => Seen::Unknown(why.to_string()),
        };
        let dnskeys = match dnskey {
            Ok(reply) => {
                Seen::Known(rrset(&reply, Rtype::DNSKEY).map_or(Vec::new(), |keys| keys.rdatas))
            }
            Err(why) => Seen::Unknown(why.to_string()),
        };
        let apex = Apex {
            serial,
            dnskeys,
            refuses_connections,
        };
        (server.authority(), apex)
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
