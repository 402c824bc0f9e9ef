//! `status`: where each rotation stands and why not further.

use super::exit::{Exit, Failure};
use super::{Format, Global, standing};
use crate::workflow::advance::{self, Mode};
use clap::Args;

/// Where each rotation stands and why not further. Looks at zone, servers and hosts; changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Certificates to report [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(args: &Status, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let ticks = advance::advance(&workspace, &args.names, global.now(), Mode::Look)?;
    let style = match global.format {
        Format::Json => standing::Style::Json("status"),
        _ => standing::Style::Paragraph,
    };
    standing::print(&ticks, style)
}
