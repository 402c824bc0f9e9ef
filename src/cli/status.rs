//! `status`: where each rotation stands and why not further, for people, programs and monitoring.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::Format;
use super::{Global, standing};
use crate::workflow::advance::{self, Mode, Tick};
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::zone::name::Name;
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
    /// Only those for which a person has to do something, or that are at risk
    #[arg(long)]
    due: bool,
    /// Only certificates with a host whose records lie in this zone
    #[arg(long, value_name = "ZONE", value_parser = super::zone::zone_name, conflicts_with = "names")]
    zone: Option<Name>,
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

/// More than these are told in a line each, and what is due first; a name tells more of one.
const MOST_PARAGRAPHS: usize = 12;

pub(crate) fn run(args: &Status, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let names = match &args.zone {
        None => args.names.clone(),
        Some(zone) => in_zone(&workspace, zone)?,
    };
    if args.format.0 == StatusFormat::Prometheus {
        super::are_configured(&workspace, &names)?;
    }
    let present = global.present(&workspace);
    let mut ticks = advance::advance(&workspace, &names, &present, Mode::Look)?;
    if args.due {
        ticks.retain(|tick| standing::code(tick) != Exit::Done);
    }
    match args.format.0 {
        StatusFormat::Text => text(ticks, args.names.is_empty()),
        StatusFormat::Json => standing::print(&ticks, standing::Style::Json(Schema::Status)),
        StatusFormat::Nagios => standing::print_nagios(&ticks),
        StatusFormat::Prometheus => standing::print_metrics(&ticks, present.now),
    }
}

fn text(mut ticks: Vec<Tick>, is_of_many: bool) -> Result<Exit, Failure> {
    if !is_of_many || ticks.len() <= MOST_PARAGRAPHS {
        return standing::print(&ticks, standing::Style::Paragraph);
    }
    ticks.sort_by_key(|tick| std::cmp::Reverse(standing::code(tick)));
    let exit = standing::print(&ticks, standing::Style::Line)?;
    eprintln!(
        "hint: `tlsa-rotate status NAME` says why one goes no further; --due leaves out those that need nobody"
    );
    Ok(exit)
}

/// The certificates with a TLSA name in a zone of the configuration.
fn in_zone(workspace: &Workspace, zone: &Name) -> Result<Vec<String>, Failure> {
    let config = &workspace.config;
    if !config.zones.iter().any(|one| one.name == *zone) {
        let zones: Vec<String> = config
            .zones
            .iter()
            .map(|one| one.name.to_string())
            .collect();
        return Err(Failure::wrong(format!(
            "zone {zone} is not configured; there are {}",
            zones.join(", ")
        )));
    }
    let is_there = |one: &&CertificateConfig| {
        one.endpoints().any(|endpoint| {
            let name = Name::parse(endpoint.tlsa_name().as_str().as_bytes(), None).ok();
            let home = name.and_then(|name| config.zone_of(&name));
            home.is_some_and(|home| home.name == *zone)
        })
    };
    let found: Vec<String> = config
        .certificates
        .iter()
        .filter(is_there)
        .map(|one| one.name.clone())
        .collect();
    if found.is_empty() {
        return Err(Failure::wrong(format!(
            "no certificate has a host with records in {zone}"
        )));
    }
    Ok(found)
}
