//! Use case `forget`: a host that is gone for good is let go by a person, so that it holds up no rotation any more.

use super::WorkflowError;
use super::advance::{self, Tick};
use super::case::Case;
use super::hosts;
use super::known::Known;
use super::shared;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;

/// Lets `host` go in every rotation under way that it takes part in, and advances each once. What that costs is among the
/// deeds of each.
pub fn forget(
    workspace: &Workspace,
    host: &str,
    reason: &str,
    now: Instant,
) -> Result<Vec<Tick>, WorkflowError> {
    // Held to the end: the wish and what follows from it belong to one run.
    let lock = workspace.lock()?;
    shared::synchronise(workspace, &lock)?;
    let mut ticks = Vec::new();
    let mut known = Known::nothing(workspace, now);
    for certificate in &workspace.config.certificates {
        let mut case = Case::open(workspace, &certificate.name, now)?;
        let Some((id, state)) = case.under_way().cloned() else {
            continue;
        };
        let gone = hosts::of_host(&state, host);
        if gone.is_empty() {
            continue;
        }
        if gone.len() == state.endpoints.len() && !hosts::lets_all_go(state.step) {
            return Err(WorkflowError::NotFromHere {
                what: "let the only host go in",
                why: "no host would be left to rotate a key of",
                way_out: format!(
                    "give the rotation up first: tlsa-rotate abort {0}; then let the host go",
                    id.certificate
                ),
                step: state.step,
                id,
            });
        }
        let left = hosts::left(&mut known, &state, &gone, Some(reason.to_owned()));
        let told = hosts::told(&left, &id.to_string());
        case.record(&lock, now, left)?;
        let mut tick = advance::tick(workspace, &lock, &certificate.name, now);
        tick.deeds.splice(0..0, told);
        if certificate.hosts.iter().any(|one| hosts::is(one, host)) {
            tick.notes.push(format!(
                "{host} is still among the `hosts` of {}: take it out there, or the next rotation takes it in again",
                certificate.name
            ));
        }
        ticks.push(tick);
    }
    if ticks.is_empty() {
        return Err(WorkflowError::NoSuchHost {
            host: host.to_owned(),
            configured: hosts::configured_for(&workspace.config, host),
        });
    }
    Ok(ticks)
}
