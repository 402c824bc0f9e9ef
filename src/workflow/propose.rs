//! A zone brought to meet a requirement: edited from the branch that counts, signed ahead, described for a reviewer, and committed.
//!
//! A proposal that still says the same on the same base is left standing, so that a run every minute makes one commit.

use super::WorkflowError;
use super::case::Case;
use super::describe::{Origin, review_files, subject};
use super::draft::{
    Draft, changes, content, draft, edited, names_in, outdated_reviews, text_diff, zone_files,
};
use super::elsewhere;
use super::head::{self, Head, Heads};
use super::upstream::Upstream;
use crate::change::message::{OUTDATED_DIGEST, Purpose, message};
use crate::publish::git::{Change as FileChange, Message};
use crate::rotation::blocker::Blocker;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::Publication;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
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
        if zone.publication.branch("", &zone.name).is_some() {
            // All that a run wants reviewed goes to its branches together, from what they are based on then.
            heads.reviews.want(context, requirement);
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
            let what = context.what(&[&draft]);
            proposed.push(Proposed::Merged(format!("changed {place}: {what}")));
            continue;
        }
        if zone.publication == Publication::File {
            for change in zone_files(&draft) {
                inside::replace(&change.path, &change.contents)?;
            }
            let what = context.what(&[&draft]);
            proposed.push(Proposed::Merged(format!("wrote {what}")));
            continue;
        }
        let upstream = heads.upstream(zone)?;
        if let Some(bundle) = bundles.iter_mut().find(|one| one.upstream == upstream) {
            bundle.drafts.push(draft);
        } else {
            let drafts = vec![draft];
            bundles.push(Bundle { upstream, drafts });
        }
    }
    for bundle in bundles {
        proposed.push(commit(lock, context, requirement, &bundle, now)?);
        for draft in bundle.drafts {
            heads.wrote(draft.zone, draft.edited.file);
        }
    }
    Ok(proposed)
}

/// The day that a serial takes: that of the step, not of the run. A run that resumes another's work the day after writes
/// the same octets, and knows the other's half-done work by them; so does who checks a pull request.
pub(super) fn day(state: &Rotation) -> Instant {
    state.since
}

/// The steps whose unmerged proposals a rotation no longer wants: merged later, they would put a key into the zone that no
/// host will ever present, or take one out that a host may present again.
pub(super) fn outdated(case: &Case<'_>, blockers: &[Blocker]) -> &'static [Purpose] {
    let Some((_, state)) = case.rotation.as_ref() else {
        return &[];
    };
    // Silence takes nothing back: the gate of the merged change asks again.
    let needed_again = |blocker: &Blocker| match blocker {
        Blocker::WrongKey { presents, .. } => state.current.contains(presents),
        _ => false,
    };
    match state.step {
        Step::Retiring if blockers.iter().any(needed_again) => &[Purpose::Retire],
        Step::Withdrawing | Step::Aborted => &[Purpose::Publish, Purpose::Reinstate],
        Step::Reinstating | Step::Reinstated => &[Purpose::Retire],
        Step::Replacing | Step::Replaced => &[Purpose::Publish],
        _ => &[],
    }
}

/// Takes such proposals back, where the rotation has a branch of its own; from one that it shares they are taken when it is
/// made anew. Says what was done.
pub(super) fn retract(
    heads: &mut Heads<'_>,
    _lock: &WorkspaceLock,
    case: &Case<'_>,
    blockers: &[Blocker],
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let outdated = outdated(case, blockers);
    let Some((id, state)) = case.rotation.as_ref().filter(|_| !outdated.is_empty()) else {
        return Ok(deeds);
    };
    for zone in head::zones_of(heads.workspace, state.names()) {
        let Some(branch) = zone.publication.branch(&id.to_string(), &zone.name) else {
            continue;
        };
        if zone.publication.is_shared() {
            heads.reviews.take_back((id, state), outdated);
            continue;
        }
        let upstream = heads.upstream(zone)?;
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
    heads: &mut Heads<'_>,
    state: &Rotation,
    requirement: &Requirement,
    after: Option<&Requirement>,
) -> Result<String, WorkflowError> {
    let (workspace, now) = (heads.workspace, heads.now);
    let mut text = String::new();
    for zone in head::zones_of(workspace, state.names()) {
        let mut head = heads.get(zone)?;
        if let Some(after) = after {
            let names = names_in(workspace, zone, state);
            let changes = changes(&head.content, &names, after);
            let edited = edited(zone, &head, &changes, now)?;
            let content = content(&edited)?;
            head = Arc::new(Head {
                file: Arc::new(edited.file),
                content: Arc::new(content),
                commit: None,
            });
        }
        if let Some(draft) = draft(workspace, state, zone, head, requirement, now)? {
            text.push_str(&text_diff(workspace, &draft));
        }
    }
    Ok(text)
}

impl Context<'_> {
    /// A proposal in words.
    pub(super) fn what(&self, drafts: &[&Draft<'_>]) -> String {
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

    /// What files for review of it are named by.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            workspace: self.workspace,
            name: self.id.to_string(),
            purpose: self.purpose(),
        }
    }

    pub(super) fn purpose(&self) -> Purpose {
        Purpose::of(self.state.step).unwrap_or(Purpose::Publish)
    }
}

/// Commits on the branch that counts, where nobody reviews.
fn commit(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    requirement: &Requirement,
    bundle: &Bundle<'_>,
    now: Instant,
) -> Result<Proposed, WorkflowError> {
    let drafts: Vec<&Draft<'_>> = bundle.drafts.iter().collect();
    let (purpose, what) = (context.purpose(), context.what(&drafts));
    let step = format!("{}/{purpose}", context.id);
    let upstream = &bundle.upstream;
    let base = upstream.tip()?;
    let read_at = |draft: &Draft<'_>| draft.head.commit.as_deref() == Some(&*base);
    if let Some(draft) = bundle.drafts.iter().find(|draft| !read_at(draft)) {
        let zone = draft.zone.name.clone();
        return Err(WorkflowError::HeadMoved { zone });
    }
    let mut files = Vec::new();
    for draft in &bundle.drafts {
        files.extend(zone_files(draft));
        files.extend(review_files(lock, &context.origin(), draft, now)?);
    }
    let outdated = outdated_reviews(context.workspace, &upstream.repository, &base, context.id)?;
    files.extend(outdated.into_iter().map(FileChange::gone));
    let text = message(purpose, &subject(context, requirement, &drafts));
    let message = Message {
        text: &text,
        step: &step,
        journal: context.journal,
    };
    let scratch = context.workspace.state().join("worktree");
    let target = upstream.direct(&base, &scratch);
    upstream.repository.commit(&files, message, target)?;
    Ok(Proposed::Merged(format!("committed {what}")))
}
