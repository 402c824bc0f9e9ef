//! A proposal as people and programs are shown it: text, markdown for a pull request, JSON.

use super::zone::{changes_value, counted_value, record, soa_value};
use crate::change::proposal::{Label, Proposal, Signed};
use crate::dnssec::audit::Summary;
use crate::zone::record::Record;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What it is, and what changes. The signature is named, not vouched for.
pub(super) fn text(signed: &Signed) -> String {
    let proposal = &signed.proposal;
    let mut text = format!("{}: {}\n", title(proposal), proposal.changes().summary());
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "created {}, expires {}",
        proposal.created, proposal.expires
    );
    let _ = writeln!(
        text,
        "signed with {} (not verified here: `change verify` does)\n\n{}",
        signed.signature.key.fingerprint(),
        proposal.changes()
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The same for a pull request.
pub(super) fn markdown(signed: &Signed) -> String {
    let proposal = &signed.proposal;
    format!(
        "**{}**: {}\nCreated {}, expires {}, signed with `{}`.\n",
        title(proposal),
        proposal.changes().markdown(),
        proposal.created,
        proposal.expires,
        signed.signature.key.fingerprint()
    )
}

fn title(proposal: &Proposal) -> String {
    let zone = proposal.delta.apex();
    match (&proposal.rotation, &proposal.step) {
        (Some(rotation), Some(step)) => format!("{rotation} {step} in {zone}"),
        (Some(only), None) | (None, Some(only)) => format!("{only} in {zone}"),
        (None, None) => format!("Change of {zone}"),
    }
}

/// Everything, for programs.
pub(super) fn json(signed: &Signed) -> Value {
    let (delta, changes) = (&signed.proposal.delta, signed.proposal.changes());
    let records = |side: &[Record]| Value::Array(side.iter().map(record).collect());
    let what = json!({
        "soa": soa_value(&changes),
        "changes": changes_value(&changes),
        "counted": counted_value(&changes),
        "removed": records(delta.removed()),
        "added": records(delta.added()),
    });
    document(signed, what)
}

/// Who signed it, and what comes out if it was tried on a zone.
pub(super) fn verdict(signed: &Signed, who: &str, judged: Option<&Summary>) -> Value {
    let until = judged.map(|summary| summary.window.expiration.to_string());
    document(signed, json!({ "signer": who, "valid_until": until }))
}

/// What identifies the proposal, and then the rest.
fn document(signed: &Signed, rest: Value) -> Value {
    let proposal = &signed.proposal;
    let delta = &proposal.delta;
    let label = |label: &Option<Label>| label.as_ref().map(Label::to_string);
    let mut document = json!({
        "zone": delta.apex().to_string(),
        "rotation": label(&proposal.rotation),
        "step": label(&proposal.step),
        "base": { "serial": delta.old_serial(), "digest": proposal.base.to_string() },
        "target": { "serial": delta.new_serial(), "digest": proposal.target.to_string() },
        "created": proposal.created.to_string(),
        "expires": proposal.expires.to_string(),
        "key": signed.signature.key.fingerprint(),
    });
    if let (Value::Object(all), Value::Object(mut rest)) = (&mut document, rest) {
        all.append(&mut rest);
    }
    document
}
