//! A tick over thousands of rotations with nothing due: what reading and deciding cost for each, and how that grows.
//!
//! `fleet` writes workspaces of 100, 1,000 and 10,000 certificates, each with a rotation that waits, to a temporary
//! directory; reads the configuration, replays every journal, decides for each from what was seen, and prints CPU time (the
//! median of some ticks) and memory for each rotation, beside the same of a workspace of one. `zones` is the same with a zone
//! for each certificate. What the world costs (servers, hosts) is not in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs
)]

use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::decide::{Decision, decide};
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, Observation, Seen, ServedRrset, SignatureWindow,
};
use tlsa_rotate::rotation::step::{Event, Rotation, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};
use tlsa_rotate::workspace::Workspace;
use tlsa_rotate::workspace::journal::{Journal, RotationId};

const BEGIN: Instant = Instant::from_unix(1_796_112_000);

fn main() {
    println!(
        "rotations   zones  config µs  replay µs  decide µs  total µs  KiB each  of the empty tick"
    );
    let empty = ticks(1, 1).total();
    for (count, zones) in [(100, 1), (1_000, 1), (10_000, 1), (10_000, 10_000)] {
        let cost = ticks(count, zones);
        println!(
            "{count:>9}  {zones:>6}  {:>9.1}  {:>9.1}  {:>9.1}  {:>8.1}  {:>8.1}  {:>10.1} ×",
            cost.config,
            cost.replay,
            cost.decide,
            cost.total(),
            cost.memory,
            cost.total() * f64::from(count) / empty,
        );
    }
}

/// How many ticks the median is of.
const TICKS: usize = 7;

/// CPU microseconds and KiB for each rotation.
struct Cost {
    config: f64,
    replay: f64,
    decide: f64,
    memory: f64,
}

impl Cost {
    fn total(&self) -> f64 {
        self.config + self.replay + self.decide
    }
}

/// The median of some ticks over as many certificates in as many zones; the memory is that of the first.
fn ticks(count: u32, zones: u32) -> Cost {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    write(&root, count, zones);
    let costs: Vec<Cost> = (0..TICKS).map(|_| tick(&root, count)).collect();
    let median = |of: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[TICKS / 2]
    };
    Cost {
        config: median(|cost| cost.config),
        replay: median(|cost| cost.replay),
        decide: median(|cost| cost.decide),
        memory: costs[0].memory,
    }
}

fn tick(root: &Path, count: u32) -> Cost {
    let each = |seconds: f64| seconds * 1e6 / f64::from(count);
    let began = cpu_seconds();
    let workspace = Workspace::open(&root.join("tlsa-rotate.toml")).unwrap();
    let config = each(cpu_seconds() - began);

    let before = resident();
    let began = cpu_seconds();
    let mut states: Vec<Rotation> = Vec::new();
    for certificate in &workspace.config.certificates {
        let path = workspace.journal(&certificate.name);
        let journal = Journal::<Event>::read(&path, &certificate.name).unwrap();
        let mut state: Option<Rotation> = None;
        for entry in journal.entries() {
            if let Some(state) = &mut state {
                state.follow(entry.at, &entry.event).unwrap();
            } else {
                state = Some(apply(None, entry.at, &entry.event).unwrap());
            }
        }
        states.push(state.unwrap());
    }
    let replay = each(cpu_seconds() - began);

    let now = BEGIN + Span::hours(3);
    let mut decisions: Vec<Decision> = Vec::new();
    let mut spent = 0.0;
    for (some, configured) in states
        .chunks(100)
        .zip(workspace.config.certificates.chunks(100))
    {
        let seen: Vec<Observation> = some.iter().map(|state| seen(state, now)).collect();
        let began = cpu_seconds();
        for ((state, observation), certificate) in some.iter().zip(&seen).zip(configured) {
            decisions.push(decide(state, now, observation, &certificate.policy));
        }
        spent += cpu_seconds() - began;
    }
    let memory = resident().saturating_sub(before) as f64 / f64::from(count) / 1024.0;
    assert!(
        decisions
            .iter()
            .all(|d| d.event.is_none() && d.look_again_at.is_some()),
        "nothing is due"
    );
    Cost {
        config,
        replay,
        decide: each(spent),
        memory,
    }
}

fn endpoint(number: u32, zones: u32) -> Endpoint {
    Endpoint {
        host: format!("mx{number}.{}", zone(number % zones)),
        port: 25,
    }
}

fn zone(number: u32) -> String {
    format!("example{number}.com")
}

fn key(number: u32, which: u8) -> Association {
    let mut digest = [which; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    Association::dane_ee_spki_sha256(digest)
}

/// A workspace whose rotations wait for caches.
fn write(root: &Path, count: u32, zones: u32) {
    let mut config = String::new();
    for number in 0..zones {
        let name = zone(number);
        let _ = write!(
            config,
            "[[zone]]\nname = \"{name}\"\nfile = \"{name}.zone\"\nsign = {{ keys = \"keys\" }}\n"
        );
    }
    let journals = root.join(".tlsa-rotate/journal");
    fs::create_dir_all(&journals).unwrap();
    for number in 0..count {
        let (name, endpoint) = (format!("mail{number}"), endpoint(number, zones));
        let _ = write!(
            config,
            "[[certificate]]\nname = \"{name}\"\nhosts = [\"{}\"]\nlive = {{ certificate = \"live.pem\" }}\nnext = {{ generate = \"ecdsa-p256\" }}\n",
            endpoint.host
        );
        let tlsa = endpoint.tlsa_name();
        let current = BTreeSet::from([key(number, 1)]);
        let facts = [
            Event::Started {
                endpoints: BTreeSet::from([endpoint]),
                current: current.clone(),
                base: BTreeMap::from([(tlsa.clone(), current)]),
                ttl: BTreeMap::from([(tlsa, Ttl(3600))]),
                ttl_sources: BTreeMap::new(),
            },
            Event::KeyAdmitted {
                not_after: BEGIN + Span::days(90),
                made_by: None,
            },
            Event::AssociationsComputed {
                incoming: BTreeSet::from([key(number, 2)]),
            },
            Event::PrepublishDecided,
            Event::PrepublishServed { ttl: Ttl(3600) },
        ];
        let path = journals.join(format!("{name}.jsonl"));
        let id = RotationId {
            certificate: name.as_str().into(),
            number: 1,
        };
        let mut journal = Journal::<Event>::read(&path, &name).unwrap();
        for fact in facts {
            journal.add(BEGIN, &id, fact).unwrap();
        }
        fs::write(&path, journal.octets().unwrap()).unwrap();
    }
    fs::write(root.join("tlsa-rotate.toml"), config).unwrap();
}

/// What a cooperating world shows: both records merged, and served by two servers.
fn seen(state: &Rotation, now: Instant) -> Observation {
    let both: BTreeSet<Association> = state.current.union(&state.incoming).cloned().collect();
    let signature = SignatureWindow {
        inception: BEGIN,
        expiration: now + Span::days(14),
    };
    let served = |name: &str| {
        let rrset = ServedRrset {
            associations: both.clone(),
            ttl: Ttl(3600),
            signature,
            replayable_until: signature.expiration,
        };
        (Authority(name.to_owned()), Seen::Known(rrset))
    };
    let servers = BTreeMap::from([served("ns1 192.0.2.1:53"), served("ns2 192.0.2.2:53")]);
    let names = state.names();
    Observation {
        at: now,
        merged: names
            .iter()
            .map(|name| (name.clone(), Seen::Known(both.clone())))
            .collect(),
        served: names
            .iter()
            .map(|name| (name.clone(), servers.clone()))
            .collect(),
        ..Observation::nothing(now)
    }
}

/// What this thread has had of the processor. Linux only, as the peers' figures are.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Octets of memory that the process holds.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
