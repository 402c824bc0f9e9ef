//! What holds for any bytes that are read as a zone, edited and printed: shared by the fuzzer and `tests/zone_properties.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::diff::{diff, diff_files};
use tlsa_rotate::zone::edit::{Change, EditError, Outcome, edit};
use tlsa_rotate::zone::file::{ZoneFile, entries};
use tlsa_rotate::zone::include::{Files, Included};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

/// 2026-11-23T12:00:00Z.
const NOW: Instant = Instant::from_unix(1_795_435_200);

/// Panics where a property does not hold.
pub(crate) fn hold(bytes: &[u8]) {
    if makes_many(bytes) {
        return;
    }
    let spans = entries(bytes).map(|entry| entry.span);
    let end = spans.fold(0, |end, span| {
        assert_eq!(span.start, end, "entries leave nothing out");
        assert!(span.end > end, "entries are not empty");
        span.end
    });
    assert_eq!(end, bytes.len(), "entries laid end to end are the file");

    let origin = Name::parse(b"example.com.", None).unwrap();
    let file = ZoneFile::read("zone", bytes.to_vec(), Some(&origin), &Half(bytes));
    for found in file.diagnostics() {
        assert!(found.line >= 1 && found.column >= 1 && !found.to_string().is_empty());
    }
    let Ok(zone) = file.zone() else {
        assert!(file.has_errors());
        return;
    };
    printed_reads_back(&file, &zone, &origin);
    let same = diff_files(&file, &file).unwrap();
    assert!(same.is_empty(), "a file differs from itself by {same:?}");
    add_and_remove(&file, &zone);
}

/// `$GENERATE` may make a million records: too slow to be tried again and again.
fn makes_many(bytes: &[u8]) -> bool {
    let generates = bytes
        .windows(9)
        .any(|w| w.eq_ignore_ascii_case(b"$GENERATE"));
    let digits = |w: &[u8]| w.iter().all(u8::is_ascii_digit);
    generates && bytes.windows(4).any(digits)
}

/// Every included file is the first half of the including one, whatever its name.
struct Half<'a>(&'a [u8]);

impl Files for Half<'_> {
    fn open(&self, _: &str, wanted: &str) -> Result<Included, String> {
        Ok(Included {
            path: wanted.to_owned(),
            bytes: Arc::new(self.0[..self.0.len() / 2].to_vec()),
        })
    }
}

/// All records; the TTL of an RRSIG is that of what it covers, which need not be there.
fn records(zone: &Zone) -> Vec<Record> {
    let mut records: Vec<Record> = zone.records().collect();
    for record in &mut records {
        if record.rtype == Rtype::RRSIG {
            record.ttl = Ttl(0);
        }
    }
    records
}

fn printed_reads_back(file: &ZoneFile, zone: &Zone, origin: &Name) {
    let text = zone.to_string();
    let (mut written, mut streamed) = (Vec::new(), Vec::new());
    zone.write_to(&mut written).unwrap();
    file.write_to(&mut streamed).unwrap();
    assert!(
        text.as_bytes() == written && written == streamed,
        "written and printed are the same"
    );
    let back = Zone::parse(text.as_bytes(), Some(origin));
    let back = back.unwrap_or_else(|found| panic!("{found}\nin\n{text}"));
    assert_eq!(records(&back), records(zone), "what is printed reads back");
}

fn add_and_remove(file: &ZoneFile, zone: &Zone) {
    let owner = Name::parse(b"_25._tcp.mx1", Some(&zone.apex)).unwrap();
    let rdata = Rdata::from_text(
        Rtype::TLSA,
        [b"3 1 1 ".as_slice(), &b"5a".repeat(32)]
            .concat()
            .as_slice(),
        None,
    );
    let (rtype, rdata) = (Rtype::TLSA, rdata.unwrap());
    let ttl = zone
        .rrset(&owner, rtype)
        .map_or(Ttl(3600), |rrset| rrset.ttl);
    let added = Record {
        owner: owner.clone(),
        ttl,
        rtype,
        rdata: rdata.clone(),
    };
    let added = match edit(file, &[Change::Add(added.clone())], NOW) {
        Ok(added) => added,
        Err(error) => return allowed(&error),
    };
    let mut expected = zone.clone();
    let new = expected.insert(Record {
        owner: owner.clone(),
        ttl,
        rtype,
        rdata: rdata.clone(),
    });
    assert_eq!(added.outcomes == [Outcome::Added], new);
    let content = added.file.zone().unwrap();
    assert!(
        diff(&expected, &content).rrsets.is_empty(),
        "an edit means what was asked for"
    );
    assert_eq!(
        diff_files(file, &added.file).unwrap(),
        diff(zone, &content),
        "files differ as their zones do"
    );
    if !new {
        assert!(added.touched.is_empty());
        return;
    }
    let removed = match edit(
        &added.file,
        &[Change::Remove {
            owner,
            rtype,
            rdata,
        }],
        NOW,
    ) {
        Ok(removed) => removed,
        Err(error) => return allowed(&error),
    };
    let paths = |file: &ZoneFile| {
        file.sources()
            .iter()
            .map(|s| s.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(file), paths(&removed.file));
    for (before, after) in file.sources().iter().zip(removed.file.sources()) {
        only_digits_differ(&before.bytes, &after.bytes);
    }
    assert!(diff_files(file, &removed.file).unwrap().rrsets.is_empty());
}

/// An edit may be refused for how the file is written, but a sound file is not to blame.
fn allowed(error: &EditError) {
    assert!(!matches!(error, EditError::HasErrors(_)), "{error}");
}

/// The serial has grown, in every copy of the SOA record; nothing else is another.
fn only_digits_differ(before: &[u8], after: &[u8]) {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|octet| *octet == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    let (before, after) = (lines(before), lines(after));
    assert_eq!(before.len(), after.len(), "no line more or less");
    for (before, after) in before.iter().zip(&after) {
        only_digits_differ_in_line(before, after);
    }
}

fn only_digits_differ_in_line(before: &[u8], after: &[u8]) {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[start..], &after[start..]);
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let middle = [&before[..before.len() - tail], &after[..after.len() - tail]].concat();
    let strange: BTreeSet<u8> = middle.into_iter().filter(|b| !b.is_ascii_digit()).collect();
    let shown = String::from_utf8_lossy(before);
    assert!(
        strange.is_empty(),
        "adding and removing leaves {strange:?} behind, from byte {start}: {shown}"
    );
}
