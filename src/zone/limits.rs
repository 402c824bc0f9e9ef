//! How much one name may have before BIND does not load a zone: 100 records of a type, and 100 types, unless
//! `max-records-per-type` and `max-types-per-name` say otherwise (the defaults since 9.18.28 and 9.20).

use crate::zone::check::{Check, Part, text};
use crate::zone::order::is_below;
use crate::zone::record::Rtype;
use crate::zone::records::Stored;
use crate::zone::servers::ServerKind;
use crate::zone::sorted::Sorted;
use std::collections::BTreeMap;

const BIND: &[ServerKind] = &[ServerKind::Bind];
/// What BIND takes by default, of both.
const MOST: usize = 100;
/// A name with fewer records cannot have too many of anything, signed or not.
const FEW: usize = (MOST - 2) / 2;

/// A type, and what it covers where it is that of signatures.
type Kind = (Rtype, Option<[u8; 2]>);

/// Looks at the names that have many records.
pub(super) fn check(check: &mut Check<'_>, sorted: &Sorted) {
    let records = check.records;
    let at_apex = sorted.find(records, check.apex.wire()).iter();
    let signed = at_apex
        .filter_map(|number| records.get(*number))
        .any(|r| r.rtype == Rtype::RRSIG);
    for node in sorted.nodes().filter(|node| node.len() > FEW) {
        let stored: Vec<&Stored> = node.iter().filter_map(|n| records.get(*n)).collect();
        let Some(first) = stored.first() else {
            continue;
        };
        let owner = records.owner(first);
        if !is_below(owner, check.apex.wire()) {
            continue;
        }
        // The signatures of each type are a type of their own, and BIND counts a line that stands there twice as two.
        let mut types: BTreeMap<Kind, (usize, &Stored)> = BTreeMap::new();
        for record in &stored {
            let covered = records.data(record).first_chunk().copied();
            let covered = covered.filter(|_| record.rtype == Rtype::RRSIG);
            let entry = types.entry((record.rtype, covered)).or_insert((0, record));
            entry.0 = entry.0.saturating_add(1);
        }
        for ((rtype, _), (count, record)) in &types {
            if *count > MOST {
                let message = format!("{} has more than {MOST} {rtype} records", text(owner));
                let help = "BIND does not load the zone by default: spread them over several names, or raise `max-records-per-type` on every server that runs it";
                check.refused_by(BIND, record, Part::Owner, message, help);
            }
        }
        // Signing adds NSEC, and signatures for each type.
        let once_signed = types.len().saturating_mul(2).saturating_add(2);
        let message = if types.len() > MOST {
            format!("{} has records of more than {MOST} types", text(owner))
        } else if !signed && once_signed > MOST {
            format!(
                "{} has records of more than {MOST} types once it is signed",
                text(owner)
            )
        } else {
            continue;
        };
        let help = "BIND does not load the zone by default: spread them over several names, or raise `max-types-per-name` on every server that runs it";
        check.refused_by(BIND, first, Part::Owner, message, help);
    }
}
