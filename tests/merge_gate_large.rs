//! Lists that git answers with are read whole, however long: thousands of journals on a shared ref, thousands of files in a
//! request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, git};
use rotation_support::{
    BEGIN, BRANCH, JOURNAL, PROGRAM, Publish, Run, World, ZONE_FILE, hours, resealed, without_tlsa,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tlsa_rotate::publish::git::Repository;

/// Makes one commit with many files on a ref.
fn import(repository: &Path, place: &str, files: impl Iterator<Item = (String, String)>) {
    let from = git(repository, &format!("rev-parse {place}"));
    let mut stream = format!(
        "commit {place}\ncommitter Ada <ada@example.com> 1796112000 +0000\ndata 4\nmany\nfrom {from}\n"
    );
    for (name, text) in files {
        let _ = write!(
            stream,
            "M 100644 inline {name}\ndata {}\n{text}\n",
            text.len()
        );
    }
    let mut child = Command::new("git")
        .current_dir(repository)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(stream.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn twenty_thousand_files_hide_nothing_of_a_request() {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world.git("checkout --quiet -b pr");
    let zone = without_tlsa(&world.read(ZONE_FILE), "_25._tcp.mx1");
    world.write(ZONE_FILE, &without_tlsa(&zone, "_25._tcp.mx2"));
    world.git("commit --quiet --all --message less");
    world.git("checkout --quiet main");
    // The zone file comes last by name, and in the middle.
    let many = (0..20_000).map(|number| (format!("a/{number:05}"), number.to_string()));
    import(&world.path("."), "refs/heads/pr", many);
    let run = world.run(
        hours(1),
        &["check", "--merge", "--base", "main", "--head", "pr"],
    );
    let run = run.ends(4);
    for host in ["mx1", "mx2"] {
        let lost = format!("out of _25._tcp.{host}.example.com. TLSA, which mail.1");
        assert!(run.stdout.contains(&lost), "{run:#?}");
    }
    // A proposal among as many is judged as one alone.
    world.git(&format!("branch --force pr {BRANCH}"));
    let many = (0..20_000).map(|number| (format!("a/{number:05}"), number.to_string()));
    import(&world.path("."), "refs/heads/pr", many);
    world
        .run(
            hours(1),
            &["check", "--merge", "--base", "main", "--head", "pr"],
        )
        .ends(0);
}

const MANY: usize = 5_000;
const LEDGER: &str = "refs/tlsa-rotate/journal";

/// A rotation whose proposal is merged, and the journals of many others beside its own; and what its own held.
fn among_many() -> (Far, String) {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    far.merge();
    let journal = world.read(JOURNAL);
    let first = journal.lines().next().unwrap();
    let many = (0..MANY).map(|number| {
        let name = format!("a{number:04}");
        let line = resealed(&first.replace("\"mail.1\"", &format!("\"{name}.1\"")));
        (format!("{name}.jsonl"), line + "\n")
    });
    import(&far.bare(), LEDGER, many);
    (far, journal)
}

fn kept(far: &Far, journal: &str) {
    let there = git(&far.bare(), &format!("ls-tree --name-only {LEDGER}"));
    assert_eq!(there.lines().count(), MANY + 1);
    let grown = far.there(LEDGER, "mail.jsonl");
    let is_longer = grown.len() > journal.len() && grown.starts_with(journal);
    assert!(is_longer, "it was added to");
}

#[test]
fn five_thousand_journals_on_a_shared_ref_are_all_read_and_all_kept() {
    let (far, journal) = among_many();
    // The gate, in a clone: the journal of mail is the last one of the list.
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "checkout --quiet -B revert origin/main");
    git(&person, "revert --no-edit HEAD");
    let output = Command::new(PROGRAM)
        .current_dir(&person)
        .args(["check", "--merge", "--base", "origin/main"])
        .args(["--now", &hours(1).to_string()])
        .output();
    let run = Run::from(output.unwrap()).ends(4);
    let required = "which mail.1 (Prepublishing) requires";
    assert!(run.stdout.contains(required), "{}", run.stderr);
    assert_eq!(run.stdout.matches("\n  asked ").count(), MANY + 1);
    // What a runner does where it adds to its own.
    let repository = Repository::discover(&person).unwrap();
    let was = repository.ledger().unwrap();
    let files = [(
        "mail.jsonl".to_owned(),
        format!("{journal}more\n").into_bytes(),
    )];
    repository
        .push_ledger("origin", was.as_deref(), &files, ("more", None))
        .unwrap();
    kept(&far, &journal);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_runner_takes_five_thousand_journals_over_and_drops_none() {
    let (far, journal) = among_many();
    far.runner.advance(hours(1)).ends(0);
    kept(&far, &journal);
    let here = std::fs::read_dir(far.runner.path(".tlsa-rotate/journal")).unwrap();
    let names = here.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let journals = names.filter(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|end| end == "jsonl")
    });
    assert_eq!(journals.count(), MANY + 1);
}
