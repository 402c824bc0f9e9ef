//! The runbook as one self-contained page: to print, or to attach to a ticket. Nothing is loaded, and no script runs.

use super::Runbook;
use super::blocks::{Block, Standing};
use super::markdown::capital;
use super::stamp::stamp;
use crate::report::page::{STYLE, escaped};
use std::fmt::Write as _;

/// One page with these runbooks.
pub fn page(runbooks: &[Runbook<'_>]) -> String {
    let mut articles = String::new();
    for runbook in runbooks {
        runbook.article(&mut articles);
    }
    framed(&articles)
}

/// The same around texts, each with its heading.
pub fn page_of_texts(texts: &[(String, String)]) -> String {
    let mut articles = String::new();
    for (heading, lines) in texts {
        let _ = writeln!(articles, "<h1>{}</h1>", escaped(heading));
        preformatted(&mut articles, lines);
    }
    framed(&articles)
}

fn framed(articles: &str) -> String {
    let mut text =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    text.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let title = "<title>Runbook: TLS keys under DANE</title>";
    let _ = write!(
        text,
        "{title}\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    text.push_str(articles);
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

impl Runbook<'_> {
    fn article(&self, text: &mut String) {
        let _ = writeln!(text, "<article>\n<h1>{}</h1>", escaped(&self.headline()));
        text.push_str("<div class=\"table\"><table>\n");
        let made = ("made", stamp(self.made, self.local));
        for (label, value) in std::iter::once(made).chain(self.facts()) {
            let _ = writeln!(
                text,
                "<tr><th>{label}</th><td>{}</td></tr>",
                escaped(&value)
            );
        }
        text.push_str("</table></div>\n");
        for block in self.blocks() {
            self.block_html(text, &block);
        }
        let deadlines = self.deadline_lines();
        if !deadlines.is_empty() {
            text.push_str("<h2>Deadlines</h2>\n<ul>\n");
            for line in deadlines {
                let _ = writeln!(text, "<li>{}</li>", escaped(&line));
            }
            text.push_str("</ul>\n");
        }
        for line in self.ending().lines() {
            let _ = writeln!(text, "<p>{}</p>", escaped(line));
        }
        text.push_str("</article>\n");
    }

    fn block_html(&self, text: &mut String, block: &Block<'_>) {
        let chapter = block.chapter;
        let heading = escaped(&capital(chapter.heading));
        let (when, gate) = match block.standing {
            Standing::Done => ("done".to_owned(), None),
            Standing::Stopped => (
                "not before what stops it is out of the way".to_owned(),
                None,
            ),
            Standing::UnderWay(since) => (format!("since {}", stamp(since, self.local)), None),
            Standing::From(at, gate) => (format!("from {}", stamp(at, self.local)), gate),
        };
        let _ = writeln!(
            text,
            "<h2>{} {heading}: {}</h2>",
            chapter.number,
            escaped(&when)
        );
        if matches!(block.standing, Standing::Done | Standing::Stopped) {
            return;
        }
        let _ = writeln!(text, "<p>{}</p>\n<ul>", escaped(&capital(chapter.what)));
        let _ = writeln!(text, "<li>Who: {}</li>", escaped(block.who.told()));
        for (label, reason) in self.reasons(gate) {
            let _ = writeln!(text, "<li>{}: {}</li>", capital(label), escaped(&reason));
        }
        let _ = writeln!(text, "<li>Before: {}</li>\n</ul>", escaped(chapter.gate));
        preformatted(text, block.diff.trim_end());
        preformatted(text, &block.commands.join("\n"));
        let _ = writeln!(text, "<p>Right when {}.</p>", escaped(&block.right_when));
        preformatted(text, &block.looks.join("\n"));
        let _ = writeln!(text, "<p>Undo: {}</p>", escaped(&block.undo));
        text.push_str("<p>\u{2610} done at ____________________ by ____________________</p>\n");
    }
}

fn preformatted(text: &mut String, lines: &str) {
    if !lines.is_empty() {
        let _ = writeln!(text, "<pre>{}</pre>", escaped(lines));
    }
}
