//! One zone's edit towards a requirement: which records come and go, which files change by it, and what people are shown.
//!
//! It depends on the zone as it stands, the requirement and a day for the serial, on nothing else: whoever asks again, here
//! or where a pull request is checked, gets the same octets (review rule R1).

use super::WorkflowError;
use super::head::{self, Head};
use super::others;
use crate::change::changes::{Changes, Detail};
use crate::change::message::Purpose;
use crate::dnssec::delta::Delta;
use crate::publish::git::{Change as FileChange, Repository};
use crate::rotation::step::{Requirement, Rotation};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::ZoneConfig;
use crate::workspace::journal::RotationId;
use crate::zone::answers::{self, Answer};
use crate::zone::content::Zone;
use crate::zone::diff;
use crate::zone::edit::{Change, Edited, edit, edit_included};
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The TTL of a TLSA RRset where there was none: short enough to act within the hour, long enough to be cached.
const FIRST_TTL: Ttl = Ttl(3600);

/// One zone's edit.
pub(super) struct Draft<'w> {
    /// The zone.
    pub(super) zone: &'w ZoneConfig,
    /// What it was edited from.
    pub(super) head: Arc<Head>,
    /// The records that come and go.
    pub(super) changes: Vec<Change>,
    /// The edited file.
    pub(super) edited: Edited,
}

/// The edit that brings the zone `head` to meet `requirement`; `None` if it does. The serial takes its day from `now`. One
/// that would change what others get is refused.
pub(super) fn draft<'w>(
    workspace: &Workspace,
    state: &Rotation,
    zone: &'w ZoneConfig,
    head: Arc<Head>,
    requirement: &Requirement,
    now: Instant,
) -> Result<Option<Draft<'w>>, WorkflowError> {
    together(workspace, zone, head, &[(state, requirement)], now)
}

/// The same for what several rotations require, in one edit.
pub(super) fn together<'w>(
    workspace: &Workspace,
    zone: &'w ZoneConfig,
    head: Arc<Head>,
    wanted: &[(&Rotation, &Requirement)],
    now: Instant,
) -> Result<Option<Draft<'w>>, WorkflowError> {
    let mut at: BTreeMap<Name, Vec<&Requirement>> = BTreeMap::new();
    for (state, requirement) in wanted {
        for name in names_in(workspace, zone, state) {
            at.entry(name).or_default().push(requirement);
        }
    }
    let changes = changes_of(&head.content, &at);
    if changes.is_empty() {
        return Ok(None);
    }
    let names: Vec<Name> = at.into_keys().collect();
    let edited = edited(zone, &head, &changes, now)?;
    let becomes = (&edited.file, &content(&edited)?);
    others::are_left_alone(workspace, zone, &head, becomes, &names)?;
    Ok(Some(Draft {
        zone,
        head,
        changes,
        edited,
    }))
}

/// The zone's files with these changes: wherever they fit best, or in the one file of it that is ours.
pub(super) fn edited(
    zone: &ZoneConfig,
    head: &Head,
    changes: &[Change],
    now: Instant,
) -> Result<Edited, WorkflowError> {
    let edited = match &zone.included {
        None => edit(&head.file, changes, now),
        Some(ours) => edit_included(&head.file, changes, &ours.display().to_string()),
    };
    edited.map_err(|e| refused(zone, &e))
}

/// The records to add and remove so that the zone meets the requirement; additions first, so no name is ever bare. A name that
/// a wildcard stands for gets records of its own, those of the wildcard among them: it answers for the name no longer (RFC 4592
/// §2.2.2). Where nothing would be left of these, only a change of the wildcard itself helps.
pub(super) fn changes(content: &Zone, names: &[Name], requirement: &Requirement) -> Vec<Change> {
    let wanted = names.iter().map(|name| (name.clone(), vec![requirement]));
    changes_of(content, &wanted.collect())
}

/// The same where several requirements hold for a name.
fn changes_of(content: &Zone, wanted: &BTreeMap<Name, Vec<&Requirement>>) -> Vec<Change> {
    let (mut additions, mut removals) = (Vec::new(), Vec::new());
    for (owner, requirements) in wanted {
        // What lies below a delegation is nobody's to write here.
        if matches!(
            answers::answer(content, owner, Rtype::TLSA),
            Answer::Referral(..)
        ) {
            continue;
        }
        let answered = head::associations(content, owner);
        if requirements.iter().all(|one| one.is_met_by(&answered)) {
            continue;
        }
        let applied = |rrset: BTreeSet<_>, one: &&Requirement| one.applied_to(&rrset);
        let becomes = requirements.iter().fold(answered.clone(), applied);
        let own = match content.rrset(owner, Rtype::TLSA) {
            Some(_) => answered,
            None => BTreeSet::new(),
        };
        let ttl = head::tlsa(content, owner).map_or(FIRST_TTL, |rrset| rrset.ttl);
        additions.extend(becomes.difference(&own).map(|association| {
            let rdata = Rdata::from(association);
            Change::Add(Record {
                owner: owner.clone(),
                ttl,
                rtype: Rtype::TLSA,
                rdata,
            })
        }));
        removals.extend(own.difference(&becomes).map(|association| Change::Remove {
            owner: owner.clone(),
            rtype: Rtype::TLSA,
            rdata: Rdata::from(association),
        }));
    }
    additions.append(&mut removals);
    additions
}

/// The rotation's names that lie in this zone and in none below it.
pub(super) fn names_in(workspace: &Workspace, zone: &ZoneConfig, state: &Rotation) -> Vec<Name> {
    let names = state.names();
    let parsed = names
        .iter()
        .filter_map(|tlsa| Name::parse(tlsa.as_str().as_bytes(), None).ok());
    let home = |name: &Name| workspace.config.zone_of(name).map(|zone| &zone.name);
    parsed
        .filter(|name| home(name) == Some(&zone.name))
        .collect()
}

/// The zone files with new text.
pub(super) fn zone_files(draft: &Draft<'_>) -> Vec<FileChange> {
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

/// The record diff for people, which stands beside the zone for review.
pub(super) fn record_diff(
    workspace: &Workspace,
    of: &str,
    purpose: Purpose,
    draft: &Draft<'_>,
) -> Result<FileChange, WorkflowError> {
    let records = diff::diff_files(&draft.head.file, &draft.edited.file)
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))?;
    let records = Changes::of(&records, Detail::Meaning).to_string();
    Ok(FileChange {
        path: review_file(workspace, of, purpose, draft.zone, "diff"),
        contents: records.into_bytes(),
        generated: true,
    })
}

/// Where a file for review lies: `changes/mail.1/publish.example.com.diff` of a rotation, `changes/mail/prune.example.com.diff`
/// of what is done beside them.
pub(super) fn review_file(
    workspace: &Workspace,
    of: &str,
    purpose: Purpose,
    zone: &ZoneConfig,
    ending: &str,
) -> PathBuf {
    let directory = workspace.root.join("changes").join(of);
    directory.join(format!("{purpose}.{}{ending}", zone.name))
}

/// The files for review of earlier rotations of the certificate that `commit` holds: they are over, and whoever reviews this
/// one looks for its own. git keeps them all.
pub(super) fn outdated_reviews(
    workspace: &Workspace,
    repository: &Repository,
    commit: &str,
    id: &RotationId,
) -> Result<Vec<PathBuf>, WorkflowError> {
    let there = reviewed(workspace, repository, commit)?.into_iter();
    let is_outdated = |of: &RotationId| of.certificate == id.certificate && of.number < id.number;
    Ok(there
        .filter_map(|(of, path)| is_outdated(&of).then_some(path))
        .collect())
}

/// The files for review that `commit` holds, each with its rotation.
pub(super) fn reviewed(
    workspace: &Workspace,
    repository: &Repository,
    commit: &str,
) -> Result<Vec<(RotationId, PathBuf)>, WorkflowError> {
    let all = workspace.root.join("changes");
    let of = |path: &Path| {
        let (directory, file) = (path.parent()?.to_str()?, path.file_name()?.to_str()?);
        let mut endings = [".diff", ".delta", ".proposal"].iter();
        let is_ours = endings.any(|end| file.ends_with(end));
        directory.parse::<RotationId>().ok().filter(|_| is_ours)
    };
    let there = repository.files_below(commit, &all)?.into_iter();
    Ok(there
        .filter_map(|path| Some((of(&path)?, all.join(path))))
        .collect())
}

/// What changes in the zone files, line by line.
pub(super) fn text_diff(workspace: &Workspace, draft: &Draft<'_>) -> String {
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

/// What a draft changes in its zone, without what follows from that.
pub(super) fn meaning(draft: &Draft<'_>) -> Result<Changes, WorkflowError> {
    let target = content(&draft.edited)?;
    let changes = diff::diff(&draft.head.content, &target);
    Ok(Changes::of(&changes, Detail::Meaning))
}

/// Whether a delta of the signed zone says these changes, and no other.
pub(super) fn means(delta: &Delta, zone: &ZoneConfig, changes: &Changes) -> bool {
    let told = Changes::of_delta(delta, Detail::Meaning);
    delta.apex() == &zone.name && told.listed == changes.listed
}

/// What the edited file means.
pub(super) fn content(edited: &Edited) -> Result<Zone, WorkflowError> {
    edited
        .file
        .zone()
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))
}

/// That the zone cannot be edited.
pub(super) fn refused(zone: &ZoneConfig, reason: &dyn std::fmt::Display) -> WorkflowError {
    WorkflowError::Edit {
        zone: zone.name.clone(),
        reason: reason.to_string(),
    }
}
