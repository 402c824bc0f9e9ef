//! Whether every server knows that names exist which have nothing but longer names (RFC 8020 §2, RFC 4592 §2.2.2).
//!
//! A server that answers NXDOMAIN for `_tcp.mx1.example.com` makes resolvers that ask label by label give up before they
//! come to the TLSA record below it, and mail is deferred.

use super::addresses::AuthorityAddress;
use super::authorities::Limits;
use super::dns::{self, Transport, rcode_name};
use crate::rotation::observation::{Authority, Seen};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const NOERROR: u16 = 0;
const NXDOMAIN: u16 = 3;

/// Whether each name exists, by each server's word.
pub type Existence = BTreeMap<Name, BTreeMap<Authority, Seen<bool>>>;

/// Asks every address of `servers` for each of `names`.
pub async fn see(servers: &[AuthorityAddress], names: &[Name], limits: Limits) -> Existence {
    let mut existence = Existence::new();
    let free = Arc::new(Semaphore::new(limits.servers.max(1)));
    let mut asked = JoinSet::new();
    for server in servers {
        for name in names {
            let lost = Seen::Unknown("the question was abandoned".to_owned());
            let by_server = existence.entry(name.clone()).or_default();
            by_server.insert(server.authority(), lost);
            let (server, name, free) = (server.clone(), name.clone(), Arc::clone(&free));
            asked.spawn(async move {
                // The semaphore is never closed; a permit it cannot give bounds nothing worse.
                let _permit = free.acquire_owned().await;
                let patience = limits.answer;
                let reply =
                    dns::ask(server.address, Transport::Udp, &name, Rtype::TLSA, patience).await;
                let exists = match reply {
                    Err(silence) => Seen::Unknown(silence.to_string()),
                    Ok(reply) if reply.rcode == NOERROR => Seen::Known(true),
                    Ok(reply) if reply.rcode == NXDOMAIN => Seen::Known(false),
                    Ok(reply) => Seen::Unknown(format!("it answers {}", rcode_name(reply.rcode))),
                };
                (name, server.authority(), exists)
            });
        }
    }
    while let Some(done) = asked.join_next().await {
        if let Ok((name, authority, exists)) = done {
            existence.entry(name).or_default().insert(authority, exists);
        }
    }
    existence
}
