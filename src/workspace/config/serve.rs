//! `publish = { serve = { … } }`: our own server as the hidden primary of a zone: who may ask, and who is told.

use super::access::{Rule, Secondary};
use super::document::{Findings, Located, Section};
use super::duration_of;
use crate::rotation::timing::Span;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

pub(super) const SERVE: &[&str] = &[
    "keys",
    "secondaries",
    "query",
    "transfer",
    "notify",
    "horizon",
];

/// How `serve` serves a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeConfig {
    /// Files of TSIG keys.
    pub keys: Vec<PathBuf>,
    /// Who is told of new versions.
    pub secondaries: Vec<Secondary>,
    /// Who may ask questions; where it is not said, everybody.
    pub query: Option<Vec<Rule>>,
    /// Who may transfer the zone; where it is not said, the secondaries, and without any this machine.
    pub transfer: Option<Vec<Rule>>,
    /// Whose NOTIFY makes us read the zone again; where it is not said, this machine's.
    pub notify: Option<Vec<Rule>>,
    /// A version with a signature that ends sooner than this is not served.
    pub horizon: Span,
}

impl ServeConfig {
    /// Who may transfer the zone, said or not.
    pub fn transfer(&self) -> Vec<Rule> {
        match &self.transfer {
            Some(rules) => rules.clone(),
            None if self.secondaries.is_empty() => Rule::loopback().into(),
            None => self.secondaries.iter().map(Rule::of).collect(),
        }
    }
}

pub(super) fn read<'t>(
    value: toml::Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<ServeConfig> {
    let mut section = Section::open("`serve`", value, SERVE, findings)?;
    let keys = section.texts("keys", findings).map(|texts| texts.value);
    let keys = keys.unwrap_or_default().into_iter();
    let keys = keys.map(|text| root.join(text.value)).collect();
    let secondaries = parsed(&mut section, "secondaries", Secondary::parse, findings);
    let query = parsed(&mut section, "query", Rule::parse, findings);
    let transfer = parsed(&mut section, "transfer", Rule::parse, findings);
    let notify = parsed(&mut section, "notify", Rule::parse, findings);
    let horizon = duration_of(&mut section, "horizon", findings);
    Some(ServeConfig {
        keys,
        secondaries: secondaries.unwrap_or_default(),
        query,
        transfer,
        notify,
        horizon: horizon.unwrap_or(Span::ZERO),
    })
}

/// The texts at `key`, each read; what cannot be read is reported.
fn parsed<'t, T>(
    section: &mut Section<'t>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    findings: &mut Findings<'t>,
) -> Option<Vec<T>> {
    let texts = section.texts(key, findings)?.value;
    let mut values = Vec::with_capacity(texts.len());
    for Located { line, value } in texts {
        match parse(&value) {
            Ok(value) => values.push(value),
            Err(why) => findings.wrong(line, format!("`{key}`: {why}")),
        }
    }
    Some(values)
}
