//! The present of a run: what time it is, where that is known from, and what a command may do by it.
//!
//! A time that a person names is for rehearsals: at it nothing is done, except in a workspace that is for nothing else.

use super::WorkflowError;
use super::advance::Mode;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::clock::Reading;

/// What time it is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The time.
    pub now: Instant,
    /// What the clocks of this machine say; none of a time that a person named, or where they do not tell enough.
    pub reading: Option<Reading>,
    /// Whether a person named it.
    named: bool,
    /// Whether the command is only to say what it would do.
    only_told: bool,
}

impl Present {
    /// A time that a person names.
    pub const fn named(now: Instant) -> Self {
        Self {
            now,
            reading: None,
            named: true,
            only_told: false,
        }
    }

    /// The time that the system's clock shows.
    pub const fn shown(now: Instant, reading: Option<Reading>) -> Self {
        Self {
            now,
            reading,
            named: false,
            only_told: false,
        }
    }

    /// The same, for a command that changes nothing whatever the time is (`--dry-run`).
    #[must_use]
    pub fn only_told(mut self, only_told: bool) -> Self {
        self.only_told |= only_told;
        self
    }

    /// What a command that writes may do now in `workspace`. Refuses where nothing may be done at the clock's time.
    pub fn mode(&self, workspace: &Workspace) -> Result<Mode, WorkflowError> {
        match (self.named, workspace.config.rehearsal) {
            _ if self.only_told => Ok(Mode::Rehearse),
            (true, true) | (false, false) => Ok(Mode::Act),
            (true, false) => Ok(Mode::Rehearse),
            (false, true) => Err(WorkflowError::NoTimeNamed {
                path: workspace.config_path.clone(),
            }),
        }
    }
}
