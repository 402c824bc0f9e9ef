//! Findings of the gate in words: what is wrong, and the way out.

use super::finding::Finding;
use crate::rotation::blocker::Blocker;
use std::fmt;

impl Finding {
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
            Self::Conflicts { .. } => {
                "a proposal is rebuilt by the next `tlsa-rotate advance`; merge the base into anything else, or rebase it".into()
            }
            Self::Answers(finding) => finding.way_out(),
            Self::Settings(finding) => finding.way_out(),
            Self::SerialBack { from, .. } => format!("give the zone a serial after {from}, or rebase"),
            Self::EarlierStep { .. } => "close it; what is wanted now, `tlsa-rotate advance` proposes".into(),
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
            Self::Conflicts { touched } if touched.is_empty() => {
                f.write_str("it has no history in common with the base: nothing can be merged")
            }
            Self::Conflicts { touched } => {
                let touched: Vec<String> = touched
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                write!(
                    f,
                    "it cannot be merged into the tip of the base: both changed the same of {}",
                    touched.join(", ")
                )
            }
            Self::Answers(finding) => finding.fmt(f),
            Self::Settings(finding) => finding.fmt(f),
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
            Self::NotAsProposed { step, path, how } => {
                write!(f, "{} is not what {step} proposes: {how}", path.display())
            }
            Self::StrayFile { step, path } => {
                write!(f, "the proposal {step} also changes {}", path.display())
            }
        }
    }
}
