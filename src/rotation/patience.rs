//! How long others may keep a rotation waiting before a person is asked to look: a secondary that never loads a zone does
//! not come right by itself.

use super::blocker::{Blocker, Who};
use super::event::Event;
use super::policy::Policy;
use super::step::Rotation;
use super::timing::Instant;

/// What is worth remembering of a wait for others: that it began, or that it is over while the step lasts.
pub fn fact(rotation: &Rotation, blockers: &[Blocker]) -> Option<Event> {
    match (awaited(blockers).is_some(), rotation.others_since) {
        (true, None) => Some(Event::OthersAwaited),
        (false, Some(_)) => Some(Event::OthersReady),
        _ => None,
    }
}

/// The reason for a person to look, once others have kept the rotation waiting for longer than policy `patience`.
pub fn at_its_end(
    rotation: &Rotation,
    now: Instant,
    policy: &Policy,
    blockers: &[Blocker],
) -> Option<Blocker> {
    let first = awaited(blockers)?;
    let since = rotation.others_since?;
    let lasted = now.since(since);
    (lasted > policy.patience).then(|| Blocker::OthersTakeLong {
        since,
        lasted,
        first: Box::new(first.clone()),
    })
}

/// The first thing that others keep a rotation waiting with, if nobody here has anything to do: while a person has not merged,
/// no server can serve. Hosts that wait for their turn are told about where the turn is.
fn awaited(blockers: &[Blocker]) -> Option<&Blocker> {
    let is_of_others = |one: &&Blocker| one.who() == Who::World && !matches!(one, Blocker::Paced);
    if blockers.iter().any(|one| one.who() == Who::You) {
        return None;
    }
    blockers.iter().find(is_of_others)
}
