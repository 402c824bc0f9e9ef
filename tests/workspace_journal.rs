//! The journal against crashes and against hands: what is mended, what is refused, and in which words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // tables
    missing_docs
)]

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workspace::journal::{Journal, JournalError, RotationId};
use tlsa_rotate::workspace::lock::WorkspaceLock;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    Noted { what: String },
    Done,
}

const START: Instant = Instant::from_unix(1_795_478_400);

struct Home {
    directory: TempDir,
    lock: WorkspaceLock,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lock = WorkspaceLock::acquire(&directory.path().join("lock")).unwrap();
        Self { directory, lock }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("journal/mail.jsonl")
    }

    fn read(&self) -> Result<Journal<Event>, JournalError> {
        Journal::read(&self.path(), "mail")
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    /// What reading it is refused with, the path as `JOURNAL`.
    fn refusal(&self) -> String {
        let error = self.read().expect_err("a corrupt journal was read");
        assert!(!error.hints().is_empty());
        self.anonymous(&error)
    }

    fn anonymous(&self, error: &JournalError) -> String {
        error
            .to_string()
            .replace(self.path().to_str().unwrap(), "JOURNAL")
    }

    /// A journal of three entries, two rotations.
    fn filled() -> Self {
        let home = Self::new();
        let mut journal = home.read().unwrap();
        let noted = |what: &str| Event::Noted {
            what: what.to_owned(),
        };
        journal
            .append(&home.lock, START, &id(1), noted("ü one"))
            .unwrap();
        journal
            .append(&home.lock, START, &id(1), Event::Done)
            .unwrap();
        journal
            .append(
                &home.lock,
                START + Span::hours(1),
                &id(2),
                noted("café two"),
            )
            .unwrap();
        home
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn id(number: u32) -> RotationId {
    RotationId {
        certificate: "mail".to_owned(),
        number,
    }
}

#[test]
fn the_format_is_this_to_the_byte() {
    let home = Home::filled();
    assert_eq!(
        home.text(),
        r#"{"version":1,"seq":1,"at":"2026-11-24T00:00:00Z","rotation":"mail.1","event":{"noted":{"what":"ü one"}},"previous":null}
{"version":1,"seq":2,"at":"2026-11-24T00:00:00Z","rotation":"mail.1","event":"done","previous":"b85dc30e52d140f9d71e9119c7b91aebf9dde2c47ccbad6fecfbf185945fa778"}
{"version":1,"seq":3,"at":"2026-11-24T01:00:00Z","rotation":"mail.2","event":{"noted":{"what":"café two"}},"previous":"82c1016d9e1ff4bfe5a9f92b6c90ef29c4ad0e3728bf45c3f8b82d5176f01342"}
"#
    );
    let journal = home.read().unwrap();
    assert_eq!(journal.entries().len(), 3);
    assert_eq!(journal.entries()[1].event, Event::Done);
    assert_eq!(journal.entries()[2].rotation, id(2));
    assert_eq!(journal.torn(), None);
}

#[test]
fn a_journal_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_not() {
    let home = Home::new();
    assert!(home.read().unwrap().entries().is_empty());
    fs::create_dir_all(home.path()).unwrap();
    assert_eq!(
        home.refusal(),
        "cannot read the journal JOURNAL: Is a directory (os error 21)"
    );
}

#[test]
fn cut_at_every_byte_of_the_last_line_it_is_mended_and_goes_on() {
    let home = Home::filled();
    let whole = home.text().into_bytes();
    let start = home.text().trim_end().rfind('\n').unwrap() + 1;
    for cut in start..=whole.len() {
        home.write(&whole[..cut]);
        let mut journal = home.read().unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let (kept, torn) = match cut {
            _ if cut == start => (2, None),
            _ if cut == whole.len() => (3, None),
            _ if cut == whole.len() - 1 => (3, Some(true)),
            _ => (2, Some(false)),
        };
        assert_eq!(journal.entries().len(), kept, "cut at {cut}");
        assert_eq!(journal.torn().map(|t| t.whole), torn, "cut at {cut}");
        let mended = journal.mend(&home.lock).unwrap();
        assert_eq!(
            mended.map(|t| (t.line, t.bytes)),
            torn.map(|_| (3, cut - start))
        );
        if kept == 2 {
            let event = Event::Noted {
                what: "café two".to_owned(),
            };
            journal
                .append(&home.lock, START + Span::hours(1), &id(2), event)
                .unwrap();
        }
        assert_eq!(fs::read(home.path()).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn a_torn_end_is_mended_by_the_next_append_and_tells_what_it_was() {
    let home = Home::filled();
    let whole = home.text();
    for (end, said) in [
        (
            "{\"version\":1,\"se",
            "line 4 is incomplete (16 bytes): a run was killed while writing it; it counts for nothing and is cut off",
        ),
        (
            "{\"version\":1,\"se\n",
            "line 4 is incomplete (17 bytes): a run was killed while writing it; it counts for nothing and is cut off",
        ),
        (
            "\0\0\0\0",
            "line 4 is incomplete (4 bytes): a run was killed while writing it; it counts for nothing and is cut off",
        ),
        (
            "\0\0{\"x\":1}\n",
            "line 4 is incomplete (10 bytes): a run was killed while writing it; it counts for nothing and is cut off",
        ),
    ] {
        home.write(whole.clone() + end);
        let mut journal = home.read().unwrap();
        assert_eq!(journal.torn().unwrap().to_string(), said);
        journal
            .append(&home.lock, START + Span::hours(2), &id(2), Event::Done)
            .unwrap();
        assert_eq!(journal.torn(), None);
        assert_eq!(home.read().unwrap().entries().len(), 4);
        assert!(home.text().starts_with(&whole));
    }
}

#[test]
fn what_hands_and_disks_do_to_it_is_refused_with_file_and_line() {
    let home = Home::filled();
    let whole = home.text();
    let lines: Vec<&str> = whole.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let second = |from: &str, to: &str| {
        assert!(lines[1].contains(from));
        join(&[lines[0], &lines[1].replace(from, to), lines[2]])
    };
    let last = |from: &str, to: &str| {
        assert!(lines[2].contains(from), "{from}");
        join(&[lines[0], lines[1], &lines[2].replace(from, to)])
    };
    let digest = &lines[1][lines[1].find("previous\":\"").unwrap() + 11..][..64];
    let table = [
        (
            "a line removed",
            join(&[lines[0], lines[2]]),
            "JOURNAL:2: the journal is corrupt: entry 2 should stand here, this is entry 3",
        ),
        (
            "the first removed",
            join(&[lines[1], lines[2]]),
            "JOURNAL:1: the journal is corrupt: entry 1 should stand here, this is entry 2",
        ),
        (
            "a line twice",
            join(&[lines[0], lines[0], lines[1]]),
            "JOURNAL:2: the journal is corrupt: entry 2 should stand here, this is entry 1",
        ),
        (
            "a line changed",
            join(&[&lines[0].replace("one", "eno"), lines[1], lines[2]]),
            "JOURNAL:2: the journal is corrupt: its `previous` is not the digest of the line before: that line was changed",
        ),
        (
            "a blank added",
            join(&[&lines[0].replace(":1,", ": 1,"), lines[1]]),
            "JOURNAL:2: the journal is corrupt: its `previous` is not the digest of the line before: that line was changed",
        ),
        (
            "chain cut",
            second(&format!("\"{digest}\""), "null"),
            "JOURNAL:2: the journal is corrupt: its `previous` is not the digest of the line before: that line was changed",
        ),
        (
            "torn in the middle",
            join(&[lines[0], &lines[1][..40], lines[2]]),
            "JOURNAL:2: the journal is corrupt: not an entry: EOF while parsing a string (column 40)",
        ),
        (
            "another version",
            last("\"version\":1", "\"version\":2"),
            "JOURNAL:3: the journal is corrupt: it has version 2, this program reads version 1",
        ),
        (
            "another version with other fields",
            join(&["{\"version\":9,\"x\":0}"]),
            "JOURNAL:1: the journal is corrupt: it has version 9, this program reads version 1",
        ),
        (
            "an unknown field",
            last("\"seq\"", "\"note\":1,\"seq\""),
            "JOURNAL:3: the journal is corrupt: not an entry: unknown field `note`, expected one of `version`, `seq`, `at`, `rotation`, `event`, `previous` (column 19)",
        ),
        (
            "a field twice",
            last("\"seq\":3", "\"seq\":3,\"seq\":3"),
            "JOURNAL:3: the journal is corrupt: not an entry: duplicate field `seq` (column 26)",
        ),
        (
            "an unknown event",
            last("noted", "hoped"),
            "JOURNAL:3: the journal is corrupt: not an entry: unknown variant `hoped`, expected `noted` or `done` (column 85)",
        ),
        (
            "an event with more in it",
            last("\"what\"", "\"why\":0,\"what\""),
            "JOURNAL:3: the journal is corrupt: not an entry: unknown field `why`, expected `what` (column 92)",
        ),
        (
            "time backwards",
            last("T01:00:00Z", "T00:00:00Z").replace(
                "2026-11-24T00:00:00Z\",\"rotation\":\"mail.2",
                "2026-11-23T23:59:59Z\",\"rotation\":\"mail.2",
            ),
            "JOURNAL:3: the journal is corrupt: it was recorded at 2026-11-23T23:59:59Z, before the entry above (2026-11-24T00:00:00Z)",
        ),
        (
            "time in another zone",
            last("T01:00:00Z", "T01:00:00+00:00"),
            "JOURNAL:3: the journal is corrupt: not an entry: `2026-11-24T01:00:00+00:00` is not a time such as 2026-12-01T08:00:00Z",
        ),
        (
            "another certificate",
            last("mail.2", "web.2"),
            "JOURNAL:3: the journal is corrupt: web.2 is no rotation of certificate `mail`",
        ),
        (
            "not a rotation",
            last("mail.2", "mail.02"),
            "JOURNAL:3: the journal is corrupt: mail.02 is no rotation of certificate `mail`",
        ),
        (
            "a rotation skipped",
            last("mail.2", "mail.3"),
            "JOURNAL:3: the journal is corrupt: rotation 3 stands where 2 is the next",
        ),
        (
            "a word after the end",
            whole.clone() + "sorry\n",
            "JOURNAL:4: the journal is corrupt: not an entry: expected value (column 1)",
        ),
        (
            "a whole entry of another version without newline",
            whole.clone() + "{\"version\":2}",
            "JOURNAL:4: the journal is corrupt: it has version 2, this program reads version 1",
        ),
    ];
    for (situation, text, expected) in table {
        home.write(text);
        assert_eq!(home.refusal(), expected, "{situation}");
    }
    home.write([b"\xff\xfe\n", whole.as_bytes()].concat());
    assert!(
        home.refusal()
            .starts_with("JOURNAL:1: the journal is corrupt: not an entry: ")
    );
}

#[test]
fn a_clock_behind_the_journal_is_refused_before_anything_is_written() {
    let home = Home::filled();
    let before = home.text();
    let mut journal = home.read().unwrap();
    let now = START + Span::minutes(59);
    let error = journal
        .append(&home.lock, now, &id(2), Event::Done)
        .unwrap_err();
    assert_eq!(
        home.anonymous(&error),
        "the clock is behind the journal: now is 2026-11-24T00:59:00Z, and JOURNAL:3 was recorded at 2026-11-24T01:00:00Z"
    );
    assert_eq!(home.text(), before);
    journal
        .append(&home.lock, START + Span::hours(1), &id(2), Event::Done)
        .expect("the same second is not behind");
}

#[test]
fn a_misplaced_entry_or_a_journal_read_before_another_run_wrote_is_refused() {
    let home = Home::filled();
    let later = START + Span::days(1);
    let mut first = home.read().unwrap();
    let mut second = home.read().unwrap();
    let foreign = RotationId {
        certificate: "web".to_owned(),
        number: 2,
    };
    for (rotation, expected) in [
        (
            foreign,
            "web.2 cannot be recorded in JOURNAL: web.2 is no rotation of certificate `mail`",
        ),
        (
            id(4),
            "mail.4 cannot be recorded in JOURNAL: rotation 4 stands where 3 is the next",
        ),
        (
            id(1),
            "mail.1 cannot be recorded in JOURNAL: rotation 1 stands where 3 is the next",
        ),
    ] {
        let error = first
            .append(&home.lock, later, &rotation, Event::Done)
            .unwrap_err();
        assert_eq!(home.anonymous(&error), expected);
    }
    first
        .append(&home.lock, later, &id(2), Event::Done)
        .unwrap();
    let error = second
        .append(&home.lock, later, &id(2), Event::Done)
        .unwrap_err();
    assert_eq!(
        home.anonymous(&error),
        "cannot append to JOURNAL: somebody else has written to it meanwhile"
    );
    assert_eq!(home.read().unwrap().entries().len(), 4);
}

#[test]
fn a_journal_larger_than_any_is_refused_without_being_read_in() {
    let home = Home::filled();
    fs::File::options()
        .write(true)
        .open(home.path())
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    assert_eq!(
        home.refusal(),
        "JOURNAL:1: the journal is corrupt: it is larger than 67108864 bytes"
    );
}

#[test]
fn rotations_are_named_in_one_way_only() {
    for good in ["mail.1", "mx1.example.com.12"] {
        assert_eq!(good.parse::<RotationId>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "mail",
        "mail.",
        "mail.0",
        "mail.01",
        "mail.+1",
        ".1",
        "mail.4294967296",
        "mail.1 ",
    ] {
        assert!(bad.parse::<RotationId>().is_err(), "{bad}");
    }
}
