//! The machine's decisions as a table: situation, what is decided, why; and plans as snapshots.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity, // tables: situation, world, expectation
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::blocker::{Blocker, Who};
use tlsa_rotate::rotation::decide::decide;
use tlsa_rotate::rotation::observation::{
    Authority, Endpoint, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset,
    SignatureWindow,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Event, Rotation, Step, apply};
use tlsa_rotate::rotation::timeline::look_ahead;
use tlsa_rotate::rotation::timing::{Instant, Span, Ttl};
use tlsa_rotate::rotation::wait;
use tlsa_rotate::rotation::witness::{Objection, ReportedFailure};

const START: u64 = 1_795_392_000; // 2026-11-23T00:00:00Z

fn key(byte: u8) -> Association {
    Association::dane_ee_spki_sha256([byte; 32])
}

fn set(keys: &[u8]) -> BTreeSet<Association> {
    keys.iter().map(|byte| key(*byte)).collect()
}

fn mx() -> Endpoint {
    Endpoint {
        host: "mx1.example.com".into(),
        port: 25,
    }
}

fn hours(n: u64) -> Instant {
    Instant::from_unix(START) + Span::hours(n)
}

fn started() -> Rotation {
    let event = Event::Started {
        endpoints: BTreeSet::from([mx()]),
        current: set(&[1]),
        base: BTreeMap::from([(mx().tlsa_name(), set(&[1]))]),
        ttl: BTreeMap::from([(mx().tlsa_name(), Ttl(3600))]),
        ttl_sources: BTreeMap::new(),
    };
    apply(None, hours(0), &event).unwrap()
}

fn after(events: &[(u64, Event)]) -> Rotation {
    events.iter().fold(started(), |rotation, (hour, event)| {
        apply(Some(&rotation), hours(*hour), event).unwrap()
    })
}

fn prepublishing() -> Vec<(u64, Event)> {
    vec![
        (
            0,
            Event::KeyAdmitted {
                not_after: hours(24 * 365),
                made_by: None,
            },
        ),
        (
            0,
            Event::AssociationsComputed {
                incoming: set(&[2]),
            },
        ),
        (0, Event::PrepublishDecided),
    ]
}

/// Two servers and one host with one address, all well.
fn world(hour: u64, zone: &[u8], presents: u8) -> Observation {
    let name = mx().tlsa_name();
    let served = Seen::Known(ServedRrset {
        associations: set(zone),
        ttl: Ttl(3600),
        signature: SignatureWindow {
            inception: hours(0),
            expiration: hours(24 * 14),
        },
        replayable_until: hours(24 * 14),
    });
    let offer = Seen::Known(Offer::Key(Presented::of_key(key(presents), hours(9999))));
    let offers = BTreeMap::from([
        (KeyAlgorithm::Ecdsa, offer),
        (KeyAlgorithm::Rsa, Seen::Known(Offer::NotOffered)),
    ]);
    Observation {
        at: hours(hour),
        merged: BTreeMap::from([(name.clone(), Seen::Known(set(zone)))]),
        served: BTreeMap::from([(
            name,
            BTreeMap::from([
                (Authority("ns1 192.0.2.1:53".into()), served.clone()),
                (Authority("ns2 192.0.2.2:53".into()), served),
            ]),
        )]),
        presented: BTreeMap::from([(mx(), BTreeMap::from([("192.0.2.25".to_owned(), offers)]))]),
        ..Observation::nothing(hours(hour))
    }
}

fn served_by_second(observation: &mut Observation, seen: Seen<ServedRrset>) {
    observation
        .served
        .get_mut(&mx().tlsa_name())
        .unwrap()
        .insert(Authority("ns2 192.0.2.2:53".into()), seen);
}

fn blockers(rotation: &Rotation, hour: u64, observation: &Observation) -> Vec<Blocker> {
    let decision = decide(rotation, hours(hour), observation, &Policy::default());
    assert_eq!(decision.event, None, "{decision:?}");
    decision.blockers
}

#[test]
fn silence_of_one_server_holds_the_clock_back() {
    let rotation = after(&prepublishing());
    let mut seen = world(1, &[1, 2], 1);
    served_by_second(
        &mut seen,
        Seen::Unknown("timed out after 5 s over UDP".into()),
    );
    let blockers = blockers(&rotation, 1, &seen);
    assert_eq!(blockers.len(), 1);
    assert_eq!(blockers[0].who(), Who::World);
    assert_eq!(
        blockers[0].to_string(),
        "_25._tcp.mx1.example.com. TLSA on ns2 192.0.2.2:53 is not known: timed out after 5 s over UDP"
    );
}

#[test]
fn served_without_being_merged_does_not_start_the_clock() {
    let rotation = after(&prepublishing());
    let mut seen = world(1, &[1, 2], 1);
    seen.merged.insert(mx().tlsa_name(), Seen::Known(set(&[1])));
    assert!(matches!(
        blockers(&rotation, 1, &seen)[..],
        [Blocker::NotMerged { .. }]
    ));
}

#[test]
fn nobody_asked_is_no_answer() {
    let rotation = after(&prepublishing());
    let mut seen = world(1, &[1, 2], 1);
    seen.served.clear();
    assert!(matches!(
        blockers(&rotation, 1, &seen)[..],
        [Blocker::NothingObserved { .. }]
    ));
    seen.merged.clear();
    assert_eq!(blockers(&rotation, 1, &seen).len(), 2);
}

#[test]
fn a_signature_that_ends_during_the_wait_does_not_start_it() {
    let rotation = after(&prepublishing());
    // 1 h TTL, 24 h min_wait, 1 h margin: the signature must hold for 26 hours from now.
    for (until, opens) in [(1 + 26, true), (1 + 25, false)] {
        let mut seen = world(1, &[1, 2], 1);
        let window = SignatureWindow {
            inception: hours(0) - Span::days(30),
            expiration: hours(until),
        };
        served_by_second(
            &mut seen,
            Seen::Known(ServedRrset {
                associations: set(&[1, 2]),
                ttl: Ttl(3600),
                signature: window,
                replayable_until: window.expiration,
            }),
        );
        let decision = decide(&rotation, hours(1), &seen, &Policy::default());
        assert_eq!(
            decision.event.is_some(),
            opens,
            "until hour {until}: {decision:?}"
        );
    }
    let mut seen = world(1, &[1, 2], 1);
    let window = SignatureWindow {
        inception: hours(2),
        expiration: hours(900),
    };
    served_by_second(
        &mut seen,
        Seen::Known(ServedRrset {
            associations: set(&[1, 2]),
            ttl: Ttl(3600),
            signature: window,
            replayable_until: window.expiration,
        }),
    );
    assert!(
        matches!(
            blockers(&rotation, 1, &seen)[..],
            [Blocker::SignatureWindow { .. }]
        ),
        "not yet valid"
    );
}

fn waiting() -> Vec<(u64, Event)> {
    [
        prepublishing(),
        vec![(1, Event::PrepublishServed { ttl: Ttl(3600) })],
    ]
    .concat()
}

#[test]
fn the_swap_opens_on_the_hour_and_not_before() {
    let rotation = after(&waiting());
    assert!(matches!(
        blockers(&rotation, 25, &world(25, &[1, 2], 1))[..],
        [Blocker::CachesMayLackIt(_)]
    ));
    let decision = decide(
        &rotation,
        hours(26),
        &world(26, &[1, 2], 1),
        &Policy::default(),
    );
    assert_eq!(decision.event, Some(Event::SwapOpened));
}

#[test]
fn a_regressed_server_or_a_reverted_merge_restarts_the_clock() {
    let rotation = after(&waiting());
    let mut seen = world(20, &[1, 2], 1);
    let old = world(20, &[1], 1).served[&mx().tlsa_name()]
        .values()
        .next()
        .unwrap()
        .clone();
    served_by_second(&mut seen, old);
    let decision = decide(&rotation, hours(20), &seen, &Policy::default());
    assert!(
        matches!(decision.event, Some(Event::ServerRegressed { .. })),
        "{decision:?}"
    );
    let mut seen = world(20, &[1, 2], 1);
    seen.merged.insert(mx().tlsa_name(), Seen::Known(set(&[1])));
    let decision = decide(&rotation, hours(20), &seen, &Policy::default());
    let Some(event @ Event::MergeReverted { .. }) = decision.event else {
        panic!("{:?}", decision.event)
    };
    let back = apply(Some(&rotation), hours(20), &event).unwrap();
    assert_eq!((back.step, back.published), (Step::Prepublishing, None));
}

#[test]
fn a_lowered_ttl_counts_only_after_the_larger_one() {
    let mut rotation = after(&prepublishing());
    let mut seen = world(1, &[1], 1);
    served_by_second(
        &mut seen,
        Seen::Known(ServedRrset {
            associations: set(&[1]),
            ttl: Ttl(86_400 * 2),
            signature: SignatureWindow {
                inception: hours(0),
                expiration: hours(24 * 14),
            },
            replayable_until: hours(24 * 14),
        }),
    );
    let decision = decide(&rotation, hours(1), &seen, &Policy::default());
    let event = decision.event.unwrap();
    assert!(
        matches!(
            event,
            Event::HigherTtlSeen {
                ttl: Ttl(172_800),
                ..
            }
        ),
        "{event:?}"
    );
    rotation = apply(Some(&rotation), hours(1), &event).unwrap();
    rotation = apply(
        Some(&rotation),
        hours(2),
        &Event::PrepublishServed { ttl: Ttl(3600) },
    )
    .unwrap();
    let decision = decide(
        &rotation,
        hours(3),
        &world(3, &[1, 2], 1),
        &Policy::default(),
    );
    assert_eq!(
        decision.look_again_at,
        Some(hours(2 + 4 * 24 + 1)),
        "2 × 2 d and the margin"
    );
}

#[test]
fn a_certificate_deployed_early_by_someone_else_is_an_alarm() {
    let rotation = after(&waiting());
    let decision = decide(
        &rotation,
        hours(1),
        &world(1, &[1, 2], 2),
        &Policy::default(),
    );
    assert_eq!(
        decision.alarms.len(),
        1,
        "a cache may still hold only the old record"
    );
    let text = decision.alarms[0].to_string();
    assert!(
        text.starts_with("the next key before its time (mx1.example.com:25 on 192.0.2.25, since "),
        "{text}"
    );
    assert!(
        text.contains("mx1.example.com:25 presents it on 192.0.2.25"),
        "{text}"
    );
    let calm = decide(
        &rotation,
        hours(3),
        &world(3, &[1, 2], 2),
        &Policy::default(),
    );
    assert_eq!(calm.alarms, [], "after one TTL every cache holds both");
}

#[test]
fn retiring_needs_every_host_in_this_run() {
    let deployed = [
        waiting(),
        vec![(26, Event::SwapOpened), (27, Event::HostsPresentedIncoming)],
        [33, 39, 45, 50]
            .map(|hour| (hour, Event::SoakSeen))
            .to_vec(),
    ]
    .concat();
    let verified = [deployed.clone(), vec![(51, Event::SoakPassed)]].concat();
    let deployed = after(&deployed);
    assert!(matches!(
        blockers(&deployed, 50, &world(50, &[1, 2], 2))[..],
        [Blocker::Soaking(_)]
    ));
    let decision = decide(
        &deployed,
        hours(51),
        &world(51, &[1, 2], 1),
        &Policy::default(),
    );
    assert!(matches!(decision.event, Some(Event::HostRegressed { .. })));
    let verified = after(&verified);
    let mut seen = world(51, &[1, 2], 2);
    let offers = seen
        .presented
        .get_mut(&mx())
        .unwrap()
        .get_mut("192.0.2.25")
        .unwrap();
    offers.insert(
        KeyAlgorithm::Rsa,
        Seen::Unknown("connection refused".into()),
    );
    assert!(matches!(
        blockers(&verified, 51, &seen)[..],
        [Blocker::HostUnknown { .. }]
    ));
    let decision = decide(
        &verified,
        hours(51),
        &world(51, &[1, 2], 2),
        &Policy::default(),
    );
    assert_eq!(decision.event, Some(Event::RetireDecided));
}

#[test]
fn the_first_use_of_dane_publishes_both_keys_at_once() {
    let mut rotation = started();
    rotation.base.clear();
    let rotation = apply(
        Some(&rotation),
        hours(0),
        &Event::KeyAdmitted {
            not_after: hours(9999),
            made_by: None,
        },
    )
    .unwrap();
    let rotation = apply(
        Some(&rotation),
        hours(0),
        &Event::AssociationsComputed {
            incoming: set(&[2]),
        },
    )
    .unwrap();
    let decision = decide(&rotation, hours(0), &world(0, &[], 1), &Policy::default());
    assert_eq!(decision.event, Some(Event::PrepublishDecided));
    let rotation = apply(Some(&rotation), hours(0), &Event::PrepublishDecided).unwrap();
    assert_eq!(
        rotation.requirement().present,
        set(&[1, 2]),
        "never the next key alone"
    );
}

#[test]
fn a_certificate_that_ends_too_soon_is_not_published() {
    let needed_until = hours(0) + wait::remaining(&started(), &Policy::default());
    let second_before = Instant::from_unix(needed_until.unix() - 1);
    for (not_after, lasts) in [
        (hours(48), false),
        (second_before, false),
        (needed_until, true),
    ] {
        let facts = [
            Event::KeyAdmitted {
                not_after,
                made_by: None,
            },
            Event::AssociationsComputed {
                incoming: set(&[2]),
            },
        ];
        let rotation = facts.iter().fold(started(), |rotation, fact| {
            apply(Some(&rotation), hours(0), fact).unwrap()
        });
        let decision = decide(&rotation, hours(0), &world(0, &[1], 1), &Policy::default());
        if lasts {
            assert_eq!(decision.event, Some(Event::PrepublishDecided));
        } else {
            assert_eq!(
                decision.blockers,
                [Blocker::ExpiresTooSoon {
                    not_after,
                    needed_until
                }]
            );
        }
    }
}

#[test]
fn a_rotation_is_of_keys_named_by_their_3_1_1_association() {
    let record = |text: &str| -> Association {
        let (numbers, byte) = text.rsplit_once(' ').unwrap();
        format!("{numbers} {}", byte.repeat(32)).parse().unwrap()
    };
    let begin = |current: &[&str]| {
        let event = Event::Started {
            endpoints: BTreeSet::from([mx()]),
            current: current.iter().map(|text| record(text)).collect(),
            base: BTreeMap::new(),
            ttl: BTreeMap::new(),
            ttl_sources: BTreeMap::new(),
        };
        apply(None, hours(0), &event)
            .err()
            .map(|refused| refused.why)
    };
    let not_of_a_leaf = Some("only records of usage 3 are rotated");
    let no_key = Some("there is no `3 1 1` record of a key");
    assert_eq!(begin(&["3 1 1 01"]), None);
    assert_eq!(
        begin(&["3 1 1 01", "3 0 1 02"]),
        None,
        "another form beside it"
    );
    assert_eq!(begin(&["3 1 1 01", "2 1 1 02"]), not_of_a_leaf);
    assert_eq!(begin(&["3 1 1 01", "1 1 1 02"]), not_of_a_leaf);
    assert_eq!(
        begin(&["3 1 1 01", "3 1 2 02"]),
        not_of_a_leaf,
        "half a SHA-512"
    );
    assert_eq!(begin(&["3 0 1 02"]), no_key);
    assert_eq!(begin(&[]), Some("no key is in use"));
}

#[test]
fn the_same_key_again_is_no_rotation() {
    let rotation = apply(
        Some(&started()),
        hours(0),
        &Event::KeyAdmitted {
            not_after: hours(9999),
            made_by: None,
        },
    )
    .unwrap();
    let error = apply(
        Some(&rotation),
        hours(0),
        &Event::AssociationsComputed {
            incoming: set(&[1]),
        },
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`AssociationsComputed` cannot follow Generated: the next key is already in use: with selector 1 nothing changes"
    );
}

#[test]
fn the_plan_is_the_decision_run_ahead() {
    let plan = look_ahead(&started(), hours(0), &Policy::default(), &set(&[2])).unwrap();
    assert_eq!(plan.stopped_by, []);
    let lines: Vec<String> = plan
        .entries
        .iter()
        .map(|entry| {
            let binds = entry.gate.map_or(String::new(), |gate| {
                format!(", {} binds (protocol: {})", gate.binds, gate.protocol)
            });
            format!("{} {}{binds}", entry.at, entry.step)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "2026-11-23T00:00:00Z Generated",
            "2026-11-23T00:00:00Z Hashed",
            "2026-11-23T00:00:00Z Prepublishing",
            "2026-11-23T00:00:00Z Waiting",
            "2026-11-24T01:00:00Z SwapOpen, policy min_wait binds (protocol: 2026-11-23T02:00:00Z)",
            "2026-11-24T01:00:00Z Deployed",
            "2026-11-25T01:00:00Z Verified, policy soak binds (protocol: 2026-11-24T01:00:00Z)",
            "2026-11-25T01:00:00Z Retiring",
            "2026-11-25T01:00:00Z Retired",
        ]
    );
}

#[test]
fn every_blocker_says_who_acts_and_how() {
    let rotation = after(&waiting());
    for blocker in blockers(&rotation, 2, &world(2, &[1, 2], 1)) {
        assert_eq!(blocker.who(), Who::Clock);
        assert_eq!(
            blocker.to_string(),
            "caches may lack the record of the next key until 2026-11-24T02:00:00Z (policy min_wait binds; the protocols alone would ask for 2026-11-23T03:00:00Z)"
        );
        assert_eq!(
            blocker.way_out(),
            "nothing to do before 2026-11-24T02:00:00Z"
        );
    }
}

fn deployed() -> Vec<(u64, Event)> {
    let mut events = prepublishing();
    events.extend([
        (1, Event::PrepublishServed { ttl: Ttl(3600) }),
        (30, Event::SwapOpened),
        (31, Event::HostsPresentedIncoming),
    ]);
    events
}

fn failure(host: &str, result: &str, sessions: u64, saw: &[u8]) -> ReportedFailure {
    ReportedFailure {
        begin: hours(24),
        end: hours(48),
        sender: "Google Inc.".into(),
        report: "g-1".into(),
        host: host.into(),
        result: result.into(),
        sessions,
        saw: set(saw),
    }
}

/// While senders report failures the soak does not end; that all hosts are seen with the incoming key counts all the same.
#[test]
fn what_senders_report_begins_no_soak_anew() {
    let mut events = deployed();
    events.push((37, Event::SoakSeen));
    let rotation = after(&events);
    let failed = failure("mx1.example.com", "validation-failure", 3, &[]);
    let at = |hour, reports: &[ReportedFailure]| {
        let mut seen = world(hour, &[1, 2], 2);
        seen.witness.reports = Some(Seen::Known(reports.to_vec()));
        decide(&rotation, hours(hour), &seen, &Policy::default()).event
    };
    for reports in [&[][..], std::slice::from_ref(&failed)] {
        assert_eq!(at(37, reports), None);
        assert_eq!(at(42, reports), Some(Event::SoakSeen));
        assert_eq!(
            at(45, reports),
            Some(Event::SoakInterrupted),
            "a gap is one"
        );
    }
}

/// What others say decides nothing alone: all else is well in each of these worlds.
#[test]
fn what_senders_report_holds_the_retire_step() {
    const MX1: &str = "mx1.example.com";
    let said = |failures: &[ReportedFailure]| Some(Seen::Known(failures.to_vec()));
    let failed = |result| failure(MX1, result, 3, &[]);
    #[rustfmt::skip]
    let table: Vec<(Option<Seen<Vec<ReportedFailure>>>, &str, &str)> = vec![
        (None, "", "nobody watches"),
        (said(&[]), "", "nobody complains"),
        (said(&[failed("validation-failure")]), "Google Inc. reports 3 failed sessions with mx1.example.com on 2026-11-24: validation-failure (report g-1)", "sender, count, host, day, type"),
        (said(&[failed("tlsa-invalid")]), "tlsa-invalid", "a DANE failure"),
        (said(&[failed("certificate-host-mismatch")]), "certificate-host-mismatch", "for those who check names"),
        (said(&[failed("starttls-not-supported")]), "starttls-not-supported", "the new server's configuration"),
        (said(&[failed("certificate-not-trusted")]), "certificate-not-trusted", "by MTA-STS"),
        (said(&[failed("certificate-expired")]), "certificate-expired", "by MTA-STS"),
        (said(&[failed("a-type-of-tomorrow")]), "a-type-of-tomorrow", "what is not known is never a yes"),
        (said(&[failed("sts-policy-fetch-error")]), "", "no session with a host"),
        (said(&[failure("mx9.example.com", "validation-failure", 3, &[])]), "", "not a host of ours"),
        (said(&[failure(MX1, "validation-failure", 0, &[])]), "", "no session at all"),
        (said(&[failure(MX1, "validation-failure", 1, &[1])]), "1 failed session with mx1.example.com on 2026-11-24: validation-failure (report g-1), by a stale RRset in its cache: it saw 3 1 1 01010101… and no record of the next key", "the old set alone should have left the caches"),
        (said(&[failure(MX1, "validation-failure", 1, &[1, 2])]), "validation-failure (report g-1)", "both were seen: the cache is right"),
        (Some(Seen::Unknown("permission denied".into())), "what senders report is not known: permission denied", "a mailbox that is watched and cannot be read"),
    ];
    for step in [Step::Deployed, Step::Verified] {
        let mut events = deployed();
        events.extend([37, 43, 49, 55, 60].map(|hour| (hour, Event::SoakSeen)));
        if step == Step::Verified {
            events.push((60, Event::SoakPassed));
        }
        let rotation = after(&events);
        for (reports, expected, why) in &table {
            let mut seen = world(60, &[1, 2], 2);
            seen.witness.reports.clone_from(reports);
            let decision = decide(&rotation, hours(60), &seen, &Policy::default());
            let said: Vec<String> = decision.blockers.iter().map(ToString::to_string).collect();
            assert_eq!(
                decision.event.is_some(),
                expected.is_empty(),
                "{step}: {why}: {said:?}"
            );
            if !expected.is_empty() {
                assert!(
                    said.len() == 1 && said[0].contains(expected),
                    "{step}: {why}: {said:?}"
                );
                assert_eq!(
                    said[0].contains("stale"),
                    expected.contains("stale"),
                    "{why}"
                );
                assert_eq!(decision.who_acts(), Some(Who::You), "{why}");
            }
        }
    }
}

#[test]
fn the_web_pki_holds_the_swap_where_an_mta_sts_policy_asks_it() {
    let mut waiting = prepublishing();
    waiting.push((1, Event::PrepublishServed { ttl: Ttl(3600) }));
    let waiting = after(&waiting);
    let mut open = prepublishing();
    open.extend([
        (1, Event::PrepublishServed { ttl: Ttl(3600) }),
        (30, Event::SwapOpened),
    ]);
    let open = after(&open);
    let domain = "example.com".to_owned();
    let not_trusted = Objection::NotForTheWeb {
        domain: domain.clone(),
        why: "no path leads to a trusted root".into(),
    };
    let unknown = Objection::WebUnknown {
        domain: domain.clone(),
        why: "no answer".into(),
    };
    #[rustfmt::skip]
    let table = [
        (None, None, "no policy"),
        (Some(Seen::Known(vec![])), None, "the certificate passes"),
        (Some(Seen::Known(vec!["no path leads to a trusted root".to_owned()])), Some((not_trusted, Who::You)), "senders without DANE would refuse"),
        (Some(Seen::Unknown("no answer".to_owned())), Some((unknown, Who::World)), "silence is no yes"),
    ];
    for (web, expected, why) in table {
        let mut seen = world(30, &[1, 2], 1);
        seen.witness.web = web.map(|web| (domain.clone(), web)).into_iter().collect();
        let decision = decide(&waiting, hours(30), &seen, &Policy::default());
        let blocker = expected
            .clone()
            .map(|(objection, _)| Blocker::Objected(objection));
        assert_eq!(decision.blockers, Vec::from_iter(blocker.clone()), "{why}");
        assert_eq!(decision.event.is_some(), expected.is_none(), "{why}");
        assert_eq!(
            decision.who_acts(),
            expected.as_ref().map(|(_, who)| *who),
            "{why}"
        );
        // An open swap is not deployed into while it holds, and says so.
        let decision = decide(&open, hours(31), &seen, &Policy::default());
        let deploys = decision
            .actions
            .iter()
            .any(|action| matches!(action, tlsa_rotate::rotation::decide::Action::Deploy(_)));
        assert_eq!(deploys, expected.is_none(), "{why}");
        assert_eq!(
            decision
                .blockers
                .iter()
                .filter(|b| Some(*b) == blocker.as_ref())
                .count(),
            usize::from(expected.is_some())
        );
    }
}

/// An association of `usage selector matching` with 32 equal octets.
fn form(usage: u8, selector: u8, byte: u8) -> Association {
    Association {
        usage,
        selector,
        ..key(byte)
    }
}

/// A rotation from key 1 to key 2, with certificates a1 and a2, an issuer ca of the first, and what stands in the RRset.
fn with_forms(base: &[Association], staying: &[u8], incoming_issuer: Option<u8>) -> Rotation {
    let surroundings = Event::SurroundingsFound {
        aliases: BTreeMap::new(),
        base: BTreeMap::from([(mx().tlsa_name(), base.iter().cloned().collect())]),
        staying: set(staying),
        satisfied: BTreeMap::from([
            (
                key(1),
                BTreeSet::from([key(1), form(3, 0, 0xa1), form(2, 1, 0xca)]),
            ),
            (
                key(2),
                [
                    Some(key(2)),
                    Some(form(3, 0, 0xa2)),
                    incoming_issuer.map(|ca| form(2, 1, ca)),
                ]
                .into_iter()
                .flatten()
                .collect(),
            ),
        ]),
    };
    let certificates = base.iter().any(|record| record.selector == 0);
    let incoming = [
        Some(key(2)),
        Some(form(3, 0, 0xa2)).filter(|_| certificates),
    ];
    let events = [
        Event::KeyAdmitted {
            not_after: hours(24 * 365),
            made_by: None,
        },
        surroundings,
        Event::AssociationsComputed {
            incoming: incoming.into_iter().flatten().collect(),
        },
    ];
    events.iter().fold(started(), |rotation, event| {
        apply(Some(&rotation), hours(0), event).unwrap()
    })
}

/// Situation, what stands in the RRset, who issued the incoming certificate, and the way out where there must be one.
type Loss<'a> = (&'a str, Vec<Association>, Option<u8>, Option<&'a str>);
/// Situation, what is presented of ECDSA and of RSA, and what must be said unless all is well.
type Deployment<'a> = (&'a str, Seen<Offer>, Seen<Offer>, Option<Check>);
type Check = fn(&[Blocker]) -> bool;

#[test]
fn a_combination_that_would_be_lost_is_said_before_anything_is_published() {
    let issuer = form(2, 1, 0xca);
    let table: [Loss<'_>; 6] = [
        ("nothing but the key", vec![key(1)], None, None),
        (
            "an issuer of both",
            vec![key(1), issuer.clone()],
            Some(0xca),
            None,
        ),
        (
            "an issuer of the old one only",
            vec![key(1), issuer.clone()],
            None,
            Some(
                "take the `2 1 1` records out of the zone and wait for their TTL, or rotate to a certificate whose chain they match",
            ),
        ),
        (
            "another issuer comes: its record is offered",
            vec![key(1), issuer.clone()],
            Some(0xcb),
            Some("beside the others, or take the `2 1 1` records out"),
        ),
        (
            "that record is beside it",
            vec![key(1), issuer, form(2, 1, 0xcb)],
            Some(0xcb),
            None,
        ),
        (
            "an issuer that was none of the old one's either",
            vec![key(1), form(2, 1, 0xff)],
            None,
            None,
        ),
    ];
    for (situation, base, incoming_issuer, way_out) in table {
        let rotation = with_forms(&base, &[], incoming_issuer);
        let mut seen = world(0, &[1], 1);
        seen.merged
            .insert(mx().tlsa_name(), Seen::Known(base.into_iter().collect()));
        let decision = decide(&rotation, hours(0), &seen, &Policy::default());
        match way_out {
            None => assert_eq!(
                decision.event,
                Some(Event::PrepublishDecided),
                "{situation}"
            ),
            Some(way_out) => {
                assert!(
                    matches!(decision.blockers[..], [Blocker::CombinationLost(_)]),
                    "{situation}: {decision:?}"
                );
                let said = decision.blockers[0].way_out();
                assert!(said.contains(way_out), "{situation}: {said}");
            }
        }
    }
}

#[test]
fn a_host_is_deployed_by_the_certificate_that_records_are_of_and_by_a_key_that_is_replaced() {
    let open = |rotation: Rotation| {
        let events = [
            (0, Event::PrepublishDecided),
            (1, Event::PrepublishServed { ttl: Ttl(3600) }),
            (26, Event::SwapOpened),
        ];
        events.iter().fold(rotation, |rotation, (hour, event)| {
            apply(Some(&rotation), hours(*hour), event).unwrap()
        })
    };
    let all = |rotation: &Rotation, seen: &mut Observation| {
        let wanted: BTreeSet<_> = rotation.base[&mx().tlsa_name()]
            .union(&rotation.requirement().present)
            .cloned()
            .collect();
        seen.merged
            .insert(mx().tlsa_name(), Seen::Known(wanted.clone()));
        for server in seen.served.get_mut(&mx().tlsa_name()).unwrap().values_mut() {
            if let Seen::Known(rrset) = server {
                rrset.associations.clone_from(&wanted);
            }
        }
    };
    let chain = |satisfies: Vec<Association>, of: u8| {
        let mut chain = Presented::of_key(key(of), hours(9999));
        chain.satisfies = satisfies.into_iter().collect();
        Seen::Known(Offer::Key(chain))
    };
    let none = || Seen::Known(Offer::NotOffered);
    let new = || chain(vec![key(2), form(3, 0, 0xa2)], 2);
    let table: [Deployment<'_>; 5] = [
        ("the very certificate", new(), none(), None),
        (
            "beside the key that stays",
            new(),
            chain(vec![key(7)], 7),
            None,
        ),
        (
            "the incoming key in another certificate",
            chain(vec![key(2)], 2),
            none(),
            Some(|b| matches!(b, [Blocker::OtherCertificate { .. }])),
        ),
        (
            "only the key that stays",
            none(),
            chain(vec![key(7)], 7),
            Some(|b| matches!(b, [Blocker::OnlyStayingKey { .. }])),
        ),
        (
            "the old key beside the one that stays",
            chain(vec![key(1), form(3, 0, 0xa1)], 1),
            chain(vec![key(7)], 7),
            Some(|b| matches!(b, [Blocker::WrongKey { .. }])),
        ),
    ];
    for (situation, ecdsa, rsa, expected) in table {
        let base = [key(1), key(7), form(3, 0, 0xa1)];
        let rotation = open(with_forms(&base, &[7], None));
        let mut seen = world(27, &[1, 2], 1);
        all(&rotation, &mut seen);
        let offers = BTreeMap::from([(KeyAlgorithm::Ecdsa, ecdsa), (KeyAlgorithm::Rsa, rsa)]);
        seen.presented
            .insert(mx(), BTreeMap::from([("192.0.2.25".to_owned(), offers)]));
        let decision = decide(&rotation, hours(27), &seen, &Policy::default());
        match expected {
            None => assert_eq!(
                decision.event,
                Some(Event::HostsPresentedIncoming),
                "{situation}: {decision:?}"
            ),
            Some(is_expected) => {
                assert!(is_expected(&decision.blockers), "{situation}: {decision:?}");
            }
        }
    }
}

#[test]
fn a_duty_neglected_is_no_alarm_and_keeps_nothing_from_going_on() {
    let rotation = with_forms(&[key(1), form(2, 1, 0xff)], &[], None);
    let mut seen = world(0, &[1], 1);
    for server in seen.served.get_mut(&mx().tlsa_name()).unwrap().values_mut() {
        if let Seen::Known(rrset) = server {
            rrset.associations.insert(form(2, 1, 0xff));
        }
    }
    let decision = decide(&rotation, hours(0), &seen, &Policy::default());
    assert_eq!(decision.alarms, []);
    assert_eq!(decision.lapses.len(), 1, "told once: {:?}", decision.lapses);
    assert!(
        decision.lapses[0]
            .to_string()
            .contains("has no `2 1 1` record that matches the chain of 3 1 1 01010101…"),
        "{}",
        decision.lapses[0]
    );
    // Two duties towards one key are two.
    let both = [key(1), form(2, 1, 0xff), form(2, 0, 0xfe)];
    let two = decide(
        &with_forms(&both, &[], None),
        hours(0),
        &seen,
        &Policy::default(),
    );
    assert_eq!(two.lapses.len(), 2, "{:?}", two.lapses);
    // A stronger digest of another key is all that a sender with agility looks at: that refuses mail.
    for server in seen.served.get_mut(&mx().tlsa_name()).unwrap().values_mut() {
        if let Seen::Known(rrset) = server {
            rrset.associations.insert(Association {
                matching: 2,
                data: vec![9; 64],
                ..key(9)
            });
        }
    }
    let decision = decide(&rotation, hours(0), &seen, &Policy::default());
    assert_eq!(decision.alarms.len(), 1, "{decision:?}");
}
