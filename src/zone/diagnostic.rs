//! What is wrong with a master file, where, and the way out, as people and editors read it: `file:line:column: error: …`.

use crate::files::{guard, secret};
use crate::zone::servers::ServerKind;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How many errors one reading keeps, and how many warnings: a file that is no zone at all would give one for each line.
pub(crate) const ENOUGH: usize = 1_000;

/// Whether a zone with this finding can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The zone cannot be used.
    Error,
    /// The zone works; somebody should look.
    Warning,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The text is not a master file (RFC 1035 §5).
    Syntax,
    /// The text is well-formed, the zone it describes is not (RFC 1035 §5.2, RFC 2181, RFC 6698).
    Content,
}

/// One finding with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the reader was told its name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// Error or warning.
    pub severity: Severity,
    /// Syntax or content.
    pub kind: Kind,
    /// What is wrong.
    pub message: String,
    /// The way out, where there is one to name.
    pub help: Option<String>,
    /// The servers that do not load the zone for it, where that is all that is wrong; otherwise none.
    pub refused_by: &'static [ServerKind],
    /// The line of the file, printable and not endless.
    pub excerpt: String,
    /// The characters of the excerpt that are meant.
    pub marked: Range<usize>,
}

impl Diagnostic {
    /// Whether it matters where the servers of the zone run these programs; none: whatever they run.
    pub fn matters_to(&self, servers_run: &[ServerKind]) -> bool {
        self.refused_by.is_empty()
            || servers_run.is_empty()
            || self
                .refused_by
                .iter()
                .any(|kind| servers_run.contains(kind))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (file, line, column) = (&self.file, self.line, self.column);
        write!(f, "{file}:{line}:{column}: {severity}: {}", self.message)?;
        if !self.excerpt.is_empty() {
            // Tabs stay tabs under tabs, so that the caret stands under what it means.
            let before = self.excerpt.chars().take(self.marked.start);
            let indent: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
            let carets = "^".repeat(self.marked.len().max(1));
            write!(f, "\n    {}\n    {indent}{carets}", self.excerpt)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n    help: {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that was found in one reading, in the order of the text; at least one is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.0.iter().enumerate() {
            let between = if at > 0 { "\n" } else { "" };
            write!(f, "{between}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The bytes of one file and the name it goes by.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name that messages use and that `$INCLUDE` is relative to.
    pub path: String,
    /// The text.
    pub bytes: Arc<Vec<u8>>,
}

/// A finding before its line is counted.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) source: usize,
    pub(crate) span: Range<usize>,
    pub(crate) severity: Severity,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) refused_by: &'static [ServerKind],
}

/// Findings as they come up, at most [`ENOUGH`] of each severity; warnings never crowd out an error.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    counts: Counts,
    syntax_errors: bool,
}

/// How much was found, what is not kept included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Findings with which the zone cannot be used.
    pub errors: usize,
    /// Findings that somebody should look at.
    pub warnings: usize,
}

impl Counts {
    fn of(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        }
    }
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.syntax_errors |= finding.kind == Kind::Syntax && finding.severity == Severity::Error;
        let keeps = self.keeps(finding.severity);
        let count = self.counts.of(finding.severity);
        *count = count.saturating_add(1);
        if keeps {
            self.kept.push(finding);
        }
    }

    /// Whether another finding would be kept. If not it is only counted, and its place need not be looked for.
    pub(crate) fn keeps(&mut self, severity: Severity) -> bool {
        *self.counts.of(severity) < ENOUGH
    }

    /// How much was found.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a part of the text could not be read.
    pub(crate) fn has_syntax_errors(&self) -> bool {
        self.syntax_errors
    }

    /// The findings with lines and columns, in the order of the files and of their text.
    pub(crate) fn resolve(mut self, sources: &[Source]) -> Vec<Diagnostic> {
        self.kept.sort_by_key(|f| (f.source, f.span.start));
        let mut lines = Lines::default();
        let mut diagnostics: Vec<Diagnostic> = Vec::with_capacity(self.kept.len());
        // A zone that can be read is none: only then the text is searched.
        let broken = self.syntax_errors;
        let holds = |source: &Source| {
            let what = || secret::kind(&source.bytes).or_else(|| of_its_owner(source));
            broken.then(what).flatten()
        };
        let secrets: Vec<Option<&str>> = sources.iter().map(holds).collect();
        let mut shown = BTreeSet::new();
        for finding in self.kept {
            let Some(source) = sources.get(finding.source) else {
                continue;
            };
            let what = secrets.get(finding.source).copied().flatten();
            if let Some(what) = what {
                // One finding is enough, and it shows nothing of the text.
                if shown.insert(finding.source) {
                    diagnostics.push(not_shown(what, source));
                }
                continue;
            }
            diagnostics.push(lines.resolve(finding, source));
        }
        let all = self.counts.errors.saturating_add(self.counts.warnings);
        let dropped = if shown.is_empty() {
            all.saturating_sub(diagnostics.len())
        } else {
            0
        };
        if let (Some(last), 1..) = (diagnostics.last_mut(), dropped) {
            let more = format!("{dropped} more findings are not shown");
            last.help = Some(match last.help.take() {
                Some(help) => format!("{help}; {more}"),
                None => more,
            });
        }
        diagnostics
    }
}

/// Counts lines once over each file, for findings in ascending order.
#[derive(Default)]
struct Lines {
    source: usize,
    /// Offset at which the line under way begins.
    start: usize,
    /// How many lines end before it.
    before: usize,
}

impl Lines {
    fn resolve(&mut self, finding: Finding, source: &Source) -> Diagnostic {
        if finding.source != self.source {
            *self = Self {
                source: finding.source,
                ..Self::default()
            };
        }
        let bytes = source.bytes.as_slice();
        let at = finding.span.start.min(bytes.len());
        let passed = bytes.get(self.start..at).unwrap_or_default();
        for (offset, _) in passed.iter().enumerate().filter(|(_, b)| **b == b'\n') {
            self.before = self.before.saturating_add(1);
            // `offset` counts from where the search began, which is fixed for this loop.
            self.start = at
                .saturating_sub(passed.len())
                .saturating_add(offset)
                .saturating_add(1);
        }
        let line = bytes.get(self.start..).unwrap_or_default();
        let column = at.saturating_sub(self.start);
        let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let whole = line.get(..end).unwrap_or_default();
        let may_be_secret = finding.kind == Kind::Syntax
            && (secret::may_be_in(whole) || secret::may_be_last_in(whole, bytes));
        if may_be_secret {
            return Diagnostic {
                line: self.before.saturating_add(1),
                kind: finding.kind,
                message: "this is no line of a zone, and it may be one of a key: it is not shown"
                    .to_owned(),
                ..not_shown("", source)
            };
        }
        let (excerpt, marked) = excerpt(line, column, finding.span.len());
        Diagnostic {
            file: source.path.clone(),
            line: self.before.saturating_add(1),
            column: column.saturating_add(1),
            severity: finding.severity,
            kind: finding.kind,
            message: finding.message,
            help: finding.help,
            refused_by: finding.refused_by,
            excerpt,
            marked,
        }
    }
}

/// What nobody but its owner may read, and is no zone, may be secret in a form that is not known here.
fn of_its_owner(source: &Source) -> Option<&'static str> {
    let is_zone = source
        .bytes
        .split(u8::is_ascii_whitespace)
        .any(|word| word.eq_ignore_ascii_case(b"SOA"));
    (!is_zone && guard::is_private(Path::new(&source.path)))
        .then_some("text that its owner alone may read")
}

/// That a file is a secret, in place of whatever a reader of zones has to say of it.
fn not_shown(what: &str, source: &Source) -> Diagnostic {
    Diagnostic {
        file: source.path.clone(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        kind: Kind::Syntax,
        message: format!(
            "{what} is in this file, where a zone is expected: nothing of it is shown"
        ),
        help: Some("name the zone file".to_owned()),
        refused_by: &[],
        excerpt: String::new(),
        marked: 0..0,
    }
}

/// The part of a line around `column`, and which of its characters are meant.
fn excerpt(line: &[u8], column: usize, length: usize) -> (String, Range<usize>) {
    const BEFORE: usize = 60;
    const AFTER: usize = 60;
    let window = line.get(..column.saturating_add(4 * AFTER)).unwrap_or(line);
    let end = window.iter().position(|b| matches!(b, b'\n' | b'\r'));
    let end = end.unwrap_or(window.len());
    let start = if column > 2 * BEFORE {
        column.saturating_sub(BEFORE)
    } else {
        0
    };
    let shown = |range: Range<usize>| {
        let text = String::from_utf8_lossy(line.get(range).unwrap_or_default());
        // A control character must not move the terminal's cursor.
        text.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")
    };
    let column = column.min(end.max(start));
    let cut = if start > 0 { "…" } else { "" };
    let before = format!("{cut}{}", shown(start..column));
    let marked_end = column.saturating_add(length).clamp(column, end.max(column));
    let marked = shown(column..marked_end);
    let after = shown(marked_end..end.max(marked_end));
    let first = before.chars().count();
    let range = first..first.saturating_add(marked.chars().count());
    (format!("{before}{marked}{after}"), range)
}
