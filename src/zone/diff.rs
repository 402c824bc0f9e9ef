//! What changed between two versions of a zone, record by record in canonical order, the SOA apart (RFC 2181 §5, RFC 4034 §6).

use crate::rotation::timing::Ttl;
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::diagnostic::Diagnostics;
use crate::zone::file::ZoneFile;
use crate::zone::name::Name;
use crate::zone::nodes::NodeView;
use crate::zone::order::{compare_wire, side_by_side};
use crate::zone::rdata::Soa;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::{BTreeMap, BTreeSet};

/// The difference of two zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneDiff {
    /// The SOA data before and after, when it differs.
    pub soa: Option<(Option<Soa>, Option<Soa>)>,
    /// The RRsets that differ, in canonical order; that of the SOA only when its TTL does.
    pub rrsets: Vec<RrsetDiff>,
}

/// What changed in the records of one owner and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RrsetDiff {
    /// The owner.
    pub owner: Name,
    /// The type.
    pub rtype: Rtype,
    /// The TTL before; `None` when there was no such RRset.
    pub old_ttl: Option<Ttl>,
    /// The TTL after; `None` when there is no such RRset any more.
    pub new_ttl: Option<Ttl>,
    /// Data that is gone.
    pub removed: Vec<Rdata>,
    /// Data that is new.
    pub added: Vec<Rdata>,
}

impl RrsetDiff {
    /// The TTL before and after, when both exist and differ.
    pub fn ttl_change(&self) -> Option<(Ttl, Ttl)> {
        let both = self.old_ttl.zip(self.new_ttl);
        both.filter(|(old, new)| old != new)
    }

    /// A record that is gone, with the TTL it had.
    pub fn old_record(&self, rdata: &Rdata) -> Record {
        self.record(self.old_ttl, rdata)
    }

    /// A record that is new, with its TTL.
    pub fn new_record(&self, rdata: &Rdata) -> Record {
        self.record(self.new_ttl, rdata)
    }

    fn record(&self, ttl: Option<Ttl>, rdata: &Rdata) -> Record {
        // An RRSIG has the TTL of what it covers and repeats it in its data (RFC 4034 §3.1.4).
        let original = match *rdata.0 {
            [_, _, _, _, a, b, c, d, ..] => Some(Ttl(u32::from_be_bytes([a, b, c, d]))),
            _ => None,
        };
        let original = original.filter(|_| self.rtype == Rtype::RRSIG);
        Record {
            owner: self.owner.clone(),
            ttl: original.or(ttl).unwrap_or_default(),
            rtype: self.rtype,
            rdata: rdata.clone(),
        }
    }
}

impl ZoneDiff {
    /// The difference that these records make: what goes and what comes, each with the TTL it has.
    ///
    /// Equal to [`diff`] of the zones in everything but the TTLs of RRsets that keep theirs, which the records cannot tell.
    pub fn of_records(removed: &[Record], added: &[Record]) -> Self {
        type Sides<'r> = (Vec<&'r Record>, Vec<&'r Record>);
        let mut rrsets: BTreeMap<(&Name, Rtype), Sides<'_>> = BTreeMap::new();
        for record in removed {
            let sides = rrsets.entry((&record.owner, record.rtype)).or_default();
            sides.0.push(record);
        }
        for record in added {
            let sides = rrsets.entry((&record.owner, record.rtype)).or_default();
            sides.1.push(record);
        }
        let soa = |side: &[Record]| {
            let mut soas = side.iter().filter(|r| r.rtype == Rtype::SOA);
            Soa::from_rdata(&soas.next()?.rdata)
        };
        let (before, after) = (soa(removed), soa(added));
        let rrset = |side: &[&Record]| {
            let ttl = side.first()?.ttl;
            let rdatas = side.iter().map(|r| r.rdata.clone()).collect();
            Some(Rrset { ttl, rdatas })
        };
        let compared = rrsets.into_iter().filter_map(|((owner, rtype), sides)| {
            let (old, new) = (rrset(&sides.0), rrset(&sides.1));
            rrset_change(
                owner,
                rtype,
                (old.as_ref(), new.as_ref()),
                rtype == Rtype::SOA,
            )
        });
        Self {
            rrsets: compared.collect(),
            soa: (before != after).then_some((before, after)),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.soa.is_none() && self.rrsets.is_empty()
    }

    /// The records that are gone, with their old TTL, the SOA apart.
    pub fn removed(&self) -> impl Iterator<Item = Record> + '_ {
        let gone = |r: &'_ RrsetDiff| -> Vec<Record> {
            r.removed.iter().map(|d| r.old_record(d)).collect()
        };
        self.rrsets.iter().flat_map(gone)
    }

    /// The records that are new, with their TTL, the SOA apart.
    pub fn added(&self) -> impl Iterator<Item = Record> + '_ {
        let come =
            |r: &'_ RrsetDiff| -> Vec<Record> { r.added.iter().map(|d| r.new_record(d)).collect() };
        self.rrsets.iter().flat_map(come)
    }
}

/// Compares two versions of a zone.
pub fn diff(old: &Zone, new: &Zone) -> ZoneDiff {
    let pairs = side_by_side(old.nodes.iter(), new.nodes.iter(), |a, b| a.0.cmp(b.0));
    let changed = pairs.filter(|(a, b)| a.map(|a| a.1) != b.map(|b| b.1));
    let changed = changed.filter_map(|(a, b)| {
        let node = |n: Option<(&Name, &Node)>| n.map(|(_, node)| node.clone()).unwrap_or_default();
        Some((a.or(b)?.0.clone(), node(a), node(b)))
    });
    told(&old.apex, (old.soa(), new.soa()), changed)
}

/// Compares two versions of a zone without making a [`Zone`] of either; an error where one of them has errors.
pub fn diff_files(old: &ZoneFile, new: &ZoneFile) -> Result<ZoneDiff, Diagnostics> {
    let (apex, _) = (old.sound()?, new.sound()?);
    let pairs = side_by_side(old.nodes(), new.nodes(), |a, b| {
        compare_wire(a.owner(), b.owner())
    });
    let same = |a: &NodeView<'_>, b: &NodeView<'_>| a.same_rrsets(b);
    let changed = pairs.filter(|pair| !matches!(pair, (Some(a), Some(b)) if same(a, b)));
    let changed = changed.filter_map(|(a, b)| {
        let node = |n: &Option<NodeView<'_>>| n.as_ref().map(NodeView::to_node).unwrap_or_default();
        let owner = a.as_ref().or(b.as_ref())?.to_owner();
        Some((owner, node(&a), node(&b)))
    });
    Ok(told(apex, (old.soa(), new.soa()), changed))
}

/// The difference of two zones at `apex`, by their SOAs and by the owners at which something changed, before and after.
fn told(
    apex: &Name,
    (before, after): (Option<Soa>, Option<Soa>),
    changed: impl Iterator<Item = (Name, Node, Node)>,
) -> ZoneDiff {
    let mut rrsets = Vec::new();
    for (owner, old, new) in changed {
        let types: BTreeSet<Rtype> = old.keys().chain(new.keys()).copied().collect();
        for rtype in types {
            let both = (old.get(&rtype), new.get(&rtype));
            let is_soa = rtype == Rtype::SOA && owner == *apex;
            rrsets.extend(rrset_change(&owner, rtype, both, is_soa));
        }
    }
    ZoneDiff {
        soa: (before != after).then_some((before, after)),
        rrsets,
    }
}

/// What changed in an RRset, if anything; of the SOA only the TTL.
fn rrset_change(
    owner: &Name,
    rtype: Rtype,
    (old, new): (Option<&Rrset>, Option<&Rrset>),
    is_soa: bool,
) -> Option<RrsetDiff> {
    let mut changed = compare(owner, rtype, old, new);
    if is_soa {
        changed.removed.clear();
        changed.added.clear();
    }
    let differs =
        !changed.removed.is_empty() || !changed.added.is_empty() || changed.ttl_change().is_some();
    differs.then_some(changed)
}

fn compare(owner: &Name, rtype: Rtype, old: Option<&Rrset>, new: Option<&Rrset>) -> RrsetDiff {
    let only_in = |a: Option<&Rrset>, b: Option<&Rrset>| -> Vec<Rdata> {
        let others: BTreeSet<_> = b
            .into_iter()
            .flat_map(|b| &b.rdatas)
            .map(|d| d.canonical(rtype))
            .collect();
        let mine = a.into_iter().flat_map(|a| &a.rdatas);
        mine.filter(|d| !others.contains(&d.canonical(rtype)))
            .cloned()
            .collect()
    };
    RrsetDiff {
        owner: owner.clone(),
        rtype,
        // An RRSIG has the TTL of what it covers: that one is told there.
        old_ttl: old
            .filter(|_| rtype != Rtype::RRSIG || new.is_none())
            .map(|r| r.ttl),
        new_ttl: new.map(|r| r.ttl),
        removed: only_in(old, new),
        added: only_in(new, old),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn zone(serial: u32, rest: &str) -> Zone {
        let text = format!(
            "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 host {serial} 2 3 4 5\n NS ns1.example.net.\n{rest}"
        );
        Zone::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn changes_are_told_record_by_record() {
        let old = zone(
            1,
            "a A 192.0.2.1\n A 192.0.2.2\nb A 192.0.2.3\nm MX 1 A.example.\n",
        );
        let new = zone(
            2,
            "a A 192.0.2.1\n A 192.0.2.4\nb 300 A 192.0.2.3\nm MX 1 a.EXAMPLE.\nc TXT x\n",
        );
        let found = diff(&old, &new);
        let (before, after) = found.soa.clone().unwrap();
        assert_eq!((before.unwrap().serial, after.unwrap().serial), (1, 2));
        let told = |records: Vec<Record>| -> Vec<String> {
            records.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(found.removed().collect()),
            ["a.example.com. 60 IN A 192.0.2.2"]
        );
        let added = [
            "a.example.com. 60 IN A 192.0.2.4",
            "c.example.com. 60 IN TXT \"x\"",
        ];
        assert_eq!(told(found.added().collect()), added);
        let ttls: Vec<_> = found
            .rrsets
            .iter()
            .filter_map(RrsetDiff::ttl_change)
            .collect();
        assert_eq!(ttls, [(Ttl(60), Ttl(300))]);
        assert!(diff(&old, &old).is_empty());
    }
}
