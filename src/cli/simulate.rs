//! `simulate`: a rotation rehearsed against random senders and caches, beside the ways without this program.

use super::Global;
use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use super::zone::Reading;
use crate::report::rehearsal::Rehearsed;
use crate::rotation::policy::Policy;
use crate::rotation::simulation::Scenario;
use crate::workflow::simulate;
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Rehearse a rotation against random senders and caches: how many mails it refuses, and how many other ways of doing it would.
#[derive(Debug, Args)]
#[command(
    after_help = "Every sender has a rhythm of its own (a mail every half hour to every five days) and a resolver: most \
honour each TTL, one in ten caps it at an hour, one in five at a day; one in four prefetches; none serves stale answers, which \
a validating sender must not use. They are shared out over 16 worlds, in which other secondaries miss a NOTIFY and reviews take \
other times. The same seed gives the same numbers. Exit code 4: the policy of this rotation refuses mail."
)]
pub(crate) struct Simulate {
    /// Certificates to rehearse [default: all]
    #[arg(value_name = "NAME", conflicts_with = "zone")]
    names: Vec<String>,
    /// How many senders come
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    senders: u64,
    /// What chance begins with
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// A master file whose MX hosts are rehearsed with the default policy; needs no workspace
    #[arg(long, value_name = "FILE")]
    zone: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

pub(crate) fn run(args: &Simulate, global: &Global) -> Result<Exit, Failure> {
    let mut out = super::stdout();
    let mut exit = Exit::Done;
    let mut documents = Vec::new();
    for (position, (what, scenario)) in scenarios(args, global)?.into_iter().enumerate() {
        let rehearsal = simulate::rehearse(scenario, args.senders, args.seed)?;
        let rehearsed = Rehearsed {
            what: &what,
            scenario: &rehearsal.scenario,
            ways: &rehearsal.ways,
            worlds: rehearsal.worlds,
            senders: args.senders,
            seed: args.seed,
        };
        if rehearsed.machine_refuses() {
            exit = Exit::DeliveryAtRisk;
        }
        if args.format.0 == TextOrJson::Json {
            documents.push(rehearsed.json());
        } else {
            let between = if position > 0 { "\n" } else { "" };
            write!(out, "{between}{}", rehearsed.text())?;
        }
    }
    if args.format.0 == TextOrJson::Json {
        Schema::Simulate.write(&mut out, json!({"rehearsals": documents}))?;
    }
    out.flush()?;
    Ok(exit)
}

fn scenarios(args: &Simulate, global: &Global) -> Result<Vec<(String, Scenario)>, Failure> {
    if let Some(file) = &args.zone {
        let zone = args.reading.zone(file)?;
        let nobody = || {
            Failure::wrong(format_args!("{} names no mail host of its own", zone.apex))
                .hint("its MX records must point to names in the zone; for others rehearse a certificate of a workspace")
        };
        let scenario = simulate::of_zone(&zone, Policy::default()).ok_or_else(nobody)?;
        return Ok(vec![(zone.apex.to_string(), scenario)]);
    }
    let workspace = global.workspace()?;
    let names = workspace.config.named_or_all(&args.names).into_iter();
    names
        .map(|name| {
            let scenario = simulate::of_certificate(&workspace, &name, global.now())?;
            Ok((name, scenario))
        })
        .collect()
}
