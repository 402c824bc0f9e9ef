//! Which job of a certificate is open, as it is kept in the state directory of the runner that began it: one file for each
//! certificate. It is written before the zone is changed, so that no change of ours is taken for a hand's.

use crate::change::message::Purpose;
use crate::files::read;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::requirement::Requirement;
use crate::rotation::timing::{Instant, Ttl};
use crate::workflow::WorkflowError;
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Records leave that no host needs.
    Prune,
    /// A key joins that a host presents already.
    Adopt,
    /// The first records of names.
    Enable,
    /// All records leave.
    Disable,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::workflow) enum Way {
    /// It is to get into the zone, and to the servers.
    Proposed,
    /// Every server answered with it, first at this time.
    Served(Instant),
    /// Caches are without what was before. Only the names that left DANE are remembered so.
    Over,
}

/// An open job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::workflow) struct Job {
    version: u32,
    /// What is done.
    pub(in crate::workflow) kind: Kind,
    /// When a person asked for it.
    pub(in crate::workflow) asked: Instant,
    /// Where the RRsets lie.
    pub(in crate::workflow) names: BTreeSet<TlsaName>,
    /// What comes.
    pub(in crate::workflow) present: BTreeSet<Association>,
    /// What leaves.
    pub(in crate::workflow) absent: BTreeSet<Association>,
    /// For how long caches may keep the RRsets of before.
    pub(in crate::workflow) ttl: Ttl,
    /// How far it is.
    pub(in crate::workflow) way: Way,
}

const VERSION: u32 = 1;

impl Kind {
    /// What the change of the zone is for.
    pub(in crate::workflow) fn purpose(self) -> Purpose {
        match self {
            Self::Prune => Purpose::Prune,
            Self::Adopt => Purpose::Adopt,
            Self::Enable => Purpose::Enable,
            Self::Disable => Purpose::Disable,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.purpose().fmt(f)
    }
}

impl Job {
    /// One that a person asks for now.
    pub(in crate::workflow) fn asked(
        kind: Kind,
        asked: Instant,
        names: BTreeSet<TlsaName>,
        requirement: Requirement,
        ttl: Ttl,
    ) -> Self {
        let Requirement { present, absent } = requirement;
        Self {
            version: VERSION,
            kind,
            asked,
            names,
            present,
            absent,
            ttl,
            way: Way::Proposed,
        }
    }

    /// What it demands of every RRset.
    pub(in crate::workflow) fn requirement(&self) -> Requirement {
        Requirement {
            present: self.present.clone(),
            absent: self.absent.clone(),
        }
    }

    /// Whether its names left DANE, or are about to.
    pub(in crate::workflow) fn leaves_dane(&self) -> bool {
        self.kind == Kind::Disable
    }

    /// Until when some cache may hold an RRset of before, once every server answers with what is wanted.
    pub(in crate::workflow) fn until(&self) -> Option<Instant> {
        match self.way {
            Way::Served(at) => Some(at + self.ttl.span()),
            Way::Proposed | Way::Over => None,
        }
    }

    /// The job of a certificate, if one is open. A note that cannot be read is an error: what it says is not to be done twice,
    /// nor forgotten.
    pub(in crate::workflow) fn read(
        workspace: &Workspace,
        certificate: &str,
    ) -> Result<Option<Self>, WorkflowError> {
        let path = path(workspace, certificate);
        let text = match read::read_text_unlinked(&path, read::LIST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text,
        };
        let wrong = |source| WorkflowError::Unreadable {
            path: path.clone(),
            source,
        };
        let text = text.map_err(wrong)?;
        let job: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(std::io::Error::new(ErrorKind::InvalidData, error)))?;
        if job.version != VERSION {
            let later = format!("it is of version {}, which is not known here", job.version);
            return Err(wrong(std::io::Error::new(ErrorKind::InvalidData, later)));
        }
        Ok(Some(job))
    }

    /// Keeps it.
    pub(in crate::workflow) fn keep(
        &self,
        workspace: &Workspace,
        _lock: &WorkspaceLock,
        certificate: &str,
    ) -> Result<(), WorkflowError> {
        let path = path(workspace, certificate);
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        inside::replace(&path, text.as_bytes())?;
        Ok(())
    }

    /// Forgets it.
    pub(in crate::workflow) fn forget(
        workspace: &Workspace,
        _lock: &WorkspaceLock,
        certificate: &str,
    ) -> Result<(), WorkflowError> {
        inside::remove(&path(workspace, certificate))?;
        Ok(())
    }
}

fn path(workspace: &Workspace, certificate: &str) -> PathBuf {
    workspace
        .state()
        .join("jobs")
        .join(format!("{certificate}.json"))
}
