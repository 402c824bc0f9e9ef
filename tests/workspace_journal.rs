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
use tlsa_rotate::workspace::journal::{Fact, Journal, JournalError, RotationId};
use tlsa_rotate::workspace::lock::WorkspaceLock;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Event {
    Noted { what: String },
    Done,
}

impl Fact for Event {}

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
        certificate: "mail".into(),
        number,
    }
}

/// The line with the digest that it should have.
fn resealed(line: &str) -> String {
    let fields = &line[..line.rfind(",\"digest\":").unwrap()];
    let digest = ring::digest::digest(&ring::digest::SHA256, fields.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(digest.as_ref());
    format!("{fields},\"digest\":\"{hex}\"}}")
}

#[test]
fn the_format_is_this_to_the_byte() {
    let home = Home::filled();
    assert_eq!(
        home.text(),
        r#"{"version":2,"seq":1,"at":"2026-11-24T00:00:00Z","rotation":"mail.1","event":{"noted":{"what":"ü one"}},"previous":null,"digest":"bb8113898f1ae557bbc2247cd79c70c02afe6e92d6e9bc56177015ddb86c30c7"}
{"version":2,"seq":2,"at":"2026-11-24T00:00:00Z","rotation":"mail.1","event":"done","previous":"53199e190438c4cb31b84328f93d1bdc5ab5c5a656a5c652edc411560a237c3f","digest":"9573ecd5d990144dfb6438b040ec321525a65df2e64caf1fdd217ad76ca2f7d6"}
{"version":2,"seq":3,"at":"2026-11-24T01:00:00Z","rotation":"mail.2","event":{"noted":{"what":"café two"}},"previous":"80b4caa3c70c45ce4910cf1253a29bc0ed67cf3e299528d2ac7acd156b58df6c","digest":"b52234b614f62ca80c9a8f26fd39cc2b990c4cf924bd64b6eab76294b0eb988f"}
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
        "cannot read the journal JOURNAL: it is a directory, and a file is expected"
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
            "JOURNAL:1: the journal is corrupt: its `digest` is not that of the line: it was changed after it was written",
        ),
        (
            "a blank added",
            join(&[&lines[0].replace(":1,", ": 1,"), lines[1]]),
            "JOURNAL:1: the journal is corrupt: its `digest` is not that of the line: it was changed after it was written",
        ),
        (
            "the last line changed",
            last("two", "too"),
            "JOURNAL:3: the journal is corrupt: its `digest` is not that of the line: it was changed after it was written",
        ),
        (
            "a line of another journal, whole in itself",
            join(&[
                &resealed(&lines[0].replace("one", "eno")),
                lines[1],
                lines[2],
            ]),
            "JOURNAL:2: the journal is corrupt: its `previous` is not the digest of the line before: that line was changed",
        ),
        (
            "a digest that is somewhere else",
            join(&[
                &lines[0].replace(
                    "{\"version\"",
                    &format!("{{\"digest\":\"{}\",\"version\"", "0".repeat(64)),
                ),
                lines[1],
            ]),
            "JOURNAL:1: the journal is corrupt: not an entry: duplicate field `digest` (column 205)",
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
            last("\"version\":2", "\"version\":3"),
            "JOURNAL:3: the journal is corrupt: it has version 3, this program reads version 2",
        ),
        (
            "another version with other fields",
            join(&["{\"version\":9,\"x\":0}"]),
            "JOURNAL:1: the journal is corrupt: it has version 9, this program reads version 2",
        ),
        (
            "an unknown field",
            last("\"seq\"", "\"note\":1,\"seq\""),
            "JOURNAL:3: the journal is corrupt: not an entry: unknown field `note`, expected one of `version`, `seq`, `at`, `rotation`, `event`, `previous`, `digest` (column 19)",
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
            whole.clone() + "{\"version\":3}",
            "JOURNAL:4: the journal is corrupt: it has version 3, this program reads version 2",
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
fn no_octet_changes_unseen() {
    let home = Home::filled();
    let whole = home.text().into_bytes();
    let parsed = |octets: &[u8]| Journal::<Event>::parse(&home.path(), "mail", octets);
    for at in 0..whole.len() {
        for flip in [0x01, 0x04, 0x20, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            // Cut off at its end it may look; then what remains is a beginning of what was written, and the rest is told.
            match parsed(&changed) {
                Err(error) => assert!(!error.hints().is_empty(), "octet {at}"),
                Ok(journal) => {
                    assert!(
                        journal.torn().is_some(),
                        "octet {at} changed by {flip:#x} unseen"
                    );
                    assert_eq!(
                        journal.entries().len(),
                        2,
                        "octet {at}: {:?}",
                        journal.torn()
                    );
                }
            }
        }
    }
    for at in 0..=whole.len() {
        // Octets that come, and octets that go.
        let mut more = whole.clone();
        more.insert(at, b' ');
        let mut less = whole.clone();
        if at < whole.len() {
            less.remove(at);
        }
        for changed in [more, less] {
            if let Ok(journal) = parsed(&changed) {
                let same = changed == whole || journal.torn().is_some();
                assert!(same, "octet {at} came or went unseen");
                assert!(journal.entries().len() >= 2);
            }
        }
    }
}

/// A person gives a rotation up by a clock that is right again: the fact counts, whenever those before it are said to have been.
#[test]
fn a_fact_may_be_of_an_earlier_time_than_those_before_it() {
    let home = Home::filled();
    let mut journal = home.read().unwrap();
    let now = START + Span::minutes(59);
    journal
        .append(&home.lock, now, &id(2), Event::Done)
        .unwrap();
    let read = home.read().unwrap();
    let times: Vec<Instant> = read.entries().iter().map(|entry| entry.at).collect();
    assert_eq!(times[times.len() - 2..], [START + Span::hours(1), now]);
}

#[test]
fn a_misplaced_entry_or_a_journal_read_before_another_run_wrote_is_refused() {
    let home = Home::filled();
    let later = START + Span::days(1);
    let mut first = home.read().unwrap();
    let mut second = home.read().unwrap();
    let foreign = RotationId {
        certificate: "web".into(),
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

#[test]
fn a_journal_of_any_length_is_read_to_its_end() {
    let noted = |count| Event::Noted {
        what: "x".repeat(count),
    };
    let home = Home::filled();
    let (short, begun) = (home.text(), home.text().len());
    let append = |count| {
        home.write(&short);
        let mut journal = home.read().unwrap();
        journal
            .append(&home.lock, START + Span::hours(2), &id(2), noted(count))
            .unwrap();
        home.text().len()
    };
    let around = append(0) - begun;
    for length in [4_095, 4_096, 4_097, 8_192, 70_000] {
        let count = length - begun - around;
        assert_eq!(append(count), length);
        let last = home.read().unwrap().entries().last().unwrap().event.clone();
        assert_eq!(last, noted(count), "{length}");
        home.write(&home.text()[..length - 3]);
        let torn = home.read().unwrap();
        assert!(torn.torn().is_some() && torn.entries().len() == 3);
    }
}

/// Fifty rotations of forty lines, and how many bytes each has.
fn fifty() -> Home {
    let home = Home::new();
    let mut journal = home.read().unwrap();
    for rotation in 1..=50 {
        let at = START + Span::days(rotation);
        for line in 0..40 {
            let what = format!("line {line}");
            let number = u32::try_from(rotation).unwrap();
            journal.add(at, &id(number), Event::Noted { what }).unwrap();
        }
    }
    journal.write(&home.lock).unwrap();
    home
}

impl Home {
    fn archive(&self) -> PathBuf {
        self.path().with_extension("archive")
    }
}

#[test]
fn an_archived_journal_is_as_long_as_one_of_the_first_rotation_and_loses_nothing() {
    let home = fifty();
    let whole = home.text();
    let first: String = whole.split_inclusive('\n').take(40).collect();
    let all = home.read().unwrap().entries().to_vec();
    let mut journal = home.read().unwrap();
    let told = journal.archivable(50).unwrap();
    assert_eq!(
        (told.lines, home.text() == whole),
        (49 * 40, true),
        "only told"
    );
    assert_eq!(journal.archive(&home.lock, 50).unwrap(), told);
    let left = home.text();
    assert!(
        left.len() < first.len() + 40 * 10,
        "{} {}",
        left.len(),
        first.len()
    );
    assert_eq!(
        fs::read_to_string(home.archive()).unwrap() + &left,
        whole,
        "line by line"
    );
    for journal in [journal, home.read().unwrap()] {
        assert_eq!(journal.entries(), &all[49 * 40..]);
        assert_eq!(journal.earlier().unwrap(), &all[..49 * 40]);
        assert_eq!(journal.latest(), 50);
    }
    // It goes on, and again, and the archive is one story from its first line.
    let mut journal = home.read().unwrap();
    let late = START + Span::days(60);
    journal
        .append(&home.lock, late, &id(51), Event::Done)
        .unwrap();
    assert_eq!(
        home.read().unwrap().entries().last().unwrap().seq,
        50 * 40 + 1
    );
    let mut journal = home.read().unwrap();
    assert_eq!(journal.archive(&home.lock, 51).unwrap().lines, 40);
    assert_eq!(
        journal.archive(&home.lock, 51).unwrap().lines,
        0,
        "nothing twice"
    );
    let read = home.read().unwrap();
    assert_eq!(
        (read.entries().len(), read.earlier().unwrap().len()),
        (1, 2000)
    );
    // A journal whose lines were all lost goes on after the archive, and not before it.
    fs::remove_file(home.path()).unwrap();
    let mut journal = home.read().unwrap();
    assert_eq!(journal.latest(), 50);
    journal
        .append(&home.lock, late, &id(51), Event::Done)
        .unwrap();
    assert_eq!(home.read().unwrap().entries()[0].seq, 2001);
}

/// A run that is killed while it archives leaves lines in both places, or half a line in the archive; both are read, and the
/// next archiving finishes it.
#[test]
fn an_interrupted_archiving_is_finished_by_the_next() {
    let home = fifty();
    let whole = home.text();
    home.read().unwrap().archive(&home.lock, 20).unwrap();
    let (early, late) = (fs::read_to_string(home.archive()).unwrap(), home.text());
    let moved: String = late.split_inclusive('\n').take(30 * 40).collect();
    let half = moved.len() / 2 - 7;
    let in_lines = moved[..half].rfind('\n').unwrap() + 1;
    let states = [
        ("nothing of it", early.clone()),
        ("half of it", early.clone() + &moved[..in_lines]),
        ("half a line", early.clone() + &moved[..half]),
        ("all of it", early.clone() + &moved),
    ];
    for (state, archive) in states {
        home.write(&late);
        fs::write(home.archive(), archive).unwrap();
        let mut journal = home.read().unwrap_or_else(|e| panic!("{state}: {e}"));
        assert_eq!(journal.entries().len(), 31 * 40, "{state}");
        assert_eq!(journal.earlier().unwrap().len(), 19 * 40, "{state}");
        journal.archive(&home.lock, 50).unwrap();
        let read = home.read().unwrap();
        assert_eq!(
            (read.entries().len(), read.earlier().unwrap().len()),
            (40, 49 * 40),
            "{state}"
        );
        assert_eq!(
            fs::read_to_string(home.archive()).unwrap() + &home.text(),
            whole,
            "{state}"
        );
    }
}

#[test]
fn an_archive_of_another_story_is_refused() {
    let home = fifty();
    home.read().unwrap().archive(&home.lock, 50).unwrap();
    let (archive, left) = (fs::read_to_string(home.archive()).unwrap(), home.text());
    let lines: Vec<&str> = archive.split_inclusive('\n').collect();
    let last = lines.last().unwrap().trim_end();
    let other = resealed(&last.replace("line 39", "line 38"));
    let mut table = vec![
        (
            "no archive",
            None,
            left.clone(),
            "entry 1 should stand here, this is entry 1961",
        ),
        (
            "its end is gone",
            Some(lines[..lines.len() - 1].concat()),
            left.clone(),
            "entry 1960 should stand here",
        ),
        (
            "its end is another",
            Some(lines[..lines.len() - 1].concat() + &other + "\n"),
            left.clone(),
            "`previous` is not the digest",
        ),
        (
            "its end was changed",
            Some(archive.replace(last, &last.replace("line 39", "line 38"))),
            left.clone(),
            "its last line is not what this program wrote",
        ),
        (
            "it is another's",
            Some(archive.replace("\"mail.49\"", "\"post.49\"")),
            left,
            "its last line is not",
        ),
    ];
    // A journal that was put back from before.
    table.push((
        "the journal is older",
        Some(archive.clone()),
        lines[..80].concat(),
        "goes on to entry 1960",
    ));
    for (situation, archive, journal, why) in table {
        match archive {
            Some(archive) => fs::write(home.archive(), archive).unwrap(),
            None => fs::remove_file(home.archive()).unwrap(),
        }
        home.write(journal);
        let told = home.refusal();
        assert!(told.contains(why), "{situation}: {told}");
    }
    // What both have must be the same.
    let other_end = fs::read_to_string(home.archive())
        .unwrap()
        .replace(last, &other);
    fs::write(home.archive(), other_end).unwrap();
    home.write(archive.clone());
    assert!(home.refusal().contains("another entry in this place"));
    // In the middle it is found where it is looked up.
    fs::write(home.archive(), archive.replacen("line 7", "line 8", 1)).unwrap();
    home.write(&archive);
    assert!(home.read().unwrap().earlier().is_err());
}
