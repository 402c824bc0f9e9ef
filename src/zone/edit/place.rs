//! Where an edit happens: the line behind which a record goes, and the lines that hold one.

use super::layout::{self, Neighbour};
use super::{EditError, Outcome, Patch, Placement};
use crate::zone::file::ZoneFile;
use crate::zone::lexer::{Lexer, Line, Token};
use crate::zone::name::Name;
use crate::zone::order::{count_labels, shared_labels};
use crate::zone::record::{Rdata, Record, Rtype};
use crate::zone::records::{Place, Stored};

/// The patch that adds a record, none if it is there already.
pub(super) fn add(
    file: &ZoneFile,
    record: &Record,
    placement: Placement,
) -> Result<(Outcome, Vec<Patch>), EditError> {
    if record.rtype == Rtype::SOA {
        return Err(EditError::Soa);
    }
    if let Some(apex) = file
        .apex()
        .filter(|apex| !record.owner.is_at_or_below(apex))
    {
        return Err(EditError::OutOfZone {
            owner: record.owner.clone(),
            apex: apex.clone(),
        });
    }
    let records = file.records();
    let is_owner = |r: &Stored| records.owner(r).eq_ignore_ascii_case(record.owner.wire());
    let rrset: Vec<&Stored> = records
        .all()
        .iter()
        .filter(|r| r.rtype == record.rtype && is_owner(r))
        .collect();
    if rrset
        .iter()
        .any(|r| holds(file, r, record.rtype, &record.rdata))
    {
        return Ok((Outcome::AlreadyPresent, Vec::new()));
    }
    if let Some(present) = rrset
        .first()
        .map(|r| r.ttl)
        .filter(|ttl| *ttl != record.ttl)
    {
        return Err(EditError::TtlDiffers {
            owner: record.owner.clone(),
            rtype: record.rtype,
            present,
            wanted: record.ttl,
        });
    }
    match placement {
        Placement::Beside => {}
        Placement::AtEnd => return at_end(file, record, 0),
        Placement::AtEndOf(source) => {
            if let Some(elsewhere) = rrset.iter().find(|r| file.place(r).source != source) {
                return Err(not_ours(file, elsewhere, source));
            }
            return at_end(file, record, source);
        }
    }
    let in_rrset = rrset
        .iter()
        .rev()
        .find(|r| !file.place(r).generated)
        .copied();
    let anchor = in_rrset.or_else(|| nearest(file, record));
    let Some((anchor, neighbour)) = anchor.and_then(|a| Some((a, neighbour(file, file.place(a))?)))
    else {
        return Err(EditError::Unproven("no line to follow".to_owned()));
    };
    // Always with its owner, whatever the file's habit: a merge that keeps two lines may put another owner's in between.
    let absolute = governing_owner(file, anchor).is_some_and(layout::is_absolute);
    let owner = layout::owner_text(&record.owner, records.origin(file.place(anchor)), absolute);
    let template = template(file, anchor, record.rtype);
    let explicit = neighbour.form().is_some_and(|f| f.ttl.is_some());
    let ttl = (explicit || anchor.ttl != record.ttl).then_some(record.ttl);
    let same_ttl = anchor.ttl == record.ttl;
    let text = layout::line(
        record,
        &owner,
        ttl.map(|t| (t, same_ttl)),
        &neighbour,
        template.as_ref(),
    );
    let span = neighbour.line.end..neighbour.line.end;
    let source = file.place(anchor).source;
    Ok((Outcome::Added, vec![Patch { source, span, text }]))
}

/// The patch that adds a record at the end of one file, with everything written out.
fn at_end(
    file: &ZoneFile,
    record: &Record,
    source: usize,
) -> Result<(Outcome, Vec<Patch>), EditError> {
    let written = |r: &&Stored| {
        let place = file.place(r);
        place.source == source && !place.generated
    };
    let last = file.records().all().iter().rfind(written);
    let last = last.and_then(|l| Some((l, neighbour(file, file.place(l))?)));
    let (end, text) = match (last, file.sources().get(source)) {
        (Some((last, neighbour)), _) => {
            let owner = layout::owner_text(&record.owner, None, true);
            let ttl = Some((record.ttl, last.ttl == record.ttl));
            let template = template(file, last, record.rtype);
            let line = layout::line(record, &owner, ttl, &neighbour, template.as_ref());
            (neighbour.file.len(), layout::at_end(&line, &neighbour))
        }
        // An included file may hold nothing yet; the outermost one holds the SOA record at least.
        (None, Some(empty)) if source > 0 => {
            let unended = !empty.bytes.is_empty() && !empty.bytes.ends_with(b"\n");
            let before = if unended { "\n" } else { "" };
            (
                empty.bytes.len(),
                format!("{before}{record}\n").into_bytes(),
            )
        }
        _ => return Err(EditError::Unproven("no line to follow".to_owned())),
    };
    let patch = Patch {
        source,
        span: end..end,
        text,
    };
    Ok((Outcome::Added, vec![patch]))
}

fn not_ours(file: &ZoneFile, record: &Stored, ours: usize) -> EditError {
    let place = file.place(record);
    let ours = file.sources().get(ours);
    EditError::NotOurs {
        file: path(file, place),
        line: line_number(file, place),
        owner: Name::from_checked_wire(file.records().owner(record)),
        rtype: record.rtype,
        ours: ours.map_or(String::new(), |s| s.path.clone()),
    }
}

fn holds(file: &ZoneFile, stored: &Stored, rtype: Rtype, rdata: &Rdata) -> bool {
    let present = crate::zone::rdata::canonical(rtype, file.records().data(stored));
    present == rdata.canonical(rtype)
}

pub(super) fn neighbour(file: &ZoneFile, place: Place) -> Option<Neighbour<'_>> {
    let bytes = file.sources().get(place.source)?.bytes.as_slice();
    let mut tokens = Vec::new();
    let line = Lexer::at(bytes, place.line).next_line(&mut tokens)?;
    Some(Neighbour {
        file: bytes,
        line,
        tokens,
    })
}

/// The last record of the owner that shares most with the new one's; of equal ones the one nearest in depth, then in type.
fn nearest<'z>(file: &'z ZoneFile, record: &Record) -> Option<&'z Stored> {
    let records = file.records();
    let written = records.all().iter().filter(|r| !file.place(r).generated);
    let depth = record.owner.label_count();
    written.max_by_key(|r| {
        let owner = records.owner(r);
        let distance = count_labels(owner).abs_diff(depth);
        let shared = shared_labels(owner, record.owner.wire());
        (shared, std::cmp::Reverse(distance), r.rtype == record.rtype)
    })
}

/// The owner field that holds for a record: its own, or that of a record above.
fn governing_owner<'z>(file: &'z ZoneFile, record: &Stored) -> Option<&'z [u8]> {
    let records = file.records();
    let same = |r: &&Stored| {
        file.place(r).source == file.place(record).source
            && file.place(r) <= file.place(record)
            && records.same_owner(r, record)
    };
    records.all().iter().filter(same).rev().find_map(|r| {
        let neighbour = neighbour(file, file.place(r))?;
        let owner = neighbour.form()?.owner?;
        let bytes = file.sources().get(file.place(r).source)?.bytes.as_slice();
        Some(owner.text(bytes))
    })
}

/// A record of the same type in the same file whose data shows how such data is laid out there.
fn template<'z>(file: &'z ZoneFile, anchor: &Stored, rtype: Rtype) -> Option<Neighbour<'z>> {
    if anchor.rtype == rtype {
        return neighbour(file, file.place(anchor));
    }
    let fits = |r: &&Stored| {
        r.rtype == rtype
            && !file.place(r).generated
            && file.place(r).source == file.place(anchor).source
    };
    let found = file.records().all().iter().rev().find(fits)?;
    neighbour(file, file.place(found))
}

/// The patches that remove data, none if it is not there.
pub(super) fn remove(
    file: &ZoneFile,
    (owner, rtype, rdata): (&Name, Rtype, &Rdata),
    placement: Placement,
) -> Result<(Outcome, Vec<Patch>), EditError> {
    if rtype == Rtype::SOA {
        return Err(EditError::Soa);
    }
    let records = file.records();
    let found = records.all().iter().filter(|r| {
        r.rtype == rtype
            && records.owner(r).eq_ignore_ascii_case(owner.wire())
            && holds(file, r, rtype, rdata)
    });
    let found: Vec<&Stored> = found.collect();
    let mut patches = Vec::new();
    let also_gone: Vec<Place> = found.iter().map(|r| file.place(r)).collect();
    for record in &found {
        if file.place(record).generated {
            return Err(EditError::Generated {
                file: path(file, file.place(record)),
                line: line_number(file, file.place(record)),
                owner: owner.clone(),
                rtype,
            });
        }
        if let Placement::AtEndOf(ours) = placement
            && file.place(record).source != ours
        {
            return Err(not_ours(file, record, ours));
        }
        patches.extend(removal(file, record, &also_gone));
    }
    let outcome = if patches.is_empty() {
        Outcome::AlreadyAbsent
    } else {
        Outcome::Removed
    };
    Ok((outcome, patches))
}

/// Removes the record's line; the record below that took its owner from it gets the owner.
fn removal(file: &ZoneFile, record: &Stored, also_gone: &[Place]) -> Vec<Patch> {
    let Some(removed) = neighbour(file, file.place(record)) else {
        return Vec::new();
    };
    let source = file.place(record).source;
    let mut span = removed.line.start..removed.line.end;
    let ends_file = span.end == removed.file.len() && layout::end_of(removed.file).is_empty();
    if ends_file {
        // A last line without a line end: the line end before it goes, so that the file still has none.
        span.start = layout::without_line_end(removed.file, span.start);
    }
    let mut patches = vec![Patch {
        source,
        span,
        text: Vec::new(),
    }];
    if removed.line.indented {
        return patches;
    }
    let gone = |start: usize| {
        also_gone
            .iter()
            .any(|p| p.source == source && p.line == start)
    };
    if let Some((line, tokens)) = heir(removed.file, removed.line.end, gone) {
        let place = file
            .records()
            .all()
            .iter()
            .map(|r| file.place(r))
            .find(|p| p.source == source && p.line == line.start);
        let owner = Name::from_checked_wire(file.records().owner(record));
        let absolute = removed
            .tokens
            .first()
            .is_some_and(|t| layout::is_absolute(t.text(removed.file)));
        let origin = place.and_then(|p| file.records().origin(p));
        let text = layout::owner_text(&owner, origin, absolute);
        if let Some(first) = tokens.first() {
            patches.push(layout::give_owner(
                source,
                removed.file,
                line.start..first.start,
                &text,
            ));
        }
    }
    patches
}

/// The next line that holds a record and stays, if it begins with a blank.
fn heir(file: &[u8], after: usize, gone: impl Fn(usize) -> bool) -> Option<(Line, Vec<Token>)> {
    let mut lexer = Lexer::at(file, after);
    let mut tokens = Vec::new();
    loop {
        let line = lexer.next_line(&mut tokens)?;
        let Some(first) = tokens.first() else {
            continue;
        };
        let directive = !line.indented && first.text(file).starts_with(b"$");
        if directive || (line.indented && gone(line.start)) {
            continue;
        }
        return line.indented.then_some((line, tokens));
    }
}

pub(super) fn path(file: &ZoneFile, place: Place) -> String {
    file.sources()
        .get(place.source)
        .map_or(String::new(), |s| s.path.clone())
}

pub(super) fn line_number(file: &ZoneFile, place: Place) -> usize {
    let bytes = file.sources().get(place.source).map(|s| s.bytes.as_slice());
    let before = bytes.and_then(|b| b.get(..place.line)).unwrap_or_default();
    before.split(|b| *b == b'\n').count()
}
