//! `adopt`: a key that hosts present already, and that no record lists, gets its record.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, job};
use crate::rotation::association::Association;
use crate::workflow::adopt::{self, Claims};
use crate::workflow::job::Kind;
use clap::Args;
use std::path::PathBuf;

/// Publish the record of a key that a host presents already, such as one that was renewed early
///
/// For a certificate that somebody else has renewed with a new key: mail is refused until its record is served, beside those
/// that are there. That a key is seen on port 25 does not make it yours: whoever answers in place of the host presents a key, too. So the
/// configured certificate in use, a file, or the digest that you have read on the host itself must say so, and the certificate
/// must name the host. A key that was retired or declared compromised is never adopted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tlsa-rotate adopt mail                   the key of `live`, where hosts present it
  tlsa-rotate adopt mail --digest HEX      a key whose digest `tlsa-rotate record FILE` printed on the host
  tlsa-rotate adopt mail --undo            take the proposal back; once it is merged: tlsa-rotate prune")]
pub(crate) struct Adopt {
    /// The certificate whose hosts are looked at [default: the only one]
    name: Option<String>,
    /// The SHA-256 of the key, as `tlsa-rotate record` prints it on the host itself
    #[arg(long, value_name = "HEX", value_parser = digest)]
    digest: Vec<Association>,
    /// A file with the certificate of the key
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// Take the proposal back that is not merged yet
    #[arg(long, conflicts_with_all = ["digest", "certificate"])]
    undo: bool,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Adopt, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let name = job::named(&workspace, args.name.as_ref())?;
    if args.undo {
        return job::undo((&workspace, &name, Kind::Adopt), args.dry, global);
    }
    let claims = Claims {
        digests: args.digest.clone(),
        certificates: args.certificate.clone(),
    };
    let present = args.dry.present(global, &workspace);
    let outcome = adopt::adopt(&workspace, &name, &claims, &present)?;
    let exit = job::print(&outcome, (Schema::Adopt, args.format.0))?;
    args.dry.tell(global, &workspace);
    Ok(exit)
}

/// 64 hex digits, or the whole `3 1 1` record data.
fn digest(text: &str) -> Result<Association, String> {
    let whole = if text.contains(' ') {
        text.to_owned()
    } else {
        format!("3 1 1 {text}")
    };
    let parsed: Association = whole.parse().map_err(|_| {
        "64 hex digits are expected, as `tlsa-rotate record` prints them".to_owned()
    })?;
    if parsed.is_3_1_1() && parsed.data.len() == 32 {
        Ok(parsed)
    } else {
        Err("the SHA-256 of a key is expected: 64 hex digits".to_owned())
    }
}
