//! What a run establishes for many certificates is recorded with the other runners at once, before each has its turn.
//!
//! A fact counts once the remote has it, and effects follow only then: so all certificates are brought to where they can be
//! looked at, looked at, and judged, and what was found goes there in one push, not in one for each. Whatever cannot be done
//! here is left to the certificate's own turn, which says why.

use super::act;
use super::advance::{Tick, prepare};
use super::begin::begin_if_due;
use super::case::{Case, keep_all};
use super::establish::establish;
use super::known::Known;
use super::look_ahead::{Seen, look_ahead};
use super::made_here;
use super::shared;
use super::sight::sight_of;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeMap;
use std::time::Instant as Moment;

/// How often it is tried again after another runner was faster.
const MOST_ATTEMPTS: usize = 3;

/// A certificate on the way.
struct One<'w> {
    case: Case<'w>,
    tick: Tick,
    begun: Option<RotationId>,
}

/// Concludes for all certificates named; what there is to tell of each, so far. Nothing where runners share no journals, or
/// for one alone.
pub(super) fn together(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    names: &[String],
) -> BTreeMap<String, Tick> {
    if names.len() < 2 || !shared::is_shared(known.workspace) {
        return BTreeMap::new();
    }
    for _ in 0..MOST_ATTEMPTS {
        match once(known, lock, names) {
            Ok(ticks) => return ticks,
            Err(is_overtaken) => {
                if !is_overtaken || shared::synchronise(known.workspace, lock, known.now).is_err() {
                    break;
                }
                known.forget();
            }
        }
    }
    // Nothing that is not kept has happened.
    known.forget();
    BTreeMap::new()
}

/// The same, once; where it could not be kept, whether because somebody else was faster.
fn once(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    names: &[String],
) -> Result<BTreeMap<String, Tick>, bool> {
    let names = names.iter();
    let mut all: Vec<One<'_>> = names.filter_map(|name| opened(known, lock, name)).collect();
    keep(known, lock, &mut all)?;
    look_again(known, &all);
    for one in &mut all {
        let name = one.case.certificate.name.as_str();
        let state = one.case.rotation.as_ref().map(|(_, state)| state);
        let seen = known.sights.get(name).zip(state);
        let seen = seen.and_then(|(seen, state)| seen.fresh(state, Moment::now()));
        let Some(seen) = seen.cloned() else { continue };
        known.heads.saw(Some(&seen));
        // A zone that cannot be handed on is told in the turn of its certificate, which tries it again.
        let mut deeds = Vec::new();
        let _ = act::publish_merged(known, lock, &one.case, Some(&seen.observation), &mut deeds);
        one.tick.deeds.extend(deeds);
    }
    if all.iter().any(|one| !one.tick.deeds.is_empty()) {
        // What was handed on just now may be served by now.
        let handed_on: Vec<String> = all
            .iter()
            .filter(|one| !one.tick.deeds.is_empty())
            .map(|one| one.tick.certificate.clone())
            .collect();
        let seen = look_ahead(known, &handed_on);
        known.sights.extend(seen);
    }
    for one in &mut all {
        let name = one.case.certificate.name.clone();
        let Some((_, state)) = one.case.rotation.clone() else {
            continue;
        };
        let Some(seen) = known.sights.remove(&name) else {
            continue;
        };
        let began = seen.began();
        let sight = sight_of(known, &one.case, &state, Some(seen));
        // An error is met again in its turn; what was noted before it holds.
        let _ = establish(known, lock, &mut one.case, sight.clone(), &mut one.tick);
        if let Some((_, state)) = &one.case.rotation {
            let seen = Seen::now(state.clone(), sight, began);
            known.sights.insert(name, seen);
        }
    }
    keep(known, lock, &mut all)?;
    Ok(all
        .into_iter()
        .map(|one| (one.tick.certificate.clone(), one.tick))
        .collect())
}

/// A certificate brought to where it can be looked at; nothing where that is for its own turn to tell.
fn opened<'w>(known: &mut Known<'w>, lock: &WorkspaceLock, name: &str) -> Option<One<'w>> {
    let mut case = Case::open(known.workspace, name, known.now).ok()?;
    if known.doubt(&case).is_some() || case.is_whole(&mut known.heads).is_err() {
        return None;
    }
    case.defer();
    let mut tick = Tick::of(name);
    let before = case.rotation.as_ref().map(|(id, _)| id.clone());
    begin_if_due(&mut known.heads, lock, &mut case, &mut tick).ok()?;
    let after = case.rotation.as_ref().map(|(id, _)| id.clone());
    let begun = after.filter(|after| before.as_ref() != Some(after));
    tick.rotation.clone_from(&case.rotation);
    prepare(known, lock, &mut case, &mut tick).ok()?;
    known.note(name, case.rotation.as_ref());
    Some(One { case, tick, begun })
}

/// Looks at those whose rotation does not stand where it stood when they were looked at.
fn look_again(known: &mut Known<'_>, all: &[One<'_>]) {
    let stands = |one: &&One<'_>| {
        let state = one.case.rotation.as_ref().map(|(_, state)| state);
        let seen = known.sights.get(&one.tick.certificate);
        state.is_none_or(|state| seen.is_some_and(|seen| seen.is_of(state)))
    };
    let moved: Vec<String> = all
        .iter()
        .filter(|one| !stands(one))
        .map(|one| one.tick.certificate.clone())
        .collect();
    let seen = look_ahead(known, &moved);
    known.sights.extend(seen);
}

/// Keeps what was noted of all of them.
fn keep(known: &Known<'_>, lock: &WorkspaceLock, all: &mut [One<'_>]) -> Result<(), bool> {
    let mut cases: Vec<&mut Case<'_>> = all.iter_mut().map(|one| &mut one.case).collect();
    keep_all(known.workspace, lock, &mut cases).map_err(|error| error.is_overtaken())?;
    for one in all {
        if let Some(id) = one.begun.take() {
            // What is left of the note tells only of an interrupted start.
            let _ = made_here::end(known.workspace, &id);
        }
    }
    Ok(())
}
