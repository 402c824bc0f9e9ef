//! `zone sign`: a master file signed with a directory of keys, and verified before it is written.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::sign_policy::PolicyArgs;
use super::zone::Input;
use super::{Exit, Failure, Global, REHEARSED, key};
use crate::dnssec::delta::NoDelta;
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::next::{Next, NotNext, Numbering, Order, next};
use crate::dnssec::print::print;
use crate::dnssec::sign::SigningPolicy;
use crate::workspace::durable::{self, WriteError};
use crate::workspace::output::{Output, Refused};
use crate::workspace::signed::{SignedFile, seal_beside, write_verified};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use serde::Serialize;
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
    let outputs = outputs(args)?;
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
    let order = Order {
        file: &file,
        keys: &keys,
        policy: &policy,
        numbering: if args.raise_serial {
            Numbering::Raised { handed_out: None }
        } else {
            Numbering::AsWritten
        },
        unverified: args.no_verify,
    };
    let made = next(&order, intact, |why| {
        if let Some(why) = why {
            eprintln!("note: signing the whole zone: {why}");
        }
        read_previous(args).map_err(Stop::Failure)
    });
    let next = ManuallyDrop::new(made.map_err(|stop| stop.told(&apex))?);
    let writes_files = args.output.is_some() || args.delta.is_some();
    if writes_files && global.only_rehearses() {
        summarise(args, &apex, &next, out)?;
        eprintln!("{REHEARSED}");
        return Ok(Exit::Done);
    }
    outputs.iter().try_for_each(Output::judge)?;
    match (&*next, &args.output, &previous) {
        (Next::Carried(carried), Some(output), Some(previous)) => previous
            .write_next(output, &seal_beside(output), carried)
            .map_err(|e| cannot_write(&e))?,
        // Only a file that is written is carried over.
        (Next::Carried(_), ..) => {}
        (Next::Whole { signed, .. }, ..) => write_whole(args, &signed.zone, &keys, &policy, out)?,
    }
    tell(args, &apex, &next, out)?;
    Ok(Exit::Done)
}

/// The files that are to be written: the signed zone, its seal, and the change.
fn outputs(args: &SignArgs) -> Result<Vec<Output>, Refused> {
    let seal = args.output.as_deref().map(seal_beside);
    let files = [&args.output, &seal, &args.delta].into_iter().flatten();
    let files = files.map(|file| Output::named(file));
    let files: Vec<Output> = files.collect::<Result<_, _>>()?;
    Output::apart(&files, &[&args.input.file])?;
    Ok(files)
}

fn write_whole(
    args: &SignArgs,
    zone: &Zone,
    keys: &[SigningKey],
    policy: &SigningPolicy,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let written = match &args.output {
        None => return Ok(zone.write_to(out)?),
        // A seal would say that the file was verified.
        Some(file) if args.no_verify => durable::remove(&seal_beside(file)).and_then(|()| {
            durable::replace_with(file, |mut out| {
                let mut buffered = BufWriter::with_capacity(1 << 20, &mut out);
                print(zone, policy.threads, &mut buffered)?;
                buffered.flush()
            })
        }),
        Some(file) => write_verified(file, &seal_beside(file), zone, keys, policy.now),
    };
    written.map_err(|e| cannot_write(&e))
}

/// The zone of `--previous`, read whole.
fn read_previous(args: &SignArgs) -> Result<Option<Zone>, Failure> {
    let read = |file: &PathBuf| {
        let read = args.input.reading.zone(file);
        read.map_err(|e| e.hint("leave `--previous` out the first time"))
    };
    args.previous.as_ref().map(read).transpose()
}

/// Why nothing was signed.
enum Stop {
    /// There is no next version.
    NotNext(NotNext),
    /// The previous one cannot be read.
    Failure(Failure),
}

impl From<NotNext> for Stop {
    fn from(why: NotNext) -> Self {
        Self::NotNext(why)
    }
}

impl Stop {
    fn told(self, apex: &Name) -> Failure {
        match self {
            Self::Failure(failure) => failure,
            Self::NotNext(NotNext::Unverified(findings)) => invalid(apex, &findings),
            Self::NotNext(NotNext::Delta(error)) => no_delta(&error),
            Self::NotNext(why) => Failure::wrong(why),
        }
    }
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
    serial: u32,
    signatures_made: usize,
    signatures_kept: u64,
    changed: bool,
}

/// Writes the delta, and says what was done.
fn tell(args: &SignArgs, apex: &Name, next: &Next, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(file) = &args.delta {
        // A delta of nothing is an empty file: whoever reads it next finds none left over from the run before.
        let text = next.delta().map(ToString::to_string).unwrap_or_default();
        Output::named(file)?.replace(text.as_bytes())?;
    }
    summarise(args, apex, next, out)
}

fn summarise(
    args: &SignArgs,
    apex: &Name,
    next: &Next,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let summary = SignSummary {
        zone: apex.to_string(),
        serial: next.serial(),
        signatures_made: next.made(),
        signatures_kept: next.kept(),
        changed: next.is_new(),
    };
    if args.format.0 == TextOrJson::Json {
        Schema::ZoneSign.write(out, &summary)?;
    }
    eprintln!(
        "signed {} serial {}: {} signatures made, {} kept{}",
        summary.zone,
        summary.serial,
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

fn cannot_write(error: &WriteError) -> Failure {
    let hints = error.hints();
    hints.into_iter().fold(Failure::wrong(error), Failure::hint)
}
