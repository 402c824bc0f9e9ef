//! What others say of a rotation: the failures that senders report since its swap, read from the watched mailbox
//! (RFC 8460), and what the Web PKI says of its incoming certificates where MTA-STS asks it (RFC 8461).

use super::case::Case;
use super::known::Known;
use super::neighbours;
use super::web_pki;
use crate::observe::tlsrpt::report::Report;
use crate::observe::tlsrpt::{Gathered, Trouble};
use crate::rotation::observation::Seen;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Instant;
use crate::rotation::witness::{ReportedFailure, Witness};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Asks them what the present step wants to know; what is odd about the asking goes to `notes`.
pub(super) fn witness(
    known: &mut Known<'_>,
    case: &Case<'_>,
    rotation: &Rotation,
    notes: &mut Vec<String>,
) -> Witness {
    let swapped = match rotation.step {
        // The hosts may turn out to present the incoming key in this very run.
        Step::SwapOpen => Some(known.now),
        Step::Deployed => Some(rotation.since),
        Step::Verified => case.swapped_at(),
        _ => None,
    };
    let asks_web = matches!(rotation.step, Step::Waiting | Step::SwapOpen);
    let beside = if asks_web {
        neighbours::beside(&mut known.heads, rotation)
    } else {
        BTreeSet::new()
    };
    let web = match &case.rotation {
        Some((id, _)) if asks_web => web_pki::objections(known, case, id, notes),
        _ => BTreeMap::new(),
    };
    let mailbox = case.certificate.tlsrpt.as_deref();
    let watched = mailbox.zip(swapped);
    let watched = watched.map(|(mailbox, since)| reports(mailbox, since, notes));
    let (reports, unread) = watched.map_or((None, BTreeMap::new()), |(reports, unread)| {
        (Some(reports), unread)
    });
    Witness {
        reports,
        unread,
        web,
        beside,
    }
}

/// The failures in the mailbox that touch the time since `since`, and what may be a report and cannot be read: the SHA-256
/// of each, and where it lies and why.
fn reports(
    mailbox: &Path,
    since: Instant,
    notes: &mut Vec<String>,
) -> (Seen<Vec<ReportedFailure>>, BTreeMap<String, String>) {
    let mut gathered = Gathered::default();
    gathered.add_path(mailbox);
    if let Some(trouble) = gathered.troubles.iter().find(|trouble| trouble.unreadable) {
        let why = format!("{}: {}", trouble.place, trouble.why);
        return (Seen::Unknown(why), BTreeMap::new());
    }
    if gathered.more_troubles > 0 {
        let why = format!(
            "{}: more than can be told apart cannot be read",
            mailbox.display()
        );
        return (Seen::Unknown(why), BTreeMap::new());
    }
    let unread = unread(&gathered);
    // Other mail lies in the mailbox too; one line says so.
    if let [first, ..] = gathered.troubles.as_slice() {
        notes.push(format!(
            "{} of the files and mails in {} could not be read as TLS reports, such as {}: {}",
            gathered.troubles.len(),
            mailbox.display(),
            first.place,
            first.why
        ));
    }
    if let [first, ..] = gathered.contradicting.as_slice() {
        notes.push(format!(
            "{} of the TLS reports in {} contradict others of the same name, such as {} that in {}: all count, some may be \
             forged",
            gathered.contradicting.len(),
            mailbox.display(),
            first.place,
            first.first
        ));
    }
    let mut failures: BTreeSet<ReportedFailure> = BTreeSet::new();
    // Whoever guesses the name of a report must not be able to hide it behind a better one of his own.
    let reports = gathered.reports.iter().map(|(_, report)| report);
    for report in reports.chain(gathered.contradicting.iter().map(|c| &c.report)) {
        failures.extend(failures_in(report, since));
    }
    (Seen::Known(failures.into_iter().collect()), unread)
}

/// What may be a report and cannot be read: the SHA-256 of each, and where it lies and why.
pub(super) fn unread(gathered: &Gathered) -> BTreeMap<String, String> {
    let told = |trouble: &Trouble| {
        let digest = trouble.report.clone()?;
        Some((digest, format!("{}: {}", trouble.place, trouble.why)))
    };
    gathered.troubles.iter().filter_map(told).collect()
}

/// A report without dates may be about any time.
fn failures_in(report: &Report, since: Instant) -> Vec<ReportedFailure> {
    let (begin, end) = report.span.unwrap_or((since, since));
    if end < since {
        return Vec::new();
    }
    let mut found = Vec::new();
    for policy in &report.policies {
        for failure in &policy.failures {
            // Without a host, a TLSA policy's domain may be the host itself.
            let host = policy.host_of(failure).or(policy.domain.as_deref());
            found.extend(host.map(|host| ReportedFailure {
                begin,
                end,
                sender: report.organisation.clone(),
                report: report.id.clone(),
                host: host.to_owned(),
                result: failure.result.clone(),
                sessions: failure.sessions,
                saw: policy.associations.clone(),
            }));
        }
    }
    found
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
