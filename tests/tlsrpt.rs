//! `tlsrpt` over reports as they arrive, and over what nobody should have sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;
mod tlsrpt_support;

use dane_support::{Bench, program, stderr, stdout};
use proptest::prelude::*;
use serde_json::json;
use std::fs;
use tlsa_rotate::observe::tlsrpt::Gathered;
use tlsa_rotate::observe::tlsrpt::tally::tally;
use tlsrpt_support::{forwarded, gzip, mail, mbox, report};

const DAY: &str = "2026-11-30";

/// Exit code, table and talk of `tlsrpt` with these arguments.
fn run(bench: &Bench, arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<&str> = ["tlsrpt"].iter().chain(arguments).copied().collect();
    let output = program(bench.dir.path(), &arguments);
    (
        output.status.code().unwrap(),
        stdout(&output),
        stderr(&output),
    )
}

fn two() -> (String, String) {
    let google = report(
        "Google Inc.",
        "g-1",
        DAY,
        120,
        &[("validation-failure", "mx1.example.com", 3)],
        &[],
    );
    let microsoft = report(
        "Microsoft Corporation",
        "m-1",
        "2026-12-01",
        7,
        &[
            ("certificate-host-mismatch", "MX2.example.com.", 2),
            ("starttls-not-supported", "mx1.example.com", 1),
        ],
        &[],
    );
    (google, microsoft)
}

#[test]
fn every_way_a_report_arrives_gives_the_same_table() {
    let bench = Bench::new();
    let (google, microsoft) = two();
    for part in ["maildir/new", "maildir/cur", "maildir/tmp", "plain"] {
        fs::create_dir_all(bench.path(part)).unwrap();
    }
    let (g, m) = (
        mail(google.as_bytes(), "Report Domain: example.com"),
        mail(microsoft.as_bytes(), "Report Domain: example.com"),
    );
    bench.write("g.json", &google);
    bench.write("m.json.gz", gzip(microsoft.as_bytes()));
    bench.write("g.eml", &g);
    bench.write("m.eml", forwarded(&m));
    bench.write("both.mbox", mbox(&[g.clone(), m.clone()]));
    bench.write("maildir/new/1.a", &g);
    bench.write("maildir/cur/2.b:2,S", forwarded(&forwarded(&m)));
    bench.write("maildir/tmp/3.c", "half a ma");
    bench.write("plain/a.json", &google);
    bench.write("plain/b.json.gz", gzip(microsoft.as_bytes()));
    let expected = "\
day         sender                 policy            MX host          result                     sessions
2026-11-30  Google Inc.            tlsa example.com  -                went well                       120
2026-11-30  Google Inc.            tlsa example.com  mx1.example.com  validation-failure                3
2026-12-01  Microsoft Corporation  tlsa example.com  -                went well                         7
2026-12-01  Microsoft Corporation  tlsa example.com  mx1.example.com  starttls-not-supported            1
2026-12-01  Microsoft Corporation  tlsa example.com  mx2.example.com  certificate-host-mismatch         2
2 reports: 127 sessions went well, 6 failed
";
    // Whoever sends a mail may write what he likes: that is said of mails, and of nothing else.
    let both = "note: 2 reports came by mail, whose DKIM signatures are not checked: anybody may have sent such a report\n";
    let one = "note: 1 report came by mail, whose DKIM signature is not checked: anybody may have sent such a report\n";
    for (arguments, talk) in [
        (&["g.json", "m.json.gz"][..], ""),
        (&["g.eml", "m.eml"], both),
        (&["both.mbox"], both),
        (&["maildir"], both),
        (&["plain"], ""),
        (&["g.json", "m.eml"], one),
    ] {
        let seen = run(&bench, arguments);
        assert_eq!(
            seen,
            (0, expected.to_owned(), talk.to_owned()),
            "{arguments:?}"
        );
    }
    let (code, table, _) = run(&bench, &["plain", "maildir", "both.mbox"]);
    assert_eq!(code, 0);
    assert!(
        table.ends_with("2 reports (4 more came twice): 127 sessions went well, 6 failed\n"),
        "{table}"
    );
    let (_, table, _) = run(&bench, &["plain", "--domain", "mx2.example.com"]);
    assert!(
        table.ends_with("0 sessions went well, 2 failed\n"),
        "{table}"
    );
    let (_, table, _) = run(&bench, &["plain", "--domain", "ample.com"]);
    assert!(
        table.ends_with("0 sessions went well, 0 failed\n"),
        "{table}"
    );
}

#[test]
fn json_has_a_schema_and_the_records_that_senders_saw() {
    let bench = Bench::new();
    let record = format!("3 1 1 {}", "ab".repeat(32));
    let text = report("O", "1", DAY, 1, &[], std::slice::from_ref(&record));
    bench.write("r.json", text);
    let (code, json, _) = run(&bench, &["r.json", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 0);
    assert_eq!(json["schema"], "tlsa-rotate/tlsrpt/v1");
    assert_eq!(json["sessions"][0]["sessions"], 1);
    assert_eq!(json["sessions"][0]["result"], serde_json::Value::Null);
    assert_eq!(json["reports"][0]["tlsa_seen"][0], record);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_shown() {
    let bench = Bench::new();
    let (google, microsoft) = two();
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000, "a small file");
    bench.write("good.json", &google);
    for (name, octets, says) in [
        ("empty", Vec::new(), "empty: empty"),
        (
            "bomb.json.gz",
            bomb.clone(),
            "bomb.json.gz: it expands to more than 4 MiB",
        ),
        (
            "cut.json.gz",
            gzip(microsoft.as_bytes())[..60].to_vec(),
            "cut.json.gz: damaged gzip",
        ),
        (
            "cut.json",
            microsoft.as_bytes()[..200].to_vec(),
            "cut.json: not a TLS report (RFC 8460 §4.4): EOF",
        ),
        (
            "other.json",
            b"{\"a\":1}".to_vec(),
            "other.json: not a TLS report",
        ),
        (
            "noise",
            vec![0xff, 0xfe, 0, 1, 2],
            "noise: neither a TLS report (JSON, gzip) nor a mail",
        ),
        (
            "spam.eml",
            b"From: a@b\r\nSubject: x\r\n\r\nhello\r\n".to_vec(),
            "spam.eml: a mail without a TLS report",
        ),
        (
            "bomb.eml",
            mail(&vec![b' '; 64 * 1024 * 1024], "x").into_bytes(),
            "bomb.eml: it expands to more than 4 MiB",
        ),
        (
            "deep.json",
            format!("{{\"policies\":{}", "[".repeat(1_000_000)).into_bytes(),
            "deep.json: not a TLS report (RFC 8460 §4.4): EOF",
        ),
        (
            "box.mbox",
            mbox(&[
                "Subject: x\n\nno\n".to_owned(),
                mail(microsoft.as_bytes(), "y"),
            ])
            .into_bytes(),
            "box.mbox, message 1: a mail without a TLS report",
        ),
    ] {
        bench.write(name, octets);
        let (code, table, talk) = run(&bench, &["good.json", name]);
        assert_eq!(code, 1, "{name}");
        assert!(table.contains("Google Inc."), "{name}: {table}");
        assert!(talk.contains(says), "{name}: {talk}");
        assert_eq!(table.contains("Microsoft"), name == "box.mbox", "{name}");
    }
    bench.write("many.mbox", "From a\n\n".repeat(1_500));
    let (code, _, talk) = run(&bench, &["many.mbox"]);
    assert_eq!(
        (code, talk.lines().count()),
        (1, 1_001),
        "not a line for each for ever"
    );
    assert!(talk.ends_with("error: and 500 more\n"), "{talk}");
    let (code, _, talk) = run(&bench, &["/dev/zero"]);
    assert_eq!(
        (
            code,
            talk.contains("/dev/zero: it is a device, and a file is expected")
        ),
        (1, true),
        "{talk}"
    );
    let (code, _, talk) = run(&bench, &["absent"]);
    assert_eq!(
        (code, talk.contains("absent: No such file")),
        (1, true),
        "{talk}"
    );
}

#[test]
fn reports_that_contradict_each_other_are_told_apart_from_what_cannot_be_read() {
    let bench = Bench::new();
    let (google, _) = two();
    let good = "\"total-successful-session-count\":120";
    let twin = google.replace(good, "\"total-successful-session-count\":121");
    bench.write("good.json", &google);
    bench.write("copy.json", &google);
    bench.write("twin.eml", mail(twin.as_bytes(), "x"));
    let (code, table, talk) = run(&bench, &["good.json", "twin.eml", "copy.json"]);
    assert_eq!(code, 1, "{talk}");
    let first = "1 report (1 more came twice): 120 sessions went well, 3 failed\n";
    assert!(table.ends_with(first), "{table}");
    let says = "warning: twin.eml: it has the report-id `g-1` of the report in good.json and says something else";
    assert!(talk.contains(says) && !talk.contains("error:"), "{talk}");
    let (code, json, _) = run(&bench, &["good.json", "twin.eml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["errors"], &json["copies"], &json["by_mail"]),
        (1, &json!([]), &json!(0), &json!(1)),
    );
    let other = &json["contradicting"][0];
    assert_eq!(
        (
            &other["report"]["place"],
            &other["contradicts"],
            &other["report"]["id"]
        ),
        (&json!("twin.eml"), &json!("good.json"), &json!("g-1")),
    );
}

/// What cannot be looked into may hold anything: a mailbox of more than that is unknown, however the archives end.
#[test]
fn archives_are_looked_into_until_they_come_to_512_mib() {
    const EACH: usize = 4 * 1024 * 1024;
    let spaces = vec![b' '; EACH - 1];
    let whole = gzip(&[b"{", spaces.as_slice()].concat());
    let damaged = {
        let mut octets = whole.clone();
        let end = octets.len();
        octets[end - 1] ^= 1;
        octets
    };
    let (google, _) = two();
    for (what, archive) in [("no report", whole), ("damaged", damaged)] {
        let bench = Bench::new();
        fs::create_dir(bench.path("box")).unwrap();
        for number in 0..=128 {
            bench.write(&format!("box/a{number:03}.gz"), &archive);
        }
        let box_ = bench.path("box");
        bench.write("box/b.json.gz", gzip(google.as_bytes()));
        bench.write("box/c.json", &google);
        let mut gathered = Gathered::default();
        gathered.add_path(&box_);
        let unread: Vec<_> = gathered
            .troubles
            .iter()
            .filter(|trouble| trouble.unreadable)
            .collect();
        assert_eq!(unread.len(), 1, "{what}: {unread:?}");
        assert!(
            unread[0].place.ends_with("box/b.json.gz") && unread[0].why.contains("512 MiB"),
            "{what}: {unread:?}"
        );
        assert_eq!(
            gathered.reports.len(),
            1,
            "{what}: what is no archive is read all the same"
        );
    }
}

#[test]
fn totals_that_disagree_are_said_and_counted() {
    let bench = Bench::new();
    let text = report(
        "O",
        "1",
        DAY,
        5,
        &[("tlsa-invalid", "mx1.example.com", 2)],
        &[],
    )
    .replace(
        "\"total-failure-session-count\":2",
        "\"total-failure-session-count\":9",
    );
    bench.write("r.json", text);
    let (code, table, talk) = run(&bench, &["r.json"]);
    assert_eq!(code, 0, "a habit of a sender is not our user's mistake");
    assert_eq!(
        talk,
        "note: r.json: the policy of example.com counts 9 failed sessions, its failure-details add up to 2\n"
    );
    assert!(table.contains("(not explained)         7"), "{table}");
    assert!(
        table.ends_with("1 report: 5 sessions went well, 9 failed\n"),
        "{table}"
    );
}

/// One of the forms a report arrives in, some of its octets changed, taken away or repeated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let (google, _) = two();
    let mail_text = mail(google.as_bytes(), "s");
    let forms = vec![
        google.clone().into_bytes(),
        gzip(google.as_bytes()),
        mail_text.clone().into_bytes(),
        forwarded(&mail_text).into_bytes(),
        mbox(&[mail_text.clone(), forwarded(&mail_text)]).into_bytes(),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..8);
    (prop::sample::select(forms), changes).prop_map(|(mut octets, changes)| {
        for (at, octet, how) in changes {
            if octets.is_empty() {
                break;
            }
            let at = at.index(octets.len());
            match how {
                0 => octets[at] = octet,
                1 => drop(octets.drain(at..(at + usize::from(octet)).min(octets.len()))),
                2 => octets.insert(at, octet),
                _ => {
                    let piece = octets[at..(at + usize::from(octet)).min(octets.len())].to_vec();
                    octets.splice(at..at, piece);
                }
            }
        }
        octets
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_octets_are_reports_or_troubles(octets in prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..300)]) {
        let mut once = Gathered::default();
        once.add_from("x", octets.as_slice());
        prop_assert!(!once.reports.is_empty() || !once.troubles.is_empty());
        let sum = tally(once.reports.iter().map(|(_, report)| report), None);
        prop_assert_eq!(sum.rows.values().fold(0_u64, |a, b| a.saturating_add(*b)), sum.successful.saturating_add(sum.failed));
        for trouble in &once.troubles {
            prop_assert!(!trouble.why.chars().any(char::is_control), "{:?}", trouble);
        }
        // A second copy changes nothing that is counted, if the report has a name.
        let named = once.reports.iter().all(|(_, report)| !report.id.is_empty());
        let mut twice = Gathered::default();
        twice.add_from("x", octets.as_slice());
        twice.add_from("x", octets.as_slice());
        if named {
            prop_assert_eq!(&twice.reports, &once.reports);
        }
    }
}

/// What senders and the servers on the way put around a report, in a file and in a mail.
#[test]
fn what_stands_around_a_whole_report_does_not_hide_it() {
    let text = two().0;
    let (plain, packed) = (text.as_bytes(), gzip(text.as_bytes()));
    let utf_16: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let string = serde_json::to_string(&text).unwrap();
    let base64 = data_encoding::BASE64.encode(&packed);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(76)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    let around: Vec<(&str, Vec<u8>)> = vec![
        ("CR LF behind gzip", [&packed[..], b"\r\n"].concat()),
        ("zeros behind gzip", [&packed[..], &[0; 512]].concat()),
        (
            "a boundary behind gzip",
            [&packed[..], b"\r\n--b--\r\n"].concat(),
        ),
        ("CR LF before gzip", [b"\r\n", &packed[..]].concat()),
        (
            "gzip without its last octets",
            packed[..packed.len() - 8].to_vec(),
        ),
        (
            "gzip in two parts",
            [gzip(&plain[..40]), gzip(&plain[40..])].concat(),
        ),
        ("gzip in gzip", gzip(&packed)),
        ("a mark in gzip", gzip(&[b"\xef\xbb\xbf", plain].concat())),
        ("a mark", [b"\xef\xbb\xbf", plain].concat()),
        ("UTF-16", utf_16.clone()),
        ("UTF-16 in gzip", gzip(&utf_16)),
        ("JSON in a string", string.clone().into_bytes()),
        ("JSON in a string in gzip", gzip(string.as_bytes())),
        ("JSON in a list", format!("[{text}]").into_bytes()),
        ("zeros behind JSON", [plain, &[0; 40], b"\x1a"].concat()),
        ("a boundary behind JSON", [plain, b"\r\n--b--"].concat()),
        ("base64 of gzip", lines.join("\r\n").into_bytes()),
    ];
    for (what, octets) in around {
        let attached = data_encoding::BASE64.encode(&octets);
        let mail = format!(
            "From: a@example.net\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: attachment; filename=\"r.json.gz\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--b--\r\n"
        );
        for octets in [octets, mail.into_bytes()] {
            let mut gathered = Gathered::default();
            gathered.add_from("place", octets.as_slice());
            assert_eq!(gathered.troubles, [], "{what}");
            let sums = tally(gathered.reports.iter().map(|(_, report)| report), None);
            assert_eq!((sums.successful, sums.failed), (120, 3), "{what}");
        }
    }
}

/// A failure in the second counts as one in the first, and a second that is damaged is told.
#[test]
fn several_reports_in_one_file_all_count() {
    let (one, other) = two();
    let both = format!("{one}\n{other}");
    let whole: Vec<(&str, Vec<u8>)> = vec![
        ("lines", both.clone().into_bytes()),
        ("nothing between", format!("{one}{other}").into_bytes()),
        ("a list", format!("[{one},{other}]").into_bytes()),
        ("gzip of both", gzip(both.as_bytes())),
        (
            "gzip behind gzip",
            [gzip(one.as_bytes()), gzip(other.as_bytes())].concat(),
        ),
        (
            "a string of both",
            serde_json::to_string(&both).unwrap().into_bytes(),
        ),
    ];
    for (what, octets) in whole {
        let mut gathered = Gathered::default();
        gathered.add_from("place", octets.as_slice());
        assert_eq!(gathered.troubles, [], "{what}");
        let sums = tally(gathered.reports.iter().map(|(_, report)| report), None);
        assert_eq!((sums.successful, sums.failed), (127, 6), "{what}");
    }
    let half = &other[..other.len() / 2];
    let many = "{\"policies\":[]}".repeat(2_000);
    for (what, text, why) in [
        (
            "half of the second",
            format!("{one}\n{half}"),
            "EOF while parsing",
        ),
        ("another object", format!("{one}\n{{}}"), "missing field"),
        ("too many", many.clone(), "more than 1000 reports"),
        (
            "too long a list",
            format!("[{}]", many.replace("}{", "},{")),
            "more than 1000 reports",
        ),
    ] {
        let mut gathered = Gathered::default();
        gathered.add_from("place", text.as_bytes());
        assert!(!gathered.reports.is_empty(), "{what}");
        let [trouble] = gathered.troubles.as_slice() else {
            panic!("{what}: {:?}", gathered.troubles);
        };
        assert!(
            trouble.why.contains(why) && trouble.report.is_some(),
            "{what}: {trouble:?}"
        );
    }
}

/// What may be a report and cannot be read is told from other mail.
#[test]
fn what_may_be_a_report_is_known_by_its_digest_and_other_mail_is_not() {
    let packed = gzip(two().0.as_bytes());
    let wrong_sum: Vec<u8> = [
        &packed[..packed.len() - 8],
        &[0; 4],
        &packed[packed.len() - 4..],
    ]
    .concat();
    let none = "From: a@example.net\r\nTLS-Report-Domain: example.com\r\nSubject: Report Domain: example.com\r\n\r\nhello\r\n";
    for octets in [
        &packed[..packed.len() - 60],
        &wrong_sum,
        b"{\"policies\":",
        &[7; 90],
        none.as_bytes(),
    ] {
        let mut gathered = Gathered::default();
        gathered.add_from("place", octets);
        let digests: Vec<usize> = gathered
            .troubles
            .iter()
            .map(|t| t.report.as_ref().unwrap().len())
            .collect();
        assert_eq!(digests, [64], "{octets:?}");
    }
    let mut gathered = Gathered::default();
    gathered.add_from(
        "place",
        &b"From: a@example.net\r\nSubject: lunch\r\n\r\n{not a report}\r\n"[..],
    );
    let reports: Vec<_> = gathered.troubles.iter().map(|t| t.report.clone()).collect();
    assert_eq!(reports, [None]);
}

/// Names in another encoding, archives that a gateway calls text, and empty lines in front of a mailbox.
#[test]
fn a_report_is_read_whatever_a_gateway_makes_of_its_encoding() {
    let text = two().0;
    let mut latin = text.clone().into_bytes();
    let name = text.find("Google").unwrap();
    latin[name + 1] = 0xf6;
    let attached = |media: &str, name: &str, octets: &[u8]| {
        let octets = data_encoding::BASE64.encode(octets);
        format!(
            "From: a@example.net\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: {media}\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{octets}\r\n--b--\r\n"
        )
        .into_bytes()
    };
    let packed = gzip(text.as_bytes());
    let mailbox = mbox(&[mail(text.as_bytes(), "s")]);
    let arrivals = [
        ("ISO 8859-1", latin.clone()),
        ("ISO 8859-1 in gzip", gzip(&latin)),
        (
            "an archive as text",
            attached("text/plain", "r.json.gz", &packed),
        ),
        ("an archive as HTML", attached("text/html", "r", &packed)),
        (
            "empty lines before a mailbox",
            format!("\r\n\n{mailbox}").into_bytes(),
        ),
        (
            "an empty line before a mail",
            format!("\n{}", mail(text.as_bytes(), "s")).into_bytes(),
        ),
    ];
    for (what, octets) in arrivals {
        let mut gathered = Gathered::default();
        gathered.add_from("place", octets.as_slice());
        assert_eq!(gathered.troubles, [], "{what}");
        let sums = tally(gathered.reports.iter().map(|(_, report)| report), None);
        assert_eq!((sums.successful, sums.failed), (120, 3), "{what}");
    }
    // Which host is meant is not known where its name is no ASCII.
    let host = String::from_utf8(text.into_bytes()).unwrap();
    let at = host.find("mx1.example.com").unwrap();
    let mut damaged = host.into_bytes();
    damaged[at] = 0xed;
    let mut gathered = Gathered::default();
    gathered.add_from("place", damaged.as_slice());
    assert_eq!(gathered.reports.len(), 0);
    assert!(
        gathered.troubles[0].report.is_some(),
        "{:?}",
        gathered.troubles
    );
    assert!(
        gathered.troubles[0].why.contains("not UTF-8"),
        "{:?}",
        gathered.troubles
    );
}

/// DMARC reports come to the same mailbox as TLS reports, and hold nothing back (RFC 7489 §7.2.1.1).
#[test]
fn reports_of_another_kind_are_told_from_tls_reports_that_cannot_be_read() {
    let xml = gzip(b"<?xml version=\"1.0\"?><feedback></feedback>\n");
    let attached = |media: &str, name: &str, more: &str| {
        let octets = data_encoding::BASE64.encode(&xml);
        format!(
            "From: a@example.net\r\n{more}Content-Type: {media}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{octets}\r\n"
        )
        .into_bytes()
    };
    let (dmarc, tls) = (
        "example.net!example.com!1!2.xml.gz",
        "example.net!example.com!1!2.json.gz",
    );
    let reports = "TLS-Report-Domain: example.com\r\n";
    let table = [
        (xml.clone(), false, "a file"),
        (attached("application/gzip", dmarc, ""), false, "a mail"),
        (
            attached("application/octet-stream", dmarc, ""),
            false,
            "of no media type",
        ),
        (
            attached("application/tlsrpt+gzip", dmarc, ""),
            true,
            "its media type says otherwise",
        ),
        (
            attached("application/gzip", tls, ""),
            true,
            "its name says otherwise",
        ),
        (
            attached("application/gzip", dmarc, reports),
            true,
            "its mail says otherwise",
        ),
    ];
    for (octets, may_be_one, what) in table {
        let mut gathered = Gathered::default();
        gathered.add_from("place", octets.as_slice());
        let told: Vec<bool> = gathered
            .troubles
            .iter()
            .map(|t| t.report.is_some())
            .collect();
        assert_eq!(told, [may_be_one], "{what}: {:?}", gathered.troubles);
    }
}

/// RFC 8460 §4: a sender tells a session under each policy that it applied, and a failure under each reason.
#[test]
fn a_session_counts_once_whatever_policies_and_reasons_it_is_told_under() {
    let policy = |kind: &str, domain: &str, successful: u64, failed: u64, details: &[u64]| {
        let details: Vec<_> = details
            .iter()
            .map(|n| json!({"result-type": "validation-failure", "receiving-mx-hostname": "mx1.example.com", "failed-session-count": n}))
            .collect();
        json!({
            "policy": {"policy-type": kind, "policy-domain": domain, "mx-host": ["mx1.example.com", "mx2.example.com"]},
            "summary": {"total-successful-session-count": successful, "total-failure-session-count": failed},
            "failure-details": details,
        })
    };
    let table = [
        (
            vec![
                policy("tlsa", "example.com", 10, 1, &[1]),
                policy("sts", "example.com", 11, 0, &[]),
            ],
            (11, 1),
            "two kinds",
        ),
        (
            vec![
                policy("tlsa", "mx1.example.com", 4, 0, &[]),
                policy("tlsa", "mx2.example.com", 6, 0, &[]),
                policy("sts", "example.com", 10, 0, &[]),
            ],
            (10, 0),
            "TLSA by host",
        ),
        (
            vec![
                policy("tlsa", "mx1.example.com", 4, 0, &[]),
                policy("tlsa", "mx2.example.com", 6, 0, &[]),
            ],
            (10, 0),
            "two hosts",
        ),
        (
            vec![
                policy("sts", "example.com", 4, 0, &[]),
                policy("sts", "example.com", 6, 0, &[]),
            ],
            (10, 0),
            "two versions of a policy",
        ),
        (
            vec![
                policy("tlsa", "example.com", 4, 0, &[]),
                policy("sts", "example.net", 6, 0, &[]),
            ],
            (10, 0),
            "two domains",
        ),
        (
            vec![
                policy("sts", "example.com", 4, 0, &[]),
                policy("no-policy-found", "example.com", 6, 0, &[]),
            ],
            (10, 0),
            "with and without",
        ),
        (
            vec![policy("sts", "example.com", 4, 2, &[2, 2])],
            (4, 2),
            "two reasons for each",
        ),
        (
            vec![policy("sts", "example.com", 4, 5, &[2])],
            (4, 5),
            "not all explained",
        ),
        (
            vec![policy("sts", "example.com", 4, 0, &[2])],
            (4, 2),
            "a summary that was forgotten",
        ),
    ];
    for (policies, expected, what) in table {
        let report = json!({"organization-name": "O", "report-id": what, "policies": policies});
        let mut gathered = Gathered::default();
        gathered.add_from("place", report.to_string().as_bytes());
        let reports = || gathered.reports.iter().map(|(_, report)| report);
        let sums = tally(reports(), None);
        assert_eq!((sums.successful, sums.failed), expected, "{what}");
        let other = tally(reports(), Some("example.org"));
        assert_eq!((other.successful, other.failed), (0, 0), "{what}");
    }
}
