//! `deploy`: let a deployment go that rests or is held.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::deploy;
use clap::Args;

/// Go forward: let the next key be installed before it is due, or after a rollback, or take up again what was being given
/// up (the key in use is lost, say). Every gate is asked all the same.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The certificate whose deployment may begin
    name: String,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Deploy, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let tick = deploy::deploy(
        &workspace,
        &args.name,
        &args.reason,
        &args.dry.present(global, &workspace),
    )?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Deploy, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
