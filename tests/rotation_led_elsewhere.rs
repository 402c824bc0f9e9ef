//! An alias that leads to other records than the rotation knows: on the branch that counts, and on one server alone. What a
//! sender is led to is what counts for its host. Real program, real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{
    BEGIN, BRANCH, Publish, SIGNED, World, ZONE_FILE, apex, hours, live_key, without_tlsa,
};
use std::fs;
use std::net::Ipv4Addr;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::KeyFiles;
use tlsa_rotate::zone::content::Zone;

const ALIAS: &str = "_25._tcp.mx1 IN CNAME _dane\n";
const LED_AWAY: &str = "_25._tcp.mx1 IN CNAME _dane2\n";

/// mx1's records are behind an alias; `_dane2` lists the key in use, and nobody uses it.
fn world() -> World {
    let zone = |text: String, live: &[KeyFiles]| {
        let chain = subject::read_chain(&fs::read(&live[0].certificate).unwrap()).unwrap();
        let key = chain[0].spki_association();
        let text = without_tlsa(&text, "_25._tcp.mx1");
        format!("{text}{ALIAS}_dane IN TLSA {key}\n_dane2 IN TLSA {key}\n")
    };
    World::shaped(
        Publish::Branch,
        |config| config,
        |root| vec![live_key(root)],
        zone,
    )
}

/// The key in use, as `_dane2` lists it.
fn key_in_use(world: &World) -> String {
    let text = world.read(ZONE_FILE);
    let line = text.lines().find(|line| line.starts_with("_dane2 "));
    line.unwrap().split_once(" TLSA ").unwrap().1.to_owned()
}

fn commit(world: &World, from: &str, to: &str) {
    let text = world.read(ZONE_FILE);
    assert!(text.contains(from), "{text}");
    world.write(ZONE_FILE, &text.replace(from, to));
    world.git("commit --quiet --all --message led-away");
}

/// The zone with its alias led away, signed with the world's keys.
fn led_away(world: &World, hour: u64) -> Zone {
    world.write("away.zone", &world.read(ZONE_FILE).replace(ALIAS, LED_AWAY));
    let sign = "zone sign away.zone --origin example.com --keys keys --output away.signed";
    let arguments: Vec<&str> = sign.split(' ').collect();
    world.run(hours(hour), &arguments).ends(0);
    Zone::parse(world.read("away.signed").as_bytes(), Some(&apex())).unwrap()
}

#[test]
fn an_alias_that_is_led_to_other_records_is_not_handed_on() {
    let (world, hour) = world().brought_to("Deployed");
    let old = key_in_use(&world);
    let own = format!("_25._tcp.mx1 IN TLSA {old}\n");
    for (way, records) in [("led away", LED_AWAY), ("its own", &own)] {
        let world = world.copy();
        let before = world.read(SIGNED);
        commit(&world, ALIAS, records);
        for arguments in [&["advance"][..], &["status"]] {
            let run = world.run(hours(hour + 1), arguments);
            assert!(matches!(run.code, Some(3 | 4)), "{way}: {run:#?}");
            assert!(
                run.stderr.contains("was not handed to its")
                    && run.stderr.contains("mx1.example.com:25"),
                "{way}: {run:#?}"
            );
        }
        assert_eq!(world.read(SIGNED), before, "{way}");
        // Taken back, it goes on.
        world.git("revert --no-edit HEAD");
        world.advance(hours(hour + 2)).ends(0);
        assert_eq!(world.step(hours(hour + 2)), "Deployed", "{way}");
    }
}

#[test]
fn a_server_that_leads_elsewhere_has_answered() {
    let (world, hour) = world().brought_to("SwapOpen");
    // Nobody has the next key yet: no mail is refused, and nobody is told to install it.
    world.serve(1, led_away(&world, hour));
    let swap = world.run(hours(hour + 1), &["check", "--swap", "mail"]);
    assert_ne!(swap.code, Some(0), "{swap:#?}");
    let run = world.advance(hours(hour + 1));
    assert!(run.stdout.contains("ServerRegressed"), "{run:#?}");
    // It is back: caches may have what it answered, so the wait begins anew.
    world.load();
    world.advance(hours(hour + 2));
    let swap = world.run(hours(hour + 2), &["check", "--swap", "mail"]);
    assert_ne!(swap.code, Some(0), "{swap:#?}");
    assert_eq!(world.step(hours(hour + 2)), "Waiting");
}

#[test]
fn a_server_that_leads_a_deployed_host_elsewhere_is_mail_at_risk() {
    let (world, hour) = world().brought_to("Deployed");
    world.serve(1, led_away(&world, hour));
    let run = world.advance(hours(hour + 1)).ends(4);
    assert!(run.stdout.contains("DELIVERY AT RISK"), "{run:#?}");
    world.run(hours(hour + 1), &["status"]).ends(4);
}

/// A host whose name is handed on to other servers lies in a zone of its own: who waits is told that, and nothing else of it.
#[test]
fn a_host_that_is_delegated_is_told_as_that() {
    const CUT: &str = "mx2 IN NS ns.example.net.\n";
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let whole = world.read(ZONE_FILE);
    let without = without_tlsa(&whole, "_25._tcp.mx2");
    world.write(ZONE_FILE, &format!("{without}{CUT}"));
    world.git("commit --quiet --all --message delegated");
    let sign = "zone sign example.com.zone --origin example.com --keys keys --output cut.signed";
    let arguments: Vec<&str> = sign.split(' ').collect();
    world.run(hours(hour), &arguments).ends(0);
    let cut = || Zone::parse(world.read("cut.signed").as_bytes(), Some(&apex())).unwrap();
    world.serve(0, cut());
    world.serve(1, cut());
    for arguments in [&["advance"][..], &["status"], &["advance", "--dry-run"]] {
        let run = world.run(hours(hour + 1), arguments).ends(3);
        let told = format!("{}{}", run.stdout, run.stderr);
        for said in ["mx2.example.com. is delegated by its NS records", "you: "] {
            assert!(
                told.contains(said) || arguments == ["status"],
                "{said}: {run:#?}"
            );
        }
        assert!(
            !told.contains("no server of example.com. serves it"),
            "{run:#?}"
        );
    }
    let status = world.run(hours(hour + 1), &["status"]).stdout;
    let refers = "refers to the servers of mx2.example.com.: the name lies in that zone";
    assert!(status.contains(refers), "{status}");
    let check = world.run(hours(hour + 1), &["check"]);
    assert!(
        check.stdout.contains(refers) && !check.stdout.contains("lame"),
        "{check:#?}"
    );
    // Nothing is proposed for what others keep.
    let proposals = world.git("branch --list tlsa-rotate/*");
    let ahead = proposals.trim().is_empty() || world.git(&format!("log main..{BRANCH}")).is_empty();
    assert!(ahead, "{proposals}");
    // Taken back, it goes on.
    world.write(ZONE_FILE, &whole);
    world.git("commit --quiet --all --message back");
    world.advance(hours(hour + 2));
    world.load();
    world.advance(hours(hour + 3)).ends(0);
}

/// A secondary that joins with the zone of before is not handed on to resolvers, as long as it answers so.
#[test]
fn a_server_that_joins_with_the_zone_of_before_is_not_handed_on() {
    let world = World::new(Publish::Branch);
    let of_before = world.signed();
    let (world, hour) = world.brought_to("Deployed");
    let joined = world.one_more_server(Ipv4Addr::new(127, 0, 0, 9), of_before);
    let config = world.read("tlsa-rotate.toml");
    let servers = format!("servers = [\"{}\", ", joined.local_addr());
    world.write(
        "tlsa-rotate.toml",
        &config.replacen("servers = [", &servers, 1),
    );
    let text = world.read(ZONE_FILE);
    world.write(
        ZONE_FILE,
        &format!("{text}@ IN NS ns9\nns9 IN A 127.0.0.9\n"),
    );
    world.git("commit --quiet --all --message joins");
    let before = world.read(SIGNED);
    for arguments in [&["advance"][..], &["status"]] {
        let run = world.run(hours(hour + 1), arguments);
        assert!(matches!(run.code, Some(3 | 4)), "{run:#?}");
        assert!(
            run.stderr.contains("was not handed to its") && run.stderr.contains("127.0.0.9"),
            "{run:#?}"
        );
    }
    assert_eq!(world.read(SIGNED), before);
    // It has the zone of now: it may join.
    joined.publish(std::sync::Arc::new(
        tlsa_rotate::publish::serve::served::ServedZone::unverified(world.signed()).unwrap(),
    ));
    world.advance(hours(hour + 2));
    assert_ne!(world.read(SIGNED), before);
}

/// A host that no certificate has hangs on the records by a DNAME.
#[test]
fn a_redirection_onto_the_records_is_a_reason_not_to_begin() {
    let world = world();
    let text = world.read(ZONE_FILE);
    let more = "mx9 IN A 127.0.0.1\n@ IN MX 30 mx9\n_tcp.mx9 IN DNAME _tcp.mx2\n";
    world.write(ZONE_FILE, &format!("{text}{more}"));
    world.git("commit --quiet --all --message redirected");
    let run = world.start(BEGIN).ends(3);
    assert!(run.stderr.contains("mx9.example.com:25"), "{run:#?}");
}

#[test]
fn a_rotation_whose_certificate_is_not_configured_is_told() {
    let (world, hour) = world().brought_to("Waiting");
    let config = world.read("tlsa-rotate.toml");
    let renamed = config.replace("name = \"mail\"", "name = \"post\"");
    assert_ne!(config, renamed);
    world.write("tlsa-rotate.toml", &renamed);
    for arguments in [&["advance"][..], &["status"]] {
        let run = world.run(hours(hour + 1), arguments).ends(3);
        run.complains_of(
            "mail.1 is under way (Waiting), and the configuration has no certificate `mail`",
        );
        assert!(
            run.stdout
                .contains("mail.1: Waiting; its certificate is not configured"),
            "{run:#?}"
        );
    }
    world.write("tlsa-rotate.toml", &config);
    world.advance(hours(hour + 2)).ends(0);
}
