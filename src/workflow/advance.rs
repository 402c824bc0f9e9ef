//! Use case `advance`: lock, replay, observe, decide until quiet, record, then do what the step asks for.
//!
//! Idempotent: run every minute or once a week, it comes to the same. One broken rotation never stops another.

use super::WorkflowError;
use super::case::Case;
use super::look::{self, Sight};
use super::{act, admit, propose, start};
use crate::rotation::decide::{Decision, decide};
use crate::rotation::observation::Observation;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;

/// How much a run may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Record what is established and do what follows from it.
    Act,
    /// Say what would be established; change nothing.
    Rehearse,
    /// Say where things stand; change nothing and take no step even in thought.
    Look,
}

/// What one run made of one certificate.
#[derive(Debug, Default)]
pub struct Tick {
    /// The certificate's name.
    pub certificate: String,
    /// The latest rotation and its state after the run.
    pub rotation: Option<(RotationId, Rotation)>,
    /// What was established in this run, in order.
    pub events: Vec<Event>,
    /// The machine's last word in this run.
    pub decision: Option<Decision>,
    /// What was seen last.
    pub observation: Option<Observation>,
    /// What was done, one sentence each.
    pub deeds: Vec<String>,
    /// Whether the deployment was run.
    pub deployed: bool,
    /// What the user should know beside it.
    pub notes: Vec<String>,
    /// Why the run could not finish with this certificate.
    pub failed: Option<WorkflowError>,
}

impl Tick {
    fn of(certificate: &str) -> Self {
        Self {
            certificate: certificate.to_owned(),
            ..Self::default()
        }
    }
}

/// More rounds of deed and second look than any run needs; a bound, so that a run always ends.
const MOST_ROUNDS: usize = 4;
/// More facts than one look can establish.
const MOST_EVENTS: usize = 16;

/// One run over the certificates named, or over all of them.
pub fn advance(
    workspace: &Workspace,
    names: &[String],
    now: Instant,
    mode: Mode,
) -> Result<Vec<Tick>, WorkflowError> {
    let lock = match mode {
        Mode::Act => Some(workspace.lock()?),
        Mode::Rehearse | Mode::Look => None,
    };
    let names = workspace.config.named_or_all(names);
    let mut ticks = Vec::with_capacity(names.len());
    for name in names {
        ticks.push(if let Some(lock) = &lock {
            tick(workspace, lock, &name, now)
        } else {
            let mut tick = Tick::of(&name);
            tick.failed = look_at(workspace, &name, now, mode, &mut tick).err();
            tick
        });
    }
    Ok(ticks)
}

/// One run over one certificate under a lock that is held already.
pub(super) fn tick(workspace: &Workspace, lock: &WorkspaceLock, name: &str, now: Instant) -> Tick {
    let mut tick = Tick::of(name);
    tick.failed = act_on(workspace, lock, name, now, &mut tick).err();
    tick
}

fn act_on(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    name: &str,
    now: Instant,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let mut case = Case::open(workspace, name, now)?;
    tick.notes.extend(case.torn_end());
    tick.rotation.clone_from(&case.rotation);
    for _ in 0..MOST_ROUNDS {
        // The signed zone follows git HEAD before anything is asked: what is merged is on its way to the servers. If that
        // fails, the world is looked at all the same: a delivery at risk must be said whatever else is broken.
        let published = act::publish_merged(workspace, lock, case.certificate, now);
        let failed = published.map(|deeds| tick.deeds.extend(deeds)).err();
        if case.under_way().is_none() {
            remember(
                &mut tick.notes,
                start::nothing_to_do(case.certificate).into_iter().collect(),
            );
        }
        // A rotation that is over is still looked at: what goes back after the end is said loudly, too.
        if case.rotation.is_none() {
            return failed.map_or(Ok(()), Err);
        }
        act::finish_key_steps(workspace, lock, &mut case, now, tick)?;
        let decision = establish(workspace, lock, &mut case, now, tick)?;
        let actions = decision.actions.clone();
        tick.decision = Some(decision);
        if let Some(error) = failed {
            return Err(error);
        }
        let again = act::carry_out(workspace, lock, &case, &actions, now, tick)?;
        tick.deeds.extend(propose::retract(workspace, lock, &case)?);
        if !again {
            break;
        }
    }
    tick.notes.extend(deployment(workspace, tick));
    Ok(())
}

/// Where the files lie that a person is to deploy.
fn deployment(workspace: &Workspace, tick: &Tick) -> Option<String> {
    let (id, state) = tick.rotation.as_ref()?;
    let directory = admit::directory(workspace, id);
    (state.step == Step::SwapOpen).then(|| {
        format!(
            "the incoming certificate and key lie in {}",
            directory.display()
        )
    })
}

/// Looks once and records facts until none follows.
fn establish(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    now: Instant,
    tick: &mut Tick,
) -> Result<Decision, WorkflowError> {
    let mut decision = Decision::default();
    let Some((_, state)) = &case.rotation else {
        return Ok(decision);
    };
    let Sight { observation, notes } = look::look(workspace, case.certificate, state, now);
    remember(&mut tick.notes, notes);
    for _ in 0..MOST_EVENTS {
        let Some((_, state)) = &case.rotation else {
            break;
        };
        decision = decide(state, now, &observation, &case.certificate.policy);
        let Some(event) = decision.event.clone() else {
            break;
        };
        case.record(lock, now, event.clone())?;
        tick.events.push(event);
        tick.rotation.clone_from(&case.rotation);
    }
    tick.observation = Some(observation);
    Ok(decision)
}

/// The same without writing: one look, and, in a rehearsal, the facts that would follow.
fn look_at(
    workspace: &Workspace,
    name: &str,
    now: Instant,
    mode: Mode,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let case = Case::open(workspace, name, now)?;
    tick.notes.extend(case.torn_end());
    tick.rotation.clone_from(&case.rotation);
    let Some((id, mut state)) = case.rotation.clone() else {
        return Ok(());
    };
    let Sight { observation, notes } = look::look(workspace, case.certificate, &state, now);
    remember(&mut tick.notes, notes);
    let policy = &case.certificate.policy;
    let mut decision = decide(&state, now, &observation, policy);
    for _ in 0..MOST_EVENTS {
        let Some(event) = decision.event.clone().filter(|_| mode == Mode::Rehearse) else {
            break;
        };
        state = crate::rotation::step::apply(Some(&state), now, &event)
            .map_err(WorkflowError::Illegal)?;
        tick.events.push(event);
        decision = decide(&state, now, &observation, policy);
    }
    tick.rotation = Some((id, state));
    tick.decision = Some(decision);
    tick.observation = Some(observation);
    tick.notes.extend(deployment(workspace, tick));
    Ok(())
}

fn remember(notes: &mut Vec<String>, new: Vec<String>) {
    for note in new {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}
