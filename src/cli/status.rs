//! `status`: where each rotation stands and why not further.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::{Global, standing};
use crate::workflow::advance::{self, Mode};
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::zone::name::Name;
use clap::Args;

/// Where each rotation stands and why not further. Looks at zone, servers and hosts; changes nothing.
#[derive(Debug, Args)]
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
    format: Format<TextOrJson>,
}

/// More than these are told in a line each, and what is due first; a name tells more of one.
const MOST_PARAGRAPHS: usize = 12;

pub(crate) fn run(args: &Status, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let names = match &args.zone {
        None => args.names.clone(),
        Some(zone) => in_zone(&workspace, zone)?,
    };
    let present = global.present(&workspace);
    let mut ticks = advance::advance(&workspace, &names, &present, Mode::Look)?;
    if args.due {
        ticks.retain(|tick| standing::code(tick) != Exit::Done);
    }
    let is_text = args.format.0 == TextOrJson::Text;
    if is_text && args.names.is_empty() && ticks.len() > MOST_PARAGRAPHS {
        ticks.sort_by_key(|tick| std::cmp::Reverse(standing::code(tick)));
        let exit = standing::print(&ticks, standing::Style::Line)?;
        eprintln!(
            "hint: `tlsa-rotate status NAME` says why one goes no further; --due leaves out those that need nobody"
        );
        return Ok(exit);
    }
    let style = standing::Style::paragraph_or(Schema::Status, args.format.0);
    standing::print(&ticks, style)
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
