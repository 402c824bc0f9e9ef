//! A journal folded into the latest rotation, by the machine's own table; and what no run can have recorded, since time forbids it.
//!
//! A journal on a ref can be written by whoever may push there, and by a runner whose clock is wrong.

use super::WorkflowError;
use crate::rotation::step::{Event, Rotation, apply};
use crate::rotation::wait::opens_too_soon;
use crate::workspace::journal::{Entry, Journal, RotationId};

/// The latest rotation and its state, as a journal tells them.
pub(super) fn replay(
    journal: &Journal<Event>,
) -> Result<Option<(RotationId, Rotation)>, WorkflowError> {
    let mut rotation: Option<(RotationId, Rotation)> = None;
    for entry in journal.entries() {
        let illegal = |illegal| WorkflowError::IllegalHistory {
            path: journal.path().to_owned(),
            entry: entry.seq,
            illegal,
        };
        match &mut rotation {
            Some((id, state)) if *id == entry.rotation => {
                if let Some(what) = too_soon(state, entry) {
                    return Err(WorkflowError::TooSoon {
                        path: journal.path().to_owned(),
                        entry: entry.seq,
                        what: what.into(),
                        back: None,
                    });
                }
                state.follow(entry.at, &entry.event).map_err(illegal)?;
            }
            // All facts of its rotation were set aside.
            _ if matches!(entry.event, Event::ClockRepaired { .. }) => {}
            _ => {
                let begun = apply(None, entry.at, &entry.event).map_err(illegal)?;
                rotation = Some((entry.rotation.clone(), begun));
            }
        }
    }
    Ok(rotation)
}

/// Why an entry cannot have been made when it says (RFC 7671 §8.1). A journal on a ref can be written by whoever may push there.
fn too_soon(state: &Rotation, entry: &Entry<Event>) -> Option<String> {
    let earliest = opens_too_soon(state, entry.at, &entry.event)?;
    Some(format!(
        "the swap opened at {}, and caches may lack the next key until {earliest}",
        entry.at
    ))
}
