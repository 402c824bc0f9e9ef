//! Where a rotation stands and why not further: one line for cron, a paragraph for people, JSON for programs.

use crate::rotation::act_by::ActBy;
use crate::rotation::alarm::Alarm;
use crate::rotation::blocker::{Blocker, Who};
use crate::rotation::deadline::Deadline;
use crate::rotation::decide::Decision;
use crate::rotation::due::Afterwards;
use crate::rotation::observation::{KeyAlgorithm, Observation, Offer, Presented, Seen};
use crate::rotation::promise::Breach;
use crate::rotation::step::{Event, Rotation, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is said about one certificate.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// The certificate's name in the configuration.
    pub certificate: &'a str,
    /// The latest rotation, if there was one.
    pub rotation: Option<(&'a str, &'a Rotation)>,
    /// What the machine concluded; nothing where no rotation is under way.
    pub decision: Option<&'a Decision>,
    /// What was seen.
    pub observation: Option<&'a Observation>,
    /// What was established in this run.
    pub events: &'a [Event],
    /// What was done in this run, one sentence each.
    pub deeds: &'a [String],
    /// What comes after a rotation that is over, as far as the policy says something of it.
    pub afterwards: Option<Afterwards>,
    /// Whether its names left DANE by `disable`.
    pub has_left_dane: bool,
}

/// Whether a reader learns anything from it: where no RRset was before DANE came into use, every TTL is the first.
fn is_news(event: &Event, state: &Rotation) -> bool {
    match event {
        Event::HigherTtlSeen { name, .. } => {
            let before = state.base.get(name);
            before.is_some_and(|before| !before.is_empty())
        }
        // Who is there is only remembered; whoever is missed among them is told where it holds something up.
        Event::ServersSeen { .. } | Event::AddressesSeen { .. } => false,
        _ => true,
    }
}

/// How far a fact has come: in how many places it was seen, of how many that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    seen: usize,
    of: usize,
}

impl Standing<'_> {
    /// One line: state, what changed, who is next.
    pub fn line(&self) -> String {
        let Some((id, state)) = self.rotation else {
            let name = self.certificate;
            if self.alarms().is_empty() {
                return if self.has_left_dane {
                    format!("{name}: it has left DANE; `tlsa-rotate enable {name}` begins anew")
                } else {
                    format!("{name}: no rotation; `tlsa-rotate start {name}` begins one")
                };
            }
            return format!("{name}: no rotation; DELIVERY AT RISK");
        };
        let mut line = format!("{id}: {}", state.step);
        let told = self.events.iter().filter(|event| is_news(event, state));
        let changes: Vec<&str> = told.map(Event::name).collect();
        if !changes.is_empty() {
            let _ = write!(line, " ({})", changes.join(", "));
        }
        let _ = write!(line, "; next: {}", self.next());
        for act_by in self.act_by().iter().filter(|one| one.is_near) {
            let _ = write!(line, "; {} by {}", act_by.act.name(), act_by.by);
        }
        if !self.alarms().is_empty() {
            line.push_str("; DELIVERY AT RISK");
        }
        line
    }

    /// A paragraph: the step, the three facts, every reason why not further and the way out of each.
    pub fn text(&self) -> String {
        let Some((id, state)) = self.rotation else {
            let mut text = format!("{}\n", self.line());
            self.tell_alarms(&mut text);
            return text;
        };
        let mut text = format!("{id}: {} since {}\n", state.step, state.since);
        let _ = writeln!(text, "  {}", step_sentence(state));
        for (label, count) in self.counts() {
            let _ = writeln!(text, "  {label:<10} {} of {}", count.seen, count.of);
        }
        for deed in self.deeds {
            let _ = writeln!(text, "  done       {deed}");
        }
        if let Some(soak) = state.soak.filter(|soak| soak.from > state.since) {
            let _ = writeln!(
                text,
                "  soak       it began anew at {}: a quarter of it had passed without a run that saw all well",
                soak.from
            );
        }
        if let Some(reason) = &state.held {
            let _ = writeln!(text, "  held       {reason}");
        }
        if let Some(priority) = state.emergency {
            let _ = writeln!(
                text,
                "  EMERGENCY  {priority} goes first; {}",
                replay(state)
            );
        }
        self.tell_alarms(&mut text);
        for deadline in self.deadlines() {
            let _ = writeln!(text, "  deadline   {deadline}");
            let _ = writeln!(text, "             way out: {}", deadline.way_out());
        }
        for act_by in self.act_by() {
            let near = if act_by.is_near { " (soon)" } else { "" };
            let _ = writeln!(text, "  deadline   {act_by}{near}");
            if act_by.is_near {
                let _ = writeln!(text, "             way out: {}", act_by.advice());
            }
        }
        for lapse in self.lapses() {
            let _ = writeln!(text, "  {:<10} {lapse}", "lapse");
        }
        for blocker in self.blockers() {
            let _ = writeln!(text, "  {:<10} {blocker}", blocker.who().to_string());
            let _ = writeln!(text, "             way out: {}", blocker.way_out());
        }
        if let Some(afterwards) = &self.afterwards {
            let _ = writeln!(text, "  afterwards {afterwards}");
        }
        let _ = writeln!(text, "  next       {}", self.next());
        text
    }

    fn tell_alarms(&self, text: &mut String) {
        for alarm in self.alarms() {
            let _ = writeln!(text, "  AT RISK    {alarm}");
            for sentence in &alarm.plan {
                let _ = writeln!(text, "             way out: {sentence}");
            }
        }
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let rotation = self.rotation.map(|(id, state)| {
            json!({
                "id": id,
                "step": state.step.name(),
                "chapter": state.step.chapter().map(|chapter| chapter.number),
                "since": state.since.to_string(),
                "started": state.started.to_string(),
                "current": state.current,
                "incoming": state.incoming,
                "t_all": state.published.map(|published| published.t_all.to_string()),
                "abort_reason": state.abort_reason,
                "held": state.held,
                "emergency": state.emergency,
                "signed_until": state.signed_until.map(|until| until.to_string()),
            })
        });
        let blockers: Vec<Value> = self
            .blockers()
            .iter()
            .map(|blocker| {
                json!({
                    "who": blocker.who().name(),
                    "what": blocker.to_string(),
                    "way_out": blocker.way_out(),
                    "until": blocker.until().map(|until| until.to_string()),
                })
            })
            .collect();
        let counts = self.counts().into_iter();
        let facts: serde_json::Map<String, Value> = counts
            .map(|(label, count)| {
                (
                    label.to_owned(),
                    json!({"seen": count.seen, "of": count.of}),
                )
            })
            .collect();
        json!({
            "certificate": self.certificate,
            "rotation": rotation,
            "facts": facts,
            "events": self.events.iter().map(Event::name).collect::<Vec<_>>(),
            "done": self.deeds,
            "blockers": blockers,
            "alarms": self.alarms().iter().map(|alarm| json!({
                "trouble": alarm.risk.trouble,
                "place": alarm.risk.place,
                "since": alarm.since.to_string(),
                "recovers": alarm.recovers.map(|at| at.to_string()),
                "plan": alarm.plan,
            })).collect::<Vec<_>>(),
            "deadlines": self.deadlines().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "act_by": super::act_by_json(self.act_by()),
            "begins": self.afterwards.and_then(|afterwards| match afterwards {
                Afterwards::Begins(begins) => Some(json!({
                    "at": begins.at.to_string(),
                    "why": begins.why.to_string(),
                })),
                Afterwards::Held => None,
            }),
            "lapses": self.lapses().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "at_risk": self.alarms().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "look_again_at": self.decision.and_then(|d| d.look_again_at).map(|at| at.to_string()),
        })
    }

    /// Who acts next and when, in words.
    pub(super) fn next(&self) -> String {
        let Some((_, state)) = self.rotation else {
            return "you".to_owned();
        };
        match (state.step, self.blockers()) {
            (Step::Retired | Step::Aborted, []) if self.alarms().is_empty() => {
                "nothing, it is over".to_owned()
            }
            (Step::Retired | Step::Aborted, _) if !self.alarms().is_empty() => self
                .alarms()
                .first()
                .and_then(|alarm| alarm.plan.first())
                .map_or_else(String::new, |plan| format!("you: {plan}")),
            // Whoever reads one line must learn what ends it.
            (_, [first @ Blocker::Clock(doubt), ..]) => {
                format!("{}: {first}; {}", first.who(), doubt.way_out())
            }
            (_, [first, ..]) => match (first.who(), first.until()) {
                (Who::Clock, Some(until)) => format!("wait until {until}"),
                // A finding about a zone file shows the file's line below: the next step fits on one.
                (who, _) => {
                    format!(
                        "{who}: {}",
                        first.to_string().lines().next().unwrap_or_default()
                    )
                }
            },
            (_, []) => "the next run".to_owned(),
        }
    }

    pub(super) fn blockers(&self) -> &[Blocker] {
        self.decision.map_or(&[], |decision| &decision.blockers)
    }

    pub(super) fn alarms(&self) -> &[Alarm] {
        self.decision.map_or(&[], |decision| &decision.alarms)
    }

    pub(super) fn deadlines(&self) -> &[Deadline] {
        self.decision.map_or(&[], |decision| &decision.deadlines)
    }

    pub(super) fn act_by(&self) -> &[ActBy] {
        self.decision.map_or(&[], |decision| &decision.act_by)
    }

    fn lapses(&self) -> &[Breach] {
        self.decision.map_or(&[], |decision| &decision.lapses)
    }

    /// Merged, served and presented are three facts: how far has each come?
    fn counts(&self) -> Vec<(&'static str, Count)> {
        let (Some((_, state)), Some(seen)) = (self.rotation, self.observation) else {
            return vec![];
        };
        let requirement = state.requirement();
        let merged = seen.merged.values().map(|rrset| match rrset {
            Seen::Known(rrset) => requirement.is_met_by(rrset),
            Seen::Unknown(_) => false,
        });
        let served = seen
            .served
            .values()
            .flat_map(|servers| servers.values())
            .map(|s| match s {
                Seen::Known(rrset) => requirement.is_met_by(&rrset.associations),
                Seen::Unknown(_) => false,
            });
        let places = seen
            .presented
            .values()
            .flat_map(|addresses| addresses.values());
        let keys = places.filter_map(|offers| has_the_next(state, offers));
        vec![
            ("merged", count(merged)),
            ("served", count(served)),
            ("deployed", count(keys)),
        ]
    }
}

/// Whether a place presents the next keys, whatever it is asked for; nothing where it has none that is replaced.
fn has_the_next(state: &Rotation, offers: &BTreeMap<KeyAlgorithm, Seen<Offer>>) -> Option<bool> {
    let of_algorithm = offers.values().filter_map(|offer| match offer {
        Seen::Known(offer) if offer.unanswered().is_some() => Some(false),
        Seen::Known(offer) => {
            let replaced = |one: &&Presented| !state.staying.contains(&one.key);
            let mut chains = offer.chains().iter().filter(replaced).peekable();
            chains.peek()?;
            Some(chains.all(|one| state.incoming.contains(&one.key)))
        }
        Seen::Unknown(_) => Some(false),
    });
    of_algorithm.reduce(|all, one| all && one)
}

fn count(facts: impl Iterator<Item = bool>) -> Count {
    facts.fold(Count { seen: 0, of: 0 }, |count, fact| Count {
        seen: count.seen.saturating_add(usize::from(fact)),
        of: count.of.saturating_add(1),
    })
}

/// The step in words.
pub(super) fn step_sentence(state: &Rotation) -> String {
    if let Some(left) = state.dane_left {
        return format!("DANE was left on {left}: nothing is published for these hosts any more");
    }
    match state.step.chapter() {
        Some(chapter) => {
            format!(
                "step {} of 7, {}: {}",
                chapter.number,
                chapter.title,
                state.step.sentence()
            )
        }
        None => state.step.sentence().to_owned(),
    }
}

/// Until when the compromised key can be replayed, as far as signatures were seen.
fn replay(state: &Rotation) -> String {
    state.signed_until.map_or_else(
        || "no signature over the old RRset was seen yet".to_owned(),
        |until| format!("the old RRset can be replayed until {until} (RFC 7671 §13)"),
    )
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
