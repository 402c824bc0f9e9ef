//! One look for many rotations: the servers of a zone are asked once for the names of all of them, the hosts of some
//! rotations at a time.
//!
//! A server or host that does not answer holds up the rotations that depend on it and no other.

use super::head::Head;
use super::known::Known;
use super::look::{self, Sight, View};
use crate::dnssec::share::in_blocks;
use crate::observe::authorities::Served;
use crate::rotation::decide::{Action, decide};
use crate::rotation::observation::TlsaName;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::config::ZoneConfig;
use crate::zone::name::Name;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
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
            decision.event.is_some() || decision.actions.iter().any(|deed| relies(state.step, deed))
        };
        (is_fresh || !follows()).then_some(self.sight)
    }
}

/// Whether a deed is right only as long as the world is as it was seen. Records are added to a zone whatever is seen.
fn relies(step: Step, deed: &Action) -> bool {
    match deed {
        Action::Deploy(_) | Action::RollBack(_) => true,
        Action::ChangeZone(_) => matches!(step, Step::Retiring | Step::Withdrawing),
        Action::AdmitKey | Action::ComputeAssociations => false,
    }
}

/// What a zone's servers are asked for.
struct Question<'w> {
    zone: &'w ZoneConfig,
    head: Option<Arc<Head>>,
    names: BTreeMap<TlsaName, Name>,
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
        let both = workspace.config.certificate(name).zip(rotation);
        let view = both.map(|(certificate, rotation)| {
            let view = View::of(&mut known.heads, certificate, rotation);
            (name.clone(), view)
        });
        views.extend(view);
    }
    let began = Tick::now();
    let served = ask(&questions(&views), now);
    let seen = in_blocks(&views, 1, AT_ONCE, || {
        |block: &[(String, View<'_>)]| {
            let sight = |(name, view): &(String, View<'_>)| {
                let sight = view.look_at_hosts(share_of(view, &served), now);
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
    for place in views.iter().flat_map(|(_, view)| &view.places) {
        let question = questions.entry(&place.zone.name);
        let question = question.or_insert_with(|| Question {
            zone: place.zone,
            head: place.head.as_ref().ok().cloned(),
            names: BTreeMap::new(),
        });
        question.names.extend(place.names.iter().cloned());
    }
    questions.into_values().collect()
}

/// What the servers of each zone serve.
fn ask(questions: &[Question<'_>], now: Instant) -> BTreeMap<Name, Served> {
    let asked = in_blocks(questions, 1, AT_ONCE, || {
        |block: &[Question<'_>]| {
            let served = |question: &Question<'_>| {
                let names: Vec<(TlsaName, Name)> = question.names.clone().into_iter().collect();
                let head = question.head.as_deref();
                let served = look::served_in(question.zone, head, &names, now);
                let served = crate::observe::wait_for(served).ok()?;
                Some((question.zone.name.clone(), served))
            };
            block.iter().filter_map(served).collect::<Vec<_>>()
        }
    });
    asked.into_iter().flatten().collect()
}

/// What of it one rotation depends on. Names of which nothing is known are missing, and are taken for unknown.
fn share_of(view: &View<'_>, served: &BTreeMap<Name, Served>) -> Served {
    let mut share = Served::default();
    for place in &view.places {
        let Some(served) = served.get(&place.zone.name) else {
            continue;
        };
        for (name, _) in &place.names {
            let tlsa = served.tlsa.get_key_value(name);
            let aliases = served.aliases.get_key_value(name);
            share.tlsa.extend(tlsa.map(|(k, v)| (k.clone(), v.clone())));
            share
                .aliases
                .extend(aliases.map(|(k, v)| (k.clone(), v.clone())));
        }
    }
    share
}

#[cfg(test)]
#[path = "look_ahead_tests.rs"]
mod tests;
