//! `rollback`: every host back on the previous key at once; the rotation then holds.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::rollback;
use clap::Args;

/// Go back to the previous key on every host at once, while both are published; the reason is recorded.
///
/// The rotation then holds: `deploy` goes on with it, `abort` gives it up.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The certificate whose deployment is taken back
    name: String,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Rollback, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let tick = rollback::rollback(
        &workspace,
        &args.name,
        &args.reason,
        &args.dry.present(global, &workspace),
    )?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Rollback, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
