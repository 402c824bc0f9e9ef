//! Use case `advance`: lock, replay, observe, decide until quiet, record, then do what the step asks for.
//!
//! Idempotent: run every minute or once a week, it comes to the same. One broken rotation never stops another.

use super::WorkflowError;
use super::at_rest;
use super::begin::begin_if_due;
use super::case::Case;
use super::early::{self, Early};
use super::establish::{deployment, establish};
use super::in_force::{self, in_force};
use super::job::follow;
use super::known::Known;
use super::look_ahead::{Seen, look_ahead};
use super::present::Present;
use super::propose::Proposed;
use super::rehearse::{look_at, look_at_case};
use super::sight::see;
use super::{
    act, afterwards, clock, conclude, deploying, hosts, keep_signed, leftovers, made_here, noted,
    orphans, pace, pause, propose, refused, review, shared, start, tracked,
};
use crate::rotation::blocker::Blocker;
use crate::rotation::decide::Decision;
use crate::rotation::due::Afterwards;
use crate::rotation::observation::{Endpoint, Observation};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};

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
    /// The zone that this is about, where it is about no certificate.
    pub zone: Option<Name>,
    /// The latest rotation and its state after the run.
    pub rotation: Option<(RotationId, Rotation)>,
    /// Whether that is known, and none is none: the journal was read, and git knows no more than it.
    pub is_read: bool,
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
    /// How those ended; the run records it.
    pub(super) tried: Vec<Event>,
    /// The policy that held in this run.
    pub policy: Policy,
    /// What comes after a rotation that is over.
    pub afterwards: Option<Afterwards>,
    /// What the user should know beside it.
    pub notes: Vec<String>,
    /// Whether its names left DANE by `disable`, or are leaving it.
    pub has_left_dane: bool,
    /// Whether it waits because a person wants it so: a pause, or a window that is closed.
    pub rests: bool,
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

    /// Whether it could not be told in this run what time it is.
    pub fn is_in_doubt(&self) -> bool {
        let mut blockers = self.decision.iter().flat_map(|decision| &decision.blockers);
        blockers.any(|blocker| matches!(blocker, Blocker::Clock(_)))
    }
}

/// More rounds of deed and second look than any run needs beside those for its hosts; a bound, so that a run always ends.
const MOST_ROUNDS: usize = 4;
/// How often a run looks again after another runner was faster; then it leaves the rest to the next run.
const MOST_ATTEMPTS: usize = 3;

/// One run over the certificates named, or over all of them. At a time that a person named it rehearses, except in a workspace
/// for rehearsals.
pub fn advance(
    workspace: &Workspace,
    names: &[String],
    present: &Present,
    mode: Mode,
) -> Result<Vec<Tick>, WorkflowError> {
    advance_telling(workspace, names, present, mode, &mut |_| ())
}

/// The same; where it acts, whose mail is at risk is told before the work begins.
pub fn advance_telling(
    workspace: &Workspace,
    names: &[String],
    present: &Present,
    mode: Mode,
    early: Early<'_>,
) -> Result<Vec<Tick>, WorkflowError> {
    let now = present.now;
    let mode = match mode {
        Mode::Act => present.mode(workspace)?,
        Mode::Rehearse | Mode::Look => mode,
    };
    let lock = match mode {
        Mode::Act => {
            tracked::none(workspace)?;
            Some(workspace.lock()?)
        }
        Mode::Rehearse | Mode::Look => None,
    };
    let is_of_all = names.is_empty();
    let mut counts = None;
    if let Some(lock) = &lock {
        // What was fetched may have brought another configuration along.
        match shared::synchronise(workspace, lock, now).and_then(|()| in_force(workspace)) {
            Ok(other) => counts = other,
            Err(error) => {
                let names = workspace.config.named_or_all(names);
                return Ok(only_looked_at(workspace, &names, now, &error));
            }
        }
    }
    let workspace = counts
        .as_ref()
        .map_or(workspace, |counts| &counts.workspace);
    if let Some(lock) = &lock {
        in_force::note(workspace, lock);
    }
    let names = workspace.config.named_or_all(names);
    let mut known = Known::nothing(workspace, now);
    known.doubt = clock::doubt(workspace, present, lock.as_ref());
    let sights = look_ahead(&mut known, &names);
    if lock.is_some() {
        early::tell(&mut known, &sights, early);
    }
    known.sights = sights;
    let mut concluded = match &lock {
        Some(lock) => conclude::together(&mut known, lock, &names),
        None => BTreeMap::new(),
    };
    let mut ticks = Vec::with_capacity(names.len());
    for name in names {
        // What was seen before the first rotation is asked for wherever a zone is handed on.
        let is_begun = known.rotation(&name).is_some();
        let sight = is_begun.then(|| known.sights.remove(&name)).flatten();
        ticks.push(if let Some(lock) = &lock {
            let tick = concluded.remove(&name).unwrap_or_else(|| Tick::of(&name));
            tick_with(&mut known, lock, tick, sight)
        } else {
            let mut tick = Tick::of(&name);
            tick.failed = look_at(&mut known, &name, (mode, sight), &mut tick).err();
            follow::follow(&mut known, None, &mut tick);
            pause::tell(workspace, now, &mut tick);
            tick
        });
    }
    if let Some(lock) = &lock {
        review(&mut known, lock, &mut ticks);
    }
    if is_of_all {
        ticks.extend(orphans::told(workspace));
        ticks.extend(refused::told(workspace, &ticks));
    }
    // By a time that cannot be told nothing is signed, and nothing kept in mind.
    let is_told = known.doubt.is_none() && !ticks.iter().any(Tick::is_in_doubt);
    let lock = lock.filter(|_| is_told);
    ticks.extend(match &lock {
        Some(lock) => keep_signed::keep_signed(&mut known, lock, &ticks),
        None => keep_signed::ended(&mut known, &ticks),
    });
    if let Some(lock) = &lock {
        ticks.extend(noted::note(&mut known));
        let has_acted = ticks.iter().any(|tick| !tick.deeds.is_empty());
        known.heads.keep_read_up_to(lock, has_acted);
    }
    Ok(ticks)
}

/// What can be told while the other runners cannot be asked: nothing may be recorded, but mail at risk is said.
fn only_looked_at(
    workspace: &Workspace,
    names: &[String],
    now: Instant,
    why: &WorkflowError,
) -> Vec<Tick> {
    let mut known = Known::nothing(workspace, now);
    let mut sights = look_ahead(&mut known, names);
    let mut look = |name: &String| {
        let mut tick = Tick::of(name);
        let sight = sights.remove(name);
        let failed = look_at(&mut known, name, (Mode::Look, sight), &mut tick).err();
        tick.failed = Some(failed.unwrap_or_else(|| WorkflowError::NotShared {
            reason: why.to_string(),
            hints: why.hints(),
            wants_a_person: why.wants_a_person(),
        }));
        tick
    };
    names.iter().map(&mut look).collect()
}

/// One run over one certificate under a lock that is held already. Where another runner was faster, it is looked again:
/// what that one did need not be done twice.
pub(super) fn tick(known: &mut Known<'_>, lock: &WorkspaceLock, name: &str) -> Tick {
    let mut ticks = [tick_with(known, lock, Tick::of(name), None)];
    review(known, lock, &mut ticks);
    let [tick] = ticks;
    tick
}

/// Brings what the run proposes to the branches on which it is reviewed, and tells each certificate what became of it.
fn review(known: &mut Known<'_>, lock: &WorkspaceLock, ticks: &mut [Tick]) {
    for (certificate, proposed) in review::flush(known, lock) {
        let own = ticks
            .iter()
            .position(|tick| tick.certificate == certificate);
        let Some(tick) = ticks.get_mut(own.unwrap_or(0)) else {
            continue;
        };
        match proposed {
            // What stands of others is told where they are asked for.
            Ok(Proposed::Standing(_)) if own.is_none() => {}
            Ok(proposed) => drop(act::tell(vec![proposed], tick)),
            Err(error) => drop(tick.failed.get_or_insert(error)),
        }
    }
}

/// The same, with what was seen ahead, and what is known in this run already.
fn tick_with(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    mut tick: Tick,
    mut ahead: Option<Seen>,
) -> Tick {
    let name = &*tick.certificate.clone();
    for attempt in 1..=MOST_ATTEMPTS {
        let mut failed = act_on(known, lock, name, ahead.take(), &mut tick).err();
        known.note(name, tick.rotation.as_ref());
        let is_overtaken = failed.as_ref().is_some_and(WorkflowError::is_overtaken);
        if is_overtaken && attempt < MOST_ATTEMPTS {
            match shared::synchronise(known.workspace, lock, known.now) {
                Ok(()) => {
                    known.forget();
                    remember(
                        &mut tick.notes,
                        vec!["somebody was faster: looked again".to_owned()],
                    );
                    continue;
                }
                Err(error) => failed = Some(error),
            }
        }
        tick.failed = failed;
        break;
    }
    follow::follow(known, Some(lock), &mut tick);
    pause::tell(known.workspace, known.now, &mut tick);
    tick
}

fn act_on(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    name: &str,
    mut ahead: Option<Seen>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let mut case = Case::open(workspace, name, now)?;
    if known.doubt(&case).is_some() {
        return look_at_case(known, &case, (Mode::Look, ahead), tick);
    }
    remember(&mut tick.notes, case.torn_end().into_iter().collect());
    // A rotation that cannot begin is said at the end: the one before it is looked at all the same.
    case.is_whole(&mut known.heads)?;
    tick.is_read = true;
    deploying::record_unfinished(workspace, lock, &mut case, now)?;
    follow::end_rotation(known, lock, &mut case)?;
    let not_begun = begin_if_due(&mut known.heads, lock, &mut case, tick).err();
    tick.rotation.clone_from(&case.rotation);
    // Hosts are deployed one after the other, each seen with its key before the next.
    let most = MOST_ROUNDS.saturating_add(case.certificate.hosts.len());
    for _ in 0..most {
        let members = prepare(known, lock, &mut case, tick);
        // Looking comes before handing over: what leaves the zone may be what some host needs.
        let (mut sight, is_fresh) = see(known, &case, ahead.take());
        let seen = sight.as_ref().filter(|_| is_fresh);
        known.heads.saw(seen);
        let seen = seen.map(|seen| &seen.observation);
        let mut deeds = Vec::new();
        let failed = act::publish_merged(known, lock, &case, seen, &mut deeds).err();
        if failed.is_none() && !deeds.is_empty() {
            // What was handed on just now may be served by now.
            sight = see(known, &case, None).0;
        }
        // If that fails, what was seen is judged all the same: a delivery at risk must be said whatever else is broken.
        tick.deeds.extend(deeds);
        if case.under_way().is_none() {
            remember(
                &mut tick.notes,
                start::nothing_to_do(case.certificate).into_iter().collect(),
            );
        }
        // A rotation that is over is still looked at: what goes back after the end is said loudly, too.
        let Some(sight) = sight else {
            tick.decision = at_rest::before_the_first(known, &case);
            return failed.or(not_begun).map_or(Ok(()), Err);
        };
        members?;
        let decision = establish(known, lock, &mut case, sight, tick)?;
        let actions = decision.actions.clone();
        tick.decision = Some(decision);
        // What the branch that counts lacks is proposed again, if that is why it was not published.
        if let Some(error) = failed {
            if error.is_of_handing_on() && act::carry_out(known, lock, &case, &actions, tick)? {
                known.forget_zones();
                if matches!(error, WorkflowError::NotSeenToBeSafe { .. }) {
                    continue; // what was not safe is out of the zone again
                }
            }
            // After the end it is put back as the rotation left it.
            if error.is_of_handing_on() && restore(known, lock, &case, tick)? {
                known.forget_zones();
                continue;
            }
            return Err(error);
        }
        let carried_out = act::carry_out(known, lock, &case, &actions, tick);
        for attempt in std::mem::take(&mut tick.tried) {
            case.record(lock, known.now, attempt)?;
            deploying::end(workspace, name)?;
            tick.rotation.clone_from(&case.rotation);
        }
        // What failed in the middle may have changed a zone, too.
        let mut again = carried_out.inspect_err(|_| known.forget_zones())?;
        again |= restore(known, lock, &case, tick)?;
        let blockers = tick.decision.iter().flat_map(|d| d.blockers.clone());
        let blockers: Vec<_> = blockers.collect();
        let retracted = propose::retract(&mut known.heads, lock, &case, &blockers)?;
        tick.deeds.extend(retracted);
        leftovers::tidy(known, &case, tick);
        if !again {
            break;
        }
        known.forget_zones();
    }
    tick.notes.extend(deployment(workspace, tick));
    tick.afterwards = pace::afterwards(&case).unwrap_or_default();
    not_begun.map_or(Ok(()), Err)
}

/// Proposes the zones as a rotation that is over left them, where something was made of them since; whether that is to be handed on.
fn restore(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &Case<'_>,
    tick: &mut Tick,
) -> Result<bool, WorkflowError> {
    let (Some(observation), Some(decision)) = (&tick.observation, &tick.decision) else {
        return Ok(false);
    };
    if pause::paused(known.workspace, &case.certificate.name, known.now)?.is_some() {
        return Ok(false);
    }
    let restored = afterwards::restore(&mut known.heads, lock, case, (observation, decision))?;
    Ok(act::tell(restored, tick))
}

/// Brings a rotation to where it can be looked at: its key steps finished, and its hosts those of the configuration.
pub(super) fn prepare(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    tick: &mut Tick,
) -> Result<(), WorkflowError> {
    let Some((id, state)) = &case.rotation else {
        return Ok(());
    };
    if !case.is_deferred() {
        let given_way = made_here::give_way(known.workspace, id, &state.incoming);
        tick.notes.extend(given_way);
    }
    act::finish_key_steps(known, lock, case, tick)?;
    hosts::follow_configuration(known, lock, case, tick)
}

pub(super) fn remember(notes: &mut Vec<String>, new: Vec<String>) {
    for note in new {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}
