//! A signed zone with one thing wrong is refused, whatever it is; a small change re-signs little; a delta leads to its target.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    clippy::type_complexity,
    clippy::similar_names,
    clippy::items_after_statements,
    clippy::semicolon_if_nothing_returned,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::signed::{
    NOW, every_record_is_missed, example, judged, judged_at, key, name, policy, rrset_mut,
    sign_one, signed,
};
use std::num::NonZeroUsize;
use tlsa_rotate::dnssec::Earlier;
use tlsa_rotate::dnssec::algorithm::Algorithm;
use tlsa_rotate::dnssec::audit::verify_zone;
use tlsa_rotate::dnssec::delta::{Delta, Mismatch, NoDelta};
use tlsa_rotate::dnssec::denial::Denial;
use tlsa_rotate::dnssec::dnskey::{DigestType, Dnskey};
use tlsa_rotate::dnssec::finding::{Fault, Finding};
use tlsa_rotate::dnssec::keys::SigningKey;
use tlsa_rotate::dnssec::keystore::{Role, new_key};
use tlsa_rotate::dnssec::nsec3::Hashing;
use tlsa_rotate::dnssec::rrsig::Rrsig;
use tlsa_rotate::dnssec::sign::{SignError, SigningPolicy, sign, usual_jitter};
use tlsa_rotate::dnssec::verify::Invalid;
use tlsa_rotate::rotation::timing::{Span, Ttl};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

#[test]
fn dropping_any_record_that_is_signed_or_needed_is_noticed() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let zone = signed(&example(), &keys).zone;
    let summary = judged(&zone).unwrap();
    assert_eq!(summary.rrsets, summary.signatures);
    every_record_is_missed(&zone);
}

#[test]
fn any_octet_of_a_signature_matters() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let zone = signed(&example(), &keys).zone;
    for (owner, node) in &zone.nodes {
        for (at, rrsig) in node
            .get(&Rtype::RRSIG)
            .into_iter()
            .flat_map(|r| r.rdatas.iter().enumerate())
        {
            // Every octet of the apex's first, some of the others.
            let step = if *owner == zone.apex && at == 0 {
                1
            } else {
                13
            };
            for octet in (0..rrsig.0.len()).step_by(step) {
                let mut broken = zone.clone();
                let rrset = broken
                    .nodes
                    .get_mut(owner)
                    .unwrap()
                    .get_mut(&Rtype::RRSIG)
                    .unwrap();
                // Case of the signer's name does not matter: change more than that.
                rrset.rdatas[at].0[octet] ^= 0x81;
                assert!(judged(&broken).is_err(), "{owner} RRSIG {at} octet {octet}");
            }
        }
    }
}

#[test]
fn changed_data_ttls_and_denial_are_noticed() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let zone = signed(&example(), &keys).zone;
    for (owner, node) in &zone.nodes {
        for (rtype, rrset) in node {
            if !node.contains_key(&Rtype::NSEC) || *rtype == Rtype::RRSIG {
                continue;
            }
            if node.contains_key(&Rtype::NS) && *owner != zone.apex && *rtype == Rtype::NS {
                continue;
            }
            let mut other_ttl = zone.clone();
            let changed = other_ttl
                .nodes
                .get_mut(owner)
                .unwrap()
                .get_mut(rtype)
                .unwrap();
            changed.ttl = Ttl(rrset.ttl.0 + 1);
            let findings = judged(&other_ttl).unwrap_err();
            assert!(
                findings.iter().any(|f| f.owner == *owner
                    && f.rtype == *rtype
                    && matches!(f.fault, Fault::Ttl(..))),
                "{owner} {rtype}: {findings:?}"
            );
            let mut other_data = zone.clone();
            let changed = other_data
                .nodes
                .get_mut(owner)
                .unwrap()
                .get_mut(rtype)
                .unwrap();
            let octet = changed.rdatas[0].0.last_mut().unwrap();
            *octet ^= 1;
            assert!(judged(&other_data).is_err(), "{owner} {rtype}");
        }
    }
}

#[test]
fn every_kind_of_fault_is_told_by_its_name() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let zone = signed(&example(), &keys).zone;
    let id = keys[0].id();
    let mutated = |change: &dyn Fn(&mut Zone)| {
        let mut zone = zone.clone();
        change(&mut zone);
        let findings = judged(&zone).expect_err("a mutated zone passed");
        findings.into_iter().map(|f| f.fault).collect::<Vec<_>>()
    };
    let insert = |zone: &mut Zone, owner: &str, rtype, text: &str| {
        let rdata = Rdata::from_text(rtype, text.as_bytes(), None).unwrap();
        zone.insert(Record {
            owner: name(owner),
            ttl: Ttl(300),
            rtype,
            rdata,
        });
    };
    // Glue and delegations signed, with signatures that hold.
    for (owner, rtype) in [
        ("ns.sub.example.com.", Rtype::A),
        ("sub.example.com.", Rtype::NS),
    ] {
        let faults = mutated(&|z| sign_one(z, &keys[0], owner, rtype));
        assert!(faults.contains(&Fault::MustNotBeSigned), "{faults:?}");
    }
    // (what is done, the fault that must be among those found)
    let unsigned_addition = mutated(&|z| insert(z, "www.example.com.", Rtype::TXT, "x"));
    assert!(
        unsigned_addition.contains(&Fault::NotSignedBy(15)),
        "{unsigned_addition:?}"
    );
    assert!(unsigned_addition.contains(&Fault::WrongTypes(vec![Rtype::TXT], vec![])));
    let new_owner = mutated(&|z| insert(z, "zzz.example.com.", Rtype::A, "192.0.2.9"));
    assert!(new_owner.contains(&Fault::NoNsec), "{new_owner:?}");
    assert!(
        new_owner.iter().any(|f| matches!(f, Fault::WrongNext(..))),
        "{new_owner:?}"
    );
    let below_dname = mutated(&|z| {
        insert(z, "x.alias.example.com.", Rtype::A, "192.0.2.9");
        sign_one(z, &keys[0], "x.alias.example.com.", Rtype::A);
    });
    assert_eq!(below_dname, [Fault::MustNotBeSigned]);
    let nsec_at_glue =
        mutated(&|z| insert(z, "ns.sub.example.com.", Rtype::NSEC, "example.com. A"));
    assert_eq!(nsec_at_glue, [Fault::StrayNsec]);
    let stray_ds = mutated(&|z| {
        insert(
            z,
            "www.example.com.",
            Rtype::DS,
            "1 13 2 e1ae9c3de848ece1ba72e0d991ae4d0d9ec547c6bad1dddab9d6beb0a7e0e0d8",
        );
    });
    assert!(stray_ds.contains(&Fault::StrayDs));
    let no_keys = mutated(&|z| {
        drop(
            z.nodes
                .get_mut(&name("example.com."))
                .unwrap()
                .remove(&Rtype::DNSKEY),
        )
    });
    assert!(no_keys.contains(&Fault::NoKeys));
    let outside = mutated(&|z| insert(z, "example.net.", Rtype::A, "192.0.2.9"));
    assert_eq!(outside, [Fault::OutOfZone]);
    let gone = mutated(&|z| {
        drop(
            z.nodes
                .get_mut(&name("www.example.com."))
                .unwrap()
                .remove(&Rtype::CNAME),
        )
    });
    assert!(gone.contains(&Fault::SignatureWithoutRrset));
    let broken =
        mutated(&|z| rrset_mut(z, "www.example.com.", Rtype::RRSIG)[0] = Rdata([0].into()));
    assert!(broken.contains(&Fault::BrokenSignature));
    let wildcard = mutated(&|z| {
        // A signature over *.wild put under a name that the wildcard would answer for.
        let text = rrset_mut(z, "*.wild.example.com.", Rtype::TXT)[0].clone();
        let rrsigs = rrset_mut(z, "*.wild.example.com.", Rtype::RRSIG).clone();
        let (owner, ttl) = (name("x.wild.example.com."), Ttl(3600));
        z.insert(Record {
            owner: owner.clone(),
            ttl,
            rtype: Rtype::TXT,
            rdata: text,
        });
        for rdata in rrsigs
            .into_iter()
            .filter(|r| Rrsig::covered_by(r) == Some(Rtype::TXT))
        {
            z.insert(Record {
                owner: owner.clone(),
                ttl,
                rtype: Rtype::RRSIG,
                rdata,
            });
        }
    });
    assert!(wildcard.contains(&Fault::Labels(id, 3)), "{wildcard:?}");
    let revoked = mutated(&|z| rrset_mut(z, "example.com.", Rtype::DNSKEY)[0].0[1] |= 0x80);
    assert!(revoked.contains(&Fault::NoUsableAlgorithm), "{revoked:?}");
    let second_algorithm = mutated(&|z| {
        let rdata = key(Algorithm::EcdsaP256Sha256, Role::Zsk).dnskey().clone();
        z.insert(Record {
            owner: name("example.com."),
            ttl: Ttl(3600),
            rtype: Rtype::DNSKEY,
            rdata,
        });
    });
    assert!(
        second_algorithm
            .iter()
            .filter(|f| **f == Fault::NotSignedBy(13))
            .count()
            > 30
    );
}

#[test]
fn time_and_horizon_are_kept() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let zone = signed(&example(), &keys).zone;
    let (first, last) = (NOW - Span::hours(1), NOW + Span::days(14));
    assert!(judged_at(&zone, first, None).is_ok());
    assert!(judged_at(&zone, last, None).is_ok());
    let second = Span::seconds(1);
    let all = |findings: Vec<Finding>, wanted: &Invalid| {
        !findings.is_empty()
            && findings.iter().all(|f| {
                matches!(&f.fault, Fault::Invalid(_, i) if i == wanted)
                    || f.fault == Fault::NoEntryPointSigns
            })
    };
    assert!(all(
        judged_at(&zone, first - second, None).unwrap_err(),
        &Invalid::NotYet(first)
    ));
    assert!(all(
        judged_at(&zone, last + second, None).unwrap_err(),
        &Invalid::Expired(last)
    ));
    let looking_ahead = |horizon| verify_zone(&zone, NOW, horizon, None);
    assert!(looking_ahead(Span::days(14)).is_ok());
    let expiring = looking_ahead(Span::days(14) + second).unwrap_err();
    assert!(
        expiring
            .iter()
            .all(|f| matches!(f.fault, Fault::Expiring(_, at) if at == last))
    );
}

#[test]
fn unsigned_zones_fail_closed() {
    let findings = judged(&example()).unwrap_err();
    let faults: Vec<&Fault> = findings.iter().map(|f| &f.fault).collect();
    assert!(faults.contains(&&Fault::NoKeys) && faults.contains(&&Fault::NoNsec));
    assert!(judged(&Zone::empty(name("example.com."))).is_err());
}

#[test]
fn the_ds_must_lead_to_a_key_that_signs_the_key_set() {
    let apex = name("example.com.");
    let keys = [
        key(Algorithm::EcdsaP256Sha256, Role::Ksk),
        key(Algorithm::EcdsaP256Sha256, Role::Zsk),
    ];
    let zone = signed(&example(), &keys).zone;
    let ds = |key: &SigningKey| {
        vec![
            Dnskey::parse(key.dnskey())
                .unwrap()
                .ds(&apex, DigestType::Sha384),
        ]
    };
    let (of_ksk, of_zsk) = (ds(&keys[0]), ds(&keys[1]));
    assert!(judged_at(&zone, NOW, Some(&of_ksk)).is_ok());
    let refused = |ds: &[Rdata], fault| {
        let findings = judged_at(&zone, NOW, Some(ds)).unwrap_err();
        assert_eq!(
            findings.into_iter().map(|f| f.fault).collect::<Vec<_>>(),
            [fault]
        );
    };
    // The ZSK is in the RRset, but does not sign it.
    refused(&of_zsk, Fault::NoDsMatches(13));
    refused(&[], Fault::NoUsableDs);
    // Another algorithm named beside the right one: a validator may insist on it.
    let other = ds(&key(Algorithm::Ed25519, Role::Ksk));
    refused(&[of_ksk, other].concat(), Fault::NoDsMatches(15));
}

#[test]
fn a_small_change_signs_little_again() {
    let keys = [key(Algorithm::EcdsaP256Sha256, Role::Csk)];
    let before = signed(&example(), &keys).zone;
    let all = judged(&before).unwrap().signatures;
    let edited = |change: &dyn Fn(&mut Zone)| {
        let mut zone = example();
        let mut soa = zone.soa().unwrap();
        zone.remove(&name("example.com."), Rtype::SOA, &soa.to_rdata());
        soa.serial += 1;
        let record = |owner, ttl, rtype, rdata| Record {
            owner: name(owner),
            ttl: Ttl(ttl),
            rtype,
            rdata,
        };
        zone.insert(record("example.com.", 3600, Rtype::SOA, soa.to_rdata()));
        change(&mut zone);
        zone
    };
    let tlsa = |digit: &str| {
        let text = format!("3 1 1 {}", digit.repeat(64));
        Rdata::from_text(Rtype::TLSA, text.as_bytes(), None).unwrap()
    };
    let add = |zone: &mut Zone, owner: &str, ttl| {
        let (rtype, rdata) = (Rtype::TLSA, tlsa("a"));
        zone.insert(Record {
            owner: name(owner),
            ttl: Ttl(ttl),
            rtype,
            rdata,
        });
    };
    let soa = ("example.com.", Rtype::SOA);
    let mx1 = "_25._tcp.mx1.example.com.";
    type Change<'a> = &'a dyn Fn(&mut Zone);
    let table: [(&str, Change<'_>, &[(&str, Rtype)]); 5] = [
        ("the serial only", &|_| {}, &[soa]),
        (
            "one more TLSA record",
            &|z| add(z, mx1, 300),
            &[soa, (mx1, Rtype::TLSA)],
        ),
        (
            "another TTL",
            &|z| {
                z.nodes
                    .get_mut(&name(mx1))
                    .unwrap()
                    .get_mut(&Rtype::TLSA)
                    .unwrap()
                    .ttl = Ttl(60)
            },
            &[soa, (mx1, Rtype::TLSA)],
        ),
        (
            "a type more at an old owner",
            &|z| add(z, "mx2.example.com.", 300),
            &[
                soa,
                ("mx2.example.com.", Rtype::NSEC),
                ("mx2.example.com.", Rtype::TLSA),
            ],
        ),
        (
            "a new owner",
            &|z| add(z, "_26._tcp.mx1.example.com.", 300),
            &[
                soa,
                (mx1, Rtype::NSEC),
                ("_26._tcp.mx1.example.com.", Rtype::NSEC),
                ("_26._tcp.mx1.example.com.", Rtype::TLSA),
            ],
        ),
    ];
    for trusted in [false, true] {
        for (what, change, expected) in &table {
            let earlier = Earlier {
                zone: Some(&before),
                trusted,
                extra: &[],
            };
            let after = sign(&edited(change), &keys, earlier, &policy()).unwrap();
            let expected: Vec<(Name, Rtype)> = expected
                .iter()
                .map(|(owner, rtype)| (name(owner), *rtype))
                .collect();
            assert_eq!(after.made, expected, "{what}, trusted {trusted}");
            let summary = judged(&after.zone).unwrap();
            assert_eq!(summary.signatures, after.made.len() + after.kept, "{what}");
            assert!(summary.signatures >= all, "{what}");
            // And the change itself is a delta that leads from one to the other.
            let delta = Delta::between(&before, &after.zone).unwrap().unwrap();
            let read = Delta::parse(&delta.to_string()).unwrap();
            assert_eq!(read, delta);
            assert_eq!(
                read.apply(&before).unwrap().to_string(),
                after.zone.to_string(),
                "{what}"
            );
            assert!(
                matches!(read.apply(&after.zone), Err(Mismatch::Serial { .. })),
                "{what}"
            );
        }
    }
}

#[test]
fn signatures_are_kept_only_while_they_last_and_hold() {
    let keys = [key(Algorithm::EcdsaP256Sha256, Role::Csk)];
    let before = signed(&example(), &keys).zone;
    let total = judged(&before).unwrap().signatures;
    let made = |zone: &Zone, keys: &[SigningKey], policy: &SigningPolicy| {
        let earlier = Earlier {
            zone: Some(zone),
            ..Earlier::default()
        };
        let signed = sign(&example(), keys, earlier, policy).unwrap();
        assert!(judged_at(&signed.zone, policy.now, None).is_ok());
        signed.made.len()
    };
    assert_eq!(made(&before, &keys, &policy()), 0, "nothing has changed");
    let due = |days| {
        let now = NOW + Span::days(days);
        SigningPolicy {
            now,
            expiration: now + Span::days(14),
            ..policy()
        }
    };
    assert_eq!(made(&before, &keys, &due(6)), 0, "8 days left, 7 wanted");
    assert_eq!(made(&before, &keys, &due(7)), total, "7 days left");
    let mut damaged = before.clone();
    rrset_mut(&mut damaged, "www.example.com.", Rtype::RRSIG)[0].0[60] ^= 1;
    assert_eq!(
        made(&damaged, &keys, &policy()),
        1,
        "a damaged signature is not kept"
    );
    let others = [key(Algorithm::EcdsaP256Sha256, Role::Csk)];
    assert_eq!(made(&before, &others, &policy()), total, "another key");
    // The same signatures offered one by one.
    let records: Vec<Record> = damaged.records().collect();
    let earlier = Earlier {
        zone: None,
        trusted: true,
        extra: &records,
    };
    let again = sign(&example(), &keys, earlier, &policy()).unwrap();
    assert_eq!(
        (again.made.len(), again.kept),
        (1, total - 1),
        "a pool is checked, trusted or not"
    );
}

#[test]
fn the_result_does_not_depend_on_threads_or_on_what_was_signed_before() {
    let hashed = Denial::Nsec3 {
        hashing: Hashing::default(),
        opt_out: false,
    };
    for algorithm in [
        Algorithm::RsaSha256,
        Algorithm::RsaSha512,
        Algorithm::Ed25519,
    ] {
        let keys = [key(algorithm, Role::Ksk), key(algorithm, Role::Zsk)];
        for denial in [Denial::Nsec, hashed.clone()] {
            let with = |zone: &Zone, threads| {
                let policy = SigningPolicy {
                    threads: NonZeroUsize::new(threads).unwrap(),
                    denial: denial.clone(),
                    ..policy()
                };
                sign(zone, &keys, Earlier::default(), &policy).unwrap()
            };
            let one = with(&example(), 1);
            assert_eq!(with(&example(), 3), one);
            // Signing a signed zone gives the same zone.
            assert_eq!(with(&one.zone, 2), one);
            // And what is printed reads back as what it was.
            let text = one.zone.to_string();
            assert_eq!(Zone::parse(text.as_bytes(), None).unwrap(), one.zone);
        }
    }
}

#[test]
fn jitter_spreads_the_end_and_stays_within_bounds() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let jitter = Span::days(2);
    let spread = SigningPolicy { jitter, ..policy() };
    let zone = sign(&example(), &keys, Earlier::default(), &spread)
        .unwrap()
        .zone;
    let window = judged(&zone).unwrap().window;
    assert!(window.expiration >= spread.expiration - jitter);
    assert!(window.expiration < spread.expiration);
    let again = sign(&example(), &keys, Earlier::default(), &spread)
        .unwrap()
        .zone;
    assert_eq!(again, zone);
}

#[test]
fn jittered_signatures_are_due_in_several_runs_and_never_at_once() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let jittered = |now, jitter| SigningPolicy {
        now,
        inception: now - Span::hours(1),
        expiration: now + Span::days(14),
        jitter,
        ..policy()
    };
    let run = |before: &Zone, now, jitter| {
        let earlier = Earlier {
            zone: Some(before),
            ..Earlier::default()
        };
        sign(&example(), &keys, earlier, &jittered(now, jitter)).unwrap()
    };
    let mut zone = signed(&example(), &keys).zone;
    let total = judged(&zone).unwrap().signatures;
    // All were made to end together; from the second round on they do not.
    let mut made = Vec::new();
    for day in 0..28 {
        let now = NOW + Span::days(day);
        let after = run(&zone, now, Span::days(3));
        zone = after.zone;
        let summary = verify_zone(&zone, now, Span::days(7), None).unwrap();
        assert!(summary.window.expiration > now + Span::days(7));
        made.push(after.made.len());
    }
    assert_eq!(made[..7], [0; 7]);
    assert_eq!(made[7], total);
    assert!(made[8..].iter().all(|count| *count < total), "{made:?}");
    assert!(
        made[8..].iter().filter(|count| **count > 0).count() > 6,
        "{made:?}"
    );
    // With so much jitter that a new signature is due at once, every run would sign again.
    let refused = |jitter| {
        sign(
            &example(),
            &keys,
            Earlier::default(),
            &jittered(NOW, jitter),
        )
    };
    assert!(refused(Span::seconds(7 * 86400 - 1)).is_ok());
    assert!(matches!(
        refused(Span::days(7)),
        Err(SignError::Jitter { .. })
    ));
    assert_eq!(usual_jitter(Span::days(14), Span::days(7)), Span::hours(12));
    assert_eq!(usual_jitter(Span::hours(4), Span::hours(2)), Span::hours(1));
    assert_eq!(usual_jitter(Span::days(1), Span::days(2)), Span::ZERO);
}

#[test]
fn zones_and_keys_that_do_not_fit_are_refused() {
    let csk = || [key(Algorithm::Ed25519, Role::Csk)];
    let refused = |zone: &Zone, keys: &[SigningKey], policy: &SigningPolicy| {
        sign(zone, keys, Earlier::default(), policy).unwrap_err()
    };
    assert!(matches!(
        refused(&example(), &[], &policy()),
        SignError::Keys(_)
    ));
    let future = SigningPolicy {
        now: NOW - Span::seconds(1),
        inception: NOW - Span::days(1),
        ..policy()
    };
    assert!(
        matches!(refused(&example(), &csk(), &future), SignError::Keys(_)),
        "not yet active"
    );
    let mut no_soa = example();
    no_soa
        .nodes
        .get_mut(&name("example.com."))
        .unwrap()
        .remove(&Rtype::SOA);
    assert!(matches!(
        refused(&no_soa, &csk(), &policy()),
        SignError::Soa(_)
    ));
    let ended = SigningPolicy {
        expiration: NOW,
        ..policy()
    };
    assert!(matches!(
        refused(&example(), &csk(), &ended),
        SignError::Validity { .. }
    ));
    let later = SigningPolicy {
        inception: NOW + Span::seconds(1),
        ..policy()
    };
    assert!(matches!(
        refused(&example(), &csk(), &later),
        SignError::Validity { .. }
    ));
    // A DNSKEY in the file whose algorithm nobody can sign with.
    let mut foreign = example();
    let (owner, rdata) = (
        name("example.com."),
        key(Algorithm::EcdsaP256Sha256, Role::Zsk).dnskey().clone(),
    );
    foreign.insert(Record {
        owner,
        ttl: Ttl(60),
        rtype: Rtype::DNSKEY,
        rdata,
    });
    assert!(matches!(
        refused(&foreign, &csk(), &policy()),
        SignError::Keys(_)
    ));
    let elsewhere = new_key(
        &name("example.org."),
        Algorithm::Ed25519,
        Role::Csk,
        &[],
        (NOW, NOW),
    )
    .unwrap();
    assert!(matches!(
        refused(&example(), &[elsewhere.key], &policy()),
        SignError::Keys(_)
    ));
}

#[test]
fn a_change_under_the_same_serial_has_no_delta() {
    let keys = [key(Algorithm::Ed25519, Role::Csk)];
    let before = signed(&example(), &keys).zone;
    assert_eq!(Delta::between(&before, &before), Ok(None));
    let mut edited = example();
    rrset_mut(&mut edited, "mx2.example.com.", Rtype::A)[0] = Rdata([192, 0, 2, 99].into());
    let after = signed(&edited, &keys).zone;
    assert!(matches!(
        Delta::between(&before, &after),
        Err(NoDelta::Serial { .. })
    ));
    let other = Zone::empty(name("example.org."));
    assert!(matches!(
        Delta::between(&before, &other),
        Err(NoDelta::OtherZone(..))
    ));
}
