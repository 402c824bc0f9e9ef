//! `adopt` by the real program: a key that hosts present already gets its record if somebody says that it is ours, and never
//! because it was seen.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{Publish, Run, World, hours};
use std::fs;
use tlsa_rotate::workspace::tls_key::{self, KeyFiles, KeyKind};

const BRANCH: &str = "tlsa-rotate/mail.adopt";

fn adopt(world: &World, hour: u64, more: &[&str]) -> Run {
    world.run(hours(hour), &[&["adopt", "mail"], more].concat())
}

/// The digest of the key of a certificate in the workspace.
fn digest(world: &World, certificate: &str) -> String {
    let run = world.run(hours(1), &["record", certificate]).ends(0);
    let mut words = run.stdout.split_whitespace();
    words.find(|word| word.len() == 64).unwrap().to_owned()
}

/// A host whose certificate somebody else has renewed, and the digest of its key.
fn renewed() -> (World, String) {
    let world = World::new(Publish::Branch);
    world.renew_elsewhere(0);
    let digest = digest(&world, "elsewhere/cert.pem");
    (world, digest)
}

#[test]
fn a_key_that_was_seen_is_not_published_because_it_was_seen() {
    let (world, digest) = renewed();
    // Mail is refused: the run says what to do about it.
    world.advance(hours(1)).ends(4);
    let run = world.run(hours(1), &["status", "mail"]).ends(4);
    let told = format!("{}{}", run.stdout, run.stderr);
    assert!(told.contains("tlsa-rotate adopt"), "{run:#?}");
    let (files, refs) = (world.files(), world.git("for-each-ref"));
    for more in [&[][..], &["--dry-run"]] {
        let run = adopt(&world, 1, more).ends(3);
        run.complains_of("nothing here says that it is yours");
        let told = [
            "mx1.example.com:25 at 127.0.0.1",
            "on the host itself, not over the network",
            &format!("tlsa-rotate adopt mail --digest {digest}"),
            "publish nothing, and find out who",
        ];
        for told in told {
            assert!(run.stderr.contains(told), "{told}: {run:#?}");
        }
    }
    let other = "ab".repeat(32);
    adopt(&world, 1, &["--digest", &other])
        .ends(3)
        .complains_of("no host presents 3 1 1 abab");
    assert_eq!(adopt(&world, 1, &["--digest", "12"]).code, Some(2));
    assert_eq!(world.git("for-each-ref"), refs);
    assert!(world.files() == files);
    // A certificate of another key says nothing of this one.
    adopt(&world, 1, &["--certificate", "live/fullchain.pem"])
        .ends(3)
        .complains_of("nothing here says");
}

#[test]
fn a_persons_word_or_a_file_makes_it_ours_and_mail_flows_again() {
    let (world, digest) = renewed();
    let run = adopt(&world, 1, &["--digest", &digest, "--dry-run"]).ends(0);
    let comes = format!("+ _25._tcp.mx1.example.com. TLSA 3 1 1 {digest}");
    assert!(run.stdout.contains(&comes), "{run:#?}");
    let run = adopt(&world, 1, &["--digest", &digest]).ends(4);
    assert!(run.stdout.contains(BRANCH), "{run:#?}");
    assert!(run.stdout.contains("point `live`"), "{run:#?}");
    let before = world.tlsa("mx1.example.com");
    let gate = world.run(hours(1), &["check", "--merge", "--head", BRANCH]);
    assert!(matches!(gate.code, Some(0 | 4)), "{gate:#?}");
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    let after = world.tlsa("mx1.example.com");
    assert!(after.contains(&digest) && before.iter().all(|one| after.contains(one)));
    world.advance(hours(2));
    world.load();
    // Every server lists it; senders that hold the records of before refuse for their TTL, and that is told.
    let run = world.advance(hours(3)).ends(4);
    assert!(run.stderr.contains("go on refusing it until"), "{run:#?}");
    // What comes next need not wait for caches.
    world
        .run(hours(3), &["disable", "mail", "--dry-run"])
        .ends(0);
    let run = world.advance(hours(5)).ends(0);
    assert!(run.stderr.contains("`adopt` is done"), "{run:#?}");
    // The next rotation begins from that key.
    let files = ["cert.pem", "key.pem"].map(|file| world.path("elsewhere").join(file));
    for (from, to) in files.iter().zip(["live/fullchain.pem", "live/privkey.pem"]) {
        fs::copy(from, world.path(to)).unwrap();
    }
    let run = world.start(hours(6)).ends(0);
    assert!(
        run.stdout.contains(&format!("in use   3 1 1 {digest}")),
        "{run:#?}"
    );
    // By the file, without a word.
    let (world, digest) = renewed();
    let run = adopt(&world, 1, &["--certificate", "elsewhere/cert.pem"]).ends(4);
    assert!(run.stdout.contains(&digest), "{run:#?}");
    let undone = adopt(&world, 1, &["--undo"]).ends(0);
    assert!(undone.stdout.contains("is taken back"), "{undone:#?}");
    // By the certificate in use in the configuration: certbot has replaced it.
    fs::copy(
        world.path("elsewhere/cert.pem"),
        world.path("live/fullchain.pem"),
    )
    .unwrap();
    let run = adopt(&world, 1, &[]).ends(4);
    assert!(run.stdout.contains(&digest), "{run:#?}");
    assert!(!run.stdout.contains("point `live`"), "{run:#?}");
}

#[test]
fn a_certificate_for_another_name_and_a_key_that_was_retired_are_refused() {
    let world = World::new(Publish::Branch);
    let directory = world.path("stranger");
    fs::create_dir_all(&directory).unwrap();
    let files = KeyFiles {
        key: directory.join("key.pem"),
        certificate: directory.join("cert.pem"),
        request: directory.join("request.pem"),
    };
    let random = ring::rand::SystemRandom::new();
    let hosts = ["mail.example.net".to_owned()];
    tls_key::ensure(
        &files,
        KeyKind::EcdsaP256,
        &hosts,
        rotation_support::BEGIN,
        &random,
    )
    .unwrap();
    world.present(0, &[("stranger/cert.pem", "stranger/key.pem")]);
    let stranger = digest(&world, "stranger/cert.pem");
    adopt(&world, 1, &["--digest", &stranger])
        .ends(3)
        .complains_of("is for mail.example.net, and not for mx1.example.com");
    // Nothing is amiss: nothing to do.
    world.put_back(0);
    let run = adopt(&world, 1, &[]).ends(0);
    assert!(run.stdout.contains("nothing to adopt"), "{run:#?}");
    // The key that a rotation took out of use is not taken again.
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    world.merge();
    world.advance(hours(hour + 1));
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    let old = digest(&world, "live/fullchain.pem");
    world.put_back(0);
    let run = adopt(&world, hour + 2, &["--digest", &old]).ends(3);
    run.complains_of("was retired by mail.1");
    assert!(run.stderr.contains("tlsa-rotate abort mail"), "{run:#?}");
    // Nor is the next key of a rotation that was given up: it goes forward by a command of its own.
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let next = digest(&world, "keys/tls/mail.1/ecdsa-p256.cert.pem");
    world.deploy(0);
    world.put_back(0);
    world.run(hours(hour), &["abort", "mail"]).ends(3);
    let merged = world.git("branch --list tlsa-rotate/mail.1");
    assert!(!merged.is_empty());
    world.merge();
    world.advance(hours(hour + 1));
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Aborted");
    world.deploy(0);
    let run = adopt(&world, hour + 2, &["--digest", &next]).ends(3);
    run.complains_of("(Aborted) takes");
    assert!(run.stderr.contains("tlsa-rotate deploy mail"), "{run:#?}");
}

#[test]
fn while_a_rotation_is_under_way_its_records_stay_as_they_are() {
    let world = World::new(Publish::Branch);
    world.start(hours(1)).ends(0);
    world.advance(hours(1)).ends(3);
    world.merge();
    world.advance(hours(2)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    world.renew_elsewhere(1);
    world.advance(hours(3)).ends(4);
    let run = world.run(hours(3), &["status", "mail"]).ends(4);
    let told = format!("{}{}", run.stdout, run.stderr);
    assert!(told.contains("tlsa-rotate adopt"), "{run:#?}");
    let digest = digest(&world, "elsewhere/cert.pem");
    let before = world.tlsa("mx2.example.com");
    adopt(&world, 3, &["--digest", &digest]).ends(4);
    world.git(&format!("merge --quiet --ff-only {BRANCH}"));
    let after = world.tlsa("mx2.example.com");
    assert_eq!(after.len(), before.len() + 1);
    world.advance(hours(4));
    world.load();
    let run = world.advance(hours(4));
    assert!(
        run.stderr.contains("every server lists the adopted key"),
        "{run:#?}"
    );
    assert_eq!(world.step(hours(4)), "Waiting");
}

/// A rotation that began between the proposal and its merge would not know the key that is adopted.
#[test]
fn no_rotation_begins_while_a_key_is_being_adopted() {
    let (world, digest) = renewed();
    adopt(&world, 1, &["--digest", &digest]).ends(4);
    let start = world.run(hours(1), &["start", "mail"]).ends(3);
    start.complains_of("`adopt` of mail is open");
    adopt(&world, 1, &["--undo"]);
    world.run(hours(1), &["start", "mail"]).ends(0);
}
