//! The runbook for a terminal and for paper: eighty columns, commands to copy, a line to sign for each step.

use super::Runbook;
use super::blocks::{Block, Standing};
use super::stamp::{command, stamp, wrapped};
use std::fmt::Write as _;

impl Runbook<'_> {
    /// For a terminal, and for paper.
    pub fn text(&self) -> String {
        let mut text = wrapped("", &self.headline());
        let _ = writeln!(text, "  {:<9} {}", "made", stamp(self.made, self.local));
        for (label, value) in self.facts() {
            text.push_str(&wrapped(&format!("  {label:<9} "), &value));
        }
        for block in self.blocks() {
            text.push('\n');
            self.block_text(&mut text, &block);
        }
        let deadlines = self.deadline_lines();
        if !deadlines.is_empty() {
            text.push_str("\nDeadlines\n");
        }
        for line in deadlines {
            text.push_str(&wrapped("  ", &line));
        }
        text.push('\n');
        for line in self.ending().lines() {
            text.push_str(&wrapped("", line));
        }
        text
    }

    fn block_text(&self, text: &mut String, block: &Block<'_>) {
        let chapter = block.chapter;
        let title = format!("{} {}", chapter.number, chapter.heading.to_uppercase());
        let (when, gate) = match block.standing {
            Standing::Done => {
                let _ = writeln!(text, "{title:<30} done");
                return;
            }
            Standing::Stopped => {
                let why = "not before what stops it is out of the way";
                let _ = writeln!(text, "{title:<30} {why}");
                return;
            }
            Standing::UnderWay(since) => (format!("since {}", stamp(since, self.local)), None),
            Standing::From(at, gate) => (format!("from {}", stamp(at, self.local)), gate),
        };
        let _ = writeln!(text, "{}", format!("{title:<30} {when}").trim_end());
        text.push_str(&wrapped("  what      ", chapter.what));
        text.push_str(&wrapped("  who       ", block.who.told()));
        if let Some(gate) = gate {
            text.push_str(&wrapped("  because   ", &format!("{} binds", gate.binds)));
        }
        for (label, reason) in self.reasons(gate) {
            text.push_str(&wrapped(&format!("  {label:<9} "), &reason));
        }
        text.push_str(&wrapped("  before    ", chapter.gate));
        for line in block.diff.lines() {
            let _ = writeln!(text, "  | {line}");
        }
        for line in &block.commands {
            text.push_str(&command("    ", line));
        }
        text.push_str(&wrapped(
            "  right     ",
            &format!("when {}", block.right_when),
        ));
        for line in &block.looks {
            text.push_str(&command("    ", line));
        }
        text.push_str(&wrapped("  undo      ", &block.undo));
        let _ = writeln!(
            text,
            "  {:>76}",
            "done at ________________ by ________________"
        );
    }
}
