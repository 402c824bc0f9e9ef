#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::observe::addresses::AuthorityAddress;
use crate::observe::authorities::{Served, Trust};
use crate::observe::chain::{NoAnswer, Security};
use crate::observe::delegation::Delegation;
use crate::rotation::observation::Authority;
use crate::rotation::timing::Instant;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

fn evidence(soa: &str, change: impl Fn(&mut ZoneEvidence)) -> Evidence {
    let apex = Name::parse(b"example.com.", None).unwrap();
    let text = format!("$TTL 60\n@ SOA ns1 h 1 {soa}\n@ NS ns1\nns1 A 192.0.2.1\n");
    let mut zone = ZoneEvidence {
        content: Seen::Known(Zone::parse(text.as_bytes(), Some(&apex)).unwrap()),
        way_out: String::new(),
        apex,
        served: Served::default(),
        existence: BTreeMap::new(),
        delegation: Err(NoAnswer::Failed("why".to_owned().into())),
        asked: Vec::new(),
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
        aside: Vec::new(),
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
fn what_ails_a_server_is_told_by_its_name() {
    #[rustfmt::skip]
    let table = [
        (Ailment::Silent, "server-silent person needed"),
        (Ailment::Truncated, "server-truncated person needed"),
        (Ailment::Lame, "server-lame person needed"),
        (Ailment::Intercepted, "port-53 person needed"),
        (Ailment::NoTlsa, "server-tlsa person needed"),
        (Ailment::Wrong, "server-wrong delivery at risk"),
        (Ailment::Unsigned, "server-unsigned delivery at risk"),
        (Ailment::Expired, "server-expired delivery at risk"),
        (Ailment::Bogus, "server-bogus delivery at risk"),
        (Ailment::Stale, "server-stale person needed"),
        (Ailment::Regressed, "server-regressed delivery at risk"),
    ];
    for (ailment, expected) in table {
        let evidence = evidence(SOA, |zone| {
            zone.served.findings.insert(ailment::Finding {
                authority: Authority("ns1".into()),
                ailment,
                reason: "why".into(),
            });
        });
        let found = answers(&evidence);
        assert_eq!(said(&found), expected, "{ailment}");
        assert_eq!(found[0].place, "ns1");
        assert!(found[0].what.ends_with("why"), "{:?}", found[0]);
    }
    assert_eq!(
        said(&answers(&evidence(SOA, |_| ()))),
        "",
        "as it should be"
    );
    let nobody = evidence(SOA, |zone| zone.unasked = Some(("why".into(), "way out")));
    assert_eq!(said(&answers(&nobody)), "servers person needed");
    let unread = evidence(SOA, |zone| {
        zone.content = unknown();
        zone.way_out = "read it".into();
    });
    let found = answers(&unread);
    assert_eq!(said(&found), "zone person needed");
    assert_eq!(found[0].remedy, "read it");
}

#[test]
fn parent_and_zone_name_the_same_servers_and_each_is_asked() {
    let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
    let at = |ip: &str| AuthorityAddress {
        server: Some(name("ns1.example.com.")),
        address: SocketAddr::new(ip.parse().unwrap(), 53),
    };
    let asked = |port| vec![SocketAddr::new("192.0.2.1".parse().unwrap(), port)];
    let with = |change: &dyn Fn(&mut Delegation), asked: &[SocketAddr]| {
        evidence(SOA, |zone| {
            let mut delegation = Delegation {
                zone: zone.apex.clone(),
                servers: vec![at("192.0.2.1")],
                differences: Vec::new(),
                without_address: BTreeSet::new(),
                parent_unknown: None,
                child_unknown: None,
                trust: Trust::new(&zone.apex, Vec::new(), &[]),
            };
            change(&mut delegation);
            zone.delegation = Ok(delegation);
            zone.asked = asked.to_vec();
        })
    };
    let more = |d: &mut Delegation| d.servers.push(at("192.0.2.2"));
    let more_unknown = |d: &mut Delegation| {
        more(d);
        d.parent_unknown = Some("why".into());
    };
    let differs = |d: &mut Delegation| d.differences.push("ns2".into());
    let homeless = |d: &mut Delegation| {
        d.without_address.insert(name("ns2.example.com."));
    };
    #[rustfmt::skip]
    let table: Vec<(Evidence, &str, &str)> = vec![
        (with(&|_| (), &asked(53)), "", "as it should be"),
        (with(&|_| (), &asked(5353)), "", "the same address by another port"),
        (with(&more, &asked(53)), "delegation advice", "one that no rotation asks"),
        (with(&more_unknown, &asked(53)), "", "the zone's word leads nobody"),
        (with(&more, &[]), "", "nobody is asked: said elsewhere"),
        (with(&differs, &asked(53)), "delegation person needed", "parent and zone differ"),
        (with(&homeless, &asked(53)), "delegation person needed", "no address"),
        (evidence(SOA, |_| ()), "", "not known: said by the chain"),
    ];
    for (evidence, expected, why) in table {
        assert_eq!(said(&delegation(&evidence)), expected, "{why}");
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
