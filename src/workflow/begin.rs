//! Rotations that `advance` begins by itself: the key in use is due, the next one is to be published always, or a renewed
//! certificate was kept until the one before it was through.

use super::WorkflowError;
use super::advance::Tick;
use super::case::Case;
use super::head::Heads;
use super::job::follow;
use super::{pace, pause, renewed, start};
use crate::rotation::due::{Afterwards, Occasion};
use crate::rotation::timing::Instant;
use crate::workspace::lock::WorkspaceLock;

/// Why `advance` would begin a rotation now by itself, if it would: the next key is to be published always, or the key in
/// use is due.
pub(super) fn due(case: &Case<'_>, now: Instant) -> Result<Option<Occasion>, WorkflowError> {
    Ok(match pace::afterwards(case)? {
        Some(Afterwards::Begins(next)) if next.at <= now => Some(next.why),
        _ => None,
    })
}

pub(super) fn begin_if_due<'w>(
    heads: &mut Heads<'w>,
    lock: &WorkspaceLock,
    case: &mut Case<'w>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let (workspace, now) = (heads.workspace, heads.now);
    let name = case.certificate.name.clone();
    if follow::leaves_dane(workspace, &name)? || pause::paused(workspace, &name, now)?.is_some() {
        return Ok(());
    }
    let step = case.rotation.as_ref().map(|(_, state)| state.step);
    let kept = renewed::kept(workspace, &name).filter(|_| renewed::follows(step));
    let why = match due(case, now)? {
        _ if kept.is_some() => {
            "a certificate was renewed while the one before was under way".to_owned()
        }
        Some(why) => why.to_string(),
        None => return Ok(()),
    };
    let started = match start::begin(heads, lock, case, (kept.as_ref(), None)) {
        // A renewal with the same key is nothing to rotate; the run says so on its own account.
        Err(WorkflowError::SameKey { .. }) => return renewed::let_go(workspace, &name),
        started => started?,
    };
    if kept.is_some() {
        renewed::let_go(workspace, &name)?;
    }
    tick.deeds.push(format!("began {}: {why}", started.id));
    tick.notes.extend(started.notes);
    let unreached = start::unreached(heads, case.certificate, &started.state);
    tick.notes.extend(unreached);
    Ok(())
}
