//! Authenticated denial of existence: its kinds, and the chain of NSEC records (RFC 4034 §4, RFC 4035 §2.3, RFC 9077).
//!
//! The chain of NSEC3 records is made in `hashed_denial`.

use crate::dnssec::authority::{Standing, standings};
use crate::dnssec::nsec3::{Hashing, Nsec3};
use crate::rotation::timing::Ttl;
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::rdata::bitmap;
use crate::zone::record::{Rdata, Rtype};

/// How a zone proves that something does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Denial {
    /// NSEC: each name points at the next (RFC 4034 §4).
    #[default]
    Nsec,
    /// NSEC3: each hash of a name points at the next hash (RFC 5155).
    Nsec3 {
        /// How names are hashed.
        hashing: Hashing,
        /// Leave delegations without DS out of the chain (RFC 5155 §6); refused for zones that hold TLSA records.
        opt_out: bool,
    },
}

impl Denial {
    /// How a signed zone proves it.
    pub(super) fn of(signed: &Zone) -> Self {
        let parameters = signed.rrset(&signed.apex, Rtype::NSEC3PARAM);
        let hashing = parameters.and_then(|rrset| Hashing::from_nsec3param(rrset.rdatas.first()?));
        let Some(hashing) = hashing else {
            return Self::Nsec;
        };
        // All records of a chain that we make have the flag, or none.
        let mut links = signed
            .nodes
            .values()
            .filter_map(|node| node.get(&Rtype::NSEC3));
        let link = links.find_map(|rrset| Nsec3::parse(rrset.rdatas.first()?));
        let opt_out = link.is_some_and(|(link, _)| link.opt_out);
        Self::Nsec3 { hashing, opt_out }
    }
}

/// Adds the NSEC records to a zone that has none, or to a run of its owners; `next` is the owner that the last one
/// points at, `ttl` the negative TTL (RFC 9077 §3).
///
/// Every name that owns data of the zone gets one record, delegations too. Empty non-terminals own nothing and get
/// none: the record of the name before them spans them. Glue and names below a DNAME get none.
pub(super) fn link_nsec(zone: &mut Zone, next: &Name, ttl: Ttl) {
    let linked = |standing: Standing| standing != Standing::Occluded;
    let links: Vec<Option<Vec<u16>>> = standings(zone)
        .map(|(_, node, standing)| linked(standing).then(|| types_proven(node, standing)))
        .collect();
    let owners = standings(zone).filter(|(.., standing)| linked(*standing));
    let mut nexts: Vec<Vec<u8>> = owners
        .skip(1)
        .map(|(owner, ..)| owner.canonical())
        .collect();
    nexts.push(next.canonical());
    let with_types = zone.nodes.values_mut().zip(links);
    let linked = with_types.filter_map(|(node, types)| Some((node, types?)));
    for ((node, mut types), mut rdata) in linked.zip(nexts) {
        bitmap::append(&mut types, &mut rdata);
        let rdatas = vec![Rdata(rdata.into())];
        node.insert(Rtype::NSEC, Rrset { ttl, rdatas });
    }
}

/// The types whose presence the NSEC at this node states: all of the zone's own, itself, and its RRSIG.
fn types_proven(node: &Node, standing: Standing) -> Vec<u16> {
    let mut types = types_shown(node, standing);
    types.extend([Rtype::NSEC.0, Rtype::RRSIG.0]);
    types
}

/// The types that a server of the zone shows at this node, before it is signed.
pub(super) fn types_shown(node: &Node, standing: Standing) -> Vec<u16> {
    let shown = node.keys().filter(|rtype| match standing {
        Standing::Cut => **rtype == Rtype::NS || **rtype == Rtype::DS,
        _ => true,
    });
    shown.map(|rtype| rtype.0).collect()
}
