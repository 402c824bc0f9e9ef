//! What the jobs beside rotations print: what was seen, what changes, what to do next, and how to undo it.

use super::document::Schema;
use super::dry_run::DryRun;
use super::exit::{Exit, Failure};
use super::format::TextOrJson;
use super::{Global, standing};
use crate::workflow::job::{self, Kind, Outcome};
use crate::workspace::Workspace;
use serde_json::json;
use std::io::{self, Write};

/// Prints what became of a job; its exit code.
pub(super) fn print(
    outcome: &Outcome,
    (schema, format): (Schema, TextOrJson),
) -> Result<Exit, Failure> {
    let mut out = super::stdout();
    match format {
        TextOrJson::Text => text(outcome, &mut out)?,
        TextOrJson::Json => schema.write(&mut out, document(outcome))?,
    }
    out.flush()?;
    Ok(match &outcome.tick {
        Some(tick) => {
            standing::warn(tick);
            standing::code(tick)
        }
        None => Exit::Done,
    })
}

fn text(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let Outcome {
        kind,
        certificate,
        seen,
        leaves,
        comes,
        diff,
        ..
    } = outcome;
    if outcome.is_nothing() {
        writeln!(out, "{certificate}: nothing to {kind}")?;
    }
    for (sign, records) in [('-', leaves), ('+', comes)] {
        for (record, names) in records {
            for name in names {
                writeln!(out, "{sign} {name} TLSA {record}")?;
            }
        }
    }
    for line in seen {
        writeln!(out, "  {line}")?;
    }
    match &outcome.tick {
        Some(tick) => {
            for deed in &tick.deeds {
                writeln!(out, "{certificate}: {deed}")?;
            }
        }
        None => write!(out, "{diff}")?,
    }
    Ok(())
}

fn document(outcome: &Outcome) -> serde_json::Value {
    let records = |records: &std::collections::BTreeMap<_, Vec<_>>| -> Vec<_> {
        records
            .iter()
            .map(|(record, names)| {
                let record: &crate::rotation::association::Association = record;
                let names: &Vec<crate::rotation::observation::TlsaName> = names;
                json!({ "record": record, "names": names })
            })
            .collect()
    };
    let tick = outcome.tick.as_ref();
    let failed = tick.and_then(|tick| tick.failed.as_ref());
    json!({
        "certificate": outcome.certificate,
        "leaves": records(&outcome.leaves),
        "comes": records(&outcome.comes),
        "seen": outcome.seen,
        "diff": outcome.diff,
        "is_dry_run": tick.is_none() && !outcome.is_nothing(),
        "deeds": tick.map(|tick| tick.deeds.clone()).unwrap_or_default(),
        "error": failed.map(ToString::to_string),
        "hints": failed.map(crate::workflow::WorkflowError::hints).unwrap_or_default(),
    })
}

/// `--undo`: takes back what is not merged.
pub(super) fn undo(
    (workspace, name, kind): (&Workspace, &str, Kind),
    dry: DryRun,
    global: &Global,
) -> Result<Exit, Failure> {
    let deeds = job::undo(workspace, name, kind, &dry.present(global, workspace))?;
    let mut out = super::stdout();
    for deed in deeds {
        writeln!(out, "{deed}")?;
    }
    out.flush()?;
    dry.tell(global, workspace);
    Ok(Exit::Done)
}

/// The certificate that is meant: the one named, or the only one.
pub(super) fn named(workspace: &Workspace, name: Option<&String>) -> Result<String, Failure> {
    let certificates = &workspace.config.certificates;
    match (name, certificates.as_slice()) {
        (Some(name), _) => Ok(name.clone()),
        (None, [only]) => Ok(only.name.clone()),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
            Err(Failure::wrong(format_args!(
                "there are several certificates: {}",
                names.join(", ")
            ))
            .hint("name one of them"))
        }
    }
}
