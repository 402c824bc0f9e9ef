//! The review rules R2 to R4 in the run: people who merge late, revert, edit by hand or work on the zone meanwhile.
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
    BEGIN, BRANCH, HOSTS, Publish, World, ZONE_FILE, hours, pieces, without_tlsa,
};
use std::fs;

/// A rotation whose first proposal waits for review.
fn proposed() -> World {
    let world = World::new(Publish::Branch);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world
}

/// The same, merged in one of the ways people merge, and served; the hour is 2.
fn waiting(merge: impl Fn(&World)) -> World {
    let world = proposed();
    merge(&world);
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    assert_eq!(world.step(hours(2)), "Waiting");
    world
}

fn forward(world: &World) {
    world.merge();
}

/// From [`waiting`] to the end; the hour is 56.
fn retired(world: &World) {
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(28)).ends(0);
    world.watch(28, 53);
    world.advance(hours(53)).ends(3);
    world.merge();
    world.advance(hours(54)).ends(0);
    world.load();
    world.advance(hours(56)).ends(0);
    assert_eq!(world.step(hours(56)), "Retired");
}

/// Something that people do to a world.
type Deed<'d> = &'d dyn Fn(&World);

#[test]
fn a_revert_is_noticed_proposed_again_and_starts_the_clock_anew() {
    let squashed_and_deleted = |world: &World| {
        world.git(&format!("merge --quiet --squash {BRANCH}"));
        world.git("commit --quiet --message squashed");
        world.git(&format!("branch -D {BRANCH}"));
    };
    let with_a_merge_commit = |world: &World| {
        world.git("commit --quiet --allow-empty --message meanwhile");
        world.git(&format!("merge --quiet --no-ff --no-edit {BRANCH}"));
    };
    let ways: [(&str, Deed<'_>, &str); 3] = [
        ("forward", &forward, "revert --no-edit HEAD"),
        ("squashed", &squashed_and_deleted, "revert --no-edit HEAD"),
        (
            "merge commit",
            &with_a_merge_commit,
            "revert --no-edit -m 1 HEAD",
        ),
    ];
    for (way, merge, revert) in ways {
        let world = waiting(merge);
        world.git(revert);
        let run = world.advance(hours(3)).ends(3);
        let beginning = "mail.1: Prepublishing (MergeReverted); next: you: ";
        assert!(run.stdout.starts_with(beginning), "{way}: {run:#?}");
        assert!(
            run.stdout.contains("on the branch that counts lacks"),
            "{way}: {run:#?}"
        );
        assert!(run.stderr.contains("again on branch"), "{way}: {run:#?}");
        assert!(
            run.stderr.contains("has been taken out since"),
            "{way}: {run:#?}"
        );
        let quiet = world.advance(hours(3)).ends(3);
        assert!(
            quiet.stderr.contains("waits for review"),
            "{way}: {quiet:#?}"
        );
        world.merge();
        world.advance(hours(4)).ends(0);
        world.load();
        let run = world.advance(hours(5)).ends(0);
        // A day of waiting and an hour of margin from the second merge: the servers never lost what they serve.
        assert!(
            run.stdout.contains("wait until 2026-12-02T13:00:00Z"),
            "{way}: {run:#?}"
        );
    }
}

#[test]
fn a_proposal_that_was_deleted_unmerged_is_not_forced_upon_anybody() {
    let world = proposed();
    world.git(&format!("branch -D {BRANCH}"));
    let run = world.advance(hours(1)).ends(1);
    run.complains_of("was deleted before its proposal was merged");
    world.run(hours(1), &["abort", "mail"]).ends(0);
}

#[test]
fn a_proposal_that_was_deleted_is_made_again_after_a_day_or_when_a_person_asks() {
    for far in [None, Some(())] {
        let far = far.map(|()| Far::new(Publish::Branch));
        let here = far.is_none().then(|| World::new(Publish::Branch));
        let world = far
            .as_ref()
            .map_or_else(|| here.as_ref().unwrap(), |far| &far.runner);
        let delete = || match &far {
            Some(far) => drop(git(
                &far.bare(),
                &format!("update-ref -d refs/heads/{BRANCH}"),
            )),
            None => drop(world.git(&format!("branch --quiet -D {BRANCH}"))),
        };
        world.start(BEGIN).ends(0);
        world.advance(BEGIN).ends(3);
        delete();
        for hour in [1, 2, 24] {
            let run = world.advance(hours(hour)).ends(1);
            run.complains_of("was deleted before its proposal was merged");
        }
        let run = world.advance(hours(25)).ends(3);
        assert!(run.stderr.contains("for review on branch"), "{run:#?}");
        // The next deletion is another.
        delete();
        world.advance(hours(26)).ends(1);
        world.advance(hours(27)).ends(1);
        let run = world.run(hours(27), &["propose", "--again"]).ends(3);
        assert!(run.stderr.contains("for review on branch"), "{run:#?}");
        // Also where no run has seen it yet.
        delete();
        let run = world
            .run(hours(28), &["propose", "--again", "mail"])
            .ends(3);
        assert!(run.stderr.contains("for review on branch"), "{run:#?}");
        assert_eq!(world.read(".tlsa-rotate/deleted"), "");
    }
}

#[test]
fn a_branch_that_a_forge_brought_up_to_date_is_rebuilt_and_nobodys_work() {
    let far = Far::new(Publish::Branch);
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let person = far.person();
    let update = |more: &str| {
        git(&person, "fetch --quiet origin");
        git(
            &person,
            &format!("checkout --quiet -B update origin/{BRANCH}"),
        );
        git(&person, "merge --quiet --no-ff --no-commit origin/main");
        if !more.is_empty() {
            fs::write(person.join(more), "mine\n").unwrap();
            git(&person, "add --all");
        }
        git(&person, "commit --quiet --no-edit");
        git(&person, &format!("push --quiet origin update:{BRANCH}"));
    };
    // Twice, as two people press the button.
    for file in ["one", "two"] {
        far.work(file, "hello\n");
        update("");
    }
    let run = world.advance(hours(1)).ends(3);
    assert!(run.stderr.contains("rebuilt mail.1"), "{run:#?}");
    assert!(!run.stderr.contains("a person made"), "{run:#?}");
    let merges = git(&far.bare(), &format!("rev-list --merges {BRANCH}"));
    assert_eq!(merges, "", "it is one commit again");
    // What a person puts into such a merge is a person's.
    far.work("three", "hello\n");
    update("mine");
    let run = world.advance(hours(1)).ends(1);
    run.complains_of("holds commits that a person made or changed");
}

#[test]
fn an_abort_takes_a_proposal_back_that_a_forge_brought_up_to_date() {
    let world = proposed();
    world.write("notes", "hello\n");
    world.git("add --all");
    world.git("commit --quiet --message notes");
    world.git(&format!("checkout --quiet {BRANCH}"));
    world.git("merge --quiet --no-edit main");
    world.git("checkout --quiet main");
    world.run(hours(1), &["abort", "mail"]).ends(0);
    world.advance(hours(1));
    assert_eq!(world.git(&format!("branch --list {BRANCH}")), "");
}

#[test]
fn a_hand_edited_record_is_noticed_in_every_step() {
    for deployed in [false, true] {
        let world = waiting(forward);
        let mut hour = 3;
        if deployed {
            world.advance(hours(27)).ends(3);
            for host in 0..HOSTS.len() {
                world.deploy(host);
            }
            world.advance(hours(28)).ends(0);
            hour = 29;
        }
        let before = world.read(ZONE_FILE);
        // The incoming record of one host, gone: a sender that fetches this must refuse a host that has the new key.
        let mut pieces = pieces(&before);
        let mut records = (0..pieces.len()).filter(|&at| pieces[at].contains("TLSA"));
        let second = records.nth(1).unwrap();
        pieces.remove(second);
        let tidied = pieces.concat();
        assert_eq!(
            before.matches("TLSA").count() - 1,
            tidied.matches("TLSA").count()
        );
        world.write(ZONE_FILE, &tidied);
        world.git("commit --quiet --all --message tidy");
        // Once hosts have the incoming key, such a zone is not even handed to its servers.
        let (code, said) = if deployed {
            (4, "DELIVERY AT RISK")
        } else {
            (3, "on the branch that counts lacks")
        };
        let run = world.advance(hours(hour)).ends(code);
        assert!(run.stdout.contains(said), "{deployed}: {run:#?}");
        assert_eq!(
            run.stderr.contains("was not handed to its servers"),
            deployed
        );
        assert!(
            run.stderr.contains("again on branch"),
            "{deployed}: {run:#?}"
        );
        world.merge();
        // What the branch that counts lost counts as lost, also where no server followed: caches may hold the set of before until its TTL
        // has run out, and hosts with the next key are at risk until then.
        let code = if deployed { 4 } else { 0 };
        world.advance(hours(hour)).ends(code);
        world.advance(hours(hour + 2)).ends(0);
        assert_eq!(world.tlsa(HOSTS[0]).len(), 2);
        assert_eq!(world.tlsa(HOSTS[1]).len(), 2);
    }
}

#[test]
fn somebody_elses_commit_in_between_is_the_new_base() {
    let world = proposed();
    for (number, name) in ["ftp", "www2", "www3"].iter().enumerate() {
        let zone = world.read(ZONE_FILE);
        world.write(ZONE_FILE, &format!("{zone}{name} 3600 IN A 192.0.2.77\n"));
        world.git("commit --quiet --all --message unrelated");
        let run = world.advance(hours(1)).ends(3);
        assert!(run.stderr.contains("rebuilt mail.1"), "{number}: {run:#?}");
        let parent = world.git(&format!("rev-parse {BRANCH}^"));
        assert_eq!(parent, world.git("rev-parse main"));
        assert_eq!(world.advance(hours(1)).ends(3).stdout, run.stdout);
    }
    world.merge();
    let zone = world.zone().join("\n");
    for name in ["ftp", "www2", "www3"] {
        assert!(zone.contains(&format!("{name}.example.com.")), "{zone}");
    }
    assert_eq!(world.tlsa(HOSTS[0]).len(), 2);
}

#[test]
fn a_commit_made_while_a_change_is_prepared_is_not_undone_by_it() {
    for (publish, code) in [(Publish::Current, 0), (Publish::Branch, 3)] {
        let mut overtaken = 0;
        // Somebody commits once the branch was asked for so often: for the look, for the change, for the commit, and after it.
        for time in 1.. {
            let world = World::new(publish);
            world.start(BEGIN).ends(0);
            let (root, calls) = (world.path(""), world.path(".tlsa-rotate/calls"));
            let script = format!(
                "case \"$*\" in *'refs/heads/main^{{commit}}'*) git \"$@\" || exit; echo >> {calls}; test $(wc -l < {calls}) = {time} || exit 0; \
                 cd {root}; echo 'between IN A 192.0.2.99' >> {ZONE_FILE}; git commit --quiet --all --message between; exit;; esac",
                calls = calls.display(),
                root = root.display(),
            );
            let run = world.run_through(BEGIN, &["advance"], &script).ends(code);
            let asked = fs::read_to_string(&calls).unwrap().lines().count();
            if asked < time {
                assert!(time > 3, "the branch is asked for {asked} times");
                break;
            }
            overtaken += usize::from(run.stderr.contains("somebody was faster"));
            if publish == Publish::Branch {
                // What was proposed before that commit is made anew.
                world.advance(BEGIN).ends(3);
                world.merge();
            }
            assert!(
                world.read(ZONE_FILE).contains("between"),
                "{publish:?} {time} {run:#?}"
            );
            assert_eq!(world.tlsa(HOSTS[0]).len(), 2, "{publish:?} {time} {run:#?}");
        }
        // A proposal is made from one commit, whatever comes after it.
        let least = if publish == Publish::Current { 3 } else { 0 };
        assert!(overtaken >= least, "{publish:?}: {overtaken}");
    }
}

#[test]
fn merged_late_after_an_abort_it_is_taken_back() {
    let world = proposed();
    world.git(&format!("branch old {BRANCH}"));
    world.run(hours(1), &["abort", "mail"]).ends(0);
    assert_eq!(world.step(hours(1)), "Aborted");
    world.git("merge --quiet --ff-only old");
    let run = world.advance(hours(2)).ends(3);
    assert!(
        run.stdout.starts_with("mail.1: Aborted; next: you: "),
        "{run:#?}"
    );
    assert!(
        run.stdout.contains("on the branch that counts still holds"),
        "{run:#?}"
    );
    assert!(run.stderr.contains("for review on branch"), "{run:#?}");
    let status = world.run(hours(2), &["status"]).ends(3);
    assert!(
        status.stdout.contains("review the change that"),
        "{status:#?}"
    );
    world
        .run(hours(2), &["check", "--merge", "--head", BRANCH])
        .ends(0);
    world.merge();
    let run = world.advance(hours(3)).ends(0);
    assert!(run.stdout.contains("nothing, it is over"), "{run:#?}");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
}

#[test]
fn merged_late_after_an_abort_it_stays_where_a_host_has_its_key() {
    let world = proposed();
    world.git(&format!("branch old {BRANCH}"));
    world.run(hours(1), &["abort", "mail"]).ends(0);
    world.git("merge --quiet --ff-only old");
    world.deploy(0);
    let run = world.advance(hours(2)).ends(4);
    assert!(run.stdout.contains("DELIVERY AT RISK"), "{run:#?}");
    assert_eq!(
        world.git("log --format=%s --branches --not main"),
        "",
        "{run:#?}"
    );
}

#[test]
fn a_retirement_is_withdrawn_while_a_host_presents_the_old_key() {
    let world = waiting(forward);
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    world.advance(hours(28)).ends(0);
    world.watch(28, 53);
    world.advance(hours(53)).ends(3);
    let open = || !world.git(&format!("branch --list {BRANCH}")).is_empty();
    assert!(open());
    world.put_back(0);
    let run = world.advance(hours(54));
    assert!(
        !open(),
        "merged now, it would take the old key's record: {run:#?}"
    );
    assert!(run.stderr.contains("(retire)"), "{run:#?}");
    world.deploy(0);
    let run = world.advance(hours(55)).ends(3);
    assert!(open(), "{run:#?}");
    world.merge();
    world.advance(hours(56)).ends(0);
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
}

#[test]
fn brought_back_after_the_retirement_it_is_taken_out_again() {
    let world = waiting(forward);
    let old = world.tlsa(HOSTS[0]).len();
    assert_eq!(old, 2);
    retired(&world);
    world.git("revert --no-edit HEAD");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 2);
    let run = world.advance(hours(57)).ends(3);
    assert!(
        run.stdout.contains("mail.1: Retired; next: you: "),
        "{run:#?}"
    );
    assert!(run.stderr.contains("again on branch"), "{run:#?}");
    world.merge();
    world.advance(hours(58)).ends(0);
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
    // Who stops DANE altogether is not made to take it up again, only asked to say so.
    let zone = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &without_tlsa(&zone, ""));
    world.git("commit --quiet --all --message stop");
    assert_eq!(
        world.tlsa(HOSTS[0]).len(),
        0,
        "the records stood on one line each"
    );
    let run = world.advance(hours(59)).ends(3);
    assert!(!run.stderr.contains("again on branch"), "{run:#?}");
    let leave = ["abort", "mail", "--leave-dane"];
    world.run(hours(59), &leave).ends(0);
    world.load();
    let run = world.advance(hours(60)).ends(0);
    assert!(run.stdout.contains("nothing, it is over"), "{run:#?}");
}

#[test]
fn a_signed_proposal_is_made_anew_before_nobody_can_apply_it() {
    let world = World::with(Publish::Branch, |config| {
        let publish = "publish = {";
        // Signatures that last, so that it is the proposal alone whose time is over.
        let sign = "sign = { keys = \"keys\" }";
        assert!(config.contains(sign), "{config}");
        config
            .replacen(sign, "sign = { keys = \"keys\", validity = \"60d\" }", 1)
            .replacen(
                publish,
                "proposals = { sign_with = \"op\" }\npublish = {",
                1,
            )
    });
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", "op"])
        .current_dir(world.path(""))
        .status();
    assert!(made.unwrap().success());
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    let file = "changes/mail.1/publish.example.com.proposal";
    let expires = |world: &World| {
        let text = world.git(&format!("show {BRANCH}:{file}"));
        let line = text.lines().find(|l| l.starts_with("expires: ")).unwrap();
        line.to_owned()
    };
    let first = expires(&world);
    world.advance(hours(24)).ends(3);
    assert_eq!(expires(&world), first, "it stands while it can be applied");
    let run = world.advance(hours(24 * 7 + 1)).ends(3);
    assert!(run.stderr.contains("it was out of date"), "{run:#?}");
    assert_ne!(expires(&world), first);
    world
        .run(hours(24 * 7 + 1), &["check", "--merge", "--head", BRANCH])
        .ends(0);
    let late = world.run(hours(24 * 30), &["check", "--merge", "--head", BRANCH]);
    assert!(late.ends(3).stdout.contains("it expired on "));
    // One that was tampered with is not what it says.
    world.git(&format!("checkout --quiet -B pr {BRANCH}"));
    let text = world
        .read(file)
        .replacen("step: publish", "step: retire", 1);
    fs::write(world.path(file), text).unwrap();
    world.git("commit --quiet --all --amend --no-edit");
    world.git("checkout --quiet main");
    let tampered = world.run(hours(24 * 7 + 1), &["check", "--merge", "--head", "pr"]);
    assert!(
        tampered
            .ends(3)
            .stdout
            .contains(".proposal is not what mail.1/publish proposes")
    );
}
