//! Hosts that no rotation has taken in, and zones that may not be handed on, by the real program.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{Publish, Run, World, ZONE_FILE, apex, hours, without_tlsa};
use tlsa_rotate::rotation::timing::Span;
use tlsa_rotate::zone::content::Zone;

const SIGNED: &str = "example.com.zone.signed";

/// Commits the zone with another digest in the record of mx1.
fn wrong(world: &World) {
    let zone = without_tlsa(&world.read(ZONE_FILE), "mx1");
    let record = format!("_25._tcp.mx1 IN TLSA 3 1 1 {}\n", "ab".repeat(32));
    world.write(ZONE_FILE, &(zone + &record));
    world.git("commit --quiet --all --message wrong");
}

fn refused(run: &Run) {
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(
        run.stderr
            .contains("was not handed to its name servers, for mail: ")
            && run.stderr.contains("mx1.example.com:25")
            && run.stderr.contains("take the change of the zone file back"),
        "{run:#?}"
    );
}

#[test]
fn before_the_first_rotation_a_record_that_a_host_does_not_match_is_not_handed_on() {
    let world = World::new(Publish::Current);
    world.advance(hours(0)).ends(0);
    world.load();
    let before = world.read(SIGNED);
    wrong(&world);
    refused(&world.run(hours(1), &["status"]));
    refused(&world.advance(hours(1)));
    refused(&world.run(hours(1), &["status"]));
    assert_eq!(world.read(SIGNED), before, "nothing was handed on");
    // What the servers have stays valid, however long that lasts.
    for day in [5, 10, 15, 20] {
        let run = world.advance(hours(24 * day));
        refused(&run);
        let now = hours(24 * day);
        world.run(now, &["zone", "verify", SIGNED]).ends(0);
        world.load();
    }
    let renewed = world.read(SIGNED);
    assert_ne!(renewed, before);
    assert!(!renewed.contains(&"ab".repeat(32)));
    // Taken back, it goes on as ever.
    world.git("revert --no-edit HEAD");
    world.advance(hours(24 * 20 + 1)).ends(0);
}

#[test]
fn before_the_first_rotation_a_host_whose_key_the_servers_do_not_list_is_told_at_once() {
    let world = World::new(Publish::Current);
    world.advance(hours(0)).ends(0);
    world.load();
    let quiet = world.run(hours(1), &["status"]).ends(0);
    assert!(!quiet.stdout.contains("RISK"), "{quiet:#?}");
    world.renew_elsewhere(0);
    for arguments in [&["status"][..], &["advance"], &["advance", "--dry-run"]] {
        let run = world.run(hours(2), arguments).ends(4);
        assert!(
            run.stdout.contains("no rotation; DELIVERY AT RISK"),
            "{run:#?}"
        );
    }
    let told = world.run(hours(2), &["status"]).ends(4).stdout;
    assert!(
        told.contains("AT RISK    a key that its records do not list (mx1.example.com:25 on 127."),
        "{told}"
    );
    assert!(!told.contains("mx2.example.com:25 on 127."), "{told}");
    world.put_back(0);
    world.advance(hours(3)).ends(0);
}

/// The zone with another digest for mx1, signed with the world's keys.
fn with_a_wrong_record(world: &World, hour: u64) -> Zone {
    let zone = without_tlsa(&world.read(ZONE_FILE), "mx1");
    let record = format!("_25._tcp.mx1 3600 IN TLSA 3 1 1 {}\n", "ab".repeat(32));
    world.write("wrong.zone", &(zone + &record));
    let sign = "zone sign wrong.zone --origin example.com --keys keys --output wrong.signed";
    let arguments: Vec<&str> = sign.split(' ').collect();
    world.run(hours(hour), &arguments).ends(0);
    Zone::parse(world.read("wrong.signed").as_bytes(), Some(&apex())).unwrap()
}

/// The servers answer well again, and caches do not: mail is at risk until they have dropped the answer, whoever looks.
#[test]
fn what_a_server_answered_with_for_a_while_counts_until_caches_have_dropped_it() {
    const HOUR: u64 = 3_600;
    let world = World::new(Publish::Current);
    world.advance(hours(0)).ends(0);
    world.load();
    let kept = world.path(".tlsa-rotate/strays");
    world.serve(0, with_a_wrong_record(&world, 1));
    world.advance(hours(1)).ends(4);
    world.run(hours(1), &["check"]).ends(4);
    assert!(kept.exists());
    world.load();
    let at = |seconds: u64| hours(2) + Span::seconds(seconds);
    for (now, code) in [(at(0), 4), (at(HOUR - 1), 4), (at(HOUR), 0)] {
        for arguments in [&["status"][..], &["advance"], &["status"]] {
            let run = world.run(now, arguments).ends(code);
            let told = "records that were served for a while are still in caches";
            let is_told = run.stdout.contains(told) || arguments == ["advance"];
            assert_eq!(is_told && code == 4, code == 4, "{run:#?}");
        }
    }
    assert!(!kept.exists(), "nothing is left to keep in mind");
    // It goes on counting where a rotation begins meanwhile.
    world.serve(0, with_a_wrong_record(&world, 3));
    world.advance(hours(3)).ends(4);
    world.load();
    let begun = world.copy();
    begun.load();
    begun.run(hours(3) + Span::seconds(60), &["start", "mail"]);
    begun.run(hours(3) + Span::seconds(60), &["status"]).ends(4);
    // That the zone cannot be read for a while makes nobody forget it.
    let text = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &format!("{text}no line of a zone\n"));
    world.git("commit --quiet --all --message slip");
    world.advance(hours(3) + Span::seconds(120));
    assert!(kept.exists());
    world.write(ZONE_FILE, &text);
    world.git("commit --quiet --all --message whole");
    world.advance(hours(4) - Span::seconds(60)).ends(4);
    world.advance(hours(5) - Span::seconds(60)).ends(0);
    // A host that has another key for a while leaves nothing behind: its records were right all the time.
    world.renew_elsewhere(0);
    world.advance(hours(5)).ends(4);
    world.put_back(0);
    world.advance(hours(6)).ends(0);
    assert!(!kept.exists());
    // What cannot be read is told, and stops nothing.
    std::fs::write(&kept, "damaged").unwrap();
    let run = world.advance(hours(7)).ends(0);
    assert!(
        run.stderr.contains("is not known from earlier runs"),
        "{run:#?}"
    );
}

#[test]
fn a_host_that_is_seen_by_nobody_holds_no_zone_up() {
    let world = World::new(Publish::Current);
    world.advance(hours(0)).ends(0);
    world.load();
    let silent = world.read("tlsa-rotate.toml");
    let deaf = silent.replace(&world.hosts()[0].to_string(), "127.0.0.1:9");
    world.write("tlsa-rotate.toml", &deaf);
    wrong(&world);
    world.advance(hours(1)).ends(0);
}

#[test]
fn records_that_are_all_gone_after_the_end_are_told_until_somebody_says_that_dane_was_left() {
    let (world, retiring) = World::new(Publish::Branch).brought_to("Retiring");
    world.merge();
    world.advance(hours(retiring + 1));
    world.load();
    let hour = retiring + 2;
    world.advance(hours(hour)).ends(0);
    assert_eq!(world.step(hours(hour)), "Retired");
    let mut zone = without_tlsa(&world.read(ZONE_FILE), "_25._tcp.mx1");
    zone = without_tlsa(&zone, "_25._tcp.mx2");
    world.write(ZONE_FILE, &zone);
    world.git("commit --quiet --all --message out");
    let told = world.advance(hours(hour + 1)).ends(3);
    assert!(
        told.stdout
            .contains("_25._tcp.mx1.example.com. has no TLSA record any more"),
        "{told:#?}"
    );
    assert!(!world.merge(), "nothing is put back unasked");
    let told = world.run(hours(hour + 1), &["status"]).ends(3).stdout;
    assert!(
        told.contains("tlsa-rotate abort mail --leave-dane"),
        "{told}"
    );
    world.load();
    let leave = ["abort", "mail", "--leave-dane"];
    let left = world.run(hours(hour + 2), &leave).ends(0);
    assert!(left.stdout.contains("DANE was left on "), "{left:#?}");
    world.advance(hours(hour + 30)).ends(0);
    // It is no rotation any more that could be taken back.
    for again in [&leave[..], &["abort", "mail"]] {
        world
            .run(hours(hour + 31), again)
            .ends(1)
            .complains_of("no rotation of `mail` is under way");
    }
}

/// What the gate says of a merge, and what a run says of it that finds it merged.
#[test]
fn what_the_gate_refuses_of_hosts_at_rest_is_not_handed_on() {
    type Edit = fn(String) -> String;
    let table: [(&str, Edit, &str); 3] = [
        (
            "no record left",
            |zone| without_tlsa(&zone, "_25._tcp.mx1"),
            "_25._tcp.mx1.example.com. would have no usable TLSA record any more",
        ),
        (
            "another's servers",
            |zone| without_tlsa(&zone, "_25._tcp.mx1") + "_tcp.mx1 IN NS ns.elsewhere.test.\n",
            "senders would not find the TLSA records of mx1.example.com:25 (mail): _25._tcp.mx1.example.com. is referred to the servers of _tcp.mx1.example.com.",
        ),
        (
            "another tree",
            |zone| without_tlsa(&zone, "_25._tcp.mx1") + "_tcp.mx1 IN DNAME _tcp.elsewhere.test.\n",
            "senders would not find the TLSA records of mx1.example.com:25 (mail)",
        ),
    ];
    for (what, edit, told) in table {
        let world = World::new(Publish::Current);
        world.advance(hours(0)).ends(0);
        world.load();
        let before = world.read(SIGNED);
        world.git("checkout --quiet -b request");
        world.write(ZONE_FILE, &edit(world.read(ZONE_FILE)));
        world.git("commit --quiet --all --message request");
        let refs = ["check", "--merge", "--base", "main", "--head", "request"];
        let gate = world.run(hours(1), &refs);
        assert!(gate.stdout.contains(told), "{what}: {gate:#?}");
        world.git("checkout --quiet main");
        world.git("merge --quiet request");
        for day in [0, 9] {
            let run = world.advance(hours(24 * day + 1)).ends(3);
            assert!(
                run.stderr.contains(
                    "zone example.com. was not handed to its name servers as it was merged: "
                ) && run.stderr.contains(told),
                "{what}: {run:#?}"
            );
        }
        let now = world.read(SIGNED);
        assert_ne!(now, before, "{what}: kept signed");
        assert_eq!(
            now.matches(" IN TLSA ").count(),
            before.matches(" IN TLSA ").count()
        );
        world.git("revert --no-edit HEAD");
        world.advance(hours(24 * 9 + 2)).ends(0);
    }
}

#[test]
fn a_host_that_leaves_the_configuration_first_may_lose_its_records() {
    let world = World::new(Publish::Current);
    world.advance(hours(0)).ends(0);
    world.load();
    let zone = without_tlsa(&world.read(ZONE_FILE), "_25._tcp.mx2");
    world.write(ZONE_FILE, &zone);
    world.git("commit --quiet --all --message records");
    let run = world.advance(hours(1)).ends(3);
    assert!(
        run.stderr
            .contains("to give DANE up for the host, take it out of the configuration first"),
        "{run:#?}"
    );
    let config = world.read("tlsa-rotate.toml");
    let (front, address) = config.split_once(", \"mx2.example.com\" = [").unwrap();
    let (_, back) = address.split_once(']').unwrap();
    let without = format!("{front}{back}").replace(", \"mx2.example.com\"]", "]");
    world.write("tlsa-rotate.toml", &without);
    world.advance(hours(2)).ends(0);
    let signed = world.read(SIGNED);
    assert!(!signed.contains("_25._tcp.mx2.example.com. "), "{signed}");
}
