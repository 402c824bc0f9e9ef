//! Where rotations stand as one page: nothing is loaded from elsewhere, no script runs, and it can be printed.

use super::listed::is_listed;
use super::metrics::Subject;
use super::standing::{Standing, step_sentence};
use crate::rotation::association::Association;
use crate::rotation::guide::CHAPTERS;
use crate::rotation::observation::{Observation, Offer, Seen};
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Instant;
use std::fmt::Write as _;

/// What every page looks like.
pub(super) const STYLE: &str = include_str!("page.css");

/// What every page is called.
pub const TITLE: &str = "<title>TLS keys under DANE</title>";

/// The page of all of them, as they were seen at `now`.
pub fn page(subjects: &[Subject<'_>], now: Instant) -> String {
    let mut text =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    text.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(
        text,
        "{TITLE}\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    let _ = writeln!(
        text,
        "<h1>TLS keys under DANE</h1>\n<p>As seen on {now}.</p>"
    );
    if subjects.len() > 1 {
        index(&mut text, subjects);
    }
    for (number, subject) in subjects.iter().enumerate() {
        section(&mut text, number, subject);
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

fn index(text: &mut String, subjects: &[Subject<'_>]) {
    let rows = subjects.iter().enumerate().map(|(number, subject)| {
        let (name, step, next) = match &subject.about {
            Ok(standing) => {
                let step = standing.rotation.map(|(_, state)| state.step.name());
                (
                    standing.certificate,
                    step.unwrap_or("no rotation"),
                    standing.next(),
                )
            }
            Err(zone) => (*zone, "zone", String::new()),
        };
        vec![
            format!("<a href=\"#s{number}\">{}</a>", escaped(name)),
            badge(subject.code),
            escaped(step),
            escaped(&next),
        ]
    });
    table(text, &["certificate", "", "step", "next"], rows);
}

fn section(text: &mut String, number: usize, subject: &Subject<'_>) {
    let name = match &subject.about {
        Ok(standing) => standing.rotation.map_or(standing.certificate, |(id, _)| id),
        Err(zone) => zone,
    };
    let _ = writeln!(
        text,
        "<section id=\"s{number}\">\n<h2>{} {}</h2>",
        escaped(name),
        badge(subject.code)
    );
    if let Ok(standing) = &subject.about {
        of_certificate(text, standing);
    }
    if let Some(failed) = &subject.failed {
        let _ = writeln!(text, "<p class=\"alarm\">{}</p>", escaped(failed));
    }
    text.push_str("</section>\n");
}

fn of_certificate(text: &mut String, standing: &Standing<'_>) {
    match standing.rotation {
        Some((_, state)) => {
            let _ = writeln!(
                text,
                "<p>{}; since {}</p>",
                escaped(&step_sentence(state)),
                state.since
            );
            steps(text, state);
        }
        None => text.push_str("<p>There is no rotation.</p>\n"),
    }
    for alarm in standing.alarms() {
        let ways: String = alarm.plan.iter().map(|way| item(way)).collect();
        let _ = writeln!(
            text,
            "<div class=\"alarm\"><p>Mail is at risk: {}</p><ul>{ways}</ul></div>",
            escaped(&alarm.to_string())
        );
    }
    let deadlines = standing.deadlines().iter().map(ToString::to_string);
    let act_by = standing.act_by().iter().map(ToString::to_string);
    let dates: String = deadlines.chain(act_by).map(|one| item(&one)).collect();
    if !dates.is_empty() {
        let _ = writeln!(text, "<h3>Dates to keep</h3>\n<ul>{dates}</ul>");
    }
    if !standing.blockers().is_empty() {
        text.push_str("<h3>Why it does not go on</h3>\n");
        let rows = standing.blockers().iter().map(|blocker| {
            vec![
                escaped(&blocker.who().to_string()),
                escaped(&blocker.to_string()),
                escaped(&blocker.way_out()),
                blocker
                    .until()
                    .map_or_else(String::new, |at| at.to_string()),
            ]
        });
        table(text, &["who", "what", "way out", "until"], rows);
    }
    if let Some(seen) = standing.observation {
        let state = standing.rotation.map(|(_, state)| state);
        hosts(text, seen, state);
        servers(text, seen, state);
    }
}

/// The seven steps, each done, under way or ahead; none of them on the way back.
fn steps(text: &mut String, state: &Rotation) {
    let now = match state.step {
        Step::Retired => u8::MAX,
        step => match step.chapter() {
            Some(chapter) => chapter.number,
            None => return,
        },
    };
    text.push_str("<ol class=\"steps\">");
    for chapter in &CHAPTERS {
        let (class, word) = match chapter.number.cmp(&now) {
            std::cmp::Ordering::Less => ("done", "done"),
            std::cmp::Ordering::Equal => ("now", "under way"),
            std::cmp::Ordering::Greater => ("ahead", "ahead"),
        };
        let _ = write!(
            text,
            "<li class=\"{class}\">{} {}<br>{word}</li>",
            chapter.number,
            escaped(chapter.title)
        );
    }
    text.push_str("</ol>\n");
}

fn hosts(text: &mut String, seen: &Observation, state: Option<&Rotation>) {
    let mut rows = Vec::new();
    for (endpoint, places) in &seen.presented {
        for (address, offers) in places {
            for offer in offers.values() {
                let row = |what: String, ends: String, verdict: String| {
                    vec![
                        escaped(&endpoint.to_string()),
                        escaped(address),
                        what,
                        ends,
                        verdict,
                    ]
                };
                match offer {
                    Seen::Known(Offer::NotOffered) => {}
                    Seen::Known(offer) => rows.extend(offer.chains().iter().map(|chain| {
                        let verdict = match is_listed(seen, state, endpoint, chain) {
                            Some(true) => mark("good", "listed everywhere"),
                            Some(false) => mark("risk", "not listed everywhere"),
                            None => mark("you", "not known"),
                        };
                        let ends = chain.not_after.to_string();
                        row(escaped(&chain.key.short()), ends, verdict)
                    })),
                    Seen::Unknown(why) => {
                        rows.push(row(escaped(why), String::new(), mark("you", "not known")));
                    }
                }
            }
        }
    }
    if !rows.is_empty() {
        text.push_str("<h3>What hosts present</h3>\n");
        let heads = ["host", "address", "key", "certificate ends", "its records"];
        table(text, &heads, rows.into_iter());
    }
}

fn servers(text: &mut String, seen: &Observation, state: Option<&Rotation>) {
    let requirement = state.map(Rotation::requirement);
    let mut rows = Vec::new();
    for (name, servers) in &seen.served {
        for (authority, answer) in servers {
            let (name, server) = (escaped(name.as_str()), escaped(&authority.0));
            rows.push(match answer {
                Seen::Known(rrset) => {
                    let keys: Vec<String> =
                        rrset.associations.iter().map(Association::short).collect();
                    let verdict = requirement.as_ref().map(|requirement| {
                        if requirement.is_met_by(&rrset.associations) {
                            mark("good", "as the step asks")
                        } else {
                            mark("you", "not yet as the step asks")
                        }
                    });
                    vec![
                        name,
                        server,
                        escaped(&keys.join(", ")),
                        rrset.ttl.span().to_string(),
                        rrset.signature.expiration.to_string(),
                        verdict.unwrap_or_default(),
                    ]
                }
                Seen::Unknown(why) => vec![
                    name,
                    server,
                    escaped(why),
                    String::new(),
                    String::new(),
                    mark("you", "not known"),
                ],
            });
        }
    }
    if !rows.is_empty() {
        text.push_str("<h3>What servers answer</h3>\n");
        let heads = ["name", "server", "records", "TTL", "signed until", ""];
        table(text, &heads, rows.into_iter());
    }
}

/// A table; the cells are markup.
fn table(text: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    text.push_str("<div class=\"table\"><table>\n<tr>");
    for head in heads {
        let _ = write!(text, "<th>{}</th>", escaped(head));
    }
    text.push_str("</tr>\n");
    for row in rows {
        text.push_str("<tr>");
        for cell in row {
            let _ = write!(text, "<td>{cell}</td>");
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</table></div>\n");
}

fn badge(code: u8) -> String {
    let (class, words) = match code {
        0 => ("good", "nothing to do"),
        4 => ("risk", "mail is at risk"),
        3 => ("you", "you are needed"),
        _ => ("you", "something is wrong"),
    };
    format!("<span class=\"badge {class}\">{words}</span>")
}

fn mark(class: &str, words: &str) -> String {
    format!("<span class=\"{class}\">{words}</span>")
}

fn item(words: &str) -> String {
    format!("<li>{}</li>", escaped(words))
}

/// Text as it can stand anywhere in the page: what servers and hosts say is nobody's markup.
/// Text that stands for itself in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_no_markup() {
        let hostile = "<script>alert('1')</script> & \"x\"";
        let failed = Some(hostile.to_owned());
        let subject = Subject {
            about: Err(hostile),
            code: 1,
            failed,
        };
        let page = page(&[subject], Instant::from_unix(0));
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;1&#39;)").count(), 2);
    }
}
