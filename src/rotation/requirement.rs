//! What a step demands of every TLSA RRset of a rotation, and how an RRset compares with it.
//!
//! RFC 7671 §8.1: both the old and the new association stay until the old one can leave.

use super::association::Association;
use std::collections::BTreeSet;

/// What a step demands of every TLSA RRset of the rotation; associations it does not name are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// These must be in it.
    pub present: BTreeSet<Association>,
    /// These must not be in it.
    pub absent: BTreeSet<Association>,
}

impl Requirement {
    /// The RRset that results when this is demanded of `rrset`; what it does not name stays.
    #[must_use]
    pub fn applied_to(&self, rrset: &BTreeSet<Association>) -> BTreeSet<Association> {
        let kept = rrset
            .iter()
            .filter(|association| !self.absent.contains(association));
        kept.chain(&self.present).cloned().collect()
    }

    /// The demanded associations that `rrset` lacks.
    pub fn missing_in<'a>(
        &'a self,
        rrset: &'a BTreeSet<Association>,
    ) -> impl Iterator<Item = &'a Association> {
        self.present.difference(rrset)
    }

    /// The associations in `rrset` that must leave it.
    pub fn unwanted_in<'a>(
        &'a self,
        rrset: &'a BTreeSet<Association>,
    ) -> impl Iterator<Item = &'a Association> {
        self.absent.intersection(rrset)
    }

    /// Whether `rrset` is as demanded.
    pub fn is_met_by(&self, rrset: &BTreeSet<Association>) -> bool {
        self.present.is_subset(rrset) && self.absent.is_disjoint(rrset)
    }
}
