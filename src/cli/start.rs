//! `start`: steps 1 and 2, the next key and its association.

use super::Global;
use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::{Format, TextOrJson};
use crate::report::ttl_before;
use crate::rotation::timing::Span;
use crate::workflow::WorkflowError;
use crate::workflow::start::{self, Offered, Started};
use crate::workspace::config::{duration, ttl};
use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

/// Begin a rotation: generate or admit the next key, compute its association. Publishes nothing.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The certificate to rotate, as named in the configuration
    name: String,
    /// The next certificate chain, if you bring your own
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    format: Format<TextOrJson>,
    /// The largest TTL that its TLSA records had lately, such as 2d, where no git history tells [default: `ttl_before` of
    /// the certificate, else policy `assume_ttl`]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl_before: Option<Span>,
    /// The journal of an earlier rotation is lost for good: begin a new one, with the number after it
    #[arg(long)]
    journal_lost: bool,
}

pub(crate) fn run(args: &Start, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let offered = args.certificate.clone().zip(args.key.clone());
    let offered = offered.map(|(certificate, key)| Offered { certificate, key });
    let before = args.ttl_before.map(ttl);
    let started = start::start(
        &workspace,
        &args.name,
        offered.as_ref(),
        before,
        args.journal_lost,
        &args.dry.present(global, &workspace),
    );
    let mut out = super::stdout();
    let started = match started {
        // A hook after each renewal asks this way; most renewals keep their key.
        Err(nothing @ WorkflowError::SameKey { .. }) => {
            match args.format.0 {
                TextOrJson::Text => writeln!(out, "{nothing}")?,
                TextOrJson::Json => {
                    let body = json!({"rotation": null, "reason": nothing.to_string()});
                    Schema::Start.write(&mut out, body)?;
                }
            }
            out.flush()?;
            for hint in nothing.hints() {
                eprintln!("hint: {hint}");
            }
            return Ok(Exit::Done);
        }
        started => started?,
    };
    match args.format.0 {
        TextOrJson::Text => text(&started, &mut out)?,
        TextOrJson::Json => {
            let body = json!({
                "rotation": started.id.to_string(),
                "step": started.state.step.name(),
                "current": started.state.current,
                "incoming": started.state.incoming,
                "files": started.files,
                "ttl_before": ttl_before::lines(&started.state, started.assume_ttl),
                "notes": started.notes,
            });
            Schema::Start.write(&mut out, body)?;
        }
    }
    out.flush()?;
    for note in &started.notes {
        eprintln!("note: {note}");
    }
    if args.dry.changes_nothing(global, &workspace) {
        args.dry.tell(global, &workspace);
        return Ok(Exit::Done);
    }
    eprintln!(
        "hint: `tlsa-rotate plan {}` shows what follows; `tlsa-rotate advance` takes the next step",
        args.name
    );
    Ok(Exit::Done)
}

fn text(started: &Started, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", started.id, started.state.step)?;
    for association in &started.state.current {
        writeln!(out, "  in use   {association}")?;
    }
    for association in &started.state.incoming {
        writeln!(out, "  next     {association}")?;
    }
    for line in ttl_before::lines(&started.state, started.assume_ttl) {
        writeln!(out, "  TTL old  {line}")?;
    }
    for file in &started.files {
        writeln!(out, "  file     {}", file.display())?;
    }
    Ok(())
}
