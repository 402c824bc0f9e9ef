//! The runbook as markdown, for a ticket or a review, with a Gantt chart.

use super::Runbook;
use super::blocks::{Block, Standing};
use super::stamp::stamp;
use crate::rotation::guide::CHAPTERS;
use std::fmt::Write as _;

impl Runbook<'_> {
    /// For a ticket or a review, with a Gantt chart.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.headline());
        for (label, value) in self.facts() {
            let _ = writeln!(text, "- {label}: `{value}`");
        }
        text.push('\n');
        text.push_str(&self.gantt());
        for block in self.blocks() {
            self.section(&mut text, &block);
        }
        let deadlines = self.deadline_lines();
        if !deadlines.is_empty() {
            let _ = write!(text, "\n## Deadlines\n\n");
            for line in deadlines {
                let _ = writeln!(text, "- {line}");
            }
        }
        let _ = write!(text, "\n{}", self.ending());
        text
    }

    fn section(&self, text: &mut String, block: &Block<'_>) {
        let chapter = block.chapter;
        let _ = writeln!(
            text,
            "\n## {} {}\n",
            chapter.number,
            capital(chapter.heading)
        );
        let (when, gate) = match block.standing {
            Standing::Done => return text.push_str("Done.\n"),
            Standing::Stopped => {
                return text.push_str("Not before what stops it is out of the way.\n");
            }
            Standing::UnderWay(since) => (
                format!("Under way since {}", stamp(since, self.local)),
                None,
            ),
            Standing::From(at, gate) => (format!("From {}", stamp(at, self.local)), gate),
        };
        let _ = writeln!(text, "{when}: {}.\n", chapter.what);
        let _ = writeln!(text, "- who: {}", block.who.told());
        for (label, reason) in self.reasons(gate) {
            let _ = writeln!(text, "- {label}: {reason}");
        }
        let _ = writeln!(text, "- gate: {}", chapter.gate);
        if !block.diff.is_empty() {
            let _ = write!(text, "\n```diff\n{}```\n", block.diff);
        }
        fenced(text, &block.commands);
        let _ = writeln!(
            text,
            "\n- right when: {}\n- undo: {}",
            block.right_when, block.undo
        );
        fenced(text, &block.looks);
        text.push_str("\n- [ ] done at ____________ by ____________\n");
    }

    fn gantt(&self) -> String {
        let mut chart = String::from(
            "```mermaid\ngantt\n    dateFormat YYYY-MM-DDTHH:mm:ssZ\n    axisFormat %d %b %H:%M\n",
        );
        for (chapter, following) in CHAPTERS.iter().zip(CHAPTERS.iter().skip(1)) {
            if let (Some(from), Some(to)) = (self.when(chapter), self.when(following)) {
                if to.at > from.at {
                    let _ = writeln!(
                        chart,
                        "    {} {} : {}, {}",
                        chapter.number, chapter.title, from.at, to.at
                    );
                } else {
                    let _ = writeln!(
                        chart,
                        "    {} {} : milestone, {}, 0d",
                        chapter.number, chapter.title, from.at
                    );
                }
            }
        }
        chart.push_str("```\n");
        chart
    }
}

fn fenced(text: &mut String, commands: &[String]) {
    if !commands.is_empty() {
        let _ = write!(text, "\n```sh\n{}\n```\n", commands.join("\n"));
    }
}

/// With a capital letter, for a heading.
pub(super) fn capital(heading: &str) -> String {
    let mut heading = heading.to_owned();
    if let Some(first) = heading.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    heading
}
