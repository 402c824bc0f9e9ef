//! Where a signed zone goes on from, said by a person: the way out where neither memory, nor signed file, nor servers tell.

use super::{KeeperError, WorkflowError};
use crate::dnssec::next::later;
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, Signing};
use crate::workspace::halted;
use crate::workspace::handed_out::{self, HandedOut};
use crate::zone::name::Name;

/// What a person says of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The latest serial that any server has had; it is raised from there.
    pub serial: Option<u32>,
    /// The next version may have other keys than the servers have.
    pub keys_anew: bool,
}

/// Remembers it; gives what is remembered of the zone then. A serial behind the one that is remembered changes nothing.
pub fn go_on(workspace: &Workspace, zone: &Name, said: Said) -> Result<HandedOut, WorkflowError> {
    let _lock = workspace.lock()?;
    let zones = &workspace.config.zones;
    let configured = zones.iter().find(|configured| configured.name == *zone);
    if !configured.is_some_and(|zone| matches!(zone.signing, Signing::Here { .. })) {
        return Err(WorkflowError::NotSignedHere { zone: zone.clone() });
    }
    let state = workspace.state();
    let before = HandedOut::read(&state, zone).map_err(|source| WorkflowError::Unreadable {
        path: handed_out::path(&state, zone),
        source,
    })?;
    let mut handed_out = before.unwrap_or_default();
    let upcoming = handed_out.upcoming.take();
    handed_out.serial = later(later(handed_out.serial, upcoming), said.serial);
    handed_out.keys_anew |= said.keys_anew;
    handed_out.write(&state, zone)?;
    Ok(handed_out)
}

/// Lets a zone be changed again whose provider did something else than it was asked for; whether that was halted.
pub fn provider_was_mended(workspace: &Workspace, zone: &Name) -> Result<bool, WorkflowError> {
    let _lock = workspace.lock()?;
    let mut zones = workspace.config.zones.iter();
    let is_provided = |zone: &Publication| matches!(zone, Publication::Command(_));
    if !zones.any(|one| one.name == *zone && is_provided(&one.publication)) {
        return Err(KeeperError::NotProvided { zone: zone.clone() }.into());
    }
    Ok(halted::go_on(&workspace.state(), zone)?)
}
