//! Use case `advance`: lock, replay, observe, decide until quiet, record, then do what the step asks for.
//!
//! Idempotent: run every minute or once a week, it comes to the same. One broken rotation never stops another.

use super::WorkflowError;
use super::case::Case;
use super::look::{self, Sight};
use super::{act, admit, afterwards, pace, propose, shared, start, witness};
use crate::rotation::decide::{Decision, decide};
use crate::rotation::due::Release;
use crate::rotation::observation::{Endpoint, Observation};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

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
    /// The hosts and ports for which a deployment was run.
    pub asked: BTreeSet<Endpoint>,
    /// The policy that held in this run.
    pub policy: Policy,
    /// What the user should know beside it.
    pub notes: Vec<String>,
    /// Why the run could not finish with this certificate.
    pub failed: Option<WorkflowError>,
}

impl Tick {
    pub(super) fn of(certificate: &str) -> Self {
        Self {
            certificate: certificate.to_owned(),
            ..Self::default()
        }
    }
}

/// More rounds of deed and second look than any run needs beside those for its hosts; a bound, so that a run always ends.
const MOST_ROUNDS: usize = 4;
/// How often a run looks again after another runner was faster; then it leaves the rest to the next run.
const MOST_ATTEMPTS: usize = 3;
/// How many certificates are looked at at the same time.
const MOST_AT_ONCE: usize = 8;
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
    if let Some(lock) = &lock
        && let Err(error) = shared::synchronise(workspace, lock)
    {
        return Ok(only_looked_at(workspace, &names, now, &error));
    }
    let mut sights = look_ahead(workspace, &names, now);
    let mut ticks = Vec::with_capacity(names.len());
    let mut known = act::Known::nothing(workspace, now);
    for name in names {
        let sight = sights.remove(&name);
        ticks.push(if let Some(lock) = &lock {
            tick_with(workspace, lock, &name, now, (sight, &mut known))
        } else {
            let mut tick = Tick::of(&name);
            tick.failed = look_at(workspace, &name, now, (mode, sight), &mut tick).err();
            tick
        });
    }
    Ok(ticks)
}

/// A rotation as it stood, and what was seen for it.
type Seen = (Rotation, Sight);

/// Looks for many certificates, some at a time: a host that does not answer holds up its own rotation and no other.
fn look_ahead(workspace: &Workspace, names: &[String], now: Instant) -> BTreeMap<String, Seen> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    // One alone is looked at when its turn comes.
    let workers = MOST_AT_ONCE.min(names.len().saturating_sub(1));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // What cannot be read is said when its turn comes.
                    let Ok(case) = Case::open(workspace, name, now) else {
                        continue;
                    };
                    if let Some((_, state)) = case.rotation {
                        let sight = look::look(workspace, case.certificate, &state, now);
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        found.insert(name.clone(), (state, sight));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What was seen ahead, if the rotation still stands where it stood; else what is seen now.
fn sight_of(
    workspace: &Workspace,
    case: &Case<'_>,
    state: &Rotation,
    now: Instant,
    ahead: Option<Seen>,
) -> Sight {
    match ahead {
        Some((of, sight)) if of == *state => sight,
        _ => look::look(workspace, case.certificate, state, now),
    }
}

/// What can be told while the other runners cannot be asked: nothing may be recorded, but mail at risk is said.
fn only_looked_at(
    workspace: &Workspace,
    names: &[String],
    now: Instant,
    why: &WorkflowError,
) -> Vec<Tick> {
    let look = |name: &String| {
        let mut tick = Tick::of(name);
        let failed = look_at(workspace, name, now, (Mode::Look, None), &mut tick).err();
        tick.failed = Some(failed.unwrap_or_else(|| WorkflowError::NotShared {
            reason: why.to_string(),
            hints: why.hints(),
        }));
        tick
    };
    names.iter().map(look).collect()
}

/// One run over one certificate under a lock that is held already. Where another runner was faster, it is looked again:
/// what that one did need not be done twice.
pub(super) fn tick(workspace: &Workspace, lock: &WorkspaceLock, name: &str, now: Instant) -> Tick {
    let mut known = act::Known::nothing(workspace, now);
    tick_with(workspace, lock, name, now, (None, &mut known))
}

/// The same, with what was seen ahead, and what is known in this run already.
fn tick_with<'w>(
    workspace: &'w Workspace,
    lock: &WorkspaceLock,
    name: &str,
    now: Instant,
    (mut ahead, known): (Option<Seen>, &mut act::Known<'w>),
) -> Tick {
    let mut tick = Tick::of(name);
    for attempt in 1..=MOST_ATTEMPTS {
        let before = (ahead.take(), &mut *known);
        let mut failed = act_on(workspace, lock, name, now, before, &mut tick).err();
        let is_overtaken = failed.as_ref().is_some_and(WorkflowError::is_overtaken);
        if is_overtaken && attempt < MOST_ATTEMPTS {
            match shared::synchronise(workspace, lock) {
                Ok(()) => {
                    remember(
                        &mut tick.notes,
                        vec!["another runner was faster: looked again".to_owned()],
                    );
                    continue;
                }
                Err(error) => failed = Some(error),
            }
        }
        tick.failed = failed;
        break;
    }
    tick
}

fn act_on<'w>(
    workspace: &'w Workspace,
    lock: &WorkspaceLock,
    name: &str,
    now: Instant,
    (mut ahead, known): (Option<Seen>, &mut act::Known<'w>),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let mut case = Case::open(workspace, name, now)?;
    remember(&mut tick.notes, case.torn_end().into_iter().collect());
    // A rotation that cannot begin is said at the end: the one before it is looked at all the same.
    let not_begun = begin_if_due(workspace, lock, &mut case, now, tick).err();
    tick.rotation.clone_from(&case.rotation);
    // Hosts are deployed one after the other, each seen with its key before the next.
    let most = MOST_ROUNDS.saturating_add(case.certificate.hosts.len());
    for _ in 0..most {
        // The signed zone follows git HEAD before anything is asked: what is merged is on its way to the servers. If that
        // fails, the world is looked at all the same: a delivery at risk must be said whatever else is broken.
        let published = act::publish_merged(workspace, lock, &case, now, known);
        // What was handed on just now may be served by now.
        ahead = ahead.filter(|_| matches!(&published, Ok(deeds) if deeds.is_empty()));
        let failed = published.map(|deeds| tick.deeds.extend(deeds)).err();
        if case.under_way().is_none() {
            remember(
                &mut tick.notes,
                start::nothing_to_do(case.certificate).into_iter().collect(),
            );
        }
        // A rotation that is over is still looked at: what goes back after the end is said loudly, too.
        if case.rotation.is_none() {
            return failed.or(not_begun).map_or(Ok(()), Err);
        }
        act::finish_key_steps(workspace, lock, &mut case, now, tick)?;
        let decision = establish(workspace, lock, &mut case, now, (ahead.take(), &mut *tick))?;
        let actions = decision.actions.clone();
        tick.decision = Some(decision);
        // What git HEAD lacks is proposed again, if that is why it was not published.
        if let Some(error) = failed {
            if matches!(error, WorkflowError::WouldRefuse { .. }) {
                act::carry_out(workspace, lock, &case, &actions, now, tick)?;
            }
            return Err(error);
        }
        let mut again = act::carry_out(workspace, lock, &case, &actions, now, tick)?;
        if let (Some(observation), Some(decision)) = (&tick.observation, &tick.decision) {
            let seen = (observation, decision);
            let restored = afterwards::restore(workspace, lock, &case, seen, now)?;
            again |= act::tell(restored, tick);
        }
        tick.deeds.extend(propose::retract(workspace, lock, &case)?);
        if !again {
            break;
        }
    }
    tick.notes.extend(deployment(workspace, tick));
    not_begun.map_or(Ok(()), Err)
}

/// Why `advance` would begin a rotation now by itself, if it would: the next key is to be published always, or the key in
/// use is due. After an abort that is for a person to say.
fn due(case: &Case<'_>, now: Instant) -> Result<Option<&'static str>, WorkflowError> {
    let cadence = case.certificate.cadence;
    let asks = cadence.standby || cadence.max_age.is_some() || cadence.renew_before.is_some();
    let aborted = matches!(&case.rotation, Some((_, state)) if state.step == Step::Aborted);
    if !asks || aborted || case.under_way().is_some() {
        return Ok(None);
    }
    if cadence.standby {
        return Ok(Some("policy standby keeps the next key published"));
    }
    let due = cadence.due(pace::live(case)?).filter(|due| due.at <= now);
    Ok(due.map(|due| match due.why {
        Release::Age => "the key in use has reached policy max_age",
        _ => "the certificate in use is within policy renew_before of its end",
    }))
}

fn begin_if_due(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    now: Instant,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some(why) = due(case, now)? else {
        return Ok(());
    };
    let started = match start::begin(workspace, lock, case, None, now) {
        // A renewal with the same key is nothing to rotate; the run says so on its own account.
        Err(WorkflowError::SameKey { .. }) => return Ok(()),
        started => started?,
    };
    tick.deeds.push(format!("began {}: {why}", started.id));
    tick.notes.extend(started.notes);
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
    (ahead, tick): (Option<Seen>, &mut Tick),
) -> Result<Decision, WorkflowError> {
    let mut decision = Decision::default();
    let Some((_, state)) = &case.rotation else {
        return Ok(decision);
    };
    let Sight {
        mut observation,
        mut notes,
    } = sight_of(workspace, case, state, now, ahead);
    observation.witness = witness::witness(workspace, case, state, now, &mut notes);
    remember(&mut tick.notes, notes);
    let mut noted = Vec::new();
    for _ in 0..MOST_EVENTS {
        let Some((_, state)) = &case.rotation else {
            break;
        };
        let (policy, waits) = pace::policy(workspace, case, now);
        tick.policy = policy;
        remember(&mut tick.notes, waits.into_iter().collect());
        decision = decide(state, now, &observation, &policy);
        let Some(event) = decision.event.clone() else {
            break;
        };
        case.note(now, event.clone())?;
        noted.push(event);
    }
    if let Some((_, state)) = &case.rotation {
        afterwards::notice(state, &observation, &mut decision);
    }
    for fact in decision.remembered.clone() {
        case.note(now, fact)?;
    }
    // They are of one look, and are kept together.
    case.keep(lock)?;
    tick.events.extend(noted);
    tick.rotation.clone_from(&case.rotation);
    tick.observation = Some(observation);
    Ok(decision)
}

/// The same without writing: one look, and, in a rehearsal, the facts that would follow.
fn look_at(
    workspace: &Workspace,
    name: &str,
    now: Instant,
    (mode, ahead): (Mode, Option<Seen>),
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let case = Case::open(workspace, name, now)?;
    tick.notes.extend(case.torn_end());
    tick.rotation.clone_from(&case.rotation);
    if mode == Mode::Rehearse
        && let Some(why) = due(&case, now)?
    {
        tick.notes
            .push(format!("a run would begin {}: {why}", case.next_id()));
    }
    let Some((id, mut state)) = case.rotation.clone() else {
        return Ok(());
    };
    let Sight {
        mut observation,
        mut notes,
    } = sight_of(workspace, &case, &state, now, ahead);
    observation.witness = witness::witness(workspace, &case, &state, now, &mut notes);
    remember(&mut tick.notes, notes);
    let (policy, waits) = pace::policy(workspace, &case, now);
    tick.policy = policy;
    remember(&mut tick.notes, waits.into_iter().collect());
    let policy = &policy;
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
    afterwards::notice(&state, &observation, &mut decision);
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
