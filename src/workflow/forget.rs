//! Use case `forget`: a host that is gone for good is let go by a person, so that it holds up no rotation any more.

use super::WorkflowError;
use super::advance::Tick;
use super::hosts;
use super::known::Known;
use super::present::Present;
use super::run::Run;
use crate::workspace::Workspace;

/// Lets `host` go in every rotation under way that it takes part in, and advances each once. What that costs is among the
/// deeds of each.
pub fn forget(
    workspace: &Workspace,
    host: &str,
    reason: &str,
    present: &Present,
) -> Result<Vec<Tick>, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let mut ticks = Vec::new();
    let mut known = Known::nothing(workspace, run.now);
    for certificate in &workspace.config.certificates {
        let mut case = run.open(&certificate.name)?;
        let Some((id, state)) = case.under_way().cloned() else {
            continue;
        };
        let gone = hosts::of_host(&state, host);
        if gone.is_empty() {
            continue;
        }
        if state.endpoints.is_subset(&gone) && !hosts::lets_all_go(state.step) {
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
        let told = hosts::told(&mut known, &state, (&id, &left));
        case.note(run.now, left)?;
        run.keep(&mut case)?;
        let mut tick = run.follow(&case);
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
