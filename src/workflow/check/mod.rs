//! Use case `check`: prerequisites and health of what is rotated. Reads and asks; changes nothing. (A provider is asked for
//! a change to what is there: whether its program can be relied on is seen in no other way.)
//!
//! `scope` says what is looked at, `gather` collects the evidence, each rule is a small pure function from it to findings. One finding, one remedy.

mod at_risk;
mod evidence;
mod finding;
mod gather;
mod hosts;
mod journals;
mod policies;
mod provider;
mod records;
mod regressed;
mod scope;
mod secrets;
mod servers;
mod signatures;

pub use finding::{Finding, Severity};

use super::WorkflowError;
use super::present::Present;
use crate::observe::anchors::Anchors;
use crate::workspace::Workspace;
use evidence::Evidence;
use std::net::SocketAddr;
use std::time::Duration;

/// What is asked, and how.
#[derive(Debug)]
pub struct Means {
    /// Resolvers, which are not trusted.
    pub resolvers: Vec<SocketAddr>,
    /// What is trusted.
    pub anchors: Anchors,
    /// How long the looking may take.
    pub patience: Duration,
}

/// What was checked and found.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings, the most pressing first.
    pub findings: Vec<Finding>,
    /// The zones, mail domains, and hosts with ports that were looked at.
    pub zones: Vec<String>,
    /// See `zones`.
    pub domains: Vec<String>,
    /// See `zones`.
    pub hosts: Vec<String>,
}

/// A rule.
type Rule = fn(&Evidence) -> Vec<Finding>;

/// All of them.
const RULES: &[Rule] = &[
    signatures::chain,
    signatures::ds,
    signatures::lifetimes,
    servers::answers,
    servers::delegation,
    servers::nonterminals,
    servers::timers,
    records::usable,
    records::few,
    records::left_over,
    records::ttl,
    records::coverage,
    hosts::senders,
    hosts::unreached,
    hosts::vantages,
    hosts::ca_pins,
    hosts::shared_key,
    policies::reporting,
    policies::mta_sts,
    policies::web_pki,
];

/// Checks what the certificates named depend on, or all of it.
pub fn check(
    workspace: &Workspace,
    names: &[String],
    means: Means,
    present: &Present,
) -> Result<Report, WorkflowError> {
    let now = present.now;
    let evidence = gather::gather(workspace, names, means, now)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&evidence)).collect();
    findings.extend(signatures::ended(workspace, now));
    findings.extend(secrets::kept(workspace)?);
    findings.extend(journals::writers(workspace, now)?);
    findings.extend(provider::rehearsed(workspace, names, present));
    let at_risk = at_risk::seen(workspace, names, present, &findings)?;
    findings.extend(at_risk);
    findings.sort_by(|one, other| {
        let pressing = other.severity.cmp(&one.severity);
        pressing.then_with(|| (&one.place, one.check).cmp(&(&other.place, other.check)))
    });
    Ok(Report {
        findings,
        zones: evidence.zones.iter().map(|z| z.apex.to_string()).collect(),
        domains: evidence.domains.iter().map(|d| d.name.clone()).collect(),
        hosts: evidence
            .hosts
            .iter()
            .map(|h| h.endpoint.to_string())
            .collect(),
    })
}
