//! The example zone signed in memory, keys for it, and ways to damage what was signed.

use std::num::NonZeroUsize;
use tlsa_rotate::dnssec::Earlier;
use tlsa_rotate::dnssec::algorithm::Algorithm;
use tlsa_rotate::dnssec::audit::{Summary, verify_zone};
use tlsa_rotate::dnssec::denial::Denial;
use tlsa_rotate::dnssec::finding::Finding;
use tlsa_rotate::dnssec::keys::SigningKey;
use tlsa_rotate::dnssec::keystore::{Role, new_key};
use tlsa_rotate::dnssec::rrsig::{CanonicalRrset, Rrsig, Timestamp, labels_field};
use tlsa_rotate::dnssec::sign::{Signed, SigningPolicy, sign};
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

pub const NOW: Instant = Instant::from_unix(1_800_000_000);

pub fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

pub fn example() -> Zone {
    let text = include_bytes!("../dnssec/example.com.zone");
    Zone::parse(text, Some(&name("example.com."))).unwrap()
}

pub fn key(algorithm: Algorithm, role: Role) -> SigningKey {
    new_key(&name("example.com."), algorithm, role, &[], (NOW, NOW))
        .unwrap()
        .key
}

pub fn policy() -> SigningPolicy {
    SigningPolicy {
        now: NOW,
        inception: NOW - Span::hours(1),
        expiration: NOW + Span::days(14),
        refresh: Span::days(7),
        jitter: Span::ZERO,
        denial: Denial::Nsec,
        threads: NonZeroUsize::MIN,
    }
}

pub fn signed(zone: &Zone, keys: &[SigningKey]) -> Signed {
    sign(zone, keys, Earlier::default(), &policy()).unwrap()
}

pub fn judged_at(zone: &Zone, at: Instant, ds: Option<&[Rdata]>) -> Result<Summary, Vec<Finding>> {
    verify_zone(zone, at, Span::ZERO, ds)
}

pub fn judged(zone: &Zone) -> Result<Summary, Vec<Finding>> {
    judged_at(zone, NOW, None)
}

pub fn rrset_mut<'z>(zone: &'z mut Zone, owner: &str, rtype: Rtype) -> &'z mut Vec<Rdata> {
    let node = zone.nodes.get_mut(&name(owner)).unwrap();
    &mut node.get_mut(&rtype).unwrap().rdatas
}

fn without(zone: &Zone, record: &Record) -> Zone {
    let mut zone = zone.clone();
    assert!(zone.remove(&record.owner, record.rtype, &record.rdata));
    zone
}

/// Takes every record out of the signed example zone, one at a time: each must be missed, but for those that no zone
/// signs: glue, and one of several NS records of a delegation.
pub fn every_record_is_missed(zone: &Zone) {
    let unnoticed: Vec<String> = zone
        .records()
        .filter(|record| judged(&without(zone, record)).is_ok())
        .map(|record| format!("{} {}", record.owner, record.rtype))
        .collect();
    assert_eq!(
        unnoticed,
        [
            "sub.Example.COM. NS",
            "sub.Example.COM. NS",
            "ns.sub.Example.COM. A",
            "a.ns.sub.Example.COM. AAAA"
        ]
    );
}

/// Adds a signature that holds, where there may be none.
pub fn sign_one(zone: &mut Zone, key: &SigningKey, owner: &str, rtype: Rtype) {
    let owner = name(owner);
    let rrset = zone.rrset(&owner, rtype).unwrap().clone();
    let template = Rrsig {
        covered: rtype,
        key: key.id(),
        labels: labels_field(&owner),
        original_ttl: rrset.ttl,
        expiration: Timestamp::of(NOW + Span::days(1)),
        inception: Timestamp::of(NOW),
        signer: zone.apex.clone(),
        signature: &[],
    };
    let mut message = Vec::new();
    template.append_front(&mut message);
    let mut rdata = message.clone();
    CanonicalRrset::new(rtype, &rrset).append_records(
        &owner.canonical(),
        rtype,
        rrset.ttl,
        &mut message,
    );
    key.sign(&message, &mut rdata).unwrap();
    zone.insert(Record {
        owner,
        ttl: rrset.ttl,
        rtype: Rtype::RRSIG,
        rdata: Rdata(rdata.into()),
    });
}
