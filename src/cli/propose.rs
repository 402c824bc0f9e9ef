//! `propose`: what was proposed, and deleted by somebody, is proposed again.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::advance::{self, Mode};
use crate::workflow::deleted;
use clap::Args;

/// Propose again what somebody deleted without merging it, without waiting for a day to pass.
///
/// Does what `advance` does; a proposal whose branch is gone is made anew on a branch of the same name.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// Certificates whose changes are proposed [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Also those whose branch was deleted before it was merged
    #[arg(long, required = true)]
    again: bool,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Propose, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let tick = || {
        let present = args.dry.present(global, &workspace);
        advance::advance(&workspace, &args.names, &present, Mode::Act)
    };
    // The first run sees what is gone, the second proposes it.
    let mut ticks = tick()?;
    let acts = args.dry.present(global, &workspace).mode(&workspace)? == Mode::Act;
    if args.again && acts && deleted::ask_again(&workspace)? {
        ticks = tick()?;
    }
    let style = match args.format.0 {
        TextOrJson::Json => standing::Style::Json(Schema::Advance),
        TextOrJson::Text => standing::Style::Line,
    };
    let exit = standing::print(&ticks, style)?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
