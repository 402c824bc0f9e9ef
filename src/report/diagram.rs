//! The machine's state diagram in Mermaid, found by offering every event to every step of the real `apply`.

use crate::rotation::association::Association;
use crate::rotation::due::Release;
use crate::rotation::emergency::Priority;
use crate::rotation::observation::{Authority, Endpoint, TlsaName};
use crate::rotation::step::{Event, Step, apply};
use crate::rotation::timing::{Instant, Ttl};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The diagram; it holds exactly the transitions that `apply` accepts.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> Started: Started\n");
    for from in Step::ALL {
        let mut by_target: BTreeMap<Step, Vec<&str>> = BTreeMap::new();
        for event in sample_events() {
            if let Some(to) = target(from, &event) {
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

fn target(from: Step, event: &Event) -> Option<Step> {
    let now = Instant::from_unix(0);
    let mut rotation = apply(None, now, &sample_start()).ok()?;
    rotation.step = from;
    apply(Some(&rotation), now, event)
        .ok()
        .map(|after| after.step)
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
    let incoming = BTreeSet::from([Association::dane_ee_spki_sha256([2; 32])]);
    vec![
        sample_start(),
        Event::KeyAdmitted {
            not_after: Instant::from_unix(0),
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
