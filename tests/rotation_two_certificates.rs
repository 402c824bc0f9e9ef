//! Two certificates whose hosts' TLSA names are aliases of one RRset (RFC 7671 §6): each rotates its own key and leaves the
//! other's alone; a key that both present is refused before anything is made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, HOSTS, Publish, WHOLE, World, ZONE_FILE, hours, live_key, make_key};
use std::fs;
use std::path::Path;
use tlsa_rotate::dane::subject;
use tlsa_rotate::rotation::step::Event;
use tlsa_rotate::workspace::journal::Journal;
use tlsa_rotate::workspace::tls_key::{KeyFiles, KeyKind};

/// The digest of the key of a certificate.
fn key_of(certificate: &Path) -> String {
    let chain = subject::read_chain(&fs::read(certificate).unwrap()).unwrap();
    let record = chain[0].spki_association().to_string();
    record.split(' ').next_back().unwrap().to_owned()
}

/// The key of the second host.
fn other_live(root: &Path) -> KeyFiles {
    let directory = root.join("other");
    fs::create_dir_all(&directory).unwrap();
    let files = KeyFiles {
        key: directory.join("privkey.pem"),
        certificate: directory.join("fullchain.pem"),
        request: directory.join("request.pem"),
    };
    make_key(&files, KeyKind::EcdsaP256);
    files
}

/// `mail` for the first host and `other` for the second, whose live certificate is `live`.
fn two(config: &str, live: &str) -> String {
    let (zones, certificate) = config.split_once("[[certificate]]").unwrap();
    let addresses = certificate.split_once("{ ").unwrap().1;
    let addresses = addresses.split_once(" }").unwrap().0;
    let (first, second) = addresses.split_once(", ").unwrap();
    let entry = |name: &str, host: &str, address: &str, live: &str| {
        format!(
            "[[certificate]]\nname = \"{name}\"\nhosts = [\"{host}\"]\naddresses = {{ {address} }}\n\
             live = {{ certificate = \"{live}/fullchain.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\n"
        )
    };
    let mail = entry("mail", HOSTS[0], first, "live");
    format!("{zones}{mail}{}", entry("other", HOSTS[1], second, live))
}

/// The zone with both names as aliases of one RRset that lists these keys.
fn aliased(text: &str, keys: &[String]) -> String {
    let start = text.find("_25._tcp.mx1").unwrap();
    let end = text.find("; A delegation").unwrap();
    let aliases = "_25._tcp.mx1 IN CNAME _dane\n_25._tcp.mx2 IN CNAME _dane\n";
    let records = keys
        .iter()
        .map(|key| format!("_dane IN TLSA 3 1 1 {key}\n"));
    let records: String = records.collect();
    format!("{}{aliases}{records}{}", &text[..start], &text[end..])
}

/// The keys that the shared RRset lists.
fn listed(world: &World) -> Vec<String> {
    let of = |line: &String| line.to_lowercase().starts_with("_dane.example.com. ");
    let lines = world.zone().into_iter().filter(of);
    let mut keys: Vec<String> = lines
        .map(|line| line.split_whitespace().last().unwrap().to_lowercase())
        .collect();
    keys.sort();
    keys
}

#[track_caller]
fn lists(world: &World, keys: &[&String]) {
    let mut keys: Vec<String> = keys.iter().map(|key| (*key).clone()).collect();
    keys.sort();
    assert_eq!(listed(world), keys);
}

#[test]
fn two_keys_in_one_rrset_are_rotated_side_by_side() {
    let world = World::shaped(
        Publish::Current,
        |config| two(&config, "other"),
        |root| {
            other_live(root);
            vec![live_key(root)]
        },
        |text, live| {
            let other = live[0]
                .certificate
                .parent()
                .unwrap()
                .with_file_name("other");
            let keys =
                [&live[0].certificate, &other.join("fullchain.pem")].map(|path| key_of(path));
            aliased(&text, &keys)
        },
    );
    world.present(1, &[("other/fullchain.pem", "other/privkey.pem")]);
    let old = ["live", "other"].map(|place| key_of(&world.path(place).join("fullchain.pem")));
    lists(&world, &[&old[0], &old[1]]);
    for name in ["mail", "other"] {
        world.run(BEGIN, &["start", name]).ends(0);
    }
    let files = |name: &str| world.path("keys/tls").join(format!("{name}.1"));
    let next = ["mail", "other"].map(|name| key_of(&files(name).join("ecdsa-p256.cert.pem")));

    world.advance(BEGIN).ends(0);
    lists(&world, &[&old[0], &old[1], &next[0], &next[1]]);
    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(30)).ends(3);
    world.deploy(0);
    world.advance(hours(31));
    world.watch(31, 56);
    world.advance(hours(56));
    world.load();
    let run = world.advance(hours(57));
    assert!(run.stdout.contains("mail.1: Retired"), "{run:#?}");
    assert_ne!(run.code, Some(4), "nobody is refused: {run:#?}");
    lists(&world, &[&old[1], &next[0], &next[1]]);

    // The other takes its time, and its key is there all the while.
    let certificate = "keys/tls/other.1/ecdsa-p256.cert.pem";
    world.present(1, &[(certificate, "keys/tls/other.1/ecdsa-p256.key.pem")]);
    world.advance(hours(90));
    world.watch(90, 115);
    world.advance(hours(115));
    world.load();
    world.advance(hours(116)).ends(0);
    lists(&world, &[&next[0], &next[1]]);
    for name in ["mail", "other"] {
        let path = world.path(&format!(".tlsa-rotate/journal/{name}.jsonl"));
        let journal = Journal::<Event>::read(&path, name).unwrap();
        let facts = journal.entries().iter().map(|entry| entry.event.name());
        let facts: Vec<&str> = facts
            .filter(|name| !name.ends_with("Seen") && !name.ends_with("Found"))
            .collect();
        assert_eq!(
            facts, WHOLE,
            "{name}: neither took the other's for a regress"
        );
    }
}

#[test]
fn one_key_of_two_certificates_in_one_rrset_is_refused_before_a_key_is_made() {
    let world = World::shaped(
        Publish::Current,
        |config| two(&config, "live"),
        |root| vec![live_key(root)],
        |text, live| aliased(&text, &[key_of(&live[0].certificate)]),
    );
    let before = world.files();
    for (name, both) in [("mail", "mail and other"), ("other", "other and mail")] {
        for command in ["plan", "start"] {
            let refused = world.run(BEGIN, &[command, name]).ends(3);
            refused.complains_of(&format!("the certificates {both} have one key (3 1 1 "));
            refused.complains_of("one TLSA RRset at _dane.example.com.");
        }
    }
    assert!(before == world.files(), "nothing was made");
    // Each with records of its own: nothing to refuse.
    let own = World::with(Publish::Current, |config| two(&config, "live"));
    own.run(BEGIN, &["start", "mail"]).ends(0);
}

/// The zone's text with the TLSA name of the second host as an alias of the first's RRset.
fn leaning(text: &str) -> String {
    let start = text.find("_25._tcp.mx2").unwrap();
    let end = text.find("; A delegation").unwrap();
    format!(
        "{}_25._tcp.mx2 IN CNAME _25._tcp.mx1\n{}",
        &text[..start],
        &text[end..]
    )
}

#[test]
fn a_key_that_another_certificate_came_to_need_after_it_was_published_is_not_taken_out() {
    let world = World::with(Publish::Current, |config| two(&config, "live"));
    let live = key_of(&world.path("live/fullchain.pem"));
    let lists_live = || {
        world
            .tlsa(HOSTS[0])
            .iter()
            .any(|record| record.contains(&live))
    };
    world.run(BEGIN, &["start", "mail"]).ends(0);
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(30)).ends(3);
    world.deploy(0);
    world.advance(hours(31));
    // While mail's soak runs, the other's records become an alias of mail's RRset, where its key still is.
    let text = world.read(ZONE_FILE);
    world.write(ZONE_FILE, &leaning(&text));
    world.git("commit --quiet --all --message alias");
    world.advance(hours(32));
    world.load();
    world.watch(31, 56);

    let (before, run) = (world.read(ZONE_FILE), world.advance(hours(56)).ends(3));
    run.complains_of("the certificates mail and other have one key (3 1 1 ");
    run.complains_of("one TLSA RRset at _25._tcp.mx1.example.com.");
    assert!(lists_live() && before == world.read(ZONE_FILE), "{run:#?}");

    // Where security goes first it leaves, and what that does to the other's hosts is told.
    let hurried = world.copy();
    let emergency = ["emergency", "mail", "--priority", "security"];
    hurried.run(hours(57), &emergency);
    let run = hurried.advance(hours(57));
    let records = hurried.tlsa(HOSTS[0]);
    assert!(
        !records.iter().any(|record| record.contains(&live)),
        "{run:#?}"
    );
    let note = "note: mail: the certificates mail and other have one key";
    assert!(run.stderr.contains(note), "{run:#?}");

    // Not even a certificate of the other that cannot be read keeps a compromised key in the zone.
    let blind = world.copy();
    let config = blind.read("tlsa-rotate.toml");
    let (first, second) = config.rsplit_once("live/fullchain.pem").unwrap();
    blind.write("tlsa-rotate.toml", &format!("{first}gone.pem{second}"));
    blind.advance(hours(57)).complains_of("gone.pem");
    assert!(
        blind
            .tlsa(HOSTS[0])
            .iter()
            .any(|record| record.contains(&live))
    );
    blind.run(hours(58), &emergency);
    let run = blind.advance(hours(58));
    let records = blind.tlsa(HOSTS[0]);
    assert!(
        !records.iter().any(|record| record.contains(&live)),
        "{run:#?}"
    );

    // With records of its own for the other's host nothing stands in the way.
    world.write(ZONE_FILE, &text);
    world.git("commit --quiet --all --message own");
    let run = world.advance(hours(57));
    assert!(!lists_live(), "{run:#?}");
    assert_ne!(run.code, Some(1), "{run:#?}");
}
