//! Why a pull request must not be merged as it is, how grave that is, and the way out.

use crate::rotation::association::Association;
use crate::rotation::blocker::Blocker;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Step;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::fmt;
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
    /// It changes zones and does not start from what they are now.
    BaseMoved {
        /// What it changes.
        touched: Vec<PathBuf>,
    },
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
    /// A proposal, and commits beside it.
    MoreThanAProposal {
        /// The proposal.
        step: String,
        /// How many commits there are.
        commits: usize,
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
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NotAZone { .. } => Severity::Wrong,
            Self::Lost { .. }
            | Self::Refused { .. }
            | Self::RefusedAtRest { .. }
            | Self::ZoneLeft { .. } => Severity::DeliveryAtRisk,
            Self::Unwanted { .. }
            | Self::Unseen { .. }
            | Self::BaseMoved { .. }
            | Self::SerialBack { .. }
            | Self::EarlierStep { .. }
            | Self::MoreThanAProposal { .. }
            | Self::NotAsProposed { .. }
            | Self::StrayFile { .. } => Severity::PersonNeeded,
        }
    }

    /// One word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotAZone { .. } => "not-a-zone",
            Self::Lost { .. } => "lost",
            Self::Unwanted { .. } => "unwanted",
            Self::Refused { .. } | Self::RefusedAtRest { .. } => "refused",
            Self::Unseen { .. } => "unseen",
            Self::ZoneLeft { .. } => "zone-left",
            Self::BaseMoved { .. } => "base-moved",
            Self::SerialBack { .. } => "serial-back",
            Self::EarlierStep { .. } => "earlier-step",
            Self::MoreThanAProposal { .. } => "more-than-a-proposal",
            Self::NotAsProposed { .. } => "not-as-proposed",
            Self::StrayFile { .. } => "stray-file",
        }
    }

    /// The way out, as one sentence.
    pub fn way_out(&self) -> String {
        match self {
            Self::NotAZone { .. } => "correct the zone file; `tlsa-rotate zone check` shows every finding".into(),
            Self::Lost { id, association, .. } => format!(
                "keep the record {association}; to give the rotation up: tlsa-rotate abort {}",
                id.certificate
            ),
            Self::Unwanted { association, .. } => format!(
                "leave the record {association} out; a key comes back only by a rotation of its own"
            ),
            Self::Refused { seen, .. } | Self::RefusedAtRest { seen, .. } => {
                format!("do not merge it yet; {}", seen.way_out())
            }
            Self::Unseen { reasons, .. } => {
                let mut ways: Vec<String> = reasons.iter().map(Blocker::way_out).collect();
                ways.dedup();
                format!(
                    "run this check where every mail host can be reached, as where `tlsa-rotate advance` runs (many pipelines may not connect to port 25); {}",
                    ways.join("; ")
                )
            }
            Self::ZoneLeft { id, .. } => format!(
                "keep the zone until the rotation is over, or give it up first: tlsa-rotate abort {}",
                id.certificate
            ),
            Self::BaseMoved { .. } => {
                "a proposal is rebuilt by the next `tlsa-rotate advance`; rebase anything else onto the tip of the base".into()
            }
            Self::SerialBack { from, .. } => format!("give the zone a serial after {from}, or rebase"),
            Self::EarlierStep { .. } => "close it; what is wanted now, `tlsa-rotate advance` proposes".into(),
            Self::MoreThanAProposal { .. } => {
                "merge the proposal as it was made, and the other commits in a request of their own".into()
            }
            Self::NotAsProposed { .. } => {
                "do not edit a proposal: change the zone on the base, and `tlsa-rotate advance` rebuilds it".into()
            }
            Self::StrayFile { .. } => "propose the change of that file in a request of its own".into(),
        }
    }
}

impl fmt::Display for Finding {
    /// What was expected, what was found, and where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAZone { zone, findings } => {
                write!(f, "zone {zone} cannot be read:\n{findings}")
            }
            Self::Lost {
                id,
                step,
                name,
                association,
            } => write!(
                f,
                "it takes {} out of {name} TLSA, which {id} ({step}) requires: senders could refuse mail",
                association.short()
            ),
            Self::Unwanted {
                id,
                step,
                name,
                association,
            } => write!(
                f,
                "it brings {} into {name} TLSA, from where {id} ({step}) has taken it",
                association.short()
            ),
            Self::Refused { id, seen } => write!(f, "{seen} ({id})"),
            Self::RefusedAtRest { certificate, seen } => write!(f, "{seen} ({certificate})"),
            Self::Unseen { id, name, reasons } => {
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "after it only hosts whose key {name} TLSA then lists get mail, and not every host of {id} was seen: {}",
                    reasons.join("; ")
                )
            }
            Self::ZoneLeft { id, name } => {
                write!(f, "it leaves {name}, which {id} rotates, without its zone")
            }
            Self::BaseMoved { touched } => {
                let touched: Vec<String> = touched
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                write!(
                    f,
                    "it changes {} and is not based on the tip of the base: what would be merged is not known",
                    touched.join(", ")
                )
            }
            Self::SerialBack { zone, from, to } => {
                write!(
                    f,
                    "the serial of zone {zone} goes back from {from} to {to}: secondaries would not fetch it"
                )
            }
            Self::EarlierStep {
                step,
                stands: Some(stands),
            } => {
                write!(
                    f,
                    "the proposal {step} is over: the rotation stands at {stands}"
                )
            }
            Self::EarlierStep { step, stands: None } => {
                write!(
                    f,
                    "the proposal {step} belongs to no rotation that is under way"
                )
            }
            Self::MoreThanAProposal { step, commits } => {
                write!(
                    f,
                    "it holds the proposal {step} in {commits} commits, not in one alone"
                )
            }
            Self::NotAsProposed { step, path, how } => {
                write!(f, "{} is not what {step} proposes: {how}", path.display())
            }
            Self::StrayFile { step, path } => {
                write!(f, "the proposal {step} also changes {}", path.display())
            }
        }
    }
}
