//! Whether all servers of a zone answer, say the same, prove it, and know the names above TLSA records
//! (RFC 1034 §4.3.5, RFC 8020 §2, RFC 6781 §4.4.2).

use super::evidence::{Evidence, ZoneEvidence};
use super::finding::{Finding, Severity};
use crate::observe::ailment::{self, Ailment};
use crate::rotation::observation::Seen;
use crate::rotation::timing::Span;
use crate::workflow::verdict::Standing;
use crate::workflow::zone_servers;

/// Whether every server answers, proves its TLSA answers, and has what the others have and what it had before.
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
                .remedy(zone.way_out.clone()),
            );
        }
        if let Some((why, way_out)) = &zone.unasked {
            found.push(
                Finding::new(
                    "servers",
                    &zone.apex,
                    format!("no server could be asked: {why}"),
                )
                .by("RFC 7671 §8.1")
                .remedy(*way_out),
            );
        }
        let told = zone.served.findings.iter().filter(|seen| {
            // That nobody signs is said once, and puts no mail at risk.
            !(zone.is_never_signed() && seen.ailment == Ailment::Unsigned)
        });
        found.extend(told.map(ailing));
    }
    found
}

/// One server that is not as it should be.
fn ailing(seen: &ailment::Finding) -> Finding {
    let ailment = seen.ailment;
    let check = match ailment {
        Ailment::Silent => "server-silent",
        Ailment::Truncated => "server-truncated",
        Ailment::Lame => "server-lame",
        Ailment::Delegated => "name-delegated",
        Ailment::Intercepted => "port-53",
        Ailment::NoTlsa => "server-tlsa",
        Ailment::Wrong => "server-wrong",
        Ailment::Unsigned => "server-unsigned",
        Ailment::Expired => "server-expired",
        Ailment::Bogus => "server-bogus",
        Ailment::Stale => "server-stale",
        Ailment::Regressed => "server-regressed",
    };
    let severity = match zone_servers::standing(ailment) {
        Standing::AtRisk => Severity::DeliveryAtRisk,
        _ => Severity::PersonNeeded,
    };
    let what = format!("{ailment}: {}", seen.reason);
    Finding::new(check, &seen.authority, what)
        .with(severity)
        .by(ailment.rfc())
        .remedy(ailment.remedy())
}

/// Whether parent and zone name the same servers, and whether a rotation asks each of them.
pub(super) fn delegation(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        // Why nothing can be told is said by the chain.
        let Ok(delegation) = &zone.delegation else {
            continue;
        };
        let at_apex = |what: &str, remedy: &str| {
            Finding::new("delegation", format!("{} NS", zone.apex), what)
                .by("RFC 1034 §4.2.2")
                .remedy(remedy)
        };
        for difference in &delegation.differences {
            let remedy = "name the same servers at the registrar and in the zone: resolvers ask those of the parent first";
            found.push(at_apex(difference, remedy));
        }
        for server in &delegation.without_address {
            let what = format!("{server} has no address");
            found.push(at_apex(
                &what,
                "give it an A or AAAA record, or take it out of the NS RRset",
            ));
        }
        for server in zone.unasked_of(delegation) {
            let what = format!(
                "resolvers are led to {server}, which no rotation asks: what it serves is not waited for"
            );
            let remedy = "add the address to `servers` of the zone in the configuration";
            found.push(at_apex(&what, remedy).advice().by("RFC 7671 §8.1"));
        }
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
