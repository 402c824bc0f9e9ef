//! Use cases `pause` and `resume`: a certificate of which nothing is proposed and nothing deployed for a while. What is merged
//! is signed and served as ever, and mail at risk is told.

use super::WorkflowError;
use super::advance::Tick;
use super::present::Present;
use super::run::Run;
use crate::files::read;
use crate::rotation::decide::Action;
use crate::rotation::emergency::Priority;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Deploy};
use crate::workspace::inside;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::PathBuf;

/// That a certificate is paused, as it is kept in the state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paused {
    version: u32,
    since: Instant,
    until: Option<Instant>,
    reason: String,
}

const VERSION: u32 = 1;

/// How the note begins that tells of a pause.
const PAUSED: &str = "paused since";

/// Pauses the certificate named `name`, until a time or until `resume`.
pub fn pause(
    workspace: &Workspace,
    name: &str,
    (until, reason): (Option<Instant>, &str),
    present: &Present,
) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    if let Some(until) = until.filter(|until| *until <= run.now) {
        return Err(WorkflowError::PauseIsOver { until });
    }
    let paused = Paused {
        version: VERSION,
        since: run.now,
        until,
        reason: reason.to_owned(),
    };
    if run.lock().is_some() {
        let path = path(workspace, name);
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let mut text = serde_json::to_string_pretty(&paused).unwrap_or_default();
        text.push('\n');
        inside::replace(&path, text.as_bytes())?;
        return Ok(run.follow(&case));
    }
    let mut tick = run.follow(&case);
    told(name, &paused, &mut tick);
    Ok(tick)
}

/// Ends the pause of the certificate named `name`, and goes on.
pub fn resume(workspace: &Workspace, name: &str, present: &Present) -> Result<Tick, WorkflowError> {
    let run = Run::begin(workspace, present)?;
    let case = run.open(name)?;
    if paused(workspace, name, run.now)?.is_none() {
        return Err(WorkflowError::NotPaused {
            name: name.to_owned(),
        });
    }
    if run.lock().is_some() {
        inside::remove(&path(workspace, name))?;
        return Ok(run.follow(&case));
    }
    let mut tick = run.follow(&case);
    // It is told as it would be without the pause.
    tick.rests = false;
    tick.notes.retain(|note| !note.starts_with(PAUSED));
    let ends = "a run would end the pause: what waits is proposed and deployed then";
    tick.notes.push(ends.to_owned());
    Ok(tick)
}

/// Whether a certificate is paused now. A note that cannot be read is an error: what it forbids is not done.
pub(super) fn paused(
    workspace: &Workspace,
    name: &str,
    now: Instant,
) -> Result<Option<Paused>, WorkflowError> {
    let path = path(workspace, name);
    let unreadable = |source| WorkflowError::Unreadable {
        path: path.clone(),
        source,
    };
    let text = match read::read_text_unlinked(&path, read::LIST) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(unreadable)?,
    };
    let invalid = |what: String| unreadable(std::io::Error::new(ErrorKind::InvalidData, what));
    let paused: Paused = serde_json::from_str(&text).map_err(|e| invalid(e.to_string()))?;
    if paused.version != VERSION {
        return Err(invalid(format!("it is of version {}", paused.version)));
    }
    let is_on = paused.until.is_none_or(|until| now < until);
    Ok(is_on.then_some(paused))
}

/// Tells in each run that a certificate is paused, and which last moments for a person the pause would let pass.
pub(super) fn tell(workspace: &Workspace, now: Instant, tick: &mut Tick) {
    let name = tick.certificate.clone();
    match paused(workspace, &name, now) {
        Ok(None) => {}
        Ok(Some(paused)) => told(&name, &paused, tick),
        Err(error) => drop(tick.failed.get_or_insert(error)),
    }
}

fn told(name: &str, paused: &Paused, tick: &mut Tick) {
    let end = paused.until.map_or_else(
        || format!("`tlsa-rotate resume {name}`"),
        |until| format!("{until} (`tlsa-rotate resume {name}` ends it now)"),
    );
    let note = format!(
        "{PAUSED} {}, until {end}: nothing is proposed and nothing is deployed ({})",
        paused.since, paused.reason
    );
    tick.notes.insert(0, note);
    let act_by = tick.decision.iter().flat_map(|decision| &decision.act_by);
    // One without an end may end in time: it is told when that is near.
    let missed = act_by.filter(|one| match paused.until {
        Some(until) => until > one.by,
        None => one.is_near,
    });
    let missed: Vec<String> = missed
        .map(|one| format!("the pause lasts longer than this can wait: {one}"))
        .collect();
    tick.notes.extend(missed);
    tick.rests = true;
}

/// What of these actions is done now: nothing that changes a zone or a host while the certificate is paused, and no program is
/// run for hosts while its window is closed. An emergency waits for neither. Says what is left out.
pub(super) fn allowed(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    (actions, emergency): (&[Action], Option<Priority>),
    now: Instant,
    tick: &mut Tick,
) -> Result<Vec<Action>, WorkflowError> {
    let mut allowed = actions.to_vec();
    if emergency.is_some() {
        return Ok(allowed);
    }
    if paused(workspace, &certificate.name, now)?.is_some() {
        allowed.retain(|action| !matches!(action, Action::ChangeZone(_) | Action::Deploy(_)));
        return Ok(allowed);
    }
    let by_program = matches!(certificate.deploy, Deploy::Command(_));
    if let Some(window) = &certificate.deploy_window
        && by_program
        && !window.is_open(now)
        && allowed.iter().any(deploys)
    {
        allowed.retain(|action| !deploys(action));
        let note = format!(
            "hosts get the next key from {} on: deploy_window = \"{window}\"",
            window.opens(now)
        );
        super::advance::remember(&mut tick.notes, vec![note]);
        tick.rests = true;
    }
    Ok(allowed)
}

/// What a plan supposes otherwise: its dates are those of a certificate that is not paused, and of hosts that may change at any
/// hour.
pub(super) fn of_plan(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let name = &certificate.name;
    let mut notes = Vec::new();
    if let Some(paused) = paused(workspace, name, now)? {
        let until = match paused.until {
            Some(until) => format!("until {until}"),
            None => format!("until `tlsa-rotate resume {name}`"),
        };
        notes.push(format!(
            "{name} is paused {until}: every date is later by what is left of it"
        ));
    }
    if let (Some(window), Deploy::Command(_)) = (&certificate.deploy_window, &certificate.deploy) {
        notes.push(format!(
            "hosts get the next key within deploy_window = \"{window}\" only: step 5 and what follows may be later"
        ));
    }
    Ok(notes)
}

fn deploys(action: &Action) -> bool {
    matches!(action, Action::Deploy(hosts) if !hosts.is_empty())
}

fn path(workspace: &Workspace, certificate: &str) -> PathBuf {
    let directory = workspace.state().join("paused");
    directory.join(format!("{certificate}.json"))
}
