//! Decide and apply until nothing follows: what one look establishes. The run, the dry run, the plan, the rehearsal and
//! the status all come to their states by it.

use super::decide::{Decision, decide};
use super::observation::Observation;
use super::policy::Policy;
use super::step::{Event, IllegalEvent, Rotation};
use super::timing::Instant;

/// What one look comes to.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The facts in the order in which they follow, those that are only worth remembering last.
    pub events: Vec<Event>,
    /// The state after them.
    pub state: Rotation,
    /// The last decision: why nothing more follows, and what is to be done.
    pub decision: Decision,
    /// The policy that the last decision was made by.
    pub policy: Policy,
}

/// More facts than one look can establish about one host, zone or step: a bound, so that a run always ends.
const MOST: usize = 16;

/// Takes every fact that `observation` establishes, by the policy that holds for each state on the way.
///
/// Fails only where the decision offers a fact that the table does not allow, which would be a defect of this room.
pub fn settle(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: impl FnMut(&Rotation) -> Policy,
) -> Result<Settled, IllegalEvent> {
    settle_while(rotation, (now, observation), policy, |_| true)
}

/// The same without a step, even in thought: only what is kept in mind of a look is taken in, so that it hides no reason
/// why nothing more follows. The decision's event is the first that is not.
pub fn take_in(
    rotation: &Rotation,
    now: Instant,
    observation: &Observation,
    policy: impl FnMut(&Rotation) -> Policy,
) -> Result<Settled, IllegalEvent> {
    let is_taken_in = |event: &Event| event.is_kept_in_mind() || *event == Event::SoakInterrupted;
    settle_while(rotation, (now, observation), policy, is_taken_in)
}

fn settle_while(
    rotation: &Rotation,
    (now, observation): (Instant, &Observation),
    mut policy: impl FnMut(&Rotation) -> Policy,
    is_taken: impl Fn(&Event) -> bool,
) -> Result<Settled, IllegalEvent> {
    let mut state = rotation.clone();
    let mut events = Vec::new();
    let seen = observation.servers.len().max(observation.served.len());
    let looked_at = seen.saturating_add(observation.addresses.len().saturating_mul(2));
    let most = MOST.saturating_add(looked_at.saturating_mul(2));
    loop {
        let policy = policy(&state);
        let decision = decide(&state, now, observation, &policy);
        match &decision.event {
            Some(event) if events.len() < most && is_taken(event) => {
                state.follow(now, event)?;
                events.push(event.clone());
            }
            _ => {
                for fact in &decision.remembered {
                    state.follow(now, fact)?;
                    events.push(fact.clone());
                }
                return Ok(Settled {
                    events,
                    state,
                    decision,
                    policy,
                });
            }
        }
    }
}
