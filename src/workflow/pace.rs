//! The policy of one certificate as it stands now: until when a standby key rests, and how many hosts are its turn.
//!
//! Hosts of one MX set are deployed a few at a time, whoever's certificate they present: else a bad deployment could take
//! every host of a domain at once.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::known::Known;
use crate::dane::certificate::Certificate;
use crate::rotation::due::{Afterwards, Live, Rest};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::workspace::config::CertificateConfig;
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
        since: case.presented_since(&keys)?.or(begun),
        not_after: certificates.iter().map(|leaf| leaf.not_after()).min(),
    })
}

/// What comes after the last rotation, if it is over or there was none, and a cadence is configured. The files in use are
/// read only where the answer hangs on them.
pub(super) fn afterwards(case: &Case<'_>) -> Result<Option<Afterwards>, WorkflowError> {
    let cadence = case.certificate.cadence;
    if !cadence.is_asked_for() || case.under_way().is_some() {
        return Ok(None);
    }
    let last = case.rotation.as_ref().map(|(_, state)| state);
    if last.is_some_and(|last| last.cadence_held) {
        return Ok(Some(Afterwards::Held));
    }
    let aborted = last.filter(|last| last.step == Step::Aborted);
    let live = if cadence.standby {
        Live::default()
    } else {
        live(case)?
    };
    let begins = cadence.begins(live, aborted.map(|last| last.since));
    Ok(begins.map(Afterwards::Begins))
}

/// The policy that holds for a case in a state, and what keeps it from its turn.
pub(super) fn policy(
    known: &mut Known<'_>,
    case: &Case<'_>,
    state: &Rotation,
) -> (Policy, Option<String>) {
    let mut policy = case.certificate.policy;
    if state.is_over() {
        return (policy, None);
    }
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
    let before = before_it(known, case.certificate, state);
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
    known: &mut Known<'w>,
    certificate: &CertificateConfig,
    state: &Rotation,
) -> Vec<&'w CertificateConfig> {
    let others = &known.workspace.config.certificates;
    if others.len() < 2 {
        return vec![];
    }
    let domains = known.mail_domains(&certificate.hosts).into_iter();
    let beside: BTreeSet<String> = domains.flat_map(|d| d.hosts.iter().cloned()).collect();
    // Of domains that others keep it is known only whose hosts they use.
    let shares = |other: &&CertificateConfig| {
        other.hosts.iter().any(|host| beside.contains(host))
            || other
                .domains
                .iter()
                .any(|domain| certificate.domains.contains(domain))
    };
    let others = others.iter().filter(|other| other.name != certificate.name);
    let mut before = Vec::new();
    for other in others.filter(shares) {
        // One whose journal cannot be read says what is wrong in its own run.
        let theirs = known.rotation(&other.name).map(|(_, theirs)| theirs);
        let deploys = theirs.is_some_and(|theirs| {
            theirs.step == Step::SwapOpen
                && theirs.held.is_none()
                && (theirs.released || !other.cadence.standby)
                && (theirs.since, &other.name) < (state.since, &certificate.name)
        });
        before.extend(deploys.then_some(other));
    }
    before
}
