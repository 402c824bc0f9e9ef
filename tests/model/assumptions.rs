//! What the model rests on. Each assumption has an id, says where it is used, and how a breach of it is detected.

pub(crate) struct Assumption {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) used_in: &'static str,
    pub(crate) detected_by: &'static str,
}

pub(crate) const ALL: &[Assumption] = &[
    Assumption {
        id: "A1",
        what: "what is merged into the zone holds every association that the step demands (R1)",
        used_in: "Move::MergeOther",
        detected_by: "`check --merge` before the merge; after it `MergeReverted` or `OldWithdrawn`, a zone that is not handed on (`WouldRefuse`), an alarm",
    },
    Assumption {
        id: "A2",
        what: "hosts get the incoming key only in SwapOpen to Verified (not held, not resting), the previous one back only there and in RollingBack",
        used_in: "Move::Deploy, Move::PutBack",
        detected_by: "the alarms EarlyKey, OldKeyAgain and UnknownKey",
    },
    Assumption {
        id: "A3",
        what: "a server that goes back before the swap stays so until a run has looked at it",
        used_in: "Move::Regress, World::regressed",
        detected_by: "`ServerRegressed`; a server that goes back and forth between two runs is not seen, and fills caches for one TTL; the second TTL of the wait covers it unless it does so in the last TTL",
    },
    Assumption {
        id: "A4",
        what: "no server goes back once the swap is open",
        used_in: "Move::Regress",
        detected_by: "`ServerRegressed` (the clock starts anew) and the alarm ServerUnfit",
    },
    Assumption {
        id: "A5",
        what: "the TTL with which the rotation starts is at least that of every RRset that caches may still hold",
        used_in: "World::beginning",
        detected_by: "the history of the zone when a rotation starts; `HigherTtlSeen` on every server in every run before the wait",
    },
    Assumption {
        id: "A6",
        what: "where RSA and ECDSA chains move one at a time, one server or host at a time is silent (a bound of the search; with chains that move together any number is)",
        used_in: "Setting::silence",
        detected_by: "not a matter of safety: every gate needs every place in one run",
    },
    Assumption {
        id: "A7",
        what: "caches keep an RRset for its TTL and no longer (RFC 1035 §3.2.1; serve-stale, RFC 8767, serves it only where no server answers)",
        used_in: "World::pass",
        detected_by: "not at all; the second TTL and safety_margin are for it (Postfix keeps what it looked up up to two seconds longer)",
    },
    Assumption {
        id: "A8",
        what: "clocks do not run ahead between two runs by more than the world's",
        used_in: "Move::Time",
        detected_by: "a clock behind the journal is refused; one far ahead finds signatures expired, and every gate looks again",
    },
    Assumption {
        id: "A9",
        what: "a TTL that is raised is not lowered again before a run has noted it (while records enter or leave the zone)",
        used_in: "Move::SetTtl",
        detected_by: "`HigherTtlSeen` on every server in every run of those steps; one that comes and goes unseen is covered by the second TTL of the wait up to twice the TTL known",
    },
];

pub(crate) fn told() -> Vec<String> {
    ALL.iter()
        .map(|a| {
            format!(
                "{} {} [{}; detected by: {}]",
                a.id, a.what, a.used_in, a.detected_by
            )
        })
        .collect()
}
