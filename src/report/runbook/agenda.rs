//! The runbook's steps and last moments as entries of a calendar.

use super::{Runbook, When, binding};
use crate::report::calendar;
use crate::rotation::guide::CHAPTERS;
use std::fmt::Write as _;

impl Runbook<'_> {
    /// The steps ahead and the deadlines, for a calendar.
    pub fn agenda(&self) -> calendar::Agenda<'_> {
        calendar::Agenda {
            rotation: self.rotation,
            started: self.state.started,
            events: self.events(),
        }
    }

    fn events(&self) -> Vec<calendar::Event> {
        let mut events = Vec::new();
        for (at, chapter) in CHAPTERS.iter().enumerate() {
            let Some(When { at: from, gate }) = self.when(chapter) else {
                continue;
            };
            let following = CHAPTERS.get(at.saturating_add(1));
            let mut description = format!(
                "{}{}\nGate: {}\n",
                chapter.what,
                binding(gate),
                chapter.gate
            );
            for (label, reason) in self.reasons(gate) {
                let _ = writeln!(description, "{label}: {reason}");
            }
            let _ = writeln!(description, "Undo: {}", chapter.undo);
            for command in self.checks(chapter) {
                let _ = writeln!(description, "By hand: {command}");
            }
            events.push(calendar::Event {
                id: format!("{}-{}", chapter.number, chapter.title.to_lowercase()),
                from,
                to: following
                    .and_then(|next| self.when(next))
                    .map(|next| next.at),
                summary: format!("{}: {} {}", self.rotation, chapter.number, chapter.title),
                description,
            });
        }
        events.extend(
            self.deadlines
                .iter()
                .zip(1..)
                .map(|(deadline, number)| calendar::Event {
                    id: format!("deadline-{number}"),
                    from: deadline.ends,
                    to: None,
                    summary: format!("{}: {} ends", self.rotation, deadline.what),
                    description: format!(
                        "Before that {} (planned for {}).",
                        deadline.before, deadline.planned
                    ),
                }),
        );
        events.extend(self.act_by.iter().map(|act_by| calendar::Event {
            id: format!("{}-by", act_by.act.name()),
            from: act_by.by,
            to: None,
            summary: format!("{}: {} at the latest", self.rotation, act_by.act.name()),
            description: format!("{act_by}\n{}\n", act_by.advice()),
        }));
        events
    }
}
