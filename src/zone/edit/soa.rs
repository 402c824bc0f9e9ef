//! The serial that an edit raises (RFC 1982; RFC 1912 §2.2 for its form).

use super::place::{line_number, neighbour, path};
use super::{EditError, Patch};
use crate::rotation::timing::Instant;
use crate::zone::file::ZoneFile;
use crate::zone::rdata::Soa;
use crate::zone::record::Rdata;
use crate::zone::records::Stored;
use crate::zone::serial::{self, NextSerial};

/// The patches that replace the serial by the next one, in every copy of the SOA record: what a transfer prints has two.
pub(super) fn raise_serial(
    file: &ZoneFile,
    now: Instant,
) -> Result<(NextSerial, Vec<Patch>), EditError> {
    let records = file.records();
    let copies: Vec<&Stored> = file.soa_records().collect();
    let Some(first) = copies.first() else {
        return Err(EditError::NoSerial {
            file: String::new(),
            line: 0,
        });
    };
    let soa = Soa::from_rdata(&Rdata(records.data(first).into()));
    let present = soa
        .map(|s| s.serial)
        .ok_or_else(|| no_serial(file, first))?;
    let next = serial::next(present, now);
    let patches = copies
        .into_iter()
        .map(|soa| serial_patch(file, soa, next).ok_or_else(|| no_serial(file, soa)));
    Ok((next, patches.collect::<Result<_, _>>()?))
}

fn no_serial(file: &ZoneFile, soa: &Stored) -> EditError {
    EditError::NoSerial {
        file: path(file, file.place(soa)),
        line: line_number(file, file.place(soa)),
    }
}

/// The patch of one SOA record; `None` when its serial is not written as the number it is.
fn serial_patch(file: &ZoneFile, soa: &Stored, next: NextSerial) -> Option<Patch> {
    let place = file.place(soa);
    let line = neighbour(file, place).filter(|_| !place.generated)?;
    let field = *line.form()?.data.get(2)?;
    let written = field.text(line.file) == next.from.to_string().as_bytes();
    written.then(|| Patch {
        source: place.source,
        span: field.span(),
        text: next.to.to_string().into_bytes(),
    })
}
