#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use super::*;

fn policies(text: &str) -> Report {
    Report::parse(format!(r#"{{"organization-name":"O","report-id":"1","date-range":{{"start-datetime":"2026-11-30T00:00:00Z","end-datetime":"2026-11-30T23:59:59Z"}},"policies":{text}}}"#).as_bytes()).unwrap()
}

const ONE: &str = "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn the_policy_string_is_read_in_every_form_that_senders_write() {
    let hex = ONE.trim_start_matches("3 1 1 ");
    let inside = format!(r#"[\"{ONE}\"]"#);
    let object = format!(
        r#"{{\"CertificateUsage\":3,\"Selector\":\"1\",\"MatchingType\":1,\"CertificateAssociationData\":\"{hex}\"}}"#
    );
    #[rustfmt::skip]
    let table: Vec<(String, usize, bool, &str)> = vec![
        (format!(r#"["{ONE}"]"#), 1, false, "as the RFC says"),
        (format!(r#""{ONE}""#), 1, false, "a single string"),
        (format!(r#"["_25._tcp.mx1.example.com. 3600 IN TLSA {ONE}","3 1 1 00"]"#), 2, false, "whole records"),
        (format!(r#""{inside}""#), 1, true, "JSON inside a string"),
        (format!(r#"["{object}"]"#), 1, true, "an object inside a string"),
        (format!(r#""[\"{object2}\"]""#, object2 = object.replace('\\', r"\\\")), 0, true, "JSON in JSON in JSON is not followed"),
        (r#"["version: STSv1","mode: enforce"]"#.to_owned(), 0, false, "an MTA-STS policy"),
        ("null".to_owned(), 0, false, "none"),
        (r#""{ not json""#.to_owned(), 0, false, "a brace"),
        (format!(r#"["{}"]"#, "0".repeat(100_000)), 0, false, "too long to be looked into"),
    ];
    for (text, associations, in_string, why) in table {
        let report = policies(&format!(
            r#"[{{"policy":{{"policy-type":"tlsa","policy-string":{text},"policy-domain":"e"}},"summary":{{}}}}]"#
        ));
        assert_eq!(report.policies[0].associations.len(), associations, "{why}");
        let odd = report.oddities.contains(&Oddity::PolicyInString);
        assert_eq!(odd, in_string, "{why}: {:?}", report.oddities);
    }
}

#[test]
fn what_is_odd_is_said_and_what_is_missing_is_none() {
    let table: [(&str, &[&str], &str); 6] = [
        (
            r#"[{"policy":{"policy-type":"no-policy-found"},"summary":{"total-successful-session-count":1}}]"#,
            &["a policy does not say its policy-domain"],
            "Postfix's no-policy-found",
        ),
        (
            r#"[{"policy":{"policy-domain":"e"},"summary":{"total-failure-session-count":3},"failure-details":[{"failed-session-count":1},{"failed-session-count":"1"}]}]"#,
            &["the policy of e counts 3 failed sessions, its failure-details add up to 2"],
            "totals that disagree; a number in quotes counts",
        ),
        (
            r#"[{"policy":{"policy-domain":"e"},"summary":{"total-failure-session-count":3}}]"#,
            &["the policy of e counts 3 failed sessions, its failure-details add up to 0"],
            "no details at all",
        ),
        (
            r#"[{"policy":{"policy-domain":"e","mx-host":["a","b"]},"summary":{"total-failure-session-count":null},"failure-details":null}]"#,
            &[],
            "nulls are nothing",
        ),
        ("[]", &[], "nobody sent anything"),
        (
            r#"[{"policy":{"policy-domain":["e"],"policy-type":{"a":[1]}},"summary":{"total-failure-session-count":2.0},"failure-details":[{"failed-session-count":"2"}]}]"#,
            &["a policy does not say its policy-domain"],
            "other shapes count as missing",
        ),
    ];
    for (text, expected, why) in table {
        let report = policies(text);
        let said: Vec<String> = report.oddities.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{why}");
    }
    let bare = Report::parse(b"\xef\xbb\xbf{\"policies\":[]}").unwrap();
    assert_eq!(
        bare.oddities,
        [Oddity::NoOrganisation, Oddity::NoId, Oddity::NoDates]
    );
}

/// A count that cannot be read may be one of failures: nobody knows, which is not the same as none.
#[test]
fn a_count_that_is_no_number_of_sessions_makes_a_report_unreadable() {
    let counts = [
        "-1",
        "\"-1\"",
        "1.5",
        "1e30",
        "99999999999999999999",
        "\"many\"",
        "\"\"",
        "true",
        "[1]",
        "{\"n\":1}",
        "9007199254740993",
        "\"+1\"",
        "\"0x10\"",
    ];
    let fields = [
        r#""summary":{"total-failure-session-count":N}"#,
        r#""summary":{"total-successful-session-count":N}"#,
        r#""failure-details":[{"failed-session-count":1},{"failed-session-count":N}]"#,
    ];
    for count in counts {
        for field in fields {
            let field = field.replace('N', count);
            let text = format!(r#"{{"report-id":"1","policies":[{{"policy":{{}},{field}}}]}}"#);
            let why = Report::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(why.contains("no number of sessions"), "{text}: {why}");
            // Its neighbour in the same file is read all the same.
            let list = format!(r#"[{text},{{"report-id":"2","policies":[]}}]"#);
            let read = Report::parse_all(list.as_bytes());
            assert!(read[0].is_err() && read[1].is_ok(), "{list}");
        }
    }
    for count in ["0", "\"7\"", "7.0", "null", "9007199254740992"] {
        let text =
            format!(r#"{{"policies":[{{"summary":{{"total-failure-session-count":{count}}}}}]}}"#);
        assert!(Report::parse(text.as_bytes()).is_ok(), "{count}");
    }
}

#[test]
fn hosts_are_as_the_failure_says_or_the_only_one_of_the_policy() {
    let report = policies(
        r#"[{"policy":{"policy-type":"tlsa","policy-domain":"E.","mx-host":"MX1.e."},"summary":{"total-failure-session-count":3},
            "failure-details":[{"result-type":"Validation-Failure","receiving-mx-hostname":"MX2.E.","failed-session-count":2},{"failed-session-count":1,"failure-error-code":"x","additional-information":"y\u001b[31m"}]}]"#,
    );
    let policy = &report.policies[0];
    let hosts: Vec<_> = policy.failures.iter().map(|f| policy.host_of(f)).collect();
    assert_eq!(hosts, [Some("mx2.e"), Some("mx1.e")]);
    assert_eq!(policy.failures[0].result, "validation-failure");
    assert_eq!(policy.failures[1].result, "(no result type)");
    assert_eq!(
        policy.failures[1].reason.as_deref(),
        Some("x; y[31m"),
        "nothing that moves a terminal"
    );
    assert_eq!(policy.domain.as_deref(), Some("e"));
}

#[test]
fn long_lists_and_deep_trees_are_cut_off() {
    let many = vec![r#"{"failed-session-count":1}"#; DETAILS + 5].join(",");
    let report = policies(&format!(
        r#"[{{"policy":{{"policy-domain":"e"}},"summary":{{"total-failure-session-count":9}},"failure-details":[{many}]}}]"#
    ));
    assert_eq!(report.policies[0].failures.len(), DETAILS);
    assert_eq!(report.oddities, [Oddity::TooMany { left_out: 5 }]);
    let deep = "[".repeat(100_000);
    assert!(matches!(
        Report::parse(format!("{{\"policies\":{deep}").as_bytes()),
        Err(NotReport::Json(_))
    ));
    let long = format!("{{\"policies\":[],\"x\":\"{}\"}}", "y".repeat(MAX_OCTETS));
    assert_eq!(Report::parse(long.as_bytes()), Err(NotReport::TooLong));
    assert!(Report::parse(b"[]").is_err() && Report::parse(b"{}").is_err());
}
