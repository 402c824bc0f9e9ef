//! What a request would make of the configuration, and of where files and journals lie, where that is no good.

use super::finding::Severity;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::fmt;
use std::path::PathBuf;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingFinding {
    /// The configuration is taken out of git.
    ConfigGone {
        /// Which file.
        path: PathBuf,
    },
    /// A file of what runs remember is brought into git.
    StateTracked {
        /// Which.
        path: PathBuf,
    },
    /// Something else than a file, or than the directory that it was, stands where a file of ours lies.
    Replaced {
        /// Where.
        path: PathBuf,
        /// What comes.
        what: &'static str,
    },
    /// The remote that runners share is named no more, or is another.
    RemoteLost {
        /// Of which zone.
        zone: Name,
        /// The base's.
        remote: String,
    },
    /// A zone is in the base, and is nowhere after the merge.
    ZoneGone {
        /// Which.
        zone: Name,
    },
    /// A setting that a rotation under way goes by is weakened.
    Weaker {
        /// Which rotation.
        id: RotationId,
        /// What of it.
        what: String,
    },
    /// What is committed of a zone file would be another thing than what is checked out.
    Attributes {
        /// The zone file.
        path: PathBuf,
        /// Which attributes it would have.
        how: String,
    },
    /// A file holds a secret.
    Secret {
        /// Which.
        path: PathBuf,
        /// Of which kind.
        what: &'static str,
    },
    /// A journal is there and holds nothing.
    EmptyJournal {
        /// Of which certificate.
        certificate: String,
    },
}

impl SettingFinding {
    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::StateTracked { .. } | Self::RemoteLost { .. } => Severity::DeliveryAtRisk,
            _ => Severity::PersonNeeded,
        }
    }

    /// One word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ConfigGone { .. } => "config-gone",
            Self::StateTracked { .. } => "state-tracked",
            Self::Replaced { .. } => "replaced",
            Self::RemoteLost { .. } => "remote-lost",
            Self::ZoneGone { .. } => "zone-gone",
            Self::Weaker { .. } => "weaker",
            Self::Attributes { .. } => "attributes",
            Self::Secret { .. } => "secret",
            Self::EmptyJournal { .. } => "empty-journal",
        }
    }

    /// The way out, as one sentence.
    pub fn way_out(&self) -> String {
        match self {
            Self::ConfigGone { .. } => "keep the configuration in git".into(),
            Self::StateTracked { path } => format!(
                "take it out of the request: git rm --cached {}; journals are kept by runs, and never come by a request",
                path.display()
            ),
            Self::Replaced { path, .. } => {
                format!("keep {} as it is in the base", path.display())
            }
            Self::RemoteLost { remote, .. } => format!(
                "keep remote = \"{remote}\": without it each runner goes by a journal of its own; to give it up, stop all runners but one first"
            ),
            Self::ZoneGone { zone } => format!(
                "keep the zone file, or take zone {zone} out of the configuration in the same request"
            ),
            Self::Weaker { id, .. } => format!(
                "merge it when {id} is over (`tlsa-rotate status {}` says when), or give that up first: tlsa-rotate abort {}",
                id.certificate, id.certificate
            ),
            Self::Attributes { .. } => {
                "leave zone files out of .gitattributes: they are committed as they are".into()
            }
            Self::Secret { path, .. } => format!(
                "take it out of the request: git rm --cached {}; what was pushed is known, so make another",
                path.display()
            ),
            Self::EmptyJournal { certificate } => format!(
                "put the journal back from a backup or from another runner; `tlsa-rotate status {certificate}` says what git knows of its rotations"
            ),
        }
    }
}

impl fmt::Display for SettingFinding {
    /// What was expected, what was found, and where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigGone { path } => {
                write!(f, "it takes the configuration {} away", path.display())
            }
            Self::StateTracked { path } => write!(
                f,
                "it brings {}, a file that only runs write: whoever checks the request out would go by it",
                path.display()
            ),
            Self::Replaced { path, what } => {
                write!(f, "{} becomes {what}", path.display())
            }
            Self::RemoteLost { zone, remote } => write!(
                f,
                "zone {zone} would no longer be shared by way of remote {remote}: runners would lose the journals there"
            ),
            Self::ZoneGone { zone } => write!(
                f,
                "zone {zone} is in the base, and its file would be nowhere after the merge"
            ),
            Self::Weaker { id, what } => {
                write!(
                    f,
                    "it weakens what {id} goes by while that is under way: {what}"
                )
            }
            Self::Attributes { path, how } => write!(
                f,
                "{} would have the git attributes {how}: what is checked out or merged of it would be other octets",
                path.display()
            ),
            Self::Secret { path, what } => write!(
                f,
                "it brings {}, which holds {what}: whoever has a clone has it",
                path.display()
            ),
            Self::EmptyJournal { certificate } => write!(
                f,
                "the journal of {certificate} is there and holds nothing: what it required is not known"
            ),
        }
    }
}
