//! One report of a mail sender about the TLS sessions it tried, as JSON (RFC 8460 §4.4), with what senders make of it.
//!
//! Lenient where a sender's habit takes nothing from the meaning (a missing contact, a number in quotes, a policy in a
//! string of JSON); each habit that may matter to a reader is an [`Oddity`]. Every list and text is bounded while it is
//! read, so that memory does not follow what a stranger writes.

use super::lenient::{Capped, Count, Text, shown};
use super::policy_text::{self, PolicyText};
use super::wrapping::unwrapped;
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// No report is longer, uncompressed.
pub const MAX_OCTETS: usize = 4 * 1024 * 1024;
/// Reports of one text that are read.
const REPORTS: usize = 1_000;
/// Policies of one report that are kept.
const POLICIES: usize = 200;
/// Failures of one policy that are kept, and policy lines and MX patterns.
const DETAILS: usize = 2_000;

/// What one sender reports about one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The reporting organisation; empty if it does not say.
    pub organisation: String,
    /// The report's name, unique for the organisation.
    pub id: String,
    /// From when until when it counts; `None` if that is missing or no date.
    pub span: Option<(Instant, Instant)>,
    /// One entry for each policy that was applied.
    pub policies: Vec<Policy>,
    /// What is odd about it.
    pub oddities: Vec<Oddity>,
}

/// One policy that the sender applied, and how its sessions went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which kind.
    pub kind: Kind,
    /// The domain it belongs to, lower case; `None` if missing.
    pub domain: Option<String>,
    /// The TLSA records that the sender saw, where it tells them.
    pub associations: BTreeSet<Association>,
    /// The MX names or patterns of the policy, lower case.
    pub mx: Vec<String>,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that did not, as the summary says.
    pub failed: u64,
    /// The failures one by one.
    pub failures: Vec<Failure>,
}

/// Kinds of policy (RFC 8460 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// The sender found neither.
    NoPolicyFound,
    /// Something this program does not know, or nothing.
    Other(String),
}

/// Sessions that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The result type (RFC 8460 §4.3), lower case: `validation-failure`, `certificate-host-mismatch`, …
    pub result: String,
    /// The MX host, lower case, without a final dot; `None` if missing.
    pub host: Option<String>,
    /// The address that was connected to.
    pub receiving_ip: Option<String>,
    /// The address of the sending host.
    pub sending_ip: Option<String>,
    /// How many sessions.
    pub sessions: u64,
    /// What the sender adds: a reason code and further words.
    pub reason: Option<String>,
}

/// A habit of a sender that a reader should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The organisation is not named.
    NoOrganisation,
    /// The report has no name: it cannot be told from a second copy of itself.
    NoId,
    /// The dates are missing or cannot be read.
    NoDates,
    /// A policy does not say for which domain it is.
    NoPolicyDomain,
    /// A policy's total of failures is not the sum of its failures.
    TotalsDisagree {
        /// The policy's domain.
        domain: String,
        /// The total in the summary.
        total: u64,
        /// The sum of the details.
        details: u64,
    },
    /// A policy's text is JSON inside a string.
    PolicyInString,
    /// More policies, failures or lines than are kept.
    TooMany {
        /// How many were left out.
        left_out: u64,
    },
}

/// Why a text is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReport {
    /// Too long.
    #[error("longer than {} MiB: no TLS report is", MAX_OCTETS / 1024 / 1024)]
    TooLong,
    /// More in one text than are read.
    #[error("more than {REPORTS} reports in one file")]
    TooMany,
    /// A number of sessions that is none: how many failed is not known.
    #[error("its `{field}` is `{found}`, which is no number of sessions (RFC 8460 §4.4)")]
    Count {
        /// The field.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not JSON, or JSON of another shape.
    #[error("not a TLS report (RFC 8460 §4.4): {0}")]
    Json(String),
}

impl Report {
    /// Reads the first report of a text.
    pub fn parse(octets: &[u8]) -> Result<Self, NotReport> {
        let first = Self::parse_all(octets).into_iter().next();
        first.unwrap_or(Err(NotReport::Json("nothing is there".to_owned())))
    }

    /// Reads every report of a text, one at least or why there is none: gateways put several into one file, in a list or one
    /// after the other. A whole one is not made wrong by what follows it, which counts if it begins as a report does.
    pub fn parse_all(octets: &[u8]) -> Vec<Result<Self, NotReport>> {
        if octets.len() > MAX_OCTETS {
            return vec![Err(NotReport::TooLong)];
        }
        let octets = &*unwrapped(octets);
        // JSON in a string of JSON, as some gateways pass it on.
        if octets.starts_with(b"\"") {
            return match first::<String>(octets) {
                Ok((text, _)) => one_after_the_other(unwrapped(text.as_bytes()).as_ref()),
                Err(why) => vec![Err(why)],
            };
        }
        one_after_the_other(octets)
    }
}

fn one_after_the_other(octets: &[u8]) -> Vec<Result<Report, NotReport>> {
    let mut found = Vec::new();
    let mut rest = octets;
    while found.len() < REPORTS {
        let read = if rest.starts_with(b"[") {
            let list = first::<Capped<FileReport, REPORTS>>(rest);
            list.map(|(list, read)| (list.kept, list.left_out, read))
        } else {
            first(rest).map(|(file, read)| (vec![file], 0, read))
        };
        let read = match read {
            Ok((files, ..)) if files.is_empty() => Err(NotReport::Json("an empty list".to_owned())),
            read => read,
        };
        let (files, left_out, read) = match read {
            Ok(read) => read,
            Err(why) => {
                found.push(Err(why));
                return found;
            }
        };
        found.extend(files.into_iter().map(FileReport::into_report));
        if left_out > 0 {
            break;
        }
        // Base64 behind a report is no report.
        match unwrapped(rest.get(read..).unwrap_or_default()) {
            Cow::Borrowed(more) if more.starts_with(b"{") => rest = more,
            _ => return found,
        }
    }
    found.push(Err(NotReport::TooMany));
    found
}

/// The value that the text begins with, and how long it is.
fn first<T: serde::de::DeserializeOwned>(octets: &[u8]) -> Result<(T, usize), NotReport> {
    let refuse = |e: serde_json::Error| NotReport::Json(shown(&e.to_string()));
    let mut values = serde_json::Deserializer::from_slice(octets).into_iter();
    let value = values
        .next()
        .unwrap_or_else(|| serde_json::from_slice(octets));
    let length = values.byte_offset();
    Ok((value.map_err(refuse)?, length))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FileReport {
    #[serde(default)]
    organization_name: Text,
    #[serde(default)]
    date_range: FileDates,
    #[serde(default)]
    report_id: Text,
    policies: Capped<FilePolicy, POLICIES>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct FileDates {
    start_datetime: Text,
    end_datetime: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FilePolicy {
    policy: FileTerms,
    summary: FileSummary,
    #[serde(rename = "failure-details")]
    failure_details: Capped<FileFailure, DETAILS>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct FileTerms {
    policy_type: Text,
    policy_string: PolicyText,
    policy_domain: Text,
    // The RFC's text says `mx-host`, its example `mx-host` with a single string; some senders write `mx-hosts`.
    #[serde(alias = "mx-host-pattern", alias = "mx-hosts")]
    mx_host: Capped<Text, DETAILS>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct FileSummary {
    total_successful_session_count: Count,
    total_failure_session_count: Count,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct FileFailure {
    result_type: Text,
    sending_mta_ip: Text,
    receiving_mx_hostname: Text,
    receiving_ip: Text,
    failed_session_count: Count,
    #[serde(alias = "additional-info-uri")]
    additional_information: Text,
    failure_reason_code: Text,
    // An erratum's spelling that senders took from the RFC's own example.
    #[serde(rename = "failure-error-code")]
    failure_error_code: Text,
}

impl FileReport {
    fn into_report(self) -> Result<Report, NotReport> {
        let mut oddities = Vec::new();
        let mut note = |oddity: Oddity| {
            if !oddities.contains(&oddity) {
                oddities.push(oddity);
            }
        };
        let organisation = self.organization_name.0.unwrap_or_default();
        if organisation.is_empty() {
            note(Oddity::NoOrganisation);
        }
        let id = self.report_id.0.unwrap_or_default();
        if id.is_empty() {
            note(Oddity::NoId);
        }
        let start = self.date_range.start_datetime.0.as_deref().and_then(date);
        let end = self.date_range.end_datetime.0.as_deref().and_then(date);
        let span = start.zip(end).filter(|(start, end)| start <= end);
        if span.is_none() {
            note(Oddity::NoDates);
        }
        let mut left_out = self.policies.left_out;
        let mut policies = Vec::new();
        for file in self.policies.kept {
            left_out = left_out
                .saturating_add(file.failure_details.left_out)
                .saturating_add(file.policy.mx_host.left_out);
            if file.policy.policy_string.was_in_string {
                note(Oddity::PolicyInString);
            }
            // Where some failures were left out, their sum says nothing.
            let is_whole = file.failure_details.left_out == 0;
            let policy = file.into_policy()?;
            if policy.domain.is_none() {
                note(Oddity::NoPolicyDomain);
            }
            let sum = |sum: u64, failure: &Failure| sum.saturating_add(failure.sessions);
            let details = policy.failures.iter().fold(0, sum);
            if is_whole && details != policy.failed {
                note(Oddity::TotalsDisagree {
                    domain: policy.domain.clone().unwrap_or_default(),
                    total: policy.failed,
                    details,
                });
            }
            policies.push(policy);
        }
        if left_out > 0 {
            note(Oddity::TooMany { left_out });
        }
        Ok(Report {
            organisation,
            id,
            span,
            policies,
            oddities,
        })
    }
}

impl FilePolicy {
    fn into_policy(self) -> Result<Policy, NotReport> {
        let (terms, summary) = (self.policy, self.summary);
        let mx = terms.mx_host.kept.into_iter().filter_map(Text::host);
        let failures = self.failure_details.kept.into_iter();
        let failures: Result<Vec<Failure>, _> = failures.map(FileFailure::into_failure).collect();
        Ok(Policy {
            kind: Kind::parse(terms.policy_type.0.unwrap_or_default()),
            domain: terms.policy_domain.host(),
            associations: policy_text::associations(&terms.policy_string),
            mx: mx.collect(),
            successful: summary
                .total_successful_session_count
                .of("total-successful-session-count")?,
            failed: summary
                .total_failure_session_count
                .of("total-failure-session-count")?,
            failures: failures?,
        })
    }
}

impl Count {
    fn of(self, field: &'static str) -> Result<u64, NotReport> {
        match self.unreadable {
            None => Ok(self.sessions),
            Some(found) => Err(NotReport::Count { field, found }),
        }
    }
}

impl FileFailure {
    fn into_failure(self) -> Result<Failure, NotReport> {
        let words = [
            self.failure_reason_code.0,
            self.failure_error_code.0,
            self.additional_information.0,
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let result = self.result_type.0.unwrap_or_default().to_ascii_lowercase();
        Ok(Failure {
            result: if result.is_empty() {
                "(no result type)".to_owned()
            } else {
                result
            },
            host: self.receiving_mx_hostname.host(),
            receiving_ip: self.receiving_ip.0,
            sending_ip: self.sending_mta_ip.0,
            sessions: self.failed_session_count.of("failed-session-count")?,
            reason: (!words.is_empty()).then(|| words.join("; ")),
        })
    }
}

impl Policy {
    /// The MX host that a failure is about: as it says, else the only one the policy has.
    pub fn host_of<'p>(&'p self, failure: &'p Failure) -> Option<&'p str> {
        let only = match self.mx.as_slice() {
            [one] if !one.starts_with('*') && !one.starts_with('.') => Some(one.as_str()),
            _ => None,
        };
        failure.host.as_deref().or(only)
    }
}

impl Kind {
    fn parse(text: String) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "tlsa" => Self::Tlsa,
            "sts" => Self::Sts,
            "no-policy-found" => Self::NoPolicyFound,
            _ => Self::Other(text),
        }
    }
}

/// RFC 3339; without an offset it is UTC, as the reports' days are (RFC 8460 §4.1).
fn date(text: &str) -> Option<Instant> {
    let unix = chrono::DateTime::parse_from_rfc3339(text)
        .map(|date| date.timestamp())
        .or_else(|_| {
            chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
                .map(|date| date.and_utc().timestamp())
        })
        .ok()?;
    u64::try_from(unix).ok().map(Instant::from_unix)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
            Self::Other(text) if text.is_empty() => "(no policy type)",
            Self::Other(text) => text,
        })
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOrganisation => f.write_str("it does not say who reports"),
            Self::NoId => f.write_str("it has no report-id, so a second copy would count twice"),
            Self::NoDates => f.write_str("its date-range is missing or cannot be read"),
            Self::NoPolicyDomain => f.write_str("a policy does not say its policy-domain"),
            Self::TotalsDisagree {
                domain,
                total,
                details,
            } => {
                let of = if domain.is_empty() { "" } else { " of " };
                write!(
                    f,
                    "the policy{of}{domain} counts {total} failed sessions, its failure-details add up to {details}"
                )
            }
            Self::PolicyInString => {
                f.write_str("its policy-string is JSON inside a string, read as such")
            }
            Self::TooMany { left_out } => {
                write!(f, "{left_out} entries beyond what is kept were left out")
            }
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
