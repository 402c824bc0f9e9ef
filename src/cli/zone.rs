//! `zone`: what can be done with master files.

use super::{Exit, Failure, Global, zone_sign};
use clap::Subcommand;

/// Works with master files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sign a zone with a directory of keys
    Sign(zone_sign::SignArgs),
    /// Check a signed zone on its own
    Verify(zone_sign::VerifyArgs),
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    match &args.action {
        Action::Sign(args) => zone_sign::sign_zone(args, global),
        Action::Verify(args) => zone_sign::verify(args, global),
    }
}
