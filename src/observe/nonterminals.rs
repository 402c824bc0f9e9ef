//! Whether every server knows that names exist which have nothing but longer names (RFC 8020 §2, RFC 4592 §2.2.2).
//!
//! A server that answers NXDOMAIN for `_tcp.mx1.example.com` makes resolvers that ask label by label give up before they
//! come to the TLSA record below it, and mail is deferred.

use super::addresses::AuthorityAddress;
use super::authorities::Limits;
use super::dns::{self, Transport, rcode_name};
use super::in_time;
use super::side_by_side::side_by_side;
use crate::rotation::observation::{Authority, Seen};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant as Tick;

const NOERROR: u16 = 0;
const NXDOMAIN: u16 = 3;

/// Whether each name exists, by each server's word.
pub type Existence = BTreeMap<Name, BTreeMap<Authority, Seen<bool>>>;

/// Asks every address of `servers` for each of `names`.
pub async fn see(servers: &[AuthorityAddress], names: &[Name], limits: &Limits) -> Existence {
    let mut existence = Existence::new();
    let mut asked = JoinSet::new();
    for server in servers {
        for name in names {
            let lost = Seen::Unknown("the question was abandoned".to_owned());
            let by_server = existence.entry(name.clone()).or_default();
            by_server.insert(server.authority(), lost);
        }
        let (server, names, limits) = (server.clone(), names.to_vec(), limits.clone());
        asked.spawn(async move {
            let _turn = limits.turns.take().await;
            let deadline = Tick::now().checked_add(limits.server);
            let (address, patience) = (server.address, limits.answer);
            let exist = side_by_side(names, limits.questions, |name| async move {
                let exists = in_time(deadline, exists(address, &name, patience)).await;
                let late = || Seen::Unknown("it had no time left to answer".to_owned());
                (name, exists.unwrap_or_else(late))
            });
            (server.authority(), exist.await)
        });
    }
    while let Some(done) = asked.join_next().await {
        let Ok((authority, exist)) = done else {
            continue;
        };
        for (name, exists) in exist {
            let by_server = existence.entry(name).or_default();
            by_server.insert(authority.clone(), exists);
        }
    }
    existence
}

async fn exists(server: SocketAddr, name: &Name, patience: Duration) -> Seen<bool> {
    match dns::ask(server, Transport::Udp, name, Rtype::TLSA, patience).await {
        Err(silence) => Seen::Unknown(silence.to_string()),
        // Whoever answers in its place knows what a cache knows.
        Ok(reply) if !reply.authoritative => {
            Seen::Unknown("its answer is not authoritative (AA is missing)".to_owned())
        }
        Ok(reply) if reply.rcode == NOERROR => Seen::Known(true),
        Ok(reply) if reply.rcode == NXDOMAIN => Seen::Known(false),
        Ok(reply) => Seen::Unknown(format!("it answers {}", rcode_name(reply.rcode))),
    }
}
