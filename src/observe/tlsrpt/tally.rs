//! Reports added up: sessions by day, sender, policy, MX host and result type (RFC 8460 §4.3, §4.4).

use super::report::{Kind, Policy, Report};
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
        let mut counted = Sessions::default();
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
            let mut of_policy = (0_u64, 0_u64);
            for (row, sessions) in found {
                if domain.is_none_or(|domain| row.concerns(domain)) {
                    let (successful, failed) = &mut of_policy;
                    let total = if row.result.is_none() {
                        successful
                    } else {
                        failed
                    };
                    *total = total.saturating_add(sessions);
                    tally.count(row, sessions);
                }
            }
            // A session that failed for two reasons stands in two details, and once in the summary.
            if policy.failed > 0 {
                of_policy.1 = of_policy.1.min(policy.failed);
            }
            counted.add(root(policy, &report.policies), &policy.kind, of_policy);
        }
        let (successful, failed) = counted.together();
        tally.successful = tally.successful.saturating_add(successful);
        tally.failed = tally.failed.saturating_add(failed);
    }
    tally
}

/// Sessions that went well and that failed.
type Pair = (u64, u64);

/// The sessions of one report by domain. A sender that applies two kinds of policy to one domain tells each session under
/// both (RFC 8460 §4): these are not added up.
#[derive(Default)]
struct Sessions<'r>(BTreeMap<(&'r str, &'r Kind), Pair>);

impl<'r> Sessions<'r> {
    fn add(&mut self, domain: &'r str, kind: &'r Kind, (successful, failed): Pair) {
        let pair = self.0.entry((domain, kind)).or_default();
        pair.0 = pair.0.saturating_add(successful);
        pair.1 = pair.1.saturating_add(failed);
    }

    fn together(&self) -> Pair {
        let mut by_domain: BTreeMap<&str, (Pair, Pair)> = BTreeMap::new();
        for ((domain, kind), (successful, failed)) in &self.0 {
            let (same, others) = by_domain.entry(domain).or_default();
            if matches!(kind, Kind::Tlsa | Kind::Sts) {
                *same = (same.0.max(*successful), same.1.max(*failed));
            } else {
                *others = (
                    others.0.saturating_add(*successful),
                    others.1.saturating_add(*failed),
                );
            }
        }
        by_domain.values().fold((0, 0), |sum, (same, others)| {
            let add =
                |sum: u64, one: u64, other: u64| sum.saturating_add(one).saturating_add(other);
            (add(sum.0, same.0, others.0), add(sum.1, same.1, others.1))
        })
    }
}

/// The domain whose mail a policy is about: some senders name the MX host in a TLSA policy, and the domain in one of MTA-STS.
fn root<'r>(policy: &'r Policy, all: &'r [Policy]) -> &'r str {
    let Some(own) = policy.domain.as_deref() else {
        return "";
    };
    let lies_in = |domain: &str| {
        own.strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    let names = |other: &&Policy| {
        let domain = other.domain.as_deref();
        other.kind != policy.kind
            && (domain.is_some_and(lies_in)
                || (domain != Some(own) && other.mx.iter().any(|mx| mx == own)))
    };
    let of_other = all
        .iter()
        .find(names)
        .and_then(|other| other.domain.as_deref());
    of_other.unwrap_or(own)
}

impl Tally {
    fn count(&mut self, row: Row, sessions: u64) {
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
