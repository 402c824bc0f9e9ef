//! Many zones in one look: those whose servers are silent cost their wait together and not one after the other, and what is
//! said of each is what is said of it alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, World, hours};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tlsa_rotate::observe::addresses::AuthorityAddress;
use tlsa_rotate::observe::anchors::Anchors;
use tlsa_rotate::observe::authorities::{Limits, Trust, Turns, see};
use tlsa_rotate::observe::chain::{Source, Validator};
use tlsa_rotate::observe::dns::Reply;
use tlsa_rotate::observe::side_by_side::side_by_side;
use tlsa_rotate::observe::wait_for;
use tlsa_rotate::rotation::timing::Ttl;
use tlsa_rotate::workflow::zone_servers::{ZoneServers, look};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};
use tokio::sync::Barrier;

/// Zones whose servers are silent.
const SILENT: usize = 6;
/// Questions over TCP at once to a server of which nothing is known yet: SOA and DNSKEY.
const FIRST: usize = 2;

/// The questions over TCP that silent servers have taken, and how many of them were waited for at the same time at most.
#[derive(Default)]
struct Taken {
    streams: Vec<TcpStream>,
    most: usize,
}

impl Taken {
    /// Takes another one. Who has given up an earlier one had closed it before asking again: what was closed is known by then,
    /// however late the threads of these servers run.
    fn take(&mut self, stream: TcpStream) {
        stream.set_nonblocking(true).unwrap();
        self.streams.push(stream);
        self.streams.retain_mut(|stream| {
            let mut octets = [0; 512];
            loop {
                match stream.read(&mut octets) {
                    Ok(1..) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                    Ok(0) | Err(_) => return false,
                }
            }
        });
        self.most = self.most.max(self.streams.len());
    }

    /// The most since this was last asked.
    fn most(&mut self) -> usize {
        std::mem::take(&mut self.most)
    }
}

/// A server that takes every question and answers none.
fn silent(taken: &Arc<Mutex<Taken>>) -> (UdpSocket, SocketAddr) {
    let (udp, listener) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, listener);
        }
    };
    let address = udp.local_addr().unwrap();
    let taken = Arc::clone(taken);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            taken.lock().unwrap().take(stream);
        }
    });
    (udp, address)
}

/// The findings of `check` about these certificates, in the order told, and the zones looked at.
fn check(world: &World, names: &[&str]) -> (Vec<String>, Vec<String>) {
    let resolver = world.server(0);
    let front = ["check", "--resolver", &resolver, "--trust-anchor", "anchor"];
    let arguments = [&front[..], &["--format", "json"], names].concat();
    let run = world.run(hours(1), &arguments);
    let document: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"));
    let list = |key: &str| document[key].as_array().unwrap().iter();
    let zones = list("zones").map(|zone| zone.as_str().unwrap().to_owned());
    (
        list("findings").map(Value::to_string).collect(),
        zones.collect(),
    )
}

#[test]
fn silent_zones_cost_check_one_wait_and_say_what_they_say_alone() {
    let taken = Arc::new(Mutex::new(Taken::default()));
    let servers: Vec<(UdpSocket, SocketAddr)> = (0..SILENT).map(|_| silent(&taken)).collect();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let digest = "ab".repeat(32);
    let (mut zones, mut certificates) = (String::new(), String::new());
    for (number, (_, server)) in servers.iter().enumerate() {
        zones.push_str(&format!(
            "[[zone]]\nname = \"z{number}.test\"\nfile = \"z{number}\"\nsign = \"external\"\nanchor = \"ds{number}\"\n\
             servers = [\"{server}\"]\npublish = {{ file = true }}\n"
        ));
        certificates.push_str(&format!(
            "[[certificate]]\nname = \"c{number}\"\nhosts = [\"mx.z{number}.test\"]\n\
             addresses = {{ \"mx.z{number}.test\" = [\"{nobody}\"] }}\n\
             live = {{ certificate = \"live/fullchain.pem\", key = \"live/privkey.pem\" }}\n\
             next = {{ generate = \"ecdsa-p256\" }}\ndeploy = {{ manual = true }}\n"
        ));
    }
    let world = World::new(Publish::File);
    let anchor = world
        .run(BEGIN, &["key", "ds", "example.com", "--keys", "keys"])
        .ends(0)
        .stdout;
    world.write("anchor", &anchor);
    for number in 0..SILENT {
        world.write(
            &format!("ds{number}"),
            &format!("z{number}.test. IN DS 1 13 2 {digest}\n"),
        );
        let text = format!(
            "$ORIGIN z{number}.test.\n$TTL 3600\n@ SOA ns h 1 7200 3600 604800 300\n@ NS ns\nns A 192.0.2.1\n\
             mx A 192.0.2.2\n_25._tcp.mx TLSA 3 1 1 {digest}\n"
        );
        world.write(&format!("z{number}"), &text);
    }
    // The zone that is well comes last, after all that are not.
    let config =
        world
            .read("tlsa-rotate.toml")
            .replacen("[[zone]]", &format!("{zones}[[zone]]"), 1);
    world.write("tlsa-rotate.toml", &format!("{config}\n{certificates}"));

    let (first, _) = check(&world, &["c0"]);
    assert_eq!(
        taken.lock().unwrap().most(),
        FIRST,
        "one zone alone: {first:?}"
    );
    let (all, zones) = check(&world, &[]);
    assert_eq!(
        taken.lock().unwrap().most(),
        FIRST * SILENT,
        "all of them at the same time"
    );
    let expected = (0..SILENT)
        .map(|n| format!("z{n}.test."))
        .chain(["example.com.".to_owned()]);
    assert_eq!(
        zones,
        expected.collect::<Vec<_>>(),
        "the order of the configuration"
    );

    let mut alone = first;
    let others: Vec<String> = (1..SILENT)
        .map(|n| format!("c{n}"))
        .chain(["mail".to_owned()])
        .collect();
    std::thread::scope(|scope| {
        let runs: Vec<_> = others
            .iter()
            .map(|name| scope.spawn(|| check(&world, &[name]).0))
            .collect();
        alone.extend(runs.into_iter().flat_map(|run| run.join().unwrap()));
    });
    let is_silent = |finding: &&String| finding.contains("server-silent");
    assert_eq!(all.iter().filter(is_silent).count(), SILENT, "{all:#?}");
    let rank = |finding: &String| {
        let finding: Value = serde_json::from_str(finding).unwrap();
        let severity = ["delivery-at-risk", "person-needed", "advice"].map(Value::from);
        let pressing = severity.iter().position(|one| *one == finding["severity"]);
        (
            pressing.unwrap(),
            finding["place"].as_str().unwrap().to_owned(),
            finding["check"].as_str().unwrap().to_owned(),
        )
    };
    assert!(all.is_sorted_by_key(rank), "{all:#?}");
    let set = |findings: Vec<String>| findings.into_iter().collect::<BTreeSet<_>>();
    assert_eq!((all.len(), set(all)), (alone.len(), set(alone)));
}

#[test]
fn looks_with_the_same_limits_take_turns_at_servers_together() {
    let taken = Arc::new(Mutex::new(Taken::default()));
    let servers: Vec<(UdpSocket, SocketAddr)> = (0..3).map(|_| silent(&taken)).collect();
    let limits = |at_once: usize| Limits {
        answer: Duration::from_secs(1),
        turns: Turns::new(at_once),
        ..Limits::default()
    };
    let look = |server: &SocketAddr, limits: Limits| {
        let apex = Name::parse(b"z.test.", None).unwrap();
        let trust = Trust::new(&apex, Vec::new(), &[]);
        let server = AuthorityAddress {
            server: None,
            address: *server,
        };
        async move { see(&apex, &[server], &[], &trust, BEGIN, limits).await }
    };
    for (at_once, expected) in [(1, FIRST), (2, FIRST * 2), (3, FIRST * 3), (9, FIRST * 3)] {
        let shared = limits(at_once);
        let looks = side_by_side(&servers, servers.len(), |(_, server)| {
            look(server, shared.clone())
        });
        wait_for(looks).unwrap();
        assert_eq!(taken.lock().unwrap().most(), expected, "{at_once}");
    }
}

/// Answers when as many zones have asked the same as there are, and of one zone nothing ever.
struct Together(Barrier);

const NEVER: &str = "never.";

impl Source for Together {
    async fn ask(&self, name: &Name, rtype: Rtype) -> Result<Reply, String> {
        let text = name.to_string();
        if text.ends_with(NEVER) {
            std::future::pending::<()>().await;
        }
        let is_zone = name.label_count() == 1;
        let first =
            (rtype == Rtype::NS && text.starts_with("_25.")) || (rtype == Rtype::DS && is_zone);
        if first {
            self.0.wait().await;
        }
        let rdata = match rtype {
            Rtype::NS if is_zone => Some(name.child(b"ns").unwrap().wire().to_vec()),
            // Nobody listens there.
            Rtype::A if text.starts_with("ns.") => Some(vec![127, 9, 9, text.as_bytes()[4]]),
            _ => None,
        };
        let record = |octets: Vec<u8>| Record {
            owner: name.clone(),
            ttl: Ttl(60),
            rtype,
            rdata: Rdata(octets.into()),
        };
        Ok(Reply {
            rcode: 0,
            authoritative: false,
            truncated: false,
            answers: rdata.map(record).into_iter().collect(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            explanation: None,
        })
    }
}

fn looked_at(zones: &[&str], together: usize, patience: u64) -> Vec<ZoneServers> {
    let anchor = format!("elsewhere. IN DS 20326 8 2 {}", "E0".repeat(32));
    let anchors = Anchors::read("anchor", anchor.as_bytes()).unwrap();
    let validator = Validator::new(Together(Barrier::new(together)), anchors, BEGIN);
    let name = |zone: &&str| Name::parse(format!("_25._tcp.mx.{zone}").as_bytes(), None).unwrap();
    let names = zones.iter().map(name).collect();
    let overall = Duration::from_secs(patience);
    wait_for(look(&validator, &names, BEGIN, Limits::default(), overall)).unwrap()
}

#[test]
fn the_zones_of_verify_are_asked_for_together_and_said_to_be_what_each_is_alone() {
    let zones = ["z1.", "z2.", "z3.", "z4.", "z5."];
    let alone = zones.map(|zone| looked_at(&[zone], 1, 60).remove(0));
    for (zone, seen) in zones.iter().zip(&alone) {
        let found = seen.delegation.as_ref().unwrap();
        assert_eq!(
            (seen.zone.to_string(), found.servers.len()),
            ((*zone).to_owned(), 1)
        );
        assert_eq!(seen.served.serials.len(), 1, "{seen:?}");
    }
    // One alone never comes through: all must have asked.
    let all = looked_at(&zones, zones.len(), 60);
    assert_eq!(all, alone);

    // A zone of which nothing can be told is told with its name, and takes nothing from the others.
    let mut with_one = looked_at(&[&zones[..], &[NEVER]].concat(), zones.len(), 6);
    let at = with_one
        .iter()
        .position(|seen| seen.zone.to_string().ends_with(NEVER))
        .unwrap();
    let never = with_one.remove(at);
    assert_eq!(never.zone.to_string(), format!("_25._tcp.mx.{NEVER}"));
    assert_eq!(
        never.delegation.unwrap_err(),
        "the zone that it lies in cannot be found"
    );
    assert_eq!(with_one, alone);
}
