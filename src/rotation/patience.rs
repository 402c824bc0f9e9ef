//! How long others may keep a rotation waiting before a person is asked to look: a secondary that never loads a zone does
//! not come right by itself.

use super::blocker::{Blocker, Who};
use super::event::Event;
use super::policy::Policy;
use super::step::Rotation;
use super::timing::{Instant, Span};
use super::witness::Objection;
use serde::{Deserialize, Serialize};

/// What others keep a rotation waiting with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// A server has not loaded what was handed to it.
    Load,
    /// A server does not answer, or not with anything that proves something.
    Server,
    /// A host does not answer.
    Host,
    /// What a policy of a mail domain says does not arrive.
    Policy,
}

/// Something that a rotation waits for and nobody here can bring about: what the journal remembers of such a reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// What is waited for.
    pub what: Awaited,
    /// Where: a name on a server, a host with its address, a mail domain.
    pub place: String,
}

/// How long a delay is held on to before it is noted that it is over or another: one that comes and goes is one delay, and a
/// fact an hour, not one at each look.
const SETTLES: Span = Span::hours(1);

/// What is worth remembering of a wait for others: which it is, or that it is over. A change of step ends it by itself.
pub fn fact(rotation: &Rotation, now: Instant, blockers: &[Blocker]) -> Option<Event> {
    let mut waits = delays(blockers).map(|(delay, _)| delay);
    match &rotation.delay {
        None => waits
            .next()
            .map(|first| Event::DelaySeen { by: Some(first) }),
        Some((known, since)) => {
            let waits: Vec<Delay> = waits.collect();
            let is_another = !waits.contains(known) && now.since(*since) >= SETTLES;
            is_another.then(|| Event::DelaySeen {
                by: waits.into_iter().next(),
            })
        }
    }
}

/// The reason for a person to look, once the same delay has lasted for longer than policy `patience`.
pub fn at_its_end(
    rotation: &Rotation,
    now: Instant,
    policy: &Policy,
    blockers: &[Blocker],
) -> Option<Blocker> {
    let (known, since) = rotation.delay.as_ref()?;
    let (_, blocker) = delays(blockers).find(|(delay, _)| delay == known)?;
    let lasted = now.since(*since);
    (lasted > policy.patience).then(|| Blocker::OthersTakeLong {
        since: *since,
        lasted,
        first: Box::new(blocker.clone()),
    })
}

/// What others keep a rotation waiting with, if nobody here has anything to do: while a person has not merged, no server can
/// serve.
fn delays(blockers: &[Blocker]) -> impl Iterator<Item = (Delay, &Blocker)> {
    let is_ours = blockers.iter().any(|one| one.who() == Who::You);
    let others = blockers.iter().filter(move |_| !is_ours);
    others.filter_map(|blocker| Some((delay(blocker)?, blocker)))
}

/// Hosts that wait for their turn are no delay: it is told about where the turn is.
fn delay(blocker: &Blocker) -> Option<Delay> {
    let (what, place) = match blocker {
        Blocker::NotServed {
            name, authority, ..
        } => (Awaited::Load, format!("{name} on {authority}")),
        Blocker::ServerUnknown {
            name, authority, ..
        } => (Awaited::Server, format!("{name} on {authority}")),
        Blocker::ServersUnknown { zone, .. } => (Awaited::Server, zone.to_string()),
        Blocker::HostUnknown {
            endpoint, address, ..
        } => (Awaited::Host, format!("{endpoint} on {address}")),
        Blocker::Objected(Objection::WebUnknown { domain, .. }) => {
            (Awaited::Policy, domain.clone())
        }
        _ => return None,
    };
    Some(Delay { what, place })
}
