//! The records at the apex that speak of the zone's keys: DNSKEY, CDS and CDNSKEY (RFC 4035 §2.1, RFC 7344 §3, §4).

use crate::dnssec::dnskey::{DigestType, Dnskey};
use crate::dnssec::keys::SigningKey;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::{Rrset, Zone};
use crate::zone::record::{Rdata, Rtype};

/// Puts what the times of the keys ask for beside what the zone has; CDS and CDNSKEY whose time is over are taken out.
pub(super) fn add(zone: &mut Zone, keys: &[SigningKey], soa_ttl: Ttl, now: Instant) {
    let published: Vec<&SigningKey> = keys.iter().filter(|key| key.is_published(now)).collect();
    // The smallest TTL that a key file asks for; the zone's own word counts more.
    let ttl = published.iter().filter_map(|key| key.ttl()).min();
    let ttl = ttl.unwrap_or(soa_ttl);
    let dnskeys = published.iter().map(|key| key.dnskey().clone());
    put(zone, Rtype::DNSKEY, ttl, dnskeys.collect());
    let published = published.into_iter();
    let synced: Vec<&SigningKey> = published
        .filter(|key| key.timing().is_synced(now))
        .collect();
    for (rtype, of_key) in PARENT_RECORDS {
        let over = keys.iter().filter(|key| key.timing().is_unsynced(now));
        let over: Vec<Rdata> = over.filter_map(of_key).collect();
        take_out(zone, rtype, &over);
        let asked_for = synced.iter().filter_map(|key| of_key(key));
        put(zone, rtype, ttl, asked_for.collect());
    }
}

/// The data of a record about a key.
type OfKey = fn(&SigningKey) -> Option<Rdata>;

/// What asks the parent for a DS: both kinds, because parents look for either (RFC 7344 §4.1).
const PARENT_RECORDS: [(Rtype, OfKey); 2] = [
    (Rtype::CDS, |key| {
        let dnskey = Dnskey::parse(key.dnskey())?;
        Some(dnskey.ds(key.zone(), DigestType::Sha256))
    }),
    (Rtype::CDNSKEY, |key| Some(key.dnskey().clone())),
];

fn put(zone: &mut Zone, rtype: Rtype, ttl: Ttl, rdatas: Vec<Rdata>) {
    if rdatas.is_empty() {
        return;
    }
    let node = zone.nodes.entry(zone.apex.clone()).or_default();
    let rrset = node.get_or_insert_with(rtype, || Rrset {
        ttl,
        rdatas: Vec::new(),
    });
    rrset.rdatas.extend(rdatas);
    rrset.rdatas.sort_unstable();
    rrset.rdatas.dedup();
}

fn take_out(zone: &mut Zone, rtype: Rtype, rdatas: &[Rdata]) {
    let apex = zone.apex.clone();
    for rdata in rdatas {
        zone.remove(&apex, rtype, rdata);
    }
}
