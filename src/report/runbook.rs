//! The plan as a runbook: for each step who acts, the earliest instant and what binds it, the commands to type, the zone diff,
//! what is seen when it went right and how to undo it. Text, markdown, HTML, JSON and the calendar render one value.

mod agenda;
mod blocks;
pub mod html;
mod markdown;
mod stamp;
mod text;

pub use stamp::Local;

use super::ttl_before;
use crate::rotation::act_by::ActBy;
use crate::rotation::association::Association;
use crate::rotation::expiry::Expiry;
use crate::rotation::guide::Chapter;
use crate::rotation::observation::{Authority, Endpoint};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timeline::Timeline;
use crate::rotation::timing::{Instant, Ttl};
use crate::rotation::wait::{Binding, TimeGate};
use crate::workspace::ways::Ways;
use blocks::{Block, Standing};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a runbook is made from.
#[derive(Clone, Debug)]
pub struct Runbook<'a> {
    /// The rotation's name, such as `mail.1`.
    pub rotation: &'a str,
    /// Its state, or the state it would start in.
    pub state: &'a Rotation,
    /// Whether it has been started.
    pub is_started: bool,
    /// The steps ahead.
    pub timeline: &'a Timeline,
    /// The zone diff of the publishing step and of the retiring step, as unified diffs; empty once it is merged.
    pub diffs: [&'a str; 2],
    /// The authoritative servers, for the commands that check by hand.
    pub authorities: &'a [Authority],
    /// How the certificate gets to the hosts.
    pub deployment: &'a str,
    /// The policy that holds for it.
    pub policy: &'a Policy,
    /// What is taken for a TTL from before where nothing tells.
    pub assume_ttl: Ttl,
    /// What it must be done before.
    pub deadlines: &'a [Expiry],
    /// The last moments for a person to merge and to install.
    pub act_by: &'a [ActBy],
    /// The files of the next certificates.
    pub certificates: &'a [String],
    /// What a person types on the way.
    pub ways: &'a Ways,
    /// When it is made.
    pub made: Instant,
    /// Times as the reader's clock shows them.
    pub local: Local,
}

/// Who acts in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Who installs keys on mail hosts.
    You,
    /// Who merges changes of zones.
    Reviewer,
    /// The next run from cron or the timer.
    Program,
    /// Nobody: time passes.
    Wait,
}

impl By {
    fn code(self) -> &'static str {
        match self {
            Self::You => "operator",
            Self::Reviewer => "reviewer",
            Self::Program => "program",
            Self::Wait => "nobody",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::You => "you, who runs the mail hosts",
            Self::Reviewer => "you, who reviews changes of the zone",
            Self::Program => "the program, in its next run",
            Self::Wait => "nobody: wait; the program goes on looking",
        }
    }
}

/// When a chapter begins at the earliest, as far as it lies ahead.
struct When {
    at: Instant,
    gate: Option<TimeGate>,
}

/// The step that a chapter begins with.
fn reached_by(chapter: &Chapter) -> Step {
    match chapter.number {
        1 => Step::Generated,
        2 => Step::Hashed,
        3 => Step::Prepublishing,
        4 => Step::Waiting,
        5 => Step::SwapOpen,
        6 => Step::Deployed,
        _ => Step::Retiring,
    }
}

impl Runbook<'_> {
    /// Whether a chapter without a date lies behind: where the plan stops, what comes after that has no date either.
    fn is_done(&self, chapter: &Chapter) -> bool {
        self.timeline.stopped_by.is_empty() || reached_by(chapter) <= self.state.step
    }

    /// Whether the rotation is in this chapter now: it has begun, and is not done.
    fn is_under_way(&self, chapter: &Chapter) -> bool {
        let now = self.state.step.chapter();
        self.is_started && now.is_some_and(|now| now.number == chapter.number)
    }

    fn when(&self, chapter: &Chapter) -> Option<When> {
        let reached_by = reached_by(chapter);
        let entries = &self.timeline.entries;
        let position = entries.iter().position(|entry| entry.step == reached_by)?;
        let entry = entries.get(position)?;
        // What kept the retirement until then is the soak, whose end is the entry before.
        let before = position.checked_sub(1).and_then(|i| entries.get(i));
        let gate = entry.gate.or_else(|| {
            before
                .filter(|_| chapter.number == 7)
                .and_then(|verified| verified.gate)
        });
        Some(When { at: entry.at, gate })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let steps: Vec<Value> = self.blocks().iter().map(|block| self.step(block)).collect();
        json!({
            "rotation": self.rotation,
            "started": self.is_started,
            "step": self.state.step.name(),
            "current": self.state.current,
            "incoming": self.incoming(),
            "ttl_old": ttl_before::json(self.state),
            "steps": steps,
            "deadlines": self.deadlines.iter().map(|deadline| json!({
                "what": deadline.what,
                "ends": deadline.ends.to_string(),
                "before": deadline.before,
                "planned": deadline.planned.to_string(),
                "met": deadline.is_met(),
            })).collect::<Vec<_>>(),
            "act_by": super::act_by_json(self.act_by),
            "stopped_by": self.timeline.stopped_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn step(&self, block: &Block<'_>) -> Value {
        let chapter = block.chapter;
        let (earliest, gate) = match block.standing {
            Standing::From(at, gate) => (Some(at), gate),
            _ => (None, None),
        };
        json!({
            "number": chapter.number,
            "title": chapter.title,
            "heading": chapter.heading,
            "what": chapter.what,
            "gate": chapter.gate,
            "who": block.who.code(),
            "commands": block.commands,
            "right_when": block.right_when,
            "undo": block.undo,
            "done": matches!(block.standing, Standing::Done),
            "under_way": matches!(block.standing, Standing::UnderWay(_)),
            "earliest": earliest.map(|at| at.to_string()),
            "protocol_minimum": gate.map(|gate| gate.protocol.to_string()),
            "policy": gate.and_then(|gate| self.of_policy(gate)).map(|at| at.to_string()),
            "binds": gate.map(|gate| gate.binds.to_string()),
            "zone_diff": block.diff,
            "by_hand": block.looks,
        })
    }

    fn headline(&self) -> String {
        if self.is_started {
            format!("Rotation {}: {}", self.rotation, self.state.step.sentence())
        } else {
            format!(
                "Rotation {}: not started; this is what `tlsa-rotate start` would begin",
                self.rotation
            )
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let list = |set: &BTreeSet<Association>| {
            set.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let hosts = self
            .state
            .endpoints
            .iter()
            .map(Endpoint::to_string)
            .collect::<Vec<_>>();
        let mut facts = vec![
            ("hosts", hosts.join(", ")),
            ("in use", list(&self.state.current)),
        ];
        let incoming = self.incoming();
        let next = if incoming.is_empty() {
            "not generated yet".to_owned()
        } else {
            list(&incoming)
        };
        facts.push(("next", next));
        let ttls = ttl_before::lines(self.state, self.assume_ttl).into_iter();
        facts.extend(ttls.map(|line| ("TTL old", line)));
        facts.push(("deployed", self.deployment.to_owned()));
        facts
    }

    /// The incoming associations as far as they are real; a plan before the start has placeholders only.
    fn incoming(&self) -> BTreeSet<Association> {
        self.state.incoming.clone()
    }

    fn diff_of(&self, chapter: &Chapter) -> &str {
        let [publish, retire] = self.diffs;
        match chapter.number {
            3 => publish,
            7 => retire,
            _ => "",
        }
    }

    /// What the protocols ask for and what the policy asks for, each with its date; nothing where time opens no gate.
    fn reasons(&self, gate: Option<TimeGate>) -> Vec<(&'static str, String)> {
        let Some(gate) = gate else {
            return Vec::new();
        };
        let (protocol, policy) = match gate.binds {
            Binding::Soak => (
                "no wait in DNS: a cached set holds both".to_owned(),
                format!("soak {}", self.policy.soak),
            ),
            _ => (
                "2 × TTL after every server was seen serving both (RFC 7671 §8.1)".to_owned(),
                format!(
                    "min_wait {} and safety_margin {}",
                    self.policy.min_wait, self.policy.safety_margin
                ),
            ),
        };
        let mut reasons = vec![("protocol", format!("{}: {protocol}", gate.protocol))];
        if let Some(at) = self.of_policy(gate) {
            reasons.push(("policy", format!("{at}: {policy}")));
        }
        if gate.binds == Binding::Protocol {
            let margin = format!(
                "{}: 2 × TTL and safety_margin {}",
                gate.opens, self.policy.safety_margin
            );
            reasons.push(("binds", margin));
        }
        reasons
    }

    /// When the policy by itself would open a gate.
    fn of_policy(&self, gate: TimeGate) -> Option<Instant> {
        let t_all = self
            .timeline
            .reaches(Step::Waiting)
            .or_else(|| self.state.published.map(|published| published.t_all));
        match gate.binds {
            Binding::Soak => Some(gate.opens),
            _ => t_all.map(|t_all| t_all + self.policy.min_wait + self.policy.safety_margin),
        }
    }

    /// What ends, and the last moments for a person.
    fn deadline_lines(&self) -> Vec<String> {
        let ends = self.deadlines.iter().map(|deadline| {
            let Expiry {
                what,
                ends,
                before,
                planned,
            } = deadline;
            let apart = deadline.apart();
            let verdict = if deadline.is_met() {
                format!("{apart} to spare")
            } else {
                format!("TOO LATE by {apart}")
            };
            format!("{ends}: {what} ends; before that {before} ({planned}, {verdict})")
        });
        let act_by = self
            .act_by
            .iter()
            .map(|act_by| format!("at the latest: {act_by}"));
        ends.chain(act_by).collect()
    }

    fn ending(&self) -> String {
        if let Some(blocker) = self.timeline.stopped_by.first() {
            return format!(
                "Even if everyone acts at once it stops: {blocker}\nWay out: {}\n",
                blocker.way_out()
            );
        }
        let end = self
            .timeline
            .entries
            .last()
            .filter(|entry| entry.step == Step::Retired);
        end.map_or_else(
            || "Nothing lies ahead.\n".to_owned(),
            |end| {
                format!(
                    "Over on {} at the earliest: every date supposes that people and servers act at once.\n",
                    end.at
                )
            },
        )
    }
}

fn binding(gate: Option<TimeGate>) -> String {
    gate.map_or_else(String::new, |gate| {
        format!(
            " ({} binds; the protocols alone: {})",
            gate.binds, gate.protocol
        )
    })
}
