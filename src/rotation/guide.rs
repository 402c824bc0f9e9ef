//! The seven steps in words: which step a state belongs to, what it does, what must be true first, and the way back.
//!
//! One text for the plan, the commit message and the status, so that they cannot disagree.

use super::step::Step;
use std::fmt;

/// One of the seven steps of the choreography.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// 1 to 7.
    pub number: u8,
    /// One verb.
    pub title: &'static str,
    /// What people call it.
    pub heading: &'static str,
    /// What happens.
    pub what: &'static str,
    /// What must be true before.
    pub gate: &'static str,
    /// The way back from it.
    pub undo: &'static str,
}

/// The seven steps, in order.
pub const CHAPTERS: [Chapter; 7] = [
    Chapter {
        number: 1,
        title: "Generate",
        heading: "make the key",
        what: "a new key and certificate are made, and not deployed",
        gate: "key and certificate belong together, the key is new and strong enough",
        undo: "`tlsa-rotate abort` forgets them; nothing was published",
    },
    Chapter {
        number: 2,
        title: "Hash",
        heading: "compute the record",
        what: "the `3 1 1` record of each next key is computed from the public key itself",
        gate: "the key is not one that is in use already",
        undo: "`tlsa-rotate abort` forgets them; nothing was published",
    },
    Chapter {
        number: 3,
        title: "Publish",
        heading: "publish it beside the old",
        what: "the records of the next key join the old ones in the zone",
        gate: "every record of the key in use stays",
        undo: "`tlsa-rotate abort` takes the new records out again; hosts keep the old key, mail flows throughout",
    },
    Chapter {
        number: 4,
        title: "Wait",
        heading: "wait for caches",
        what: "caches that hold the records without those of the next key run out",
        gate: "every address of every authoritative server serves both, seen in one run, under signatures that last",
        undo: "`tlsa-rotate abort`; hosts keep the old key, mail flows throughout",
    },
    Chapter {
        number: 5,
        title: "Deploy",
        heading: "install",
        what: "every host gets the next certificate and key",
        gate: "the wait is over, and every server was seen serving both again in this run",
        undo: "`tlsa-rotate rollback`: the previous certificate goes back at once, both are published, no wait in DNS",
    },
    Chapter {
        number: 6,
        title: "Verify",
        heading: "watch",
        what: "every host presents the next key on every address and for every algorithm through the whole soak",
        gate: "every host was seen with the next key in one run",
        undo: "`tlsa-rotate rollback`: the previous certificate goes back at once, both are published, no wait in DNS",
    },
    Chapter {
        number: 7,
        title: "Retire",
        heading: "remove the old record",
        what: "the old records leave the zone",
        gate: "the soak has passed and every host still presents the next key",
        undo: "`tlsa-rotate abort` while it lasts, with a whole wait; after it, a new rotation",
    },
];

/// The steps of the way back, in order, each with the step of the machine that it begins with. Where a rotation turns round
/// decides which of them it still needs.
pub const WAY_BACK: [(Step, Chapter); 4] = [
    (
        Step::Reinstating,
        Chapter {
            number: 1,
            title: "Reinstate",
            heading: "publish the old record again",
            what: "the old records go back into the zone, beside those of the next key",
            gate: "nothing: hosts keep the next key, which stays published",
            undo: "`tlsa-rotate deploy` goes forward again; hosts keep the next key, mail flows throughout",
        },
    ),
    (
        Step::Reinstated,
        Chapter {
            number: 2,
            title: "Wait",
            heading: "wait for caches",
            what: "caches that lack the old record run out; hosts keep the next key",
            gate: "every name server serves both, seen in one run",
            undo: "`tlsa-rotate deploy` goes forward again; hosts keep the next key, mail flows throughout",
        },
    ),
    (
        Step::RollingBack,
        Chapter {
            number: 3,
            title: "Return",
            heading: "put the old key back",
            what: "every host gets the previous certificate and key",
            gate: "both records are published, and no cache lacks the old one",
            undo: "`tlsa-rotate deploy` goes forward again: both records are published",
        },
    ),
    (
        Step::Withdrawing,
        Chapter {
            number: 4,
            title: "Withdraw",
            heading: "remove the next record",
            what: "the records of the next key leave the zone",
            gate: "every host was seen with the previous key in the same run",
            undo: "a new rotation: `tlsa-rotate start`",
        },
    ),
];

/// The steps of an emergency in which security goes first, each with the step of the machine that it begins with.
pub const AT_ONCE: [(Step, Chapter); 2] = [
    (
        Step::Replacing,
        Chapter {
            number: 1,
            title: "Replace",
            heading: "replace record and key at once",
            what: "the record of the next key takes the place of the old one, and every host gets that key now",
            gate: "nothing: senders that hold the old record defer mail until it has run out",
            undo: "`tlsa-rotate abort` publishes the old record again: whoever has the compromised key can use it",
        },
    ),
    (
        Step::Replaced,
        Chapter {
            number: 2,
            title: "Wait",
            heading: "wait for caches",
            what: "caches that hold the old record run out, and senders deliver again",
            gate: "every name server serves the new record alone, and every host presents its key",
            undo: "`tlsa-rotate abort` publishes the old record again: whoever has the compromised key can use it",
        },
    ),
];

impl Step {
    /// The chapter that a rotation in this step is in, 1 to 7; `None` on the way back and after the end.
    pub fn chapter(self) -> Option<&'static Chapter> {
        let number = match self {
            Self::Started => 1,
            Self::Generated => 2,
            Self::Hashed | Self::Prepublishing => 3,
            Self::Waiting => 4,
            Self::SwapOpen => 5,
            Self::Deployed => 6,
            Self::Verified | Self::Retiring => 7,
            Self::Retired
            | Self::Replacing
            | Self::Replaced
            | Self::Reinstating
            | Self::Reinstated
            | Self::RollingBack
            | Self::Withdrawing
            | Self::Aborted => return None,
        };
        CHAPTERS.iter().find(|chapter| chapter.number == number)
    }

    /// The step as a sentence about the present.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Started => "wanted; the next key does not exist yet",
            Self::Generated => "the next key exists, its record is not computed yet",
            Self::Hashed => "the records of the next key are known and not published yet",
            Self::Prepublishing => {
                "the records of the next key are on their way into the zone and to every server"
            }
            Self::Waiting => {
                "every server serves both; caches that lack the record of the next key run out"
            }
            Self::SwapOpen => "the next certificate may be installed now",
            Self::Deployed => "every host presents the next key; the soak is under way",
            Self::Verified => "the soak was healthy",
            Self::Retiring => "the old records are on their way out of the zone",
            Self::Retired => "done: only the new records are served",
            Self::Replacing => {
                "emergency, security first: hosts and zone change to the next key at once"
            }
            Self::Replaced => {
                "emergency, security first: every server serves the record of the next key alone; caches run out"
            }
            Self::Reinstating => {
                "the old records go back into the zone; hosts keep the next key until they are everywhere"
            }
            Self::Reinstated => {
                "every server serves both again; caches that lack the old record run out, hosts keep the next key"
            }
            Self::RollingBack => "on the way back: every host must present the previous key again",
            Self::Withdrawing => "on the way back: the records of the next key leave the zone",
            Self::Aborted => "given up safely",
        }
    }
}

impl Step {
    /// Every step, in the order of a rotation.
    pub const ALL: [Self; 17] = [
        Self::Started,
        Self::Generated,
        Self::Hashed,
        Self::Prepublishing,
        Self::Waiting,
        Self::SwapOpen,
        Self::Deployed,
        Self::Verified,
        Self::Retiring,
        Self::Retired,
        Self::Replacing,
        Self::Replaced,
        Self::Reinstating,
        Self::Reinstated,
        Self::RollingBack,
        Self::Withdrawing,
        Self::Aborted,
    ];

    /// Whether associations enter or leave RRsets in this step, so that their TTL counts anew.
    pub(super) fn publishes(self) -> bool {
        matches!(
            self,
            Self::Hashed
                | Self::Prepublishing
                | Self::Retiring
                | Self::Replacing
                | Self::Reinstating
        )
    }

    /// Whether names that joined go through their own wait beside the others, or have it kept for them.
    pub(super) fn lets_join(self) -> bool {
        matches!(
            self,
            Self::Prepublishing | Self::Waiting | Self::SwapOpen | Self::RollingBack
        )
    }

    /// Whether a rotation in this step is over, well or given up.
    pub fn is_the_end(self) -> bool {
        matches!(self, Self::Retired | Self::Aborted)
    }

    /// The step's name in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Generated => "Generated",
            Self::Hashed => "Hashed",
            Self::Prepublishing => "Prepublishing",
            Self::Waiting => "Waiting",
            Self::SwapOpen => "SwapOpen",
            Self::Deployed => "Deployed",
            Self::Verified => "Verified",
            Self::Retiring => "Retiring",
            Self::Retired => "Retired",
            Self::Replacing => "Replacing",
            Self::Replaced => "Replaced",
            Self::Reinstating => "Reinstating",
            Self::Reinstated => "Reinstated",
            Self::RollingBack => "RollingBack",
            Self::Withdrawing => "Withdrawing",
            Self::Aborted => "Aborted",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
