//! What a rotation requires of its RRsets (review rule R2): what the base holds of it must stay, what is to leave must not
//! come.

use super::finding::Finding;
use super::{Request, Verdict};
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Rotation;
use crate::workflow::head::Head;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::BTreeMap;

impl Request<'_> {
    /// What a rotation requires of one RRset (R2): what the base holds of it must stay, what is to leave must not come.
    pub(super) fn rrset(
        &self,
        id: &RotationId,
        state: &Rotation,
        name: &TlsaName,
        (before, after): (&BTreeMap<Name, Head>, &BTreeMap<Name, Head>),
        verdict: &mut Verdict,
    ) {
        let Some(was) = self.base.rrset(before, name) else {
            verdict.notes.push(format!(
                "{name}, which {id} rotates, is in no zone of the base"
            ));
            return;
        };
        let Some(becomes) = self.head.rrset(after, name) else {
            // A zone that cannot be read is a finding of its own.
            let unreadable = |finding: &Finding| matches!(finding, Finding::NotAZone { .. });
            if !verdict.findings.iter().any(unreadable) {
                verdict.findings.push(Finding::ZoneLeft {
                    id: id.clone(),
                    name: name.clone(),
                });
            }
            return;
        };
        let requirement = state.requirement();
        if state.is_over() && becomes.is_empty() && !was.is_empty() {
            return; // for a host that is configured still, that is judged by what senders are answered
        }
        for association in requirement.missing_in(&becomes) {
            if was.contains(association) {
                verdict.findings.push(Finding::Lost {
                    id: id.clone(),
                    step: state.step,
                    name: name.clone(),
                    association: association.clone(),
                });
            } else {
                verdict
                    .notes
                    .push(open(id, state, name, "lacks", association));
            }
        }
        for association in requirement.unwanted_in(&becomes) {
            if was.contains(association) {
                verdict
                    .notes
                    .push(open(id, state, name, "still holds", association));
            } else {
                verdict.findings.push(Finding::Unwanted {
                    id: id.clone(),
                    step: state.step,
                    name: name.clone(),
                    association: association.clone(),
                });
            }
        }
    }
}

/// What neither tree has yet: another request brings it.
fn open(
    id: &RotationId,
    state: &Rotation,
    name: &TlsaName,
    how: &str,
    association: &Association,
) -> String {
    format!(
        "{name} {how} {}, as it did before: {id} ({}) proposes it in a request of its own",
        association.short(),
        state.step
    )
}
