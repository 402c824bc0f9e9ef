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
        what: "hosts, and machines that come back under an address, get the next key only in SwapOpen to Verified (not held, not resting, their own name waited for), the previous one back only there and in RollingBack",
        used_in: "Move::Deploy, Move::PutBack, around::may_have; Change::Restores breaks it at the last moment",
        detected_by: "the alarms EarlyKey, OldKeyAgain and UnknownKey; what takes an association out is not handed on while a host is seen that needs it (`admissible::objections`); after the end the alarm, and an abort or forward leads out",
    },
    Assumption {
        id: "A3",
        what: "a server that goes back before the swap stays so until a run has looked at it, and a server or an address that joins stays until a run has noted it",
        used_in: "Move::Regress, World::regressed, Move::List, Move::Refer, Move::Leave",
        detected_by: "`ServerRegressed`, `ServersSeen`, `AddressesSeen`; a server that goes back and forth between two runs is not seen, and fills caches for one TTL; the second TTL of the wait covers it unless it does so in the last TTL",
    },
    Assumption {
        id: "A4",
        what: "no server goes back once the swap is open (for a name that joins: its own wait), and one that joins then serves what the others serve",
        used_in: "Move::Regress, Setting::server_changes",
        detected_by: "`ServerRegressed` (the clock starts anew) and the alarm ServerUnfit",
    },
    Assumption {
        id: "A5",
        what: "the TTL with which the rotation starts is at least that of every RRset that caches may still hold, and every server and address that left before and may still be found is stated with it",
        used_in: "World::beginning, Setting::TTL_BEFORE, Setting::SERVER_HAD_LEFT",
        detected_by: "the history of the zone when a rotation starts, the operator's word, or an assumption of a day; `ServersHadLeft`, `AddressesHadLeft`; `HigherTtlSeen` on every server in every run before the wait",
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
        detected_by: "a clock that was set shows against the time since the start of the machine, and a fact of the future against the present: no gate passes until a person has looked; one far ahead from the start finds signatures expired, and every gate looks again",
    },
    Assumption {
        id: "A9",
        what: "a TTL that is raised is not lowered again before a run has noted it (while records enter or leave the zone)",
        used_in: "Move::SetTtl",
        detected_by: "`HigherTtlSeen` on every server in every run of those steps; one that comes and goes unseen is covered by the second TTL of the wait up to twice the TTL known",
    },
    Assumption {
        id: "A10",
        what: "a server that has left, and that only itself still names, gets no new resolvers: they go back to the parent when what led to it runs out (RFC 2181 §5.4.1)",
        used_in: "World::referred",
        detected_by: "not at all where it is silent to us; one that answers is asked until its TTL ran out, and not believed about itself: else it would never be gone",
    },
    Assumption {
        id: "A11",
        what: "of several servers behind one address, the looks of a soak meet each, and once an address has shown several keys, the looks of six hours do; between a look and the zone that is handed on no other is restored unseen",
        used_in: "Setting::runs, Setting::may_pass",
        detected_by: "several connections in each look, more where keys differ; `SeveralKeysSeen` for as long as any is met with a key that is to go; on the way back there is no soak, and a single look decides",
    },
    Assumption {
        id: "A12",
        what: "whoever else hangs on the RRset, by CNAME or by another certificate, takes part in the rotation or is looked at as one that left",
        used_in: "Setting::SHARED, Setting::OTHERS",
        detected_by: "the zones at hand are searched for aliases before a rotation begins; the machine itself sees only `endpoints` and `left`",
    },
    Assumption {
        id: "A13",
        what: "A, AAAA and MX change on every server at once, and a host is configured no later than senders find it",
        used_in: "Move::Join, Move::Leave",
        detected_by: "addresses are asked of every server, and a host that a person has not configured is found by `check`",
    },
    Assumption {
        id: "A14",
        what: "at most one of the two keys is lost, and one host of two dies",
        used_in: "Move::Lose, Move::Die",
        detected_by: "not a matter of safety: with both keys lost, `DaneLeft` or a new rotation is the end",
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
