//! `dane verify` against openssl's own DANE client, over real handshakes, and against the RFCs where that differs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // tables
    missing_docs
)]

mod dane_support;

use dane_support::{Bench, program, stderr, stdout};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const HOST: &str = "mx1.example.com";

/// `openssl s_server` on a free port, ended when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(bench: &Bench, key: &str, chain: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"])
            .args(["-key", key, "-cert", chain, "-cert_chain", chain])
            .current_dir(bench.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl must be installed");
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = out
            .find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned))
            .expect("s_server says where it listens");
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl_verifies(bench: &Bench, key: &str, chain: &str, records: &[String]) -> bool {
    let server = Server::start(bench, key, chain);
    let mut client = Command::new("openssl");
    client.args([
        "s_client",
        "-connect",
        &server.address,
        "-dane_tlsa_domain",
        HOST,
    ]);
    client.args([
        "-servername",
        HOST,
        "-dane_ee_no_namechecks",
        "-verify_return_error",
    ]);
    for record in records {
        client.args(["-dane_tlsa_rrdata", record]);
    }
    let output = client
        .stdin(Stdio::null())
        .output()
        .expect("openssl must be installed");
    String::from_utf8_lossy(&output.stdout).contains("Verification: OK")
}

fn world() -> Bench {
    let bench = Bench::new();
    let leaf = format!(
        "subjectAltName=DNS:{HOST}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth"
    );
    let ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
    bench.root("root");
    bench.root("stranger");
    bench.issued("sub", "sub", "root", ca, "30");
    bench.issued("leaf", HOST, "sub", &leaf, "20");
    bench.issued("expired", HOST, "sub", &leaf, "-1");
    bench.issued("oldsub", "oldsub", "root", ca, "-1");
    bench.issued("underold", HOST, "oldsub", &leaf, "20");
    bench.issued(
        "named",
        "x",
        "sub",
        "subjectAltName=DNS:other.example.net",
        "20",
    );
    bench.issued("wild", "x", "sub", "subjectAltName=DNS:*.example.com", "20");
    bench.issued("cn", HOST, "sub", "basicConstraints=CA:FALSE", "20");
    bench.issued(
        "client",
        HOST,
        "sub",
        &leaf.replace("serverAuth", "clientAuth"),
        "20",
    );
    bench.issued("fakesub", "fakesub", "leaf", &leaf, "20");
    bench.self_signed("alone", "p256", HOST);
    // The same names as `sub`, another key: a path by name that no signature confirms.
    bench.key("forged", "p256");
    bench.openssl("req -new -key forged.key -subj /CN=sub -out forged.csr");
    bench.write("forged.ext", ca);
    bench.openssl(
        "x509 -req -in forged.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 \
         -extfile forged.ext -out forged.pem",
    );
    for (name, parts) in [
        ("leaf+sub", &["leaf.pem", "sub.pem"][..]),
        ("leaf+sub+root", &["leaf.pem", "sub.pem", "root.pem"]),
        ("leaf+root+sub", &["leaf.pem", "root.pem", "sub.pem"]),
        ("leaf+forged", &["leaf.pem", "forged.pem"]),
        ("expired+sub", &["expired.pem", "sub.pem"]),
        ("underold+oldsub", &["underold.pem", "oldsub.pem"]),
        (
            "underold+oldsub+root",
            &["underold.pem", "oldsub.pem", "root.pem"],
        ),
        ("named+sub", &["named.pem", "sub.pem"]),
        ("wild+sub", &["wild.pem", "sub.pem"]),
        ("cn+sub", &["cn.pem", "sub.pem"]),
        ("client+sub", &["client.pem", "sub.pem"]),
        ("fakesub+leaf", &["fakesub.pem", "leaf.pem"]),
    ] {
        bench.concat(&format!("{name}.pem"), parts);
    }
    bench
}

fn record(bench: &Bench, numbers: &str, of: &str) -> String {
    let der = bench.openssl(&format!("x509 -in {of}.pem -outform DER"));
    let public = bench.openssl(&format!("pkey -in {of}.key -pubout -outform DER"));
    let parts: Vec<u8> = numbers.split(' ').map(|n| n.parse().unwrap()).collect();
    let selected = if parts[1] == 0 { der } else { public };
    format!("{numbers} {}", bench.matched(parts[2], &selected))
}

/// Exit code and output of `dane verify`.
fn ours(bench: &Bench, chain: &str, records: &[String], more: &[&str]) -> (Option<i32>, String) {
    bench.write("tlsa", records.join("\n"));
    let chain = format!("{chain}.pem");
    let mut arguments = vec!["dane", "verify", "--tlsa", "tlsa", "--chain", &chain];
    arguments.extend(["--host", HOST]);
    arguments.extend(more);
    let output = program(bench.dir.path(), &arguments);
    assert_eq!(stderr(&output), "");
    (output.status.code(), stdout(&output))
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn verdicts_are_those_of_openssl_over_real_handshakes() {
    let bench = world();
    let wrong = |numbers: &str| format!("{numbers} {}", "00".repeat(32));
    let rr = |numbers: &str, of: &str| record(&bench, numbers, of);
    #[rustfmt::skip]
    let table: Vec<(&str, &str, Vec<String>, bool)> = vec![
        ("the key", "leaf+sub", vec![rr("3 1 1", "leaf")], true),
        ("the key, SHA-512", "leaf", vec![rr("3 1 2", "leaf")], true),
        ("the whole key", "leaf", vec![rr("3 1 0", "leaf")], true),
        ("the certificate", "leaf", vec![rr("3 0 1", "leaf")], true),
        ("the whole certificate", "leaf", vec![rr("3 0 0", "leaf")], true),
        ("another key", "leaf", vec![wrong("3 1 1")], false),
        ("one of two", "leaf", vec![wrong("3 1 1"), rr("3 1 1", "leaf")], true),
        ("EE: expired", "expired+sub", vec![rr("3 1 1", "expired")], true),
        ("EE: other name", "named+sub", vec![rr("3 1 1", "named")], true),
        ("EE with an issuer's key", "leaf+sub", vec![rr("3 1 1", "sub")], false),
        ("a stale stronger digest hides a good one", "leaf", vec![rr("3 0 1", "leaf"), format!("3 0 2 {}", "00".repeat(64))], false),
        ("digests of other selectors do not", "leaf", vec![rr("3 1 1", "leaf"), format!("3 0 2 {}", "00".repeat(64))], true),
        ("TA: intermediate", "leaf+sub", vec![rr("2 1 1", "sub")], true),
        ("TA: intermediate, certificate", "leaf+sub", vec![rr("2 0 1", "sub")], true),
        ("TA: root presented", "leaf+sub+root", vec![rr("2 0 1", "root")], true),
        ("TA: presented out of order", "leaf+root+sub", vec![rr("2 0 1", "root")], true),
        ("TA: root not presented", "leaf+sub", vec![rr("2 0 1", "root")], false),
        ("TA: the record is the root", "leaf+sub", vec![rr("2 0 0", "root")], true),
        ("TA: the record is the root's key", "leaf+sub", vec![rr("2 1 0", "root")], true),
        ("TA: intermediate missing", "leaf", vec![rr("2 0 0", "root")], false),
        ("TA: a stranger", "leaf+sub+root", vec![rr("2 1 1", "stranger")], false),
        ("TA: wrong signature", "leaf+forged", vec![rr("2 1 1", "forged")], false),
        ("TA: expired leaf", "expired+sub", vec![rr("2 1 1", "sub")], false),
        ("TA: expired intermediate", "underold+oldsub+root", vec![rr("2 1 1", "root")], false),
        ("TA: expired anchor", "underold+oldsub", vec![rr("2 1 1", "oldsub")], true),
        ("TA: expired anchor, certificate", "underold+oldsub", vec![rr("2 0 1", "oldsub")], true),
        ("TA: other name", "named+sub", vec![rr("2 1 1", "sub")], false),
        ("TA: wildcard", "wild+sub", vec![rr("2 1 1", "sub")], true),
        ("TA: common name", "cn+sub", vec![rr("2 1 1", "sub")], true),
        ("TA: not for servers", "client+sub", vec![rr("2 1 1", "sub")], false),
        ("TA: anchor is no CA", "fakesub+leaf", vec![rr("2 1 1", "leaf")], false),
        ("TA: the leaf itself", "alone", vec![rr("2 1 1", "alone")], false),
        ("TA fails, EE holds", "leaf", vec![rr("2 1 1", "sub"), rr("3 1 1", "leaf")], true),
    ];
    let mut wrong = Vec::new();
    for (why, chain, records, expected) in table {
        let leaf = chain.split('+').next().unwrap();
        let openssl = openssl_verifies(
            &bench,
            &format!("{leaf}.key"),
            &format!("{chain}.pem"),
            &records,
        );
        let (code, text) = ours(&bench, chain, &records, &[]);
        if (code == Some(0)) != expected || openssl != expected {
            wrong.push(format!(
                "{why}: expected {expected}, openssl {openssl}, ours {code:?} {text}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Small numbers that look drawn and are the same on every run (xorshift).
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn drawn_chains_and_records_get_the_verdict_of_openssl() {
    const LEAVES: &[&str] = &[
        "leaf", "expired", "underold", "named", "wild", "cn", "client", "fakesub", "alone",
    ];
    const ISSUERS: &[&str] = &["sub", "sub", "oldsub", "root", "forged", "stranger", "leaf"];
    let bench = world();
    let mut drawn = Drawn(0x7157_2026_1125);
    let mut wrong = Vec::new();
    let mut verified = 0;
    // Each record is made once: openssl takes its time.
    let mut made = BTreeMap::new();
    for round in 0..30 {
        let leaf = drawn.one_of(LEAVES);
        let mut parts = vec![leaf];
        for _ in 0..drawn.below(4) {
            parts.push(drawn.one_of(ISSUERS));
        }
        let files: Vec<String> = parts.iter().map(|part| format!("{part}.pem")).collect();
        let chain = format!("drawn{round}");
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        bench.concat(&format!("{chain}.pem"), &files);
        let records: Vec<String> = (0..=drawn.below(3))
            .map(|_| {
                let numbers = format!(
                    "{} {} {}",
                    2 + drawn.below(2),
                    drawn.below(2),
                    drawn.below(3)
                );
                let of = match drawn.below(4) {
                    0 => drawn.one_of(ISSUERS),
                    _ => drawn.one_of(&parts),
                };
                let known = made.entry((numbers.clone(), of.to_owned()));
                known
                    .or_insert_with(|| record(&bench, &numbers, of))
                    .clone()
            })
            .collect();
        let theirs = openssl_verifies(
            &bench,
            &format!("{leaf}.key"),
            &format!("{chain}.pem"),
            &records,
        );
        let (code, text) = ours(&bench, &chain, &records, &[]);
        verified += usize::from(theirs);
        if (code == Some(0)) != theirs {
            let shown: Vec<&str> = records.iter().map(|r| &r[..r.len().min(20)]).collect();
            wrong.push(format!(
                "{parts:?} {shown:?}: openssl {theirs}, ours {code:?} {text}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        (3..=27).contains(&verified),
        "{verified} of 30 verified: too one-sided to tell much"
    );
}

#[test]
fn smtp_leaves_usages_0_and_1_unused_and_says_why() {
    let bench = world();
    let pkix = vec![
        record(&bench, "1 1 1", "leaf"),
        record(&bench, "0 1 1", "sub"),
    ];
    let (code, text) = ours(&bench, "leaf+sub", &pkix, &[]);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("not authenticated: no record is usable"),
        "{text}"
    );
    assert_eq!(
        text.matches("usages 0 and 1 do not count for SMTP").count(),
        2
    );
    let both = [pkix.clone(), vec![format!("3 1 1 {}", "00".repeat(32))]].concat();
    let (_, text) = ours(&bench, "leaf+sub", &both, &[]);
    assert!(
        text.starts_with("refused"),
        "a usable record that differs refuses: {text}"
    );

    let roots = ["--pkix", "--roots", "root.pem"];
    for (why, chain, numbers, of, roots, expected) in [
        ("PKIX-EE", "leaf+sub", "1 1 1", "leaf", "root.pem", 0),
        (
            "PKIX-EE, other roots",
            "leaf+sub",
            "1 1 1",
            "leaf",
            "stranger.pem",
            1,
        ),
        (
            "PKIX-EE, other name",
            "named+sub",
            "1 1 1",
            "named",
            "root.pem",
            1,
        ),
        (
            "PKIX-TA, intermediate",
            "leaf+sub",
            "0 1 1",
            "sub",
            "root.pem",
            0,
        ),
        (
            "PKIX-TA, root not presented",
            "leaf+sub",
            "0 1 1",
            "root",
            "root.pem",
            0,
        ),
        (
            "PKIX-TA, not on the path",
            "leaf+sub+root",
            "0 1 1",
            "stranger",
            "root.pem",
            1,
        ),
        (
            "PKIX-TA, the leaf",
            "leaf+sub",
            "0 1 1",
            "leaf",
            "root.pem",
            1,
        ),
        (
            "DANE-EE still counts",
            "leaf+sub",
            "3 1 1",
            "leaf",
            "stranger.pem",
            0,
        ),
    ] {
        let records = vec![record(&bench, numbers, of)];
        let (code, text) = ours(&bench, chain, &records, &["--pkix", "--roots", roots]);
        assert_eq!(code, Some(expected), "{why}: {text}");
    }
    assert_eq!(ours(&bench, "leaf+sub", &pkix, &roots).0, Some(0));
    // Without --roots, those of the system count: OpenSSL's variable says which these are.
    let system = |roots: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
            .args([
                "dane",
                "verify",
                "--tlsa",
                "tlsa",
                "--chain",
                "leaf+sub.pem",
                "--host",
                HOST,
                "--pkix",
            ])
            .env("SSL_CERT_FILE", bench.path(roots))
            .current_dir(bench.dir.path())
            .output()
            .unwrap();
        (output.status.code(), stdout(&output))
    };
    assert_eq!(system("root.pem").0, Some(0));
    let (code, text) = system("stranger.pem");
    assert_eq!(code, Some(1));
    assert!(
        text.contains("no path leads from the leaf to a trusted root"),
        "{text}"
    );
}

#[test]
fn unusable_records_are_as_if_they_were_not_there() {
    let bench = world();
    let good = record(&bench, "3 1 1", "leaf");
    for (why, bad, says) in [
        (
            "short digest",
            "3 1 1 0011".to_owned(),
            "2 octets where 32 belong",
        ),
        (
            "long digest",
            format!("3 1 2 {}", "00".repeat(65)),
            "65 octets where 64 belong",
        ),
        (
            "usage",
            format!("4 1 1 {}", "00".repeat(32)),
            "not assigned",
        ),
        (
            "selector",
            format!("3 2 1 {}", "00".repeat(32)),
            "not assigned",
        ),
        ("matching type", "3 1 3 00".to_owned(), "not assigned"),
        (
            "not a certificate",
            "2 0 0 3000".to_owned(),
            "not a certificate or key",
        ),
    ] {
        let (code, text) = ours(&bench, "leaf", std::slice::from_ref(&bad), &[]);
        assert_eq!(code, Some(1));
        assert!(
            text.starts_with("not authenticated") && text.contains(says),
            "{why}: {text}"
        );
        let (code, text) = ours(&bench, "leaf", &[bad, good.clone()], &[]);
        assert_eq!(code, Some(0), "{why}: {text}");
    }
    let empty = "3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned();
    let (code, text) = ours(&bench, "leaf", &[empty], &[]);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("refused") && text.contains("digest of the empty input"),
        "{text}"
    );
}

#[test]
fn names_times_zone_lines_and_bad_files() {
    let bench = world();
    let good = record(&bench, "2 1 1", "sub");
    let other = ["--host", "other.example.net"];
    assert_eq!(
        ours(&bench, "named+sub", std::slice::from_ref(&good), &other).0,
        Some(0),
        "any reference name"
    );
    let late = ["--at", "2099-01-01T00:00:00Z"];
    let (code, text) = ours(&bench, "leaf+sub", std::slice::from_ref(&good), &late);
    assert_eq!(code, Some(1));
    assert!(text.contains("expired at"), "{text}");
    let ee = record(&bench, "3 1 1", "leaf");
    assert_eq!(
        ours(&bench, "leaf+sub", std::slice::from_ref(&ee), &late).0,
        Some(0)
    );

    let zone = |lines: &[&str], more: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|l| l.replace("GOOD", &ee)).collect();
        bench.write("tlsa", lines.join("\n"));
        let mut arguments = vec!["dane", "verify", "--tlsa", "tlsa", "--chain", "leaf.pem"];
        arguments.extend(["--host", "MX1.example.com."]);
        arguments.extend(more);
        let output = program(bench.dir.path(), &arguments);
        (output.status.code().unwrap(), stderr(&output))
    };
    let at_25 = "_25._tcp.mx1.example.com. 3600 IN TLSA GOOD ; now";
    let at_465 = format!(
        "_465._tcp.mx1.example.com. IN TLSA 3 1 1 {}",
        "00".repeat(32)
    );
    let elsewhere = "_25._tcp.mx2.example.com. IN TLSA GOOD";
    assert_eq!(zone(&["; comment", "", at_25], &[]), (0, String::new()));
    assert_eq!(zone(&[at_25, &at_465], &["--port", "25"]).0, 0);
    assert_eq!(zone(&[at_25, &at_465], &["--port", "465"]).0, 1);
    assert!(
        zone(&[at_25, &at_465], &[])
            .1
            .contains("hint: say which with --port")
    );
    assert!(
        zone(&[elsewhere], &[])
            .1
            .contains("no TLSA record of mx1.example.com")
    );
    assert!(zone(&["; nothing"], &[]).1.contains("no TLSA record in it"));
    assert!(zone(&["x"], &[]).1.contains("tlsa: line 1:"));
    assert_eq!(
        zone(
            &["$ORIGIN example.com.", "_25._tcp.mx1 IN TLSA ( GOOD )"],
            &[]
        )
        .0,
        0
    );

    let run = |tlsa: &str, chain: &str| {
        let output = program(
            bench.dir.path(),
            &[
                "dane", "verify", "--tlsa", tlsa, "--chain", chain, "--host", HOST,
            ],
        );
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    bench.write("tlsa", &ee);
    bench.write("bytes", [0xff, 0xfe, 0]);
    assert!(run("absent", "leaf.pem").starts_with("error: absent: "));
    assert!(run("bytes", "leaf.pem").contains("bytes: line 1: "));
    assert!(run("/dev/zero", "leaf.pem").contains("it is a device, and a file is expected"));
    assert!(run("tlsa", "leaf.key").contains("no certificate in it"));
    assert!(run("tlsa", "/dev/zero").contains("it is a device, and a file is expected"));
}
