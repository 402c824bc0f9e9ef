//! What follows from a decision: keys made, zones proposed, signed and handed to their servers, certificates deployed.
//!
//! Everything here can be done again without harm, and is, until the world has been seen to have changed.

use super::WorkflowError;
use super::advance::{Tick, remember};
use super::case::Case;
use super::head;
use super::known::Known;
use super::propose::{self, Proposed};
use super::zone_look::zone_name;
use super::{
    admit, awaited, before, deploying, handing_on, neighbours, pause, renewed, sign, start,
    surroundings,
};
use crate::publish::command::{CommandError, Invocation};
use crate::rotation::decide::Action;
use crate::rotation::emergency::Priority;
use crate::rotation::observation::{Endpoint, Observation, TlsaName};
use crate::rotation::step::{Event, Requirement, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::Deploy;
use crate::workspace::config::ZoneConfig;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a deployment may take.
const DEPLOYMENT: Duration = Duration::from_secs(300);

/// Signs what the branch that counts holds and hands it to the servers, for every zone that holds a TLSA RRset of a certificate
/// or an alias on the way to one; says what was done. Once in a run is enough for all certificates of a zone, as long as the
/// run does not change it.
///
/// A zone that was restored or edited by hand so that it would make senders refuse mail is not handed on; nor is one that
/// takes a record out, or brings a name its first, unless every host was `seen` in this run to bear it.
pub(super) fn publish_merged(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    seen: Option<&Observation>,
    deeds: &mut Vec<String>,
) -> Result<(), WorkflowError> {
    let judged = seen.map(|seen| (case.certificate.name.as_str(), seen));
    known.note(&case.certificate.name, case.rotation.as_ref());
    for zone in published_here(known, case) {
        if known.was_handed_on(zone) {
            continue;
        }
        known.tries(zone);
        hand_on(known, lock, zone, judged, deeds)?;
        known.handed_on(zone);
    }
    Ok(())
}

/// The zones that hold a TLSA RRset of a certificate, or an alias on the way to one, and are handed to their servers from
/// here. What a primary or a provider keeps is published already, and signed by it.
fn published_here<'w>(known: &mut Known<'w>, case: &Case<'_>) -> Vec<&'w ZoneConfig> {
    let own = case.certificate.endpoints().map(|one| one.tlsa_name());
    let mut names: Vec<TlsaName> = own.collect();
    for name in names.clone() {
        // An alias that leads out of our zones is told where the rotation is looked at; the others are published all the same.
        if let Ok(found) = surroundings::find(&mut known.heads, &name) {
            names.extend(found.links);
            names.push(found.name);
        }
    }
    let mut zones = head::zones_of(known.workspace, &names);
    zones.retain(|zone| !zone.publication.is_elsewhere());
    zones
}

/// Why the zones of a certificate would not be handed on as the branch that counts has them, if so; by what was seen.
pub(super) fn would_be_handed_on<'w>(
    known: &mut Known<'w>,
    case: &Case<'w>,
    seen: Option<&Observation>,
) -> Result<(), WorkflowError> {
    for zone in published_here(known, case) {
        // One that cannot be read is told where the rotation is looked at.
        if let Ok(head) = known.heads.get(zone) {
            known.keeps_every_promise(zone, &head)?;
            if let (Some((id, state)), Some(seen)) = (&case.rotation, seen) {
                known.is_seen_to_be_safe_for((zone, &head), (id, state), (seen, false))?;
            }
            known.is_safe_at_rest_for(zone, case.certificate)?;
            sign::can_follow(known.workspace, zone, || Ok(head), known.now)?;
        }
    }
    Ok(())
}

/// Brings one zone to its servers as the branch that counts holds it. Where that may not be, what they have keeps signatures
/// that last.
pub(super) fn hand_on(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    zone: &ZoneConfig,
    judged: Option<(&str, &Observation)>,
    deeds: &mut Vec<String>,
) -> Result<(), WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let head = match known.heads.get(zone) {
        Ok(head) => head,
        // What cannot be read is no reason to let the signatures of what the servers have run out.
        Err(error) => {
            deeds.extend(renewed(workspace, lock, zone, now));
            return Err(error);
        }
    };
    let serials = known.heads.serials.get(&zone_name(zone)).cloned();
    let serials = serials.unwrap_or_default();
    let handed_on = known.keeps_every_promise(zone, &head).and_then(|()| {
        let may_be = || {
            known.is_seen_to_be_safe((zone, &head), judged)?;
            handing_on::judge(known, zone, &head)
        };
        let seen = judged.map(|(_, seen)| (seen, serials));
        sign::publish(workspace, lock, (zone, &head), seen, now, may_be)
    });
    match handed_on {
        Ok(more) => deeds.extend(more),
        Err(error) => {
            if error.is_of_handing_on() {
                deeds.extend(renewed(workspace, lock, zone, now));
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Makes the signatures of what the servers have anew; says what was done, or why not.
fn renewed(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    zone: &ZoneConfig,
    now: Instant,
) -> Vec<String> {
    sign::renew(workspace, lock, zone, now).unwrap_or_else(|why| {
        let zone = &zone.name;
        vec![format!(
            "the signatures of {zone} could not be made anew: {why}"
        )]
    })
}

/// Finishes steps 1 and 2 where a start was interrupted.
pub(super) fn finish_key_steps(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way().cloned() else {
        return Ok(());
    };
    if state.step == Step::Hashed {
        return look_round_again(known, lock, case, tick);
    }
    if !matches!(state.step, Step::Started | Step::Generated) {
        return Ok(());
    }
    let now = known.now;
    let admitted = admit::admit(known.workspace, case, &id, None, now)?;
    let mut found = start::surroundings(&mut known.heads, case.certificate, &admitted.chains)?;
    if state.step == Step::Started {
        let stated = case.certificate.ttl_before; // the TTL itself is part of the start
        before::remember(&mut known.heads, case.certificate, &mut found, stated, now);
    }
    let facts = start::key_facts(known.workspace, &found, admitted.not_after).into_iter();
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
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = case.under_way() else {
        return Ok(());
    };
    let directory = admit::directory(known.workspace, id);
    if !directory.exists() {
        // The runner that made the key looks.
        return Ok(());
    }
    let incoming = admit::in_directory(&directory)?;
    let found = start::surroundings(&mut known.heads, case.certificate, &incoming)?;
    if let Some(fact) = found.changed_since(state) {
        case.record(lock, known.now, fact.clone())?;
        tick.events.push(fact);
        tick.rotation.clone_from(&case.rotation);
    }
    Ok(())
}

/// Refuses to take a key out that hosts of another certificate have come to need since it was published. Where security goes
/// first it leaves all the same, and that is told.
pub(super) fn takes_from_nobody(
    known: &mut Known<'_>,
    case: &Case<'_>,
    requirement: &Requirement,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((_, state)) = case.under_way() else {
        return Ok(());
    };
    let (heads, leaving) = (&mut known.heads, &requirement.absent);
    // Hosts that left are looked at as long as they share an RRset.
    let has_left = |alias: &TlsaName| state.left.keys().any(|one| one.tlsa_name() == *alias);
    let names = state.names();
    match neighbours::keep_their_keys(heads, case.certificate, names, leaving, has_left) {
        // Nor is a compromised key kept for what cannot be told of the others.
        Err(found) if state.emergency == Some(Priority::Security) => {
            remember(&mut tick.notes, vec![found.to_string()]);
            Ok(())
        }
        kept => kept,
    }
}

/// Does what the step asks for. Whether the world may have changed by it, so that another look is worth while.
pub(super) fn carry_out(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    actions: &[Action],
    tick: &mut Tick,
) -> Result<bool, WorkflowError> {
    let workspace = known.workspace;
    let Some((id, state)) = case.under_way() else {
        return Ok(false);
    };
    let mut changed = false;
    known.heads.reviews.begin(id);
    let asked = (actions, state.emergency);
    let actions = pause::allowed(workspace, case.certificate, asked, known.now, tick)?;
    for action in &actions {
        match action {
            // Key steps are done before deciding.
            Action::AdmitKey | Action::ComputeAssociations => {}
            Action::ChangeZone(requirement) => {
                takes_from_nobody(known, case, requirement, tick)?;
                let policy = &tick.policy;
                let stand = case.stand();
                let context = propose::Context {
                    workspace,
                    id,
                    state,
                    policy,
                    journal: stand.as_deref(),
                };
                let proposed = propose::propose(lock, &context, requirement, &mut known.heads)?;
                changed |= tell(proposed, tick);
            }
            Action::Deploy(endpoints) => match &case.certificate.deploy {
                Deploy::Command(command) => {
                    changed |= run_on(
                        (workspace, known.now),
                        case,
                        ("deploy", command),
                        endpoints,
                        tick,
                    )?;
                }
                Deploy::Manual => tick.notes.extend(awaited::told(workspace, id)),
            },
            // Without a command, putting a certificate back is for the operator.
            Action::RollBack(endpoints) => {
                if let Some(command) = &case.certificate.rollback {
                    changed |= run_on(
                        (workspace, known.now),
                        case,
                        ("rollback", command),
                        endpoints,
                        tick,
                    )?;
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
    (workspace, now): (&Workspace, Instant),
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
        .filter(|host| state.may_try(host, now))
        .collect();
    if hosts.is_empty() {
        return Ok(false);
    }
    let each: BTreeSet<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let hosts = hosts.into_iter().collect::<Vec<_>>().join(" ");
    let directory = admit::directory(workspace, id);
    if what == "deploy"
        && let Some(why) = awaited::told(workspace, id)
    {
        tick.notes.push(why);
        return Ok(false);
    }
    if what == "deploy" && !admit::holds(workspace, id, &state.incoming)? {
        tick.notes.push(format!(
            "{} does not hold the next keys of {id}: {} made them, and deploys them",
            directory.display(),
            state.made_by.as_deref().unwrap_or("another runner")
        ));
        return Ok(false);
    }
    if what == "deploy" {
        // What a program copies to hosts is looked at as what is installed here is.
        renewed::sound_pairs(workspace, id)?;
    }
    let mut invocation = Invocation::new(command, &workspace.root, DEPLOYMENT);
    let environment = case.certificate.deploy_environment.iter();
    let environment = environment.map(|(name, value)| (name.clone(), value.into()));
    invocation.set.extend(environment);
    invocation.set.extend([
        (
            "TLSA_ROTATE_CONFIG".to_owned(),
            workspace.config_path.clone().into(),
        ),
        ("TLSA_ROTATE_ROTATION".to_owned(), id.to_string().into()),
        (
            "TLSA_ROTATE_CERTIFICATE".to_owned(),
            case.certificate.name.clone().into(),
        ),
        ("TLSA_ROTATE_ACTION".to_owned(), what.into()),
        ("TLSA_ROTATE_HOSTS".to_owned(), hosts.clone().into()),
    ]);
    let with = if what == "deploy" {
        Some(directory)
    } else {
        admit::directory_of_previous(workspace, id, &state.current)
    };
    if let Some(with) = with {
        let with = ("TLSA_ROTATE_DIRECTORY".to_owned(), with.into());
        invocation.set.push(with);
    }
    deploying::begin(workspace, id, &each)?;
    // Asked even if it fails: what it did to the host is seen in the next run.
    tick.asked.extend(endpoints.iter().cloned());
    let ended = invocation.run();
    tick.tried.push(Event::DeploymentTried {
        hosts: each,
        failed: ended.as_ref().err().map(CommandError::briefly),
    });
    ended.map_err(|source| WorkflowError::Deployment {
        what: what.to_owned(),
        hosts: hosts.clone(),
        source: Box::new(source),
    })?;
    tick.deeds
        .push(format!("ran {} for {hosts}", command.join(" ")));
    Ok(true)
}
