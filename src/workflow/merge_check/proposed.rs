//! A pull request that is a proposal: of the present step, and the same octets that would be proposed again now (R1).
//!
//! ECDSA signatures differ each time they are made. What holds them is compared by what it means, and its own signature
//! is verified.

use super::finding::Finding;
use super::{Request, Verdict};
use crate::change::message::Purpose;
use crate::change::proposal::Signed;
use crate::dnssec::delta::Delta;
use crate::publish::git::Change as FileChange;
use crate::rotation::step::Rotation;
use crate::workflow::WorkflowError;
use crate::workflow::draft::{self, Draft};
use crate::workflow::head::{self, Head};
use crate::workflow::propose::day;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A proposal of the present step.
pub(super) struct Claim {
    step: String,
    id: RotationId,
    state: Rotation,
    purpose: Purpose,
}

/// Judges the proposal that the request is, if it is one, by rebuilding it from the base.
pub(super) fn judge(
    request: &Request<'_>,
    before: &BTreeMap<Name, Head>,
    verdict: &mut Verdict,
) -> Result<(), WorkflowError> {
    let Some(claim) = judge_step(request, verdict)? else {
        return Ok(());
    };
    let requirement = claim.state.requirement();
    let workspace = &request.base.workspace;
    let mut known = BTreeSet::new();
    for zone in head::zones_of(workspace, claim.state.names()) {
        let Some(head) = before.get(&zone.name).cloned().map(Arc::new) else {
            continue;
        };
        let day = day(&claim.state);
        let Some(draft) = draft::draft(workspace, &claim.state, zone, head, &requirement, day)?
        else {
            continue;
        };
        let mut files = draft::zone_files(&draft);
        files.push(draft::record_diff(
            workspace,
            &claim.id,
            claim.purpose,
            &draft,
        )?);
        for file in files {
            verdict.findings.extend(differs(request, &claim, &file)?);
            known.insert(file.path);
        }
        known.extend(signed_files(request, &claim, &draft, verdict)?);
    }
    if known.is_empty() {
        // The base meets the step already: nothing would be proposed.
        verdict.findings.push(Finding::EarlierStep {
            step: claim.step,
            stands: Some(claim.state.step),
        });
        return Ok(());
    }
    // It takes the files for review of earlier rotations away; what it makes of them otherwise is stray.
    let outdated =
        |commit| draft::outdated_reviews(workspace, request.repository, commit, &claim.id);
    let kept = outdated(&request.head.commit)?;
    let gone = outdated(&request.base.commit)?.into_iter();
    known.extend(gone.filter(|path| !kept.contains(path)));
    let stray = request.changed.iter().filter(|path| !known.contains(*path));
    verdict
        .findings
        .extend(stray.map(|path| Finding::StrayFile {
            step: claim.step.clone(),
            path: request.shown(path),
        }));
    Ok(())
}

/// Whether the request is a proposal, and then one of the present step, in a commit of its own.
fn judge_step_of(step: &str, commits: usize, verdict: &Verdict) -> Result<Claim, Finding> {
    let (id, purpose) = step.rsplit_once('/').unwrap_or((step, ""));
    let found = verdict
        .upheld
        .iter()
        .find(|(known, _)| known.to_string() == id);
    let over = |state: Option<&Rotation>| Finding::EarlierStep {
        step: step.to_owned(),
        stands: state.map(|state| state.step),
    };
    let Some((id, state)) = found else {
        return Err(over(None));
    };
    // Also of a rotation that is over: what was merged late is taken back by its last step, proposed once more.
    match Purpose::of(state.step) {
        Some(present) if present.to_string() == purpose => {
            if commits > 1 {
                return Err(Finding::MoreThanAProposal {
                    step: step.to_owned(),
                    commits,
                });
            }
            Ok(Claim {
                step: step.to_owned(),
                id: id.clone(),
                state: state.clone(),
                purpose: present,
            })
        }
        _ => Err(over(Some(state))),
    }
}

/// The proposal that the request is; what is wrong with that is a finding.
pub(super) fn judge_step(
    request: &Request<'_>,
    verdict: &mut Verdict,
) -> Result<Option<Claim>, WorkflowError> {
    let (base, head) = (&request.base.commit, &request.head.commit);
    let commits = request.repository.between(base, head)?;
    let steps: BTreeSet<&String> = commits.iter().filter_map(|c| c.step.as_ref()).collect();
    let mut claim = None;
    for step in steps {
        match judge_step_of(step, commits.len(), verdict) {
            Ok(found) => claim = Some(found),
            Err(finding) => verdict.findings.push(finding),
        }
    }
    Ok(claim)
}

/// How a file of the request differs from what would be proposed.
fn differs(
    request: &Request<'_>,
    claim: &Claim,
    wanted: &FileChange,
) -> Result<Option<Finding>, WorkflowError> {
    let there = request
        .repository
        .file_at(&request.head.commit, &wanted.path)?;
    let how = match there {
        Some(there) if there == wanted.contents => return Ok(None),
        Some(there) => first_difference(&wanted.contents, &there),
        None => "it is not there".to_owned(),
    };
    Ok(Some(claim.not_as_proposed(request, &wanted.path, how)))
}

/// The first line that differs, as both have it.
fn first_difference(wanted: &[u8], found: &[u8]) -> String {
    let line = |octets: Option<&[u8]>| {
        let octets = octets.map(String::from_utf8_lossy);
        octets.map_or("its end".to_owned(), |line| {
            format!("`{}`", line.trim_end())
        })
    };
    let (mut wanted, mut found) = (wanted.split(|&b| b == b'\n'), found.split(|&b| b == b'\n'));
    for number in 1usize.. {
        let (expected, there) = (wanted.next(), found.next());
        if expected != there {
            return format!(
                "line {number} should be {}, and is {}",
                line(expected),
                line(there)
            );
        }
        if expected.is_none() {
            break;
        }
    }
    "its octets differ".to_owned()
}

/// The files that hold signatures, judged by their meaning; their paths.
fn signed_files(
    request: &Request<'_>,
    claim: &Claim,
    draft: &Draft<'_>,
    verdict: &mut Verdict,
) -> Result<Vec<PathBuf>, WorkflowError> {
    let workspace = &request.base.workspace;
    let [delta, proposal] = ["delta", "proposal"]
        .map(|ending| draft::review_file(workspace, &claim.id, claim.purpose, draft.zone, ending));
    let read = |path| request.repository.file_at(&request.head.commit, path);
    let wanted = draft::meaning(draft)?;
    let means_it = |delta: &Delta| draft::means(delta, draft.zone, &wanted);
    if let Some(octets) = read(&delta)? {
        let parsed = Delta::parse(&String::from_utf8_lossy(&octets));
        let how = match parsed {
            Err(error) => Some(format!("line {}: {}", error.line, error.what)),
            Ok(delta) if !means_it(&delta) => {
                Some("its records say something else than the zone".into())
            }
            Ok(_) => None,
        };
        let finding = how.map(|how| claim.not_as_proposed(request, &delta, how));
        verdict.findings.extend(finding);
    }
    if let Some(octets) = read(&proposal)? {
        let how = match Signed::parse(&octets) {
            Err(error) => Some(error.to_string()),
            Ok(signed) => claim.judge_signed(&signed, means_it(&signed.proposal.delta), request),
        };
        let finding = how.map(|how| claim.not_as_proposed(request, &proposal, how));
        verdict.findings.extend(finding);
    }
    Ok(vec![delta, proposal])
}

impl Claim {
    fn not_as_proposed(
        &self,
        request: &Request<'_>,
        path: &std::path::Path,
        how: String,
    ) -> Finding {
        Finding::NotAsProposed {
            step: self.step.clone(),
            path: request.shown(path),
            how,
        }
    }

    /// What is wrong with a signed proposal. Whose signature it is, `change verify` judges where the keys are known.
    fn judge_signed(
        &self,
        signed: &Signed,
        means_it: bool,
        request: &Request<'_>,
    ) -> Option<String> {
        let proposal = &signed.proposal;
        let label = |label: &Option<crate::change::proposal::Label>| {
            label.as_ref().map(ToString::to_string)
        };
        if let Err(error) = signed.signature.verify(proposal.to_string().as_bytes()) {
            return Some(error.to_string());
        }
        if label(&proposal.rotation) != Some(self.id.to_string())
            || label(&proposal.step) != Some(self.purpose.to_string())
        {
            return Some("it was signed for another step".to_owned());
        }
        if !means_it {
            return Some("its records say something else than the zone".to_owned());
        }
        (request.now > proposal.expires).then(|| {
            format!(
                "it expired on {}; `tlsa-rotate advance` signs it anew",
                proposal.expires
            )
        })
    }
}
