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

use rotation_support::{BEGIN, HOSTS, Publish, SIGNED, World, ZONE_FILE, hours};
use std::fmt::Write as _;
use std::fs;

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
        "that its absence had a smaller TTL is no news: {run:#?}"
    );
    let status = world.run(hours(1), &["status"]).ends(1);
    assert!(
        status.stdout.contains("mail.1: Waiting since"),
        "{status:#?}"
    );
}

#[test]
fn a_zone_that_would_break_the_rotation_of_another_certificate_is_not_handed_on() {
    let world = fleet(0);
    let live = world.tlsa(HOSTS[0]).remove(0);
    for name in ["mail", "a"] {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    let (signed, good) = (world.read(SIGNED), world.read(ZONE_FILE));
    // The record of the key that a.example.com presents, the last of these, is misspelt; no other is touched.
    let at = good.rfind(&live[..48]).unwrap();
    let (before, after) = (&good[..at], &good[at + 48..]);
    world.write(ZONE_FILE, &format!("{before}{}{after}", "0".repeat(48)));
    world.git("commit --quiet --all --message tidied");
    let run = world.run(hours(2), &["advance", "mail"]).ends(4);
    run.complains_of("was not handed to its servers, for a.1: ");
    assert!(run.stderr.contains("tlsa-rotate status a"), "{run:#?}");
    assert_eq!(world.read(SIGNED), signed, "the servers keep the good zone");
    // Its own turn puts the record back, and the next run hands the zone on for all.
    world.advance(hours(3)).ends(4);
    assert!(world.tlsa("a.example.com").contains(&live));
    world.run(hours(4), &["advance", "mail"]).ends(0);
    assert_ne!(world.read(SIGNED), signed);
}

/// How often a run asks git.
fn gits(world: &World) -> usize {
    let count = world.path(".tlsa-rotate/count");
    let script = format!("echo >> {}", count.display());
    world.run_through(hours(1), &["advance"], &script).ends(0);
    fs::read_to_string(count).unwrap().lines().count()
}

#[test]
fn certificates_share_one_reading_of_their_zone() {
    let (few, many) = (gits(&fleet(3)), gits(&fleet(1500)));
    assert!(few > 0);
    assert_eq!(
        few, many,
        "git is asked as often for 1504 certificates as for 7"
    );
    // Likewise where each waits for the caches.
    let rotating = |count: usize| {
        let world = fleet(count);
        let rest: Vec<String> = (0..count).map(|number| format!("rest{number}")).collect();
        for name in ["mail", "a", "b", "c"]
            .into_iter()
            .chain(rest.iter().map(String::as_str))
        {
            world.run(BEGIN, &["start", name]).ends(0);
        }
        world.advance(BEGIN).ends(0);
        world.load();
        world.advance(BEGIN).ends(0);
        let status = world.run(BEGIN, &["status"]).ends(0);
        assert_eq!(
            status.stdout.matches(": Waiting since").count(),
            count + 4,
            "{status:#?}"
        );
        gits(&world)
    };
    let (few, many) = (rotating(0), rotating(6));
    assert!(few > 0);
    assert_eq!(few, many, "git is asked as often for 10 rotations as for 4");
}
