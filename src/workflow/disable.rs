//! Use case `disable`: every record of a certificate's names leaves at once, and its hosts keep their keys until no cache holds
//! one any more. No record at all is no DANE: that refuses nobody; a part of them could.

use super::WorkflowError;
use super::case::Case;
use super::head::Heads;
use super::job::sight;
use super::job::{self, Kind, Outcome, Refusal};
use super::neighbours;
use super::present::Present;
use super::run::Run;
use crate::rotation::association::Association;
use crate::rotation::requirement::Requirement;
use crate::workspace::Workspace;
use std::collections::BTreeSet;

/// Proposes to take every record of the certificate named `name` out.
pub fn disable(
    workspace: &Workspace,
    name: &str,
    present: &Present,
) -> Result<Outcome, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    run.may_begin(&case)?;
    job::command::is_free(workspace, name, Kind::Disable)?;
    let mut heads = Heads::of(workspace, run.now);
    let looked = sight::look(&mut heads, &case, Kind::Disable)?;
    let mut outcome = Outcome::of(Kind::Disable, name);
    outcome.seen = looked.told();
    let all: BTreeSet<Association> = looked.rrsets().values().flatten().cloned().collect();
    if all.is_empty() {
        has_left(&case)?;
        return Ok(outcome);
    }
    for (tlsa, rrset) in looked.rrsets() {
        for record in rrset {
            let names = outcome.leaves.entry(record.clone()).or_default();
            names.push(tlsa.clone());
        }
    }
    let names = looked.rrsets().keys();
    neighbours::keep_their_keys(&mut heads, case.certificate, names, &all, |_| false)?;
    outcome.seen.push(format!(
        "once no server answers with them, caches may hold them for {}: until then the hosts keep their keys",
        looked.ttl().span()
    ));
    let requirement = Requirement {
        present: BTreeSet::new(),
        absent: all,
    };
    job::command::propose(&run, &mut heads, &case, (&looked, requirement), outcome)
}

/// Where a hand took the records out, the rotation is to hear of it.
fn has_left(case: &Case<'_>) -> Result<(), WorkflowError> {
    let name = &case.certificate.name;
    match &case.rotation {
        Some((id, state)) if state.dane_left.is_none() => Err(Refusal::new(Kind::Disable, name)
            .because(
                format!("the zone holds none of its records any more, and {id} does not know"),
                format!("tell it: tlsa-rotate abort {name} --leave-dane"),
            )
            .into()),
        _ => Ok(()),
    }
}
