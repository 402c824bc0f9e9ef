//! `zone`: master files checked, written out in canonical form, and compared; signing is in its own file.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::{Exit, Failure, Global, zone_continue, zone_sign, zone_verify};
use crate::change::changes::{Change, Changes, Detail};
use crate::files::read;
use crate::rotation::timing::Ttl;
use crate::workspace::Workspace;
use crate::zone::content::Zone;
use crate::zone::diagnostic::{Counts, Diagnostic, Kind, Severity};
use crate::zone::diff::{ZoneDiff, diff_files};
use crate::zone::file::ZoneFile;
use crate::zone::include::Directory;
use crate::zone::name::Name;
use crate::zone::rdata::Soa;
use crate::zone::record::{Record, Rtype};
use crate::zone::servers::ServerKind;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

/// Check, normalize and compare master files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say what is wrong with a zone, and in which line and column
    Check(CheckArgs),
    /// Write a zone with one absolute record a line, in canonical order
    Normalize(NormalizeArgs),
    /// Show which records differ between two versions of a zone; exit code 0 either way, no output if none does
    Diff(DiffArgs),
    /// Sign a zone: DNSKEY, NSEC or NSEC3, and RRSIG records, one record a line
    Sign(zone_sign::SignArgs),
    /// Say whether a signed zone is complete and holds, whoever signed it
    Verify(zone_verify::VerifyArgs),
    /// Say which serial or keys a zone goes on from, where that is lost
    Continue(zone_continue::ContinueArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

#[derive(Debug, clap::Args)]
struct NormalizeArgs {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// The version before
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The version after
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// List signatures and denial records too, instead of counting them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    format: Format<DiffFormat>,
}

/// What `zone diff` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DiffFormat {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// For reviews.
    Markdown,
}

/// One master file on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Input {
    /// The master file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How master files are read.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reading {
    /// The zone's name [default: what the file says by $ORIGIN or its SOA record]
    #[arg(long, value_name = "NAME", value_parser = zone_name)]
    origin: Option<Name>,
    /// Where files of $INCLUDE must lie [default: the directory of the file]
    #[arg(long, value_name = "DIR")]
    include_below: Option<PathBuf>,
}

/// A zone on the command line is absolute, with or without its final dot.
pub(crate) fn zone_name(text: &str) -> Result<Name, String> {
    Name::parse(text.as_bytes(), Some(&Name::root())).map_err(|error| error.to_string())
}

impl Input {
    /// Reads the file, whatever is wrong with it.
    pub(crate) fn read(&self) -> Result<ZoneFile, Failure> {
        self.reading.read(&self.file)
    }

    /// Reads the file; warnings go to stderr, errors are a failure.
    pub(crate) fn zone(&self) -> Result<Zone, Failure> {
        self.reading.zone(&self.file)
    }

    /// As [`Input::zone`], but the file itself.
    pub(crate) fn sound(&self) -> Result<ZoneFile, Failure> {
        self.reading.sound(&self.file)
    }
}

impl Reading {
    /// Reads a file, whatever is wrong with it.
    fn read(&self, file: &Path) -> Result<ZoneFile, Failure> {
        let (path, read) = if file == Path::new("-") {
            let mut bytes = Vec::new();
            let stdin = io::stdin().lock();
            let read = stdin.take(read::ZONE).read_to_end(&mut bytes);
            ("<stdin>".to_owned(), read.map(|_| bytes))
        } else {
            (file.display().to_string(), read::read(file, read::ZONE))
        };
        let bytes =
            read.map_err(|error| Failure::wrong(format_args!("cannot read {path}: {error}")))?;
        Ok(self.read_in(&path, bytes))
    }

    fn read_in(&self, path: &str, bytes: Vec<u8>) -> ZoneFile {
        let beside = Path::new(path).parent().unwrap_or(Path::new(""));
        let root = self.include_below.as_deref().unwrap_or(beside);
        let files = Directory::below(root);
        ZoneFile::read(path, bytes, self.origin.as_ref(), &files)
    }

    /// Reads a file; warnings go to stderr, errors are a failure.
    pub(crate) fn zone(&self, file: &Path) -> Result<Zone, Failure> {
        self.sound(file)?.zone().map_err(Failure::wrong)
    }

    /// As [`Reading::zone`], but the file itself.
    pub(crate) fn sound(&self, file: &Path) -> Result<ZoneFile, Failure> {
        let read = self.read(file)?;
        sound_apex(file, &read)?;
        Ok(read)
    }

    /// As [`Reading::zone`], for a file whose contents have been read already.
    pub(crate) fn zone_in(&self, file: &Path, contents: Vec<u8>) -> Result<Zone, Failure> {
        let read = self.read_in(&file.display().to_string(), contents);
        sound_apex(file, &read)?;
        read.zone().map_err(Failure::wrong)
    }
}

/// The apex of a file that was read; warnings go to stderr, errors are a failure.
fn sound_apex<'z>(path: &Path, file: &'z ZoneFile) -> Result<&'z Name, Failure> {
    for diagnostic in file.diagnostics() {
        eprintln!("{diagnostic}");
    }
    file.sound().map_err(|_| {
        let (path, errors) = (path.display(), counted(file.counts().errors, "error"));
        Failure::wrong(format_args!("{path} is not a sound zone: {errors}"))
    })
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let exit = match &args.action {
        Action::Check(args) => check(args, global, &mut out)?,
        Action::Normalize(args) => normalize(args, &mut out)?,
        Action::Diff(args) => difference(args, &mut out)?,
        Action::Sign(args) => zone_sign::sign_zone(args, global, &mut out)?,
        Action::Verify(args) => zone_verify::verify(args, global, &mut out)?,
        Action::Continue(args) => zone_continue::run(args, global, &mut out)?,
    };
    out.flush()?;
    Ok(exit)
}

/// What the servers of a zone run, as the configuration has it that is named, or that this directory lies under.
fn servers_run(apex: Option<&Name>, global: &Global) -> Result<Vec<ServerKind>, Failure> {
    let found = match &global.config {
        Some(path) => Some(Workspace::open(path).map_err(|e| Failure::wrong(&e).hints(e.hints()))?),
        None => Workspace::find(Path::new(".")).ok(),
    };
    let zones = found.map(|workspace| workspace.config.zones);
    let mut zones = zones.unwrap_or_default().into_iter();
    let zone = zones.find(|zone| Some(&zone.name) == apex);
    Ok(zone.map(|zone| zone.servers_run).unwrap_or_default())
}

fn check(args: &CheckArgs, global: &Global, out: &mut impl Write) -> Result<Exit, Failure> {
    let file = args.input.read()?;
    let run = servers_run(file.apex(), global)?;
    let found = || file.diagnostics().iter().filter(|d| d.matters_to(&run));
    let Counts { errors, warnings } = file.counts();
    let aside = file.diagnostics().len().saturating_sub(found().count());
    let warnings = warnings.saturating_sub(aside);
    let zone = file.apex().map(ToString::to_string);
    let serial = file.serial();
    if args.format.0 == TextOrJson::Json {
        let findings: Vec<Value> = found().map(finding).collect();
        let path = file.sources().first().map(|s| s.path.clone());
        let report = json!({
            "file": path,
            "zone": zone,
            "serial": serial,
            "records": file.record_count(),
            "errors": errors,
            "warnings": warnings,
            "findings": findings,
        });
        Schema::ZoneCheck.write(out, report)?;
    } else {
        for diagnostic in found() {
            writeln!(out, "{diagnostic}\n")?;
        }
        let zone = zone.unwrap_or_else(|| "?".to_owned());
        let serial = serial.map_or(String::new(), |s| format!(", serial {s}"));
        let records = counted(file.record_count(), "record");
        let verdict = match (errors, warnings) {
            (0, 0) => "sound".to_owned(),
            (0, _) => format!("sound, {}", counted(warnings, "warning")),
            (_, 0) => counted(errors, "error"),
            _ => format!(
                "{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        };
        let aside = match aside {
            0 => String::new(),
            _ => format!(
                " (and {} for servers that `servers_run` does not name)",
                counted(aside, "warning")
            ),
        };
        writeln!(out, "zone {zone}: {records}{serial}: {verdict}{aside}")?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Wrong })
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn finding(found: &Diagnostic) -> Value {
    json!({
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "severity": match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "kind": match found.kind {
            Kind::Syntax => "syntax",
            Kind::Content => "content",
        },
        "message": found.message,
        "help": found.help,
        "refused_by": found.refused_by.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
    })
}

fn normalize(args: &NormalizeArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let file = args.input.sound()?;
    if args.format.0 == TextOrJson::Json {
        let zone = file.zone().map_err(Failure::wrong)?;
        let records: Vec<Value> = zone.records().map(|r| record(&r)).collect();
        let report = json!({
            "zone": zone.apex.to_string(),
            "records": records,
        });
        Schema::ZoneNormalize.write(out, report)?;
    } else {
        file.write_to(out)?;
    }
    Ok(Exit::Done)
}

pub(super) fn record(record: &Record) -> Value {
    json!({
        "owner": record.owner.to_string(),
        "ttl": record.ttl.0,
        "type": record.rtype.to_string(),
        "data": record.rdata.to_text(record.rtype),
    })
}

fn difference(args: &DiffArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    // Reading is most of the work, and each file can be read without the other.
    let (old, new) = std::thread::scope(|scope| {
        let old = scope.spawn(|| args.reading.read(&args.old));
        let new = args.reading.read(&args.new);
        let old = old
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (old, new)
    });
    let (old, new) = (old?, new?);
    let before = sound_apex(&args.old, &old)?;
    let after = sound_apex(&args.new, &new)?;
    if before != after {
        return Err(Failure::wrong(format_args!(
            "{before} and {after} are not the same zone"
        )));
    }
    let diff = diff_files(&old, &new).map_err(Failure::wrong)?;
    let detail = if args.all {
        Detail::Everything
    } else {
        Detail::Meaning
    };
    let changes = Changes::of(&diff, detail);
    match args.format.0 {
        DiffFormat::Json => Schema::ZoneDiff.write(out, diff_value(after, &diff, &changes))?,
        DiffFormat::Markdown => write!(out, "Zone `{after}`: {}", changes.markdown())?,
        DiffFormat::Text => write!(out, "{changes}")?,
    }
    Ok(Exit::Done)
}

fn diff_value(apex: &Name, diff: &ZoneDiff, changes: &Changes) -> Value {
    let ttl = diff
        .rrsets
        .iter()
        .filter_map(|r| Some((r, r.ttl_change()?)));
    let ttl = ttl.map(|(r, (Ttl(old), Ttl(new)))| {
        json!({ "owner": r.owner.to_string(), "type": r.rtype.to_string(), "old": old, "new": new })
    });
    json!({
        "zone": apex.to_string(),
        "soa": soa_value(changes),
        "removed": diff.removed().map(|r| record(&r)).collect::<Vec<_>>(),
        "added": diff.added().map(|r| record(&r)).collect::<Vec<_>>(),
        "ttl": ttl.collect::<Vec<_>>(),
        "changes": changes_value(changes),
        "counted": counted_value(changes),
    })
}

/// The SOA data before and after, for programs.
pub(super) fn soa_value(changes: &Changes) -> Value {
    let text = |soa: Option<&Soa>| soa.map(|s| s.to_rdata().to_text(Rtype::SOA));
    changes.soa.as_ref().map_or(
        Value::Null,
        |(old, new)| json!({ "old": text(old.as_ref()), "new": text(new.as_ref()) }),
    )
}

/// What is listed, for programs: the verb and the records.
pub(super) fn changes_value(changes: &Changes) -> Vec<Value> {
    let value = |change: &Change| match change {
        Change::Add(r) | Change::Remove(r) => {
            json!({ "verb": change.verb(), "record": record(r) })
        }
        Change::Replace { old, new } => {
            json!({ "verb": change.verb(), "old": record(old), "new": record(new) })
        }
        Change::Ttl {
            owner,
            rtype,
            old,
            new,
        } => json!({
            "verb": change.verb(),
            "owner": owner.to_string(),
            "type": rtype.to_string(),
            "old": old.0,
            "new": new.0,
        }),
    };
    changes.listed.iter().map(value).collect()
}

/// What is only counted, for programs, by type.
pub(super) fn counted_value(changes: &Changes) -> Value {
    let count = changes.counted.iter().map(|(rtype, count)| {
        let value = json!({ "removed": count.removed, "added": count.added });
        (rtype.to_string(), value)
    });
    Value::Object(count.collect())
}
