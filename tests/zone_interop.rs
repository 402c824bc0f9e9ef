//! Our reading of master files against that of BIND's `named-compilezone`, octet by octet, and of others where they are strict.
//!
//! BIND writes its *raw* format: wire octets, so that nothing of the comparison goes through our own printing or reading.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::Directory;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

/// A record as compared: owner in lower case, type, TTL, data octets.
type Row = (String, u16, u32, Vec<u8>);

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "zone"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Runs `named-compilezone`; its raw output, or what it complained of.
fn compiled(file: &Path) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("raw");
    let run = Command::new("named-compilezone")
        .current_dir(file.parent().unwrap())
        .args("-i none -k ignore -n ignore -m ignore -M ignore -r ignore -S ignore -T ignore -W ignore -F raw -o".split(' '))
        .arg(&out)
        .arg("example.com")
        .arg(file.file_name().unwrap())
        .output()
        .expect("named-compilezone must be installed");
    if run.status.success() {
        Ok(std::fs::read(out).unwrap())
    } else {
        Err(String::from_utf8_lossy(&run.stdout).into_owned())
    }
}

fn take<'a>(octets: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = octets.split_at(count);
    *octets = rest;
    taken
}

fn number(octets: &mut &[u8], count: usize) -> u32 {
    take(octets, count)
        .iter()
        .fold(0, |sum, o| sum << 8 | u32::from(*o))
}

/// The records of BIND's raw format, version 1.
fn raw_rows(mut octets: &[u8]) -> BTreeSet<Row> {
    assert_eq!(
        (number(&mut octets, 4), number(&mut octets, 4)),
        (2, 1),
        "raw format, version 1"
    );
    take(&mut octets, 16);
    let mut rows = BTreeSet::new();
    while !octets.is_empty() {
        let length = number(&mut octets, 4) as usize;
        let mut set = take(&mut octets, length - 4);
        let (_class, rtype, _covers) = (
            number(&mut set, 2),
            number(&mut set, 2),
            number(&mut set, 2),
        );
        let (ttl, count, owner) = (
            number(&mut set, 4),
            number(&mut set, 4),
            number(&mut set, 2),
        );
        let (owner, rest) = Name::split_wire(take(&mut set, owner as usize)).unwrap();
        assert!(rest.is_empty());
        for _ in 0..count {
            let length = number(&mut set, 2) as usize;
            let data = take(&mut set, length).to_vec();
            rows.insert((
                owner.to_string().to_lowercase(),
                u16::try_from(rtype).unwrap(),
                ttl,
                data,
            ));
        }
        assert!(set.is_empty());
    }
    rows
}

fn rows(zone: &Zone) -> BTreeSet<Row> {
    zone.records()
        .map(|r| {
            (
                r.owner.to_string().to_lowercase(),
                r.rtype.0,
                r.ttl.0,
                r.rdata.0.to_vec(),
            )
        })
        .collect()
}

fn read(file: &Path) -> ZoneFile {
    let origin = Name::parse(b"example.com.", None).unwrap();
    let files = Directory::below(file.parent().unwrap());
    ZoneFile::read(
        file.to_str().unwrap(),
        std::fs::read(file).unwrap(),
        Some(&origin),
        &files,
    )
}

fn shown(rows: &BTreeSet<Row>, other: &BTreeSet<Row>) -> String {
    rows.difference(other)
        .map(|(owner, rtype, ttl, data)| {
            format!("{owner} {ttl} {} {}\n", Rtype(*rtype), data.escape_ascii())
        })
        .collect()
}

#[test]
fn our_content_is_that_of_bind_octet_by_octet() {
    for file in corpus("tests/zones").iter().chain(&corpus("zones")) {
        let theirs =
            raw_rows(&compiled(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
        let ours = rows(&read(file).zone().unwrap_or_else(|e| panic!("{e}")));
        let (missing, extra) = (shown(&theirs, &ours), shown(&ours, &theirs));
        assert!(
            ours == theirs,
            "{}\nonly BIND has\n{missing}only we have\n{extra}",
            file.display()
        );
    }
}
