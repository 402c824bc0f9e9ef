//! Where the requirements are from: the journals, on the remote or beside the zones, replayed by the machine's own table.

use crate::rotation::step::{Event, Rotation};
use crate::workflow::WorkflowError;
use crate::workflow::case::replay;
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

/// The latest rotation of every certificate that has a journal, also of those that the configuration names no more.
///
/// Where runners share their journals, those on the remote count, fetched now: a pipeline has no others.
pub(super) fn rotations(workspace: &Workspace) -> Result<Told, WorkflowError> {
    let path = workspace.journals();
    let (journals, source) = match Shared::of(workspace)? {
        Some(shared) => {
            shared.fetch(workspace)?;
            // It was asked: where it has none, no rotation was ever recorded.
            (shared.journals()?.unwrap_or_default(), shared.place())
        }
        None if path.exists() => (here(workspace)?, "the journals beside the zones".to_owned()),
        None => return Err(WorkflowError::NoJournals { path }),
    };
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
