//! `pause` and `resume`: nothing is proposed and nothing deployed for a while.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::rotation::timing::Instant;
use crate::workflow::pause;
use crate::workspace::config::duration;
use clap::Args;

/// Propose nothing and deploy nothing for a while
///
/// For a change freeze, holidays, a migration. Zones stay signed, what is merged is served, mail at risk is told (exit 4), and an emergency goes on. Deadlines that the
/// pause would let pass are told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tlsa-rotate pause mail --until 2027-01-04T08:00:00Z --reason \"change freeze\"
  tlsa-rotate pause mail --until 5d
  tlsa-rotate resume mail")]
pub(crate) struct Pause {
    /// The certificate that is paused
    name: String,
    /// Until when: a time (RFC 3339), or how long from now (`36h`, `5d`) [default: until `resume`]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

/// Go on with a certificate that is paused
///
/// What waited is proposed and deployed at once, by the gates as they are now.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tlsa-rotate resume mail")]
pub(crate) struct Resume {
    /// The certificate that is paused
    name: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Pause, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let present = args.dry.present(global, &workspace);
    let until = match &args.until {
        Some(text) => Some(until(text, present.now)?),
        None => None,
    };
    let tick = pause::pause(&workspace, &args.name, (until, &args.reason), &present)?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Pause, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}

pub(crate) fn resume(args: &Resume, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let present = args.dry.present(global, &workspace);
    let tick = pause::resume(&workspace, &args.name, &present)?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Resume, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}

/// A time, or a span from now.
fn until(text: &str, now: Instant) -> Result<Instant, Failure> {
    if let Ok(at) = super::instant(text) {
        return Ok(at);
    }
    #[allow(clippy::arithmetic_side_effects)] // instants saturate
    let at = duration::parse(text).map(|span| now + span);
    at.map_err(|_| {
        Failure::wrong(format_args!("--until: `{text}` is no time"))
            .hint("a time is expected, such as 2027-01-04T08:00:00Z, or a span, such as 5d")
    })
}
