//! `check` where the TLSA names of the hosts are aliases of an RRset in another zone (RFC 7671 §6): that zone is looked at,
//! and a server that went back to an older RRset there is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::aliased::{OTHER_SIGNED, aliased, load_both};
use rotation_support::{BEGIN, World, ZONE_FILE, hours};
use serde_json::{Value, json};
use tlsa_rotate::zone::content::Zone;

/// What `check` says, with both zones' keys as trust anchors.
fn check(world: &World, hour: u64) -> Value {
    let ds = |zone| {
        world
            .run(BEGIN, &["key", "ds", zone, "--keys", "keys"])
            .ends(0)
            .stdout
    };
    world.write("anchors", &(ds("example.com") + &ds("example.net")));
    let resolver = world.server(0);
    let arguments = [
        "check",
        "--resolver",
        &resolver,
        "--trust-anchor",
        "anchors",
        "--format",
        "json",
    ];
    let run = world.run(hours(hour), &arguments);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"))
}

/// The place and text of each finding that says that a server went back.
fn regressed(document: &Value) -> Vec<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["check"] == "server-regressed")
        .inspect(|finding| assert_eq!(finding["severity"], "delivery-at-risk"))
        .map(|finding| (text(finding, "place"), text(finding, "what")))
        .collect()
}

#[test]
fn a_server_that_went_back_behind_aliases_is_named() {
    let world = aliased();
    let old = Zone::parse(world.read(OTHER_SIGNED).as_bytes(), None).unwrap();
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(3);
    assert!(world.merge());
    world.advance(hours(1));
    load_both(&world);
    world.advance(hours(2)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(3);
    world.deploy(0);
    world.deploy(1);
    world.advance(hours(53)).ends(0);
    assert_eq!(world.step(hours(53)), "Deployed");

    let healthy = check(&world, 54);
    assert_eq!(healthy["zones"], json!(["example.com.", "example.net."]));
    let tasks = healthy["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["severity"] != "advice");
    assert_eq!(tasks.collect::<Vec<_>>(), [&Value::Null; 0]);

    world.serve(1, old.clone());
    let went_back = check(&world, 54);
    let what = "regressed: _dane.mail.example.net. lacks what it served when mail.1 went on to Deployed: caches that ask it \
                may hold the wrong set";
    assert_eq!(regressed(&went_back), [(world.server(1), what.to_owned())]);
    // A fact of the journal, and no more than that: nothing is written by looking.
    assert!(
        !world.facts().contains(&"ServerRegressed"),
        "{:?}",
        world.facts()
    );

    load_both(&world);
    // What lies behind an alias that leads elsewhere says nothing of our RRset: unknown is never a yes, nor a no.
    let zone = world
        .read(ZONE_FILE)
        .replace("mail.example.net.", "old.example.net.");
    world.write(ZONE_FILE, &zone.replace("2026112301", "2026120301"));
    world.git("commit --quiet --all --message elsewhere");
    world.advance(hours(54));
    load_both(&world);
    world.serve(1, old);
    let led_away = check(&world, 55);
    assert_eq!(regressed(&led_away), []);
    assert_eq!(world.step(hours(55)), "Deployed");
}
