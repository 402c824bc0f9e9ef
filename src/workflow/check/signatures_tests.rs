#![allow(clippy::unwrap_used)]
use super::*;
use crate::dnssec::dnskey::DigestType;
use crate::observe::authorities::Served;
use crate::observe::extended_error::Flaw;
use crate::rotation::observation::{Authority, ServedRrset, SignatureWindow, TlsaName};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet};

const NOW: Instant = Instant::from_unix(1_796_112_000);

fn evidence(change: impl Fn(&mut ZoneEvidence)) -> Evidence {
    let apex = Name::parse(b"example.com.", None).unwrap();
    let mut zone = ZoneEvidence {
        content: Seen::Known(Zone::empty(apex.clone())),
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
        refresh: None,
    };
    change(&mut zone);
    Evidence {
        now: NOW,
        zones: vec![zone],
        domains: Vec::new(),
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
fn the_chain_is_secure_or_it_is_said_what_that_does_to_mail() {
    let flaw = |error| Flaw::new(error, "why".to_owned());
    let insecure = Security::Insecure(flaw(ExtendedError::Other));
    let network = NoAnswer::Failed(flaw(ExtendedError::NetworkError));
    #[rustfmt::skip]
    let table = [
        (Ok(Security::Secure), "", "whole"),
        (Ok(insecure.clone()), "never-signed person needed", "no key and no DS: a provider that does not sign"),
        (Ok(Security::Indeterminate(flaw(ExtendedError::DnssecIndeterminate))), "chain person needed", "no anchor"),
        (Err(NoAnswer::Bogus(flaw(ExtendedError::DnssecBogus))), "chain delivery at risk", "senders defer"),
        (Err(NoAnswer::Failed(flaw(ExtendedError::NoReachableAuthority))), "chain delivery at risk", "senders defer"),
        (Err(network), "chain person needed", "our resolver is not theirs"),
    ];
    for (seen, expected, why) in table {
        let found = chain(&evidence(|zone| zone.chain = seen.clone()));
        assert_eq!(said(&found), expected, "{why}");
    }
    let key = Rdata(vec![1, 1, 3, 13, 9].into());
    let here = Some(Span::days(8));
    #[rustfmt::skip]
    let signed = [
        evidence(|zone| (zone.chain, zone.dnskeys) = (Ok(insecure.clone()), Seen::Known(vec![key.clone()]))),
        evidence(|zone| (zone.chain, zone.ds) = (Ok(insecure.clone()), Seen::Known(vec![key.clone()]))),
        evidence(|zone| (zone.chain, zone.dnskeys) = (Ok(insecure.clone()), Seen::Unknown("why".to_owned()))),
        evidence(|zone| (zone.chain, zone.refresh) = (Ok(insecure.clone()), here)),
    ];
    for evidence in signed {
        assert_eq!(
            said(&chain(&evidence)),
            "chain person needed",
            "{:?}",
            evidence.zones
        );
    }
}

#[test]
fn each_ds_stands_for_a_key() {
    let key = |last: u8| {
        Rdata::from_text(
            Rtype::DNSKEY,
            format!("257 3 13 {}", data_encoding::BASE64.encode(&[last; 64])).as_bytes(),
            None,
        )
        .unwrap()
    };
    let apex = Name::parse(b"example.com.", None).unwrap();
    let of = |rdata: &Rdata| Dnskey::parse(rdata).unwrap().ds(&apex, DigestType::Sha256);
    let sha1 = |rdata: &Rdata| {
        let mut octets = of(rdata).0.to_vec();
        octets.truncate(4);
        octets[3] = 1;
        let mut input = apex.canonical();
        input.extend_from_slice(&rdata.0);
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &input);
        octets.extend_from_slice(digest.as_ref());
        Rdata(octets.into())
    };
    let (one, two) = (key(1), key(2));
    #[rustfmt::skip]
    let table = [
        (vec![], "", "none is said by the chain"),
        (vec![of(&one)], "", "the key's"),
        (vec![of(&one), of(&two)], "ds person needed", "one of a key that is not there"),
        (vec![sha1(&one)], "ds person needed", "SHA-1 alone"),
        (vec![sha1(&one), of(&one)], "", "SHA-1 beside a better one"),
    ];
    for (ds_records, expected, why) in table {
        let found = ds(&evidence(|zone| {
            zone.ds = Seen::Known(ds_records.clone());
            zone.dnskeys = Seen::Known(vec![one.clone()]);
        }));
        assert_eq!(said(&found), expected, "{why}");
    }
    let unknown = evidence(|zone| {
        zone.ds = Seen::Known(vec![of(&two)]);
        zone.dnskeys = Seen::Unknown("silence".into());
    });
    assert_eq!(
        said(&ds(&unknown)),
        "",
        "keys that were not seen contradict nothing"
    );
}

#[test]
fn signatures_last_long_enough_and_not_too_long() {
    let hour = Span::hours(1);
    let table = [
        (NOW - hour, NOW + Span::days(13), 3600, "", "two weeks"),
        (
            NOW - Span::days(13),
            NOW + Span::hours(23),
            3600,
            "signature-ends delivery at risk",
            "less than a day left",
        ),
        (
            NOW - Span::days(13),
            NOW + Span::days(1),
            3600,
            "",
            "a day left",
        ),
        (
            NOW - Span::days(13),
            NOW + Span::days(2),
            172_800,
            "signature-ends delivery at risk",
            "no longer than the TTL",
        ),
        (
            NOW - Span::days(20),
            NOW + Span::days(20),
            3600,
            "signature-long advice",
            "forty days",
        ),
        (
            NOW - Span::days(1),
            NOW + Span::days(30),
            3600,
            "",
            "a month",
        ),
    ];
    for (inception, expiration, ttl, expected, why) in table {
        let found = lifetimes(&evidence(|zone| {
            let rrset = ServedRrset {
                associations: BTreeSet::new(),
                ttl: Ttl(ttl),
                signature: SignatureWindow {
                    inception,
                    expiration,
                },
                replayable_until: expiration,
            };
            let silent = Seen::Unknown("silence".to_owned());
            let servers = BTreeMap::from([
                (Authority("ns1".into()), Seen::Known(rrset)),
                (Authority("ns2".into()), silent),
            ]);
            zone.served
                .tlsa
                .insert(TlsaName::new("_25._tcp.mx1.example.com."), servers);
        }));
        assert_eq!(said(&found), expected, "{why}");
    }
}
