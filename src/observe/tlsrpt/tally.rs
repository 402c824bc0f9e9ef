//! Reports added up: sessions by day, sender, policy, MX host and result type (RFC 8460 §4.3, §4.4).

use super::report::{Kind, Report};
use crate::rotation::timing::{Instant, Span};
use std::collections::BTreeMap;

/// What one number of sessions is about; the order is that of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The UTC day the report begins on, `2026-11-30`; `None` if it has no dates.
    pub day: Option<String>,
    /// The reporting organisation.
    pub sender: String,
    /// The kind of policy.
    pub kind: Kind,
    /// The domain of the policy.
    pub domain: Option<String>,
    /// The MX host; of successful sessions senders do not say it, unless the policy has only one.
    pub host: Option<String>,
    /// The result type; `None` for sessions that went well.
    pub result: Option<String>,
}

/// Sessions by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The rows, in order.
    pub rows: BTreeMap<Row, u64>,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// What a summary counts beyond its details.
const UNEXPLAINED: &str = "(not explained)";

/// Adds up `reports`; with `domain`, only what concerns it or a host in it.
pub fn tally<'r>(reports: impl Iterator<Item = &'r Report>, domain: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    for report in reports {
        for policy in &report.policies {
            let row = |host: Option<&str>, result: Option<&str>| Row {
                day: report.span.map(|(begin, end)| day(begin, end)),
                sender: report.organisation.clone(),
                kind: policy.kind.clone(),
                domain: policy.domain.clone(),
                host: host.map(str::to_owned),
                result: result.map(str::to_owned),
            };
            let only_host = match policy.mx.as_slice() {
                [one] => Some(one.as_str()),
                _ => None,
            };
            let mut found = Vec::new();
            if policy.successful > 0 {
                found.push((row(only_host, None), policy.successful));
            }
            let mut explained: u64 = 0;
            for failure in &policy.failures {
                explained = explained.saturating_add(failure.sessions);
                let row = row(policy.host_of(failure), Some(&failure.result));
                found.push((row, failure.sessions));
            }
            // Sessions that only the summary knows of failed all the same.
            let unexplained = policy.failed.saturating_sub(explained);
            if unexplained > 0 {
                found.push((row(only_host, Some(UNEXPLAINED)), unexplained));
            }
            for (row, sessions) in found {
                if domain.is_none_or(|domain| row.concerns(domain)) {
                    tally.count(row, sessions);
                }
            }
        }
    }
    tally
}

impl Tally {
    fn count(&mut self, row: Row, sessions: u64) {
        let total = match row.result {
            None => &mut self.successful,
            Some(_) => &mut self.failed,
        };
        *total = total.saturating_add(sessions);
        let count = self.rows.entry(row).or_default();
        *count = count.saturating_add(sessions);
    }
}

impl Row {
    /// Whether the policy domain or the host is `domain` or lies below it.
    fn concerns(&self, domain: &str) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let lies_in = |name: &str| {
            name == domain
                || name
                    .strip_suffix(&domain)
                    .is_some_and(|rest| rest.ends_with('.'))
        };
        [&self.domain, &self.host]
            .into_iter()
            .flatten()
            .any(|name| lies_in(name))
    }
}

/// The UTC day a report is about: that of its middle, for some senders end at midnight and some a second before.
pub fn day(begin: Instant, end: Instant) -> String {
    let half = end.since(begin).as_seconds().checked_div(2);
    let middle = begin + Span::seconds(half.unwrap_or_default());
    middle.to_string().chars().take(10).collect()
}
