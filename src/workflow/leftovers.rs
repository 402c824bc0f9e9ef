//! What a rotation that is over leaves behind: its merged branches go, and the private keys that it retired go once no
//! signature over a record of theirs can be replayed any more (RFC 7671 §13).

use super::WorkflowError;
use super::admit;
use super::advance::{Tick, remember};
use super::case::{Case, Retirement};
use super::head;
use super::known::Known;
use super::upstream::Upstream;
use crate::dane::association::dane_ee_spki;
use crate::dane::certificate::Certificate;
use crate::dane::subject::{self, Subject};
use crate::files::read;
use crate::publish::git::Site;
use crate::rotation::association::Association;
use crate::rotation::observation::Observation;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Takes away what a rotation that is over leaves behind. What cannot be taken away holds nothing up.
pub(super) fn tidy(known: &mut Known<'_>, case: &Case<'_>, tick: &mut Tick) {
    let branches = forget_branches(known.workspace, case, known.now);
    let keys = match &tick.observation {
        Some(observation) => remove_retired_keys(known, case, observation),
        None => Ok(Vec::new()),
    };
    for (what, done) in [("merged branches", branches), ("retired keys", keys)] {
        match done {
            Ok(deeds) => tick.deeds.extend(deeds),
            Err(error) => {
                let note = format!("{what} were left where they are: {error}");
                remember(&mut tick.notes, vec![note]);
            }
        }
    }
}

/// For how long after its end the branches of a rotation are looked for: a run that failed or was killed is not the last.
const LOOKED_FOR: Span = Span::days(1);

/// Deletes the branches of a rotation that is over and whose proposals are merged, where proposals are and here; says so.
fn forget_branches(
    workspace: &Workspace,
    case: &Case<'_>,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let Some((id, state)) = &case.rotation else {
        return Ok(deeds);
    };
    if !state.is_over() || now >= state.since + LOOKED_FOR {
        return Ok(deeds);
    }
    let rotation = id.to_string();
    let mut done: Vec<(Upstream, String)> = Vec::new();
    for zone in head::zones_of(workspace, state.names()) {
        let Some(branch) = zone.publication.branch(&rotation, &zone.name) else {
            continue;
        };
        let place = (Upstream::of(workspace, zone)?, branch);
        if done.contains(&place) {
            continue;
        }
        let (upstream, branch) = &place;
        let base = upstream.tip()?;
        let repository = &upstream.repository;
        let mut gone = repository.forget_merged(branch, &rotation, &base, upstream.site())?;
        if upstream.site() != Site::Here {
            gone |= repository.forget_merged(branch, &rotation, &base, Site::Here)?;
        }
        if gone {
            deeds.push(format!(
                "deleted branch {branch}: {id} is over, and the branch is merged"
            ));
        }
        done.push(place);
    }
    Ok(deeds)
}

/// Removes private keys that earlier rotations retired and that no replayed record could be of use with; says which.
///
/// A key that a host was seen to present, that a certificate of the configuration has, or that a rotation under way needs
/// stays, whatever the journal says.
fn remove_retired_keys(
    known: &mut Known<'_>,
    case: &Case<'_>,
    observation: &Observation,
) -> Result<Vec<String>, WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let mut deeds = Vec::new();
    let Some((id, state)) = &case.rotation else {
        return Ok(deeds);
    };
    if !state.is_over() {
        return Ok(deeds);
    }
    let keep = case.certificate.policy.keep_retired_keys;
    let note = workspace
        .state()
        .join("retired")
        .join(&case.certificate.name);
    let mut done = number_in(&note);
    let due = case.retirements().into_iter();
    let due = due.filter(|retired| retired.number > done && retired.is_past(now, keep));
    let due: Vec<Retirement> = due.collect();
    let Some(last) = due.iter().map(|retired| retired.number).max() else {
        return Ok(deeds);
    };
    let needed = needed(known, state, observation)?;
    let mut kept = false;
    for number in 1..id.number {
        let of = RotationId {
            certificate: id.certificate.clone(),
            number,
        };
        for (path, key) in private_keys(&workspace.tls_keys(&of))? {
            let Some(retired) = due.iter().find(|retired| retired.keys.contains(&key)) else {
                continue;
            };
            if needed.contains(&key) {
                kept = true;
                continue;
            }
            inside::remove(&path)?;
            let shown = path
                .strip_prefix(&workspace.root)
                .unwrap_or(&path)
                .display();
            let until = retired.signed_until.unwrap_or(retired.at);
            deeds.push(format!(
                "removed the private key {shown}: {}.{} retired it, and the last signature over its record expired by {until}",
                id.certificate, retired.number
            ));
        }
    }
    if kept {
        return Ok(deeds);
    }
    // Noted after the deed: who is killed between the two finds nothing to remove.
    done = done.max(last);
    if let Some(directory) = note.parent() {
        inside::create_directory(directory, 0o777)?;
    }
    inside::replace(&note, format!("{done}\n").as_bytes())?;
    Ok(deeds)
}

/// Up to which rotation retired keys have been removed here.
fn number_in(note: &Path) -> u32 {
    let text = read::read_text_unlinked(note, read::LIST).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

/// The keys that something here still has a use for.
fn needed(
    known: &mut Known<'_>,
    state: &Rotation,
    observation: &Observation,
) -> Result<BTreeSet<Association>, WorkflowError> {
    let mut needed: BTreeSet<Association> = observation.keys_presented().cloned().collect();
    needed.extend(kept_at_the_end(state).cloned());
    let workspace = known.workspace;
    for certificate in &workspace.config.certificates {
        // Files in use that cannot be read are no reason to believe that a key is not in use.
        for chain in admit::in_use(certificate)? {
            needed.extend(chain.first().map(Certificate::spki_association));
        }
        if let Some((_, other)) = known.rotation(&certificate.name)
            && !other.is_over()
        {
            let keys = other
                .current
                .iter()
                .chain(&other.incoming)
                .chain(&other.staying);
            needed.extend(keys.cloned());
        }
    }
    Ok(needed)
}

/// The keys in use once a rotation is over.
fn kept_at_the_end(state: &Rotation) -> impl Iterator<Item = &Association> {
    let kept = match state.step {
        Step::Aborted => &state.current,
        _ => &state.incoming,
    };
    kept.iter().chain(&state.staying)
}

/// The private keys in a directory, each with the `3 1 1` association of its public half. What is no key is left alone.
fn private_keys(directory: &Path) -> Result<Vec<(PathBuf, Association)>, WorkflowError> {
    let unreadable = |source| WorkflowError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.to_string_lossy().ends_with(".key.pem")
            && let Ok(octets) = admit::read_file(&path)
            && let Ok(subjects) = subject::read(&octets)
        {
            let private = |one: &&Subject| matches!(one, Subject::PrivateKey(_));
            let public = subjects
                .iter()
                .find(private)
                .and_then(|key| key.public_key().ok());
            keys.extend(public.map(|public| (path, dane_ee_spki(public.spki()))));
        }
    }
    keys.sort();
    Ok(keys)
}
