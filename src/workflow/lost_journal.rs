//! What git knows of a certificate's rotations beyond its journal: a journal that was lost is never taken for one that has not
//! begun, nor an older copy of it for the whole.
//!
//! Our commits say which step they are and where the journal stood. Those of the journal's own last rotation must be known to
//! it; those of earlier ones were archived, or given up. A commit that changes no zone of this workspace is another's.

use super::WorkflowError;
use super::read_up_to::ReadUpTo;
use super::upstream::Upstream;
use crate::publish::git::{Repository, StepCommit};
use crate::rotation::step::Event;
use crate::workspace::Workspace;
use crate::workspace::journal::{Journal, RotationId, Stand};
use std::collections::{BTreeMap, BTreeSet};

/// The last rotation of which git holds a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitKnows {
    /// The rotation.
    pub(super) id: RotationId,
    /// Its commits, newest first.
    made: Vec<Made>,
}

impl GitKnows {
    /// The newest commit that the journal knows nothing of, if there is one.
    fn beyond(
        &self,
        workspace: &Workspace,
        journal: &Journal<Event>,
    ) -> Result<Option<&Made>, WorkflowError> {
        let (number, latest) = (self.id.number, journal.latest());
        let is_unknown = |made: &&Made| match &made.stood {
            _ if number != latest => number > latest,
            Some(stood) => !journal.has_stood_at(stood),
            None => !journal.ever_held(number, |event| decides(event, &made.step)),
        };
        for made in self.made.iter().filter(is_unknown) {
            if made.is_of(workspace)? {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }
}

/// A commit that is a step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    /// Such as `publish`.
    step: String,
    commit: String,
    repository: Repository,
    /// Where the journal stood; commits of earlier versions do not say it.
    stood: Option<Stand>,
}

/// The last rotation of each certificate that git knows of.
pub(super) type InGit = BTreeMap<String, GitKnows>;

/// Asks every repository that a zone of the workspace is published by, once for all certificates; and how far each was read.
pub(super) fn in_git(workspace: &Workspace) -> Result<(InGit, ReadUpTo), WorkflowError> {
    let config = &workspace.config;
    let certificates = config.certificates.iter();
    let configured: BTreeSet<&str> = certificates.map(|one| one.name.as_str()).collect();
    let zones = config.zones.iter().filter(|zone| zone.publication.is_git());
    let places: BTreeMap<_, _> = zones
        .map(|zone| ((zone.file.parent(), &zone.file), zone))
        .collect();
    let (mut directory, mut asked) = (None, BTreeSet::new());
    let mut latest = InGit::new();
    let mut read = ReadUpTo::read(&workspace.state());
    for ((parent, file), zone) in places {
        // Zones in one directory are of one repository.
        if directory.replace(parent) == Some(parent) {
            continue;
        }
        let repository = Repository::discover(file)?;
        if !asked.insert(repository.root().to_owned()) {
            continue;
        }
        // Where no branch counts, every one is read whole.
        let tip = Upstream::of(workspace, zone).and_then(|upstream| upstream.tip());
        for found in read.steps(&repository, tip.ok().as_deref())? {
            for (id, made) in Made::of(&found, &repository) {
                if configured.contains(&*id.certificate) {
                    take_up(&mut latest, id, made);
                }
            }
        }
    }
    Ok((latest, read))
}

fn take_up(latest: &mut InGit, id: RotationId, made: Made) {
    let certificate = id.certificate.to_string();
    match latest.get_mut(&certificate) {
        Some(known) if known.id.number > id.number => {}
        Some(known) if known.id == id => known.made.push(made),
        _ => {
            let made = vec![made];
            latest.insert(certificate, GitKnows { id, made });
        }
    }
}

/// Refuses a journal that does not know what git knows of its certificate: it is lost, or older.
pub(super) fn is_whole(
    workspace: &Workspace,
    journal: &Journal<Event>,
    known: Option<&GitKnows>,
) -> Result<(), WorkflowError> {
    let Some(known) = known else {
        return Ok(());
    };
    let Some(made) = known.beyond(workspace, journal)? else {
        return Ok(());
    };
    let rotation = known.id.clone();
    let (step, commit) = (made.step.clone(), made.commit.clone());
    let path = journal.path().to_owned();
    Err(match journal.entries().last() {
        None => WorkflowError::JournalLost {
            certificate: rotation.certificate.to_string(),
            rotation,
            step,
            commit,
            path,
        },
        Some(last) => WorkflowError::JournalOlder {
            rotation,
            step,
            commit,
            path,
            entry: last.seq,
            at: last.at,
        },
    })
}

impl Made {
    /// From a commit of ours; one that several were made into tells of each.
    fn of(found: &StepCommit, repository: &Repository) -> Vec<(RotationId, Self)> {
        let steps = found.step.iter().flat_map(|steps| steps.split(';'));
        let stood = found.journal.iter().flat_map(|stood| stood.split(';'));
        let stood: Vec<Option<Stand>> = stood.map(|one| one.parse().ok()).collect();
        let steps = steps.enumerate().filter_map(|(nth, step)| {
            let (id, step) = step.split_once('/')?;
            let made = Self {
                step: step.to_owned(),
                commit: found.commit.clone(),
                repository: repository.clone(),
                stood: stood.get(nth).cloned().flatten(),
            };
            Some((id.parse().ok()?, made))
        });
        steps.collect()
    }

    /// Whether it changes a zone of this workspace.
    fn is_of(&self, workspace: &Workspace) -> Result<bool, WorkflowError> {
        let touched = self.repository.touched(&self.commit)?;
        let zones = workspace.config.zones.iter();
        let mut files = zones.flat_map(|zone| zone.included.iter().chain([&zone.file]));
        Ok(files.any(|file| touched.contains(file)))
    }
}

/// Whether no commit of a step is made before such a fact.
fn decides(event: &Event, step: &str) -> bool {
    match step {
        "publish" => matches!(event, Event::PrepublishDecided),
        "retire" => matches!(event, Event::RetireDecided | Event::ReplacementVerified),
        "withdraw" => matches!(event, Event::WithdrawalDecided),
        "replace" => matches!(event, Event::EmergencyDeclared { .. }),
        "reinstate" => matches!(
            event,
            Event::AbortRequested { .. } | Event::OldWithdrawn { .. }
        ),
        // A step of a later version: what it rests on is not known here.
        _ => false,
    }
}
