//! `plan`: the runbook of a rotation, before and while it runs. Reads only.

use super::exit::{Exit, Failure};
use super::{Format, Global};
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
    let mut documents = Vec::new();
    for (position, plan) in plans.iter().enumerate() {
        for note in &plan.notes {
            eprintln!("note: {}: {note}", plan.id);
        }
        let id = plan.id.to_string();
        let [publish, retire] = &plan.diffs;
        let runbook = Runbook {
            rotation: &id,
            state: &plan.state,
            is_started: plan.is_started,
            timeline: &plan.timeline,
            diffs: [publish, retire],
            authorities: &plan.authorities,
            deployment: &plan.deployment,
        };
        if position > 0 && global.format != Format::Json {
            writeln!(out)?;
        }
        match global.format {
            Format::Markdown => write!(out, "{}", runbook.markdown())?,
            Format::Json => documents.push(runbook.json()),
            _ => write!(out, "{}", runbook.text())?,
        }
    }
    if global.format == Format::Json {
        writeln!(
            out,
            "{:#}",
            json!({"schema": "tlsa-rotate/plan/v1", "rotations": documents})
        )?;
    }
    out.flush()?;
    Ok(Exit::Done)
}
