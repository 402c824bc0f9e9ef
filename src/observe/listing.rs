//! Which name servers and addresses one source lists: a zone as it is kept, an authoritative server, the parent
//! (RFC 1034 §4.2.1, RFC 2181 §5.4.1, RFC 4035 §2.2).

use super::dns::Reply;
use super::extended_error::Flaw;
use super::line::Line;
use super::proof::{self, Judge};
use super::{denial, senders_view};
use crate::rotation::timing::Ttl;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Aliases that are followed within one answer.
const ALIASES: usize = 8;
/// Name servers of one source that are looked at; the root has thirteen.
const SERVERS: usize = 32;

/// Addresses of one name, each with the largest TTL seen.
pub type Addresses = BTreeMap<IpAddr, Ttl>;

/// What one source, or several, list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each name server with the TTL of the NS RRset that names it.
    pub servers: BTreeMap<Name, Ttl>,
    /// What is known of the addresses of these.
    pub addresses: BTreeMap<Name, Addresses>,
}

impl Listing {
    /// As a zone lists them at its apex, with the addresses that lie in it.
    pub fn of_zone(zone: &Zone) -> Self {
        let mut listing = Self::default();
        if let Some(ns) = zone.rrset(&zone.apex, Rtype::NS) {
            listing.name(&ns.rdatas, ns.ttl);
        }
        let addresses = listing.servers.keys();
        let addresses = addresses.map(|server| (server.clone(), in_zone(zone, server)));
        listing.addresses = addresses.filter(|(_, found)| !found.is_empty()).collect();
        listing
    }

    /// Adds the name servers of an NS RRset.
    pub(super) fn name(&mut self, rdatas: &[Rdata], ttl: Ttl) {
        let named = |rdata: &Rdata| Some(Name::split_wire(&rdata.0).ok()?.0);
        for server in rdatas.iter().filter_map(named).take(SERVERS) {
            let known = self.servers.entry(server).or_default();
            *known = ttl.max(*known);
        }
    }

    /// Adds an address of a name.
    pub(super) fn place(&mut self, name: &Name, address: IpAddr, ttl: Ttl) {
        let known = self.addresses.entry(name.clone()).or_default();
        let known = known.entry(address).or_default();
        *known = ttl.max(*known);
    }

    /// Adds the addresses of the servers in `records`, whoever they are from (glue).
    pub(super) fn glue(&mut self, records: &[Record]) {
        for record in records {
            if self.servers.contains_key(&record.owner)
                && let Some(address) = address(record)
            {
                self.place(&record.owner, address, record.ttl);
            }
        }
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        for (server, ttl) in &other.servers {
            let known = self.servers.entry(server.clone()).or_default();
            *known = (*ttl).max(*known);
        }
        for (name, found) in &other.addresses {
            for (address, ttl) in found {
                self.place(name, *address, *ttl);
            }
        }
    }
}

/// The A and AAAA addresses of a host as a zone itself gives them.
pub fn in_zone(zone: &Zone, host: &Name) -> Addresses {
    let mut found = Addresses::new();
    for rrset in [Rtype::A, Rtype::AAAA].map(|rtype| zone.rrset(host, rtype)) {
        for rdata in rrset.into_iter().flat_map(|rrset| &rrset.rdatas) {
            let ttl = rrset.map_or(Ttl(0), |rrset| rrset.ttl);
            found.extend(senders_view::address(rdata).map(|address| (address, ttl)));
        }
    }
    found
}

fn address(record: &Record) -> Option<IpAddr> {
    let is_one = matches!(record.rtype, Rtype::A | Rtype::AAAA);
    is_one.then(|| senders_view::address(&record.rdata))?
}

/// What one server lists, and whether that is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) listing: Listing,
    /// Why it may list more.
    pub(super) missing: Option<String>,
}

/// Asks a server for the NS RRset of the zone, and for the addresses of those servers that lie in it.
pub(super) async fn listed(line: &Line, judge: Judge<'_>) -> Listed {
    let mut all = Listed::default();
    match line.one(judge.apex, Rtype::NS).await {
        Err(silence) => all.missing = Some(silence.to_string()),
        Ok(reply) => match name_servers(&reply, judge) {
            Err(flaw) => all.missing = Some(flaw.reason),
            Ok(listing) => all.listing = listing,
        },
    }
    let inside: Vec<Name> = all.listing.servers.keys().cloned().collect();
    for server in inside.iter().filter(|s| s.is_at_or_below(judge.apex)) {
        let (four, six) = tokio::join!(line.one(server, Rtype::A), line.one(server, Rtype::AAAA));
        for (reply, rtype) in [(four, Rtype::A), (six, Rtype::AAAA)] {
            let found = match reply {
                Err(silence) => Err(silence.to_string()),
                // Below a delegation the zone has glue, which nobody signs.
                Ok(reply) if !reply.authoritative && reply.rcode == 0 => {
                    all.listing.glue(&reply.authorities);
                    all.listing.glue(&reply.additionals);
                    continue;
                }
                Ok(reply) => addresses(&reply, server, rtype, judge).map_err(|flaw| flaw.reason),
            };
            match found {
                Ok(found) => {
                    for (address, ttl) in found {
                        all.listing.place(server, address, ttl);
                    }
                }
                Err(why) => all.missing = Some(format!("{server} {rtype}: {why}")),
            }
        }
    }
    all
}

fn name_servers(reply: &Reply, judge: Judge<'_>) -> Result<Listing, Flaw> {
    proof::speaks_for_the_zone(reply)?;
    let signed = judge.signed(&reply.answers, judge.apex, Rtype::NS)?;
    let signed = signed.ok_or_else(|| format!("no NS records of {} in the answer", judge.apex))?;
    let mut listing = Listing::default();
    listing.name(&signed.rrset.rdatas, signed.rrset.ttl);
    Ok(listing)
}

/// The addresses of one kind at `name`, or at what it is an alias of in the zone; or the proof that there are none.
pub(super) fn addresses(
    reply: &Reply,
    name: &Name,
    rtype: Rtype,
    judge: Judge<'_>,
) -> Result<Addresses, Flaw> {
    proof::speaks_for_the_zone(reply)?;
    let (mut at, mut ttl) = (name.clone(), Ttl(0));
    for _ in 0..ALIASES {
        if !at.is_at_or_below(judge.apex) {
            return Err(format!("{name} is an alias of {at}, which lies in another zone").into());
        }
        if let Some(alias) = judge.signed(&reply.answers, &at, Rtype::CNAME)? {
            proof::window_of(&alias, reply, &at, judge)?;
            let target = alias.rrset.rdatas.first();
            let target = target.and_then(|rdata| Name::split_wire(&rdata.0).ok());
            let (target, _) = target.ok_or_else(|| format!("the alias at {at} cannot be read"))?;
            ttl = ttl.max(alias.rrset.ttl);
            at = target;
            continue;
        }
        let Some(signed) = judge.signed(&reply.answers, &at, rtype)? else {
            let proof = denial::of_type(reply, &at, rtype, judge)?;
            return if proof.opt_out {
                Err(proof::opt_out(&at).into())
            } else {
                Ok(Addresses::new())
            };
        };
        proof::window_of(&signed, reply, &at, judge)?;
        let ttl = ttl.max(signed.rrset.ttl);
        let rdatas = signed.rrset.rdatas.iter();
        let found = rdatas.filter_map(senders_view::address);
        return Ok(found.map(|address| (address, ttl)).collect());
    }
    Err(format!("{name} is an alias that leads nowhere (a loop, or longer than {ALIASES})").into())
}

/// Asks a server for both kinds of addresses of a host in the zone.
pub(super) async fn of_host(
    line: &Line,
    host: &Name,
    judge: Judge<'_>,
) -> Result<Addresses, String> {
    let (four, six) = tokio::join!(line.one(host, Rtype::A), line.one(host, Rtype::AAAA));
    let mut all = Addresses::new();
    for (reply, rtype) in [(four, Rtype::A), (six, Rtype::AAAA)] {
        let reply = reply.map_err(|silence| format!("{host} {rtype}: {silence}"))?;
        let found = addresses(&reply, host, rtype, judge);
        all.extend(found.map_err(|flaw| format!("{host} {rtype}: {}", flaw.reason))?);
    }
    Ok(all)
}
