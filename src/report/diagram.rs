//! The machine's state diagram in Mermaid, found by offering every event to every step of the real `apply`.

use crate::rotation::association::Association;
use crate::rotation::due::Release;
use crate::rotation::emergency::Priority;
use crate::rotation::observation::{Authority, Endpoint, TlsaName};
use crate::rotation::step::{Event, Published, Step, apply};
use crate::rotation::timing::{Instant, Ttl};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The diagram; it holds exactly the transitions that `apply` accepts.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> Started: Started\n");
    for from in Step::ALL {
        let mut by_target: BTreeMap<Step, Vec<&str>> = BTreeMap::new();
        for event in sample_events() {
            for to in targets(from, &event) {
                by_target.entry(to).or_default().push(event.name());
            }
        }
        for (to, events) in by_target {
            let _ = writeln!(text, "    {from} --> {to}: {}", events.join(" or "));
        }
        if matches!(from, Step::Retired | Step::Aborted) {
            let _ = writeln!(text, "    {from} --> [*]");
        }
    }
    text
}

/// Where an event leads from a step: what else is true of the rotation may decide between two.
fn targets(from: Step, event: &Event) -> BTreeSet<Step> {
    let now = Instant::from_unix(0);
    let mut targets = BTreeSet::new();
    let Ok(mut rotation) = apply(None, now, &sample_start()) else {
        return targets;
    };
    rotation.step = from;
    if from > Step::Generated {
        rotation.incoming = sample_incoming();
    }
    let published = Published {
        t_all: now,
        ttl_new: Ttl(1),
    };
    for (published, abort_reason) in [
        (None, None),
        (Some(published), None),
        (None, Some(String::new())),
        (Some(published), Some(String::new())),
    ] {
        rotation.published = published;
        rotation.abort_reason = abort_reason;
        let after = apply(Some(&rotation), now, event);
        targets.extend(after.ok().map(|after| after.step));
    }
    targets
}

fn sample_incoming() -> BTreeSet<Association> {
    BTreeSet::from([Association::dane_ee_spki_sha256([2; 32])])
}

fn sample_endpoint() -> Endpoint {
    Endpoint {
        host: "mx.example.com".to_owned(),
        port: 25,
    }
}

fn sample_start() -> Event {
    Event::Started {
        endpoints: BTreeSet::from([sample_endpoint()]),
        current: BTreeSet::from([Association::dane_ee_spki_sha256([1; 32])]),
        base: BTreeMap::new(),
        ttl: BTreeMap::new(),
        ttl_sources: BTreeMap::new(),
    }
}

/// One event of each kind that can move a rotation; of the two priorities of an emergency, the one that does.
fn sample_events() -> Vec<Event> {
    let name: TlsaName = sample_endpoint().tlsa_name();
    let incoming = sample_incoming();
    vec![
        sample_start(),
        Event::KeyAdmitted {
            not_after: Instant::from_unix(0),
            made_by: None,
        },
        Event::SurroundingsFound {
            aliases: BTreeMap::new(),
            base: BTreeMap::new(),
            staying: BTreeSet::new(),
            satisfied: BTreeMap::new(),
        },
        Event::AssociationsComputed { incoming },
        Event::PrepublishDecided,
        Event::HigherTtlSeen {
            name: name.clone(),
            ttl: Ttl(1),
        },
        Event::PrepublishServed { ttl: Ttl(1) },
        Event::MergeReverted { name: name.clone() },
        Event::ServerRegressed {
            name,
            authority: Authority(String::new()),
        },
        Event::SwapOpened,
        Event::HostsPresentedIncoming,
        Event::HostRegressed {
            endpoint: sample_endpoint(),
        },
        Event::SoakPassed,
        Event::RetireDecided,
        Event::RetireServed,
        Event::AbortRequested {
            reason: String::new(),
        },
        Event::ForwardRequested {
            reason: String::new(),
        },
        Event::DaneLeft {
            reason: String::new(),
        },
        Event::WithdrawalDecided,
        Event::WithdrawalServed,
        Event::RollbackRequested {
            reason: String::new(),
        },
        Event::DeploymentReleased {
            why: Release::Asked,
        },
        Event::OldWithdrawn {
            name: sample_endpoint().tlsa_name(),
        },
        Event::ReinstatementServed { ttl: Ttl(1) },
        Event::ReturnOpened,
        Event::EmergencyDeclared {
            priority: Priority::Security,
            reason: String::new(),
        },
        Event::ReplacementServed { ttl: Ttl(1) },
        Event::ReplacementVerified,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_moves_some_step_and_every_step_is_reached() {
        let diagram = mermaid();
        for event in sample_events() {
            assert!(
                diagram.contains(event.name()),
                "{} is a dead event",
                event.name()
            );
        }
        for step in Step::ALL {
            assert!(
                diagram.contains(&format!("--> {step}")),
                "{step} cannot be reached"
            );
        }
    }
}
