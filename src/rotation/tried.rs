//! Deployments that a command was run for: when, how it ended, and when it is run again. A host that is not seen with its key
//! after it gets it once more, at growing intervals: a command that fails must not be run each minute for days.

use super::blocker::Blocker;
use super::observation::Endpoint;
use super::step::Rotation;
use super::timing::{Instant, Span};
use std::collections::{BTreeMap, BTreeSet};

/// After the first attempt.
const FIRST: Span = Span::minutes(5);
/// At most.
const LONGEST: Span = Span::hours(1);

/// The attempts for one host since its turn came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tried {
    /// When the last was.
    pub last: Instant,
    /// How many there were.
    pub times: u32,
    /// How the last ended, where it failed.
    pub failed: Option<String>,
}

impl Tried {
    /// When the command is run again for a host that does not have its key.
    pub fn again_at(&self) -> Instant {
        let doublings = self.times.saturating_sub(1).min(16);
        let wait = FIRST.as_seconds().saturating_mul(1 << doublings);
        self.last + Span::seconds(wait.min(LONGEST.as_seconds()))
    }
}

/// The attempts for each host.
pub type Attempts = BTreeMap<String, Tried>;

/// Adds an attempt for some hosts.
pub(super) fn add(
    attempts: &mut Attempts,
    at: Instant,
    hosts: &BTreeSet<String>,
    failed: Option<&String>,
) {
    for host in hosts {
        let times = attempts.get(host).map_or(0, |tried| tried.times);
        let tried = Tried {
            last: at,
            times: times.saturating_add(1),
            failed: failed.cloned(),
        };
        attempts.insert(host.clone(), tried);
    }
}

impl Rotation {
    /// Whether a command may be run now for a host that does not have its key.
    pub fn may_try(&self, host: &str, now: Instant) -> bool {
        let tried = self.tried.get(host);
        tried.is_none_or(|tried| now >= tried.again_at())
    }

    /// The attempts that failed for any of these hosts.
    pub(super) fn failed_for<'e>(
        &self,
        endpoints: impl Iterator<Item = &'e Endpoint>,
    ) -> Vec<Blocker> {
        let hosts: BTreeSet<&str> = endpoints.map(|one| one.host.as_str()).collect();
        let failed = |host: &str| {
            let tried = self.tried.get(host)?;
            Some(Blocker::DeploymentFailed {
                host: host.to_owned(),
                at: tried.last,
                why: tried.failed.clone()?,
                again: tried.again_at(),
            })
        };
        hosts.into_iter().filter_map(failed).collect()
    }
}
