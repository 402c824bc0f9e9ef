//! Whether all servers of a zone answer, say the same, prove it, and know the names above TLSA records
//! (RFC 1034 §4.3.5, RFC 8020 §2, RFC 6781 §4.4.2).

use super::evidence::{Evidence, ZoneEvidence};
use super::finding::Finding;
use crate::rotation::observation::{Authority, Seen};
use crate::rotation::timing::Span;
use std::collections::BTreeSet;

/// Whether every server answers and proves its TLSA answers.
pub(super) fn answers(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        if let Seen::Unknown(why) = &zone.content {
            found.push(
                Finding::new(
                    "zone",
                    &zone.apex,
                    format!("the zone cannot be read: {why}"),
                )
                .by("RFC 1035 §5")
                .remedy("`tlsa-rotate zone check` names the place"),
            );
        }
        if let Some(why) = &zone.unasked {
            found.push(
                Finding::new(
                    "servers",
                    &zone.apex,
                    format!("no server could be asked: {why}"),
                )
                .by("RFC 7671 §8.1")
                .remedy("set `servers` in the configuration"),
            );
        }
        let silent = |authority: &Authority| {
            matches!(zone.served.serials.get(authority), Some(Seen::Unknown(_)))
        };
        for (authority, serial) in &zone.served.serials {
            if let Seen::Unknown(why) = serial {
                found.push(
                    Finding::new("server-silent", authority, format!("no SOA of {} from it: {why}", zone.apex))
                        .by("RFC 1034 §4.1")
                        .remedy("make it answer for the zone, over UDP and TCP, or take it out of the NS RRset"),
                );
            }
        }
        for (name, servers) in &zone.served.tlsa {
            for (authority, seen) in servers {
                if let Seen::Unknown(why) = seen
                    && !silent(authority)
                    && zone.unasked.is_none()
                {
                    let what = format!("what it says of {name} proves nothing: {why}");
                    found.push(
                        Finding::new("server-unproven", authority, what)
                            .at_risk()
                            .by("RFC 7672 §2.1.2")
                            .remedy("bring the signed zone with valid signatures onto it"),
                    );
                }
            }
        }
    }
    found
}

/// Whether all servers have the same version of the zone.
pub(super) fn in_step(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        let known: Vec<(&Authority, u32)> = zone
            .served
            .serials
            .iter()
            .filter_map(|(authority, serial)| match serial {
                Seen::Known(serial) => Some((authority, *serial)),
                Seen::Unknown(_) => None,
            })
            .collect();
        let serials: BTreeSet<u32> = known.iter().map(|(_, serial)| *serial).collect();
        if serials.len() < 2 {
            continue;
        }
        let said: Vec<String> = known
            .iter()
            .map(|(authority, serial)| format!("{authority} has {serial}"))
            .collect();
        let what = format!("the servers serve different versions: {}", said.join(", "));
        found.push(
            Finding::new("serials", &zone.apex, what)
                .by("RFC 1034 §4.3.5")
                .remedy("if it stays so for longer than a transfer takes, look at NOTIFY and transfers of those behind"),
        );
    }
    found
}

/// Whether every server knows that the names above TLSA records exist.
pub(super) fn nonterminals(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        for (name, servers) in &zone.existence {
            for (authority, exists) in servers {
                if *exists != Seen::Known(false) {
                    continue;
                }
                let what = format!(
                    "it says that {name} does not exist (NXDOMAIN), although TLSA records lie below: resolvers that ask label by label never find them, and senders defer"
                );
                found.push(
                    Finding::new("empty-non-terminal", authority, what)
                        .at_risk()
                        .by("RFC 8020 §2")
                        .remedy("update the server's software; if the zone is signed, its NSEC3 chain must hold the name too (`tlsa-rotate zone verify`)"),
                );
            }
        }
    }
    found
}

/// Whether the SOA timers fit each other and the signatures.
pub(super) fn timers(evidence: &Evidence) -> Vec<Finding> {
    evidence.zones.iter().flat_map(timers_of).collect()
}

fn timers_of(zone: &ZoneEvidence) -> Vec<Finding> {
    let Seen::Known(content) = &zone.content else {
        return Vec::new();
    };
    let Some(soa) = content.soa() else {
        return Vec::new();
    };
    let span = |seconds: u32| Span::seconds(u64::from(seconds));
    let (refresh, retry, expire) = (span(soa.refresh), span(soa.retry), span(soa.expire));
    let advice = |what: String, rfc, remedy: &str| {
        Finding::new("soa-timers", format!("{} SOA", zone.apex), what)
            .advice()
            .by(rfc)
            .remedy(remedy)
    };
    let mut found = Vec::new();
    if let Some(least) = zone.refresh
        && expire > least
    {
        found.push(advice(
            format!(
                "a secondary that lost its primary answers for {expire} (expire), and signatures are made anew only when they have {least} left: it would serve expired ones"
            ),
            "RFC 6781 §4.4.2",
            "lower the SOA's expire below `refresh` of the configuration's `sign`, or sign earlier",
        ));
    }
    if retry >= refresh {
        found.push(advice(
            format!("retry ({retry}) is not smaller than refresh ({refresh})"),
            "RFC 1912 §2.2",
            "retry in a fraction of refresh",
        ));
    }
    if expire <= refresh + retry {
        found.push(advice(
            format!("expire ({expire}) leaves a secondary no second try after refresh ({refresh}) and retry ({retry})"),
            "RFC 1912 §2.2",
            "raise expire to days",
        ));
    }
    if soa.minimum.span() > Span::days(1) {
        found.push(advice(
            format!(
                "absences are cached for {} (the SOA's last number)",
                soa.minimum.span()
            ),
            "RFC 2308 §5",
            "lower it to an hour or less: a record that was missing is seen that much sooner",
        ));
    }
    found
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
