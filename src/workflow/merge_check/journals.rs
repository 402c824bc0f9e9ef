//! Where the requirements are from: the journals, on the remote or beside the zones, replayed by the machine's own table.

use crate::publish::git::Repository;
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::Instant;
use crate::workflow::WorkflowError;
use crate::workflow::draft::reviewed;
use crate::workflow::lost_journal::{self, InGit};
use crate::workflow::replay::replay;
use crate::workflow::shared::{self, Shared};
use crate::workspace::Workspace;
use crate::workspace::journal::{Journal, RotationId};

/// The latest rotation of every certificate, and where that is from.
pub(super) struct Told {
    pub(super) rotations: Vec<(RotationId, Rotation)>,
    pub(super) source: String,
    /// The certificates whose journal is there and holds nothing.
    pub(super) empty: Vec<String>,
}

/// The latest rotation of every certificate that has a journal, also of those that the configuration names no more. `base` is
/// the revision that is merged into.
///
/// Where runners share their journals, those on the remote count, fetched now: a pipeline has no others. A journal that is
/// lost, or older than what git knows, tells nothing.
pub(super) fn rotations(
    workspace: &Workspace,
    repository: &Repository,
    (base, now): (&str, Instant),
) -> Result<Told, WorkflowError> {
    let path = workspace.journals();
    let shared = Shared::of(workspace, now)?;
    if let Some(shared) = &shared {
        shared.fetch()?;
    }
    let (in_git, _) = lost_journal::in_git(workspace)?;
    let (journals, source) = match shared {
        // It was asked: where it has none, no rotation was ever recorded.
        Some(shared) => (shared.journals()?.unwrap_or_default(), shared.place()),
        None if path.exists() => (here(workspace)?, "the journals beside the zones".to_owned()),
        None if none_has_begun(workspace, (repository, base), &in_git)? => {
            let nowhere = "git, nor a journal here: none has begun yet";
            (Vec::new(), nowhere.to_owned())
        }
        None => return Err(WorkflowError::NoJournals { path }),
    };
    are_whole(workspace, &journals, &in_git)?;
    let (mut rotations, mut empty) = (Vec::new(), Vec::new());
    for journal in journals {
        if journal.latest() == 0 {
            let name = journal.path().file_stem().unwrap_or_default();
            let name = name.to_string_lossy();
            empty.push(name.rsplit(':').next().unwrap_or_default().to_owned());
        }
        rotations.extend(replay(&journal)?);
    }
    Ok(Told {
        rotations,
        source,
        empty,
    })
}

/// From the directory beside the zones.
fn here(workspace: &Workspace) -> Result<Vec<Journal<Event>>, WorkflowError> {
    let mut journals = Vec::new();
    for name in shared::names(workspace)? {
        let path = workspace.journal(&name);
        journals.push(Journal::read(&path, &name)?);
    }
    Ok(journals)
}

/// Whether no rotation has begun in a repository in which there are no journals: its whole history holds no step of one, and
/// the base none of the files that lie there for review, which stay where whoever merges writes a message of his own.
fn none_has_begun(
    workspace: &Workspace,
    (repository, base): (&Repository, &str),
    in_git: &InGit,
) -> Result<bool, WorkflowError> {
    Ok(in_git.is_empty()
        && repository.tells_all()?
        && reviewed(workspace, repository, base)?.is_empty())
}

/// Refuses journals that do not know what git knows.
fn are_whole(
    workspace: &Workspace,
    journals: &[Journal<Event>],
    in_git: &InGit,
) -> Result<(), WorkflowError> {
    for (certificate, known) in in_git {
        let of_certificate =
            |journal: &&Journal<Event>| journal.certificate() == certificate.as_str();
        let none;
        let journal = if let Some(journal) = journals.iter().find(of_certificate) {
            journal
        } else {
            none = Journal::parse(&workspace.journal(certificate), certificate, b"")?;
            &none
        };
        lost_journal::is_whole(workspace, journal, Some(known))?;
    }
    Ok(())
}
