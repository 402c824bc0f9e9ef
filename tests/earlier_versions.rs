//! What version 0.1.0 wrote is read: every journal after every step of its rotation, and every configuration; and a rotation that
//! it left under way goes on to its end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{JOURNAL, Publish, WHOLE, World, hours};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::workspace::config::Config;

/// What the earlier version left, by its name without an ending.
fn golden(name: &str) -> String {
    fs::read_to_string(directory().join(name)).unwrap()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/0.1.0")
}

fn names(ending: &str) -> Vec<String> {
    let entries = fs::read_dir(directory()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

/// The journal of that name, its lines, and what the earlier version said of it after how many of them.
fn journal(name: &str) -> (Vec<String>, Vec<(usize, String)>) {
    let text = golden(&format!("{name}.jsonl"));
    let lines = text.split_inclusive('\n').map(str::to_owned).collect();
    let steps = golden(&format!("{name}.steps"));
    let steps = steps.lines().map(|line| {
        let (count, step) = line.split_once(' ').unwrap();
        (count.parse().unwrap(), step.to_owned())
    });
    (lines, steps.collect())
}

fn put(world: &World, lines: &[String]) {
    fs::create_dir_all(world.path(JOURNAL).parent().unwrap()).unwrap();
    world.write(JOURNAL, &lines.concat());
}

#[test]
fn every_journal_is_read_after_every_step_as_it_was_then() {
    let world = World::new(Publish::File);
    let mut seen = BTreeSet::new();
    let all = names(".jsonl");
    assert_eq!(all.len(), 15);
    for name in all {
        let name = name.strip_suffix(".jsonl").unwrap();
        let (lines, steps) = journal(name);
        assert_eq!(steps.last().unwrap().0, lines.len(), "{name}");
        for (count, expected) in steps {
            put(&world, &lines[..count]);
            let run = world.run(hours(3000), &["status", "--format", "json"]);
            let status: Value = serde_json::from_str(&run.stdout).unwrap();
            let rotation = &status["rotations"][0]["rotation"];
            let told = format!(
                "{} {}",
                rotation["id"].as_str().unwrap_or_default(),
                rotation["step"].as_str().unwrap_or_default()
            );
            assert_eq!(told, expected, "{name}, {count} lines: {run:#?}");
            seen.extend(expected.split(' ').nth(1).map(str::to_owned));
        }
        assert_eq!(world.read(JOURNAL), lines.concat(), "{name}: unchanged");
    }
    // Every step in which that version waited for something.
    let every = "Aborted Deployed Hashed Prepublishing Reinstated Reinstating Replaced Replacing Retired Retiring RollingBack SwapOpen Waiting Withdrawing";
    assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), every);
}

#[test]
fn every_configuration_is_read_and_asks_for_what_it_did() {
    let home = tempfile::tempdir().unwrap();
    for name in names(".toml") {
        let config = Config::parse(&golden(&name), home.path());
        let config = config.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let zone = config.zones[0].name.to_string();
        assert_eq!(
            (zone.as_str(), &*config.certificates[0].name),
            ("example.com.", "mail")
        );
        assert!(!config.rehearsal, "{name}");
        assert_eq!(config.branch, None, "{name}: it is found when it is needed");
    }
}

/// Commits as the earlier version made them: they say nothing of the journal.
fn as_they_were(world: &World) {
    let filter = "sed /^Tlsa-Rotate-Journal:/d";
    let arguments = [
        "filter-branch",
        "--force",
        "--msg-filter",
        filter,
        "--",
        "--all",
    ];
    let mut git = Command::new("git");
    git.current_dir(world.path("")).args(arguments);
    let run = git
        .env("FILTER_BRANCH_SQUELCH_WARNING", "1")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    for kept in world
        .git("for-each-ref --format=%(refname) refs/original")
        .lines()
    {
        world.git(&format!("update-ref -d {kept}"));
    }
    assert!(!world.git("log --all").contains("Tlsa-Rotate-Journal:"));
}

/// The `3 1 1` digests that a journal names as in use and as next.
fn digests(journal: &str) -> [String; 2] {
    let events = journal.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["event"].clone()
    });
    let events: Vec<Value> = events.collect();
    let found = |name: &str, field: &str| {
        let keys = events.iter().find_map(|event| event.get(name));
        keys.unwrap()[field][0].as_str().unwrap()[6..].to_owned()
    };
    [
        found("started", "current"),
        found("associations-computed", "incoming"),
    ]
}

/// The same lines about other keys, each as that version would have written it.
fn about(lines: &[String], keys: [&str; 2]) -> Vec<String> {
    let was = digests(&lines.concat());
    let mut before: Option<String> = None;
    let anew = lines.iter().map(|line| {
        let mut line = line.trim_end().to_owned();
        for (was, is) in was.iter().zip(keys) {
            line = line.replace(&**was, is);
        }
        if let Some(before) = &before {
            let at = line.find("\"previous\":\"").unwrap() + "\"previous\":\"".len();
            line.replace_range(at..at + 64, &digest(before));
        }
        let line = rotation_support::resealed(&line);
        before = Some(line.clone());
        line + "\n"
    });
    anew.collect()
}

fn digest(octets: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, octets.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

#[test]
fn a_rotation_that_it_left_under_way_goes_on_to_its_end() {
    let (lines, steps) = journal("reviewed");
    for step in ["Hashed", "Prepublishing", "SwapOpen", "Retiring"] {
        let is_it = |(_, told): &&(usize, String)| told.ends_with(step);
        let (count, _) = steps.iter().find(is_it).unwrap();
        let (world, mut hour) = World::new(Publish::Branch).brought_to(step);
        as_they_were(&world);
        let [current, incoming] = digests(&world.read(JOURNAL));
        let theirs = about(&lines[..*count], [&current, &incoming]);
        put(&world, &theirs);
        assert_eq!(world.step(hours(hour)), step);
        while hour < 90 && world.facts().last() != Some(&"RetireServed") {
            hour += 6;
            let run = world.advance(hours(hour));
            assert!(matches!(run.code, Some(0 | 3)), "{step}: {run:#?}");
            if world.merge() {
                world.advance(hours(hour));
            }
            world.load();
            if world.facts().contains(&"SwapOpened") {
                world.deploy(0);
                world.deploy(1);
            }
        }
        assert_eq!(world.facts(), WHOLE, "{step}");
        let journal = world.read(JOURNAL);
        assert!(
            journal.starts_with(&theirs.concat()),
            "{step}: their lines stay"
        );
    }
}
