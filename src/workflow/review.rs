//! What waits for a person: all that a run proposes, each branch in one commit, and all branches in one push.
//!
//! What a branch holds of other rotations stays in it as long as it is their present step (`review_bundle`).

use super::WorkflowError;
use super::former;
use super::head;
use super::known::Known;
use super::propose::{Context, Proposed};
use super::review_bundle::{Bundle, Made};
use super::upstream::Upstream;
use super::{refused, shared};
use crate::change::message::Purpose;
use crate::publish::git::{Built, GitError, Repository, Site, Standing};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeMap;

/// How often a run builds its proposals again after somebody else was faster; then it leaves them to the next run.
const MOST_ATTEMPTS: usize = 3;

/// What one rotation wants changed.
#[derive(Clone)]
pub(super) struct Wish {
    /// The rotation's name.
    pub(super) id: RotationId,
    /// Its state.
    pub(super) state: Rotation,
    /// Its policy.
    pub(super) policy: Policy,
    /// What its step requires.
    pub(super) requirement: Requirement,
    /// Where its journal stands.
    pub(super) journal: Option<String>,
}

/// What a run wants reviewed.
#[derive(Default)]
pub(super) struct Reviews {
    wishes: BTreeMap<RotationId, Wish>,
    /// The steps that are not to stand on a branch any more, with the rotations as they are.
    pub(super) outdated: BTreeMap<String, Rotation>,
}

/// What became of a proposal, for one certificate.
pub(super) type Told = (String, Result<Proposed, WorkflowError>);

impl Reviews {
    /// A rotation wants this.
    pub(super) fn want(&mut self, context: &Context<'_>, requirement: &Requirement) {
        let wish = Wish {
            id: context.id.clone(),
            state: context.state.clone(),
            policy: *context.policy,
            requirement: requirement.clone(),
            journal: context.journal.map(str::to_owned),
        };
        self.wishes.insert(wish.id.clone(), wish);
    }

    /// It wants nothing, as far as is known yet.
    pub(super) fn begin(&mut self, id: &RotationId) {
        self.wishes.remove(id);
    }

    /// These steps of a rotation are not to stand on a branch any more.
    pub(super) fn take_back(&mut self, (id, state): (&RotationId, &Rotation), steps: &[Purpose]) {
        let steps = steps.iter().map(|purpose| format!("{id}/{purpose}"));
        self.outdated
            .extend(steps.map(|step| (step, state.clone())));
    }
}

impl Wish {
    /// What a proposal of it is made for.
    pub(super) fn context<'a>(&'a self, workspace: &'a Workspace) -> Context<'a> {
        Context {
            workspace,
            id: &self.id,
            state: &self.state,
            policy: &self.policy,
            journal: self.journal.as_deref(),
        }
    }

    /// The step, as commits name it.
    pub(super) fn step(&self) -> String {
        format!("{}/{}", self.id, self.purpose())
    }

    /// What the step is for.
    pub(super) fn purpose(&self) -> Purpose {
        Purpose::of(self.state.step).unwrap_or(Purpose::Publish)
    }
}

/// Brings every branch to hold what the run wants reviewed; what became of it, for each certificate.
pub(super) fn flush(known: &mut Known<'_>, lock: &WorkspaceLock) -> Vec<Told> {
    let reviews = std::mem::take(&mut known.heads.reviews);
    if reviews.wishes.is_empty() && reviews.outdated.is_empty() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for attempt in 1..=MOST_ATTEMPTS {
        told = flush_once(known, lock, &reviews);
        let is_overtaken = |one: &Told| matches!(&one.1, Err(error) if error.is_overtaken());
        if attempt == MOST_ATTEMPTS || !told.iter().any(is_overtaken) {
            break;
        }
        if let Err(error) = shared::synchronise(known.workspace, lock, known.now) {
            let first = reviews.wishes.keys().next();
            let certificate = first.map(|id| id.certificate.to_string());
            told.push((certificate.unwrap_or_default(), Err(error)));
            break;
        }
        known.forget();
    }
    told
}

fn flush_once(known: &mut Known<'_>, lock: &WorkspaceLock, reviews: &Reviews) -> Vec<Told> {
    let mut told = Vec::new();
    let bundles = match bundles(known, reviews) {
        Ok(bundles) => bundles,
        Err(error) => {
            fail(&mut told, reviews.wishes.keys().cloned(), error);
            return told;
        }
    };
    let mut standing = Vec::new();
    let mut built = Vec::new();
    for mut bundle in bundles {
        let made = stands_there(&bundle.upstream, &mut standing).and_then(|there| {
            let there = there.get(&bundle.branch);
            bundle.build(known, lock, (there, reviews), &mut told)
        });
        match made {
            Ok(Made::Built(one, of_it)) => built.push((bundle, one, of_it)),
            Ok(Made::Told(of_it)) => told.extend(of_it),
            Err(error) => fail(
                &mut told,
                bundle.wishes.into_iter().map(|one| one.id),
                error,
            ),
        }
    }
    put((known.workspace, known.now), built, &mut told);
    told.extend(former::take_down(known, &standing));
    told
}

/// Puts what was built on its branches: at once for each place. Where that is refused, one branch may be why: then each is
/// put by itself.
fn put(
    (workspace, now): (&Workspace, Instant),
    built: Vec<(Bundle<'_>, Built, Vec<Told>)>,
    told: &mut Vec<Told>,
) {
    let mut places: Vec<(Upstream, Vec<Built>)> = Vec::new();
    for (bundle, one, _) in &built {
        match places
            .iter_mut()
            .find(|(place, _)| *place == bundle.upstream)
        {
            Some((_, all)) => all.push(one.clone()),
            None => places.push((bundle.upstream.clone(), vec![one.clone()])),
        }
    }
    let at_once =
        |(place, all): &(Upstream, Vec<Built>)| put_all(&place.repository, place.site(), all);
    let mut done: Vec<Option<Result<(), GitError>>> =
        places.iter().map(at_once).map(Some).collect();
    for (bundle, one, of_it) in built {
        let at = places
            .iter()
            .position(|(place, _)| *place == bundle.upstream);
        let is_alone = at
            .and_then(|at| places.get(at))
            .is_some_and(|(_, all)| all.len() == 1);
        let outcome = match at.and_then(|at| done.get_mut(at)) {
            Some(outcome) if is_alone => outcome.take().unwrap_or(Ok(())),
            Some(Some(Ok(()))) => Ok(()),
            _ => put_all(&bundle.upstream.repository, bundle.upstream.site(), &[one]),
        };
        match outcome {
            Ok(()) => {
                let places = ["refs/heads", "refs/tlsa-rotate"];
                let places = places.map(|place| format!("{place}/{}", bundle.branch));
                refused::mended(workspace, places.iter().map(String::as_str));
                told.extend(of_it);
            }
            Err(error) => {
                let error = WorkflowError::from(error);
                refused::note(workspace, &error, now);
                let ids = bundle.wishes.into_iter().map(|wish| wish.id);
                fail(told, ids, error);
            }
        }
    }
}

fn put_all(repository: &Repository, site: Site<'_>, built: &[Built]) -> Result<(), GitError> {
    repository.put(site, built)
}

/// Tells of an error: whose it is in full, and to the others of the branch that they wait with it.
fn fail(told: &mut Vec<Told>, ids: impl IntoIterator<Item = RotationId>, error: WorkflowError) {
    let mut ids = ids.into_iter();
    let Some(first) = ids.next() else { return };
    let others: Vec<Told> = ids
        .map(|id| {
            let note = format!("{id} is not proposed yet, as {first}: {error}");
            (id.certificate.to_string(), Ok(Proposed::Standing(note)))
        })
        .collect();
    told.push((first.certificate.to_string(), Err(error)));
    told.extend(others);
}

/// What stands on the branches of a place, asked once.
fn stands_there<'s>(
    upstream: &Upstream,
    known: &'s mut Vec<(Upstream, BTreeMap<String, Standing>)>,
) -> Result<&'s BTreeMap<String, Standing>, WorkflowError> {
    static NONE: BTreeMap<String, Standing> = BTreeMap::new();
    if !known.iter().any(|(place, _)| place == upstream) {
        let there = upstream.repository.standing(upstream.site())?;
        known.push((upstream.clone(), there));
    }
    let mut known = known.iter();
    let found = known.find(|(place, _)| place == upstream);
    Ok(found.map_or(&NONE, |(_, there)| there))
}

/// What goes to which branch.
fn bundles<'w>(known: &mut Known<'w>, reviews: &Reviews) -> Result<Vec<Bundle<'w>>, WorkflowError> {
    let mut bundles: Vec<Bundle<'w>> = Vec::new();
    let workspace = known.workspace;
    let wishes = reviews.wishes.values();
    let wishes = wishes.map(|wish| (wish.id.to_string(), &wish.state, Some(wish)));
    let outdated = reviews.outdated.iter().map(|(step, state)| {
        let id = step.split_once('/').map_or(&**step, |(id, _)| id);
        (id.to_owned(), state, None)
    });
    for (id, state, wish) in wishes.chain(outdated) {
        for zone in head::zones_of(workspace, state.names()) {
            let Some(branch) = zone.publication.branch(&id, &zone.name) else {
                continue;
            };
            let upstream = known.heads.upstream(zone)?;
            let same = |one: &Bundle<'_>| one.branch == branch && one.upstream == upstream;
            let at = bundles.iter().position(same).unwrap_or_else(|| {
                bundles.push(Bundle::of(upstream, branch));
                bundles.len().saturating_sub(1)
            });
            let Some(bundle) = bundles.get_mut(at) else {
                continue;
            };
            bundle.reach(zone);
            if let Some(wish) = wish
                && bundle.wishes.last().map(|last| &last.id) != Some(&wish.id)
            {
                bundle.wishes.push(wish.clone());
            }
        }
    }
    Ok(bundles)
}
