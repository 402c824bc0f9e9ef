//! What others say of the rotation's hosts: senders that report failures after the swap (RFC 8460 §4.3), and the Web PKI
//! before it, where an MTA-STS policy makes senders without DANE ask it (RFC 8461 §4.2).
//!
//! Both can only hold a step back. Neither makes up for anything that DANE refuses (RFC 8461 §2).

use super::association::Association;
use super::blocker::{Blocker, Who};
use super::observation::{Endpoint, Observation, Seen};
use super::step::Rotation;
use super::timing::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What was heard in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// The failures that senders report of the time since every host presented the incoming key; `None` where no mailbox
    /// of reports is watched.
    pub reports: Option<Seen<Vec<ReportedFailure>>>,
    /// The reports in the mailbox that cannot be read: the SHA-256 of each, and where it lies and why.
    pub unread: BTreeMap<String, String>,
    /// For each mail domain with an MTA-STS policy that counts: what the Web PKI holds against the incoming certificates.
    pub web: BTreeMap<String, Seen<Vec<String>>>,
    /// The other ports of the rotation's hosts that no certificate has, and whose records list a key in use and not the next
    /// one: whoever installs that on the host may install it there.
    pub beside: BTreeSet<Endpoint>,
}

/// Sessions with one host that failed for one reason, as a sender reports them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportedFailure {
    /// When the time that the report covers begins.
    pub begin: Instant,
    /// When it ends.
    pub end: Instant,
    /// The reporting organisation.
    pub sender: String,
    /// The report's name.
    pub report: String,
    /// The MX host, lower case, without a final dot.
    pub host: String,
    /// The result type: `validation-failure`, `starttls-not-supported`, …
    pub result: String,
    /// How many sessions.
    pub sessions: u64,
    /// The TLSA records that the sender says it saw; empty if it does not say.
    pub saw: BTreeSet<Association>,
}

/// Why what others say holds a step back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// A sender could not deliver over TLS as the host's policy demands.
    Failed(ReportedFailure),
    /// The same, and it judged by an RRset without any incoming association, which should have left its cache.
    StaleRrset(ReportedFailure),
    /// A mailbox is watched and cannot be read.
    ReportsUnknown {
        /// Why.
        why: String,
    },
    /// Reports in a watched mailbox cannot be read: whether they tell of failures is not known.
    ReportsUnread {
        /// One of them: where it lies, and why.
        first: String,
        /// How many more.
        more: usize,
    },
    /// Senders that follow the domain's MTA-STS policy would refuse the next certificate.
    NotForTheWeb {
        /// The mail domain.
        domain: String,
        /// What the Web PKI holds against it.
        why: String,
    },
    /// Senders that come to another port of a host would refuse the next key there.
    Beside(Endpoint),
    /// Whether they would cannot be told.
    WebUnknown {
        /// The mail domain.
        domain: String,
        /// Why.
        why: String,
    },
}

/// Result types that are about the fetching of an MTA-STS policy, not about a session with a host (RFC 8460 §4.3.2.2).
const NOT_ABOUT_HOSTS: &[&str] = &[
    "sts-policy-fetch-error",
    "sts-policy-invalid",
    "sts-webpki-invalid",
];

/// What senders report of the rotation's hosts since the swap: a healthy soak has none of it.
pub(super) fn after_swap(rotation: &Rotation, observation: &Observation) -> Vec<Blocker> {
    let failures = match &observation.witness.reports {
        None => return Vec::new(),
        Some(Seen::Unknown(why)) => {
            return vec![Blocker::Objected(Objection::ReportsUnknown {
                why: why.clone(),
            })];
        }
        Some(Seen::Known(failures)) => failures,
    };
    let hosts: BTreeSet<&str> = rotation
        .endpoints
        .iter()
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    let unread = unread(rotation, &observation.witness);
    let reported = failures
        .iter()
        .filter(|failure| failure.sessions > 0 && hosts.contains(failure.host.as_str()))
        .filter(|failure| !NOT_ABOUT_HOSTS.contains(&failure.result.as_str()))
        .map(|failure| {
            let stale = !failure.saw.is_empty() && failure.saw.is_disjoint(&rotation.incoming);
            Blocker::Objected(if stale {
                Objection::StaleRrset(failure.clone())
            } else {
                Objection::Failed(failure.clone())
            })
        });
    unread.into_iter().chain(reported).collect()
}

/// What cannot be read may tell of a failure, until a person looked at it. Silence is no yes.
fn unread(rotation: &Rotation, witness: &Witness) -> Option<Blocker> {
    let unread = witness.unread.iter();
    let mut unread = unread.filter(|(digest, _)| !rotation.set_aside.contains(*digest));
    let (_, first) = unread.next()?;
    Some(Blocker::Objected(Objection::ReportsUnread {
        first: first.clone(),
        more: unread.count(),
    }))
}

/// Other ports of the hosts that are not ready, and what the Web PKI holds against the next certificates, where an MTA-STS
/// policy asks it.
pub(super) fn before_swap(observation: &Observation) -> Vec<Blocker> {
    let beside = observation.witness.beside.iter().cloned();
    let mut blockers: Vec<Blocker> = beside
        .map(|endpoint| Blocker::Objected(Objection::Beside(endpoint)))
        .collect();
    for (domain, seen) in &observation.witness.web {
        match seen {
            Seen::Known(objections) => {
                blockers.extend(objections.iter().map(|why| {
                    Blocker::Objected(Objection::NotForTheWeb {
                        domain: domain.clone(),
                        why: why.clone(),
                    })
                }));
            }
            Seen::Unknown(why) => blockers.push(Blocker::Objected(Objection::WebUnknown {
                domain: domain.clone(),
                why: why.clone(),
            })),
        }
    }
    blockers
}

impl Objection {
    /// Who must act.
    pub(super) fn who(&self) -> Who {
        match self {
            Self::WebUnknown { .. } => Who::World,
            _ => Who::You,
        }
    }

    /// The way out, as one sentence.
    pub(super) fn way_out(&self) -> String {
        match self {
            Self::Failed(failure) => format!(
                "find out what went wrong at {}; to go back, `tlsa-rotate abort`; once the failure is understood and over, move the report out of the watched mailbox",
                failure.host
            ),
            Self::StaleRrset(failure) => format!(
                "ask {} to empty its resolvers' caches, or put the previous key back (`tlsa-rotate abort`) until they have run out; then move the report out of the watched mailbox",
                failure.sender
            ),
            Self::ReportsUnknown { .. } => {
                "make the mailbox readable, or take `tlsrpt` out of the configuration".into()
            }
            Self::ReportsUnread { .. } => {
                "look at what the file says, or ask its sender for it again; if it tells of no failure here: `tlsa-rotate tlsrpt --set-aside FILE` (`tlsa-rotate tlsrpt MAILBOX` names each)".into()
            }
            Self::NotForTheWeb { domain, .. } => format!(
                "get a certificate from a public CA for the same key and the host's name (`tlsa-rotate start --certificate`), or set the MTA-STS policy of {domain} to `testing` and wait for its max_age to pass"
            ),
            Self::Beside(endpoint) => format!(
                "put port {} into `ports` of the certificate, or take the records at {} out of the zone and wait for their TTL",
                endpoint.port,
                endpoint.tlsa_name()
            ),
            Self::WebUnknown { domain, .. } => format!(
                "make https://mta-sts.{domain}/.well-known/mta-sts.txt answer, or take the `_mta-sts` record away"
            ),
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::StaleRrset(failure) => {
                let saw: Vec<String> = failure.saw.iter().map(Association::short).collect();
                write!(
                    f,
                    "{failure}, by a stale RRset in its cache: it saw {} and no record of the next key",
                    saw.join(", ")
                )
            }
            Self::ReportsUnknown { why } => {
                write!(f, "what senders report is not known: {why}")
            }
            Self::ReportsUnread { first, more } => {
                write!(
                    f,
                    "a TLS report cannot be read, and may tell of failures: {first}"
                )?;
                if *more > 0 {
                    write!(f, " (and {more} more)")?;
                }
                Ok(())
            }
            Self::NotForTheWeb { domain, why } => write!(
                f,
                "{domain} has an MTA-STS policy in `enforce`, by which senders without DANE would refuse the next certificate: {why}"
            ),
            Self::Beside(endpoint) => write!(
                f,
                "{endpoint} has records of its own that list a key in use and not the next one: if the key of that host is replaced, senders refuse it on this port"
            ),
            Self::WebUnknown { domain, why } => write!(
                f,
                "whether the MTA-STS policy of {domain} lets the next certificate pass is not known: {why}"
            ),
        }
    }
}

impl fmt::Display for ReportedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sender,
            report,
            host,
            result,
            sessions,
            ..
        } = self;
        let plural = if *sessions == 1 { "" } else { "s" };
        let day: String = self.begin.to_string().chars().take(10).collect();
        write!(
            f,
            "{sender} reports {sessions} failed session{plural} with {host} on {day}: {result} (report {report})"
        )
    }
}
