//! What a rotation requires of its RRsets (review rule R2): what the base holds of it must stay, what is to leave must not
//! come.

use super::answered::Both;
use super::finding::Finding;
use super::tree::Tree;
use super::way::Side;
use super::{Request, Verdict};
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Rotation;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;

impl Request<'_> {
    /// Whether the merge brings what `disable` proposes for the certificate of a rotation. No record at all refuses nobody, and
    /// the rotation ends with it; that hosts are protected no more is told of them.
    fn leaves_dane(&self, id: &RotationId) -> bool {
        let root = &self.base.workspace.root;
        let directory = root.join("changes").join(&*id.certificate);
        let there = self.entries.iter().filter(|entry| entry.kind.is_some());
        let mut files = there.filter_map(|entry| entry.path.strip_prefix(&directory).ok());
        files.any(|file| file.to_string_lossy().starts_with("disable."))
    }

    /// What a rotation requires of one RRset (R2): what the base holds of it must stay, what is to leave must not come.
    pub(super) fn rrset(
        &self,
        id: &RotationId,
        state: &Rotation,
        name: &TlsaName,
        both: Both<'_>,
        verdict: &mut Verdict,
    ) {
        let zone_of = |tree: &Tree| tree.zone_of(name).map(|zone| zone.name.clone());
        let is_broken = |zone: Option<Name>, side: Side<'_>| {
            zone.is_some_and(|zone| side.broken.contains_key(&zone))
        };
        let was_broken = is_broken(zone_of(&self.base), both.before);
        let was = self.base.rrset(both.before.zones, name);
        if was.is_none() && !was_broken {
            verdict.notes.push(format!(
                "{name}, which {id} rotates, is in no zone of the base"
            ));
            return;
        }
        let Some(becomes) = self.head.rrset(both.after.zones, name) else {
            // A zone that cannot be read is told as one.
            if !is_broken(zone_of(&self.head), both.after) {
                verdict.findings.push(Finding::ZoneLeft {
                    id: id.clone(),
                    name: name.clone(),
                });
            }
            return;
        };
        let requirement = state.requirement();
        // Where the base cannot be read, it is taken to hold what is required.
        let was = was.unwrap_or_else(|| requirement.applied_to(&becomes));
        let leaves = state.is_over() || self.leaves_dane(id);
        if leaves && becomes.is_empty() && !was.is_empty() {
            // For a host that is configured still, that is judged by what senders are answered.
            verdict
                .notes
                .push(format!("{name} would have no TLSA record any more"));
            return;
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
                let note = open(id, state, name, "lacks", association);
                verdict.open.push((id.clone(), note));
            }
        }
        for association in requirement.unwanted_in(&becomes) {
            if was.contains(association) {
                let note = open(id, state, name, "still holds", association);
                verdict.open.push((id.clone(), note));
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
