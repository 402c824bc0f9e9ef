//! What an alarm says: the trouble and its place, since when, when caches recover, and the shortest safe plan, as a table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod decision_support;

use decision_support::{World, after, at, hours, key, mx, set};
use tlsa_rotate::rotation::alarm::{Alarm, alarms, publication_breaks};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::gate;
use tlsa_rotate::rotation::observation::{Authority, Observation, Seen, Source};
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timing::{Instant, Ttl};

/// Every alarm, a line for what and where and an indented one for each sentence of the plan.
fn told(alarms: &[Alarm]) -> String {
    let mut lines = Vec::new();
    for alarm in alarms {
        lines.push(format!("{:?}: {}", alarm.risk.trouble, alarm.risk.place));
        lines.extend(alarm.plan.iter().map(|sentence| format!("  {sentence}")));
    }
    lines.join("\n")
}

/// Of the first host alone: the three are alike.
fn of_first(rotation: &Rotation, hour: u64, observation: &Observation) -> String {
    let mut alarms = alarms(rotation, hours(hour), observation);
    alarms.retain(|alarm| {
        !["mx2", "mx3"]
            .iter()
            .any(|other| alarm.risk.place.contains(other))
    });
    told(&alarms)
}

#[track_caller]
fn is_told(situation: &str, told: &str, expected: &str) {
    assert_eq!(told, expected.trim_start(), "{situation}");
}

/// What a second server answers for the first name.
fn second_server(observation: &mut Observation, zone: &[u8]) {
    let servers = observation.served.get_mut(&mx(1).tlsa_name()).unwrap();
    let Some(Seen::Known(mut served)) = servers.values().next().cloned() else {
        panic!("{servers:?}")
    };
    served.associations = set(zone);
    servers.insert(Authority("ns2 192.0.2.2:53".into()), Seen::Known(served));
}

fn head(observation: &mut Observation, zone: &[u8]) {
    observation
        .merged
        .insert(mx(1).tlsa_name(), Seen::Known(set(zone)));
}

/// The way to the end: retired at hour 52.
fn retired() -> Rotation {
    let mut way = at(Step::Retiring);
    way = apply(Some(&way), hours(52), &Event::RetireServed).unwrap();
    way
}

/// Security goes first, declared before the swap was open.
fn replacing() -> Rotation {
    let declared = Event::EmergencyDeclared {
        priority: Priority::Security,
        reason: "stolen".into(),
    };
    after(&[(1, declared)])
}

/// Both records everywhere, every host with this key.
fn both(presents: u8, hour: u64) -> Observation {
    World::of(&[1, 2], [presents; 3]).seen(hour)
}

/// The new record alone everywhere.
fn new_alone(presents: u8, hour: u64) -> Observation {
    World::of(&[2], [presents; 3]).seen(hour)
}

#[test]
fn a_host_with_a_key_before_or_after_its_time_is_told_the_shortest_safe_way() {
    is_told(
        "early",
        &of_first(&at(Step::Waiting), 1, &both(2, 1)),
        r"
EarlyKey: mx1.example.com:25 on 192.0.2.25
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  if nothing is done, caches recover by 2026-11-23T02:00:00Z",
    );
    is_told(
        "old key again",
        &of_first(&at(Step::Retiring), 52, &new_alone(1, 52)),
        r"
OldKeyAgain: mx1.example.com:25 on 192.0.2.25
  put the next certificate and key on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  without that, senders recover within 1h after the last of these lists 3 1 1 01010101…: the branch that counts, ns1 192.0.2.1:53",
    );
    is_told(
        "unknown, old is safe",
        &of_first(&at(Step::Waiting), 1, &both(7, 1)),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  if 3 1 1 07070707… is yours and is to stay: `tlsa-rotate adopt` publishes its record
  without that, senders recover within 1h after the last of these lists 3 1 1 07070707…: the branch that counts, ns1 192.0.2.1:53",
    );
    is_told(
        "unknown, new is safe",
        &of_first(&retired(), 60, &new_alone(7, 60)),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  put the next certificate and key on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  if 3 1 1 07070707… is yours and is to stay: `tlsa-rotate adopt` publishes its record
  without that, senders recover within 1h after the last of these lists 3 1 1 07070707…: the branch that counts, ns1 192.0.2.1:53",
    );
    let mut seen = both(7, 27);
    second_server(&mut seen, &[9]);
    head(&mut seen, &[8]);
    is_told(
        "unknown, none is safe",
        &of_first(&at(Step::SwapOpen), 27, &seen),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  publish 3 1 1 07070707… at _25._tcp.mx1.example.com. now and make every server load it (`tlsa-rotate adopt` does, if that key is yours): no other key is safe on that host either
  senders recover within 1h after the last of these lists 3 1 1 07070707…: the branch that counts, ns1 192.0.2.1:53, ns2 192.0.2.2:53",
    );
}

#[test]
fn a_server_or_a_head_that_went_back_is_told_where_and_until_when() {
    let mut seen = both(2, 2);
    second_server(&mut seen, &[1]);
    is_told(
        "server at the end of caches",
        &of_first(&at(Step::Waiting), 2, &seen),
        r"
ServerUnfit: _25._tcp.mx1.example.com. on ns2 192.0.2.2:53
  make ns2 192.0.2.2:53 load the present zone now: look at its transfers and at what it was restored from
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  senders recover within 1h after the last of these lists 3 1 1 02020202…: ns2 192.0.2.2:53",
    );
    let mut seen = both(2, 28);
    second_server(&mut seen, &[1]);
    head(&mut seen, &[1]);
    is_told(
        "server and head went back",
        &of_first(&at(Step::Deployed), 28, &seen),
        r"
ServerUnfit: _25._tcp.mx1.example.com. on ns2 192.0.2.2:53
  make ns2 192.0.2.2:53 load the present zone now: look at its transfers and at what it was restored from
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  senders recover within 1h after the last of these lists 3 1 1 02020202…: the branch that counts, ns2 192.0.2.2:53",
    );
    let mut seen = both(2, 28);
    head(&mut seen, &[1]);
    is_told(
        "head went back",
        &of_first(&at(Step::Deployed), 28, &seen),
        r"
HeadUnfit: _25._tcp.mx1.example.com. on the branch that counts
  put 3 1 1 02020202… back into _25._tcp.mx1.example.com. on the branch that counts before any server loads it: revert that change, or merge what `tlsa-rotate advance` proposes
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  senders recover within 1h after the last of these lists 3 1 1 02020202…: the branch that counts",
    );
    let mut seen = new_alone(2, 60);
    head(&mut seen, &[1]);
    is_told(
        "head after the end",
        &of_first(&retired(), 60, &seen),
        r"
HeadUnfit: _25._tcp.mx1.example.com. on the branch that counts
  put 3 1 1 02020202… back into _25._tcp.mx1.example.com. on the branch that counts before any server loads it: revert that change
  senders recover within 1h after the last of these lists 3 1 1 02020202…: the branch that counts",
    );
}

#[test]
fn where_security_goes_first_every_host_is_to_get_the_incoming_key() {
    let old_alone = World::of(&[1], [2; 3]).seen(1);
    is_told(
        "replacing, new",
        &of_first(&replacing(), 1, &old_alone),
        r"
PromiseWaived: mx1.example.com:25 on 192.0.2.25
  nothing: the emergency that was declared puts security first; mail is deferred, not lost
  senders recover within 1h after the last of these lists 3 1 1 02020202…: the branch that counts, ns1 192.0.2.1:53",
    );
    is_told(
        "replacing, old",
        &of_first(&replacing(), 1, &new_alone(1, 1)),
        r"
OldKeyAgain: mx1.example.com:25 on 192.0.2.25
  put the next certificate and key on mx1.example.com:25 now: its key is the compromised one",
    );
    is_told(
        "replacing, other",
        &of_first(&replacing(), 1, &new_alone(7, 1)),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  put the next certificate and key on mx1.example.com:25 now: security goes first, and that key is the one that the zone is to list",
    );
    let served = Event::ReplacementServed { ttl: Ttl(3600) };
    let replaced = apply(Some(&replacing()), hours(2), &served).unwrap();
    is_told(
        "replaced, new",
        &of_first(&replaced, 2, &new_alone(2, 2)),
        r"
PromiseWaived: mx1.example.com:25 on 192.0.2.25
  nothing: the emergency that was declared puts security first; mail is deferred, not lost
  if nothing is done, caches recover by 2026-11-23T03:00:00Z",
    );
}

/// Both keys are safe on the host as far as records go; one of them is in somebody else's hands.
#[test]
fn nobody_is_told_to_put_a_compromised_key_back() {
    let declared = Event::EmergencyDeclared {
        priority: Priority::Delivery,
        reason: "stolen".into(),
    };
    let open = at(Step::SwapOpen);
    is_told(
        "no emergency",
        &of_first(&open, 27, &both(7, 27)),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  put the previous certificate and key back on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  if 3 1 1 07070707… is yours and is to stay: `tlsa-rotate adopt` publishes its record
  without that, senders recover within 1h after the last of these lists 3 1 1 07070707…: the branch that counts, ns1 192.0.2.1:53",
    );
    let stolen = apply(Some(&open), hours(27), &declared).unwrap();
    is_told(
        "emergency",
        &of_first(&stolen, 27, &both(7, 27)),
        r"
UnknownKey: mx1.example.com:25 on 192.0.2.25
  put the next certificate and key on mx1.example.com:25 now: every RRset that a sender may hold lists that key
  if 3 1 1 07070707… is yours and is to stay: `tlsa-rotate adopt` publishes its record
  without that, senders recover within 1h after the last of these lists 3 1 1 07070707…: the branch that counts, ns1 192.0.2.1:53",
    );
}

#[test]
fn a_risk_keeps_the_hour_at_which_it_was_first_seen() {
    let seen = both(2, 1);
    let first = alarms(&at(Step::Waiting), hours(1), &seen);
    assert!(first.iter().all(|alarm| alarm.since == hours(1)));
    let risks = first.iter().map(|alarm| alarm.risk.clone()).collect();
    let noted = apply(
        Some(&at(Step::Waiting)),
        hours(1),
        &Event::RisksSeen { risks },
    )
    .unwrap();
    // At two hours the caches that lack the incoming key have run out; a minute before they have not.
    let minute_before = Instant::from_unix(hours(2).unix() - 60);
    let later = alarms(&noted, minute_before, &seen);
    assert_eq!(later.len(), 3);
    assert!(later.iter().all(|alarm| alarm.since == hours(1)));
    assert_eq!(alarms(&noted, hours(2), &seen), []);
}

#[test]
fn a_zone_that_would_refuse_a_key_that_hosts_may_have_is_not_handed_on() {
    let breaks = |rotation: &Rotation, zone: &[u8]| {
        let name = mx(1).tlsa_name();
        publication_breaks(rotation, hours(60), (&name, &set(zone)), &Source::GitHead)
            .map(|breach| breach.key)
    };
    let asked = Event::AbortRequested {
        reason: "asked".into(),
    };
    let before = apply(Some(&at(Step::Prepublishing)), hours(2), &asked).unwrap();
    let under_way = apply(Some(&at(Step::SwapOpen)), hours(27), &asked).unwrap();
    assert_eq!(
        (before.step, under_way.step),
        (Step::RollingBack, Step::RollingBack)
    );
    let table: [(&str, Rotation, &[u8], Option<u8>); 10] = [
        (
            "the old record leaves too early",
            at(Step::Waiting),
            &[2],
            Some(1),
        ),
        (
            "the new one is not there yet",
            at(Step::Waiting),
            &[1],
            None,
        ),
        (
            "hosts may have the new key",
            at(Step::SwapOpen),
            &[1],
            Some(2),
        ),
        ("both", at(Step::SwapOpen), &[1, 2], None),
        ("the last step", at(Step::Retiring), &[2], None),
        ("the old zone restored", retired(), &[1], Some(2)),
        ("security goes first", replacing(), &[2], None),
        ("given up before the swap was ever open", before, &[1], None),
        (
            "given up while hosts may have the new key",
            under_way,
            &[1],
            Some(2),
        ),
        ("no DANE at all", at(Step::SwapOpen), &[], None),
    ];
    for (situation, rotation, zone, expected) in table {
        assert_eq!(breaks(&rotation, zone), expected.map(key), "{situation}");
    }
}

#[test]
fn a_zone_that_is_not_kept_in_git_is_named_by_where_it_is() {
    let primary = || Source::Primary("192.0.2.53:53".into());
    let table = [
        (
            Source::GitHead,
            "on the branch that counts",
            "review the change that `tlsa-rotate advance` proposes, and merge it",
        ),
        (
            Source::File,
            "in the zone file",
            "run `tlsa-rotate advance`; it makes the change in the zone file",
        ),
        (
            primary(),
            "at the primary 192.0.2.53:53",
            "run `tlsa-rotate advance`; it makes the change at the primary 192.0.2.53:53",
        ),
        (
            Source::Provider,
            "at the provider",
            "run `tlsa-rotate advance`; it makes the change at the provider",
        ),
    ];
    for (source, located, way_out) in table {
        let mut seen = both(2, 28);
        head(&mut seen, &[1]);
        seen.sources.insert(mx(1).tlsa_name(), source.clone());
        let alarms = alarms(&at(Step::Deployed), hours(28), &seen);
        let place = format!("_25._tcp.mx1.example.com. {located}");
        assert_eq!(alarms[0].risk.place, place);
        let first = format!("put 3 1 1 02020202… back into {place} before any server loads it");
        assert!(
            alarms[0].plan[0].starts_with(&first),
            "{:?}",
            alarms[0].plan
        );
        let lacks = &gate::merged(
            &at(Step::Deployed),
            &seen,
            &at(Step::Deployed).requirement(),
        )[0];
        assert_eq!(lacks.way_out(), way_out);
        assert!(
            lacks
                .to_string()
                .contains(&format!("TLSA {located} lacks 3 1 1 02020202…"))
        );
        seen.merged
            .insert(mx(1).tlsa_name(), Seen::Unknown("timed out".into()));
        let unknown = &gate::merged(
            &at(Step::Deployed),
            &seen,
            &at(Step::Deployed).requirement(),
        )[0];
        assert!(
            unknown
                .to_string()
                .contains(&format!("TLSA {located} is not known"))
        );
        assert!(unknown.way_out().ends_with(", then run again"));
    }
}
