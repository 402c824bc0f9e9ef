//! What a zone does not say of its own servers: to whom its parent delegates, and the addresses of servers in other zones
//! (RFC 1034 §5.3.3, RFC 2181 §5.4.1).
//!
//! All of it is advice and nothing of it is validated: the parent does not sign NS records (RFC 4035 §2.2). Whoever lies
//! here adds servers that are asked; what they answer is validated.

use super::delegation::said;
use super::dns::{self, Reply, Transport};
use super::listing::{Addresses, Listing};
use super::{proof, resolver, senders_view};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeMap;
use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// The wait for one answer of a resolver, however many there are.
const ANSWER: Duration = Duration::from_secs(2);
/// The wait for one answer of a server of the parent.
const PARENT_ANSWER: Duration = Duration::from_secs(1);
/// The wait for all that is to be learnt about one zone, or one server.
const WHOLE: Duration = Duration::from_secs(5);
/// Servers of the parent whose addresses are looked for, and then asked.
const PARENTS: usize = 4;
const DNS: u16 = 53;

/// Recursive resolvers that are asked. Clones share what was learnt, which holds for one run.
#[derive(Clone, Debug)]
pub struct Guide {
    resolvers: Result<Vec<SocketAddr>, String>,
    delegations: Arc<Mutex<BTreeMap<Name, Result<Listing, String>>>>,
    addresses: Arc<Mutex<BTreeMap<Name, Result<Addresses, String>>>>,
}

impl Guide {
    /// Asks the resolvers that the system uses.
    pub fn of_system() -> Self {
        Self {
            resolvers: resolver::of_system(),
            delegations: Arc::default(),
            addresses: Arc::default(),
        }
    }

    /// The same through these resolvers, if there are any.
    #[must_use]
    pub fn through(&self, resolvers: &[SocketAddr]) -> Self {
        let mut guide = self.clone();
        if !resolvers.is_empty() {
            guide.resolvers = Ok(resolvers.to_vec());
        }
        guide
    }

    /// To whom the parent of `zone` delegates it, with glue.
    pub async fn delegation(&self, zone: &Name) -> Result<Listing, String> {
        let look = async {
            let (parent, servers) = self.parent_of(zone).await?;
            self.at_parent(zone, &parent, &servers).await
        };
        once(&self.delegations, zone, look).await
    }

    /// The same, where it was asked for in this run already.
    pub fn learnt_delegation(&self, zone: &Name) -> Option<Result<Listing, String>> {
        let learnt = self.delegations.lock();
        learnt
            .unwrap_or_else(PoisonError::into_inner)
            .get(zone)
            .cloned()
    }

    /// The addresses of a server in another zone.
    pub async fn addresses(&self, server: &Name) -> Result<Addresses, String> {
        let look = async {
            let (four, six) =
                tokio::join!(self.ask(server, Rtype::A), self.ask(server, Rtype::AAAA));
            let mut found = Addresses::new();
            for (reply, rtype) in [(four?, Rtype::A), (six?, Rtype::AAAA)] {
                proof::is_an_answer(&reply)?;
                // The owner may be another, behind an alias.
                for record in reply.answers.iter().filter(|r| r.rtype == rtype) {
                    let address = senders_view::address(&record.rdata);
                    found.extend(address.map(|address| (address, record.ttl)));
                }
            }
            if found.is_empty() {
                return Err(format!("{server} has no address"));
            }
            Ok(found)
        };
        once(&self.addresses, server, look).await
    }

    /// The closest zone above, and who serves it.
    async fn parent_of(&self, zone: &Name) -> Result<(Name, Listing), String> {
        let above = iter::successors(zone.parent(), Name::parent);
        for name in above {
            let reply = self.ask(&name, Rtype::NS).await?;
            if let Some(ns) = proof::rrset(&reply.answers, &name, Rtype::NS) {
                let mut servers = Listing::default();
                servers.name(&ns.rdatas, ns.ttl);
                return Ok((name, servers));
            }
        }
        Err(format!("no zone above {zone} has name servers"))
    }

    /// What the first of the parent's servers that refers to the zone says of it. Where each of them serves the zone as
    /// well, their answer is what resolvers are led by.
    async fn at_parent(
        &self,
        zone: &Name,
        parent: &Name,
        servers: &Listing,
    ) -> Result<Listing, String> {
        let mut own = None;
        let mut last = format!("no server of {parent} has an address");
        for server in servers.servers.keys().take(PARENTS) {
            let found = match self.addresses(server).await {
                Ok(found) => found,
                Err(why) => {
                    last = why;
                    continue;
                }
            };
            let Some(address) = found.keys().find(|ip| ip.is_ipv4()).or(found.keys().next()) else {
                continue;
            };
            match referral(*address, zone).await {
                Ok(reply) => match said(&reply, zone, server) {
                    Some(said) if said.hidden.is_none() => return Ok(said.listing),
                    Some(said) => own = own.or(Some(said.listing)),
                    None => last = format!("{server} {address} names no server of {zone}"),
                },
                Err(why) => last = format!("{server} {address}: {why}"),
            }
        }
        own.ok_or(last)
    }

    async fn ask(&self, name: &Name, rtype: Rtype) -> Result<Reply, String> {
        let resolvers = self.resolvers.as_ref().map_err(String::clone)?;
        let many = u32::try_from(resolvers.len()).unwrap_or(u32::MAX).max(1);
        let each = ANSWER.checked_div(many).unwrap_or(ANSWER);
        let mut last = "no resolver is known".to_owned();
        for resolver in resolvers {
            let asked = dns::ask_resolver(*resolver, name, rtype, each);
            match timeout(each, asked).await {
                Ok(Ok(reply)) => match proof::is_an_answer(&reply) {
                    Ok(()) => return Ok(reply),
                    Err(why) => last = format!("{resolver}: {why}"),
                },
                Ok(Err(silence)) => last = format!("{resolver}: {silence}"),
                Err(_elapsed) => {
                    last = format!("{resolver}: no answer within {} s", each.as_secs_f64());
                }
            }
        }
        Err(last)
    }
}

async fn referral(server: IpAddr, zone: &Name) -> Result<Reply, dns::Silence> {
    let address = SocketAddr::new(server, DNS);
    let over = |transport| dns::ask(address, transport, zone, Rtype::NS, PARENT_ANSWER);
    match over(Transport::Udp).await {
        Ok(reply) if reply.truncated => over(Transport::Tcp).await,
        other => other,
    }
}

/// What was learnt before in this run; else what is learnt now, within bounds.
async fn once<T: Clone>(
    learnt: &Mutex<BTreeMap<Name, Result<T, String>>>,
    name: &Name,
    look: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let known = || learnt.lock().unwrap_or_else(PoisonError::into_inner);
    let before = known().get(name).cloned();
    if let Some(before) = before {
        return before;
    }
    let late = || Err(format!("not learnt within {} s", WHOLE.as_secs_f64()));
    let found = timeout(WHOLE, look).await.unwrap_or_else(|_elapsed| late());
    known().insert(name.clone(), found.clone());
    found
}
