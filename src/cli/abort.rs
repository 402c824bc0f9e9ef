//! `abort`: the safe way back from the present step.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::abort::{self, Ending};
use clap::Args;

/// Give a rotation up by the safe way back; the reason is recorded.
///
/// One that has ended can be taken back as well, while no other was begun: the old record is published again first.
#[derive(Debug, Args)]
pub(crate) struct Abort {
    /// The certificate whose rotation is given up
    name: String,
    /// Why, in your words
    #[arg(long, default_value = "asked for on the command line")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
    /// Begin no rotation by itself afterwards, whatever the policy says, until `start` begins one
    #[arg(long)]
    hold: bool,
    /// The names leave DANE, or DNSSEC: end it at once. Only where the zone holds none of its records any more
    #[arg(long)]
    leave_dane: bool,
}

pub(crate) fn run(args: &Abort, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let ending = Ending {
        reason: &args.reason,
        hold: args.hold,
        leaves_dane: args.leave_dane,
    };
    let tick = abort::abort(
        &workspace,
        &args.name,
        ending,
        &args.dry.present(global, &workspace),
    )?;
    let exit = standing::print(
        &[tick],
        standing::Style::paragraph_or(Schema::Abort, args.format.0),
    )?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
