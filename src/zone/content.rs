//! What a zone means: its RRsets by absolute owner and type, in canonical order (RFC 2181 §5, RFC 4034 §6).

use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;

/// The records of one owner and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    /// The TTL all of them share (RFC 2181 §5.2).
    pub ttl: Ttl,
    /// The data, without duplicates, in canonical order (RFC 4034 §6.3).
    pub rdatas: Vec<Rdata>,
}

/// All RRsets of one owner. RRSIGs are an RRset of type RRSIG like any other.
pub type Node = BTreeMap<Rtype, Rrset>;

/// A zone: an apex and what lies at and below it, in canonical order of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The apex name.
    pub apex: Name,
    /// Owner to RRsets.
    pub nodes: BTreeMap<Name, Node>,
}

impl Zone {
    /// A zone without any record.
    pub fn empty(apex: Name) -> Self {
        Self {
            apex,
            nodes: BTreeMap::new(),
        }
    }

    /// The RRset at `owner` of type `rtype`, if there is one.
    pub fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<&Rrset> {
        self.nodes.get(owner)?.get(&rtype)
    }

    /// Every record, in canonical order.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.nodes.iter().flat_map(|(owner, node)| {
            node.iter().flat_map(move |(&rtype, rrset)| {
                rrset.rdatas.iter().map(move |rdata| Record {
                    owner: owner.clone(),
                    ttl: rrset.ttl,
                    rtype,
                    rdata: rdata.clone(),
                })
            })
        })
    }
}
