//! Branches on which proposals stood before the configuration named others for them: they go, where they are ours and nothing
//! open is on them alone.

use super::known::Known;
use super::propose::Proposed;
use super::review::Told;
use super::upstream::Upstream;
use crate::change::message::Purpose;
use crate::publish::git::Standing;
use crate::workspace::journal::RotationId;
use std::collections::{BTreeMap, BTreeSet};

/// Takes them down, all of a place at once, and tells which. `there` is what stood at each place before this run proposed.
pub(super) fn take_down(
    known: &mut Known<'_>,
    there: &[(Upstream, BTreeMap<String, Standing>)],
) -> Vec<Told> {
    let mut told = Vec::new();
    for (upstream, branches) in there {
        let is_former = |branch: &str, one: &Standing| {
            one.is_as_set && !one.steps.is_empty() && !known.workspace.config.is_proposal(branch)
        };
        if !branches.iter().any(|(branch, one)| is_former(branch, one)) {
            continue;
        }
        // Asked again: what this run has put on other branches counts, and what could not be put there does not.
        let Ok(now) = upstream.repository.standing(upstream.site()) else {
            continue;
        };
        let (former, present): (BTreeMap<_, _>, BTreeMap<_, _>) = now
            .into_iter()
            .partition(|(branch, one)| is_former(branch, one));
        let current = present
            .into_iter()
            .filter(|(branch, _)| known.workspace.config.is_proposal(branch));
        let elsewhere: BTreeSet<String> = current.flat_map(|(_, one)| one.steps).collect();
        let gone: Vec<(String, Standing)> = former
            .into_iter()
            .filter(|(_, one)| {
                let mut steps = one.steps.iter();
                steps.all(|step| elsewhere.contains(step) || !is_open(known, step))
            })
            .collect();
        if gone.is_empty() {
            continue;
        }
        let places: Vec<(&str, &str)> = gone
            .iter()
            .map(|(branch, one)| (&**branch, &*one.commit))
            .collect();
        let done = upstream
            .repository
            .take_down(upstream.site(), &places)
            .map_err(|error| error.to_string());
        for (branch, one) in &gone {
            let certificate = one.steps.first().and_then(|step| step.split_once('/'));
            let certificate = certificate.and_then(|(id, _)| id.rsplit_once('.'));
            let certificate = certificate.map_or_else(String::new, |(name, _)| name.to_owned());
            let what = match &done {
                Ok(()) => Proposed::ForReview(format!(
                    "deleted branch {branch}: the configuration names other branches for what was proposed there"
                )),
                Err(error) => Proposed::Standing(format!(
                    "branch {branch}, which the configuration names no more, was left where it is: {error}"
                )),
            };
            told.push((certificate, Ok(what)));
        }
    }
    told
}

/// Whether a step, such as `mail.1/publish`, is the present one of its rotation. Of one that is not known, it may be.
fn is_open(known: &mut Known<'_>, step: &str) -> bool {
    let Some((id, purpose)) = step.rsplit_once('/') else {
        return true;
    };
    let Ok(id) = id.parse::<RotationId>() else {
        return true;
    };
    let Some((latest, state)) = known.rotation(&id.certificate) else {
        return true;
    };
    let present = Purpose::of(state.step).map(|present| present.to_string());
    *latest == id && present.as_deref() == Some(purpose)
}
