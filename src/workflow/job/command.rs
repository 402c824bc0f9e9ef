//! What the commands of jobs have in common: one job at a time, proposed under the lock and followed once, or only told.

use super::propose;
use super::sight::Looked;
use super::{Job, Kind, Outcome, Refusal, Way};
use crate::rotation::requirement::Requirement;
use crate::workflow::WorkflowError;
use crate::workflow::case::Case;
use crate::workflow::head::Heads;
use crate::workflow::known::Known;
use crate::workflow::present::Present;
use crate::workflow::propose::Proposed;
use crate::workflow::run::Run;
use crate::workspace::Workspace;

/// Refuses a job while another of the same certificate is open.
pub(in crate::workflow) fn is_free(
    workspace: &Workspace,
    certificate: &str,
    kind: Kind,
) -> Result<(), WorkflowError> {
    let Some(open) = Job::read(workspace, certificate)? else {
        return Ok(());
    };
    let gives_way = match open.way {
        Way::Proposed => false,
        // The hosts that leave are bound to their keys; only to come back changes nothing for them.
        Way::Served(_) => !open.leaves_dane() || kind == Kind::Enable,
        Way::Over => true,
    };
    if open.kind == kind || gives_way {
        return Ok(());
    }
    let other = open.kind;
    let way_out = match open.way {
        Way::Proposed => format!(
            "`tlsa-rotate status {certificate}` says what it waits for; to take it back: tlsa-rotate {other} {certificate} --undo"
        ),
        _ => format!("`tlsa-rotate status {certificate}` says until when"),
    };
    Err(Refusal::new(kind, certificate)
        .because(format!("`{other}` of it is open"), way_out)
        .into())
}

/// Refuses a rotation while records of its certificate are proposed by a job: what it finds would not be what comes.
pub(in crate::workflow) fn lets_begin(
    workspace: &Workspace,
    certificate: &str,
) -> Result<(), WorkflowError> {
    match Job::read(workspace, certificate)? {
        Some(open)
            if open.way == Way::Proposed && matches!(open.kind, Kind::Adopt | Kind::Enable) =>
        {
            Err(WorkflowError::JobOpen {
                kind: open.kind,
                certificate: certificate.to_owned(),
            })
        }
        _ => Ok(()),
    }
}

/// Proposes the job, and goes one step on; or says what would change.
pub(in crate::workflow) fn propose<'w>(
    run: &Run<'w>,
    heads: &mut Heads<'w>,
    case: &Case<'w>,
    (looked, requirement): (&Looked, Requirement),
    mut outcome: Outcome,
) -> Result<Outcome, WorkflowError> {
    let (workspace, name) = (heads.workspace, case.certificate.name.as_str());
    let names = looked.rrsets().keys().cloned().collect();
    let mut job = Job::asked(outcome.kind, run.now, names, requirement, looked.ttl());
    if let Some(open) = Job::read(workspace, name)?
        && open.kind == job.kind
        && open.requirement() == job.requirement()
    {
        // It is the same, and comes to the same octets.
        job.asked = open.asked;
    }
    outcome.diff = propose::preview(heads, (&looked.state, &job))?;
    let Some(lock) = run.lock() else {
        return Ok(outcome);
    };
    job.keep(workspace, lock, name)?;
    let proposed = propose::propose(heads, lock, case, (&looked.state, &job))?;
    let mut tick = run.follow(case);
    let deeds = proposed.into_iter().map(|proposed| match proposed {
        Proposed::Merged(told) | Proposed::ForReview(told) | Proposed::Standing(told) => told,
    });
    tick.deeds.splice(0..0, deeds);
    outcome.tick = Some(tick);
    Ok(outcome)
}

/// Takes a job back whose change is not merged; where it is, says how.
pub fn undo(
    workspace: &Workspace,
    name: &str,
    kind: Kind,
    present: &Present,
) -> Result<Vec<String>, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open_as_it_is(name)?;
    let open = Job::read(workspace, name)?.filter(|job| job.kind == kind);
    let Some(job) = open else {
        return Err(Refusal::new(kind, &case.certificate.name)
            .because(
                "none is open",
                format!("`tlsa-rotate status {name}` says what is"),
            )
            .into());
    };
    let mut known = Known::nothing(workspace, run.now);
    let is_merged = super::follow::unmet(&mut known, &job)?.is_empty();
    if is_merged || job.way != Way::Proposed {
        let way = match kind {
            Kind::Disable => format!("tlsa-rotate enable {name}"),
            Kind::Enable => format!("tlsa-rotate disable {name}"),
            Kind::Prune => "revert the commit that took the records out (git revert): to add records is safe at any time, and the servers get it by `tlsa-rotate advance`".to_owned(),
            Kind::Adopt => format!("put the key of before on the hosts, then: tlsa-rotate prune {name}"),
        };
        return Err(Refusal::new(kind, name)
            .because("the change is in the zone already", way)
            .into());
    }
    let Some(lock) = run.lock() else {
        return Ok(vec![format!("a run would take `{kind}` of {name} back")]);
    };
    let mut deeds = propose::retract(&mut known.heads, lock, name, &job)?;
    Job::forget(workspace, lock, name)?;
    deeds.push(format!("`{kind}` of {name} is taken back"));
    Ok(deeds)
}
