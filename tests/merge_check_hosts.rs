//! The pre-merge gate looks at the hosts where a request takes a record away, through the real program, git and hosts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BRANCH, Publish, Run, World, ZONE_FILE, hours, without_tlsa};
use tlsa_rotate::rotation::timing::Instant;

/// A rotation whose last proposal waits for review, and the hour of the last run.
fn retiring() -> (World, u64) {
    World::new(Publish::Branch).brought_to("Retiring")
}

/// Commits `work`, as a person would, on a branch named `pr` that starts at main.
fn request(world: &World, work: impl Fn()) {
    world.git("checkout --quiet -B pr main");
    work();
    world.git("add --all");
    world.git("commit --quiet --message work");
    world.git("checkout --quiet main");
}

/// The same with an edit of the zone file.
fn pull_request(world: &World, edit: impl Fn(&str) -> String) {
    request(world, || {
        world.write(ZONE_FILE, &edit(&world.read(ZONE_FILE)));
    });
}

fn judged(world: &World, now: Instant, head: &str) -> Run {
    world.run(now, &["check", "--merge", "--head", head])
}

#[track_caller]
fn refused(run: Run, code: i32, why: &[&str]) {
    let run = run.ends(code);
    assert!(run.stdout.contains("it must not be merged"), "{run:#?}");
    for part in why {
        assert!(run.stdout.contains(part), "no `{part}`: {run:#?}");
    }
    assert!(run.stdout.contains("way out: "), "{run:#?}");
}

#[track_caller]
fn allowed(run: Run) -> String {
    let run = run.ends(0);
    assert!(run.stdout.contains("it may be merged"), "{run:#?}");
    run.stdout
}

/// The zone with another serial.
fn with_serial(zone: &str, serial: &str) -> String {
    let is_one = |word: &&str| word.len() == 10 && word.starts_with("202");
    let mut numbers = zone.split_whitespace().filter(is_one);
    let old = numbers.find(|word| word.parse::<u32>().is_ok()).unwrap();
    zone.replacen(old, serial, 1)
}

#[test]
fn what_takes_a_record_away_is_held_against_what_hosts_present_now() {
    let (world, hour) = retiring();
    allowed(judged(&world, hours(hour + 1), BRANCH));
    // A host that was restored from a backup presents the old key again.
    world.put_back(1);
    let seen = judged(&world, hours(hour + 1), BRANCH);
    let presents = "mx2.example.com:25 presents 3 1 1 ";
    refused(seen, 4, &[presents, "its mail would be refused (mail.1)"]);
    // The request itself does not say where the host is.
    let [first, second] = world.hosts()[..] else {
        panic!("two hosts");
    };
    let retired = world.git(&format!("show {BRANCH}:{ZONE_FILE}")) + "\n";
    request(&world, || {
        let config = world.read("tlsa-rotate.toml");
        let there = config.replace(&format!("[\"{second}\"]"), &format!("[\"{first}\"]"));
        assert_ne!(config, there);
        world.write("tlsa-rotate.toml", &there);
        world.write(ZONE_FILE, &retired);
    });
    refused(judged(&world, hours(hour + 1), "pr"), 4, &[presents]);
    // What takes nothing away asks nobody.
    pull_request(&world, |zone| {
        with_serial(zone, "2026122488") + "ftp 3600 IN A 192.0.2.77\n"
    });
    allowed(judged(&world, hours(hour + 1), "pr"));
    world.deploy(1);
    allowed(judged(&world, hours(hour + 1), BRANCH));
}

#[test]
fn what_takes_a_record_away_needs_every_host_to_be_seen() {
    let (world, hour) = retiring();
    let retired = world.git(&format!("show {BRANCH}:{ZONE_FILE}")) + "\n";
    // Where this runs, one host cannot be reached.
    let there = format!("\"mx2.example.com\" = [\"{}\"]", world.hosts()[1]);
    let config = world.read("tlsa-rotate.toml");
    assert!(config.contains(&there));
    let nowhere = "\"mx2.example.com\" = [\"127.0.0.1:1\"]";
    world.write("tlsa-rotate.toml", &config.replace(&there, nowhere));
    world.git("commit --quiet --all --message elsewhere");
    pull_request(&world, |_| retired.clone());
    refused(
        judged(&world, hours(hour + 1), "pr"),
        3,
        &[
            "not every host of mail.1 was seen",
            "mx2.example.com:25",
            "many pipelines may not connect to port 25",
        ],
    );
    // The request itself cannot say that the host is none of ours.
    request(&world, || {
        let config = config.replace(&format!(", {there}"), "");
        let hosts = "\"mx1.example.com\", \"mx2.example.com\"";
        assert!(config.contains(hosts) && !config.contains(&there));
        world.write(
            "tlsa-rotate.toml",
            &config.replace(hosts, "\"mx1.example.com\""),
        );
        world.write(ZONE_FILE, &retired);
    });
    let run = judged(&world, hours(hour + 1), "pr");
    refused(run, 3, &["not every host of mail.1 was seen"]);
    pull_request(&world, |zone| {
        with_serial(zone, "2026122488") + "ftp 3600 IN A 192.0.2.77\n"
    });
    allowed(judged(&world, hours(hour + 1), "pr"));
}

#[test]
fn the_first_record_of_a_name_must_be_of_what_its_host_presents() {
    let (world, hour) = retiring();
    world.merge();
    world.advance(hours(hour + 2)).ends(0);
    world.load();
    world.advance(hours(hour + 3)).ends(0);
    assert_eq!(world.step(hours(hour + 3)), "Retired");
    let with = world.read(ZONE_FILE);
    pull_request(&world, |zone| {
        with_serial(&without_tlsa(zone, "_25._tcp.mx2"), "2026122401")
    });
    let told = judged(&world, hours(hour + 4), "pr");
    refused(
        told,
        3,
        &[
            "_25._tcp.mx2.example.com. would have no usable TLSA",
            "without DANE",
        ],
    );
    world.git("merge --quiet --ff-only pr");
    let other = format!("_25._tcp.mx2 3600 IN TLSA 3 1 1 {}\n", "ab".repeat(32));
    pull_request(&world, |zone| with_serial(zone, "2026122402") + &other);
    refused(
        judged(&world, hours(hour + 4), "pr"),
        4,
        &["mx2.example.com:25 presents 3 1 1 "],
    );
    pull_request(&world, |_| with_serial(&with, "2026122402"));
    allowed(judged(&world, hours(hour + 4), "pr"));
}

#[test]
fn a_host_that_no_rotation_has_taken_in_is_held_against_its_records_too() {
    let (world, hour) = retiring();
    let wrong = format!("3 1 1 {}\n", "ab".repeat(32));
    // The request brings the host, its record and its place in the configuration.
    let third = world.one_more_host("mx3.example.com");
    let address = world.hosts()[third];
    let keys = world.tlsa("mx1.example.com").into_iter();
    let keys = keys.map(|record| record.split_whitespace().last().unwrap().to_owned());
    let keys: Vec<String> = keys.collect();
    let with_third = |record: &str| {
        request(&world, || {
            let config = world.read("tlsa-rotate.toml");
            let there = config
                .replace(
                    "\"mx2.example.com\"]",
                    "\"mx2.example.com\", \"mx3.example.com\"]",
                )
                .replace(
                    "addresses = { ",
                    &format!("addresses = {{ \"mx3.example.com\" = [\"{address}\"], "),
                );
            assert_ne!(config, there);
            world.write("tlsa-rotate.toml", &there);
            let lines = format!("mx3 3600 IN A 192.0.2.27\n_25._tcp.mx3 3600 IN TLSA {record}");
            let zone = with_serial(&world.read(ZONE_FILE), "2026122401") + &lines;
            world.write(ZONE_FILE, &zone);
        });
    };
    with_third(&wrong);
    refused(
        judged(&world, hours(hour + 1), "pr"),
        4,
        &[
            "mx3.example.com:25 presents 3 1 1 ",
            "its mail would be refused (mail)",
        ],
    );
    with_third(&format!(
        "3 1 1 {}\n_25._tcp.mx3 3600 IN TLSA 3 1 1 {}\n",
        keys[0], keys[1]
    ));
    allowed(judged(&world, hours(hour + 1), "pr"));
}
