//! What is done to the records of a certificate beside its rotations: one change, proposed and reviewed as a rotation's, and
//! followed until caches are without what was before (`prune`, `adopt`, `enable`, `disable`).
//!
//! It goes a short way: proposed, merged, served by every server, out of the caches. `note` keeps which job it is, `sight` is
//! the look that it rests on, `propose` brings it to where the zone is kept, `follow` is what each run does for it.

pub(super) mod command;
pub(super) mod follow;
mod note;
pub(super) mod propose;
pub(super) mod sight;

pub(super) use command::lets_begin;
pub use command::undo;
pub use note::Kind;
pub(super) use note::{Job, Way};

use super::WorkflowError;
use super::advance::Tick;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a command found, and did or would do.
#[derive(Debug)]
pub struct Outcome {
    /// Which job.
    pub kind: Kind,
    /// The certificate.
    pub certificate: String,
    /// What was seen, one sentence each.
    pub seen: Vec<String>,
    /// The records that leave, with the names that they leave.
    pub leaves: BTreeMap<Association, Vec<TlsaName>>,
    /// The records that come, with the names that they come to.
    pub comes: BTreeMap<Association, Vec<TlsaName>>,
    /// What changes in the zone files, line by line; where nothing was changed.
    pub diff: String,
    /// What to do next, one command each.
    pub next: Vec<String>,
    /// How the certificate stands after it; none where nothing was changed.
    pub tick: Option<Tick>,
}

impl Outcome {
    pub(super) fn of(kind: Kind, certificate: &str) -> Self {
        Self {
            kind,
            certificate: certificate.to_owned(),
            seen: Vec::new(),
            leaves: BTreeMap::new(),
            comes: BTreeMap::new(),
            diff: String::new(),
            next: Vec::new(),
            tick: None,
        }
    }

    /// Whether there is nothing to change.
    pub fn is_nothing(&self) -> bool {
        self.leaves.is_empty() && self.comes.is_empty()
    }
}

/// Why a job is not proposed, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) kind: Kind,
    pub(super) certificate: String,
    pub(super) reasons: Vec<String>,
    pub(super) hints: Vec<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of {} changes nothing", self.kind, self.certificate)?;
        let mut between = ": ";
        for reason in &self.reasons {
            write!(f, "{between}{reason}")?;
            between = "; ";
        }
        Ok(())
    }
}

impl Refusal {
    pub(super) fn new(kind: Kind, certificate: &str) -> Self {
        Self {
            kind,
            certificate: certificate.to_owned(),
            reasons: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// One more reason, with its way out.
    #[must_use]
    pub(super) fn because(mut self, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        let hint = hint.into();
        if !hint.is_empty() && !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Whether there is no reason yet.
    pub(super) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// One more way out.
    #[must_use]
    pub(super) fn because_also(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// It, if there is a reason.
    pub(super) fn if_any(self) -> Result<(), WorkflowError> {
        if self.reasons.is_empty() {
            return Ok(());
        }
        Err(self.into())
    }
}

impl From<Refusal> for WorkflowError {
    fn from(refusal: Refusal) -> Self {
        Self::NotProposed(Box::new(refusal))
    }
}

/// A job that waits for a person to merge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    pub(super) kind: Kind,
    pub(super) certificate: String,
    pub(super) branch: String,
    pub(super) counts: String,
    pub(super) exists: bool,
}

impl std::fmt::Display for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, branch) = (self.kind, &self.branch);
        if self.exists {
            write!(f, "`{kind}` waits for review on branch {branch}")
        } else {
            write!(f, "`{kind}` is proposed no more: branch {branch} is gone")
        }
    }
}

impl Waits {
    pub(super) fn hints(&self) -> Vec<String> {
        let Self {
            kind,
            certificate,
            branch,
            counts,
            exists,
        } = self;
        let mut undo = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            undo,
            "to take it back: tlsa-rotate {kind} {certificate} --undo"
        );
        if *exists {
            let mut hints = vec![
                format!("look at it: git diff {counts}...{branch}"),
                format!("on {counts}: git merge {branch}"),
                undo,
            ];
            if *kind == Kind::Disable {
                hints.push("`check --merge` says no to it, as to each change that ends DANE: whoever merges it decides that".to_owned());
            }
            hints
        } else {
            vec![
                format!("to propose it again: tlsa-rotate {kind} {certificate}"),
                undo,
            ]
        }
    }
}
