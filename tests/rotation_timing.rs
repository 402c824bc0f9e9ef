//! What the waits of a rotation are made of, by the real program: TTLs of the past, of absence and of the present.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, WHOLE, World, ZONE_FILE, hours, live_key};
use std::process::Command;
use tlsa_rotate::rotation::timing::{Instant, Span};

/// Runs git as a person would have at `when`.
fn git_at(world: &World, when: Instant, arguments: &[&str]) {
    let date = format!("@{} +0000", when.unix());
    let run = Command::new("git")
        .current_dir(world.path(""))
        .args(arguments)
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .output()
        .unwrap();
    assert!(run.status.success(), "git {arguments:?}: {run:?}");
}

/// Commits the zone with another TTL of mx1's records.
fn ttl_at(world: &World, when: Instant, ttl: u32, serial: u32) {
    let zone = world.read(ZONE_FILE);
    let changed = zone.lines().map(|line| {
        if line.starts_with("_25._tcp.mx1 ") {
            format!("_25._tcp.mx1 {ttl} IN TLSA 3 1 1 (\n")
        } else if line.trim_start().starts_with("20261") && line.contains("; serial") {
            format!("                        {serial} ; serial: date and count\n")
        } else {
            format!("{line}\n")
        }
    });
    let changed: String = changed.collect();
    world.write(ZONE_FILE, &changed);
    git_at(
        world,
        when,
        &["commit", "--quiet", "--all", "--message", "another TTL"],
    );
}

/// When the swap opens at the earliest if the full set were served at once.
fn swap_opens(world: &World) -> String {
    let plan = world.run(BEGIN, &["plan", "--format", "json"]).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    plan["rotations"][0]["steps"][4]["earliest"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_ttl_that_was_lowered_counts_until_it_has_run_out() {
    let ago = |days| BEGIN - Span::days(days);
    let (short, long) = (BEGIN + Span::hours(25), BEGIN + Span::hours(4 * 24 + 1));
    // Two days' TTL, lowered so many days ago: two days and the day that servers may take are over after three.
    for (lowered, expected) in [(1, long), (2, long), (4, short), (6, short)] {
        let world = World::new(Publish::Branch);
        ttl_at(&world, ago(10), 2 * 86_400, 2_026_112_401);
        ttl_at(&world, ago(lowered), 3600, 2_026_112_402);
        let planned = swap_opens(&world);
        assert_eq!(
            planned,
            expected.to_string(),
            "lowered {lowered} days ago, before the start"
        );
        let started = world.start(BEGIN).ends(0);
        let said = "an earlier version of _25._tcp.mx1.example.com. may still be cached: it counts with its TTL of 2d";
        assert_eq!(
            started.stderr.contains(said),
            expected == long,
            "{started:#?}"
        );
        assert_eq!(swap_opens(&world), planned, "after the start");
    }
}

#[test]
fn a_commit_that_was_merged_long_after_it_was_made_lowers_the_ttl_when_it_is_merged() {
    let world = World::new(Publish::Branch);
    ttl_at(&world, BEGIN - Span::days(20), 2 * 86_400, 2_026_112_401);
    git_at(&world, BEGIN, &["switch", "--quiet", "--create", "lower"]);
    ttl_at(&world, BEGIN - Span::days(15), 3600, 2_026_112_402);
    git_at(
        &world,
        BEGIN - Span::days(14),
        &["switch", "--quiet", "main"],
    );
    git_at(
        &world,
        BEGIN - Span::hours(1),
        &["merge", "--quiet", "--ff-only", "lower"],
    );
    let long = BEGIN + Span::hours(4 * 24 + 1);
    assert_eq!(
        swap_opens(&world),
        long.to_string(),
        "HEAD was moved an hour ago"
    );
    // A merge commit says the same where nobody kept a record of HEAD's moves.
    let world = World::new(Publish::Branch);
    ttl_at(&world, BEGIN - Span::days(20), 2 * 86_400, 2_026_112_401);
    git_at(&world, BEGIN, &["switch", "--quiet", "--create", "lower"]);
    ttl_at(&world, BEGIN - Span::days(15), 3600, 2_026_112_402);
    git_at(
        &world,
        BEGIN - Span::days(14),
        &["switch", "--quiet", "main"],
    );
    git_at(
        &world,
        BEGIN - Span::hours(1),
        &["merge", "--quiet", "--no-ff", "--no-edit", "lower"],
    );
    git_at(
        &world,
        BEGIN,
        &["reflog", "expire", "--expire=now", "--all"],
    );
    assert_eq!(swap_opens(&world), long.to_string(), "merged an hour ago");
}

#[test]
fn the_first_use_of_dane_never_publishes_the_next_key_alone() {
    let bare = |text: String, _: &[tlsa_rotate::workspace::tls_key::KeyFiles]| {
        let start = text.find("; DANE: the public key").unwrap();
        let end = text.find("; A delegation").unwrap();
        format!("{}{}", &text[..start], &text[end..])
    };
    let world = World::shaped(Publish::Branch, |c| c, |root| vec![live_key(root)], bare);
    let live = world
        .run(BEGIN, &["record", "live/fullchain.pem"])
        .ends(0)
        .stdout
        .to_lowercase();
    let holds_current = |world: &World| {
        for host in HOSTS {
            let there = world.tlsa(host);
            assert!(
                there.is_empty() || there.iter().any(|data| live.contains(data)),
                "{there:?}"
            );
        }
    };
    let started = world.start(BEGIN).ends(0);
    assert!(
        started.stderr.contains("_25._tcp.mx2.example.com. has no TLSA record yet: the key in use is published beside the next one"),
        "{started:#?}"
    );
    world.advance(BEGIN).ends(3);
    holds_current(&world);
    assert!(world.merge());
    for host in HOSTS {
        assert_eq!(world.tlsa(host).len(), 2, "both at once");
    }
    holds_current(&world);
    world.advance(hours(1)).ends(0);
    world.load_into(0);
    let lags = world.advance(hours(2)).ends(0);
    assert!(
        lags.stdout.contains("Prepublishing; next: the world"),
        "a server without any; that the other has a larger TTL than the absence had is no news: {lags:#?}"
    );
    world.load_into(1);
    let waits = world.advance(hours(3)).ends(0);
    assert!(
        waits
            .stdout
            .contains("next: the clock, on 2026-12-02T12:00:00Z"),
        "{waits:#?}"
    );
    world.advance(hours(28)).ends(3);
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(29)).ends(0);
    world.advance(hours(53)).ends(3);
    holds_current(&world);
    assert!(world.merge());
    world.advance(hours(54));
    world.load();
    world.advance(hours(55)).ends(0);
    let mut facts = WHOLE.to_vec();
    let decided = facts
        .iter()
        .position(|f| *f == "PrepublishDecided")
        .unwrap();
    facts.splice(decided + 1..=decided, ["HigherTtlSeen", "HigherTtlSeen"]);
    assert_eq!(world.facts(), facts);
}

#[test]
#[ignore = "long: scripts/test runs it"]
fn a_rehearsal_counts_refused_mails_of_every_way_but_ours() {
    let world = World::new(Publish::Branch);
    let before = world.files();
    let few = ["simulate", "mail", "--senders", "3000", "--seed", "7"];
    let text = world.run(BEGIN, &few).ends(0).stdout;
    assert!(
        text.starts_with("mail: 3 000 senders with caches of their own in 16 worlds, seed 7\n"),
        "{text}"
    );
    assert!(
        text.contains("  host     mx1.example.com, TTL 1h\n"),
        "{text}"
    );
    let json = |arguments: &[&str]| -> serde_json::Value {
        let all = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&world.run(BEGIN, &all).ends(0).stdout).unwrap()
    };
    let counted = json(&few);
    assert_eq!(counted["schema"], "tlsa-rotate/simulate/v1");
    let rehearsal = &counted["rehearsals"][0];
    assert_eq!([&rehearsal["servers"], &rehearsal["refresh"]], [2, 7200]);
    let ways = rehearsal["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 6);
    assert_eq!(
        (&ways[0]["way"], &ways[0]["refused"]),
        (&"tlsa-rotate".into(), &0.into())
    );
    for way in &ways[1..] {
        assert!(way["refused"].as_u64() > Some(0), "{way}");
    }
    assert_eq!(json(&few), counted, "the same seed, the same numbers");
    // The same zone without a workspace, from its MX records.
    let bare = json(&[
        "simulate",
        "--zone",
        ZONE_FILE,
        "--senders",
        "3000",
        "--seed",
        "7",
    ]);
    assert_eq!(bare["rehearsals"][0]["what"], "example.com.");
    assert_eq!(bare["rehearsals"][0]["hosts"], rehearsal["hosts"]);
    assert!(before == world.files(), "a rehearsal changes nothing");
    world
        .run(BEGIN, &["simulate", "web"])
        .ends(1)
        .complains_of("there is no certificate `web`");
    world.run(BEGIN, &["simulate", "--senders", "0"]).ends(2);
}
