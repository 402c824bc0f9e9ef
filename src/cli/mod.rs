//! The command line: clap types, one thin file per command, arguments in and exit code out.

// The binary's only place that prints: data on stdout, talk on stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod dane;
mod exit;
mod record;
mod tlsa_lines;
mod zone;

pub use exit::{Exit, Failure};

use crate::rotation::timing::Instant;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rotates the TLS key of a mail server under DANE without a single refused mail.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// The configuration [default: tlsa-rotate.toml here or in a directory above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Rehearse at another time (RFC 3339, such as 2026-12-01T08:00:00Z)
    #[arg(long, global = true, value_name = "TIME", value_parser = instant)]
    pub(crate) now: Option<Instant>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

impl Global {
    /// The present: `--now`, or the system's clock. The one place that asks it.
    pub(crate) fn now(&self) -> Instant {
        self.now.unwrap_or_else(|| {
            let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            Instant::from_unix(since_epoch.map_or(0, |d| d.as_secs()))
        })
    }
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs; carries a `schema` key.
    Json,
    /// For runbooks and reviews, where a command has it.
    Markdown,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the TLSA data of certificates, chains, requests and keys
    Record(record::RecordArgs),
    /// DANE offline: judge a chain by a TLSA RRset
    Dane(dane::DaneArgs),
    /// Check, normalize and compare master files
    Zone(zone::Args),
}

/// Runs the command line; returns the process's exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            for hint in &failure.hints {
                eprintln!("hint: {hint}");
            }
            failure.exit.into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Record(args) => record::run(args, global),
        Command::Dane(args) => dane::run(args, global),
        Command::Zone(args) => zone::run(args, global),
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|e| format!("{e}; expected RFC 3339 such as 2026-12-01T08:00:00Z"))?;
    u64::try_from(parsed.timestamp())
        .map(Instant::from_unix)
        .map_err(|_| "before 1970".to_owned())
}
