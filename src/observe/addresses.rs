//! Where the authoritative servers of a zone are asked: as configured, or as the zone itself says (RFC 1034 §4.2.1).

use crate::rotation::observation::Authority;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One address of one authoritative server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityAddress {
    /// The server's name, where it is known.
    pub server: Option<Name>,
    /// Where it is asked.
    pub address: SocketAddr,
}

/// The servers of a zone cannot be told.
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

fn list(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The addresses to ask: `configured` if there are any, else those of the zone's NS names as the zone itself gives them.
pub fn addresses(
    zone: &Zone,
    configured: &[SocketAddr],
) -> Result<Vec<AuthorityAddress>, NoAddress> {
    let apex = &zone.apex;
    let ns = zone.rrset(apex, Rtype::NS).map(|ns| ns.rdatas.as_slice());
    let mut known = Vec::new();
    let mut elsewhere = Vec::new();
    for rdata in ns.unwrap_or_default() {
        let Ok((server, _)) = Name::split_wire(&rdata.0) else {
            continue;
        };
        let found = in_zone(zone, &server);
        if found.is_empty() {
            elsewhere.push(server.clone());
        }
        known.extend(found.into_iter().map(|ip| AuthorityAddress {
            server: Some(server.clone()),
            address: SocketAddr::new(ip, 53),
        }));
    }
    if !configured.is_empty() {
        let named = |address: SocketAddr| AuthorityAddress {
            server: known
                .iter()
                .find(|k| k.address.ip() == address.ip())
                .and_then(|k| k.server.clone()),
            address,
        };
        return Ok(configured.iter().copied().map(named).collect());
    }
    if !elsewhere.is_empty() {
        return Err(NoAddress::Elsewhere {
            apex: apex.clone(),
            servers: elsewhere,
        });
    }
    if known.is_empty() {
        return Err(NoAddress::NoServer { apex: apex.clone() });
    }
    Ok(known)
}

/// The A and AAAA addresses of a host as the zone itself gives them.
pub fn in_zone(zone: &Zone, server: &Name) -> Vec<IpAddr> {
    let rdatas = |rtype| {
        zone.rrset(server, rtype)
            .map(|r| r.rdatas.as_slice())
            .unwrap_or_default()
    };
    let v4 = |rdata: &Rdata| Some(Ipv4Addr::from(<[u8; 4]>::try_from(&*rdata.0).ok()?).into());
    let v6 = |rdata: &Rdata| Some(Ipv6Addr::from(<[u8; 16]>::try_from(&*rdata.0).ok()?).into());
    let four = rdatas(Rtype::A).iter().filter_map(v4);
    four.chain(rdatas(Rtype::AAAA).iter().filter_map(v6))
        .collect()
}

impl AuthorityAddress {
    /// As a person would name it: `ns1.example.com. 192.0.2.53:53`.
    pub fn authority(&self) -> Authority {
        Authority(match &self.server {
            Some(server) => format!("{server} {}", self.address),
            None => self.address.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn zone(records: &str) -> Zone {
        let apex = Name::parse(b"e.", None).unwrap();
        let text = format!("$ORIGIN e.\n$TTL 60\n@ SOA n h 1 2 3 4 5\n{records}");
        Zone::parse(text.as_bytes(), Some(&apex)).unwrap()
    }

    fn shown(found: Result<Vec<AuthorityAddress>, NoAddress>) -> String {
        match found {
            Ok(found) => {
                let shown: Vec<String> = found.iter().map(|a| a.authority().0).collect();
                shown.join(", ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn servers_are_those_of_the_zone_or_those_configured() {
        let inside = "@ NS n\nn A 192.0.2.53\nn AAAA 2001:db8::53\n";
        let outside = "@ NS n\n@ NS ns.example.net.\nn A 192.0.2.53\n";
        let table: [(&str, &[&str], &str); 4] = [
            (inside, &[], "n.e. 192.0.2.53:53, n.e. [2001:db8::53]:53"),
            (
                inside,
                &["192.0.2.53:5353", "198.51.100.1:53"],
                "n.e. 192.0.2.53:5353, 198.51.100.1:53",
            ),
            (
                outside,
                &["[2001:db8::1]:53", "[2001:db8::3]:54"],
                "[2001:db8::1]:53, [2001:db8::3]:54",
            ),
            (
                outside,
                &[],
                "no address of ns.example.net. is known from the zone e. itself; set `servers",
            ),
        ];
        for (records, configured, expected) in table {
            let configured: Vec<SocketAddr> = configured
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
            let found = shown(addresses(&zone(records), &configured));
            assert!(found.contains(expected), "{found} instead of {expected}");
        }
    }

    #[test]
    fn a_zone_without_servers_has_no_address() {
        let zone = Zone::empty(Name::parse(b"e.", None).unwrap());
        assert!(shown(addresses(&zone, &[])).contains("has no NS record"));
        assert_eq!(
            shown(addresses(&zone, &["192.0.2.1:53".parse().unwrap()])),
            "192.0.2.1:53"
        );
    }
}
