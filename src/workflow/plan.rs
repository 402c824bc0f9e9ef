//! Use case `plan`: the real decision run ahead, with the zone diffs it would lead to. Reads only.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::deadlines::deadlines;
use super::draft::{changes, names_in};
use super::head::{self, Heads};
use super::job::follow;
use super::known::Known;
use super::look::{self, View};
use super::pace;
use super::pause;
use super::propose;
use super::reach;
use super::start;
use super::ways;
use crate::dane::certificate::Certificate;
use crate::rotation::act_by::{self, ActBy, Ahead};
use crate::rotation::association::Association;
use crate::rotation::expiry::Expiry;
use crate::rotation::observation::Authority;
use crate::rotation::policy::Policy;
use crate::rotation::step::{Requirement, Rotation, Step};
use crate::rotation::timeline::{Timeline, look_ahead};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::Deploy;
use crate::workspace::journal::RotationId;
use crate::workspace::ways::Ways;
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// The plan of one certificate.
#[derive(Debug)]
pub struct Plan {
    /// The rotation, or the one that would be started.
    pub id: RotationId,
    /// Its state.
    pub state: Rotation,
    /// Whether it has been started.
    pub is_started: bool,
    /// The steps ahead.
    pub timeline: Timeline,
    /// Unified diffs of the zone files for publishing and for retiring; empty once merged, or before the key exists.
    pub diffs: [String; 2],
    /// The authoritative servers.
    pub authorities: Vec<Authority>,
    /// How the certificate gets to the hosts.
    pub deployment: String,
    /// What a person types on the way.
    pub ways: Ways,
    /// What it must be done before.
    pub deadlines: Vec<Expiry>,
    /// The last moments for a person to merge and to install.
    pub act_by: Vec<ActBy>,
    /// The policy that holds for it.
    pub policy: Policy,
    /// What is taken for a TTL from before where nothing tells.
    pub assume_ttl: Ttl,
    /// The files of the incoming certificates, relative to the workspace.
    pub certificates: Vec<String>,
    /// What is odd about the zone as it stands.
    pub notes: Vec<String>,
}

/// Plans the certificates named, or all of them.
pub fn plan(
    workspace: &Workspace,
    names: &[String],
    now: Instant,
) -> Result<Vec<Plan>, WorkflowError> {
    let mut names: Vec<String> = workspace.config.named_or_all(names);
    if names.len() > 1 {
        // Of names that left DANE there is nothing to plan; who asks for one is told.
        names.retain(|name| !follow::leaves_dane(workspace, name).is_ok_and(|left| left));
    }
    // What all plans have in common is read once.
    let mut known = Known::nothing(workspace, now);
    let plans = names.iter().map(|name| plan_one(&mut known, name));
    let mut plans = plans.collect::<Result<Vec<Plan>, WorkflowError>>()?;
    say_what_nobody_reaches(workspace, &mut plans, now);
    Ok(plans)
}

/// Notes for each rotation that has not begun the places where it could not be seen. One under way says so itself.
fn say_what_nobody_reaches(workspace: &Workspace, plans: &mut [Plan], now: Instant) {
    let mut heads = Heads::of(workspace, now);
    let (mut views, mut ahead) = (Vec::new(), Vec::new());
    for plan in plans.iter_mut().filter(|plan| !plan.is_started) {
        if let Some(certificate) = workspace.config.certificate(&plan.id.certificate) {
            let state = plan.state.clone();
            views.push(View::of(&mut heads, certificate, state, now));
            ahead.push(plan);
        }
    }
    for (plan, notes) in ahead.into_iter().zip(reach::unreached(&views)) {
        plan.notes.extend(notes);
    }
}

fn plan_one(known: &mut Known<'_>, name: &str) -> Result<Plan, WorkflowError> {
    let (workspace, now) = (known.workspace, known.now);
    let case = Case::open(workspace, name, now)?;
    case.is_whole(&mut known.heads)?;
    let certificate = case.certificate;
    let (id, state, is_started, mut notes) = if let Some((id, state)) = case.under_way() {
        (id.clone(), state.clone(), true, Vec::new())
    } else {
        start::has_not_left_dane(workspace, name)?;
        let (found, notes) = start::beginning(&mut known.heads, certificate)?;
        let state = found
            .before_the_start(now)
            .map_err(WorkflowError::Illegal)?;
        (case.next_id(), state, false, notes)
    };
    if let Some(doubt) = case.doubt() {
        notes.push(format!("{doubt}; {}", doubt.way_out()));
    }
    let policy = if is_started {
        pace::policy(known, &case, &state).0
    } else {
        certificate.policy
    };
    let (ahead, incoming) = with_placeholders(&state);
    // After facts of the future, which a note tells of, the plan goes on from them.
    let from = now.max(state.since);
    let timeline = look_ahead(&ahead, from, &policy, &incoming).map_err(WorkflowError::Illegal)?;
    let diffs = if state.incoming.is_empty() {
        [String::new(), String::new()]
    } else {
        previews(&mut known.heads, &state)?
    };
    let deployment = match &certificate.deploy {
        Deploy::Manual => {
            let directory = admit::directory(workspace, &id);
            let at = match &state.made_by {
                Some(host)
                    if !admit::holds(workspace, &id, &state.incoming).unwrap_or_default() =>
                {
                    format!(" on {host}, where a runner made it")
                }
                _ => String::new(),
            };
            format!("by hand, from {}{at}", directory.display())
        }
        Deploy::Command(command) => format!("by {}", command.join(" ")),
    };
    notes.extend(pause::of_plan(workspace, certificate, now)?);
    let authorities = authorities(&mut known.heads, &state);
    let live = match admit::in_use(certificate) {
        // A pipeline has a clone and not the mail server's files; only the deadline of the certificate in use is lost.
        Err(WorkflowError::Unreadable { path, source })
            if is_started && source.kind() == ErrorKind::NotFound =>
        {
            notes.push(format!(
                "{} is not here: when the certificate in use ends is not in this plan",
                path.display()
            ));
            Vec::new()
        }
        read => read?,
    };
    let deadlines = deadlines(workspace, &state, &policy, &timeline, &live, now)?;
    let leaves = live.iter().filter_map(|chain| chain.first());
    let ahead_of_ends = Ahead {
        certificate: leaves.map(Certificate::not_after).min(),
        is_merged: is_merged(&mut known.heads, &state),
        incoming: &incoming,
    };
    let act_by = act_by::act_by(&ahead, now, &policy, ahead_of_ends);
    let certificates = admit::certificates(workspace, &id);
    let ways = ways::ways(workspace, certificate, (&id, &state), &certificates);
    Ok(Plan {
        ways,
        id,
        state,
        is_started,
        timeline,
        diffs,
        authorities,
        deployment,
        deadlines,
        act_by,
        policy,
        assume_ttl: certificate.assume_ttl,
        certificates,
        notes,
    })
}

/// Whether every zone holds what publishes the next key.
fn is_merged(heads: &mut Heads<'_>, state: &Rotation) -> bool {
    let workspace = heads.workspace;
    let requirement = state.requirement_in(Step::Prepublishing);
    let zones = head::zones_of(workspace, state.names());
    !state.incoming.is_empty()
        && zones.into_iter().all(|zone| {
            let names = names_in(workspace, zone, state);
            let head = heads.get(zone);
            head.is_ok_and(|head| changes(&head.content, &names, &requirement).is_empty())
        })
}

/// The state with a chain that stands for the keys of a rotation that has none yet, and what that chain satisfies: a record
/// of each form that the keys in use have. It appears in no output.
fn with_placeholders(state: &Rotation) -> (Rotation, BTreeSet<Association>) {
    // No digest of zeros or ones: those are findings of `zone check`.
    let mut bytes = 1..u8::MAX;
    let free = bytes.find(|byte| {
        let of_byte = |known: &&Association| known.data.iter().all(|octet| octet == byte);
        !state.current.iter().any(|known| of_byte(&known))
    });
    let octets = |matching| if matching == 2 { 64 } else { 32 };
    let records: BTreeSet<Association> = state
        .current
        .iter()
        .map(|known| Association {
            data: vec![free.unwrap_or(1); octets(known.matching)],
            ..known.clone()
        })
        .collect();
    let mut ahead = state.clone();
    for key in records.iter().filter(|record| record.is_3_1_1()) {
        ahead.satisfied.insert(key.clone(), records.clone());
    }
    (ahead, records)
}

/// What publishing would change in the zone files, and what retiring would change after that.
fn previews(heads: &mut Heads<'_>, state: &Rotation) -> Result<[String; 2], WorkflowError> {
    let publish = state.requirement_in(Step::Prepublishing);
    let retire = state.requirement_in(Step::Retiring);
    let mut ahead = |requirement: &Requirement, after: Option<&Requirement>| {
        let wanted = state.step <= Step::Retiring;
        if wanted {
            propose::preview(heads, state, requirement, after)
        } else {
            Ok(String::new())
        }
    };
    let published = if state.step < Step::Retiring {
        ahead(&publish, None)?
    } else {
        String::new()
    };
    Ok([published, ahead(&retire, Some(&publish))?])
}

fn authorities(heads: &mut Heads<'_>, state: &Rotation) -> Vec<Authority> {
    let mut authorities = Vec::new();
    for zone in head::zones_of(heads.workspace, state.names()) {
        let head = heads.get(zone).ok();
        for server in look::servers(zone, head.as_deref()).unwrap_or_default() {
            let authority = server.authority();
            if !authorities.contains(&authority) {
                authorities.push(authority);
            }
        }
    }
    authorities
}
