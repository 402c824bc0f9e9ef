//! What follows from a decision: keys made, zones proposed, signed and handed to their servers, certificates deployed.
//!
//! Everything here can be done again without harm, and is, until the world has been seen to have changed.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::propose::{self, Proposed};
use super::{admit, head, sign};
use crate::publish::command::Invocation;
use crate::rotation::decide::Action;
use crate::rotation::observation::Endpoint;
use crate::rotation::step::{Event, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Deploy, ZoneConfig};
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;
use std::time::Duration;

/// How long a deployment may take.
const DEPLOYMENT: Duration = Duration::from_secs(300);

/// Signs what HEAD holds and hands it to the servers, for every zone of a certificate; says what was done.
pub(super) fn publish_merged(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    certificate: &CertificateConfig,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    for zone in zones(workspace, certificate) {
        // What a primary or a provider keeps is published already, and signed by it.
        if zone.publication.is_elsewhere() {
            continue;
        }
        let head = head::head(workspace, zone, now)?;
        deeds.extend(sign::publish(workspace, lock, zone, &head, now)?);
    }
    Ok(deeds)
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
        case.record(lock, now, fact.clone())?;
        tick.events.push(fact);
    }
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
