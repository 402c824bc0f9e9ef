//! The ways back by the real program: `rollback` at once while both keys are published, going on after it, `abort` from the
//! last step with a whole wait, and a clear word where there is no way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, World, ZONE_FILE, hours};

#[test]
fn a_rollback_holds_and_the_rotation_can_go_on() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Deployed");
    let zone = world.zone();
    let why = ["rollback", "mail", "--reason", "clients complain"];
    let back = world.run(hours(hour), &why).ends(3);
    for part in [
        "mail.1: SwapOpen",
        "held       clients complain",
        "presents 3 1 1 ",
        "not the previous key",
        "way out: put the previous certificate and key back on mx1.example.com:25",
        "the deployment is held after a rollback: clients complain",
        "`tlsa-rotate deploy` goes on, `tlsa-rotate abort` gives the rotation up",
    ] {
        assert!(back.stdout.contains(part), "no `{part}`: {back:#?}");
    }
    assert!(
        !back.stdout.contains("AT RISK"),
        "both are published: {back:#?}"
    );
    // Interrupted or not: a second wish, or a run, changes nothing.
    world.run(hours(hour), &why).ends(3);
    world.put_back(0);
    world.put_back(1);
    for later in [1, 100] {
        world.advance(hours(hour + later)).ends(3);
        assert_eq!(world.step(hours(hour + later)), "SwapOpen", "it holds");
    }
    assert_eq!(world.zone(), zone, "both keys stay in the zone");
    let open = world.run(hours(hour + 101), &["deploy", "mail"]).ends(3);
    assert!(
        open.stdout
            .contains("install the next certificate and key on mx1"),
        "{open:#?}"
    );
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(hour + 102)).ends(0);
    assert_eq!(world.step(hours(hour + 102)), "Deployed");
    let facts = world.facts();
    let last: Vec<_> = facts.iter().rev().take(4).rev().copied().collect();
    assert_eq!(
        last,
        [
            "RollbackRequested",
            "RollbackRequested",
            "DeploymentReleased",
            "HostsPresentedIncoming"
        ]
    );
}

#[test]
fn a_rollback_can_end_in_an_abort_and_runs_the_command_for_it() {
    let command = r#"deploy = { manual = true, rollback = ["sh", "-c", "echo $TLSA_ROTATE_ACTION $TLSA_ROTATE_HOSTS >> ran"] }"#;
    let world = World::with(Publish::Current, |config| {
        config.replace("deploy = { manual = true }", command)
    });
    let (world, hour) = world.brought_to("SwapOpen");
    world.deploy(1);
    world.run(hours(hour), &["rollback", "mail"]).ends(3);
    assert_eq!(
        world.read("ran"),
        "rollback mx2.example.com\n",
        "only where it is needed"
    );
    world.put_back(1);
    world.run(hours(hour), &["abort", "mail"]);
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Aborted");
    assert_eq!(world.read("ran"), "rollback mx2.example.com\n");
}

#[test]
fn where_there_is_nothing_to_roll_back_or_it_is_too_late_the_way_out_is_told() {
    let (world, hour) = World::new(Publish::Current).brought_to("Waiting");
    let refuses = |hour: u64, command: &[&str], why: &str, way_out: &str| {
        let before = world.files();
        let refused = world.run(hours(hour), command).ends(1);
        refused.complains_of(why);
        assert!(refused.stderr.contains(way_out), "{refused:#?}");
        assert!(before == world.files(), "{command:?} changes nothing");
    };
    let rollback = ["rollback", "mail"];
    refuses(
        hour,
        &rollback,
        "the swap is not open",
        "`tlsa-rotate abort mail`",
    );
    world.advance(hours(27));
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(28));
    world.watch(28, 52);
    world.advance(hours(52));
    assert_eq!(world.step(hours(52)), "Retiring");
    refuses(
        52,
        &rollback,
        "may hold the record of the next key alone",
        "`tlsa-rotate abort mail`",
    );
    refuses(
        52,
        &["deploy", "mail"],
        "no deployment lies ahead",
        "`tlsa-rotate status mail`",
    );
    world.load();
    world.advance(hours(53)).ends(0);
    assert_eq!(world.step(hours(53)), "Retired");
    refuses(
        53,
        &rollback,
        "has left every server",
        "`tlsa-rotate abort mail`",
    );
    let aborted = world.run(hours(53), &["abort", "mail"]).ends(0);
    assert!(
        aborted.stdout.contains("mail.1: Reinstating"),
        "{aborted:#?}"
    );
    assert_eq!(
        world.tlsa("mx1.example.com").len(),
        2,
        "it is published again first"
    );
}

#[test]
fn an_abort_from_the_last_step_waits_before_the_old_key_goes_back() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    let old = world
        .run(BEGIN, &["record", "live/fullchain.pem"])
        .ends(0)
        .stdout;
    assert!(world.merge(), "the retirement was merged");
    world.advance(hours(hour));
    world.load_into(0);
    let aborted = world
        .run(hours(hour), &["abort", "mail", "--reason", "it fails"])
        .ends(3);
    assert!(
        aborted.stdout.contains("mail.1: Reinstating"),
        "{aborted:#?}"
    );
    assert!(
        aborted.stdout.contains("hosts keep the next key"),
        "{aborted:#?}"
    );
    world
        .run(hours(hour), &["abort", "mail"])
        .ends(1)
        .complains_of("it is being given up already");
    world.merge();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(
        world.step(hours(hour + 1)),
        "Reinstating",
        "not served everywhere"
    );
    world.load();
    let waits = world.advance(hours(hour + 2)).ends(0);
    assert!(
        waits
            .stdout
            .contains("Reinstated (ReinstatementServed); next: wait"),
        "{waits:#?}"
    );
    // Somebody does not wait: caches may hold the incoming association alone.
    world.put_back(0);
    world.advance(hours(hour + 2)).ends(4);
    world.deploy(0);
    let early = world.advance(hours(hour + 26)).ends(0);
    assert!(early.stdout.contains("Reinstated"), "{early:#?}");
    let open = world.advance(hours(hour + 27)).ends(3);
    assert!(
        open.stdout.contains("RollingBack (ReturnOpened)"),
        "{open:#?}"
    );
    world.put_back(0);
    world.put_back(1);
    for later in 28..32 {
        world.advance(hours(hour + later));
        world.merge();
        world.advance(hours(hour + later));
        world.load();
    }
    assert_eq!(world.step(hours(hour + 32)), "Aborted");
    let left = world.tlsa("mx1.example.com");
    assert_eq!(left.len(), 1);
    assert!(old.to_lowercase().contains(&left[0]));
    world.is_tidy();
}

/// The end, whatever follows: the old records are gone, and every server says so.
fn retired() -> (World, u64) {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    assert!(world.merge(), "the retirement was merged");
    world.advance(hours(hour));
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    (world, hour + 1)
}

/// Whoever goes back from the end has the old key in use again: the next rotation begins from it. Which key an emergency means
/// on the way is asked.
#[test]
fn after_a_return_from_the_end_the_next_rotation_begins() {
    let (world, end) = retired();
    world.run(hours(end), &["abort", "mail"]).ends(3);
    world.merge();
    world.advance(hours(end + 1));
    world.load();
    world.advance(hours(end + 1));
    assert_eq!(world.step(hours(end + 1)), "Reinstated");
    let emergency = ["emergency", "mail", "--priority", "security"];
    let which = world.run(hours(end + 1), &emergency).ends(1);
    assert!(
        which
            .stderr
            .contains("which of them is compromised is not said"),
        "{which:#?}"
    );
    assert!(
        which.stderr.contains("tlsa-rotate deploy mail"),
        "{which:#?}"
    );
    assert_eq!(world.step(hours(end + 1)), "Reinstated");
    world.advance(hours(end + 27));
    world.put_back(0);
    world.put_back(1);
    for later in 28..32 {
        world.advance(hours(end + later));
        world.merge();
        world.advance(hours(end + later));
        world.load();
    }
    assert_eq!(world.step(hours(end + 32)), "Aborted");
    world.run(hours(end + 33), &["start", "mail"]).ends(0);
    assert_eq!(world.step(hours(end + 33)), "Hashed");
}

/// A TTL that runs saw after the end, and that was lowered since, binds the way back as long as caches go by it.
#[test]
fn a_ttl_that_was_raised_after_the_end_binds_the_way_back() {
    let (world, end) = retired();
    let raised = |ttl: u32| {
        let text = world.read(ZONE_FILE);
        let lines = text.lines().map(|line| match line.split_once(" IN TLSA ") {
            Some((owner, data)) => {
                let owner = owner.split(' ').next().unwrap();
                format!("{owner} {ttl} IN TLSA {data}\n")
            }
            None => format!("{line}\n"),
        });
        world.write(ZONE_FILE, &lines.collect::<String>());
        world.git("commit --quiet --all --message ttl");
    };
    for (later, ttl) in [(1, 2 * 86_400), (2, 300)] {
        raised(ttl);
        world.advance(hours(end + later));
        world.load();
        world.advance(hours(end + later));
    }
    world.run(hours(end + 3), &["abort", "mail"]).ends(3);
    world.merge();
    world.advance(hours(end + 3));
    world.load();
    world.advance(hours(end + 3));
    assert_eq!(world.step(hours(end + 3)), "Reinstated");
    // Twice the two days, not a day.
    world.advance(hours(end + 3 + 90));
    assert_eq!(world.step(hours(end + 3 + 90)), "Reinstated");
}
