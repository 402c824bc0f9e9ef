//! `enable`: the first records of hosts that have none.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, job, verify};
use crate::workflow::check::Means;
use crate::workflow::enable;
use crate::workflow::job::Kind;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Begin with DANE: the first records, of the key in use
///
/// For hosts without TLSA records. Every host must be seen on every address, for RSA and for ECDSA, with the key of `live`; every name server must answer
/// alike; the zone must be signed, and its parent must have the DS. What is missing is said. A new key comes later, by a
/// rotation (`start`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tlsa-rotate enable mail --dry-run    what was seen, what is missing, and the change
  tlsa-rotate enable mail              propose it
  tlsa-rotate disable mail             the way back")]
pub(crate) struct Enable {
    /// The certificate whose hosts get records [default: the only one]
    name: Option<String>,
    /// Take the proposal back that is not merged yet
    #[arg(long)]
    undo: bool,
    /// The resolver to ask for the chain to the zone [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = verify::server)]
    resolver: Vec<SocketAddr>,
    /// DS or DNSKEY lines to trust instead of the root's keys
    #[arg(long, value_name = "FILE")]
    trust_anchor: Option<PathBuf>,
    /// How long the looking at the chain may take (`90`, `90s`, `5m`)
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = verify::span)]
    timeout: Duration,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Enable, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let name = job::named(&workspace, args.name.as_ref())?;
    if args.undo {
        return job::undo((&workspace, &name, Kind::Enable), args.dry, global);
    }
    let means = Means {
        resolvers: verify::resolvers(&args.resolver)?,
        anchors: verify::anchors(args.trust_anchor.as_deref())?,
        patience: args.timeout,
    };
    let present = args.dry.present(global, &workspace);
    let outcome = enable::enable(&workspace, &name, means, &present)?;
    let exit = job::print(&outcome, (Schema::Enable, args.format.0))?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}
