//! What follows from a decision: keys made, zones proposed, signed and handed to their servers, certificates deployed.
//!
//! Everything here can be done again without harm, and is, until the world has been seen to have changed.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::head::{self, Head, Heads};
use super::propose::{self, Proposed};
use super::{admit, sign, start, surroundings};
use crate::publish::command::Invocation;
use crate::rotation::alarm::publication_breaks;
use crate::rotation::decide::Action;
use crate::rotation::observation::Endpoint;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::{Event, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{Deploy, ZoneConfig};
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a deployment may take.
const DEPLOYMENT: Duration = Duration::from_secs(300);

/// What certificates that were never rotated have in common in one run.
pub(super) struct Known<'w> {
    /// The zones as they were read.
    heads: Heads<'w>,
    /// The zones that were brought to their servers.
    zones: BTreeSet<Name>,
}

impl<'w> Known<'w> {
    /// Nothing yet.
    pub(super) fn nothing(workspace: &'w Workspace, now: Instant) -> Self {
        Self {
            heads: Heads::of(workspace, now),
            zones: BTreeSet::new(),
        }
    }
}

/// Signs what HEAD holds and hands it to the servers, for every zone that holds a TLSA RRset of a certificate or an alias on
/// the way to one; says what was done.
///
/// A zone that was restored or edited by hand so that it would make senders refuse mail is not handed on.
pub(super) fn publish_merged<'w>(
    workspace: &'w Workspace,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    now: Instant,
    known: &mut Known<'w>,
) -> Result<Vec<String>, WorkflowError> {
    let mut anew = Heads::of(workspace, now);
    // A rotation may have changed git HEAD in this run; those that never began one share what was read once.
    let heads = match case.rotation {
        None => &mut known.heads,
        Some(_) => &mut anew,
    };
    let own: Vec<TlsaName> = case
        .certificate
        .endpoints()
        .map(|e| e.tlsa_name())
        .collect();
    let mut names = own.clone();
    for name in &own {
        // An alias that leads out of our zones is told where the rotation is looked at; the others are published all the same.
        if let Ok(found) = surroundings::find(heads, name) {
            names.extend(found.links);
            names.push(found.name);
        }
    }
    let mut deeds = Vec::new();
    for zone in head::zones_of(workspace, &names) {
        // Nothing is held against a zone for a certificate that was never rotated: once in a run is enough for all of them.
        if case.rotation.is_none() && known.zones.contains(&zone.name) {
            continue;
        }
        // What a primary or a provider keeps is published already, and signed by it.
        if zone.publication.is_elsewhere() {
            continue;
        }
        let head = heads.get(zone)?;
        keeps_the_promise(zone, head, case, now)?;
        deeds.extend(sign::publish(workspace, lock, zone, head, now)?);
        known.zones.insert(zone.name.clone());
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
        case.note(now, fact.clone())?;
        tick.events.push(fact);
    }
    case.keep(lock)?;
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
