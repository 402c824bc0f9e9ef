//! A signed workspace whose zone the real program serves, version after version.
#![allow(dead_code)] // each test file uses its part

pub(crate) mod traced;
pub(crate) mod versions;

use super::engine_support::at;
use super::path_support::World;
use super::serve_support::{APEX, Peer, stdout_of};
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tlsa-rotate");
/// Where changes are kept.
pub(crate) const KEPT: &str = ".tlsa-rotate/served/example.com.";
/// Hosts that are the same in all versions.
const HOSTS: u32 = 60;

/// A signed workspace whose zone is served, with `more` in its `serve` table.
pub(crate) fn workspace(more: &str) -> World {
    let world = World::new();
    fs::write(world.path("example.com.zone"), version(&world, 1)).unwrap();
    let zone = format!(
        "file = \"example.com.zone\"\nsign = {{ keys = \"keys\" }}\npublish = {{ file = true, serve = {{ {more} }} }}\n"
    );
    world.configure(&zone, &[1]);
    let (code, said) = world.run(&["key", "generate", "example.com", "--keys", "keys"]);
    assert_eq!(code, 0, "{said}");
    world.advance();
    world
}

pub(crate) fn serve(world: &World, port: u16) -> Peer {
    serve_by(Command::new(PROGRAM), world, port)
}

/// The same by a `command` that becomes the program.
pub(crate) fn serve_by(mut command: Command, world: &World, port: u16) -> Peer {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(world.path("serve.log"))
        .unwrap();
    let child = command
        .args(["serve", "--listen", &at(port).to_string(), "--config"])
        .arg(world.path("tlsa-rotate.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Peer {
        child: child.unwrap(),
    }
}

pub(crate) fn log(world: &World) -> String {
    fs::read_to_string(world.path("serve.log")).unwrap()
}

/// A version of the zone: its address is its serial's; most of it stays, so that changes are less than the zone.
pub(crate) fn version(world: &World, serial: u32) -> String {
    let mut text = world.zone().replace(" 1 7200", &format!(" {serial} 7200"));
    text = text.replace("A 127.0.0.1", &format!("A 127.0.0.{serial}"));
    for host in 0..HOSTS {
        writeln!(text, "host{host} A 192.0.2.{host}").unwrap();
    }
    text
}

/// The next version: another address, another serial.
pub(crate) fn edit(world: &World, serial: u32) {
    fs::write(world.path("example.com.zone"), version(world, serial)).unwrap();
    world.advance();
}

/// Signs `text` by hand and puts it in the place of what is served, whatever serial that has; `more` are options.
pub(crate) fn sign(world: &World, text: &str, more: &[&str]) {
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (zone, keys, new) = (path("by-hand"), path("keys"), path("by-hand.signed"));
    let served = path("example.com.zone.signed");
    fs::write(&zone, text).unwrap();
    let plain = [
        "zone", "sign", &zone, "--origin", APEX, "--keys", &keys, "--output", &new,
    ];
    stdout_of(PROGRAM, &[plain.as_slice(), more].concat());
    fs::rename(new, &served).unwrap();
}
