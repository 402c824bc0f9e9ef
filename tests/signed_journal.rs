//! Journals that several runners share on a ref that no rule for branches protects: what counts there is what a runner has signed
//! whose key the branch that counts lists. Real program, real git, real ssh-keygen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines, // a rotation is a story
    missing_docs
)]

mod rotation_support;

use rotation_support::far::{Far, LEDGER, git, opened};
use rotation_support::{BEGIN, JOURNAL, Publish, Run, World, hours};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a runner keeps its key: outside of what git tracks.
fn key_of(world: &World) -> PathBuf {
    world.path(".tlsa-rotate/runner")
}

/// Makes an SSH key; the line of its public half in a list of allowed signers.
fn key(path: &Path, who: &str) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for old in [path.to_owned(), path.with_extension("pub")] {
        let _ = fs::remove_file(old);
    }
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", who, "-f"])
        .arg(path)
        .status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    let public: Vec<&str> = public.split(' ').take(2).collect();
    let namespace = "namespaces=\"tlsa-rotate-journal@tlsa-rotate\"";
    format!("{who} {namespace} {}\n", public.join(" "))
}

/// Merges what asks for signatures, and the list of those who may.
fn set_up(far: &Far, list: &str) {
    let config = far.runner.read("tlsa-rotate.toml");
    let journal =
        "\n[journal]\nsign_with = \".tlsa-rotate/runner\"\nsigners = \"allowed_signers\"\n";
    if !config.contains(journal) {
        far.work("tlsa-rotate.toml", journal);
        far.runner.write("tlsa-rotate.toml", &(config + journal));
    }
    let person = far.person();
    let _ = fs::remove_file(person.join("allowed_signers"));
    fs::write(person.join("allowed_signers"), list).unwrap();
    git(&person, "add --all");
    git(&person, "commit --quiet --allow-empty --message signers");
    git(&person, "push --quiet origin HEAD:main");
}

fn signed(list: &str) -> Far {
    let far = Far::new(Publish::Branch);
    let line = key(&key_of(&far.runner), "runner1");
    set_up(&far, &(line + list));
    far.runner.git("fetch --quiet origin");
    far
}

/// The refusal of a commit, with `why`; the hint that puts back what was there.
fn refuses(run: &Run, commit: &str, why: &str) -> String {
    let told = format!(
        "commit {} there, made as Mallory <mallory@example.com>, is not by a runner in allowed_signers: {why}",
        &commit[..12]
    );
    run.complains_of(&told);
    let mut lines = run.stderr.lines();
    let back = lines.find_map(|line| line.split_once("put back what was there: git "));
    back.unwrap().1.to_owned()
}

#[test]
fn what_a_stranger_writes_there_moves_nothing() {
    // As long as nothing is signed, whoever may push moves a deployment: the protocols' wait is over, ours is not.
    let far = Far::new(Publish::Branch);
    far.waits();
    let forged = opened(&far.runner, hours(5));
    far.stranger(&forged, &[]);
    let run = far.runner.advance(hours(5));
    assert!(run.stdout.contains("SwapOpen"), "{run:#?}");

    let far = signed("");
    far.waits();
    let (world, journal) = (&far.runner, far.runner.read(JOURNAL));
    let forged = opened(world, hours(5));
    let (before, kept) = (
        git(&far.bare(), &format!("rev-parse {LEDGER}")),
        world.files(),
    );
    let commit = far.stranger(&forged, &[]);
    let run = world.advance(hours(5)).ends(3);
    let back = refuses(&run, &commit, "it is not signed");
    assert!(!run.stdout.contains("SwapOpen"), "{run:#?}");
    // A person's word is not recorded on top of it, and mail at risk is told.
    for arguments in [&["abort", "mail"][..], &["start", "mail"]] {
        refuses(
            &world.run(hours(5), arguments).ends(3),
            &commit,
            "it is not signed",
        );
    }
    world.deploy(0);
    let run = world.advance(hours(2)).ends(4);
    assert!(run.stdout.contains("DELIVERY AT RISK"), "{run:#?}");
    world.put_back(0);
    assert_eq!(world.read(JOURNAL), journal);
    let now = world.files();
    let differs = now
        .iter()
        .filter(|(path, what)| !path.starts_with(".git/") && kept.get(*path) != Some(*what));
    let differs: Vec<&String> = differs.map(|(path, _)| path).collect();
    assert_eq!(differs, Vec::<&String>::new());
    assert_eq!(git(&far.bare(), &format!("rev-parse {LEDGER}")), commit);
    // A clone in which nothing ever ran believes it as little: a pipeline, and a runner that is new.
    let clone = world.copy();
    fs::remove_dir_all(clone.path(".tlsa-rotate")).unwrap();
    clone.git("fetch --quiet origin");
    let gate = clone.run(
        hours(5),
        &[
            "check",
            "--merge",
            "--base",
            "origin/main",
            "--head",
            "origin/main",
        ],
    );
    assert!(refuses(&gate.ends(3), &commit, "it is not signed").contains(&before));
    clone
        .run(hours(5), &["status"])
        .complains_of("is not by a runner in allowed_signers");
    // As the hint says.
    world.git(&back);
    assert_eq!(git(&far.bare(), &format!("rev-parse {LEDGER}")), before);
    world.advance(hours(5)).ends(0);
    assert_eq!(world.step(hours(5)), "Waiting");
    clone.git("fetch --quiet origin");
    clone.advance(hours(5)).ends(0);
    assert_eq!(clone.read(JOURNAL), world.read(JOURNAL));
    world.advance(hours(27)).ends(3);
    assert_eq!(world.step(hours(27)), "SwapOpen");
}

#[test]
fn a_signature_by_another_for_another_purpose_or_of_another_tree_is_none() {
    let far = signed("");
    far.waits();
    let world = &far.runner;
    let forged = opened(world, hours(5));
    let own = far.home.path().join("own");
    key(&own, "mallory");
    // By a key of his own, as git signs; with the seal that stands below; and with one of his own as we make it.
    let config = [
        format!("user.signingKey={}", own.display()),
        "gpg.format=ssh".to_owned(),
    ];
    let gpg: Vec<&str> = config.iter().flat_map(|one| ["-c", one]).collect();
    let mut by_git = gpg.clone();
    by_git.push("--no-pager");
    let commit = far.stranger(&forged, &by_git);
    let back = refuses(
        &world.advance(hours(5)).ends(3),
        &commit,
        "it is not signed",
    );
    world.git(&back);
    let below = git(&far.bare(), &format!("log -1 --format=%B {LEDGER}"));
    let seal = &below[below.find("-----BEGIN").unwrap()..];
    let clone = far.home.path().join("mallory");
    let reseal = |seal: &str| {
        let tree = git(&clone, "write-tree");
        let made = Command::new("git")
            .current_dir(&clone)
            .args([
                "commit-tree",
                &tree,
                "-m",
                &format!("mail.1\n\n{seal}"),
                "-p",
            ])
            .arg(format!("{LEDGER}^{{commit}}"))
            .output();
        let commit = Run::from(made.unwrap()).ends(0).stdout.trim().to_owned();
        git(&clone, &format!("push --quiet origin {commit}:{LEDGER}"));
        commit
    };
    let commit = reseal(seal);
    let why = "the signature does not fit the text";
    let back = refuses(&world.advance(hours(5)).ends(3), &commit, why);
    world.git(&back);
    let parent = git(&clone, &format!("rev-parse {LEDGER}"));
    let tree = git(&clone, "write-tree");
    let text = format!("tlsa-rotate journals\ntree {tree}\nparent {parent}\n");
    for (key, namespace, why) in [
        (
            &own,
            "tlsa-rotate-journal@tlsa-rotate",
            "is not in the list of allowed signers",
        ),
        (&key_of(world), "git", "it is signed for `git`"),
    ] {
        let file = clone.join("text");
        fs::write(&file, &text).unwrap();
        let _ = fs::remove_file(clone.join("text.sig"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .args([key, &file])
            .output();
        Run::from(made.unwrap()).ends(0);
        let commit = reseal(&fs::read_to_string(clone.join("text.sig")).unwrap());
        let run = world.advance(hours(5)).ends(3);
        assert!(run.stderr.contains(why), "{run:#?}");
        let back = refuses(&run, &commit, "");
        world.git(&back);
    }
    world.advance(hours(5)).ends(0);
    assert_eq!(world.step(hours(5)), "Waiting");
}

#[test]
fn a_key_that_is_taken_off_the_list_writes_no_more_and_what_it_wrote_stays() {
    let far = signed("");
    far.waits();
    let a = &far.runner;
    let b = &a.copy();
    let line = key(&key_of(b), "runner2");
    set_up(&far, &line);
    let fetched = a.copy();
    // The one that is off the list takes over, and records nothing.
    let journal = a.read(JOURNAL);
    let run = a.advance(hours(27)).ends(3);
    run.complains_of("what is recorded for all runners must be signed: ");
    run.complains_of("is not allowed by allowed_signers: its key SHA256:");
    assert!(run.stderr.contains("hint: have a line of allowed_signers"));
    assert_eq!(a.read(JOURNAL), journal);
    a.run(hours(27), &["abort", "mail"]).ends(3);
    assert_eq!(a.read(JOURNAL), journal);
    // One that is new believes the journals once a runner on the list has signed what it had taken over before.
    let new = fetched;
    fs::remove_dir_all(new.path(".tlsa-rotate")).unwrap();
    fs::create_dir(new.path(".tlsa-rotate")).unwrap();
    for end in ["", ".pub"] {
        let (from, to) = (
            format!(".tlsa-rotate/runner{end}"),
            new.path(".tlsa-rotate"),
        );
        fs::copy(b.path(&from), to.join(format!("runner{end}"))).unwrap();
    }
    new.advance(hours(3))
        .ends(3)
        .complains_of("is not in the list of allowed signers");
    b.advance(hours(3)).ends(0);
    assert_eq!(
        git(&far.bare(), &format!("log -1 --format=%s {LEDGER}")),
        "Sign the journals as they are"
    );
    let tip = git(&far.bare(), &format!("rev-parse {LEDGER}"));
    new.advance(hours(3)).ends(0);
    b.advance(hours(4)).ends(0);
    assert_eq!(
        git(&far.bare(), &format!("rev-parse {LEDGER}")),
        tip,
        "once"
    );
    b.advance(hours(27)).ends(3);
    assert_eq!(b.step(hours(27)), "SwapOpen");
    a.advance(hours(27));
    assert_eq!(a.read(JOURNAL), b.read(JOURNAL), "it reads on");
}

#[test]
fn signing_begins_in_journals_that_are_there_and_a_runner_without_its_key_does_nothing() {
    let far = Far::new(Publish::Branch);
    far.waits();
    let (a, b) = (&far.runner, &far.runner.copy());
    let list = key(&key_of(a), "runner1");
    set_up(&far, &list);
    a.git("fetch --quiet origin");
    // Without its key the other one still looks, takes over, and says what it lacks where it would record.
    b.write("tlsa-rotate.toml", &a.read("tlsa-rotate.toml"));
    b.advance(hours(3)).ends(0);
    let run = b.advance(hours(27)).ends(3);
    run.complains_of("what is recorded for all runners must be signed: there is no key");
    let hint = "hint: `sign_with` of [journal] in tlsa-rotate.toml is this runner's own key";
    assert!(run.stderr.contains(hint), "{run:#?}");
    assert_ne!(b.step(hours(27)), "SwapOpen");
    a.advance(hours(3)).ends(0);
    a.advance(hours(27)).ends(3);
    b.advance(hours(27));
    assert_eq!(a.read(JOURNAL), b.read(JOURNAL));
    // A list that is gone is no list of everybody.
    let person = far.person();
    git(&person, "rm --quiet allowed_signers");
    git(&person, "commit --quiet --message gone");
    git(&person, "push --quiet origin HEAD:main");
    let commit = far.stranger(&a.read(JOURNAL), &[]);
    let run = a.advance(hours(28)).ends(3);
    run.complains_of("the branch that counts has no allowed_signers");
    let _ = commit;
}

#[test]
fn check_says_who_can_write_there() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    let check = |far: &Far| {
        let resolver = far.runner.server(0);
        let run = far.runner.run(BEGIN, &["check", "--resolver", &resolver]);
        let lines: Vec<&str> = run
            .stdout
            .lines()
            .filter(|line| {
                line.contains("refs/tlsa-rotate/journal")
                    || line.contains("this runner can record nothing")
            })
            .collect();
        lines.join("\n")
    };
    assert!(check(&far).contains("is not signed: whoever may push there can open a swap"));
    let list = key(&key_of(world), "runner1");
    set_up(&far, &list);
    world.git("fetch --quiet origin");
    assert_eq!(check(&far), "");
    fs::remove_file(key_of(world)).unwrap();
    assert!(check(&far).contains("this runner can record nothing: there is no key"));
}

#[test]
fn who_may_write_there_is_shown_to_whoever_reviews_it() {
    let far = signed("");
    far.waits();
    let world = &far.runner;
    let line = key(&far.home.path().join("other"), "runner2");
    let person = far.person();
    git(&person, "fetch --quiet origin");
    git(&person, "reset --quiet --hard origin/main");
    git(&person, "checkout --quiet -b request");
    fs::write(person.join("allowed_signers"), line).unwrap();
    git(&person, "commit --quiet --all --message list");
    git(&person, "push --quiet origin request");
    let gate = || {
        world.git("fetch --quiet origin");
        let refs = ["--base", "origin/main", "--head", "origin/request"];
        world.run(hours(3), &[&["check", "--merge"], &refs[..]].concat())
    };
    let run = gate().ends(0);
    for told in [
        "allowed_signers, by which runners are trusted, lets these write into the shared journals: runner2 (SHA256:",
        "allowed_signers, by which runners are trusted, lets these do so no more: runner1 (SHA256:",
    ] {
        assert!(run.stdout.contains(told), "{run:#?}");
    }
    // To give the signatures up is what a rotation under way goes by.
    let config = fs::read_to_string(person.join("tlsa-rotate.toml")).unwrap();
    let config = config.split("[journal]").next().unwrap();
    fs::write(person.join("tlsa-rotate.toml"), config).unwrap();
    git(&person, "commit --quiet --all --message unsigned");
    git(&person, "push --quiet origin request");
    let run = gate().ends(3);
    assert!(run.stdout.contains("journal is another"), "{run:#?}");
}
