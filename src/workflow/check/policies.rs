//! What a domain says beside DANE: where reports go (RFC 8460 §3), and MTA-STS (RFC 8461), which must not contradict
//! what DANE says to other senders.

use super::evidence::{DomainEvidence, Evidence, Kept};
use super::finding::{Finding, Severity};
use crate::observe::mta_sts::policy::{Mode, Signal};
use crate::rotation::observation::Seen;
use crate::rotation::timing::Span;

/// Whether senders know where to report failures.
pub(super) fn reporting(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for domain in &evidence.domains {
        // An alias leads to a record of somebody who reads reports for us.
        let Some(texts) = &domain.tlsrpt else {
            continue;
        };
        let ours: Vec<&String> = texts
            .iter()
            .filter(|t| t.starts_with("v=TLSRPTv1"))
            .collect();
        let place = format!("_smtp._tls.{}", domain.name);
        let wrong = |what: &str| Finding::new("tls-rpt", &place, what).by("RFC 8460 §3");
        let publish = format!(
            "publish: {place}. IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@{}\"",
            domain.name
        );
        let finding = match ours.as_slice() {
            [] => wrong("no TLS-RPT record: senders that cannot deliver tell nobody")
                .advice()
                .remedy(publish),
            [one] if has_destination(one) => continue,
            [_] => wrong("the TLS-RPT record names nowhere to report to (no `rua=mailto:…` or `rua=https:…`)")
                .remedy(publish),
            _ => wrong("more than one TLS-RPT record: senders take that for none")
                .remedy("remove all but one"),
        };
        found.push(theirs(domain, finding));
    }
    found
}

/// What is wrong in a domain that somebody else keeps is theirs to mend.
fn theirs(domain: &DomainEvidence, finding: Finding) -> Finding {
    if domain.kept == Kept::Here {
        return finding;
    }
    let remedy = format!("ask whoever keeps the domain: {}", finding.remedy);
    finding.remedy(remedy)
}

fn has_destination(text: &str) -> bool {
    let mut fields = text.split(';').map(str::trim);
    let rua = fields.find_map(|field| field.strip_prefix("rua="));
    rua.is_some_and(|rua| rua.starts_with("mailto:") || rua.starts_with("https:"))
}

/// Whether the MTA-STS record and policy say what their author means, and list every MX host.
pub(super) fn mta_sts(evidence: &Evidence) -> Vec<Finding> {
    let of_each = |domain| {
        let found = mta_sts_of(domain).into_iter();
        found.map(|finding| theirs(domain, finding))
    };
    evidence.domains.iter().flat_map(of_each).collect()
}

fn mta_sts_of(domain: &DomainEvidence) -> Vec<Finding> {
    let mut found = Vec::new();
    let place = format!("_mta-sts.{}", domain.name);
    if let Some(Signal::Wrong(why)) = &domain.sts {
        let what = format!("senders take the MTA-STS record for absent: {why}");
        found.push(
            Finding::new("mta-sts-record", &place, what)
                .by("RFC 8461 §3.1")
                .remedy(format!("publish: {place}. IN TXT \"v=STSv1; id=1\", with a new id at each change of the policy")),
        );
    }
    match &domain.policy {
        Some(Seen::Unknown(why)) => found.push(
            Finding::new("mta-sts-policy", &place, why.clone())
                .by("RFC 8461 §3.3")
                .remedy("make the policy fetchable, or remove the record after `mode: none` was served for the old policy's max_age"),
        ),
        Some(Seen::Known(_)) => found.extend(listed(domain)),
        None => {}
    }
    found
}

fn listed(domain: &DomainEvidence) -> Vec<Finding> {
    let Some(policy) = domain
        .known_policy()
        .filter(|policy| policy.mode != Mode::None)
    else {
        return Vec::new();
    };
    let place = format!("https://mta-sts.{}/.well-known/mta-sts.txt", domain.name);
    let mut found = Vec::new();
    for exchange in &domain.exchanges {
        if policy.lists(exchange) {
            continue;
        }
        let what = format!(
            "the policy does not list the MX host {exchange}: senders that follow MTA-STS {}",
            if_refused(policy.mode)
        );
        found.push(
            Finding::new("mta-sts-mx", &place, what)
                .with(severity(policy.mode))
                .by("RFC 8461 §4.1")
                .remedy(format!("add `mx: {exchange}` to the policy, then change the id of the `_mta-sts` record")),
        );
    }
    if policy.max_age < Span::days(1) {
        let what = format!(
            "max_age is {}: senders forget the policy before they send again",
            policy.max_age
        );
        found.push(
            Finding::new("mta-sts-age", &place, what)
                .advice()
                .by("RFC 8461 §3.2")
                .remedy("raise it to weeks"),
        );
    }
    found
}

fn severity(mode: Mode) -> Severity {
    match mode {
        Mode::Enforce => Severity::DeliveryAtRisk,
        Mode::Testing | Mode::None => Severity::PersonNeeded,
    }
}

fn if_refused(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "do not deliver there",
        Mode::Testing | Mode::None => "would not deliver there, were it enforced",
    }
}

/// Where an MTA-STS policy exists, the presented certificates must be valid for the Web PKI too.
pub(super) fn web_pki(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for domain in &evidence.domains {
        let Some(policy) = domain
            .known_policy()
            .filter(|policy| policy.mode != Mode::None)
        else {
            continue;
        };
        let hosts = evidence.hosts.iter().filter(|host| {
            host.endpoint.port == 25 && domain.exchanges.contains(&host.endpoint.host)
        });
        for (host, presented) in hosts.flat_map(|h| h.chains.iter().map(move |c| (h, c))) {
            let Some(refusal) = &presented.web_refusal else {
                continue;
            };
            let what = format!(
                "the {} certificate is not valid for the Web PKI ({refusal}), and senders that follow the MTA-STS policy of {} {}",
                presented.algorithm,
                domain.name,
                if_refused(policy.mode)
            );
            let place = format!("{} {}", host.endpoint, presented.address);
            found.push(
                Finding::new("mta-sts-certificate", place, what)
                    .with(severity(policy.mode))
                    .by("RFC 8461 §4.2")
                    .remedy("rotate to a certificate of a public CA for this name, or set the policy to `mode: testing` until it is there"),
            );
        }
    }
    found
}

#[cfg(test)]
#[path = "policies_tests.rs"]
mod tests;
