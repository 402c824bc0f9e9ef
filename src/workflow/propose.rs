//! A zone brought to meet a requirement: edited from git HEAD, signed ahead, described for a reviewer, and committed.
//!
//! A proposal that still says the same on the same base is left standing, so that a run every minute makes one commit.

use super::WorkflowError;
use super::case::Case;
use super::head::{self, Head};
use super::{elsewhere, sign};
use crate::change::changes::{Changes, Detail};
use crate::change::message::{Purpose, Subject, message};
use crate::change::proposal::{Label, NAMESPACE};
use crate::publish::git::{Change as FileChange, Message, Outcome, Repository, Target};
use crate::publish::ssh_sign;
use crate::rotation::observation::TlsaName;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation, Step};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, ZoneConfig};
use crate::workspace::durable;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::content::Zone;
use crate::zone::diff;
use crate::zone::edit::{Change, Edited, edit};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The TTL of a TLSA RRset where there was none: short enough to act within the hour, long enough to be cached.
const FIRST_TTL: Ttl = Ttl(3600);

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
}

/// What became of a proposal, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proposed {
    /// It is in git HEAD, or on disk where there is no git.
    Merged(String),
    /// It waits for a person on a branch of its own, made in this run.
    ForReview(String),
    /// It waits there since an earlier run.
    Standing(String),
}

/// One zone's edit.
struct Draft<'w> {
    zone: &'w ZoneConfig,
    head: Head,
    changes: Vec<Change>,
    edited: Edited,
}

/// Proposes what `requirement` lacks in every zone of the rotation.
pub(super) fn propose(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    requirement: &Requirement,
    now: Instant,
) -> Result<Vec<Proposed>, WorkflowError> {
    let mut proposed = Vec::new();
    // The serial takes the day of the step, not of the run: a run that resumes another's work the day after writes the
    // same bytes, and knows the other's half-done work by them.
    let day = context.state.since;
    for zone in head::zones_of(context.workspace, context.state) {
        let head = head::head(context.workspace, zone, now)?;
        if let Some(draft) = draft(context.state, zone, head, requirement, day)? {
            proposed.push(publish(lock, context, requirement, &draft, now)?);
        }
    }
    Ok(proposed)
}

/// Takes back the unmerged proposal to publish of a rotation that was given up: merged later, it would put a key into
/// the zone that no host will ever present. Says what was done.
pub(super) fn retract(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    case: &Case<'_>,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let given_up = |state: &Rotation| matches!(state.step, Step::Withdrawing | Step::Aborted);
    let Some((id, state)) = case.rotation.as_ref().filter(|(_, state)| given_up(state)) else {
        return Ok(deeds);
    };
    for zone in head::zones_of(workspace, state) {
        let Some(branch) = zone.publication.branch(&id.to_string()) else {
            continue;
        };
        let step = format!("{id}/{}", Purpose::Publish);
        if Repository::discover(&zone.file)?.retract(&branch, &step)? {
            deeds.push(format!(
                "deleted branch {branch}: {id} was given up before it was merged"
            ));
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
    for zone in head::zones_of(workspace, state) {
        let mut head = head::head(workspace, zone, now)?;
        if let Some(after) = after {
            let changes = changes(&head.content, zone, state, after);
            let edited = edit(&head.file, &changes, now).map_err(|e| refused(zone, &e))?;
            let content = content(&edited)?;
            head = Head {
                file: edited.file,
                content,
            };
        }
        if let Some(draft) = draft(state, zone, head, requirement, now)? {
            text.push_str(&text_diff(workspace, &draft));
        }
    }
    Ok(text)
}

fn draft<'w>(
    state: &Rotation,
    zone: &'w ZoneConfig,
    head: Head,
    requirement: &Requirement,
    now: Instant,
) -> Result<Option<Draft<'w>>, WorkflowError> {
    let changes = changes(&head.content, zone, state, requirement);
    if changes.is_empty() {
        return Ok(None);
    }
    let edited = edit(&head.file, &changes, now).map_err(|e| refused(zone, &e))?;
    Ok(Some(Draft {
        zone,
        head,
        changes,
        edited,
    }))
}

/// The records to add and remove so that the zone meets the requirement; additions first, so no name is ever bare.
fn changes(
    content: &Zone,
    zone: &ZoneConfig,
    state: &Rotation,
    requirement: &Requirement,
) -> Vec<Change> {
    let (mut additions, mut removals) = (Vec::new(), Vec::new());
    for owner in names_in(zone, state) {
        let rrset = head::associations(content, &owner);
        let ttl = content
            .rrset(&owner, Rtype::TLSA)
            .map_or(FIRST_TTL, |rrset| rrset.ttl);
        additions.extend(requirement.missing_in(&rrset).map(|association| {
            let rdata = Rdata::from(association);
            Change::Add(Record {
                owner: owner.clone(),
                ttl,
                rtype: Rtype::TLSA,
                rdata,
            })
        }));
        removals.extend(
            requirement
                .unwanted_in(&rrset)
                .map(|association| Change::Remove {
                    owner: owner.clone(),
                    rtype: Rtype::TLSA,
                    rdata: Rdata::from(association),
                }),
        );
    }
    additions.append(&mut removals);
    additions
}

/// The rotation's names that lie in this zone and in none below it.
fn names_in(zone: &ZoneConfig, state: &Rotation) -> Vec<Name> {
    let parse = |tlsa: &TlsaName| Name::parse(tlsa.as_str().as_bytes(), None).ok();
    let names = state.names();
    names
        .iter()
        .filter_map(parse)
        .filter(|name| name.is_at_or_below(&zone.name))
        .collect()
}

fn publish(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    requirement: &Requirement,
    draft: &Draft<'_>,
    now: Instant,
) -> Result<Proposed, WorkflowError> {
    let purpose = Purpose::of(context.state.step).unwrap_or(Purpose::Publish);
    let zone = draft.zone;
    let what = format!("{} in zone {} ({purpose})", context.id, zone.name);
    let branch = zone.publication.branch(&context.id.to_string());
    if zone.publication.is_elsewhere() {
        elsewhere::change(context.workspace, zone, &draft.head, &draft.changes, now)?;
        let place = zone.file.file_name().unwrap_or_default().to_string_lossy();
        return Ok(Proposed::Merged(format!("changed {place}: {what}")));
    }
    if zone.publication == Publication::File {
        for change in zone_files(draft) {
            durable::replace(&change.path, &change.contents)?;
        }
        return Ok(Proposed::Merged(format!("wrote {what}")));
    }
    let repository = Repository::discover(&zone.file)?;
    let step = format!("{}/{purpose}", context.id);
    if let Some(branch) = &branch
        && stands(&repository, branch, &step, draft, context.workspace)?
    {
        return Ok(Proposed::Standing(format!(
            "{what} waits for review on branch {branch}"
        )));
    }
    let mut files = zone_files(draft);
    files.extend(review_files(lock, context, purpose, draft, now)?);
    let text = message(purpose, &subject(context, requirement, draft));
    let message = Message {
        text: &text,
        step: &step,
    };
    let scratch = context.workspace.state().join("worktree");
    let base = repository.head()?.commit;
    let target = match &branch {
        None => Target::Current,
        Some(name) => Target::Branch {
            name,
            base: &base,
            scratch: &scratch,
        },
    };
    let outcome = repository.commit(&files, message, target)?;
    Ok(match (branch, outcome) {
        (None, _) => Proposed::Merged(format!("committed {what}")),
        (Some(branch), Outcome::Rebuilt { .. }) => Proposed::ForReview(format!(
            "rebuilt {what} on branch {branch}: the base or the step has moved"
        )),
        (Some(branch), _) => {
            Proposed::ForReview(format!("committed {what} for review on branch {branch}"))
        }
    })
}

/// Whether the branch holds this step's proposal on the present base: the same records, whatever serial it was given.
fn stands(
    repository: &Repository,
    branch: &str,
    step: &str,
    draft: &Draft<'_>,
    workspace: &Workspace,
) -> Result<bool, WorkflowError> {
    let Some(proposal) = repository.proposal(branch)? else {
        return Ok(false);
    };
    let base = repository.head()?.commit;
    if proposal.parent.as_deref() != Some(&*base) || proposal.step.as_deref() != Some(step) {
        return Ok(false);
    }
    let there = head::at_commit(workspace, draft.zone, repository, &proposal.commit)?;
    let wanted = content(&draft.edited)?;
    let newer = crate::zone::serial::compare(serial(&there.content), serial(&draft.head.content));
    Ok(newer == Some(std::cmp::Ordering::Greater)
        && without_soa(there.content) == without_soa(wanted))
}

fn without_soa(mut zone: Zone) -> Zone {
    if let Some(node) = zone.nodes.get_mut(&zone.apex) {
        node.remove(&Rtype::SOA);
    }
    zone
}

fn serial(zone: &Zone) -> u32 {
    zone.soa().map_or(0, |soa| soa.serial)
}

/// The zone files with new text.
fn zone_files(draft: &Draft<'_>) -> Vec<FileChange> {
    let sources = draft.edited.file.sources();
    let touched = draft
        .edited
        .touched
        .iter()
        .filter_map(|&index| sources.get(index));
    touched
        .map(|source| FileChange {
            path: PathBuf::from(&*source.path),
            contents: source.bytes.to_vec(),
            generated: false,
        })
        .collect()
}

/// What stands beside the zone for review: the record diff for people, the delta of the signed zones, and where a key is
/// configured the signed proposal that `change apply` takes.
fn review_files(
    lock: &WorkspaceLock,
    context: &Context<'_>,
    purpose: Purpose,
    draft: &Draft<'_>,
    now: Instant,
) -> Result<Vec<FileChange>, WorkflowError> {
    let directory = context
        .workspace
        .root
        .join("changes")
        .join(context.id.to_string());
    let place = |ending: &str| directory.join(format!("{purpose}.{}{ending}", draft.zone.name));
    let target = content(&draft.edited)?;
    let records = diff::diff(&draft.head.content, &target);
    let records = Changes::of(&records, Detail::Meaning).to_string();
    let mut files = vec![FileChange {
        path: place("diff"),
        contents: records.into_bytes(),
        generated: true,
    }];
    if let Some(delta) = sign::ahead(context.workspace, lock, draft.zone, &draft.edited.file, now)?
    {
        files.push(FileChange {
            path: place("delta"),
            contents: delta.to_string().into_bytes(),
            generated: true,
        });
        if let Some(key) = &draft.zone.proposal_key {
            let what = [context.id.to_string(), purpose.to_string()].map(|text| Label::new(&text));
            let proposal = sign::proposal(draft.zone, delta, what.into(), now)?;
            let armoured = ssh_sign::sign(&proposal.to_string(), key, NAMESPACE)?;
            files.push(FileChange {
                path: place("proposal"),
                contents: proposal.sealed(&armoured)?.to_string().into_bytes(),
                generated: true,
            });
        }
    }
    Ok(files)
}

fn subject<'a>(
    context: &'a Context<'_>,
    requirement: &'a Requirement,
    draft: &'a Draft<'_>,
) -> Subject<'a> {
    let rrsets = names_in(draft.zone, context.state).into_iter().map(|name| {
        (
            TlsaName::new(&name.to_string()),
            head::associations(&draft.head.content, &name),
        )
    });
    let serials = draft
        .edited
        .serial
        .as_ref()
        .map_or((0, 0), |serial| (serial.from, serial.to));
    Subject {
        rotation: context.id.to_string(),
        state: context.state,
        requirement,
        zone: draft.zone.name.to_string().trim_end_matches('.').to_owned(),
        now: rrsets.collect::<BTreeMap<_, _>>(),
        serials,
        policy: context.policy,
    }
}

fn text_diff(workspace: &Workspace, draft: &Draft<'_>) -> String {
    let mut text = String::new();
    for change in zone_files(draft) {
        let path = change.path.display().to_string();
        let old = draft
            .head
            .file
            .sources()
            .iter()
            .find(|source| *source.path == *path);
        let old = old
            .map(|source| String::from_utf8_lossy(&source.bytes))
            .unwrap_or_default();
        let new = String::from_utf8_lossy(&change.contents);
        let shown = change
            .path
            .strip_prefix(&workspace.root)
            .unwrap_or(Path::new(&path));
        let (from, to) = (
            format!("a/{}", shown.display()),
            format!("b/{}", shown.display()),
        );
        let diff = similar::TextDiff::from_lines(&*old, &*new);
        text.push_str(
            &diff
                .unified_diff()
                .context_radius(1)
                .header(&from, &to)
                .to_string(),
        );
    }
    text
}

fn content(edited: &Edited) -> Result<Zone, WorkflowError> {
    edited
        .file
        .zone()
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))
}

fn refused(zone: &ZoneConfig, reason: &dyn std::fmt::Display) -> WorkflowError {
    WorkflowError::Edit {
        zone: zone.name.clone(),
        reason: reason.to_string(),
    }
}
