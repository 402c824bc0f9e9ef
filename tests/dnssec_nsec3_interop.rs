//! NSEC3 between signers: what we sign passes BIND, ldns and Knot, what they sign passes us, and a zone changes its denial.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::{Lab, ZONE};
use std::fs;

/// The zone without its TLSA records: one that opt-out is not refused for.
fn without_tlsa() -> String {
    let kept = ZONE.lines().filter(|line| !line.contains(" TLSA "));
    kept.fold(String::new(), |text, line| text + line + "\n")
}

/// A zone that is nothing but an alias of another, with a delegation that the alias hides.
const DNAME_AT_APEX: &str = "$ORIGIN example.com.\n$TTL 3600\n\
    @ SOA ns.example.net. hostmaster.example.net. 2026112301 7200 3600 1209600 300\n\
    @ NS ns.example.net.\n@ DNAME example.org.\n";

#[test]
fn what_we_sign_passes_bind_ldns_and_knot() {
    let table: [(&str, &[&str], &[&str]); 5] = [
        ("ecdsap256sha256", &["ksk", "zsk"], &[]),
        ("ed25519", &["csk"], &["--salt", "-", "--iterations", "0"]),
        (
            "rsasha256",
            &["csk"],
            &["--salt", "AAbbcc", "--iterations", "7"],
        ),
        ("ecdsap384sha384", &["csk"], &["--iterations", "50"]),
        ("rsasha512", &["csk"], &["--salt", "00"]),
    ];
    for (algorithm, roles, options) in table {
        let lab = Lab::new();
        for role in roles {
            lab.generate(algorithm, role);
        }
        lab.sign("signed", &[&["--nsec3"], options].concat());
        let text = lab.read("signed");
        assert!(
            text.contains(" IN NSEC3 1 0 ") && !text.contains(" IN NSEC "),
            "{algorithm}"
        );
        assert!(text.contains(" IN NSEC3PARAM 1 0 "), "{algorithm}");
        lab.peers_accept("signed");
        let said = lab.verify("signed", &[]);
        assert!(said.contains("names in the denial chain"), "{said}");
        // Signed by us again, keeping everything, nothing changes.
        lab.sign(
            "again",
            &[&["--nsec3", "--previous", "signed"], options].concat(),
        );
        assert_eq!(lab.read("again"), text);
    }
}

#[test]
fn opt_out_is_refused_where_there_is_tlsa_and_passes_the_peers_elsewhere() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "csk");
    let sign = [
        "zone",
        "sign",
        "zone",
        "--keys",
        "keys",
        "--origin",
        "example.com",
        "--nsec3",
        "--opt-out",
    ];
    let said = lab.ours_refuses(&sign);
    assert!(said.contains("holds TLSA records"), "{said}");
    lab.write("zone", &without_tlsa());
    lab.sign("all", &["--nsec3"]);
    lab.sign("signed", &["--nsec3", "--opt-out"]);
    lab.peers_accept("signed");
    assert!(lab.verify("signed", &[]).contains("(opt-out)"));
    // sub, cut.with.ent, and with.ent and ent that only lead to it.
    let links = |file: &str| lab.read(file).matches(" IN NSEC3 ").count();
    assert_eq!(links("all"), links("signed") + 4);
}

#[test]
fn a_dname_at_the_apex_hides_no_nsec3() {
    let lab = Lab::new();
    lab.write("zone", DNAME_AT_APEX);
    lab.generate("ecdsap256sha256", "csk");
    lab.sign("signed", &["--nsec3"]);
    lab.verify("signed", &[]);
    lab.run("ldns-verify-zone", &["signed"]);
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let lab = Lab::new();
    lab.generate("ed25519", "csk");
    let sign = |more: &[&str]| {
        let plain = [
            "zone",
            "sign",
            "zone",
            "--keys",
            "keys",
            "--origin",
            "example.com",
        ];
        lab.command(env!("CARGO_BIN_EXE_tlsa-rotate"), &[&plain, more].concat())
    };
    let table: [(&[&str], i32, &str); 5] = [
        (&["--nsec3", "--iterations", "51"], 1, "RFC 9276"),
        (
            &["--nsec3", "--salt", "abc"],
            2,
            "pairs of hexadecimal digits",
        ),
        (&["--iterations", "1"], 2, "--nsec3"),
        (&["--salt", "ab"], 2, "--nsec3"),
        (&["--opt-out"], 2, "--nsec3"),
    ];
    for (options, code, words) in table {
        let output = sign(options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
        assert!(said.contains(words), "{options:?}: {said}");
    }
    let long = "ab".repeat(256);
    let output = sign(&["--nsec3", "--salt", &long]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("at most 255"));
    let warned = sign(&["--nsec3", "--iterations", "1"]);
    assert!(warned.status.success());
    assert!(
        String::from_utf8_lossy(&warned.stderr).contains("warning: additional NSEC3 iterations")
    );
}

#[test]
fn what_bind_signs_passes_us_and_is_kept() {
    let table: [(&[&str], bool, &[&str]); 4] = [
        (&["-3", "-"], false, &["--nsec3"]),
        (
            &["-3", "aabbccdd", "-H", "5"],
            false,
            &["--nsec3", "--salt", "aabbccdd", "--iterations", "5"],
        ),
        (&["-3", "-", "-A"], true, &["--nsec3", "--opt-out"]),
        (&["-3", "-"], false, &[]),
    ];
    for (theirs, opt_out, ours) in table {
        let lab = Lab::new();
        if opt_out {
            lab.write("zone", &without_tlsa());
        }
        for role in ["ksk", "zsk"] {
            lab.generate("ecdsap256sha256", role);
        }
        let plain = [
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
        lab.run("dnssec-signzone", &[theirs, &plain].concat());
        let said = lab.verify("signed", &[]);
        assert_eq!(said.contains("(opt-out)"), opt_out, "{said}");
        lab.sign(
            "ours",
            &[
                &["--previous", "signed", "--raise-serial", "--delta", "delta"],
                ours,
            ]
            .concat(),
        );
        lab.peers_accept("ours");
        lab.verify("ours", &[]);
        let delta = lab.read("delta");
        let fresh = |of: &str| {
            let made = |l: &&str| l.starts_with('+') && l.contains(" RRSIG ") && l.contains(of);
            delta.lines().filter(made).count()
        };
        // Only what BIND gives another TTL or other keys, and the chain where it changed.
        let of_chain = fresh(" RRSIG NSEC");
        assert!(fresh(" RRSIG ") - of_chain < 8, "not kept:\n{delta}");
        let changed = ours.is_empty();
        assert_eq!(of_chain > 8, changed, "{theirs:?}:\n{delta}");
        assert_eq!(lab.read("ours").contains("NSEC3"), !changed);
    }
}

#[test]
fn what_ldns_signs_passes_us() {
    for options in [
        &["-n"][..],
        &["-n", "-t", "3", "-s", "aabb"],
        &["-n", "-p", "-t", "0"],
    ] {
        let lab = Lab::new();
        if options.contains(&"-p") {
            lab.write("zone", &without_tlsa());
        }
        for role in ["ksk", "zsk"] {
            lab.generate("ecdsap256sha256", role);
        }
        let keys = lab.keys(".private");
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let plain = ["-o", "example.com", "-f", "signed", "zone"];
        lab.run("ldns-signzone", &[options, &plain, &keys].concat());
        lab.verify("signed", &[]);
        lab.sign(
            "ours",
            &["--nsec3", "--previous", "signed", "--raise-serial"],
        );
        lab.peers_accept("ours");
    }
}

#[test]
fn what_knot_signs_passes_us() {
    for nsec3 in ["off", "on"] {
        let lab = Lab::new();
        for role in ["ksk", "zsk"] {
            lab.generate("ecdsap256sha256", role);
        }
        let at = lab.path().display();
        let text = format!(
            "database:\n  storage: \"{at}\"\n  kasp-db: \"{at}/kasp\"\npolicy:\n  - id: p\n    manual: on\n    \
             algorithm: ecdsap256sha256\n    nsec3: {nsec3}\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n\
             zone:\n  - domain: example.com\n    storage: \"{at}\"\n    file: zone\n    dnssec-signing: on\n    \
             dnssec-policy: p\n    journal-content: none\n    zonefile-load: whole\n"
        );
        lab.write("knot.conf", &text);
        for stem in lab.keys(".key") {
            lab.run(
                "keymgr",
                &[
                    "-c",
                    "knot.conf",
                    "example.com.",
                    "import-bind",
                    &format!("{stem}.key"),
                ],
            );
        }
        fs::create_dir(lab.path().join("out")).unwrap();
        lab.run(
            "kzonesign",
            &["-c", "knot.conf", "-o", "out", "example.com"],
        );
        lab.verify("out/zone", &[]);
        assert_eq!(lab.read("out/zone").contains("NSEC3PARAM"), nsec3 == "on");
    }
}

#[test]
fn a_zone_changes_between_nsec_and_nsec3() {
    let lab = Lab::new();
    lab.generate("ecdsap256sha256", "csk");
    lab.sign("plain", &[]);
    lab.sign(
        "hashed",
        &["--nsec3", "--previous", "plain", "--raise-serial"],
    );
    lab.peers_accept("hashed");
    lab.sign("back", &["--previous", "hashed", "--raise-serial"]);
    lab.peers_accept("back");
    let signatures = |file: &str| -> Vec<String> {
        let of_data = |l: &&str| {
            l.contains(" IN RRSIG ") && !l.contains(" RRSIG NSEC") && !l.contains(" RRSIG SOA")
        };
        lab.read(file)
            .lines()
            .filter(of_data)
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(signatures("plain"), signatures("hashed"));
    assert_eq!(signatures("plain"), signatures("back"));
    assert!(!lab.read("back").contains("NSEC3") && !lab.read("hashed").contains(" NSEC "));
}
