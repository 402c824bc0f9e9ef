//! `zone continue`: a person says where a signed zone goes on from.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::{Exit, Failure, Global};
use crate::workflow::going_on::{Said, go_on, provider_was_mended};
use crate::zone::name::Name;
use serde_json::json;
use std::io::Write;

/// Says what was handed out of a zone that `advance` signs, where the program cannot find it out by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`advance` asks for it where the signed file and the state directory are lost and no server answers:
  dig +short SOA example.com @SERVER
  tlsa-rotate zone continue example.com --serial 2026120103")]
pub(crate) struct ContinueArgs {
    /// The zone
    #[arg(value_name = "ZONE", value_parser = super::zone::zone_name)]
    zone: Name,
    /// The latest serial that any of its servers has; the next version gets a later one
    #[arg(long, value_name = "N")]
    serial: Option<u32>,
    /// No server ever had the zone signed
    #[arg(long, conflicts_with_all = ["serial", "keys_anew"])]
    new: bool,
    /// The next version may have keys that no server has: the zone is refused by every validator that has the DS of another
    #[arg(long)]
    keys_anew: bool,
    /// The program of the zone's provider was mended: it may be asked for changes again
    #[arg(long, conflicts_with_all = ["serial", "new", "keys_anew"])]
    provider: bool,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

/// Runs `zone continue`.
pub(crate) fn run(
    args: &ContinueArgs,
    global: &Global,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    global.acts("zone continue")?;
    if args.provider {
        return mended(args, global, out);
    }
    if !args.new && !args.keys_anew && args.serial.is_none() {
        return Err(Failure::wrong("nothing is said of the zone")
            .hint("say `--serial N`, `--new`, `--keys-anew` or `--provider`"));
    }
    let said = Said {
        serial: args.serial,
        keys_anew: args.keys_anew,
    };
    let known = go_on(&global.workspace()?, &args.zone, said)?;
    if let (Some(said), Some(serial)) = (args.serial, known.serial)
        && said != serial
    {
        return Err(Failure::wrong(format_args!(
            "{} has had serial {serial}, which is ahead of {said}: nothing is changed",
            args.zone
        ))
        .hint("the next version gets a later serial by itself: run `tlsa-rotate advance`"));
    }
    if args.format.0 == TextOrJson::Json {
        let zone = args.zone.to_string();
        let body = json!({"zone": zone, "serial": known.serial, "keys_anew": known.keys_anew});
        Schema::ZoneContinue.write(out, body)?;
        return Ok(Exit::Done);
    }
    match known.serial {
        Some(serial) => writeln!(out, "{} goes on after serial {serial}", args.zone)?,
        None if args.new => writeln!(out, "{} begins with the serial of its file", args.zone)?,
        None => {}
    }
    if known.keys_anew {
        writeln!(out, "the next version of {} may have other keys", args.zone)?;
    }
    Ok(Exit::Done)
}

fn mended(args: &ContinueArgs, global: &Global, out: &mut impl Write) -> Result<Exit, Failure> {
    let was_halted = provider_was_mended(&global.workspace()?, &args.zone)?;
    if args.format.0 == TextOrJson::Json {
        let body = json!({"zone": args.zone.to_string(), "was_halted": was_halted});
        Schema::ZoneContinue.write(out, body)?;
    } else if was_halted {
        writeln!(out, "{} may be changed again", args.zone)?;
    } else {
        writeln!(out, "{} was not halted: nothing is changed", args.zone)?;
    }
    Ok(Exit::Done)
}
