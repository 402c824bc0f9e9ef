//! The records of all hosts of a certificate move while it rotates: an alias becomes records of the host's own, comes, or
//! leads elsewhere. Whoever does that by hand and lists every key is followed, with a wait of its own, to the end; senders
//! with caches of their own judge it. Real program, real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{Publish, World, ZONE_FILE, hours, live_key, without_tlsa};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tlsa_rotate::dane::subject;
use tlsa_rotate::workspace::tls_key::KeyFiles;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

const HOSTS: [&str; 2] = ["mx1", "mx2"];
const ALIASES: &str = "_25._tcp.mx1 7200 IN CNAME _dane\n_25._tcp.mx2 7200 IN CNAME _dane\n";

fn key_of(chain: &Path) -> String {
    let chain = subject::read_chain(&fs::read(chain).unwrap()).unwrap();
    chain[0].spki_association().to_string().to_ascii_lowercase()
}

/// Both hosts' records, where `aliased` says: behind an alias each, or their own.
fn world(aliased: bool) -> World {
    let zone = |text: String, live: &[KeyFiles]| {
        let key = key_of(&live[0].certificate);
        let text = without_tlsa(&text, "_25._tcp.mx1");
        let text = without_tlsa(&text, "_25._tcp.mx2");
        let own = HOSTS.map(|host| format!("_25._tcp.{host} IN TLSA {key}\n"));
        if aliased {
            format!("{text}{ALIASES}_dane IN TLSA {key}\n")
        } else {
            format!("{text}{}", own.concat())
        }
    };
    World::shaped(Publish::Branch, |c| c, |root| vec![live_key(root)], zone)
}

/// What resolvers hold: of each name, every answer that has not run out.
#[derive(Default)]
struct Caches {
    aliases: BTreeMap<Name, Vec<(Name, u64)>>,
    records: BTreeMap<Name, Vec<(BTreeSet<String>, u64)>>,
}

impl Caches {
    /// Asks the servers for everything, at this hour.
    fn fill(&mut self, world: &World, hour: u64) {
        let zone = world.signed();
        let until = |ttl: u32| hour + u64::from(ttl.div_ceil(3600)) + 1;
        for (name, node) in &zone.nodes {
            if let Some(cname) = node.get(&Rtype::CNAME) {
                let (target, _) = Name::split_wire(&cname.rdatas[0].0).unwrap();
                let held = self.aliases.entry(name.clone()).or_default();
                held.push((target, until(cname.ttl.0)));
            }
            if let Some(tlsa) = node.get(&Rtype::TLSA) {
                let text = |rdata: &[u8]| {
                    let mut text = format!("{} {} {} ", rdata[0], rdata[1], rdata[2]);
                    for octet in &rdata[3..] {
                        let _ = write!(text, "{octet:02x}");
                    }
                    text
                };
                let rrset = tlsa.rdatas.iter().map(|rdata| text(&rdata.0)).collect();
                let held = self.records.entry(name.clone()).or_default();
                held.push((rrset, until(tlsa.ttl.0)));
            }
        }
        self.aliases
            .values_mut()
            .for_each(|held| held.retain(|(_, until)| *until >= hour));
        self.records
            .values_mut()
            .for_each(|held| held.retain(|(_, until)| *until >= hour));
    }

    /// Every RRset that some sender may go by for a name.
    fn of(&self, name: &Name) -> Vec<&BTreeSet<String>> {
        let own = self.records.get(name).into_iter().flatten();
        let mut all: Vec<_> = own.map(|(rrset, _)| rrset).collect();
        for (target, _) in self.aliases.get(name).into_iter().flatten() {
            all.extend(self.of(target));
        }
        all
    }

    fn accept(&self, host: &str, key: &str, hour: u64) {
        let name = Name::parse(format!("_25._tcp.{host}.example.com.").as_bytes(), None).unwrap();
        for rrset in self.of(&name) {
            let key = key.to_owned();
            assert!(
                rrset.contains(&key),
                "{host} is refused in hour {hour}: {rrset:?}"
            );
        }
    }
}

/// What the records list that a host's own are replaced by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// All that is listed now.
    All,
    /// The key in use alone.
    KeyInUse,
}

/// Moves the records of both hosts.
fn move_records(world: &World, to_alias: Option<&str>, lists: Lists) {
    let text = world.read(ZONE_FILE);
    let in_use = key_of(&world.path("live/fullchain.pem"));
    let counts = |line: &str| lists == Lists::All || line.to_ascii_lowercase().contains(&in_use);
    let is_tlsa = |line: &&str| line.contains(" TLSA ") && counts(line);
    let data: Vec<&str> = text.lines().filter(is_tlsa).collect();
    let data: BTreeSet<&str> = data
        .iter()
        .map(|line| line.split_once(" TLSA ").unwrap().1)
        .collect();
    let kept = |line: &&str| {
        !(line.contains(" TLSA ") || line.contains("CNAME") && line.contains("_25._tcp."))
    };
    let mut moved: Vec<String> = text.lines().filter(kept).map(str::to_owned).collect();
    match to_alias {
        Some(alias) => {
            moved.extend(HOSTS.map(|host| format!("_25._tcp.{host} 7200 IN CNAME {alias}")));
            moved.extend(data.iter().map(|data| format!("{alias} IN TLSA {data}")));
        }
        None => {
            for host in HOSTS {
                moved.extend(
                    data.iter()
                        .map(|data| format!("_25._tcp.{host} IN TLSA {data}")),
                );
            }
        }
    }
    world.write(ZONE_FILE, &format!("{}\n", moved.join("\n")));
    world.git("commit --quiet --all --message moved");
}

/// Goes on as an operator does who deploys when `check --swap` says so, to the end; senders judge all the while.
fn goes_on(world: &World, caches: &mut Caches, from: u64, mut is_new: bool) {
    let keys = [
        key_of(&world.path("live/fullchain.pem")),
        key_of(&world.path("keys/tls/mail.1/ecdsa-p256.cert.pem")),
    ];
    for hour in (from..from + 130).step_by(3) {
        world.advance(hours(hour));
        world.merge();
        world.load();
        let may_swap = || world.run(hours(hour), &["check", "--swap", "mail"]).code == Some(0);
        if !is_new && may_swap() {
            world.deploy(0);
            world.deploy(1);
            is_new = true;
        }
        caches.fill(world, hour);
        for host in HOSTS {
            caches.accept(host, &keys[usize::from(is_new)], hour);
        }
        if world.facts().last() == Some(&"RetireServed") {
            assert!(is_new);
            world.run(hours(hour), &["status"]).ends(0);
            return;
        }
    }
    let status = world.run(hours(from + 130), &["status"]);
    panic!("no end: {status:#?}");
}

fn moved_at(step: &str, aliased: bool, to_alias: Option<&str>, lists: Lists) {
    let (world, hour) = world(aliased).brought_to(step);
    let mut caches = Caches::default();
    caches.fill(&world, hour);
    move_records(&world, to_alias, lists);
    let run = world.advance(hours(hour + 1));
    assert!(run.stderr.contains("are others now"), "{run:#?}");
    let is_new = matches!(step, "Deployed" | "Retiring");
    goes_on(&world, &mut caches, hour + 2, is_new);
}

#[test]
fn aliases_that_become_own_records_are_followed() {
    for step in ["Waiting", "SwapOpen", "Deployed", "Retiring"] {
        moved_at(step, true, None, Lists::All);
    }
}

#[test]
fn own_records_that_become_aliases_are_followed() {
    for step in ["Waiting", "Deployed", "Retiring"] {
        moved_at(step, false, Some("_dane"), Lists::All);
    }
}

#[test]
fn aliases_that_are_led_to_other_records_are_followed() {
    for step in ["Waiting", "Deployed"] {
        moved_at(step, true, Some("_dane2"), Lists::All);
    }
}

/// Nobody has the next key yet; what was waited for until now counts no more.
#[test]
fn records_that_list_the_key_in_use_alone_are_waited_for_anew() {
    moved_at("Waiting", true, None, Lists::KeyInUse);
    moved_at("Waiting", true, Some("_dane2"), Lists::KeyInUse);
}
