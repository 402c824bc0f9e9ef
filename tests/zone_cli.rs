//! `zone check`, `zone normalize` and `zone diff` as people and scripts use them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_tlsa-rotate"))
        .arg("zone")
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example.com.zone")
}

fn written(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const BAD: &str = "$TTL 1h\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.256\nns1 A 192.0.2.1\nns1 60 A 192.0.2.2\n";

#[test]
fn check_says_what_is_wrong_and_its_exit_code_says_whether() {
    let zone = example();
    let (code, out, err) = run(&["check", zone.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with("zone example.com.: ") && out.ends_with(": sound\n"),
        "{out}"
    );
    let directory = tempfile::tempdir().unwrap();
    let bad = written(directory.path(), "bad.zone", BAD);
    let (code, out, err) = run(&["check", &bad, "--origin", "example.com"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(
        out.contains(
            "bad.zone:4:7: error: expected an IPv4 address such as 192.0.2.1, found `192.0.2.256`\n"
        ),
        "{out}"
    );
    assert!(
        out.ends_with("zone example.com.: 4 records, serial 1: 1 error, 1 warning\n"),
        "{out}"
    );
}

#[test]
fn check_as_json_is_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    let bad = written(directory.path(), "bad.zone", BAD);
    let (code, out, _) = run(&["check", &bad, "--origin", "example.com", "--format", "json"]);
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["schema"], "tlsa-rotate/zone-check/v1");
    assert_eq!(
        (&report["errors"], &report["warnings"]),
        (&1.into(), &1.into())
    );
    assert_eq!(report["findings"][0]["line"], 4);
    assert_eq!(report["findings"][0]["kind"], "syntax");
    assert_eq!(report["findings"][1]["severity"], "warning");
}

#[test]
fn normalize_prints_one_absolute_record_a_line_and_is_a_fixed_point() {
    let zone = example();
    let (code, once, err) = run(&["normalize", zone.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let first = "example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. ";
    assert!(once.starts_with(first), "{once}");
    let directory = tempfile::tempdir().unwrap();
    let path = written(directory.path(), "once.zone", &once);
    assert_eq!(run(&["normalize", &path]).1, once);
    let bad = written(directory.path(), "bad.zone", BAD);
    let (code, out, err) = run(&["normalize", &bad, "--origin", "example.com"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("bad.zone:4:7: error: ") && err.ends_with("is not a sound zone: 1 error\n"),
        "{err}"
    );
}

#[test]
fn diff_tells_records_not_lines() {
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(example()).unwrap();
    let serial = text
        .find("2026112301")
        .expect("the example has this serial");
    let mut new = text.clone();
    new.replace_range(serial..serial + 10, "2026112302");
    let new = format!("; only a comment\n{new}extra 300 A 192.0.2.99\n");
    let (old, new) = (
        written(directory.path(), "old", &text),
        written(directory.path(), "new", &new),
    );
    let expected =
        "~ SOA serial 2026112301 -> 2026112302\n+ add     extra.example.com. 300 IN A 192.0.2.99\n";
    assert_eq!(
        run(&["diff", &old, &new]),
        (Some(0), expected.to_owned(), String::new())
    );
    assert_eq!(
        run(&["diff", &old, &old]),
        (Some(0), String::new(), String::new())
    );
    let (_, markdown, _) = run(&["diff", &old, &new, "--format", "markdown"]);
    assert_eq!(
        markdown,
        format!(
            "Zone `example.com.`: 1 added, serial 2026112301 -> 2026112302.\n\n```diff\n{expected}```\n"
        )
    );
    let (_, json, _) = run(&["diff", &old, &new, "--format", "json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["schema"], "tlsa-rotate/zone-diff/v1");
    assert_eq!(report["added"][0]["owner"], "extra.example.com.");
    assert_eq!(report["removed"], Value::Array(vec![]));
}

#[test]
fn what_is_not_there_is_named() {
    let (code, out, err) = run(&["check", "/nonexistent/zone"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(
        err,
        "error: cannot read /nonexistent/zone: No such file or directory (os error 2)\n"
    );
    let zone = example();
    let (code, _, err) = run(&["check", zone.to_str().unwrap(), "--origin", "a..b"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("a label is empty"), "{err}");
}

/// What only a server that no name server of the zone runs does not load is left out, and counted.
#[test]
fn check_goes_by_what_the_servers_of_a_configured_zone_run() {
    let directory = tempfile::tempdir().unwrap();
    let text = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n_ftp A 192.0.2.2\nw CAA 0 ISSUE x\n";
    let zone = written(directory.path(), "zone", text);
    let checked = |setting: &str| {
        let config = format!(
            "[[zone]]\nname = \"example.com\"\nfile = \"zone\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true }}\n{setting}\n\
             [[certificate]]\nname = \"mail\"\nhosts = [\"mx.example.com\"]\nlive = {{ certificate = \"live.pem\" }}\n\
             next = {{ generate = \"ecdsa-p256\" }}\n"
        );
        let config = written(directory.path(), "tlsa-rotate.toml", &config);
        let (code, said, _) = run(&["check", &zone, "--config", &config]);
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let (bind, nsd) = ("BIND as a primary does not load", "NSD does not load");
    let table = [
        ("", true, true, ": sound, 2 warnings\n"),
        (
            "servers_run = [\"bind\", \"nsd\"]",
            true,
            true,
            ": sound, 2 warnings\n",
        ),
        (
            "servers_run = [\"nsd\"]",
            false,
            true,
            ": sound, 1 warning (and 1 warning for servers that `servers_run` does not name)\n",
        ),
        (
            "servers_run = [\"Knot\", \"powerdns\"]",
            false,
            false,
            ": sound (and 2 warnings for servers that `servers_run` does not name)\n",
        ),
    ];
    for (run, by_bind, by_nsd, end) in table {
        let said = checked(run);
        assert_eq!(
            (said.contains(bind), said.contains(nsd)),
            (by_bind, by_nsd),
            "{run}: {said}"
        );
        assert!(said.ends_with(end), "{run}: {said}");
    }
}
