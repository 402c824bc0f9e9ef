//! Where rotations stand, for Prometheus: the text that its node exporter's textfile collector reads.
//!
//! A time is seconds since 1970 and named so; what is not known has no sample, and never one that says all is well.

use super::listed::is_listed;
use super::standing::Standing;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::{KeyAlgorithm, Observation, Seen};
use crate::rotation::step::Rotation;
use crate::rotation::timing::Instant;
use std::fmt::Write as _;

/// What is said of one certificate or zone, and the exit code that stands for it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What is said of a certificate; of a zone that no certificate's run handed on, nothing but its name.
    pub about: Result<Standing<'a>, &'a str>,
    /// As exit codes are.
    pub code: u8,
    /// What failed in the run, if something did.
    pub failed: Option<String>,
}

/// A metric with its samples, each with its labels.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, u64)>,
}

/// Everything, with when it was seen.
pub fn text(subjects: &[Subject<'_>], now: Instant) -> String {
    let mut all = Metrics::default();
    all.add(&LAST_RUN, Vec::new(), now.unix());
    for subject in subjects {
        let code = u64::from(subject.code);
        match &subject.about {
            Ok(standing) => {
                let certificate = vec![("certificate", standing.certificate.to_owned())];
                all.add(&ATTENTION, certificate.clone(), code);
                of_certificate(&mut all, standing, &certificate);
            }
            Err(zone) => all.add(&ZONE_ATTENTION, vec![("zone", (*zone).to_owned())], code),
        }
    }
    all.text()
}

type Name = (&'static str, &'static str);
type Labels = Vec<(&'static str, String)>;

const LAST_RUN: Name = ("last_run_timestamp_seconds", "When this was looked at.");
const ATTENTION: Name = (
    "attention",
    "What a certificate asks for: 0 nothing, 1 wrong input or environment, 3 a person, 4 mail is at risk.",
);
const ZONE_ATTENTION: Name = ("zone_attention", "The same of a zone.");
const STEP: Name = ("step", "The step that a rotation is in: one sample of 1.");
const STEP_SINCE: Name = (
    "step_since_timestamp_seconds",
    "Since when it is in that step.",
);
const NEXT: Name = (
    "next_timestamp_seconds",
    "When a wait is over by time alone.",
);
const ACT_BY: Name = (
    "act_by_timestamp_seconds",
    "The latest moment for a person to merge or to install.",
);
const CERTIFICATE_END: Name = (
    "certificate_not_after_timestamp_seconds",
    "The end of the certificate that a host presents at an address.",
);
const MATCHES: Name = (
    "place_matches",
    "Whether what a host presents at an address is listed by the records on every server that answered.",
);
const UNANSWERED: Name = (
    "place_unanswered",
    "Whether a host did not answer at an address.",
);
const SERVED: Name = (
    "server_serves_required",
    "Whether a server answers with the records that the step asks for.",
);
const SERVER_UNANSWERED: Name = (
    "server_unanswered",
    "Whether a server gave no answer that counts.",
);
const SIGNATURE_END: Name = (
    "signature_expiration_timestamp_seconds",
    "The earliest end of a signature over the records that a server answers with.",
);

/// The metrics in the order in which they were met.
#[derive(Default)]
struct Metrics {
    all: Vec<Metric>,
}

impl Metrics {
    fn add(&mut self, (name, help): &Name, labels: Labels, value: u64) {
        let sample = (labels, value);
        match self.all.iter_mut().find(|metric| metric.name == *name) {
            Some(metric) => metric.samples.push(sample),
            None => self.all.push(Metric {
                name,
                help,
                samples: vec![sample],
            }),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for metric in &self.all {
            let name = metric.name;
            let _ = writeln!(text, "# HELP tlsa_rotate_{name} {}", metric.help);
            let _ = writeln!(text, "# TYPE tlsa_rotate_{name} gauge");
            for (labels, value) in &metric.samples {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                    .collect();
                let labels = match labels.as_slice() {
                    [] => String::new(),
                    some => format!("{{{}}}", some.join(",")),
                };
                let _ = writeln!(text, "tlsa_rotate_{name}{labels} {value}");
            }
        }
        text
    }
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

fn of_certificate(all: &mut Metrics, standing: &Standing<'_>, certificate: &Labels) {
    let with = |more: Labels| [certificate.clone(), more].concat();
    if let Some((id, state)) = standing.rotation {
        let rotation = ("rotation", id.to_owned());
        let step = ("step", state.step.name().to_owned());
        all.add(&STEP, with(vec![rotation.clone(), step]), 1);
        all.add(&STEP_SINCE, with(vec![rotation]), state.since.unix());
    }
    if let Some(decision) = standing.decision {
        let until = decision.blockers.iter().filter_map(Blocker::until);
        if let Some(until) = until.max() {
            all.add(&NEXT, with(Vec::new()), until.unix());
        }
        for act_by in &decision.act_by {
            let act = ("act", act_by.act.name().to_owned());
            all.add(&ACT_BY, with(vec![act]), act_by.by.unix());
        }
    }
    if let Some(seen) = standing.observation {
        of_places(all, seen, standing.rotation.map(|(_, state)| state), &with);
        of_servers(all, seen, standing.rotation.map(|(_, state)| state), &with);
    }
}

fn of_places(
    all: &mut Metrics,
    seen: &Observation,
    state: Option<&Rotation>,
    with: &impl Fn(Labels) -> Labels,
) {
    for (endpoint, places) in &seen.presented {
        for (address, offers) in places {
            let place = |more: Labels| {
                let place = vec![
                    ("host", endpoint.host.clone()),
                    ("port", endpoint.port.to_string()),
                    ("address", address.clone()),
                ];
                with([place, more].concat())
            };
            let unanswered = offers
                .values()
                .any(|offer| matches!(offer, Seen::Unknown(_)));
            all.add(&UNANSWERED, place(Vec::new()), u64::from(unanswered));
            for (algorithm, offer) in offers {
                let Seen::Known(offer) = offer else {
                    continue;
                };
                for chain in offer.chains() {
                    let kind = match algorithm {
                        KeyAlgorithm::Rsa => "rsa",
                        KeyAlgorithm::Ecdsa => "ecdsa",
                    };
                    let labels = || {
                        place(vec![
                            ("algorithm", kind.to_owned()),
                            ("key", chain.key.to_string()),
                        ])
                    };
                    all.add(&CERTIFICATE_END, labels(), chain.not_after.unix());
                    if let Some(listed) = is_listed(seen, state, endpoint, chain) {
                        all.add(&MATCHES, labels(), u64::from(listed));
                    }
                }
            }
        }
    }
}

fn of_servers(
    all: &mut Metrics,
    seen: &Observation,
    state: Option<&Rotation>,
    with: &impl Fn(Labels) -> Labels,
) {
    let requirement = state.map(Rotation::requirement);
    for (name, servers) in &seen.served {
        for (authority, answer) in servers {
            let labels = || {
                let server = ("server", authority.0.clone());
                with(vec![("name", name.as_str().to_owned()), server])
            };
            let Seen::Known(rrset) = answer else {
                all.add(&SERVER_UNANSWERED, labels(), 1);
                continue;
            };
            all.add(&SERVER_UNANSWERED, labels(), 0);
            if let Some(requirement) = &requirement {
                let fits = requirement.is_met_by(&rrset.associations);
                all.add(&SERVED, labels(), u64::from(fits));
            }
            let end = rrset.signature.expiration.unix();
            all.add(&SIGNATURE_END, labels(), end);
        }
    }
}
