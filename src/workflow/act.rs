//! What follows from a decision: keys made, zones proposed, signed and handed to their servers, certificates deployed.
//!
//! Everything here can be done again without harm, and is, until the world has been seen to have changed.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::head::{self, Head};
use super::propose::{self, Proposed};
use super::{admit, sign};
use crate::publish::command::Invocation;
use crate::rotation::alarm::publication_breaks;
use crate::rotation::decide::Action;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::{Event, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Deploy, Publication, ZoneConfig};
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a deployment may take.
const DEPLOYMENT: Duration = Duration::from_secs(300);

/// Signs what HEAD holds and hands it to the servers, for every zone of a certificate; says what was done.
///
/// A zone that was restored or edited by hand so that it would make senders refuse mail is not handed on.
pub(super) fn publish_merged(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    now: Instant,
    seen: &mut BTreeSet<Name>,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    for zone in zones(workspace, case.certificate) {
        // Nothing is held against a zone for a certificate that was never rotated: once in a run is enough for all of them.
        if case.rotation.is_none() && seen.contains(&zone.name) {
            continue;
        }
        // What a primary keeps is published already, and signed by it.
        if matches!(zone.publication, Publication::Update { .. }) {
            continue;
        }
        let head = head::head(workspace, zone, now)?;
        keeps_the_promise(zone, &head, case, now)?;
        deeds.extend(sign::publish(workspace, lock, zone, &head, now)?);
        seen.insert(zone.name.clone());
    }
    Ok(deeds)
}

fn keeps_the_promise(
    zone: &ZoneConfig,
    head: &Head,
    case: &Case<'_>,
    now: Instant,
) -> Result<(), WorkflowError> {
    let Some((_, state)) = &case.rotation else {
        return Ok(());
    };
    for tlsa in state.names() {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        let Some(name) = name.filter(|name| name.is_at_or_below(&zone.name)) else {
            continue;
        };
        let rrset = head::associations(&head.content, &name);
        if let Some(breach) = publication_breaks(state, now, &tlsa, &rrset) {
            return Err(WorkflowError::WouldRefuse {
                zone: zone.name.clone(),
                breach: Box::new(breach),
            });
        }
    }
    Ok(())
}

fn zones<'w>(workspace: &'w Workspace, certificate: &CertificateConfig) -> Vec<&'w ZoneConfig> {
    let mut zones: Vec<&ZoneConfig> = Vec::new();
    for tlsa in certificate
        .endpoints()
        .map(|endpoint: Endpoint| endpoint.tlsa_name())
    {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        if let Some(zone) = name.and_then(|name| workspace.config.zone_of(&name))
            && !zones.iter().any(|known| known.name == zone.name)
        {
            zones.push(zone);
        }
    }
    zones
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
    if !matches!(state.step, Step::Started | Step::Generated) {
        return Ok(());
    }
    let admitted = admit::admit(workspace, case, &id, None, now)?;
    let mut facts = Vec::new();
    if state.step == Step::Started {
        facts.push(Event::KeyAdmitted {
            not_after: admitted.not_after,
        });
    }
    facts.push(Event::AssociationsComputed {
        incoming: admitted.associations,
    });
    for fact in facts {
        case.note(now, fact.clone())?;
        tick.events.push(fact);
    }
    case.keep(lock)?;
    tick.rotation.clone_from(&case.rotation);
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
            // Key steps are done before deciding.
            Action::AdmitKey | Action::ComputeAssociations => {}
            Action::ChangeZone(requirement) => {
                let policy = &tick.policy;
                let context = propose::Context {
                    workspace,
                    id,
                    state,
                    policy,
                };
                let proposed = propose::propose(lock, &context, requirement, now)?;
                changed |= tell(proposed, tick);
            }
            Action::Deploy(endpoints) => {
                if let Deploy::Command(command) = &case.certificate.deploy {
                    changed |= run_on(workspace, case, ("deploy", command), endpoints, tick)?;
                }
            }
            // Without a command, putting a certificate back is for the operator.
            Action::RollBack(endpoints) => {
                if let Some(command) = &case.certificate.rollback {
                    changed |= run_on(workspace, case, ("rollback", command), endpoints, tick)?;
                }
            }
        }
    }
    Ok(changed)
}

/// Tells what became of proposals; whether the world may have changed by one.
pub(super) fn tell(proposed: Vec<Proposed>, tick: &mut Tick) -> bool {
    let mut changed = false;
    for proposed in proposed {
        changed |= matches!(proposed, Proposed::Merged(_));
        match proposed {
            Proposed::Merged(deed) | Proposed::ForReview(deed) => tick.deeds.push(deed),
            Proposed::Standing(note) => tick.notes.push(note),
        }
    }
    changed
}

/// Runs a command for the hosts that it has not been run for in this run: one that takes its time is looked at again in
/// the next. Whether it was run.
fn run_on(
    workspace: &Workspace,
    case: &Case<'_>,
    (what, command): (&str, &[String]),
    endpoints: &BTreeSet<Endpoint>,
    tick: &mut Tick,
) -> Result<bool, WorkflowError> {
    let Some((id, state)) = case.under_way() else {
        return Ok(false);
    };
    let hosts: BTreeSet<&str> = endpoints
        .difference(&tick.asked)
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    if hosts.is_empty() {
        return Ok(false);
    }
    let hosts = hosts.into_iter().collect::<Vec<_>>().join(" ");
    let directory = admit::directory(workspace, id);
    if what == "deploy" && !admit::holds(workspace, id, &state.incoming)? {
        tick.notes.push(format!(
            "{} does not hold the incoming keys of {id}: another runner made them, and deploys them",
            directory.display()
        ));
        return Ok(false);
    }
    let mut invocation = Invocation::new(command, &workspace.root, DEPLOYMENT);
    invocation.set.extend([
        ("TLSA_ROTATE_ROTATION".to_owned(), id.to_string().into()),
        (
            "TLSA_ROTATE_CERTIFICATE".to_owned(),
            case.certificate.name.clone().into(),
        ),
        ("TLSA_ROTATE_ACTION".to_owned(), what.into()),
        ("TLSA_ROTATE_HOSTS".to_owned(), hosts.clone().into()),
        ("TLSA_ROTATE_DIRECTORY".to_owned(), directory.into()),
    ]);
    // Asked even if it fails: what it did to the host is seen in the next run.
    tick.asked.extend(endpoints.iter().cloned());
    invocation.run()?;
    tick.deeds
        .push(format!("ran {} for {hosts}", command.join(" ")));
    Ok(true)
}
