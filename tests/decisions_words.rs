//! What the machine says: every reason for not going on with who acts and the way out, what others object, and names of things.
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
use tlsa_rotate::rotation::alarm::alarms;
use tlsa_rotate::rotation::association::Association;
use tlsa_rotate::rotation::blocker::{Blocker, Who};
use tlsa_rotate::rotation::decide::decide;
use tlsa_rotate::rotation::due::{Due, Release, Rest};
use tlsa_rotate::rotation::emergency::Priority;
use tlsa_rotate::rotation::event::Event;
use tlsa_rotate::rotation::exposure::Holder;
use tlsa_rotate::rotation::observation::{
    Authority, KeyAlgorithm, SignatureWindow, Source, TlsaName,
};
use tlsa_rotate::rotation::policy::Policy;
use tlsa_rotate::rotation::step::{Step, apply};
use tlsa_rotate::rotation::timing::{Span, Ttl};
use tlsa_rotate::rotation::wait::{Binding, TimeGate};
use tlsa_rotate::rotation::witness::{Objection, ReportedFailure};

fn name() -> TlsaName {
    mx(1).tlsa_name()
}

fn gate() -> TimeGate {
    TimeGate {
        protocol: hours(1),
        opens: hours(2),
        binds: Binding::OneTtl,
    }
}

fn rests(hour: Option<u64>) -> Blocker {
    let why = Release::Expiry;
    let due = hour.map(|hour| Due {
        at: hours(hour),
        why,
    });
    Blocker::Resting { due }
}

fn host_unknown() -> Blocker {
    Blocker::HostUnknown {
        endpoint: mx(1),
        address: "192.0.2.25".into(),
        algorithm: KeyAlgorithm::Rsa,
        why: "timed out".into(),
    }
}

fn wrong_key(algorithm: KeyAlgorithm, incoming_wanted: bool) -> Blocker {
    Blocker::WrongKey {
        endpoint: mx(1),
        address: "192.0.2.25".into(),
        algorithm,
        presents: key(9),
        incoming_wanted,
    }
}

fn on_server(missing: &[Association], unwanted: &[Association]) -> Blocker {
    Blocker::NotServed {
        name: name(),
        authority: Authority("ns1".into()),
        missing: missing.to_vec(),
        unwanted: unwanted.to_vec(),
    }
}

#[test]
fn every_reason_says_who_acts_until_when_and_the_way_out() {
    use Who::{Clock, World as TheWorld, You};
    let unknown = |source| Blocker::MergedUnknown {
        name: name(),
        source,
        why: "?".into(),
    };
    let place = || (mx(1), "192.0.2.25".to_owned());
    let (endpoint, address) = place();
    let none = Blocker::NoCertificate { endpoint, address };
    let (endpoint, address) = place();
    let stays = Blocker::OnlyStayingKey { endpoint, address };
    let short = Blocker::ExpiresTooSoon {
        not_after: hours(1),
        needed_until: hours(2),
    };
    let held = Blocker::Held { reason: "x".into() };
    let silent = Blocker::ServerUnknown {
        name: name(),
        authority: Authority("ns1".into()),
        why: "timed out".into(),
    };
    let nothing = Blocker::NothingObserved { what: "mx1".into() };
    let window = Blocker::SignatureWindow {
        name: name(),
        authority: Authority("ns1".into()),
        inception: hours(0),
        expiration: hours(1),
        needed_until: hours(2),
    };
    let gone = Blocker::DaneGone {
        name: name(),
        source: Source::GitHead,
        certificate: "mail".into(),
    };
    let failed = Blocker::DeploymentFailed {
        host: "mx1".into(),
        at: hours(1),
        why: "exit code 1".into(),
        again: hours(2),
    };
    #[rustfmt::skip]
    let table = [
        (gone, You, None, "put the records back; or, if these hosts are to go on without DANE: tlsa-rotate abort mail --leave-dane"),
        (failed, You, None, "run that command by hand to see what is wrong; it is run again on 2026-11-23T02:00:00Z"),
        (Blocker::KeyMissing, You, None, "run `tlsa-rotate advance`; it generates"),
        (unknown(Source::GitHead), You, None, "correct that on the branch that counts"),
        (unknown(Source::File), You, None, "make the zone file readable"),
        (unknown(Source::Provider), You, None, "make the provider answer"),
        (on_server(&[key(1)], &[]), TheWorld, None, "wait for ns1 to load the zone"),
        (silent, TheWorld, None, "make ns1 answer as the other servers do; if it is gone for good, take its NS record out, here and at the parent"),
        (window, You, None, "make whoever signs renew the signature before it ends"),
        (nothing, You, None, "give mx1 at least one address"),
        (Blocker::CachesMayLackIt(gate()), Clock, Some(2), "nothing to do before 2026-11-23T02:00:00Z"),
        (Blocker::CachesMayLackOld(gate()), Clock, Some(2), "nothing to do before"),
        (Blocker::OutageRuns(gate()), Clock, Some(2), "nothing to do before"),
        (Blocker::Soaking(gate()), Clock, Some(2), "nothing to do before"),
        (rests(Some(7)), Clock, Some(7), "nothing to do; `tlsa-rotate deploy` lets the deployment go"),
        (rests(None), Clock, None, "nothing to do; `tlsa-rotate deploy`"),
        (held, You, None, "once every host presents the previous key: `tlsa-rotate deploy` goes on"),
        (Blocker::Paced, TheWorld, None, "wait until the hosts before it are seen"),
        (wrong_key(KeyAlgorithm::Rsa, true), You, None, "install the next certificate and key on mx1"),
        (wrong_key(KeyAlgorithm::Rsa, false), You, None, "put the previous certificate and key back on mx1"),
        (host_unknown(), TheWorld, None, "make mx1.example.com:25 reachable from here"),
        (none, You, None, "configure a certificate on mx1"),
        (stays, You, None, "install the next certificate and key on mx1.example.com:25, or give that host"),
        (short, You, None, "abort this rotation and start one with a certificate that lasts longer"),
    ];
    for (blocker, who, until, way_out) in table {
        assert_eq!(blocker.who(), who, "{blocker}");
        assert_eq!(blocker.until(), until.map(hours), "{blocker}");
        let found = blocker.way_out();
        assert!(found.starts_with(way_out), "{blocker}: {found}");
    }
    let words = [You, Clock, TheWorld].map(|who| who.to_string());
    assert_eq!(words, ["you", "wait", "others"]);
}

#[test]
fn a_reason_names_what_was_expected_and_what_was_seen_and_where() {
    let (one, two) = ([key(1)], [key(2), key(3)]);
    #[rustfmt::skip]
    let table = [
        (on_server(&one, &[]), "_25._tcp.mx1.example.com. TLSA on ns1 lacks 3 1 1 01010101…"),
        (on_server(&[], &two), "_25._tcp.mx1.example.com. TLSA on ns1 still holds 3 1 1 02020202…, 3 1 1 03030303…"),
        (on_server(&one, &two), "_25._tcp.mx1.example.com. TLSA on ns1 lacks 3 1 1 01010101… and still holds 3 1 1 02020202…, 3 1 1 03030303…"),
        (wrong_key(KeyAlgorithm::Rsa, true), "mx1.example.com:25 on 192.0.2.25 presents 3 1 1 09090909… (RSA), not the next key"),
        (wrong_key(KeyAlgorithm::Ecdsa, false), "mx1.example.com:25 on 192.0.2.25 presents 3 1 1 09090909… (ECDSA), not the previous key"),
        (host_unknown(), "which RSA key mx1.example.com:25 presents on 192.0.2.25 is not known: timed out"),
        (rests(Some(7)), "the next key is published and rests until 2026-11-23T07:00:00Z: then the certificate in use is within policy renew_before of its end"),
        (Blocker::OutageRuns(gate()), "senders that hold the old RRset defer mail until 2026-11-23T02:00:00Z (the TTL of the old RRset (RFC 1035 §3.2.1))"),
    ];
    for (blocker, expected) in table {
        assert_eq!(blocker.to_string(), expected);
    }
}

fn failure() -> ReportedFailure {
    ReportedFailure {
        begin: hours(24),
        end: hours(48),
        sender: "Google Inc.".into(),
        report: "g-1".into(),
        host: "mx1.example.com".into(),
        result: "validation-failure".into(),
        sessions: 1,
        saw: set(&[1]),
    }
}

#[test]
fn what_others_object_says_its_own_way_out() {
    let (domain, why) = (|| "example.com".to_owned(), || "no answer".to_owned());
    #[rustfmt::skip]
    let table = [
        (Objection::Failed(failure()), Who::You, "find out what went wrong at mx1.example.com"),
        (Objection::StaleRrset(failure()), Who::You, "ask Google Inc. to empty its resolvers' caches"),
        (Objection::ReportsUnread { first: why(), more: 2 }, Who::You, "look at what the file says"),
        (Objection::ReportsUnknown { why: why() }, Who::You, "make the mailbox readable"),
        (Objection::NotForTheWeb { domain: domain(), why: why() }, Who::You, "get a certificate from a public CA"),
        (Objection::WebUnknown { domain: domain(), why: why() }, Who::World, "make https://mta-sts.example.com/"),
    ];
    for (objection, who, way_out) in table {
        let blocker = Blocker::Objected(objection);
        assert_eq!(blocker.who(), who, "{blocker}");
        let found = blocker.way_out();
        assert!(found.starts_with(way_out), "{found}");
    }
}

#[test]
fn a_resting_key_is_looked_at_again_when_it_is_due() {
    let due = Due {
        at: hours(200),
        why: Release::Age,
    };
    let policy = Policy {
        rest: Rest::Until(Some(due)),
        ..Policy::default()
    };
    let world = World::of(&[1, 2], [1; 3]);
    let decision = decide(&at(Step::SwapOpen), hours(30), &world.seen(30), &policy);
    assert_eq!(decision.blockers, [Blocker::Resting { due: Some(due) }]);
    assert_eq!(decision.look_again_at, Some(hours(200)));
    assert_eq!(decision.who_acts(), Some(Who::Clock));
}

#[test]
fn an_early_key_while_every_place_lists_it_already_is_told_when_senders_recover() {
    let seen = World::of(&[1, 2], [2, 1, 1]).seen(1);
    let alarms = alarms(&at(Step::Prepublishing), hours(1), &seen);
    assert_eq!(alarms.len(), 1);
    let last = alarms[0].plan.last().unwrap();
    let expected = "senders that hold another RRset recover within 1h after that";
    assert_eq!(
        last, expected,
        "the clock has not begun, and no place lacks it"
    );
}

#[test]
fn a_fact_that_cannot_have_happened_says_in_which_step_and_why() {
    let early = apply(None, hours(0), &Event::SwapOpened).unwrap_err();
    let expected = "`SwapOpened` cannot follow before the start: a rotation begins with its start";
    assert_eq!(early.to_string(), expected);
    let late = apply(Some(&after(&[])), hours(1), &Event::SoakPassed).unwrap_err();
    let expected = "`SoakPassed` cannot follow Prepublishing: no such transition";
    assert_eq!(late.to_string(), expected);
}

#[test]
fn things_have_the_names_that_people_use() {
    let releases = [Release::Asked, Release::Age, Release::Expiry];
    let expected = [
        "a person lets it go",
        "the key in use has reached policy max_age",
        "the certificate in use is within policy renew_before of its end",
    ];
    assert_eq!(releases.map(|why| why.to_string()), expected);
    let first = [Priority::Delivery, Priority::Security].map(|first| first.to_string());
    assert_eq!(first, ["delivery", "security"]);
    let holders = [
        Holder::Step(Step::Waiting),
        Holder::Server("ns1".into()),
        Holder::Head(Source::GitHead),
    ];
    let told = holders.each_ref().map(ToString::to_string);
    let expected = [
        "caches may hold it in step Waiting",
        "ns1 answers with it",
        "the branch that counts holds it",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        holders.each_ref().map(Holder::place),
        ["a cache", "ns1", "the branch that counts"]
    );
    let upper = TlsaName::new("_25._tcp.MX1.Example.COM.");
    assert_eq!(upper.as_str(), "_25._tcp.mx1.example.com.");
    assert_eq!(Ttl(3600).to_string(), "3600");
}

#[test]
fn spans_are_counted_in_seconds_and_signature_windows_by_what_both_leave_open() {
    let spans = [
        (Span::seconds(7), 7),
        (Span::minutes(2), 120),
        (Span::hours(2), 7_200),
        (Span::days(2), 172_800),
        (Ttl(9).span(), 9),
    ];
    for (span, seconds) in spans {
        assert_eq!(span.as_seconds(), seconds);
    }
    let window = |from, until| SignatureWindow {
        inception: hours(from),
        expiration: hours(until),
    };
    assert_eq!(window(1, 9).both(window(2, 8)), window(2, 8));
    assert_eq!(window(2, 8).both(window(1, 9)), window(2, 8));
    // Of a window until hour 8, seen at hour 5: three hours are left, and that is not less than three.
    let ends = |horizon| window(1, 8).ends_within(hours(5), Span::hours(horizon));
    assert_eq!((ends(3), ends(4)), (false, true));
    assert!(
        window(1, 4).ends_within(hours(5), Span::hours(1)),
        "it is over"
    );
}

#[test]
fn a_step_belongs_to_one_of_seven_chapters_and_says_what_is_so() {
    let numbers = Step::ALL.map(|step| step.chapter().map_or(0, |chapter| chapter.number));
    let ahead = [1, 2, 3, 3, 4, 5, 6, 7, 7];
    assert_eq!(numbers[..9], ahead);
    assert_eq!(numbers[9..], [0; 8], "ends, emergencies and ways back");
    let verified = "every host presents the next key; the soak is under way";
    assert_eq!(Step::Deployed.sentence(), verified);
}
