//! Use case `enable`: the first records of hosts that have none, of the key that they present. A first record makes senders ask
//! for a match where they did not before (RFC 7672 §2.2): everything is seen before, and the zone must be one that they believe.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::check::{self, Means, Severity};
use super::head::Heads;
use super::job::sight::{self, Looked};
use super::job::{self, Kind, Outcome, Refusal};
use super::present::Present;
use super::run::Run;
use crate::dane::certificate::Certificate;
use crate::rotation::association::Association;
use crate::rotation::requirement::Requirement;
use crate::workspace::Workspace;
use std::collections::BTreeSet;

/// The findings of `check` without which no sender believes a record.
const BELIEVED: [&str; 3] = ["chain", "ds", "never-signed"];

/// Proposes the first records of the certificate named `name`. `means` is how the chain to its zones is looked at.
pub fn enable(
    workspace: &Workspace,
    name: &str,
    means: Means,
    present: &Present,
) -> Result<Outcome, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    run.may_begin(&case)?;
    job::command::is_free(workspace, name, Kind::Enable)?;
    is_at_rest(&case)?;
    let mut heads = Heads::of(workspace, run.now);
    let looked = sight::look(&mut heads, &case, Kind::Enable)?;
    let mut outcome = Outcome::of(Kind::Enable, name);
    outcome.seen = looked.told();
    let is_bare = |rrset: &BTreeSet<Association>| rrset.is_empty();
    if !looked.rrsets().values().any(is_bare) {
        return Ok(outcome);
    }
    let keys = keys(&case, &looked)?;
    let mut refusal = looked.disagreeing(Refusal::new(Kind::Enable, name));
    for blocker in looked.unmatched(|before| before | &keys) {
        let (reason, hint) = sight::reason(&blocker, name);
        refusal = refusal.because(reason, hint);
    }
    refusal = believed(workspace, (name, means), present, refusal)?;
    refusal.if_any()?;
    let requirement = Requirement {
        present: keys,
        absent: BTreeSet::new(),
    };
    for (tlsa, rrset) in looked.rrsets() {
        for record in requirement.missing_in(rrset) {
            let names = outcome.comes.entry(record.clone()).or_default();
            names.push(tlsa.clone());
        }
    }
    job::command::propose(&run, &mut heads, &case, (&looked, requirement), outcome)
}

/// Refuses while a rotation is under way: that publishes the key in use beside the next one.
fn is_at_rest(case: &Case<'_>) -> Result<(), WorkflowError> {
    match case.under_way() {
        Some((id, state)) => Err(WorkflowError::UnderWay {
            id: id.clone(),
            step: state.step,
        }),
        None => Ok(()),
    }
}

/// The keys in use that were seen. One that left for good is never published again.
fn keys(case: &Case<'_>, looked: &Looked) -> Result<BTreeSet<Association>, WorkflowError> {
    let name = &case.certificate.name;
    let live = admit::in_use(case.certificate)?;
    let leaves = live.iter().filter_map(|chain| chain.first());
    let live: BTreeSet<Association> = leaves.map(Certificate::spki_association).collect();
    let seen: BTreeSet<&Association> = looked.observation.keys_presented().collect();
    let keys: BTreeSet<Association> = live
        .iter()
        .filter(|key| seen.contains(*key))
        .cloned()
        .collect();
    let mut refusal = Refusal::new(Kind::Enable, name);
    if keys.is_empty() {
        refusal = refusal.because(
            "no host was seen with the key of the certificate that `live` names",
            "point `live` in the configuration at the certificate that the hosts present",
        );
    }
    for key in &keys {
        if let Some((id, true)) = case.gone_for_good(key)? {
            refusal = refusal.because(
                format!("{} was declared compromised in {id}", key.short()),
                "put another key on the hosts first",
            );
        }
    }
    refusal.if_any()?;
    Ok(keys)
}

/// Adds what keeps senders from believing what the zones say: no signatures, no DS at the parent, a broken chain.
fn believed(
    workspace: &Workspace,
    (name, means): (&str, Means),
    present: &Present,
    mut refusal: Refusal,
) -> Result<Refusal, WorkflowError> {
    let report = check::check(workspace, &[name.to_owned()], means, present)?;
    for finding in report.findings {
        if BELIEVED.contains(&finding.check) && finding.severity > Severity::Advice {
            refusal = refusal.because(
                format!("{}: {}", finding.place, finding.what),
                finding.remedy,
            );
        }
    }
    Ok(refusal)
}
