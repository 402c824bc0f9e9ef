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

/// Whether a server, or a tool of one, loads a zone.
type Loads = fn(&Path, &Path) -> Result<(), String>;

fn ran(command: &mut Command) -> Result<String, String> {
    let run = command.output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if run.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// The servers of Debian stable, the older one where there are two.
const SERVERS: [(&str, Loads); 5] = [
    ("BIND", |zone, _| {
        ran(Command::new("named-checkzone")
            .args(["-i", "none", "example.com."])
            .arg(zone))
        .map(|_| ())
    }),
    ("Knot", |zone, _| {
        ran(Command::new("kzonecheck")
            .args(["--dnssec", "off", "--origin", "example.com."])
            .arg(zone))
        .map(|_| ())
    }),
    ("NSD", |zone, _| {
        ran(Command::new("nsd-checkzone").arg("example.com.").arg(zone)).map(|_| ())
    }),
    ("ldns", |zone, _| {
        ran(Command::new("ldns-read-zone").arg(zone)).map(|_| ())
    }),
    ("PowerDNS", |zone, folder| {
        let named = format!(
            "zone \"example.com\" {{ type master; file \"{}\"; }};",
            zone.display()
        );
        let config = format!(
            "launch=bind\nbind-config={}\n",
            folder.join("named.conf").display()
        );
        std::fs::write(folder.join("named.conf"), named).unwrap();
        std::fs::write(folder.join("pdns.conf"), config).unwrap();
        let mut check = Command::new("pdnsutil");
        check
            .arg("--config-dir")
            .arg(folder)
            .args(["check-zone", "example.com"]);
        // What it thinks of the data is its own affair: its exit code says that.
        let said = ran(&mut check).unwrap_or_else(|said| said);
        if said.contains(", 0 rejected, 1 new") {
            Ok(())
        } else {
            Err(said)
        }
    }),
];

/// Which of them do not load a text.
fn refusals(text: &str) -> Vec<(&'static str, String)> {
    let folder = tempfile::tempdir().unwrap();
    let zone = folder.path().join("zone");
    std::fs::write(&zone, text).unwrap();
    let refused = SERVERS
        .iter()
        .filter_map(|(server, loads)| Some((*server, loads(&zone, folder.path()).err()?)));
    refused.collect()
}

#[test]
fn every_type_is_written_as_each_server_reads_it() {
    let text = samples().to_string();
    assert_eq!(refusals(&text), []);
    // The same with a name that one of them does not know: what is seen here can be seen.
    let known = text.replace("TYPE260 \\# ", "AMTRELAY \\# ");
    assert_ne!(known, text);
    let refused: Vec<&str> = refusals(&known).iter().map(|(server, _)| *server).collect();
    assert_eq!(refused, ["Knot", "NSD", "PowerDNS"]);
}

#[test]
fn types_in_data_and_keys_of_services_are_written_so_too() {
    let table = [
        (
            "NSEC ns.example.com. A A6 AMTRELAY TLSA",
            "NSEC ns.example.com. A TYPE38 TLSA TYPE260",
        ),
        ("CSYNC 66 3 A RT", "CSYNC 66 3 A TYPE21"),
        ("CSYNC 66 3", "CSYNC \\# 6 000000420003"),
        ("KEY 49152 3 5", "KEY \\# 4 c0000305"),
        ("IPSECKEY 10 0 0 .", "IPSECKEY \\# 3 0a0000"),
        (
            "SVCB 1 . alpn=h2 dohpath=/{?dns}",
            "SVCB 1 . alpn=\"h2\" key7=\"/{?dns}\"",
        ),
        (
            "HTTPS 1 . mandatory=alpn,ohttp alpn=h2 ohttp",
            "HTTPS 1 . mandatory=alpn,key8 alpn=\"h2\" key8",
        ),
    ];
    for (written, expected) in table {
        let text =
            format!("@ 300 SOA ns h 1 2 3 4 5\n@ 300 NS ns\nns 300 A 192.0.2.1\na 300 {written}\n");
        let zone = Zone::parse(text.as_bytes(), Some(&origin())).unwrap();
        let printed = zone.to_string();
        let line = printed
            .lines()
            .find_map(|l| l.strip_prefix("a.example.com. 300 IN "));
        assert_eq!(
            line.map(|l| l.replace('"', "")),
            Some(expected.replace('"', "")),
            "{written}"
        );
        assert_eq!(
            Zone::parse(printed.as_bytes(), Some(&origin())).unwrap(),
            zone,
            "{written}"
        );
    }
}
