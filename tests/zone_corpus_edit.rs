//! Edits of every master file in the sources of other name servers, judged by BIND; and what `zone normalize` prints of them.
//!
//! `scripts/corpus` fetches the sources. Without them there is nothing to edit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::print_stdout
)]

mod corpus_support;

use corpus_support::files::{Sample, on_all, root, samples};
use corpus_support::peers::{Answer, compiled};
use corpus_support::{Rows, only, rows};
use std::collections::BTreeMap;
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::edit::{Change, EditError, edit};
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

/// 2026-11-23T12:00:00Z.
const NOW: Instant = Instant::from_unix(1_795_435_200);
const TLSA: &[u8] = b"3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The TLSA record of the first mail host, or else of the first host, of a zone.
fn wished(zone: &Zone) -> Option<Record> {
    let hosts = || {
        zone.records()
            .filter(|r| matches!(r.rtype, Rtype::A | Rtype::MX))
    };
    let host = hosts()
        .find(|r| r.rtype == Rtype::MX)
        .or_else(|| hosts().next())?;
    Some(Record {
        owner: host.owner.child(b"_tcp").ok()?.child(b"_25").ok()?,
        ttl: Ttl(3600),
        rtype: Rtype::TLSA,
        rdata: Rdata::from_text(Rtype::TLSA, TLSA, None).unwrap(),
    })
}

/// What BIND reads in a text; `None` when it refuses it.
fn bind(text: &[u8], origin: &Name) -> Option<Rows> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("zone");
    std::fs::write(&file, text).unwrap();
    match compiled(&file, &origin.to_string()) {
        Answer::Zone(rows) => rows,
        Answer::Refused(_) => None,
    }
}

fn texts(file: &ZoneFile) -> Vec<Vec<u8>> {
    file.sources().iter().map(|s| s.bytes.to_vec()).collect()
}

/// What differs between two texts: where they begin to, up to where they end to.
fn differing<'a>(a: &'a [u8], b: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (&a[..a.len() - end], &b[..b.len() - end])
}

/// Adds a record, asks BIND, removes it again. What happened: a word for the table, or what is wrong.
fn added_and_removed(sample: &Sample) -> Result<&'static str, String> {
    let file = sample.read();
    let Ok(zone) = file.zone() else {
        return Ok("refused: has errors");
    };
    let Some(record) = wished(&zone) else {
        return Ok("no host");
    };
    if zone.rrset(&record.owner, Rtype::CNAME).is_some() {
        return Ok("refused: the owner is an alias");
    }
    let added = match edit(&file, &[Change::Add(record.clone())], NOW) {
        Ok(added) => added,
        Err(EditError::NoSerial { .. }) => return Ok("refused: serial in generic form"),
        Err(other) => return Err(format!("cannot add {record}: {other}")),
    };
    if file.sources().len() == 1 {
        let texts = (texts(&file).concat(), texts(&added.file).concat());
        let (before, after) = (
            bind(&texts.0, &sample.origin),
            bind(&texts.1, &sample.origin),
        );
        let (Some(before), Some(after)) = (before, after) else {
            return Err("BIND refuses it".to_owned());
        };
        // A digest of the zone follows from the rest (RFC 8976).
        let is_said = |r: &&(_, u16, _, _)| r.1 != Rtype::ZONEMD.0;
        let come: Vec<_> = after.difference(&before).filter(is_said).collect();
        let gone: Vec<_> = before.difference(&after).filter(is_said).collect();
        let tlsa = come
            .iter()
            .filter(|r| r.1 == Rtype::TLSA.0 && r.3 == *record.rdata.0);
        let others = come
            .iter()
            .chain(&gone)
            .filter(|r| r.1 == Rtype::SOA.0)
            .count();
        if (come.len(), gone.len(), tlsa.count(), others) != (2, 1, 1, 2) {
            return Err(format!("BIND sees another change: +{come:?} -{gone:?}"));
        }
    }
    if zone.rrset(&zone.apex, Rtype::ZONEMD).is_some() {
        return Ok("added, with another digest of the zone");
    }
    let Record {
        owner,
        rtype,
        rdata,
        ..
    } = record;
    let removed = edit(
        &added.file,
        &[Change::Remove {
            owner,
            rtype,
            rdata,
        }],
        NOW,
    )
    .map_err(|e| format!("cannot remove it again: {e}"))?;
    for (old, new) in texts(&file).iter().zip(texts(&removed.file)) {
        let lines = |text: &[u8]| {
            text.split(|b| *b == b'\n')
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        let (old, new) = (lines(old), lines(&new));
        if old.len() != new.len() {
            return Err(format!("{} lines became {}", old.len(), new.len()));
        }
        for (old, new) in old.iter().zip(&new) {
            let (old, new) = differing(old, new);
            if !old.iter().chain(new).all(u8::is_ascii_digit) {
                return Err(format!(
                    "`{}` became `{}`",
                    old.escape_ascii(),
                    new.escape_ascii()
                ));
            }
        }
    }
    Ok("added and removed")
}

fn table(samples: &[Sample], check: impl Fn(&Sample) -> Result<&'static str, String> + Sync) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut wrong = String::new();
    for (sample, outcome) in samples.iter().zip(on_all(samples, check)) {
        match outcome {
            Ok(word) => *counts.entry((&sample.package, word)).or_default() += 1,
            Err(what) => wrong.push_str(&format!("{}/{}: {what}\n", sample.package, sample.name)),
        }
    }
    for ((package, word), count) in counts {
        println!("{package:10} {count:5} {word}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_record_added_to_any_master_file_is_all_that_changes_and_can_be_taken_back() {
    let Some(root) = root() else {
        println!("no corpus: scripts/corpus fetches it");
        return;
    };
    table(&samples(&root), added_and_removed);
}

/// Whether the normal form is one absolute record a line, in order, and means the same to BIND.
fn normal_form(sample: &Sample) -> Result<&'static str, String> {
    let Ok(zone) = sample.read().zone() else {
        return Ok("has errors");
    };
    let text = zone.to_string();
    let ours = rows(&zone);
    if text.lines().count() != ours.len() {
        return Err("not one record a line".to_owned());
    }
    let Some(theirs) = bind(text.as_bytes(), &sample.origin) else {
        return Err("BIND refuses the normal form".to_owned());
    };
    if theirs != ours {
        return Err(format!(
            "only BIND has\n{}only we have\n{}",
            only(&theirs, &ours),
            only(&ours, &theirs)
        ));
    }
    let again = Zone::parse(text.as_bytes(), Some(&sample.origin)).map_err(|e| e.to_string())?;
    if again.to_string() != text {
        return Err("the normal form of the normal form is another".to_owned());
    }
    Ok("normal form is the same to BIND")
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn the_normal_form_of_any_master_file_means_the_same_to_bind() {
    let Some(root) = root() else {
        println!("no corpus: scripts/corpus fetches it");
        return;
    };
    table(&samples(&root), normal_form);
}
