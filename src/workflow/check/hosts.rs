//! How validating senders fare with the hosts (RFC 7672), and what the presented chains say of the records.

use super::evidence::{DomainEvidence, Evidence, HostEvidence, Kept};
use super::finding::Finding;
use crate::dane::judge::{self, Mismatch, Rules};
use crate::observe::chain::NoAnswer;
use crate::observe::extended_error::ExtendedError;
use crate::observe::senders_view::{Destination, NoTlsa, Tlsa, plain};
use crate::rotation::association::Association;
use crate::workflow::reach::WAY_OUT;
use crate::workflow::vantages::Aside;
use crate::workflow::verdict::{Line, Verdict};
use crate::workflow::verify::{SeenHost, Verification};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Whether a validating sender delivers, to every host, address and algorithm.
pub(super) fn senders(evidence: &Evidence) -> Vec<Finding> {
    let ours: BTreeSet<&str> = evidence
        .hosts
        .iter()
        .filter(|host| host.is_ours)
        .map(|host| host.endpoint.host.as_str())
        .collect();
    let unreached = evidence.unreached();
    let mut found: Vec<Finding> = Vec::new();
    let mut seen: Vec<&Verification> = Vec::new();
    for domain in &evidence.domains {
        found.extend(astray(domain));
        let verification = domain.verification.as_ref();
        found.extend(verification.and_then(|v| destination(v, domain.kept)));
        // Where the mail of a domain goes that does not come here is none of our business.
        seen.extend(verification.filter(|_| domain.kept != Kept::Astray));
    }
    for verification in seen.into_iter().chain(&evidence.others) {
        for host in &verification.hosts {
            for finding in of_host(host, &ours, &unreached) {
                // One host serves many domains.
                if !found.contains(&finding) {
                    found.push(finding);
                }
            }
        }
    }
    found
}

fn astray(domain: &DomainEvidence) -> Option<Finding> {
    (domain.kept == Kept::Astray).then(|| {
        let to = match domain.exchanges.as_slice() {
            [] => "nobody".to_owned(),
            hosts => hosts.join(", "),
        };
        let what = format!("its mail goes to {to}, and to none of the hosts here");
        Finding::new("mx", format!("{} MX", domain.name), what)
            .by("RFC 5321 §5.1")
            .remedy("have whoever keeps the domain point its MX records at the hosts here, or take it out of `domains` in the configuration")
    })
}

fn destination(verification: &Verification, kept: Kept) -> Option<Finding> {
    let domain = plain(&verification.question.name);
    let place = format!("{domain} MX");
    match verification.destination.as_ref()? {
        Destination::Exchanges { has_null: true, .. } => {
            let what = "a null MX (`MX 0 .`) stands beside other MX records: Postfix takes it that the domain takes no mail, and returns it";
            let finding = Finding::new("mx", place, what).at_risk().by("RFC 7505 §3");
            Some(finding.remedy("remove the null MX, or the others"))
        }
        Destination::Exchanges { security, .. } => security.flaw().map(|flaw| {
            let what = format!(
                "the MX RRset is not secure, so DANE protects no mail for {domain}: {flaw}"
            );
            let finding = Finding::new("mx", place, what).by("RFC 7672 §2.2.1");
            if kept == Kept::Here {
                finding.remedy("sign the zone and give its DS to the parent")
            } else {
                finding.advice().remedy(
                    "ask whoever keeps the domain to sign it, and to give its DS to the parent",
                )
            }
        }),
        Destination::Unknown(failure) => Some(failed("mx", place, failure)),
        Destination::NoSuchDomain => Some(
            Finding::new("mx", place, format!("{domain} does not exist for senders"))
                .at_risk()
                .by("RFC 5321 §5.1")
                .remedy("publish the zone on the servers that its parent names"),
        ),
        Destination::Itself | Destination::NullMx => None,
    }
}

fn of_host(
    seen: &SeenHost,
    ours: &BTreeSet<&str>,
    unreached: &BTreeSet<(String, SocketAddr)>,
) -> Vec<Finding> {
    let name = plain(&seen.name);
    let place = format!("{name}:{}", seen.port);
    let Some(host) = &seen.host else {
        let what = "DNS did not answer in the time of the run";
        return vec![
            Finding::new("host", place, what)
                .by("RFC 7672 §2.1.2")
                .remedy("run again; if it stays so, look at the resolver and the servers"),
        ];
    };
    match &host.tlsa {
        Tlsa::Published { .. } => {}
        // Said by the check of the zone's records, for every MX at once.
        Tlsa::None {
            why: NoTlsa::ProvenAbsent { .. },
            ..
        } if ours.contains(name.as_str()) => {
            return Vec::new();
        }
        Tlsa::None { why, .. } => {
            return vec![
                Finding::new(
                    "unprotected",
                    place,
                    format!("senders deliver without DANE: {why}"),
                )
                .by("RFC 7672 §2.2")
                .remedy("the operator of the host's zone must sign it and publish TLSA records"),
            ];
        }
        Tlsa::Unreachable(failure) => return vec![failed("host", place, failure)],
        Tlsa::NoHostName(odd) => {
            let what = format!(
                "{} is no host name: senders on Postfix do not go there",
                plain(odd)
            );
            let finding = Finding::new("host", place, what)
                .at_risk()
                .by("RFC 1123 §2.1");
            return vec![
                finding.remedy("give the host a name of letters, digits and hyphens, none of these at the end of a label"),
            ];
        }
        Tlsa::NoAddress { .. } => {
            return vec![
                Finding::new(
                    "host",
                    place,
                    "it has no address: no mail can be delivered to it",
                )
                .at_risk()
                .by("RFC 5321 §5.1")
                .remedy("give it A or AAAA records, or take it out of the MX RRset"),
            ];
        }
    }
    // That nobody reaches an address is said once, by a rule of its own.
    let said = |address| unreached.contains(&(place.clone(), address));
    let lines = seen
        .lines
        .iter()
        .filter(|line| !(matches!(line.verdict, Verdict::Unknown(_)) && said(line.address)));
    let lines = lines.filter_map(|line| {
        let in_tls12 = if line.tls12_only { " in TLS 1.2" } else { "" };
        let place = format!("{place} {} {}{in_tls12}", line.address, line.algorithm);
        verdict(&place, &line.verdict).or_else(|| dissent(&place, line))
    });
    lines.collect()
}

fn verdict(place: &str, verdict: &Verdict) -> Option<Finding> {
    match verdict {
        Verdict::Verified(_) | Verdict::NotOffered => None,
        Verdict::Refused(records) => {
            let said: Vec<String> = records
                .iter()
                .map(|(record, finding)| format!("{}: {finding}", record.short()))
                .collect();
            let what = format!("validating senders refuse it: {}", said.join("; "));
            Some(
                Finding::new("refused", place, what)
                    .at_risk()
                    .by("RFC 7672 §3.1")
                    .remedy("put the certificate back whose key is published, or publish the presented one's record beside it, if it is yours: tlsa-rotate adopt"),
            )
        }
        Verdict::NoTls(why) => Some(
            Finding::new(
                "no-tls",
                place,
                format!("validating senders do not deliver there: {why}"),
            )
            .at_risk()
            .by("RFC 7672 §2.2")
            .remedy("switch STARTTLS on for everybody"),
        ),
        Verdict::Unprotected(why) => Some(
            Finding::new("unprotected", place, why.clone())
                .by("RFC 7672 §2.2")
                .remedy("publish a `3 1 1` record of the presented key"),
        ),
        Verdict::Unknown(why) => Some(
            Finding::new(
                "host-unknown",
                place,
                format!("what it presents is not known: {why}"),
            )
            .by("RFC 7672 §3.1")
            .remedy(WAY_OUT),
        ),
    }
}

/// Senders that judge otherwise than most.
fn dissent(place: &str, line: &Line) -> Option<Finding> {
    let what = line.dissent.clone()?;
    Some(
        Finding::new("dissent", place, what)
            .by("RFC 7671 §5.2")
            .remedy("publish a `3 1 1` record of the presented key: by it all senders judge alike"),
    )
}

/// A host that nobody reaches cannot be seen with the next key: a rotation would stop there.
pub(super) fn unreached(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in evidence.hosts.iter().filter(|host| host.is_ours) {
        for (address, why) in &host.unreached {
            let what = format!(
                "nobody reaches it ({why}): a rotation would stop at step 5 of 7, when every host must be seen with the next key"
            );
            found.push(
                Finding::new("unreached", format!("{} {address}", host.endpoint), what)
                    .by("RFC 7672 §3.1")
                    .remedy(WAY_OUT),
            );
        }
    }
    found
}

/// A vantage that gives no answer makes no difference to what is known, and is there to make one.
pub(super) fn vantages(evidence: &Evidence) -> Vec<Finding> {
    let finding = |aside: &Aside| {
        Finding::new("vantage", format!("vantage {}", aside.name), format!("what it says does not count: {}", aside.why))
            .by("RFC 7672 §3.1")
            .remedy("run its command by hand with a place behind it, such as mx1.example.com:25, or take it out of the configuration")
    };
    evidence.aside.iter().map(finding).collect()
}

impl Evidence {
    /// Each host and port of ours with an address of it that nobody reaches.
    fn unreached(&self) -> BTreeSet<(String, SocketAddr)> {
        let ours = self.hosts.iter().filter(|host| host.is_ours);
        let places = ours.flat_map(|host| {
            let addresses = host.unreached.iter();
            addresses.map(|(address, _)| (host.endpoint.to_string(), *address))
        });
        places.collect()
    }
}

/// That nobody answers us says nothing about senders; that validation fails does.
fn failed(check: &'static str, place: String, failure: &NoAnswer) -> Finding {
    let finding = Finding::new(check, place, failure.to_string()).by("RFC 7672 §2.1.2");
    match failure {
        NoAnswer::Failed(flaw) if flaw.error == ExtendedError::NetworkError => {
            finding.remedy("name a resolver that answers with --resolver")
        }
        _ => finding.at_risk().remedy(
            "look at the servers of the zone named: senders defer until its answers validate",
        ),
    }
}

/// Records of usage 2 should match a certificate that is presented: CAs retire their intermediates without asking.
pub(super) fn ca_pins(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in &evidence.hosts {
        let pins = host.published.iter().filter(|record| record.usage == 2);
        for pin in pins.filter(|pin| !host.chains.is_empty() && host.never_presents(pin, evidence))
        {
            let what = format!(
                "{} pins a CA that is in no chain {} presents: a CA that was retired, or a chain without its issuers",
                pin.short(),
                host.endpoint
            );
            found.push(
                Finding::new("ca-pin", host.endpoint.tlsa_name(), what)
                    .by("RFC 7672 §3.1.2")
                    .remedy("present the whole chain, or replace the pin by a `3 1 1` record, which no CA can break"),
            );
        }
    }
    found
}

impl HostEvidence {
    fn never_presents(&self, pin: &Association, evidence: &Evidence) -> bool {
        let names = [self.endpoint.host.as_str()];
        self.chains.iter().all(|presented| {
            let record = std::slice::from_ref(pin);
            let judged = judge::judge(record, &presented.chain, &names, evidence.now, Rules::Smtp);
            let absent = judge::Finding::Mismatch(Mismatch::AnchorNotPresented);
            judged.records.iter().all(|(_, finding)| *finding == absent)
        })
    }
}

/// One key on all MX hosts is replaced everywhere at once: no host is left that still works if that goes wrong.
pub(super) fn shared_key(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for domain in &evidence.domains {
        let mut hosts_of: BTreeMap<Association, BTreeSet<&str>> = BTreeMap::new();
        for host in &evidence.hosts {
            let name = host.endpoint.host.as_str();
            if host.endpoint.port != 25 || !domain.exchanges.iter().any(|e| e == name) {
                continue;
            }
            for leaf in host.chains.iter().filter_map(|p| p.chain.first()) {
                hosts_of
                    .entry(leaf.spki_association())
                    .or_default()
                    .insert(name);
            }
        }
        let everywhere =
            |hosts: &BTreeSet<&str>| hosts.len() >= 2 && hosts.len() == domain.exchanges.len();
        if let Some((key, _)) = hosts_of.iter().find(|(_, hosts)| everywhere(hosts)) {
            let what = format!(
                "all {} MX hosts present one key, {}: if it is lost or a swap goes wrong, no other host takes the mail",
                domain.exchanges.len(),
                key.short()
            );
            found.push(
                Finding::new("shared-key", format!("{} MX", domain.name), what)
                    .advice()
                    .by("RFC 7671 §8.1")
                    .remedy("give each host a [[certificate]] of its own, and rotate one after the other"),
            );
        }
    }
    found
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
