//! A host that is named before it exists: no sender comes to it, and the others are rotated without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, World, hours, live_key};

/// A world whose second host has no address, in the zone or in the configuration.
fn world() -> World {
    let config = |text: String| {
        let second = format!(", \"{}\" = [", HOSTS[1]);
        let (before, after) = text.split_once(&second).unwrap();
        let (_, after) = after.split_once(']').unwrap();
        format!("{before}{after}")
    };
    let zone = |text: String, _: &[_]| {
        let is_address = |line: &&str| {
            line.starts_with("mx2 ") && (line.contains(" A ") || line.contains(" AAAA "))
        };
        let lines: Vec<&str> = text.lines().filter(|line| !is_address(line)).collect();
        assert!(lines.len() < text.lines().count());
        lines.join("\n") + "\n"
    };
    World::shaped(Publish::Current, config, |root| vec![live_key(root)], zone)
}

#[test]
fn a_host_without_an_address_is_told_and_keeps_no_other_waiting() {
    let world = world();
    let told = format!("{}:25 has no address: no sender comes to it", HOSTS[1]);
    world.start(BEGIN).ends(0);
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    let open = world.advance(hours(26)).ends(3);
    assert!(open.stderr.contains(&told), "{open:#?}");
    world.deploy(0);
    world.advance(hours(27)).ends(0);
    assert_eq!(world.step(hours(27)), "Deployed");
    world.watch(27, 51);
    world.advance(hours(51)).ends(0);
    world.load();
    world.advance(hours(52)).ends(0);
    assert_eq!(world.step(hours(52)), "Retired");
    for host in ["mx1", "mx2"] {
        assert_eq!(world.tlsa(host).len(), 1, "both list the next key alone");
    }
    assert_eq!(world.tlsa("mx1"), world.tlsa("mx2"));
}
