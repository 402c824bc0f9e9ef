//! The JSON of a report, as senders write it (RFC 8460 §4.4).
//!
//! Lenient where a sender's habit takes nothing from the meaning (a missing contact, a number in quotes, a policy in a
//! string of JSON); each habit that may matter to a reader is an [`Oddity`]. Every list and text is bounded while it is
//! read, so that memory does not follow what a stranger writes.

use super::lenient::{Capped, Count, Text, shown};
use super::policy_text::{self, PolicyText};
use super::report::{Failure, Kind, MAX_OCTETS, NotReport, Oddity, Policy, REPORTS, Report};
use super::wrapping::unwrapped;
use crate::rotation::timing::Instant;
use serde::Deserialize;
use std::borrow::Cow;

/// Policies of one report that are kept.
const POLICIES: usize = 200;
/// Failures of one policy that are kept, and policy lines and MX patterns.
const DETAILS: usize = 2_000;

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
        if std::str::from_utf8(octets).is_err() {
            // Every octet is a character of ISO 8859-1, and what is ASCII means the same in all that senders write.
            let text: String = octets.iter().copied().map(char::from).collect();
            let read = Self::parse_all(text.as_bytes()).into_iter();
            return read.map(|read| read?.only_ascii()).collect();
        }
        // JSON in a string of JSON, as some gateways pass it on.
        if octets.starts_with(b"\"") {
            return match first::<String>(octets) {
                Ok((text, _)) => one_after_the_other(unwrapped(text.as_bytes()).as_ref()),
                Err(why) => vec![Err(why)],
            };
        }
        one_after_the_other(octets)
    }

    /// The same, if all that is compared with something is ASCII.
    fn only_ascii(self) -> Result<Self, NotReport> {
        let is_ascii = |text: &Option<String>| text.as_deref().is_none_or(str::is_ascii);
        let failure = |failure: &Failure| failure.result.is_ascii() && is_ascii(&failure.host);
        let policy = |policy: &Policy| {
            let kind_is_known = !matches!(&policy.kind, Kind::Other(text) if !text.is_ascii());
            let names_are = policy.mx.iter().all(|name| name.is_ascii());
            kind_is_known
                && names_are
                && is_ascii(&policy.domain)
                && policy.failures.iter().all(failure)
        };
        let counts = self.id.is_ascii() && self.policies.iter().all(policy);
        if counts {
            Ok(self)
        } else {
            Err(NotReport::Encoding)
        }
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

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
