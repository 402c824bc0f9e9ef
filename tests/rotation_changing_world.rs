//! Hosts that join, leave, die and go back, keys that are lost, and DANE given up while a rotation runs, by the real program:
//! what is said, with which exit code, and that the way out which is printed leads to an end.
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
    BEGIN, BRANCH, HOSTS, Publish, Run, World, ZONE_FILE, hours, live_key, without_tlsa,
};
use std::fs;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::KeyFiles;

const THIRD: &str = "mx3.example.com";

/// A world whose zone has a third host with its record from the beginning; the certificate has two.
fn with_a_third_in_the_zone(publish: Publish) -> World {
    let zone = |text: String, live: &[KeyFiles]| {
        let chain = subject::read_chain(&fs::read(&live[0].certificate).unwrap()).unwrap();
        let key = chain[0].spki_association();
        format!("{text}mx3 IN A 192.0.2.27\n_25._tcp.mx3 IN TLSA {key}\n")
    };
    World::shaped(publish, |config| config, |root| vec![live_key(root)], zone)
}

/// Changes the configuration, and commits it.
fn configure(world: &World, change: impl Fn(String) -> String) {
    let before = world.read("tlsa-rotate.toml");
    let after = change(before.clone());
    assert_ne!(before, after);
    world.write("tlsa-rotate.toml", &after);
    world.git("commit --quiet --all --message hosts");
}

/// The third host joins the certificate; its number.
fn join(world: &World) -> usize {
    let host = world.one_more_host(THIRD);
    let address = world.hosts()[host];
    configure(world, |config| {
        config
            .replace(
                "\"mx1.example.com\", \"mx2.example.com\"",
                "\"mx1.example.com\", \"mx2.example.com\", \"mx3.example.com\"",
            )
            .replace(
                "addresses = { ",
                &format!("addresses = {{ \"{THIRD}\" = [\"{address}\"], "),
            )
    });
    host
}

#[track_caller]
fn says(run: &Run, parts: &[&str]) {
    for part in parts {
        let told = run.stdout.contains(part) || run.stderr.contains(part);
        assert!(told, "no `{part}`: {run:#?}");
    }
}

fn is_proposed(world: &World) -> bool {
    !world.git(&format!("branch --list {BRANCH}")).is_empty()
}

/// From a soak that began at `hour` to the end; every name of `names` then lists one key.
fn soaks_and_retires(world: &World, hour: u64, names: &[&str]) {
    world.watch(hour, hour + 24);
    world.advance(hours(hour + 24)).ends(3);
    assert!(world.merge());
    world.advance(hours(hour + 25)).ends(0);
    world.load();
    world.advance(hours(hour + 26)).ends(0);
    assert_eq!(world.step(hours(hour + 26)), "Retired");
    for name in names {
        assert_eq!(world.tlsa(name).len(), 1, "{name}");
    }
    world.is_tidy();
}

#[test]
fn a_host_that_joins_while_the_swap_is_open_goes_through_its_own_wait() {
    let (world, hour) = with_a_third_in_the_zone(Publish::Branch).brought_to("SwapOpen");
    let third = join(&world);
    let swap = |hour| world.run(hours(hour), &["check", "--swap", "mail"]);
    let swap_of = |hour, host| world.run(hours(hour), &["check", "--swap", "mail", "--host", host]);
    let gate = swap(hour).ends(3);
    says(
        &gate,
        &[
            "mx3.example.com:25 is configured and not part of mail.1: `tlsa-rotate advance` takes it in",
        ],
    );
    swap_of(hour, HOSTS[0]).ends(0);
    let joined = world.advance(hours(hour)).ends(3);
    says(&joined, &["mx3.example.com:25 joined mail.1"]);
    assert_eq!(world.tlsa(THIRD).len(), 1);
    let gate = swap(hour).ends(3);
    says(
        &gate,
        &[
            "mx3.example.com:25 joined later: its own wait is not over (`--host` asks for the others)",
        ],
    );
    swap_of(hour, HOSTS[0]).ends(0);
    let turn = swap_of(hour, HOSTS[1]).ends(3);
    says(
        &turn,
        &["it is the turn of mx1.example.com:25 (policy concurrent)"],
    );
    swap_of(hour, THIRD).ends(3);

    // The others do not wait for it.
    world.deploy(0);
    world.deploy(1);
    let proposed = world.advance(hours(hour + 1)).ends(3);
    assert!(world.merge(), "{proposed:#?}");
    assert_eq!(world.tlsa(THIRD).len(), 2);
    world.advance(hours(hour + 1)).ends(0);
    world.load();
    let served = world.advance(hours(hour + 2)).ends(0);
    says(&served, &["JoinServed"]);
    let status = world.run(hours(hour + 2), &["status"]).ends(0);
    says(
        &status,
        &["_25._tcp.mx3.example.com. joined later: caches may lack the next key there until"],
    );
    assert!(
        !status
            .stdout
            .contains("install the next certificate and key on mx3"),
        "{status:#?}"
    );

    // Somebody does not wait, is told at once, and what is printed helps.
    world.deploy(third);
    let early = world.advance(hours(hour + 2)).ends(4);
    says(&early, &["DELIVERY AT RISK"]);
    let status = world.run(hours(hour + 2), &["status"]).ends(4);
    says(
        &status,
        &["put the previous certificate and key back on mx3.example.com:25 now"],
    );
    world.put_back(third);
    world.advance(hours(hour + 2)).ends(0);
    swap_of(hour + 26, THIRD).ends(3);

    // One hour of margin after a day of policy, counted from when it was served.
    let opened = world.advance(hours(hour + 27)).ends(3);
    says(&opened, &["JoinOpened", "mx3.example.com:25"]);
    swap_of(hour + 27, THIRD).ends(0);
    swap(hour + 27).ends(0);
    world.deploy(third);
    let deployed = world.advance(hours(hour + 28)).ends(0);
    says(&deployed, &["Deployed (HostsPresentedIncoming)"]);
    soaks_and_retires(&world, hour + 28, &[HOSTS[0], HOSTS[1], THIRD]);
}

#[test]
fn a_host_that_leaves_the_configuration_is_let_go_and_its_records_stay() {
    // By its record it is at a place that refuses at once.
    let near = |text: String, _: &[KeyFiles]| {
        let text = text.replace("198.51.100.25", "127.0.0.1");
        text.replace("2001:db8:1::25", "::1")
    };
    let live = |root: &std::path::Path| vec![live_key(root)];
    let world = World::shaped(Publish::Branch, |config| config, live, near);
    let (world, hour) = world.brought_to("SwapOpen");
    world.deploy(0);
    world.advance(hours(hour)).ends(3);
    configure(&world, |config| {
        let (front, address) = config.split_once(", \"mx2.example.com\" = [").unwrap();
        let (_, back) = address.split_once(']').unwrap();
        format!("{front}{back}").replace(", \"mx2.example.com\"]", "]")
    });
    let left = world.advance(hours(hour + 1)).ends(0);
    says(
        &left,
        &[
            "mx2.example.com:25 left mail.1: nothing is proposed for it any more. The MX of example.com. still lists it: senders come to it until that is taken out, and 1h longer",
            "they accept only a key that its records list",
            "Deployed",
        ],
    );
    soaks_and_retires(&world, hour + 1, &[HOSTS[0]]);
    assert_eq!(world.tlsa(HOSTS[1]).len(), 2, "whatever it presents");
    // It is still in the MX: what it needs is not taken away by our hand.
    let signed = world.read(rotation_support::SIGNED);
    let wrong = format!("_25._tcp.mx2 IN TLSA 3 1 1 {}\n", "ab".repeat(32));
    world.git("checkout --quiet -b tidy");
    world.write(
        ZONE_FILE,
        &(without_tlsa(&world.read(ZONE_FILE), "_25._tcp.mx2") + &wrong),
    );
    world.git("commit --quiet --all --message tidy");
    world.git("checkout --quiet main");
    let late = hours(hour + 80);
    let gate = ["check", "--merge", "--head", "tidy"];
    let gate = world.run(late, &gate).ends(4);
    says(&gate, &["mx2.example.com:25 presents 3 1 1 "]);
    world.git("merge --quiet --ff-only tidy");
    let run = world.advance(late).ends(3);
    says(
        &run,
        &["was not handed to its name servers, for mail: mx2.example.com:25"],
    );
    assert_eq!(world.read(rotation_support::SIGNED), signed);
}

/// A host joins with a record that it does not match; once that is corrected, the rotation goes on as if it had been right.
#[test]
fn a_wrong_record_of_a_host_that_joins_is_forgotten_once_it_is_corrected() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let right = world.read(ZONE_FILE);
    let keys = world.tlsa(HOSTS[0]);
    join(&world);
    let with =
        |record: &str| format!("{right}mx3 IN A 192.0.2.27\n_25._tcp.mx3 IN TLSA 3 1 1 {record}\n");
    world.write(ZONE_FILE, &with(&"ab".repeat(32)));
    world.git("commit --quiet --all --message joins");
    let wrong = world.advance(hours(hour + 1));
    assert!(matches!(wrong.code, Some(3 | 4)), "{wrong:#?}");
    says(&wrong, &["was not handed to its"]);
    let live = live_key(&world.path("."));
    let chain = subject::read_chain(&fs::read(&live.certificate).unwrap()).unwrap();
    let current = chain[0].spki_association().to_string();
    let current = current.split_whitespace().last().unwrap().to_owned();
    assert!(keys.contains(&current), "{keys:?}");
    world.write(ZONE_FILE, &with(&current));
    world.git("commit --quiet --all --message right");
    let mended = world.advance(hours(hour + 2));
    assert!(
        !mended.stderr.contains("was not handed to its"),
        "{mended:#?}"
    );
    assert!(!mended.stdout.contains("DELIVERY AT RISK"), "{mended:#?}");
}

#[test]
fn a_dead_host_is_let_go_by_the_printed_command_once_the_swap_is_open() {
    let (world, hour) = World::new(Publish::Branch).brought_to("SwapOpen");
    world.silence(1);
    world.deploy(0);
    let waits = world.advance(hours(hour + 1)).ends(0);
    says(&waits, &["next: others: "]);
    // For hours it may come right by itself; then somebody should look.
    let status = world.run(hours(hour + 1), &["status"]).ends(0);
    let way_out = "if the host is gone for good: tlsa-rotate forget mx2.example.com";
    says(&status, &[way_out]);
    let long = world.advance(hours(hour + 8)).ends(3);
    says(&long, &["next: you: "]);
    let status = world.run(hours(hour + 8), &["status"]).ends(3);
    says(&status, &[way_out]);
    let gone = ["forget", "mx2.example.com", "--reason", "it burnt down"];
    let forgotten = world.run(hours(hour + 8), &gone).ends(0);
    says(
        &forgotten,
        &[
            "mx2.example.com:25 left mail.1: nothing is proposed for it any more",
            "mx2.example.com is still among the `hosts` of mail: take it out there, or the next rotation takes it in again",
            "Deployed",
        ],
    );
    // Still configured, it does not join this rotation again.
    soaks_and_retires(&world, hour + 8, &[HOSTS[0]]);
    assert_eq!(world.tlsa(HOSTS[1]).len(), 2);
    let again = world.run(hours(hour + 40), &gone).ends(1);
    again.complains_of("mx2.example.com");
    says(&again, &["take mx2.example.com out of `hosts` of mail"]);
}

#[test]
fn a_host_that_dies_before_the_last_merge_holds_the_record_until_it_is_let_go() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    assert!(is_proposed(&world));
    world.silence(1);
    let waits = world.advance(hours(hour + 1)).ends(0);
    says(&waits, &["mx2.example.com:25"]);
    let status = world.run(hours(hour + 1), &["status"]).ends(0);
    says(
        &status,
        &["if the host is gone for good: tlsa-rotate forget mx2.example.com"],
    );
    let forgotten = world
        .run(hours(hour + 2), &["forget", "mx2.example.com"])
        .ends(3);
    says(
        &forgotten,
        &["review the change that `tlsa-rotate advance` proposes, and merge it"],
    );
    assert!(world.merge(), "{forgotten:#?}");
    world.advance(hours(hour + 3)).ends(0);
    world.load();
    world.advance(hours(hour + 4)).ends(0);
    assert_eq!(world.step(hours(hour + 4)), "Retired");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
    world.is_tidy();
}

#[test]
fn status_says_what_a_run_says_of_a_merged_removal_that_waits_for_a_silent_host() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    assert!(world.merge());
    world.silence(1);
    let run = world.advance(hours(hour + 1)).ends(3);
    let status = world.run(hours(hour + 1), &["status"]).ends(3);
    for one in [&run, &status] {
        says(
            one,
            &[
                "was not handed to its name servers, for mail.1",
                "mx2.example.com:25",
            ],
        );
    }
    world.wake(1);
    world.deploy(1);
    world.run(hours(hour + 2), &["status"]).ends(0);
    world.advance(hours(hour + 2)).ends(0);
}

#[test]
fn where_the_old_key_is_lost_on_the_way_back_the_rotation_goes_forward_again() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Deployed");
    let why = ["abort", "mail", "--reason", "clients complain"];
    let back = world.run(hours(hour), &why).ends(3);
    says(
        &back,
        &[
            "mail.1: RollingBack",
            "put the previous certificate and key back on mx1.example.com:25",
        ],
    );
    // Nobody has the previous key any more.
    fs::remove_file(world.path("live/privkey.pem")).unwrap();
    let status = world.run(hours(hour + 1), &["status"]).ends(3);
    says(
        &status,
        &["where they are lost, `tlsa-rotate deploy` goes forward again"],
    );
    world.run(hours(hour + 1), &["abort", "mail"]).ends(1);
    let forward = world.run(hours(hour + 1), &["deploy", "mail"]).ends(0);
    says(&forward, &["mail.1: "]);
    let deployed = world.advance(hours(hour + 1)).ends(0);
    says(&deployed, &["Deployed"]);
    soaks_and_retires(&world, hour + 1, &HOSTS);
}

#[test]
fn a_merged_retirement_is_not_handed_on_while_a_host_is_back_on_the_old_key() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Retiring");
    assert!(world.merge());
    let signed = world.read(rotation_support::SIGNED);
    world.put_back(0);
    let run = world.advance(hours(hour + 1));
    assert!(matches!(run.code, Some(3 | 4)), "{run:#?}");
    says(
        &run,
        &[
            "zone example.com. was not handed to its name servers, for mail.1",
            "unless it is mx1.example.com:25 that has the wrong key",
            "or leave the key where it is and take the change back: tlsa-rotate abort mail",
        ],
    );
    assert_eq!(world.read(rotation_support::SIGNED), signed);
    let status = world.run(hours(hour + 1), &["status"]);
    assert_eq!(status.code, run.code, "{status:#?}");
    says(&status, &["was not handed to its name servers, for mail.1"]);
    let aborted = world.run(hours(hour + 1), &["abort", "mail", "--reason", "it fails"]);
    assert!(matches!(aborted.code, Some(3 | 4)), "{aborted:#?}");
    says(&aborted, &["mail.1: Reinstating"]);
    // What the servers have is older than the base; the gate takes the program's own proposal all the same.
    let gate = ["check", "--merge", "--head", BRANCH];
    world.run(hours(hour + 1), &gate).ends(0);
    assert!(world.merge(), "{aborted:#?}");
    for host in HOSTS {
        assert_eq!(world.tlsa(host).len(), 2, "{host}");
    }
    // It was merged, so caches may hold the incoming record alone for all that is known: until the wait is over the host is
    // told to have the incoming key, and what is printed helps.
    let risky = world.advance(hours(hour + 2)).ends(4);
    says(&risky, &["DELIVERY AT RISK"]);
    let status = world.run(hours(hour + 2), &["status"]).ends(4);
    says(
        &status,
        &["put the next certificate and key on mx1.example.com:25 now"],
    );
    world.deploy(0);
    world.load();
    world.advance(hours(hour + 3)).ends(0);
    let opened = world.advance(hours(hour + 28)).ends(3);
    says(&opened, &["RollingBack"]);
    world.put_back(0);
    world.put_back(1);
    for later in 29..35 {
        world.advance(hours(hour + later));
        if world.merge() {
            world.advance(hours(hour + later));
        }
        world.load();
    }
    assert_eq!(world.step(hours(hour + 35)), "Aborted");
    assert_eq!(world.tlsa(HOSTS[0]).len(), 1);
}

#[test]
fn dane_is_left_only_once_the_records_are_out() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let leave = [
        "abort",
        "mail",
        "--leave-dane",
        "--reason",
        "no DANE any more",
    ];
    let refused = world.run(hours(hour), &leave).ends(1);
    refused.complains_of("the zone still holds TLSA records of it");
    says(
        &refused,
        &[
            "take the TLSA records of _25._tcp.mx1.example.com. out of the zone first, all of them at once",
        ],
    );
    let out = |owner: &str| {
        let zone = world.read(ZONE_FILE);
        world.write(ZONE_FILE, &without_tlsa(&zone, owner));
        world.git("commit --quiet --all --message out");
    };
    out("_25._tcp.mx1");
    let refused = world.run(hours(hour), &leave).ends(1);
    says(
        &refused,
        &["take the TLSA records of _25._tcp.mx2.example.com. out"],
    );
    out("_25._tcp.mx2");
    let left = world.run(hours(hour), &leave).ends(0);
    says(
        &left,
        &[
            "mail.1: Aborted",
            "nothing is proposed any more. Leave the keys on the hosts as they are until ",
        ],
    );
    let after = world.advance(hours(hour + 1)).ends(0);
    assert!(!is_proposed(&world), "{after:#?}");
    assert!(world.tlsa(HOSTS[0]).is_empty());
    world.load();
    // From the last answer with records on hosts are bound to their keys for a TTL: told as long as that lasts, and no longer.
    world.advance(hours(hour + 2)).ends(0);
    world.renew_elsewhere(0);
    world.advance(hours(hour + 2)).ends(4);
    world.advance(hours(hour + 3)).ends(0);
}

#[test]
fn the_first_records_wait_for_a_host_that_does_not_answer() {
    let bare = |text: String, _: &[KeyFiles]| {
        let start = text.find("; DANE: the public key").unwrap();
        let end = text.find("; A delegation").unwrap();
        format!("{}{}", &text[..start], &text[end..])
    };
    let world = World::shaped(Publish::Branch, |c| c, |root| vec![live_key(root)], bare);
    world.silence(1);
    world.start(BEGIN).ends(0);
    let waits = world.advance(BEGIN).ends(0);
    says(
        &waits,
        &["mail.1: Hashed; next: others: ", "mx2.example.com:25"],
    );
    assert!(!is_proposed(&world));
    let long = world.advance(hours(7)).ends(3);
    says(&long, &["mail.1: Hashed; next: you: "]);
    let status = world.run(hours(7), &["status"]).ends(3);
    says(&status, &["make mx2.example.com:25 reachable from here"]);
    // With another key than the one that is to be published it is no better.
    world.wake(1);
    world.renew_elsewhere(1);
    let other = world.advance(hours(8)).ends(3);
    says(&other, &["mail.1: Hashed; next: you: "]);
    assert!(!is_proposed(&world));
    world.put_back(1);
    let proposed = world.advance(hours(9)).ends(3);
    says(&proposed, &["Prepublishing (PrepublishDecided)"]);
    assert!(world.merge());
    for host in HOSTS {
        assert_eq!(world.tlsa(host).len(), 2, "{host}");
    }
}
