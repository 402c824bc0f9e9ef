//! A pull request that brings proposals: of the present step, and the same that would be proposed again now (R1).
//!
//! ECDSA signatures differ each time they are made. What holds them is compared by what it means, and its own signature
//! is verified.

use super::answered::Both;
use super::finding::Finding;
use super::{Request, Verdict};
use crate::change::message::Purpose;
use crate::change::proposal::Signed;
use crate::dnssec::delta::Delta;
use crate::publish::git::Change as FileChange;
use crate::rotation::step::{Requirement, Rotation};
use crate::workflow::WorkflowError;
use crate::workflow::draft::{self, Draft};
use crate::workflow::head;
use crate::workflow::propose::day;
use crate::workspace::journal::RotationId;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A proposal of the present step.
struct Claim {
    step: String,
    id: RotationId,
    state: Rotation,
    purpose: Purpose,
}

/// Judges the proposals that the merge brings: each must be of the present step, and what would be proposed again now on the
/// base. What a message says of them does not count, nor in how many commits and merges they come.
pub(super) fn judge(
    request: &Request<'_>,
    both: Both<'_>,
    verdict: &mut Verdict,
) -> Result<(), WorkflowError> {
    let mut claims = Vec::new();
    for step in steps(request) {
        match judge_step(&step, verdict) {
            Ok(claim) => claims.push(claim),
            Err(finding) => verdict.findings.push(finding),
        }
    }
    let together = together(request, &claims, both);
    let mut known = BTreeMap::new();
    for claim in claims {
        verdict.at_hand.insert(claim.id.clone());
        let files = judge_claim(request, (&claim, &together), both, verdict)?;
        known.insert(claim.step, files);
    }
    judge_stray(request, &known, verdict)
}

/// The zone files as one proposal of all these steps would have them: what is due in a zone may come on one branch.
fn together(
    request: &Request<'_>,
    claims: &[Claim],
    both: Both<'_>,
) -> BTreeMap<PathBuf, FileChange> {
    let workspace = &request.base.workspace;
    let requirements: Vec<Requirement> = claims.iter().map(|one| one.state.requirement()).collect();
    let mut wanted: BTreeMap<Name, Vec<(&Rotation, &Requirement)>> = BTreeMap::new();
    for (claim, requirement) in claims.iter().zip(&requirements) {
        for zone in head::zones_of(workspace, claim.state.names()) {
            let of_zone = wanted.entry(zone.name.clone()).or_default();
            of_zone.push((&claim.state, requirement));
        }
    }
    let mut files = BTreeMap::new();
    for zone in &workspace.config.zones {
        let Some(wanted) = wanted.get(&zone.name).filter(|wanted| wanted.len() > 1) else {
            continue;
        };
        let Some(head) = both.before.zones.get(&zone.name).cloned().map(Arc::new) else {
            continue;
        };
        let Some(day) = wanted.iter().map(|(state, _)| day(state)).max() else {
            continue;
        };
        // What cannot be edited together is told of each by itself.
        let draft = draft::together(workspace, zone, head, wanted, day);
        let there = draft.ok().flatten().into_iter();
        let of_zone = there.flat_map(|draft| draft::zone_files(&draft));
        files.extend(of_zone.map(|file| (file.path.clone(), file)));
    }
    files
}

/// The steps whose files for review the merge brings or changes, such as `mail.1/publish`.
fn steps(request: &Request<'_>) -> BTreeSet<String> {
    let all = request.base.workspace.root.join("changes");
    let there = request.entries.iter().filter(|entry| entry.kind.is_some());
    let steps = there.filter_map(|entry| {
        let path = entry.path.strip_prefix(&all).ok()?;
        let id: RotationId = path.parent()?.to_str()?.parse().ok()?;
        let file = path.file_name()?.to_str()?;
        let is_ours = [".diff", ".delta", ".proposal"]
            .iter()
            .any(|end| file.ends_with(end));
        let (purpose, _) = file.split_once('.').filter(|_| is_ours)?;
        Some(format!("{id}/{purpose}"))
    });
    steps.collect()
}

/// Whether a step is the present one of its rotation.
fn judge_step(step: &str, verdict: &Verdict) -> Result<Claim, Finding> {
    let (id, purpose) = step.rsplit_once('/').unwrap_or((step, ""));
    let mut rotations = verdict.upheld.iter();
    let found = rotations.find(|(known, _)| known.to_string() == id);
    let over = |state: Option<&Rotation>| Finding::EarlierStep {
        step: step.to_owned(),
        stands: state.map(|state| state.step),
    };
    let Some((id, state)) = found else {
        return Err(over(None));
    };
    // Also of a rotation that is over: what was merged late is taken back by its last step, proposed once more.
    match Purpose::of(state.step) {
        Some(present) if present.to_string() == purpose => Ok(Claim {
            step: step.to_owned(),
            id: id.clone(),
            state: state.clone(),
            purpose: present,
        }),
        _ => Err(over(Some(state))),
    }
}

/// Judges one proposal by making it again from the base; the files that it is made of.
fn judge_claim(
    request: &Request<'_>,
    (claim, together): (&Claim, &BTreeMap<PathBuf, FileChange>),
    both: Both<'_>,
    verdict: &mut Verdict,
) -> Result<BTreeSet<PathBuf>, WorkflowError> {
    let requirement = claim.state.requirement();
    let workspace = &request.base.workspace;
    let mut known = BTreeSet::new();
    for zone in head::zones_of(workspace, claim.state.names()) {
        let Some(head) = both.before.zones.get(&zone.name).cloned().map(Arc::new) else {
            continue;
        };
        let day = day(&claim.state);
        let Some(draft) = draft::draft(workspace, &claim.state, zone, head, &requirement, day)?
        else {
            continue;
        };
        let means_it = means_the_same(&draft, &claim.state, both)?;
        for file in draft::zone_files(&draft) {
            if let Some(finding) = differs(request, claim, &file)? {
                let with_others = match together.get(&file.path) {
                    Some(wanted) => differs(request, claim, wanted)?.is_none(),
                    None => false,
                };
                if with_others {
                    // It is this, and what the other steps of the request want.
                } else if means_it {
                    verdict.notes.push(format!(
                        "{} changes in more than what {} proposes",
                        request.shown(&file.path).display(),
                        claim.step
                    ));
                } else {
                    verdict.findings.push(finding);
                }
            }
            known.insert(file.path);
        }
        let review = draft::record_diff(workspace, &claim.id.to_string(), claim.purpose, &draft)?;
        if let Some(finding) = differs(request, claim, &review)?
            && !(means_it && differs_in_serial_only(request, &review)?)
        {
            verdict.findings.push(finding);
        }
        known.insert(review.path);
        known.extend(signed_files(request, claim, &draft, verdict)?);
    }
    if known.is_empty() {
        // The base meets the step already: nothing would be proposed.
        verdict.findings.push(Finding::EarlierStep {
            step: claim.step.clone(),
            stands: Some(claim.state.step),
        });
    }
    // It takes the files for review of earlier rotations away; what it makes of them otherwise is stray.
    let outdated =
        |commit| draft::outdated_reviews(workspace, request.repository, commit, &claim.id);
    let kept = outdated(&request.head.commit)?;
    let gone = outdated(&request.base.commit)?.into_iter();
    known.extend(gone.filter(|path| !kept.contains(path)));
    Ok(known)
}

/// Whether a record diff says something else of the serial alone: the zone has got another one since.
fn differs_in_serial_only(
    request: &Request<'_>,
    wanted: &FileChange,
) -> Result<bool, WorkflowError> {
    let lines = |octets: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(octets);
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("~ SOA serial "));
        lines.map(str::to_owned).collect()
    };
    let commit = &request.head.commit;
    let there = request.repository.file_at(commit, &wanted.path)?;
    Ok(there.is_some_and(|there| lines(&there) == lines(&wanted.contents)))
}

/// Whether the merge makes of the RRsets of a rotation what its proposal would.
fn means_the_same(
    draft: &Draft<'_>,
    state: &Rotation,
    both: Both<'_>,
) -> Result<bool, WorkflowError> {
    let wanted = draft::content(&draft.edited)?;
    let Some(after) = both.after.zones.get(&draft.zone.name) else {
        return Ok(false);
    };
    let names = state.names().iter();
    let mut names = names.filter_map(|name| Name::parse(name.as_str().as_bytes(), None).ok());
    let is_here = |name: &Name| {
        both.before.config.zone_of(name).map(|zone| &zone.name) == Some(&draft.zone.name)
    };
    Ok(names.all(|name| {
        !is_here(&name)
            || wanted.rrset(&name, Rtype::TLSA) == after.content.rrset(&name, Rtype::TLSA)
    }))
}

/// What the commit of a proposal changes beside it.
fn judge_stray(
    request: &Request<'_>,
    known: &BTreeMap<String, BTreeSet<PathBuf>>,
    verdict: &mut Verdict,
) -> Result<(), WorkflowError> {
    if known.is_empty() {
        return Ok(());
    }
    let commits = request
        .repository
        .between(&request.base.commit, request.tip)?;
    for commit in commits {
        let steps = commit.step.unwrap_or_default();
        let files: Vec<&BTreeSet<PathBuf>> = steps
            .split(';')
            .filter_map(|step| known.get(step.trim()))
            .collect();
        if files.is_empty() {
            continue;
        }
        for path in request.repository.touched(&commit.commit)? {
            // What the base has as well is none of the request's.
            let is_known = files.iter().any(|files| files.contains(&path));
            if !is_known && request.changed.contains(&path) {
                let path = request.shown(&path);
                let step = steps.replace(';', ", ");
                verdict.findings.push(Finding::StrayFile { step, path });
            }
        }
    }
    Ok(())
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
    let [delta, proposal] = ["delta", "proposal"].map(|ending| {
        draft::review_file(
            workspace,
            &claim.id.to_string(),
            claim.purpose,
            draft.zone,
            ending,
        )
    });
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
