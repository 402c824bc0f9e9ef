//! `demo`: a whole rotation in under a minute on loopback.

use super::Global;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOnly};
use crate::rotation::timing::Instant;
use crate::workflow::demo::{self, Line};
use std::io::Write as _;

/// A whole rotation on loopback under a fast clock: real DNS, real SMTP STARTTLS, validating senders.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Deploy as soon as one server has the records, without step 4, to see what goes wrong
    #[arg(long)]
    skip_wait: bool,
    #[command(flatten)]
    format: Format<TextOnly>,
}

pub(crate) fn run(args: &Demo, _global: &Global) -> Result<Exit, Failure> {
    let Format(TextOnly::Text) = args.format;
    let mut out = super::stdout();
    let mut broken_pipe = Ok(());
    let mut tell = |line: &Line| {
        let told = writeln!(out, "{}  {:<8}  {}", minute(line.at), line.who, line.what)
            .and_then(|()| out.flush());
        if broken_pipe.is_ok() {
            broken_pipe = told;
        }
    };
    let report = demo::run(args.skip_wait, &mut tell).map_err(Failure::wrong)?;
    broken_pipe?;
    writeln!(out, "\nTimeline")?;
    for (at, step) in &report.timeline {
        writeln!(out, "  {}  {step:<13}  {}", minute(*at), step.sentence())?;
    }
    if report.failed > 0 {
        writeln!(
            out,
            "{} mails failed for reasons that are not DANE's",
            report.failed
        )?;
    }
    if report.warned > 0 {
        writeln!(
            out,
            "{} runs of `advance` warned that delivery was at risk (exit code 4)",
            report.warned
        )?;
    }
    writeln!(out, "\n{} refused of {}", report.refused, report.sent)?;
    out.flush()?;
    Ok(if report.refused > 0 {
        Exit::DeliveryAtRisk
    } else if report.failed > 0
        || report
            .timeline
            .last()
            .is_none_or(|(_, step)| !step.is_the_end())
    {
        Exit::Wrong
    } else {
        Exit::Done
    })
}

/// `2026-12-01 08:00`: enough for a clock that jumps by minutes.
fn minute(at: Instant) -> String {
    at.to_string().replace('T', " ").chars().take(16).collect()
}
