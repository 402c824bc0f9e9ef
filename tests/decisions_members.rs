//! Decisions while hosts, addresses and servers come and go, as a table each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, at, hours, key, mx, set, then};
use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::before::TtlSource;
use tlsa_rotate::rotation::blocker::{Blocker, Who};
use tlsa_rotate::rotation::decide::{Action, Decision, decide};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, TlsaName, ZoneName,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::Ttl;

fn at_once() -> Policy {
    Policy {
        concurrent: None,
        ..Policy::default()
    }
}

fn judged(state: &Rotation, hour: u64, seen: &Observation) -> Decision {
    decide(state, hours(hour), seen, &at_once())
}

/// The third host comes later: the state knows two of them until then.
fn two_hosts(step: Step) -> Rotation {
    let left = Event::HostsLeft {
        endpoints: vec![(mx(3), hours(0))],
        asked: None,
    };
    let mut two = then(at(step), 27, &[left]);
    two.left.clear();
    two
}

fn joined() -> Event {
    let name = mx(3).tlsa_name();
    Event::HostsJoined {
        endpoints: BTreeSet::from([mx(3)]),
        aliases: BTreeMap::new(),
        base: BTreeMap::from([(name.clone(), set(&[1]))]),
        ttl: BTreeMap::from([(name, Ttl(3_600))]),
        ttl_sources: BTreeMap::new(),
    }
}

/// The third name's zone and servers hold only what they held before.
fn without_the_next_key_at_the_third(presents: [u8; 3], hour: u64) -> Observation {
    let mut seen = World::of(&[1, 2], presents).seen(hour);
    let name = mx(3).tlsa_name();
    seen.merged.insert(name.clone(), Seen::Known(set(&[1])));
    for seen in seen.served.get_mut(&name).unwrap().values_mut() {
        if let Seen::Known(rrset) = seen {
            rrset.associations = set(&[1]);
        }
    }
    seen
}

fn deployed_to(decision: &Decision) -> BTreeSet<String> {
    let deployments = decision.actions.iter().filter_map(|action| match action {
        Action::Deploy(endpoints) => Some(endpoints),
        _ => None,
    });
    deployments.flatten().map(|e| e.host.clone()).collect()
}

/// A TTL of a week at the name of a host that joins keeps that host waiting, and no other.
#[test]
fn the_ttl_of_a_host_that_joins_is_its_own_matter() {
    const WEEK: u32 = 7 * 86_400;
    let joins = |assumed: bool| {
        let mut joined = joined();
        if let Event::HostsJoined {
            ttl, ttl_sources, ..
        } = &mut joined
        {
            let name = mx(3).tlsa_name();
            ttl.insert(name.clone(), Ttl(WEEK));
            if assumed {
                ttl_sources.insert(name, TtlSource::Assumed);
            }
        }
        joined
    };
    let served = Event::JoinServed {
        name: mx(3).tlsa_name(),
        ttl: Ttl(3_600),
    };
    for (assumed, wait) in [(false, 14 * 24), (true, 7 * 24)] {
        let waiting = then(two_hosts(Step::Waiting), 27, &[joins(assumed)]);
        let opened = judged(&waiting, 28, &World::of(&[1, 2], [1; 3]).seen(28));
        assert_eq!(opened.event, Some(Event::SwapOpened), "{assumed}");
        let open = then(waiting, 28, &[Event::SwapOpened, served.clone()]);
        let (before, at) = (28 + wait, 29 + wait);
        let early = judged(&open, before, &World::of(&[1, 2], [2, 2, 1]).seen(before));
        assert!(early.event.is_none(), "{assumed}: {early:?}");
        let late = judged(&open, at, &World::of(&[1, 2], [2, 2, 1]).seen(at));
        let name = mx(3).tlsa_name();
        assert_eq!(late.event, Some(Event::JoinOpened { name }), "{assumed}");
    }
}

/// Whoever answers serves both; that is no yes while it is not known who else may be asked.
#[test]
fn no_gate_opens_while_it_is_not_known_who_serves_the_zone() {
    let waiting = at(Step::Waiting);
    let mut seen = World::of(&[1, 2], [1; 3]).seen(28);
    let zone = ZoneName::new("example.com.");
    seen.servers
        .insert(zone.clone(), Seen::Unknown("the parent is silent".into()));
    let dark = judged(&waiting, 28, &seen);
    assert_eq!(dark.event, None, "{dark:?}");
    let is_said =
        |one: &Blocker| matches!(one, Blocker::ServersUnknown { zone: of, .. } if *of == zone);
    assert!(dark.blockers.iter().any(is_said), "{dark:?}");
    assert_eq!(dark.who_acts(), Some(Who::World));
    seen.servers.clear();
    let opened = judged(&waiting, 28, &seen);
    assert_eq!(opened.event, Some(Event::SwapOpened));
}

/// Another port of a host has records that list the key in use alone: the key of that host is not replaced.
#[test]
fn no_swap_opens_while_another_port_of_a_host_is_not_ready() {
    let waiting = at(Step::Waiting);
    let mut seen = World::of(&[1, 2], [1; 3]).seen(28);
    let submission = Endpoint { port: 465, ..mx(1) };
    seen.witness.beside.insert(submission.clone());
    let held = judged(&waiting, 28, &seen);
    assert_eq!(held.event, None, "{held:?}");
    let why = held
        .blockers
        .iter()
        .find(|one| one.to_string().contains(":465"));
    let why = why.unwrap_or_else(|| panic!("{held:?}"));
    assert_eq!(why.who(), Who::You);
    assert!(
        why.way_out().contains("put port 465 into `ports`"),
        "{}",
        why.way_out()
    );
    // Where it comes later, nobody is told to install the next key.
    let open = at(Step::SwapOpen);
    assert!(deployed_to(&judged(&open, 28, &seen)).is_empty());
}

/// Where a server went back, nobody is told to install what `check --swap` refuses.
#[test]
fn a_deployment_is_named_only_where_it_may_be_done() {
    let open = at(Step::SwapOpen);
    let mut seen = World::of(&[1, 2], [1; 3]).seen(27);
    let told = judged(&open, 27, &seen);
    let asks = |decision: &Decision| {
        let wrong = |one: &Blocker| matches!(one, Blocker::WrongKey { .. });
        decision.blockers.iter().any(wrong)
    };
    assert!(asks(&told) && !deployed_to(&told).is_empty(), "{told:?}");
    for servers in seen.served.values_mut() {
        for server in servers.values_mut() {
            *server = Seen::Unknown("timed out".into());
        }
    }
    let dark = judged(&open, 27, &seen);
    assert!(deployed_to(&dark).is_empty(), "{dark:?}");
    assert!(!asks(&dark) && !dark.blockers.is_empty(), "{dark:?}");
}

#[test]
fn a_host_that_joins_waits_for_itself_and_holds_up_no_other() {
    let open = then(two_hosts(Step::SwapOpen), 28, &[joined()]);
    assert_eq!(open.step, Step::SwapOpen);
    let first = judged(&open, 28, &without_the_next_key_at_the_third([1; 3], 28));
    let both = BTreeSet::from(["mx1.example.com".to_owned(), "mx2.example.com".to_owned()]);
    assert_eq!(
        deployed_to(&first),
        both,
        "the others need not wait: {first:?}"
    );
    assert!(
        first
            .actions
            .iter()
            .any(|a| matches!(a, Action::ChangeZone(_))),
        "its record is wanted"
    );

    let served = judged(&open, 29, &World::of(&[1, 2], [2, 2, 1]).seen(29));
    let name = mx(3).tlsa_name();
    let is_served = Event::JoinServed {
        name: name.clone(),
        ttl: Ttl(3_600),
    };
    assert_eq!(served.event, Some(is_served.clone()));
    let waits = then(open.clone(), 29, &[is_served]);
    let early = judged(&waits, 30, &World::of(&[1, 2], [2, 2, 1]).seen(30));
    assert!(
        early
            .blockers
            .iter()
            .any(|b| matches!(b, Blocker::Joins { .. })),
        "{early:?}"
    );
    assert!(
        deployed_to(&early).is_empty(),
        "nobody is told to install it there: {early:?}"
    );

    let lost = judged(
        &waits,
        31,
        &without_the_next_key_at_the_third([2, 2, 1], 31),
    );
    assert_eq!(
        lost.event,
        Some(Event::JoinRegressed { name: name.clone() }),
        "the others are where they were"
    );
    let late = judged(&waits, 29 + 25, &World::of(&[1, 2], [2, 2, 1]).seen(54));
    assert_eq!(late.event, Some(Event::JoinOpened { name: name.clone() }));
    let ready = then(waits, 54, &[Event::JoinOpened { name }]);
    let asked = judged(&ready, 54, &World::of(&[1, 2], [2, 2, 1]).seen(54));
    assert_eq!(
        deployed_to(&asked),
        BTreeSet::from(["mx3.example.com".to_owned()])
    );
    let done = judged(&ready, 55, &World::of(&[1, 2], [2; 3]).seen(55));
    assert_eq!(done.event, Some(Event::HostsPresentedIncoming));
}

#[test]
fn a_key_that_comes_too_early_to_a_host_that_joined_is_an_alarm() {
    let open = then(two_hosts(Step::SwapOpen), 28, &[joined()]);
    let early = judged(&open, 28, &without_the_next_key_at_the_third([2; 3], 28));
    assert!(!early.alarms.is_empty(), "{early:?}");
    let others = judged(&open, 28, &without_the_next_key_at_the_third([2, 2, 1], 28));
    assert!(others.alarms.is_empty(), "{others:?}");
}

/// What no server answers any more, caches may still hold.
#[test]
fn caches_of_a_name_that_joined_run_out_by_themselves() {
    let served = Event::JoinServed {
        name: mx(3).tlsa_name(),
        ttl: Ttl(3_600),
    };
    let waits = then(two_hosts(Step::SwapOpen), 40, &[joined(), served]);
    for (hour, at_risk) in [(40, true), (41, false)] {
        let early = judged(&waits, hour, &World::of(&[1, 2], [2; 3]).seen(hour));
        assert_eq!(!early.alarms.is_empty(), at_risk, "hour {hour}: {early:?}");
    }
}

/// The end is a claim about hosts, too.
#[test]
fn nothing_is_retired_or_given_up_while_a_host_was_not_seen() {
    let reason = "enough".to_owned();
    let back = [Event::AbortRequested { reason }, Event::WithdrawalDecided];
    let table = [
        (at(Step::Retiring), 2, 1, Event::RetireServed),
        (
            then(at(Step::SwapOpen), 52, &back),
            1,
            2,
            Event::WithdrawalServed,
        ),
    ];
    for (state, wanted, other, end) in table {
        for (third, passes) in [(wanted, true), (other, false), (0, false)] {
            let seen = World::of(&[wanted], [wanted, wanted, third]).seen(53);
            let decision = judged(&state, 53, &seen);
            let event = passes.then(|| end.clone());
            assert_eq!(
                decision.event, event,
                "the third presents {third}: {decision:?}"
            );
        }
    }
}

#[test]
fn who_left_holds_up_nobody_and_the_last_one_stays() {
    let left = |number: &[u8]| Event::HostsLeft {
        endpoints: number.iter().map(|n| (mx(*n), hours(90))).collect(),
        asked: Some("it died".into()),
    };
    let open = then(at(Step::SwapOpen), 28, &[left(&[3])]);
    let done = judged(&open, 28, &World::of(&[1, 2], [2, 2, 0]).seen(28));
    assert_eq!(
        done.event,
        Some(Event::HostsPresentedIncoming),
        "the dead one is let go"
    );
    let all = left(&[1, 2, 3]);
    assert!(apply(Some(&at(Step::SwapOpen)), hours(28), &all).is_err());
    let reason = "enough".to_owned();
    let back = then(
        at(Step::SwapOpen),
        28,
        &[Event::AbortRequested { reason }, all],
    );
    let end = judged(&back, 29, &World::of(&[1, 2], [0; 3]).seen(29));
    assert_eq!(end.event, Some(Event::WithdrawalDecided));
}

/// The present of two addresses of the first host: what it has, and the one that it left.
fn moved(presents: [u8; 2], hour: u64) -> Observation {
    let mut seen = World::of(&[1, 2], [presents[0], 2, 2]).seen(hour);
    let old = Presented::of_key(key(presents[1]), hours(9_999));
    let offers = BTreeMap::from([
        (KeyAlgorithm::Ecdsa, Seen::Known(Offer::Key(old))),
        (KeyAlgorithm::Rsa, Seen::Known(Offer::NotOffered)),
    ]);
    let first = seen.presented.get_mut(&mx(1)).unwrap();
    first.insert("192.0.2.99".to_owned(), offers);
    let now = BTreeMap::from([("192.0.2.25".to_owned(), Ttl(7_200))]);
    seen.addresses.insert(mx(1).host, Seen::Known(now));
    seen
}

#[test]
fn an_address_that_was_left_is_a_place_until_its_ttl_has_run_out() {
    let before = Event::AddressesSeen {
        host: mx(1).host,
        addresses: BTreeMap::from([("192.0.2.99".to_owned(), Ttl(7_200))]),
    };
    let open = then(at(Step::SwapOpen), 28, &[before]);
    let news = judged(&open, 29, &moved([2, 1], 29));
    let Some(fact @ Event::AddressesSeen { .. }) = news.event else {
        panic!("{news:?}");
    };
    let left = then(open, 29, &[fact]);
    let waits = judged(&left, 30, &moved([2, 1], 30));
    assert_eq!(
        waits.event, None,
        "the old machine has the old key: {waits:?}"
    );
    assert!(
        deployed_to(&waits).is_empty(),
        "nothing is to be done there: {waits:?}"
    );
    assert_eq!(waits.who_acts(), Some(Who::Clock), "{waits:?}");
    assert_eq!(waits.look_again_at, Some(hours(31)));
    let gone = judged(&left, 31, &moved([2, 2], 31));
    assert_eq!(gone.event, Some(Event::HostsPresentedIncoming));
}

#[test]
fn a_server_that_left_is_asked_until_no_cache_leads_there() {
    let zone = ZoneName::new("example.com.");
    let (ns1, ns2) = (
        Authority("ns1 192.0.2.1:53".into()),
        Authority("ns2 192.0.2.2:53".into()),
    );
    let ttls = |names: &[&Authority]| names.iter().map(|n| ((*n).clone(), Ttl(7_200))).collect();
    let all = Event::ServersSeen {
        zone: zone.clone(),
        servers: ttls(&[&ns1, &ns2]),
    };
    let fewer = Event::ServersSeen {
        zone: zone.clone(),
        servers: ttls(&[&ns1]),
    };
    let state = then(at(Step::Prepublishing), 1, &[all]);
    let state = then(state, 2, &[fewer]);
    let with = |second: Option<Seen<&[u8]>>, hour: u64| {
        let mut seen = World::of(&[1, 2], [1; 3]).seen(hour);
        for servers in seen.served.values_mut() {
            let Seen::Known(good) = servers[&ns1].clone() else {
                panic!()
            };
            match &second {
                None => {}
                Some(Seen::Unknown(why)) => {
                    servers.insert(ns2.clone(), Seen::Unknown(why.clone()));
                }
                Some(Seen::Known(held)) => {
                    let mut other = good;
                    other.associations = set(held);
                    servers.insert(ns2.clone(), Seen::Known(other));
                }
            }
        }
        seen
    };
    let table = [
        (None, 3, false, "nobody asked it"),
        (
            Some(Seen::Unknown("timed out".to_owned())),
            3,
            false,
            "it may serve the set of before",
        ),
        (
            Some(Seen::Known(&[1][..])),
            3,
            false,
            "it serves the set of before",
        ),
        (Some(Seen::Known(&[1, 2][..])), 3, true, "it serves both"),
        (None, 4, true, "no cache leads there any more"),
    ];
    for (second, hour, passes, why) in table {
        let decision = judged(&state, hour, &with(second, hour));
        let is_served = matches!(decision.event, Some(Event::PrepublishServed { .. }));
        assert_eq!(is_served, passes, "{why}: {decision:?}");
        if !passes {
            let leaves = |b: &Blocker| matches!(b, Blocker::ServerLeaves { until, .. } if *until == hours(4));
            assert!(decision.blockers.iter().any(leaves), "{why}: {decision:?}");
        }
    }
}

/// No record at all is no DANE; the first one asks for a match, and so does one that takes another's place.
#[test]
fn the_first_record_of_a_name_needs_every_place() {
    let name = mx(1).tlsa_name();
    let empty = |presents: [u8; 3]| {
        let mut seen = World::of(&[1, 2], presents).seen(1);
        seen.merged.insert(name.clone(), Seen::Known(set(&[])));
        for seen in seen.served.get_mut(&name).unwrap().values_mut() {
            if let Seen::Known(rrset) = seen {
                rrset.associations = set(&[]);
            }
        }
        seen
    };
    let table: [([u8; 3], bool, &str); 4] = [
        ([1, 1, 1], true, "it was seen with the key in use"),
        ([0, 1, 1], false, "silence is no yes"),
        ([7, 1, 1], false, "it has another key"),
        ([1, 0, 7], true, "others have records already"),
    ];
    for (presents, proposed, why) in table {
        let decision = judged(&at(Step::Prepublishing), 1, &empty(presents));
        let is_proposed = decision
            .actions
            .iter()
            .any(|a| matches!(a, Action::ChangeZone(_)));
        assert_eq!(is_proposed, proposed, "{why}: {decision:?}");
    }
}

/// The last handshake says little of a balancer: what was met within hours counts.
#[test]
fn several_keys_behind_one_address_count_for_hours() {
    let several = Event::SeveralKeysSeen {
        endpoint: mx(1),
        address: "192.0.2.25".into(),
    };
    let open = then(at(Step::SwapOpen), 28, &[several]);
    let well = World::of(&[1, 2], [2; 3]);
    for (hour, passes) in [(29, false), (33, false), (34, true)] {
        let decision = judged(&open, hour, &well.seen(hour));
        assert_eq!(
            decision.event.is_some(),
            passes,
            "hour {hour}: {decision:?}"
        );
    }
    let mut both = well.seen(28);
    let met = [1, 2]
        .map(|byte| Presented::of_key(key(byte), hours(9_999)))
        .to_vec();
    let offers = both
        .presented
        .get_mut(&mx(1))
        .unwrap()
        .get_mut("192.0.2.25")
        .unwrap();
    offers.insert(KeyAlgorithm::Ecdsa, Seen::Known(Offer::Several(met)));
    let decision = judged(&at(Step::SwapOpen), 28, &both);
    assert_eq!(decision.event, None);
    let noted = |fact: &Event| matches!(fact, Event::SeveralKeysSeen { .. });
    assert!(decision.remembered.iter().any(noted), "{decision:?}");
}

/// The records of these hosts lie behind an alias now.
fn behind_alias(hosts: &[u8]) -> Event {
    let dane = TlsaName::new("_dane.example.com.");
    let names = hosts.iter().map(|host| mx(*host).tlsa_name());
    Event::HostsJoined {
        endpoints: hosts.iter().map(|host| mx(*host)).collect(),
        aliases: names.map(|name| (name, dane.clone())).collect(),
        base: BTreeMap::from([(dane.clone(), set(&[1, 2]))]),
        ttl: BTreeMap::from([(dane, Ttl(60))]),
        ttl_sources: BTreeMap::new(),
    }
}

/// Also the steps that are not on the way forward.
fn come_to(step: Step) -> Rotation {
    use Step as S;
    let reason = || "asked".to_owned();
    let abort = Event::AbortRequested { reason: reason() };
    let replace = Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: reason(),
    };
    let ttl = Ttl(3600);
    let (from, facts) = match step {
        S::RollingBack => (S::Waiting, vec![abort]),
        S::Withdrawing => (S::Waiting, vec![abort, Event::WithdrawalDecided]),
        S::Reinstating => (S::Retiring, vec![abort]),
        S::Reinstated => (S::Retiring, vec![abort, Event::ReinstatementServed { ttl }]),
        S::Replacing => (S::Waiting, vec![replace]),
        S::Replaced => (S::Waiting, vec![replace, Event::ReplacementServed { ttl }]),
        step => (step, Vec::new()),
    };
    let rotation = then(at(from), 60, &facts);
    assert_eq!(rotation.step, step);
    rotation
}

/// Where no name is left that was seen everywhere, the whole begins anew; else the new name has a wait of its own. What caches
/// may hold of the name before binds there, too.
#[test]
fn records_that_move_begin_their_publication_anew() {
    use Step as S;
    let dane = TlsaName::new("_dane.example.com.");
    let ways = [
        (S::Prepublishing, S::Prepublishing, S::Prepublishing),
        (S::Waiting, S::Prepublishing, S::Waiting),
        (S::SwapOpen, S::Prepublishing, S::SwapOpen),
        (S::Deployed, S::Prepublishing, S::SwapOpen),
        (S::Verified, S::Prepublishing, S::SwapOpen),
        (S::Retiring, S::Retiring, S::Retiring),
        (S::Reinstating, S::Reinstating, S::Reinstating),
        (S::Reinstated, S::Reinstating, S::Reinstating),
        (S::Replacing, S::Replacing, S::Replacing),
        (S::Replaced, S::Replacing, S::Replacing),
        (S::RollingBack, S::RollingBack, S::RollingBack),
        (S::Withdrawing, S::Withdrawing, S::Withdrawing),
    ];
    for (from, with_all, with_one) in ways {
        let before = come_to(from);
        let former = before.ttl_old[&mx(1).tlsa_name()];
        assert!(former > Ttl(60));
        for (hosts, to) in [(&[1, 2, 3][..], with_all), (&[1], with_one)] {
            let after = then(before.clone(), 90, &[behind_alias(hosts)]);
            assert_eq!(after.step, to, "{from:?}: {hosts:?}");
            assert_eq!(after.ttl_old[&dane], former, "{from:?}: {hosts:?}");
            let joins = hosts.len() == 1
                && matches!(
                    to,
                    S::Prepublishing | S::Waiting | S::SwapOpen | S::RollingBack
                );
            assert_eq!(after.joining.contains_key(&dane), joins, "{from:?}");
            let begins_anew = match hosts.len() {
                3 => to <= S::SwapOpen || to == S::RollingBack,
                _ => false,
            } || matches!(to, S::Reinstating | S::Replacing);
            assert_eq!(
                after.published.is_none(),
                begins_anew || before.published.is_none(),
                "{from:?}: {hosts:?}"
            );
        }
    }
}

/// Back where they were, they wait again: caches may hold what they were led to meanwhile.
#[test]
fn records_that_move_back_wait_again() {
    let name = mx(1).tlsa_name();
    let back = Event::HostsJoined {
        endpoints: BTreeSet::from([mx(1)]),
        aliases: BTreeMap::new(),
        base: BTreeMap::new(),
        ttl: BTreeMap::new(),
        ttl_sources: BTreeMap::new(),
    };
    let mut away = behind_alias(&[1]);
    if let Event::HostsJoined { ttl, .. } = &mut away {
        ttl.insert(TlsaName::new("_dane.example.com."), Ttl(500_000));
    }
    let after = then(at(Step::SwapOpen), 90, &[away, back]);
    assert_eq!(after.joining, BTreeMap::from([(name.clone(), None)]));
    assert_eq!(after.ttl_old[&name], Ttl(500_000));
    assert!(after.aliases.is_empty());
}
