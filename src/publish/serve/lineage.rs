//! Changes kept of earlier versions, joined where they belong to the version that is served (RFC 1995 §5).

use super::served::ServedZone;
use crate::dnssec::delta::Delta;
use crate::zone::content::{Zone, ttl_in};
use crate::zone::record::Record;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest run of changes that ends at `zone`.
///
/// Serials alone do not tell: one may have been given twice, to a version that was taken back and to the next, and then
/// changes of both are kept. Joined, they would lead a secondary to a zone that never was. So each must fit the version that
/// those behind it lead back to.
pub(super) fn chained(earlier: Vec<Delta>, zone: &ServedZone) -> Vec<Arc<Delta>> {
    let earlier: Vec<Arc<Delta>> = earlier.into_iter().map(Arc::new).collect();
    let mut version = Version::of(zone.zone());
    let mut wanted = zone.serial();
    let mut chain = Vec::new();
    while chain.len() < earlier.len()
        && let Some(delta) = earlier.iter().find(|delta| {
            delta.new_serial() == wanted && delta.apex() == zone.apex() && version.came_by(delta)
        })
    {
        version.go_back(delta);
        wanted = delta.old_serial();
        chain.push(Arc::clone(delta));
    }
    chain.reverse();
    chain
}

/// A version of a zone, as far as it differs from the one that is served.
struct Version<'a> {
    served: &'a Zone,
    /// Whether a record is there, for those that changes name.
    differs: HashMap<&'a Record, bool>,
}

impl<'a> Version<'a> {
    fn of(served: &'a Zone) -> Self {
        Self {
            served,
            differs: HashMap::new(),
        }
    }

    fn holds(&self, record: &Record) -> bool {
        let served = || {
            let node = self.served.nodes.get(&record.owner);
            node.is_some_and(|node| {
                let rrset = node.get(&record.rtype);
                rrset.is_some_and(|rrset| rrset.rdatas.contains(&record.rdata))
                    && ttl_in(node, record.rtype, &record.rdata) == Some(record.ttl)
            })
        };
        self.differs.get(record).copied().unwrap_or_else(served)
    }

    /// Whether what `delta` brought is there, and what it took is not.
    fn came_by(&self, delta: &Delta) -> bool {
        delta.added().iter().all(|record| self.holds(record))
            && !delta.removed().iter().any(|record| self.holds(record))
    }

    fn go_back(&mut self, delta: &'a Delta) {
        let gone = delta.added().iter().map(|record| (record, false));
        let there = delta.removed().iter().map(|record| (record, true));
        self.differs.extend(gone.chain(there));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::name::Name;

    /// A version with some lines of its own.
    fn version(serial: u32, lines: &str) -> ServedZone {
        let text = format!("e. 60 SOA n h {serial} 2 3 4 5\ne. 60 NS n.example.net.\n{lines}");
        let apex = Name::parse(b"e.", None).unwrap();
        let zone = Zone::parse(text.as_bytes(), Some(&apex)).unwrap();
        ServedZone::unverified(zone).unwrap()
    }

    fn between(old: &ServedZone, new: &ServedZone) -> Delta {
        Delta::between(old.zone(), new.zone()).unwrap().unwrap()
    }

    fn steps(earlier: Vec<Delta>, zone: &ServedZone) -> Vec<(u32, u32)> {
        let chain = chained(earlier, zone);
        chain
            .iter()
            .map(|delta| (delta.old_serial(), delta.new_serial()))
            .collect()
    }

    #[test]
    fn a_serial_that_was_given_twice_joins_no_changes_of_two_lines() {
        let one = version(1, "a.e. 60 A 192.0.2.1\n");
        let two = version(2, "a.e. 60 A 192.0.2.2\n");
        let three = version(3, "a.e. 60 A 192.0.2.2\nc.e. 60 A 192.0.2.3\n");
        let line = || vec![between(&one, &two), between(&two, &three)];
        assert_eq!(steps(line(), &three), [(1, 2), (2, 3)]);
        // What is taken there: nothing, another address, another TTL, one address more.
        for taken in [
            "",
            "a.e. 60 A 192.0.2.9\n",
            "a.e. 61 A 192.0.2.2\n",
            "a.e. 60 A 192.0.2.2\na.e. 60 A 192.0.2.1\n",
        ] {
            let again = version(2, taken);
            let after = version(3, &format!("{taken}d.e. 60 A 192.0.2.4\n"));
            let mut both = line();
            both.push(between(&again, &after));
            assert_eq!(steps(both, &after), [(2, 3)], "{taken:?}");
        }
    }

    #[test]
    fn changes_are_followed_back_through_what_came_and_went_again() {
        let one = version(1, "a.e. 60 A 192.0.2.1\n");
        let two = version(2, "");
        let three = version(3, "a.e. 60 A 192.0.2.1\n");
        let four = version(4, "a.e. 90 A 192.0.2.1\n");
        let all = vec![
            between(&three, &four),
            between(&two, &three),
            between(&one, &two),
        ];
        assert_eq!(steps(all, &four), [(1, 2), (2, 3), (3, 4)]);
    }
}
