#![allow(clippy::unwrap_used)]
use super::super::evidence::{DomainEvidence, Evidence, HostEvidence, Kept};
use super::super::finding::{Finding, Severity};
use super::*;
use crate::rotation::observation::Endpoint;
use crate::rotation::timing::Instant;
use std::collections::BTreeSet;

fn host(name: &str, records: &[&str], ttl: u32) -> HostEvidence {
    HostEvidence {
        endpoint: Endpoint {
            host: name.to_owned(),
            port: 25,
        },
        is_ours: true,
        owned: BTreeSet::new(),
        certificate: Some("mail".to_owned()),
        published: records
            .iter()
            .map(|record| record.parse().unwrap())
            .collect(),
        ttl: (!records.is_empty()).then_some(Ttl(ttl)),
        is_alias: false,
        chains: Vec::new(),
        unreached: Vec::new(),
    }
}

fn evidence(hosts: Vec<HostEvidence>) -> Evidence {
    let domain = DomainEvidence {
        name: "example.com".to_owned(),
        kept: Kept::Here,
        exchanges: vec!["mx1.example.com".to_owned(), "mx2.example.com".to_owned()],
        tlsrpt: None,
        sts: None,
        policy: None,
        verification: None,
    };
    Evidence {
        now: Instant::from_unix(1_796_112_000),
        zones: Vec::new(),
        domains: vec![domain],
        hosts,
        others: Vec::new(),
        aside: Vec::new(),
    }
}

const EMPTY: &str = "3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn records_are_usable_few_and_cached_for_a_sensible_time() {
    let good = format!("3 1 1 {}", "ab".repeat(32));
    let pkix = format!("1 1 1 {}", "ab".repeat(32));
    let ca = format!("0 0 1 {}", "ab".repeat(32));
    let odd = format!("3 2 1 {}", "ab".repeat(32));
    let many: Vec<String> = (0..13)
        .map(|n| format!("3 1 1 {}", format!("{n:02x}").repeat(32)))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let all = |evidence: &Evidence| [usable(evidence), few(evidence), ttl(evidence)].concat();
    let you = |check| Some((check, Severity::PersonNeeded));
    let advice = Some(("ttl", Severity::Advice));
    let nothing = Some(("empty-digest", Severity::DeliveryAtRisk));
    #[rustfmt::skip]
    let table = [
        (vec![good.as_str()], 3600, None, "as it should be"),
        (vec![], 3600, None, "no record is no bad record"),
        (vec![pkix.as_str(), &good], 3600, you("unusable-record"), "usage 1"),
        (vec![ca.as_str(), &good], 3600, you("unusable-record"), "usage 0"),
        (vec![odd.as_str()], 3600, you("unusable-record"), "no such selector"),
        (vec!["3 1 1 abcd"], 3600, you("unusable-record"), "a cut digest"),
        (vec![EMPTY], 3600, nothing, "the digest of nothing"),
        (many.clone(), 3600, you("many-records"), "thirteen"),
        (many.iter().copied().skip(1).collect(), 3600, None, "twelve"),
        (vec![good.as_str()], 86_400, None, "a day"),
        (vec![good.as_str()], 86_401, advice, "more than a day"),
        (vec![good.as_str()], 300, None, "five minutes"),
        (vec![good.as_str()], 299, advice, "less than five minutes"),
    ];
    for (records, seconds, expected, why) in table {
        let found = all(&evidence(vec![host("mx1.example.com", &records, seconds)]));
        let said: Vec<(&str, Severity)> = found.iter().map(|f| (f.check, f.severity)).collect();
        assert_eq!(said, Vec::from_iter(expected), "{why}: {found:?}");
        assert!(found.iter().all(is_complete), "{found:?}");
    }
}

/// Each finding says where it is written and what to do.
fn is_complete(finding: &Finding) -> bool {
    finding.rfc.starts_with("RFC ") && !finding.remedy.is_empty() && !finding.what.is_empty()
}

#[test]
fn every_mx_host_of_ours_has_records() {
    let good = format!("3 1 1 {}", "ab".repeat(32));
    let with = |change: &dyn Fn(&mut HostEvidence)| {
        let mut bare = host("mx2.example.com", &[], 0);
        change(&mut bare);
        coverage(&evidence(vec![
            host("mx1.example.com", &[&good], 3600),
            bare,
        ]))
    };
    let found = with(&|_| ());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(is_complete));
    assert!(found.iter().all(|f| f.place == "_25._tcp.mx2.example.com."));
    assert!(
        with(&|h| h.is_alias = true).is_empty(),
        "an alias leads to records elsewhere"
    );
    assert!(
        with(&|h| h.is_ours = false).is_empty(),
        "somebody else's zone"
    );
    assert!(
        with(&|h| h.endpoint.host = "imap.example.com".into()).is_empty(),
        "no MX"
    );
}
