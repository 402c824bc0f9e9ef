//! `abort`: the safe way back from the present step.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::abort;
use clap::Args;

/// Give a rotation up by the safe way back; the reason is recorded.
#[derive(Debug, Args)]
pub(crate) struct Abort {
    /// The certificate whose rotation is given up
    name: String,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    format: Format<TextOrJson>,
    /// Begin no rotation by itself afterwards, whatever the policy says, until `start` begins one
    #[arg(long)]
    hold: bool,
}

pub(crate) fn run(args: &Abort, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let tick = abort::abort(
        &workspace,
        &args.name,
        &args.reason,
        args.hold,
        global.now(),
    )?;
    standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Abort, args.format.0),
    )
}
