//! `status`: where each rotation stands and why not further, for people, programs and monitoring.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::Format;
use super::{Global, standing};
use crate::workflow::advance::{self, Mode};
use clap::{Args, ValueEnum};

/// Where each rotation stands and why not further. Looks at zone, servers and hosts; changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit code 0: nothing to do. 3: a person is needed. 4: delivery is at risk. With --format nagios: 0 OK, 1 WARNING (a person is \
needed), 2 CRITICAL (delivery is at risk), 3 UNKNOWN.")]
pub(crate) struct Status {
    /// Certificates to report [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    format: Format<StatusFormat>,
}

/// What `status` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// One line and an exit code for Nagios and its kin.
    Nagios,
    /// For the textfile collector of Prometheus's node exporter.
    Prometheus,
}

pub(crate) fn run(args: &Status, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let present = global.present(&workspace);
    let ticks = advance::advance(&workspace, &args.names, &present, Mode::Look)?;
    match args.format.0 {
        StatusFormat::Text => standing::print(&ticks, standing::Style::Paragraph),
        StatusFormat::Json => standing::print(&ticks, standing::Style::Json(Schema::Status)),
        StatusFormat::Nagios => standing::print_nagios(&ticks),
        StatusFormat::Prometheus => standing::print_metrics(&ticks, present.now),
    }
}
