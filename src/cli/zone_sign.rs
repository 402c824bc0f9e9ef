//! `zone sign` and `zone verify`: a master file signed with a directory of keys, and the independent check of a signed one.

use super::zone::Input;
use super::{Exit, Failure, Format, Global, instant, key};
use crate::dnssec::audit::{Summary, verify_zone};
use crate::dnssec::carry::{NotCarried, Serials, resign};
use crate::dnssec::delta::{Delta, NoDelta};
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::sign::{Signed, SigningPolicy, sign};
use crate::dnssec::{Earlier, read_ds};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::config::duration;
use crate::workspace::durable::{self, WriteError};
use crate::workspace::signed::{SignedFile, seal_beside, write_verified};
use crate::zone::file::ZoneFile;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use crate::zone::serial;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How long signatures hold if nothing else is said.
const VALIDITY: Span = Span::days(14);

/// How far back they begin, for validators whose clocks are behind.
const CLOCK_SKEW: Span = Span::hours(1);

/// Signs a zone: DNSKEY, NSEC and RRSIG records, in canonical order, one record a line.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    input: Input,
    /// The directory of its keys
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Where the signed zone goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The zone as it was signed before: signatures that still fit are kept
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Where the change from `--previous` goes, record by record
    #[arg(long, value_name = "FILE", requires = "previous")]
    delta: Option<PathBuf>,
    /// If anything changes, give the signed zone the serial that follows the previous one
    #[arg(long, requires = "previous")]
    raise_serial: bool,
    /// Begin of new signatures [default: an hour ago]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    inception: Option<Instant>,
    /// End of new signatures [default: in 14 days]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expiration: Option<Instant>,
    /// Signatures with this much time left, or less, are made anew [default: half of what new ones have]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse)]
    refresh: Option<Span>,
}

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
}

/// Runs `zone sign`.
pub(crate) fn sign_zone(
    args: &SignArgs,
    global: &Global,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    if global.format == Format::Json && args.output.is_none() {
        let both =
            "with `--format json` the summary goes to standard output, and so would the zone";
        return Err(Failure::wrong(both).hint("say where the zone goes with `--output FILE`"));
    }
    let file = args.input.sound()?;
    let apex = file.apex().cloned().unwrap_or_else(Name::root);
    let keys = key::load(&args.keys, &apex)?;
    let policy = policy(args, global.now());
    if let Some(exit) = carry(args, global, &file, &keys, &policy, out)? {
        return Ok(exit);
    }
    let unsigned = file.zone().map_err(Failure::wrong)?;
    let read_previous = |file: &PathBuf| {
        let read = args.input.reading.zone(file);
        read.map_err(|e| e.hint("leave `--previous` out the first time"))
    };
    let previous = args.previous.as_ref().map(read_previous).transpose()?;
    let earlier = Earlier {
        zone: previous.as_ref(),
        ..Earlier::default()
    };
    let mut signed = sign(&unsigned, &keys, earlier, &policy).map_err(Failure::wrong)?;
    let mut delta = None;
    if let Some(previous) = &previous {
        delta = match Delta::between(previous, &signed.zone) {
            Err(NoDelta::Serial { old, .. }) if args.raise_serial => {
                let mut raised = unsigned;
                raised.set_serial(serial::next(old, policy.now).to);
                // What was just made need not be made, or checked, again.
                let earlier = Earlier {
                    zone: Some(&signed.zone),
                    trusted: true,
                    extra: &[],
                };
                let again = sign(&raised, &keys, earlier, &policy).map_err(Failure::wrong)?;
                signed = joined(signed, again);
                Delta::between(previous, &signed.zone)
            }
            other => other,
        }
        .map_err(|e| no_delta(&e))?;
    }
    match &args.output {
        None => write!(out, "{}", signed.zone)?,
        Some(file) => {
            write_verified(file, &seal_beside(file), &signed.zone, &keys, policy.now)
                .map_err(|e| cannot_write(&e))?;
        }
    }
    let told = Told {
        zone: &signed.zone.apex,
        serial: signed.zone.soa().map(|soa| soa.serial),
        made: signed.made.len(),
        kept: signed.kept as u64,
        delta: delta.as_ref(),
    };
    tell(args, global, &told, out)?;
    Ok(Exit::Done)
}

/// Signs what differs from `--previous`, if that file is known to be as it was when it was verified.
fn carry(
    args: &SignArgs,
    global: &Global,
    file: &ZoneFile,
    keys: &[SigningKey],
    policy: &SigningPolicy,
    out: &mut impl Write,
) -> Result<Option<Exit>, Failure> {
    let (Some(previous), Some(output)) = (&args.previous, &args.output) else {
        return Ok(None);
    };
    let opened = SignedFile::open(previous, &seal_beside(previous))
        .map_err(|e| cannot_read(previous, &e))?;
    let Some(previous) = opened else {
        return Ok(None);
    };
    let old = previous.sealed().seal.serial;
    let serials = Serials {
        instead: None,
        if_stuck: args.raise_serial.then(|| serial::next(old, policy.now).to),
    };
    let carried = match resign(previous.sealed(), file, keys, policy, serials) {
        Err(e) if e.wants_the_whole() => {
            eprintln!("note: signing the whole zone: {e}");
            return Ok(None);
        }
        Err(NotCarried::Delta(e)) => return Err(no_delta(&e)),
        other => other.map_err(Failure::wrong)?,
    };
    previous
        .write_next(output, &seal_beside(output), &carried)
        .map_err(|e| cannot_write(&e))?;
    let told = Told {
        zone: &carried.seal.zone,
        serial: Some(carried.serial),
        made: carried.made.len(),
        kept: carried.kept,
        delta: carried.delta.as_ref(),
    };
    tell(args, global, &told, out)?;
    Ok(Some(Exit::Done))
}

#[allow(clippy::arithmetic_side_effects)] // instants and spans saturate
fn policy(args: &SignArgs, now: Instant) -> SigningPolicy {
    let expiration = args.expiration.unwrap_or(now + VALIDITY);
    let half = Span::seconds(expiration.since(now).as_seconds() / 2);
    SigningPolicy {
        now,
        inception: args.inception.unwrap_or(now - CLOCK_SKEW),
        expiration,
        refresh: args.refresh.unwrap_or(half),
        ..SigningPolicy::default()
    }
}

/// Two runs told as one: the second only signed the SOA again.
fn joined(first: Signed, second: Signed) -> Signed {
    let mut made = first.made;
    made.extend(second.made);
    made.sort();
    made.dedup();
    let signatures = second
        .zone
        .records()
        .filter(|r| r.rtype == Rtype::RRSIG)
        .count();
    Signed {
        kept: signatures.saturating_sub(made.len()),
        zone: second.zone,
        made,
    }
}

fn no_delta(error: &NoDelta) -> Failure {
    let failure = Failure::wrong(error);
    match error {
        NoDelta::Serial { .. } => failure.hint(
            "raise the serial in the SOA record of the unsigned file, or say `--raise-serial` to do it in the signed zone only",
        ),
        _ => failure,
    }
}

#[derive(Serialize)]
struct SignSummary {
    schema: &'static str,
    zone: String,
    serial: Option<u32>,
    signatures_made: usize,
    signatures_kept: u64,
    changed: bool,
}

/// What was done.
struct Told<'a> {
    zone: &'a Name,
    serial: Option<u32>,
    made: usize,
    kept: u64,
    delta: Option<&'a Delta>,
}

/// Writes the delta, and says what was done.
fn tell(
    args: &SignArgs,
    global: &Global,
    told: &Told<'_>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(file) = &args.delta {
        // A delta of nothing is an empty file: whoever reads it next finds none left over from the run before.
        let text = told.delta.map(ToString::to_string).unwrap_or_default();
        replace(file, &text)?;
    }
    let summary = SignSummary {
        schema: "tlsa-rotate/zone-sign/v1",
        zone: told.zone.to_string(),
        serial: told.serial,
        signatures_made: told.made,
        signatures_kept: told.kept,
        changed: args.previous.is_none() || told.delta.is_some(),
    };
    if global.format == Format::Json {
        write_json(out, &summary)?;
    }
    eprintln!(
        "signed {} serial {}: {} signatures made, {} kept{}",
        summary.zone,
        summary.serial.unwrap_or_default(),
        summary.signatures_made,
        summary.signatures_kept,
        if summary.changed {
            ""
        } else {
            "; nothing has changed"
        },
    );
    Ok(())
}

/// Runs `zone verify`.
pub(crate) fn verify(
    args: &VerifyArgs,
    global: &Global,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let zone = args.input.zone()?;
    let ds = match &args.ds {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|e| cannot_read(file, &e))?;
            let records = read_ds(&text, &zone.apex)
                .map_err(|e| Failure::wrong(format_args!("{}: {e}", file.display())))?;
            Some(records)
        }
    };
    let judged = verify_zone(&zone, global.now(), args.horizon, ds.as_deref());
    if global.format == Format::Json {
        write_json(out, &verdict_json(&zone.apex, &judged))?;
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
                "{} RRsets, {} signatures, {} names in the denial chain",
                summary.rrsets, summary.signatures, summary.chain
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
    schema: &'static str,
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
        schema: "tlsa-rotate/zone-verify/v1",
        zone: apex.to_string(),
        valid: judged.is_ok(),
        summary: judged.as_ref().ok().map(|summary| VerdictSummary {
            serial: summary.serial,
            rrsets: summary.rrsets,
            signatures: summary.signatures,
            chain: summary.chain,
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

fn write_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value)
        .map_err(|e| Failure::wrong(format_args!("cannot write the output: {e}")))?;
    writeln!(out)?;
    Ok(())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::wrong(format_args!("cannot read {}: {error}", path.display()))
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let replaced = durable::replace(path, text.as_bytes());
    replaced.map(|_| ()).map_err(|e| cannot_write(&e))
}

fn cannot_write(error: &WriteError) -> Failure {
    let hints = error.hints();
    hints.into_iter().fold(Failure::wrong(error), Failure::hint)
}
