//! Whether the clock is to be relied on in this run, as far as the clock itself tells (facts of the future: [`Case`]).

use super::apart;
use super::case::Case;
use super::present::Present;
use super::shared::{self, Shared};
use super::signers;
use crate::rotation::doubt::{APART, Doubt};
use crate::rotation::repair::TooEarly;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::clock::{Damaged, Jump, Noted, judge, not_set_yet};
use crate::workspace::lock::WorkspaceLock;

/// How much of a commit's name is shown.
const SHORT: usize = 12;

/// Why it is not, if so. Where a run acts, what its clock shows is kept in mind; what cannot be kept holds nothing up.
pub(super) fn doubt(
    workspace: &Workspace,
    present: &Present,
    lock: Option<&WorkspaceLock>,
) -> Option<Doubt> {
    if let Some(behind) = behind_others(workspace, present) {
        return Some(behind);
    }
    if shared::is_shared(workspace)
        && let Some(apart) = apart::doubt(workspace)
    {
        return Some(apart);
    }
    if let Some(behind) = behind_commits(workspace, present) {
        return Some(behind);
    }
    let reading = present.reading.as_ref()?;
    let state = workspace.state();
    let noted = match Noted::read(&state) {
        Ok(noted) => noted,
        // Where time is kept right now, and nothing waits, nothing can rest on what it was before.
        Err(Damaged) if reading.synchronised != Some(true) || is_under_way(workspace, present) => {
            return Some(Doubt::NoteDamaged);
        }
        Err(Damaged) => None,
    };
    // A journal that came along, from a remote or a backup, rests on another machine's time, or on an earlier start of this one.
    if noted.is_none()
        && shared::names(workspace).is_ok_and(|journals| !journals.is_empty())
        && let Some(doubt) = not_set_yet(reading)
    {
        return Some(doubt);
    }
    let (mut now, mut doubt) = judge(noted.as_ref(), reading);
    // A clock that is kept right now, and was wrong while nothing was recorded by it, has done no harm.
    if let Some(jump) = now.jump()
        && reading.synchronised == Some(true)
        && !rests_on(workspace, present, jump)
    {
        (now, doubt) = (Noted::right(reading), None);
    }
    if lock.is_some() && noted.as_ref() != Some(&now) {
        let _ = now.write(&state);
    }
    doubt
}

/// That a journal which runners share has facts of the future: whichever certificate they are of, one of the clocks is wrong,
/// and nothing is dated by this one.
fn behind_others(workspace: &Workspace, present: &Present) -> Option<Doubt> {
    if !shared::is_shared(workspace) {
        return None;
    }
    let certificates = workspace.config.certificates.iter();
    let doubts = certificates.filter_map(|certificate| {
        let case = Case::open(workspace, &certificate.name, present.now);
        case.ok()?.doubt()
    });
    let last = |doubt: &Doubt| match doubt {
        Doubt::FactsAhead { last, .. } => Some(*last),
        _ => None,
    };
    doubts.max_by_key(last)
}

/// That the branch which counts for several runners has a commit of the future. Whoever makes commits there, people, forges and
/// runners, tells by them what time it is at least. A time that a person names is no clock.
fn behind_commits(workspace: &Workspace, present: &Present) -> Option<Doubt> {
    present.reading.as_ref()?;
    let shared = Shared::of(workspace, present.now).ok()??;
    let (commit, made) = signers::dated_base(&shared).ok()??;
    let (made, now) = (Instant::from_unix(made), present.now);
    (made.since(now) > APART).then(|| Doubt::CommitAhead {
        commit: commit.chars().take(SHORT).collect(),
        made,
        now,
    })
}

/// The facts that were recorded too early by a clock that was set forward since.
pub(super) fn too_early(workspace: &Workspace, present: &Present) -> Option<TooEarly> {
    let noted = Noted::read(&workspace.state()).ok().flatten();
    let jump = match &present.reading {
        Some(reading) => judge(noted.as_ref(), reading).0.jump(),
        None => None,
    };
    let Some(jump) = jump.filter(|jump| jump.forward) else {
        return apart::too_early(workspace, present.now);
    };
    Some(TooEarly {
        from: jump.from,
        before: jump.noticed,
        by: jump.by,
    })
}

/// Whether any rotation is under way.
fn is_under_way(workspace: &Workspace, present: &Present) -> bool {
    let mut certificates = workspace.config.certificates.iter();
    certificates.any(|certificate| {
        let case = Case::open(workspace, &certificate.name, present.now);
        case.is_ok_and(|case| case.under_way().is_some())
    })
}

/// Whether a wait may seem longer than it was. One that was begun by a clock that was ahead seems shorter, and does no harm.
fn rests_on(workspace: &Workspace, present: &Present, jump: Jump) -> bool {
    let mut certificates = workspace.config.certificates.iter();
    jump.forward
        && certificates.any(|certificate| {
            let case = Case::open(workspace, &certificate.name, present.now);
            // One that cannot be read is told in its own turn.
            case.is_ok_and(|case| case.under_way().is_some() && case.has_facts_of(jump))
        })
}
