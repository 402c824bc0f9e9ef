//! What a primary with its defaults does not load is not called sound: `zone check` against BIND's `check-names` and limits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::format_push_string
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use tlsa_rotate::zone::diagnostic::Severity;
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::NoFiles;
use tlsa_rotate::zone::name::Name;

const HEAD: &str = "$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

fn read(text: &str, origin: &str) -> ZoneFile {
    let origin = Name::parse(origin.as_bytes(), None).unwrap();
    ZoneFile::read("z", text.as_bytes().to_vec(), Some(&origin), &NoFiles)
}

/// The lines of which we say that BIND does not load the zone for them.
fn ours(text: &str, origin: &str) -> BTreeSet<usize> {
    let file = read(text, origin);
    let errors = file.diagnostics().iter();
    let errors: Vec<_> = errors.filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let found = file.diagnostics().iter();
    let found = found.filter(|d| d.message.starts_with("BIND as a primary does not load"));
    found.map(|d| d.line).collect()
}

/// The lines of which `named-checkzone` complains by `check-names`.
fn theirs(text: &str, origin: &str) -> BTreeSet<usize> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let checked = |names: &str| {
        let run = Command::new("named-checkzone")
            .args(["-i", "none", "-k", names, origin])
            .arg(file.path())
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .output()
            .expect("named-checkzone must be installed");
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        (run.status.success(), said)
    };
    let (loads, said) = checked("warn");
    assert!(loads, "{said}");
    let lines: BTreeSet<usize> = said
        .lines()
        .filter(|line| line.ends_with("(check-names)"))
        .map(|line| {
            let rest = &line[file.path().to_str().unwrap().len() + 1..];
            rest.split(':').next().unwrap().parse().unwrap()
        })
        .collect();
    // What it does by default as a primary.
    let (loads, said) = checked("fail");
    assert_eq!(loads, lines.is_empty(), "{said}");
    lines
}

const OWNERS: &[&str] = &[
    "a",
    "a_b",
    "_a",
    "*",
    "*.a",
    "*.a_b",
    "a.*",
    "-a",
    "a-",
    "a--b",
    "1",
    "\\097",
    "a\\195",
    "m\\195\\188ller",
    "a\\.b",
    "a\\032b",
    "a/b",
    "gc._msdcs",
    "GC._MSDCS.a",
    "gc._msdcs.a_b",
    "x.gc._msdcs",
    "_gc._msdcs",
    "xn--mller-kva",
    "@",
];
const OWNED: &[&str] = &[
    "A 192.0.2.1",
    "AAAA 2001:db8::1",
    "A6 0 2001:db8::1",
    "MX 10 ok.example.net.",
    "WKS 192.0.2.1 tcp smtp",
    "TXT x",
    "SRV 0 0 1 ok.example.net.",
    "TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "CAA 0 issue \"x\"",
    "SSHFP 1 1 0123456789abcdef0123456789abcdef01234567",
    "HTTPS 1 .",
    "LOC 1 N 1 E 0",
];
const TARGETS: &[&str] = &[
    "ok.example.net.",
    "b_d.example.net.",
    "*.example.net.",
    "-a.example.net.",
    "a-.b.",
    "a\\.b.example.net.",
    "a\\.b.c_d.",
    "_a.b.",
    ".",
    "a\\032b.x.",
    "a@b.x.",
    "h\\195.x.",
    "x.h\\195.",
    "x.y_z.",
    "A1.b.",
];
const POINTING: &[&str] = &[
    "MX 10 T",
    "SRV 1 1 1 T",
    "NS T",
    "PTR T",
    "RP T ok.",
    "RP ok. T",
    "MINFO T ok.",
    "MINFO ok. T",
    "RT 1 T",
    "AFSDB 1 T",
    "KX 1 T",
    "HTTPS 1 T",
    "HTTPS 1 T alpn=h2",
    "SVCB 1 T",
    "SVCB 0 T",
    "HTTPS 0 T",
    "DSYNC CDS NOTIFY 1 T",
    "A6 64 ::1 T",
    "A6 1 ::1 T",
    "CNAME T",
    "DNAME T",
    "MB T",
    "NAPTR 1 1 \"\" \"\" \"\" T",
];

/// Every kind of owner at every type, every kind of name in every type that has one: the same lines.
#[test]
fn names_for_which_bind_does_not_load_a_zone_are_told() {
    let mut text = HEAD.to_owned();
    for (number, owner) in OWNERS.iter().enumerate() {
        for data in OWNED {
            // One owner each, so that nothing is told once for several.
            let owner = match *owner {
                "@" => "@".to_owned(),
                "*" => format!("*.n{number}"),
                owner => format!("{owner}.n{number}"),
            };
            text.push_str(&format!("{owner} {data}\n"));
        }
    }
    for (t, target) in TARGETS.iter().enumerate() {
        for (p, pointing) in POINTING.iter().enumerate() {
            let is_dot = *target == "."
                && ["CNAME", "NS", "DNAME"]
                    .iter()
                    .any(|t| pointing.starts_with(t));
            if !is_dot {
                text.push_str(&format!("t{t}p{p} {}\n", pointing_at(pointing, target)));
            }
        }
    }
    compare(&text, "example.com.");
    for origin in ["1.in-addr.arpa.", "8.ip6.arpa.", "8.ip6.int.", "arpa."] {
        let mut text =
            "$TTL 300\n@ SOA ns.example. host.example. 1 2 3 4 5\n@ NS ns.example.\n".to_owned();
        for (t, target) in TARGETS.iter().enumerate() {
            text.push_str(&format!("{t} PTR {target}\n{t}x CNAME {target}\n"));
        }
        compare(&text, origin);
    }
    for soa in [
        "n_s host",
        "ns ho_st",
        "ns host.b_d",
        "ns h\\195",
        "ns a\\.b",
        "ns .",
    ] {
        let text = HEAD.replace("ns host", soa);
        compare(&text, "example.com.");
    }
}

fn compare(text: &str, origin: &str) {
    let (theirs, ours) = (theirs(text, origin), ours(text, origin));
    let line = |number: &usize| text.lines().nth(number - 1).unwrap_or_default().to_owned();
    let only = |a: &BTreeSet<usize>, b: &BTreeSet<usize>| -> Vec<String> {
        a.difference(b).map(line).collect()
    };
    assert!(
        theirs == ours,
        "{origin}\nonly BIND refuses {:#?}\nonly we do {:#?}",
        only(&theirs, &ours),
        only(&ours, &theirs)
    );
}

/// `T` as a whole word is where the name stands.
fn pointing_at(data: &str, target: &str) -> String {
    let words = data
        .split(' ')
        .map(|word| if word == "T" { target } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..count).map(one).collect();
    format!("{HEAD}{}\n", lines.join("\n"))
}

/// The limits are those of `named`; `named-checkzone` does not know them.
#[test]
fn names_with_more_than_bind_takes_are_told() {
    let txt = |n: usize| format!("x TXT {n}");
    let typed = |n: usize| format!("x TYPE{} \\# 1 00", 65_280 + n);
    let signed = |n: usize| {
        let rtype = 65_280 + n;
        format!(
            "x TYPE{rtype} \\# 1 00\nx RRSIG TYPE{rtype} 13 3 300 20300101000000 20200101000000 1 e. AAAA"
        )
    };
    let sig = |n: usize| format!("x RRSIG A 13 3 300 20300101000000 20200101000000 {n} e. AAAA");
    let glue = |n: usize| format!("x.s A 192.0.2.{n}");
    let apex = |text: String| {
        format!("{text}@ RRSIG SOA 13 2 300 20300101000000 20200101000000 1 e. AAAA\n")
    };
    let zones = [
        many(100, txt),
        many(101, txt),
        format!("{}x TXT 0\n", many(100, txt)),
        apex(many(100, typed)),
        apex(many(101, typed)),
        apex(many(50, signed)),
        apex(many(51, signed)),
        apex(format!("{}x A 192.0.2.1\n", many(100, sig))),
        apex(format!("{}x A 192.0.2.1\n", many(101, sig))),
        format!("{}s NS x.s\n", many(101, glue)),
        format!("{}s NS x.s\n", many(100, glue)),
    ];
    let loaded = loaded_by_named(&zones);
    for (number, (zone, loads)) in zones.iter().zip(&loaded).enumerate() {
        let told = read(zone, &format!("z{number}."));
        let told: Vec<_> = told
            .diagnostics()
            .iter()
            .filter(|d| d.message.contains("more than 100"))
            .collect();
        assert_eq!(*loads, told.is_empty(), "zone {number}: {told:?}");
    }
    assert_eq!(loaded.iter().filter(|loads| **loads).count(), 5);
    // Not loaded once we signed it.
    for (types, warned) in [(49, false), (50, true)] {
        let told = read(&many(types, typed), "e.");
        let told = told
            .diagnostics()
            .iter()
            .any(|d| d.message.ends_with("once it is signed"));
        assert_eq!(told, warned, "{types}");
    }
}

fn loaded_by_named(zones: &[String]) -> Vec<bool> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let mut settings = format!(
        "options {{ directory \"{path}\"; listen-on {{ none; }}; listen-on-v6 {{ none; }}; pid-file none; \
         session-keyfile \"{path}/key\"; recursion no; notify no; }};\ncontrols {{ }};\n"
    );
    for (number, zone) in zones.iter().enumerate() {
        fs::write(directory.path().join(format!("z{number}")), zone).unwrap();
        settings.push_str(&format!(
            "zone \"z{number}.\" {{ type primary; file \"z{number}\"; }};\n"
        ));
    }
    let configuration = directory.path().join("named.conf");
    fs::write(&configuration, settings).unwrap();
    let mut named = Command::new("named")
        .args(["-g", "-c"])
        .arg(&configuration)
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("named must be installed");
    let log = BufReader::new(named.stderr.take().unwrap());
    let mut loaded = vec![None; zones.len()];
    for line in log.lines().map_while(Result::ok) {
        let Some((_, rest)) = line.split_once(" zone z") else {
            continue;
        };
        let number: usize = rest.split('/').next().unwrap().parse().unwrap();
        if rest.contains("too many records") {
            loaded[number] = Some(false);
        } else if rest.contains("loaded serial") {
            loaded[number] = Some(true);
        }
        if loaded.iter().all(Option::is_some) {
            break;
        }
    }
    named.kill().unwrap();
    named.wait().unwrap();
    loaded
        .into_iter()
        .map(|one| one.expect("named said nothing of a zone"))
        .collect()
}

/// Lines that BIND or NSD does not load, or that look like such.
const SINGLE: &[&str] = &[
    "*.w NS ns.example.net.",
    "w NS ns.example.net.",
    "d SVCB 1 x.example.net. dohpath=/dns-query{?dns}",
    "d SVCB 1 x.example.net. key7=/dns-query{?dns}",
    "d SVCB 1 x.example.net. alpn=h2 key7=/dns-query",
    "d HTTPS 1 x.example.net. key7=dns-query{?dns}",
    "i IPSECKEY 10 1 0 192.0.2.38",
    "i IPSECKEY 10 0 0 .",
    "i IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
    "n NAPTR 1 1 u x \"!^.*$!sip:info@example.com!i\" .",
    "n NAPTR 1 1 u x \"!^.*$!sip:info@example.com!\" .",
    "n NAPTR 1 1 u x \"!^.*$!x!g\" .",
    "n NAPTR 1 1 u x \"!^.*$!x\" .",
    "n NAPTR 1 1 u x \"!^.*$\" .",
    "n NAPTR 1 1 u x foo .",
    "n NAPTR 1 1 u x \"!(!x!\" .",
    "n NAPTR 1 1 u x \"![(]!x!\" .",
    "n NAPTR 1 1 u x \"!(a)(b)!\\\\2\\\\1!\" .",
    "n NAPTR 1 1 u x \"!(a)!\\\\2!\" .",
    "n NAPTR 1 1 u x \"!(a)!\\\\0!\" .",
    "n NAPTR 1 1 u x \"1a1b1\" .",
    "n NAPTR 1 1 u x \"!!x!\" .",
    "n NAPTR 1 1 s x \"\" .",
    "x X25 311061700956",
    "x X25 1234",
    "x X25 123",
    "x X25 abcd",
    "c CAA 0 ISSUE x",
    "c CAA 0 issuE x",
    "c CAA 0 issue X",
    "d DNAME x.example.net.\nb.d TXT x",
];

#[test]
fn what_a_single_server_does_not_load_is_told_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("zone");
    let loads = |command: &[&str]| {
        let run = Command::new(command[0])
            .args(&command[1..])
            .arg(&file)
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .output()
            .expect("BIND, Knot and NSD must be installed");
        run.status.success()
    };
    let mut wrong = Vec::new();
    for line in SINGLE {
        // As we write it, which all know but for what is wrong with it.
        let read = read(&format!("{HEAD}{line}\n"), "example.com.");
        let zone = read.zone().unwrap_or_else(|e| panic!("{line}: {e}"));
        fs::write(&file, zone.to_string()).unwrap();
        let refused = [
            (
                "BIND",
                !loads(&["named-checkzone", "-i", "local", "example.com"]),
            ),
            ("Knot", !loads(&["kzonecheck", "-o", "example.com."])),
            ("NSD", !loads(&["nsd-checkzone", "example.com"])),
        ];
        let found: Vec<&str> = read
            .diagnostics()
            .iter()
            .map(|d| d.message.as_str())
            .collect();
        let found: Vec<&str> = found
            .into_iter()
            .filter(|m| m.contains("not load the zone"))
            .collect();
        for (name, refuses) in refused {
            if refuses != found.iter().any(|message| message.contains(name)) {
                wrong.push(format!("{line}: {name} refuses: {refuses}, told {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_backslash_in_a_name_is_written_as_all_servers_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("zone");
    let zone = read(
        &format!("{HEAD}a\\\\ TXT x\nb\\\\c TXT x\nd CNAME e\\\\\n"),
        "example.com.",
    );
    fs::write(&file, zone.zone().unwrap().to_string()).unwrap();
    let run = Command::new("nsd-checkzone")
        .arg("example.com")
        .arg(&file)
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .output()
        .expect("NSD must be installed");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}
