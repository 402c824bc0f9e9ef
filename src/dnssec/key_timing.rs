//! When a key is in the zone and when it signs, as BIND's timing metadata say (RFC 7583 §2).

use crate::rotation::timing::Instant;

/// When a key is to be in the zone and to sign; absent means "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// When it was made.
    pub created: Option<Instant>,
    /// From when its DNSKEY is in the zone.
    pub publish: Option<Instant>,
    /// From when it signs.
    pub activate: Option<Instant>,
    /// From when it signs no more.
    pub inactive: Option<Instant>,
    /// From when its DNSKEY is no longer in the zone.
    pub delete: Option<Instant>,
    /// From when it is marked revoked (RFC 5011); we do not do that and refuse such keys.
    pub revoke: Option<Instant>,
    /// From when CDS and CDNSKEY records ask the parent for a DS of it (RFC 7344 §4).
    pub sync_publish: Option<Instant>,
    /// From when they ask no more.
    pub sync_delete: Option<Instant>,
}

impl Timing {
    /// Whether the DNSKEY belongs in the zone. A key about which no time is said belongs there.
    pub fn is_published(&self, now: Instant) -> bool {
        let begun = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        (self.says_no_start() || begun(self.publish) || begun(self.activate)) && !begun(self.delete)
    }

    /// Whether the key signs.
    pub fn is_active(&self, now: Instant) -> bool {
        let begun = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        (self.says_no_start() || begun(self.activate))
            && !begun(self.inactive)
            && !begun(self.delete)
    }

    /// Whether CDS and CDNSKEY records of the key belong in the zone; without a word about it they do not.
    pub fn is_synced(&self, now: Instant) -> bool {
        let begun = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        begun(self.sync_publish) && !self.is_unsynced(now)
    }

    /// Whether CDS and CDNSKEY records of the key have had their time.
    pub fn is_unsynced(&self, now: Instant) -> bool {
        self.sync_delete.is_some_and(|at| at <= now)
    }

    /// Old key files carry no times at all: such keys are in use.
    fn says_no_start(&self) -> bool {
        self.publish.is_none() && self.activate.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::too_many_lines)] // a table
    fn keys_live_as_their_times_say() {
        let now = Instant::from_unix(1000);
        let (past, future) = (
            Some(Instant::from_unix(1000)),
            Some(Instant::from_unix(1001)),
        );
        let none = Timing::default();
        // (timing, published, active, why)
        let table = [
            (none, true, true, "no times: always"),
            (
                Timing {
                    publish: past,
                    activate: past,
                    ..none
                },
                true,
                true,
                "in use",
            ),
            (
                Timing {
                    publish: past,
                    activate: future,
                    ..none
                },
                true,
                false,
                "pre-published",
            ),
            (
                Timing {
                    publish: past,
                    ..none
                },
                true,
                false,
                "published, not told to sign",
            ),
            (
                Timing {
                    activate: past,
                    ..none
                },
                true,
                true,
                "what signs is published",
            ),
            (
                Timing {
                    publish: future,
                    activate: future,
                    ..none
                },
                false,
                false,
                "not yet",
            ),
            (
                Timing {
                    activate: past,
                    inactive: past,
                    ..none
                },
                true,
                false,
                "retired, still needed by caches",
            ),
            (
                Timing {
                    activate: past,
                    delete: past,
                    ..none
                },
                false,
                false,
                "gone",
            ),
            (
                Timing {
                    inactive: past,
                    ..none
                },
                true,
                false,
                "old key, retired",
            ),
            (
                Timing {
                    activate: past,
                    inactive: future,
                    delete: future,
                    ..none
                },
                true,
                true,
                "still",
            ),
        ];
        for (timing, published, active, why) in table {
            assert_eq!(timing.is_published(now), published, "published: {why}");
            assert_eq!(timing.is_active(now), active, "active: {why}");
        }
        for (sync_publish, sync_delete, synced, unsynced) in [
            (None, None, false, false),
            (future, None, false, false),
            (past, None, true, false),
            (past, future, true, false),
            (past, past, false, true),
            (None, past, false, true),
        ] {
            let timing = Timing {
                sync_publish,
                sync_delete,
                ..none
            };
            assert_eq!(timing.is_synced(now), synced, "{timing:?}");
            assert_eq!(timing.is_unsynced(now), unsynced, "{timing:?}");
        }
    }
}
