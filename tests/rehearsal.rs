//! `--now` is for rehearsals: it decides, tells what would be done and changes nothing, except in a workspace that is for
//! nothing else, where nothing is done by the clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, BRANCH, PROGRAM, Publish, Run, World, ZONE_FILE, hours};
use std::path::Path;
use std::process::Command;

const SAID: &str = "rehearsal: nothing was changed\n";
const MARK: &str = "rehearsal = true";
/// What each command leaves as it was, at every step.
const WRITING: [&[&str]; 9] = [
    &["advance"],
    &["start", "mail"],
    &["abort", "mail"],
    &["rollback", "mail"],
    &["deploy", "mail"],
    &["forget", "mx2.example.com"],
    &["emergency", "mail", "--priority", "security"],
    &["emergency", "mail", "--priority", "delivery"],
    &["archive"],
];

/// The same workspace as people have theirs.
fn for_real(world: &World) {
    let config = world.read("tlsa-rotate.toml");
    assert!(config.contains(MARK));
    world.write(
        "tlsa-rotate.toml",
        &config.replace(MARK, "rehearsal = false"),
    );
    world.git("commit --quiet --all --message real");
}

/// The program by the clock.
fn by_the_clock(world: &World, arguments: &[&str]) -> Run {
    let mut command = Command::new(PROGRAM);
    command.current_dir(world.path("")).args(arguments);
    command.output().unwrap().into()
}

/// A deployment and a reload that leave something behind.
fn with_traces(config: &str) -> String {
    let deploy =
        "deploy = { command = [\"touch\", \"deployed\"], rollback = [\"touch\", \"rolled-back\"] }";
    config
        .replace("deploy = { manual = true }", deploy)
        .replace("[[zone]]", "[[zone]]\nreload = [\"touch\", \"reloaded\"]")
}

#[test]
fn at_another_time_every_command_says_what_it_would_do_and_changes_nothing() {
    // Where a rotation stands, when it is looked at, and what one of the runs tells that it would do.
    let table = [
        ("", 0, ""),
        (
            "Hashed",
            0,
            "a run would change _25._tcp.mx1.example.com. TLSA: add ",
        ),
        ("Waiting", 48, "a run would run touch deployed for "),
        ("Retiring", 300, ""),
    ];
    for (step, after, told) in table {
        let world = World::with(Publish::Branch, |config| with_traces(&config));
        let (world, hour) = match step {
            "" => (world, 0),
            _ => world.brought_to(step),
        };
        for_real(&world);
        let _ = std::fs::remove_file(world.path("reloaded"));
        let _ = std::fs::remove_file(world.path("deployed"));
        let before = world.everything();
        let now = hours(hour + after);
        for arguments in WRITING {
            let run = world.run(now, arguments);
            let place = format!("{step}, {arguments:?}: {run:#?}");
            assert!(
                world.everything() == before,
                "something was changed: {place}"
            );
            assert!(
                run.stderr.ends_with(SAID) || run.stderr.contains("error: "),
                "{place}"
            );
            if arguments == ["advance"] {
                assert!(
                    run.stderr.ends_with(SAID) && run.stderr.contains(told),
                    "{place}"
                );
            }
        }
        // What runs next is as if nothing had been.
        if !step.is_empty() {
            assert_eq!(world.step(hours(hour)), step);
        }
    }
}

#[test]
fn what_would_be_proposed_again_stays_deleted_at_another_time() {
    let world = World::new(Publish::Branch);
    world.start(hours(0)).ends(0);
    world.advance(hours(0)).ends(3);
    world.git(&format!("branch --quiet -D {BRANCH}"));
    world.advance(hours(1)).complains_of("was deleted before");
    assert!(world.read(".tlsa-rotate/deleted").contains(BRANCH));
    for_real(&world);
    let before = world.everything();
    let run = world.run(hours(30), &["propose", "--again"]);
    assert!(run.stderr.ends_with(SAID), "{run:#?}");
    assert!(
        world.everything() == before,
        "something was changed: {run:#?}"
    );
}

#[test]
fn what_writes_files_of_your_choice_rehearses_too() {
    let world = World::new(Publish::Branch);
    for_real(&world);
    let signed = [
        "zone",
        "sign",
        ZONE_FILE,
        "--keys",
        "keys",
        "--output",
        "new.signed",
    ];
    let generate = ["key", "generate", "example.com", "--keys", "other"];
    let made = [
        "change", "make", ZONE_FILE, ZONE_FILE, "--output", "proposal",
    ];
    let hook = [
        "hook", "install", "deploy", "mail", "--live", "live.pem", "--to", "hook",
    ];
    let table: [(&[&str], i32, &str); 7] = [
        (&signed, 0, SAID),
        (&generate, 1, "`key generate` cannot be rehearsed"),
        (&made, 1, "`change make` cannot be rehearsed"),
        (&hook, 1, "`hook install` cannot be rehearsed"),
        (
            &["zone", "continue", "example.com", "--keys-anew"],
            1,
            "`zone continue` cannot be rehearsed",
        ),
        (
            &["serve", "--listen", "127.0.0.1:0"],
            1,
            "`serve` cannot be rehearsed",
        ),
        (&["init", "elsewhere"], 1, "`init` cannot be rehearsed"),
    ];
    let before = world.everything();
    for (arguments, code, told) in table {
        let run = world.run(hours(40), arguments).ends(code);
        assert!(run.stderr.contains(told), "{run:#?}");
        assert!(
            world.everything() == before,
            "something was changed: {run:#?}"
        );
        if code != 0 {
            run.complains_of("cannot be rehearsed");
        }
    }
    // Both ways out.
    by_the_clock(&world, &generate).ends(0);
    world.write("tlsa-rotate.toml", MARK);
    world.run(hours(40), &signed).ends(0);
    assert!(world.path("new.signed").exists());
}

#[test]
fn a_workspace_for_rehearsals_does_nothing_by_the_clock() {
    let world = World::new(Publish::Branch);
    let before = world.everything();
    for arguments in WRITING {
        let run = by_the_clock(&world, arguments).ends(1);
        assert!(
            world.everything() == before,
            "something was changed: {run:#?}"
        );
        run.complains_of("says `rehearsal = true`, and no time was named");
    }
    // What changes nothing needs no time. By the clock of the machine, the signatures of this world may have ended.
    for arguments in [&["status"][..], &["advance", "--dry-run"]] {
        let run = by_the_clock(&world, arguments);
        assert!(matches!(run.code, Some(0 | 4)), "{run:#?}");
        assert!(!run.stderr.contains("no time was named"), "{run:#?}");
    }
    // Both ways out.
    world.start(BEGIN).ends(0);
    world.write(
        "tlsa-rotate.toml",
        &world.read("tlsa-rotate.toml").replace(MARK, ""),
    );
    let run = by_the_clock(&world, &["advance"]);
    assert!(!run.stderr.contains("rehearsal"), "{run:#?}");
}

#[test]
fn init_makes_a_workspace_for_rehearsals() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| -> Run {
        let mut command = Command::new(PROGRAM);
        command.current_dir(home.path()).args(arguments);
        command.output().unwrap().into()
    };
    run(&["init", "--rehearsal"]).ends(0);
    let generate = ["key", "generate", "example.com", "--keys", "keys"];
    run(&[&generate[..], &["--now", "2026-12-01T08:00:00Z"]].concat()).ends(0);
    let advance = run(&["advance"]).ends(1);
    advance.complains_of("says `rehearsal = true`");
    let advance = run(&["advance", "--now", "2026-12-01T08:00:00Z"]);
    assert!(!advance.stderr.contains(SAID), "{advance:#?}");
}

/// The time of a workspace to practise in is whatever each command says: a key that is made by the clock is in use at any.
#[test]
fn a_key_made_to_practise_with_is_in_use_at_any_time() {
    let home = tempfile::tempdir().unwrap();
    let run = |directory: &Path, arguments: &[&str]| -> Run {
        let mut command = Command::new(PROGRAM);
        command.current_dir(directory).args(arguments);
        command.output().unwrap().into()
    };
    let practice = home.path().join("practice");
    std::fs::create_dir(&practice).unwrap();
    run(&practice, &["init", "--rehearsal"]).ends(0);
    let generate = ["key", "generate", "example.com", "--keys", "keys"];
    let list = ["key", "list", "example.com", "--keys", "keys"];
    let long_ago = ["--now", "2001-02-03T04:05:06Z"];
    for (directory, state) in [(practice.as_path(), "active"), (home.path(), "future")] {
        run(directory, &generate).ends(0);
        let listed = run(directory, &[&list[..], &long_ago].concat()).ends(0);
        assert!(listed.stdout.contains(state), "{listed:#?}");
    }
    let zone = home.path().join("example.com.zone");
    let text = "example.com. 60 SOA ns1.example.net. root.example.net. 1 7200 3600 1209600 60\nexample.com. 60 NS ns1.example.net.\n";
    std::fs::write(zone, text).unwrap();
    let sign = ["zone", "sign", "example.com.zone", "--keys", "keys"];
    let early = run(home.path(), &[&sign[..], &long_ago].concat()).ends(1);
    let told = "example.com. has a key, but it is in use from 20";
    assert!(early.stderr.contains(told), "{early:#?}");
}
