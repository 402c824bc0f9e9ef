//! Every zone that is signed here is kept signed, whether a host lies in it or not (RFC 6781 §4.4.2).
//!
//! A zone that fails says so and stops no other.

use super::WorkflowError;
use super::advance::Tick;
use super::known::Known;
use super::{predecessor, sign};
use crate::dnssec::keystore::load_keys;
use crate::dnssec::succession::Why;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::handed_out::HandedOut;
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::signed::{SignedFile, seal_of};

/// Signs and hands on the zones that this run has not tried yet; tells of each what was done, what failed, and what a person
/// has to do for its keys. Of a zone of which there is nothing to tell there is nothing.
pub(super) fn keep_signed(known: &mut Known<'_>, lock: &WorkspaceLock) -> Vec<Tick> {
    let workspace = known.workspace;
    let mut ticks = Vec::new();
    for zone in zones(workspace) {
        let mut tick = tick_of(zone);
        if !known.was_tried(zone) {
            match hand_on(known, lock, zone) {
                Ok(deeds) => {
                    tick.deeds = deeds;
                    known.handed_on(zone);
                }
                Err(error) => tick.failed = Some(error),
            }
        }
        if !known.was_handed_on(zone)
            && let Some(ended) = ended_since(workspace, zone, known.now)
        {
            ticks.push(Tick {
                failed: Some(ended),
                ..tick_of(zone)
            });
        }
        tick.failed = tick.failed.or_else(|| ds_wanted(known, zone));
        if tick.failed.is_some() || !tick.deeds.is_empty() {
            ticks.push(tick);
        }
    }
    ticks
}

/// The zones whose signatures have ended, for who only looks.
pub(super) fn ended(workspace: &Workspace, now: Instant) -> Vec<Tick> {
    let ended = |zone: &ZoneConfig| {
        let mut tick = tick_of(zone);
        tick.failed = Some(ended_since(workspace, zone, now)?);
        Some(tick)
    };
    zones(workspace).filter_map(ended).collect()
}

/// That the signatures of a zone have ended, if they have.
pub(super) fn ended_since(
    workspace: &Workspace,
    zone: &ZoneConfig,
    now: Instant,
) -> Option<WorkflowError> {
    let Signing::Here { signed, .. } = &zone.signing else {
        return None;
    };
    let file = SignedFile::open(signed, &seal_of(&workspace.state(), &zone.name)).ok()??;
    let ended = file.sealed().seal.window()?.expiration;
    (ended <= now).then(|| WorkflowError::SignaturesEnded {
        zone: zone.name.clone(),
        ended,
    })
}

fn tick_of(zone: &ZoneConfig) -> Tick {
    Tick {
        zone: Some(zone.name.clone()),
        ..Tick::of(&zone.name.to_string())
    }
}

fn zones(workspace: &Workspace) -> impl Iterator<Item = &ZoneConfig> {
    let zones = workspace.config.zones.iter();
    zones.filter(|zone| {
        matches!(zone.signing, Signing::Here { .. }) && !zone.publication.is_elsewhere()
    })
}

fn hand_on(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    zone: &ZoneConfig,
) -> Result<Vec<String>, WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let head = known.heads.get(zone)?;
    known.keeps_every_promise(zone, &head)?;
    sign::publish(workspace, lock, zone, &head, now)
}

/// That the parent needs a DS before a key can leave that is to leave.
fn ds_wanted(known: &Known<'_>, zone: &ZoneConfig) -> Option<WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let Signing::Here { keys, .. } = &zone.signing else {
        return None;
    };
    let past = HandedOut::read(&workspace.state(), &zone.name).ok()??;
    // One that waits for the parent signs beside the one that it is to follow.
    let signing = past.keys.keys.iter().filter(|known| known.signs_keys);
    if signing.count() < 2 {
        return None;
    }
    let mut keys = load_keys(keys, &zone.name).ok()?;
    let held = predecessor::hold_by_keys(&past, &mut keys, now)?;
    let waiting = held.into_iter().find(|held| held.why == Why::NoDs)?;
    Some(WorkflowError::DsWanted {
        zone: zone.name.clone(),
        key: waiting.key,
    })
}
