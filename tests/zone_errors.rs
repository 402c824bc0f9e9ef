//! What people read when a master file is wrong, and that no bytes whatever make the reader fail in another way.
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

use proptest::prelude::*;
use std::path::Path;
use tlsa_rotate::zone::diagnostic::{Counts, Severity};
use tlsa_rotate::zone::file::{ZoneFile, entries};
use tlsa_rotate::zone::include::{Directory, NoFiles};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Rtype};

fn origin() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

fn read(text: &[u8]) -> ZoneFile {
    ZoneFile::read("z", text.to_vec(), Some(&origin()), &NoFiles)
}

const HEAD: &str = "$TTL 1h\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1.example.net.\n";

/// Records that point nowhere, and records that nobody gets to see.
const POINTING: &[(&str, &str)] = &[
    (
        "@ NS b\n",
        "z:4:6: error: b.example.com. has no A or AAAA record\n    @ NS b\n         ^\n    \
         help: add its addresses, or correct the name: is a dot missing at its end?",
    ),
    (
        "@ NS b\nb CNAME c\n",
        "z:4:6: error: b.example.com. is an alias (CNAME), where NS needs a name with addresses\n    @ NS b\n         ^\n    \
         help: name the host that the alias leads to (RFC 2181 §10.3)",
    ),
    (
        "@ NS a.b\nb DNAME c\n",
        "z:4:6: error: a.b.example.com. lies below a DNAME record, which sends everything there elsewhere\n    @ NS a.b\n         ^^^\n    \
         help: name a host that has addresses of its own (RFC 6672 §2.4)",
    ),
    (
        "@ MX 10 b\n",
        "z:4:9: warning: b.example.com. has no A or AAAA record\n    @ MX 10 b\n            ^\n    \
         help: add its addresses, or correct the name: is a dot missing at its end?",
    ),
    (
        "_s SRV 0 0 1 b\nb CNAME c\n",
        "z:4:14: warning: b.example.com. is an alias (CNAME), where SRV needs a name with addresses\n    _s SRV 0 0 1 b\n                 ^\n    \
         help: name the host that the alias leads to (RFC 2181 §10.3)",
    ),
    (
        "b NS c.b\n",
        "z:4:6: warning: c.b.example.com. has no A or AAAA record here, and nobody can find it without\n    b NS c.b\n         ^^^\n    \
         help: add its addresses as glue: the delegation leads to it only through them",
    ),
    (
        "b NS c.\n_25._tcp.b TLSA 3 1 2 \\# 0\n",
        "z:5:23: error: expected hexadecimal digits, found `\\#`\n    _25._tcp.b TLSA 3 1 2 \\# 0\n                          ^^",
    ),
    (
        "b NS c.\nm.b TXT x\n",
        "z:5:1: warning: this TXT record is never served: b.example.com. is delegated by its NS records\n    m.b TXT x\n    ^^^\n    \
         help: put it in the zone that is served there, or remove the delegation",
    ),
    (
        "b DNAME c.\nm.b A 192.0.2.1\n",
        "z:5:1: warning: this A record is never served: b.example.com. has a DNAME record, and Knot and NSD do not load the zone\n    m.b A 192.0.2.1\n    ^^^\n    \
         help: put it where the DNAME leads, or remove the DNAME (RFC 6672 §2.4)",
    ),
    (
        "a.*.b TXT xxxxxxxxx\n",
        "z:4:1: warning: the `*` within a.*.b.example.com. stands for itself only\n    a.*.b TXT xxxxxxxxx\n    ^^^^^\n    \
         help: a wildcard is the first label of a name (RFC 4592 §2.1.1)",
    ),
    (
        "@ DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
        "z:4:1: error: a DS record at the apex is never served\n    \
         @ DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n    ^\n    \
         help: DS records belong to the parent zone: `tlsa-rotate key ds` prints them (RFC 4035 §2.4)",
    ),
    (
        "@ CDNSKEY 257 3 13 AAAA\n@ DNSKEY 257 3 8 AAAA\n",
        "z:4:20: error: no DNSKEY record has the algorithm 13 of this CDNSKEY record\n    @ CDNSKEY 257 3 13 AAAA\n                       ^^^^\n    \
         help: the parent would publish a DS record that nothing here answers to (RFC 7344 §4.1)",
    ),
    (
        "@ CDNSKEY 257 3 13 AAAA\n@ CDNSKEY 0 3 0 AA==\n",
        "z:4:20: error: this CDNSKEY record asks for a DS record, another one for none at all\n    @ CDNSKEY 257 3 13 AAAA\n                       ^^^^\n    \
         help: a record that asks for deletion stands alone (RFC 8078 §4)",
    ),
    (
        "a MD b\n",
        "z:4:3: error: MD is obsolete and no longer served\n    a MD b\n      ^^\n    help: mail goes where MX records say (RFC 973)",
    ),
];

/// What is fine: targets by wildcard, by glue, in a delegated zone, in another zone, and the target that means none.
#[test]
fn what_points_somewhere_is_not_complained_of() {
    for text in [
        "@ NS b\n* A 192.0.2.1\n",
        "@ NS b\nb AAAA ::1\n",
        "@ MX 0 .\n_s SRV 0 0 0 .\n",
        "@ MX 1 b\nb NS c.\n",
        "@ MX 1 a.b\nb NS c.\n",
        "b NS c.b\nc.b A 192.0.2.1\n",
        "b NS c.d\nd NS c.d\nc.d A 192.0.2.1\n",
        "@ MX 1 mx.example.net.\n",
        "@ CDS 0 0 0 00\n@ CDNSKEY 0 3 0 AA==\n",
        "* MX 1 m\n* A 192.0.2.1\n",
        "a CNAME c.\na CNAME C.\n",
        "a DNAME b.example.net.\na DNAME B.example.NET.\n",
    ] {
        let file = read(format!("{HEAD}{text}").as_bytes());
        assert!(
            file.diagnostics().is_empty(),
            "{text}{:?}",
            file.diagnostics()
        );
    }
}

#[test]
fn every_error_says_where_and_what_to_do() {
    let table: &[(&str, &str)] = &[
        (
            "www A 192.0.2.256\n",
            "z:4:7: error: expected an IPv4 address such as 192.0.2.1, found `192.0.2.256`\n    www A 192.0.2.256\n          ^^^^^^^^^^^",
        ),
        (
            "www 192.0.2.1\n",
            "z:4:5: error: expected a record type such as A or MX, found `192.0.2.1`\n    www 192.0.2.1\n        ^^^^^^^^^",
        ),
        (
            "A 192.0.2.1\n",
            "z:4:3: error: expected a record type such as A or MX, found `192.0.2.1`\n    A 192.0.2.1\n      ^^^^^^^^^\n    \
             help: a line that continues the previous owner begins with a blank",
        ),
        (
            "txt TXT \"open\n",
            "z:4:9: error: this quote is not closed on its line\n    txt TXT \"open\n            ^",
        ),
        (
            "x A (\n192.0.2.1\n",
            "z:4:5: error: this parenthesis is never closed\n    x A (\n        ^",
        ),
        (
            "x A 192.0.2.1 )\n",
            "z:4:15: error: nothing was opened that this parenthesis could close\n    x A 192.0.2.1 )\n                  ^",
        ),
        (
            "\tx\tMX ten mail\n",
            "z:4:2: error: expected a record type such as A or MX, found `x`\n    \tx\tMX ten mail\n    \t^",
        ),
        (
            "x\tMX\tten mail\n",
            "z:4:6: error: expected a number up to 65535, found `ten`\n    x\tMX\tten mail\n     \t  \t^^^\n    help: the preference stands in front of the host: `MX 10 mx1`",
        ),
        (
            "x MX 10\n",
            "z:4:8: error: a name is missing\n    x MX 10\n           ^",
        ),
        (
            "x A 192.0.2.1 more\n",
            "z:4:15: error: `more` is more than this type has room for\n    x A 192.0.2.1 more\n                  ^^^^",
        ),
        (
            "x CH A 192.0.2.1\n",
            "z:4:3: error: class CH is not supported, only IN is\n    x CH A 192.0.2.1\n      ^^",
        ),
        (
            "x ANY \\# 0\n",
            "z:4:3: error: ANY exists in messages only and cannot be zone data\n    x ANY \\# 0\n      ^^^",
        ),
        (
            "x 2147483648 A 192.0.2.1\n",
            "z:4:3: error: a TTL is at most 2147483647 seconds (RFC 2181 §8)\n    x 2147483648 A 192.0.2.1\n      ^^^^^^^^^^",
        ),
        (
            "a..b A 192.0.2.1\n",
            "z:4:1: error: a label is empty (two dots in a row, or one in front)\n    a..b A 192.0.2.1\n    ^^^^",
        ),
        (
            "x TYPE65280 abc\n",
            "z:4:16: error: this type has no text form here; write it as `\\# length hex` (RFC 3597)\n    x TYPE65280 abc\n                   ^",
        ),
        (
            "x TYPE65280 \\# 3 abcd\n",
            "z:4:16: error: 3 octets are announced, 2 follow\n    x TYPE65280 \\# 3 abcd\n                   ^^^^^^",
        ),
        (
            "x MX \\# 2 0001\n",
            "z:4:9: error: the octets are not well-formed MX data\n    x MX \\# 2 0001\n            ^^^^^^",
        ),
        (
            "x TLSA 3 1 1 0g\n",
            "z:4:15: error: expected hexadecimal digits, found `g`\n    x TLSA 3 1 1 0g\n                  ^",
        ),
        (
            "x TLSA 3 1 1 00\n",
            "z:4:8: error: the data is 1 octets long, a SHA-256 digest is 32\n    x TLSA 3 1 1 00\n           ^^^^^^^^",
        ),
        (
            "x TLSA 3 1 1 (\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 )\n",
            "z:4:8: error: this is the SHA-256 of empty input: the command that should have fed the digest printed nothing\n    \
             x TLSA 3 1 1 (\n           ^^^^^^^",
        ),
        (
            "$TTL 1h30\n",
            "z:4:6: error: expected a time such as 3600 or 1h, found `1h30`\n    $TTL 1h30\n         ^^^^",
        ),
        (
            "$ORIGIN \"sub\"\n",
            "z:4:9: error: a name in quotes\n    $ORIGIN \"sub\"\n            ^^^^^\n    help: leave the quotes out: no name server reads them here",
        ),
        (
            "$FOO\n",
            "z:4:1: error: `$FOO` is not a directive\n    $FOO\n    ^^^^\n    help: there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; \
             an owner that begins with `$` is written `\\$`",
        ),
        (
            "$INCLUDE x\n",
            "z:4:10: error: $INCLUDE is not allowed here\n    $INCLUDE x\n             ^",
        ),
        (
            "$GENERATE 1-300 a$ A 192.0.2.$\n",
            "z:4:1: error: $GENERATE makes `a256 A 192.0.2.256`: expected an IPv4 address such as 192.0.2.1, found `192.0.2.256`\n    \
             $GENERATE 1-300 a$ A 192.0.2.$\n    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (
            "$GENERATE 1-2000000 a$ A 192.0.2.1\n",
            "z:4:11: error: $GENERATE makes more than 1000000 records\n    $GENERATE 1-2000000 a$ A 192.0.2.1\n              ^^^^^^^^^",
        ),
        (
            "b.example.net. A 192.0.2.1\n",
            "z:4:1: warning: b.example.net. lies outside of the zone example.com.: name servers leave this record out, or refuse the file\n    b.example.net. A 192.0.2.1\n    ^^^^^^^^^^^^^^\n    \
             help: is a dot missing or one too many at the end of the name, or is $ORIGIN wrong?",
        ),
        (
            "@ SOA ns1 host 2 2 3 4 5\n",
            "z:4:1: error: example.com. has a second SOA record\n    @ SOA ns1 host 2 2 3 4 5\n    ^",
        ),
        (
            "a CNAME b\n  A 192.0.2.1\n",
            "z:5:3: error: a.example.com. has a CNAME record and cannot have A beside it\n      A 192.0.2.1\n      ^\n    \
             help: remove one of the two (RFC 2181 §10.1)",
        ),
        (
            "a A 192.0.2.1\na 60 A 192.0.2.2\n",
            "z:5:1: warning: the TTL 60 is not used: a.example.com. A has 3600 in another line\n    a 60 A 192.0.2.2\n    ^\n    \
             help: the records of one owner and type share one TTL (RFC 2181 §5.2)",
        ),
    ];
    for (line, expected) in table.iter().chain(POINTING) {
        let file = read(format!("{HEAD}{line}").as_bytes());
        let found: Vec<String> = file.diagnostics().iter().map(ToString::to_string).collect();
        assert_eq!(found, [*expected], "{line}");
    }
}

const DIGEST: &str = "8d0dcd94935adb548ff9f8a925df56b675dadf5747dc94ec6ba2717a1bbae6aa";
const HOSTS: &str = "ns1 A 192.0.2.1\nmx1 A 192.0.2.2\n@ MX 10 mx1\n";

/// The first line and the help of each finding about lines that follow hosts, but for names that BIND does not load.
fn told(lines: &str) -> Vec<String> {
    let file = read(format!("{HEAD}{HOSTS}{lines}").as_bytes());
    let told = file.diagnostics().iter();
    let told = told.filter(|d| !d.message.starts_with("BIND as a primary"));
    told.map(|d| {
        format!(
            "{}:{}: {} | {}",
            d.line,
            d.column,
            d.message,
            d.help.as_deref().unwrap_or("")
        )
    })
    .collect()
}

#[test]
fn tlsa_records_that_no_sender_asks_for_are_named_with_the_owner_that_was_meant() {
    let meant = "write _25._tcp.mx1.example.com. (RFC 6698 §3)";
    let slips = [
        ("_25.tcp.mx1", "port and protocol begin with `_` each"),
        ("25._tcp.mx1", "port and protocol begin with `_` each"),
        ("25.TCP.mx1", "port and protocol begin with `_` each"),
        ("-25._tcp.mx1", "port and protocol begin with `_` each"),
        ("_25.-tcp.mx1", "port and protocol begin with `_` each"),
        ("_tcp._25.mx1", "the port stands in front of the protocol"),
        ("_tcp.mx1", "the port is missing in front of the protocol"),
        ("_smtp._tcp.mx1", "the port is a number, not a name"),
        ("_25.mx1", "the protocol is missing behind the port"),
        (
            "_25._tls.mx1",
            "the protocol is none: mail is sent over `_tcp`",
        ),
        (
            "_025._tcp.mx1",
            "the port is a number up to 65535 without zeros in front",
        ),
        (
            "_70000._tcp.mx1",
            "the port is a number up to 65535 without zeros in front",
        ),
        ("_25_tcp.mx1", "port and protocol are two labels"),
        ("25tcp.mx1", "port and protocol are two labels"),
        ("_25._udp.mx1", "mail is sent over `_tcp`"),
        (
            "mx1._25._tcp",
            "port and protocol stand in front of the host",
        ),
    ];
    for (owner, why) in slips {
        let shown = format!("{owner}.example.com.");
        let expected = format!("7:1: nobody asks for TLSA records of {shown}: {why} | {meant}");
        assert_eq!(
            told(&format!("{owner} TLSA 3 1 1 {DIGEST}\n")),
            [expected],
            "{owner}"
        );
    }
    let table = [
        (
            "mx1",
            "nobody asks for TLSA records of mx1.example.com. | for mail to this host write _25._tcp.mx1.example.com. (RFC 6698 §3)",
        ),
        (
            "_tlsa.mx1",
            "nobody asks for TLSA records of _tlsa.mx1.example.com. | for mail to this host write _25._tcp.mx1.example.com. (RFC 6698 §3)",
        ),
        (
            "_25._tcp.gone",
            "gone.example.com. has no A or AAAA record, so nobody asks for its TLSA records | correct the host, or add its addresses",
        ),
        (
            "_443._tcp",
            "example.com. has no A or AAAA record, so nobody asks for its TLSA records | correct the host, or add its addresses",
        ),
        (
            "_25._tcp",
            "mail for example.com. goes to mx1.example.com.: senders ask for TLSA records of the hosts in MX records | write _25._tcp.mx1.example.com. (RFC 7672 §2.2)",
        ),
        (
            "_25._tcp.mx1.example.com",
            "_25._tcp.mx1.example.com.example.com. has the zone's name twice | end the owner with a dot: _25._tcp.mx1.example.com.",
        ),
    ];
    for (owner, expected) in table {
        let expected = format!("7:1: {expected}");
        assert_eq!(
            told(&format!("{owner} TLSA 3 1 1 {DIGEST}\n")),
            [expected],
            "{owner}"
        );
    }
    assert_eq!(
        told(&format!("_25._tcp.mx1 TLSA 1 1 1 {DIGEST}\n")),
        [
            "7:25: senders of mail cannot use a TLSA record of usage 1 | publish the host's key: `tlsa-rotate record CERTIFICATE` prints `3 1 1 …` (RFC 7672 §3.1.3)"
        ]
    );
    assert_eq!(
        told("_25._tcp.mx1 CNAME tlsa._dane\n"),
        [
            "7:20: tlsa._dane.example.com. has no TLSA record, and this alias leads there | add the TLSA record, or correct the name: is a dot missing at its end?"
        ]
    );
}

#[test]
fn tlsa_records_that_are_asked_for_are_not_complained_of() {
    for owners in [
        "_25._tcp.mx1",
        "_25._TCP.MX1",
        "*._tcp.mx1",
        "_465._tcp.mx1",
        "_5061._sctp.mx1",
        "tlsa._dane",
        "_dane",
        "_letsencrypt._dane",
        "r3.ca",
    ] {
        assert_eq!(
            told(&format!("{owners} TLSA 3 1 1 {DIGEST}\n")),
            [""; 0],
            "{owners}"
        );
    }
    for lines in [
        "_25._tcp.mx1 CNAME mx1\nmx1 TLSA 3 1 1 DIGEST\n",
        "_25._tcp.mx1 CNAME _tcp.mx1\n_tcp.mx1 TLSA 3 1 1 DIGEST\n",
        "_25._tcp.mx1 CNAME tlsa.example.net.\n",
        "_25._tcp.mx1 CNAME t.sub\nsub NS ns.example.net.\n",
        "*.wild A 192.0.2.3\n_25._tcp.a.wild TLSA 3 1 1 DIGEST\nx.wild A 192.0.2.4\n_25._tcp.x.wild TLSA 3 1 1 DIGEST\n",
        "al CNAME mx1\n_25._tcp.al TLSA 3 1 1 DIGEST\n",
        "m A 192.0.2.4\nm MX 10 m\nm MX 20 mx1\n_25._tcp.m TLSA 3 1 1 DIGEST\n",
        "example.com._report._dmarc TXT \"v=DMARC1\"\n",
    ] {
        let lines = lines.replace("DIGEST", DIGEST);
        // A wildcard does not stand for hosts below which something exists: those two are told.
        let expected = usize::from(lines.contains("a.wild"));
        assert_eq!(told(&lines).len(), expected, "{lines}{:?}", told(&lines));
    }
}

/// Each slip is named where it stands, with the way out; what looks like it and is meant is left alone.
#[test]
fn records_that_cannot_be_what_was_meant_are_named() {
    let hex = "0123456789abcdef".repeat(4);
    let twice = hex.repeat(2);
    let back =
        "leads back to itself: who asks for TLSA records here gets a failure, and defers mail";
    let table: Vec<(String, &str)> = vec![
        ("_25._tcp.mx1 CNAME _25._tcp.mx1\n".to_owned(), back),
        (
            "_25._tcp.mx1 CNAME t\nt CNAME _25._tcp.MX1\n".to_owned(),
            back,
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 1 0 {hex}\n"),
            "32 octets are as long as a SHA-256 digest",
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 0 0 {twice}\n"),
            "64 octets are as long as a SHA-512 digest",
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 1 1 {}\n", "00".repeat(32)),
            "one octet again and again",
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 1 2 {}\n", "FF".repeat(64)),
            "one octet again and again",
        ),
        (
            format!("__25._tcp.mx1 TLSA 3 1 1 {hex}\n"),
            "one `_` stands in front of port and protocol each",
        ),
        (
            format!("__25.__tcp.mx1 TLSA 3 1 1 {hex}\n"),
            "one `_` stands in front of port and protocol each",
        ),
        (
            format!("_２５._tcp.mx1 TLSA 3 1 1 {hex}\n"),
            "are full-width characters",
        ),
        (
            format!("＿25._ｔｃｐ.mx1 TLSA 3 1 1 {hex}\n"),
            "are full-width characters",
        ),
        (
            format!("_25._tcp.mx1 TXT \"3 1 1 {hex}\"\n"),
            "this is text, not a TLSA record",
        ),
        (
            format!("_25._tcp.mx1 TXT 3 1 1 {hex}\n_25._tcp.mx1 TXT \"3 1 1\" \" {hex}\"\n"),
            "this is text",
        ),
        (
            format!("mx1 TXT \"_25._tcp.mx1 IN TLSA 3 1 1 {hex}\"\n"),
            "this is text, not a TLSA record",
        ),
        (
            "@ MX 20 localhost.\n".to_owned(),
            "mail goes to localhost., and names below localhost.",
        ),
        (
            "@ MX 20 mail.office.local.\n".to_owned(),
            "names below local. lead to no mail host",
        ),
    ];
    for (lines, expected) in table {
        let told = told(&lines);
        let found = told.iter().filter(|one| one.contains(expected)).count();
        assert!(found > 0, "{lines}{told:?}");
        if expected.contains("stands in front") || expected.contains("full-width") {
            assert!(
                told[0].contains("write _25._tcp.mx1.example.com."),
                "{told:?}"
            );
        }
    }
    for lines in [
        format!("_25._tcp.mx1 TLSA 3 1 0 30{hex}\n"),
        format!("t TXT \"3 1 1 {hex}\"\n"),
        "_25._tcp.mx1 CNAME t\nt CNAME u.example.net.\n".to_owned(),
        "@ MX 20 local.example.net.\n@ MX 30 localhost.example.net.\n".to_owned(),
        "_25._tcp.mx1 TXT \"3 1 1 is what stands in the other record\"\n".to_owned(),
    ] {
        assert_eq!(told(&lines), [""; 0], "{lines}");
    }
}

#[test]
fn hosts_that_are_addresses_and_names_that_are_not_what_they_seem_are_named() {
    let address = "is an address, where MX needs the name of a host";
    let way_out = "give the address a name (`mx1 A …` or `mx1 AAAA …`), and write that name here";
    for (target, shown) in [
        ("192.0.2.3", "192.0.2.3"),
        ("192.0.2.3.", "192.0.2.3"),
        ("[192.0.2.3]", "192.0.2.3"),
        ("2001:db8::3", "2001:db8::3"),
    ] {
        let expected = format!("7:9: {shown} {address} | {way_out}");
        assert_eq!(told(&format!("@ MX 20 {target}\n")), [expected], "{target}");
    }
    let table = [
        (
            "@ MX 20 mx1.example.com\n",
            "7:9: mx1.example.com.example.com. has the zone's name twice, and no A or AAAA record | end the name with a dot",
        ),
        (
            "mx2.example.com A 192.0.2.3\n",
            "7:1: mx2.example.com.example.com. has the zone's name twice | end the owner with a dot: mx2.example.com.",
        ),
        (
            "www CNAME 192.0.2.3\n",
            "7:11: 192.0.2.3 is an address, where CNAME needs the name of a host | give the address a name (`mx1 A …` or `mx1 AAAA …`), and write that name here",
        ),
        (
            "n MX 0 .\nn MX 10 mx1\n",
            "7:8: this record says that nobody takes mail here, and another one names a host | remove one of the two (RFC 7505 §3)",
        ),
        (
            "al CNAME mx1\n@ MX 20 al\n",
            "8:9: al.example.com. is an alias (CNAME), where MX needs a name with addresses | name the host that the alias leads to (RFC 2181 §10.3)",
        ),
        (
            "mx2\u{a0} A 192.0.2.3\n",
            "7:4: a no-break space (U+00A0) stands here, and counts as part of the word | type a space, or delete it: it came with text that was copied",
        ),
        (
            "t TXT \"v=spf1\u{a0}-all\"\n",
            "7:14: a no-break space (U+00A0) stands here, and counts as part of the word | type a space, or delete it: it came with text that was copied",
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(told(lines), [expected], "{lines}");
    }
    assert_eq!(
        told("t TXT \"Bonjour\u{a0}!\" ; \u{a0}\n"),
        [""; 0],
        "text may"
    );
}

#[test]
fn quotes_and_marks_that_servers_do_not_take_are_what_the_error_names() {
    let bare = "take the quotes away: only text, as in TXT, stands in quotes";
    for (line, column) in [
        (format!("x TLSA 3 1 1 \"{DIGEST}\"\n"), 14),
        (format!("x TLSA \"3 1 1 {DIGEST}\"\n"), 8),
        (format!("x TLSA \"3\" 1 1 {DIGEST}\n"), 8),
        (format!("x TLSA 3 1 1 '{DIGEST}'\n"), 14),
        (format!("x TLSA '3 1 1 {DIGEST}'\n"), 8),
        ("x DNSKEY 257 3 13 \"AAAA\"\n".to_owned(), 19),
        ("x A \"192.0.2.1\"\n".to_owned(), 5),
        ("@ MX 10 \"mx1\"\n".to_owned(), 9),
    ] {
        let found = told(&line);
        assert_eq!(found.len(), 1, "{line}{found:?}");
        assert!(
            found[0].starts_with(&format!("7:{column}: ")),
            "{line}{found:?}"
        );
        assert!(found[0].ends_with(bare), "{line}{found:?}");
    }
    let pairs: Vec<&str> = DIGEST
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect();
    for (digest, help) in [
        (pairs.join(":"), "write the digits without colons"),
        (
            format!("0x{DIGEST}"),
            "write the digits without `0x` in front",
        ),
    ] {
        let found = told(&format!("_25._tcp.mx1 TLSA 3 1 1 {digest}\n"));
        assert!(found.len() == 1 && found[0].ends_with(help), "{found:?}");
    }
    let marked = format!("\u{feff}{HEAD}");
    let file = read(marked.as_bytes());
    let found: Vec<_> = file
        .diagnostics()
        .iter()
        .map(|d| (d.line, d.column, d.message.as_str()))
        .collect();
    let message = "the file begins with a byte order mark (U+FEFF), which name servers read as part of the first word";
    assert_eq!(found, [(1, 1, message)]);
    let wide: Vec<u8> = HEAD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = read(&[&[0xff, 0xfe], wide.as_slice()].concat());
    let found: Vec<_> = file
        .diagnostics()
        .iter()
        .map(|d| d.message.as_str())
        .collect();
    assert_eq!(found, ["the file is UTF-16, which no name server reads"]);
    let others: [(&[u8], &str); 3] = [
        (b"\0\0\0\x02\0\0\0\x01rest\n(", "BIND's raw format"),
        (b";BIND LOG V9\n\0\0(", "BIND's journal of a zone"),
        (b"\x1f\x8b\x08)", "a gzip archive"),
    ];
    for (octets, what) in others {
        let file = read(octets);
        let [found] = file.diagnostics() else {
            panic!("{what}: {:?}", file.diagnostics());
        };
        assert!(found.message.contains(what), "{found:?}");
        assert!(found.help.is_some(), "{found:?}");
    }
}

#[test]
fn what_the_file_as_a_whole_lacks_is_said_at_its_start() {
    let table: &[(&str, Option<&str>, &[&str])] = &[
        (
            "",
            None,
            &[
                "z:1:1: error: no SOA record says which zone this is\n    help: give the zone's name with --origin, and the zone a SOA record",
            ],
        ),
        (
            "",
            Some("example.com."),
            &[
                "z:1:1: error: the zone example.com. has no SOA record\n    help: every zone has exactly one, at its apex",
                "z:1:1: error: the zone example.com. has no NS record at its apex\n    help: name its authoritative servers: `@ NS ns1`",
            ],
        ),
        (
            "@ SOA a. b. 1 2 3 4 5\n",
            None,
            &[
                "z:1:1: error: the name is relative (no dot at the end) and no origin is known\n    @ SOA a. b. 1 2 3 4 5\n    ^\n    \
               help: give the zone's name with --origin, or write $ORIGIN as the first line",
            ],
        ),
        (
            "@ NS ns1\n",
            Some("example.com."),
            &[
                "z:1:3: error: the record has no TTL, and neither $TTL nor a record above gives one\n    @ NS ns1\n      ^^\n    \
               help: write `$TTL 3600` at the top of the file",
            ],
        ),
        (
            " 1h NS ns1\n",
            Some("example.com."),
            &[
                "z:1:2: error: the line begins with a blank, and there is no record above whose owner it could take\n     1h NS ns1\n     ^^\n    \
               help: write the owner, or `@` for the zone itself, at the very start of the line",
            ],
        ),
    ];
    for (text, zone, expected) in table {
        let zone = zone.map(|z| Name::parse(z.as_bytes(), None).unwrap());
        let file = ZoneFile::read("z", text.as_bytes().to_vec(), zone.as_ref(), &NoFiles);
        let found: Vec<String> = file.diagnostics().iter().map(ToString::to_string).collect();
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn all_errors_come_in_one_run_and_not_without_end() {
    let text = format!("{HEAD}a A x\nb A 192.0.2.1\nc MX\n$TTL y\n");
    let lines: Vec<usize> = read(text.as_bytes())
        .diagnostics()
        .iter()
        .map(|d| d.line)
        .collect();
    assert_eq!(lines, [4, 6, 7]);
    let hopeless = read("not a zone at all\n".repeat(5_000).as_bytes());
    let found = hopeless.diagnostics();
    assert_eq!(found.len(), 1_000);
    assert_eq!(
        found[999].help.as_deref(),
        Some("4000 more findings are not shown")
    );
    assert_eq!(hopeless.counts().errors, 5_000);
}

#[test]
fn a_line_of_too_many_words_is_refused_for_that() {
    let file = read(format!("{HEAD}a TXT {}\n", "x ".repeat(300_000)).as_bytes());
    let messages: Vec<&str> = file
        .diagnostics()
        .iter()
        .map(|d| d.message.as_str())
        .collect();
    assert_eq!(
        messages,
        ["no record has more than 262144 words, this is one more"]
    );
    // The owner and the type are words too.
    assert_eq!(file.diagnostics()[0].column, 7 + 2 * 262_142);
}

#[test]
fn warnings_without_end_do_not_hide_an_error() {
    let ttls: String = (0..3_000)
        .map(|n| format!("a {n} A 10.0.{}.{}\n", n / 256, n % 256))
        .collect();
    let file = read(format!("{HEAD}{ttls}z CNAME a\nz A 192.0.2.1\n").as_bytes());
    assert_eq!(
        file.counts(),
        Counts {
            errors: 1,
            warnings: 3_000
        }
    );
    let found = file.diagnostics();
    assert_eq!(found.len(), 1_001);
    assert_eq!(found[1_000].severity, Severity::Error);
    let help = found[1_000].help.as_deref().unwrap();
    assert!(help.ends_with("2000 more findings are not shown"), "{help}");
    assert!(file.zone().is_err());
}

#[test]
fn what_grows_without_end_takes_one_pass_and_is_read_or_refused() {
    const MANY: usize = 200_000;
    let each = |line: &dyn Fn(usize) -> String| (0..MANY).map(line).collect::<String>();
    let table: &[(String, usize, &str)] = &[
        (
            format!("a {}A 192.0.2.1{}\n", "(".repeat(MANY), ")".repeat(MANY)),
            0,
            "nested parentheses",
        ),
        ("(".repeat(MANY), 1, "open parentheses"),
        (")".repeat(MANY), 1, "stray parentheses"),
        (
            each(&|n| format!("$ORIGIN o{n}.example.com.\na A 192.0.2.1\n")),
            0,
            "an origin a line",
        ),
        (
            each(&|n| format!("$ORIGIN o{}.example.com.\n", n % 2)),
            0,
            "two origins in turn",
        ),
        (
            format!("a TXT {}\n", "x ".repeat(2 * MANY)),
            1,
            "more words than any record has",
        ),
        (
            format!("a TXT {}\n", "x".repeat(65_536)),
            1,
            "a long string",
        ),
        (
            format!("a TXT \"{}", "x".repeat(MANY)),
            1,
            "a string without an end",
        ),
        (
            format!("{} A 192.0.2.1\n", "a.".repeat(MANY)),
            1,
            "a long name",
        ),
        ("\0 A \0\n".repeat(MANY), 3 * MANY, "NULs"),
        (
            each(&|n| format!("a CNAME b{n}\n")),
            MANY - 1,
            "CNAMEs at one owner",
        ),
        ("$INCLUDE nowhere\n".repeat(MANY), MANY, "files"),
        (
            format!("$GENERATE 1-{MANY} h$ TLSA 3 1 1 00\n"),
            MANY,
            "wrong data from one line",
        ),
        (
            format!(
                "$GENERATE 1-{MANY} h$ TXT {}\n",
                format!("{} ", "x".repeat(199)).repeat(7)
            ),
            1,
            "a long line many times",
        ),
    ];
    for (text, errors, what) in table {
        let file = read(format!("{HEAD}{text}").as_bytes());
        assert_eq!(file.counts().errors, *errors, "{what}");
        assert!(file.diagnostics().len() <= 2_000, "{what}");
        assert!(
            file.diagnostics()
                .iter()
                .all(|d| d.to_string().len() < 2_000),
            "{what}"
        );
    }
}

#[test]
fn long_lines_and_strange_bytes_are_shown_in_part_and_harmless() {
    let line = format!(
        "{} A x ; {}\u{1b}[31m\n",
        " ".repeat(5_000),
        "y".repeat(5_000)
    );
    let file = read(format!("{HEAD}a{line}b A \u{1b}]0;x\n\u{e9}\u{e9} A y\n").as_bytes());
    let found = file.diagnostics();
    assert_eq!((found[0].line, found[0].column), (4, 5_005));
    assert!(
        found
            .iter()
            .all(|d| d.to_string().len() < 1_000 && !d.to_string().contains('\u{1b}'))
    );
    // Columns count bytes; the caret counts characters.
    assert_eq!(
        found.iter().find(|d| d.line == 6).unwrap().to_string(),
        "z:6:8: error: expected an IPv4 address such as 192.0.2.1, found `y`\n    éé A y\n         ^"
    );
}

#[test]
fn includes_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("self", "$INCLUDE self\n");
    write("a", "$INCLUDE b\n");
    write("b", "$INCLUDE ./a\n");
    write("bad", "x A 192.0.2.1\ny A z\n");
    for depth in 0..20 {
        write(
            &format!("deep{depth}"),
            &format!("$INCLUDE deep{}\n", depth + 1),
        );
    }
    write("deep20", "x A 192.0.2.1\n");
    std::fs::create_dir(directory.path().join("zones")).unwrap();
    let errors = |root: &Path, path: &str, text: &str| -> Vec<String> {
        let path = directory.path().join(path).display().to_string();
        let file = ZoneFile::read(
            &path,
            format!("{HEAD}{text}").into_bytes(),
            Some(&origin()),
            &Directory::below(root),
        );
        let here = format!("{}/", directory.path().display());
        file.diagnostics()
            .iter()
            .map(|d| d.to_string().lines().next().unwrap().replace(&here, ""))
            .collect()
    };
    let here = directory.path();
    let table: &[(&str, &str, &str)] = &[
        (
            "zone",
            "$INCLUDE self\n",
            "self:1:10: error: self includes itself, by way of the files between",
        ),
        (
            "zone",
            "$INCLUDE a\n",
            "b:1:10: error: a includes itself, by way of the files between",
        ),
        (
            "zone",
            "$INCLUDE deep0\n",
            "deep15:1:10: error: $INCLUDE nests deeper than 16 files",
        ),
        (
            "zone",
            "$INCLUDE bad\n",
            "bad:2:5: error: expected an IPv4 address such as 192.0.2.1, found `z`",
        ),
        (
            "zones/zone",
            "$INCLUDE ../bad\n",
            "bad:2:5: error: expected an IPv4 address such as 192.0.2.1, found `z`",
        ),
        (
            "zone",
            "$INCLUDE none\n",
            "zone:4:10: error: cannot read none: No such file or directory (os error 2)",
        ),
    ];
    for (path, text, expected) in table {
        assert_eq!(errors(here, path, text), [*expected], "{text}");
    }
    let outside = errors(&here.join("zones"), "zones/zone", "$INCLUDE ../bad\n");
    assert_eq!(
        outside,
        ["zones/zone:4:10: error: bad lies outside of zones, where included files must be"]
    );
}

/// The text of every zone of the corpus.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let zones: Vec<_> = files
        .filter(|p| p.is_file())
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    assert!(!zones.is_empty());
    zones
}

#[test]
fn every_prefix_of_every_zone_reads_without_a_panic() {
    for zone in corpus() {
        for end in (0..zone.len()).step_by(7) {
            let file = read(&zone[..end]);
            assert!(file.has_errors() || file.zone().is_ok());
        }
    }
}

#[test]
fn rdata_cut_anywhere_is_malformed_or_prints_and_reads_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones");
    for name in ["types.zone", "text.zone", "svcb.zone"] {
        let text = std::fs::read(folder.join(name)).unwrap();
        for record in read(&text).zone().unwrap().records() {
            let octets = &record.rdata.0;
            for end in 0..=octets.len() {
                let cut = Rdata(octets[..end].into());
                let text = cut.to_text(record.rtype);
                let back = Rdata::from_text(record.rtype, text.as_bytes(), None);
                assert_eq!(
                    cut.check(record.rtype).is_ok(),
                    back.is_ok(),
                    "{} {text}",
                    record.rtype
                );
                if let Ok(back) = back {
                    assert_eq!(back, cut, "{} {text}", record.rtype);
                }
            }
        }
    }
}

fn awkward() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\n",
            " ",
            "\t",
            "(",
            ")",
            "\"",
            ";",
            "\\",
            "\r\n",
            "@",
            "$ORIGIN ",
            "$TTL ",
            "$GENERATE 1-3 ",
            "${0,3,x}",
            "a",
            "IN ",
            "A ",
            "TLSA ",
            "3 1 1 ",
            "00",
            "\\# ",
            "TXT ",
            "SOA ",
            "HTTPS ",
            "alpn=",
            "LOC ",
            "APL ",
            "1:",
            "4294967296",
            "192.0.2.1",
            "\\256",
            "\\1",
            "\0",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_give_findings_and_no_panic(text in awkward()) {
        let file = read(&text);
        for found in file.diagnostics() {
            prop_assert!(!found.to_string().is_empty());
        }
        let spans: Vec<_> = entries(&text).map(|e| e.span).collect();
        let printed: Vec<u8> = spans.iter().flat_map(|s| text[s.clone()].to_vec()).collect();
        prop_assert_eq!(printed, text);
    }

    #[test]
    fn a_zone_with_bytes_changed_gives_findings_and_no_panic(pick: prop::sample::Index, at: prop::sample::Index, with in awkward(), cut in 0..40_usize) {
        let mut zone = pick.get(&corpus()).clone();
        let at = at.index(zone.len());
        let end = (at + cut).min(zone.len());
        zone.splice(at..end, with);
        let file = read(&zone);
        prop_assert!(file.has_errors() || file.zone().is_ok());
    }

    #[test]
    fn any_octets_print_as_text_that_reads_back(number in prop_oneof![0..=65_u16, 99..=109_u16, 249..=262_u16, 32768..=32769_u16],
        octets in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60)) {
        let (rtype, rdata) = (Rtype(number), Rdata(octets.into()));
        let text = rdata.to_text(rtype);
        let back = Rdata::from_text(rtype, text.as_bytes(), None);
        prop_assert_eq!(back.is_ok(), rdata.check(rtype).is_ok(), "{}", text);
        if let Ok(back) = back {
            prop_assert_eq!(back, rdata);
        }
    }
}

/// BIND and Knot read no further at a NUL, except BIND in a quoted string.
#[test]
fn a_nul_octet_in_a_word_is_an_error_and_in_a_string_a_warning() {
    for (line, errors, warnings) in [
        ("a\0b A 192.0.2.9\n", 1, 0),
        ("ab TXT a\0b\n", 1, 0),
        ("ab TXT \"a\0b\"\n", 0, 1),
        ("ab TXT ab ; a\0b\n", 0, 0),
    ] {
        let text = format!(
            "@ 300 IN SOA ns1 h 1 2 3 4 5\n@ 300 IN NS ns1\n$TTL 300\nns1 A 192.0.2.1\n{line}"
        );
        let apex = Name::parse(b"example.com.", None).unwrap();
        let file = ZoneFile::read("zone", text.into_bytes(), Some(&apex), &NoFiles);
        let found = file.diagnostics().iter();
        let found: Vec<_> = found.filter(|one| one.message.contains("U+0000")).collect();
        let severe = found.iter().filter(|one| one.severity == Severity::Error);
        let severe = severe.count();
        assert_eq!(
            (severe, found.len() - severe),
            (errors, warnings),
            "{line:?}"
        );
    }
}
