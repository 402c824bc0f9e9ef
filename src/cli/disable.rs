//! `disable`: a certificate's names leave DANE.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, job};
use crate::workflow::disable;
use crate::workflow::job::Kind;
use clap::Args;

/// Leave DANE: every record out, and until when the hosts keep their keys
///
/// For a certificate whose hosts move to where DANE cannot be had, or when DNSSEC is given up: do this first. Until caches have run out senders still ask for the keys of before: `status` says until when the hosts must keep them. A
/// rotation that is under way ends once the records are out; no other begins until `enable`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tlsa-rotate disable mail --dry-run   the change, and for how long caches may hold the records
  tlsa-rotate disable mail             propose it
  tlsa-rotate disable mail --undo      take the proposal back; once it is merged: tlsa-rotate enable")]
pub(crate) struct Disable {
    /// The certificate whose hosts leave [default: the only one]
    name: Option<String>,
    /// Take the proposal back that is not merged yet
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Disable, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let name = job::named(&workspace, args.name.as_ref())?;
    if args.undo {
        return job::undo((&workspace, &name, Kind::Disable), args.dry, global);
    }
    let present = args.dry.present(global, &workspace);
    let outcome = disable::disable(&workspace, &name, &present)?;
    let exit = job::print(&outcome, (Schema::Disable, args.format.0))?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
