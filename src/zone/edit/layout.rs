//! How a new line looks: columns, tabs, owner form, class, TTL, hash case, groups and line end of its neighbour.

use super::Patch;
use crate::rotation::timing::Ttl;
use crate::zone::form::Form;
use crate::zone::lexer::{Line, Token};
use crate::zone::name::Name;
use crate::zone::rdata;
use crate::zone::record::Record;
use std::ops::Range;

/// A record line that shows the style of its surroundings.
#[derive(Clone, Debug)]
pub(super) struct Neighbour<'a> {
    pub(super) file: &'a [u8],
    pub(super) line: Line,
    pub(super) tokens: Vec<Token>,
}

impl Neighbour<'_> {
    pub(super) fn form(&self) -> Option<Form<'_>> {
        Form::of(&self.line, &self.tokens, self.file).ok()
    }

    /// The text between two offsets.
    fn between(&self, span: Range<usize>) -> &[u8] {
        self.file.get(span).unwrap_or_default()
    }

    /// The column in which an offset stands, from 0, tabs every eight.
    fn column(&self, offset: usize) -> usize {
        let before = self.between(self.line.start..offset);
        let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        width(line)
    }

    /// The line end of this line, or of the one before it if this line has none.
    fn line_end(&self) -> &'static [u8] {
        let line = self.between(self.line.start..self.line.end);
        let before = self.file.get(..self.line.start).unwrap_or_default();
        match (end_of(line), end_of(before)) {
            (b"", b"") => b"\n",
            (b"", before) => before,
            (own, _) => own,
        }
    }
}

/// The line end that a text ends with, as the lexer sees it; empty if there is none.
pub(super) fn end_of(text: &[u8]) -> &'static [u8] {
    let ends: [&[u8]; 3] = [b"\r\n", b"\n", b"\r"];
    let end = ends.into_iter().find(|end| text.ends_with(end));
    end.unwrap_or_default()
}

fn width(text: &[u8]) -> usize {
    text.iter().fold(0, |column: usize, byte| match byte {
        b'\t' => tab_stop(column),
        // Continuation bytes of UTF-8 take no column of their own.
        0x80..=0xbf => column,
        _ => column.saturating_add(1),
    })
}

/// The tab stop that follows a column.
fn tab_stop(column: usize) -> usize {
    (column / 8).saturating_add(1).saturating_mul(8)
}

/// The line of a new record behind `neighbour`; the TTL is left out when `None`.
///
/// `ttl` comes with whether it equals the neighbour's, whose way to write it is then kept.
pub(super) fn line(
    record: &Record,
    owner: &[u8],
    ttl: Option<(Ttl, bool)>,
    neighbour: &Neighbour<'_>,
    template: Option<&Neighbour<'_>>,
) -> Vec<u8> {
    let Some(form) = neighbour.form() else {
        return plain(record, neighbour);
    };
    let mut line = owner.to_vec();
    let mut previous = form.owner.map_or(neighbour.line.start, |o| o.end);
    let mut leading: Vec<Token> = [form.ttl, form.class].into_iter().flatten().collect();
    leading.sort_by_key(|t| t.start);
    if let (Some((ttl, _)), None) = (ttl, form.ttl) {
        // The neighbour has no TTL field: this one goes where its first field would.
        let next = leading.first().copied().unwrap_or(form.type_field);
        pad(&mut line, neighbour, previous, next.start);
        line.extend(ttl.to_string().bytes());
        line.push(b' ');
        previous = next.start;
    }
    for token in leading {
        let text = match ttl {
            Some((ttl, false)) if Some(token) == form.ttl => ttl.to_string().into_bytes(),
            _ => token.text(neighbour.file).to_vec(),
        };
        pad(&mut line, neighbour, previous, token.start);
        line.extend(text);
        previous = token.end;
    }
    pad(&mut line, neighbour, previous, form.type_field.start);
    let written = form.type_field.text(neighbour.file);
    let mnemonic = record.rtype.to_string();
    if written.iter().any(u8::is_ascii_lowercase) {
        line.extend(mnemonic.to_ascii_lowercase().bytes());
    } else {
        line.extend(mnemonic.bytes());
    }
    data(&mut line, record, neighbour, &form, template);
    ended(&line, neighbour)
}

/// A line in no particular style.
fn plain(record: &Record, neighbour: &Neighbour<'_>) -> Vec<u8> {
    ended(record.to_string().as_bytes(), neighbour)
}

/// Puts the line end behind the line, or before it when the neighbour ends the file without one.
fn ended(line: &[u8], neighbour: &Neighbour<'_>) -> Vec<u8> {
    let end = neighbour.line_end();
    let last = neighbour.between(neighbour.line.start..neighbour.line.end);
    if end_of(last).is_empty() {
        [end, line].concat()
    } else {
        [line, end].concat()
    }
}

/// A line that [`line`] laid out like `neighbour`, for the end of the file, which ends with a line end afterwards if it did before.
pub(super) fn at_end(line: &[u8], neighbour: &Neighbour<'_>) -> Vec<u8> {
    let end = neighbour.line_end();
    let bare = line.strip_prefix(end).unwrap_or(line);
    let bare = bare.strip_suffix(end).unwrap_or(bare);
    if end_of(neighbour.file).is_empty() {
        [end, bare].concat()
    } else {
        [bare, end].concat()
    }
}

/// Blanks up to the column in which the neighbour's next field stands, in its kind of blanks; at least one.
fn pad(line: &mut Vec<u8>, neighbour: &Neighbour<'_>, previous: usize, next: usize) {
    let gap = neighbour.between(previous..next);
    if gap.is_empty() {
        return;
    }
    if gap == b" " && !line.is_empty() {
        line.push(b' ');
        return;
    }
    let blank = if gap.contains(&b'\t') { b'\t' } else { b' ' };
    fill(line, neighbour.column(next), blank);
}

/// Blanks up to a column, at least one; a column between tab stops is reached with spaces after the last tab.
fn fill(line: &mut Vec<u8>, column: usize, blank: u8) {
    let start = line.len();
    while blank == b'\t' && tab_stop(width(line)) <= column {
        line.push(b'\t');
    }
    while width(line) < column {
        line.push(b' ');
    }
    if line.len() == start {
        line.push(blank);
    }
}

/// Appends the data, hexadecimal in the case and the groups of the template.
fn data(
    line: &mut Vec<u8>,
    record: &Record,
    neighbour: &Neighbour<'_>,
    form: &Form<'_>,
    template: Option<&Neighbour<'_>>,
) {
    let text = record.rdata.to_text(record.rtype);
    let shown = template.and_then(|t| in_groups(record, &text, t));
    let (same_line, body) = match shown {
        Some((leading, body)) => (leading, body),
        None => (None, text.into_bytes()),
    };
    // With a type of its own the neighbour shows the column, else the template shows parentheses and all.
    match (same_line, form.data.first()) {
        (Some(gap), _) if form.rtype == record.rtype => line.extend(gap),
        (_, Some(first)) if is_blank(neighbour.between(form.type_field.end..first.start)) => {
            pad(line, neighbour, form.type_field.end, first.start);
        }
        _ => line.push(b' '),
    }
    line.extend(body);
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|b| matches!(b, b' ' | b'\t'))
}

/// The gap in front of the data and the data in the template's groups; `None` when the data does not fit them.
fn in_groups(
    record: &Record,
    text: &str,
    template: &Neighbour<'_>,
) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
    let before_hex = rdata::words_before_hex(record.rtype)?;
    let form = template.form()?;
    let fixed = form.data.get(..before_hex)?;
    let groups = form.data.get(before_hex..)?;
    let written = template.between(groups.first()?.start..groups.last()?.end);
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let mut hex = words.pop()?;
    if words.len() != before_hex
        || fixed
            .first()
            .is_some_and(|t| t.text(template.file) == b"\\#")
    {
        return None;
    }
    let upper =
        written.iter().any(u8::is_ascii_uppercase) && !written.iter().any(u8::is_ascii_lowercase);
    if upper {
        hex.make_ascii_uppercase();
    }
    let lengths: Vec<usize> = groups.iter().map(|t| t.span().len()).collect();
    words.extend(grouped(&hex, &lengths));
    // Between the words stands what stands there in the template, comments left out.
    let mut body = Vec::new();
    let mut last_gap: &[u8] = b" ";
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            let before = form.data.get(at.saturating_sub(1)).zip(form.data.get(at));
            if let Some((a, b)) = before {
                last_gap = template.between(a.end..b.start);
            }
            body.extend(without_comments(last_gap));
        }
        body.extend(word.bytes());
    }
    let last = form.data.last()?;
    let tail = without_comments(template.between(last.end..template.line.end));
    let tail_end = tail
        .iter()
        .rposition(|b| !b.is_ascii_whitespace())
        .map_or(0, |at| at.saturating_add(1));
    body.extend(tail.get(..tail_end)?);
    let gap = without_comments(template.between(form.type_field.end..form.data.first()?.start));
    let leading = (!gap.is_empty()).then_some(gap);
    let open = leading
        .iter()
        .flatten()
        .chain(&body)
        .filter(|b| **b == b'(')
        .count();
    let closed = leading
        .iter()
        .flatten()
        .chain(&body)
        .filter(|b| **b == b')')
        .count();
    (open == closed).then_some((leading, body))
}

/// Cuts digits into groups as long as those of the template, the last of them repeated as needed.
fn grouped(digits: &str, lengths: &[usize]) -> Vec<String> {
    let mut groups = Vec::new();
    let mut rest = digits;
    let single = lengths.len() < 2;
    let widest = lengths.iter().copied().max().unwrap_or(0).max(1);
    let exact = lengths.iter().sum::<usize>() == digits.len();
    let mut wanted = lengths.iter().copied();
    while !rest.is_empty() {
        let length = match wanted.next() {
            Some(length) if exact => length,
            _ => widest,
        };
        let length = if single { rest.len() } else { length };
        let (group, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        groups.push(group.to_owned());
        rest = after;
    }
    groups
}

/// The text without comments and without blanks before line ends.
fn without_comments(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut lines = text.split_inclusive(|b| *b == b'\n').peekable();
    while let Some(line) = lines.next() {
        let comment = line.iter().position(|b| *b == b';');
        let end = [&b"\r\n"[..], b"\n"]
            .into_iter()
            .find(|end| line.ends_with(end));
        let end = end.unwrap_or_default();
        let content = line
            .get(..comment.unwrap_or(line.len().saturating_sub(end.len())))
            .unwrap_or_default();
        if end.is_empty() && lines.peek().is_none() {
            kept.extend_from_slice(content);
        } else {
            let length = content
                .iter()
                .rposition(|b| !matches!(b, b' ' | b'\t'))
                .map_or(0, |at| at.saturating_add(1));
            kept.extend_from_slice(content.get(..length).unwrap_or_default());
        }
        kept.extend_from_slice(end);
    }
    kept
}

/// Whether a name is written with the dot at its end.
pub(super) fn is_absolute(text: &[u8]) -> bool {
    let backslashes = text
        .iter()
        .rev()
        .skip(1)
        .take_while(|b| **b == b'\\')
        .count();
    text.ends_with(b".") && backslashes.is_multiple_of(2)
}

/// An owner as the file would write it: relative to the origin unless `absolute` or not below it.
pub(super) fn owner_text(owner: &Name, origin: Option<&Name>, absolute: bool) -> Vec<u8> {
    let full = owner.to_string();
    let Some(origin) = origin.filter(|o| !absolute && owner.is_at_or_below(o)) else {
        return full.into_bytes();
    };
    if owner == origin {
        return b"@".to_vec();
    }
    let depth = owner.label_count().saturating_sub(origin.label_count());
    let mut above = owner.clone();
    for _ in 0..depth {
        above = above.parent().unwrap_or_else(Name::root);
    }
    // What the owner has in front of the origin, without the dot between.
    let tail = if above.label_count() == 0 {
        1
    } else {
        above.to_string().len().saturating_add(1)
    };
    let length = full.len().saturating_sub(tail);
    full.get(..length).unwrap_or(&full).as_bytes().to_vec()
}

/// Writes an owner in front of a line that had none, its fields staying in their columns.
pub(super) fn give_owner(
    source: usize,
    file: &[u8],
    indentation: Range<usize>,
    owner: &[u8],
) -> Patch {
    let blanks = file.get(indentation.clone()).unwrap_or_default();
    let mut text = owner.to_vec();
    let blank = if blanks.contains(&b'\t') { b'\t' } else { b' ' };
    fill(&mut text, width(blanks), blank);
    Patch {
        source,
        span: indentation,
        text,
    }
}

/// The offset in front of the line end that stands before `start`.
pub(super) fn without_line_end(file: &[u8], start: usize) -> usize {
    let before = file.get(..start).unwrap_or_default();
    start.saturating_sub(end_of(before).len())
}
