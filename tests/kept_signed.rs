//! Every zone that is signed here is kept signed, and no version falls behind what its servers and caches have.
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
use std::fs;
use std::net::{TcpListener, UdpSocket};
use tlsa_rotate::rotation::timing::Instant;
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;

const PLAIN: &str = "plain.zone.signed";

/// A world with another zone in which no host lies, signed and served.
fn world() -> World {
    let world = World::new(Publish::File);
    let servers = format!("{:?}", [world.server(0), world.server(1)]);
    add_zone(&world, "plain.example", "plain.zone", &servers);
    generate(&world, BEGIN);
    world.advance(BEGIN).ends(0);
    load(&world);
    world
}

fn add_zone(world: &World, name: &str, file: &str, servers: &str) {
    let config = world.read("tlsa-rotate.toml");
    let zone = format!(
        "\n[[zone]]\nname = \"{name}\"\nfile = \"{file}\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true }}\nservers = {servers}\n"
    );
    world.write("tlsa-rotate.toml", &format!("{config}{zone}"));
    world.write(
        file,
        "$TTL 3600\n@ SOA ns1 host 2026120100 7200 3600 1209600 3600\n@ NS ns1\nns1 A 192.0.2.53\n",
    );
}

fn generate(world: &World, now: Instant) {
    let keys = ["key", "generate", "plain.example", "--keys", "keys"];
    world.run(now, &keys).ends(0);
}

/// Both servers load the other zone.
fn load(world: &World) {
    for server in 0..2 {
        world.load_other(server, PLAIN, "plain.example.");
    }
}

fn serial(world: &World) -> u32 {
    let apex = Name::parse(b"plain.example.", None).unwrap();
    serial_of(&Zone::parse(world.read(PLAIN).as_bytes(), Some(&apex)).unwrap())
}

fn serial_of(zone: &Zone) -> u32 {
    zone.soa().unwrap().serial
}

fn edit(world: &World, host: &str) {
    let text = world.read("plain.zone");
    world.write("plain.zone", &format!("{text}{host} A 192.0.2.1\n"));
}

fn lose(world: &World, what: &[&str]) {
    for file in what {
        let path = world.path(file);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Takes the keys of the other zone away.
fn lose_keys(world: &World) {
    for entry in fs::read_dir(world.path("keys")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().contains("plain") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn a_zone_without_a_host_is_kept_signed_and_one_that_fails_stops_no_other() {
    let world = world();
    assert_eq!(serial(&world), 2_026_120_100);
    add_zone(&world, "broken.example", "broken.zone", "[\"127.0.0.1:9\"]");
    edit(&world, "www");
    let run = world.advance(hours(1)).ends(1);
    run.complains_of("broken.example.");
    assert!(
        run.stderr
            .contains("plain.example.: signed plain.example. with serial 2026120101"),
        "{run:#?}"
    );
    // Half a year on, it has never run out.
    lose(&world, &["broken.zone"]);
    let config = world.read("tlsa-rotate.toml");
    let (config, _) = config.split_once("\n[[zone]]\nname = \"broken").unwrap();
    world.write("tlsa-rotate.toml", config);
    for week in 1..26 {
        let run = world.advance(hours(1 + week * 24 * 7)).ends(0);
        assert!(!run.stderr.contains("had ended"), "{run:#?}");
    }
}

#[test]
fn the_serial_goes_on_from_wherever_it_is_known() {
    // What is lost → the next serial, why
    let table: [(&[&str], u32, &str); 3] = [
        (&[PLAIN], 2_026_120_104, "the state directory remembers it"),
        (
            &[PLAIN, ".tlsa-rotate"],
            2_026_120_104,
            "the servers tell it",
        ),
        (
            &[".tlsa-rotate"],
            2_026_120_103,
            "the signed file lies there: nothing changes",
        ),
    ];
    let world = world();
    for host in ["a", "b", "c"] {
        edit(&world, host);
        world.advance(hours(1)).ends(0);
    }
    assert_eq!(serial(&world), 2_026_120_103);
    load(&world);
    for (lost, expected, why) in table {
        let copy = world.copy();
        lose(&copy, lost);
        copy.advance(hours(2)).ends(0);
        assert_eq!(serial(&copy), expected, "{why}");
    }
    // An old signed file and an old memory, as of a restored backup: the servers are ahead of both.
    let restored = world.copy();
    for host in ["d", "e"] {
        edit(&world, host);
        world.advance(hours(2)).ends(0);
    }
    load(&world);
    edit(&restored, "f");
    restored.advance(hours(3)).ends(0);
    assert_eq!(serial(&restored), 2_026_120_106);
}

/// One server lags, and the one that has the latest version does not answer when all else is lost.
#[test]
fn a_silent_server_may_have_the_latest_serial() {
    let world = world();
    for host in ["a", "b"] {
        edit(&world, host);
        world.advance(hours(1)).ends(0);
    }
    let (udp, tcp) = silent();
    let config = world.read("tlsa-rotate.toml");
    let servers = format!("{:?}", [world.server(0), world.server(1)]);
    let (front, back) = config.split_at(config.rfind(&servers).unwrap());
    let one = format!("[{:?}, \"{}\"]", world.server(0), udp.local_addr().unwrap());
    world.write(
        "tlsa-rotate.toml",
        &format!("{front}{}", back.replace(&servers, &one)),
    );
    lose(&world, &[PLAIN, ".tlsa-rotate"]);
    let before = world.run(hours(48), &["status"]).ends(3);
    before.complains_of("nothing tells which serial");
    let run = world.advance(hours(48)).ends(3);
    run.complains_of("nothing tells which serial");
    assert!(!world.path(PLAIN).exists());
    drop(tcp);
}

/// What a server is seen with was handed out, whatever is remembered here: the next version is after it.
#[test]
fn a_served_serial_that_is_ahead_is_passed_in_the_next_run() {
    let (world, hour) = World::new(Publish::Current).brought_to("Waiting");
    let signed = world.signed();
    let ahead = serial_of(&signed).wrapping_add(7);
    let text: String = world.read(ZONE_FILE);
    let before = text
        .split_whitespace()
        .find(|word| word.starts_with("202612"))
        .unwrap();
    let zone = text.replacen(before, &ahead.to_string(), 1);
    world.write("ahead.zone", &zone);
    let sign = [
        "zone",
        "sign",
        "ahead.zone",
        "--origin",
        "example.com",
        "--keys",
        "keys",
        "--output",
        "ahead.signed",
    ];
    world.run(hours(hour), &sign).ends(0);
    let apex = Name::parse(b"example.com.", None).unwrap();
    let served = Zone::parse(world.read("ahead.signed").as_bytes(), Some(&apex)).unwrap();
    assert_eq!(serial_of(&served), ahead);
    world.serve(1, served);
    world.advance(hours(hour + 1)).ends(0);
    assert!(serial_of(&world.signed()) > ahead);
}

#[test]
fn a_zone_of_which_nothing_tells_the_serial_is_not_signed_until_a_person_says_it() {
    let world = world();
    let (udp, tcp) = silent();
    let config = world.read("tlsa-rotate.toml");
    let servers = format!("{:?}", [world.server(0), world.server(1)]);
    let (front, back) = config.split_at(config.rfind(&servers).unwrap());
    let back = back.replace(&servers, &format!("[\"{}\"]", udp.local_addr().unwrap()));
    world.write("tlsa-rotate.toml", &format!("{front}{back}"));
    lose(&world, &[PLAIN, ".tlsa-rotate"]);
    let run = world.advance(hours(1)).ends(3);
    run.complains_of("nothing tells which serial");
    // Who only looks is told the same, once.
    let status = world.run(hours(1), &["status"]).ends(3);
    assert_eq!(
        status.stderr.matches("nothing tells which serial").count(),
        1,
        "{status:#?}"
    );
    assert!(!world.path(PLAIN).exists());
    let new = world.copy();
    let continued = |world: &World, said: &[&str]| {
        let plain = ["zone", "continue", "plain.example"];
        world.run(hours(1), &[&plain[..], said].concat())
    };
    continued(&world, &["--serial", "2026120150"]).ends(0);
    world.advance(hours(1)).ends(0);
    assert_eq!(serial(&world), 2_026_120_151);
    // What was said may not go back.
    continued(&world, &["--serial", "2026120149"])
        .ends(1)
        .complains_of("2026120151");
    continued(&world, &[]).ends(1);
    continued(&new, &["--new"]).ends(0);
    new.advance(hours(1)).ends(0);
    assert_eq!(serial(&new), 2_026_120_100);
    drop(tcp);
}

/// A place that takes questions and answers none.
fn silent() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no free port");
}

#[test]
fn keys_that_no_validator_would_take_are_not_handed_on_until_a_person_says_so() {
    // What else is lost, and what is told
    let table: [(&[&str], &str); 3] = [
        (&[], "is not in the directory any more"),
        (&[PLAIN, ".tlsa-rotate"], "is not in the directory any more"),
        (&[".tlsa-rotate"], "is not in the directory any more"),
    ];
    let world = world();
    for (lost, told) in table {
        let copy = world.copy();
        lose(&copy, lost);
        lose_keys(&copy);
        generate(&copy, hours(1));
        let before = fs::read(copy.path(PLAIN)).ok();
        copy.advance(hours(1)).ends(3).complains_of(told);
        assert_eq!(fs::read(copy.path(PLAIN)).ok(), before);
        let anew = ["zone", "continue", "plain.example", "--keys-anew"];
        copy.run(hours(2), &anew).ends(0);
        copy.advance(hours(2)).ends(0);
        assert_eq!(serial(&copy), 2_026_120_101);
        // It was said of one version.
        lose_keys(&copy);
        generate(&copy, hours(3));
        copy.advance(hours(3)).ends(3);
    }
}

#[test]
fn signatures_that_ended_are_told_until_they_are_made_anew_and_once_after() {
    let world = world();
    let late = hours(24 * 24);
    for command in ["status", "check"] {
        let run = world.run(late, &[command]).ends(4);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(
            said.contains("SIGNATURES HAVE ENDED: those of plain.example."),
            "{said}"
        );
        assert!(said.contains("run `tlsa-rotate advance`"), "{said}");
    }
    let run = world.advance(late);
    for zone in ["example.com.", "plain.example."] {
        let told = format!("signatures of {zone} had ended on ");
        assert!(run.stderr.contains(&told), "{run:#?}");
    }
    load(&world);
    world.load();
    let run = world.advance(late).ends(0);
    assert!(!run.stderr.contains("ended"), "{run:#?}");
    world.run(late, &["status"]).ends(0);
    // One that cannot be mended is told on.
    lose_keys(&world);
    let run = world.advance(hours(60 * 24)).ends(4);
    assert!(run.stderr.contains("SIGNATURES HAVE ENDED"), "{run:#?}");
}
