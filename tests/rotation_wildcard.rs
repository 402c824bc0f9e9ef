//! A host that has its TLSA records from a wildcard, by the real program: what the servers answer with counts, and the records
//! that are proposed for it leave out none of these (RFC 4592 §2.2.2).
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

/// A world in which the second host has no TLSA records of its own.
fn shaped(publish: Publish, wildcard: &str) -> World {
    let own = "_25._tcp.mx2    IN TLSA";
    let zone = |text: String, _: &[_]| {
        assert!(text.contains(own), "{text}");
        text.replace(own, wildcard)
    };
    World::shaped(publish, |c| c, |root| vec![live_key(root)], zone)
}

#[test]
fn a_host_that_lives_from_a_wildcard_rotates_and_loses_no_record() {
    let world = shaped(Publish::Branch, "*._tcp.mx2      1800 IN TLSA");
    let of_the_wildcard = |world: &World| {
        let zone = world.zone();
        let lines = zone.iter().filter(|line| line.starts_with("*._tcp.mx2."));
        lines.cloned().collect::<Vec<_>>()
    };
    let before = of_the_wildcard(&world);
    assert_eq!(before.len(), 1);
    let started = world.start(BEGIN).ends(0);
    assert!(
        !started.stderr.contains("no TLSA record yet"),
        "{started:#?}"
    );
    assert!(!started.stderr.contains("lacks"), "{started:#?}");
    world.advance(BEGIN).ends(3);
    world.merge();
    for host in HOSTS {
        assert_eq!(world.tlsa(host).len(), 2, "{host}");
    }
    assert_eq!(world.tlsa(HOSTS[0]), world.tlsa(HOSTS[1]));
    let zone = world.zone();
    let mut own = zone.iter().filter(|line| line.starts_with("_25._tcp.mx2."));
    assert!(own.all(|line| line.contains("1800")), "{zone:#?}");
    world.advance(hours(1)).ends(0);
    world.load();
    world.advance(hours(2)).ends(0);
    assert_eq!(world.step(hours(2)), "Waiting");
    world.advance(hours(27)).ends(3);
    for host in 0..HOSTS.len() {
        world.deploy(host);
    }
    for hour in [28, 34, 40, 46] {
        world.advance(hours(hour)).ends(0);
    }
    world.advance(hours(52)).ends(3);
    world.merge();
    world.advance(hours(53)).ends(0);
    world.load();
    world.advance(hours(54)).ends(0);
    assert_eq!(world.step(hours(54)), "Retired");
    assert_eq!(world.tlsa(HOSTS[0]), world.tlsa(HOSTS[1]));
    assert_eq!(world.tlsa(HOSTS[1]).len(), 1);
    assert_eq!(
        of_the_wildcard(&world),
        before,
        "the wildcard is of others, too"
    );
}

#[test]
fn a_wildcard_that_answers_with_another_key_is_no_first_publication() {
    // The host presents a key that the wildcard does not list: senders refuse it, and it is said.
    let world = shaped(Publish::Current, "*._tcp.mx2      IN TLSA");
    world.renew_elsewhere(1);
    world.start(BEGIN).ends(0);
    let run = world.advance(BEGIN).ends(4);
    let told = "mx2.example.com:25 presents it on ";
    assert!(run.stdout.contains(told), "{run:#?}");
}

#[test]
fn a_wildcard_that_other_names_live_from_is_told_before_a_key_is_made() {
    // With a record below it `_tcp.mx2` exists, and the wildcard answers for it no longer.
    let world = shaped(Publish::Branch, "*.mx2           IN TLSA");
    let before = world.files();
    for command in ["plan", "start"] {
        let refused = world.run(BEGIN, &[command, "mail"]).ends(1);
        refused.complains_of("the change would hurt another name: _tcp.mx2.example.com. TLSA is");
    }
    assert!(before == world.files(), "nothing was made");
}

#[test]
fn a_wildcard_alias_leads_to_records_that_other_ports_hang_on() {
    let world = shaped(
        Publish::Branch,
        "*._tcp.mx2      IN CNAME _dane\n_dane           IN TLSA",
    );
    let refused = world.start(BEGIN).ends(3);
    refused.complains_of(
        "*._tcp.mx2.example.com. is an alias of the TLSA RRset at _dane.example.com.",
    );
}
