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
    /// How long others (a server, a host) may keep a rotation waiting before a person is asked to look.
    pub patience: Span,
    /// How long before the last moment to merge or install a person is asked.
    pub deadline_notice: Span,
    /// How long a retired private key is kept once no signature over its records can be replayed any more.
    pub keep_retired_keys: Span,
}

impl Default for Policy {
    /// A day of waiting, a day of soak, an hour of margin; one host after the other; six hours for others, three days of notice.
    fn default() -> Self {
        Self {
            min_wait: Span::hours(24),
            soak: Span::hours(24),
            safety_margin: Span::hours(1),
            concurrent: Some(1),
            rest: Rest::No,
            patience: Span::hours(6),
            deadline_notice: Span::days(3),
            keep_retired_keys: Span::days(7),
        }
    }
}
