//! What a reading means, owner by owner in canonical order, without a copy of anything (RFC 2181 §5, RFC 4034 §6).

use crate::rotation::timing::Ttl;
use crate::zone::content::{Node, Rrset};
use crate::zone::name::Name;
use crate::zone::order::compare_wire;
use crate::zone::rdata;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::{Records, Run};
use crate::zone::sorted::Sorted;
use std::cmp::Ordering;

/// One owner and its records: what [`Node`] is for one that is kept.
#[derive(Clone, Debug)]
pub(crate) struct NodeView<'a> {
    records: &'a Records,
    /// The numbers of its records, by type and then by data.
    numbers: &'a [u32],
    /// Empty where all its records have one TTL.
    runs: Vec<Run>,
}

/// One RRset of a [`NodeView`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RrsetView<'a> {
    records: &'a Records,
    numbers: &'a [u32],
    rtype: Rtype,
    ttl: Ttl,
}

/// The owners of `records`, whose canonical order is `sorted`.
pub(crate) fn nodes<'a>(
    records: &'a Records,
    sorted: &'a Sorted,
) -> impl Iterator<Item = NodeView<'a>> {
    sorted.nodes().map(|numbers| NodeView {
        records,
        numbers,
        runs: records.runs(numbers),
    })
}

impl<'a> NodeView<'a> {
    /// The owner in wire form, in the case in which its first record is written.
    pub(crate) fn owner(&self) -> &'a [u8] {
        let first = self.numbers.first();
        let first = first.and_then(|number| self.records.get(*number));
        first.map_or(&[], |record| self.records.owner(record))
    }

    /// Whether the owner stands before `name` in canonical order.
    pub(crate) fn is_before(&self, name: &Name) -> bool {
        compare_wire(self.owner(), name.wire()) == Ordering::Less
    }

    /// Its RRsets in ascending order of their types.
    pub(crate) fn rrsets(&self) -> impl Iterator<Item = RrsetView<'a>> {
        let records = self.records;
        let rtype = |number: &u32| records.get(*number).map(|r| r.rtype);
        let same_type = move |a: &u32, b: &u32| rtype(a) == rtype(b);
        self.numbers.chunk_by(same_type).filter_map(move |numbers| {
            Some(RrsetView {
                records,
                numbers,
                rtype: numbers.first().and_then(rtype)?,
                ttl: records.ttl_of(&self.runs, numbers.iter().copied()),
            })
        })
    }

    /// Whether both hold the same RRsets, to the octet.
    pub(crate) fn same_rrsets(&self, other: &Self) -> bool {
        self.rrsets().eq(other.rrsets())
    }

    /// A copy of the owner that stands alone.
    pub(crate) fn to_owner(&self) -> Name {
        Name::from_checked_wire(self.owner())
    }

    /// A copy that stands alone.
    pub(crate) fn to_node(&self) -> Node {
        let rrsets = self.rrsets();
        rrsets.map(|r| (r.rtype(), r.to_rrset())).collect()
    }
}

impl<'a> RrsetView<'a> {
    /// The type.
    pub(crate) fn rtype(self) -> Rtype {
        self.rtype
    }

    /// The TTL that counts for all its records (RFC 2181 §5.2).
    pub(crate) fn ttl(self) -> Ttl {
        self.ttl
    }

    /// The data in canonical order, each once, as written (RFC 4034 §6.3).
    pub(crate) fn rdatas(self) -> impl Iterator<Item = &'a [u8]> {
        let (records, rtype) = (self.records, self.rtype);
        let stored = self.numbers.iter().filter_map(|n| records.get(*n));
        let mut previous: Option<&[u8]> = None;
        stored.map(|r| records.data(r)).filter(move |data| {
            let repeated = previous.is_some_and(|p| rdata::same(rtype, p, data));
            previous = Some(data);
            !repeated
        })
    }

    /// A copy that stands alone.
    pub(crate) fn to_rrset(self) -> Rrset {
        let mut rdatas: Vec<Rdata> = Vec::with_capacity(self.numbers.len());
        rdatas.extend(self.rdatas().map(|data| Rdata(data.into())));
        let ttl = self.ttl;
        Rrset { ttl, rdatas }
    }
}

impl PartialEq for RrsetView<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.rtype, self.ttl) == (other.rtype, other.ttl) && self.rdatas().eq(other.rdatas())
    }
}

#[cfg(test)]
mod tests {
    use crate::zone::content::Zone;

    #[test]
    fn data_written_twice_counts_once_whatever_the_case_of_its_names() {
        let text = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n NS ns1.x.\n\
            a MX 1 Mail\nb TXT x\nA MX 1 mail\na MX 1 mail\nb TXT X\nb TXT x\n";
        let zone = Zone::parse(text.as_bytes(), None).unwrap();
        let printed = zone.to_string();
        let below: Vec<&str> = printed.lines().skip(2).collect();
        let expected = [
            "a.example.com. 60 IN MX 1 Mail.example.com.",
            "b.example.com. 60 IN TXT \"X\"",
            "b.example.com. 60 IN TXT \"x\"",
        ];
        assert_eq!(below, expected);
    }
}
