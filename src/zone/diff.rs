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
use std::collections::BTreeSet;
use std::fmt;

/// The difference of two zones. Prints as lines that begin with `-`, `+` or, where only the TTL changed, `~`.
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

    fn record(&self, ttl: Option<Ttl>, rdata: &Rdata) -> Record {
        Record {
            owner: self.owner.clone(),
            ttl: ttl.unwrap_or_default(),
            rtype: self.rtype,
            rdata: rdata.clone(),
        }
    }
}

impl ZoneDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.soa.is_none() && self.rrsets.is_empty()
    }

    /// The records that are gone, with their old TTL, the SOA apart.
    pub fn removed(&self) -> impl Iterator<Item = Record> + '_ {
        let gone = |r: &'_ RrsetDiff| -> Vec<Record> {
            r.removed.iter().map(|d| r.record(r.old_ttl, d)).collect()
        };
        self.rrsets.iter().flat_map(gone)
    }

    /// The records that are new, with their TTL, the SOA apart.
    pub fn added(&self) -> impl Iterator<Item = Record> + '_ {
        let come = |r: &'_ RrsetDiff| -> Vec<Record> {
            r.added.iter().map(|d| r.record(r.new_ttl, d)).collect()
        };
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
            let mut changed = compare(&owner, rtype, old.get(&rtype), new.get(&rtype));
            if rtype == Rtype::SOA && owner == *apex {
                changed.removed.clear();
                changed.added.clear();
            }
            let differs = !changed.removed.is_empty()
                || !changed.added.is_empty()
                || changed.ttl_change().is_some();
            rrsets.extend(differs.then_some(changed));
        }
    }
    ZoneDiff {
        soa: (before != after).then_some((before, after)),
        rrsets,
    }
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

impl fmt::Display for ZoneDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((old, new)) = &self.soa {
            write_soa(old.as_ref(), new.as_ref(), f)?;
        }
        for rrset in &self.rrsets {
            for rdata in &rrset.removed {
                writeln!(f, "- {}", rrset.record(rrset.old_ttl, rdata))?;
            }
            for rdata in &rrset.added {
                writeln!(f, "+ {}", rrset.record(rrset.new_ttl, rdata))?;
            }
            if let Some((old, new)) = rrset.ttl_change() {
                writeln!(f, "~ {} {} TTL {old} -> {new}", rrset.owner, rrset.rtype)?;
            }
        }
        Ok(())
    }
}

/// The fields of the SOA that differ, the serial first.
fn write_soa(old: Option<&Soa>, new: Option<&Soa>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (Some(old), Some(new)) = (old, new) else {
        let what = if new.is_some() {
            "+ SOA appears"
        } else {
            "- SOA disappears"
        };
        return writeln!(f, "{what}");
    };
    let fields = [
        ("serial", old.serial.to_string(), new.serial.to_string()),
        ("primary", old.primary.to_string(), new.primary.to_string()),
        ("mailbox", old.mailbox.to_string(), new.mailbox.to_string()),
        ("refresh", old.refresh.to_string(), new.refresh.to_string()),
        ("retry", old.retry.to_string(), new.retry.to_string()),
        ("expire", old.expire.to_string(), new.expire.to_string()),
        ("minimum", old.minimum.to_string(), new.minimum.to_string()),
    ];
    for (field, old, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
        writeln!(f, "~ SOA {field} {old} -> {new}")?;
    }
    Ok(())
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
        let expected = "~ SOA serial 1 -> 2\n- a.example.com. 60 IN A 192.0.2.2\n+ a.example.com. 60 IN A 192.0.2.4\n\
            ~ b.example.com. A TTL 60 -> 300\n+ c.example.com. 60 IN TXT \"x\"\n";
        assert_eq!(diff(&old, &new).to_string(), expected);
        assert_eq!(
            (
                diff(&old, &new).removed().count(),
                diff(&old, &new).added().count()
            ),
            (1, 2)
        );
        assert!(diff(&old, &old).is_empty());
    }
}
