//! What goes to one branch: the changes of one rotation, or of all that are due in a zone or at all, in one commit.
//!
//! A proposal whose merge comes to what would be proposed now is left standing: neither a run every minute nor the merge of
//! another one makes it anew, and whoever has read it need not read it again.

use super::WorkflowError;
use super::case::Case;
use super::deleted;
use super::describe::{applies, review_files, subject};
use super::draft::{self, Draft, names_in, zone_files};
use super::head;
use super::known::Known;
use super::propose::{Context, Proposed, day};
use super::review::{Reviews, Told, Wish};
use super::upstream::Upstream;
use crate::change::message::{Purpose, message};
use crate::change::table;
use crate::publish::git::{
    Built, Change as FileChange, GitError, Merged, Message, Outcome, Review, Standing,
};
use crate::rotation::step::{Requirement, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::config::ZoneConfig;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeSet;

/// What goes to one branch.
pub(super) struct Bundle<'w> {
    /// Where the branch is.
    pub(super) upstream: Upstream,
    /// Its name.
    pub(super) branch: String,
    /// The zones that change on it.
    zones: Vec<&'w ZoneConfig>,
    /// What rotations want of them.
    pub(super) wishes: Vec<Wish>,
}

/// The edits of a bundle.
struct Edits<'w> {
    /// One for each zone.
    zones: Vec<Draft<'w>>,
    /// What each rotation would change in a zone by itself, with its place among the wishes.
    own: Vec<(usize, Draft<'w>)>,
}

/// What became of it, with what is to be told once it is there.
pub(super) enum Made {
    /// A proposal that is to be put on its branch.
    Built(Built, Vec<Told>),
    /// Nothing is to be done.
    Told(Vec<Told>),
}

impl<'w> Bundle<'w> {
    /// Nothing yet.
    pub(super) fn of(upstream: Upstream, branch: String) -> Self {
        Self {
            upstream,
            branch,
            zones: Vec::new(),
            wishes: Vec::new(),
        }
    }

    /// Its changes reach into this zone.
    pub(super) fn reach(&mut self, zone: &'w ZoneConfig) {
        if !self.zones.iter().any(|one| one.name == zone.name) {
            self.zones.push(zone);
        }
    }

    /// Takes in what the branch holds of rotations that this run has nothing new of, as far as it is their present step.
    fn keep_others(
        &mut self,
        known: &mut Known<'w>,
        there: &Standing,
        reviews: &Reviews,
    ) -> Result<(), WorkflowError> {
        let workspace = known.workspace;
        for step in &there.steps {
            let Some((id, purpose)) = step.rsplit_once('/') else {
                continue;
            };
            let is_known = self.wishes.iter().any(|wish| wish.id.to_string() == id);
            let Ok(id) = id.parse::<RotationId>() else {
                continue;
            };
            if is_known || reviews.outdated.contains_key(step) {
                continue;
            }
            let Some((latest, state)) = known.rotation(&id.certificate) else {
                continue;
            };
            let present = Purpose::of(state.step).map(|present| present.to_string());
            if *latest != id || present.as_deref() != Some(purpose) {
                continue;
            }
            let state = state.clone();
            let case = Case::open(workspace, &id.certificate, known.now)?;
            for zone in head::zones_of(workspace, state.names()) {
                if zone.publication.branch("", &zone.name).as_ref() == Some(&self.branch) {
                    self.reach(zone);
                }
            }
            self.wishes.push(Wish {
                requirement: state.requirement(),
                policy: case.certificate.policy,
                journal: case.stand(),
                state,
                id,
            });
        }
        self.wishes.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(())
    }

    /// The edits that it comes to. A rotation whose edit cannot be made is told, and holds up no other.
    fn edits(
        &mut self,
        known: &mut Known<'w>,
        base: &str,
        told: &mut Vec<Told>,
    ) -> Result<Edits<'w>, WorkflowError> {
        let workspace = known.workspace;
        let mut heads = Vec::new();
        for zone in &self.zones {
            let read = known.heads.get_at(zone, &self.upstream, base.to_owned())?;
            heads.push((*zone, read));
        }
        let draft = |wish: &Wish, at: usize, day: Instant| {
            let (zone, head) = heads.get(at)?;
            let (state, requirement) = (&wish.state, &wish.requirement);
            draft::draft(workspace, state, zone, head.clone(), requirement, day).transpose()
        };
        // First, whose edits can be made at all.
        self.wishes.retain(|wish| {
            let day = day(&wish.state);
            let all = (0..heads.len()).filter_map(|at| draft(wish, at, day));
            match all.collect::<Result<Vec<_>, _>>() {
                Ok(edits) => !edits.is_empty(),
                Err(error) => {
                    told.push((wish.id.certificate.to_string(), Err(error)));
                    false
                }
            }
        });
        let mut edits = Edits {
            zones: Vec::new(),
            own: Vec::new(),
        };
        for (at, (zone, head)) in heads.iter().enumerate() {
            let of_zone = self.wishes.iter();
            let of_zone = of_zone.filter(|one| !names_in(workspace, zone, &one.state).is_empty());
            let wanted: Vec<(&Rotation, &Requirement)> =
                of_zone.map(|one| (&one.state, &one.requirement)).collect();
            let Some(day) = wanted.iter().map(|(state, _)| day(state)).max() else {
                continue;
            };
            edits.zones.extend(draft::together(
                workspace,
                zone,
                head.clone(),
                &wanted,
                day,
            )?);
            for (nth, wish) in self.wishes.iter().enumerate() {
                if let Some(own) = draft(wish, at, day) {
                    edits.own.push((nth, own?));
                }
            }
        }
        Ok(edits)
    }

    /// Builds what the branch shall hold, unless it holds it already.
    pub(super) fn build(
        &mut self,
        known: &mut Known<'w>,
        lock: &WorkspaceLock,
        (there, reviews): (Option<&Standing>, &Reviews),
        told: &mut Vec<Told>,
    ) -> Result<Made, WorkflowError> {
        let base = self.upstream.tip()?;
        if let Some(there) = there {
            self.keep_others(known, there, reviews)?;
        }
        let edits = self.edits(known, &base, told)?;
        if self.wishes.is_empty() {
            return self.take_back(there, (&base, reviews));
        }
        let (workspace, now) = (known.workspace, known.now);
        let contexts: Vec<Context<'_>> = self
            .wishes
            .iter()
            .map(|one| one.context(workspace))
            .collect();
        let mut files: Vec<FileChange> = edits.zones.iter().flat_map(zone_files).collect();
        for (context, own) in edits.of_each(&contexts) {
            let diff =
                draft::record_diff(workspace, &context.id.to_string(), context.purpose(), own)?;
            files.push(diff);
        }
        if let Some(there) = there
            && self.stands(there, (&files, &base), (&contexts, &edits), now)?
        {
            let wait = |what| format!("{what} waits for review on branch {}", self.branch);
            return Ok(Made::Told(tell(&contexts, &edits, |what| {
                Proposed::Standing(wait(what))
            })));
        }
        if let [context] = &*contexts {
            // A delta of the signed zone starts from what is served: of several only the first could be applied.
            let there: BTreeSet<_> = files.iter().map(|file| file.path.clone()).collect();
            for (_, own) in &edits.own {
                let more = review_files(lock, &context.origin(), own, now)?.into_iter();
                files.extend(more.filter(|file| !there.contains(&file.path)));
            }
        }
        let repository = &self.upstream.repository;
        for (of, path) in draft::reviewed(workspace, repository, &base)? {
            let is_later =
                |one: &Wish| one.id.certificate == of.certificate && of.number < one.id.number;
            if self.wishes.iter().any(is_later) {
                files.push(FileChange::gone(path));
            }
        }
        let review = self.propose((known, lock), &files, (&contexts, &edits), &base)?;
        let (outcome, built) = match review {
            Review::There(outcome) => (outcome, None),
            Review::Built(built) => (built.outcome.clone(), Some(built)),
        };
        let told = tell(&contexts, &edits, |what| {
            Proposed::ForReview(sentence(&outcome, &what, &self.branch))
        });
        Ok(match built {
            Some(built) => Made::Built(built, told),
            None => Made::Told(told),
        })
    }

    /// Makes the commit.
    fn propose(
        &self,
        (known, lock): (&Known<'_>, &WorkspaceLock),
        files: &[FileChange],
        (contexts, edits): (&[Context<'_>], &Edits<'_>),
        base: &str,
    ) -> Result<Review, WorkflowError> {
        let (workspace, repository) = (known.workspace, &self.upstream.repository);
        let site = self.upstream.site();
        let of_one = |nth: usize, context: &Context<'_>| {
            let drafts = edits.of(nth);
            (context.purpose(), drafts)
        };
        let mut subjects = Vec::new();
        for (nth, (context, wish)) in contexts.iter().zip(&self.wishes).enumerate() {
            let (purpose, drafts) = of_one(nth, context);
            subjects.push((purpose, subject(context, &wish.requirement, &drafts)));
        }
        let text = match &*subjects {
            [(purpose, subject)] => message(*purpose, subject),
            _ => table::message(&subjects),
        };
        let steps: Vec<String> = self.wishes.iter().map(Wish::step).collect();
        let journals = self.wishes.iter().map(|one| one.journal.as_deref());
        let journals: Option<Vec<&str>> = journals.collect();
        let journals = journals.map(|all| all.join(","));
        let message = Message {
            text: &text,
            step: &steps.join(","),
            journal: journals.as_deref(),
        };
        let scratch = workspace.state().join("worktree");
        let place = (&*self.branch, site);
        let propose = || repository.propose(files, message, place, base, &scratch);
        Ok(match propose() {
            Err(GitError::BranchDeleted { branch, .. })
                if deleted::let_go(workspace, lock, (repository, site), &branch, known.now)? =>
            {
                propose()?
            }
            review => review?,
        })
    }

    /// Whether the branch holds these steps as they would be proposed now, octet for octet, on this base or so that its merge
    /// comes to the same; and whether it can still be applied.
    fn stands(
        &self,
        there: &Standing,
        (files, base): (&[FileChange], &str),
        (contexts, edits): (&[Context<'_>], &Edits<'_>),
        now: Instant,
    ) -> Result<bool, WorkflowError> {
        let steps = self.wishes.iter().map(Wish::step);
        let [parent] = &*there.parents else {
            return Ok(false);
        };
        if !steps.eq(there.steps.iter().cloned()) {
            return Ok(false);
        }
        let repository = &self.upstream.repository;
        if parent != base && !self.comes_to(there, base, files)? {
            return Ok(false);
        }
        let all = files.iter().map(|file| (&*file.path, &*file.contents));
        if repository.holds_at(&there.commit, all)?.contains(&false) {
            return Ok(false);
        }
        for (context, own) in edits.of_each(contexts) {
            if own.zone.proposal_key.is_some()
                && !applies(&context.origin(), own, &there.commit, now)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the merge of a proposal of ours, made on an older base, makes of this one what would be proposed now.
    fn comes_to(
        &self,
        there: &Standing,
        base: &str,
        files: &[FileChange],
    ) -> Result<bool, WorkflowError> {
        let repository = &self.upstream.repository;
        if !there.is_as_set {
            return Ok(false);
        }
        let Merged::Tree(tree) = repository.merged(base, &there.commit)? else {
            return Ok(false);
        };
        let all = files.iter().map(|file| (&*file.path, &*file.contents));
        Ok(!repository.holds_at(&tree, all)?.contains(&false))
    }

    /// Takes a proposal back that nothing is wanted of any more.
    fn take_back(
        &self,
        there: Option<&Standing>,
        (base, reviews): (&str, &Reviews),
    ) -> Result<Made, WorkflowError> {
        let mut told = Vec::new();
        let outdated = |step: &&String| reviews.outdated.contains_key(*step);
        let Some(step) = there.and_then(|there| there.steps.iter().find(outdated)) else {
            return Ok(Made::Told(told));
        };
        let steps = there.map(|there| there.steps.join(","));
        let (repository, site) = (&self.upstream.repository, self.upstream.site());
        let certificate = step
            .rsplit_once('.')
            .map_or("", |(certificate, _)| certificate);
        if repository.retract(&self.branch, &steps.unwrap_or_default(), base, site)? {
            let deed = format!(
                "deleted branch {}: {step} is not wanted any more",
                self.branch
            );
            told.push((certificate.to_owned(), Ok(Proposed::ForReview(deed))));
        }
        Ok(Made::Told(told))
    }
}

impl<'w> Edits<'w> {
    /// What one rotation would change, by its place among the wishes.
    fn of(&self, wish: usize) -> Vec<&Draft<'w>> {
        let own = self.own.iter().filter(|(nth, _)| *nth == wish);
        own.map(|(_, draft)| draft).collect()
    }

    /// The same for each, one zone at a time.
    fn of_each<'a>(
        &'a self,
        contexts: &'a [Context<'a>],
    ) -> impl Iterator<Item = (&'a Context<'a>, &'a Draft<'w>)> {
        let own = self.own.iter();
        own.filter_map(|(nth, draft)| Some((contexts.get(*nth)?, draft)))
    }
}

/// A sentence for each rotation.
fn tell(
    contexts: &[Context<'_>],
    edits: &Edits<'_>,
    how: impl Fn(String) -> Proposed,
) -> Vec<Told> {
    let each = contexts.iter().enumerate().map(|(nth, context)| {
        let what = context.what(&edits.of(nth));
        (context.id.certificate.to_string(), Ok(how(what)))
    });
    each.collect()
}

fn sentence(outcome: &Outcome, what: &str, branch: &str) -> String {
    match outcome {
        Outcome::Rebuilt { .. } => {
            format!("rebuilt {what} on branch {branch}: it was out of date")
        }
        Outcome::Repeated { .. } => format!(
            "proposed {what} again on branch {branch}: it was merged, and what it brought has been taken out since"
        ),
        Outcome::Committed { .. } | Outcome::Unchanged { .. } => {
            format!("committed {what} for review on branch {branch}")
        }
    }
}
