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

use rotation_support::{BEGIN, HOSTS, JOURNAL, Publish, WHOLE, World, ZONE_FILE, hours, live_key};
use std::collections::BTreeMap;
use std::fs;
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workspace::journal::Journal;

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
    world.git_at(
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
    world.git_at(BEGIN, &["switch", "--quiet", "--create", "lower"]);
    ttl_at(&world, BEGIN - Span::days(15), 3600, 2_026_112_402);
    world.git_at(BEGIN - Span::days(14), &["switch", "--quiet", "main"]);
    world.git_at(
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
    world.git_at(BEGIN, &["switch", "--quiet", "--create", "lower"]);
    ttl_at(&world, BEGIN - Span::days(15), 3600, 2_026_112_402);
    world.git_at(BEGIN - Span::days(14), &["switch", "--quiet", "main"]);
    world.git_at(
        BEGIN - Span::hours(1),
        &["merge", "--quiet", "--no-ff", "--no-edit", "lower"],
    );
    world.git_at(BEGIN, &["reflog", "expire", "--expire=now", "--all"]);
    assert_eq!(swap_opens(&world), long.to_string(), "merged an hour ago");
}

/// The line of the plan about the TTLs from before, without the names, and when the swap opens.
fn ttl_old(world: &World) -> (String, String) {
    let plan = world.run(BEGIN, &["plan"]).ends(0).stdout;
    let flat = plan.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let line = flat.split_once(" TTL old ").map(|(_, after)| after);
    let line = line.unwrap_or_else(|| panic!("no TTL: {plan}"));
    (
        line.split(": _25").next().unwrap().to_owned(),
        swap_opens(world),
    )
}

#[test]
fn a_ttl_that_nobody_knows_is_assumed_or_stated_and_said() {
    let assumed = "1d, assumed, as nothing tells what it was before (policy assume_ttl)";
    // A name server that nobody knows may have left as well: the wait begins when its NS record has run out. What is assumed
    // counts once, what is stated twice.
    let swap_opens = |hours: u64| (BEGIN + Span::hours(1) + Span::hours(hours)).to_string();
    let an_hour = "ttl_before = \"1h\"\n";
    let table: [(&str, &str, &str, u64); 4] = [
        ("", "", assumed, 25),
        (
            "",
            "assume_ttl = \"2d\"\n",
            "2d, assumed, as nothing tells what it was before (policy assume_ttl)",
            49,
        ),
        (
            "ttl_before = \"2d\"\n",
            "",
            "2d, stated by the operator",
            97,
        ),
        (
            an_hour,
            "",
            "1h, stated by the operator, less than the 1d that would be assumed (policy assume_ttl)",
            25,
        ),
    ];
    for (before, policy, told, hours) in table {
        let world = World::with(Publish::File, |config| {
            let config = config.replace(an_hour, before);
            config.replace("[policy]\n", &format!("[policy]\n{policy}"))
        });
        let expected = (told.to_owned(), swap_opens(hours));
        assert_eq!(ttl_old(&world), expected, "before the start");
        let started = world.start(BEGIN).ends(0);
        assert!(
            started.stdout.contains(&format!("  TTL old  {told}: ")),
            "{started:#?}"
        );
        let note = "note: no history tells what TTL _25._tcp.mx1.example.com. and _25._tcp.mx2.example.com. had before: ";
        assert_eq!(
            started.stderr.contains(note),
            hours != 97 || before.is_empty(),
            "{started:#?}"
        );
        assert_eq!(ttl_old(&world), expected, "after the start");
    }
    // What is said at the start counts before what the configuration says.
    let world = World::new(Publish::File);
    world
        .run(BEGIN, &["start", "mail", "--ttl-before", "36h"])
        .ends(0);
    let expected = ("1d12h, stated by the operator".to_owned(), swap_opens(73));
    assert_eq!(ttl_old(&world), expected);
}

#[test]
fn an_assumption_counts_in_git_only_where_its_history_does_not_reach_back() {
    let seen = ("1h, seen".to_owned(), (BEGIN + Span::hours(25)).to_string());
    let assumed = "1d, assumed, as nothing tells what it was before (policy assume_ttl)";
    let assumed = (assumed.to_owned(), (BEGIN + Span::hours(25)).to_string());
    // A repository of that age.
    for (age, expected) in [(1, &assumed), (23, &assumed), (24, &seen), (240, &seen)] {
        let world = World::new(Publish::Current);
        fs::remove_dir_all(world.path(".git")).unwrap();
        let made = BEGIN - Span::hours(age);
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
        ] {
            world.git_at(made, arguments);
        }
        let author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        let commit = ["commit", "--quiet", "--message", "first"];
        world.git_at(made, &[&author[..], &commit].concat());
        assert_eq!(&ttl_old(&world), expected, "{age} hours old");
    }
    // A zone that came late into an old repository, and a clone that lacks what was before.
    let world = World::new(Publish::Current);
    world.git_at(
        BEGIN - Span::days(9),
        &["rm", "--quiet", "--cached", ZONE_FILE],
    );
    world.git_at(
        BEGIN - Span::days(9),
        &["commit", "--quiet", "--message", "without"],
    );
    world.git("add --all");
    world.git_at(
        BEGIN - Span::hours(2),
        &["commit", "--quiet", "--message", "with"],
    );
    assert_eq!(ttl_old(&world), assumed, "there is no such zone before");
    let world = World::new(Publish::Current);
    ttl_at(&world, BEGIN - Span::hours(2), 3600, 2_026_112_402);
    assert_eq!(ttl_old(&world), seen);
    let head = world.git("rev-parse HEAD");
    world.write(".git/shallow", &format!("{head}\n"));
    world.git("reflog expire --expire=now --all");
    // Another certificate's journal is here: none was lost.
    fs::create_dir_all(world.path(".tlsa-rotate/journal")).unwrap();
    world.write(".tlsa-rotate/journal/other.jsonl", "");
    assert_eq!(ttl_old(&world), assumed, "a shallow clone");
}

#[test]
fn a_ttl_that_servers_still_serve_counts_from_the_start_on() {
    let longer = |text: String, _: &[_]| text.replace("IN TLSA", "172800 IN TLSA");
    let world = World::shaped(Publish::Branch, |c| c, |root| vec![live_key(root)], longer);
    // The servers never loaded what was committed a week ago.
    let zone = world.read(ZONE_FILE).replace("172800 IN TLSA", "IN TLSA");
    world.write(ZONE_FILE, &zone.replace("2026112301", "2026112302"));
    let commit = ["commit", "--quiet", "--all", "--message", "shorter"];
    world.git_at(BEGIN - Span::days(8), &commit);
    nothing_is_noted(&world);
    assert_eq!(ttl_old(&world).0, "1h, seen");
    world.start(BEGIN).ends(0);
    assert_eq!(ttl_old(&world).0, "2d, seen");
}

/// What the run at the beginning noted goes: the commits of a test are dated before it.
fn nothing_is_noted(world: &World) {
    fs::remove_dir_all(world.path(".tlsa-rotate/seen")).unwrap();
}

/// Which servers and addresses are told to have left before the start, each with the hours until caches have forgotten it.
fn had_left(world: &World) -> BTreeMap<String, u64> {
    let journal = Journal::<Event>::read(&world.path(JOURNAL), "mail").unwrap();
    let mut all = BTreeMap::new();
    let hours = |end: &Instant| end.since(BEGIN).as_seconds() / 3600;
    for entry in journal.entries() {
        match &entry.event {
            Event::ServersHadLeft { zone, until } => {
                assert_eq!(zone.as_str(), "example.com.");
                all.extend(
                    until
                        .iter()
                        .map(|(server, end)| (server.0.clone(), hours(end))),
                );
            }
            Event::AddressesHadLeft { host, until } => {
                all.extend(
                    until
                        .iter()
                        .map(|(one, end)| (format!("{host} {one}"), hours(end))),
                );
            }
            _ => {}
        }
    }
    all
}

#[test]
fn servers_and_addresses_that_left_before_the_start_are_remembered() {
    let earlier = |text: String, _: &[_]| {
        text.replace("IN NS   ns1\n", "172800 IN NS ns1\n")
            .replace(
                "IN NS   ns2\n",
                "172800 IN NS ns3\n  172800 IN NS old.example.net.\n",
            )
            .replace("ns2             IN A ", "ns3 IN A 192.0.2.54\nns2 IN A ")
            .replace(
                "mx1             IN A    192.0.2.25",
                "mx1 86400 IN A 192.0.2.26",
            )
    };
    let shaped = |publish| World::shaped(publish, |c| c, |root| vec![live_key(root)], earlier);
    let change = |world: &World, before: Span| {
        let zone = world.read(ZONE_FILE);
        let zone = zone.replace("172800 IN NS ns1", "IN NS ns1");
        let zone = zone.replace("172800 IN NS ns3", "IN NS ns2");
        let zone = zone.replace("  172800 IN NS old.example.net.\n", "");
        let zone = zone.replace("mx1 86400 IN A 192.0.2.26", "mx1 IN A 192.0.2.25");
        world.write(ZONE_FILE, &zone.replace("2026112301", "2026112302"));
        let commit = ["commit", "--quiet", "--all", "--message", "others"];
        world.git_at(BEGIN - before, &commit);
        nothing_is_noted(world);
    };
    // A server may take a day to serve a commit; then the TTL runs.
    let world = shaped(Publish::Branch);
    change(&world, Span::hours(2));
    let started = world.start(BEGIN).ends(0);
    let expected = [
        ("ns3.example.com. 192.0.2.54:53", 70),
        ("old.example.net.", 70),
        ("mx1.example.com 192.0.2.26", 46),
    ];
    let expected = expected.map(|(one, hours)| (one.to_owned(), hours));
    assert_eq!(had_left(&world), BTreeMap::from(expected));
    let note = "note: caches may lead to ns3.example.com. 192.0.2.54:53, which example.com. has no more, until 2026-12-04T06:00:00Z";
    assert!(started.stderr.contains(note), "{started:#?}");

    let world = shaped(Publish::Branch);
    change(&world, Span::days(5));
    world.start(BEGIN).ends(0);
    assert_eq!(
        had_left(&world),
        BTreeMap::new(),
        "all caches have forgotten them"
    );

    // Without a history one that nobody knows stands for all of them.
    let world = World::new(Publish::File);
    world.start(BEGIN).ends(0);
    let unknown = ("an earlier server of example.com.".to_owned(), 1);
    assert_eq!(had_left(&world), BTreeMap::from([unknown]));
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
        lags.stdout.contains("Prepublishing; next: others"),
        "a server without any; that the other has a larger TTL than the absence had is no news: {lags:#?}"
    );
    world.load_into(1);
    let waits = world.advance(hours(3)).ends(0);
    assert!(
        waits
            .stdout
            .contains("next: wait until 2026-12-02T12:00:00Z"),
        "{waits:#?}"
    );
    world.advance(hours(28)).ends(3);
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(29)).ends(0);
    for looks in [35, 41, 47] {
        world.advance(hours(looks)).ends(0);
    }
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
