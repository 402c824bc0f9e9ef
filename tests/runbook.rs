//! The runbook as its users have it: followed word for word it leads through a rotation, it fits on paper and in a ticket, and after
//! an abort it is the way back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, PROGRAM, Publish, World, hours};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

/// The steps of the plan as programs read them.
fn steps(world: &World, now: Instant) -> Vec<Value> {
    let plan = world
        .run(now, &["plan", "mail", "--format", "json"])
        .ends(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    plan["rotations"][0]["steps"].as_array().unwrap().clone()
}

fn commands(step: &Value) -> Vec<String> {
    let commands = step["commands"].as_array().unwrap().iter();
    commands
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

/// Runs what a step has to copy in a shell, at a time of the rehearsal, and gives the last exit code.
fn follow(world: &World, now: Instant, step: &Value, but: &[&str]) -> i32 {
    let bin = world.path("../bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("tlsa-rotate");
    fs::write(
        &program,
        format!("#!/bin/sh\nexec {PROGRAM} \"$@\" --now {now}\n"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut last = 0;
    for line in commands(step) {
        if line.starts_with('#') || but.iter().any(|one| line.contains(one)) {
            continue;
        }
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &line])
            .current_dir(world.path(""))
            .env("PATH", &path);
        for who in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{who}_NAME"), "a person");
            shell.env(format!("GIT_{who}_EMAIL"), "person@example.com");
            shell.env(format!("GIT_{who}_DATE"), now.to_string());
        }
        let run = shell.output().unwrap();
        last = run.status.code().unwrap();
        let told = String::from_utf8_lossy(&run.stderr).into_owned();
        // 3: a review is asked for, or the wait is not over.
        assert!(matches!(last, 0 | 3), "{line}: {told}");
    }
    last
}

#[test]
fn who_follows_the_runbook_gets_to_the_end() {
    let world = World::new(Publish::Branch);
    world.advance(BEGIN).ends(0);
    world.load();
    let of = |now: Instant, number: usize| steps(&world, now)[number - 1].clone();
    assert_eq!(follow(&world, BEGIN, &of(BEGIN, 1), &[]), 0);
    assert_eq!(world.step(BEGIN), "Hashed");
    let publish = of(BEGIN, 3);
    assert_eq!(publish["who"], "reviewer");
    follow(&world, BEGIN, &publish, &[]);
    world.load();
    world.advance(BEGIN);
    assert_eq!(world.step(BEGIN), "Waiting");
    let wait = of(BEGIN, 4);
    assert_eq!(wait["under_way"], true);
    assert_eq!(
        follow(&world, BEGIN, &wait, &[]),
        3,
        "it is to be waited for"
    );
    let install = of(BEGIN, 5);
    let earliest = install["earliest"].as_str().unwrap();
    assert_eq!(earliest, hours(25).to_string());
    world.advance(hours(25));
    // The hosts of this world read no file: the two copies are made, and put on them as a person would.
    let files: Vec<String> = commands(&install)
        .into_iter()
        .filter(|one| one.starts_with("install -m "))
        .collect();
    assert!(!files.is_empty(), "{install}");
    let key = "keys/tls/mail.1/ecdsa-p256.key.pem";
    assert!(
        commands(&install).iter().any(|one| one.contains(key)),
        "{install}"
    );
    assert_eq!(
        follow(
            &world,
            hours(25),
            &install,
            &["install -m", "cp -p", "verify"]
        ),
        0
    );
    for host in [0, 1] {
        world.deploy(host);
    }
    world.advance(hours(25));
    assert_eq!(world.step(hours(25)), "Deployed");
    follow(&world, hours(25), &of(hours(25), 6), &[]);
    world.watch(26, 49);
    let retire = of(hours(49), 7);
    follow(&world, hours(50), &retire, &[]);
    world.load();
    world.advance(hours(50));
    assert_eq!(world.step(hours(50)), "Retired");
    assert_eq!(world.tlsa("mx1").len(), 1);
}

#[test]
fn it_fits_on_paper_and_in_a_ticket() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let text = world.run(hours(hour), &["plan", "mail"]).ends(0).stdout;
    let zone = |line: &str| line.starts_with("  | ");
    for line in text.lines().filter(|line| !zone(line)) {
        assert!(line.chars().count() <= 81, "{line}");
    }
    let signed = "done at ________________ by ________________";
    assert_eq!(text.matches(signed).count(), 4, "steps 4 to 7: {text}");
    assert!(
        text.contains("\n3 PUBLISH IT BESIDE THE OLD    done\n"),
        "{text}"
    );
    let mut there = world.command(hours(hour), &["plan", "mail"]);
    there.env("TZ", "CET-1");
    let there = String::from_utf8(there.output().unwrap().stdout).unwrap();
    assert!(there.contains(" UTC (11:00 UTC+01:00)"), "{there}");
    let page = world
        .run(hours(hour), &["plan", "mail", "--format", "html"])
        .ends(0)
        .stdout;
    assert!(
        page.starts_with("<!doctype html>") && page.ends_with("</html>\n"),
        "{page}"
    );
    for loaded in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(loaded), "{loaded}: {page}");
    }
    assert!(
        page.contains("<pre>") && page.contains("tlsa-rotate check --swap mail"),
        "{page}"
    );
    let urgent = [
        "plan",
        "mail",
        "--emergency",
        "security",
        "--format",
        "html",
    ];
    let urgent = world.run(hours(hour), &urgent).ends(0).stdout;
    assert!(urgent.contains("the key is compromised"), "{urgent}");
}

#[test]
fn after_an_abort_it_is_the_way_back() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Deployed");
    world.run(hours(hour), &["abort", "mail"]);
    assert_eq!(world.step(hours(hour)), "RollingBack");
    let titles: Vec<String> = steps(&world, hours(hour))
        .iter()
        .map(|step| step["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(titles, ["Return", "Withdraw"]);
    let back = commands(&steps(&world, hours(hour))[0]);
    let told = "on each host: mx1.example.com, mx2.example.com";
    assert!(back.iter().any(|one| one.ends_with(told)), "{back:?}");
    let text = world.run(hours(hour), &["plan", "mail"]).ends(0).stdout;
    for said in [
        "PUT THE OLD KEY BACK",
        "REMOVE THE NEXT RECORD",
        "git merge --no-edit tlsa-rotate/mail.1",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
    assert!(!text.contains("INSTALL"), "{text}");
}

#[test]
fn in_an_emergency_it_says_what_to_do_at_once() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    world.run(
        hours(hour),
        &["emergency", "mail", "--priority", "security"],
    );
    assert_eq!(world.step(hours(hour)), "Replacing");
    let text = world.run(hours(hour), &["plan", "mail"]).stdout;
    for said in [
        "1 REPLACE RECORD AND KEY AT ONCE",
        "git merge --no-edit tlsa-rotate/mail.1",
        "keys/tls/mail.1/ecdsa-p256.key.pem",
        "2 WAIT FOR CACHES",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
    assert!(!text.contains(" done\n"), "{text}");
}
