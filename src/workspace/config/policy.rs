//! The `[policy]` table: how patient a rotation is, and when one begins by itself; for all certificates or for one.

use super::document::{Findings, Section};
use super::{duration_of, ttl_of};
use crate::rotation::due::Cadence;
use crate::rotation::policy::Policy;
use crate::rotation::timing::{Span, Ttl};
use toml::Spanned;
use toml::de::DeValue;

/// The least that should be assumed of a TTL that nobody knows, and what is assumed if nothing is said: zone files and
/// providers seldom have a larger one.
const ASSUMED_TTL: Ttl = Ttl(86_400);

/// A policy as configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long each step waits.
    pub(super) policy: Policy,
    /// When the machine begins rotations by itself.
    pub(super) cadence: Cadence,
    /// What is taken for the TTL of before where nothing tells what it was.
    pub(super) assume_ttl: Ttl,
    /// Whether somebody said how long the soak is.
    soak_is_said: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            cadence: Cadence::default(),
            assume_ttl: ASSUMED_TTL,
            soak_is_said: false,
        }
    }
}

impl Patience {
    /// Reports cover a UTC day and arrive the day after: where they are read, the soak is two days unless it is said.
    pub(super) fn where_reports_are_read(mut self) -> Self {
        if !self.soak_is_said {
            self.policy.soak = Span::days(2);
        }
        self
    }
}

/// Reads a policy table; what it does not say is as in `otherwise`.
pub(super) fn read_policy<'t>(
    mut section: Section<'t>,
    otherwise: Patience,
    findings: &mut Findings<'t>,
) -> Patience {
    let line = section.line;
    let soak_is_said = otherwise.soak_is_said || section.has("soak");
    let Patience {
        policy: otherwise,
        cadence,
        assume_ttl,
        ..
    } = otherwise;
    let concurrent = match section.take("concurrent", findings) {
        Some((at, value)) => concurrent(at, &value, findings),
        None => otherwise.concurrent,
    };
    let cadence = Cadence {
        standby: section.flag("standby", findings).unwrap_or(cadence.standby),
        max_age: duration_of(&mut section, "max_age", findings).or(cadence.max_age),
        renew_before: duration_of(&mut section, "renew_before", findings).or(cadence.renew_before),
        retry_after_abort: duration_of(&mut section, "retry_after_abort", findings)
            .unwrap_or(cadence.retry_after_abort),
    };
    let said = ttl_of(&mut section, "assume_ttl", findings);
    let assume_ttl = said.unwrap_or(assume_ttl);
    let mut duration =
        |key: &str, otherwise: Span| duration_of(&mut section, key, findings).unwrap_or(otherwise);
    let policy = Policy {
        min_wait: duration("min_wait", otherwise.min_wait),
        soak: duration("soak", otherwise.soak),
        safety_margin: duration("safety_margin", otherwise.safety_margin),
        concurrent,
        rest: otherwise.rest,
        patience: duration("patience", otherwise.patience),
        deadline_notice: duration("deadline_notice", otherwise.deadline_notice),
        keep_retired_keys: duration("keep_retired_keys", otherwise.keep_retired_keys),
    };
    if said.is_some_and(|ttl| ttl < ASSUMED_TTL) {
        let message = format!(
            "`assume_ttl` is less than {}: where nothing tells what a TTL was before a rotation, caches may hold the old record for longer than is waited for",
            ASSUMED_TTL.span()
        );
        findings.warn(line, message);
    }
    if policy.soak == Span::ZERO {
        let message = "`soak` is 0s: old records leave as soon as the hosts present the new key, before anybody could notice that it does not work";
        findings.warn(line, message);
    }
    let shortest = policy.min_wait + policy.safety_margin + policy.soak;
    if cadence.max_age.is_some_and(|age| age <= shortest) {
        let message = format!(
            "`max_age` is not longer than one rotation takes ({shortest}): every key would be late"
        );
        findings.warn(line, message);
    }
    Patience {
        policy,
        cadence,
        assume_ttl,
        soak_is_said,
    }
}

/// How many hosts go at a time: a number from 1 on, or all of them.
fn concurrent(
    line: usize,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings<'_>,
) -> Option<u32> {
    if value.get_ref().as_str() == Some("all") {
        return None;
    }
    let number = value.get_ref().as_integer().and_then(|integer| {
        u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|&n| n > 0)
    });
    if number.is_none() {
        findings.wrong(
            line,
            "`concurrent` must be a number of hosts from 1 on, or \"all\"",
        );
    }
    number
}
