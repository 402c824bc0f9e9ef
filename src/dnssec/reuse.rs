//! Signatures of an earlier run that may stay, so that one changed record re-signs one RRset and not the zone.

use crate::dnssec::rrsig::Rrsig;
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;

/// Where signatures may be taken from.
#[derive(Clone, Copy, Default)]
pub struct Earlier<'a> {
    /// The zone as it was signed before.
    pub zone: Option<&'a Zone>,
    /// Whether `zone` is known to be as it was when it was signed and its signatures held: then those over unchanged
    /// RRsets are not checked again. With elliptic curves a check costs more than a signature.
    pub trusted: bool,
    /// More RRSIG records, of whatever origin; other records are passed over. Each is checked before it is used.
    pub extra: &'a [Record],
}

/// [`Earlier`], ready to be asked.
pub(super) struct Pool<'a> {
    zone: Option<&'a Zone>,
    trusted: bool,
    extra: BTreeMap<&'a Name, Vec<&'a Rdata>>,
}

/// What there is for one owner.
#[derive(Clone, Copy)]
pub(super) struct Candidates<'a> {
    node: Option<&'a Node>,
    trusted: bool,
    extra: &'a [&'a Rdata],
}

impl<'a> Pool<'a> {
    pub(super) fn new(earlier: &Earlier<'a>) -> Self {
        let mut extra: BTreeMap<&Name, Vec<&Rdata>> = BTreeMap::new();
        for record in earlier.extra.iter().filter(|r| r.rtype == Rtype::RRSIG) {
            extra.entry(&record.owner).or_default().push(&record.rdata);
        }
        Self {
            zone: earlier.zone,
            trusted: earlier.trusted,
            extra,
        }
    }

    /// A walk beside the zone to be signed: both are in canonical order.
    pub(super) fn walk(&'a self) -> Walk<'a, impl Iterator<Item = (&'a Name, &'a Node)>> {
        let nodes = self.zone.into_iter().flat_map(|zone| &zone.nodes);
        Walk {
            pool: self,
            nodes: nodes.peekable(),
        }
    }
}

/// See [`Pool::walk`].
pub(super) struct Walk<'a, I: Iterator<Item = (&'a Name, &'a Node)>> {
    pool: &'a Pool<'a>,
    nodes: Peekable<I>,
}

impl<'a, I: Iterator<Item = (&'a Name, &'a Node)>> Walk<'a, I> {
    /// What there is for `owner`; owners must be asked for in canonical order.
    pub(super) fn at(&mut self, owner: &Name) -> Candidates<'a> {
        let mut node = None;
        while let Some((name, found)) = self.nodes.peek() {
            match (*name).cmp(owner) {
                Ordering::Less => {}
                Ordering::Equal => node = Some(*found),
                Ordering::Greater => break,
            }
            self.nodes.next();
        }
        let extra = self.pool.extra.get(owner);
        Candidates {
            node,
            trusted: self.pool.trusted,
            extra: extra.map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

impl<'a> Candidates<'a> {
    /// Every readable RRSIG over this type, with its RDATA.
    pub(super) fn over(self, rtype: Rtype) -> impl Iterator<Item = (&'a Rdata, Rrsig<'a>)> {
        let own = self.node.and_then(|node| node.get(&Rtype::RRSIG));
        own.into_iter()
            .flat_map(|rrset| &rrset.rdatas)
            .chain(self.extra.iter().copied())
            .filter(move |rdata| Rrsig::covered_by(rdata) == Some(rtype))
            .filter_map(|rdata| Some((rdata, Rrsig::parse(rdata).ok()?)))
    }

    /// Whether `rdata` is a signature that is known to hold over `rrset` without being checked.
    pub(super) fn vouches_for(self, rdata: &Rdata, rtype: Rtype, rrset: &Rrset) -> bool {
        self.trusted
            && self.node.is_some_and(|node| {
                node.get(&rtype) == Some(rrset)
                    && node
                        .get(&Rtype::RRSIG)
                        .is_some_and(|signatures| signatures.rdatas.contains(rdata))
            })
    }
}
