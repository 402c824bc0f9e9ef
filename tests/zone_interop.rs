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
// Tables are long, and text is built in the plainest way.
#![allow(
    clippy::too_many_lines,
    clippy::format_collect,
    clippy::format_push_string
)]

mod corpus_support;

use corpus_support::peers::{self, Answer};
use corpus_support::{Rows, only, rows};
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::Directory;
use tlsa_rotate::zone::name::Name;

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

/// The records that `named-compilezone` reads, or what it complained of.
fn compiled(file: &Path) -> Result<Rows, String> {
    match peers::compiled(file, "example.com") {
        Answer::Zone(rows) => Ok(rows.unwrap()),
        Answer::Refused(why) => Err(why),
    }
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

#[test]
fn our_content_is_that_of_bind_octet_by_octet() {
    for file in corpus("tests/zones").iter().chain(&corpus("zones")) {
        let theirs = compiled(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let ours = rows(&read(file).zone().unwrap_or_else(|e| panic!("{e}")));
        let (missing, extra) = (only(&theirs, &ours), only(&ours, &theirs));
        assert!(
            ours == theirs,
            "{}\nonly BIND has\n{missing}only we have\n{extra}",
            file.display()
        );
    }
}

/// A sound zone with one line more.
fn with(line: &str) -> String {
    format!("$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{line}\n")
}

fn in_file<T>(text: &str, ask: impl Fn(&Path) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("example.com.zone");
    std::fs::write(&file, text).unwrap();
    ask(&file)
}

#[test]
fn what_we_print_bind_reads_back_to_the_same_octets() {
    for file in corpus("tests/zones") {
        let zone = read(&file).zone().unwrap();
        let printed = zone.to_string();
        let theirs = in_file(&printed, |f| {
            compiled(f).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
        });
        let ours = rows(&zone);
        let (missing, extra) = (only(&theirs, &ours), only(&ours, &theirs));
        assert!(
            ours == theirs,
            "{}\nonly BIND has\n{missing}only we have\n{extra}",
            file.display()
        );
        assert_eq!(
            rows(&Zone::parse(printed.as_bytes(), None).unwrap()),
            ours,
            "{}",
            file.display()
        );
    }
}

#[test]
fn ldns_and_knot_read_what_we_print() {
    let zone = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example.com.zone"))
        .zone()
        .unwrap();
    in_file(&zone.to_string(), |file| {
        let knot = Command::new("kzonecheck")
            .args(["-o", "example.com."])
            .arg(file)
            .output();
        let knot = knot.expect("kzonecheck must be installed");
        assert!(
            knot.status.success(),
            "{}",
            String::from_utf8_lossy(&knot.stderr)
        );
        let ldns = Command::new("ldns-read-zone")
            .arg(file)
            .output()
            .expect("ldns-read-zone must be installed");
        assert!(
            ldns.status.success(),
            "{}",
            String::from_utf8_lossy(&ldns.stderr)
        );
        let theirs = Zone::parse(&ldns.stdout, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(theirs, zone);
    });
}

/// Lines that are no records, or would not mean what they seem to: BIND refuses them, and so do we.
const REFUSED: &[&str] = &[
    "\"\" A 192.0.2.1",
    "\"$x\" A 192.0.2.1",
    "a DNSKEY 257 3 13",
    "a CDNSKEY 257 3 13",
    "a KEY 0 3 5",
    "a KEY 49152 3 5 AAAA",
    "a LOC 0 N 0 E 0m 99999999m",
    "a A \"192.0.2.1\"",
    "a MX 10 \"b\"",
    "_25._tcp.mx TLSA \"3\" 1 1 00",
    "a A 192.0.2.256",
    "a A 192.0.2",
    "a A 192.0.2.1 extra",
    "a A",
    "a A \"192.0.2.1\"",
    "a A 0300.0.2.1",
    "a AAAA 2001:db8::g",
    "a AAAA 192.0.2.1",
    "a MX mx",
    "a MX 65536 mx",
    "a MX -1 mx",
    "a MX 10",
    "a MX 10 mx extra",
    "a MX 10 \"mx\"",
    "a MX 1h mx",
    "a NS",
    "a CNAME b c",
    "a CNAME a..b",
    "a CNAME .a",
    "a FOO bar",
    "a IN",
    "a 300",
    "a CH TXT x",
    "a CLASS3 TXT x",
    "a IN IN A 192.0.2.1",
    "a 300 300 A 192.0.2.1",
    "a 1h30 A 192.0.2.1",
    "a 1x A 192.0.2.1",
    "a TXT",
    "a TXT \"open",
    "a TXT ( x",
    "a TXT x )",
    "a TXT \"\\256\"",
    "a TXT \\25",
    "a TXT x\\",
    "a..b A 192.0.2.1",
    "a\\300 A 192.0.2.1",
    ".a A 192.0.2.1",
    "a TLSA 3 1 1",
    "a TLSA 3 1 1 0",
    "a TLSA 3 1 1 0g",
    "a TLSA 256 1 1 00",
    "a TLSA 3 1 00",
    "a CAA 0 is-sue x",
    "a CAA 256 issue x",
    "a CAA 0 issue",
    "a SRV 1 2 3",
    "a SRV 1 2 65536 x",
    "a SSHFP 1 1 zz",
    "a DS 1 8 1 0",
    "a DNSKEY 256 3 8 A",
    "a DNSKEY 256 3 8 AA=",
    "a DNSKEY 256 3 8 A===",
    "a DS 1 8 2 00",
    "a CDS 1 8 4 00",
    "a SSHFP 1 1 00",
    "a SSHFP 1 2 00",
    "a ZONEMD 1 1 1 00",
    "a ZONEMD 1 1 3 0000000000000000000000",
    "a DS \\# 5 0001080200",
    "a A6 129 ::",
    "a A6 64 ::1",
    "a A6 0 ::1 x",
    "a A6 \\# 1 81",
    "a NXT b 128",
    "a NXT b TYPE0",
    "a NXT \\# 3 000100",
    "a ATMA 4",
    "a ATMA .47",
    "a ATMA 47..00",
    "a ATMA +",
    "a ATMA +12a",
    "a ATMA \\# 2 0161",
    "a DSYNC CDS NOTIFY 65536 b",
    "a DSYNC FOO NOTIFY 1 b",
    "a DSYNC CDS PUSH 1 b",
    "a MD b",
    "a MF b",
    "a CNAME b\na NXT c A",
    "a HHIT",
    "a BRID",
    "$DATE",
    "$DATE 2026",
    "$DATE 20260101000000 x",
    "$GENERATE 1-1 a$ TXT foo${2147483647}",
    "$GENERATE 1-2 a${0,128,x} A 192.0.2.1",
    "a NSEC b",
    "a NSEC b FOO",
    "a NSEC3 1 0 0 zz 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S",
    "a NSEC3 1 0 0 - 2VPW",
    "a NSEC3 1 0 0 - 2V",
    "a NSEC3PARAM 1 0 0",
    "a RRSIG A 8 2 300 20260230000000 20260101000000 1 b. AAAA",
    "a RRSIG FOO 8 2 300 1 1 1 b. AAAA",
    "a HINFO x",
    "a NAPTR 1 1 s x",
    "a LOC 91 N 0 E 0",
    "a LOC 1 N 181 E 0",
    "a LOC 1 60 N 1 E 0",
    "a LOC 1 N 1 E",
    "a APL 3:1.2.3.4/1",
    "a APL 1:1.2.3.4/33",
    "a APL 192.0.2.0/24",
    "a EUI48 00-00-5e-00-53",
    "a EUI48 00005e00532",
    "a NID 1 0014:4fff:ff20",
    "a L32 1 x",
    "a URI 1 1",
    "a OPENPGPKEY",
    "a DHCID",
    "a CERT FOO 1 1 AAAA",
    "a HTTPS 1",
    "a HTTPS 1 . alpn",
    "a HTTPS 1 . port=x",
    "a HTTPS 1 . alpn=h2 alpn=h3",
    "a HTTPS 1 . mandatory=alpn",
    "a HTTPS 1 . no-default-alpn",
    "a HTTPS 1 . foo=bar",
    "a HTTPS 1 . ipv4hint=1",
    "a HTTPS 1 . alpn=",
    "a AMTRELAY 1 2 1 192.0.2.1",
    "a AMTRELAY 1 0 1 x",
    "a IPSECKEY 1 1 2 x AAAA",
    "a HIP 2 zz AAAA",
    "a \\# 1 00",
    "a TYPE65280 00",
    "a TYPE65280 \\# 2 00",
    "a A \\# 3 000000",
    "a A \\# 5 0000000000",
    "a MX \\# 2 0001",
    "a TYPE65536 \\# 0",
    "a ANY \\# 0",
    "a AXFR x",
    "a OPT \\# 0",
    "$ORIGIN",
    "$ORIGIN a b",
    "$TTL",
    "$TTL x",
    "$TTL 1 2",
    "$FOO",
    "$INCLUDE",
    "$INCLUDE nosuchfile",
    "$GENERATE",
    "$GENERATE 1",
    "$GENERATE 1-x a$ A 192.0.2.$",
    "$GENERATE 2-1 a$ A 192.0.2.$",
    "$GENERATE 1-2 a${ A 192.0.2.$",
    "$GENERATE 1-300 a$ A 192.0.2.$",
    "$GENERATE 1-2/0 a$ A 192.0.2.$",
    "$GENERATE 1-2 a${0,1,q} A 192.0.2.1",
    "a CNAME b\na A 192.0.2.1",
    "a CNAME b\na CNAME c",
    "@ SOA ns host 2 2 3 4 5",
    "0123456789012345678901234567890123456789012345678901234567890123 A 192.0.2.1",
];

/// Lines that look odd and are fine.
const ACCEPTED: &[&str] = &[
    "a A (192.0.2.1)",
    "a TXT(x)",
    "a TXT x;comment",
    "a TXT \"a\\\"b\"",
    "a 0 A 192.0.2.1",
    "a 2147483647 A 192.0.2.1",
    "a in 1h a 192.0.2.1",
    "a 1H In TyPe1 \\# 4 01020304",
    "a MX 0 .",
    "a CNAME @",
    "a\\.b.c A 192.0.2.1",
    "\\097 A 192.0.2.1",
    "a RRSIG A 8 2 300 4294967295 0 1 b. AAAA",
    "a DNSKEY 256 3 253 AAAA",
    "a TXT \"\\#\" 1 00",
    "a TXT \\#",
    "a CNAME b\na KEY 512 255 8 AAAA",
    "a AMTRELAY \\# 2 0004",
    "a AMTRELAY \\# 3 000401",
    "a DS 1 8 3 00",
    "a TXT \\# x",
    "* A 192.0.2.1",
    "a RRSIG 1 8 2 300 1 1 1 b. AAAA",
    "a DS 1 8 5 00",
    "a SSHFP 1 3 00",
    "a ZONEMD 1 1 3 000000000000000000000000",
    "$DATE 20260101000000",
    "$GENERATE 1-2 a${-5,4,d} A 192.0.2.1",
    "$GENERATE 1-2 ${-5,3,N} A 192.0.2.1",
    "$GENERATE 1-2 a${0,60,x} A 192.0.2.1",
    "a.*.b A 192.0.2.1",
    "_a._b A 192.0.2.1",
    "a HTTPS 0 b",
    "a HTTPS 1 . key65534=x",
    "a CAA 1 TBS Unknown",
    "$GENERATE 1-1 a A 192.0.2.$",
    "a A 192.0.2.1\n\tA 192.0.2.2",
    "a CNAME b\na CNAME b",
    "_25._tcp.mx TLSA 4 1 1 00",
    "_25._tcp.mx TLSA 255 255 255 00",
    "a SMIMEA 3 1 9 00",
    "b.example.net. A 192.0.2.1",
    "b.example.net. CNAME a.\nb.example.net. A 192.0.2.1",
    "\"a\" A 192.0.2.1",
    "\"foo bar\" 300 IN TXT x\n TXT y",
    "\"@\" TXT x",
    "\"a.b.example.com.\" TXT x",
    "\"a\\\"b\" TXT x",
    "\"a(b;c\" TXT x",
    "\"IN\" TXT x",
    "a KEY 49152 3 5",
    "a DNAME b.example.net.\na NS c.example.net.",
    "a LOC 0 N 0 E 0m 90000000m 90000000m 90000000m",
    "a LOC \\# 16 01020000800000008000000000989680",
    "d DNSKEY 257 3 13 AAAA\nd RRSIG A 13 3 300 20300101000000 20200101000000 1 example.com. AAAA",
    "012345678901234567890123456789012345678901234567890123456789012 A 192.0.2.1",
];

/// Lines that BIND lets pass, with a warning or none, and we refuse: nobody means them.
const STRICTER: &[(&str, &str)] = &[
    ("$INCLUDE \"/dev/null\"", "it is a device"),
    (
        "_25._tcp.mx TLSA 3 1 1 00",
        "a digest of another length matches nothing",
    ),
    (
        "_25._tcp.mx TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "the digest of nothing",
    ),
    (
        "a LOC 0 N 0 E 0m 90000000.01m",
        "more than a size can say; BIND rounds it down, Knot refuses it",
    ),
    (
        "a 2147483648 A 192.0.2.1",
        "BIND turns a TTL beyond RFC 2181 into 0",
    ),
    ("a URI 1 1 \"\"", "RFC 7553 §4.4 requires a target"),
];

#[test]
fn where_we_are_stricter_than_bind_is_known() {
    let origin = Name::parse(b"example.com.", None).unwrap();
    for (line, why) in STRICTER {
        let theirs = in_file(&with(line), compiled);
        assert!(
            theirs.is_ok(),
            "BIND refuses `{line}` too ({why}): {theirs:?}"
        );
        let ours = Zone::parse(with(line).as_bytes(), Some(&origin));
        assert!(ours.is_err(), "we accept `{line}`: {why}");
    }
}

#[test]
fn what_bind_refuses_we_refuse_and_the_other_way_round() {
    let origin = Name::parse(b"example.com.", None).unwrap();
    let ours = |file: &Path| {
        let text = std::fs::read(file).unwrap();
        let read = ZoneFile::read("zone", text, Some(&origin), &Directory::anywhere());
        read.zone().map(|z| rows(&z)).map_err(|e| e.to_string())
    };
    let mut wrong = String::new();
    for (line, accepted) in REFUSED
        .iter()
        .map(|l| (l, false))
        .chain(ACCEPTED.iter().map(|l| (l, true)))
    {
        let (theirs, ours) = in_file(&with(line), |file| (compiled(file), ours(file)));
        let agreed = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) => accepted && theirs == ours,
            (Err(_), Err(_)) => !accepted,
            _ => false,
        };
        if !agreed {
            wrong.push_str(&format!(
                "{line}\n  BIND: {:?}\n  we: {:?}\n",
                theirs.map(|r| r.len()),
                ours.map(|r| r.len())
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
