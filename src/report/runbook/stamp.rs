//! Times as people read them, in UTC and in their own time, and lines of at most eighty columns.

use crate::rotation::timing::Instant;
use chrono::{DateTime, Utc};

/// Columns of a terminal, and of most printers.
const WIDTH: usize = 80;

/// A time in the reader's own zone, such as `10:00 CET`; none where that is UTC.
pub type Local = fn(Instant) -> Option<String>;

/// A time with the day of the week, in UTC, and beside it in the reader's zone.
pub(super) fn stamp(at: Instant, local: Local) -> String {
    let seconds = i64::try_from(at.unix()).unwrap_or(i64::MAX);
    let Some(utc) = DateTime::<Utc>::from_timestamp(seconds, 0) else {
        return at.to_string();
    };
    let form = if at.unix().is_multiple_of(60) {
        "%a %-d %b %Y %H:%M UTC"
    } else {
        "%a %-d %b %Y %H:%M:%S UTC"
    };
    let shown = utc.format(form).to_string();
    match local(at) {
        Some(local) => format!("{shown} ({local})"),
        None => shown,
    }
}

/// A text below a label: the first line begins with `first`, the others with as many spaces. What has no space is not broken.
pub(super) fn wrapped(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    broken(first, &indent, text, "")
}

/// A command to copy: what is too long goes on behind a backslash.
pub(super) fn command(first: &str, command: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    if let Some(comment) = command.strip_prefix("# ") {
        let first = format!("{first}# ");
        return broken(&first, &format!("{indent}# "), comment, "");
    }
    let first = format!("{first}$ ");
    broken(&first, &format!("{indent}  "), command, " \\")
}

fn broken(first: &str, indent: &str, text: &str, end: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words(text) {
        let parts = [line.chars().count(), 1, word.chars().count(), end.len()];
        if !is_empty && parts.into_iter().sum::<usize>() > WIDTH {
            lines.push_str(&line);
            lines.push_str(end);
            lines.push('\n');
            indent.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// Words between spaces; what stands in quotes is one.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut begin, mut quote) = (Vec::new(), 0, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') => {
                words.extend(text.get(begin..at).filter(|word| !word.is_empty()));
                begin = at.saturating_add(1);
            }
            _ => {}
        }
    }
    words.extend(text.get(begin..).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc_and_in_the_readers_zone() {
        let at = |seconds: u64| Instant::from_unix(1_796_205_600 + seconds);
        let none: Local = |_| None;
        let cet: Local = |_| Some("11:00 CET".to_owned());
        assert_eq!(stamp(at(0), none), "Wed 2 Dec 2026 10:00 UTC");
        assert_eq!(stamp(at(7), none), "Wed 2 Dec 2026 10:00:07 UTC");
        assert_eq!(stamp(at(0), cet), "Wed 2 Dec 2026 10:00 UTC (11:00 CET)");
    }

    #[test]
    fn lines_have_eighty_columns_where_words_allow_it() {
        let long = "word ".repeat(40);
        let text = wrapped("  label: ", long.trim_end());
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(
            text.lines()
                .skip(1)
                .all(|line| line.starts_with("         w")),
            "{text}"
        );
        let typed = command(
            "  ",
            &format!(
                "openssl {} 'two words'",
                "-option value ".repeat(12).trim_end()
            ),
        );
        assert!(typed.lines().all(|line| line.len() <= WIDTH), "{typed}");
        assert!(
            typed.starts_with("  $ openssl ") && typed.contains(" \\\n    "),
            "{typed}"
        );
        assert!(typed.ends_with("'two words'\n"), "{typed}");
        assert_eq!(command("  ", "# put it there"), "  # put it there\n");
        let digest = "a".repeat(100);
        assert_eq!(
            wrapped("", &digest),
            format!("{digest}\n"),
            "nothing to break at"
        );
    }
}
