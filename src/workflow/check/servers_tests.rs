#![allow(clippy::unwrap_used)]
use super::*;
use crate::observe::authorities::Served;
use crate::observe::chain::Security;
use crate::rotation::observation::TlsaName;
use crate::rotation::timing::Instant;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::collections::BTreeMap;

fn evidence(soa: &str, change: impl Fn(&mut ZoneEvidence)) -> Evidence {
    let apex = Name::parse(b"example.com.", None).unwrap();
    let text = format!("$TTL 60\n@ SOA ns1 h 1 {soa}\n@ NS ns1\nns1 A 192.0.2.1\n");
    let mut zone = ZoneEvidence {
        content: Seen::Known(Zone::parse(text.as_bytes(), Some(&apex)).unwrap()),
        apex,
        served: Served::default(),
        existence: BTreeMap::new(),
        unasked: None,
        chain: Ok(Security::Secure),
        ds: Seen::Known(Vec::new()),
        dnskeys: Seen::Known(Vec::new()),
        refresh: Some(Span::days(8)),
    };
    change(&mut zone);
    Evidence {
        now: Instant::from_unix(0),
        zones: vec![zone],
        domains: Vec::new(),
        hosts: Vec::new(),
        others: Vec::new(),
    }
}

const SOA: &str = "7200 3600 604800 300";

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

fn unknown<T>() -> Seen<T> {
    Seen::Unknown("why".to_owned())
}

#[test]
fn timers_fit_each_other_and_the_signatures() {
    #[rustfmt::skip]
    let table = [
        (SOA, "", "as it should be"),
        ("7200 3600 1209600 300", "soa-timers advice", "expire beyond the signatures"),
        ("3600 3600 604800 300", "soa-timers advice", "retry as long as refresh"),
        ("7200 3600 10800 300", "soa-timers advice", "expires before a second try"),
        ("7200 3600 604800 86401", "soa-timers advice", "absences for more than a day"),
    ];
    for (soa, expected, why) in table {
        assert_eq!(said(&timers(&evidence(soa, |_| ()))), expected, "{why}");
    }
    let external = evidence("7200 3600 1209600 300", |zone| zone.refresh = None);
    assert_eq!(
        said(&timers(&external)),
        "",
        "when somebody else signs anew is not known"
    );
}

#[test]
fn servers_answer_prove_it_and_are_in_step() {
    let authority = |name: &str| Authority(name.to_owned());
    let served = |one: Seen<u32>, two: Seen<u32>, proven: bool| {
        evidence(SOA, |zone| {
            zone.served.serials = BTreeMap::from([
                (authority("ns1"), one.clone()),
                (authority("ns2"), two.clone()),
            ]);
            if !proven {
                let by = BTreeMap::from([(authority("ns2"), unknown())]);
                zone.served.tlsa =
                    BTreeMap::from([(TlsaName::new("_25._tcp.mx1.example.com."), by)]);
            }
        })
    };
    let known = |serial| Seen::Known(serial);
    let all = |evidence: &Evidence| said(&[answers(evidence), in_step(evidence)].concat());
    #[rustfmt::skip]
    let table = [
        (served(known(1), known(1), true), "", "as it should be"),
        (served(known(1), known(2), true), "serials person needed", "one lags"),
        (served(known(1), unknown(), true), "server-silent person needed", "one is silent"),
        (served(known(1), unknown(), false), "server-silent person needed", "silence is said once"),
        (served(known(1), known(1), false), "server-unproven delivery at risk", "unsigned, expired or wrong"),
        (evidence(SOA, |zone| zone.unasked = Some("why".into())), "servers person needed", "nobody to ask"),
        (evidence(SOA, |zone| zone.content = unknown()), "zone person needed", "no zone"),
    ];
    for (evidence, expected, why) in table {
        assert_eq!(all(&evidence), expected, "{why}");
    }
}

#[test]
fn names_above_records_exist_on_every_server() {
    let name = Name::parse(b"_tcp.mx1.example.com.", None).unwrap();
    for (exists, expected, why) in [
        (Seen::Known(true), "", "it does"),
        (
            Seen::Known(false),
            "empty-non-terminal delivery at risk",
            "NXDOMAIN",
        ),
        (unknown(), "", "silence is said elsewhere"),
    ] {
        let evidence = evidence(SOA, |zone| {
            let by = BTreeMap::from([(Authority("ns1".into()), exists.clone())]);
            zone.existence.insert(name.clone(), by);
        });
        assert_eq!(said(&nonterminals(&evidence)), expected, "{why}");
    }
}
