//! The operator's patience: how long to wait beyond what the protocols ask for.

use super::due::Rest;
use super::timing::Span;

/// Durations that gate a rotation; all are added to, never subtracted from, the protocol's own minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The shortest wait between `T_all` and the swap, however small the TTLs are.
    pub min_wait: Span,
    /// How long every host must present the incoming key healthily before the old association leaves.
    pub soak: Span,
    /// Added to the wait: for clocks that differ, and for caches that keep a record longer than its TTL (Postfix by up to two
    /// seconds, a resolver with a smallest TTL for as long as that is).
    pub safety_margin: Span,
    /// How many hosts are deployed at a time; all of them where it is none.
    pub concurrent: Option<u32>,
    /// Whether the rotation rests once its swap is open.
    pub rest: Rest,
}

impl Default for Policy {
    /// A day of waiting, a day of soak, an hour of margin; one host after the other.
    fn default() -> Self {
        Self {
            min_wait: Span::hours(24),
            soak: Span::hours(24),
            safety_margin: Span::hours(1),
            concurrent: Some(1),
            rest: Rest::No,
        }
    }
}
