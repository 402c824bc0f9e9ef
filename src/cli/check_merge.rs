//! `check --merge`: prints what a request was found to be, whole in the job's output, and no longer than a forge takes in a
//! comment on the request: what is worst first, then counts.

use super::Global;
use super::check::{Check, CheckFormat, cell, code};
use super::document::Schema;
use super::exit::{Exit, Failure};
use crate::rotation::step::Rotation;
use crate::workflow::merge_check::{Severity, Verdict, merge_check};
use crate::workspace::journal::RotationId;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// How long a comment becomes, in octets: forges take 65,536 characters, and the recipes add the plans of the rotations at
/// hand.
const LONGEST: usize = 40_000;

/// More rotations than these are counted, and not named.
const MOST_NAMED: usize = 12;

pub(super) fn run(args: &Check, global: &Global) -> Result<Exit, Failure> {
    let workspace = global.workspace()?;
    let otherwise = if args.head.is_some() {
        "HEAD"
    } else {
        "origin/HEAD"
    };
    let base = args.base.as_deref().unwrap_or(otherwise);
    let head = args.head.as_deref().unwrap_or("HEAD");
    let mut verdict = merge_check(&workspace, (base, head), global.now())?;
    // The worst first, in the order in which they were found.
    verdict
        .findings
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    let mut out = super::stdout();
    let exit = verdict
        .findings
        .first()
        .map_or(Exit::Done, |worst| match worst.severity() {
            Severity::Wrong => Exit::Wrong,
            Severity::PersonNeeded => Exit::PersonNeeded,
            Severity::DeliveryAtRisk => Exit::DeliveryAtRisk,
        });
    match args.format.0 {
        CheckFormat::Text => write!(out, "{}", text(&verdict))?,
        CheckFormat::Json => Schema::CheckMerge.write(&mut out, document(&verdict))?,
        CheckFormat::Markdown => write!(out, "{}", markdown(&verdict))?,
        CheckFormat::Nagios => writeln!(out, "{}", super::nagios::line(exit, &headline(&verdict)))?,
    }
    out.flush()?;
    Ok(args.format.0.exit(exit))
}

/// The first line: what it is, and the answer.
fn headline(verdict: &Verdict) -> String {
    let short = |commit: &str| commit.chars().take(12).collect::<String>();
    let answer = match verdict.findings.len() {
        0 => "it may be merged".to_owned(),
        1 => "it must not be merged".to_owned(),
        count => format!("it must not be merged, for {count} reasons"),
    };
    format!(
        "{} into {}: {answer}",
        short(&verdict.head),
        short(&verdict.base)
    )
}

/// The rotations that require something: first those whose steps the request brings.
fn asked(verdict: &Verdict) -> impl Iterator<Item = &(RotationId, Rotation)> {
    let is_at_hand = |one: &&(RotationId, Rotation)| verdict.at_hand.contains(&one.0);
    let at_hand = verdict.upheld.iter().filter(is_at_hand);
    at_hand.chain(verdict.upheld.iter().filter(move |one| !is_at_hand(one)))
}

fn text(verdict: &Verdict) -> String {
    let mut text = format!("{}\n", headline(verdict));
    for finding in &verdict.findings {
        let _ = writeln!(text, "  no    {finding}");
        let _ = writeln!(text, "        way out: {}", finding.way_out());
    }
    let open = verdict.open.iter().map(|(_, note)| note);
    for note in verdict.notes.iter().chain(open) {
        let _ = writeln!(text, "  note  {note}");
    }
    for (id, state) in asked(verdict) {
        let _ = writeln!(text, "  asked {id} ({}), by {}", state.step, verdict.source);
    }
    if verdict.upheld.is_empty() {
        let _ = writeln!(text, "  asked nobody: no rotation in {}", verdict.source);
    }
    text
}

/// For a comment on the request.
fn markdown(verdict: &Verdict) -> String {
    let mut text = format!("**tlsa-rotate**: {}.\n", headline(verdict));
    let rows = verdict.findings.iter().map(|finding| {
        let (what, out) = (finding.to_string(), finding.way_out());
        format!("| {} | {} |\n", cell(&what), cell(&out))
    });
    if !verdict.findings.is_empty() {
        text.push_str("\n| why not | way out |\n| --- | --- |\n");
    }
    add(
        &mut text,
        rows,
        LONGEST.saturating_sub(LONGEST / 4),
        "reasons",
    );
    let open = open_elsewhere(verdict);
    let notes = verdict.notes.iter().chain(&open);
    if notes.clone().next().is_some() {
        text.push('\n');
    }
    let notes = notes.map(|note| format!("- {}\n", code(note)));
    add(&mut text, notes, LONGEST, "notes");
    let asked: Vec<String> = asked(verdict)
        .map(|(id, state)| format!("{id} ({})", state.step))
        .collect();
    if !asked.is_empty() {
        let _ = writeln!(text, "\nAsked: {}, by {}.", named(&asked), verdict.source);
    }
    text
}

/// Adds lines as long as there is room, and says how many there are beside them.
fn add(text: &mut String, lines: impl Iterator<Item = String>, room: usize, what: &str) {
    let mut left = 0usize;
    for line in lines {
        if left > 0 || text.len().saturating_add(line.len()) > room {
            left = left.saturating_add(1);
        } else {
            text.push_str(&line);
        }
    }
    if left > 0 {
        let _ = writeln!(
            text,
            "\nand {left} more {what}: the job's output has them all."
        );
    }
}

/// What other requests are to bring: of many rotations, how many.
fn open_elsewhere(verdict: &Verdict) -> Vec<String> {
    let mut ids: Vec<String> = verdict.open.iter().map(|(id, _)| id.to_string()).collect();
    ids.dedup();
    if ids.len() <= MOST_NAMED {
        return verdict.open.iter().map(|(_, note)| note.clone()).collect();
    }
    vec![format!(
        "{} rotations lack records, or hold ones that are to go, as before; requests of their own bring that: {}",
        ids.len(),
        named(&ids)
    )]
}

/// Names with commas between them, and of many how many more there are.
fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let first: Vec<&str> = names.iter().take(MOST_NAMED).map(String::as_str).collect();
    let first = first.join(", ");
    if more == 0 {
        return first;
    }
    format!("{first} and {more} more")
}

fn document(verdict: &Verdict) -> Value {
    let findings: Vec<Value> = verdict
        .findings
        .iter()
        .map(|finding| {
            let severity = match finding.severity() {
                Severity::Wrong => "wrong",
                Severity::PersonNeeded => "person-needed",
                Severity::DeliveryAtRisk => "delivery-at-risk",
            };
            json!({
                "kind": finding.kind(),
                "severity": severity,
                "what": finding.to_string(),
                "way_out": finding.way_out(),
            })
        })
        .collect();
    let asked: Vec<Value> = asked(verdict)
        .map(|(id, state)| {
            let at_hand = verdict.at_hand.contains(id);
            json!({"id": id.to_string(), "step": state.step.name(), "at_hand": at_hand})
        })
        .collect();
    let open = verdict.open.iter().map(|(_, note)| note);
    let notes: Vec<&String> = verdict.notes.iter().chain(open).collect();
    json!({
        "base": verdict.base,
        "head": verdict.head,
        "may_be_merged": verdict.findings.is_empty(),
        "findings": findings,
        "notes": notes,
        "rotations": asked,
        "source": verdict.source,
    })
}
