//! What an emergency costs, said before acting: how long mail may be deferred, how long the old key stays acceptable, and
//! until when it can be replayed (RFC 7671 §13).

use super::calendar;
use crate::rotation::emergency::{Bounds, Priority};
use crate::rotation::step::Rotation;
use crate::rotation::timing::{Instant, Span};
use serde_json::{Value, json};
use std::fmt::Write as _;

const WAIVED: &str = "THE PROMISE IS WAIVED for this rotation: mail will be deferred";

/// The bounds of one emergency.
#[derive(Clone, Copy, Debug)]
pub struct Warning<'a> {
    /// What goes first.
    pub priority: Priority,
    /// The rotation's state.
    pub state: &'a Rotation,
    /// What it costs.
    pub bounds: Bounds,
}

impl Warning<'_> {
    /// For people: one line for each bound.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        if self.bounds.waives_the_promise {
            let _ = writeln!(text, "  {WAIVED}");
        }
        for (label, what) in self.lines() {
            let _ = writeln!(text, "  {label:<10} {what}");
        }
        text
    }

    /// For an incident's page: the same as a list.
    pub fn markdown(&self, rotation: &str) -> String {
        let mut text = format!("# {rotation}: {}\n\n", self.headline());
        if self.bounds.waives_the_promise {
            let _ = writeln!(text, "**{WAIVED}**\n");
        }
        for (label, what) in self.lines() {
            let _ = writeln!(text, "- {label}: {what}");
        }
        text
    }

    /// For a calendar: one event from `now` until the old RRset can no longer be replayed.
    pub fn agenda<'r>(&self, rotation: &'r str, now: Instant) -> calendar::Agenda<'r> {
        calendar::Agenda {
            rotation,
            started: self.state.started,
            events: vec![calendar::Event {
                id: "emergency".to_owned(),
                from: now,
                to: self.bounds.replay,
                summary: format!("{rotation}: {}", self.headline()),
                description: self.text(),
            }],
        }
    }

    fn headline(&self) -> String {
        format!("EMERGENCY, {} first", self.priority)
    }

    /// Each bound: its name, and what it is.
    fn lines(&self) -> [(&'static str, String); 3] {
        let Bounds {
            outage,
            wait,
            replay,
            waives_the_promise,
        } = self.bounds;
        let outage = if waives_the_promise {
            format!(
                "from now until every server serves the incoming key alone, and {outage} more (the TTL of the old RRset): \
                 validating senders that hold the old RRset queue their mail"
            )
        } else {
            "none: no sender is given a reason to refuse mail".to_owned()
        };
        let swap = if wait == Span::ZERO {
            "at once".to_owned()
        } else {
            format!(
                "{wait} after every server serves both keys (2 × TTL, RFC 7671 §8.1); until then hosts present the compromised key"
            )
        };
        let replay = match replay {
            Some(until) => format!(
                "until {until}: whoever can forge DNS answers can replay the old RRset with its signature (RFC 7671 §13)"
            ),
            None => "not known: no server showed a signature over the old RRset".to_owned(),
        };
        [("outage", outage), ("swap", swap), ("replay", replay)]
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "priority": self.priority,
            "step": self.state.step.name(),
            "waives_the_promise": self.bounds.waives_the_promise,
            "outage_seconds": self.bounds.outage.as_seconds(),
            "wait_seconds": self.bounds.wait.as_seconds(),
            "replay_until": self.bounds.replay.map(|until| until.to_string()),
        })
    }
}
