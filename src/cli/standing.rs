//! Prints where rotations stand, and turns it into an exit code: what `advance` and `status` have in common.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::TextOrJson;
use crate::report::standing::Standing;
use crate::rotation::blocker::Who;
use crate::workflow::WorkflowError;
use crate::workflow::advance::Tick;
use serde_json::json;
use std::io::Write as _;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// One line each.
    Line,
    /// A paragraph each.
    Paragraph,
    /// One document, for this command.
    Json(Schema),
}

impl Style {
    /// A paragraph, or the document that `--format json` asks for.
    pub(super) fn paragraph_or(schema: Schema, format: TextOrJson) -> Self {
        match format {
            TextOrJson::Json => Self::Json(schema),
            TextOrJson::Text => Self::Paragraph,
        }
    }
}

/// Prints every rotation and returns the most pressing exit code among them.
pub(super) fn print(ticks: &[Tick], style: Style) -> Result<Exit, Failure> {
    let mut out = super::stdout();
    let mut exit = Exit::Done;
    let (mut documents, mut zones) = (Vec::new(), Vec::new());
    for tick in ticks {
        for note in &tick.notes {
            eprintln!("note: {}: {note}", tick.certificate);
        }
        exit = exit.max(code(tick));
        let id = tick.rotation.as_ref().map(|(id, _)| id.to_string());
        let standing = Standing {
            certificate: &tick.certificate,
            rotation: id
                .as_deref()
                .zip(tick.rotation.as_ref().map(|(_, state)| state)),
            decision: tick.decision.as_ref(),
            observation: tick.observation.as_ref(),
            events: &tick.events,
            deeds: &tick.deeds,
            afterwards: tick.afterwards,
        };
        if let Some(error) = &tick.failed {
            eprintln!("error: {}: {error}", tick.certificate);
            for hint in error.hints() {
                eprintln!("hint: {hint}");
            }
        }
        if tick.zone.is_some() {
            zones.push(zone_document(tick));
            for deed in tick.deeds.iter().filter(|_| matches!(style, Style::Line)) {
                eprintln!("{}: {deed}", tick.certificate);
            }
            continue;
        }
        // Where the journal tells nothing, or not all, there may be a rotation all the same.
        let is_unread = tick.rotation.is_none() && !tick.is_read;
        let unread = tick.failed.as_ref().filter(|_| is_unread);
        let unread = unread.map(|error| match error {
            WorkflowError::Journal(_) => "cannot be read",
            WorkflowError::JournalLost { .. } => "is missing",
            WorkflowError::JournalOlder { .. } => "is older than git",
            _ => "cannot be held against git",
        });
        if let (Style::Line | Style::Paragraph, Some(WorkflowError::Orphan { id, step })) =
            (style, &tick.failed)
        {
            writeln!(out, "{id}: {step}; its certificate is not configured")?;
            continue;
        }
        match (style, unread) {
            (Style::Line | Style::Paragraph, Some(why)) => {
                writeln!(
                    out,
                    "{}: its journal {why}, so its step is not known",
                    tick.certificate
                )?;
            }
            (Style::Line, None) => {
                for deed in &tick.deeds {
                    eprintln!("{}: {deed}", tick.certificate);
                }
                writeln!(out, "{}", standing.line())?;
            }
            (Style::Paragraph, None) => write!(out, "{}", standing.text())?,
            (Style::Json(_), unread) => {
                let mut document = with_error(standing.json(), tick);
                if let (Some(why), Some(fields)) = (unread, document.as_object_mut()) {
                    fields.insert("unread".to_owned(), json!(format!("its journal {why}")));
                }
                documents.push(document);
            }
        }
    }
    if let Style::Json(schema) = style {
        schema.write(&mut out, json!({"rotations": documents, "zones": zones}))?;
    }
    out.flush()?;
    Ok(exit)
}

/// The document of a rotation, with what a run of it failed for.
fn with_error(mut document: serde_json::Value, tick: &Tick) -> serde_json::Value {
    if let (Some(error), Some(fields)) = (&tick.failed, document.as_object_mut()) {
        fields.insert("error".to_owned(), json!(error.to_string()));
        fields.insert("hints".to_owned(), json!(error.hints()));
    }
    document
}

/// What there is to tell of a zone that no certificate's run handed on.
fn zone_document(tick: &Tick) -> serde_json::Value {
    let error = tick.failed.as_ref();
    json!({
        "zone": tick.certificate,
        "deeds": tick.deeds,
        "error": error.map(ToString::to_string),
        "hints": error.map(WorkflowError::hints),
    })
}

/// What one rotation asks of whoever reads exit codes.
pub(super) fn code(tick: &Tick) -> Exit {
    let decision = tick.decision.as_ref();
    if decision.is_some_and(|decision| !decision.alarms.is_empty()) {
        Exit::DeliveryAtRisk
    } else if let Some(error) = &tick.failed {
        Exit::of(error)
    } else if decision.and_then(super::super::rotation::decide::Decision::who_acts)
        == Some(Who::You)
        || decision.is_some_and(|decision| !decision.deadlines.is_empty())
        || decision.is_some_and(|decision| decision.act_by.iter().any(|one| one.is_near))
    {
        Exit::PersonNeeded
    } else {
        Exit::Done
    }
}
