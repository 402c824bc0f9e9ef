//! A journal that is gone, or only older than git, by the real program: what git knows of the rotation keeps every command from
//! beginning in silence, and from acting as if the journal were whole.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BRANCH, JOURNAL, Publish, SIGNED, World, ZONE_FILE, hours};
use std::fs;

/// A rotation whose first change was merged, and its journal.
fn world() -> (World, Vec<u8>) {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    world.merge();
    let journal = fs::read(world.path(JOURNAL)).unwrap();
    (world, journal)
}

#[test]
fn a_lost_journal_is_never_taken_for_one_that_has_not_begun() {
    let (world, journal) = world();
    let config = world.read("tlsa-rotate.toml");
    let cadence = config.replace("[policy]\n", "[policy]\nmax_age = \"1h\"\n");
    for (gone, config) in [
        (JOURNAL, &config),
        (".tlsa-rotate", &config),
        (JOURNAL, &cadence),
    ] {
        let lost = world.copy();
        lost.write("tlsa-rotate.toml", config);
        let path = lost.path(gone);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let head = lost.git("rev-parse HEAD");
        for command in [
            &["advance"][..],
            &["advance", "--dry-run"],
            &["status", "mail"],
            &["status", "mail", "--format", "json"],
            &["plan", "mail"],
            &["start", "mail"],
            &["emergency", "mail", "--priority", "delivery"],
        ] {
            let run = lost.run(hours(2), command).ends(3);
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(
                told.contains("git knows of mail.1")
                    && told.contains("its step `publish`")
                    && told.contains("tlsa-rotate start mail --journal-lost"),
                "{command:?}: {run:#?}"
            );
            assert!(!told.contains("no rotation"), "{command:?}: {run:#?}");
        }
        assert!(!lost.path(JOURNAL).exists(), "{gone}");
        assert_eq!(lost.git("rev-parse HEAD"), head, "{gone}");
    }
    // From a backup it goes on as if nothing had been.
    let restored = world.copy();
    fs::remove_file(restored.path(JOURNAL)).unwrap();
    fs::write(restored.path(JOURNAL), journal).unwrap();
    restored.advance(hours(2)).ends(0);
    assert!(restored.read(JOURNAL).len() > world.read(JOURNAL).len());
}

#[test]
fn a_journal_that_is_lost_for_good_is_given_up_by_a_persons_word() {
    let (world, _) = world();
    world.advance(hours(2)).ends(0);
    fs::remove_file(world.path(JOURNAL)).unwrap();
    let begun = ["start", "mail", "--journal-lost"];
    let run = world.run(hours(3), &begun).ends(0);
    assert!(run.stdout.contains("mail.2"), "{run:#?}");
    // It is read again, and proposes beside what is there: no record leaves.
    world.advance(hours(3)).ends(3);
    let records = |at: &str| {
        let zone = world.git(&format!("show {at}:{ZONE_FILE}"));
        zone.matches(" TLSA ").count()
    };
    assert!(records("tlsa-rotate/mail.2") > records("main"));
    // Where nothing is lost the word changes nothing.
    let anew = World::new(Publish::Branch);
    let run = anew.run(hours(1), &begun).ends(0);
    assert!(run.stdout.contains("mail.1"), "{run:#?}");
}

/// What a person or a timer may run.
const COMMANDS: [&[&str]; 15] = [
    &["advance"],
    &["advance", "--dry-run"],
    &["status", "mail"],
    &["status", "mail", "--format", "json"],
    &["check", "--swap", "mail"],
    &["check", "--merge", "--head", "main"],
    &["plan", "mail"],
    &["plan", "mail", "--emergency", "security"],
    &["start", "mail"],
    &["abort", "mail"],
    &["abort", "mail", "--leave-dane"],
    &["rollback", "mail"],
    &["deploy", "mail"],
    &["forget", "mx1.example.com"],
    &["emergency", "mail", "--priority", "delivery"],
];

/// A rotation with three changes in git: published, on its way to the end, and back again; and the hour.
fn there_and_back(publish: Publish) -> (World, u64) {
    let (world, hour) = World::new(publish).brought_to("Retiring");
    world.merge();
    world.advance(hours(hour + 1));
    world.load();
    let back = ["abort", "mail", "--reason", "a client pins the old key"];
    world.run(hours(hour + 2), &back);
    world.merge();
    world.advance(hours(hour + 3));
    world.load();
    world.advance(hours(hour + 4));
    assert_eq!(world.step(hours(hour + 4)), "Reinstated");
    (world, hour + 4)
}

/// The number of the journal's line that the newest commit of ours was made after.
fn stood(world: &World) -> usize {
    let format = "log -1 --all --grep=Tlsa-Rotate-Journal --format=%(trailers:key=Tlsa-Rotate-Journal,valueonly)";
    let stood = world.git(format);
    stood.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_older_journal_is_never_taken_for_the_whole_whichever_step_it_is_of() {
    for publish in [Publish::Branch, Publish::Current] {
        let (world, hour) = there_and_back(publish);
        let whole = world.read(JOURNAL);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let known = stood(&world);
        assert!((10..lines.len()).contains(&known), "{known}");
        for there in 1..known {
            let older = lines[..there].concat();
            world.write(JOURNAL, &older);
            let (head, files) = (world.git("for-each-ref"), world.files());
            // Each command at some of the places, each place by some of the commands.
            let commands = COMMANDS.iter().skip(there % 3).step_by(3);
            for command in commands.chain([&COMMANDS[2], &COMMANDS[3]]) {
                let run = world.run(hours(hour + 1), command).ends(3);
                let told = format!("{}{}", run.stdout, run.stderr);
                assert!(
                    told.contains("is older than git")
                        && told.contains("is step `reinstate` of mail.1")
                        && told.contains("tlsa-rotate start mail --journal-lost"),
                    "line {there}, {command:?}: {run:#?}"
                );
                for advice in ["no rotation", "Generated", "SwapOpen", "tlsa-rotate abort"] {
                    assert!(!told.contains(advice), "{command:?}: {run:#?}");
                }
            }
            assert_eq!(world.git("for-each-ref"), head, "line {there}");
            assert!(world.files() == files, "line {there}: nothing is written");
        }
        // Where it ends after the last commit, nothing that git knows is missing.
        for there in known..=lines.len() {
            world.write(JOURNAL, &lines[..there].concat());
            let run = world.run(hours(hour + 1), &["plan", "mail"]).ends(0);
            assert!(run.stdout.contains("mail.1"), "line {there}: {run:#?}");
        }
        // The ways out: the newest copy, or to give it up.
        assert_eq!(world.read(JOURNAL), whole);
        world.advance(hours(hour + 1)).ends(0);
        world.write(JOURNAL, &lines[..3].concat());
        let begun = ["start", "mail", "--journal-lost"];
        let run = world.run(hours(hour + 2), &begun).ends(0);
        assert!(run.stdout.contains("mail.2"), "{run:#?}");
        let status = world.run(hours(hour + 2), &["status", "mail"]);
        assert!(status.stdout.starts_with("mail.2"), "{status:#?}");
        let run = world.advance(hours(hour + 2));
        assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
        let before = "tlsa-rotate start mail --journal-lost";
        assert!(!run.stderr.contains(before), "{run:#?}");
    }
}

#[test]
fn by_an_older_journal_nothing_is_signed_and_no_server_is_told() {
    let (world, hour) = there_and_back(Publish::Current);
    let whole = world.read(JOURNAL);
    let older: Vec<&str> = whole.split_inclusive('\n').take(4).collect();
    world.write(JOURNAL, &older.concat());
    let zone = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &(zone + "new.example.com. IN A 192.0.2.81\n"));
    world.git("commit --quiet --all --message edit");
    let before = world.read(SIGNED);
    world.advance(hours(hour + 1)).ends(3);
    assert_eq!(world.read(SIGNED), before);
    // By the whole one it is.
    world.write(JOURNAL, &whole);
    world.advance(hours(hour + 1)).ends(0);
    assert_ne!(world.read(SIGNED), before);
}

#[test]
fn a_journal_that_went_on_otherwise_is_not_the_one_that_git_tells_of() {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    let other = world.copy();
    world.advance(hours(1)).ends(3);
    other.advance(hours(2)).ends(3);
    let ours = world.read(JOURNAL);
    world.write(JOURNAL, &other.read(JOURNAL));
    let run = world.advance(hours(3)).ends(3);
    run.complains_of("older than git");
    world.write(JOURNAL, &ours);
    world.advance(hours(3)).ends(3);
    // A commit of an earlier version says only which step it is.
    let step = "Tlsa-Rotate-Step: mail.1/publish";
    world.git(&format!("checkout --quiet {BRANCH}"));
    world.git_at(
        hours(3),
        &[
            "commit",
            "--quiet",
            "--amend",
            "-m",
            "as it was",
            "-m",
            step,
        ],
    );
    world.git("checkout --quiet main");
    world.merge();
    world.advance(hours(4)).ends(0);
    // Nor does anything else lead to the commit as it was.
    for memory in world
        .git("for-each-ref --format=%(refname) refs/tlsa-rotate")
        .lines()
    {
        world.git(&format!("update-ref -d {memory}"));
    }
    let whole = world.read(JOURNAL);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let decided = |line: &&str| line.contains("prepublish-decided");
    let decided = lines.iter().position(decided).unwrap();
    world.write(JOURNAL, &lines[..decided].concat());
    let run = world.run(hours(5), &["abort", "mail"]).ends(3);
    run.complains_of("is step `publish` of mail.1");
    world.write(JOURNAL, &lines[..=decided].concat());
    world.run(hours(5), &["plan", "mail"]).ends(0);
}

#[test]
fn a_commit_that_changes_no_zone_here_tells_nothing_of_a_journal_here() {
    let (world, _) = world();
    for step in ["mail.1/retire", "mail.9/publish"] {
        let trailer = format!("--trailer=Tlsa-Rotate-Step:{step}");
        let commit = [
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "quoted",
            &trailer,
        ];
        world.git_at(hours(2), &commit);
    }
    world.advance(hours(2)).ends(0);
}

/// Each command of the workspace refuses to take the lost journal for one that has not begun; then it is given up.
fn is_refused_and_given_up(world: &World, why: &str, next: &str) {
    fs::remove_dir_all(world.path(".tlsa-rotate")).unwrap();
    for command in [
        &["advance"][..],
        &["status", "mail"],
        &["plan", "mail"],
        &["start", "mail"],
        &["check", "--swap", "mail"],
    ] {
        let run = world.run(hours(3), command);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(3), "{command:?}: {run:#?}");
        assert!(told.contains(why), "{command:?}: {run:#?}");
        assert!(told.contains("--journal-lost"), "{command:?}: {run:#?}");
        assert!(!told.contains("no rotation"), "{command:?}: {run:#?}");
    }
    assert!(!world.path(JOURNAL).exists());
    let begun = world.run(hours(3), &["start", "mail", "--journal-lost"]);
    let begun = begun.ends(0);
    assert!(begun.stdout.contains(next), "{begun:#?}");
}

#[test]
fn a_merge_in_a_persons_own_words_and_a_cut_history_are_no_new_beginning() {
    // What was proposed is merged as one commit, without our words, and the branch is gone.
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    world.git(&format!("merge --quiet --squash {BRANCH}"));
    world.git("commit --quiet --message next");
    // Nor does a clone have what is remembered of the branch beside it.
    world.git(&format!("branch --quiet -D {BRANCH}"));
    world.git(&format!("update-ref -d refs/tlsa-rotate/{BRANCH}"));
    is_refused_and_given_up(&world, "is of mail.1", "mail.2");
    // A clone of the last commit alone.
    let world = World::new(Publish::Current);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(0);
    world.git("rm --quiet -r changes");
    world.git("commit --quiet --message other");
    let head = world.git("rev-parse HEAD");
    world.write(".git/shallow", &head);
    // Where the journal is, nothing is asked.
    let run = world.advance(hours(2));
    assert!(!run.stderr.contains("is cut"), "{run:#?}");
    is_refused_and_given_up(&world, "fetch --unshallow", "mail.2");
}

#[test]
fn what_was_taken_out_stays_out_when_the_journal_is_lost() {
    let (world, hour) = World::new(Publish::Current).brought_to("Retiring");
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    let keep = world.path("other");
    fs::create_dir_all(&keep).unwrap();
    for file in ["fullchain.pem", "privkey.pem"] {
        fs::copy(world.path("live").join(file), keep.join(file)).unwrap();
        let next = if file == "fullchain.pem" {
            "cert"
        } else {
            "key"
        };
        let next = format!("keys/tls/mail.1/ecdsa-p256.{next}.pem");
        fs::copy(world.path(&next), world.path("live").join(file)).unwrap();
    }
    fs::remove_dir_all(world.path(".tlsa-rotate")).unwrap();
    let offer = |more: &[&str]| {
        let files = [
            "--certificate",
            "other/fullchain.pem",
            "--key",
            "other/privkey.pem",
        ];
        world.run(
            hours(hour + 2),
            &[&["start", "mail", "--journal-lost"], &files[..], more].concat(),
        )
    };
    let said = offer(&[]).ends(1);
    said.complains_of("stood in the zone and was taken out of it");
    assert!(!world.path(JOURNAL).exists());
    // However its record was written.
    let digest = world.git("log -p --format= -- example.com.zone");
    assert!(digest.to_lowercase().contains("3 1 1"), "{digest}");
    world
        .run(hours(hour + 2), &["start", "mail", "--journal-lost"])
        .ends(0);
}
