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
fn what_comes_and_goes_is_told_once_a_day() {
    use Press::{Person, Runs};
    let mut findings = vec![
        (0, Runs, "waiting", Some(Why::New)),
        (1, Person, "no answer", Some(Why::New)),
        (2, Runs, "waiting", Some(Why::Over(hour(1)))),
    ];
    for at in (3..24).step_by(2) {
        findings.push((at, Person, "no answer", None));
        findings.push((at + 1, Runs, "waiting", None));
    }
    findings.push((25, Person, "no answer", Some(Why::New)));
    told(&findings);
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
    told(&[
        (0, Runs, "waiting", Some(Why::New)),
        (1, Person, "no answer", Some(Why::New)),
        (2, Runs, "waiting", Some(Why::Over(hour(1)))),
        (3, Person, "no answer", None),
        (4, Runs, "open", Some(Why::New)),
    ]);
}

#[test]
fn a_clock_that_went_back_silences_nobody() {
    use Press::Person;
    told(&[
        (100, Person, "merge", Some(Why::New)),
        (50, Person, "merge", Some(Why::Still(hour(100)))),
    ]);
}
