//! Missing, unreadable, foreign and half-written files: an error that names the file and says what to do, and nothing changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, JOURNAL, Publish, Run, SIGNED, World, ZONE_FILE, hours};
use std::collections::BTreeMap;
use std::fs;
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::workspace::journal::Journal;

/// A rotation whose publication is merged and not yet signed: the next run has something to do.
fn merged() -> World {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.merge();
    world
}

/// The mode and the content of every file, by its path.
type Files = BTreeMap<String, (u32, Vec<u8>)>;

/// Every file, and what the journal says beside what was seen: that is kept in mind even by a run that fails.
fn kept(world: &World) -> (Files, Vec<Event>) {
    let mut files = world.files();
    let Ok(journal) = Journal::<Event>::read(&world.path(JOURNAL), "mail") else {
        return (files, Vec::new());
    };
    files.remove(JOURNAL);
    let events = journal.entries().iter().map(|entry| entry.event.clone());
    (
        files,
        events.filter(|event| !event.is_kept_in_mind()).collect(),
    )
}

/// Spoils a copy of the world, runs `arguments`, and asserts that this fails with `complaint` and changes nothing.
#[track_caller]
fn refused(world: &World, spoil: &dyn Fn(&World), arguments: &[&str], complaint: &str) -> Run {
    ends_at(1, world, (spoil, arguments), complaint)
}

/// The same where `status` says as well that a person is needed: what counts of the zone cannot be read.
fn is_for_a_person(world: &World, spoil: &dyn Fn(&World), complaint: &str) {
    ends_at(3, world, (spoil, &["advance"]), complaint);
}

fn ends_at(
    code: i32,
    world: &World,
    (spoil, arguments): (Spoil<'_>, &[&str]),
    complaint: &str,
) -> Run {
    let world = world.copy();
    spoil(&world);
    let (before, facts) = kept(&world);
    let run = world.run(hours(1), arguments).ends(code);
    run.complains_of(complaint);
    let (after, facts_after) = kept(&world);
    let changed: Vec<&String> = after
        .keys()
        .filter(|name| before.get(*name) != after.get(*name))
        .collect();
    assert!(before == after, "{complaint}: changed {changed:?}");
    assert_eq!(facts, facts_after, "{complaint}");
    run
}

type Spoil<'s> = &'s dyn Fn(&World);

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_journal_that_is_not_ours_or_not_whole_is_not_acted_on() {
    let world = merged();
    let edit = |from: &'static str, to: &'static str| {
        move |world: &World| {
            let text = world.read(JOURNAL);
            assert!(text.contains(from), "{from}: {text}");
            world.write(JOURNAL, &text.replacen(from, to, 1));
        }
    };
    let cut = |world: &World| {
        let text = world.read(JOURNAL);
        let lines: Vec<&str> = text.lines().collect();
        world.write(JOURNAL, &format!("{}\n{}\n", lines[0], lines[2]));
    };
    let foreign =
        |world: &World| world.write(JOURNAL, &world.read(JOURNAL).replace("mail.1", "web.1"));
    let cases: &[(Spoil<'_>, &str)] = &[
        (
            &foreign,
            "mail.jsonl:1: the journal is corrupt: web.1 is no rotation of certificate `mail`",
        ),
        (
            &edit("\"version\":2", "\"version\":3"),
            "mail.jsonl:1: the journal is corrupt: it has version 3",
        ),
        (
            &edit("2026-12-01T08:00:00Z", "2026-12-01T07:00:00Z"),
            "mail.jsonl:1: the journal is corrupt: its `digest` is not that of the line",
        ),
        (
            &cut,
            "mail.jsonl:2: the journal is corrupt: entry 2 should stand here, this is entry 3",
        ),
        (
            &|world: &World| world.write(JOURNAL, "not a journal\n"),
            "mail.jsonl:1: the journal is corrupt",
        ),
        (
            &|world: &World| fs::write(world.path(JOURNAL), [0xff, 0xfe, b'\n']).unwrap(),
            "mail.jsonl:1: the journal is corrupt",
        ),
        (
            &|world: &World| {
                fs::remove_file(world.path(JOURNAL)).unwrap();
                fs::create_dir(world.path(JOURNAL)).unwrap();
            },
            "cannot read the journal ",
        ),
    ];
    for (spoil, complaint) in cases {
        for arguments in [
            &["advance"][..],
            &["status"],
            &["start", "mail"],
            &["abort", "mail"],
            &["plan"],
        ] {
            refused(&world, spoil, arguments, complaint);
        }
    }
}

#[test]
fn a_torn_end_is_told_and_mended_by_the_next_fact() {
    let world = merged();
    world.advance(hours(1)).ends(0);
    world.load();
    let whole = world.read(JOURNAL);
    // Torn anywhere in its last line, down to the missing newline.
    let last = whole.trim_end().rfind('\n').unwrap() + 1;
    let torn = format!("mail.jsonl: line {} ", whole.lines().count());
    for kept in [last + 1, last + 40, whole.len() - 2, whole.len() - 1] {
        let world = world.copy();
        world.write(JOURNAL, &whole[..kept]);
        let status = world.run(hours(2), &["status"]);
        assert!(status.stderr.contains(&torn), "{kept}: {status:#?}");
        assert_eq!(world.read(JOURNAL), whole[..kept], "status changes nothing");
        let run = world.advance(hours(2)).ends(0);
        assert!(run.stderr.contains(&torn), "{kept}: {run:#?}");
        assert_eq!(
            world.facts().last(),
            Some(&"PrepublishServed"),
            "{kept}: {run:#?}"
        );
        assert_eq!(world.facts().len(), 5);
        world.is_tidy();
    }
}

#[test]
fn a_damaged_signed_zone_is_never_overwritten_in_silence() {
    let world = merged();
    let text = world.read(SIGNED);
    let cases: &[Spoil<'_>] = &[
        &|world| world.write(SIGNED, &text[..text.len() / 2 + 7]),
        &|world| world.write(SIGNED, "\u{1}\u{2} not a zone ("),
        &|world| fs::write(world.path(SIGNED), [0xff; 4096]).unwrap(),
        &|world| world.write(SIGNED, ""),
    ];
    for spoil in cases {
        let spoilt = world.copy();
        spoil(&spoilt);
        let run = refused(&world, spoil, &["advance"], SIGNED);
        // The way out that is given works.
        assert!(run.stderr.contains("move "), "{run:#?}");
        fs::rename(spoilt.path(SIGNED), spoilt.path("away.signed")).unwrap();
        spoilt.advance(hours(1)).ends(0);
        assert_eq!(spoilt.signed().soa().unwrap().serial, 2_026_120_101);
    }
}

#[test]
fn a_zone_that_cannot_be_read_is_told_by_line_and_column() {
    let world = merged();
    let commit = |text: String| {
        move |world: &World| {
            world.write(ZONE_FILE, &text);
            world.git("commit --quiet --all --message wrong");
        }
    };
    let broken = world.read(ZONE_FILE).replace("192.0.2.80", "192.0.2.800");
    let line = broken
        .lines()
        .position(|line| line.contains("192.0.2.800"))
        .unwrap()
        + 1;
    let place = format!("{ZONE_FILE}:{line}:25");
    is_for_a_person(&world, &commit(broken), &place);
    is_for_a_person(&world, &commit("\n".to_owned()), ZONE_FILE);
    let gone = |world: &World| {
        world.git("rm --quiet example.com.zone");
        world.git("commit --quiet --message gone");
    };
    is_for_a_person(&world, &gone, "example.com.zone is not committed");
    let no_git = |world: &World| fs::rename(world.path(".git"), world.path(".away")).unwrap();
    refused(&world, &no_git, &["advance"], "git finds no repository");
}

#[test]
fn what_a_person_has_not_committed_is_never_swept_up() {
    let world = World::new(Publish::Current);
    world.start(BEGIN).ends(0);
    let text = world.read(ZONE_FILE).replace("192.0.2.80", "192.0.2.81");
    world.write(ZONE_FILE, &text);
    let head = world.git("rev-parse HEAD");
    for _ in 0..2 {
        let run = world.advance(BEGIN).ends(1);
        run.complains_of("example.com.zone has changes that are not committed");
        assert_eq!(world.read(ZONE_FILE), text);
        assert_eq!(world.git("rev-parse HEAD"), head);
        assert_eq!(world.git("status --porcelain"), format!("M {ZONE_FILE}"));
    }
    world.git("commit --quiet --all --message web");
    world.advance(BEGIN).ends(0);
    assert_eq!(world.commits(), 1);

    // With review nothing that is checked out is touched at all.
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.write(ZONE_FILE, &text);
    world.advance(BEGIN).ends(3);
    assert_eq!(world.read(ZONE_FILE), text);
}

#[test]
fn a_missing_file_is_named_with_the_way_out() {
    let world = World::new(Publish::Branch);
    let live = "live/fullchain.pem";
    let cases: &[(Spoil<'_>, &str)] = &[
        (&|world| fs::remove_file(world.path(live)).unwrap(), live),
        (
            &|world| world.write(live, "-----BEGIN CERTIFICATE-----\nAAAA\n"),
            live,
        ),
        (&|world| world.write(live, ""), live),
        (
            &|world| fs::remove_dir_all(world.path("live")).unwrap(),
            live,
        ),
    ];
    for (spoil, complaint) in cases {
        refused(&world, spoil, &["start", "mail"], complaint);
        refused(&world, spoil, &["plan"], complaint);
    }
    let no_config = |world: &World| fs::remove_file(world.path("tlsa-rotate.toml")).unwrap();
    let plain = World::new(Publish::File);
    refused(&plain, &no_config, &["advance"], "tlsa-rotate.toml");
    // Where git has it, what counts is there.
    no_config(&world);
    let run = world.run(BEGIN, &["advance"]).ends(0);
    assert!(run.stderr.contains("branch main, which counts"), "{run:#?}");

    let world = merged();
    let private = world
        .files()
        .into_keys()
        .find(|name| name.ends_with(".private"))
        .unwrap();
    let public = private.replace(".private", ".key");
    let cases: &[(Spoil<'_>, &str)] = &[
        (
            &|world| fs::remove_dir_all(world.path("keys")).unwrap(),
            "/keys",
        ),
        (
            &|world| fs::remove_file(world.path(&private)).unwrap(),
            &private,
        ),
        (
            &|world| world.write(&private, "Private-key-format: v1.3\n"),
            &private,
        ),
        (&|world| world.write(&public, ""), &public),
    ];
    for (spoil, complaint) in cases {
        refused(&world, spoil, &["advance"], complaint);
    }
}

#[test]
fn where_nothing_can_be_written_it_is_said() {
    // Permissions do not stop root, and a directory in the place of the file stops everybody.
    let world = merged();
    let directory = |world: &World| {
        fs::remove_file(world.path(SIGNED)).unwrap();
        fs::create_dir(world.path(SIGNED)).unwrap();
    };
    refused(&world, &directory, &["advance"], SIGNED);
    let lock = |world: &World| {
        fs::remove_file(world.path(".tlsa-rotate/lock")).unwrap();
        fs::create_dir(world.path(".tlsa-rotate/lock")).unwrap();
    };
    refused(&world, &lock, &["advance"], ".tlsa-rotate/lock");
    let state = |world: &World| {
        fs::rename(world.path(".tlsa-rotate"), world.path(".away")).unwrap();
        world.write(".tlsa-rotate", "");
    };
    refused(&world, &state, &["advance"], ".tlsa-rotate");
}

/// A zone that somebody else signs, or will sign: what belongs into the anchor is said for both.
#[test]
fn a_trust_anchor_that_is_missing_or_empty_is_asked_for_with_the_way_to_it() {
    let world = rotation_support::external::world(Publish::Branch, "");
    world.git("add --all");
    world.git("commit --quiet --message anchor");
    let spoiled: [(Spoil<'_>, &str); 2] = [
        (
            &|world| fs::remove_file(world.path("anchor")).unwrap(),
            "the trust anchor of example.com. is not there",
        ),
        (
            &|world| world.write("anchor", "; nobody signs yet\n"),
            "no DS or DNSKEY record in it",
        ),
    ];
    for (spoil, complaint) in spoiled {
        let world = world.copy();
        spoil(&world);
        let told = world.run(BEGIN, &["check"]).stdout;
        let way = "dig +noall +answer DS example.com.; if nobody has signed the zone yet, let its server sign it first";
        assert!(told.contains(complaint) && told.contains(way), "{told}");
    }
}
