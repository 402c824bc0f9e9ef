//! Mail that is at risk as runs see it: what the servers answer, or caches may still hold, against the keys that hosts present
//! (RFC 7671 §8). No command says less than another.

use super::finding::{Finding, Severity};
use crate::rotation::alarm::Alarm;
use crate::rotation::exposure::Presenter;
use crate::workflow::WorkflowError;
use crate::workflow::advance::{self, Mode};
use crate::workflow::present::Present;
use crate::workspace::Workspace;

/// What `status` tells of the certificates named, or of all of them, and none of `known` tells.
pub(super) fn seen(
    workspace: &Workspace,
    names: &[String],
    present: &Present,
    known: &[Finding],
) -> Result<Vec<Finding>, WorkflowError> {
    let ticks = advance::advance(workspace, names, present, Mode::Look)?;
    let decisions = ticks.into_iter().filter_map(|tick| tick.decision);
    let alarms = decisions.flat_map(|decision| decision.alarms);
    let new = alarms.filter(|alarm| !known.iter().any(|one| tells_of(one, alarm)));
    Ok(new.map(told).collect())
}

fn told(alarm: Alarm) -> Finding {
    let what = format!("{}: {}", alarm.risk.trouble, alarm.breach);
    Finding::new("refused", alarm.risk.place, what)
        .at_risk()
        .by("RFC 7671 §8")
        .remedy(alarm.plan.join("; "))
}

/// Whether a finding is of the host whose mail is at risk.
fn tells_of(finding: &Finding, alarm: &Alarm) -> bool {
    let Presenter::Host { endpoint, .. } = &alarm.breach.presenter else {
        return false;
    };
    finding.severity == Severity::DeliveryAtRisk && finding.place.starts_with(&endpoint.to_string())
}
