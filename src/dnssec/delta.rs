//! What changes between two versions of a signed zone, in the order of an incremental transfer (RFC 1995 §4).
//!
//! As text: comments that name the zone and the serials, then one record a line, `-` what goes and `+` what comes,
//! the old SOA first on the one side and the new SOA first on the other.

mod text;

pub use text::DeltaTextError;

use crate::zone::content::{Node, Zone, ttl_in};
use crate::zone::name::Name;
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Record, Rtype};
use crate::zone::serial;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The records that go and come between two serials of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    apex: Name,
    /// The old SOA, then what goes.
    removed: Vec<Record>,
    /// The new SOA, then what comes.
    added: Vec<Record>,
}

/// Why two zones have no delta.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDelta {
    /// Two different zones.
    #[error("these are two zones, {0} and {1}")]
    OtherZone(Name, Name),
    /// Not exactly one SOA on one side.
    #[error("{0} has no SOA record, or several")]
    Soa(Name),
    /// Content changed under the same or a smaller serial: no secondary would ever take it.
    #[error(
        "the zone {apex} changes, but its serial goes from {old} to {new}, which is no advance (RFC 1982); raise the serial"
    )]
    Serial {
        /// The zone.
        apex: Name,
        /// The serial before.
        old: u32,
        /// The serial after.
        new: u32,
    },
    /// The delta, applied, does not give the target: an error of this program.
    #[error("the delta does not lead from the one zone to the other: {0}")]
    DoesNotLead(Mismatch),
}

/// Why a delta cannot be applied to a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another zone.
    #[error("the delta is for {0}")]
    OtherZone(Name),
    /// The base is another version of the zone.
    #[error("the delta starts from serial {expected}, the zone is at {}", found.map_or("none".to_owned(), |s| s.to_string()))]
    Serial {
        /// The serial that the delta starts from.
        expected: u32,
        /// The zone's.
        found: Option<u32>,
    },
    /// A record that should go is not there, or has another TTL.
    #[error("the zone does not hold the record to be removed: {0}")]
    Missing(Box<Record>),
    /// A record that should come is there already.
    #[error("the zone already holds the record to be added: {0}")]
    Present(Box<Record>),
    /// A record that should come would have another TTL than the rest of its RRset, or than what it covers.
    #[error("the TTL of the record to be added does not fit the records beside it: {0}")]
    Ttl(Box<Record>),
    /// What comes out is not what should.
    #[error("the result differs from the target")]
    Result,
}

impl Delta {
    /// The delta from `old` to `new`; `None` if nothing changes. Checked by applying it before it is handed out.
    pub fn between(old: &Zone, new: &Zone) -> Result<Option<Self>, NoDelta> {
        if old.apex != new.apex {
            return Err(NoDelta::OtherZone(old.apex.clone(), new.apex.clone()));
        }
        let soa = |zone: &Zone| soa_record(zone).ok_or_else(|| NoDelta::Soa(zone.apex.clone()));
        let (old_soa, new_soa) = (soa(old)?, soa(new)?);
        // In the case that the records have, not the caller: the text form knows no other.
        let apex = old_soa.owner.clone();
        let (mut removed, mut added) = (vec![old_soa], vec![new_soa]);
        difference(old, new, &mut removed, &mut added);
        if removed.len() == 1 && added.len() == 1 && removed == added {
            return Ok(None);
        }
        let delta = Self {
            apex,
            removed,
            added,
        };
        let (before, after) = (delta.old_serial(), delta.new_serial());
        if !advances(before, after) {
            return Err(NoDelta::Serial {
                apex: delta.apex,
                old: before,
                new: after,
            });
        }
        delta.prove(old, new).map_err(NoDelta::DoesNotLead)?;
        Ok(Some(delta))
    }

    /// The zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The serial of the base.
    pub fn old_serial(&self) -> u32 {
        serial_of(&self.removed)
    }

    /// The serial of the target.
    pub fn new_serial(&self) -> u32 {
        serial_of(&self.added)
    }

    /// What goes, the old SOA first.
    pub fn removed(&self) -> &[Record] {
        &self.removed
    }

    /// What comes, the new SOA first.
    pub fn added(&self) -> &[Record] {
        &self.added
    }

    /// The records of an incremental transfer, without the SOA that opens and closes it (RFC 1995 §4).
    pub fn in_transfer_order(&self) -> impl Iterator<Item = &Record> {
        self.removed.iter().chain(&self.added)
    }

    /// The zone that comes out when the delta is applied to `base`, which must be exactly the one it was made from in
    /// everything that the delta touches.
    pub fn apply(&self, base: &Zone) -> Result<Zone, Mismatch> {
        let mut zone = base.clone();
        self.apply_to(&mut zone)?;
        Ok(zone)
    }

    /// The same without a copy. On an error some records may be changed already: the zone is of no use any more.
    pub fn apply_to(&self, zone: &mut Zone) -> Result<(), Mismatch> {
        if zone.apex != self.apex {
            return Err(Mismatch::OtherZone(self.apex.clone()));
        }
        if soa_record(zone).as_ref() != self.removed.first() {
            return Err(Mismatch::Serial {
                expected: self.old_serial(),
                found: zone.soa().map(|soa| soa.serial),
            });
        }
        // Asked while nothing is gone yet: an RRSIG has the TTL of what it covers, which may go too.
        if let Some(record) = self.removed.iter().find(|record| !holds(zone, record)) {
            return Err(Mismatch::Missing(Box::new(record.clone())));
        }
        for record in &self.removed {
            if !zone.remove(&record.owner, record.rtype, &record.rdata) {
                // There once, to be removed twice.
                return Err(Mismatch::Missing(Box::new(record.clone())));
            }
        }
        for record in &self.added {
            let beside = zone.rrset(&record.owner, record.rtype).map(|r| r.ttl);
            if record.rtype != Rtype::RRSIG && beside.is_some_and(|ttl| ttl != record.ttl) {
                return Err(Mismatch::Ttl(Box::new(record.clone())));
            }
            if !zone.insert(record.clone()) {
                return Err(Mismatch::Present(Box::new(record.clone())));
            }
        }
        // And asked once all has come, for the same reason.
        match self.added.iter().find(|record| !holds(zone, record)) {
            Some(record) => Err(Mismatch::Ttl(Box::new(record.clone()))),
            None => Ok(()),
        }
    }

    /// That the delta, applied to `old`, gives exactly `new`.
    ///
    /// Owners that the delta names are taken out of `old`, changed by [`Delta::apply_to`] as any zone would be, and
    /// compared with those of `new`; all others must be the same in both. So nothing but what changes is copied.
    fn prove(&self, old: &Zone, new: &Zone) -> Result<(), Mismatch> {
        let touched: BTreeSet<&Name> = self.in_transfer_order().map(|r| &r.owner).collect();
        let part = |zone: &Zone| Zone {
            apex: zone.apex.clone(),
            nodes: touched
                .iter()
                .filter_map(|owner| zone.nodes.get_key_value(*owner))
                .map(|(owner, node)| (owner.clone(), node.clone()))
                .collect(),
        };
        let mut reached = part(old);
        self.apply_to(&mut reached)?;
        let rest = |zone: &'_ Zone| {
            let nodes = zone.nodes.iter();
            nodes.filter(|(owner, _)| !touched.contains(owner)).count()
        };
        let others_stay = || {
            let others = |(owner, _): &(&Name, &Node)| !touched.contains(owner);
            let (a, b) = (old.nodes.iter(), new.nodes.iter());
            let mut pairs = a.filter(others).zip(b.filter(others));
            pairs.all(|((a, mine), (b, theirs))| a == b && same_node(mine, theirs))
        };
        let as_wanted = reached.records().eq(part(new).records());
        if as_wanted && rest(old) == rest(new) && others_stay() {
            Ok(())
        } else {
            Err(Mismatch::Result)
        }
    }
}

/// Collects the records of only one of the zones, the SOAs left out, in canonical order. Copies only what differs.
fn difference(old: &Zone, new: &Zone, removed: &mut Vec<Record>, added: &mut Vec<Record>) {
    let none = Node::new();
    let (mut olds, mut news) = (old.nodes.iter().peekable(), new.nodes.iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some((mine, _)), Some((theirs, _))) => mine.cmp(theirs),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        let mine = if order.is_le() { olds.next() } else { None };
        let theirs = if order.is_ge() { news.next() } else { None };
        let Some((owner, _)) = mine.or(theirs) else {
            return;
        };
        let nodes = (
            mine.map_or(&none, |(_, n)| n),
            theirs.map_or(&none, |(_, n)| n),
        );
        if !same_node(nodes.0, nodes.1) {
            node_difference(owner, nodes, *owner == old.apex, removed, added);
        }
    }
}

fn node_difference(
    owner: &Name,
    (old, new): (&Node, &Node),
    at_apex: bool,
    removed: &mut Vec<Record>,
    added: &mut Vec<Record>,
) {
    let apart = |(a, data): &Single<'_>, (b, other): &Single<'_>| {
        let canonical = || data.canonical(*a).cmp(&other.canonical(*b));
        a.cmp(b).then_with(canonical).then_with(|| data.cmp(other))
    };
    let rest = |node| singles(node).filter(move |(t, _)| !(at_apex && *t == Rtype::SOA));
    let (mut olds, mut news) = (rest(old).peekable(), rest(new).peekable());
    let record = |node: &Node, (rtype, rdata): Single<'_>| Record {
        owner: owner.clone(),
        ttl: ttl_in(node, rtype, rdata).unwrap_or_default(),
        rtype,
        rdata: rdata.clone(),
    };
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some(gone), Some(come)) => apart(gone, come),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        let gone = if order.is_le() { olds.next() } else { None };
        let come = if order.is_ge() { news.next() } else { None };
        let (gone, come) = (gone.map(|s| record(old, s)), come.map(|s| record(new, s)));
        // Equal but for the TTL: the one goes, the other comes.
        if gone != come {
            removed.extend(gone);
            added.extend(come);
        }
    }
}

/// One record of a node.
type Single<'a> = (Rtype, &'a Rdata);

/// The records of a node in canonical order.
fn singles(node: &Node) -> impl Iterator<Item = Single<'_>> {
    node.iter()
        .flat_map(|(rtype, rrset)| rrset.rdatas.iter().map(|rdata| (*rtype, rdata)))
}

/// Whether two nodes hold the same records. What is kept as the TTL of an RRset of RRSIGs means nothing (RFC 4034 §3)
/// unless it covers what is not there.
fn same_node(a: &Node, b: &Node) -> bool {
    a == b
        || singles(a).eq(singles(b))
            && singles(a).all(|(t, data)| ttl_in(a, t, data) == ttl_in(b, t, data))
}

/// Whether the zone holds the record, TTL included.
fn holds(zone: &Zone, record: &Record) -> bool {
    let Some(node) = zone.nodes.get(&record.owner) else {
        return false;
    };
    let Some(rrset) = node.get(&record.rtype) else {
        return false;
    };
    ttl_in(node, record.rtype, &record.rdata) == Some(record.ttl)
        && rrset.rdatas.contains(&record.rdata)
}

fn soa_record(zone: &Zone) -> Option<Record> {
    // The owner in the case in which the zone's text has it, which need not be that of the apex given.
    let (owner, node) = zone.nodes.get_key_value(&zone.apex)?;
    let rrset = node.get(&Rtype::SOA)?;
    let [rdata] = rrset.rdatas.as_slice() else {
        return None;
    };
    Some(Record {
        owner: owner.clone(),
        ttl: rrset.ttl,
        rtype: Rtype::SOA,
        rdata: rdata.clone(),
    })
}

fn serial_of(side: &[Record]) -> u32 {
    side.first()
        .and_then(|soa| Soa::from_rdata(&soa.rdata))
        .map_or(0, |soa| soa.serial)
}

/// Whether a secondary at `old` takes `new` (RFC 1982 §3.2).
fn advances(old: u32, new: u32) -> bool {
    serial::compare(new, old) == Some(Ordering::Greater)
}

#[cfg(test)]
mod tests;
