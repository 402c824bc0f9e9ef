#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
use super::*;

const DAY: Span = Span::days(1);

fn hour(count: u64) -> Instant {
    Instant::from_unix(1_000_000) + Span::hours(count)
}

fn found(press: Press, matter: &str) -> Found {
    Found {
        press,
        matter: matter.to_owned(),
    }
}

/// What is told of such findings, one a line: hour, finding, and why it is told.
fn told(findings: &[(u64, Press, &str, Option<Why>)]) {
    let mut memory = Told::default();
    for (at, press, matter, why) in findings {
        let told = memory.tell(&found(*press, matter), hour(*at), DAY);
        assert_eq!(told, *why, "{matter} at hour {at}");
        // As it is kept between two runs.
        let text = serde_json::to_string(&memory).unwrap();
        memory = serde_json::from_str(&text).unwrap();
    }
}

#[test]
fn at_rest_nothing_is_told_and_a_change_is_told_once() {
    use Press::{Rest, Runs};
    told(&[
        (0, Rest, "no rotation", None),
        (9_000, Rest, "no rotation", None),
        (9_001, Runs, "waiting", Some(Why::New)),
        (9_100, Runs, "waiting", None),
        (9_101, Rest, "retired", Some(Why::New)),
        (19_101, Rest, "retired", None),
    ]);
}

#[test]
fn a_person_is_told_once_reminded_each_day_and_told_that_it_is_over() {
    use Press::{Person, Runs};
    told(&[
        (0, Runs, "waiting", Some(Why::New)),
        (1, Person, "merge", Some(Why::New)),
        (24, Person, "merge", None),
        (25, Person, "merge", Some(Why::Still(hour(1)))),
        (26, Person, "merge", None),
        (49, Person, "merge", Some(Why::Still(hour(1)))),
        (50, Runs, "waiting", Some(Why::Over(hour(1)))),
        (51, Runs, "waiting", None),
    ]);
}

#[test]
fn what_comes_and_goes_is_told_a_few_times_a_day() {
    use Press::{Person, Runs};
    let mut findings = vec![(0, Runs, "waiting", Some(Why::New))];
    for at in (1..24).step_by(2) {
        let tells = at < 2 * 3;
        let (comes, goes) = (Why::New, Why::Over(hour(at)));
        findings.push((at, Person, "no answer", tells.then_some(comes)));
        findings.push((at + 1, Runs, "waiting", tells.then_some(goes)));
    }
    findings.push((26, Person, "no answer", Some(Why::New)));
    told(&findings);
}

/// Whoever was told that all is well is told when it is not, and of another host.
#[test]
fn what_comes_back_after_the_all_clear_is_told() {
    use Press::{Person, Risk, Runs};
    told(&[
        (0, Person, "merge", Some(Why::New)),
        (1, Runs, "waiting", Some(Why::Over(hour(0)))),
        (2, Person, "merge", Some(Why::New)),
        (3, Risk, "wrong key", Some(Why::New)),
        (4, Person, "merge", Some(Why::Over(hour(3)))),
    ]);
    let of = lasting;
    assert_ne!(
        of("mx1.example.com:25 on 192.0.2.1"),
        of("mx2.example.com:25 on 192.0.2.1")
    );
    assert_eq!(
        of("wait 5 s until 2026-12-01T08:00:00Z, 24h"),
        of("wait 7 s until 2026-12-01T09:10:00Z, 3h")
    );
}

#[test]
fn mail_at_risk_is_told_at_each_run() {
    use Press::{Risk, Runs};
    told(&[
        (0, Risk, "old key", Some(Why::New)),
        (1, Risk, "old key", Some(Why::Still(hour(0)))),
        (2, Risk, "other key", Some(Why::New)),
        (3, Runs, "waiting", Some(Why::Over(hour(2)))),
    ]);
}

#[test]
fn a_step_that_came_while_something_failed_is_told() {
    use Press::{Person, Runs};
    let mut findings = Vec::new();
    for at in [0, 2, 4] {
        findings.push((at, Person, "no answer", Some(Why::New)));
        findings.push((at + 1, Runs, "waiting", Some(Why::Over(hour(at)))));
    }
    findings.push((6, Person, "no answer", None));
    findings.push((7, Runs, "open", Some(Why::New)));
    told(&findings);
}

#[test]
fn a_clock_that_went_back_silences_nobody() {
    use Press::Person;
    told(&[
        (100, Person, "merge", Some(Why::New)),
        (50, Person, "merge", Some(Why::Still(hour(100)))),
    ]);
}
