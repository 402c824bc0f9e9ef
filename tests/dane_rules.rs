//! The rules of the DANE room where it is asked as a library: what a chain satisfies, what a certificate says, and what the Web
//! PKI makes of a chain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::Bench;
use std::collections::BTreeSet;
use tlsa_rotate::dane::association;
use tlsa_rotate::dane::certificate::{Certificate, CertificateError};
use tlsa_rotate::dane::judge;
use tlsa_rotate::dane::subject::{self, Subject};
use tlsa_rotate::dane::web;
use tlsa_rotate::rotation::association::{Association, Combination};
use tlsa_rotate::rotation::observation::KeyAlgorithm;
use tlsa_rotate::rotation::timing::Span;

const HOST: &str = "mx1.example.com";

fn certificate(bench: &Bench, name: &str) -> Certificate {
    let chain = subject::read_chain(&bench.read(&format!("{name}.pem"))).unwrap();
    chain.into_iter().next().unwrap()
}

/// A leaf for two hosts, its issuer, and a root.
fn chain(bench: &Bench) -> Vec<Certificate> {
    bench.root("root");
    let ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
    bench.issued("sub", "sub", "root", ca, "30");
    let leaf = "subjectAltName=DNS:mx1.example.com,DNS:mx2.example.com,email:a@example.com";
    bench.issued("leaf", "some.name.example", "sub", leaf, "20");
    ["leaf", "sub", "root"]
        .map(|name| certificate(bench, name))
        .to_vec()
}

fn record(of: &Certificate, usage: u8, selector: u8, matching: u8) -> Association {
    let form = Combination {
        usage,
        selector,
        matching,
    };
    association::of_certificate(form, of).unwrap()
}

#[test]
fn a_chain_satisfies_each_record_by_itself_and_under_every_name() {
    let bench = Bench::new();
    let chain = chain(&bench);
    let (leaf, sub, root) = (&chain[0], &chain[1], &chain[2]);
    let now = leaf.not_before() + Span::hours(1);
    let good = [
        record(leaf, 3, 1, 1),
        record(leaf, 3, 0, 2),
        record(sub, 2, 1, 1),
        record(root, 2, 0, 0),
    ];
    let others = [
        record(sub, 3, 1, 1),
        record(leaf, 2, 1, 1),
        record(leaf, 1, 1, 1),
        record(sub, 0, 1, 1),
        "3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            .parse()
            .unwrap(),
    ];
    let all: BTreeSet<Association> = good.iter().chain(&others).cloned().collect();
    let satisfied = |names: &[&str], at| judge::satisfied(&all, &chain, names, at);
    let of =
        |records: &[Association]| -> BTreeSet<Association> { records.iter().cloned().collect() };
    assert_eq!(satisfied(&[HOST, "mx2.example.com"], now), of(&good));
    // An issuer's record counts for a host only under its own name, and while the path is valid (RFC 7671 §5.2).
    let of_the_leaf = of(&good[..2]);
    assert_eq!(satisfied(&[HOST, "mx3.example.com"], now), of_the_leaf);
    assert_eq!(
        satisfied(&[HOST], leaf.not_after() + Span::days(1)),
        of_the_leaf
    );
    assert_eq!(
        satisfied(&[HOST], leaf.not_before() - Span::days(1)),
        of_the_leaf
    );
}

#[test]
fn a_presented_chain_needs_a_readable_leaf_only() {
    let bench = Bench::new();
    let certificates = chain(&bench);
    let der: Vec<Vec<u8>> = certificates.iter().map(|one| one.der().to_vec()).collect();
    let subjects = |chain: &[Vec<u8>]| -> Vec<String> {
        let read = judge::presented(chain).unwrap();
        read.iter()
            .map(|one| one.subject_text().to_owned())
            .collect()
    };
    assert_eq!(
        subjects(&der),
        ["CN=some.name.example", "CN=sub", "CN=root"]
    );
    assert_eq!(
        subjects(&[der[0].clone(), vec![0x30], der[2].clone()]).len(),
        2
    );
    assert_eq!(subjects(&[]), [""; 0]);
    let broken = judge::presented(&[vec![0x30], der[0].clone()]);
    assert!(matches!(broken, Err(CertificateError::NotCertificate(_))));
}

#[test]
fn a_certificate_says_what_stands_in_it() {
    let bench = Bench::new();
    let chain = chain(&bench);
    let (leaf, sub, root) = (&chain[0], &chain[1], &chain[2]);
    assert_eq!(leaf.dns_names(), ["mx1.example.com", "mx2.example.com"]);
    assert_eq!(leaf.common_name(), Some("some.name.example"));
    assert_eq!(leaf.subject_text(), "CN=some.name.example");
    let shown = |which: &str, field: &str| {
        let shown = bench.openssl(&format!(
            "x509 -in leaf.pem -noout {which} -dateopt iso_8601"
        ));
        let shown = String::from_utf8(shown).unwrap();
        shown.trim().strip_prefix(field).unwrap().replace(' ', "T")
    };
    let (begins, ends) = (
        shown("-startdate", "notBefore="),
        shown("-enddate", "notAfter="),
    );
    assert_eq!(leaf.not_after().to_string(), ends);
    assert_eq!(leaf.not_before().to_string(), begins);
    assert_eq!(
        [leaf, sub, root].map(Certificate::is_ca),
        [false, true, true]
    );
    assert_eq!(
        [leaf, sub, root].map(Certificate::is_self_issued),
        [false, false, true]
    );
    assert_eq!(leaf.issuer(), sub.subject());
    assert_ne!(leaf.issuer(), leaf.subject());
    assert_eq!(leaf.key_algorithm(), Some(KeyAlgorithm::Ecdsa));
    let key = |name: &str| match &subject::read(&bench.read(name)).unwrap()[0] {
        Subject::PrivateKey(key) => key.clone(),
        other => panic!("{other:?}"),
    };
    assert!(leaf.belongs_to(&key("leaf.key")) && !leaf.belongs_to(&key("sub.key")));
    let presented = leaf.presented();
    assert_eq!(
        (&presented.key, presented.not_after),
        (&record(leaf, 3, 1, 1), leaf.not_after())
    );
    let longer = [leaf.der(), &[0, 0]].concat();
    let trailing = Certificate::from_der(&longer).unwrap_err();
    assert_eq!(trailing, CertificateError::TrailingData(2));
    let kinds = ["leaf.pem", "leaf.csr", "leaf.key"];
    let kinds = kinds.map(|file| subject::read(&bench.read(file)).unwrap()[0].kind());
    assert_eq!(kinds, ["certificate", "certificate request", "private key"]);
}

#[test]
fn the_web_pki_asks_for_a_path_to_a_root_and_a_dns_name() {
    let bench = Bench::new();
    let chain = chain(&bench);
    bench.root("stranger");
    let (roots, strangers) = ([chain[2].clone()], [certificate(&bench, "stranger")]);
    let now = chain[0].not_before() + Span::hours(1);
    let judged = |roots: &[Certificate], host, at| {
        let judged = web::judge(&chain[..2], roots, host, at);
        judged.err().map(|refusal| refusal.to_string())
    };
    assert_eq!(judged(&roots, HOST, now), None);
    let other = judged(&roots, "mx9.example.com", now).unwrap();
    assert_eq!(
        other,
        "it is issued for mx1.example.com, mx2.example.com, not for mx9.example.com"
    );
    let common = judged(&roots, "some.name.example", now);
    assert!(common.is_some(), "the common name is no DNS name");
    let path = judged(&strangers, HOST, now).unwrap();
    assert_eq!(path, "no path leads from the leaf to a trusted root");
    let ends = chain[0].not_after();
    let late = judged(&roots, HOST, ends + Span::days(1)).unwrap();
    assert_eq!(late, format!("a certificate of the path expired at {ends}"));
    let begins = chain[0].not_before();
    let early = judged(&roots, HOST, begins - Span::seconds(1)).unwrap();
    assert_eq!(
        early,
        format!("a certificate of the path is valid from {begins} only")
    );
}

#[test]
fn of_one_usage_and_selector_only_the_strongest_digest_is_looked_at() {
    let bench = Bench::new();
    let chain = chain(&bench);
    let leaf = &chain[0];
    let stale = |numbers: &str, octets| -> Association {
        format!("{numbers} {}", "00".repeat(octets))
            .parse()
            .unwrap()
    };
    let judged = |rrset: &[Association]| {
        let rules = judge::Rules::Smtp;
        let judged = judge::judge(rrset, &chain, &[HOST], leaf.not_before(), rules);
        let findings = judged
            .records
            .iter()
            .map(|(_, finding)| finding.to_string());
        (judged.verdict, findings.collect::<Vec<_>>().join("; "))
    };
    let good = record(leaf, 3, 1, 1);
    let (verdict, told) = judged(&[good.clone(), stale("3 1 2", 64)]);
    assert_eq!(verdict, judge::Verdict::Refused);
    assert_eq!(
        told,
        "not looked at: a stronger digest of the same usage and selector is published; does not match: another key or certificate is presented"
    );
    // A digest of another selector hides nothing, nor does one that nobody could use.
    for other in [stale("3 0 2", 64), stale("3 1 2", 63)] {
        let (verdict, _) = judged(&[good.clone(), other]);
        assert_eq!(verdict, judge::Verdict::Verified(good.clone()));
    }
}

#[test]
fn a_trust_anchor_is_presented_above_the_leaf_or_stands_whole_in_the_record() {
    let bench = Bench::new();
    let all = chain(&bench);
    bench.root("stranger");
    let stranger = certificate(&bench, "stranger");
    let (leaf, sub, root) = (&all[0], &all[1], &all[2]);
    let told = |record: &Association, names: &[&str]| {
        let now = leaf.not_before();
        let judged = judge::judge(
            std::slice::from_ref(record),
            &all[..2],
            names,
            now,
            judge::Rules::Smtp,
        );
        let finding = judged.records[0].1.to_string();
        finding.trim_start_matches("does not match: ").to_owned()
    };
    let absent = "no presented certificate above the leaf is this trust anchor";
    let is_leaf = "it names the leaf itself, its usage an issuer (use usage 3)";
    let table = [
        (record(sub, 2, 1, 1), "matches"),
        (record(root, 2, 0, 0), "matches"),
        (record(root, 2, 1, 0), "matches"),
        (record(root, 2, 0, 1), absent),
        (record(root, 2, 1, 1), absent),
        (
            record(&stranger, 2, 0, 0),
            "no path leads from the leaf to it",
        ),
        (
            record(&stranger, 2, 1, 0),
            "no path leads from the leaf to it",
        ),
        (record(leaf, 2, 1, 1), is_leaf),
        (record(leaf, 2, 0, 0), is_leaf),
    ];
    for (record, expected) in table {
        assert_eq!(told(&record, &[HOST]), expected, "{}", record.short());
    }
    // A key with more behind it is none that OpenSSL reads, and a record without a use refuses nobody.
    let whole = record(leaf, 3, 1, 0);
    let mut longer = whole.clone();
    longer.data.push(0);
    let said = told(&longer, &[HOST]);
    assert_eq!(
        said,
        "unusable: its data is not a certificate or key in DER"
    );
    assert_eq!(told(&whole, &[HOST]), "matches");
    // A leaf has issued nothing, whatever its key has signed.
    bench.issued("under", HOST, "leaf", "basicConstraints=CA:FALSE", "20");
    let under = [certificate(&bench, "under"), leaf.clone()];
    let (rules, now) = (judge::Rules::Smtp, under[0].not_before());
    let judged = judge::judge(&[record(leaf, 2, 1, 1)], &under, &[HOST], now, rules);
    let said = judged.records[0].1.to_string();
    assert!(
        said.ends_with("`CN=some.name.example` is not a CA certificate"),
        "{said}"
    );
    let other = told(&record(sub, 2, 1, 1), &["mx9.example.com"]);
    assert_eq!(other, "the leaf is issued for other names");
    let either = told(&record(sub, 2, 1, 1), &["mx9.example.com", HOST]);
    assert_eq!(either, "matches", "any reference name");
}

#[test]
fn a_root_of_the_same_name_is_not_the_one_that_the_path_ends_at() {
    let bench = Bench::new();
    let all = chain(&bench);
    bench.key("namesake", "p256");
    bench.openssl(
        "req -x509 -key namesake.key -out namesake.pem -days 300 -subj /CN=root \
         -addext basicConstraints=critical,CA:TRUE",
    );
    let roots = [all[2].clone(), certificate(&bench, "namesake")];
    let judged = |record: Association| {
        let rules = judge::Rules::Pkix { roots: &roots };
        let now = all[0].not_before() + Span::hours(1);
        judge::judge(&[record], &all[..2], &[HOST], now, rules).verdict
    };
    let (root, namesake) = (record(&roots[0], 0, 1, 1), record(&roots[1], 0, 1, 1));
    assert_eq!(judged(root.clone()), judge::Verdict::Verified(root));
    assert_eq!(judged(namesake), judge::Verdict::Refused);
}
