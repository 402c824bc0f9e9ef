//! The `policy-string` of a report: the TLSA records or MTA-STS lines that a sender acted on (RFC 8460 §4.4).
//!
//! The RFC asks for a list of strings, one for each record. Senders also write one string, or JSON inside a string:
//! what is inside is looked into once, never deeper.

use crate::rotation::association::Association;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// Strings of one policy that are looked at.
const STRINGS: usize = 64;
/// Octets of one policy that are looked into: some TLSA records with whole certificates, and JSON around them.
const OCTETS: usize = 64 * 1024;

/// The strings of a policy.
#[derive(Debug, Default)]
pub(super) struct PolicyText {
    strings: Vec<String>,
    /// Whether they had to be taken out of a string of JSON.
    pub(super) was_in_string: bool,
}

impl<'de> Deserialize<'de> for PolicyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Self::default();
        // Kept as it stands until its length is known: a tree of values takes a hundred times the room.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().len() <= OCTETS
            && let Ok(value) = serde_json::from_str(raw.get())
        {
            text.take(&value, true);
        }
        Ok(text)
    }
}

impl PolicyText {
    fn take(&mut self, value: &Value, look_into: bool) {
        if self.strings.len() >= STRINGS {
            return;
        }
        match value {
            Value::String(text) if look_into && text.trim_start().starts_with(['{', '[']) => {
                match serde_json::from_str::<Value>(text) {
                    Ok(inside) => {
                        self.was_in_string = true;
                        self.take(&inside, false);
                    }
                    Err(_) => self.strings.push(text.clone()),
                }
            }
            Value::String(text) => self.strings.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|value| self.take(value, look_into)),
            Value::Object(fields) => match record(fields) {
                Some(record) => self.strings.push(record),
                None => fields
                    .values()
                    .for_each(|value| self.take(value, look_into)),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A TLSA record written as an object, whatever its fields are called: three small numbers and hex.
fn record(fields: &serde_json::Map<String, Value>) -> Option<String> {
    let field = |part: &str| {
        let found = fields
            .iter()
            .find(|(name, _)| name.to_ascii_lowercase().contains(part))?;
        match found.1 {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    };
    Some(format!(
        "{} {} {} {}",
        field("usage")?,
        field("selector")?,
        field("matching")?,
        field("data")?
    ))
}

/// The TLSA records among the strings: as RDATA alone, or with owner, TTL, class and type in front.
pub(super) fn associations(text: &PolicyText) -> BTreeSet<Association> {
    let rdata = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let at = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case("TLSA"));
        let rdata = words.get(at.map_or(0, |at| at.saturating_add(1))..)?;
        rdata.join(" ").parse::<Association>().ok()
    };
    text.strings
        .iter()
        .flat_map(|string| string.lines())
        .take(STRINGS)
        .filter_map(|line| rdata(&line.replace(['(', ')'], " ")))
        .collect()
}
