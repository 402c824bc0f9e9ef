//! `zone sign`: a master file signed with a directory of keys, and verified before it is written.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::sign_policy::PolicyArgs;
use super::zone::Input;
use super::{Exit, Failure, Global, key};
use crate::dnssec::Earlier;
use crate::dnssec::audit::{Expectation, judge_zone};
use crate::dnssec::carry::{Carried, Intact, NotCarried, Serials, resign};
use crate::dnssec::delta::{Delta, NoDelta};
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::print::print;
use crate::dnssec::sign::{Signed, SigningPolicy, sign, sign_in_place};
use crate::workspace::durable::{self, WriteError};
use crate::workspace::signed::{SignedFile, seal_beside, write_verified};
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use crate::zone::serial;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

/// Faults of a zone of our own that are told; the first ones say what went wrong.
const TOLD: usize = 20;

/// Signs a zone: DNSKEY, NSEC or NSEC3, and RRSIG records, in canonical order, one record a line.
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
    #[command(flatten)]
    policy: PolicyArgs,
    /// Write what was signed without verifying it first: for bulk work that is verified elsewhere
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

/// Runs `zone sign`.
pub(crate) fn sign_zone(
    args: &SignArgs,
    global: &Global,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    if args.format.0 == TextOrJson::Json && args.output.is_none() {
        let both =
            "with `--format json` the summary goes to standard output, and so would the zone";
        return Err(Failure::wrong(both).hint("say where the zone goes with `--output FILE`"));
    }
    let previous = sealed_previous(args)?;
    // The digest of a large signed zone takes as long as reading the unsigned one.
    let (file, intact) = thread::scope(|scope| {
        let sealed = previous.as_ref().map(SignedFile::sealed);
        let check = sealed.map(|sealed| scope.spawn(move || sealed.intact()));
        let file = args.input.sound();
        let intact = check.map(ScopedJoinHandle::join);
        (file, intact)
    });
    let intact = intact.map(|joined| joined.unwrap_or_else(|panic| resume_unwind(panic)));
    // The process ends with this command: taking large zones apart would be for nothing.
    let file = ManuallyDrop::new(file?);
    let apex = file.apex().cloned().unwrap_or_else(Name::root);
    let keys = key::load(&args.keys, &apex)?;
    let policy = args.policy.policy(global.now());
    if let (Some(previous), Some(intact)) = (&previous, intact) {
        let carried = carry(args, intact, &file, &keys, &policy)?;
        if let Some(carried) = carried {
            return write_carried(args, previous, &carried, out);
        }
    }
    let unsigned = ManuallyDrop::new(file.zone().map_err(Failure::wrong)?);
    let read_previous = |file: &PathBuf| {
        let read = args.input.reading.zone(file);
        read.map_err(|e| e.hint("leave `--previous` out the first time"))
    };
    let previous = args.previous.as_ref().map(read_previous).transpose()?;
    let produce = |unsigned, trusted| {
        let earlier = Earlier {
            zone: previous.as_ref(),
            trusted,
            extra: &[],
        };
        produce(args, unsigned, &keys, earlier, &policy)
    };
    let (signed, delta) = if previous.is_none() {
        let only = produce(Cow::Owned(ManuallyDrop::into_inner(unsigned)), false)?;
        if !args.no_verify {
            verified(&only.0.zone, &policy)?;
        }
        only
    } else if args.no_verify {
        produce(Cow::Borrowed(&*unsigned), false)?
    } else {
        // What is kept is checked by the verification, and need not be checked before. Only if something in it does
        // not hold is each signature checked before it is kept.
        let first = produce(Cow::Borrowed(&*unsigned), true)?;
        if verified(&first.0.zone, &policy).is_ok() {
            first
        } else {
            let second = produce(Cow::Borrowed(&*unsigned), false)?;
            verified(&second.0.zone, &policy)?;
            second
        }
    };
    let signed = ManuallyDrop::new(signed);
    match &args.output {
        None => signed.zone.write_to(out)?,
        // A seal would say that the file was verified.
        Some(file) if args.no_verify => {
            durable::remove(&seal_beside(file)).map_err(|e| cannot_write(&e))?;
            let written = durable::replace_with(file, |mut out| {
                let mut buffered = BufWriter::with_capacity(1 << 20, &mut out);
                print(&signed.zone, policy.threads, &mut buffered)?;
                buffered.flush()
            });
            written.map_err(|e| cannot_write(&e))?;
        }
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
    tell(args, &told, out)?;
    Ok(Exit::Done)
}

/// Signs; gives what was signed and how it differs from what was signed before.
fn produce(
    args: &SignArgs,
    unsigned: Cow<'_, Zone>,
    keys: &[SigningKey],
    earlier: Earlier<'_>,
    policy: &SigningPolicy,
) -> Result<(Signed, Option<Delta>), Failure> {
    let Some(previous) = earlier.zone else {
        let signed = sign_in_place(unsigned.into_owned(), keys, earlier, policy);
        return Ok((signed.map_err(Failure::wrong)?, None));
    };
    let mut signed = sign(&unsigned, keys, earlier, policy).map_err(Failure::wrong)?;
    let delta = match Delta::between(previous, &signed.zone) {
        Err(NoDelta::Serial { old, .. }) if args.raise_serial => {
            let mut raised = unsigned.into_owned();
            raised.set_serial(serial::next(old, policy.now).to);
            // What was just made need not be made, or checked, again.
            let earlier = Earlier {
                zone: Some(&signed.zone),
                trusted: true,
                extra: &[],
            };
            let again = sign_in_place(raised, keys, earlier, policy).map_err(Failure::wrong)?;
            signed = joined(signed, again);
            Delta::between(previous, &signed.zone)
        }
        other => other,
    };
    Ok((signed, delta.map_err(|e| no_delta(&e))?))
}

/// Judges what is about to be written as `zone verify` would.
fn verified(signed: &Zone, policy: &SigningPolicy) -> Result<(), Failure> {
    let expectation = Expectation {
        threads: policy.threads,
        ..Expectation::at(policy.now)
    };
    judge_zone(signed, &expectation)
        .map(|_| ())
        .map_err(|findings| invalid(&signed.apex, &findings))
}

fn invalid(apex: &Name, findings: &[Finding]) -> Failure {
    let told: Vec<String> = findings
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    let message = format!(
        "nothing is written: {apex} as signed with these keys would not be valid ({} faults):\n{}",
        findings.len(),
        told.join("\n")
    );
    Failure::wrong(message).hint("see which keys are active with `tlsa-rotate key list`")
}

/// The file of `--previous` with its seal, if it has one and there is a file to be written.
fn sealed_previous(args: &SignArgs) -> Result<Option<SignedFile>, Failure> {
    match (&args.previous, &args.output) {
        (Some(previous), Some(_)) => SignedFile::open(previous, &seal_beside(previous))
            .map_err(|e| cannot_read(previous, &e)),
        _ => Ok(None),
    }
}

/// Signs what differs from `--previous`; `None` if the whole zone is to be signed.
fn carry(
    args: &SignArgs,
    intact: Result<Intact<'_>, NotCarried>,
    file: &ZoneFile,
    keys: &[SigningKey],
    policy: &SigningPolicy,
) -> Result<Option<Carried>, Failure> {
    let carried = intact.and_then(|intact| {
        let old = intact.seal().serial;
        let serials = Serials {
            instead: None,
            if_stuck: args.raise_serial.then(|| serial::next(old, policy.now).to),
        };
        resign(intact, file, keys, policy, serials)
    });
    match carried {
        Err(e) if e.wants_the_whole() => {
            eprintln!("note: signing the whole zone: {e}");
            Ok(None)
        }
        Err(NotCarried::Delta(e)) => Err(no_delta(&e)),
        Err(NotCarried::Unverified(findings)) => {
            Err(invalid(file.apex().unwrap_or(&Name::root()), &findings))
        }
        other => other.map(Some).map_err(Failure::wrong),
    }
}

fn write_carried(
    args: &SignArgs,
    previous: &SignedFile,
    carried: &Carried,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    if let Some(output) = &args.output {
        previous
            .write_next(output, &seal_beside(output), carried)
            .map_err(|e| cannot_write(&e))?;
    }
    let told = Told {
        zone: &carried.seal.zone,
        serial: Some(carried.serial),
        made: carried.made.len(),
        kept: carried.kept,
        delta: carried.delta.as_ref(),
    };
    tell(args, &told, out)?;
    Ok(Exit::Done)
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
fn tell(args: &SignArgs, told: &Told<'_>, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(file) = &args.delta {
        // A delta of nothing is an empty file: whoever reads it next finds none left over from the run before.
        let text = told.delta.map(ToString::to_string).unwrap_or_default();
        replace(file, &text)?;
    }
    let summary = SignSummary {
        zone: told.zone.to_string(),
        serial: told.serial,
        signatures_made: told.made,
        signatures_kept: told.kept,
        changed: args.previous.is_none() || told.delta.is_some(),
    };
    if args.format.0 == TextOrJson::Json {
        Schema::ZoneSign.write(out, &summary)?;
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

pub(super) fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
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
