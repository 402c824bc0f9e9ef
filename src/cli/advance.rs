//! `advance`: one tick of the machine for all rotations, for cron.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::advance::{self, Mode};
use clap::Args;

/// One tick of the machine: look, decide, record, propose. Idempotent; for cron.
#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// Certificates to advance [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Look and decide, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Advance, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let mode = if args.dry_run {
        Mode::Rehearse
    } else {
        Mode::Act
    };
    let ticks = advance::advance(&workspace, &args.names, &global.present(&workspace), mode)?;
    let style = match args.format.0 {
        TextOrJson::Json => standing::Style::Json(Schema::Advance),
        TextOrJson::Text => standing::Style::Line,
    };
    let exit = standing::print(&ticks, style)?;
    global.tell_rehearsal(&workspace);
    Ok(exit)
}
