//! What a person names for output is written over nothing that cannot be got back: keys, git's files, what runs remember.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod hook_support;
mod rotation_support;

use hook_support::{EC, issue};
use rotation_support::{BEGIN, HOSTS, Publish, Run, World, ZONE_FILE};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Each command that writes where it is told to.
fn write_to(world: &World, command: &str, to: &str) -> Run {
    let arguments = match command {
        "sign" => vec!["zone", "sign", ZONE_FILE, "--keys", "keys", "--output", to],
        "delta" => vec![
            "zone",
            "sign",
            ZONE_FILE,
            "--keys",
            "keys",
            "--previous",
            "first",
            "--delta",
            to,
        ],
        "make" => vec!["change", "make", "first", "second", "--output", to],
        "install" => vec!["hook", "install", "deploy", "mail", "--to", to],
        "live" => vec![
            "hook",
            "renewed",
            "mail",
            "--reload-with",
            "/bin/true",
            "--live",
            to,
            "--certificate",
            "live/fullchain.pem",
            "--key",
            "live/privkey.pem",
        ],
        "generate" => vec!["key", "generate", "example.com", "--keys", to],
        other => panic!("{other}"),
    };
    world.run(BEGIN, &arguments)
}

/// A workspace with a signed zone in two versions, and with what must not be written over.
fn workspace() -> World {
    let world = World::new(Publish::Current);
    world.advance(BEGIN).ends(0);
    write_to(&world, "sign", "first").ends(0);
    let text = world.read(ZONE_FILE);
    let serial = "2026112301";
    assert!(text.contains(serial));
    let next = text.replace(serial, "2026112302");
    world.write(ZONE_FILE, &format!("{next}one.more A 192.0.2.1\n"));
    write_to(&world, "sign", "second").ends(0);
    world.write(ZONE_FILE, &text);
    fs::create_dir(world.path("plain")).unwrap();
    fs::create_dir(world.path("bare.git")).unwrap();
    for part in ["objects", "refs"] {
        fs::create_dir(world.path("bare.git").join(part)).unwrap();
    }
    world.write("bare.git/HEAD", "ref: refs/heads/main\n");
    issue(&world.path("plain/pair"), EC, &HOSTS);
    let key = world.read("plain/pair/privkey.pem");
    world.write("plain/key-of-another-name", &key);
    world.write("plain/private", "nothing that is known\n");
    world.write("plain/empty", "");
    world.write("plain/zone", "old\n");
    for file in ["key-of-another-name", "zone"] {
        chmod(&world.path("plain").join(file), 0o644);
    }
    for file in ["private", "empty"] {
        chmod(&world.path("plain").join(file), 0o600);
    }
    symlink("zone", world.path("plain/link")).unwrap();
    symlink("plain", world.path("elsewhere")).unwrap();
    world
}

#[test]
fn nothing_that_cannot_be_got_back_is_written_over() {
    let world = workspace();
    let table = [
        (".git/config", "git's own"),
        (".git/hooks/pre-commit", "git's own"),
        ("bare.git/config", "git's own"),
        (".tlsa-rotate/clock", "what tlsa-rotate remembers"),
        (
            ".tlsa-rotate/journal/mail.jsonl",
            "what tlsa-rotate remembers",
        ),
        ("keys/new", "keys"),
        ("keys/tls/mail.1/new", "keys of rotations"),
        ("live/privkey.pem", "where keys lie"),
        ("live/fullchain.pem", "a certificate in use"),
        ("tlsa-rotate.toml", "a configuration"),
        ("plain/key-of-another-name", "holds a private key"),
        ("plain/pair/new", "where keys lie"),
        ("plain/private", "by its owner alone (mode 0600)"),
        ("plain/link", "is a symbolic link"),
        ("elsewhere/new", "is a symbolic link"),
        ("plain", "a directory"),
    ];
    let before = world.files();
    for command in ["sign", "delta", "make", "install"] {
        for (to, why) in table {
            let to = world.path(".").join(to).display().to_string();
            let said = write_to(&world, command, &to).ends(1);
            said.complains_of(why);
            assert!(said.stderr.contains("nothing was written"), "{said:#?}");
            assert_eq!(world.files(), before, "{command} {to}");
        }
    }
    // What is no script of ours, a client may rest on.
    write_to(&world, "install", "plain/zone")
        .ends(1)
        .complains_of("no script of `hook install`");
    assert_eq!(world.files(), before);
    // An output that may be written.
    for (command, to) in [
        ("sign", "plain/zone"),
        ("sign", "plain/zone"),
        ("delta", "plain/empty"),
        ("make", "plain/new"),
        ("install", "plain/script"),
        ("install", "plain/script"),
    ] {
        write_to(&world, command, to).ends(0);
        assert!(!world.read(to).is_empty() || command == "delta", "{to}");
    }
}

#[test]
fn keys_are_put_beside_no_others_and_through_no_link() {
    let world = workspace();
    let before = world.files();
    for (command, to, why) in [
        ("live", ".git/live.pem", "git's own"),
        (
            "live",
            ".tlsa-rotate/live.pem",
            "what tlsa-rotate remembers",
        ),
        ("live", "keys/tls/mail.1/live.pem", "keys of rotations"),
        ("live", "plain/link", "is a symbolic link"),
        ("live", "elsewhere/live.pem", "is a symbolic link"),
        (
            "live",
            "plain/pair/privkey.pem",
            "followed by its one chain",
        ),
        ("generate", ".git/keys", "git's own"),
        ("generate", ".tlsa-rotate", "what tlsa-rotate remembers"),
        ("generate", "elsewhere", "is a symbolic link"),
    ] {
        let to = world.path(".").join(to).display().to_string();
        write_to(&world, command, &to).ends(1).complains_of(why);
        assert_eq!(world.files(), before, "{command} {to}");
    }
    write_to(&world, "live", "live/live.pem").ends(0);
    // One file for each algorithm lies beside it, in place of no other.
    world.write("live/live.ecdsa.pem", &world.read("live/privkey.pem"));
    chmod(&world.path("live/live.ecdsa.pem"), 0o600);
    let before = world.read("live/live.ecdsa.pem");
    let arguments = [
        "hook",
        "renewed",
        "mail",
        "--reload",
        "dovecot",
        "--live",
        "live/live.pem",
        "--certificate",
        "live/fullchain.pem",
        "--key",
        "live/privkey.pem",
    ];
    let said = world.run(BEGIN, &arguments).ends(1);
    said.complains_of("live.ecdsa.pem");
    assert_eq!(world.read("live/live.ecdsa.pem"), before);
}

/// What a command reads is no output of it, nor are two outputs one file; and a page or manual goes over nothing else.
#[test]
fn a_file_is_written_over_neither_twice_nor_by_what_it_is_not() {
    let world = workspace();
    let before = |file: &str| (file.to_owned(), world.read(file));
    let files = [
        before(ZONE_FILE),
        before("first"),
        before("second"),
        before(".gitignore"),
    ];
    let sign = [
        "zone",
        "sign",
        ZONE_FILE,
        "--keys",
        "keys",
        "--previous",
        "first",
    ];
    let make = ["change", "make", "first", "second"];
    fs::create_dir(world.path("pages")).unwrap();
    world.write("pages/tlsa-rotate.1", "another's\n");
    for (arguments, why) in [
        (
            [&sign[..], &["--output", "new", "--delta", "./new"]].concat(),
            "named for two outputs",
        ),
        (
            [&sign[..], &["--output", ZONE_FILE]].concat(),
            "what this command reads",
        ),
        (
            [&sign[..], &["--output", "new", "--delta", ZONE_FILE]].concat(),
            "what this command reads",
        ),
        (
            [&make[..], &["--output", "plain/../first"]].concat(),
            "what this command reads",
        ),
        (
            vec!["report", "--html", ZONE_FILE],
            "nothing that this command wrote before",
        ),
        (
            vec!["report", "--html", ".gitignore"],
            "nothing that this command wrote before",
        ),
        (
            vec!["man", "pages"],
            "nothing that this command wrote before",
        ),
    ] {
        let run = world.run(BEGIN, &arguments).ends(1);
        run.complains_of(why);
        for (file, text) in &files {
            assert_eq!(world.read(file), *text, "{arguments:?}");
        }
        assert!(!world.path("new").exists(), "{arguments:?}");
    }
    assert_eq!(world.read("pages/tlsa-rotate.1"), "another's\n");
    for _ in 0..2 {
        world.run(BEGIN, &["report", "--html", "page.html"]).ends(0);
    }
}
