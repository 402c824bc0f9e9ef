//! The command line: clap types, one thin file per command, arguments in and exit code out.

// The binary's only place that prints: data on stdout, talk on stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)]

/// Talk for people, on stderr. Where nobody can hear it (a full disk, a closed pipe) the work goes on; the standard
/// macro of this name would end the program in the middle of it.
macro_rules! eprintln {
    ($($words:tt)*) => {
        $crate::cli::say(format_args!($($words)*))
    };
}

mod abort;
mod adopt;
mod advance;
mod archive;
mod change;
mod check;
mod check_health;
mod check_merge;
mod clock;
mod dane;
mod demo;
mod deploy;
mod disable;
mod document;
mod dry_run;
mod emergency;
mod enable;
mod exit;
mod forget;
mod format;
mod hook;
mod init;
mod job;
mod key;
mod look;
mod manual;
mod nagios;
mod pause;
mod plan;
mod proposal_view;
mod propose;
mod prune;
mod record;
mod repair;
mod report;
mod rollback;
mod serve;
mod sign_policy;
mod simulate;
mod standing;
mod start;
mod status;
pub mod tlsa_lines;
mod tlsrpt;
mod verify;
mod verify_json;
mod verify_nagios;
mod verify_servers;
mod verify_view;
mod verify_words;
mod zone;
mod zone_continue;
mod zone_sign;
mod zone_verify;

pub use exit::{Exit, Failure};

use crate::observe::progress;
use crate::rotation::timing::Instant;
use crate::workflow::in_force::{self, in_force};
use crate::workflow::present::Present;
use crate::workspace::Workspace;
use crate::workspace::clock::{Noted, is_kernel_asked};
use crate::workspace::config::ConfigError;
use clap::{Parser, Subcommand};
use std::io::{BufWriter, StdoutLock, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rotates the TLS key of a mail server under DANE without a single refused mail.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg = format::before_the_command())]
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
    /// Rehearse at another time (RFC 3339, such as 2026-12-01T08:00:00Z): nothing is changed, except in a workspace with
    /// `rehearsal = true`
    #[arg(long, global = true, value_name = "TIME", value_parser = instant)]
    pub(crate) now: Option<Instant>,
}

impl Global {
    /// The present: `--now`, or the system's clock.
    pub(crate) fn now(&self) -> Instant {
        self.now.unwrap_or_else(clock::shown)
    }

    /// The present, who says so, and what the clocks say of it.
    pub(crate) fn present(&self, workspace: &Workspace) -> Present {
        if let Some(named) = self.now {
            return Present::named(named);
        }
        let shown = clock::shown();
        let mut reading = clock::reading(shown);
        if let Some(reading) = &mut reading
            && Noted::read(&workspace.state())
                .map_or(true, |noted| is_kernel_asked(noted.as_ref(), reading))
        {
            reading.synchronised = clock::is_synchronised();
        }
        Present::shown(shown, reading)
    }

    /// Whether a command that needs no workspace is to change nothing: at another time it does only in a directory of one
    /// that is for rehearsals.
    pub(crate) fn only_rehearses(&self) -> bool {
        self.now.is_some() && !self.practises()
    }

    /// Whether the workspace at hand, if there is one, is for rehearsals.
    pub(crate) fn practises(&self) -> bool {
        match &self.config {
            Some(path) => Workspace::open(path).is_ok_and(|workspace| workspace.config.rehearsal),
            None => Workspace::is_for_rehearsals(Path::new(".")),
        }
    }

    /// Refuses a command that cannot be rehearsed.
    pub(crate) fn acts(&self, what: &str) -> Result<(), Failure> {
        if !self.only_rehearses() {
            return Ok(());
        }
        let refused = format_args!(
            "`{what}` cannot be rehearsed, and --now asks for it: nothing was changed"
        );
        Err(Failure::wrong(refused).hint("leave --now out; or do it in a workspace with `rehearsal = true`, such as `tlsa-rotate init --rehearsal` makes"))
    }

    /// Whether a command changes nothing in `workspace`, because a time was named.
    pub(crate) fn rehearses_in(&self, workspace: &Workspace) -> bool {
        self.now.is_some() && !workspace.config.rehearsal
    }

    /// Says so, where it is so.
    pub(crate) fn tell_rehearsal(&self, workspace: &Workspace) {
        if self.rehearses_in(workspace) {
            eprintln!("{REHEARSED}");
        }
    }

    /// The workspace of `--config`, or the one that the working directory lies in. Its warnings are told.
    pub(crate) fn workspace(&self) -> Result<Workspace, Failure> {
        let (workspace, warnings) = self.workspace_with_warnings()?;
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        Ok(workspace)
    }

    /// The same, with its warnings.
    pub(crate) fn workspace_with_warnings(&self) -> Result<(Workspace, Vec<String>), Failure> {
        let found = match &self.config {
            Some(path) => Workspace::open(path),
            None => Workspace::find(Path::new(".")),
        };
        let other = match &found {
            Ok(workspace) => in_force(workspace)?,
            Err(ConfigError::Wrong { path, .. }) => in_force::instead_of(path)?,
            // A file that was named must be there; hooks do.
            Err(_) if self.config.is_some() => None,
            // A branch without it is checked out, or somebody deleted it: what counts is in git all the same.
            Err(_) => match Workspace::missing_above(Path::new(".")) {
                Some(path) => in_force::instead_of(&path)?,
                None => None,
            },
        };
        let mut warnings = Vec::new();
        if let (Err(error), Some(_)) = (&found, &other) {
            warnings.push(error.to_string());
        }
        let workspace = match other {
            Some(other) => {
                warnings.extend(other.draft);
                other.workspace
            }
            None => found.map_err(|error| Failure::wrong(&error).hints(error.hints()))?,
        };
        warnings.extend(workspace.warnings());
        let taken = crate::workflow::upstream::taken(&workspace);
        warnings.extend(taken);
        let tracked = crate::workflow::tracked::of_rehearsal(&workspace);
        warnings.extend(tracked);
        Ok((workspace, warnings))
    }
}

/// Refuses names that are no certificates: what would be shown of them would be shown of nothing.
fn are_configured(workspace: &Workspace, names: &[String]) -> Result<(), Failure> {
    let is_unknown = |name: &&String| workspace.config.certificate(name).is_none();
    let Some(name) = names.iter().find(is_unknown) else {
        return Ok(());
    };
    let configured = workspace.config.certificates.iter();
    let configured: Vec<&str> = configured.map(|one| one.name.as_str()).collect();
    Err(Failure::wrong(format_args!(
        "there is no certificate `{name}` in the configuration; there are {}",
        configured.join(", ")
    )))
}

/// What a command says at its end that did nothing of what it told.
const REHEARSED: &str = "rehearsal: nothing was changed";

fn say(words: std::fmt::Arguments<'_>) {
    // In one piece, so that lines of several runs do not mix.
    let _ = std::io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// Standard output, locked and buffered; a reader that goes away is an error like any other, not a panic.
fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(std::io::stdout().lock())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a new workspace, every key explained
    Init(init::Args),
    /// Begin a rotation: generate or admit the next key; publishes nothing
    Start(start::Start),
    /// The runbook: seven steps, earliest dates, zone diffs, how to check and to undo
    Plan(plan::Plan),
    /// Rehearse a rotation against random senders and caches, beside the usual ways of doing it
    Simulate(simulate::Simulate),
    /// One tick of the machine: look, decide, record, propose; for cron
    Advance(advance::Advance),
    /// Propose again what somebody deleted before it was merged
    Propose(propose::Propose),
    /// Where each rotation stands and why not further
    Status(status::Status),
    /// Write a page that shows where each rotation stands, and what was seen of hosts and servers
    Report(report::Report),
    /// What ACME clients and `deploy` run: install a renewed certificate, or begin a rotation to it
    Hook(hook::Hook),
    /// Prerequisites and health; and gates: may this be merged, may the next certificate be deployed
    Check(check::Check),
    /// Give a rotation up by the safe way back
    Abort(abort::Abort),
    /// Go back to the previous key on every host at once, while both are published
    Rollback(rollback::Rollback),
    /// Go forward: a deployment that rests (standby), is held (after a rollback), or was being given up
    Deploy(deploy::Deploy),
    /// Let a host go that is gone for good, so that no rotation waits for it
    Forget(forget::Forget),
    /// Say that the clock is right now; facts that were recorded by one that was not are set aside
    Repair(repair::Repair),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Enable(enable::Enable),
    Disable(disable::Disable),
    Adopt(adopt::Adopt),
    Prune(prune::Prune),
    /// Move rotations that are long over out of the journal, into a file beside it
    Archive(archive::Archive),
    /// The key in use is compromised: replace it as fast as the priority allows
    Emergency(emergency::Emergency),
    /// See mail hosts as a DANE-validating sender does, live: DNSSEC, STARTTLS, every address and algorithm
    Verify(verify::VerifyArgs),
    /// What mail hosts present, seen from here; how a runner looks from elsewhere
    Look(look::Look),
    /// Print the TLSA data of certificates, chains, requests and keys
    Record(record::RecordArgs),
    /// DANE offline: judge a chain by a TLSA RRset
    Dane(dane::DaneArgs),
    /// Read what other senders report about their TLS sessions with you
    Tlsrpt(tlsrpt::TlsrptArgs),
    /// Check, normalize, compare, sign and verify master files
    Zone(zone::Args),
    /// Make, show, verify and apply signed proposals of zone changes
    Change(change::Args),
    /// Make and show DNSSEC keys, and print DS records for the registrar
    Key(key::Args),
    /// Serve signed zones over DNS
    Serve(serve::Args),
    /// A whole rotation in under a minute on loopback, nothing to install
    Demo(demo::Demo),
    /// Write man pages: one of the program and one of each command
    Man(manual::Man),
    /// Print completions for a shell
    Completions(manual::Completions),
}

/// Runs the command line; returns the process's exit code.
pub fn main() -> ExitCode {
    let for_nagios = nagios::is_asked_for(std::env::args_os());
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Of a wrong command line, 2 would be read as mail at risk.
        Err(error) if for_nagios && error.use_stderr() => {
            let _ = error.print();
            nagios::say(Exit::Wrong, "the command line is wrong");
            return nagios::exit(Exit::Wrong).into();
        }
        Err(error) => error.exit(),
    };
    progress::tell_with(|line| eprintln!("note: {line}"));
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if for_nagios {
                nagios::say(failure.exit, &failure.message);
                return nagios::exit(failure.exit).into();
            }
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
        Command::Change(args) => change::run(args, global),
        Command::Verify(args) => verify::run(args, global),
        Command::Look(args) => look::run(args),
        Command::Record(args) => record::run(args),
        Command::Dane(args) => dane::run(args, global),
        Command::Tlsrpt(args) => tlsrpt::run(args, global),
        Command::Init(args) => init::run(args, global),
        Command::Serve(args) => serve::run(args, global),
        Command::Demo(args) => demo::run(args, global),
        Command::Start(args) => start::run(args, global),
        Command::Plan(args) => plan::run(args, global),
        Command::Simulate(args) => simulate::run(args, global),
        Command::Advance(args) => advance::run(args, global),
        Command::Propose(args) => propose::run(args, global),
        Command::Status(args) => status::run(args, global),
        Command::Report(args) => report::run(args, global),
        Command::Check(args) => check::run(args, global),
        Command::Hook(args) => hook::run(args, global),
        Command::Abort(args) => abort::run(args, global),
        Command::Rollback(args) => rollback::run(args, global),
        Command::Forget(args) => forget::run(args, global),
        Command::Deploy(args) => deploy::run(args, global),
        Command::Repair(args) => repair::run(args, global),
        Command::Pause(args) => pause::run(args, global),
        Command::Resume(args) => pause::resume(args, global),
        Command::Enable(args) => enable::run(args, global),
        Command::Disable(args) => disable::run(args, global),
        Command::Adopt(args) => adopt::run(args, global),
        Command::Prune(args) => prune::run(args, global),
        Command::Archive(args) => archive::run(args, global),
        Command::Emergency(args) => emergency::run(args, global),
        Command::Key(args) => key::run(args, global),
        Command::Zone(args) => zone::run(args, global),
        Command::Man(args) => manual::run_man(args),
        Command::Completions(args) => manual::run_completions(args),
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|e| format!("{e}; expected RFC 3339 such as 2026-12-01T08:00:00Z"))?;
    u64::try_from(parsed.timestamp())
        .map(Instant::from_unix)
        .map_err(|_| "before 1970".to_owned())
}
