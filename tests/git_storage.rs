//! git as storage: what is locked, deleted, without a name or a home, of another user, or damaged is survived, or told with
//! the command that helps; and never taken for a repository in which nothing was committed yet.
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
use rotation_support::{BEGIN, BRANCH, JOURNAL, Publish, Run, World};
use std::fs;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

fn started(publish: Publish) -> World {
    let world = World::new(publish);
    world.start(BEGIN).ends(0);
    world
}

/// What a hint says to run, after `words`, as a shell takes it.
#[track_caller]
fn way_out(run: &Run, words: &str) -> String {
    let mut hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
    let hint = hints.find_map(|hint| hint.split_once(words));
    hint.unwrap_or_else(|| panic!("no hint says {words}: {run:#?}"))
        .1
        .to_owned()
}

#[track_caller]
fn shell(world: &World, command: &str) {
    let command = Command::new("sh")
        .args(["-c", command])
        .current_dir(world.path(""))
        .status();
    assert!(command.unwrap().success());
}

#[test]
fn locks_of_before_the_last_start_of_the_system_are_broken_and_others_are_told() {
    let branch = format!(".git/refs/heads/{BRANCH}.lock");
    let memory = format!(".git/refs/tlsa-rotate/{BRANCH}.lock");
    for (publish, lock, code) in [
        (Publish::Current, ".git/index.lock", 0),
        (Publish::Branch, &*branch, 3),
        (Publish::Branch, &*memory, 3),
    ] {
        let world = started(publish);
        let path = world.path(lock);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        world.write(lock, "");
        let run = world.advance(BEGIN).ends(1);
        run.complains_of(
            ".lock exists: another git is at work in the repository, or one was killed",
        );
        let old = world.copy();
        shell(&world, &way_out(&run, "delete the file: "));
        world.advance(BEGIN).ends(code);

        let file = fs::File::options()
            .write(true)
            .open(old.path(lock))
            .unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
            .unwrap();
        old.advance(BEGIN).ends(code);
        assert!(!old.path(lock).exists(), "{lock}");
        assert_eq!(old.commits(), 1, "{lock}");
    }
}

#[test]
fn a_proposal_that_was_deleted_is_told_and_made_again_when_that_is_wanted() {
    let here = started(Publish::Branch);
    here.advance(BEGIN).ends(3);
    here.git(&format!("branch --quiet -D {BRANCH}"));
    let far = Far::new(Publish::Branch);
    far.runner.start(BEGIN).ends(0);
    far.runner.advance(BEGIN).ends(3);
    git(&far.bare(), &format!("update-ref -d refs/heads/{BRANCH}"));
    for world in [&here, &far.runner] {
        let run = world.advance(BEGIN).ends(1);
        run.complains_of("was deleted before its proposal was merged");
        let command = way_out(&run, "proposed again: ");
        shell(world, command.split(';').next().unwrap());
        let run = world.advance(BEGIN).ends(3);
        assert!(run.stderr.contains("for review on branch"), "{run:#?}");
    }
}

#[test]
fn without_a_name_or_a_home_it_works_or_says_what_is_missing() {
    let world = started(Publish::Branch);
    let bare = |world: &World| {
        let mut command = world.command(BEGIN, &["advance"]);
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap());
        Run::from(command.output().unwrap())
    };
    world.git("config --unset user.name");
    world.git("config --unset user.email");
    world.git("config user.useConfigOnly true");
    let run = bare(&world).ends(1);
    run.complains_of("git does not know who makes the commit");
    shell(&world, &way_out(&run, "for this repository: "));
    bare(&world).ends(3);
    assert_eq!(world.commits(), 1);
}

/// What a person has set for himself.
const SETTINGS: [(&str, &str); 3] = [
    ("log.showSignature", "true"),
    ("i18n.logOutputEncoding", "UTF-16"),
    ("trailer.separators", "="),
];

#[test]
fn whatever_a_person_has_set_for_git_its_history_is_read() {
    let world = World::new(Publish::Current);
    let key = world.path("live/signs");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    world.git("config gpg.format ssh");
    world.git(&format!("config user.signingKey {}", key.display()));
    world.git("config commit.gpgSign true");
    world.start(BEGIN).ends(0);
    let mut run = world.command(BEGIN, &["advance"]);
    let run = run.env("GIT_ICASE_PATHSPECS", "1").output().unwrap();
    Run::from(run).ends(0);
    assert_eq!(world.commits(), 1);
    fs::remove_file(world.path(JOURNAL)).unwrap();
    for (name, value) in SETTINGS {
        world.git(&format!("config {name} {value}"));
        // What is kept of it was read without that.
        let _ = fs::remove_file(world.path(".tlsa-rotate/steps"));
        let run = world.advance(BEGIN).ends(3);
        assert!(
            run.stderr.contains("git knows of mail.1"),
            "{name}: {run:#?}"
        );
        world.git(&format!("config --unset {name}"));
    }
}

#[test]
fn where_git_cannot_be_asked_no_rotation_is_taken_for_none() {
    let world = started(Publish::Branch);
    for command in [
        &["status"][..],
        &["status", "mail"],
        &["advance", "--dry-run"],
        &["status", "--format", "json"],
    ] {
        let mut run = world.command(BEGIN, command);
        let run = Run::from(run.env("PATH", "/nonexistent").output().unwrap()).ends(1);
        assert!(run.stderr.contains("cannot run `git`"), "{run:#?}");
        assert!(!run.stdout.contains("no rotation"), "{run:#?}");
        let told = "its journal cannot be held against git";
        assert!(run.stdout.contains(told), "{run:#?}");
    }
}

#[test]
fn a_repository_of_another_user_is_not_trusted_and_that_is_told() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can give files away
    }
    let world = started(Publish::Branch);
    shell(&world, "chown -R 65534 .git");
    let home = tempfile::tempdir().unwrap();
    let advance = || {
        let mut command = world.command(BEGIN, &["advance"]);
        command
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("SUDO_UID");
        Run::from(command.output().unwrap())
    };
    let run = advance().ends(1);
    run.complains_of("another user owns it");
    assert!(!run.stderr.contains("git init"), "{run:#?}");
    let command = way_out(&run, "or trust it: ");
    let command = command.split(" (").next().unwrap();
    shell(&world, &format!("HOME={} {command}", home.path().display()));
    advance().ends(3);
    shell(&world, "chown -R 0 .");
    assert_eq!(world.commits(), 1);
}

#[test]
fn an_index_without_contents_is_made_anew_and_changes_no_file() {
    let world = started(Publish::Current);
    world.write("notes", "mine\n");
    world.write(".git/index", "");
    world.advance(BEGIN).ends(0);
    assert_eq!(world.git("status --porcelain"), "?? notes");
    assert_eq!(world.commits(), 1);
}

/// Something that is done to a world.
type Deed<'d> = &'d dyn Fn(&World);

#[test]
fn what_is_damaged_is_never_taken_for_a_beginning() {
    let empty = |path: &str| {
        let path = path.to_owned();
        move |world: &World| world.write(&path, "")
    };
    let tip = |world: &World| {
        let commit = world.git("rev-parse main");
        let path = format!(".git/objects/{}/{}", &commit[..2], &commit[2..]);
        fs::remove_file(world.path(&path)).unwrap();
        world.write(&path, "");
    };
    let tree = |world: &World| {
        let tree = world.git("rev-parse main^{tree}");
        let path = format!(".git/objects/{}/{}", &tree[..2], &tree[2..]);
        fs::remove_file(world.path(&path)).unwrap();
    };
    let branch = |world: &World| fs::remove_file(world.path(".git/refs/heads/main")).unwrap();
    let index = |world: &World| {
        let octets = [&b"DIRC\0\0\0\x63"[..], &[0; 100]].concat();
        fs::write(world.path(".git/index"), octets).unwrap();
    };
    let cases: [(&str, Publish, Deed<'_>, &str); 7] = [
        ("HEAD", Publish::Branch, &empty(".git/HEAD"), "fsck"),
        (
            "the branch",
            Publish::Branch,
            &empty(".git/refs/heads/main"),
            "fsck",
        ),
        (
            "the proposal",
            Publish::Branch,
            &empty(&format!(".git/refs/heads/{BRANCH}")),
            "fsck",
        ),
        ("the commit", Publish::Branch, &tip, "fsck"),
        ("the tree", Publish::Branch, &tree, "fsck"),
        (
            "the branch is lost",
            Publish::Branch,
            &branch,
            "put it back: ",
        ),
        ("the index", Publish::Current, &index, "git reset"),
    ];
    for (what, publish, deed, words) in cases {
        let world = started(publish);
        if publish == Publish::Branch {
            world.advance(BEGIN).ends(3);
        }
        let commits = world.commits();
        deed(&world);
        let run = world.advance(BEGIN);
        assert!(matches!(run.code, Some(1 | 3)), "{what}: {run:#?}");
        assert!(run.stderr.contains("error: "), "{what}: {run:#?}");
        for mistaken in ["no commit yet", "git init", "git add", "git checkout"] {
            assert!(!run.stderr.contains(mistaken), "{what}: {run:#?}");
        }
        let command = way_out(&run, words);
        if words == "put it back: " {
            shell(&world, &command);
            world.advance(BEGIN).ends(3);
            assert_eq!(world.commits(), commits, "{what}");
        } else if words == "git reset" {
            shell(&world, "rm .git/index && git reset --quiet");
            world.advance(BEGIN).ends(0);
        }
    }
}
