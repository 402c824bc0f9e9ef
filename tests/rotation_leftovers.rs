//! What rotations leave behind: merged branches, files for review and retired private keys go, and nothing that is needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{HOSTS, Publish, Run, World, hours};
use std::fs;

/// Rotation `number`, begun at `hour`; the run that ended it, and its hour.
fn rotated(world: &World, number: u32, hour: u64, review: impl Fn(&World, u64, u32)) -> (Run, u64) {
    world.start(hours(hour)).ends(0);
    let merge = |hour| {
        review(world, hour, number);
        if world.publish == Publish::Branch {
            world.git(&format!(
                "merge --quiet --ff-only tlsa-rotate/mail.{number}"
            ));
        }
    };
    world.advance(hours(hour));
    merge(hour);
    world.advance(hours(hour + 1));
    world.load();
    for later in [2, 27] {
        world.advance(hours(hour + later));
    }
    let next = |kind: &str| format!("keys/tls/mail.{number}/ecdsa-p256.{kind}.pem");
    for host in 0..HOSTS.len() {
        world.present(host, &[(&next("cert"), &next("key"))]);
    }
    // The soak is looked at all the while.
    for later in (28..=52).step_by(4) {
        world.advance(hours(hour + later));
    }
    merge(hour + 52);
    world.advance(hours(hour + 53));
    world.load();
    let ended = world.advance(hours(hour + 54)).ends(0);
    assert!(ended.stdout.contains("Retired"), "{ended:#?}");
    for (from, to) in [("cert", "fullchain"), ("key", "privkey")] {
        fs::copy(
            world.path(&next(from)),
            world.path(&format!("live/{to}.pem")),
        )
        .unwrap();
    }
    (ended, hour + 54)
}

fn nothing(_: &World, _: u64, _: u32) {}

#[test]
fn merged_branches_go_once_their_rotation_is_over_and_no_others() {
    let world = World::new(Publish::Branch);
    let others = |world: &World, _, number| {
        // A person's branch of a name like ours, and one that is not merged.
        if number == 1 {
            world.git("branch --force tlsa-rotate/mail.9 main");
        }
    };
    let (ended, hour) = rotated(&world, 1, 0, others);
    let told = "deleted branch tlsa-rotate/mail.1: mail.1 is over, and the branch is merged";
    assert!(ended.stderr.contains(told), "{ended:#?}");
    assert_eq!(
        world.git("branch --format %(refname:short)"),
        "main\ntlsa-rotate/mail.9"
    );
    assert_eq!(
        world.git("for-each-ref refs/tlsa-rotate"),
        "",
        "nor our memory of it"
    );
    // Somebody's branch of the same name stays: its last commit is not ours.
    world.git("branch tlsa-rotate/mail.1 main~2");
    world.advance(hours(hour + 1)).ends(0);
    assert!(world.git("branch").contains("tlsa-rotate/mail.1"));
    world.git("branch --delete --force tlsa-rotate/mail.1");
    // One that has more than was merged stays.
    let tip = world.git("log -1 --format=%H --grep=Tlsa-Rotate-Step main");
    world.git(&format!("checkout --quiet -b tlsa-rotate/mail.1 {tip}"));
    world.git(
        "commit --quiet --allow-empty --message more --trailer Tlsa-Rotate-Step:mail.1/retire",
    );
    world.git("checkout --quiet main");
    world.advance(hours(hour + 2)).ends(0);
    assert!(
        world.git("branch").contains("tlsa-rotate/mail.1"),
        "it is not merged"
    );
    // One that is checked out stays as long as that is so.
    world.git("branch --delete --force tlsa-rotate/mail.1");
    world.git(&format!(
        "worktree add --quiet -b tlsa-rotate/mail.1 .tlsa-rotate/theirs {tip}"
    ));
    world.advance(hours(hour + 3)).ends(0);
    assert!(
        world.git("branch").contains("tlsa-rotate/mail.1"),
        "it is checked out"
    );
    world.git("worktree remove .tlsa-rotate/theirs");
    let told = world.advance(hours(hour + 4)).ends(0);
    assert!(told.stderr.contains("deleted branch"), "{told:#?}");
}

#[test]
fn a_proposal_takes_the_files_for_review_of_earlier_rotations_away_and_may_be_merged() {
    for publish in [Publish::Branch, Publish::Current] {
        let world = World::new(publish);
        let (_, hour) = rotated(&world, 1, 0, nothing);
        let files = |world: &World| world.git("ls-tree -r --name-only main -- changes");
        assert!(files(&world).contains("changes/mail.1/retire.example.com.diff"));
        // What a person keeps there is theirs.
        world.write("changes/mail.1/notes.txt", "why\n");
        world.git("add changes");
        world.git("commit --quiet --message notes");
        let is_judged = |world: &World, hour, number: u32| {
            if world.publish == Publish::Branch {
                let head = format!("tlsa-rotate/mail.{number}");
                let judge = ["check", "--merge", "--base", "main", "--head", &head];
                world.run(hours(hour), &judge).ends(0);
            }
        };
        rotated(&world, 2, hour + 1, is_judged);
        let left = files(&world);
        assert!(left.contains("changes/mail.1/notes.txt"), "{left}");
        assert_eq!(left.matches("mail.1/").count(), 1, "{left}");
        assert!(
            left.contains("changes/mail.2/publish.example.com.diff"),
            "{left}"
        );
        assert!(
            left.contains("changes/mail.2/retire.example.com.diff"),
            "{left}"
        );
        assert!(
            !world
                .path("changes/mail.1/publish.example.com.diff")
                .exists()
        );
        assert_eq!(world.git("status --porcelain"), "");
    }
}

#[test]
fn a_retired_key_goes_when_nothing_that_lists_it_can_be_replayed_and_no_sooner() {
    let world = World::new(Publish::Current);
    let (_, hour) = rotated(&world, 1, 0, nothing);
    let (_, hour) = rotated(&world, 2, hour + 1, nothing);
    let key = |number: u32| world.path(&format!("keys/tls/mail.{number}/ecdsa-p256.key.pem"));
    let status = world
        .run(hours(hour), &["status", "--format", "json"])
        .stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let until = status["rotations"][0]["rotation"]["signed_until"]
        .as_str()
        .unwrap();
    let ends = (0..2000)
        .find(|more| hours(hour + more).to_string().as_str() >= until)
        .unwrap();
    let due = hour + ends + 24 * 7; // policy keep_retired_keys
    let run = |hour| {
        world.advance(hours(hour));
        world.load();
        world.advance(hours(hour)).ends(0)
    };
    run(due - 1);
    assert!(key(1).exists(), "an hour before");
    // A host that has it again keeps it.
    let old = |kind| format!("keys/tls/mail.1/ecdsa-p256.{kind}.pem");
    let next = |kind| format!("keys/tls/mail.2/ecdsa-p256.{kind}.pem");
    world.present(0, &[(&old("cert"), &old("key"))]);
    world.advance(hours(due)).ends(4);
    assert!(key(1).exists(), "a host presents it");
    world.present(0, &[(&next("cert"), &next("key"))]);
    // So does a certificate in use.
    let live = fs::read(world.path("live/fullchain.pem")).unwrap();
    fs::copy(world.path(&old("cert")), world.path("live/fullchain.pem")).unwrap();
    run(due + 1);
    assert!(key(1).exists(), "it is in use by the configuration");
    fs::write(world.path("live/fullchain.pem"), live).unwrap();
    let gone = world.advance(hours(due + 2)).ends(0);
    assert!(
        gone.stderr.contains(
            "removed the private key keys/tls/mail.1/ecdsa-p256.key.pem: mail.2 retired it"
        ),
        "{gone:#?}"
    );
    assert!(!key(1).exists() && world.path(&old("cert")).exists());
    assert!(key(2).exists(), "it is in use");
    let after = world.advance(hours(due + 3)).ends(0);
    assert!(!after.stderr.contains("removed"), "told once: {after:#?}");
}

#[test]
fn an_archive_is_made_of_what_is_over_and_a_key_in_it_is_known_as_used() {
    let world = World::new(Publish::Current);
    let cert = |number: u32| format!("keys/tls/mail.{number}/ecdsa-p256.cert.pem");
    fs::create_dir(world.path("old")).unwrap();
    fs::copy(world.path("live/fullchain.pem"), world.path("old/0.pem")).unwrap();
    let (_, hour) = rotated(&world, 1, 0, nothing);
    fs::copy(world.path("live/privkey.pem"), world.path("old/1.pem")).unwrap();
    let (_, hour) = rotated(&world, 2, hour + 1, nothing);
    // The keys that these retired are kept for a while, and so are the lines.
    let early = world.run(hours(hour), &["archive"]).ends(0);
    assert_eq!(early.stdout, "mail: nothing to archive\n");
    let late = hour + 24 * 60;
    world.advance(hours(late));
    world.load();
    world.advance(hours(late)).ends(0);
    let status = world.run(hours(late), &["status", "mail"]).ends(0).stdout;
    let told = world
        .run(hours(late), &["archive", "--dry-run"])
        .ends(0)
        .stdout;
    assert!(told.starts_with("mail: would move 1 rotation ("), "{told}");
    let done = world.run(hours(late), &["archive", "mail"]).ends(0).stdout;
    assert!(
        done.contains("the journal begins with mail.2 now"),
        "{done}"
    );
    assert_eq!(
        world.run(hours(late), &["status", "mail"]).ends(0).stdout,
        status
    );
    assert_eq!(
        world.run(hours(late), &["archive"]).ends(0).stdout,
        "mail: nothing to archive\n"
    );
    // What the archive tells is still known: a key that was used may not come again, nor one that was retired go on.
    let brought = [
        "start",
        "mail",
        "--certificate",
        &cert(1),
        "--key",
        "old/1.pem",
    ];
    world
        .run(hours(late), &brought)
        .ends(1)
        .complains_of("was retired in mail.2, and never comes back");
    let live = fs::read(world.path("live/fullchain.pem")).unwrap();
    fs::copy(world.path("old/0.pem"), world.path("live/fullchain.pem")).unwrap();
    world
        .start(hours(late))
        .ends(1)
        .complains_of("that mail.1 retired");
    fs::write(world.path("live/fullchain.pem"), live).unwrap();
    let third = world.start(hours(late)).ends(0);
    assert!(third.stdout.starts_with("mail.3: Hashed"), "{third:#?}");
}
