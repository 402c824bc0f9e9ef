//! `record` against openssl: the same data for every kind of file, and the right data where openssl re-encodes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::{Bench, program, rsa_spki_without_null, stderr, stdout};
use std::io::Write as _;
use std::process::{Command, Stdio};

const KINDS: [&str; 4] = ["rsa", "p256", "p384", "ed25519"];

#[test]
fn every_selector_and_matching_type_of_every_kind_is_what_openssl_digests() {
    let bench = Bench::new();
    for kind in KINDS {
        bench.self_signed(kind, kind, "mx1.example.com");
        bench.openssl(&format!(
            "req -new -key {kind}.key -subj /CN=x -out {kind}.csr"
        ));
        bench.openssl(&format!(
            "req -in {kind}.csr -outform DER -out {kind}.csr.der"
        ));
        bench.openssl(&format!("x509 -in {kind}.pem -outform DER -out {kind}.der"));
        bench.openssl(&format!(
            "pkey -in {kind}.key -outform DER -out {kind}.key.der"
        ));
        bench.openssl(&format!("pkey -in {kind}.key -pubout -out {kind}.pub"));
        let spki = bench.openssl(&format!("pkey -in {kind}.key -pubout -outform DER"));
        bench.write(&format!("{kind}.pub.der"), &spki);
        let whole = bench.read(&format!("{kind}.der"));
        let keys = [
            "pem", "der", "csr", "csr.der", "key", "key.der", "pub", "pub.der",
        ];
        for usage in 0..=3_u8 {
            for (selector, octets, forms) in [(0, &whole, &keys[..2]), (1, &spki, &keys[..])] {
                for matching in 0..=2_u8 {
                    let files: Vec<String> = forms.iter().map(|f| format!("{kind}.{f}")).collect();
                    let numbers = [usage, selector, matching].map(|n| n.to_string());
                    let mut arguments = vec!["record"];
                    arguments.extend(["--usage", &numbers[0], "--selector", &numbers[1]]);
                    arguments.extend(["--matching", &numbers[2]]);
                    arguments.extend(files.iter().map(String::as_str));
                    let output = program(bench.dir.path(), &arguments);
                    let line = format!(
                        "{usage} {selector} {matching} {}\n",
                        bench.matched(matching, octets)
                    );
                    assert_eq!(stdout(&output), line.repeat(files.len()), "{arguments:?}");
                    assert!(output.status.success());
                }
            }
        }
    }
}

#[test]
fn old_forms_of_private_keys_give_the_key_of_their_certificate() {
    let bench = Bench::new();
    bench.key("rsa", "rsa");
    bench.openssl("rsa -in rsa.key -traditional -out rsa.pkcs1");
    bench.openssl("rsa -in rsa.key -traditional -outform DER -out rsa.pkcs1.der");
    bench.openssl("rsa -in rsa.key -RSAPublicKey_out -out rsa.pub1");
    bench.openssl("rsa -in rsa.key -RSAPublicKey_out -outform DER -out rsa.pub1.der");
    check_same(
        &bench,
        "rsa",
        &["rsa.pkcs1", "rsa.pkcs1.der", "rsa.pub1", "rsa.pub1.der"],
    );
    for curve in ["p256", "p384"] {
        bench.key(curve, curve);
        bench.openssl(&format!("ec -in {curve}.key -out {curve}.sec1"));
        bench.openssl(&format!(
            "ec -in {curve}.key -outform DER -out {curve}.sec1.der"
        ));
        bench.openssl(&format!("ec -in {curve}.key -no_public -out {curve}.nopub"));
        bench.openssl(&format!(
            "pkcs8 -topk8 -nocrypt -in {curve}.nopub -out {curve}.nopub8"
        ));
        let files = ["sec1", "sec1.der", "nopub", "nopub8"].map(|f| format!("{curve}.{f}"));
        check_same(&bench, curve, &files.each_ref().map(String::as_str));
        // A key kept with its point compressed: certificates made from it have it compressed, too.
        bench.openssl(&format!(
            "ec -in {curve}.key -conv_form compressed -out {curve}-c.key"
        ));
        bench.openssl(&format!(
            "req -x509 -key {curve}-c.key -out {curve}-c.pem -subj /CN=x"
        ));
        check_same(&bench, &format!("{curve}-c"), &[&format!("{curve}-c.pem")]);
    }
}

fn check_same(bench: &Bench, key: &str, files: &[&str]) {
    let spki = bench.openssl(&format!("pkey -in {key}.key -pubout -outform DER"));
    let mut arguments = vec!["record"];
    arguments.extend(files);
    let output = program(bench.dir.path(), &arguments);
    let line = format!("3 1 1 {}\n", bench.matched(1, &spki));
    assert_eq!(
        stdout(&output),
        line.repeat(files.len()),
        "{files:?} {}",
        stderr(&output)
    );
}

/// The octets of the SPKI as they stand in a certificate, cut out by hand: the seventh element of the `TBSCertificate`.
fn cut_spki(certificate: &[u8]) -> Vec<u8> {
    fn element(octets: &[u8]) -> (usize, usize) {
        let first = usize::from(octets[1]);
        if first < 0x80 {
            return (2, 2 + first);
        }
        let count = first & 0x7f;
        let length = octets[2..2 + count]
            .iter()
            .fold(0, |l, d| (l << 8) | usize::from(*d));
        (2 + count, 2 + count + length)
    }
    let tbs = &certificate[element(certificate).0..];
    let mut rest = &tbs[element(tbs).0..];
    for _ in 0..6 {
        rest = &rest[element(rest).1..];
    }
    rest[..element(rest).1].to_vec()
}

#[test]
fn the_digest_is_of_the_octets_in_the_certificate_where_openssl_re_encodes_them() {
    let bench = Bench::new();
    bench.self_signed("rsa", "rsa", "mx1.example.com");
    let normal = bench.openssl("x509 -in rsa.pem -outform DER");
    bench.write("odd.der", rsa_spki_without_null(&normal));
    bench.openssl("x509 -inform DER -in odd.der -out odd.pem");
    bench.write("odd.pub", bench.openssl("x509 -in odd.pem -noout -pubkey"));
    let pipeline = bench.matched(1, &bench.openssl("pkey -pubin -in odd.pub -outform DER"));
    let raw = bench.matched(1, &cut_spki(&bench.read("odd.der")));
    let ours = stdout(&program(
        bench.dir.path(),
        &["record", "odd.pem", "odd.der"],
    ));
    assert_eq!(ours, format!("3 1 1 {raw}\n3 1 1 {raw}\n"));
    assert_ne!(
        raw, pipeline,
        "openssl prints the key with the NULL it lacks in the certificate"
    );
    // And on the certificate as it was, all three agree: the difference above is the NULL, not the cutting.
    let normal_raw = bench.matched(1, &cut_spki(&normal));
    assert_eq!(normal_raw, pipeline);
}

#[test]
fn chains_pairs_and_strangers_in_one_file() {
    let bench = Bench::new();
    bench.root("root");
    bench.issued(
        "sub",
        "sub",
        "root",
        "basicConstraints=critical,CA:TRUE",
        "30",
    );
    bench.issued(
        "leaf",
        "mx1.example.com",
        "sub",
        "subjectAltName=DNS:mx1.example.com",
        "20",
    );
    bench.self_signed("one", "p256", "mx1.example.com");
    bench.self_signed("two", "rsa", "mx1.example.com");
    let of = |file: &str| stdout(&program(bench.dir.path(), &["record", file]));
    let (leaf, one, two) = (of("leaf.pem"), of("one.pem"), of("two.pem"));

    let table: [(&str, &[&str], String); 7] = [
        (
            "a chain is its leaf",
            &["leaf.pem", "sub.pem", "root.pem"],
            leaf.clone(),
        ),
        (
            "with its key in front",
            &["leaf.key", "leaf.pem", "sub.pem"],
            leaf.clone(),
        ),
        (
            "two self-signed of one name",
            &["one.pem", "two.pem"],
            one.clone() + &two,
        ),
        (
            "an RSA and an EC pair",
            &["one.key", "one.pem", "two.key", "two.pem"],
            one.clone() + &two,
        ),
        (
            "two chains",
            &["leaf.pem", "sub.pem", "one.pem"],
            leaf.clone() + &one,
        ),
        (
            "a key and its request",
            &["leaf.key", "leaf.csr"],
            leaf.clone(),
        ),
        (
            "the same twice",
            &["one.pem", "one.pem"],
            one.clone() + &one,
        ),
    ];
    for (why, parts, expected) in table {
        bench.concat("file.pem", parts);
        let output = program(bench.dir.path(), &["record", "file.pem"]);
        assert_eq!(stdout(&output), expected, "{why}");
        assert_eq!(
            stderr(&output).contains("no chain"),
            expected.lines().count() > 1,
            "{why}"
        );
    }
    for (why, parts, expected) in [
        (
            "issuer in front of leaf",
            ["sub.pem", "leaf.pem"],
            "the leaf must come first",
        ),
        (
            "a stranger's key",
            ["one.key", "two.pem"],
            "belongs to none of its certificates",
        ),
    ] {
        bench.concat("file.pem", &parts);
        let output = program(bench.dir.path(), &["record", "file.pem"]);
        assert!(
            stderr(&output).contains(expected),
            "{why}: {}",
            stderr(&output)
        );
        assert_eq!(
            (stdout(&output).as_str(), output.status.code()),
            ("", Some(1)),
            "{why}"
        );
    }
}

#[test]
fn what_is_no_certificate_is_named_with_its_reason_and_the_others_still_print_in_order() {
    let bench = Bench::new();
    bench.self_signed("good", "p256", "mx1.example.com");
    bench.openssl("x509 -in good.pem -outform DER -out good.der");
    let pem = bench.read("good.pem");
    let der = bench.read("good.der");
    bench.write("empty", "");
    bench.write("blank", " \n\n");
    bench.write("truncated.pem", &pem[..pem.len() / 2]);
    bench.write("truncated.der", &der[..der.len() - 1]);
    bench.write("trailing.der", [&der[..], b"\n"].concat());
    bench.write(
        "damaged.pem",
        String::from_utf8(pem).unwrap().replace("MII", "M*I"),
    );
    bench.write("text", "not a certificate\n");
    bench.write("binary", [0xff, 0, 0x80, 7].repeat(50));
    bench.write(
        "utf16",
        "-----BEGIN"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>(),
    );
    let utf16 = [&[0xff, 0xfe][..], &bench.read("utf16")].concat();
    bench.write("utf16", utf16);
    bench.write("huge", vec![b'a'; 3 << 20]);
    bench.write(
        "other.pem",
        "-----BEGIN X509 CRL-----\nAQID\n-----END X509 CRL-----\n",
    );
    bench.write(
        "hollow.pem",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    );
    bench.write(
        "hollow.pub",
        "-----BEGIN PUBLIC KEY-----\nMAwwBwYFKw4DAgYDAQA=\n-----END PUBLIC KEY-----\n",
    );
    bench.openssl("pkcs12 -export -in good.pem -inkey good.key -passout pass: -out file.p12");
    bench.openssl("crl2pkcs7 -nocrl -certfile good.pem -out file.p7b");
    bench.openssl("pkcs8 -topk8 -in good.key -passout pass:x -out locked.key");
    bench.openssl("pkcs8 -topk8 -in good.key -passout pass:x -outform DER -out locked.der");
    bench.key("rsa", "rsa");
    bench.openssl("rsa -in rsa.key -traditional -aes128 -passout pass:x -out old.key");
    bench.openssl("dsaparam -genkey -noout -out dsa.key 1024");

    let table = [
        ("empty", "empty: did the command"),
        ("blank", "empty: did the command"),
        ("truncated.pem", "has no END line (truncated?)"),
        ("truncated.der", "truncated: at least 1 octets are missing"),
        ("trailing.der", "1 octets follow the end"),
        (
            "damaged.pem",
            "line 1: the base64 of the block `CERTIFICATE` is damaged",
        ),
        ("text", "neither PEM"),
        ("binary", "neither PEM"),
        ("utf16", "UTF-16"),
        ("huge", "larger than 1 MiB"),
        ("other.pem", "PEM of another kind (X509 CRL)"),
        ("hollow.pem", "not an X.509 certificate"),
        ("hollow.pub", "the public key is empty"),
        (
            "file.p12",
            "PKCS#12: take the certificate out with `openssl pkcs12",
        ),
        ("file.p7b", "PKCS#7: take the certificates out with"),
        ("locked.key", "an encrypted private key"),
        ("locked.der", "an encrypted private key"),
        ("old.key", "an encrypted private key"),
        ("dsa.key", "give the certificate or the public key instead"),
        ("/dev/zero", "it is a device, and a file is expected"),
        ("absent", "No such file"),
        (".", "directory"),
    ];
    let mut arguments = vec!["record", "good.pem"];
    arguments.extend(table.iter().map(|(file, _)| *file));
    arguments.push("good.der");
    let output = program(bench.dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let lines = stdout(&output);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "the first and the last");
    assert_eq!(lines[0], lines[1]);
    let errors = stderr(&output);
    let errors: Vec<&str> = errors.lines().collect();
    assert_eq!(errors.len(), table.len(), "{errors:#?}");
    for ((file, reason), error) in table.iter().zip(errors) {
        assert!(error.starts_with(&format!("error: {file}: ")), "{error}");
        assert!(error.contains(reason), "{file}: {error}");
    }
}

#[test]
fn zone_lines_standard_input_json_and_wrong_usage() {
    let bench = Bench::new();
    bench.self_signed("good", "p256", "mx1.example.com");
    let data = stdout(&program(bench.dir.path(), &["record", "good.pem"]));
    let data = data.trim();
    let run = |arguments: &[&str]| {
        let mut all = vec!["record", "good.pem"];
        all.extend(arguments);
        program(bench.dir.path(), &all)
    };
    assert_eq!(
        stdout(&run(&["--host", "mx1.example.com"])),
        format!("_25._tcp.mx1.example.com. IN TLSA {data}\n")
    );
    let all = [
        "--host",
        "mx1.example.com.",
        "--port",
        "443",
        "--proto",
        "udp",
        "--ttl",
        "60",
    ];
    assert_eq!(
        stdout(&run(&all)),
        format!("_443._udp.mx1.example.com. 60 IN TLSA {data}\n")
    );
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["--format", "json", "empty"]))).unwrap();
    assert_eq!(json["schema"], "tlsa-rotate/record/v1");
    assert_eq!(json["records"][0]["record"], data);
    assert_eq!(json["errors"][0]["file"], "empty");
    for wrong in [
        &["--usage", "4"][..],
        &["--selector", "2"],
        &["--matching", "3"],
        &["--host", "a b"],
        &["--host", "."],
        &["--ttl", "60"],
        &["--host", "a.example", "--port", "0"],
        &["--host", "a.example", "--ttl", "2147483648"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let selector_0 = program(bench.dir.path(), &["record", "good.key", "--selector", "0"]);
    assert!(stderr(&selector_0).contains("use selector 1, or give the certificate"));

    let mut child = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .args(["record", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&bench.read("good.pem"))
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output).trim(), data);
}
