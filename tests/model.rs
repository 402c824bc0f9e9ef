//! Breadth-first model check of the real `apply` and `decide`: people merge, revert and delay, servers lag and regress, hosts
//! go back and forth, runs are missed and killed, and no sender may ever refuse mail.
//!
//! The judge simulates caches and senders on its own. It shares no code with `rotation::promise` or `rotation::exposure`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::decide::decide;
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset,
    SignatureWindow,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};

const SERVERS: usize = 2;
const HOSTS: usize = 2;
/// The TTL of the zone in the model's units; it can be lowered to 1 once.
const TTL: u64 = 3;
/// No time difference beyond this many units changes any verdict; older ages are taken as equal.
const AGES: u64 = 2 * TTL + 2;

/// The TLSA RRset of a zone version: is the old record in it, is the new one in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Version {
    old: bool,
    new: bool,
    ttl: u64,
}

/// The world outside the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct World {
    head: Version,
    servers: [Version; SERVERS],
    server_silent: [bool; SERVERS],
    /// Went back to an old zone and was not looked at since (assumption A3: it stays so until a run sees it).
    regressed: [bool; SERVERS],
    host_new: [bool; HOSTS],
    host_silent: [bool; HOSTS],
    /// For how many units more some cache may hold each record set, by [`slot`].
    cached: [u64; 4],
    abort_asked: bool,
    ttl_lowered: bool,
}

#[derive(Clone, Debug)]
struct Node {
    world: World,
    rotation: Arc<Rotation>,
    now: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// A whole run of the machine.
    Run,
    /// A run that is killed after its first event was written.
    RunKilled,
    Time,
    /// A person merges what the machine proposes now.
    Merge,
    /// A person merges or reverts to any other version that passes the pre-merge check (R1).
    MergeOther(bool, bool),
    LowerTtl,
    Load(usize),
    /// A server goes back to the zone before the rotation (only until the swap is open; after it, assumption A4).
    Regress(usize),
    ServerSilent(usize),
    HostSilent(usize),
    Deploy(usize),
    PutBack(usize),
    Abort,
}

/// How a weakened machine differs from the real one. Each must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    None,
    AnyServerIsEnough,
    SilentServerIsFine,
    SilentHostIsFine,
    OneHostIsEnough,
    NewTtlIsUsed,
    ClockFromTheCommit,
    NoWait,
    NoReobservation,
    NoPreMergeCheck,
    HeadIsNotAsked,
    AbortWithoutLookingAtHosts,
    /// The alarm and the guard both blind: the promise is not evaluated on what was seen.
    RetireWithoutLookingAtHosts,
}

fn key(byte: u8) -> Association {
    Association::dane_ee_spki_sha256([byte; 32])
}

fn endpoint(host: usize) -> Endpoint {
    Endpoint {
        host: format!("mx{host}.example.com"),
        port: 25,
    }
}

fn rrset(old: bool, new: bool) -> BTreeSet<Association> {
    let records = [(old, key(1)), (new, key(2))];
    records
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, key)| key)
        .collect()
}

fn policy() -> Policy {
    Policy {
        min_wait: Span::ZERO,
        soak: Span::seconds(1),
        safety_margin: Span::ZERO,
    }
}

fn start() -> Node {
    let base = Version {
        old: true,
        new: false,
        ttl: TTL,
    };
    let endpoints: BTreeSet<_> = (0..HOSTS).map(endpoint).collect();
    let names: Vec<_> = endpoints.iter().map(Endpoint::tlsa_name).collect();
    let started = Event::Started {
        endpoints,
        current: rrset(true, false),
        base: names
            .iter()
            .map(|n| (n.clone(), rrset(true, false)))
            .collect(),
        ttl: names
            .iter()
            .map(|n| (n.clone(), Ttl(u32::try_from(TTL).unwrap())))
            .collect(),
    };
    let now = 100;
    let at = Instant::from_unix(now);
    let mut rotation = apply(None, at, &started).unwrap();
    for event in [
        Event::KeyAdmitted {
            not_after: Instant::from_unix(1_000_000),
        },
        Event::AssociationsComputed {
            incoming: rrset(false, true),
        },
    ] {
        rotation = apply(Some(&rotation), at, &event).unwrap();
    }
    let world = World {
        head: base,
        servers: [base; SERVERS],
        server_silent: [false; SERVERS],
        regressed: [false; SERVERS],
        host_new: [false; HOSTS],
        host_silent: [false; HOSTS],
        cached: [0, TTL, 0, 0],
        abort_asked: false,
        ttl_lowered: false,
    };
    Node {
        world,
        rotation: Arc::new(rotation),
        now,
    }
}

/// What a run sees, as the mutant sees it.
fn look(node: &Node, mutant: Mutant) -> Observation {
    let at = Instant::from_unix(node.now);
    let world = &node.world;
    let mut observation = Observation {
        at,
        merged: BTreeMap::new(),
        served: BTreeMap::new(),
        presented: BTreeMap::new(),
    };
    let wanted = node.rotation.requirement().applied_to(&rrset(true, true));
    let far = SignatureWindow {
        inception: at,
        expiration: at + Span::days(9),
    };
    for host in 0..HOSTS {
        let name = endpoint(host).tlsa_name();
        let mut merged = rrset(world.head.old, world.head.new);
        if mutant == Mutant::HeadIsNotAsked {
            merged.clone_from(&wanted);
        }
        observation.merged.insert(name.clone(), Seen::Known(merged));
        let mut servers = BTreeMap::new();
        for server in 0..SERVERS {
            let version = world.servers[server];
            let answer = ServedRrset {
                associations: rrset(version.old, version.new),
                ttl: Ttl(u32::try_from(version.ttl).unwrap()),
                signature: far,
            };
            let seen = match (world.server_silent[server], mutant) {
                (true, Mutant::SilentServerIsFine) => Seen::Known(ServedRrset {
                    associations: wanted.clone(),
                    ..answer
                }),
                (true, _) => Seen::Unknown("timed out".into()),
                (false, _) => Seen::Known(answer),
            };
            servers.insert(Authority(format!("ns{server}")), seen);
        }
        if mutant == Mutant::AnyServerIsEnough {
            let good = |seen: &Seen<ServedRrset>| matches!(seen, Seen::Known(s) if s.associations == wanted);
            if servers.values().any(good) {
                servers.retain(|_, seen| good(seen));
            }
        }
        if mutant == Mutant::ClockFromTheCommit && world.head == version_of(&wanted, world.head.ttl)
        {
            let answer = ServedRrset {
                associations: wanted.clone(),
                ttl: Ttl(1),
                signature: far,
            };
            for seen in servers.values_mut() {
                *seen = Seen::Known(answer.clone());
            }
        }
        if mutant == Mutant::NoReobservation && node.rotation.step == Step::Waiting {
            let ttl = Ttl(u32::try_from(world.head.ttl).unwrap());
            let answer = ServedRrset {
                associations: wanted.clone(),
                ttl,
                signature: far,
            };
            for seen in servers.values_mut() {
                *seen = Seen::Known(answer.clone());
            }
            observation
                .merged
                .insert(name.clone(), Seen::Known(wanted.clone()));
        }
        observation.served.insert(name, servers);
        observation
            .presented
            .insert(endpoint(host), offers(node, host, mutant));
    }
    observation
}

fn version_of(set: &BTreeSet<Association>, ttl: u64) -> Version {
    Version {
        old: set.contains(&key(1)),
        new: set.contains(&key(2)),
        ttl,
    }
}

fn offers(
    node: &Node,
    host: usize,
    mutant: Mutant,
) -> BTreeMap<String, BTreeMap<KeyAlgorithm, Seen<Offer>>> {
    let world = &node.world;
    let present = |new: bool| {
        let key = if new { key(2) } else { key(1) };
        let end = Instant::from_unix(1_000_000);
        Seen::Known(Offer::Key(Presented::of_key(key, end)))
    };
    let flattering = matches!(
        node.rotation.step,
        Step::SwapOpen | Step::Deployed | Step::Verified
    );
    let seen = match mutant {
        Mutant::SilentHostIsFine if world.host_silent[host] => present(flattering),
        Mutant::OneHostIsEnough if host > 0 => present(world.host_new[0]),
        Mutant::RetireWithoutLookingAtHosts if node.rotation.step == Step::Verified => {
            present(true)
        }
        Mutant::AbortWithoutLookingAtHosts if node.rotation.step == Step::RollingBack => {
            present(false)
        }
        _ if world.host_silent[host] => Seen::Unknown("timed out".into()),
        _ => present(world.host_new[host]),
    };
    let by_algorithm = BTreeMap::from([
        (KeyAlgorithm::Ecdsa, seen),
        (KeyAlgorithm::Rsa, Seen::Known(Offer::NotOffered)),
    ]);
    BTreeMap::from([("192.0.2.25".to_owned(), by_algorithm)])
}

/// A run: look once, decide and record until quiet, or until killed.
fn run(node: &Node, mutant: Mutant, most_events: usize) -> Node {
    let mut after = node.clone();
    for server in 0..SERVERS {
        if !after.world.server_silent[server] {
            after.world.regressed[server] = false; // it was looked at
        }
    }
    if after.world.abort_asked && matches!(after.rotation.step, s if s <= Step::Verified) {
        let asked = Event::AbortRequested {
            reason: "asked".into(),
        };
        let at = Instant::from_unix(after.now);
        after.rotation = Arc::new(apply(Some(&after.rotation), at, &asked).unwrap());
    }
    after.world.abort_asked = false;
    for _ in 0..most_events {
        // One look for the whole run; mutants that flatter by step are asked anew at each step.
        let seen = Node {
            world: node.world,
            ..after.clone()
        };
        let observation = look(&seen, mutant);
        let at = Instant::from_unix(after.now);
        let mut believed = Rotation::clone(&after.rotation);
        if mutant == Mutant::NewTtlIsUsed {
            let served = node.world.servers.iter().map(|s| s.ttl).max().unwrap();
            for ttl in believed.ttl_old.values_mut() {
                *ttl = Ttl(u32::try_from(served).unwrap());
            }
        }
        if mutant == Mutant::NoWait
            && let Some(published) = believed.published.as_mut()
        {
            published.t_all = Instant::from_unix(0);
        }
        let decision = decide(&believed, at, &observation, &policy());
        let Some(event) = decision.event else { break };
        let moved =
            apply(Some(&after.rotation), at, &event).expect("decide offers only legal events");
        after.rotation = Arc::new(moved);
    }
    after
}

/// What people and the world may do in this state.
fn moves(node: &Node, mutant: Mutant) -> Vec<Move> {
    let (world, step) = (&node.world, node.rotation.step);
    let mut moves = vec![Move::Run, Move::RunKilled, Move::Time];
    let wanted = version_of(
        &node
            .rotation
            .requirement()
            .applied_to(&rrset(world.head.old, world.head.new)),
        world.head.ttl,
    );
    if wanted != world.head && step >= Step::Prepublishing {
        moves.push(Move::Merge);
    }
    for (old, new) in [(true, false), (true, true), (false, true)] {
        let check = node
            .rotation
            .requirement()
            .present
            .is_subset(&rrset(old, new));
        if (old, new) != (world.head.old, world.head.new)
            && (check || mutant == Mutant::NoPreMergeCheck)
            && !node.rotation.is_over()
        {
            moves.push(Move::MergeOther(old, new));
        }
    }
    if !world.ttl_lowered && step == Step::Hashed {
        moves.push(Move::LowerTtl);
    }
    let before_swap = step < Step::SwapOpen;
    for server in 0..SERVERS {
        if world.servers[server] != world.head && !world.regressed[server] {
            moves.push(Move::Load(server));
        }
        if before_swap && world.servers[server].new && !world.regressed[server] {
            moves.push(Move::Regress(server));
        }
    }
    moves.push(Move::ServerSilent(0));
    moves.push(Move::HostSilent(1));
    let may_deploy = matches!(step, Step::SwapOpen | Step::Deployed | Step::Verified);
    let may_put_back = may_deploy || step == Step::RollingBack;
    for host in 0..HOSTS {
        if may_deploy && !world.host_new[host] && !world.abort_asked {
            moves.push(Move::Deploy(host));
        }
        if may_put_back && world.host_new[host] {
            moves.push(Move::PutBack(host));
        }
    }
    if step <= Step::Verified && !world.abort_asked {
        moves.push(Move::Abort);
    }
    moves
}

fn step_world(node: &Node, action: Move, mutant: Mutant) -> Node {
    let mut next = node.clone();
    let world = &mut next.world;
    match action {
        Move::Run => return run(node, mutant, 16),
        Move::RunKilled => return run(node, mutant, 1),
        Move::Time => {
            next.now += 1;
            world.cached = world.cached.map(|left| left.saturating_sub(1));
        }
        Move::Merge => {
            let wanted = node
                .rotation
                .requirement()
                .applied_to(&rrset(world.head.old, world.head.new));
            world.head = version_of(&wanted, world.head.ttl);
        }
        Move::MergeOther(old, new) => {
            world.head = Version {
                old,
                new,
                ttl: world.head.ttl,
            }
        }
        Move::LowerTtl => {
            world.ttl_lowered = true;
            world.head.ttl = 1;
        }
        Move::Load(server) => world.servers[server] = world.head,
        Move::Regress(server) => {
            world.servers[server] = Version {
                old: true,
                new: false,
                ttl: TTL,
            };
            world.regressed[server] = true;
        }
        Move::ServerSilent(server) => world.server_silent[server] ^= true,
        Move::HostSilent(host) => world.host_silent[host] ^= true,
        Move::Deploy(host) => world.host_new[host] = true,
        Move::PutBack(host) => world.host_new[host] = false,
        Move::Abort => world.abort_asked = true,
    }
    // Whatever a server answers now may be fetched now and cached for its TTL.
    for version in next.world.servers {
        let left = &mut next.world.cached[slot(version.old, version.new)];
        *left = (*left).max(version.ttl);
    }
    next
}

/// The judge: some sender holds this RRset, some host presents that key.
fn refusal(world: &World) -> Option<String> {
    for (old, new) in [(false, false), (true, false), (false, true), (true, true)] {
        let left = world.cached[slot(old, new)];
        for (host, host_new) in world.host_new.into_iter().enumerate() {
            let accepted = if host_new { new } else { old };
            if left > 0 && !accepted {
                let set = format!(
                    "{{{}{}}}",
                    if old { " old" } else { "" },
                    if new { " new" } else { "" }
                );
                let key = if host_new { "new" } else { "old" };
                return Some(format!(
                    "a cache holds {set} for {left} more, mx{host} presents the {key} key"
                ));
            }
        }
    }
    None
}

/// Where a record set stands in [`World::cached`].
fn slot(old: bool, new: bool) -> usize {
    usize::from(old) + 2 * usize::from(new)
}

/// A state without what does not matter: instants become ages, and old ages are equal.
fn canonical(node: &Node) -> (World, Step, [u64; 4], bool) {
    let rotation = &node.rotation;
    let age = |at: Instant| node.now.saturating_sub(at.unix()).min(AGES);
    let ttl_old = rotation
        .ttl_old
        .values()
        .map(|t| u64::from(t.0))
        .max()
        .unwrap_or(0);
    let published = rotation
        .published
        .map_or([AGES + 1, 0], |p| [age(p.t_all), u64::from(p.ttl_new.0)]);
    (
        node.world,
        rotation.step,
        [age(rotation.since), published[0], published[1], ttl_old],
        rotation.abort_reason.is_some(),
    )
}

struct Checked {
    states: usize,
    reached: BTreeSet<Step>,
    story: Option<Vec<String>>,
}

fn check(mutant: Mutant) -> Checked {
    let first = start();
    let mut known = HashMap::from([(canonical(&first), 0_usize)]);
    let mut nodes = vec![(first, None::<(usize, Move)>)];
    let mut queue = VecDeque::from([0_usize]);
    let mut reached = BTreeSet::new();
    while let Some(at) = queue.pop_front() {
        let node = nodes[at].0.clone();
        reached.insert(node.rotation.step);
        for action in moves(&node, mutant) {
            let next = step_world(&node, action, mutant);
            let refused = refusal(&next.world);
            let canonical = canonical(&next);
            if known.contains_key(&canonical) && refused.is_none() {
                continue;
            }
            known.insert(canonical, nodes.len());
            nodes.push((next, Some((at, action))));
            if let Some(why) = refused {
                return Checked {
                    states: nodes.len(),
                    reached,
                    story: Some(story(&nodes, &why)),
                };
            }
            queue.push_back(nodes.len() - 1);
        }
    }
    Checked {
        states: nodes.len(),
        reached,
        story: None,
    }
}

/// How it came about, as a person would tell it.
fn story(nodes: &[(Node, Option<(usize, Move)>)], why: &str) -> Vec<String> {
    let mut lines = vec![format!("refused: {why}")];
    let mut at = nodes.len() - 1;
    while let Some((from, action)) = nodes[at].1 {
        let node = &nodes[at].0;
        lines.push(format!(
            "t={:<3} {action:?} -> {}",
            node.now - 100,
            node.rotation.step
        ));
        at = from;
    }
    lines.reverse();
    lines
}

#[test]
fn no_order_of_events_makes_a_sender_refuse_mail() {
    let checked = check(Mutant::None);
    assert!(
        checked.story.is_none(),
        "counter-example:\n{}",
        checked.story.unwrap().join("\n")
    );
    assert!(
        checked.reached.contains(&Step::Retired),
        "a rotation can succeed"
    );
    assert!(
        checked.reached.contains(&Step::Aborted),
        "a rotation can be given up"
    );
    assert_eq!(
        checked.states, 128_068,
        "a change of the machine shows here; explain it"
    );
}

#[test]
fn every_weakened_machine_is_caught() {
    let mutants = [
        Mutant::AnyServerIsEnough,
        Mutant::SilentServerIsFine,
        Mutant::SilentHostIsFine,
        Mutant::OneHostIsEnough,
        Mutant::NewTtlIsUsed,
        Mutant::ClockFromTheCommit,
        Mutant::NoWait,
        Mutant::NoReobservation,
        Mutant::NoPreMergeCheck,
        Mutant::HeadIsNotAsked,
        Mutant::AbortWithoutLookingAtHosts,
        Mutant::RetireWithoutLookingAtHosts,
    ];
    // The stories are shown when the test fails, or with --no-capture.
    let survivors: Vec<Mutant> = std::thread::scope(|scope| {
        let halves = mutants.chunks(mutants.len().div_ceil(2));
        let halves: Vec<_> = halves
            .map(|half| scope.spawn(move || survivors_of(half)))
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    assert_eq!(survivors, [], "no counter-example was found");
}

fn survivors_of(mutants: &[Mutant]) -> Vec<Mutant> {
    let caught = |mutant: &Mutant| {
        let checked = check(*mutant);
        let story = checked.story.unwrap_or_default();
        println!(
            "{mutant:?} ({} states):\n  {}",
            checked.states,
            story.join("\n  ")
        );
        !story.is_empty()
    };
    mutants
        .iter()
        .copied()
        .filter(|mutant| !caught(mutant))
        .collect()
}
