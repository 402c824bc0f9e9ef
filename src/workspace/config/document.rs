//! A TOML document as tables with line numbers: every wrong value is a problem that names its line, and reading goes on.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong (or questionable) in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// A value and the line it stands on.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// The problems found so far, and the text they were found in.
pub(super) struct Findings<'t> {
    text: &'t str,
    /// Where each line ends: a configuration of thousands of certificates has as many places to name.
    ends: Vec<usize>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// A table whose known keys are taken out of it one by one.
pub(super) struct Section<'t> {
    /// How people would name it: `[policy]`.
    what: String,
    pub(super) line: usize,
    /// Each value until it is taken; there are few, and thousands of such tables.
    entries: Vec<(Key<'t>, Option<Spanned<DeValue<'t>>>)>,
}

type Key<'t> = Spanned<Cow<'t, str>>;

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            ends: memchr::memchr_iter(b'\n', text.as_bytes()).collect(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads the text as TOML; none when it is not.
    pub(super) fn document(&mut self, known: &'static [&'static str]) -> Option<Section<'t>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(Section::new(
                "this file",
                1,
                table.into_inner(),
                known,
                self,
            )),
            Err(error) => {
                let line = self.line(&error.span().unwrap_or_default());
                // The parser's message has a line for each thing it expected.
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                self.wrong(line, format!("not TOML: {message}"));
                None
            }
        }
    }

    pub(super) fn wrong(&mut self, line: usize, message: impl Into<String>) {
        let message = message.into();
        self.problems.push(Problem { line, message });
    }

    pub(super) fn warn(&mut self, line: usize, message: impl Into<String>) {
        let message = message.into();
        self.warnings.push(Problem { line, message });
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.ends.partition_point(|&end| end < span.start);
        before.saturating_add(1)
    }

    /// A value that must be text.
    pub(super) fn text(
        &mut self,
        key: &str,
        value: Spanned<DeValue<'t>>,
    ) -> Option<Located<String>> {
        let line = self.line(&value.span());
        match value.into_inner() {
            DeValue::String(text) if text.is_empty() => {
                self.wrong(line, format!("`{key}` is empty"));
            }
            DeValue::String(text) if text.contains('\0') => {
                self.wrong(line, format!("`{key}` holds a NUL character"));
            }
            DeValue::String(text) => {
                let value = text.into_owned();
                return Some(Located { line, value });
            }
            other => {
                let found = other.type_str();
                self.wrong(
                    line,
                    format!("`{key}` must be text in quotes, this is a TOML {found}"),
                );
            }
        }
        None
    }
}

impl<'t> Section<'t> {
    fn new(
        what: &str,
        line: usize,
        table: DeTable<'t>,
        known: &'static [&'static str],
        findings: &mut Findings<'t>,
    ) -> Self {
        for key in table.keys() {
            let name = key.get_ref();
            if !known.contains(&name.as_ref()) {
                let line = findings.line(&key.span());
                findings.wrong(line, unknown(name, what, known));
            }
        }
        Self {
            what: what.to_owned(),
            line,
            entries: table
                .into_iter()
                .map(|(key, value)| (key, Some(value)))
                .collect(),
        }
    }

    /// The section that `value` is, if it is a table.
    pub(super) fn open(
        what: &str,
        value: Spanned<DeValue<'t>>,
        known: &'static [&'static str],
        findings: &mut Findings<'t>,
    ) -> Option<Self> {
        let line = findings.line(&value.span());
        match value.into_inner() {
            DeValue::Table(table) => Some(Self::new(what, line, table, known, findings)),
            other => {
                let (found, keys) = (other.type_str(), known.join(", "));
                findings.wrong(
                    line,
                    format!("{what} must be a table with {keys}; this is a TOML {found}"),
                );
                None
            }
        }
    }

    /// The value of `key` and its line; silent when it is not there.
    pub(super) fn take(
        &mut self,
        key: &str,
        findings: &Findings<'t>,
    ) -> Option<(usize, Spanned<DeValue<'t>>)> {
        let mut entries = self.entries.iter_mut();
        let (_, value) = entries.find(|(known, _)| known.get_ref() == key)?;
        let value = value.take()?;
        Some((findings.line(&value.span()), value))
    }

    /// Whether `key` is there and was not taken, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(known, value)| known.get_ref() == key && value.is_some())
    }

    /// Reports that `key` is needed, with an example of it.
    pub(super) fn missing(&self, key: &str, example: &str, findings: &mut Findings<'t>) {
        let what = &self.what;
        findings.wrong(
            self.line,
            format!("{what} needs `{key}`, such as {example}"),
        );
    }

    pub(super) fn text(
        &mut self,
        key: &str,
        findings: &mut Findings<'t>,
    ) -> Option<Located<String>> {
        let (_, value) = self.take(key, findings)?;
        findings.text(key, value)
    }

    /// The value of `key`, which must be true or false; none when it is not there, or is neither (then that is reported).
    pub(super) fn flag(&mut self, key: &str, findings: &mut Findings<'t>) -> Option<bool> {
        let (line, value) = self.take(key, findings)?;
        let flag = value.into_inner().as_bool();
        if flag.is_none() {
            findings.wrong(line, format!("`{key}` must be true or false"));
        }
        flag
    }

    pub(super) fn required_text(
        &mut self,
        key: &str,
        example: &str,
        findings: &mut Findings<'t>,
    ) -> Option<Located<String>> {
        if !self.has(key) {
            self.missing(key, example, findings);
        }
        self.text(key, findings)
    }

    /// The elements of the array at `key`; none when the key is not there, or is no array (then that is reported).
    pub(super) fn array(
        &mut self,
        key: &str,
        findings: &mut Findings<'t>,
    ) -> Option<Located<Vec<Spanned<DeValue<'t>>>>> {
        let (line, value) = self.take(key, findings)?;
        match value.into_inner() {
            DeValue::Array(array) => Some(Located {
                line,
                value: array.into_iter().collect(),
            }),
            other => {
                let found = other.type_str();
                findings.wrong(
                    line,
                    format!("`{key}` must be an array in square brackets, this is a TOML {found}"),
                );
                None
            }
        }
    }

    /// The array of texts at `key`.
    pub(super) fn texts(
        &mut self,
        key: &str,
        findings: &mut Findings<'t>,
    ) -> Option<Located<Vec<Located<String>>>> {
        let Located { line, value } = self.array(key, findings)?;
        let read = |v| findings.text(key, v);
        let value = value.into_iter().filter_map(read).collect();
        Some(Located { line, value })
    }

    /// What is left: for tables whose keys are names.
    pub(super) fn entries(
        value: Spanned<DeValue<'t>>,
        what: &str,
        findings: &mut Findings<'t>,
    ) -> Vec<(Located<String>, Spanned<DeValue<'t>>)> {
        let line = findings.line(&value.span());
        let DeValue::Table(table) = value.into_inner() else {
            findings.wrong(line, format!("`{what}` must be a table in braces"));
            return Vec::new();
        };
        let entry = |(key, value): (Key<'t>, _)| {
            let line = findings.line(&key.span());
            let name = key.into_inner().into_owned();
            (Located { line, value: name }, value)
        };
        table.into_iter().map(entry).collect()
    }
}

fn unknown(key: &str, what: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, key), k))
        .min()
        .filter(|(distance, k)| *distance <= k.len().div_ceil(3));
    match nearest {
        Some((_, nearest)) => format!("unknown key `{key}` in {what}; did you mean `{nearest}`?"),
        None => format!(
            "unknown key `{key}` in {what}; known are {}",
            known.join(", ")
        ),
    }
}
