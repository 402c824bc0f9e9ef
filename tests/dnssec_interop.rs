//! What we sign passes BIND, ldns and Knot; what BIND and ldns sign passes us; key files go both ways.
//!
//! The peers are the real programs (Debian: bind9-dnsutils, bind9-utils, ldnsutils, knot-dnsutils). One that is missing fails
//! the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::{ALGORITHMS, Lab, ZONE, told};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_we_sign_passes_bind_ldns_and_knot() {
    for (number, algorithm, _) in ALGORITHMS {
        for roles in [&["csk"][..], &["ksk", "zsk"], &["zsk"]] {
            let lab = Lab::new();
            for role in roles {
                let stem = lab.generate(algorithm, role);
                assert!(
                    stem.starts_with(&format!("Kexample.com.+{number}+")),
                    "{stem}"
                );
            }
            lab.sign("signed", &[]);
            if roles == ["zsk"] {
                // Knot wants the SEP flag on the key that signs the key set, which no RFC asks for.
                lab.run("dnssec-verify", &["-z", "-o", "example.com", "signed"]);
                lab.run("ldns-verify-zone", &["signed"]);
            } else {
                lab.peers_accept("signed");
            }
            if roles.len() == 2 {
                // With the keys apart, BIND checks their roles too.
                lab.run("dnssec-verify", &["-o", "example.com", "signed"]);
            }
            lab.write(
                "ds",
                &lab.ours(&["key", "ds", "example.com", "--keys", "keys"]),
            );
            lab.verify("signed", &["--ds", "ds", "--horizon", "13d"]);
        }
    }
}

#[test]
fn two_algorithms_at_once_pass_too() {
    let lab = Lab::new();
    for algorithm in ["ecdsap256sha256", "rsasha256"] {
        lab.generate(algorithm, "ksk");
        lab.generate(algorithm, "zsk");
    }
    lab.sign("signed", &[]);
    lab.peers_accept("signed");
    lab.run("dnssec-verify", &["-o", "example.com", "signed"]);
    lab.verify("signed", &[]);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_bind_signs_passes_us_with_its_keys_or_ours() {
    for (_, ours, theirs) in ALGORITHMS {
        for own_keys in [true, false] {
            let lab = Lab::new();
            if own_keys {
                lab.generate(ours, "ksk");
                lab.generate(ours, "zsk");
            } else {
                for kind in [&["-f", "KSK"][..], &[]] {
                    let plain = ["-q", "-K", "keys", "-a", theirs];
                    lab.run(
                        "dnssec-keygen",
                        &[&plain[..], kind, &["example.com"]].concat(),
                    );
                }
            }
            let arguments = [
                "-q",
                "-S",
                "-K",
                "keys",
                "-o",
                "example.com",
                "-f",
                "signed",
                "zone",
            ];
            lab.run("dnssec-signzone", &arguments);
            lab.write(
                "ds",
                &lab.ours(&["key", "ds", "example.com", "--keys", "keys"]),
            );
            lab.verify("signed", &["--ds", "ds"]);
            // And with the same keys we sign, keeping what BIND signed where it fits.
            lab.sign(
                "ours",
                &["--previous", "signed", "--raise-serial", "--delta", "delta"],
            );
            lab.peers_accept("ours");
            let delta = lab.read("delta");
            let fresh = delta
                .lines()
                .filter(|l| l.starts_with('+') && l.contains(" RRSIG "))
                .count();
            assert!(fresh < 30, "BIND's signatures were not kept:\n{delta}");
        }
    }
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn what_ldns_signs_passes_us_with_its_keys_or_ours() {
    for (_, ours, theirs) in ALGORITHMS {
        for own_keys in [true, false] {
            let lab = Lab::new();
            if own_keys {
                lab.generate(ours, "ksk");
                lab.generate(ours, "zsk");
            } else {
                for kind in [&["-k"][..], &[]] {
                    let plain = ["-a", theirs, "-b", "2048", "example.com"];
                    let stem = lab.run("ldns-keygen", &[kind, &plain[..]].concat());
                    for ending in ["key", "private"] {
                        let file = format!("{}.{ending}", stem.trim());
                        fs::rename(lab.path().join(&file), lab.path().join("keys").join(&file))
                            .unwrap();
                    }
                }
            }
            let keys = lab.keys(".private");
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let plain = ["-o", "example.com", "-f", "signed", "zone"];
            lab.run("ldns-signzone", &[&plain[..], &keys].concat());
            lab.verify("signed", &[]);
            // Keys of ldns, without any times, sign with us.
            lab.sign("ours", &[]);
            lab.peers_accept("ours");
        }
    }
}

#[test]
fn our_ds_records_are_those_of_bind_and_ldns() {
    for (_, algorithm, _) in ALGORITHMS {
        let lab = Lab::new();
        let stem = format!("keys/{}.key", lab.generate(algorithm, "csk"));
        for (digest, bind, ldns) in [("sha256", "SHA-256", "-2"), ("sha384", "SHA-384", "-4")] {
            let ours = lab.ours(&[
                "key",
                "ds",
                "example.com",
                "--keys",
                "keys",
                "--digest",
                digest,
            ]);
            let data = |line: &str| {
                line.split_once("DS")
                    .unwrap()
                    .1
                    .replace([' ', '\t', '\n'], "")
                    .to_lowercase()
            };
            let bind = lab.run("dnssec-dsfromkey", &["-a", bind, &stem]);
            let ldns = lab.run("ldns-key2ds", &["-n", ldns, &stem]);
            assert_eq!((data(&ours), data(&ours)), (data(&bind), data(&ldns)));
        }
    }
}

#[test]
fn timing_metadata_of_bind_is_honoured() {
    let lab = Lab::new();
    let keygen = |arguments: &[&str]| {
        let plain = ["-q", "-K", "keys", "-a", "13"];
        lab.run(
            "dnssec-keygen",
            &[&plain[..], arguments, &["example.com"]].concat(),
        )
        .trim()
        .to_owned()
    };
    keygen(&["-f", "KSK"]);
    let current = keygen(&["-I", "+10d", "-D", "+20d"]);
    let next = keygen(&["-P", "+1d", "-A", "+5d"]);
    let tag = |stem: &str| {
        stem.rsplit('+')
            .next()
            .unwrap()
            .trim_start_matches('0')
            .to_owned()
    };
    let listed = |days: &str| {
        lab.ours(&[
            "key",
            "list",
            "example.com",
            "--keys",
            "keys",
            "--now",
            days,
        ])
    };
    let at = |days: i64| {
        let at = chrono::Utc::now() + chrono::Duration::days(days);
        at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    // (days from now, DNSKEYs, who signs data, state of the current key, of the next)
    let table = [
        (0, 2, &current, "active", "future"),
        (2, 3, &current, "active", "published"),
        (12, 3, &next, "retired", "active"),
        (30, 2, &next, "deleted", "active"),
    ];
    for (days, dnskeys, signer, of_current, of_next) in table {
        let now = at(days);
        lab.sign("signed", &["--now", &now]);
        lab.verify("signed", &["--now", &now]);
        let signed = lab.read("signed");
        assert_eq!(
            signed.matches(" IN DNSKEY ").count(),
            dnskeys,
            "in {days} days"
        );
        let www = signed
            .lines()
            .find(|l| l.starts_with("www.") && l.contains(" RRSIG CNAME "))
            .unwrap();
        assert!(
            www.contains(&format!(" {} Example.COM. ", tag(signer)).to_lowercase()),
            "in {days} days: {www}"
        );
        let list = listed(&now);
        for (stem, state) in [(&current, of_current), (&next, of_next)] {
            let line = list.lines().find(|l| l.starts_with(stem.as_str())).unwrap();
            assert!(
                line.contains(&format!("  256  {state}")),
                "in {days} days: {line}"
            );
        }
    }
}

#[test]
fn private_keys_are_kept_private() {
    let lab = Lab::new();
    let stem = lab.generate("ed25519", "csk");
    let private = lab.path().join(format!("keys/{stem}.private"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&private), 0o600);
    let secret = lab.read(&format!("keys/{stem}.private"));
    let secret = secret
        .lines()
        .find_map(|l| l.strip_prefix("PrivateKey: "))
        .unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o640)).unwrap();
    let sign = [
        "zone",
        "sign",
        "zone",
        "--origin",
        "example.com",
        "--keys",
        "keys",
    ];
    let said = lab.ours_refuses(&sign);
    assert!(said.contains("chmod 600") && said.contains("640"), "{said}");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    // Whatever is wrong with the file, the secret is not repeated.
    let text = fs::read_to_string(&private).unwrap();
    for (from, to) in [
        ("PrivateKey: ", "PrivateKey: *"),
        ("PrivateKey", "Other"),
        ("15 (", "13 ("),
        ("v1.3", "v9"),
    ] {
        fs::write(&private, text.replace(from, to)).unwrap();
        let said = lab.ours_refuses(&sign);
        assert!(!said.contains(secret) && said.contains(&stem), "{said}");
    }
    // The secret of another key under this public one.
    let other = Lab::new();
    let other_stem = other.generate("ed25519", "csk");
    fs::write(&private, other.read(&format!("keys/{other_stem}.private"))).unwrap();
    assert!(lab.ours_refuses(&sign).contains("does not belong"));
    fs::remove_file(&private).unwrap();
    assert!(lab.ours_refuses(&sign).contains("missing"));
}

#[test]
fn a_changed_record_is_a_small_delta() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "csk");
    lab.sign("first", &[]);
    let again = ["--previous", "first", "--delta", "delta"];
    lab.sign("unchanged", &again);
    assert_eq!(lab.read("unchanged"), lab.read("first"));
    assert_eq!(lab.read("delta"), "");
    let edited = ZONE.replace("www     IN CNAME", "www 60 IN CNAME");
    lab.write("zone", &edited);
    let plain = [
        "zone",
        "sign",
        "zone",
        "--origin",
        "example.com",
        "--keys",
        "keys",
        "--output",
        "second",
    ];
    let said = lab.ours_refuses(&[&plain[..], &again].concat());
    assert!(
        said.contains("serial") && said.contains("--raise-serial"),
        "{said}"
    );
    lab.sign("second", &[&again[..], &["--raise-serial"]].concat());
    lab.peers_accept("second");
    let delta = lab.read("delta");
    let lines: Vec<&str> = delta
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    // The comments, then SOA, CNAME with its RRSIG, RRSIG of the SOA: on either side.
    assert_eq!(lines.len(), 3 + 8, "{delta}");
    assert!(delta.contains("; serial 2026112301 to "), "{delta}");
    // Applied by a text tool, the delta turns the one file into the other.
    let (first, second) = (lab.read("first"), lab.read("second"));
    let mut records: Vec<&str> = first.lines().collect();
    for line in delta.lines() {
        match line.split_at(1) {
            ("-", gone) => records.retain(|record| *record != gone),
            ("+", come) => records.push(come),
            _ => {}
        }
    }
    let mut expected: Vec<&str> = second.lines().collect();
    records.sort_unstable();
    expected.sort_unstable();
    assert_eq!(records, expected);
}

#[test]
fn nsupdate_reads_our_scripts() {
    use tlsa_rotate::dnssec::delta::Delta;
    use tlsa_rotate::zone::content::Zone;
    let before = Zone::parse(
        ZONE.as_bytes(),
        Some(&tlsa_rotate::zone::name::Name::parse(b"example.com.", None).unwrap()),
    )
    .unwrap();
    let text = ZONE
        .replace("2026112301", "2026112302")
        .replace("192.0.2.80", "192.0.2.81");
    let after = Zone::parse(text.as_bytes(), Some(&before.apex)).unwrap();
    let script =
        tlsa_rotate::change::nsupdate::script(&Delta::between(&before, &after).unwrap().unwrap());
    let mut nsupdate = Command::new("nsupdate")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nsupdate must be installed for this test");
    let shown = script.replace("send\n", "show\n");
    nsupdate
        .stdin
        .take()
        .unwrap()
        .write_all(shown.as_bytes())
        .unwrap();
    let output = nsupdate.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    for part in [
        "UPDATE",
        "192.0.2.80",
        "192.0.2.81",
        "2026112301",
        "2026112302",
    ] {
        assert!(shown.contains(part), "{script}\n{shown}");
    }
}

#[test]
fn a_zone_that_is_not_signed_well_is_refused_with_reasons() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "csk");
    lab.sign("signed", &[]);
    let said = lab.ours_refuses(&["zone", "verify", "zone", "--origin", "example.com"]);
    assert!(said.contains("there is no DNSKEY record"), "{said}");
    let late = ["zone", "verify", "signed", "--now", "2126-01-01T00:00:00Z"];
    assert!(
        lab.ours_refuses(&late)
            .contains("www.Example.COM. CNAME: signature by key")
    );
    let json = lab.command(
        env!("CARGO_BIN_EXE_tlsa-rotate"),
        &[
            "zone",
            "verify",
            "zone",
            "--origin",
            "example.com",
            "--format",
            "json",
        ],
    );
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["schema"], "tlsa-rotate/zone-verify/v1");
    assert_eq!(document["valid"], false);
    assert!(document["faults"].as_array().unwrap().len() > 10);
}

#[test]
fn what_would_not_be_valid_is_not_written() {
    let lab = Lab::new();
    // A key-signing key that is in the zone and does not sign: validators that enter by it find nothing.
    let plain = ["-q", "-K", "keys", "-a", "13"];
    let standby = ["-f", "KSK", "-P", "now", "-A", "+30d", "example.com"];
    lab.run("dnssec-keygen", &[&plain[..], &standby].concat());
    lab.generate("ecdsap256sha256", "zsk");
    let sign = [
        "zone",
        "sign",
        "zone",
        "--origin",
        "example.com",
        "--keys",
        "keys",
        "--output",
        "signed",
    ];
    let said = lab.ours_refuses(&sign);
    assert!(
        said.contains("nothing is written") && said.contains("SEP flag"),
        "{said}"
    );
    assert!(!lab.path().join("signed").exists());
    lab.ours(&[&sign[..], &["--no-verify"]].concat());
    assert!(lab.path().join("signed").exists());
}

#[test]
fn a_damaged_signature_is_made_anew_whether_verified_or_not() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "csk");
    lab.sign("first", &[]);
    let damaged: String = lab
        .read("first")
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((front, signature)) if line.contains(" IN RRSIG MX ") => {
                let (start, end) = signature.split_at(80);
                let turned: String = start.chars().rev().collect();
                format!("{front} {turned}{end}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    lab.write("damaged", &damaged);
    for more in [&[][..], &["--no-verify"], &["--threads", "1"]] {
        let plain = ["--previous", "damaged", "--raise-serial"];
        lab.sign("second", &[&plain[..], more].concat());
        lab.verify("second", &["--threads", "3"]);
        lab.peers_accept("second");
    }
}

#[test]
fn cds_and_cdnskey_are_kept_and_signed_with_the_key_set() {
    let lab = Lab::new();
    let ksk = lab.generate("ecdsap256sha256", "ksk");
    let zsk = lab.generate("ecdsap256sha256", "zsk");
    let data = |file: &str, rtype: &str| {
        let text = lab.read(file);
        let line = text
            .lines()
            .find(|l| !l.starts_with(';'))
            .unwrap()
            .to_owned();
        line.split_once(rtype).unwrap().1.to_owned()
    };
    lab.write(
        "ds",
        &lab.ours(&["key", "ds", "example.com", "--keys", "keys"]),
    );
    let (ds, key) = (
        data("ds", " DS "),
        data(&format!("keys/{ksk}.key"), "DNSKEY "),
    );
    lab.write("zone", &format!("{ZONE}@ CDS {ds}\n@ CDNSKEY {key}\n"));
    for denial in [&[][..], &["--nsec3"]] {
        lab.sign("signed", denial);
        lab.peers_accept("signed");
        lab.run("dnssec-verify", &["-o", "example.com", "signed"]);
        lab.verify("signed", &["--ds", "ds"]);
        let tag = |stem: &str| {
            stem.rsplit('+')
                .next()
                .unwrap()
                .trim_start_matches('0')
                .to_owned()
        };
        let signed = lab.read("signed");
        for (rtype, stem) in [
            ("CDS", &ksk),
            ("CDNSKEY", &ksk),
            ("DNSKEY", &ksk),
            ("SOA", &zsk),
        ] {
            let over = format!(" IN RRSIG {rtype} ");
            let signers: Vec<&str> = signed.lines().filter(|l| l.contains(&over)).collect();
            assert_eq!(signers.len(), 1, "{rtype}");
            assert!(
                signers[0].contains(&format!(" {} example.com. ", tag(stem))),
                "{}",
                signers[0]
            );
        }
    }
}

#[test]
fn cds_and_cdnskey_come_and_go_with_the_times_of_bind() {
    let lab = Lab::new();
    let plain = ["-q", "-K", "keys", "-a", "13", "-f", "KSK"];
    let times = ["-P", "sync", "+5d", "-D", "sync", "+10d", "example.com"];
    let keygen = [&plain[..], &["-P", "now", "-A", "now"], &times].concat();
    let stem = lab.run("dnssec-keygen", &keygen).trim().to_owned();
    lab.generate("ecdsap256sha256", "zsk");
    let at = |days: i64| {
        let at = chrono::Utc::now() + chrono::Duration::days(days);
        at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    for (days, count) in [(0, 0), (6, 1), (11, 0)] {
        let now = at(days);
        // What was there before does not stay either.
        if days == 11 {
            lab.write("zone", &lab.read("signed"));
        }
        lab.sign("signed", &["--now", &now]);
        lab.verify("signed", &["--now", &now]);
        let signed = lab.read("signed");
        for rtype in [" IN CDS ", " IN CDNSKEY ", " RRSIG CDS ", " RRSIG CDNSKEY "] {
            assert_eq!(
                signed.matches(rtype).count(),
                count,
                "in {days} days:{rtype}"
            );
        }
        if count == 1 {
            let ds = lab.run(
                "dnssec-dsfromkey",
                &["-a", "SHA-256", &format!("keys/{stem}.key")],
            );
            let digest = ds.trim().rsplit(' ').next().unwrap().to_lowercase();
            assert!(signed.to_lowercase().contains(&digest), "{ds}");
        }
    }
}

#[test]
fn the_digest_of_a_zone_is_made_anew_at_each_signing_and_checked() {
    for denial in [&[][..], &["--nsec3"]] {
        let lab = Lab::new();
        lab.generate("ecdsap256sha256", "csk");
        let digest = |hash: u8, octets: usize| {
            format!(
                "example.com. 3600 IN ZONEMD 1 1 {hash} {}\n",
                "00".repeat(octets)
            )
        };
        let zone = format!("{ZONE}{}{}", digest(1, 48), digest(2, 64));
        lab.write("zone", &zone);
        lab.sign("signed", denial);
        lab.peers_accept("signed");
        // Twice Z: a zone without a digest would not pass.
        lab.run("ldns-verify-zone", &["-ZZ", "signed"]);
        lab.verify("signed", &[]);
        lab.sign("again", &[denial, &["--previous", "signed"]].concat());
        assert_eq!(lab.read("again"), lab.read("signed"), "nothing has changed");
        lab.write("zone", &format!("{zone}new.example.com. 60 IN TXT x\n"));
        let next = ["--previous", "signed", "--raise-serial"];
        lab.sign("next", &[denial, &next].concat());
        lab.run("ldns-verify-zone", &["-ZZ", "next"]);
        lab.verify("next", &[]);
        // A record that nobody signs, and that only the digest vouches for.
        let glue = lab.read("next").replace(" TXT \"x\"", " TXT \"y\"");
        lab.write("changed", &glue);
        let told = lab.ours_refuses(&["zone", "verify", "changed"]);
        assert!(
            told.contains("ZONEMD: the digest is not that of this zone"),
            "{told}"
        );
    }
}

/// What BIND, Knot and ldns pass over we pass over, and what makes a name that the chain does not know nobody passes.
#[test]
fn signatures_without_what_they_cover_are_judged_as_peers_judge_them() {
    for denial in [&[][..], &["--nsec3"]] {
        let lab = Lab::new();
        lab.generate("ecdsap256sha256", "csk");
        lab.sign("signed", denial);
        let signed = lab.read("signed");
        let host = signed
            .lines()
            .find(|line| line.contains(" IN A "))
            .and_then(|line| line.split(' ').next())
            .unwrap();
        let times = "300 20300101000000 20200101000000 1 example.com. AAAA\n";
        let labels = host.split('.').count() - 1;
        for (line, passes) in [
            (format!("{host} 300 IN RRSIG MX 13 {labels} {times}"), true),
            (format!("{host} 300 IN RRSIG A 13 {labels} {times}"), true),
            (format!("{host} 300 IN RRSIG A 15 {labels} {times}"), true),
            (
                format!("nobody.example.com. 300 IN RRSIG A 13 3 {times}"),
                false,
            ),
        ] {
            lab.write("orphan", &format!("{signed}{line}"));
            if passes {
                lab.peers_accept("orphan");
                lab.verify("orphan", &[]);
            } else {
                lab.ours_refuses(&["zone", "verify", "orphan", "--origin", "example.com"]);
                let bind = lab.command("dnssec-verify", &["-z", "-o", "example.com", "orphan"]);
                assert!(!bind.status.success(), "{}", told(&bind));
            }
        }
    }
}
