//! What a command ends with: an exit code that scripts can trust, and a failure that says the way out.

use crate::workflow::WorkflowError;
use crate::workspace::lock::LockError;
use crate::workspace::output::{OutputError, Refused};
use std::fmt;
use std::process::ExitCode;

/// How a command ended. The numbers are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or nothing is due.
    Done = 0,
    /// The input or the environment is wrong. WARNING of `--format nagios`.
    Wrong = 1,
    /// CRITICAL of `--format nagios`, where 0 to 3 are OK, WARNING, CRITICAL and UNKNOWN; otherwise 2 is clap's.
    NagiosCritical = 2,
    /// A person is needed now: review, merge, deploy. UNKNOWN of `--format nagios`.
    PersonNeeded = 3,
    /// Delivery is at risk: the promise is broken or about to be.
    DeliveryAtRisk = 4,
    /// Another run holds the lock.
    Locked = 5,
}

impl Exit {
    /// What an error of a use case ends with.
    pub(crate) fn of(error: &WorkflowError) -> Self {
        match error {
            WorkflowError::Lock(LockError::Held { .. }) => Self::Locked,
            WorkflowError::WouldRefuse { .. } | WorkflowError::SignaturesEnded { .. } => {
                Self::DeliveryAtRisk
            }
            WorkflowError::NotSeenToBeSafe { .. } => Self::PersonNeeded,
            WorkflowError::Provider(error) if error.has_lost() => Self::DeliveryAtRisk,
            WorkflowError::Provider(error) if error.is_not_as_asked() => Self::PersonNeeded,
            error if error.wants_a_person() => Self::PersonNeeded,
            _ => Self::Wrong,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what was asked: printed on stderr as `error: …` with `hint: …` lines below.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What, where and why.
    pub message: String,
    /// The ways out, one line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// Wrong input or environment (exit 1): `error` said as it is.
    pub fn wrong(error: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Wrong,
            message: error.to_string(),
            hints: Vec::new(),
        }
    }

    /// The same failure with these ways out.
    #[must_use]
    pub fn hints(mut self, hints: Vec<String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// The same failure with one more way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<WorkflowError> for Failure {
    fn from(error: WorkflowError) -> Self {
        let exit = Exit::of(&error);
        Self {
            exit,
            message: error.to_string(),
            hints: error.hints(),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::wrong(&refused).hints(refused.hints())
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::wrong(&error).hints(error.hints())
    }
}

impl From<std::io::Error> for Failure {
    /// For output that could not be written; input errors carry their file and are made with [`Failure::wrong`].
    fn from(error: std::io::Error) -> Self {
        Self::wrong(format_args!("cannot write the output: {error}"))
    }
}
