//! `advance`: one tick of the machine for all rotations, for cron.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing, verify};
use crate::report::news::{Press, Told, Why};
use crate::rotation::timing::{Instant, Span};
use crate::workflow::advance::{self, Mode, Tick};
use crate::workflow::early::AtRisk;
use crate::workspace::told;
use clap::Args;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

/// One tick of the machine: look, decide, record, propose. Idempotent; for cron.
#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// Certificates to advance [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Look and decide, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// For cron and timers: say what is new, remind of what waits for you, and be silent otherwise. Where nothing is
    /// said, the exit code is 0
    #[arg(long, conflicts_with_all = ["dry_run", "format"])]
    cron: bool,
    /// With --cron: how often to remind
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = verify::span, requires = "cron")]
    remind: Duration,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Advance, global: &Global) -> Result<Exit, Failure> {
    let (workspace, warnings) = global.workspace_with_warnings()?;
    let warn = || {
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
    };
    if !args.cron {
        warn();
    }
    let mode = if args.dry_run {
        Mode::Rehearse
    } else {
        Mode::Act
    };
    // What cannot wait for the end of a run that has much to do.
    let mut early = |one: &AtRisk| {
        for alarm in &one.alarms {
            eprintln!("{}: DELIVERY AT RISK: {alarm}", one.id);
        }
    };
    let present = global.present(&workspace);
    let ticks = advance::advance_telling(&workspace, &args.names, &present, mode, &mut early)?;
    if args.cron {
        let remind = Span::seconds(args.remind.as_secs());
        let keeps = !global.rehearses_in(&workspace);
        let mut told: Memory = told::read(&workspace.state());
        let before = told.clone();
        let news = news(&ticks, &mut told, global.now(), remind);
        if !news.is_empty() {
            warn();
        }
        let exit = tell_news(&news)?;
        if keeps && told != before {
            // The run is done: who is told twice is worse off by nothing else.
            if let Err(error) = told::keep(&workspace.state(), &told) {
                eprintln!("warning: what was told is told again by the next run: {error}");
            }
        }
        return Ok(exit);
    }
    let style = match args.format.0 {
        TextOrJson::Json => standing::Style::Json(Schema::Advance),
        TextOrJson::Text => standing::Style::Line,
    };
    let exit = standing::print(&ticks, style)?;
    global.tell_rehearsal(&workspace);
    Ok(exit)
}

/// What was told of each certificate and zone.
type Memory = BTreeMap<String, Told>;

/// What is to be told, and why.
fn news<'t>(
    ticks: &'t [Tick],
    told: &mut Memory,
    now: Instant,
    remind: Span,
) -> Vec<(&'t Tick, Press, Why)> {
    let each = ticks.iter().filter_map(|tick| {
        let press = press(tick);
        let about = told.entry(subject(tick)).or_default();
        let why = about.tell(&standing::found(tick, press), now, remind)?;
        Some((tick, press, why))
    });
    each.collect()
}

/// A certificate and a zone can have the same name.
fn subject(tick: &Tick) -> String {
    let kind = match tick.zone {
        Some(_) => "zone",
        None => "certificate",
    };
    format!("{kind} {}", tick.certificate)
}

fn press(tick: &Tick) -> Press {
    let is_over = |(_, state): &(_, crate::rotation::step::Rotation)| state.is_over();
    match standing::code(tick) {
        Exit::DeliveryAtRisk => Press::Risk,
        Exit::Done if tick.rotation.as_ref().is_none_or(is_over) => Press::Rest,
        Exit::Done => Press::Runs,
        _ => Press::Person,
    }
}

/// Tells what is new; what needs a person goes to standard error, whoever throws the rest away.
fn tell_news(news: &[(&Tick, Press, Why)]) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let (mut out, mut err) = (super::stdout(), std::io::stderr());
    for (tick, press, why) in news {
        let name = &tick.certificate;
        let head = match why {
            Why::New => String::new(),
            Why::Still(since) => format!("{name}: a reminder; it has been so since {since}\n"),
            Why::Over(since) if *press >= Press::Person => {
                format!(
                    "{name}: mail is no longer at risk, as it was since {since}; this is left\n"
                )
            }
            Why::Over(since) => format!("{name}: all clear; what was told on {since} is over\n"),
        };
        if *press >= Press::Person {
            write!(err, "{head}")?;
            standing::tell(tick, standing::Style::Paragraph, &mut err)?;
        } else {
            write!(out, "{head}")?;
            standing::tell(tick, standing::Style::Line, &mut out)?;
        }
        exit = exit.max(standing::code(tick));
    }
    out.flush()?;
    Ok(exit)
}
