//! What a server serves, whole and as changes, against the file on disk and the letter of RFC 1995.

use crate::engine_support::serial;
use crate::path_support::World;
use crate::serve_support::{APEX, dig, stdout_of};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

/// A record without the blanks that tools put into long data, and whether it is a SOA record.
type Line = (String, bool);

fn lines(text: &str) -> Vec<Line> {
    let lines = text
        .lines()
        .filter(|l| !l.starts_with(';') && !l.is_empty());
    lines
        .map(|line| {
            let is_soa = line.split_whitespace().nth(3) == Some("SOA");
            (line.split_whitespace().collect(), is_soa)
        })
        .collect()
}

fn set(lines: Vec<Line>) -> BTreeSet<String> {
    lines.into_iter().map(|(record, _)| record).collect()
}

fn transferred(server: SocketAddr) -> String {
    let said = dig(server, &["+onesoa", APEX, "AXFR"]);
    assert!(!said.contains("; Transfer failed"), "{server}: {said}");
    said
}

pub(crate) fn records(server: SocketAddr) -> BTreeSet<String> {
    set(lines(&transferred(server)))
}

/// What BIND reads in the signed file.
fn on_disk(world: &World) -> BTreeSet<String> {
    let file = world.path("example.com.zone.signed");
    let file = file.to_str().unwrap();
    let options = ["-q", "-i", "none", "-s", "full", "-o", "-"];
    let all = [options.as_slice(), &[APEX, file]].concat();
    set(lines(&stdout_of("named-compilezone", &all)))
}

/// What a secondary that has `base` comes to with the answer to its IXFR, by the letter of RFC 1995.
fn led_to(base: &BTreeSet<String>, serial: u32, server: SocketAddr) -> BTreeSet<String> {
    let said = dig(server, &["+tcp", APEX, &format!("IXFR={serial}")]);
    let stream = lines(&said);
    if stream.len() == 1 {
        return base.clone();
    }
    assert_eq!(stream.first(), stream.last(), "{said}");
    let within = &stream[1..stream.len() - 1];
    if !within[0].1 {
        return set(stream);
    }
    let mut zone = base.clone();
    let mut comes = true;
    for (record, is_soa) in within {
        comes ^= is_soa;
        let fits = if comes {
            zone.insert(record.clone())
        } else {
            zone.remove(record)
        };
        assert!(fits, "from {serial}, {record}:\n{said}");
    }
    zone
}

/// Every version that was served, as a secondary has it.
pub(crate) type Versions = BTreeMap<u32, BTreeSet<String>>;

/// What is served is the file, BIND finds every signature in it good, and from every version a secondary is led there.
pub(crate) fn assert_whole(
    world: &World,
    server: SocketAddr,
    versions: &mut Versions,
    situation: &str,
) {
    let copy = world.path("copy");
    fs::write(&copy, transferred(server)).unwrap();
    stdout_of(
        "dnssec-verify",
        &["-q", "-z", "-o", APEX, copy.to_str().unwrap()],
    );
    let now = records(server);
    assert_eq!(now, on_disk(world), "{situation}");
    versions.insert(serial(server).unwrap(), now.clone());
    for (serial, base) in versions {
        assert_eq!(
            led_to(base, *serial, server),
            now,
            "{situation}: from {serial}"
        );
    }
}
