//! After the end: what a rotation took out of the zone stays out, and what it left there stays in.
//!
//! An old pull request that is merged late, a revert, a restored zone bring a key back or take one away. A rotation that is
//! over has no step left to say so; it is said here, and the zone is proposed as it was, if every host presents what it
//! presented at the end.

use super::WorkflowError;
use super::case::Case;
use super::head::Heads;
use super::propose::{self, Proposed};
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::decide::Decision;
use crate::rotation::gate::{self, Wanted};
use crate::rotation::observation::{Observation, Seen, TlsaName};
use crate::rotation::step::{Rotation, Step};
use crate::workspace::config::CertificateConfig;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeSet;

/// Adds what the branch that counts has made of the end of a rotation to the reasons why a person is needed.
pub(super) fn notice(
    certificate: &CertificateConfig,
    state: &Rotation,
    observation: &Observation,
    decision: &mut Decision,
) {
    if state.dane_left.is_some() {
        decision.blockers.extend(still_served(state, observation));
        return;
    }
    if !state.is_over() {
        return;
    }
    let requirement = state.requirement();
    for blocker in gate::merged(state, observation, &requirement) {
        let Blocker::NotMerged { name, .. } = &blocker else {
            continue;
        };
        match observation.merged.get(name) {
            Some(Seen::Known(rrset)) if rrset.is_empty() => {
                decision
                    .blockers
                    .extend(dane_gone(certificate, state, observation, name));
            }
            Some(Seen::Known(_)) => decision.blockers.push(blocker),
            _ => {}
        }
    }
}

/// No record at all is no DANE: no mail is refused, and nothing is put back unasked, but whoever wants to be protected is not.
/// Of hosts that are configured no more, and names that had none before, there is nothing to tell.
fn dane_gone(
    certificate: &CertificateConfig,
    state: &Rotation,
    observation: &Observation,
    name: &TlsaName,
) -> Option<Blocker> {
    let mut configured = certificate.endpoints();
    let had = |rrset: &BTreeSet<Association>| !rrset.is_empty();
    let had_records = state.step == Step::Retired || state.base.get(name).is_some_and(had);
    (had_records && configured.any(|one| state.name_of(&one) == *name)).then(|| Blocker::DaneGone {
        name: name.clone(),
        source: observation.source_of(name),
        certificate: certificate.name.clone(),
    })
}

/// The servers that answer with records of names that left DANE: caches get them again each time.
fn still_served(state: &Rotation, observation: &Observation) -> Vec<Blocker> {
    let mut still = Vec::new();
    for name in state.names() {
        // What the zone holds again somebody put there.
        if matches!(observation.merged.get(name), Some(Seen::Known(rrset)) if !rrset.is_empty()) {
            continue;
        }
        for (authority, seen) in observation.served.get(name).into_iter().flatten() {
            if let Seen::Known(rrset) = seen
                && !rrset.associations.is_empty()
            {
                still.push(Blocker::NotServed {
                    name: name.clone(),
                    authority: authority.clone(),
                    missing: Vec::new(),
                    unwanted: rrset.associations.iter().cloned().collect(),
                });
            }
        }
    }
    still
}

/// Proposes the zone as the rotation left it, if that was noticed and every host presents the key that belongs to it.
pub(super) fn restore(
    heads: &mut Heads<'_>,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    (observation, decision): (&Observation, &Decision),
) -> Result<Vec<Proposed>, WorkflowError> {
    let Some((id, state)) = &case.rotation else {
        return Ok(Vec::new());
    };
    let wanted = match state.step {
        Step::Retired => Wanted::Incoming,
        Step::Aborted => Wanted::Current,
        _ => return Ok(Vec::new()),
    };
    let noticed = decision.blockers.iter();
    if !noticed
        .clone()
        .any(|b| matches!(b, Blocker::NotMerged { .. }))
        || !gate::presented(state, observation, wanted).is_empty()
    {
        return Ok(Vec::new());
    }
    let stand = case.stand();
    let context = propose::Context {
        workspace: heads.workspace,
        id,
        state,
        policy: &case.certificate.policy,
        journal: stand.as_deref(),
    };
    propose::propose(lock, &context, &state.requirement(), heads)
}
