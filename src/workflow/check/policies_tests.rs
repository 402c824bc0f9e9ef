#![allow(clippy::unwrap_used)]
use super::super::evidence::Kept;
use super::*;
use crate::observe::mta_sts::policy::Policy;
use crate::rotation::timing::Instant;

fn evidence(change: impl Fn(&mut DomainEvidence)) -> Evidence {
    let mut domain = DomainEvidence {
        name: "example.com".to_owned(),
        kept: Kept::Here,
        exchanges: vec!["mx1.example.com".to_owned(), "mx2.example.com".to_owned()],
        tlsrpt: Some(vec!["v=TLSRPTv1; rua=mailto:t@example.com".to_owned()]),
        sts: Some(Signal::Absent),
        policy: None,
        verification: None,
    };
    change(&mut domain);
    Evidence {
        now: Instant::from_unix(0),
        zones: Vec::new(),
        domains: vec![domain],
        hosts: Vec::new(),
        others: Vec::new(),
        aside: Vec::new(),
    }
}

fn said(found: &[Finding]) -> String {
    let said: Vec<String> = found
        .iter()
        .map(|f| {
            assert!(f.rfc.starts_with("RFC ") && !f.remedy.is_empty(), "{f:?}");
            format!("{} {}", f.check, f.severity)
        })
        .collect();
    said.join(", ")
}

#[test]
fn reports_have_somewhere_to_go() {
    let table: [(Option<&[&str]>, &str, &str); 7] = [
        (None, "", "an alias"),
        (Some(&["v=TLSRPTv1; rua=mailto:t@e"]), "", "mail"),
        (
            Some(&["v=TLSRPTv1;rua=https://e/x", "other"]),
            "",
            "a web service, beside another record",
        ),
        (Some(&[]), "tls-rpt advice", "none"),
        (Some(&["v=TLSRPTv1"]), "tls-rpt person needed", "no rua"),
        (
            Some(&["v=TLSRPTv1; rua=ftp://e"]),
            "tls-rpt person needed",
            "nowhere that reports go",
        ),
        (
            Some(&["v=TLSRPTv1; rua=mailto:a@e", "v=TLSRPTv1; rua=mailto:b@e"]),
            "tls-rpt person needed",
            "two",
        ),
    ];
    for (texts, expected, why) in table {
        let evidence =
            evidence(|d| d.tlsrpt = texts.map(|t| t.iter().map(ToString::to_string).collect()));
        assert_eq!(said(&reporting(&evidence)), expected, "{why}");
    }
    let none = reporting(&evidence(|d| d.tlsrpt = Some(Vec::new())));
    let record =
        "publish: _smtp._tls.example.com. IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@example.com\"";
    assert!(
        none.iter().all(|f| f.remedy == record),
        "the record to publish: {none:?}"
    );
}

#[test]
fn mta_sts_says_what_is_meant_and_lists_every_host() {
    let policy = |mode, mx: &str, age| {
        let text = format!("version: STSv1\nmode: {mode}\n{mx}max_age: {age}\n");
        Some(Seen::Known(Policy::parse(text.as_bytes()).unwrap()))
    };
    let both = "mx: mx1.example.com\nmx: mx2.example.com\n";
    let one = "mx: mx1.example.com\n";
    let id = || Some(Signal::Policy("1".into()));
    #[rustfmt::skip]
    let table = [
        (Some(Signal::Absent), None, "", "none"),
        (Some(Signal::Wrong("x")), None, "mta-sts-record person needed", "a record that senders take for none"),
        (id(), policy("enforce", both, 604_800), "", "as it should be"),
        (id(), policy("enforce", "mx: *.example.com\n", 604_800), "", "by wildcard"),
        (id(), policy("enforce", one, 604_800), "mta-sts-mx delivery at risk", "a host that is not listed"),
        (id(), policy("testing", one, 604_800), "mta-sts-mx person needed", "the same, not enforced"),
        (id(), policy("none", "", 60), "", "switched off"),
        (id(), policy("enforce", both, 86_399), "mta-sts-age advice", "forgotten within a day"),
        (None, Some(Seen::Unknown("404".into())), "mta-sts-policy person needed", "cannot be fetched"),
    ];
    for (sts, policy, expected, why) in table {
        let evidence = evidence(|d| {
            d.sts.clone_from(&sts);
            d.policy.clone_from(&policy);
        });
        assert_eq!(said(&mta_sts(&evidence)), expected, "{why}");
    }
}
