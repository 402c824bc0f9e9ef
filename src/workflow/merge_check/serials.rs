//! The serials of the zones that a request changes (RFC 1982).

use super::finding::Finding;
use super::{Request, Verdict};
use crate::workflow::head::Head;
use crate::zone::name::Name;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// More than a hundred changes on each day of ten years, by date and count.
const LEAP: u32 = 10_000_000;

impl Request<'_> {
    /// A serial never goes back (RFC 1982), or no secondary would fetch the zone.
    pub(super) fn serials(
        &self,
        before: &BTreeMap<Name, Head>,
        after: &BTreeMap<Name, Head>,
        verdict: &mut Verdict,
    ) {
        for (zone, after) in after {
            let Some(before) = before.get(zone) else {
                continue;
            };
            let serial = |head: &Head| head.content.soa().map_or(0, |soa| soa.serial);
            let (from, to) = (serial(before), serial(after));
            match crate::zone::serial::compare(to, from) {
                Some(Ordering::Greater) if to.wrapping_sub(from) > LEAP => verdict.notes.push(format!(
                    "the serial of zone {zone} jumps from {from} to {to}: it can go back only by way of two changes (RFC 1982 §3.2)"
                )),
                Some(Ordering::Greater) => {}
                Some(Ordering::Equal) if before.content == after.content => {}
                // The serial stands in a file that is not ours, and whoever signs the zone counts for himself.
                Some(Ordering::Equal) if self.only_ours_changes(zone, before, after) => {}
                Some(Ordering::Equal) => verdict.notes.push(format!(
                    "zone {zone} changes under the same serial {from}: secondaries fetch it only when it has moved"
                )),
                _ => verdict.findings.push(Finding::SerialBack {
                    zone: zone.clone(),
                    from,
                    to,
                }),
            }
        }
    }

    /// Whether the text of a zone differs in the included file alone that is ours.
    fn only_ours_changes(&self, zone: &Name, before: &Head, after: &Head) -> bool {
        let mut zones = self.head.workspace.config.zones.iter();
        let ours = zones.find(|configured| configured.name == *zone);
        let Some(ours) = ours.and_then(|zone| zone.included.as_ref()) else {
            return false;
        };
        let others = |head: &Head| -> Vec<(String, Arc<Vec<u8>>)> {
            let sources = head.file.sources().iter();
            let others = sources.filter(|source| Path::new(&source.path) != ours.as_path());
            others
                .map(|source| (source.path.clone(), Arc::clone(&source.bytes)))
                .collect()
        };
        others(before) == others(after)
    }
}
