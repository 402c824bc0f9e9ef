//! What each run does for an open job: tells who is waited for, sees when every server has it and when caches are without what
//! was before, and takes a proposal back that has come to be wrong.

use super::propose;
use super::sight::{self, Looked};
use super::{Job, Kind, Waits, Way};
use crate::rotation::observation::{Observation, Seen, TlsaName};
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::Instant;
use crate::workflow::WorkflowError;
use crate::workflow::advance::Tick;
use crate::workflow::case::Case;
use crate::workflow::head;
use crate::workflow::known::Known;
use crate::workspace::Workspace;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;

/// Whether a zone may be handed on only if every host of a certificate was seen, whatever its rotation says: a job takes
/// records out. A note that cannot be read may be of one.
pub(in crate::workflow) fn needs_every_host(workspace: &Workspace, certificate: &str) -> bool {
    let job = Job::read(workspace, certificate);
    job.map_or(true, |job| {
        job.is_some_and(|job| job.kind == Kind::Prune && job.way == Way::Proposed)
    })
}

/// Whether the names of a certificate left DANE by `disable`, or are about to: no rotation begins then.
pub(in crate::workflow) fn leaves_dane(
    workspace: &Workspace,
    certificate: &str,
) -> Result<bool, WorkflowError> {
    let job = Job::read(workspace, certificate)?;
    Ok(job.is_some_and(|job| job.leaves_dane()))
}

/// Whether no cache holds a record of a certificate that left DANE any more, and the zones hold none: its hosts may have any key.
pub(in crate::workflow) fn has_left_dane(
    workspace: &Workspace,
    certificate: &str,
    now: Instant,
) -> Result<bool, WorkflowError> {
    let Some(job) = Job::read(workspace, certificate)? else {
        return Ok(false);
    };
    let mut known = Known::nothing(workspace, now);
    let is_over = job.leaves_dane() && job.way == Way::Over;
    Ok(is_over && unmet(&mut known, &job)?.is_empty())
}

/// Before a run decides: where the records of names that leave DANE are out of the zone, their rotation has ended. Else it would
/// propose them again.
pub(in crate::workflow) fn end_rotation(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
) -> Result<(), WorkflowError> {
    let Some(job) = Job::read(known.workspace, &case.certificate.name)? else {
        return Ok(());
    };
    let can_end = |state: &Rotation| state.dane_left.is_none();
    let rotation = case.rotation.as_ref().map(|(_, state)| state);
    if !job.leaves_dane() || !rotation.is_some_and(can_end) || !unmet(known, &job)?.is_empty() {
        return Ok(());
    }
    let reason = "tlsa-rotate disable".to_owned();
    case.record(lock, known.now, Event::DaneLeft { reason })
}

/// Goes on with the job of a certificate; without the lock it is only told.
pub(in crate::workflow) fn follow(
    known: &mut Known<'_>,
    lock: Option<&WorkspaceLock>,
    tick: &mut Tick,
) {
    if tick.is_in_doubt() {
        return;
    }
    let name = tick.certificate.clone();
    if let Err(error) = go_on(known, lock, &name, tick) {
        tick.failed.get_or_insert(error);
    }
}

fn go_on(
    known: &mut Known<'_>,
    lock: Option<&WorkspaceLock>,
    name: &str,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let Some(mut job) = Job::read(workspace, name)? else {
        return Ok(());
    };
    let case = Case::open(workspace, name, now)?;
    if !unmet(known, &job)?.is_empty() {
        return unmerged(known, lock, (&case, &job), tick);
    }
    tick.has_left_dane = job.leaves_dane();
    if job.way == Way::Over {
        return Ok(());
    }
    let missing = match &tick.observation {
        Some(seen) if job.names.iter().all(|name| seen.served.contains_key(name)) => {
            not_served(seen, &job)
        }
        _ => not_served(&look(known, &case, &job)?.observation, &job),
    };
    if let Some(first) = missing.first() {
        let kind = job.kind;
        tick.notes.push(format!(
            "`{kind}` is merged, and waits for the name servers: {first}"
        ));
        job.way = Way::Proposed;
        return keep(workspace, lock, name, &job);
    }
    if job.way == Way::Proposed {
        job.way = Way::Served(now);
        let told = match job.kind {
            Kind::Prune | Kind::Disable => {
                format!(
                    "`{}`: no server answers with what leaves any more",
                    job.kind
                )
            }
            Kind::Adopt | Kind::Enable => format!("`{}`: every server answers with it", job.kind),
        };
        if lock.is_some() {
            tick.deeds.push(told);
        } else {
            tick.notes.push(told);
        }
    }
    let until = job.until().unwrap_or(now);
    if now < until && job.kind != Kind::Prune {
        tick.notes.push(caches(&job, until));
        return keep(workspace, lock, name, &job);
    }
    ended(known, lock, name, job, tick)
}

/// What caches mean for each.
fn caches(job: &Job, until: Instant) -> String {
    match job.kind {
        Kind::Disable => format!(
            "no server answers with a record any more, and caches may hold the records until {until}: until then leave the keys on the hosts as they are"
        ),
        Kind::Adopt => format!(
            "every server lists the adopted key; senders whose cache holds the records of before go on refusing it until {until} at the latest"
        ),
        Kind::Enable => format!(
            "every server answers with the first records; senders that asked before may deliver without DANE until {until}"
        ),
        Kind::Prune => String::new(),
    }
}

fn ended(
    known: &mut Known<'_>,
    lock: Option<&WorkspaceLock>,
    name: &str,
    mut job: Job,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some(lock) = lock else { return Ok(()) };
    tick.deeds.push(match job.kind {
        Kind::Disable => format!(
            "{name} has left DANE: no cache holds a record of it any more, and its hosts may have any key; `tlsa-rotate enable {name}` begins anew"
        ),
        kind => format!("`{kind}` is done"),
    });
    let branches = propose::branches(&mut known.heads, name, &job)?;
    for (upstream, branch) in branches {
        let base = upstream.tip()?;
        let (repository, site) = (&upstream.repository, upstream.site());
        if repository.forget_merged(&branch, name, &base, site)? {
            tick.deeds
                .push(format!("deleted branch {branch}: it is merged"));
        }
    }
    if job.leaves_dane() {
        job.way = Way::Over;
        return job.keep(known.workspace, lock, name);
    }
    Job::forget(known.workspace, lock, name)
}

fn keep(
    workspace: &Workspace,
    lock: Option<&WorkspaceLock>,
    name: &str,
    job: &Job,
) -> Result<(), WorkflowError> {
    match lock {
        Some(lock) if Job::read(workspace, name)?.as_ref() != Some(job) => {
            job.keep(workspace, lock, name)
        }
        _ => Ok(()),
    }
}

/// A job whose change the branch that counts does not have, or no more.
fn unmerged<'w>(
    known: &mut Known<'w>,
    lock: Option<&WorkspaceLock>,
    (case, job): (&Case<'w>, &Job),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let name = &case.certificate.name;
    let branches = propose::branches(&mut known.heads, name, job)?;
    let Some((upstream, branch)) = branches.into_iter().next() else {
        return by_hand(known, lock, (name, job), tick);
    };
    if job.way != Way::Proposed {
        return by_hand(known, lock, (name, job), tick);
    }
    if let Some(lock) = lock
        && job.kind == Kind::Prune
    {
        let looked = look(known, case, job)?;
        if let Some(key) = looked.needed().intersection(&job.absent).next() {
            let deeds = propose::retract(&mut known.heads, lock, name, job)?;
            tick.deeds.extend(deeds);
            tick.notes.push(format!(
                "`prune` was given up: a host presents {}, which it would have taken out",
                key.short()
            ));
            return Job::forget(known.workspace, lock, name);
        }
    }
    let exists = upstream
        .repository
        .proposal(&branch, upstream.site())?
        .is_some();
    tick.failed
        .get_or_insert(WorkflowError::JobWaits(Box::new(Waits {
            kind: job.kind,
            certificate: name.clone(),
            counts: upstream.branch,
            branch,
            exists,
        })));
    Ok(())
}

/// What a job did was taken back by whoever may, or a killed run did not get to it.
fn by_hand(
    known: &mut Known<'_>,
    lock: Option<&WorkspaceLock>,
    (name, job): (&str, &Job),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let kind = job.kind;
    tick.notes.push(format!(
        "what `{kind}` changes is not in the zone, or no more: it is over; `tlsa-rotate {kind} {name}` proposes it again"
    ));
    match lock {
        Some(lock) => Job::forget(known.workspace, lock, name),
        None => Ok(()),
    }
}

fn look<'w>(known: &mut Known<'w>, case: &Case<'w>, job: &Job) -> Result<Looked, WorkflowError> {
    sight::look(&mut known.heads, case, job.kind)
}

/// The names at which the branch that counts does not have what the job wants.
pub(in crate::workflow) fn unmet(
    known: &mut Known<'_>,
    job: &Job,
) -> Result<Vec<TlsaName>, WorkflowError> {
    let workspace = known.workspace;
    let requirement = job.requirement();
    let mut unmet = Vec::new();
    for tlsa in &job.names {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        let zone = name
            .as_ref()
            .and_then(|name| workspace.config.zone_of(name));
        let (Some(name), Some(zone)) = (name, zone) else {
            continue; // the zone is kept here no more
        };
        let head = known.heads.get(zone)?;
        let rrset = head::associations(&head.content, &name);
        let is_met = if job.leaves_dane() {
            rrset.is_empty()
        } else {
            requirement.is_met_by(&rrset)
        };
        if !is_met {
            unmet.push(tlsa.clone());
        }
    }
    Ok(unmet)
}

/// What keeps it from being served, one sentence for each server.
fn not_served(seen: &Observation, job: &Job) -> Vec<String> {
    let requirement = job.requirement();
    let mut missing = Vec::new();
    for name in &job.names {
        let servers = seen.served.get(name).filter(|servers| !servers.is_empty());
        let Some(servers) = servers else {
            missing.push(format!("none could be asked for {name}"));
            continue;
        };
        for (server, answer) in servers {
            match answer {
                Seen::Known(rrset) if job.leaves_dane() && rrset.associations.is_empty() => {}
                Seen::Known(rrset)
                    if !job.leaves_dane() && requirement.is_met_by(&rrset.associations) => {}
                Seen::Known(_) => missing.push(format!("{server} does not have it yet")),
                Seen::Unknown(why) => missing.push(format!("{server}: {why}")),
            }
        }
    }
    missing
}
