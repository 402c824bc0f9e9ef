//! `prune`: records leave that no host needs and no rotation owns.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, job};
use crate::workflow::job::Kind;
use crate::workflow::prune;
use clap::Args;

/// Take records out that no host presents and no rotation needs
///
/// For records that are left over: after `start --journal-lost`, after a certificate was renewed by hand, or of an old
/// certificate. Every host is looked at on every address, for RSA and for ECDSA, and every name server must answer alike: silence is a no.
/// The change is proposed as a rotation's is, and the servers get it only once every host was seen again without those keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tlsa-rotate prune mail --dry-run     what was seen, and the change
  tlsa-rotate prune mail               propose it
  tlsa-rotate prune mail --undo        take the proposal back; once it is merged: git revert")]
pub(crate) struct Prune {
    /// The certificate whose records are looked at [default: the only one]
    name: Option<String>,
    /// Take the proposal back that is not merged yet
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Prune, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let name = job::named(&workspace, args.name.as_ref())?;
    if args.undo {
        return job::undo((&workspace, &name, Kind::Prune), args.dry, global);
    }
    let outcome = prune::prune(&workspace, &name, &args.dry.present(global, &workspace))?;
    let exit = job::print(&outcome, (Schema::Prune, args.format.0))?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
