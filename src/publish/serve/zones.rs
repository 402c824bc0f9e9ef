//! The zones being served, each with the changes that led to it and with who may ask for it (RFC 1034 §4.3.2, RFC 1995 §5).

use super::lineage::chained;
use super::served::ServedZone;
use crate::dnssec::delta::Delta;
use crate::workspace::config::access::Rule;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// How many versions back a secondary may be to be sent the changes alone.
const VERSIONS: usize = 64;

/// Who may ask for a zone, by what is asked; who is in no list is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who may ask questions.
    pub query: Vec<Rule>,
    /// Who may transfer the zone.
    pub transfer: Vec<Rule>,
    /// Whose word that there is a new version makes us look for it.
    pub notify: Vec<Rule>,
}

impl Default for Access {
    /// Everybody asks; the zone as a whole is for this machine alone.
    fn default() -> Self {
        Self {
            query: vec![Rule::any()],
            transfer: Rule::loopback().into(),
            notify: Rule::loopback().into(),
        }
    }
}

impl Access {
    pub(super) fn admits(rules: &[Rule], from: IpAddr, key: Option<&Name>) -> bool {
        rules.iter().any(|rule| rule.allows(from, key))
    }
}

/// One version of a zone, and what came before it.
#[derive(Debug)]
pub(super) struct Edition {
    pub(super) zone: Arc<ServedZone>,
    /// The latest changes, each from the serial where the one before it ends; the last one ends at this version.
    history: Vec<Arc<Delta>>,
    pub(super) access: Arc<Access>,
}

impl Edition {
    /// The changes from `serial` to this version, if all are known and they are less than the zone.
    pub(super) fn since(&self, serial: u32) -> Option<&[Arc<Delta>]> {
        let first = self
            .history
            .iter()
            .position(|delta| delta.old_serial() == serial)?;
        let changes = self.history.get(first..)?;
        let records: usize = changes.iter().map(|delta| size(delta)).sum();
        (records < self.zone.len()).then_some(changes)
    }
}

fn size(delta: &Delta) -> usize {
    delta.removed().len().saturating_add(delta.added().len())
}

/// All of them; each edition is replaced as a whole, so that no reader sees half of two.
#[derive(Debug, Default)]
pub(super) struct Zones {
    editions: RwLock<HashMap<Name, Arc<Edition>>>,
    access: HashMap<Name, Arc<Access>>,
    otherwise: Arc<Access>,
}

impl Zones {
    /// No zone yet; `access` holds for the zones it names, `otherwise` for all others.
    pub(super) fn new(access: HashMap<Name, Access>, otherwise: Access) -> Self {
        let access = access
            .into_iter()
            .map(|(apex, access)| (apex, Arc::new(access)));
        Self {
            editions: RwLock::default(),
            access: access.collect(),
            otherwise: Arc::new(otherwise),
        }
    }

    /// Puts `zone` in the place of the one with its apex; what changed, if the one leads to the other. `earlier` are changes
    /// that led to it before we were there.
    pub(super) fn publish(&self, zone: Arc<ServedZone>, earlier: Vec<Delta>) -> Option<Arc<Delta>> {
        let apex = zone.apex().clone();
        let before = self.at(&apex);
        // Compared outside of the lock: with a large zone this takes a while.
        let change = before
            .as_ref()
            .map(|before| Delta::between(before.zone.zone(), zone.zone()));
        let (mut history, delta) = match (&before, change) {
            (Some(before), Some(Ok(delta))) => (before.history.clone(), delta.map(Arc::new)),
            // The serial went back: what secondaries have is from another line of versions.
            (Some(_), _) => (Vec::new(), None),
            (None, _) => (chained(earlier, &zone), None),
        };
        history.extend(delta.clone());
        let surplus = history.len().saturating_sub(VERSIONS);
        history.drain(..surplus);
        let mut records: usize = history.iter().map(|delta| size(delta)).sum();
        while records >= zone.len() && !history.is_empty() {
            records = records.saturating_sub(size(&history.remove(0)));
        }
        let access = self.access.get(&apex).unwrap_or(&self.otherwise);
        let edition = Edition {
            zone,
            history,
            access: Arc::clone(access),
        };
        // A poisoned lock guards a map that is whole all the same: `insert` is the only thing ever done to it.
        let mut editions = self
            .editions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        editions.insert(apex, Arc::new(edition));
        delta
    }

    pub(super) fn at(&self, apex: &Name) -> Option<Arc<Edition>> {
        let editions = self.editions.read().unwrap_or_else(PoisonError::into_inner);
        editions.get(apex).cloned()
    }

    /// The zone that answers for `name`: the deepest; for DS the one above a cut (RFC 4035 §3.1.4.1).
    pub(super) fn of(&self, name: &Name, rtype: Rtype) -> Option<Arc<Edition>> {
        let editions = self.editions.read().unwrap_or_else(PoisonError::into_inner);
        let mut at_the_name = None;
        let mut above = Some(name.clone());
        while let Some(apex) = above {
            if let Some(edition) = editions.get(&apex) {
                if rtype != Rtype::DS || apex != *name {
                    return Some(Arc::clone(edition));
                }
                at_the_name = Some(Arc::clone(edition));
            }
            above = apex.parent();
        }
        at_the_name
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::zone::content::Zone;
    use std::fmt::Write as _;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    /// A zone of a hundred addresses, of which the first is that of the serial.
    fn version(serial: u32) -> Arc<ServedZone> {
        let mut text = format!(
            "e. 60 SOA n h {serial} 2 3 4 5\ne. 60 NS n.example.net.\na.e. 60 A 192.0.2.{serial}\n"
        );
        for n in 0..100 {
            writeln!(text, "h{n}.e. 60 A 192.0.2.{n}").unwrap();
        }
        let zone = Zone::parse(text.as_bytes(), Some(&name("e."))).unwrap();
        Arc::new(ServedZone::unverified(zone).unwrap())
    }

    fn steps(zones: &Zones, serial: u32) -> Option<Vec<(u32, u32)>> {
        let edition = zones.at(&name("e.")).unwrap();
        let changes = edition.since(serial)?;
        Some(
            changes
                .iter()
                .map(|d| (d.old_serial(), d.new_serial()))
                .collect(),
        )
    }

    #[test]
    fn changes_are_kept_while_they_lead_somewhere_and_are_less_than_the_zone() {
        let zones = Zones::default();
        zones.publish(version(1), vec![]);
        assert_eq!(steps(&zones, 1), None, "no change is known");
        zones.publish(version(2), vec![]);
        zones.publish(version(4), vec![]);
        assert_eq!(steps(&zones, 1), Some(vec![(1, 2), (2, 4)]));
        assert_eq!(steps(&zones, 2), Some(vec![(2, 4)]));
        assert_eq!(steps(&zones, 3), None, "never was");
        zones.publish(version(4), vec![]);
        assert_eq!(steps(&zones, 2), Some(vec![(2, 4)]), "the same again");
        for serial in 5..100 {
            zones.publish(version(serial), vec![]);
        }
        assert_eq!(steps(&zones, 2), None, "more than the zone itself");
        assert!(steps(&zones, 90).is_some());
        zones.publish(version(50), vec![]);
        assert_eq!(steps(&zones, 49), None, "the serial went back");
    }

    #[test]
    fn earlier_changes_count_where_they_lead_to_the_version_served() {
        let between = |a, b| {
            Delta::between(version(a).zone(), version(b).zone())
                .unwrap()
                .unwrap()
        };
        let zones = Zones::default();
        zones.publish(
            version(4),
            vec![between(7, 8), between(3, 4), between(1, 2), between(2, 3)],
        );
        assert_eq!(steps(&zones, 1), Some(vec![(1, 2), (2, 3), (3, 4)]));
        assert_eq!(steps(&zones, 7), None);

        // A change that another version of this serial came by.
        let zones = Zones::default();
        let text = "e. 60 SOA n h 4 2 3 4 5\ne. 60 NS n.example.net.\n";
        let other = Zone::parse(text.as_bytes(), Some(&name("e."))).unwrap();
        let other = ServedZone::unverified(other).unwrap();
        zones.publish(Arc::new(other), vec![between(3, 4)]);
        assert_eq!(steps(&zones, 3), None);
    }

    #[test]
    fn the_deepest_zone_answers_and_the_one_above_a_cut_answers_for_ds() {
        let zones = Zones::default();
        for apex in ["e.", "s.e."] {
            let text = format!("{apex} 60 SOA n h 1 2 3 4 5\n{apex} 60 NS n.example.net.\n");
            let zone = Zone::parse(text.as_bytes(), Some(&name(apex)));
            zones.publish(
                Arc::new(ServedZone::unverified(zone.unwrap()).unwrap()),
                vec![],
            );
        }
        let table = [
            ("e.", Rtype::A, Some("e.")),
            ("x.e.", Rtype::DS, Some("e.")),
            ("x.s.e.", Rtype::A, Some("s.e.")),
            ("s.e.", Rtype::A, Some("s.e.")),
            ("s.e.", Rtype::DS, Some("e.")),
            ("e.", Rtype::DS, Some("e.")),
            ("f.", Rtype::A, None),
        ];
        for (asked, rtype, expected) in table {
            let edition = zones.of(&name(asked), rtype);
            let apex = edition.map(|e| e.zone.apex().to_string());
            assert_eq!(apex.as_deref(), expected, "{asked} {rtype}");
        }
    }
}
