//! Use case `prune`: records leave that no host needs and no rotation owns, after every host and server was seen.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::head::Heads;
use super::job::sight::{self, Looked};
use super::job::{self, Kind, Outcome, Refusal};
use super::neighbours;
use super::present::Present;
use super::run::Run;
use super::surroundings;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::{Requirement, Rotation};
use crate::workspace::Workspace;
use std::collections::BTreeSet;

/// Where mail senders look.
const SMTP: u16 = 25;

/// Proposes to take out what nobody needs of the records of the certificate named `name`.
pub fn prune(
    workspace: &Workspace,
    name: &str,
    present: &Present,
) -> Result<Outcome, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    run.may_begin(&case)?;
    let mut heads = Heads::of(workspace, run.now);
    job::command::is_free(workspace, name, Kind::Prune)?;
    let looked = sight::look(&mut heads, &case, Kind::Prune)?;
    let mut outcome = Outcome::of(Kind::Prune, name);
    outcome.seen = looked.told();
    let kept = kept(&mut heads, &case, &looked)?;
    let mut leaving = BTreeSet::new();
    for rrset in looked.rrsets().values() {
        leaving.extend(rrset.difference(&kept).cloned());
    }
    if leaving.is_empty() {
        return Ok(outcome);
    }
    for (tlsa, rrset) in looked.rrsets() {
        for record in rrset.intersection(&leaving) {
            let names = outcome.leaves.entry(record.clone()).or_default();
            names.push(tlsa.clone());
        }
    }
    may_leave(&looked, &leaving)?;
    let names = looked.rrsets().keys();
    neighbours::keep_their_keys(&mut heads, case.certificate, names, &leaving, |_| true)?;
    let requirement = Requirement {
        present: BTreeSet::new(),
        absent: leaving,
    };
    job::command::propose(&run, &mut heads, &case, (&looked, requirement), outcome)
}

/// Refuses what some host was not seen to bear, or some server does not answer as the rest.
fn may_leave(looked: &Looked, leaving: &BTreeSet<Association>) -> Result<(), WorkflowError> {
    let name = looked.certificate();
    let mut refusal = looked.disagreeing(Refusal::new(Kind::Prune, name));
    for blocker in looked.unmatched(|before| before.difference(leaving).cloned().collect()) {
        let (reason, hint) = sight::reason(&blocker, name);
        refusal = refusal.because(reason, hint);
    }
    for (tlsa, rrset) in looked.rrsets() {
        if !rrset.is_empty() && rrset.is_subset(leaving) {
            refusal = refusal.because(
                format!("{tlsa} would have no record any more"),
                format!("to leave DANE: tlsa-rotate disable {name}; to publish what the hosts present: tlsa-rotate adopt {name}"),
            );
        }
    }
    refusal.if_any()
}

/// The records that something needs: a chain that was seen, a rotation, a certificate in use or on offer, or, at names where
/// not only mail senders look, somebody who reads records that those pass over.
fn kept(
    heads: &mut Heads<'_>,
    case: &Case<'_>,
    looked: &Looked,
) -> Result<BTreeSet<Association>, WorkflowError> {
    let mut kept = looked.needed();
    kept.extend(owned(heads, case, looked)?);
    let mut chains = admit::in_use(case.certificate)?;
    chains.extend(admit::on_offer(case.certificate, None).unwrap_or_default());
    for (tlsa, rrset) in looked.rrsets() {
        let is_for_mail = looked.ports_at(tlsa).all(|port| port == SMTP);
        let needed = |record: &&Association| {
            surroundings::is_of(&chains, record) || (!record.is_usable_for_smtp() && !is_for_mail)
        };
        kept.extend(rrset.iter().filter(needed).cloned());
    }
    Ok(kept)
}

/// What rotations own at these names: all keys of one that is under way, and what one that is over left there.
fn owned(
    heads: &mut Heads<'_>,
    case: &Case<'_>,
    looked: &Looked,
) -> Result<BTreeSet<Association>, WorkflowError> {
    let mut owned = BTreeSet::new();
    for certificate in &heads.workspace.config.certificates {
        let other;
        let rotation = if certificate.name == case.certificate.name {
            &case.rotation
        } else {
            other = Case::open(heads.workspace, &certificate.name, heads.now)?;
            &other.rotation
        };
        let Some((_, state)) = rotation else { continue };
        let shares = |name: &TlsaName| looked.rrsets().contains_key(name);
        if state.dane_left.is_none() && state.names().iter().any(shares) {
            owned.extend(of_rotation(state));
        }
    }
    Ok(owned)
}

fn of_rotation(state: &Rotation) -> BTreeSet<Association> {
    let mut owned = state.requirement().present;
    if !state.is_over() {
        owned.extend(state.current.iter().chain(&state.incoming).cloned());
    }
    owned
}
