//! A job's change brought to where the zone is kept: a branch for review, the branch that counts, a file, a primary or a
//! provider, with the files for review that a rotation's change has.

use super::Job;
use crate::change::message::message;
use crate::publish::git::{GitError, Message, Review};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use crate::workflow::WorkflowError;
use crate::workflow::case::Case;
use crate::workflow::describe::{Origin, applies, review_files, subject_of};
use crate::workflow::draft::{self, Draft, zone_files};
use crate::workflow::elsewhere;
use crate::workflow::head::{self, Head, Heads};
use crate::workflow::propose::Proposed;
use crate::workflow::upstream::Upstream;
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, ZoneConfig};
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use std::sync::Arc;

/// The edits of one job that go into one commit.
struct Bundle<'w> {
    upstream: Upstream,
    /// The branch for review, if there is one.
    branch: Option<String>,
    drafts: Vec<Draft<'w>>,
}

/// Proposes what the job lacks in every zone; what became of it, one sentence each.
pub(in crate::workflow) fn propose<'w>(
    heads: &mut Heads<'w>,
    lock: &WorkspaceLock,
    case: &Case<'w>,
    (state, job): (&Rotation, &Job),
) -> Result<Vec<Proposed>, WorkflowError> {
    let (workspace, now) = (heads.workspace, heads.now);
    let name = &case.certificate.name;
    let mut proposed = Vec::new();
    let mut bundles: Vec<Bundle<'w>> = Vec::new();
    for (zone, draft) in drafts(heads, (state, job), true)? {
        if zone.publication.is_elsewhere() {
            elsewhere::change(workspace, zone, &draft.head, &draft.changes, now)?;
            proposed.push(Proposed::Merged(format!("changed zone {}", zone.name)));
            continue;
        }
        if zone.publication == Publication::File {
            for change in zone_files(&draft) {
                inside::replace(&change.path, &change.contents)?;
            }
            proposed.push(Proposed::Merged(format!("wrote zone {}", zone.name)));
            continue;
        }
        let upstream = heads.upstream(zone)?;
        let branch = zone
            .publication
            .job_branch(name, &job.kind.to_string(), &zone.name);
        let same = |one: &&mut Bundle<'_>| one.upstream == upstream && one.branch == branch;
        match bundles.iter_mut().find(same) {
            Some(bundle) => bundle.drafts.push(draft),
            None => bundles.push(Bundle {
                upstream,
                branch,
                drafts: vec![draft],
            }),
        }
    }
    for bundle in bundles {
        proposed.push(commit(heads, lock, case, (state, job), &bundle)?);
        if bundle.branch.is_none() {
            for draft in bundle.drafts {
                heads.wrote(draft.zone, draft.edited.file);
            }
        }
    }
    Ok(proposed)
}

/// What would change in the zone files, line by line.
pub(in crate::workflow) fn preview(
    heads: &mut Heads<'_>,
    (state, job): (&Rotation, &Job),
) -> Result<String, WorkflowError> {
    let workspace = heads.workspace;
    let drafts = drafts(heads, (state, job), false)?.into_iter();
    Ok(drafts
        .map(|(_, draft)| draft::text_diff(workspace, &draft))
        .collect())
}

/// The edit of each zone that the job changes. The serial takes its day from when it was asked for, so that it comes to the
/// same whenever it is made.
fn drafts<'w>(
    heads: &mut Heads<'w>,
    (state, job): (&Rotation, &Job),
    anew: bool,
) -> Result<Vec<(&'w ZoneConfig, Draft<'w>)>, WorkflowError> {
    let workspace: &'w Workspace = heads.workspace;
    let requirement = job.requirement();
    let mut drafts = Vec::new();
    for zone in head::zones_of(workspace, state.names()) {
        let head: Arc<Head> = if anew {
            heads.get_anew(zone)?
        } else {
            heads.get(zone)?
        };
        let draft = draft::draft(workspace, state, zone, head, &requirement, job.asked)?;
        drafts.extend(draft.map(|draft| (zone, draft)));
    }
    Ok(drafts)
}

fn commit(
    heads: &Heads<'_>,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    (state, job): (&Rotation, &Job),
    bundle: &Bundle<'_>,
) -> Result<Proposed, WorkflowError> {
    let (workspace, now) = (heads.workspace, heads.now);
    let upstream = &bundle.upstream;
    let base = upstream.tip()?;
    let read_at = |draft: &&Draft<'_>| draft.head.commit.as_deref() != Some(&*base);
    if let Some(draft) = bundle.drafts.iter().find(read_at) {
        let zone = draft.zone.name.clone();
        return Err(WorkflowError::HeadMoved { zone });
    }
    let origin = Origin {
        workspace,
        name: case.certificate.name.clone(),
        purpose: job.kind.purpose(),
    };
    let step = format!("{}/{}", origin.name, job.kind);
    if let Some(branch) = &bundle.branch
        && stands(&origin, bundle, (branch, &step, &base), now)?
    {
        return Ok(Proposed::Standing(format!(
            "{step} stands on branch {branch}"
        )));
    }
    let mut files = Vec::new();
    for draft in &bundle.drafts {
        files.extend(zone_files(draft));
        files.extend(review_files(lock, &origin, draft, now)?);
    }
    let requirement = job.requirement();
    let drafts: Vec<&Draft<'_>> = bundle.drafts.iter().collect();
    let policy = &case.certificate.policy;
    let subject = subject_of(&origin, (state, policy), &requirement, &drafts);
    let text = message(job.kind.purpose(), &subject);
    let message = Message {
        text: &text,
        step: &step,
        journal: None,
    };
    let scratch = workspace.state().join("worktree");
    let (repository, site) = (&upstream.repository, upstream.site());
    let Some(branch) = &bundle.branch else {
        let target = upstream.direct(&base, &scratch);
        repository.commit(&files, message, target)?;
        return Ok(Proposed::Merged(format!(
            "committed {step} on {}",
            upstream.branch
        )));
    };
    let place = (branch.as_str(), site);
    let made = match repository.propose(&files, message, place, &base, &scratch) {
        // Somebody deleted it; a person asks for it again.
        Err(GitError::BranchDeleted { .. }) => {
            if let Some(commit) = repository.remembered(branch)? {
                repository.forget_deleted(branch, &commit, site)?;
            }
            repository.propose(&files, message, place, &base, &scratch)?
        }
        made => made?,
    };
    Ok(match made {
        Review::There(_) => Proposed::Standing(format!("{step} stands on branch {branch}")),
        Review::Built(built) => {
            repository.put(site, &[built])?;
            Proposed::ForReview(format!("committed {step} for review on branch {branch}"))
        }
    })
}

/// Whether the branch holds just this already. Signatures differ each time they are made: what they are of is compared.
fn stands(
    origin: &Origin<'_>,
    bundle: &Bundle<'_>,
    (branch, step, base): (&str, &str, &str),
    now: Instant,
) -> Result<bool, WorkflowError> {
    let upstream = &bundle.upstream;
    let standing = upstream.repository.standing(upstream.site())?;
    let Some(there) = standing.get(branch) else {
        return Ok(false);
    };
    if there.parents != [base] || there.steps != [step] || !there.is_as_set {
        return Ok(false);
    }
    for draft in &bundle.drafts {
        let mut files = zone_files(draft);
        let (workspace, purpose) = (origin.workspace, origin.purpose);
        files.push(draft::record_diff(workspace, &origin.name, purpose, draft)?);
        let all = files.iter().map(|file| (&*file.path, &*file.contents));
        let held = upstream.repository.holds_at(&there.commit, all)?;
        let is_signed = draft.zone.proposal_key.is_some();
        if held.contains(&false) || (is_signed && !applies(origin, draft, &there.commit, now)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The branches that the job's proposals are on, each with where it is.
pub(in crate::workflow) fn branches(
    heads: &mut Heads<'_>,
    certificate: &str,
    job: &Job,
) -> Result<Vec<(Upstream, String)>, WorkflowError> {
    let mut found: Vec<(Upstream, String)> = Vec::new();
    for zone in head::zones_of(heads.workspace, &job.names) {
        let kind = job.kind.to_string();
        let Some(branch) = zone.publication.job_branch(certificate, &kind, &zone.name) else {
            continue;
        };
        let place = (heads.upstream(zone)?, branch);
        if !found.contains(&place) {
            found.push(place);
        }
    }
    Ok(found)
}

/// Takes the proposals back that are not merged; says what was done.
pub(in crate::workflow) fn retract(
    heads: &mut Heads<'_>,
    _lock: &WorkspaceLock,
    certificate: &str,
    job: &Job,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let step = format!("{certificate}/{}", job.kind);
    for (upstream, branch) in branches(heads, certificate, job)? {
        let base = upstream.tip()?;
        let (repository, site) = (&upstream.repository, upstream.site());
        if repository.retract(&branch, &step, &base, site)? {
            deeds.push(format!("deleted branch {branch}: {step} is taken back"));
        }
    }
    Ok(deeds)
}
