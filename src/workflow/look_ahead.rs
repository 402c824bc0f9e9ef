//! One look for many rotations: the servers of a zone are asked once for the names of all of them, the hosts of some
//! rotations at a time.
//!
//! A server or host that does not answer holds up the rotations that depend on it and no other.

use super::at_rest::at_rest;
use super::known::Known;
use super::look::{Sight, View};
use super::zone_look::{Asked, Question, zone_name};
use crate::dnssec::share::in_blocks;
use crate::rotation::decide::{Action, decide};
use crate::rotation::gate;
use crate::rotation::observation::Observation;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant as Tick};

/// How many zones, and then how many rotations, are looked at at the same time.
const AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// For so long what was seen ahead is taken for the present where something follows from it: no longer than a look at
/// one rotation may take by itself.
const FRESH: Duration = Duration::from_secs(60);

/// What was seen for a rotation.
pub(super) struct Seen {
    /// The rotation as it stood.
    of: Rotation,
    sight: Sight,
    /// When the looking began.
    began: Tick,
}

impl Seen {
    /// What was seen, if it still counts at `at`: the rotation stands where it stood, and the sight is fresh, or nothing
    /// follows from it anyway. A fleet may take minutes, in which a server can go back.
    pub(super) fn still(
        self,
        state: &Rotation,
        now: Instant,
        policy: &Policy,
        at: Tick,
    ) -> Option<Sight> {
        if self.of != *state {
            return None;
        }
        let is_fresh = at.saturating_duration_since(self.began) <= FRESH;
        let follows = || {
            let decision = decide(state, now, &self.sight.observation, policy);
            let relies = |deed| relies(state, &self.sight.observation, deed);
            decision.event.is_some() || decision.actions.iter().any(relies)
        };
        (is_fresh || !follows()).then_some(self.sight)
    }
}

impl Seen {
    /// Just now.
    pub(super) fn now(of: Rotation, sight: Sight, began: Tick) -> Self {
        Self { of, sight, began }
    }

    /// When the looking began.
    pub(super) fn began(&self) -> Tick {
        self.began
    }

    /// What was seen, if the rotation stands where it stood.
    pub(super) fn observation_of(&self, state: &Rotation) -> Option<&Observation> {
        (self.of == *state).then_some(&self.sight.observation)
    }

    /// Whether the rotation stands where it stood.
    pub(super) fn is_of(&self, state: &Rotation) -> bool {
        self.of == *state
    }

    /// What was seen, if the rotation stands where it stood and the sight is fresh at `at`.
    pub(super) fn fresh(&self, state: &Rotation, at: Tick) -> Option<&Sight> {
        let is_fresh = at.saturating_duration_since(self.began) <= FRESH;
        (is_fresh && self.of == *state).then_some(&self.sight)
    }
}

/// Whether a deed is right only as long as the world is as it was seen. Records are added to a zone whatever is seen.
fn relies(state: &Rotation, observation: &Observation, deed: &Action) -> bool {
    match deed {
        Action::Deploy(_) | Action::RollBack(_) => true,
        Action::ChangeZone(requirement) => match state.step {
            Step::Retiring | Step::Replacing | Step::Withdrawing => true,
            // The first record of a name is one as well, until it is there.
            Step::Prepublishing => !gate::merged(state, observation, requirement).is_empty(),
            _ => false,
        },
        Action::AdmitKey | Action::ComputeAssociations => false,
    }
}

/// What is seen for the certificates named, each with its rotation as it stood; nothing for one alone, which is looked at
/// when its turn comes.
pub(super) fn look_ahead(known: &mut Known<'_>, names: &[String]) -> BTreeMap<String, Seen> {
    if names.len() < 2 {
        return BTreeMap::new();
    }
    let (workspace, now) = (known.workspace, known.now);
    let mut views = Vec::new();
    for name in names {
        // What cannot be read is said when its turn comes.
        let rotation = known.rotation(name).map(|(_, rotation)| rotation.clone());
        let certificate = workspace.config.certificate(name);
        let view = certificate.and_then(|certificate| {
            let at_rest = |heads| at_rest(heads, certificate, None, now);
            let rotation = rotation.or_else(|| at_rest(&mut known.heads))?;
            let view = View::of(&mut known.heads, certificate, rotation, now);
            Some((name.clone(), view))
        });
        views.extend(view);
    }
    let began = Tick::now();
    let asked = ask(&questions(&views), now);
    let seen = in_blocks(&views, 1, AT_ONCE, || {
        |block: &[(String, View<'_>)]| {
            let sight = |(name, view): &(String, View<'_>)| {
                let sight = view.look_at_hosts(share_of(view, &asked));
                let of = view.rotation.clone();
                (name.clone(), Seen { of, sight, began })
            };
            block.iter().map(sight).collect::<Vec<_>>()
        }
    });
    seen.into_iter().flatten().collect()
}

/// The zones of all views, each once.
fn questions<'w>(views: &[(String, View<'w>)]) -> Vec<Question<'w>> {
    let mut questions: BTreeMap<&Name, Question<'w>> = BTreeMap::new();
    for question in views.iter().flat_map(|(_, view)| view.questions()) {
        match questions.entry(&question.zone.name) {
            Entry::Vacant(place) => drop(place.insert(question)),
            Entry::Occupied(mut first) => first.get_mut().add(question),
        }
    }
    questions.into_values().collect()
}

/// What was seen of each zone.
fn ask(questions: &[Question<'_>], now: Instant) -> BTreeMap<Name, Asked> {
    let asked = in_blocks(questions, 1, AT_ONCE, || {
        |block: &[Question<'_>]| {
            let asked = |question: &Question<'_>| {
                let asked = crate::observe::wait_for(question.ask(now)).ok()?;
                Some((question.zone.name.clone(), asked))
            };
            block.iter().filter_map(asked).collect::<Vec<_>>()
        }
    });
    asked.into_iter().flatten().collect()
}

/// What of it one rotation depends on. Names of which nothing is known are missing, and are taken for unknown.
fn share_of(view: &View<'_>, asked: &BTreeMap<Name, Asked>) -> Asked {
    let mut share = Asked::default();
    for place in &view.places {
        let Some(asked) = asked.get(&place.zone.name) else {
            continue;
        };
        let mut of_place = Asked {
            notes: asked.notes.clone(),
            ..Asked::default()
        };
        let zone = zone_name(place.zone);
        let serials = asked.serials.get_key_value(&zone).into_iter();
        of_place
            .serials
            .extend(serials.map(|(k, v)| (k.clone(), v.clone())));
        let denied = asked.denied.get_key_value(&zone).into_iter();
        of_place
            .denied
            .extend(denied.map(|(k, v)| (k.clone(), v.clone())));
        let servers = asked.servers.get_key_value(&zone).into_iter();
        of_place
            .servers
            .extend(servers.map(|(k, v)| (k.clone(), v.clone())));
        for (host, _) in place.hosts_at_home() {
            let seen = asked.hosts.get(&host).cloned();
            of_place.hosts.extend(seen.map(|seen| (host, seen)));
        }
        for (name, _) in &place.names {
            let tlsa = asked.served.tlsa.get(name).cloned();
            let aliases = asked.served.aliases.get(name).cloned();
            let served = &mut of_place.served;
            served.tlsa.extend(tlsa.map(|seen| (name.clone(), seen)));
            served
                .aliases
                .extend(aliases.map(|seen| (name.clone(), seen)));
        }
        share.add(of_place);
    }
    share
}

#[cfg(test)]
#[path = "look_ahead_tests.rs"]
mod tests;
