//! What an emergency costs, said before acting: how long mail may be deferred, how long the old key stays acceptable, and
//! until when it can be replayed (RFC 7671 §13).

use crate::rotation::emergency::{Bounds, Priority};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Span;
use serde_json::{Value, json};
use std::fmt::Write as _;

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
        let Bounds {
            outage,
            wait,
            replay,
            waives_the_promise,
        } = self.bounds;
        let mut text = format!("EMERGENCY, {} first\n", self.priority);
        if waives_the_promise {
            text.push_str("  THE PROMISE IS WAIVED for this rotation: mail will be deferred\n");
            let _ = writeln!(
                text,
                "  outage     from now until every server serves the incoming key alone, and {outage} more (the TTL of the old RRset): \
                 validating senders that hold the old RRset queue their mail"
            );
        } else {
            text.push_str("  outage     none: no sender is given a reason to refuse mail\n");
        }
        if wait == Span::ZERO {
            text.push_str("  swap       at once\n");
        } else {
            let _ = writeln!(
                text,
                "  swap       {wait} after every server serves both keys (2 × TTL, RFC 7671 §8.1); until then hosts present the compromised key"
            );
        }
        match replay {
            Some(until) => {
                let _ = writeln!(
                    text,
                    "  replay     until {until}: whoever can forge DNS answers can replay the old RRset with its signature (RFC 7671 §13)"
                );
            }
            None => text.push_str(
                "  replay     cannot be told: no server showed a signature over the old RRset\n",
            ),
        }
        text
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
