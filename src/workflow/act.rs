//! What follows from a decision: keys made, zones proposed, signed and handed to their servers, certificates deployed.
//!
//! Everything here can be done again without harm, and is, until the world has been seen to have changed.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::head::{self, Heads};
use super::propose::{self, Proposed};
use super::{admit, sign, start, surroundings};
use crate::publish::command::Invocation;
use crate::rotation::decide::Action;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::{Event, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Deploy};
use crate::workspace::lock::WorkspaceLock;
use std::time::Duration;

/// How long a deployment may take.
const DEPLOYMENT: Duration = Duration::from_secs(300);

/// Signs what HEAD holds and hands it to the servers, for every zone that holds a TLSA RRset of a certificate or an alias on
/// the way to one; says what was done.
pub(super) fn publish_merged(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    certificate: &CertificateConfig,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let mut heads = Heads::of(workspace);
    let own: Vec<TlsaName> = certificate.endpoints().map(|e| e.tlsa_name()).collect();
    let mut names = own.clone();
    for name in &own {
        // An alias that leads out of our zones is told where the rotation is looked at; the others are published all the same.
        if let Ok(found) = surroundings::find(&mut heads, name) {
            names.extend(found.links);
            names.push(found.name);
        }
    }
    let mut deeds = Vec::new();
    for zone in head::zones_of(workspace, &names) {
        deeds.extend(sign::publish(workspace, lock, zone, heads.get(zone)?, now)?);
    }
    Ok(deeds)
}

/// Finishes steps 1 and 2 where a start was interrupted.
pub(super) fn finish_key_steps(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    now: Instant,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way().cloned() else {
        return Ok(());
    };
    if state.step == Step::Hashed {
        return look_round_again(workspace, lock, case, now, tick);
    }
    if !matches!(state.step, Step::Started | Step::Generated) {
        return Ok(());
    }
    let admitted = admit::admit(workspace, case, &id, None, now)?;
    let found = start::surroundings(workspace, case.certificate, &admitted.chains, now)?;
    let facts = start::key_facts(&found, admitted.not_after).into_iter();
    let is_known =
        |fact: &Event| state.step == Step::Generated && matches!(fact, Event::KeyAdmitted { .. });
    for fact in facts.filter(|fact| !is_known(fact)) {
        case.record(lock, now, fact.clone())?;
        tick.events.push(fact);
    }
    tick.rotation.clone_from(&case.rotation);
    Ok(())
}

/// Before anything is published, records of other forms may still be changed by hand: they are judged as they are now.
fn look_round_again(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    now: Instant,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way() else {
        return Ok(());
    };
    let incoming = admit::in_directory(&admit::directory(workspace, id))?;
    let found = start::surroundings(workspace, case.certificate, &incoming, now)?;
    if let Some(fact) = found.changed_since(state) {
        case.record(lock, now, fact.clone())?;
        tick.events.push(fact);
        tick.rotation.clone_from(&case.rotation);
    }
    Ok(())
}

/// Does what the step asks for. Whether the world may have changed by it, so that another look is worth while.
pub(super) fn carry_out(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    actions: &[Action],
    now: Instant,
    tick: &mut Tick,
) -> Result<bool, WorkflowError> {
    let Some((id, state)) = case.under_way() else {
        return Ok(false);
    };
    let mut changed = false;
    for action in actions {
        match action {
            // Key steps are done before deciding; putting a certificate back is for the operator.
            Action::AdmitKey | Action::ComputeAssociations | Action::RollBack => {}
            Action::ChangeZone(requirement) => {
                let policy = &case.certificate.policy;
                let context = propose::Context {
                    workspace,
                    id,
                    state,
                    policy,
                };
                for proposed in propose::propose(lock, &context, requirement, now)? {
                    changed |= matches!(proposed, Proposed::Merged(_));
                    match proposed {
                        Proposed::Merged(deed) | Proposed::ForReview(deed) => tick.deeds.push(deed),
                        Proposed::Standing(note) => tick.notes.push(note),
                    }
                }
            }
            Action::Deploy => {
                if let Deploy::Command(command) = &case.certificate.deploy
                    && !tick.deployed
                {
                    // Once a run: a host that takes its time is looked at again in the next one.
                    tick.deployed = true;
                    deploy(workspace, case, command)?;
                    tick.deeds.push(format!("ran {}", command.join(" ")));
                    changed = true;
                }
            }
        }
    }
    Ok(changed)
}

fn deploy(workspace: &Workspace, case: &Case<'_>, command: &[String]) -> Result<(), WorkflowError> {
    let Some((id, _)) = case.under_way() else {
        return Ok(());
    };
    let mut invocation = Invocation::new(command, &workspace.root, DEPLOYMENT);
    let hosts = case.certificate.hosts.join(" ");
    let directory = admit::directory(workspace, id);
    invocation.set.extend([
        ("TLSA_ROTATE_ROTATION".to_owned(), id.to_string().into()),
        (
            "TLSA_ROTATE_CERTIFICATE".to_owned(),
            case.certificate.name.clone().into(),
        ),
        ("TLSA_ROTATE_HOSTS".to_owned(), hosts.into()),
        ("TLSA_ROTATE_DIRECTORY".to_owned(), directory.into()),
    ]);
    invocation.run()?;
    Ok(())
}
