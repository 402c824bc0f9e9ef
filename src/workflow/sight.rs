//! What a run goes by when it is the turn of a certificate: what was seen ahead for many at once, as far as it still counts, else
//! a look now.

use super::case::Case;
use super::known::Known;
use super::look::{self, Sight};
use super::look_ahead::Seen;
use super::pace;
use crate::rotation::step::Rotation;
use std::time;

/// What was seen ahead, if it still counts; else what is seen now.
pub(super) fn sight_of<'w>(
    known: &mut Known<'w>,
    case: &Case<'w>,
    state: &Rotation,
    ahead: Option<Seen>,
) -> Sight {
    let still = ahead.and_then(|ahead| {
        let (policy, _) = pace::policy(known, case, state);
        ahead.still(state, known.now, &policy, time::Instant::now())
    });
    still.unwrap_or_else(|| look::look(&mut known.heads, case.certificate, state, known.now))
}

/// What is seen of the rotation, if there is one, and whether it was seen just now.
pub(super) fn see<'w>(
    known: &mut Known<'w>,
    case: &Case<'w>,
    ahead: Option<Seen>,
) -> (Option<Sight>, bool) {
    let Some((_, state)) = &case.rotation else {
        return (None, true);
    };
    let ahead = ahead.filter(|ahead| ahead.is_of(state));
    let is_fresh = ahead
        .as_ref()
        .is_none_or(|ahead| ahead.fresh(state, time::Instant::now()).is_some());
    (Some(sight_of(known, case, state, ahead)), is_fresh)
}
