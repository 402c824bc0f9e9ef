//! What the TLSA records of a zone should be like (RFC 6698 §2.1, RFC 7671 §5, §10.1 and §13, RFC 7672 §3.1).

use super::evidence::{Evidence, HostEvidence};
use super::finding::Finding;
use crate::dane::judge::{self, Mismatch, Rules, Unusable};
use crate::rotation::association::Association;
use crate::rotation::timing::Ttl;
use std::collections::BTreeSet;

/// Some senders take no longer RRset into account.
const MOST_RECORDS: usize = 12;
const FIVE_MINUTES: Ttl = Ttl(300);
const A_DAY: Ttl = Ttl(86_400);

/// Each record should be one that senders can use, and not the digest of nothing.
pub(super) fn usable(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in &evidence.hosts {
        let judgement = judge::judge(&host.published, &[], &[], evidence.now, Rules::Smtp);
        for (record, finding) in &judgement.records {
            match finding {
                judge::Finding::Unusable(reason) => {
                    found.push(unusable(host, record, reason));
                }
                judge::Finding::Mismatch(Mismatch::DigestOfNothing) => {
                    let what = format!(
                        "{} is the digest of the empty input: a command that should have written a key failed; it matches no certificate, ever",
                        record.short()
                    );
                    found.push(
                        Finding::new("empty-digest", host.endpoint.tlsa_name(), what)
                            .at_risk()
                            .by("RFC 6698 §2.1.3")
                            .remedy("publish what `tlsa-rotate record CERTIFICATE` prints instead"),
                    );
                }
                _ => {}
            }
        }
    }
    found
}

fn unusable(host: &HostEvidence, record: &Association, reason: &Unusable) -> Finding {
    let what = format!("senders pass {} over: {reason}", record.short());
    let rfc = match reason {
        Unusable::PkixUsage => "RFC 7672 §3.1.3",
        _ => "RFC 7671 §4.1",
    };
    Finding::new("unusable-record", host.endpoint.tlsa_name(), what)
        .by(rfc)
        .remedy(
            "publish a `3 1 1` record of the host's key instead (`tlsa-rotate record CERTIFICATE`)",
        )
}

/// An RRset should not grow without bound: fragmented answers get lost, and some senders stop at twelve records.
pub(super) fn few(evidence: &Evidence) -> Vec<Finding> {
    let too_many = |host: &&HostEvidence| host.published.len() > MOST_RECORDS;
    let finding = |host: &HostEvidence| {
        let what = format!(
            "{} records, and some senders take no more than {MOST_RECORDS} into account",
            host.published.len()
        );
        Finding::new("many-records", host.endpoint.tlsa_name(), what)
            .by("RFC 7671 §10.1")
            .remedy("current and next are enough; `tlsa-rotate prune` takes out those of keys that no host presents")
    };
    evidence
        .hosts
        .iter()
        .filter(too_many)
        .map(finding)
        .collect()
}

/// A record of a key that no host has and no rotation owns protects nobody, and whoever has that key can pass for the host.
pub(super) fn left_over(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in &evidence.hosts {
        let Some(certificate) = &host.certificate else {
            continue;
        };
        // Who is silent may have any key.
        if host.chains.is_empty() || !host.unreached.is_empty() {
            continue;
        }
        let left_over = |record: &&Association| {
            let candidates = BTreeSet::from([Association::clone(record)]);
            let is_presented = host.chains.iter().any(|presented| {
                let names = [host.endpoint.host.as_str()];
                let satisfied =
                    judge::satisfied(&candidates, &presented.chain, &names, evidence.now);
                !satisfied.is_empty()
            });
            record.is_dane_ee()
                && record.is_usable_for_smtp()
                && !host.owned.contains(*record)
                && !is_presented
        };
        for record in host.published.iter().filter(left_over) {
            let what = format!(
                "{} is of no key that {} presents, and no rotation owns it: whoever has that key can pass for the host",
                record.short(),
                host.endpoint
            );
            found.push(
                Finding::new("left-over", host.endpoint.tlsa_name(), what)
                    .advice()
                    .by("RFC 7671 §8.1")
                    .remedy(format!(
                        "if nobody is to present it again: tlsa-rotate prune {certificate}"
                    )),
            );
        }
    }
    found
}

/// A TTL bounds how long a mistake lives in caches, and how often every sender asks.
pub(super) fn ttl(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in &evidence.hosts {
        let Some(ttl) = host.ttl else { continue };
        let (what, remedy) = if ttl > A_DAY {
            (
                format!(
                    "a TTL of {}: a change, or a mistake, is seen by all senders only after that time",
                    ttl.span()
                ),
                "lower it to an hour or so; the wait of a rotation gets shorter with it",
            )
        } else if ttl < FIVE_MINUTES {
            (
                format!(
                    "a TTL of {}: senders depend on your servers' answering all the time",
                    ttl.span()
                ),
                "raise it to an hour or so",
            )
        } else {
            continue;
        };
        found.push(
            Finding::new("ttl", host.endpoint.tlsa_name(), what)
                .advice()
                .by("RFC 7671 §13")
                .remedy(remedy),
        );
    }
    found
}

/// DANE protects a domain as far as its least protected MX host.
pub(super) fn coverage(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for domain in &evidence.domains {
        for exchange in &domain.exchanges {
            let bare = |host: &&HostEvidence| {
                host.endpoint.host == *exchange
                    && host.endpoint.port == 25
                    && host.is_ours
                    && host.published.is_empty()
                    && !host.is_alias
            };
            let Some(host) = evidence.hosts.iter().find(bare) else {
                continue;
            };
            let what = format!(
                "{exchange} is an MX of {} without TLSA records: whoever can keep senders from the other hosts reads the mail",
                domain.name
            );
            found.push(
                Finding::new("no-tlsa", host.endpoint.tlsa_name(), what)
                    .by("RFC 7672 §2.2")
                    .remedy("put the host under `hosts` of its [[certificate]] and publish the record of its key: tlsa-rotate enable"),
            );
        }
    }
    found
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
