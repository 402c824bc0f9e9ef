//! Whether signatures last, keys and DS records agree, and the chain from the trust anchor holds (RFC 4035 §2.4 and §5,
//! RFC 6781 §4.4, RFC 7671 §13).

use super::evidence::{Evidence, ZoneEvidence};
use super::finding::Finding;
use crate::dnssec::dnskey::{Dnskey, Ds};
use crate::observe::chain::{NoAnswer, Security};
use crate::observe::extended_error::ExtendedError;
use crate::rotation::observation::Seen;
use crate::rotation::timing::{Instant, Span};
use crate::workflow::WorkflowError;
use crate::workflow::keep_signed::ended_since;
use crate::workspace::Workspace;
use crate::workspace::config::ZoneConfig;

/// A signature should not outlive what it says by more: a replaced key can be replayed until then.
const LONGEST: Span = Span::days(31);
/// A signature with less left should have been made anew.
const SHORTEST: Span = Span::days(1);
const SHA1: u8 = 1;

/// Whether validators get from the trust anchor to the zone: DS in every parent, keys that they name, good signatures.
pub(super) fn chain(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        let place = &zone.apex;
        match &zone.chain {
            Ok(Security::Secure) => {}
            Ok(Security::Insecure(_)) if zone.is_never_signed() => found.push(
                Finding::new("never-signed", place, "its servers have no DNSKEY record: nobody signs the zone, and TLSA records in it would count for nothing")
                    .by("RFC 7672 §2.2")
                    .remedy("ask who runs the servers whether they sign zones: some providers cannot. Then move the zone to one that does, or sign it here (`sign = { keys = … }`) and let them transfer it. Where neither can be, MTA-STS (RFC 8461) remains: a TXT record `_mta-sts` and a policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt protect the mail of senders that follow it"),
            ),
            Ok(Security::Insecure(flaw)) => found.push(
                Finding::new("chain", place, format!("the zone is not secure, so its TLSA records count for nothing: {flaw}"))
                    .by("RFC 7672 §2.2")
                    .remedy("sign the zone and give its DS to the registrar (`tlsa-rotate key ds ZONE`); if a zone above is not signed, DANE cannot be had below it"),
            ),
            Ok(Security::Indeterminate(flaw)) => found.push(
                Finding::new("chain", place, format!("no trust anchor lies above the zone: {flaw}"))
                    .by("RFC 4033 §5")
                    .remedy("give an anchor for it, or the root's, with --trust-anchor"),
            ),
            Err(NoAnswer::Failed(flaw)) if flaw.error == ExtendedError::NetworkError => found.push(
                Finding::new("chain", place, format!("the chain to the zone is not known: {flaw}"))
                    .by("RFC 4035 §5")
                    .remedy("name a resolver that answers, and passes DNSSEC records on, with --resolver"),
            ),
            Err(failure) => found.push(
                Finding::new("chain", place, format!("validating senders cannot look anything up in the zone and defer: {failure}"))
                    .at_risk()
                    .by("RFC 7672 §2.1.2")
                    .remedy("compare the DS records at the registrar with `tlsa-rotate key ds ZONE`, and look at the servers that answer"),
            ),
        }
    }
    found
}

/// Whether each DS at the parent stands for a key of the zone.
pub(super) fn ds(evidence: &Evidence) -> Vec<Finding> {
    evidence.zones.iter().flat_map(ds_of).collect()
}

fn ds_of(zone: &ZoneEvidence) -> Vec<Finding> {
    let (Seen::Known(ds), Seen::Known(dnskeys)) = (&zone.ds, &zone.dnskeys) else {
        return Vec::new();
    };
    let keys: Vec<Dnskey<'_>> = dnskeys.iter().filter_map(Dnskey::parse).collect();
    let ds: Vec<Ds<'_>> = ds.iter().filter_map(Ds::parse).collect();
    let mut found = Vec::new();
    for one in &ds {
        let stands_for = keys.iter().any(|key| one.matches(&zone.apex, key));
        if one.is_checkable() && !stands_for {
            let what = format!(
                "the DS {} (digest type {}) at the parent stands for no key in the zone",
                one.key, one.digest_type
            );
            found.push(
                Finding::new("ds", &zone.apex, what)
                    .by("RFC 4035 §2.4")
                    .remedy("if a key roll is not under way, remove that DS at the registrar"),
            );
        }
    }
    if !ds.is_empty() && ds.iter().all(|one| one.digest_type == SHA1) {
        found.push(
            Finding::new(
                "ds",
                &zone.apex,
                "every DS at the parent has a SHA-1 digest, which validators stop taking",
            )
            .by("RFC 8624 §3.3")
            .remedy("give the registrar a DS with SHA-256 (`tlsa-rotate key ds ZONE`)"),
        );
    }
    found
}

/// Whether the signatures over TLSA RRsets last long enough, and not too long.
pub(super) fn lifetimes(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for zone in &evidence.zones {
        for (name, servers) in &zone.served.tlsa {
            for (authority, seen) in servers {
                let Seen::Known(rrset) = seen else { continue };
                let window = rrset.signature;
                let left = window.expiration.since(evidence.now);
                let whole = window.expiration.since(window.inception);
                let place = format!("{name} on {authority}");
                if left < SHORTEST || left <= rrset.ttl.span() {
                    let what = format!(
                        "its signature ends in {left}, on {}: after that validating senders defer",
                        window.expiration
                    );
                    found.push(
                        Finding::new("signature-ends", place, what)
                            .at_risk()
                            .by("RFC 4035 §5.3.3")
                            .remedy("sign the zone anew (`tlsa-rotate advance` where it signs) and find out why that was not done in time"),
                    );
                } else if whole > LONGEST {
                    let what = format!(
                        "its signature holds for {whole}: a key that is replaced after a compromise could be replayed until {}",
                        window.expiration
                    );
                    found.push(
                        Finding::new("signature-long", place, what)
                            .advice()
                            .by("RFC 7671 §13")
                            .remedy("sign for two weeks, and anew every week or more often"),
                    );
                }
            }
        }
    }
    found
}

/// The zones that are signed here and whose signatures have ended, because nothing signed them anew.
pub(super) fn ended(workspace: &Workspace, now: Instant) -> Vec<Finding> {
    let zones = workspace.config.zones.iter();
    let ended = zones.filter_map(|zone| Some((zone, ended_since(workspace, zone, now)?)));
    let told = |(zone, ended): (&ZoneConfig, WorkflowError)| {
        Finding::new("signatures-ended", &zone.name, ended.to_string())
            .at_risk()
            .by("RFC 4035 §5.3.3")
            .remedy("run `tlsa-rotate advance` now, and find out why it did not run")
    };
    ended.map(told).collect()
}

#[cfg(test)]
#[path = "signatures_tests.rs"]
mod tests;
