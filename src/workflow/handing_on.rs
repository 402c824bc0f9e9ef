//! A new version of a zone is held against the one that its servers have before it is handed to them, as the gate holds a
//! request against the base: what was merged in spite of the gate, or without it, does not get out by our own hand.
//!
//! Judged where this program signs: the signed file is what was handed on last.

use super::WorkflowError;
use super::head::Head;
use super::job::follow;
use super::known::Known;
use super::merge_check::{AnswerFinding, merged};
use super::sign;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::zone::name::Name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A zone that was not handed on.
#[derive(Debug)]
pub struct NotHandedOn {
    /// The zone.
    pub zone: Name,
    /// Why not.
    pub findings: Vec<AnswerFinding>,
}

impl fmt::Display for NotHandedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        write!(
            f,
            "zone {} was not handed to its name servers as it was merged: {}",
            self.zone,
            findings.join("; ")
        )
    }
}

impl NotHandedOn {
    /// The ways out, one line each.
    pub(super) fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = self.findings.iter().map(AnswerFinding::way_out).collect();
        hints.dedup();
        hints.extend(self.findings.iter().find_map(|finding| match finding {
            AnswerFinding::DaneLost { certificate, .. } => Some(format!(
                "where {certificate} was rotated before: tlsa-rotate abort {certificate} --leave-dane"
            )),
            _ => None,
        }));
        hints.push(
            "or take the change of the zone file back: nothing in it was handed on, and what the servers have is kept signed"
                .to_owned(),
        );
        hints
    }
}

/// Refuses what the gate would refuse of the hosts that no rotation is under way with.
pub(super) fn judge(
    known: &mut Known<'_>,
    zone: &ZoneConfig,
    head: &Head,
) -> Result<(), WorkflowError> {
    let Signing::Here { signed, .. } = &zone.signing else {
        return Ok(());
    };
    // What cannot be read is told where it is followed.
    let Ok(Some(handed_on)) = sign::read_signed(signed, zone) else {
        return Ok(());
    };
    let mut after: BTreeMap<Name, Head> = BTreeMap::new();
    for one in &known.workspace.config.zones {
        if one.publication.is_elsewhere() {
            continue;
        }
        if let Ok(read) = known.heads.get(one) {
            after.insert(one.name.clone(), Head::clone(&read));
        }
    }
    let mut before = after.clone();
    let was = Head {
        content: Arc::new(handed_on),
        ..head.clone()
    };
    before.insert(zone.name.clone(), was);
    let rotations = known.all_rotations();
    let mut findings = merged::objections(&known.workspace.config, (&before, &after), &rotations);
    // That these records leave was asked for by a job, which looked before.
    findings.retain(|finding| match finding {
        AnswerFinding::DaneLost { certificate, .. } => {
            !follow::leaves_dane(known.workspace, certificate).is_ok_and(|leaves| leaves)
        }
        _ => true,
    });
    if findings.is_empty() {
        return Ok(());
    }
    Err(WorkflowError::NotHandedOn(Box::new(NotHandedOn {
        zone: zone.name.clone(),
        findings,
    })))
}
