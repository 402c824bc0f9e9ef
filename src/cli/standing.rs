//! Prints where rotations stand, and turns it into an exit code: what `advance` and `status` have in common.

use super::document::Schema;
use super::exit::{Exit, Failure};
use super::format::TextOrJson;
use super::nagios;
use crate::report::metrics::{self, Subject};
use crate::report::news::{Found, Press};
use crate::report::page;
use crate::report::standing::Standing;
use crate::rotation::blocker::{Blocker, Who};
use crate::rotation::timing::Instant;
use crate::workflow::WorkflowError;
use crate::workflow::advance::Tick;
use serde_json::json;
use std::io::Write;

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
    let (mut documents, mut zones) = (Vec::new(), Vec::new());
    for tick in ticks {
        match style {
            Style::Line | Style::Paragraph => tell(tick, style, &mut out)?,
            Style::Json(_) => {
                warn(tick);
                if tick.zone.is_some() {
                    zones.push(zone_document(tick));
                } else {
                    documents.push(document(tick));
                }
            }
        }
    }
    if let Style::Json(schema) = style {
        schema.write(&mut out, json!({"rotations": documents, "zones": zones}))?;
    }
    out.flush()?;
    let codes = ticks.iter().map(code);
    Ok(codes.fold(Exit::Done, Ord::max))
}

/// Prints one line that says what presses most, and returns the exit code that Nagios knows it by.
pub(super) fn print_nagios(ticks: &[Tick]) -> Result<Exit, Failure> {
    let codes = ticks.iter().map(|tick| (code(tick), tick));
    let pressing = codes.filter(|(exit, _)| *exit > Exit::Done);
    // What is first among the most pressing.
    let worst = pressing.reduce(|one, other| if other.0 > one.0 { other } else { one });
    let (exit, what) = match worst {
        None => {
            let certificates = ticks.iter().filter(|tick| tick.zone.is_none());
            let what = match certificates.count() {
                1 => "1 certificate, nothing to do".to_owned(),
                count => format!("{count} certificates, nothing to do"),
            };
            (Exit::Done, what)
        }
        Some((exit, tick)) => {
            let id = tick.rotation.as_ref().map(|(id, _)| id.to_string());
            let what = match &tick.failed {
                Some(error) => format!("{}: {error}", tick.certificate),
                None => match tick.decision.as_ref().and_then(|one| one.alarms.first()) {
                    Some(alarm) => format!("{}: {alarm}", tick.certificate),
                    None => standing(tick, id.as_deref()).line(),
                },
            };
            (exit, what)
        }
    };
    let mut out = super::stdout();
    writeln!(out, "{}", nagios::line(exit, &what))?;
    out.flush()?;
    Ok(nagios::exit(exit))
}

/// Prints what Prometheus collects.
pub(super) fn print_metrics(ticks: &[Tick], now: Instant) -> Result<Exit, Failure> {
    let text = with_subjects(ticks, |subjects| metrics::text(subjects, now));
    let mut out = super::stdout();
    write!(out, "{text}")?;
    out.flush()?;
    // A collector reads the samples; what failed is one of them.
    Ok(Exit::Done)
}

/// The page of all of them.
pub(super) fn page(ticks: &[Tick], now: Instant) -> String {
    with_subjects(ticks, |subjects| page::page(subjects, now))
}

fn with_subjects<T>(ticks: &[Tick], of: impl Fn(&[Subject<'_>]) -> T) -> T {
    let ids: Vec<Option<String>> = ticks
        .iter()
        .map(|tick| tick.rotation.as_ref().map(|(id, _)| id.to_string()))
        .collect();
    let subjects = ticks.iter().zip(&ids).map(|(tick, id)| Subject {
        about: match tick.zone {
            Some(_) => Err(tick.certificate.as_str()),
            None => Ok(standing(tick, id.as_deref())),
        },
        code: code(tick) as u8,
        failed: tick.failed.as_ref().map(ToString::to_string),
    });
    let subjects: Vec<Subject<'_>> = subjects.collect();
    of(&subjects)
}

/// Tells of one rotation or zone, for people.
pub(super) fn tell(tick: &Tick, style: Style, out: &mut impl Write) -> std::io::Result<()> {
    warn(tick);
    for deed in tick.deeds.iter().filter(|_| style == Style::Line) {
        eprintln!("{}: {deed}", tick.certificate);
    }
    if tick.zone.is_some() {
        return Ok(());
    }
    if let Some(WorkflowError::Orphan { id, step }) = &tick.failed {
        return writeln!(out, "{id}: {step}; its certificate is not configured");
    }
    let name = &tick.certificate;
    let id = tick.rotation.as_ref().map(|(id, _)| id.to_string());
    match (unread(tick), style) {
        (Some(why), _) => writeln!(out, "{name}: its journal {why}, so its step is not known"),
        (None, Style::Paragraph) => write!(out, "{}", standing(tick, id.as_deref()).text()),
        (None, _) => writeln!(out, "{}", standing(tick, id.as_deref()).line()),
    }
}

/// What there is to know beside it, and what failed, on standard error.
pub(super) fn warn(tick: &Tick) {
    for note in &tick.notes {
        eprintln!("note: {}: {note}", tick.certificate);
    }
    if let Some(error) = &tick.failed {
        eprintln!("error: {}: {error}", tick.certificate);
        for hint in error.hints() {
            eprintln!("hint: {hint}");
        }
    }
}

/// What is said of one rotation.
fn standing<'t>(tick: &'t Tick, id: Option<&'t str>) -> Standing<'t> {
    Standing {
        certificate: &tick.certificate,
        rotation: id.zip(tick.rotation.as_ref().map(|(_, state)| state)),
        decision: tick.decision.as_ref(),
        observation: tick.observation.as_ref(),
        events: &tick.events,
        deeds: &tick.deeds,
        afterwards: tick.afterwards,
        has_left_dane: tick.has_left_dane,
    }
}

/// What a run found of it, as far as that can be news.
pub(super) fn found(tick: &Tick, press: Press) -> Found {
    let id = tick.rotation.as_ref().map(|(id, _)| id.to_string());
    let failed = tick.failed.as_ref().map(ToString::to_string);
    Found::of(&standing(tick, id.as_deref()), failed.as_deref(), press)
}

/// What became of a journal that tells nothing, or not all: there may be a rotation all the same.
fn unread(tick: &Tick) -> Option<&'static str> {
    let is_unread = tick.rotation.is_none() && !tick.is_read;
    let error = tick.failed.as_ref().filter(|_| is_unread)?;
    Some(match error {
        WorkflowError::NoSuchCertificate { .. } => return None,
        WorkflowError::Journal(_) => "cannot be read",
        WorkflowError::JournalLost { .. } => "is missing",
        WorkflowError::JournalOlder { .. } => "is older than git",
        _ => "cannot be held against git",
    })
}

/// The document of one rotation.
fn document(tick: &Tick) -> serde_json::Value {
    let id = tick.rotation.as_ref().map(|(id, _)| id.to_string());
    let mut document = with_error(standing(tick, id.as_deref()).json(), tick);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("rests".to_owned(), json!(tick.rests));
        fields.insert("has_left_dane".to_owned(), json!(tick.has_left_dane));
    }
    if let (Some(why), Some(fields)) = (unread(tick), document.as_object_mut()) {
        fields.insert("unread".to_owned(), json!(format!("its journal {why}")));
    }
    document
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
        return Exit::DeliveryAtRisk;
    }
    let needs_a_person = decision.is_some_and(|decision| {
        (decision.who_acts() == Some(Who::You) && !tick.rests)
            || !decision.deadlines.is_empty()
            || decision.act_by.iter().any(|one| one.is_near)
    });
    if let Some(error) = &tick.failed {
        // What keeps the zone from being read is no failure of this run alone: a command that only looks says the same.
        let is_seen_by_all = decision.is_some_and(|decision| {
            let mut blockers = decision.blockers.iter();
            blockers.any(|one| matches!(one, Blocker::MergedUnknown { .. }))
        });
        let of_failure = Exit::of(error);
        return match of_failure {
            Exit::Wrong if is_seen_by_all && needs_a_person => Exit::PersonNeeded,
            of_failure => of_failure,
        };
    }
    if needs_a_person {
        Exit::PersonNeeded
    } else {
        Exit::Done
    }
}
