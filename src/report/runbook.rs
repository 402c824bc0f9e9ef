//! The plan as a runbook: seven steps, the earliest instant of each and what binds it, its zone diff, how to check it by
//! hand and how to undo it. Text, markdown, JSON and the calendar render one value.

mod agenda;

use super::{by_hand, ttl_before};
use crate::rotation::act_by::ActBy;
use crate::rotation::association::Association;
use crate::rotation::expiry::Expiry;
use crate::rotation::guide::{CHAPTERS, Chapter};
use crate::rotation::observation::{Authority, Endpoint};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timeline::Timeline;
use crate::rotation::timing::{Instant, Ttl};
use crate::rotation::wait::{Binding, TimeGate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

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
    /// The files of the incoming certificates.
    pub certificates: &'a [String],
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

    /// What stands beside the title of a chapter that is not done, and the gate of time before it.
    fn heading(&self, chapter: &Chapter) -> Option<(String, Option<TimeGate>)> {
        if let Some(When { at, gate }) = self.when(chapter) {
            return Some((format!("from {at}{}", binding(gate)), gate));
        }
        let since = || format!("under way since {}", self.state.since);
        self.is_under_way(chapter).then(|| (since(), None))
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

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for (label, value) in self.facts() {
            let _ = writeln!(text, "  {label:<10} {value}");
        }
        for chapter in &CHAPTERS {
            let _ = write!(text, "\n{} {:<9} ", chapter.number, chapter.title);
            match self.heading(chapter) {
                None if self.is_done(chapter) => text.push_str("done\n"),
                None => text.push_str("not before what stops it is out of the way\n"),
                Some((heading, gate)) => {
                    let _ = writeln!(text, "{heading}");
                    for (label, reason) in self.reasons(gate) {
                        let _ = writeln!(text, "  {label:<8} {reason}");
                    }
                    let _ = writeln!(text, "  what     {}", chapter.what);
                    let _ = writeln!(text, "  gate     {}", chapter.gate);
                    for line in self.diff_of(chapter).lines() {
                        let _ = writeln!(text, "  zone     {line}");
                    }
                    for command in self.checks(chapter) {
                        let _ = writeln!(text, "  by hand  {command}");
                    }
                    let _ = writeln!(text, "  undo     {}", chapter.undo);
                }
            }
        }
        let _ = write!(text, "\n{}{}", self.deadline_lines(""), self.ending());
        text
    }

    /// For a runbook or a review, with a Gantt chart.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.headline());
        for (label, value) in self.facts() {
            let _ = writeln!(text, "- {label}: `{value}`");
        }
        text.push('\n');
        text.push_str(&self.gantt());
        for chapter in &CHAPTERS {
            let _ = writeln!(text, "\n## {} {}\n", chapter.number, chapter.title);
            let Some((mut heading, gate)) = self.heading(chapter) else {
                text.push_str(if self.is_done(chapter) {
                    "Done.\n"
                } else {
                    "Not before what stops it is out of the way.\n"
                });
                continue;
            };
            if let Some(first) = heading.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let _ = writeln!(text, "{heading}: {}.\n", chapter.what);
            for (label, reason) in self.reasons(gate) {
                let _ = writeln!(text, "- {label}: {reason}");
            }
            let _ = writeln!(text, "- gate: {}\n- undo: {}", chapter.gate, chapter.undo);
            let diff = self.diff_of(chapter);
            if !diff.is_empty() {
                let _ = write!(text, "\n```diff\n{diff}```\n");
            }
            let checks = self.checks(chapter);
            if !checks.is_empty() {
                let _ = write!(text, "\n```sh\n{}\n```\n", checks.join("\n"));
            }
        }
        if !self.deadlines.is_empty() || !self.act_by.is_empty() {
            let _ = write!(text, "\n## Deadlines\n\n{}", self.deadline_lines("- "));
        }
        let _ = write!(text, "\n{}", self.ending());
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let steps: Vec<Value> = CHAPTERS
            .iter()
            .map(|chapter| {
                let when = self.when(chapter);
                let gate = when.as_ref().and_then(|when| when.gate);
                json!({
                    "number": chapter.number,
                    "title": chapter.title,
                    "what": chapter.what,
                    "gate": chapter.gate,
                    "undo": chapter.undo,
                    "done": when.is_none() && self.is_done(chapter) && !self.is_under_way(chapter),
                    "under_way": when.is_none() && self.is_under_way(chapter),
                    "earliest": when.map(|when| when.at.to_string()),
                    "protocol_minimum": gate.map(|gate| gate.protocol.to_string()),
                    "policy": gate.and_then(|gate| self.of_policy(gate)).map(|at| at.to_string()),
                    "binds": gate.map(|gate| gate.binds.to_string()),
                    "zone_diff": self.diff_of(chapter),
                    "by_hand": self.checks(chapter),
                })
            })
            .collect();
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

    /// Commands of other people's tools that show the same fact.
    fn checks(&self, chapter: &Chapter) -> Vec<String> {
        let subject = by_hand::Subject {
            state: self.state,
            authorities: self.authorities,
            certificates: self.certificates,
        };
        subject.commands(chapter.number)
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

    fn deadline_lines(&self, bullet: &str) -> String {
        let mut text = String::new();
        for deadline in self.deadlines {
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
            let _ = writeln!(
                text,
                "{bullet}Deadline {ends}: {what} ends; before that {before} ({planned}, {verdict})."
            );
        }
        for act_by in self.act_by {
            let _ = writeln!(text, "{bullet}At the latest: {act_by}.");
        }
        text
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
