//! A compromised key by the real program: what either priority costs is told first, and both get there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, World, hours};

fn plan(world: &World, priority: &str) -> serde_json::Value {
    let arguments = ["plan", "--emergency", priority, "mail", "--format", "json"];
    let run = world.run(BEGIN, &arguments).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(plan["schema"], "tlsa-rotate/plan/v1");
    plan["emergencies"][0]["bounds"].clone()
}

#[test]
fn the_price_is_told_before_anything_is_done() {
    let world = World::new(Publish::Current);
    let before = world.files();
    let delivery = plan(&world, "delivery");
    assert_eq!(delivery["waives_the_promise"], false);
    assert_eq!(delivery["outage_seconds"], 0);
    assert_eq!(
        delivery["wait_seconds"], 7200,
        "2 × TTL, no min_wait, no margin"
    );
    let security = plan(&world, "security");
    assert_eq!(security["waives_the_promise"], true);
    assert_eq!(security["outage_seconds"], 3600);
    assert_eq!(security["wait_seconds"], 0);
    // The signatures were made at the beginning and hold for two weeks, less the jitter.
    let replay = security["replay_until"].as_str().unwrap();
    assert!(
        ("2026-12-14".."2026-12-16").contains(&&replay[..10]),
        "{replay}"
    );
    let text = world
        .run(BEGIN, &["plan", "--emergency", "security", "mail"])
        .ends(0)
        .stdout;
    for part in [
        "THE PROMISE IS WAIVED",
        "and 1h more (the TTL of the old RRset)",
        &format!("until {replay}"),
        "tlsa-rotate emergency mail --priority security",
    ] {
        assert!(text.contains(part), "no `{part}`: {text}");
    }
    assert!(before == world.files(), "a plan changes nothing");
}

#[test]
fn delivery_first_keeps_the_protocols_wait_and_nothing_more() {
    let world = World::new(Publish::Current);
    let begun = world
        .run(
            BEGIN,
            &[
                "emergency",
                "mail",
                "--priority",
                "delivery",
                "--reason",
                "stolen laptop",
            ],
        )
        .ends(0);
    assert!(
        begun.stderr.contains("EMERGENCY, delivery first"),
        "{begun:#?}"
    );
    assert!(begun.stdout.contains("mail.1: Prepublishing"), "{begun:#?}");
    world.load();
    let waits = world.advance(hours(1)).ends(0);
    assert!(
        waits
            .stdout
            .contains("next: wait until 2026-12-01T11:00:00Z"),
        "{waits:#?}"
    );
    world.advance(hours(2)).ends(0);
    world.advance(hours(3)).ends(3);
    assert_eq!(world.step(hours(3)), "SwapOpen");
    world.deploy(0);
    world.deploy(1);
    let retiring = world.advance(hours(3)).ends(0);
    assert!(
        retiring
            .stdout
            .contains("Retiring (HostsPresentedIncoming, SoakPassed, RetireDecided)"),
        "{retiring:#?}"
    );
    world.load();
    world.advance(hours(4)).ends(0);
    assert_eq!(world.step(hours(4)), "Retired");
}

#[test]
fn security_first_replaces_at_once_and_says_until_when_mail_is_deferred() {
    let world = World::new(Publish::Current);
    let old = world.tlsa(HOSTS[0]);
    let begun = world
        .run(BEGIN, &["emergency", "mail", "--priority", "security"])
        .ends(4);
    assert!(begun.stderr.contains("THE PROMISE IS WAIVED"), "{begun:#?}");
    for part in [
        "mail.1: Replacing",
        "EMERGENCY  security goes first; the old RRset can be replayed until 2026-12-1",
        "put the next certificate and key on mx1.example.com:25",
    ] {
        assert!(begun.stdout.contains(part), "no `{part}`: {begun:#?}");
    }
    let zone = world.tlsa(HOSTS[0]);
    assert_eq!(zone.len(), 1, "the old record is gone at once");
    assert_ne!(zone, old);
    // The gate of automation says what the run says.
    let swap = world.run(BEGIN, &["check", "--swap", "mail"]).ends(0);
    assert!(swap.stdout.contains("deploy now on mx1"), "{swap:#?}");
    world.deploy(0);
    world.deploy(1);
    world.load();
    let replaced = world.advance(hours(1)).ends(4);
    assert!(
        replaced.stdout.contains("Replaced (ReplacementServed)"),
        "{replaced:#?}"
    );
    let status = world.run(hours(1), &["status"]).ends(4);
    for part in [
        "security goes first (mx1.example.com:25 on ",
        "nothing: the emergency that was declared puts security first",
        "caches recover by 2026-12-01T10:00:00Z",
    ] {
        assert!(status.stdout.contains(part), "no `{part}`: {status:#?}");
    }
    let refused = world.run(hours(1), &["rollback", "mail"]).ends(1);
    refused.complains_of("was declared compromised");
    assert!(
        refused.stderr.contains("`tlsa-rotate abort mail`"),
        "{refused:#?}"
    );
    // Who wants the old key back all the same gets it, and is told what that means.
    let back = world.copy().run(hours(1), &["abort", "mail"]).ends(0);
    assert!(back.stdout.contains("mail.1: Reinstating"), "{back:#?}");
    let cost = "the key that was declared compromised goes back into the zone";
    assert!(back.stderr.contains(cost), "{back:#?}");
    let over = world.advance(hours(2)).ends(0);
    assert!(
        over.stdout.contains("Retired (ReplacementVerified)"),
        "{over:#?}"
    );
    assert!(
        world.facts().contains(&"EmergencyDeclared"),
        "the waiver is recorded"
    );
}

#[test]
fn with_both_in_every_cache_security_breaks_nothing() {
    let (world, hour) = World::new(Publish::Current).brought_to("SwapOpen");
    let begun = world
        .run(
            hours(hour),
            &["emergency", "mail", "--priority", "security"],
        )
        .ends(3);
    assert!(begun.stderr.contains("outage     none"), "{begun:#?}");
    assert!(begun.stdout.contains("mail.1: SwapOpen"), "{begun:#?}");
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(hour)).ends(0);
    assert_eq!(world.step(hours(hour)), "Retiring", "no soak");
}
