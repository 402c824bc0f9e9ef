//! One certificate's rotation as the journal tells it: replayed, and grown one fact at a time.

use super::head::Heads;
use super::lost_journal::{self, in_git};
use super::replay::replay;
use super::traces::Traces;
use super::{WorkflowError, shared};
use crate::rotation::association::Association;
use crate::rotation::doubt::Doubt;
use crate::rotation::repair::Recorded;
use crate::rotation::step::{Event, Rotation, apply};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::clock::Jump;
use crate::workspace::config::CertificateConfig;
use crate::workspace::journal::{Entry, Journal, RotationId};
use crate::workspace::lock::WorkspaceLock;
use std::collections::BTreeSet;

/// A certificate with its journal and the rotation that the journal folds into.
pub(super) struct Case<'w> {
    /// The certificate as configured.
    pub(super) certificate: &'w CertificateConfig,
    /// The latest rotation and its state; `None` before the first.
    pub(super) rotation: Option<(RotationId, Rotation)>,
    /// The present.
    now: Instant,
    workspace: &'w Workspace,
    journal: Journal<Event>,
    /// The number of the last rotation that a person gave up with its journal.
    given_up: Option<u32>,
    /// Whether what is noted is kept with that of other certificates.
    is_deferred: bool,
}

/// Keys that a rotation took out of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retirement {
    /// The rotation's number.
    pub(super) number: u32,
    /// The keys.
    pub(super) keys: BTreeSet<Association>,
    /// When every server was seen without their records.
    pub(super) at: Instant,
    /// When the last signature over a record of theirs expires, as far as one was seen.
    pub(super) signed_until: Option<Instant>,
}

impl Retirement {
    /// Whether no signature can be replayed any more, and `keep` has passed since. Where none was ever seen, that is not known.
    pub(super) fn is_past(&self, now: Instant, keep: Span) -> bool {
        self.signed_until
            .is_some_and(|until| now >= until.max(self.at) + keep)
    }
}

impl<'w> Case<'w> {
    /// Replays the journal of the certificate named `name`. Facts that lie in the future are told ([`Self::doubt`]).
    pub(super) fn open(
        workspace: &'w Workspace,
        name: &str,
        now: Instant,
    ) -> Result<Self, WorkflowError> {
        let certificate = workspace.config.certificate(name).ok_or_else(|| {
            let known = workspace
                .config
                .certificates
                .iter()
                .map(|c| c.name.clone())
                .collect();
            WorkflowError::NoSuchCertificate {
                name: name.to_owned(),
                known,
            }
        })?;
        let mut journal = Journal::<Event>::read(&workspace.journal(name), name)?;
        // A clone in which nothing ever ran, as a pipeline has it, reads what the runners share.
        if journal.entries().is_empty()
            && !workspace.journals().exists()
            && let Some(theirs) = shared::fetched(workspace, name, now)?
        {
            journal = theirs;
        }
        let rotation = replay(&journal)?;
        Ok(Self {
            certificate,
            rotation,
            now,
            workspace,
            journal,
            given_up: None,
            is_deferred: false,
        })
    }

    /// The workspace that it is in.
    pub(super) fn workspace(&self) -> &'w Workspace {
        self.workspace
    }

    /// The facts that count, in the order in which they were recorded.
    pub(super) fn facts(&self) -> impl Iterator<Item = &Entry<Event>> {
        self.journal.entries().iter()
    }

    /// The facts that lie in the future, if any does: they were recorded by a clock that was ahead, or this one is behind.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        let times = self.facts().map(|fact| fact.at);
        let ahead: Vec<Instant> = times.filter(|at| *at > self.now).collect();
        Some(Doubt::FactsAhead {
            facts: ahead.len(),
            last: *ahead.iter().max()?,
            now: self.now,
        })
    }

    /// Whether any fact of the rotation under way was recorded by a clock before it was set.
    pub(super) fn has_facts_of(&self, jump: Jump) -> bool {
        let latest = self.rotation.as_ref().map(|(id, _)| id);
        let mut facts = self.facts().filter(|fact| Some(&fact.rotation) == latest);
        facts.any(|fact| jump.from <= fact.at && fact.at < jump.noticed)
    }

    /// The facts as they are judged where the clock was wrong.
    pub(super) fn recorded(&self) -> Vec<Recorded<'_>> {
        let recorded = self.facts().map(|fact| Recorded {
            seq: fact.seq,
            at: fact.at,
            rotation: fact.rotation.number,
            event: &fact.event,
        });
        recorded.collect()
    }

    /// Notes what becomes of facts that were recorded by a clock that was not right; it counts once it is kept.
    pub(super) fn repair(&mut self, now: Instant, event: Event) -> Result<(), WorkflowError> {
        let id = RotationId {
            certificate: self.certificate.name.as_str().into(),
            number: self.journal.latest(),
        };
        self.journal.add(now, &id, event)?;
        self.rotation = replay(&self.journal)?;
        Ok(())
    }

    /// The rotation under way; `None` when there is none or it is over.
    pub(super) fn under_way(&self) -> Option<&(RotationId, Rotation)> {
        let latest = self.rotation.as_ref();
        latest.filter(|(_, state)| !state.is_over() && self.given_up.is_none())
    }

    /// What `find` finds in the journal, or else in its archive, which is read only then.
    fn search<T>(
        &self,
        find: impl Fn(&[Entry<Event>]) -> Option<T>,
    ) -> Result<Option<T>, WorkflowError> {
        match find(self.journal.entries()) {
            None => Ok(find(&self.journal.earlier()?)),
            found => Ok(found),
        }
    }

    /// Whether a key was in use, or meant to be, in any rotation so far: a key that came back would undo its retirement.
    pub(super) fn has_used(&self, key: &Association) -> Result<bool, WorkflowError> {
        let uses = |entry: &Entry<Event>| match &entry.event {
            Event::Started { current, .. } => current.contains(key),
            Event::AssociationsComputed { incoming } => {
                // A crash may repeat the step of the rotation under way with the key it already has.
                incoming.contains(key)
                    && self.under_way().is_none_or(|(id, _)| *id != entry.rotation)
            }
            _ => false,
        };
        let found = self.search(|entries| entries.iter().any(uses).then_some(()))?;
        Ok(found.is_some())
    }

    /// The rotation that retired a key, if one did.
    pub(super) fn retired(&self, key: &Association) -> Result<Option<RotationId>, WorkflowError> {
        self.search(|entries| gone(entries, key, Leaving::Retired))
    }

    /// The rotation in which a key was declared compromised, if one was: of this certificate.
    pub(super) fn compromised(
        &self,
        key: &Association,
    ) -> Result<Option<RotationId>, WorkflowError> {
        self.search(|entries| gone(entries, key, Leaving::Compromised))
    }

    /// The rotation of any certificate here that took the key out of use for good, and whether because it was compromised.
    pub(super) fn gone_for_good(
        &self,
        key: &Association,
    ) -> Result<Option<(RotationId, bool)>, WorkflowError> {
        if let Some(id) = self.compromised(key)? {
            return Ok(Some((id, true)));
        }
        if let Some(id) = self.retired(key)? {
            return Ok(Some((id, false)));
        }
        // Also those whose certificates the configuration names no more: what they took out of use stays out.
        let names = shared::names(self.workspace)?;
        for other in names.iter().filter(|name| **name != self.certificate.name) {
            let journal = Journal::<Event>::read(&self.workspace.journal(other), other)?;
            let earlier = journal.earlier()?;
            for (leaving, compromised) in [(Leaving::Compromised, true), (Leaving::Retired, false)]
            {
                let found = gone(journal.entries(), key, leaving);
                if let Some(id) = found.or_else(|| gone(&earlier, key, leaving)) {
                    return Ok(Some((id, compromised)));
                }
            }
        }
        Ok(None)
    }

    /// What every rotation in the journal retired, oldest first.
    pub(super) fn retirements(&self) -> Vec<Retirement> {
        let mut all = Vec::new();
        let mut of_one: Option<Retirement> = None;
        for entry in self.journal.entries() {
            match (&entry.event, &mut of_one) {
                (Event::Started { current, .. }, _) => {
                    of_one = Some(Retirement {
                        number: entry.rotation.number,
                        keys: current.clone(),
                        at: entry.at,
                        signed_until: None,
                    });
                }
                (Event::SignatureSeen { until }, Some(one)) => {
                    one.signed_until = one.signed_until.max(Some(*until));
                }
                (Event::RetireServed | Event::ReplacementVerified, Some(one)) => {
                    one.at = entry.at;
                    all.push(one.clone());
                }
                _ => {}
            }
        }
        all
    }

    /// When every host was last seen to present the incoming key, in the latest rotation.
    pub(super) fn swapped_at(&self) -> Option<Instant> {
        let (id, _) = self.rotation.as_ref()?;
        let swaps =
            self.journal.entries().iter().rev().filter(|entry| {
                entry.rotation == *id && entry.event == Event::HostsPresentedIncoming
            });
        swaps.map(|entry| entry.at).next()
    }

    /// Since when every host presents these keys, if an earlier rotation brought them.
    pub(super) fn presented_since(
        &self,
        keys: &BTreeSet<Association>,
    ) -> Result<Option<Instant>, WorkflowError> {
        let brought = |entry: &&Entry<Event>| matches!(&entry.event, Event::AssociationsComputed { incoming } if incoming == keys);
        let presented = self.search(|entries| {
            let id = &entries.iter().rev().find(brought)?.rotation;
            let mut of_it = entries.iter().rev().filter(|entry| entry.rotation == *id);
            let presented = of_it.find(|entry| {
                matches!(
                    entry.event,
                    Event::HostsPresentedIncoming | Event::ReplacementVerified
                )
            });
            // Where they were brought and never seen everywhere, no earlier rotation says more.
            Some(presented.map(|entry| entry.at))
        })?;
        Ok(presented.flatten())
    }

    /// The number of the first rotation whose lines are read in every run: that which brought the key in use, and all whose
    /// retired keys are not past `keep`. Those before it can be archived.
    pub(super) fn first_needed(&self, now: Instant, keep: Span) -> u32 {
        let latest = self.journal.latest();
        let retirements = self.retirements();
        let brought = retirements.last().map_or(latest, |last| last.number);
        let kept = retirements.iter().filter(|one| !one.is_past(now, keep));
        let kept = kept.map(|one| one.number).min();
        kept.unwrap_or(latest).min(brought).min(latest)
    }

    /// The journal, to be archived.
    pub(super) fn journal(&mut self) -> &mut Journal<Event> {
        &mut self.journal
    }

    /// Refuses to go on by a journal that is lost, or older than what git knows: what was waited for since is not known.
    pub(super) fn is_whole(&self, heads: &mut Heads<'_>) -> Result<(), WorkflowError> {
        if self.given_up.is_some() {
            return Ok(());
        }
        let known = heads.in_git()?.get(&self.certificate.name);
        lost_journal::is_whole(self.workspace, &self.journal, known)?;
        if self.journal.latest() > 0 {
            return Ok(());
        }
        let name = &self.certificate.name;
        heads.traces()?.none_of(self.workspace, name)
    }

    /// A person says that what the journal lacks is lost for good: what is under way is given up as it stands, and the next
    /// rotation has a number of its own.
    pub(super) fn give_up_lost(&mut self) -> Result<(), WorkflowError> {
        let (mut in_git, _) = in_git(self.workspace)?;
        let known = in_git.remove(&self.certificate.name);
        if lost_journal::is_whole(self.workspace, &self.journal, known.as_ref()).is_err() {
            self.given_up = known.map(|known| known.id.number);
        } else if self.journal.latest() == 0 {
            let (name, traces) = (&self.certificate.name, Traces::of(self.workspace)?);
            let is_lost = traces.none_of(self.workspace, name).is_err();
            self.given_up = is_lost.then(|| traces.last(self.workspace, name));
        }
        Ok(())
    }

    /// Where the journal stands, as commits say it.
    pub(super) fn stand(&self) -> Option<String> {
        Some(self.journal.stand()?.to_string())
    }

    /// The name of the rotation that would be started next.
    pub(super) fn next_id(&self) -> RotationId {
        let last = self.journal.latest().max(self.given_up.unwrap_or(0));
        RotationId {
            certificate: self.certificate.name.as_str().into(),
            number: last.saturating_add(1),
        }
    }

    /// What a killed run left at the journal's end, if anything; it is mended by the next fact.
    pub(super) fn torn_end(&self) -> Option<String> {
        let torn = self.journal.torn()?;
        Some(format!("{}: {torn}", self.journal.path().display()))
    }

    /// Begins a rotation; it counts once it is kept.
    pub(super) fn begin(&mut self, now: Instant, event: Event) -> Result<(), WorkflowError> {
        let id = self.next_id();
        let state = apply(None, now, &event).map_err(WorkflowError::Illegal)?;
        self.journal.add(now, &id, event)?;
        self.rotation = Some((id, state));
        Ok(())
    }

    /// Notes a fact about the rotation under way; it counts once it is kept.
    pub(super) fn note(&mut self, now: Instant, event: Event) -> Result<(), WorkflowError> {
        let Some((id, state)) = &self.rotation else {
            return Err(WorkflowError::NothingUnderWay {
                name: self.certificate.name.clone(),
            });
        };
        let after = apply(Some(state), now, &event).map_err(WorkflowError::Illegal)?;
        let id = id.clone();
        self.journal.add(now, &id, event)?;
        self.rotation = Some((id, after));
        Ok(())
    }

    /// Notes those of these facts that can be in the step which is reached.
    pub(super) fn note_those_that_fit(
        &mut self,
        now: Instant,
        events: Vec<Event>,
    ) -> Result<(), WorkflowError> {
        for event in events {
            let state = self.rotation.as_ref().map(|(_, state)| state);
            if apply(state, now, &event).is_ok() {
                self.note(now, event)?;
            }
        }
        Ok(())
    }

    /// What is noted from now on is kept together with what is noted of others ([`keep_all`]).
    pub(super) fn defer(&mut self) {
        self.is_deferred = true;
    }

    /// Whether it is.
    pub(super) fn is_deferred(&self) -> bool {
        self.is_deferred
    }

    /// Keeps what was noted: with the other runners first, where there are any, then on disk. Only now it counts.
    pub(super) fn keep(&mut self, lock: &WorkspaceLock) -> Result<(), WorkflowError> {
        if self.is_deferred || !self.journal.is_pending() {
            return Ok(());
        }
        let what = match &self.rotation {
            Some((id, state)) => format!("{id}: {}", state.step),
            None => format!("{}: no rotation", self.certificate.name),
        };
        shared::keep(self.workspace, lock, &mut self.journal, (&what, self.now))
    }

    /// Records a fact about the rotation under way: notes and keeps it.
    pub(super) fn record(
        &mut self,
        lock: &WorkspaceLock,
        now: Instant,
        event: Event,
    ) -> Result<(), WorkflowError> {
        self.note(now, event)?;
        self.keep(lock)
    }
}

/// Keeps what was noted of several certificates, in one commit where runners share their journals. Only now it counts.
pub(super) fn keep_all(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    cases: &mut [&mut Case<'_>],
) -> Result<(), WorkflowError> {
    let Some(now) = cases.iter().map(|case| case.now).max() else {
        return Ok(());
    };
    let pending = cases.iter_mut().map(|case| &mut case.journal);
    let mut pending: Vec<&mut Journal<Event>> = pending.filter(|one| one.is_pending()).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let what = format!("{} rotations", pending.len());
    shared::keep_all(workspace, lock, &mut pending, (&what, now))
}

/// How a key leaves for good.
#[derive(Clone, Copy)]
enum Leaving {
    /// Its rotation came to its end.
    Retired,
    /// It was declared compromised, whatever became of the rotation.
    Compromised,
}

/// The latest rotation that such a key left in, as these lines tell.
fn gone(entries: &[Entry<Event>], key: &Association, leaving: Leaving) -> Option<RotationId> {
    let holds = |entry: &&Entry<Event>| matches!(&entry.event, Event::Started { current, .. } if current.contains(key));
    let left = |id: &RotationId| {
        let of_it = entries.iter().filter(|entry| entry.rotation == *id);
        match leaving {
            // Whoever gave up after the end has it back.
            Leaving::Retired => of_it.fold(false, |gone, entry| match entry.event {
                Event::RetireServed | Event::ReplacementVerified => true,
                Event::ReinstatementServed { .. } => false,
                _ => gone,
            }),
            Leaving::Compromised => {
                let mut of_it = of_it;
                of_it.any(|entry| matches!(entry.event, Event::EmergencyDeclared { .. }))
            }
        }
    };
    let started = entries.iter().filter(holds).map(|entry| &entry.rotation);
    started.rev().find(|id| left(id)).cloned()
}
