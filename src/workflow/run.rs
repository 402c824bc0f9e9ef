//! One run of a command that a person gives: under the lock where it acts, in thought where it rehearses.

use super::WorkflowError;
use super::advance::{self, Mode, Tick};
use super::case::Case;
use super::clock;
use super::head::Heads;
use super::in_force;
use super::known::Known;
use super::present::Present;
use super::rehearse::rehearse;
use super::shared;
use crate::rotation::doubt::Doubt;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::lock::WorkspaceLock;
use std::cell::RefCell;

/// A run. The lock is held to its end: a wish and the first step by it belong together.
pub(super) struct Run<'w> {
    /// The present.
    pub(super) now: Instant,
    /// Why the clock is not to be relied on, if so.
    doubt: Option<Doubt>,
    workspace: &'w Workspace,
    heads: RefCell<Heads<'w>>,
    lock: Option<WorkspaceLock>,
}

impl<'w> Run<'w> {
    /// Begins one: where it acts, under the lock, with what other runners have recorded.
    pub(super) fn begin(
        workspace: &'w Workspace,
        present: &Present,
    ) -> Result<Self, WorkflowError> {
        let lock = match present.mode(workspace)? {
            Mode::Act => Some(workspace.lock()?),
            Mode::Rehearse | Mode::Look => None,
        };
        if let Some(lock) = &lock {
            shared::synchronise(workspace, lock, present.now)?;
            in_force::note(workspace, lock);
        }
        let doubt = clock::doubt(workspace, present, lock.as_ref());
        Ok(Self {
            now: present.now,
            doubt,
            workspace,
            heads: RefCell::new(Heads::of(workspace, present.now)),
            lock,
        })
    }

    /// The lock, where the run acts.
    pub(super) fn lock(&self) -> Option<&WorkspaceLock> {
        self.lock.as_ref()
    }

    /// A certificate with its rotation, whose journal knows all that git knows.
    pub(super) fn open(&self, name: &str) -> Result<Case<'w>, WorkflowError> {
        let case = self.open_as_it_is(name)?;
        case.is_whole(&mut self.heads.borrow_mut())?;
        Ok(case)
    }

    /// The same, whatever git knows beyond its journal.
    pub(super) fn open_as_it_is(&self, name: &str) -> Result<Case<'w>, WorkflowError> {
        Case::open(self.workspace, name, self.now)
    }

    /// Refuses to begin a rotation while the present cannot be told.
    pub(super) fn may_begin(&self, case: &Case<'_>) -> Result<(), WorkflowError> {
        let doubt = case.doubt().or_else(|| self.doubt.clone());
        doubt.map_or(Ok(()), |doubt| Err(WorkflowError::InDoubt(doubt)))
    }

    /// Keeps what was noted of a case, where the run acts.
    pub(super) fn keep(&self, case: &mut Case<'_>) -> Result<(), WorkflowError> {
        self.lock.as_ref().map_or(Ok(()), |lock| case.keep(lock))
    }

    /// What follows from what was noted: done once, or told.
    pub(super) fn follow(&self, case: &Case<'w>) -> Tick {
        match &self.lock {
            Some(lock) => {
                let mut known = Known::nothing(self.workspace, self.now);
                known.doubt.clone_from(&self.doubt);
                advance::tick(&mut known, lock, &case.certificate.name)
            }
            None => rehearse(self.workspace, case, self.now),
        }
    }
}
