//! Who is asked for a zone, and where its hosts are, with real servers: those that have left are asked and not believed
//! about others, addresses are those of every server, and no configuration hides a server from a rotation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;
mod serve_support;

use rotation_support::{BEGIN, Publish, World};
use serve_support::{APEX, Keys, ZONE, serve};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tlsa_rotate::observe::authorities::{Limits, Questions, Trust};
use tlsa_rotate::observe::listing::Listing;
use tlsa_rotate::observe::referral::Guide;
use tlsa_rotate::observe::servers::{Beginning, Circle, see};
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::rotation::observation::{Authority, Seen, TlsaName};
use tlsa_rotate::rotation::reach::Reachable;
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::Rtype;

const TLSA: &str = "_25._tcp.mx1.example.com.";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn now() -> Instant {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Instant::from_unix(since.as_secs())
}

fn zone(signed: &Path) -> Zone {
    Zone::parse(&fs::read(signed).unwrap(), Some(&name(APEX))).unwrap()
}

/// Looks with the first server configured, and the others known from before with an end that is far away.
fn look(signed: &Path, configured: SocketAddr, departed: &[SocketAddr]) -> Circle {
    let kept = zone(signed);
    let dnskeys = &kept.rrset(&kept.apex, Rtype::DNSKEY).unwrap().rdatas;
    let questions = Questions {
        apex: name(APEX),
        names: vec![name(TLSA)],
        hosts: vec![name("mx1.example.com.")],
        who_serves: true,
        trust: Trust::new(&kept.apex, Vec::new(), dnskeys),
        now: now(),
        limits: Limits::default(),
    };
    let left = Reachable {
        ttl: Ttl(3600),
        until: Some(Instant::from_unix(u64::from(u32::MAX))),
    };
    let earlier = departed.iter();
    let beginning = Beginning {
        kept: Ok(Listing::of_zone(&kept)),
        configured: vec![configured],
        earlier: earlier
            .map(|at| (Authority(format!("old. {at}")), left))
            .collect(),
        guide: Guide::of_system(),
        asks_parent: false,
    };
    wait_for(see(questions, beginning)).unwrap()
}

#[test]
fn who_has_left_is_asked_and_makes_nobody_present() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let kept = keys.path("kept");
    fs::copy(signed, &kept).unwrap();
    // What the old server serves: another address of the host, and servers that nobody else names.
    let before = ZONE
        .replace(
            "mx1             A     192.0.2.25",
            "mx1             A     192.0.2.99",
        )
        .replace("NS    ns2\n", "NS    ns3\n")
        .replace(
            "ns2             A     127.0.0.1",
            "ns3             A     127.0.0.99",
        );
    let stale = keys.sign(&before, &[]);
    let (new, old) = (
        serve(&kept, &["--unsigned"]),
        serve(&stale, &["--unsigned"]),
    );
    let circle = look(&kept, new.address, &[old.address]);

    let present = Authority(format!("ns1.example.com. {}", new.address));
    let left = Authority(format!("old. {}", old.address));
    assert_eq!(
        circle.present,
        Seen::Known(BTreeMap::from([(present.clone(), Ttl(3600))])),
        "what only the old server names is not there"
    );
    let served = &circle.served.tlsa[&TlsaName::new(TLSA)];
    let asked: Vec<&Authority> = served.keys().collect();
    assert_eq!(asked, [&present, &left]);
    assert!(
        served.values().all(|seen| matches!(seen, Seen::Known(_))),
        "{served:?}"
    );
    let mx1 = &circle.hosts[&name("mx1.example.com.")];
    let addresses: Vec<String> = mx1.known.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.25", "192.0.2.99", "2001:db8::25"]);
    assert!(mx1.known.values().all(|ttl| *ttl == Ttl(3600)));
    assert_eq!(mx1.missing, None);

    // The same, gone dark: what it serves is unknown, and so is where it leads senders.
    let dark = old.address;
    drop(old);
    let circle = look(&kept, new.address, &[dark]);
    let served = &circle.served.tlsa[&TlsaName::new(TLSA)];
    assert!(matches!(served[&left], Seen::Unknown(_)), "{served:?}");
    assert!(matches!(served[&present], Seen::Known(_)), "{served:?}");
    let mx1 = &circle.hosts[&name("mx1.example.com.")];
    assert!(
        mx1.missing.as_ref().unwrap().contains("did not tell"),
        "{mx1:?}"
    );
    assert_eq!(mx1.known.len(), 2, "what the others say is known");
}

#[test]
fn an_address_that_is_not_signed_is_not_known() {
    let keys = Keys::generate();
    let signed = keys.sign(ZONE, &[]);
    let text = fs::read_to_string(signed).unwrap();
    let forged = text.replace("192.0.2.25", "192.0.2.66");
    assert_ne!(forged, text);
    let (kept, bad) = (keys.path("kept"), keys.path("bad"));
    fs::write(&kept, text).unwrap();
    fs::write(&bad, forged).unwrap();
    let server = serve(&bad, &["--unsigned"]);
    let circle = look(&kept, server.address, &[]);
    let mx1 = &circle.hosts[&name("mx1.example.com.")];
    assert!(mx1.known.is_empty(), "{mx1:?}");
    let why = mx1.missing.as_ref().unwrap();
    assert!(why.contains("no valid signature over the A RRset"), "{why}");
}

/// The first of two name servers alone is configured.
#[test]
fn no_rotation_begins_while_the_configuration_hides_a_server() {
    let world = World::new(Publish::Current);
    let config = world.read("tlsa-rotate.toml");
    let (first, second) = (world.server(0), world.server(1));
    let one = config.replace(&format!(", \"{second}\""), "");
    assert_ne!(one, config);
    world.write("tlsa-rotate.toml", &one);
    let refused = world.start(BEGIN).ends(1);
    refused.complains_of(
        "zone example.com.: `servers` does not have an address for each of ns1.example.com., ns2.example.com.",
    );
    let hint = "hint: add their addresses to `servers` of zone example.com.";
    assert!(refused.stderr.contains(hint), "{}", refused.stderr);
    assert!(world.facts().is_empty(), "nothing was begun, at {first}");
    world.write("tlsa-rotate.toml", &config);
    world.start(BEGIN).ends(0);
}
