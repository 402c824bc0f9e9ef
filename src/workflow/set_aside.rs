//! Use case `tlsrpt --set-aside`: a person looked at TLS reports that cannot be read, and they hold no rotation back any more.

use super::WorkflowError;
use super::advance::Tick;
use super::present::Present;
use super::run::Run;
use super::witness;
use crate::observe::tlsrpt::Gathered;
use crate::rotation::step::Event;
use crate::workspace::Workspace;
use std::collections::BTreeSet;

/// Notes in every rotation under way with a watched mailbox that the reports in `gathered` that cannot be read are set aside,
/// and advances each once. Nothing is noted twice.
pub fn set_aside(
    workspace: &Workspace,
    gathered: &Gathered,
    reason: &str,
    present: &Present,
) -> Result<Vec<Tick>, WorkflowError> {
    let unread: BTreeSet<String> = witness::unread(gathered).into_keys().collect();
    let run = Run::begin(workspace, present)?;
    let mut ticks = Vec::new();
    for certificate in &workspace.config.certificates {
        let mut case = run.open(&certificate.name)?;
        let Some((_, state)) = case.under_way().cloned() else {
            continue;
        };
        if certificate.tlsrpt.is_none() || unread.is_empty() {
            continue;
        }
        let reports: BTreeSet<String> = unread.difference(&state.set_aside).cloned().collect();
        let count = reports.len();
        if count > 0 {
            let reason = reason.to_owned();
            case.note(run.now, Event::ReportsSetAside { reports, reason })?;
        }
        run.keep(&mut case)?;
        let mut tick = run.follow(&case);
        let plural = if count == 1 { "" } else { "s" };
        let told = format!("set aside {count} TLS report{plural} that cannot be read");
        tick.deeds.insert(0, told);
        ticks.push(tick);
    }
    Ok(ticks)
}
