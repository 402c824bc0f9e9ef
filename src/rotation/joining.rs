//! A host that joins while a rotation runs: its name goes through its own publication and wait, and no host that was there
//! before waits for it.
//!
//! The formulas are those of the whole (RFC 7671 §8.1); only the name they are asked of is another.

use super::blocker::Blocker;
use super::gate;
use super::observation::{Observation, Seen, TlsaName};
use super::policy::Policy;
use super::regress;
use super::step::{Event, Published, Rotation, Step};
use super::timing::{Instant, Span};
use super::wait;
use std::collections::BTreeSet;

/// The fact that takes back what was seen of a name that joined, if one was seen.
pub(super) fn regression(rotation: &Rotation, observation: &Observation) -> Option<Event> {
    let unpublished = rotation.joining.iter().filter(|(_, seen)| seen.is_none());
    let names = unpublished.map(|(name, _)| name);
    let lost = || {
        let published = rotation.joining.iter().filter(|(_, seen)| seen.is_some());
        let mut names = published.map(|(name, _)| name);
        names.find(|name| is_lost(name, rotation, observation))
    };
    regress::higher_ttl_of(names, rotation, observation)
        .or_else(|| lost().map(|name| Event::JoinRegressed { name: name.clone() }))
}

fn is_lost(name: &TlsaName, rotation: &Rotation, observation: &Observation) -> bool {
    let requirement = rotation.requirement();
    let unfit = |rrset: &BTreeSet<_>| !requirement.is_met_by(rrset);
    let merged = matches!(observation.merged.get(name), Some(Seen::Known(rrset)) if unfit(rrset));
    let mut servers = observation.served.get(name).into_iter().flatten();
    merged
        || servers.any(|(_, seen)| matches!(seen, Seen::Known(rrset) if unfit(&rrset.associations)))
}

/// The next fact about a name that joined, or why there is none.
pub(super) fn progress(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: &Policy,
) -> Result<Option<Event>, Vec<Blocker>> {
    if !matches!(
        rotation.step,
        Step::Prepublishing | Step::Waiting | Step::SwapOpen
    ) {
        return Ok(None);
    }
    let mut blockers = Vec::new();
    for (name, published) in &rotation.joining {
        match of_name(name, *published, (rotation, now, observation, policy)) {
            Ok(event) => return Ok(Some(event)),
            Err(more) => blockers.extend(more),
        }
    }
    if blockers.is_empty() {
        Ok(None)
    } else {
        Err(blockers)
    }
}

fn of_name(
    name: &TlsaName,
    published: Option<Published>,
    (rotation, now, observation, policy): (&Rotation, Instant, &Observation, &Policy),
) -> Result<Event, Vec<Blocker>> {
    let requirement = rotation.requirement();
    let horizon = match published {
        None => policy.min_wait + policy.safety_margin,
        Some(_) => Span::ZERO,
    };
    let mut blockers = gate::merged_at([name], observation, &requirement);
    let served = gate::served_at(rotation, [name], observation, &requirement, horizon);
    let ttl = served.unwrap_or_else(|more| {
        blockers.extend(more);
        super::timing::Ttl(0)
    });
    if let Some(published) = published {
        let gate = gate_of(name, published, rotation, policy);
        if now < gate.opens {
            blockers.push(Blocker::Joins {
                name: name.clone(),
                gate,
            });
        }
    }
    if !blockers.is_empty() {
        return Err(blockers);
    }
    let name = name.clone();
    Ok(match published {
        None => Event::JoinServed { name, ttl },
        Some(_) => Event::JoinOpened { name },
    })
}

/// When the new key may go to the hosts of a name that joined.
fn gate_of(
    name: &TlsaName,
    published: Published,
    rotation: &Rotation,
    policy: &Policy,
) -> wait::TimeGate {
    wait::swap_gate_after(wait::wait_for(rotation, [name]), published, policy)
}
