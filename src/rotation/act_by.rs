//! Until when a person must have merged or installed so that what follows still fits before an end: told while it can be met.
//!
//! The decision is run ahead for it, as the plan is. RFC 7671 §5.1 ignores the end of a DANE-EE certificate: no mail is
//! refused by it. Mail clients and senders that follow MTA-STS do look at it.

use super::association::Association;
use super::due::{Due, Release, Rest};
use super::policy::Policy;
use super::step::{Rotation, Step};
use super::timeline::look_ahead;
use super::timing::{Instant, Span};
use std::collections::BTreeSet;
use std::fmt;

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Merges the change that publishes the next key.
    Merge,
    /// Puts the next certificate on every host.
    Install,
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The certificate in use.
    Certificate,
    /// The time that policy `max_age` gives the key in use.
    MaxAge,
}

/// The last moment for a person to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActBy {
    /// What the person does.
    pub act: Act,
    /// The latest instant at which it is done in time.
    pub by: Instant,
    /// What ends.
    pub of: End,
    /// When it ends.
    pub ends: Instant,
    /// Whether the policy asks for a person's attention by now (`deadline_notice`).
    pub is_near: bool,
}

/// What is still to be done by a person, and what is known of the ends.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// The end of the certificate in use, the earliest of several.
    pub certificate: Option<Instant>,
    /// Whether the zone holds what publishes the next key.
    pub is_merged: bool,
    /// Stands for the keys of a rotation that has none yet.
    pub incoming: &'a BTreeSet<Association>,
}

/// The last moments for a person to merge and to install, as far as these lie ahead.
pub fn act_by(rotation: &Rotation, now: Instant, policy: &Policy, ahead: Ahead<'_>) -> Vec<ActBy> {
    // In an emergency everything is due at once.
    if rotation.step > Step::SwapOpen || rotation.emergency.is_some() {
        return Vec::new();
    }
    let entry = |act, by: Instant, (of, ends)| ActBy {
        act,
        by,
        of,
        ends,
        is_near: now + policy.deadline_notice >= by,
    };
    let mut told = Vec::new();
    let certificate = ahead.certificate.map(|ends| (End::Certificate, ends));
    // The machine lets the next key go at that age by itself; until then it must be in every cache.
    let age = match policy.rest {
        Rest::Until(Some(Due {
            at,
            why: Release::Age,
        })) if !rotation.released => Some((End::MaxAge, at)),
        _ => None,
    };
    if rotation.step <= Step::Prepublishing && !ahead.is_merged {
        let ends = certificate.into_iter().chain(age);
        let merges = ends.filter_map(|(of, ends)| {
            let by = latest(rotation, (now, ends), policy, ahead.incoming)?;
            Some(entry(Act::Merge, by, (of, ends)))
        });
        told.extend(merges.min_by_key(|merge| merge.by));
    }
    told.extend(certificate.map(|(of, ends)| entry(Act::Install, ends, (of, ends))));
    // One that has passed already is told as missed (`deadline`).
    told.retain(|one| one.by >= now);
    told
}

/// More corrections than the waits of any rotation need; a bound.
const MOST_CORRECTIONS: usize = 8;

/// The latest instant from `now` on at which the rotation may begin to go on and every host has the next key by `ends`.
fn latest(
    rotation: &Rotation,
    (now, ends): (Instant, Instant),
    policy: &Policy,
    incoming: &BTreeSet<Association>,
) -> Option<Instant> {
    // A person who acts at the last moment lets the next key go as well.
    let policy = Policy {
        rest: Rest::No,
        ..*policy
    };
    let mut at = ends;
    for _ in 0..MOST_CORRECTIONS {
        let timeline = look_ahead(rotation, at, &policy, incoming).ok()?;
        let late = timeline.reaches(Step::Deployed)?.since(ends);
        if late == Span::ZERO {
            return Some(at);
        }
        at = at - late;
        if at < now {
            return None;
        }
    }
    None
}

impl Act {
    /// The act in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Install => "install",
        }
    }
}

impl fmt::Display for ActBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            act, by, of, ends, ..
        } = self;
        write!(f, "{} by {by}: ", act.name())?;
        match of {
            End::Certificate => write!(f, "the certificate in use ends on {ends}")?,
            End::MaxAge => write!(f, "the key in use reaches policy max_age on {ends}")?,
        }
        if *act == Act::Merge {
            write!(
                f,
                ", and hosts may have the next key {} after the merge",
                ends.since(*by)
            )?;
        }
        Ok(())
    }
}

impl ActBy {
    /// What a missed end means, and what to do now.
    pub fn advice(&self) -> &'static str {
        match (self.act, self.of) {
            (Act::Merge, End::Certificate) => {
                "review and merge the proposed change; senders that use DANE ignore the end of a certificate (RFC 7671 §5.1), mail clients and senders that follow MTA-STS do not"
            }
            (Act::Merge, End::MaxAge) => "review and merge the proposed change",
            (Act::Install, _) => {
                "put the next certificate on every host once the swap is open (`tlsa-rotate deploy` ends the rest of a standby key); senders that use DANE ignore the end of a certificate (RFC 7671 §5.1), mail clients and senders that follow MTA-STS do not"
            }
        }
    }
}
