//! `plan`: the runbook of a rotation, before and while it runs. Reads only.

use super::emergency::{self as compromised, First};
use super::exit::{Exit, Failure};
use super::{Format, Global};
use crate::report::calendar::calendar;
use crate::report::runbook::Runbook;
use crate::rotation::emergency::Priority;
use crate::rotation::timing::Instant;
use crate::workflow::emergency;
use crate::workflow::plan;
use crate::workspace::Workspace;
use clap::Args;
use serde_json::json;
use std::io::Write as _;

/// The runbook: seven steps, their earliest dates and what binds each, zone diffs, how to check and to undo.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Certificates to plan [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The plan for a compromised key instead: how long mail may be deferred, until when the old key can be replayed
    #[arg(long, value_enum, value_name = "PRIORITY")]
    emergency: Option<First>,
}

pub(crate) fn run(args: &Plan, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    if let Some(first) = args.emergency {
        return emergencies(&workspace, &args.names, first.into(), global);
    }
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
        act_by: &plan.act_by,
        certificates: &plan.certificates,
    }
}

fn emergencies(
    workspace: &Workspace,
    names: &[String],
    priority: Priority,
    global: &Global,
) -> Result<Exit, Failure> {
    let now: Instant = global.now();
    let mut out = super::stdout();
    let mut documents = Vec::new();
    for name in workspace.config.named_or_all(names) {
        let forecast = emergency::forecast(workspace, &name, priority, now)?;
        for note in &forecast.notes {
            eprintln!("note: {}: {note}", forecast.id);
        }
        let warning = compromised::warning(priority, &forecast);
        if global.format == Format::Json {
            documents.push(json!({"rotation": forecast.id.to_string(), "bounds": warning.json()}));
        } else {
            write!(out, "{}: {}", forecast.id, warning.text())?;
            writeln!(
                out,
                "  act        tlsa-rotate emergency {name} --priority {priority}"
            )?;
        }
    }
    if global.format == Format::Json {
        let document = json!({"schema": "tlsa-rotate/plan/v1", "emergencies": documents});
        writeln!(out, "{document:#}")?;
    }
    out.flush()?;
    Ok(Exit::Done)
}
