#![allow(clippy::unwrap_used)]
use super::super::evidence::Presented;
use super::super::finding::Severity;
use super::*;
use crate::dane::certificate::Certificate;
use crate::observe::extended_error::Flaw;
use crate::rotation::observation::{Endpoint, KeyAlgorithm};
use crate::rotation::timing::{Instant, Ttl};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::collections::BTreeSet;

/// 2026-12-01.
const NOW: Instant = Instant::from_unix(1_796_083_200);

struct Chain {
    leaf: Certificate,
    issuer: Certificate,
}

fn chain(host: &str) -> Chain {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let issuer = params.self_signed(&ca_key).unwrap();
    let by = Issuer::new(params, ca_key);
    let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &by).unwrap();
    Chain {
        leaf: Certificate::from_der(leaf.der()).unwrap(),
        issuer: Certificate::from_der(issuer.der()).unwrap(),
    }
}

fn pin(certificate: &Certificate) -> Association {
    Association {
        usage: 2,
        ..certificate.spki_association()
    }
}

fn host(name: &str, published: Vec<Association>, chains: Vec<Vec<Certificate>>) -> HostEvidence {
    let presented = |chain| Presented {
        address: "192.0.2.25:25".parse().unwrap(),
        algorithm: KeyAlgorithm::Ecdsa,
        chain,
        web_refusal: None,
    };
    HostEvidence {
        endpoint: Endpoint {
            host: name.to_owned(),
            port: 25,
        },
        is_ours: true,
        owned: BTreeSet::new(),
        certificate: Some("mail".to_owned()),
        published,
        ttl: Some(Ttl(3600)),
        is_alias: false,
        chains: chains.into_iter().map(presented).collect(),
        unreached: Vec::new(),
    }
}

fn evidence(hosts: Vec<HostEvidence>, exchanges: &[&str]) -> Evidence {
    let domain = DomainEvidence {
        name: "example.com".to_owned(),
        kept: Kept::Here,
        exchanges: exchanges.iter().map(ToString::to_string).collect(),
        tlsrpt: None,
        sts: None,
        policy: None,
        verification: None,
    };
    Evidence {
        now: NOW,
        zones: Vec::new(),
        domains: vec![domain],
        hosts,
        others: Vec::new(),
        aside: Vec::new(),
    }
}

#[test]
fn a_pinned_ca_is_presented_by_the_host() {
    const MX1: &str = "mx1.example.com";
    let one = chain(MX1);
    let other = chain(MX1);
    let whole = vec![one.leaf.clone(), one.issuer.clone()];
    let alone = vec![one.leaf.clone()];
    let ee = one.leaf.spki_association();
    #[rustfmt::skip]
    let table = [
        (vec![pin(&one.issuer)], vec![whole.clone()], 0, "the issuer is presented"),
        (vec![pin(&one.issuer)], vec![alone.clone()], 1, "its chain is not sent"),
        (vec![pin(&other.issuer), ee.clone()], vec![whole.clone()], 1, "a CA that was retired"),
        (vec![pin(&one.issuer)], vec![alone.clone(), whole.clone()], 0, "one chain of two has it"),
        (vec![pin(&other.issuer)], vec![], 0, "nothing was seen"),
        (vec![ee], vec![alone], 0, "no pin of a CA"),
    ];
    for (published, chains, expected, why) in table {
        let found = ca_pins(&evidence(vec![host(MX1, published, chains)], &[MX1]));
        assert_eq!(found.len(), expected, "{why}: {found:?}");
        assert!(
            found
                .iter()
                .all(|f| f.severity == Severity::PersonNeeded && f.rfc.starts_with("RFC "))
        );
    }
}

#[test]
fn one_key_on_every_mx_host_is_worth_a_word() {
    let (one, two) = (chain("a"), chain("b"));
    let at = |name, chain: &Chain| host(name, Vec::new(), vec![vec![chain.leaf.clone()]]);
    let table = [
        (
            vec![at("a", &one), at("b", &one)],
            &["a", "b"][..],
            1,
            "shared by all",
        ),
        (
            vec![at("a", &one), at("b", &two)],
            &["a", "b"],
            0,
            "one each",
        ),
        (
            vec![at("a", &one), at("b", &one)],
            &["a", "b", "c"],
            0,
            "a third host has another",
        ),
        (vec![at("a", &one)], &["a"], 0, "a single host"),
    ];
    for (hosts, exchanges, expected, why) in table {
        let found = shared_key(&evidence(hosts, exchanges));
        assert_eq!(found.len(), expected, "{why}");
        assert!(found.iter().all(|f| f.severity == Severity::Advice));
    }
}

#[test]
fn verdicts_of_senders_become_findings() {
    let text = || "why".to_owned();
    let key = chain("a").leaf.spki_association();
    #[rustfmt::skip]
    let table = [
        (Verdict::Verified(key.clone()), None, "delivered"),
        (Verdict::NotOffered, None, "no chain of this algorithm"),
        (Verdict::Refused(vec![(key, judge::Finding::Mismatch(Mismatch::Differs))]), Some(Severity::DeliveryAtRisk), "another key"),
        (Verdict::NoTls(text()), Some(Severity::DeliveryAtRisk), "no STARTTLS"),
        (Verdict::Unprotected(text()), Some(Severity::PersonNeeded), "in the clear"),
        (Verdict::Unknown(text()), Some(Severity::PersonNeeded), "never a yes"),
    ];
    for (seen, expected, why) in table {
        let found = verdict("mx1:25", &seen);
        assert_eq!(found.map(|f| f.severity), expected, "{why}");
    }
    let flaw = |error| Flaw::new(error, "why".to_owned());
    let network = failed(
        "host",
        "x".into(),
        &NoAnswer::Failed(flaw(ExtendedError::NetworkError)),
    );
    let bogus = failed(
        "host",
        "x".into(),
        &NoAnswer::Bogus(flaw(ExtendedError::DnssecBogus)),
    );
    assert_eq!(
        (network.severity, bogus.severity),
        (Severity::PersonNeeded, Severity::DeliveryAtRisk)
    );
}
