//! What a watched mailbox comes to: the failures in it, or that nobody knows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use std::path::Path;

fn archive(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn told(mailbox: &Path) -> (Seen<Vec<ReportedFailure>>, Vec<String>) {
    let mut notes = Vec::new();
    let (seen, _) = reports(mailbox, Instant::from_unix(0), &mut notes);
    (seen, notes)
}

/// One file that expands without end is no report and hides none; so many of them that the rest is not looked into leave
/// the mailbox unknown.
#[test]
fn archives_without_end_make_the_mailbox_unknown_and_never_empty() {
    let mailbox = tempfile::tempdir().unwrap();
    let small = archive(&vec![0; 5 * 1024 * 1024]);
    let bomb = small.repeat(120);
    assert!(bomb.len() < 1024 * 1024, "600 MiB in {}", bomb.len());
    let write = |name: &str, octets: &[u8]| fs::write(mailbox.path().join(name), octets).unwrap();
    let failed = br#"{"organization-name":"O","report-id":"1","policies":[{"policy":{"policy-type":"tlsa",
        "policy-domain":"example.com","mx-host":"mx.example.com"},"failure-details":[{"result-type":"validation-failure",
        "failed-session-count":2}]}]}"#;
    write("000", &bomb);
    write("999", &archive(failed));
    let (seen, notes) = told(mailbox.path());
    assert!(
        notes[0].contains("it expands to more than 4 MiB"),
        "{notes:?}"
    );
    let Seen::Known(failures) = seen else {
        panic!("{seen:?}");
    };
    assert_eq!(failures[0].sessions, 2, "the bomb hides nothing");
    for number in 1..=128 {
        write(&format!("{number:03}"), &small);
    }
    let (seen, _) = told(mailbox.path());
    let Seen::Unknown(why) = seen else {
        panic!("{seen:?}");
    };
    assert!(why.contains("999: not looked into"), "{why}");
}
