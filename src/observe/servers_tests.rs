//! Whom the zone, its servers and its parent lead to, by tables: no network.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rotation::reach::Reachable;
use crate::rotation::timing::Instant;
use std::net::IpAddr;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// `n1 = 1 2` is the server `n1.e.` at 192.0.2.1 and 192.0.2.2; everything with this TTL.
fn lists(ttl: u32, text: &str) -> Listing {
    let mut listing = Listing::default();
    for server in text.split(',').filter(|part| !part.trim().is_empty()) {
        let (label, octets) = server.split_once('=').unwrap();
        let server = name(&format!("{}.e.", label.trim()));
        listing.servers.insert(server.clone(), Ttl(ttl));
        for octet in octets.split_ascii_whitespace() {
            let ip: IpAddr = format!("192.0.2.{octet}").parse().unwrap();
            listing.place(&server, ip, Ttl(ttl));
        }
    }
    listing
}

fn at(octet: u8) -> SocketAddr {
    format!("192.0.2.{octet}:53").parse().unwrap()
}

fn beginning(kept: Result<Listing, String>, configured: &[SocketAddr]) -> Beginning {
    Beginning {
        kept,
        configured: configured.to_vec(),
        earlier: Reach::new(),
        guide: Guide::of_system().through(&[at(99)]),
        asks_parent: false,
    }
}

fn earlier(entries: &[(&str, Option<u64>)]) -> Reach<Authority> {
    let reachable = |until: &Option<u64>| Reachable {
        ttl: Ttl(60),
        until: until.map(Instant::from_unix),
    };
    let entries = entries.iter();
    entries
        .map(|(text, until)| (Authority((*text).to_owned()), reachable(until)))
        .collect()
}

/// The servers found, in short: `n1@1/60` at 192.0.2.1 with TTL 60, `n1@?` without an address.
fn found(beginning: &Beginning, base: &Listing, answers: &[(u8, Listing, bool)]) -> (String, bool) {
    let listed = |address: &SocketAddr| {
        let mut answers = answers.iter();
        let answer = answers.find(|(octet, _, _)| at(*octet).ip() == address.ip());
        answer.map(|(_, listing, whole)| (listing, *whole))
    };
    let found = circle(beginning, base, listed);
    let short = |placed: &Placed| {
        let server = placed.server.as_ref().map(ToString::to_string);
        let server = server.unwrap_or_default().replace(".e.", "");
        let address = placed.address.map(|address| address.to_string());
        let address = address.unwrap_or_else(|| "?".to_owned());
        let address = address.replace("192.0.2.", "").replace(":53", "");
        format!("{server}@{address}/{}", placed.ttl.0)
    };
    let placed: Vec<String> = found.placed.iter().map(short).collect();
    (placed.join(" "), found.is_open)
}

#[test]
fn whoever_a_server_names_is_one_too_until_nobody_new_is_named() {
    type Row<'a> = (&'a str, &'a [(u8, &'a str)], &'a str, bool, &'a str);
    #[rustfmt::skip]
    let table: &[Row<'_>] = &[
        ("n1=1", &[(1, "n1=1")], "n1@1/60", false, "one that names itself"),
        ("n1=1", &[(1, "n1=1, n2=2"), (2, "n2=2, n3=3"), (3, "n3=3")], "n1@1/60 n2@2/60 n3@3/60", false,
         "a server that the zone does not name any more leads to another"),
        ("n1=1", &[(1, "n1=1 4"), (4, "n1=1 4")], "n1@1/60 n1@4/60", false, "an address that only a server knows"),
        ("n1=1, n2=2", &[(1, "n1=1, n2=2")], "n1@1/60 n2@2/60", true, "one is not heard"),
        ("n1=1, n2=", &[(1, "n1=1, n2=")], "n1@1/60 n2@?/60", false, "a server without an address is there all the same"),
        ("n1=1", &[(1, "n1=1"), (9, "n9=9")], "n1@1/60", false, "who has left is not believed about itself"),
    ];
    for (kept, answers, expected, open, why) in table {
        let base = lists(60, kept);
        let answers: Vec<(u8, Listing, bool)> = answers
            .iter()
            .map(|(octet, text)| (*octet, lists(60, text), true))
            .collect();
        let beginning = beginning(Ok(base.clone()), &[]);
        let (placed, is_open) = found(&beginning, &base, &answers);
        assert_eq!((&*placed, is_open), (*expected, *open), "{why}");
    }
}

#[test]
fn a_server_has_the_largest_ttl_of_all_that_lead_to_it() {
    let mut base = lists(60, "n1=1");
    base.add(&lists(172_800, "n1=1"));
    let answers = [(1, lists(3600, "n1=1"), true)];
    let beginning = beginning(Ok(lists(60, "n1=1")), &[]);
    assert_eq!(found(&beginning, &base, &answers).0, "n1@1/172800");
}

/// What is silent may name anybody: departures wait until all were heard.
#[test]
fn nobody_is_known_to_have_left_while_one_is_not_heard() {
    let base = lists(60, "n1=1, n2=2");
    let mut beginning = beginning(Ok(base.clone()), &[]);
    beginning.earlier = earlier(&[
        ("n1.e. 192.0.2.1:53", None),
        ("n7.e. 192.0.2.7:53", None),
        ("n8.e. 192.0.2.8:53", Some(9)),
    ]);
    let heard = lists(60, "n1=1, n2=2");
    let one = [(1, heard.clone(), true)];
    let both = [(1, heard.clone(), true), (2, heard.clone(), true)];
    let half = [(1, heard.clone(), true), (2, heard, false)];
    assert_eq!(found(&beginning, &base, &one).0, "n1@1/60 n2@2/60 n7@7/60");
    assert_eq!(found(&beginning, &base, &half).0, "n1@1/60 n2@2/60 n7@7/60");
    assert_eq!(found(&beginning, &base, &both).0, "n1@1/60 n2@2/60");
    beginning.kept = Err("unreadable".to_owned());
    assert_eq!(
        found(&beginning, &base, &both).0,
        "n1@1/60 n2@2/60 n7@7/60",
        "the zone itself cannot be read"
    );
}

#[test]
fn a_server_whose_address_cannot_be_learnt_is_asked_where_it_was() {
    let base = lists(60, "n1=1, n2=");
    let mut beginning = beginning(Ok(base.clone()), &[]);
    beginning.earlier = earlier(&[("n2.e. 192.0.2.2:53", None)]);
    let answers = [(1, base.clone(), true), (2, base.clone(), true)];
    assert_eq!(found(&beginning, &base, &answers).0, "n1@1/60 n2@2/60");
}

#[test]
fn configured_addresses_stand_for_servers_and_hide_none() {
    #[rustfmt::skip]
    let table: &[(&str, &[u8], &str, &str)] = &[
        ("n1=1, n2=2", &[1, 2], "n1@1/60 n2@2/60", "each has its own"),
        ("n1=1, n2=2", &[1], "n1@1/60 n2@2/60", "one that is covered by none is asked at its own address"),
        ("n1=1, n2=2", &[11, 12], "@11/60 @12/60", "behind address translation: as many as there are"),
        ("n1=1, n2=2", &[11], "@11/60 n1@1/60 n2@2/60", "too few: whichever it is, the others are asked"),
        ("n1=1 3, n2=2", &[3, 12], "n1@3/60 @12/60", "one of its addresses is enough for a server"),
        ("n1=1, n2=", &[1, 12], "n1@1/60 @12/60", "a server elsewhere"),
        ("n1=1, n2=, n3=", &[1, 12], "n1@1/60 @12/60 n2@?/60 n3@?/60", "two elsewhere, and one address"),
        ("n1=1", &[1, 12], "n1@1/60 @12/60", "whoever else is configured is asked, too"),
    ];
    for (kept, configured, expected, why) in table {
        let configured: Vec<SocketAddr> = configured.iter().map(|octet| at(*octet)).collect();
        let base = lists(60, kept);
        let beginning = beginning(Ok(base.clone()), &configured);
        assert_eq!(found(&beginning, &base, &[]).0, *expected, "{why}");
    }
}
