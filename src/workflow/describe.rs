//! What a reviewer is given beside a changed zone: the record diff, the delta of the signed zones, the signed proposal, and
//! what the commit says of it.

use super::WorkflowError;
use super::draft::{Draft, meaning, means, names_in, record_diff, review_file};
use super::propose::Context;
use super::upstream::Upstream;
use super::{head, sign};
use crate::change::message::{Purpose, Subject};
use crate::change::proposal::{Label, NAMESPACE, Signed};
use crate::publish::git::Change as FileChange;
use crate::publish::ssh_sign;
use crate::rotation::observation::TlsaName;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::lock::WorkspaceLock;
use std::collections::{BTreeMap, BTreeSet};

/// Whose change it is, as files for review are named and proposals signed.
pub(super) struct Origin<'a> {
    /// The workspace.
    pub(super) workspace: &'a Workspace,
    /// The rotation's name, or the certificate's.
    pub(super) name: String,
    /// What the change is for.
    pub(super) purpose: Purpose,
}

/// Whether the signed proposal in `commit` may still be applied: it is in time, and the signed zone is what it starts from.
pub(super) fn applies(
    origin: &Origin<'_>,
    draft: &Draft<'_>,
    commit: &str,
    now: Instant,
) -> Result<bool, WorkflowError> {
    let Origin {
        workspace,
        name,
        purpose,
    } = origin;
    let path = review_file(workspace, name, *purpose, draft.zone, "proposal");
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
pub(super) fn review_files(
    lock: &WorkspaceLock,
    origin: &Origin<'_>,
    draft: &Draft<'_>,
    now: Instant,
) -> Result<Vec<FileChange>, WorkflowError> {
    let Origin {
        workspace,
        name,
        purpose,
    } = origin;
    let purpose = *purpose;
    let generated = |ending: &str, contents: String| FileChange {
        path: review_file(workspace, name, purpose, draft.zone, ending),
        contents: contents.into_bytes(),
        generated: true,
    };
    let mut files = vec![record_diff(workspace, name, purpose, draft)?];
    // What the servers have may be older than the base, where that may not be handed on: a delta from there says something else.
    let wanted = meaning(draft)?;
    let delta = sign::ahead(workspace, lock, draft.zone, &draft.edited.file, now)?;
    if let Some(delta) = delta.filter(|delta| means(delta, draft.zone, &wanted)) {
        files.push(generated("delta", delta.to_string()));
        if let Some(key) = &draft.zone.proposal_key {
            let what = [name.clone(), purpose.to_string()].map(|text| Label::new(&text));
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

/// What the commit message of a rotation's change is about.
pub(super) fn subject<'a>(
    context: &'a Context<'_>,
    requirement: &'a Requirement,
    drafts: &[&Draft<'_>],
) -> Subject<'a> {
    let of = (context.state, context.policy);
    subject_of(&context.origin(), of, requirement, drafts)
}

/// The same of any change.
pub(super) fn subject_of<'a>(
    origin: &Origin<'_>,
    (state, policy): (&'a Rotation, &'a Policy),
    requirement: &'a Requirement,
    drafts: &[&Draft<'_>],
) -> Subject<'a> {
    let mut now = BTreeMap::new();
    let mut zones = Vec::new();
    let mut digests = BTreeSet::new();
    for draft in drafts {
        for name in names_in(origin.workspace, draft.zone, state) {
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
        rotation: origin.name.clone(),
        state,
        requirement,
        zones,
        digests,
        now,
        policy,
    }
}
