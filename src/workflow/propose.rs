//! A zone brought to meet a requirement: edited from the branch that counts, signed ahead, described for a reviewer, and committed.
//!
//! A proposal that still says the same on the same base is left standing, so that a run every minute makes one commit.

use super::WorkflowError;
use super::case::Case;
use super::draft::{
    Draft, changes, content, draft, edited, meaning, means, names_in, outdated_reviews,
    record_diff, review_file, text_diff, zone_files,
};
use super::head::{self, Head, Heads};
use super::upstream::Upstream;
use super::{deleted, elsewhere, sign};
use crate::change::message::{OUTDATED_DIGEST, Purpose, Subject, message};
use crate::change::proposal::{Label, NAMESPACE, Signed};
use crate::publish::git::{Change as FileChange, GitError, Message, Outcome, Target};
use crate::publish::ssh_sign;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::TlsaName;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::Publication;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a proposal is made for.
pub(super) struct Context<'a> {
    /// The workspace.
    pub(super) workspace: &'a Workspace,
    /// The rotation's name.
    pub(super) id: &'a RotationId,
    /// Its state.
    pub(super) state: &'a Rotation,
    /// Its policy.
    pub(super) policy: &'a Policy,
    /// Where its journal stands.
    pub(super) journal: Option<&'a str>,
}

/// What became of a proposal, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proposed {
    /// It is on the branch that counts, or on disk where there is no git.
    Merged(String),
    /// It waits for a person on a branch of its own, made in this run.
    ForReview(String),
    /// It waits there since an earlier run.
    Standing(String),
}

/// The edits of one rotation that go into one commit: those of every zone that lies in one repository.
struct Bundle<'w> {
    upstream: Upstream,
    branch: Option<String>,
    drafts: Vec<Draft<'w>>,
}

/// Proposes what `requirement` lacks in every zone of the rotation.
pub(super) fn propose(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    requirement: &Requirement,
    heads: &mut Heads<'_>,
) -> Result<Vec<Proposed>, WorkflowError> {
    let mut proposed = Vec::new();
    let mut bundles: Vec<Bundle<'_>> = Vec::new();
    let (workspace, state, now) = (context.workspace, context.state, heads.now);
    for zone in head::zones_of(workspace, state.names()) {
        let names = names_in(workspace, zone, state);
        if changes(&heads.get(zone)?.content, &names, requirement).is_empty() {
            continue;
        }
        // What is going to be changed is read now: it may have been seen a while ago.
        let head = heads.get_anew(zone)?;
        let Some(draft) = draft(workspace, state, zone, head, requirement, day(state))? else {
            continue;
        };
        if zone.publication.is_elsewhere() {
            elsewhere::change(workspace, zone, &draft.head, &draft.changes, now)?;
            let place = zone.file.file_name().unwrap_or_default().to_string_lossy();
            let what = context.what(&[draft]);
            proposed.push(Proposed::Merged(format!("changed {place}: {what}")));
            continue;
        }
        if zone.publication == Publication::File {
            for change in zone_files(&draft) {
                inside::replace(&change.path, &change.contents)?;
            }
            let what = context.what(&[draft]);
            proposed.push(Proposed::Merged(format!("wrote {what}")));
            continue;
        }
        let upstream = Upstream::of(workspace, zone)?;
        let branch = zone.publication.branch(&context.id.to_string());
        let same =
            |bundle: &&mut Bundle<'_>| bundle.upstream == upstream && bundle.branch == branch;
        if let Some(bundle) = bundles.iter_mut().find(same) {
            bundle.drafts.push(draft);
        } else {
            bundles.push(Bundle {
                upstream,
                branch,
                drafts: vec![draft],
            });
        }
    }
    for bundle in bundles {
        proposed.push(publish(lock, context, requirement, &bundle, now)?);
        if bundle.branch.is_none() {
            for draft in bundle.drafts {
                heads.wrote(draft.zone, draft.edited.file);
            }
        }
    }
    Ok(proposed)
}

/// The day that a serial takes: that of the step, not of the run. A run that resumes another's work the day after writes
/// the same octets, and knows the other's half-done work by them; so does who checks a pull request.
pub(super) fn day(state: &Rotation) -> Instant {
    state.since
}

/// Takes back an unmerged proposal that the step no longer wants: merged later, it would put a key into the zone that no
/// host will ever present, or take one out that a host may present again. Says what was done.
pub(super) fn retract(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    case: &Case<'_>,
    blockers: &[Blocker],
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let Some((id, state)) = case.rotation.as_ref() else {
        return Ok(deeds);
    };
    // Silence takes nothing back: the gate of the merged change asks again.
    let needed_again = |blocker: &Blocker| match blocker {
        Blocker::WrongKey { presents, .. } => state.current.contains(presents),
        _ => false,
    };
    let outdated: &[Purpose] = match state.step {
        Step::Retiring if blockers.iter().any(needed_again) => &[Purpose::Retire],
        Step::Withdrawing | Step::Aborted => &[Purpose::Publish, Purpose::Reinstate],
        Step::Reinstating | Step::Reinstated => &[Purpose::Retire],
        Step::Replacing | Step::Replaced => &[Purpose::Publish],
        _ => return Ok(deeds),
    };
    for zone in head::zones_of(workspace, state.names()) {
        let Some(branch) = zone.publication.branch(&id.to_string()) else {
            continue;
        };
        let upstream = Upstream::of(workspace, zone)?;
        let base = upstream.tip()?;
        for purpose in outdated {
            let step = format!("{id}/{purpose}");
            let site = upstream.site();
            if upstream.repository.retract(&branch, &step, &base, site)? {
                deeds.push(match state.step {
                    Step::Withdrawing | Step::Aborted => {
                        format!("deleted branch {branch}: {id} was given up before it was merged")
                    }
                    Step::Retiring => format!(
                        "deleted branch {branch} ({purpose}): a host presents a key that it takes out"
                    ),
                    step => format!("deleted branch {branch} ({purpose}): {id} is {step} now"),
                });
            }
        }
    }
    Ok(deeds)
}

/// The unified diff of the zone files that `requirement` would lead to, on top of `after` where that is not met yet.
pub(super) fn preview(
    workspace: &Workspace,
    state: &Rotation,
    requirement: &Requirement,
    after: Option<&Requirement>,
    now: Instant,
) -> Result<String, WorkflowError> {
    let mut text = String::new();
    for zone in head::zones_of(workspace, state.names()) {
        let mut head = head::head(workspace, zone, now)?;
        if let Some(after) = after {
            let names = names_in(workspace, zone, state);
            let changes = changes(&head.content, &names, after);
            let edited = edited(zone, &head, &changes, now)?;
            let content = content(&edited)?;
            head = Head {
                file: Arc::new(edited.file),
                content: Arc::new(content),
                commit: None,
            };
        }
        let head = Arc::new(head);
        if let Some(draft) = draft(workspace, state, zone, head, requirement, now)? {
            text.push_str(&text_diff(workspace, &draft));
        }
    }
    Ok(text)
}

impl Context<'_> {
    /// A proposal in words.
    fn what(&self, drafts: &[Draft<'_>]) -> String {
        let zones: Vec<String> = drafts.iter().map(|d| d.zone.name.to_string()).collect();
        let plural = if zones.len() == 1 { "" } else { "s" };
        let zones = zones.join(" and ");
        let purpose = self.purpose();
        let digest = if drafts.iter().any(|d| d.edited.outdates_digest()) {
            format!("; ZONEMD: {OUTDATED_DIGEST}")
        } else {
            String::new()
        };
        format!("{} in zone{plural} {zones} ({purpose}{digest})", self.id)
    }

    fn purpose(&self) -> Purpose {
        Purpose::of(self.state.step).unwrap_or(Purpose::Publish)
    }
}

fn publish(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    requirement: &Requirement,
    bundle: &Bundle<'_>,
    now: Instant,
) -> Result<Proposed, WorkflowError> {
    let (purpose, what) = (context.purpose(), context.what(&bundle.drafts));
    let step = format!("{}/{purpose}", context.id);
    let Bundle {
        upstream, branch, ..
    } = bundle;
    let base = upstream.tip()?;
    let read_at = |draft: &Draft<'_>| draft.head.commit.as_deref() == Some(&*base);
    if let Some(draft) = bundle.drafts.iter().find(|draft| !read_at(draft)) {
        let zone = draft.zone.name.clone();
        return Err(WorkflowError::HeadMoved { zone });
    }
    if let Some(branch) = branch
        && stands(context, bundle, branch, &step, &base, now)?
    {
        return Ok(Proposed::Standing(format!(
            "{what} waits for review on branch {branch}"
        )));
    }
    let mut files = Vec::new();
    for draft in &bundle.drafts {
        files.extend(zone_files(draft));
        files.extend(review_files(lock, context, draft, now)?);
    }
    let outdated = outdated_reviews(context.workspace, &upstream.repository, &base, context.id)?;
    files.extend(outdated.into_iter().map(FileChange::gone));
    let text = message(purpose, &subject(context, requirement, &bundle.drafts));
    let message = Message {
        text: &text,
        step: &step,
        journal: context.journal,
    };
    let scratch = context.workspace.state().join("worktree");
    let target = match branch {
        None => upstream.direct(&base, &scratch),
        Some(name) => Target::Branch {
            name,
            base: &base,
            scratch: &scratch,
            site: upstream.site(),
        },
    };
    let repository = &upstream.repository;
    let outcome = match repository.commit(&files, message, target) {
        Err(GitError::BranchDeleted { branch, .. })
            if deleted::let_go(
                context.workspace,
                lock,
                (repository, upstream.site()),
                &branch,
                now,
            )? =>
        {
            repository.commit(&files, message, target)?
        }
        outcome => outcome?,
    };
    Ok(match (branch, outcome) {
        (None, _) => Proposed::Merged(format!("committed {what}")),
        (Some(branch), Outcome::Rebuilt { .. }) => Proposed::ForReview(format!(
            "rebuilt {what} on branch {branch}: it was out of date"
        )),
        (Some(branch), Outcome::Repeated { .. }) => Proposed::ForReview(format!(
            "proposed {what} again on branch {branch}: it was merged, and what it brought has been taken out since"
        )),
        (Some(branch), _) => {
            Proposed::ForReview(format!("committed {what} for review on branch {branch}"))
        }
    })
}

/// Whether the branch holds this step's proposal on the present base, octet for octet, and it can still be applied.
fn stands(
    context: &Context<'_>,
    bundle: &Bundle<'_>,
    branch: &str,
    step: &str,
    base: &str,
    now: Instant,
) -> Result<bool, WorkflowError> {
    let repository = &bundle.upstream.repository;
    let Some(proposal) = repository.proposal(branch, bundle.upstream.site())? else {
        return Ok(false);
    };
    if proposal.parent.as_deref() != Some(base) || proposal.step.as_deref() != Some(step) {
        return Ok(false);
    }
    for draft in &bundle.drafts {
        let files = zone_files(draft);
        let files = files.iter().map(|file| (&*file.path, &*file.contents));
        if repository
            .holds_at(&proposal.commit, files)?
            .contains(&false)
        {
            return Ok(false);
        }
        if draft.zone.proposal_key.is_some() && !applies(context, draft, &proposal.commit, now)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the signed proposal in `commit` may still be applied: it is in time, and the signed zone is what it starts from.
fn applies(
    context: &Context<'_>,
    draft: &Draft<'_>,
    commit: &str,
    now: Instant,
) -> Result<bool, WorkflowError> {
    let Context { workspace, id, .. } = *context;
    let path = review_file(workspace, id, context.purpose(), draft.zone, "proposal");
    let repository = Upstream::of(workspace, draft.zone)?.repository;
    let Some(octets) = repository.file_at(commit, &path)? else {
        // There was nothing to sign: no signed zone yet.
        return Ok(true);
    };
    let Ok(signed) = Signed::parse(&octets) else {
        return Ok(false);
    };
    let present = sign::serial(draft.zone)?;
    Ok(now <= signed.proposal.expires && present == Some(signed.proposal.delta.old_serial()))
}

/// What stands beside the zone for review: the record diff for people, the delta of the signed zones, and where a key is
/// configured the signed proposal that `change apply` takes.
fn review_files(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    draft: &Draft<'_>,
    now: Instant,
) -> Result<Vec<FileChange>, WorkflowError> {
    let (workspace, purpose) = (context.workspace, context.purpose());
    let generated = |ending: &str, contents: String| FileChange {
        path: review_file(workspace, context.id, purpose, draft.zone, ending),
        contents: contents.into_bytes(),
        generated: true,
    };
    let mut files = vec![record_diff(workspace, context.id, purpose, draft)?];
    // What the servers have may be older than the base, where that may not be handed on: a delta from there says something else.
    let wanted = meaning(draft)?;
    let delta = sign::ahead(workspace, lock, draft.zone, &draft.edited.file, now)?;
    if let Some(delta) = delta.filter(|delta| means(delta, draft.zone, &wanted)) {
        files.push(generated("delta", delta.to_string()));
        if let Some(key) = &draft.zone.proposal_key {
            let what = [context.id.to_string(), purpose.to_string()].map(|text| Label::new(&text));
            let proposal = sign::proposal(draft.zone, delta, what.into(), now)?;
            let armoured = ssh_sign::sign(&proposal.to_string(), key, NAMESPACE)?;
            files.push(generated(
                "proposal",
                proposal.sealed(&armoured)?.to_string(),
            ));
        }
    }
    Ok(files)
}

fn subject<'a>(
    context: &'a Context<'_>,
    requirement: &'a Requirement,
    drafts: &[Draft<'_>],
) -> Subject<'a> {
    let mut now = BTreeMap::new();
    let mut zones = Vec::new();
    let mut digests = BTreeSet::new();
    for draft in drafts {
        for name in names_in(context.workspace, draft.zone, context.state) {
            let rrset = head::associations(&draft.head.content, &name);
            now.insert(TlsaName::new(name.to_string()), rrset);
        }
        let serials = draft.edited.serial.map(|serial| (serial.from, serial.to));
        let zone = draft.zone.name.to_string();
        let zone = zone.trim_end_matches('.').to_owned();
        if draft.edited.outdates_digest() {
            digests.insert(zone.clone());
        }
        zones.push((zone, serials));
    }
    Subject {
        rotation: context.id.to_string(),
        state: context.state,
        requirement,
        zones,
        digests,
        now,
        policy: context.policy,
    }
}
