//! The deadlines of a plan: the ends of the certificates in use and incoming, and of the signatures that must outlast a wait.

use super::WorkflowError;
use super::head;
use super::surroundings::Presentable;
use crate::dane::certificate::Certificate;
use crate::dnssec::rrsig::Rrsig;
use crate::files::read;
use crate::rotation::act_by::{self, Ahead};
use crate::rotation::deadline;
use crate::rotation::decide::Decision;
use crate::rotation::expiry::Expiry;
use crate::rotation::observation::{Observation, Seen};
use crate::rotation::policy::Policy;
use crate::rotation::step::{Rotation, Step};
use crate::rotation::timeline::Timeline;
use crate::rotation::timing::{Instant, Span};
use crate::rotation::wait;
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// Every deadline that can be told from here, in the order of a rotation.
pub(super) fn deadlines(
    workspace: &Workspace,
    state: &Rotation,
    policy: &Policy,
    timeline: &Timeline,
    live: &[Presentable],
    now: Instant,
) -> Result<Vec<Expiry>, WorkflowError> {
    let mut deadlines = Vec::new();
    for zone in head::zones_of(workspace, state.names()) {
        deadlines.extend(of_signatures(
            workspace, zone, state, policy, timeline, now,
        )?);
    }
    let leaves = live.iter().filter_map(|chain| chain.first());
    if let Some(planned) = timeline.reaches(Step::Deployed)
        && let Some(ends) = leaves.map(Certificate::not_after).min()
    {
        deadlines.push(Expiry {
            what: "the certificate in use".to_owned(),
            ends,
            before: "every host has the next one",
            planned,
        });
    }
    if let (Some(ends), Some(planned)) = (state.not_after, timeline.reaches(Step::Retired)) {
        deadlines.push(Expiry {
            what: "the next certificate".to_owned(),
            ends,
            before: "the rotation is over",
            planned,
        });
    }
    Ok(deadlines)
}

/// Fills in the last moments for a person to act, as a run sees them.
pub(super) fn act_by(
    state: &Rotation,
    now: Instant,
    (observation, policy): (&Observation, &Policy),
    decision: &mut Decision,
) {
    let requirement = state.requirement_in(Step::Prepublishing);
    let is_met =
        |seen: &Seen<_>| matches!(seen, Seen::Known(rrset) if requirement.is_met_by(rrset));
    let merged = |name| observation.merged.get(name).is_some_and(is_met);
    let ahead = Ahead {
        certificate: deadline::live_end(state, observation),
        is_merged: state.names().iter().all(merged),
        incoming: &state.incoming,
    };
    decision.act_by = act_by::act_by(state, now, policy, ahead);
}

/// A cached set dies with its signature (RFC 4035 §5.3.3), so that over the full set must outlast the wait. Where this program
/// signs, one that is still to be made lasts for the zone's `validity`, less its `jitter`.
fn of_signatures(
    workspace: &Workspace,
    zone: &ZoneConfig,
    state: &Rotation,
    policy: &Policy,
    timeline: &Timeline,
    now: Instant,
) -> Result<Option<Expiry>, WorkflowError> {
    let Signing::Here {
        signed,
        validity,
        jitter,
        ..
    } = &zone.signing
    else {
        return Ok(None);
    };
    let Some(swap) = timeline.reaches(Step::SwapOpen) else {
        return Ok(None);
    };
    let made = timeline.reaches(Step::Waiting);
    let ends = match made {
        Some(made) => {
            Some(made + Span::seconds(validity.as_seconds().saturating_sub(jitter.as_seconds())))
        }
        None => earliest(workspace, zone, state, signed, now)?,
    };
    Ok(ends.map(|ends| Expiry {
        what: format!("a signature over the TLSA records in {}", zone.name),
        ends,
        before: "the swap opens, caches emptied by the TTL",
        planned: swap + wait::ttl_old(state).span() + policy.soak,
    }))
}

fn earliest(
    workspace: &Workspace,
    zone: &ZoneConfig,
    state: &Rotation,
    signed: &std::path::Path,
    now: Instant,
) -> Result<Option<Instant>, WorkflowError> {
    let octets =
        read::read_unlinked(signed, read::ZONE).map_err(|source| WorkflowError::Unreadable {
            path: signed.to_owned(),
            source,
        })?;
    let read = Zone::parse(&octets, Some(&zone.name));
    let content = read.map_err(|findings| WorkflowError::SignedUnreadable {
        path: signed.to_owned(),
        findings: findings.to_string(),
    })?;
    let mut ends = Vec::new();
    for name in state.names() {
        let Ok(owner) = Name::parse(name.as_str().as_bytes(), None) else {
            continue;
        };
        let deepest = workspace.config.zone_of(&owner);
        if deepest.is_none_or(|deepest| deepest.name != zone.name) {
            continue;
        }
        let rrsigs = content.rrset(&owner, Rtype::RRSIG).into_iter();
        let fields = rrsigs.flat_map(|rrset| rrset.rdatas.iter().map(Rrsig::parse));
        let over = fields.filter_map(|fields| fields.ok().filter(|f| f.covered == Rtype::TLSA));
        ends.extend(over.map(|fields| fields.expiration.near(now)));
    }
    Ok(ends.into_iter().min())
}
