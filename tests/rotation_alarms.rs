//! What cannot be prevented, only said: who, where, since when and the shortest safe plan, with exit code 4.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BRANCH, JOURNAL, Publish, SIGNED, World, ZONE_FILE, hours};
use tlsa_rotate::zone::content::Zone;

/// The alarms of a status, which must end with exit code 4.
#[track_caller]
fn alarms(world: &World, hour: u64) -> Vec<serde_json::Value> {
    let run = world
        .run(hours(hour), &["status", "--format", "json"])
        .ends(4);
    let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    status["rotations"][0]["alarms"].as_array().unwrap().clone()
}

fn plan(alarm: &serde_json::Value) -> Vec<String> {
    let plan = alarm["plan"].as_array().unwrap().iter();
    plan.map(|sentence| sentence.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_certificate_that_somebody_else_renewed_is_named_with_its_host_and_since_when() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    world.renew_elsewhere(1);
    let first = world.advance(hours(hour + 1)).ends(4);
    assert!(first.stdout.contains("DELIVERY AT RISK"), "{first:#?}");
    let told = alarms(&world, hour + 3);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["trouble"], "unknown-key");
    assert!(
        told[0]["place"]
            .as_str()
            .unwrap()
            .starts_with("mx2.example.com:25 on 127.")
    );
    assert_eq!(
        told[0]["since"], "2026-12-01T11:00:00Z",
        "not the time of the status"
    );
    assert!(
        plan(&told[0])[0]
            .starts_with("put the previous certificate and key back on mx2.example.com:25 now"),
        "{told:#?}"
    );
    world.put_back(1);
    world.advance(hours(hour + 4)).ends(0);
    assert!(world.read(JOURNAL).trim_end().ends_with('}'));
    let journal = world.read(JOURNAL);
    let risks: Vec<&str> = journal
        .lines()
        .filter(|l| l.contains("risks-seen"))
        .collect();
    assert_eq!(risks.len(), 2, "seen and over: {journal}");
    assert!(risks[1].contains(r#"{"risks":[]}"#), "{journal}");
}

#[test]
fn a_server_that_goes_back_after_the_swap_is_named_and_the_clock_starts_anew() {
    let world = World::new(Publish::Branch);
    let old = world.signed();
    let (world, hour) = world.brought_to("Deployed");
    world.serve(1, old);
    let run = world.advance(hours(hour + 1)).ends(4);
    assert!(
        run.stdout.contains("Prepublishing (ServerRegressed)"),
        "{run:#?}"
    );
    let told = alarms(&world, hour + 1);
    assert_eq!(told.len(), 2, "one for each host: {told:#?}");
    for alarm in &told {
        assert_eq!(alarm["trouble"], "early-key", "{alarm:#?}");
        let plan = plan(alarm);
        assert!(
            plan[0].starts_with("put the previous certificate and key back on mx"),
            "{plan:?}"
        );
        assert!(
            plan[1].contains("after the last of these lists 3 1 1"),
            "{plan:?}"
        );
        assert!(plan[1].contains(world.server(1).as_str()), "{plan:?}");
        assert!(!plan[1].contains(world.server(0).as_str()), "{plan:?}");
    }
    // Healed, but its caches are not: the alarm goes on until they have run out.
    world.load();
    let healed = world.advance(hours(hour + 2)).ends(4);
    assert!(
        healed.stdout.contains("Waiting (PrepublishServed)"),
        "{healed:#?}"
    );
    let told = alarms(&world, hour + 2);
    assert_eq!(told[0]["recovers"], "2026-12-02T15:00:00Z", "{told:#?}");
    world.advance(hours(hour + 3)).ends(0);
}

#[test]
fn a_zone_restored_from_a_backup_is_not_handed_to_the_servers() {
    let world = World::new(Publish::Branch);
    let backup = world.read(ZONE_FILE);
    let (world, hour) = world.brought_to("Retiring");
    world.merge();
    world.advance(hours(hour));
    world.load();
    world.advance(hours(hour)).ends(0);
    assert_eq!(world.step(hours(hour)), "Retired");
    let signed = world.read(SIGNED);
    world.write(ZONE_FILE, &backup);
    world.git("commit --quiet --all --message restored");
    let run = world.advance(hours(hour + 1)).ends(4);
    run.complains_of("was not handed to its servers");
    let status = world.run(hours(hour + 1), &["status"]).ends(4);
    status.complains_of("was not handed to its servers");
    assert_eq!(world.read(SIGNED), signed, "the servers keep the good zone");
    let told = alarms(&world, hour + 2);
    let heads: Vec<_> = told
        .iter()
        .filter(|a| a["trouble"] == "head-unfit")
        .collect();
    assert_eq!(heads.len(), 2, "{told:#?}");
    assert_eq!(
        heads[0]["place"],
        "_25._tcp.mx1.example.com. on the branch that counts"
    );
    assert_eq!(heads[0]["since"], "2026-12-03T13:00:00Z");
    assert!(
        plan(heads[0])[0].contains("on the branch that counts before any server loads it"),
        "{told:#?}"
    );
    world.git("revert --no-edit HEAD");
    world.advance(hours(hour + 3)).ends(0);
}

#[test]
fn a_record_edited_out_while_it_is_needed_is_put_back() {
    let world = World::new(Publish::Current);
    let before = world.read(ZONE_FILE);
    let (world, hour) = world.brought_to("Deployed");
    world.write(ZONE_FILE, &before);
    world.git("commit --quiet --all --message tidied");
    let run = world.advance(hours(hour + 1)).ends(4);
    run.complains_of("was not handed to its servers");
    assert!(
        run.stdout.contains("Prepublishing (MergeReverted)"),
        "{run:#?}"
    );
    assert!(
        run.stderr
            .contains("committed mail.1 in zone example.com. (publish)"),
        "{run:#?}"
    );
    assert_eq!(world.tlsa("mx1.example.com").len(), 2, "it is back");
    assert_ne!(world.advance(hours(hour + 3)).code, Some(1));
}

#[test]
fn a_host_put_back_after_the_retirement_is_named_and_nothing_more_is_proposed() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    world.put_back(0);
    // Both records are still served: no mail is refused yet, and the old one must not leave now.
    world.git("commit --quiet --allow-empty --message another");
    let branches = || world.git(&format!("branch --list {BRANCH}"));
    assert!(!branches().is_empty());
    let run = world.advance(hours(hour + 1)).ends(4);
    assert!(run.stdout.contains("Retiring; next: "), "{run:#?}");
    assert_eq!(branches(), "", "withdrawn, and not proposed anew");
    let told = alarms(&world, hour + 1);
    assert_eq!(told[0]["trouble"], "old-key-again", "{told:#?}");
    assert!(
        plan(&told[0])[0].starts_with("put the next certificate and key on mx1.example.com:25 now"),
        "{told:#?}"
    );
    world.deploy(0);
    world.advance(hours(hour + 2)).ends(3);
    assert!(world.merge(), "proposed again once the host is right");
}

#[test]
fn a_clock_that_jumped_opens_nothing_without_looking_again() {
    let world = World::new(Publish::Branch);
    let old = world.signed();
    let (world, hour) = world.brought_to("Waiting");
    let late = hour + 24 * 10;
    world.serve(0, old);
    let run = world.advance(hours(late));
    assert!(
        run.stdout.contains("Prepublishing (ServerRegressed)"),
        "{run:#?}"
    );
    world.load();
    // Later than any signature made so far lasts: what is signed anew is not yet served, and what is served has expired.
    let beyond = hours(late + 24 * 30);
    let run = world.advance(beyond);
    assert!(
        run.stdout.contains("mail.1: Prepublishing; next: others: "),
        "{run:#?}"
    );
}

#[test]
fn what_servers_answered_with_for_a_while_is_at_risk_until_caches_have_dropped_it() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    // By another hand the digest of the key in use is another for a while, on every server.
    let key = world.read(JOURNAL);
    let current = key.split("\"current\":[\"3 1 1 ").nth(1).unwrap();
    let current = &current[..64];
    let zone = world.read(ZONE_FILE);
    let without = zone.replace(&current[..48], &"ab".repeat(24));
    assert_ne!(without, zone);
    world.write("other.zone", &without);
    let sign = [
        "zone",
        "sign",
        "other.zone",
        "--origin",
        "example.com",
        "--keys",
        "keys",
        "--output",
        "other.signed",
    ];
    world.run(hours(hour), &sign).ends(0);
    let other = world.read("other.signed");
    for server in 0..2 {
        world.serve(server, Zone::parse(other.as_bytes(), None).unwrap());
    }
    world.advance(hours(hour + 1)).ends(4);
    assert_eq!(alarms(&world, hour + 1)[0]["trouble"], "server-unfit");
    world.load();
    let after = world.advance(hours(hour + 2)).ends(4);
    assert!(after.stdout.contains("DELIVERY AT RISK"), "{after:#?}");
    let told = alarms(&world, hour + 2);
    assert_eq!(told[0]["trouble"], "stale-in-caches", "{told:#?}");
    let plan = plan(&told[0]);
    assert!(
        plan.iter()
            .any(|one| one == "if nothing is done, caches recover by 2026-12-01T13:00:00Z"),
        "{plan:#?}"
    );
    // The zone has a TTL of an hour.
    world.advance(hours(hour + 3)).ends(0);
    world.run(hours(hour + 3), &["status"]).ends(0);
}
