//! Why a pull request must not be merged as it is, how grave that is, and the way out.

use super::answer_finding::AnswerFinding;
use super::setting_finding::SettingFinding;
use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Step;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::path::PathBuf;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The request itself is broken.
    Wrong,
    /// A person has to do something before it can be merged.
    PersonNeeded,
    /// Merged, it could make senders refuse mail.
    DeliveryAtRisk,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The zone cannot be read as the request has it.
    NotAZone {
        /// Which.
        zone: Name,
        /// What is wrong with it.
        findings: String,
    },
    /// A required association is taken out.
    Lost {
        /// Who requires it.
        id: RotationId,
        /// In which step.
        step: Step,
        /// Of which RRset.
        name: TlsaName,
        /// Which.
        association: Association,
    },
    /// An association that has left, or must leave, is brought in.
    Unwanted {
        /// Who forbids it.
        id: RotationId,
        /// In which step.
        step: Step,
        /// Into which RRset.
        name: TlsaName,
        /// Which.
        association: Association,
    },
    /// A host presents a key that the RRset would list no more.
    Refused {
        /// Of which rotation.
        id: RotationId,
        /// What was seen.
        seen: Box<Blocker>,
    },
    /// A host that no rotation has taken in presents a key that the RRset would not list.
    RefusedAtRest {
        /// Whose host it is.
        certificate: String,
        /// What was seen.
        seen: Box<Blocker>,
    },
    /// What a record is taken out of, or is the first of, was not seen on every host.
    Unseen {
        /// Of which rotation.
        id: RotationId,
        /// Which RRset.
        name: TlsaName,
        /// Why not, for each place.
        reasons: Vec<Blocker>,
    },
    /// The zone of a rotation is not in the configuration, or not in git, any more.
    ZoneLeft {
        /// Whose.
        id: RotationId,
        /// The RRset that would be nowhere.
        name: TlsaName,
    },
    /// It cannot be put together with what the base is now.
    Conflicts {
        /// The files in which both sides changed the same; none: the two have no history in common.
        touched: Vec<PathBuf>,
    },
    /// What senders would be answered is no good.
    Answers(Box<AnswerFinding>),
    /// What it makes of the configuration, or of where files lie, is no good.
    Settings(Box<SettingFinding>),
    /// The zone would get an older serial.
    SerialBack {
        /// Which.
        zone: Name,
        /// The base's.
        from: u32,
        /// The request's.
        to: u32,
    },
    /// A proposal whose time is over.
    EarlierStep {
        /// What it proposes, such as `mail.1/publish`.
        step: String,
        /// Where the rotation stands; none: there is no such rotation.
        stands: Option<Step>,
    },
    /// A file of a proposal is not what would be proposed.
    NotAsProposed {
        /// The proposal.
        step: String,
        /// The file.
        path: PathBuf,
        /// How it differs.
        how: String,
    },
    /// A proposal changes a file that is none of its business.
    StrayFile {
        /// The proposal.
        step: String,
        /// The file.
        path: PathBuf,
    },
}

impl Finding {
    /// How grave it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Answers(finding) => finding.severity(),
            Self::Settings(finding) => finding.severity(),
            Self::NotAZone { .. } => Severity::Wrong,
            Self::Lost { .. }
            | Self::Refused { .. }
            | Self::RefusedAtRest { .. }
            | Self::ZoneLeft { .. } => Severity::DeliveryAtRisk,
            Self::Unwanted { .. }
            | Self::Unseen { .. }
            | Self::Conflicts { .. }
            | Self::SerialBack { .. }
            | Self::EarlierStep { .. }
            | Self::NotAsProposed { .. }
            | Self::StrayFile { .. } => Severity::PersonNeeded,
        }
    }

    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Answers(finding) => finding.kind(),
            Self::Settings(finding) => finding.kind(),
            Self::NotAZone { .. } => "not-a-zone",
            Self::Lost { .. } => "lost",
            Self::Unwanted { .. } => "unwanted",
            Self::Refused { .. } | Self::RefusedAtRest { .. } => "refused",
            Self::Unseen { .. } => "unseen",
            Self::ZoneLeft { .. } => "zone-left",
            Self::Conflicts { .. } => "conflicts",
            Self::SerialBack { .. } => "serial-back",
            Self::EarlierStep { .. } => "earlier-step",
            Self::NotAsProposed { .. } => "not-as-proposed",
            Self::StrayFile { .. } => "stray-file",
        }
    }
}
