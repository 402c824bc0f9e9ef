//! Facts that were recorded by a clock that was not right: which of them count for nothing, and which count with another time.
//!
//! What was seen at a time, and what a wait led to, is set aside, so that it is waited for anew. What rests on no time (keys,
//! a person's words, what makes a rotation more careful) counts from now on.

use super::event::Event;
use super::step::{Rotation, apply};
use super::timing::{Instant, Span};
use super::wait::opens_too_soon;
use std::collections::{BTreeMap, BTreeSet};

/// A fact as it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Instant,
    /// The number of its rotation.
    pub rotation: u32,
    /// The fact.
    pub event: &'a Event,
}

/// Facts whose time is known to be too early, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooEarly {
    /// From this time on,
    pub from: Instant,
    /// and before this one.
    pub before: Instant,
    /// By so much.
    pub by: Span,
}

/// What becomes of the facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Those that count for nothing.
    pub set_aside: BTreeSet<u64>,
    /// Those that count with another time.
    pub redated: BTreeMap<u64, Instant>,
}

impl Repair {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.set_aside.is_empty() && self.redated.is_empty()
    }

    /// As the fact that a person said that the clock is right.
    pub fn into_event(self) -> Event {
        Event::ClockRepaired {
            set_aside: self.set_aside,
            redated: self.redated,
        }
    }
}

/// What is to become of `facts`, the oldest first, where it is `now`.
pub fn repair(facts: &[Recorded<'_>], now: Instant, early: Option<TooEarly>) -> Repair {
    // Once is enough: a repair that was killed before its end is done again.
    let is_moved = |fact: &Recorded<'_>, early: TooEarly| {
        matches!(fact.event, Event::ClockRepaired { .. }) && fact.at >= early.before
    };
    let early = early.filter(|early| !facts.iter().any(|fact| is_moved(fact, *early)));
    let mut done = Repair::default();
    let mut state: Option<(u32, Rotation)> = None;
    for fact in facts {
        let at = if fact.at > now {
            outlasts_its_time(fact.event).then_some(now)
        } else {
            Some(moved(fact.at, early).min(now))
        };
        let mut event = fact.event.clone();
        let after = at.and_then(|at| {
            event.move_times(fact.at, at);
            // What stays as it was recorded was judged then.
            let is_moved = !done.is_empty() || at != fact.at;
            if is_moved && is_too_soon(state.as_ref(), fact.rotation, at, &event) {
                return None;
            }
            follow(state.as_ref(), fact.rotation, at, &event)
        });
        // An earlier repair leaves nothing in a state.
        let fits = after.is_some() || matches!(fact.event, Event::ClockRepaired { .. });
        state = after.map(|after| (fact.rotation, after)).or(state);
        match at.filter(|_| fits) {
            Some(at) if at != fact.at => drop(done.redated.insert(fact.seq, at)),
            Some(_) => {}
            None => drop(done.set_aside.insert(fact.seq)),
        }
    }
    done
}

fn moved(at: Instant, early: Option<TooEarly>) -> Instant {
    match early {
        Some(early) if early.from <= at && at < early.before => at + early.by,
        _ => at,
    }
}

/// The state after a fact; none where it cannot follow what is left before it.
fn follow(
    state: Option<&(u32, Rotation)>,
    rotation: u32,
    at: Instant,
    event: &Event,
) -> Option<Rotation> {
    let before = match state {
        Some((number, state)) if *number == rotation => Some(state),
        Some((_, earlier)) if !earlier.is_over() => return None,
        _ => None,
    };
    apply(before, at, event).ok()
}

/// Whether a fact follows from a wait that turns out to have been too short.
fn is_too_soon(state: Option<&(u32, Rotation)>, rotation: u32, at: Instant, event: &Event) -> bool {
    state.is_some_and(|(number, state)| {
        *number == rotation && opens_too_soon(state, at, event).is_some()
    })
}

/// Whether a fact is one whenever it was recorded.
fn outlasts_its_time(event: &Event) -> bool {
    event.is_a_persons_word()
        || matches!(
            event,
            Event::Started { .. }
                | Event::KeyAdmitted { .. }
                | Event::AssociationsComputed { .. }
                | Event::SurroundingsFound { .. }
                | Event::PrepublishDecided
                | Event::HostsJoined { .. }
                // What makes it more careful.
                | Event::HigherTtlSeen { .. }
                | Event::SignatureSeen { .. }
                | Event::SeveralKeysSeen { .. }
                | Event::ServersSeen { .. }
                | Event::ServersHadLeft { .. }
                | Event::AddressesSeen { .. }
                | Event::AddressesHadLeft { .. }
                | Event::StraysAnswered { .. }
        )
}

/// What may have been done in the name of a fact, where anything was.
pub fn done_in_its_name(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::PrepublishServed { .. } => "the wait for caches began",
        Event::SwapOpened | Event::JoinOpened { .. } => {
            "the next key was let go: hosts may present it, and `deploy` may have been run"
        }
        Event::HostsPresentedIncoming => "the soak began",
        Event::SoakPassed => "the soak was over",
        Event::RetireDecided => {
            "the removal of the old records was proposed, and may have been merged and signed"
        }
        Event::RetireServed | Event::ReplacementVerified => {
            "the rotation was over: its branches may be gone, and the old private key after policy keep_retired_keys"
        }
        Event::WithdrawalDecided => {
            "the removal of the next records was proposed, and may have been merged and signed"
        }
        Event::WithdrawalServed => "the rotation was over, given up",
        Event::ReinstatementServed { .. } => "the wait for the old records began",
        Event::ReturnOpened => "hosts were asked to go back to the old key",
        Event::ReplacementServed { .. } => "the wait of the emergency began",
        Event::JoinServed { .. } => "the wait of a host that joined began",
        _ => return None,
    })
}
