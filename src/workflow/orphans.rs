//! Rotations under way whose certificate the configuration names no more: nobody advances them, and nobody looks at their hosts.

use super::WorkflowError;
use super::advance::Tick;
use super::replay::replay;
use super::shared;
use crate::rotation::step::Event;
use crate::workspace::Workspace;
use crate::workspace::journal::Journal;

/// One for each. A journal that cannot be read tells of none: it is no certificate's here. Where runners share their journals,
/// one may be of another workspace in the same repository, and nothing is told.
pub(super) fn told(workspace: &Workspace) -> Vec<Tick> {
    let mut ticks = Vec::new();
    if workspace
        .config
        .zones
        .iter()
        .any(|zone| zone.remote.is_some())
    {
        return ticks;
    }
    for name in shared::names(workspace).unwrap_or_default() {
        if workspace.config.certificate(&name).is_some() {
            continue;
        }
        let journal = Journal::<Event>::read(&workspace.journal(&name), &name);
        let rotation = journal.ok().and_then(|journal| replay(&journal).ok()?);
        let Some((id, state)) = rotation.filter(|(_, state)| !state.is_over()) else {
            continue;
        };
        let mut tick = Tick::of(&name);
        tick.failed = Some(WorkflowError::Orphan {
            id: id.clone(),
            step: state.step,
        });
        tick.rotation = Some((id, state));
        ticks.push(tick);
    }
    ticks
}
