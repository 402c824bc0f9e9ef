//! The wait between publication and swap: which instant opens the swap, and what makes it that late.
//!
//! RFC 7671 §8.1 (two TTLs), RFC 7583 §3.2.1 (`Ipub`), both counted from `T_all`.

use super::before::TtlSource;
use super::due::Rest;
use super::observation::TlsaName;
use super::policy::Policy;
use super::soak::Soak;
use super::step::{Event, Published, Rotation, Step};
use super::timing::{Instant, Span, Ttl};
use std::fmt;

/// What makes a gate open as late as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Twice the largest TTL (RFC 7671 §8.1).
    Protocol,
    /// `min_wait` of the policy.
    MinWait,
    /// `soak` of the policy.
    Soak,
    /// The largest TTL of the RRset that has left (RFC 1035 §3.2.1).
    OneTtl,
}

/// A gate that time opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeGate {
    /// When the protocols alone would open it.
    pub protocol: Instant,
    /// When it opens.
    pub opens: Instant,
    /// What makes it that late.
    pub binds: Binding,
}

/// The largest TTL under which an RRset without the incoming association may be cached (`TTL_old`).
pub fn ttl_old(rotation: &Rotation) -> Ttl {
    rotation.ttl_old.values().copied().max().unwrap_or_default()
}

/// When the last cache that may lack the incoming association has lost its RRset (RFC 1035 §3.2.1).
pub fn caches_empty_of_base(rotation: &Rotation, published: Published) -> Instant {
    published.t_all + ttl_old(rotation).span()
}

/// How long RRsets of before these names were published may be cached, and as long again for what was not seen (RFC 7671
/// §8.1). A TTL that is assumed, because nobody knows it, counts once: the second time is for what is known to come back.
pub(super) fn wait_for<'n>(
    rotation: &Rotation,
    names: impl IntoIterator<Item = &'n TlsaName>,
) -> Span {
    let of_name = |name: &TlsaName| {
        let ttl = rotation.ttl_old.get(name).copied().unwrap_or_default();
        match rotation.ttl_source(name) {
            TtlSource::Assumed => ttl.span(),
            _ => ttl.span() * 2,
        }
    };
    names.into_iter().map(of_name).max().unwrap_or(Span::ZERO)
}

/// The same for the names that are waited for together; one that joins waits by itself.
pub fn two_ttls(rotation: &Rotation) -> Span {
    wait_for(rotation, rotation.settled_names())
}

/// When the protocols alone would open the swap, whatever the policy says.
pub fn swap_by_protocol(rotation: &Rotation, published: Published) -> Instant {
    published.t_all + two_ttls(rotation).max(published.ttl_new.span() * 2)
}

/// When the swap could open at the earliest, where an event opens it before the protocols let it, whatever the policy said then.
pub fn opens_too_soon(rotation: &Rotation, at: Instant, event: &Event) -> Option<Instant> {
    let published = rotation
        .published
        .filter(|_| rotation.emergency.is_none())?;
    let earliest = swap_by_protocol(rotation, published);
    (*event == Event::SwapOpened && at < earliest).then_some(earliest)
}

/// `SwapOpen`: `T_all + max(2 * max(TTL_old, TTL_new), min_wait) + safety_margin`.
pub fn swap_gate(rotation: &Rotation, published: Published, policy: &Policy) -> TimeGate {
    swap_gate_after(two_ttls(rotation), published, policy)
}

/// The same after a wait for the RRsets of before.
pub(super) fn swap_gate_after(before: Span, published: Published, policy: &Policy) -> TimeGate {
    let two_ttls = before.max(published.ttl_new.span() * 2);
    let binds = if two_ttls >= policy.min_wait {
        Binding::Protocol
    } else {
        Binding::MinWait
    };
    TimeGate {
        protocol: published.t_all + two_ttls,
        opens: published.t_all + two_ttls.max(policy.min_wait) + policy.safety_margin,
        binds,
    }
}

/// The end of an outage that was chosen: when no cache holds an RRset without the incoming associations any more.
pub fn outage_gate(rotation: &Rotation, published: Published) -> TimeGate {
    let ends = caches_empty_of_base(rotation, published);
    TimeGate {
        protocol: ends,
        opens: ends,
        binds: Binding::OneTtl,
    }
}

/// When the swap can be open at the earliest, if every server serves both from now on; `now` once it is.
pub fn swap_at_earliest(rotation: &Rotation, now: Instant, policy: &Policy) -> Instant {
    let opens = match rotation.step {
        Step::Started | Step::Generated | Step::Hashed | Step::Prepublishing | Step::Waiting => {
            let from_now = Published {
                t_all: now,
                ttl_new: Ttl(0),
            };
            swap_gate(rotation, rotation.published.unwrap_or(from_now), policy).opens
        }
        _ => now,
    };
    match policy.rest {
        Rest::Until(Some(due)) if !rotation.released => opens.max(now).max(due.at),
        _ => opens.max(now),
    }
}

/// When the rotation can be over at the earliest, if everyone acts at once.
pub fn end_at_earliest(rotation: &Rotation, now: Instant, policy: &Policy) -> Instant {
    match rotation.step {
        Step::Deployed => Soak::of(rotation).gate(policy).opens.max(now),
        step if step < Step::Deployed => swap_at_earliest(rotation, now, policy) + policy.soak,
        _ => now,
    }
}

/// How long the time gates still ahead of a full set that is served from now on would take together.
pub fn remaining(rotation: &Rotation, policy: &Policy) -> Span {
    two_ttls(rotation).max(policy.min_wait) + policy.safety_margin + policy.soak
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "2 × TTL (RFC 7671 §8.1)",
            Self::MinWait => "policy min_wait",
            Self::Soak => "policy soak",
            Self::OneTtl => "the TTL of the old RRset (RFC 1035 §3.2.1)",
        })
    }
}
