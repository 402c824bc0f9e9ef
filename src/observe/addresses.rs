//! Where the authoritative servers of a zone are asked: as configured, or where those who list them say (RFC 1034 §4.2.1).

use super::listing::{Addresses, Listing};
use crate::rotation::observation::Authority;
use crate::rotation::timing::Ttl;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::net::{IpAddr, SocketAddr};

const DNS: u16 = 53;

/// One address of one authoritative server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityAddress {
    /// The server's name, where it is known.
    pub server: Option<Name>,
    /// Where it is asked.
    pub address: SocketAddr,
}

/// The servers of a zone are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// Servers outside of the zone have their addresses elsewhere.
    #[error(
        "no address of {} is known from the zone {apex} itself; set `servers = [\"192.0.2.53\", …]` for the zone, every address of every server",
        list(.servers)
    )]
    Elsewhere {
        /// The zone.
        apex: Name,
        /// The servers without an address.
        servers: Vec<Name>,
    },
    /// No NS record at the apex.
    #[error("the zone {apex} has no NS record at its apex, and no `servers` are set for it")]
    NoServer {
        /// The zone.
        apex: Name,
    },
}

pub(crate) fn list(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// One server as it is asked, or as it cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The server's name, where it is known.
    pub server: Option<Name>,
    /// Where it is asked; none where no address of it is known.
    pub address: Option<SocketAddr>,
    /// The largest TTL of the NS and address records that lead to it.
    pub ttl: Ttl,
}

/// The listed servers as they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Each address of each server.
    pub placed: Vec<Placed>,
    /// The servers that `configured` has no address for, where it has any.
    pub uncovered: Vec<Name>,
}

/// Finds where the servers that `listing` names are asked.
///
/// Without `configured` addresses: at each address that is listed, on port 53. With them: all of these are asked. One whose
/// IP address is listed for a name stands for that server, whatever its port. The others (servers behind address
/// translation, or in another zone) may each stand for one of the names that are left. If there are more names left than
/// such addresses, nobody knows which of them is hidden: all of them are uncovered, and asked at their own addresses, too.
pub fn place(listing: &Listing, configured: &[SocketAddr]) -> Placement {
    let none = Addresses::new();
    let of = |server: &Name| listing.addresses.get(server).unwrap_or(&none);
    let is_at = |server: &Name, ip: IpAddr| of(server).contains_key(&ip);
    let reach = |server: &Name, ns: Ttl| of(server).values().fold(ns, |all, one| all.max(*one));
    let stands_for = |address: &SocketAddr| {
        let mut servers = listing.servers.keys();
        servers.find(|server| is_at(server, address.ip()))
    };
    let left: Vec<(&Name, Ttl)> = listing
        .servers
        .iter()
        .filter(|(server, _)| !configured.iter().any(|c| is_at(server, c.ip())))
        .map(|(server, ttl)| (server, *ttl))
        .collect();
    let widest = |servers: &mut dyn Iterator<Item = (&Name, Ttl)>| {
        servers.map(|(server, ttl)| reach(server, ttl)).max()
    };
    let everybody = || listing.servers.iter().map(|(server, ttl)| (server, *ttl));
    let others = widest(&mut left.iter().copied());
    let others = others.or_else(|| widest(&mut everybody()));
    let mut placement = Placement::default();
    let mut spare: usize = 0;
    for address in configured {
        let server = stands_for(address);
        let ttl = match server {
            Some(_) => widest(&mut everybody().filter(|(s, _)| is_at(s, address.ip()))),
            None => others,
        };
        spare = spare.saturating_add(usize::from(server.is_none()));
        placement.placed.push(Placed {
            server: server.cloned(),
            address: Some(*address),
            ttl: ttl.unwrap_or_default(),
        });
    }
    if left.len() <= spare {
        return placement;
    }
    for (server, ns) in left {
        if !configured.is_empty() {
            placement.uncovered.push(server.clone());
        }
        let at = |(ip, ttl): (&IpAddr, &Ttl)| Placed {
            server: Some(server.clone()),
            address: Some(SocketAddr::new(*ip, DNS)),
            ttl: ns.max(*ttl),
        };
        placement.placed.extend(of(server).iter().map(at));
        if of(server).is_empty() {
            placement.placed.push(Placed {
                server: Some(server.clone()),
                address: None,
                ttl: ns,
            });
        }
    }
    placement
}

/// The addresses to ask, as far as the zone itself tells; see [`place`].
pub fn addresses(
    zone: &Zone,
    configured: &[SocketAddr],
) -> Result<Vec<AuthorityAddress>, NoAddress> {
    let apex = &zone.apex;
    let Placement { placed, .. } = place(&Listing::of_zone(zone), configured);
    if placed.is_empty() {
        return Err(NoAddress::NoServer { apex: apex.clone() });
    }
    let (mut known, mut elsewhere) = (Vec::new(), Vec::new());
    for Placed {
        server, address, ..
    } in placed
    {
        match address {
            Some(address) => known.push(AuthorityAddress { server, address }),
            None => elsewhere.extend(server),
        }
    }
    // Who is configured is asked all the same.
    if !elsewhere.is_empty() && configured.is_empty() {
        return Err(NoAddress::Elsewhere {
            apex: apex.clone(),
            servers: elsewhere,
        });
    }
    Ok(known)
}

/// The A and AAAA addresses of a host as the zone itself gives them.
pub fn in_zone(zone: &Zone, server: &Name) -> Vec<IpAddr> {
    super::listing::in_zone(zone, server).into_keys().collect()
}

impl AuthorityAddress {
    /// As a person would name it: `ns1.example.com. 192.0.2.53:53`.
    pub fn authority(&self) -> Authority {
        named(self.server.as_ref(), Some(self.address))
    }
}

impl Placed {
    /// As a person would name it; one without an address by its name alone.
    pub fn authority(&self) -> Authority {
        named(self.server.as_ref(), self.address)
    }
}

fn named(server: Option<&Name>, address: Option<SocketAddr>) -> Authority {
    Authority(match (server, address) {
        (Some(server), Some(address)) => format!("{server} {address}"),
        (None, Some(address)) => address.to_string(),
        (Some(server), None) => server.to_string(),
        (None, None) => "a server without name and address".to_owned(),
    })
}

/// The address in the name that a person would give a server, if there is one; port 53 where it names none.
pub fn address_in(authority: &Authority) -> Option<SocketAddr> {
    let last = authority.0.split(' ').next_back()?;
    let with_port = last.parse().ok();
    with_port.or_else(|| Some(SocketAddr::new(last.parse().ok()?, DNS)))
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
