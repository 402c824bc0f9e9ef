//! Nothing acts on a wrong tree: what counts as merged is the branch that is named, and what servers load is what was judged.
#![allow(
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::external::{LOADED, reloaded, sign};
use rotation_support::far::{Far, git};
use rotation_support::{BEGIN, BRANCH, Publish, Run, SIGNED, World, ZONE_FILE, apex, hours};
use std::fmt::Write as _;
use std::fs;
use tlsa_rotate::rotation::timing::Span;

/// A rotation whose first proposal waits for review.
fn proposed(world: World) -> World {
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    world
}

/// Runs what a hint says to run: git, in the workspace.
#[track_caller]
fn follow(world: &World, run: &Run, words: &str) {
    let mut hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
    let hint = hints.find(|hint| hint.contains(words));
    let hint = hint.unwrap_or_else(|| panic!("no hint says {words}: {run:#?}"));
    let commands = hint[hint.find("git ").unwrap()..].split(" && ");
    for command in commands {
        world.git(command.trim().strip_prefix("git ").unwrap());
    }
}

#[test]
fn who_looks_at_a_proposal_has_not_merged_it() {
    let looks = [
        ("the branch", format!("checkout --quiet {BRANCH}")),
        ("its commit", format!("checkout --quiet --detach {BRANCH}")),
    ];
    for named in [true, false] {
        for (what, look) in &looks {
            let world = proposed(World::with(Publish::Branch, |config| {
                if named {
                    config
                } else {
                    config.replace("branch = \"main\"\n", "")
                }
            }));
            let signed = world.read(SIGNED);
            world.git(look);
            let run = world.advance(hours(1)).ends(3);
            assert_eq!(world.read(SIGNED), signed, "{what}: {run:#?}");
            assert_eq!(
                run.stderr.contains("branch main counts as merged, because"),
                !named,
                "{run:#?}"
            );
            let plan = world.run(hours(1), &["plan", "mail"]).ends(0).stdout;
            assert!(
                plan.contains("\n3 PUBLISH IT BESIDE THE OLD    since ")
                    && plan.contains("\n2 COMPUTE THE RECORD           done\n"),
                "{what}: {plan}"
            );
            let plan = world.run(hours(1), &["plan", "mail", "--format", "json"]);
            let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
            let step = &plan["rotations"][0]["steps"][2];
            assert_eq!(
                (&step["done"], &step["under_way"]),
                (&false.into(), &true.into())
            );
            // Merged elsewhere, while somebody still looks: that counts.
            world.git(&format!("update-ref refs/heads/main {BRANCH}"));
            world.advance(hours(1)).ends(0);
            assert_ne!(world.read(SIGNED), signed, "{what}");
        }
    }
}

#[test]
fn a_commit_without_review_goes_to_the_branch_that_counts_and_touches_nothing_else() {
    let world = World::new(Publish::Current);
    world.start(BEGIN).ends(0);
    world.git("checkout --quiet -b other");
    world.write("notes", "unfinished\n");
    let (other, zone) = (world.git("rev-parse HEAD"), world.read(ZONE_FILE));
    // A rebase would not find the branch where it left it.
    world.git("checkout --quiet --detach");
    fs::create_dir(world.path(".git/rebase-merge")).unwrap();
    world.write(".git/rebase-merge/head-name", "refs/heads/main\n");
    world.advance(BEGIN).complains_of("a rebase is under way");
    fs::remove_dir_all(world.path(".git/rebase-merge")).unwrap();
    world.git("checkout --quiet other");

    world.advance(BEGIN).ends(0);
    assert_eq!(world.git("rev-parse HEAD"), other);
    assert_eq!(world.read(ZONE_FILE), zone);
    assert_eq!(world.git("status --porcelain"), "?? notes");
    assert_eq!(world.git("rev-list --count other..main"), "1");
    assert_ne!(world.git(&format!("show main:{ZONE_FILE}")), zone.trim());
    assert_eq!(world.facts()[3], "PrepublishDecided");
    // It is done, wherever one looks from; and another working tree is not pulled away from under anybody.
    world.advance(BEGIN).ends(0);
    assert_eq!(world.git("rev-list --count other..main"), "1");
}

#[test]
fn which_branch_counts_is_derived_or_asked_for() {
    let world = World::with(Publish::Branch, |config| {
        config.replace("branch = \"main\"\n", "")
    });
    let told = |expected: &str| {
        let run = world.run(BEGIN, &["status"]);
        assert!(run.stderr.contains(expected), "{expected}: {run:#?}");
    };
    told("branch main counts as merged, because it is the only one of main and master");
    // Of two nobody knows.
    world.git("branch master");
    let run = world.advance(BEGIN);
    run.complains_of("nothing tells which branch of");
    assert!(
        run.stderr.contains("tlsa-rotate.toml: branch = \"main\""),
        "{run:#?}"
    );
    run.ends(3);
    let config = world.read("tlsa-rotate.toml");
    world.write("tlsa-rotate.toml", &format!("branch = \"main\"\n{config}"));
    world.advance(BEGIN).ends(0);
    world.write("tlsa-rotate.toml", &config);
    // The remote says which one it is.
    world.git("update-ref refs/remotes/origin/main main");
    world.git("symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main");
    told("branch main counts as merged, because the remote's HEAD names it");
    world.git("symbolic-ref --delete refs/remotes/origin/HEAD");
    // None of the usual names: the only one that is no proposal, whatever is checked out.
    world.git("branch --quiet --delete --force master");
    world.git("branch --move main trunk");
    let only = "branch trunk counts as merged, because it is the only branch that is no proposal";
    told(only);
    world.git(&format!("checkout --quiet -b {BRANCH}"));
    told(only);
    world.git("checkout --quiet --detach");
    told(only);
    world.advance(BEGIN).ends(0);
    world.git("checkout --quiet -b idea");
    world
        .advance(BEGIN)
        .complains_of("nothing tells which branch of");
    world.git("checkout --quiet trunk");
    world.git("branch --quiet --delete --force idea");
    // What is named has to be there.
    world.write("tlsa-rotate.toml", &format!("branch = \"main\"\n{config}"));
    let run = world.advance(BEGIN);
    run.complains_of("has no branch main, which is the one that counts");
}

#[test]
fn what_the_server_loads_is_what_was_judged() {
    let world = proposed(reloaded(Publish::Branch));
    assert_eq!(world.read(LOADED), world.read(ZONE_FILE));
    sign(&world, BEGIN);
    let before = world.read(LOADED);
    let looks_elsewhere = |world: &World| {
        world.git("checkout --quiet -b other");
        world.git(&format!("update-ref refs/heads/main {BRANCH}"));
    };
    let merged_and = |world: &World, change: &dyn Fn(String) -> String| {
        assert!(world.merge());
        world.write(ZONE_FILE, &change(world.read(ZONE_FILE)));
    };
    let edited = |world: &World| merged_and(world, &|zone| zone + "ftp 3600 IN A 192.0.2.77\n");
    let halved = |world: &World| merged_and(world, &|zone| zone[..zone.len() / 2].to_owned());
    let conflicting = |world: &World| {
        merged_and(world, &|zone| {
            format!("{zone}<<<<<<< HEAD\nftp A 192.0.2.7\n=======\nftp A 192.0.2.8\n>>>>>>> b\n")
        });
    };
    let cases: [(&str, &dyn Fn(&World), &str, &str); 4] = [
        ("edited", &edited, "it differs from line", "put it back"),
        ("half of it", &halved, "it differs from line", "put it back"),
        (
            "a merge under way",
            &conflicting,
            "the marks of a conflict",
            "put it back",
        ),
        (
            "another branch",
            &looks_elsewhere,
            "it differs from line",
            "check out the branch",
        ),
    ];
    for (what, deed, expected, way_out) in cases {
        let world = world.copy();
        deed(&world);
        let run = world.advance(hours(1)).ends(3);
        run.complains_of(expected);
        assert!(
            run.stderr.contains("is not as branch main has it"),
            "{what}: {run:#?}"
        );
        assert!(run.stderr.contains(" status\n"), "{what}: {run:#?}");
        assert_eq!(
            world.read(LOADED),
            before,
            "{what}: nothing was handed over"
        );
        follow(&world, &run, way_out);
        world.advance(hours(1)).ends(0);
        assert_eq!(
            world.read(LOADED).trim(),
            world.git(&format!("show main:{ZONE_FILE}")),
            "{what}"
        );
    }
    // What is committed and no zone is handed to nobody either.
    conflicting(&world);
    world.git("commit --quiet --all --message conflict");
    let run = world.advance(hours(1)).ends(3);
    assert!(run.stderr.contains(ZONE_FILE), "{run:#?}");
    assert_eq!(world.read(LOADED), before);
}

#[test]
fn the_working_tree_follows_the_remote_that_its_server_is_behind() {
    let far = Far::of(reloaded(Publish::Branch));
    let world = &far.runner;
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    sign(world, BEGIN);
    assert!(far.merge());
    let there = || git(&far.bare(), &format!("show main:{ZONE_FILE}"));
    // A commit that the remote does not have: only a person knows what becomes of it.
    world.git("commit --quiet --allow-empty --message mine");
    let run = world.advance(hours(1)).ends(3);
    run.complains_of("the branch here has commits that the remote does not have");
    assert_ne!(world.read(LOADED).trim(), there());
    world.git("reset --quiet --hard HEAD~1");
    // Somebody looks at something else.
    world.git("checkout --quiet -b other");
    let run = world.advance(hours(1)).ends(3);
    run.complains_of("branch other is checked out");
    follow(world, &run, "bring it forward");
    world.git("checkout --quiet main");
    world.git("reset --quiet --hard HEAD~1");
    // Nobody's unfinished work is put aside, also where his git would.
    world.git("config merge.autoStash true");
    let unfinished = format!("; mine\n{}", world.read(ZONE_FILE));
    world.write(ZONE_FILE, &unfinished);
    world.advance(hours(1)).ends(3);
    assert_eq!(world.read(ZONE_FILE), unfinished);
    world.git("reset --quiet --hard");

    world.advance(hours(1)).ends(0);
    assert_eq!(
        world.git("rev-parse main"),
        git(&far.bare(), "rev-parse main")
    );
    assert_eq!(world.read(LOADED).trim(), there());
    assert_eq!(world.git("status --porcelain --untracked-files=no"), "");
}

#[test]
fn a_reload_that_no_server_took_is_told_and_run_again() {
    let world = proposed(reloaded(Publish::Branch));
    sign(&world, BEGIN);
    assert!(world.merge());
    let run = world.advance(hours(1)).ends(0);
    assert!(run.stderr.contains("ran cp "), "{run:#?}");
    let soon = world.advance(hours(1) + Span::seconds(300));
    assert!(!soon.stderr.contains("ran cp "), "{soon:#?}");
    let late = world.advance(hours(2));
    assert!(
        late.stderr
            .contains("again: no server answers with what branch main holds of example.com."),
        "{late:#?}"
    );
    // One of two has it: the other one is behind, and no reload here helps that.
    sign(&world, hours(2));
    let run = world.advance(hours(3)).ends(0);
    assert!(!run.stderr.contains("ran cp "), "{run:#?}");
    assert_eq!(world.step(hours(3)), "Waiting");
}

/// A person adds a host to the zone, under a serial of `serial`, if one is given.
fn edits(world: &World, host: &str, serial: Option<u32>) {
    let mut zone = world.read(ZONE_FILE);
    writeln!(zone, "{host}.example.com. 3600 IN A 192.0.2.80").unwrap();
    if let Some(serial) = serial {
        let was = tlsa_rotate::zone::content::Zone::parse(zone.as_bytes(), Some(&apex())).unwrap();
        let was = was.soa().unwrap().serial.to_string();
        zone = zone.replacen(&was, &serial.to_string(), 1);
    }
    world.write(ZONE_FILE, &zone);
    world.git("commit --quiet --all --message edit");
}

#[test]
fn a_reload_is_taken_when_the_serial_is_served_whatever_was_changed() {
    let again = "again: no server answers with what branch main holds of example.com.";
    // Signed here: the serial that is to be served is ours.
    let world = proposed(World::with(Publish::Branch, |config| {
        config.replace("[[zone]]", "[[zone]]\nreload = [\"true\"]")
    }));
    edits(&world, "ftp", None);
    let run = world.advance(hours(1)).ends(3);
    assert!(run.stderr.contains("ran true"), "{run:#?}");
    for hour in [2, 3] {
        let run = world.advance(hours(hour)).ends(3);
        assert!(run.stderr.contains(again), "{run:#?}");
    }
    world.load_into(1);
    let run = world.advance(hours(4)).ends(3);
    assert!(!run.stderr.contains("ran true"), "one has it: {run:#?}");

    // Signed by somebody else, who counts: a serial that the file has raised changes theirs.
    let world = proposed(reloaded(Publish::Branch));
    edits(&world, "ftp", Some(2_040_000_000));
    let run = world.advance(hours(1)).ends(3);
    assert!(run.stderr.contains("ran cp "), "{run:#?}");
    for hour in [2, 3] {
        let run = world.advance(hours(hour)).ends(3);
        assert!(run.stderr.contains(again), "{run:#?}");
    }
    sign(&world, hours(3));
    let run = world.advance(hours(4)).ends(3);
    assert!(
        !run.stderr.contains("ran cp "),
        "they count by themselves: {run:#?}"
    );
    // One that it has not raised tells nothing.
    edits(&world, "www", None);
    let run = world.advance(hours(5)).ends(3);
    assert!(run.stderr.contains("ran cp "), "{run:#?}");
    let run = world.advance(hours(6)).ends(3);
    assert!(!run.stderr.contains("ran cp "), "{run:#?}");
}

#[test]
fn a_configuration_counts_once_it_is_on_the_branch_that_counts() {
    let world = World::new(Publish::Current);
    let config = world.read("tlsa-rotate.toml");
    let touching = |file: &str| {
        config.replace(
            "[[zone]]",
            &format!("[[zone]]\nreload = [\"touch\", \"{file}\"]"),
        )
    };
    // To edit is not to commit; nor is it to look at somebody's branch, or to have it checked out, whichever it names.
    let other = touching("other").replace("branch = \"main\"", "branch = \"other\"");
    world.git("checkout --quiet -b other");
    fs::write(world.path("tlsa-rotate.toml"), &other).unwrap();
    world.git("commit --quiet --all --message theirs");
    let looks: [(&str, &str); 4] = [
        ("main", "edited"),
        ("other", ""),
        ("--detach other", ""),
        ("--orphan none", "unborn"),
    ];
    for (nth, (place, edit)) in (1..).zip(looks) {
        world.git("checkout --quiet main");
        edits(&world, "one.more", Some(2_026_120_200 + nth));
        world.git(&format!("checkout --quiet {place}"));
        if !edit.is_empty() {
            fs::write(world.path("tlsa-rotate.toml"), touching(edit)).unwrap();
        }
        for command in [
            &["advance"][..],
            &["status"],
            &["plan"],
            &["check", "--swap", "mail"],
        ] {
            let run = world.run(hours(u64::from(nth)), command);
            let told = run
                .stderr
                .contains("tlsa-rotate.toml differs from that of branch main, which counts");
            assert!(told, "{place} {command:?}: {run:#?}");
        }
        for file in ["edited", "other", "unborn"] {
            assert!(!world.path(file).exists(), "{place}: {file}");
        }
        world.git("checkout --quiet --force main");
    }
    // Nor does a draft stop anything that is none yet.
    fs::write(world.path("tlsa-rotate.toml"), "hosts = 7\n").unwrap();
    let run = world.run(hours(8), &["status"]).ends(0);
    assert!(
        run.stderr.contains("hosts") && run.stderr.contains("branch main, which counts"),
        "{run:#?}"
    );
    world.git("checkout --quiet --force main");
    // Nor a file that is not there.
    fs::remove_file(world.path("tlsa-rotate.toml")).unwrap();
    for command in ["status", "advance"] {
        let run = world.run(hours(8), &[command]).ends(0);
        assert!(run.stderr.contains("branch main, which counts"), "{run:#?}");
    }
    world.git("checkout --quiet --force main");
    // Where runs went by another branch than the one that the file names, that is said.
    let note = world.read(".tlsa-rotate/branch");
    world.write(".tlsa-rotate/branch", "other\n");
    let run = world.run(hours(8), &["status"]);
    assert!(
        run.stderr
            .contains("branch other counts, by which earlier runs went"),
        "{run:#?}"
    );
    world.write(".tlsa-rotate/branch", &note);
    // Once it is there, it counts, wherever one is.
    fs::write(world.path("tlsa-rotate.toml"), touching("merged")).unwrap();
    world.git("commit --quiet --all --message ours");
    edits(&world, "two.more", Some(2_026_120_209));
    world.git("checkout --quiet --detach main~2");
    world.advance(hours(9)).ends(0);
    assert!(world.path("merged").exists());
    // What git does not track is the operator's own.
    world.git("checkout --quiet main");
    world.git("rm --quiet --cached tlsa-rotate.toml");
    world.git("commit --quiet --message untracked");
    fs::write(world.path("tlsa-rotate.toml"), touching("own")).unwrap();
    edits(&world, "three.more", Some(2_026_120_210));
    let run = world.advance(hours(10)).ends(0);
    assert!(
        world.path("own").exists() && !run.stderr.contains("which counts"),
        "{run:#?}"
    );
}
