//! Many certificates in one run: what is broken with one stops no other, and those at rest cost next to nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, Run, World, hours};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Three certificates more than the one that there is, each of a host of its own, and more that rest.
fn fleet(resting: usize) -> World {
    World::with(Publish::Current, |mut config| {
        let names = ["a", "b", "c"].map(str::to_owned);
        let rest = (0..resting).map(|number| format!("rest{number}"));
        for name in names.into_iter().chain(rest) {
            // Nobody listens there: the world is unreachable for them, and that is told for each.
            let _ = write!(
                config,
                "\n[[certificate]]\nname = \"{name}\"\nhosts = [\"{name}.example.com\"]\nlive = {{ certificate = \"live/fullchain.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\naddresses = {{ \"{name}.example.com\" = [\"127.0.0.1:1\"] }}\n"
            );
        }
        config
    })
}

#[test]
fn one_broken_rotation_stops_no_other() {
    let world = fleet(0);
    for name in ["mail", "a", "b", "c"] {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    // One with a journal that is not one, one with a key directory that is a file.
    fs::write(world.path(".tlsa-rotate/journal/a.jsonl"), "{}\n").unwrap();
    let run = world.advance(BEGIN).ends(1);
    run.complains_of("a.jsonl:1: the journal is corrupt");
    let lines: Vec<&str> = run.stdout.lines().collect();
    for (line, beginning) in lines.iter().zip([
        "mail.1: Prepublishing",
        "a: ",
        "b.1: Prepublishing",
        "c.1: Prepublishing",
    ]) {
        assert!(line.starts_with(beginning), "{run:#?}");
    }
    assert_eq!(lines.len(), 4, "{run:#?}");
    assert_eq!(
        world.tlsa(HOSTS[0]).len(),
        2,
        "the zone was changed for the others"
    );
    assert_eq!(world.tlsa("c.example.com").len(), 2);
    world.load();
    let run = world.advance(hours(1)).ends(1);
    assert!(
        run.stdout.contains("mail.1: Waiting (PrepublishServed)"),
        "{run:#?}"
    );
    assert!(
        run.stdout.contains("c.1: Waiting (PrepublishServed)"),
        "{run:#?}"
    );
    let status = world.run(hours(1), &["status"]).ends(1);
    assert!(
        status.stdout.contains("mail.1: Waiting since"),
        "{status:#?}"
    );
}

#[test]
fn certificates_at_rest_share_one_reading_of_their_zone() {
    let gits = |world: &World| {
        let bin = world.path(".tlsa-rotate/bin");
        fs::create_dir_all(&bin).unwrap();
        let count = bin.join("count");
        let script = format!(
            "#!/bin/sh\necho >> {}\nPATH=${{PATH#*:}} exec git \"$@\"\n",
            count.display()
        );
        fs::write(bin.join("git"), script).unwrap();
        fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let run = world
            .command(hours(1), &["advance"])
            .env("PATH", path)
            .output();
        Run::from(run.unwrap()).ends(0);
        fs::read_to_string(count).unwrap().lines().count()
    };
    let (few, many) = (gits(&fleet(3)), gits(&fleet(1500)));
    assert!(few > 0);
    assert_eq!(
        few, many,
        "git is asked as often for 1504 certificates as for 7"
    );
}
