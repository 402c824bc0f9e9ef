//! What differs between two versions of a zone in the verbs of a person: add, remove, change, another TTL (RFC 2181 §5).
//!
//! Signatures and denial records follow from the rest and are counted, not listed, unless they are asked for.

use crate::dnssec::delta::Delta;
use crate::rotation::timing::Ttl;
use crate::zone::diff::{RrsetDiff, ZoneDiff};
use crate::zone::name::Name;
use crate::zone::rdata::{Soa, words_before_hex};
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;
use std::fmt;

/// One thing that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A record comes.
    Add(Record),
    /// A record goes.
    Remove(Record),
    /// A record of an owner and type goes and another of them comes.
    Replace {
        /// What goes.
        old: Record,
        /// What comes.
        new: Record,
    },
    /// The records stay, or some of them, under another TTL.
    Ttl {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: Rtype,
        /// The TTL before.
        old: Ttl,
        /// The TTL after.
        new: Ttl,
    },
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// RRSIG, NSEC and NSEC3 records are counted.
    Meaning,
    /// Every record is listed.
    Everything,
}

/// How many records of a type go and come, where they are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many go.
    pub removed: usize,
    /// How many come.
    pub added: usize,
}

/// Everything that changes, in canonical order of owners and types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The SOA data before and after, when it differs.
    pub soa: Option<(Option<Soa>, Option<Soa>)>,
    /// What is listed.
    pub listed: Vec<Change>,
    /// What is only counted.
    pub counted: BTreeMap<Rtype, Count>,
}

impl Changes {
    /// The changes between two zones.
    pub fn of(diff: &ZoneDiff, detail: Detail) -> Self {
        let mut changes = Self {
            soa: diff.soa.clone(),
            ..Self::default()
        };
        for rrset in &diff.rrsets {
            if detail == Detail::Meaning && follows(rrset.rtype) {
                let count = changes.counted.entry(rrset.rtype).or_default();
                count.removed = count.removed.saturating_add(rrset.removed.len());
                count.added = count.added.saturating_add(rrset.added.len());
            } else {
                list(rrset, &mut changes.listed);
            }
        }
        changes
    }

    /// The changes that a delta makes: the same as those between the two zones that it was made from.
    pub fn of_delta(delta: &Delta, detail: Detail) -> Self {
        Self::of(
            &ZoneDiff::of_records(delta.removed(), delta.added()),
            detail,
        )
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.soa.is_none() && self.listed.is_empty() && self.counted.is_empty()
    }

    /// One line: how many of each verb, and the serials.
    pub fn summary(&self) -> String {
        let count = |verb: &str| self.listed.iter().filter(|c| c.verb() == verb).count();
        let mut parts: Vec<String> = [
            ("add", "added"),
            ("remove", "removed"),
            ("change", "changed"),
            ("ttl", "with another TTL"),
        ]
        .into_iter()
        .map(|(verb, told)| (count(verb), told))
        .filter(|(count, _)| *count > 0)
        .map(|(count, told)| format!("{count} {told}"))
        .collect();
        if let Some((Some(old), Some(new))) = &self.soa
            && old.serial != new.serial
        {
            parts.push(format!("serial {} -> {}", old.serial, new.serial));
        }
        if parts.is_empty() {
            let told = if self.is_empty() {
                "nothing changes"
            } else {
                "no more than signatures, denial or the SOA"
            };
            parts.push(told.to_owned());
        }
        parts.join(", ")
    }
}

impl Change {
    /// The verb: `add`, `remove`, `change` or `ttl`.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
            Self::Replace { .. } => "change",
            Self::Ttl { .. } => "ttl",
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} removed, {} added", self.removed, self.added)
    }
}

/// Whether records of the type follow from the others (RFC 4035 §2).
fn follows(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3)
}

fn list(rrset: &RrsetDiff, into: &mut Vec<Change>) {
    let mut added: Vec<&Rdata> = rrset.added.iter().collect();
    let mut removed = Vec::new();
    for gone in &rrset.removed {
        // A record that differs in its hash only is the one that is replaced.
        let head = head(gone, rrset.rtype);
        match added
            .iter()
            .position(|come| self::head(come, rrset.rtype) == head)
        {
            Some(at) if !head.is_empty() => removed.push((gone, Some(added.remove(at)))),
            _ => removed.push((gone, None)),
        }
    }
    let mut rest = added.into_iter();
    for (gone, partner) in removed {
        let old = rrset.old_record(gone);
        into.push(match partner.or_else(|| rest.next()) {
            Some(come) => Change::Replace {
                old,
                new: rrset.new_record(come),
            },
            None => Change::Remove(old),
        });
    }
    into.extend(rest.map(|come| Change::Add(rrset.new_record(come))));
    if let Some((old, new)) = rrset.ttl_change() {
        into.push(Change::Ttl {
            owner: rrset.owner.clone(),
            rtype: rrset.rtype,
            old,
            new,
        });
    }
}

/// What stands in front of the hash in a record that ends with one; nothing for others.
fn head(rdata: &Rdata, rtype: Rtype) -> String {
    split_hash(&rdata.to_text(rtype), rtype).map_or(String::new(), |(head, _)| head)
}

/// The words in front of a long hexadecimal number at the end of a record's data, and its digits without blanks.
pub(super) fn split_hash(data: &str, rtype: Rtype) -> Option<(String, String)> {
    /// Nobody needs help with fewer: an address is read as a whole.
    const LONG: usize = 40;
    let generic = data.starts_with("\\#").then_some(2);
    let in_front = generic.or_else(|| words_before_hex(rtype))?;
    let mut words = data.split_ascii_whitespace();
    let head: Vec<&str> = words.by_ref().take(in_front).collect();
    let digits: String = words.collect();
    let hex = digits.len() >= LONG && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| (head.join(" "), digits.to_ascii_lowercase()))
}
