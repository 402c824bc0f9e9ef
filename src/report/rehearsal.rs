//! A rehearsal as a table and as JSON: how many mails each way of rotating would have refused.

use crate::rotation::simulation::{Outcome, Scenario};
use crate::rotation::timing::Span;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is said about one rehearsal.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    /// The certificate or zone.
    pub what: &'a str,
    /// What was rehearsed.
    pub scenario: &'a Scenario,
    /// What every way came to; the machine's first.
    pub ways: &'a [Outcome],
    /// In how many worlds.
    pub worlds: u64,
    /// How many senders came.
    pub senders: u64,
    /// The seed that it all follows from.
    pub seed: u64,
}

impl Rehearsed<'_> {
    /// Whether the machine's own way refused mail.
    pub fn machine_refuses(&self) -> bool {
        self.ways.first().is_some_and(|way| way.tally.refused > 0)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: {} senders with caches of their own in {} worlds, seed {}\n",
            self.what,
            grouped(self.senders),
            self.worlds,
            self.seed
        );
        let Scenario {
            hosts,
            servers,
            refresh,
            policy,
        } = self.scenario;
        for host in hosts {
            let what = if host.is_published {
                "TTL"
            } else {
                "no TLSA yet, absence cached for"
            };
            let _ = writeln!(text, "  host     {}, {what} {}", host.name, host.ttl.span());
        }
        let _ = writeln!(
            text,
            "  servers  {servers}, one change in ten reaches a secondary only by its refresh ({refresh})"
        );
        let _ = writeln!(
            text,
            "  policy   min_wait {}, safety_margin {}, soak {}\n",
            policy.min_wait, policy.safety_margin, policy.soak
        );
        let widest = self.ways.iter().map(|way| way.name.len()).max();
        let wide = widest.unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<wide$}  {:>12}  {:>12}  {:>10}  from - to",
            "way of rotating", "mails", "refused", "senders"
        );
        for way in self.ways {
            let tally = &way.tally;
            let when = tally
                .first
                .zip(tally.last)
                .map_or_else(String::new, |(first, last)| {
                    format!("{} - {}", Span::seconds(first), Span::seconds(last))
                });
            let line = format!(
                "{:<wide$}  {:>12}  {:>12}  {:>10}  {when}",
                way.name,
                grouped(tally.mails),
                grouped(tally.refused),
                grouped(tally.senders)
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
        for way in self.ways {
            let _ = writeln!(
                text,
                "{}: {}; it took {} at most.",
                way.name, way.story, way.took
            );
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let hosts = self.scenario.hosts.iter().map(
            |host| json!({"name": host.name, "ttl": host.ttl, "published": host.is_published}),
        );
        let ways = self.ways.iter().map(|way| {
            let tally = &way.tally;
            json!({
                "way": way.name,
                "story": way.story,
                "took": way.took,
                "mails": tally.mails,
                "refused": tally.refused,
                "senders_refused": tally.senders,
                "first_refused_after": tally.first,
                "last_refused_after": tally.last,
            })
        });
        let policy = &self.scenario.policy;
        json!({
            "what": self.what,
            "senders": self.senders,
            "worlds": self.worlds,
            "seed": self.seed,
            "hosts": hosts.collect::<Vec<_>>(),
            "servers": self.scenario.servers,
            "refresh": self.scenario.refresh,
            "policy": {
                "min_wait": policy.min_wait,
                "safety_margin": policy.safety_margin,
                "soak": policy.soak,
            },
            "ways": ways.collect::<Vec<_>>(),
        })
    }
}

/// Digits in groups of three, for eyes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(place);
        if place > 0 && left.is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (12_345_678, "12 345 678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
