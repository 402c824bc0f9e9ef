//! The digests of the whole zone (ZONEMD), made anew for the edited text, octet for octet where the old ones stand (RFC 8976 §3.3).

use super::Patch;
use super::place::neighbour;
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::record::{Rdata, Rtype};
use crate::zone::records::Stored;
use crate::zone::zonemd::{self, FRONT};
use data_encoding::HEXLOWER;

/// The patches with which each digest at the apex is that of the file as it is; none if it has none.
pub(super) fn renew(file: &ZoneFile) -> Vec<Patch> {
    let records = file.records();
    let Some(apex) = file.apex() else {
        return Vec::new();
    };
    let is_digest = |r: &&Stored| {
        r.rtype == Rtype::ZONEMD && records.owner(r).eq_ignore_ascii_case(apex.wire())
    };
    let stored: Vec<&Stored> = records.all().iter().filter(is_digest).collect();
    if stored.is_empty() {
        return Vec::new();
    }
    let Ok(zone) = file.zone() else {
        return Vec::new();
    };
    let renewed = zonemd::renewed(&zone).unwrap_or_default();
    let patches = stored.into_iter().flat_map(|record| {
        let old = records.data(record);
        let alike = |new: &&Rdata| new.0.get(4..FRONT) == old.get(4..FRONT);
        let new = renewed.iter().find(alike).filter(|new| &*new.0 != old);
        new.map_or(Vec::new(), |new| of_record(file, record, &zone, new))
    });
    patches.collect()
}

/// The patches of one record: serial and digest in its own words, or the octets of the generic form.
fn of_record(file: &ZoneFile, record: &Stored, zone: &Zone, new: &Rdata) -> Vec<Patch> {
    let place = file.place(record);
    let Some(line) = neighbour(file, place).filter(|_| !place.generated) else {
        return Vec::new();
    };
    let Some(data) = line.form().map(|form| form.data) else {
        return Vec::new();
    };
    let generic = data.first().is_some_and(|t| t.text(line.file) == b"\\#");
    let (skipped, octets) = if generic {
        (2, new.0.get(..))
    } else {
        (3, new.0.get(FRONT..))
    };
    let patch = |span, text: String| Patch {
        source: place.source,
        span,
        text: text.into_bytes(),
    };
    let mut patches = Vec::new();
    if let (false, Some(serial), Some(soa)) = (generic, data.first(), zone.soa()) {
        patches.push(patch(serial.span(), soa.serial.to_string()));
    }
    let digits = HEXLOWER.encode(octets.unwrap_or_default());
    let mut digits = digits.chars();
    for word in data.iter().skip(skipped) {
        let text = digits.by_ref().take(word.span().len()).collect();
        patches.push(patch(word.span(), text));
    }
    patches
}
