//! `plan`: the runbook of a rotation, before and while it runs. Reads only.

use super::exit::{Exit, Failure};
use super::{Format, Global};
use crate::report::calendar::calendar;
use crate::report::runbook::Runbook;
use crate::workflow::plan;
use clap::Args;
use serde_json::json;
use std::io::Write as _;

/// The runbook: seven steps, their earliest dates and what binds each, zone diffs, how to check and to undo.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Certificates to plan [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(args: &Plan, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let plans = plan::plan(&workspace, &args.names, global.now())?;
    let mut out = super::stdout();
    let ids: Vec<String> = plans.iter().map(|plan| plan.id.to_string()).collect();
    let runbooks: Vec<Runbook<'_>> = plans
        .iter()
        .zip(&ids)
        .map(|(plan, id)| runbook(plan, id))
        .collect();
    for plan in &plans {
        for note in &plan.notes {
            eprintln!("note: {}: {note}", plan.id);
        }
    }
    match global.format {
        Format::Json => {
            let rotations: Vec<_> = runbooks.iter().map(Runbook::json).collect();
            let document = json!({"schema": "tlsa-rotate/plan/v1", "rotations": rotations});
            writeln!(out, "{document:#}")?;
        }
        Format::Ics => write!(out, "{}", calendar(&runbooks))?,
        format => {
            let shown = runbooks.iter().map(|runbook| match format {
                Format::Markdown => runbook.markdown(),
                _ => runbook.text(),
            });
            write!(out, "{}", shown.collect::<Vec<_>>().join("\n"))?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn runbook<'a>(plan: &'a plan::Plan, id: &'a str) -> Runbook<'a> {
    let [publish, retire] = &plan.diffs;
    Runbook {
        rotation: id,
        state: &plan.state,
        is_started: plan.is_started,
        timeline: &plan.timeline,
        diffs: [publish, retire],
        authorities: &plan.authorities,
        deployment: &plan.deployment,
        policy: &plan.policy,
        deadlines: &plan.deadlines,
        certificates: &plan.certificates,
    }
}
