//! `key`: DNSSEC keys of a zone in BIND key files, and the DS lines for its parent.

use super::document::Schema;
use super::format::{Format, TextOrJson};
use super::zone::zone_name;
use super::{Exit, Failure, Global};
use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::{DigestType, Dnskey};
use crate::dnssec::keys::SigningKey;
use crate::dnssec::keystore::{KeyError, NewKey, Role, entry_points, load_keys, new_key};
use crate::rotation::timing::Instant;
use crate::workspace::durable;
use crate::workspace::output::Output;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use std::io::{BufWriter, Write as _, stdout};
use std::path::{Path, PathBuf};

/// From when a key to practise with is in use: 2000-01-01, before any time that is named. Without a time other signers take a
/// key for one that is not published.
const LONG_AGO: Instant = Instant::from_unix(946_684_800);

/// Makes and shows DNSSEC keys (`K<zone>+<algorithm>+<tag>.key` and `.private`, as BIND and ldns read them).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, in use at once (in a workspace with `rehearsal = true`: at any time)
    Generate(Generate),
    /// Show the keys of a zone, and which of them sign now
    List(Keys),
    /// Print the DS records that the parent zone must hold, for the registrar
    Ds(Ds),
}

#[derive(Debug, clap::Args)]
struct Keys {
    /// The zone
    #[arg(value_name = "ZONE", value_parser = zone_name)]
    zone: Name,
    /// The directory of the keys
    #[arg(long = "keys", value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    format: Format<TextOrJson>,
}

#[derive(Debug, clap::Args)]
struct Generate {
    #[command(flatten)]
    keys: Keys,
    /// ecdsap256sha256 (13), ed25519 (15), rsasha256 (8), ecdsap384sha384 (14) or rsasha512 (10)
    #[arg(long, default_value = "ecdsap256sha256")]
    algorithm: Algorithm,
    /// What it is for; a csk signs everything and is what a small zone wants
    #[arg(long, value_enum, default_value_t = RoleName::Csk)]
    role: RoleName,
}

#[derive(Debug, clap::Args)]
struct Ds {
    #[command(flatten)]
    keys: Keys,
    /// sha256 or sha384
    #[arg(long, default_value = "sha256")]
    digest: DigestType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// Signs everything.
    Csk,
    /// Signs the key set.
    Ksk,
    /// Signs everything else.
    Zsk,
}

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a str,
    algorithm: &'static str,
    number: u8,
    tag: u16,
    flags: u16,
    state: &'static str,
    publish: Option<String>,
    activate: Option<String>,
    inactive: Option<String>,
    delete: Option<String>,
}

#[derive(Serialize)]
struct Document<T> {
    zone: String,
    keys: T,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    match &args.action {
        Action::Generate(args) => generate(args, global),
        Action::List(args) => list(args, global),
        Action::Ds(args) => ds(args, global),
    }
}

/// Loads the keys of a zone for a command.
pub(super) fn load(directory: &Path, zone: &Name) -> Result<Vec<SigningKey>, Failure> {
    load_keys(directory, zone).map_err(|error| {
        let hint = match &error {
            KeyError::Unkept(unkept) => return Failure::wrong(unkept).hints(unkept.hints()),
            KeyError::Half { .. } => {
                "restore the missing file, or move this one out of the directory".to_owned()
            }
            KeyError::Io { .. } => format!(
                "`tlsa-rotate key generate {zone} --keys {}` makes the directory and a key",
                directory.display()
            ),
            _ => return Failure::wrong(&error),
        };
        Failure::wrong(&error).hint(hint)
    })
}

fn generate(args: &Generate, global: &Global) -> Result<Exit, Failure> {
    global.acts("key generate")?;
    let (directory, zone) = (&args.keys.directory, &args.keys.zone);
    let written = |e: durable::WriteError| {
        let hints = e.hints();
        hints.into_iter().fold(Failure::wrong(&e), Failure::hint)
    };
    // What is made is new, and secret: its place alone is judged.
    Output::known(&directory.join("key"))?;
    durable::create_directory(directory, 0o700).map_err(written)?;
    let others = load(directory, zone)?;
    let role = match args.role {
        RoleName::Csk => Role::Csk,
        RoleName::Ksk => Role::Ksk,
        RoleName::Zsk => Role::Zsk,
    };
    // In a workspace to practise in, each command says what time it is: a key of the clock's time might not be in use yet.
    let is_timed = global.now.is_some() || !global.practises();
    let from = if is_timed { global.now() } else { LONG_AGO };
    let times = (global.now(), from);
    let NewKey { key, files } =
        new_key(zone, args.algorithm, role, &others, times).map_err(Failure::wrong)?;
    for file in &files {
        let path = directory.join(&file.name);
        durable::create(&path, file.contents.as_bytes(), file.mode).map_err(written)?;
    }
    let mut out = BufWriter::new(stdout().lock());
    if args.keys.format.0 == TextOrJson::Json {
        let keys = shown(&key, global.now());
        json(&mut out, Schema::KeyGenerate, zone, &keys)?;
    } else {
        writeln!(out, "{}", key.file_stem())?;
    }
    out.flush()?;
    if key.is_secure_entry_point() {
        eprintln!(
            "hint: `tlsa-rotate key ds {zone} --keys {}` prints the DS record for the registrar",
            directory.display()
        );
    }
    Ok(Exit::Done)
}

fn list(args: &Keys, global: &Global) -> Result<Exit, Failure> {
    let keys = load(&args.directory, &args.zone)?;
    let now = global.now();
    let rows: Vec<Shown<'_>> = keys.iter().map(|key| shown(key, now)).collect();
    let mut out = BufWriter::new(stdout().lock());
    if args.format.0 == TextOrJson::Json {
        json(&mut out, Schema::KeyList, &args.zone, &rows)?;
    } else {
        for row in &rows {
            write!(
                out,
                "{}  {}  {}  {}",
                row.file, row.algorithm, row.flags, row.state
            )?;
            let times = [
                ("publish", &row.publish),
                ("activate", &row.activate),
                ("inactive", &row.inactive),
                ("delete", &row.delete),
            ];
            for (name, at) in times {
                if let Some(at) = at {
                    write!(out, "  {name} {at}")?;
                }
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    if rows.is_empty() {
        eprintln!(
            "hint: there is no key of {} in {}; `key generate` makes one",
            args.zone,
            args.directory.display()
        );
    }
    Ok(Exit::Done)
}

fn ds(args: &Ds, global: &Global) -> Result<Exit, Failure> {
    let (directory, zone) = (&args.keys.directory, &args.keys.zone);
    let keys = load(directory, zone)?;
    let records: Vec<String> = entry_points(&keys, global.now())
        .iter()
        .filter_map(|key| Some(Dnskey::parse(key.dnskey())?.ds(zone, args.digest)))
        .map(|ds| format!("{zone} IN DS {}", ds.to_text(Rtype::DS)))
        .collect();
    if records.is_empty() {
        let none = format!(
            "no key of {zone} in {} is published now",
            directory.display()
        );
        return Err(Failure::wrong(none).hint("`key list` shows the keys and their times"));
    }
    let mut out = BufWriter::new(stdout().lock());
    if args.keys.format.0 == TextOrJson::Json {
        json(&mut out, Schema::KeyDs, zone, &records)?;
    } else {
        for record in &records {
            writeln!(out, "{record}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn shown(key: &SigningKey, now: Instant) -> Shown<'_> {
    let timing = key.timing();
    let over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
    let state = if key.is_active(now) {
        "active"
    } else if over(timing.delete) {
        "deleted"
    } else if over(timing.inactive) {
        "retired"
    } else if key.is_published(now) {
        "published"
    } else {
        "future"
    };
    Shown {
        file: key.file_stem(),
        algorithm: key.algorithm().mnemonic(),
        number: key.id().algorithm,
        tag: key.id().tag,
        flags: if key.is_secure_entry_point() {
            257
        } else {
            256
        },
        state,
        publish: timing.publish.map(|at| at.to_string()),
        activate: timing.activate.map(|at| at.to_string()),
        inactive: timing.inactive.map(|at| at.to_string()),
        delete: timing.delete.map(|at| at.to_string()),
    }
}

fn json(
    out: &mut impl std::io::Write,
    schema: Schema,
    zone: &Name,
    keys: impl Serialize,
) -> Result<(), Failure> {
    let zone = zone.to_string();
    schema.write(out, Document { zone, keys })
}
