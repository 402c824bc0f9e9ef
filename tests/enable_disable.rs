//! `enable` and `disable` by the real program: hosts come into DANE only when everything was seen, and leave it so that no
//! sender ever refuses them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, Run, World, hours, live_key, without_tlsa};

const ENABLE: &str = "tlsa-rotate/mail.enable";
const DISABLE: &str = "tlsa-rotate/mail.disable";

/// A world whose hosts have no records.
fn bare() -> World {
    World::shaped(
        Publish::Branch,
        |config| config,
        |root| vec![live_key(root)],
        |text, _| without_tlsa(&without_tlsa(&text, "mx1"), "mx2"),
    )
}

/// `enable`, with the zone's own key as what is trusted, or what else `anchor` names.
fn enable(world: &World, hour: u64, more: &[&str]) -> Run {
    let ds = world.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    world.write(".tlsa-rotate/anchor", &ds.ends(0).stdout);
    let server = world.server(0);
    let call = [
        "enable",
        "mail",
        "--resolver",
        &server,
        "--trust-anchor",
        ".tlsa-rotate/anchor",
    ];
    world.run(hours(hour), &[&call, more].concat())
}

fn disable(world: &World, hour: u64, more: &[&str]) -> Run {
    world.run(hours(hour), &[&["disable", "mail"], more].concat())
}

fn merge(world: &World, branch: &str) {
    world.git(&format!("merge --quiet --ff-only {branch}"));
}

#[test]
fn first_records_come_when_all_is_seen_and_the_zone_is_believed() {
    let world = bare();
    assert!(world.tlsa("mx1.example.com").is_empty());
    let (files, refs) = (world.files(), world.git("for-each-ref"));
    // A host that is silent, or has another key, keeps them away.
    world.silence(1);
    let run = enable(&world, 1, &[]).ends(3);
    assert!(run.stderr.contains("mx2.example.com:25"), "{run:#?}");
    world.wake(1);
    world.renew_elsewhere(0);
    let run = enable(&world, 1, &[]).ends(3);
    assert!(
        run.stderr.contains("mx1.example.com:25 presents"),
        "{run:#?}"
    );
    world.put_back(0);
    // So does a zone that nobody can validate: here the anchor is of another key.
    let other = bare();
    let ds = other.run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"]);
    world.write(".tlsa-rotate/other", &ds.ends(0).stdout);
    let server = world.server(0);
    let call = ["enable", "mail", "--resolver", &server, "--trust-anchor"];
    let call = [&call[..], &[".tlsa-rotate/other"]].concat();
    let run = world.run(hours(1), &call).ends(3);
    run.complains_of("example.com");
    // Nothing has changed by all of that.
    let run = enable(&world, 1, &["--dry-run"]).ends(0);
    assert!(
        run.stdout
            .contains("+ _25._tcp.mx2.example.com. TLSA 3 1 1"),
        "{run:#?}"
    );
    let mut now = world.files();
    now.retain(|name, _| !name.starts_with(".tlsa-rotate/anchor") && !name.ends_with("/other"));
    now.retain(|name, _| !name.starts_with("elsewhere/"));
    let changed: Vec<&String> = now
        .iter()
        .filter(|(name, of)| files.get(*name) != Some(of))
        .map(|(name, _)| name)
        .collect();
    assert!(
        changed.is_empty() && now.len() == files.len(),
        "{changed:?}"
    );
    assert_eq!(world.git("for-each-ref"), refs);
    // Proposed, merged, served.
    let run = enable(&world, 1, &[]).ends(3);
    assert!(run.stdout.contains(ENABLE), "{run:#?}");
    merge(&world, ENABLE);
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
    // Every host is looked at again before a server gets the first record.
    world.silence(1);
    let run = world.advance(hours(2)).ends(3);
    assert!(
        run.stderr.contains("was not handed to its name servers"),
        "{run:#?}"
    );
    world.wake(1);
    world.advance(hours(2)).ends(0);
    world.load();
    let run = world.advance(hours(3)).ends(0);
    assert!(
        run.stderr.contains("answers with the first records"),
        "{run:#?}"
    );
    let run = world.advance(hours(30)).ends(0);
    assert!(run.stderr.contains("`enable` is done"), "{run:#?}");
    let run = enable(&world, 31, &[]).ends(0);
    assert!(run.stdout.contains("nothing to enable"), "{run:#?}");
    world.start(hours(31)).ends(0);
}

#[test]
fn names_leave_dane_and_come_back() {
    let world = World::new(Publish::Branch);
    let refs = world.git("for-each-ref");
    let run = disable(&world, 1, &["--dry-run"]).ends(0);
    assert!(
        run.stdout.contains("until then the hosts keep their keys"),
        "{run:#?}"
    );
    assert_eq!(world.git("for-each-ref"), refs);
    disable(&world, 1, &[]).ends(3);
    // Another job waits for this one.
    let run = world.run(hours(1), &["prune", "mail"]).ends(3);
    run.complains_of("`disable` of it is open");
    merge(&world, DISABLE);
    assert!(world.tlsa("mx1.example.com").is_empty() && world.tlsa("mx2.example.com").is_empty());
    world.advance(hours(2)).ends(0);
    world.load_into(0);
    let run = world.advance(hours(2)).ends(0);
    assert!(
        run.stderr.contains("waits for the name servers"),
        "{run:#?}"
    );
    world.load();
    let run = world.advance(hours(3)).ends(0);
    assert!(
        run.stderr
            .contains("leave the keys on the hosts as they are"),
        "{run:#?}"
    );
    let until = hours(4).to_string();
    let status = world.run(hours(3), &["status", "mail"]).ends(0);
    assert!(
        status.stderr.contains(&format!("until {until}")),
        "{status:#?}"
    );
    let run = world.advance(hours(5)).ends(0);
    assert!(run.stderr.contains("has left DANE"), "{run:#?}");
    let run = world.advance(hours(6)).ends(0);
    assert!(!run.stderr.contains("DANE"), "told once: {run:#?}");
    assert!(
        run.stdout.contains("`tlsa-rotate enable mail` begins anew"),
        "{run:#?}"
    );
    let plan = world.run(hours(6), &["plan", "mail"]).ends(1);
    plan.complains_of("has left DANE");
    // The hosts are free, and nothing brings them back but a person: a renewal with any key is installed.
    world.renew_elsewhere(1);
    let renewed = [
        "hook",
        "renewed",
        "mail",
        "--certificate",
        "elsewhere/cert.pem",
    ];
    let installed = ["--key", "elsewhere/key.pem", "--live", "server.pem"];
    let by = ["--reload-with", "/bin/true"];
    let call = [&renewed[..], &installed, &by].concat();
    world.run(hours(6), &call).ends(0);
    assert!(world.path("server.pem").exists());
    world.put_back(1);
    world.renew_elsewhere(0);
    world.advance(hours(7)).ends(0);
    let run = world.start(hours(7));
    run.complains_of("has left DANE");
    world.put_back(0);
    enable(&world, 8, &[]).ends(3);
    merge(&world, ENABLE);
    world.advance(hours(9)).ends(0);
    world.load();
    world.advance(hours(9)).ends(0);
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
    world.advance(hours(40)).ends(0);
    // It is watched again.
    world.renew_elsewhere(0);
    world.advance(hours(41)).ends(4);
}

#[test]
fn a_rotation_ends_with_it_whether_under_way_or_over() {
    let (world, hour) = World::new(Publish::Branch).brought_to("SwapOpen");
    world.deploy(0);
    disable(&world, hour, &[]).ends(3);
    let gate = world.run(hours(hour), &["check", "--merge", "--head", DISABLE]);
    // The gate lets nobody out of DANE in silence: who merges it decides that.
    assert_eq!(gate.code, Some(3), "{gate:#?}");
    assert!(
        gate.stdout.contains("would be sent without DANE"),
        "{gate:#?}"
    );
    merge(&world, DISABLE);
    let run = world.advance(hours(hour + 1));
    assert_eq!(world.step(hours(hour + 1)), "Aborted", "{run:#?}");
    assert!(world.facts().contains(&"DaneLeft"));
    assert!(world.tlsa("mx1.example.com").is_empty());
    world.load();
    let run = world.advance(hours(hour + 2)).ends(0);
    assert!(
        run.stderr
            .contains("leave the keys on the hosts as they are"),
        "{run:#?}"
    );
    world.advance(hours(hour + 40)).ends(0);
    assert_eq!(
        world.git("branch --list tlsa-rotate/*"),
        "",
        "nothing is proposed any more"
    );
    // A first record waits for every host here as well.
    world.put_back(0);
    enable(&world, hour + 41, &[]).ends(3);
    merge(&world, ENABLE);
    world.silence(1);
    let run = world.advance(hours(hour + 42)).ends(3);
    assert!(
        run.stderr.contains("was not handed to its name servers"),
        "{run:#?}"
    );
    world.wake(1);
    world.advance(hours(hour + 42)).ends(0);

    let (world, hour) = World::new(Publish::Current).brought_to("Retiring");
    world.load();
    world.advance(hours(hour + 1)).ends(0);
    assert_eq!(world.step(hours(hour + 1)), "Retired");
    // Where nobody reviews, it is merged at once.
    disable(&world, hour + 2, &[]).ends(0);
    assert!(world.tlsa("mx1.example.com").is_empty());
    world.load();
    world.advance(hours(hour + 3)).ends(0);
    world.advance(hours(hour + 30)).ends(0);
    // Come back by the key in use, it is at rest as before.
    for (from, to) in [("cert", "fullchain"), ("key", "privkey")] {
        let from = world.path(&format!("keys/tls/mail.1/ecdsa-p256.{from}.pem"));
        std::fs::copy(from, world.path(&format!("live/{to}.pem"))).unwrap();
    }
    enable(&world, hour + 31, &[]).ends(0);
    world.load();
    world.advance(hours(hour + 32)).ends(0);
    let run = world.advance(hours(hour + 60)).ends(0);
    assert!(!run.stderr.contains("answers with"), "{run:#?}");
    assert_eq!(world.tlsa("mx1.example.com").len(), 1);
    world.renew_elsewhere(0);
    world.advance(hours(hour + 61)).ends(4);
}

#[test]
fn no_rotation_begins_by_itself_for_names_that_left() {
    let world = World::with(Publish::Current, |config| {
        config.replace("[policy]\n", "[policy]\nmax_age = \"48h\"\n")
    });
    let other = world.copy();
    other.advance(hours(1)).ends(0);
    disable(&world, 1, &[]).ends(0);
    world.load();
    for hour in [2, 10, 60, 100] {
        let run = world.advance(hours(hour)).ends(0);
        assert!(!run.stderr.contains("began"), "{run:#?}");
    }
    assert!(world.tlsa("mx1.example.com").is_empty());
    // Else it would have.
    let run = other.advance(hours(100));
    assert!(run.stderr.contains("began mail.1"), "{run:#?}");
}
