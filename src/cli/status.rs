//! `status`: where each rotation stands and why not further.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::advance::{self, Mode};
use clap::Args;

/// Where each rotation stands and why not further. Looks at zone, servers and hosts; changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Certificates to report [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Status, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let ticks = advance::advance(
        &workspace,
        &args.names,
        &global.present(&workspace),
        Mode::Look,
    )?;
    let style = standing::Style::paragraph_or(Schema::Status, args.format.0);
    standing::print(&ticks, style)
}
