//! `zone verify`: the independent check of a signed zone, whoever signed it.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::zone::Input;
use super::zone_sign::cannot_read;
use super::{Exit, Failure, Global};
use crate::dnssec::audit::{Expectation, Summary, judge_zone};
use crate::dnssec::finding::Finding;
use crate::dnssec::read_ds;
use crate::files::read;
use crate::rotation::timing::Span;
use crate::workspace::config::duration;
use crate::zone::name::Name;
use serde::Serialize;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Checks that a signed zone is complete and holds, without asking how it was signed.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    input: Input,
    /// The DS records of the parent, one a line, to be matched with the keys
    #[arg(long, value_name = "FILE")]
    ds: Option<PathBuf>,
    /// How long every signature must still hold
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = duration::parse)]
    horizon: Span,
    /// Threads that verify [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

/// Runs `zone verify`.
pub(crate) fn verify(
    args: &VerifyArgs,
    global: &Global,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    // The process ends with this command: taking a large zone apart would be for nothing.
    let zone = ManuallyDrop::new(args.input.zone()?);
    let ds = match &args.ds {
        None => None,
        Some(file) => {
            let text = read::read_text(file, read::LIST).map_err(|e| cannot_read(file, &e))?;
            let records = read_ds(&text, &zone.apex)
                .map_err(|e| Failure::wrong(format_args!("{}: {e}", file.display())))?;
            Some(records)
        }
    };
    let mut expectation = Expectation {
        horizon: args.horizon,
        ds: ds.as_deref(),
        ..Expectation::at(global.now())
    };
    if let Some(threads) = args.threads {
        expectation.threads = threads;
    }
    let judged = judge_zone(&zone, &expectation);
    if args.format.0 == TextOrJson::Json {
        Schema::ZoneVerify.write(out, verdict_json(&zone.apex, &judged))?;
    } else {
        write_verdict(out, &judged)?;
    }
    Ok(match judged {
        Ok(_) => Exit::Done,
        Err(findings) => {
            eprintln!(
                "error: {} is not validly signed: {} faults",
                zone.apex,
                findings.len()
            );
            Exit::Wrong
        }
    })
}

fn write_verdict(
    out: &mut impl Write,
    judged: &Result<Summary, Vec<Finding>>,
) -> Result<(), Failure> {
    match judged {
        Ok(summary) => {
            let keys: Vec<String> = summary.keys.iter().map(ToString::to_string).collect();
            writeln!(
                out,
                "{} serial {} is completely signed",
                summary.apex, summary.serial
            )?;
            writeln!(
                out,
                "{} RRsets, {} signatures, {} names in the denial chain{}",
                summary.rrsets,
                summary.signatures,
                summary.chain,
                if summary.opt_out { " (opt-out)" } else { "" }
            )?;
            writeln!(out, "signed by {}", keys.join(", "))?;
            let window = summary.window;
            writeln!(
                out,
                "valid from {} to {}",
                window.inception, window.expiration
            )?;
            for number in &summary.unchecked {
                writeln!(out, "not checked: signatures of algorithm {number}")?;
            }
        }
        Err(findings) => {
            for finding in findings {
                writeln!(out, "{finding}")?;
            }
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Verdict {
    zone: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<VerdictSummary>,
    faults: Vec<VerdictFault>,
}

#[derive(Serialize)]
struct VerdictSummary {
    serial: u32,
    rrsets: usize,
    signatures: usize,
    chain: usize,
    opt_out: bool,
    keys: Vec<String>,
    unchecked_algorithms: Vec<u8>,
    inception: String,
    expiration: String,
}

#[derive(Serialize)]
struct VerdictFault {
    owner: String,
    #[serde(rename = "type")]
    rtype: String,
    fault: String,
}

fn verdict_json(apex: &Name, judged: &Result<Summary, Vec<Finding>>) -> Verdict {
    let faults = judged.as_ref().err().into_iter().flatten();
    Verdict {
        zone: apex.to_string(),
        valid: judged.is_ok(),
        summary: judged.as_ref().ok().map(|summary| VerdictSummary {
            serial: summary.serial,
            rrsets: summary.rrsets,
            signatures: summary.signatures,
            chain: summary.chain,
            opt_out: summary.opt_out,
            keys: summary.keys.iter().map(ToString::to_string).collect(),
            unchecked_algorithms: summary.unchecked.iter().copied().collect(),
            inception: summary.window.inception.to_string(),
            expiration: summary.window.expiration.to_string(),
        }),
        faults: faults
            .map(|finding| VerdictFault {
                owner: finding.owner.to_string(),
                rtype: finding.rtype.to_string(),
                fault: finding.fault.to_string(),
            })
            .collect(),
    }
}
