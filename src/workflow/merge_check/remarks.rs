//! What a reviewer should read of a zone beside its TLSA records: what tells the parent about keys, who serves it and for how
//! long others keep it (RFC 7344, RFC 8078 §4, RFC 1912 §2.2, RFC 2182 §5).

use super::answered::Both;
use super::way;
use crate::workspace::config::CertificateConfig;
use crate::zone::content::{Rrset, Zone};
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;

const CDS: Rtype = Rtype(59);
const CDNSKEY: Rtype = Rtype(60);

/// The remarks on every zone that changes.
pub(super) fn remarks(both: Both<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, after) in both.after.zones {
        let Some(before) = both.before.zones.get(name) else {
            notes.push(format!(
                "zone {name} is new: this check has not asked whether its parent delegates it to its servers"
            ));
            continue;
        };
        if before.content != after.content {
            notes.extend(of_zone(&before.content, &after.content));
            notes.extend(exchanges(both, (&before.content, &after.content)));
        }
    }
    notes
}

/// Hosts that come to take mail and that no certificate has.
fn exchanges(both: Both<'_>, (before, after): (&Zone, &Zone)) -> Vec<String> {
    let hosts = |zone| -> BTreeSet<Name> {
        let all = mail::exchanges(zone).into_values().flatten();
        all.map(|(_, host)| host).collect()
    };
    let certificates = both.after.config.certificates.iter();
    let endpoints = certificates.flat_map(CertificateConfig::endpoints);
    let ours: BTreeSet<Name> = endpoints.filter_map(|one| way::host(&one)).collect();
    let (was, becomes) = (hosts(before), hosts(after));
    let new = becomes
        .difference(&was)
        .filter(|host| !ours.contains(*host));
    new.map(|host| {
        format!("{host} comes to take mail, and is a host of no certificate: nobody looks at its records and keys")
    })
    .collect()
}

fn of_zone(before: &Zone, after: &Zone) -> Vec<String> {
    let name = &after.apex;
    let mut notes = Vec::new();
    let rrset = |zone: &Zone, rtype| zone.rrset(&zone.apex, rtype).cloned();
    let differs = |rtype| data(rrset(before, rtype)) != data(rrset(after, rtype));
    for (rtype, algorithm) in [(CDS, 2), (CDNSKEY, 3)] {
        let deletes = rrset(after, rtype).is_some_and(|rrset| {
            let mut rdatas = rrset.rdatas.iter();
            rdatas.any(|rdata| rdata.0.get(algorithm) == Some(&0))
        });
        if differs(rtype) && deletes {
            notes.push(format!(
                "zone {name} asks its parent to take the DS records away ({rtype} with algorithm 0, RFC 8078 §4): without them there is no DANE"
            ));
        } else if differs(rtype) {
            notes.push(format!(
                "the {rtype} records of zone {name} change: its parent may take them over as DS records"
            ));
        }
    }
    if differs(Rtype::DNSKEY) {
        notes.push(format!(
            "the DNSKEY records in the text of zone {name} change: whoever holds such a key can sign the zone"
        ));
    }
    if let (Some(was), Some(soa)) = (before.soa(), after.soa()) {
        let timers = [
            ("refresh", was.refresh, soa.refresh),
            ("retry", was.retry, soa.retry),
            ("expire", was.expire, soa.expire),
            ("minimum", was.minimum.0, soa.minimum.0),
        ];
        let told = timers.iter().filter(|(_, from, to)| from != to);
        let told: Vec<String> = told
            .map(|(timer, from, to)| format!("{timer} from {from} to {to}"))
            .collect();
        if !told.is_empty() {
            notes.push(format!(
                "the SOA timers of zone {name} change: {}",
                told.join(", ")
            ));
        }
    }
    let servers = |zone| rrset(zone, Rtype::NS).map_or(0, |rrset| rrset.rdatas.len());
    if servers(after) < 2 && servers(before) > servers(after) {
        notes.push(format!(
            "zone {name} would have one name server only: while it is silent, there is no mail (RFC 2182 §5)"
        ));
    } else if differs(Rtype::NS) {
        notes.push(format!("the name servers of zone {name} change"));
    }
    notes
}

fn data(rrset: Option<Rrset>) -> Option<Vec<Vec<u8>>> {
    rrset.map(|rrset| rrset.rdatas.iter().map(|rdata| rdata.0.to_vec()).collect())
}
