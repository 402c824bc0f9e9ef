//! Every record type that we or BIND know, from text to octets to text, against BIND's `named-compilezone`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::format_collect, clippy::format_push_string)]

mod corpus_support;

use corpus_support::peers::{Answer, LAX, compiled};
use corpus_support::{Rows, only, rows};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

fn origin() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn samples() -> Zone {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones");
    let mut zone = Zone::empty(origin());
    for name in ["types.zone", "text.zone", "svcb.zone"] {
        let text = std::fs::read(folder.join(name)).unwrap();
        let read = Zone::parse(&text, Some(&origin())).unwrap_or_else(|e| panic!("{e}"));
        for record in read
            .records()
            .filter(|r| name == "types.zone" || r.rtype != Rtype::SOA)
        {
            zone.insert(record);
        }
    }
    zone
}

/// What BIND makes of a text: its records, and its own text for them.
fn bind(text: &str) -> Result<(Rows, String), String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("zone");
    std::fs::write(&file, text).unwrap();
    let rows = match compiled(&file, "example.com.") {
        Answer::Zone(rows) => rows.unwrap(),
        Answer::Refused(why) => return Err(why),
    };
    let printed = directory.path().join("printed");
    let run = Command::new("named-compilezone")
        .args(LAX.split(' '))
        .args(["-s", "full", "-o"])
        .args([&printed, Path::new("example.com."), &file])
        .output()
        .unwrap();
    assert!(run.status.success());
    Ok((rows, std::fs::read_to_string(printed).unwrap()))
}

fn same(ours: &Rows, theirs: &Rows, what: &str) {
    let (missing, extra) = (only(theirs, ours), only(ours, theirs));
    assert!(
        ours == theirs,
        "{what}\nonly BIND has\n{missing}only we have\n{extra}"
    );
}

#[test]
fn the_samples_hold_every_type_that_has_a_text_form() {
    let present: BTreeSet<Rtype> = samples().records().map(|r| r.rtype).collect();
    let obsolete = [Rtype::MD, Rtype::MF];
    let absent: Vec<Rtype> = (1..=u16::MAX)
        .map(Rtype)
        .filter(|t| {
            t.mnemonic().is_some() && !obsolete.contains(t) && !t.is_meta() && !present.contains(t)
        })
        .collect();
    assert!(absent.is_empty(), "no sample of {absent:?}");
}

#[test]
fn the_generic_form_of_every_type_means_the_same_octets() {
    let zone = samples();
    let generic: String = zone
        .records()
        .map(|r| {
            let hex: String = r.rdata.0.iter().map(|o| format!("{o:02x}")).collect();
            format!(
                "{} {} CLASS1 TYPE{} \\# {} {hex}\n",
                r.owner,
                r.ttl.0,
                r.rtype.0,
                r.rdata.0.len()
            )
        })
        .collect();
    let (theirs, _) = bind(&generic).unwrap_or_else(|e| panic!("{e}"));
    let ours = Zone::parse(generic.as_bytes(), Some(&origin())).unwrap_or_else(|e| panic!("{e}"));
    same(&rows(&ours), &theirs, "read from the generic form");
    same(&rows(&zone), &theirs, "read from the text form");
}

#[test]
fn what_bind_prints_of_every_type_we_read_and_the_other_way_round() {
    let zone = samples();
    let (theirs, printed) = bind(&zone.to_string()).unwrap_or_else(|e| panic!("{e}"));
    same(&rows(&zone), &theirs, "BIND's reading of our text");
    let read = Zone::parse(printed.as_bytes(), Some(&origin())).unwrap_or_else(|e| panic!("{e}"));
    same(&rows(&read), &theirs, "our reading of BIND's text");
}

#[test]
fn bind_has_no_mnemonic_that_we_lack() {
    // BIND prints the mnemonic of what it knows, here of every number that IANA may have given away.
    let assigned = (1..=300)
        .chain(32760..=32780)
        .chain(65530..=65535)
        .map(Rtype);
    // KEYDATA is BIND's own note of a trust anchor, under a number for private use.
    let unknown: Vec<Rtype> = assigned
        .filter(|t| !t.is_meta() && t.mnemonic().is_none() && t.0 != 65533)
        .collect();
    let records: String = unknown
        .iter()
        .map(|t| format!("a {t} \\# 4 00000000\n"))
        .collect();
    let (_, printed) = bind(&format!(
        "$TTL 1\n@ SOA . . 1 2 3 4 5\n@ NS ns.example.net.\n{records}"
    ))
    .unwrap_or_else(|e| panic!("BIND knows one of them: {e}"));
    for rtype in unknown {
        let line = printed
            .lines()
            .any(|l| l.split_whitespace().nth(3) == Some(rtype.to_string().as_str()));
        assert!(line, "BIND has another name for {rtype}");
    }
}
