//! The records of a reading in canonical order, owner by owner (RFC 4034 §6), as numbers.

use crate::zone::order::{compare_wire, count_labels, is_below, sort_prefix};
use crate::zone::records::{Records, Stored};
use std::cmp::Ordering;

/// Numbers of records in canonical order of owner, type and data; equal ones stay as in the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    numbers: Vec<u32>,
    /// How many numbers there are up to the end of each owner's.
    ends: Vec<u32>,
    /// What each owner sorts like, the labels of `above` left out.
    prefixes: Vec<[u64; 2]>,
    /// The name that all owners lie at or below: the apex, or the root.
    above: Vec<u8>,
}

/// Records that follow one another in the text and share one copy of their owner: what is sorted, rather than records.
struct Stretch {
    /// Sixteen octets that sort like the owner.
    prefix: [u64; 2],
    first: u32,
    end: u32,
}

impl Sorted {
    /// Sorts the records of a zone at `apex`.
    pub(crate) fn of(records: &Records, apex: &[u8]) -> Self {
        let owner = |number: u32| records.get(number).map_or(&[][..], |r| records.owner(r));
        let (mut stretches, above) = stretches(records, apex);
        stretches.sort_unstable_by(|a, b| {
            let owners = a.prefix.cmp(&b.prefix);
            let owners = owners.then_with(|| compare_wire(owner(a.first), owner(b.first)));
            owners.then(a.first.cmp(&b.first))
        });
        let mut sorted = Self {
            numbers: Vec::with_capacity(records.all().len()),
            ends: Vec::with_capacity(stretches.len()),
            prefixes: Vec::with_capacity(stretches.len()),
            above: above.to_vec(),
        };
        let same = |a: &Stretch, b: &Stretch| {
            a.prefix == b.prefix && owner(a.first).eq_ignore_ascii_case(owner(b.first))
        };
        for node in stretches.chunk_by(same) {
            let start = sorted.numbers.len();
            sorted
                .numbers
                .extend(node.iter().flat_map(|s| s.first..s.end));
            let numbers = sorted.numbers.get_mut(start..).unwrap_or_default();
            if numbers.len() > 1 {
                numbers.sort_by(|a, b| match (records.get(*a), records.get(*b)) {
                    (Some(a), Some(b)) => records.compare_in_node(a, b),
                    _ => Ordering::Equal,
                });
            }
            // The reader stores fewer records than 32 bits can number.
            let end = u32::try_from(sorted.numbers.len()).unwrap_or(u32::MAX);
            sorted.ends.push(end);
            sorted.prefixes.extend(node.first().map(|s| s.prefix));
        }
        sorted
    }

    /// Leaves out what lies outside of the zone at `apex`.
    pub(crate) fn drop_outsiders(&mut self, records: &Records, apex: &[u8]) {
        if !self.has_outsiders(apex) {
            return;
        }
        let all = std::mem::take(self);
        self.above.clone_from(&all.above);
        for (at, prefix) in all.prefixes.iter().enumerate() {
            let node = all.node(at).unwrap_or_default();
            let first = node.first().and_then(|number| records.get(*number));
            if first.is_some_and(|r| is_below(records.owner(r), apex)) {
                self.numbers.extend(node);
                self.ends
                    .push(u32::try_from(self.numbers.len()).unwrap_or(u32::MAX));
                self.prefixes.push(*prefix);
            }
        }
    }

    /// All numbers.
    pub(crate) fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// Whether an owner lies outside of the zone at `apex`, for which these were sorted.
    pub(crate) fn has_outsiders(&self, apex: &[u8]) -> bool {
        self.above.len() != apex.len()
    }

    /// The numbers of each owner's records, by type and then by data.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.ends.len()).filter_map(|at| self.node(at))
    }

    /// The numbers of the records of `owner`; none where it has none.
    pub(crate) fn find(&self, records: &Records, owner: &[u8]) -> &[u32] {
        if !is_below(owner, &self.above) {
            return &[];
        }
        let prefix = sort_prefix(owner, count_labels(&self.above));
        let start = self.prefixes.partition_point(|other| *other < prefix);
        let end = self.prefixes.partition_point(|other| *other <= prefix);
        // Nearly always one at most; but all hosts of a zone may begin alike.
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low.midpoint(high);
            let node = self.node(middle).unwrap_or_default();
            let first = node.first().and_then(|number| records.get(*number));
            match first.map(|r| compare_wire(records.owner(r), owner)) {
                Some(Ordering::Equal) => return node,
                Some(Ordering::Less) => low = middle.saturating_add(1),
                _ => high = middle,
            }
        }
        &[]
    }

    fn node(&self, at: usize) -> Option<&[u32]> {
        let end = *self.ends.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        Some(self.slice(before.copied().unwrap_or(0), end))
    }

    fn slice(&self, start: u32, end: u32) -> &[u32] {
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let range = index(start)..index(end);
        self.numbers.get(range).unwrap_or_default()
    }
}

/// The stretches in the order of the text, and the name that all owners lie at or below: `apex`, or else the root.
fn stretches<'a>(records: &Records, apex: &'a [u8]) -> (Vec<Stretch>, &'a [u8]) {
    let shares = |a: &Stored, b: &Stored| a.shares_owner(b);
    let chunks = || records.all().chunk_by(shares);
    let owner = |chunk: &[Stored]| chunk.first().map_or(&[][..], |r| records.owner(r));
    let outsiders = chunks().any(|chunk| !is_below(owner(chunk), apex));
    let above = if outsiders { &[0] } else { apex };
    let skipped = count_labels(above);
    let mut first = 0_u32;
    let stretches = chunks().map(|chunk| {
        let start = first;
        first = first.saturating_add(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        Stretch {
            prefix: sort_prefix(owner(chunk), skipped),
            first: start,
            end: first,
        }
    });
    (stretches.collect(), above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::include::NoFiles;
    use crate::zone::name::Name;
    use crate::zone::reader::{self, Reading};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn names() -> impl Strategy<Value = String> {
        const LABELS: &[&str] = &[
            "a",
            "A",
            "b",
            "\\000",
            "\\001",
            "*",
            "_25._tcp",
            "abcdefghijklmnop",
            "abcdefghijklmnopq",
            "abcdefghijklmnoPr",
        ];
        let label = prop::sample::select(LABELS);
        let ends =
            prop::sample::select(["", ".example.com.", ".", ".com.", ".xexample.com."].as_slice());
        (proptest::collection::vec(label, 1..4), ends)
            .prop_map(|(labels, end)| labels.join(".") + end)
    }

    fn lines() -> impl Strategy<Value = Vec<String>> {
        let data = prop::sample::select(
            [
                "A 192.0.2.2",
                "A 192.0.2.1",
                "MX 1 B.",
                "MX 1 b.",
                "MX 1 a.",
                "TXT x",
                "NS a",
            ]
            .as_slice(),
        );
        let owner = prop_oneof![names(), Just("@".to_owned()), Just(String::new())];
        proptest::collection::vec(
            (owner, data).prop_map(|(owner, data)| format!("{owner} {data}\n")),
            0..40,
        )
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_all_records_compared_with_one_another(lines in lines(), absent in names()) {
            let apex = Name::parse(b"example.com.", None).unwrap();
            let text = format!("$TTL 1\n@ SOA a b 1 2 3 4 5\n{}", lines.concat());
            let Reading { records, .. } = reader::read("z", Arc::new(text.into()), Some(&apex), &NoFiles);
            let sorted = Sorted::of(&records, apex.wire());
            let stored = |number: &u32| records.get(*number).unwrap();
            let owner = |number: &u32| records.owner(stored(number));
            let mut expected: Vec<u32> = (0..).take(records.all().len()).collect();
            expected.sort_by(|a, b| {
                compare_wire(owner(a), owner(b)).then_with(|| records.compare_in_node(stored(a), stored(b)))
            });
            prop_assert_eq!(sorted.numbers(), &expected);
            let nodes: Vec<&[u32]> = sorted.nodes().collect();
            let chunks: Vec<&[u32]> = expected.chunk_by(|a, b| records.same_owner(stored(a), stored(b))).collect();
            prop_assert_eq!(&nodes, &chunks);
            for node in nodes {
                prop_assert_eq!(sorted.find(&records, owner(&node[0])), node);
            }
            let absent = Name::parse(absent.as_bytes(), Some(&apex)).unwrap();
            let found = sorted.find(&records, absent.wire());
            prop_assert!(found.iter().all(|n| owner(n).eq_ignore_ascii_case(absent.wire())));
            prop_assert_eq!(found.is_empty(), !expected.iter().any(|n| owner(n).eq_ignore_ascii_case(absent.wire())));
            let outside = expected.iter().any(|n| !is_below(owner(n), apex.wire()));
            prop_assert_eq!(sorted.has_outsiders(apex.wire()), outside);
        }
    }
}
