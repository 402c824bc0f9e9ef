//! `plan`: the runbook of a rotation, before and while it runs. Reads only.

use super::Global;
use super::clock;
use super::document::Schema;
use super::emergency::{self as compromised, First};
use super::exit::{Exit, Failure};
use super::format::Format;
use crate::report::calendar::{Agenda, calendar};
use crate::report::runbook::{Runbook, html};
use crate::rotation::emergency::Priority;
use crate::rotation::timing::Instant;
use crate::workflow::emergency;
use crate::workflow::plan;
use crate::workspace::Workspace;
use clap::{Args, ValueEnum};
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
    #[command(flatten)]
    format: Format<PlanFormat>,
}

/// What `plan` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// For runbooks and reviews.
    Markdown,
    /// One page, to print or to attach to a ticket.
    Html,
    /// A calendar (RFC 5545).
    Ics,
}

pub(crate) fn run(args: &Plan, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    if let Some(first) = args.emergency {
        return emergencies(&workspace, args, first.into(), global.now());
    }
    let plans = plan::plan(&workspace, &args.names, global.now())?;
    let mut out = super::stdout();
    let ids: Vec<String> = plans.iter().map(|plan| plan.id.to_string()).collect();
    let runbooks: Vec<Runbook<'_>> = plans
        .iter()
        .zip(&ids)
        .map(|(plan, id)| runbook(plan, id, global.now()))
        .collect();
    for plan in &plans {
        for note in &plan.notes {
            eprintln!("note: {}: {note}", plan.id);
        }
    }
    if args.format.0 == PlanFormat::Html {
        write!(out, "{}", html::page(&runbooks))?;
    }
    let runbooks = runbooks.iter();
    let written = |texts: Vec<String>| texts.join("\n");
    match args.format.0 {
        PlanFormat::Json => {
            let rotations: Vec<_> = runbooks.map(Runbook::json).collect();
            Schema::Plan.write(&mut out, json!({"rotations": rotations}))?;
        }
        PlanFormat::Ics => {
            let agendas: Vec<Agenda<'_>> = runbooks.map(Runbook::agenda).collect();
            write!(out, "{}", calendar(&agendas))?;
        }
        PlanFormat::Html => {}
        PlanFormat::Markdown => {
            let shown = written(runbooks.map(Runbook::markdown).collect());
            write!(out, "{shown}")?;
        }
        PlanFormat::Text => {
            let shown = written(runbooks.map(Runbook::text).collect());
            write!(out, "{shown}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn runbook<'a>(plan: &'a plan::Plan, id: &'a str, made: Instant) -> Runbook<'a> {
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
        assume_ttl: plan.assume_ttl,
        deadlines: &plan.deadlines,
        act_by: &plan.act_by,
        certificates: &plan.certificates,
        ways: &plan.ways,
        made,
        local: clock::local,
    }
}

fn emergencies(
    workspace: &Workspace,
    args: &Plan,
    priority: Priority,
    now: Instant,
) -> Result<Exit, Failure> {
    let mut out = super::stdout();
    let mut forecasts = Vec::new();
    for name in workspace.config.named_or_all(&args.names) {
        let forecast = emergency::forecast(workspace, &name, priority, now)?;
        for note in &forecast.notes {
            eprintln!("note: {}: {note}", forecast.id);
        }
        let command = format!("tlsa-rotate emergency {name} --priority {priority}");
        forecasts.push((forecast.id.to_string(), forecast, command));
    }
    let warnings = forecasts.iter().map(|(id, forecast, command)| {
        let warning = compromised::warning(priority, forecast);
        (id, warning, command)
    });
    match args.format.0 {
        PlanFormat::Json => {
            let documents: Vec<_> = warnings
                .map(|(id, warning, _)| json!({"rotation": id, "bounds": warning.json()}))
                .collect();
            Schema::Plan.write(&mut out, json!({"emergencies": documents}))?;
        }
        PlanFormat::Ics => {
            let agendas: Vec<Agenda<'_>> = warnings
                .map(|(id, warning, _)| warning.agenda(id, now))
                .collect();
            write!(out, "{}", calendar(&agendas))?;
        }
        PlanFormat::Html => {
            let texts = warnings.map(|(id, warning, command)| {
                let heading = format!("{id}: the key is compromised");
                (
                    heading,
                    format!("{}  act        {command}\n", warning.text()),
                )
            });
            write!(out, "{}", html::page_of_texts(&texts.collect::<Vec<_>>()))?;
        }
        PlanFormat::Markdown => {
            for (id, warning, command) in warnings {
                write!(out, "{}- act: `{command}`\n\n", warning.markdown(id))?;
            }
        }
        PlanFormat::Text => {
            for (id, warning, command) in warnings {
                write!(out, "{id}: {}", warning.text())?;
                writeln!(out, "  act        {command}")?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}
