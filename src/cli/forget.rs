//! `forget`: a host that is gone for good holds up no rotation any more.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::forget;
use clap::Args;

/// Let a host go that is gone for good: no rotation waits for it, and nothing is proposed for it any more.
///
/// Says until when senders may still come to it. A host that only does not answer for a while needs no command: the
/// rotation waits for it.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The host, as in the configuration
    host: String,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Forget, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let ticks = forget::forget(
        &workspace,
        &args.host,
        &args.reason,
        &args.dry.present(global, &workspace),
    )?;
    let exit = standing::print(
        &ticks,
        standing::Style::paragraph_or(Schema::Forget, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
