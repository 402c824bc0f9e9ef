//! Whether what a run found is news to somebody who was told before: told once, reminded each day while a person is needed,
//! and told when it is over. At rest nothing is news.

use super::standing::Standing;
use crate::rotation::blocker::Who;
use crate::rotation::timing::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much what was found presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Press {
    /// No rotation is under way, and nobody has anything to do.
    Rest,
    /// A rotation is under way, and nobody has anything to do.
    Runs,
    /// A person is needed, or something failed.
    Person,
    /// Delivery is at risk.
    Risk,
}

/// What one run found of a certificate or a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How much it presses.
    pub press: Press,
    /// What it is, without anything that changes from run to run while the matter is the same.
    pub matter: String,
}

impl Found {
    /// What a run found, and what it failed for; how much that presses is judged by whoever knows its exit code.
    pub fn of(standing: &Standing<'_>, failed: Option<&str>, press: Press) -> Self {
        let mut parts = Vec::new();
        if let Some((id, state)) = standing.rotation {
            parts.push(format!("{id} {}", state.step.name()));
        }
        if let Some(decision) = standing.decision {
            let alarms = decision.alarms.iter();
            parts.extend(alarms.map(|one| format!("{} {}", one.risk.trouble, one.risk.place)));
            let needs = decision.blockers.iter();
            let needs = needs.filter(|blocker| blocker.who() == Who::You);
            parts.extend(needs.map(|blocker| lasting(&blocker.to_string())));
            let deadlines = decision.deadlines.iter();
            parts.extend(deadlines.map(|one| lasting(&one.to_string())));
            let near = decision.act_by.iter().filter(|one| one.is_near);
            parts.extend(near.map(|one| one.act.name().to_owned()));
        }
        parts.extend(failed.map(lasting));
        Self {
            press,
            matter: parts.join("; "),
        }
    }
}

/// A sentence without its times and spans: they change while the matter is the same.
fn lasting(text: &str) -> String {
    let lasts = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_span =
            digits.len() < word.len() && matches!(digits, "" | "s" | "m" | "h" | "d" | "w");
        let is_time =
            word.len() > 10 && word.as_bytes().get(4) == Some(&b'-') && word.contains('T');
        !is_span && !is_time
    };
    let words: Vec<&str> = text.split_whitespace().filter(lasts).collect();
    words.join(" ")
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was not so before.
    New,
    /// It has lasted since then.
    Still(Instant),
    /// What pressed is over; it was told then.
    Over(Instant),
}

/// What was found last of one certificate or zone, and what was told of it lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What the last run found.
    last: Option<Last>,
    /// The matters told lately, each when.
    #[serde(default)]
    lately: BTreeMap<String, Vec<Instant>>,
}

/// How often the same is told as new within the time in which it would be reminded of: what comes and goes all day is not news
/// each time.
const MOST: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    press: Press,
    matter: String,
    /// Since when it lasts.
    since: Instant,
    /// When it was told last, if it was since then.
    told: Option<Instant>,
}

impl Told {
    /// Whether this is to be told at `now`; it is taken to be told then. What comes and goes is told a few times within `remind`.
    pub fn tell(&mut self, found: &Found, now: Instant, remind: Span) -> Option<Why> {
        // By a clock that went back nothing is recent.
        let is_recent = |told: Instant| told <= now && now < told + remind;
        for told in self.lately.values_mut() {
            told.retain(|told| is_recent(*told));
        }
        self.lately.retain(|_, told| !told.is_empty());
        let before = self.last.take();
        let goes_on = before
            .as_ref()
            .filter(|last| last.press == found.press && last.matter == found.matter);
        let (why, since, told) = match goes_on {
            Some(last) => {
                let reminds = match found.press {
                    Press::Rest | Press::Runs => false,
                    Press::Person => !is_recent(last.told.unwrap_or(last.since)),
                    Press::Risk => true,
                };
                let why = reminds.then_some(Why::Still(last.since));
                (why, last.since, last.told)
            }
            None => (self.comes(before.as_ref(), found), now, None),
        };
        let told = why.map_or(told, |_| Some(now));
        if why.is_some() {
            let lately = self.lately.entry(found.matter.clone());
            lately.or_default().push(now);
        }
        self.last = Some(Last {
            press: found.press,
            matter: found.matter.clone(),
            since,
            told,
        });
        why
    }

    /// Why something that was not so before is told.
    fn comes(&self, before: Option<&Last>, found: &Found) -> Option<Why> {
        let pressed = before.filter(|last| last.press >= Press::Person);
        let told = self.lately.get(&found.matter);
        let is_new = || told.is_none_or(|told| told.len() < MOST);
        match (found.press, pressed) {
            (Press::Risk, _) => Some(Why::New),
            // Whoever was told of a risk is told that it is none any more, whatever is left.
            (_, Some(last)) if last.press == Press::Risk => Some(Why::Over(last.since)),
            (Press::Rest, _) if before.is_none() => None,
            (
                Press::Rest | Press::Runs,
                Some(Last {
                    told: Some(_),
                    since,
                    ..
                }),
            ) => Some(Why::Over(*since)),
            _ => is_new().then_some(Why::New),
        }
    }
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
