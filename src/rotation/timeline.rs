//! The plan: the real decision run ahead on an ideal world, so that no second timetable exists.
//!
//! In the ideal world every proposal is merged at once, every server serves it at once and every host is deployed as soon
//! as the swap is open. Only time stands between the steps; so each date is the earliest possible one.

use super::association::Association;
use super::before::TtlSource;
use super::blocker::Blocker;
use super::decide::{Action, Decision};
use super::due::Rest;
use super::exposure::Chain;
use super::observation::{
    Authority, KeyAlgorithm, Observation, Offer, Presented, Seen, ServedRrset, SignatureWindow,
};
use super::policy::Policy;
use super::settle::{Settled, settle};
use super::step::{Event, IllegalEvent, Rotation, Step};
use super::timing::{Instant, Span, Ttl};
use super::wait::{self, TimeGate};
use std::collections::{BTreeMap, BTreeSet};

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The step that is reached.
    pub step: Step,
    /// The earliest instant at which it can be reached.
    pub at: Instant,
    /// The fact that reaches it.
    pub event: Event,
    /// The gate of time that kept it until then, if one did.
    pub gate: Option<TimeGate>,
    /// The state on arrival.
    pub state: Rotation,
}

/// What a plan ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The steps ahead, in order.
    pub entries: Vec<Entry>,
    /// What would stop even the ideal world, if anything.
    pub stopped_by: Vec<Blocker>,
}

/// More steps than any rotation has: a bound for the loop, not a limit for the user.
const MOST_STEPS: usize = 64;

/// The plan from `rotation`'s present step to its end.
///
/// `incoming` stands for the keys of a rotation that has none yet. Steps that need a key are taken as done at once.
pub fn look_ahead(
    rotation: &Rotation,
    now: Instant,
    policy: &Policy,
    incoming: &BTreeSet<Association>,
) -> Result<Timeline, IllegalEvent> {
    let mut timeline = Timeline {
        entries: Vec::new(),
        stopped_by: Vec::new(),
    };
    let hurried = rotation.emergency.map(|priority| priority.hurried(policy));
    let policy = hurried.as_ref().unwrap_or(policy);
    let (mut state, mut now) = (rotation.clone(), now);
    let mut gate = None;
    for _ in 0..MOST_STEPS {
        let world = ideal_world(&state, now, policy);
        let Settled {
            mut events,
            decision,
            ..
        } = settle(&state, now, &world, |_| *policy)?;
        events.retain(|event| !decision.remembered.contains(event));
        if events.is_empty() {
            events.extend(key_made(&decision, now, policy, &state, incoming));
        }
        if !events.is_empty() {
            for event in events {
                state.follow(now, &event)?;
                if event != Event::SoakSeen {
                    timeline.entries.push(Entry {
                        step: state.step,
                        at: now,
                        event,
                        gate: gate.take(),
                        state: state.clone(),
                    });
                }
            }
        } else if let Some(next) = decision.look_again_at {
            gate = time_gate(&decision);
            now = next;
        } else {
            timeline.stopped_by = decision.blockers;
            break;
        }
    }
    Ok(timeline)
}

fn time_gate(decision: &Decision) -> Option<TimeGate> {
    decision.blockers.iter().find_map(|blocker| match blocker {
        Blocker::CachesMayLackIt(gate)
        | Blocker::CachesMayLackOld(gate)
        | Blocker::OutageRuns(gate)
        | Blocker::Soaking(gate) => Some(*gate),
        _ => None,
    })
}

/// The key steps, which need no evidence from the world: in the ideal one the key is there and lasts.
fn key_made(
    decision: &Decision,
    now: Instant,
    policy: &Policy,
    state: &Rotation,
    incoming: &BTreeSet<Association>,
) -> Option<Event> {
    if decision.actions.contains(&Action::AdmitKey) {
        let not_after = now + wait::remaining(state, policy) + Span::days(1);
        Some(Event::KeyAdmitted {
            not_after,
            made_by: None,
        })
    } else if decision.actions.contains(&Action::ComputeAssociations) {
        Some(Event::AssociationsComputed {
            incoming: incoming.clone(),
        })
    } else {
        None
    }
}

/// A world in which everything asked for has been done.
fn ideal_world(state: &Rotation, now: Instant, policy: &Policy) -> Observation {
    let requirement = state.requirement();
    // Signatures and certificates outlast all that lies ahead.
    let long = wait::remaining(state, policy) + wait::ttl_old(state).span() * 2 + Span::days(1);
    let until = now + long;
    let (mut merged, mut served, mut presented) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for name in state.names() {
        let base = state.base.get(name).cloned().unwrap_or_default();
        let both: BTreeSet<_> = base
            .iter()
            .chain(&state.current)
            .chain(&state.staying)
            .chain(&state.incoming)
            .cloned()
            .collect();
        // Until the machine asks for a change, the world is as it was found.
        let untouched = matches!(state.step, Step::Started | Step::Generated | Step::Hashed);
        let associations = if untouched {
            base
        } else {
            requirement.applied_to(&both)
        };
        let rrset = ServedRrset {
            associations: associations.clone(),
            // What is assumed of the past says nothing of what is served from now on.
            ttl: match state.ttl_source(name) {
                TtlSource::Assumed => Ttl(0),
                _ => state.ttl_old.get(name).copied().unwrap_or_default(),
            },
            signature: SignatureWindow {
                inception: now - Span::hours(1),
                expiration: until,
            },
            replayable_until: until,
        };
        merged.insert(name.clone(), Seen::Known(associations));
        // One that has left need not answer any more: what it may still be asked for is waited out.
        let servers = state.servers_of(name, now);
        let stay = servers.filter(|(_, server)| server.until.is_none());
        let mut answers: BTreeMap<Authority, Seen<ServedRrset>> = stay
            .map(|(authority, _)| (authority.clone(), Seen::Known(rrset.clone())))
            .collect();
        if answers.is_empty() {
            answers.insert(Authority("the ideal server".into()), Seen::Known(rrset));
        }
        served.insert(name.clone(), answers);
    }
    let keys = match state.step {
        Step::SwapOpen if state.held.is_some() || (policy.rest != Rest::No && !state.released) => {
            &state.current
        }
        Step::SwapOpen
        | Step::Deployed
        | Step::Verified
        | Step::Retiring
        | Step::Retired
        | Step::Replacing
        | Step::Replaced
        | Step::Reinstating
        | Step::Reinstated => &state.incoming,
        _ => &state.current,
    };
    let offer = |chain: &Chain| {
        Seen::Known(Offer::Key(Presented {
            key: chain.key.clone(),
            satisfies: chain.satisfies.clone(),
            not_after: until,
        }))
    };
    let not_offered = Seen::Known(Offer::NotOffered);
    let chains = [state.chains(keys), state.chains(&state.staying)].concat();
    let mut chains = chains.iter().map(offer);
    let offers = [KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa].map(|algorithm| {
        let offer = chains.next().unwrap_or_else(|| not_offered.clone());
        (algorithm, offer)
    });
    for endpoint in &state.endpoints {
        let offers = BTreeMap::from(offers.clone());
        let known = state.addresses.get(&endpoint.host).into_iter().flatten();
        let there = known.filter(|(_, address)| address.is_there(now));
        let mut addresses: BTreeMap<_, _> = there
            .map(|(address, _)| (address.clone(), offers.clone()))
            .collect();
        if addresses.is_empty() {
            addresses.insert("the ideal host".to_owned(), offers);
        }
        presented.insert(endpoint.clone(), addresses);
    }
    Observation {
        at: now,
        merged,
        served,
        presented,
        ..Observation::nothing(now)
    }
}
