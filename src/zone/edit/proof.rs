//! The proof of an edit: old records, changes and serial make exactly the new records.

use super::{Change, EditError, errors};
use crate::zone::file::ZoneFile;
use crate::zone::order::side_by_side;
use crate::zone::rdata::Soa;
use crate::zone::record::{Record, Rtype};
use crate::zone::records::InOrder;
use crate::zone::serial::NextSerial;
use crate::zone::zonemd;

/// Refuses an edit that does anything but what was asked for.
pub(super) fn prove(
    old: &ZoneFile,
    new: &ZoneFile,
    changes: &[&Change],
    serial: Option<NextSerial>,
) -> Result<(), EditError> {
    if new.has_errors() {
        return Err(EditError::Breaks(errors(new)));
    }
    let (mut gone, mut come) = difference(old, new);
    for change in changes {
        match change {
            Change::Add(record) => take(&mut come, |r| same(r, record) && r.ttl == record.ttl),
            Change::Remove {
                owner,
                rtype,
                rdata,
            } => take(&mut gone, |r| {
                r.owner == *owner
                    && r.rtype == *rtype
                    && r.rdata.canonical(*rtype) == rdata.canonical(*rtype)
            }),
        }
        .ok_or_else(|| EditError::Unproven("a change had no effect".to_owned()))?;
    }
    // What vouches for the whole changes with it; that it does vouch is looked at by itself.
    if digests_hold(new) {
        let digest = |r: &Record| r.rtype == Rtype::ZONEMD && new.apex() == Some(&r.owner);
        gone.retain(|r| !digest(r));
        come.retain(|r| !digest(r));
    }
    let raised = match (serial, gone.as_slice(), come.as_slice()) {
        (None, [], []) => true,
        (Some(serial), [before], [after]) => is_raised(before, after, serial),
        _ => false,
    };
    if raised && old.apex() == new.apex() {
        return Ok(());
    }
    let not_soa = |r: &&Record| r.rtype != Rtype::SOA;
    let other = gone.iter().chain(&come).find(not_soa);
    Err(EditError::Unproven(
        other.map_or("the SOA record".to_owned(), ToString::to_string),
    ))
}

/// Whether each digest of the whole zone that anybody checks is right.
fn digests_hold(file: &ZoneFile) -> bool {
    file.zone()
        .is_ok_and(|zone| zonemd::faults(&zone).is_empty())
}

/// Whether two SOA records differ by the serial alone.
fn is_raised(before: &Record, after: &Record, serial: NextSerial) -> bool {
    let soa = |r: &Record| {
        (r.rtype == Rtype::SOA)
            .then(|| Soa::from_rdata(&r.rdata))
            .flatten()
    };
    let (Some(a), Some(b)) = (soa(before), soa(after)) else {
        return false;
    };
    let expected = Soa {
        serial: serial.to,
        ..a.clone()
    };
    a.serial == serial.from && b == expected && before.ttl == after.ttl
}

fn same(a: &Record, b: &Record) -> bool {
    a.owner == b.owner
        && a.rtype == b.rtype
        && a.rdata.canonical(a.rtype) == b.rdata.canonical(b.rtype)
}

fn take(records: &mut Vec<Record>, wanted: impl Fn(&Record) -> bool) -> Option<()> {
    let before = records.len();
    records.retain(|r| !wanted(r));
    (records.len() < before).then_some(())
}

/// The records only the old file has, and those only the new one has, TTLs and the case of names included.
fn difference(old: &ZoneFile, new: &ZoneFile) -> (Vec<Record>, Vec<Record>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (a, b) in side_by_side(old.in_order(), new.in_order(), |a, b| a.compare(*b)) {
        let equal =
            matches!((a, b), (Some(a), Some(b)) if a.ttl() == b.ttl() && a.data() == b.data());
        if !equal {
            gone.extend(a.map(InOrder::to_record));
            come.extend(b.map(InOrder::to_record));
        }
    }
    // A record that stands twice is one record.
    gone.dedup();
    come.dedup();
    (gone, come)
}
