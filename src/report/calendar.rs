//! The plan as a calendar (RFC 5545): one event for each step ahead and for each deadline. Hermetic: the stamp of every event
//! is when the rotation was started.

use crate::rotation::timing::Instant;
use std::fmt::Write as _;

/// Octets in a line before it must be folded, its end not counted (RFC 5545 §3.1).
const LINE: usize = 75;

/// The events of one rotation.
#[derive(Clone, Debug)]
pub struct Agenda<'a> {
    /// The rotation's name.
    pub(super) rotation: &'a str,
    /// When it was started.
    pub(super) started: Instant,
    /// What is ahead.
    pub(super) events: Vec<Event>,
}

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// What tells it apart within its rotation, such as `4-wait`.
    pub(super) id: String,
    /// When it begins.
    pub(super) from: Instant,
    /// When it ends, if it lasts.
    pub(super) to: Option<Instant>,
    /// One line.
    pub(super) summary: String,
    /// More.
    pub(super) description: String,
}

/// One calendar of all rotations.
pub fn calendar(agendas: &[Agenda<'_>]) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//tlsa-rotate//plan//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
    ] {
        line(&mut text, &format!("{name}:{value}"));
    }
    for agenda in agendas {
        let stamp = stamp(agenda.started);
        for event in &agenda.events {
            line(&mut text, "BEGIN:VEVENT");
            // RFC 7986 §5.3: no more in it than tells events apart; the same event has the same one in every plan.
            line(
                &mut text,
                &format!("UID:{}-{}@tlsa-rotate.invalid", agenda.rotation, event.id),
            );
            line(&mut text, &format!("DTSTAMP:{stamp}"));
            line(&mut text, &format!("DTSTART:{}", self::stamp(event.from)));
            if let Some(to) = event.to.filter(|to| *to > event.from) {
                line(&mut text, &format!("DTEND:{}", self::stamp(to)));
            }
            line(&mut text, &format!("SUMMARY:{}", escaped(&event.summary)));
            line(
                &mut text,
                &format!("DESCRIPTION:{}", escaped(&event.description)),
            );
            line(&mut text, "TRANSP:TRANSPARENT");
            line(&mut text, "END:VEVENT");
        }
    }
    line(&mut text, "END:VCALENDAR");
    text
}

/// An instant in UTC as RFC 5545 §3.3.5 writes it.
fn stamp(at: Instant) -> String {
    at.to_string().replace(['-', ':'], "")
}

/// Text as a value (RFC 5545 §3.3.11).
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim_end().chars() {
        match c {
            '\\' | ';' | ',' => {
                let _ = write!(out, "\\{c}");
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a content line, folded between characters so that no line has more than [`LINE`] octets.
fn line(out: &mut String, content: &str) {
    let mut octets = 0_usize;
    for c in content.chars() {
        if octets.saturating_add(c.len_utf8()) > LINE {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets = octets.saturating_add(c.len_utf8());
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_unfold_to_what_they_were() {
        for text in [
            "short".to_owned(),
            "x".repeat(75),
            "x".repeat(76),
            "ä×€".repeat(60),
        ] {
            let mut folded = String::new();
            line(&mut folded, &text);
            assert!(folded.ends_with("\r\n"));
            for part in folded.trim_end_matches("\r\n").split("\r\n") {
                assert!(part.len() <= 75, "{} octets: {part}", part.len());
            }
            assert_eq!(folded.replace("\r\n ", ""), format!("{text}\r\n"));
        }
        let mut full = String::new();
        line(&mut full, &"x".repeat(75));
        assert_eq!(full.matches("\r\n").count(), 1, "75 octets need no fold");
    }

    #[test]
    fn text_is_escaped_and_times_are_utc() {
        assert_eq!(escaped("a, b; c\\d\ne\r"), "a\\, b\\; c\\\\d\\ne");
        assert_eq!(stamp(Instant::from_unix(951_782_400)), "20000229T000000Z");
    }
}
