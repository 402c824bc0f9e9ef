//! Which authoritative server is to blame: every address of every server of the zones that TLSA names lie in, asked for
//! them directly (RFC 7671 §8.1: all servers must serve the same).

use super::verdict::Standing;
use crate::observe::ailment::Ailment;
use crate::observe::authorities::{self, Limits, Served};
use crate::observe::chain::{Content, NoAnswer, Source, Validator};
use crate::observe::delegation::{Delegation, delegation};
use crate::observe::in_time;
use crate::observe::side_by_side::side_by_side;
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant as Tick;

/// Names, and then zones, that are looked at at once.
const AT_ONCE: usize = 64;

/// The servers of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneServers {
    /// The zone.
    pub zone: Name,
    /// Who serves it; otherwise why that cannot be told.
    pub delegation: Result<Delegation, String>,
    /// What each address was seen to serve.
    pub served: Served,
}

/// Looks at the servers of the zones in which `names` lie, at all of them at once. To find those servers takes at most
/// `overall`, and a name whose zone was not found stands for it.
pub async fn look<S: Source + Send + Sync>(
    validator: &Validator<S>,
    names: &BTreeSet<Name>,
    now: Instant,
    limits: Limits,
    overall: Duration,
) -> Vec<ZoneServers> {
    let begun = Tick::now();
    // A name of which nothing is heard must leave the others time to find their servers.
    let half = begun.checked_add(overall.checked_div(2).unwrap_or(overall));
    let deadline = begun.checked_add(overall);
    let zones_of = side_by_side(names, AT_ONCE, |name| async move {
        let zone = in_time(half, zone_of(validator, name)).await;
        (name, zone.flatten())
    });
    let mut zones: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    let mut seen = Vec::new();
    for (name, zone) in zones_of.await {
        match zone {
            Some(zone) => zones.entry(zone).or_default().push(name.clone()),
            None => seen.push(ZoneServers {
                zone: name.clone(),
                delegation: Err("the zone that it lies in cannot be found".to_owned()),
                served: Served::default(),
            }),
        }
    }
    let limits = &limits;
    let looked = side_by_side(zones, AT_ONCE, |(zone, names)| async move {
        let found = delegation(validator, &zone, limits.answer);
        let found = match in_time(deadline, found).await {
            Some(found) => found.map_err(|why| why.to_string()),
            None => Err(format!(
                "its servers cannot be found in {} s",
                overall.as_secs_f64()
            )),
        };
        let served = match &found {
            Ok(found) => {
                let limits = limits.clone();
                authorities::see(&zone, &found.servers, &names, &found.trust, now, limits).await
            }
            Err(_) => Served::default(),
        };
        ZoneServers {
            zone,
            delegation: found,
            served,
        }
    });
    seen.extend(looked.await);
    seen.sort_by(|one, other| one.zone.cmp(&other.zone));
    seen
}

/// The zone that `name` lies in: the first name upwards with NS records, or, where they cannot be validated, the last
/// name below it that cannot.
async fn zone_of<S: Source + Send + Sync>(validator: &Validator<S>, name: &Name) -> Option<Name> {
    let mut broken = None;
    let mut at = Some(name.clone());
    while let Some(candidate) = at {
        match validator.lookup(&candidate, Rtype::NS).await {
            Ok(answer)
                if answer.name == candidate && matches!(answer.content, Content::Records(_)) =>
            {
                return Some(broken.unwrap_or(candidate));
            }
            Ok(_) => broken = None,
            Err(NoAnswer::Bogus(_)) => broken = Some(candidate.clone()),
            Err(NoAnswer::Failed(_)) => {}
        }
        at = candidate.parent();
    }
    None
}

/// What a server so ailing does to the whole.
pub(super) fn standing(ailment: Ailment) -> Standing {
    match ailment {
        // A resolver that gets no answer from one server asks the next. Where all of them drop TLSA, the lookup itself fails.
        Ailment::Silent
        | Ailment::Truncated
        | Ailment::Lame
        | Ailment::Delegated
        | Ailment::Intercepted
        | Ailment::NoTlsa
        | Ailment::Stale => Standing::Unknown,
        Ailment::Wrong
        | Ailment::Unsigned
        | Ailment::Expired
        | Ailment::Bogus
        | Ailment::Regressed => Standing::AtRisk,
    }
}

impl ZoneServers {
    /// What the servers do to the whole.
    pub fn standing(&self) -> Standing {
        let findings = self
            .served
            .findings
            .iter()
            .map(|finding| standing(finding.ailment));
        let unknown = self.delegation.is_err().then_some(Standing::Unknown);
        findings.chain(unknown).fold(Standing::Verified, Ord::max)
    }
}
