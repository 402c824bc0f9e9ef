//! Who serves a zone: every address of every NS, as its parent delegates it and as the zone itself says (RFC 1034 §4.2.2,
//! RFC 2181 §5.4.1, RFC 9471).

use super::addresses::AuthorityAddress;
use super::answer::{Answer, Content, NoAnswer, Source};
use super::chain::Validator;
use super::dns::{self, Reply, Transport};
use super::listing::{Addresses, Listing};
use super::proof::{self, Trust};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Servers of one zone that are looked at; the root has thirteen.
const SERVERS: usize = 32;
/// Addresses of the parent's servers that are asked before it counts as silent.
const PARENTS: usize = 6;
const DNS: u16 = 53;

/// The servers of a zone and what ties it to its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The zone.
    pub zone: Name,
    /// Every address of every server that parent or zone names.
    pub servers: Vec<AuthorityAddress>,
    /// Servers that the parent names and the zone does not, and the other way round.
    pub differences: Vec<String>,
    /// Servers without any address.
    pub without_address: BTreeSet<Name>,
    /// Why the parent's own list could not be had.
    pub parent_unknown: Option<String>,
    /// Why the zone's own list could not be had.
    pub child_unknown: Option<String>,
    /// The secure DS records of the zone; what its keys are measured by.
    pub trust: Trust,
}

/// Finds out who serves `zone`, through the resolver and from the parent's own servers, each given `patience`.
pub async fn delegation<S: Source + Send + Sync>(
    validator: &Validator<S>,
    zone: &Name,
    patience: Duration,
) -> Result<Delegation, NoAnswer> {
    let ds = validator.lookup(zone, Rtype::DS).await?;
    let (child, child_unknown) = match validator.lookup(zone, Rtype::NS).await {
        Ok(answer) => (servers_in(&answer), None),
        Err(why) => (BTreeSet::new(), Some(why)),
    };
    let (said, parent_unknown) = match &ds.zone {
        Some(parent) => match at_parent(validator, parent, zone, patience).await {
            Ok(said) => (said.listing, said.hidden),
            Err(why) => (Listing::default(), Some(why)),
        },
        None => (
            Listing::default(),
            Some("no signed parent lies above the zone".to_owned()),
        ),
    };
    let parent: BTreeSet<Name> = said.servers.into_keys().collect();
    if let Some(why) = &child_unknown
        && parent.is_empty()
    {
        return Err(why.clone());
    }
    let mut found = Delegation {
        zone: zone.clone(),
        servers: Vec::new(),
        differences: if parent_unknown.is_none() && child_unknown.is_none() {
            differences(zone, &parent, &child)
        } else {
            Vec::new()
        },
        without_address: BTreeSet::new(),
        parent_unknown,
        child_unknown: child_unknown.map(|why| why.to_string()),
        trust: Trust::new(zone, ds.rdatas().to_vec(), &[]),
    };
    for server in parent.union(&child).take(SERVERS) {
        let mut addresses = addresses_of(validator, server).await;
        let glue = said.addresses.get(server);
        addresses.extend(glue.into_iter().flat_map(Addresses::keys));
        if addresses.is_empty() {
            found.without_address.insert(server.clone());
        }
        let at = |ip: IpAddr| AuthorityAddress {
            server: Some(server.clone()),
            address: SocketAddr::new(ip, DNS),
        };
        found.servers.extend(addresses.into_iter().map(at));
    }
    Ok(found)
}

fn differences(zone: &Name, parent: &BTreeSet<Name>, child: &BTreeSet<Name>) -> Vec<String> {
    let only_parent = parent.difference(child);
    let only_parent = only_parent.map(|ns| {
        format!("{ns} is delegated to by the parent of {zone}, the zone does not name it")
    });
    let only_child = child.difference(parent);
    let only_child =
        only_child.map(|ns| format!("{ns} is named by {zone}, its parent does not delegate to it"));
    only_parent.chain(only_child).collect()
}

/// What the parent's servers say of a zone.
pub(super) struct AtParent {
    pub(super) listing: Listing,
    /// Why this is the zone's word and not the parent's.
    pub(super) hidden: Option<String>,
}

/// What the first of the parent's servers that refers to the zone says of it.
///
/// One that serves the zone itself answers with the zone's own NS RRset, which hides the parent's: its word is taken only
/// where no other refers, and said to be what it is.
async fn at_parent<S: Source + Send + Sync>(
    validator: &Validator<S>,
    parent: &Name,
    zone: &Name,
    patience: Duration,
) -> Result<AtParent, String> {
    let servers = validator
        .lookup(parent, Rtype::NS)
        .await
        .map_err(|e| e.to_string())?;
    let mut asked: usize = 0;
    let mut last = Err(format!("no server of {parent} has an address"));
    for server in servers_in(&servers) {
        for ip in addresses_of(validator, &server).await {
            if asked >= PARENTS {
                return last;
            }
            asked = asked.saturating_add(1);
            let address = SocketAddr::new(ip, DNS);
            let reply = match dns::ask(address, Transport::Udp, zone, Rtype::NS, patience).await {
                Ok(reply) if reply.truncated => {
                    dns::ask(address, Transport::Tcp, zone, Rtype::NS, patience).await
                }
                other => other,
            };
            let said = match &reply {
                Ok(reply) => said(reply, zone, &server)
                    .ok_or_else(|| format!("{server} {address} names no server of {zone}")),
                Err(silence) => Err(format!("{server} {address}: {silence}")),
            };
            match said {
                Ok(AtParent { hidden: None, .. }) => return said,
                Err(_) if last.is_ok() => {}
                other => last = other,
            }
        }
    }
    last
}

/// The NS records of a referral, or of an answer where one server has both zones.
pub(super) fn said(reply: &Reply, zone: &Name, by: &Name) -> Option<AtParent> {
    let own = proof::rrset(&reply.answers, zone, Rtype::NS);
    let hidden = own.is_some().then(|| {
        format!(
            "what the parent delegates to cannot be seen: {by} serves {zone} as well and answers with the zone's own NS \
             records; compare those with the registrar's by hand"
        )
    });
    let ns = own.or_else(|| proof::rrset(&reply.authorities, zone, Rtype::NS))?;
    let mut listing = Listing::default();
    listing.name(&ns.rdatas, ns.ttl);
    listing.glue(&reply.additionals);
    Some(AtParent { listing, hidden })
}

fn servers_in(answer: &Answer) -> BTreeSet<Name> {
    let Content::Records(rrset) = &answer.content else {
        return BTreeSet::new();
    };
    let servers = rrset.rdatas.iter();
    servers
        .filter_map(|rdata| Some(Name::split_wire(&rdata.0).ok()?.0))
        .collect()
}

async fn addresses_of<S: Source + Send + Sync>(
    validator: &Validator<S>,
    server: &Name,
) -> BTreeSet<IpAddr> {
    let (four, six) = tokio::join!(
        validator.lookup(server, Rtype::A),
        validator.lookup(server, Rtype::AAAA)
    );
    let found = [four, six].into_iter().flatten();
    found
        .flat_map(|answer| {
            answer
                .rdatas()
                .iter()
                .filter_map(super::senders_view::address)
                .collect::<Vec<_>>()
        })
        .collect()
}
