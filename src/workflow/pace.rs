//! The policy of one certificate as it stands now: until when a standby key rests, and how many hosts are its turn.
//!
//! Hosts of one MX set are deployed a few at a time, whoever's certificate they present: else a bad deployment could take
//! every host of a domain at once.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::head;
use crate::dane::certificate::Certificate;
use crate::rotation::due::{Live, Rest};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeSet;

/// What is known of the key in use: since when hosts present it, by the journal or else by its certificate, and when its
/// certificate ends.
pub(super) fn live(case: &Case<'_>) -> Result<Live, WorkflowError> {
    let chains = admit::in_use(case.certificate)?;
    let certificates: Vec<&Certificate> = chains.iter().filter_map(|chain| chain.first()).collect();
    let begun = certificates.iter().map(|leaf| leaf.not_before()).max();
    let keys = certificates
        .iter()
        .map(|leaf| leaf.spki_association())
        .collect();
    Ok(Live {
        since: case.presented_since(&keys).or(begun),
        not_after: certificates.iter().map(|leaf| leaf.not_after()).min(),
    })
}

/// The policy that holds for a case now, and what keeps it from its turn.
pub(super) fn policy(
    workspace: &Workspace,
    case: &Case<'_>,
    now: Instant,
) -> (Policy, Option<String>) {
    let mut policy = case.certificate.policy;
    let Some((_, state)) = case.under_way() else {
        return (policy, None);
    };
    let cadence = case.certificate.cadence;
    if cadence.standby {
        // Where the live files cannot be read nothing is known to be due: it rests until somebody says otherwise.
        policy.rest = live(case).map_or(Rest::Until(None), |live| cadence.rest(live));
    }
    // Zones and other journals are read only where a deployment is at hand.
    let deploys = state.held.is_none() && (state.released || policy.rest == Rest::No);
    let (Step::SwapOpen, Some(concurrent), true) = (state.step, policy.concurrent, deploys) else {
        return (policy, None);
    };
    let before = before_it(workspace, case.certificate, state, now);
    let hosts: usize = before.iter().map(|other| other.hosts.len()).sum();
    let taken = u32::try_from(hosts).unwrap_or(u32::MAX);
    policy.concurrent = Some(concurrent.saturating_sub(taken));
    let names: Vec<&str> = before.iter().map(|other| other.name.as_str()).collect();
    let waits = (policy.concurrent == Some(0)).then(|| {
        format!(
            "hosts of the same MX set are being deployed by the rotation of {} (policy concurrent)",
            names.join(", ")
        )
    });
    (policy, waits)
}

/// The certificates whose deployment began before this one's and is not done, among hosts of the same MX set.
fn before_it<'w>(
    workspace: &'w Workspace,
    certificate: &CertificateConfig,
    state: &Rotation,
    now: Instant,
) -> Vec<&'w CertificateConfig> {
    let others = &workspace.config.certificates;
    if others.len() < 2 {
        return vec![];
    }
    let sets = mx_sets(workspace, now);
    let shared = |other: &CertificateConfig| {
        sets.iter().any(|set| {
            let holds = |hosts: &[String]| hosts.iter().any(|host| set.contains(host));
            holds(&certificate.hosts) && holds(&other.hosts)
        })
    };
    let is_before = |other: &&CertificateConfig| {
        let Ok(case) = Case::open(workspace, &other.name, now) else {
            return false; // its own run says what is wrong with it
        };
        let Some((_, theirs)) = case.under_way() else {
            return false;
        };
        let deploys = theirs.step == Step::SwapOpen
            && theirs.held.is_none()
            && (theirs.released || !other.cadence.standby);
        deploys && (theirs.since, &other.name) < (state.since, &certificate.name)
    };
    others
        .iter()
        .filter(|other| other.name != certificate.name && shared(other))
        .filter(is_before)
        .collect()
}

/// The hosts of every MX RRset of the zones here.
fn mx_sets(workspace: &Workspace, now: Instant) -> Vec<BTreeSet<String>> {
    let mut sets = Vec::new();
    for zone in &workspace.config.zones {
        let Ok(head) = head::head(workspace, zone, now) else {
            continue;
        };
        for node in head.content.nodes.values() {
            if let Some(rrset) = node.get(&Rtype::MX) {
                sets.push(rrset.rdatas.iter().filter_map(exchange).collect());
            }
        }
    }
    sets
}

/// The host of an MX record: what follows the two octets of preference (RFC 1035 §3.3.9).
fn exchange(rdata: &Rdata) -> Option<String> {
    let (host, _) = Name::split_wire(rdata.0.get(2..)?).ok()?;
    let host = host.to_string();
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}
