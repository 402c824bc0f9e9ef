//! The RRsets of one owner (RFC 2181 §5), small: a large zone has a million of these.

use crate::rotation::timing::Ttl;
use crate::zone::record::{Rdata, Rtype};
use std::sync::Arc;
use std::{iter, mem, slice};

/// The records of one owner and type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rrset {
    /// The TTL all of them share (RFC 2181 §5.2). RRSIGs take theirs from the RRset they cover: see [`Zone::records`].
    ///
    /// [`Zone::records`]: super::content::Zone::records
    pub ttl: Ttl,
    /// The data, without duplicates, in canonical order (RFC 4034 §6.3).
    pub rdatas: Vec<Rdata>,
}

impl Rrset {
    /// Where data stands in canonical order, or where it would (RFC 4034 §6.3).
    pub(super) fn search(&self, rtype: Rtype, rdata: &Rdata) -> Result<usize, usize> {
        let wanted = rdata.canonical(rtype);
        self.rdatas
            .binary_search_by(|other| other.canonical(rtype).cmp(&wanted))
    }
}

/// All RRsets of one owner, by type. RRSIGs are an RRset of type RRSIG like any other.
///
/// A copy shares what it holds until one of the two is changed, so that two versions of a zone take little more memory
/// than one.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// In ascending order of types.
    rrsets: Arc<[(Rtype, Rrset)]>,
}

impl Node {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The RRset of a type.
    pub fn get(&self, rtype: &Rtype) -> Option<&Rrset> {
        let at = self.place(*rtype).ok()?;
        self.rrsets.get(at).map(|(_, rrset)| rrset)
    }

    /// The RRset of a type, to be changed.
    pub fn get_mut(&mut self, rtype: &Rtype) -> Option<&mut Rrset> {
        let at = self.place(*rtype).ok()?;
        let own = Arc::make_mut(&mut self.rrsets);
        own.get_mut(at).map(|(_, rrset)| rrset)
    }

    /// The RRset of a type, to be changed; `new` where there is none yet.
    pub fn get_or_insert_with(&mut self, rtype: Rtype, new: impl FnOnce() -> Rrset) -> &mut Rrset {
        let at = self.place(rtype).unwrap_or_else(|at| {
            self.change(|rrsets| rrsets.insert(at, (rtype, new())));
            at
        });
        let own = Arc::make_mut(&mut self.rrsets);
        #[allow(clippy::indexing_slicing)] // it was found there, or put there
        &mut own[at].1
    }

    /// Whether there is an RRset of a type.
    pub fn contains_key(&self, rtype: &Rtype) -> bool {
        self.place(*rtype).is_ok()
    }

    /// Puts an RRset in the place of the one of its type, which is returned.
    pub fn insert(&mut self, rtype: Rtype, rrset: Rrset) -> Option<Rrset> {
        if let Some(present) = self.get_mut(&rtype) {
            return Some(mem::replace(present, rrset));
        }
        self.get_or_insert_with(rtype, || rrset);
        None
    }

    /// Takes the RRset of a type out.
    pub fn remove(&mut self, rtype: &Rtype) -> Option<Rrset> {
        let at = self.place(*rtype).ok()?;
        Some(self.change(|rrsets| rrsets.remove(at)).1)
    }

    /// Keeps only the RRsets that `wanted` says.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Rtype, &mut Rrset) -> bool) {
        self.change(|rrsets| rrsets.retain_mut(|(rtype, rrset)| wanted(rtype, rrset)));
    }

    /// The types and their RRsets, in ascending order of types.
    pub fn iter(&self) -> Iter<'_> {
        self.rrsets.iter().map(|(rtype, rrset)| (rtype, rrset))
    }

    /// The types, in ascending order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Rtype> {
        self.rrsets.iter().map(|(rtype, _)| rtype)
    }

    /// The RRsets.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Rrset> {
        self.rrsets.iter().map(|(_, rrset)| rrset)
    }

    /// The RRsets, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Rrset> {
        let own = Arc::make_mut(&mut self.rrsets);
        own.iter_mut().map(|(_, rrset)| rrset)
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.rrsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rrsets.is_empty()
    }

    /// Where a type stands, or where it would.
    fn place(&self, rtype: Rtype) -> Result<usize, usize> {
        // There are a few, mostly: no search is faster than going through them.
        let at = self.rrsets.iter().position(|(there, _)| *there >= rtype);
        let at = at.unwrap_or(self.rrsets.len());
        match self.rrsets.get(at) {
            Some((there, _)) if *there == rtype => Ok(at),
            _ => Err(at),
        }
    }

    /// Lets `change` add and remove RRsets.
    fn change<R>(&mut self, change: impl FnOnce(&mut Vec<(Rtype, Rrset)>) -> R) -> R {
        let mut rrsets: Vec<(Rtype, Rrset)> = match Arc::get_mut(&mut self.rrsets) {
            Some(own) => own.iter_mut().map(|(t, r)| (*t, mem::take(r))).collect(),
            None => self.rrsets.to_vec(),
        };
        let result = change(&mut rrsets);
        self.rrsets = rrsets.into();
        result
    }
}

impl PartialEq for Node {
    /// What is shared is the same without being looked at.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rrsets, &other.rrsets) || self.rrsets == other.rrsets
    }
}

impl Eq for Node {}

/// The types of a node and their RRsets.
type Iter<'a> =
    iter::Map<slice::Iter<'a, (Rtype, Rrset)>, fn(&'a (Rtype, Rrset)) -> (&'a Rtype, &'a Rrset)>;

impl<'a> IntoIterator for &'a Node {
    type Item = (&'a Rtype, &'a Rrset);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl FromIterator<(Rtype, Rrset)> for Node {
    /// Of RRsets of one type the last counts.
    fn from_iter<I: IntoIterator<Item = (Rtype, Rrset)>>(rrsets: I) -> Self {
        let mut node = Self::new();
        let mut rrsets: Vec<(Rtype, Rrset)> = rrsets.into_iter().collect();
        if rrsets.is_sorted_by(|(a, _), (b, _)| a < b) {
            rrsets.shrink_to_fit();
            node.rrsets = rrsets.into();
        } else {
            for (rtype, rrset) in rrsets {
                node.insert(rtype, rrset);
            }
        }
        node
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rrset(ttl: u32) -> Rrset {
        Rrset {
            ttl: Ttl(ttl),
            rdatas: vec![Rdata(Box::new([1]))],
        }
    }

    #[test]
    fn rrsets_come_and_go_in_order_of_their_types() {
        let mut node: Node = [(Rtype::NSEC, rrset(3)), (Rtype::A, rrset(1))]
            .into_iter()
            .collect();
        assert_eq!(node.insert(Rtype::MX, rrset(2)), None);
        let types = |node: &Node| node.keys().copied().collect::<Vec<_>>();
        assert_eq!(types(&node), [Rtype::A, Rtype::MX, Rtype::NSEC]);
        assert_eq!(node.insert(Rtype::A, rrset(4)), Some(rrset(1)));
        assert_eq!(node.get(&Rtype::A), Some(&rrset(4)));
        assert_eq!(node.remove(&Rtype::MX), Some(rrset(2)));
        assert_eq!(node.remove(&Rtype::MX), None);
        assert_eq!(types(&node), [Rtype::A, Rtype::NSEC]);
        node.retain(|rtype, _| *rtype == Rtype::NSEC);
        assert_eq!((node.len(), node.is_empty()), (1, false));
        let twice: Node = [(Rtype::A, rrset(1)), (Rtype::A, rrset(2))]
            .into_iter()
            .collect();
        assert_eq!(twice.get(&Rtype::A), Some(&rrset(2)));
    }

    #[test]
    fn a_copy_shares_until_one_of_the_two_is_changed() {
        let node: Node = [(Rtype::A, rrset(1))].into_iter().collect();
        let mut copy = node.clone();
        assert!(Arc::ptr_eq(&node.rrsets, &copy.rrsets));
        copy.get_mut(&Rtype::A).unwrap().ttl = Ttl(2);
        assert_eq!(node.get(&Rtype::A), Some(&rrset(1)));
        assert_ne!(node, copy);
        let mut other = node.clone();
        other.insert(Rtype::MX, rrset(1));
        assert_eq!((node.len(), other.len()), (1, 2));
        other.remove(&Rtype::MX);
        assert_eq!(node, other, "equal without being shared");
    }
}
