//! `[[vantage]]`: a command that looks at the mail hosts from elsewhere.

use super::document::{Findings, Section};
use super::{command_of, duration_of};
use crate::rotation::timing::Span;

pub(super) const VANTAGE: &[&str] = &["name", "command", "timeout"];

/// How long a vantage may take where nothing is said.
const USUAL: Span = Span::seconds(60);
/// The shortest and the longest time that it can be given: connecting to a mail host takes seconds.
const SHORTEST: Span = Span::seconds(5);
const LONGEST: Span = Span::minutes(10);

/// A place elsewhere from which hosts are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VantageConfig {
    /// What people call it.
    pub name: String,
    /// The program and its arguments that run `tlsa-rotate look` there.
    pub command: Vec<String>,
    /// How long one look of it may take; then it is killed.
    pub timeout: Span,
}

pub(super) fn read<'t>(
    mut section: Section<'t>,
    findings: &mut Findings<'t>,
) -> Option<VantageConfig> {
    if !section.has("command") {
        let example = "command = [\"ssh\", \"probe1\", \"tlsa-rotate\", \"look\"]";
        section.missing("command", example, findings);
    }
    let line = section.line;
    let command = command_of(&mut section, "command", findings);
    let name = section.text("name", findings).map(|name| name.value);
    let timeout = duration_of(&mut section, "timeout", findings).unwrap_or(USUAL);
    if !(SHORTEST..=LONGEST).contains(&timeout) {
        findings.wrong(
            line,
            format!(
                "`timeout` of a vantage must be from {SHORTEST} to {LONGEST}, this is {timeout}"
            ),
        );
    }
    let command = command?;
    Some(VantageConfig {
        name: name.unwrap_or_else(|| command.join(" ")),
        command,
        timeout,
    })
}

/// What no vantage can see alone: two of one name could not be told apart.
pub(super) fn check_together(vantages: &[(usize, VantageConfig)], findings: &mut Findings<'_>) {
    for (at, (line, vantage)) in vantages.iter().enumerate() {
        if vantages
            .iter()
            .take(at)
            .any(|(_, other)| other.name == vantage.name)
        {
            findings.wrong(*line, format!("vantage {} is there twice", vantage.name));
        }
    }
}
