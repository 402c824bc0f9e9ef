//! Weakened machines, one for each guard: each must be caught, by a story that ends in a refused mail or in an untruth.

use crate::setting::Setting;

/// How a weakened machine differs from the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    None,
    /// The wait is counted in the TTL that is served now.
    NewTtlIsUsed,
    /// The TTL of git HEAD counts at once, whatever larger one was in force before.
    HighWaterMarkIgnored,
    /// What is merged counts as served.
    ClockFromTheCommit,
    AnyServerIsEnough,
    SilentServerIsFine,
    SilentHostIsFine,
    OneHostIsEnough,
    OneAlgorithmIsEnough,
    NoWait,
    /// The swap opens on the strength of what was once seen.
    NoReobservation,
    /// A server that goes back does not start the clock anew.
    RegressionIgnored,
    /// Without R1.
    NoPreMergeCheck,
    /// Without R2: the old record is demanded until the hosts have changed, then the new one.
    BothAreNotDemanded,
    /// Without R3.
    HeadIsNotAsked,
    /// Without R4: servers are seen good one at a time.
    SightingsAddUp,
    SignaturesIgnored,
    NoSoak,
    AbortWithoutLookingAtHosts,
    RetireWithoutLookingAtHosts,
    /// An abort in step 7 goes back at once.
    AbortFromRetiringAtOnce,
    /// A rollback is allowed in step 7.
    RollbackFromRetiring,
    /// The old records are back, and nobody waits for caches that lack them.
    ReturnWithoutWaiting,
    /// A rollback does not hold the deployment.
    HeldIsForgotten,
    PacingIgnored,
    StandbyDeploysEarly,
    EmergencySkipsTheWait,
    /// Security first is taken for delivery first.
    EmergencyNeverWaives,
    AlarmsAreSilent,
    /// What servers answered with for a while is forgotten once they answer with other records.
    StraysAreForgotten,
    /// The retirement is pressed on although a host is seen with the old key.
    RetiresOnWhateverHostsDo,
    /// The record of a key that stays is not demanded.
    StayingIsNotDemanded,
    /// What one zone serves is taken for what every zone serves.
    OneZoneIsEnough,
    /// Nobody listens to the Web PKI and to senders' reports.
    ObjectionsIgnored,
    /// A larger TTL that is met is noted, and the wait does not ask for it.
    HigherTtlIgnored,
    /// Who is no longer listed is no longer asked.
    DepartedServerIsForgotten,
    /// Who is no longer listed and does not answer serves nothing.
    DarkServerIsFine,
    /// Only the zone and its servers say who serves it.
    ParentIsNotAsked,
    WhoHadLeftIsNotStated,
    /// The TTL from before the rotation is taken for the one that is served.
    TtlBeforeIsNotStated,
    /// A host that joins gets the key when the others may have it.
    JoinsWithTheOthers,
    JoinWaitIsSkipped,
    /// On the way back, who joined counts as one of those that were waited for.
    WayBackForgetsWhoJoined,
    /// Who joins the RRset of others after the swap takes no part.
    LateJoinIsIgnored,
    /// A host that was let go is waited for.
    LeftIsRequired,
    /// A host that left by the configuration and is silent holds nothing up, though mail still goes there.
    SilentLeaverIsFine,
    DepartedAddressIsForgotten,
    /// Hosts of another certificate whose names lead to the RRset are not looked at.
    OthersAreNotLookedAt,
    /// Servers get a zone without an association whatever hosts present.
    HandsOnUnseen,
    /// Servers get the first association of a name whatever its host presents.
    FirstIsHandedOnUnseen,
    /// The end is written down when every server serves it, whatever hosts present.
    EndsUnseen,
    UnwatchedSoakCounts,
    /// Of several keys at one address, the one that was met last.
    LastHandshakeCounts,
    /// That an address presented several keys counts for that look alone.
    SeveralAreForgotten,
    /// What is handed on is judged by the last look alone, where several keys were met before.
    HandsOnByTheLastLook,
    /// A signature that holds is taken to hold for ever.
    OldSignaturesAreFine,
    /// Forward again after giving up, without the wait.
    ForwardKeepsTheClock,
    /// A server that goes back while hosts do is not noted.
    RegressionOnTheWayBackIgnored,
}

/// What counts as caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A sender refuses mail.
    Refusal,
    /// That, or the machine writes down what is not so, or asks for what it must not.
    Untruth,
    /// That, or there is a state from which people come to no end.
    NoEnd,
}

/// Every mutant and the setting in which it is to be caught: the smallest one that has what it takes.
pub(crate) const ALL: &[(Mutant, Setting, Proof)] = &[
    (Mutant::NewTtlIsUsed, Setting::SMALLEST, Proof::Refusal),
    (
        Mutant::HighWaterMarkIgnored,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::ClockFromTheCommit,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (Mutant::AnyServerIsEnough, Setting::SMALLEST, Proof::Refusal),
    (
        Mutant::SilentServerIsFine,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (Mutant::SilentHostIsFine, Setting::SMALLEST, Proof::Refusal),
    (Mutant::OneHostIsEnough, Setting::SMALLEST, Proof::Refusal),
    (Mutant::OneAlgorithmIsEnough, Setting::WHOLE, Proof::Refusal),
    (Mutant::NoWait, Setting::SMALLEST, Proof::Refusal),
    (Mutant::NoReobservation, Setting::SMALLEST, Proof::Refusal),
    (Mutant::RegressionIgnored, Setting::SMALLEST, Proof::Refusal),
    (Mutant::NoPreMergeCheck, Setting::SMALLEST, Proof::Refusal),
    (
        Mutant::BothAreNotDemanded,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (Mutant::HeadIsNotAsked, Setting::SMALLEST, Proof::Refusal),
    (Mutant::SightingsAddUp, Setting::SMALLEST, Proof::Refusal),
    (
        Mutant::SignaturesIgnored,
        Setting::SIGNATURES,
        Proof::Untruth,
    ),
    (Mutant::NoSoak, Setting::SMALLEST, Proof::Untruth),
    (
        Mutant::AbortWithoutLookingAtHosts,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::RetireWithoutLookingAtHosts,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::AbortFromRetiringAtOnce,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::RollbackFromRetiring,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::ReturnWithoutWaiting,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (Mutant::HeldIsForgotten, Setting::SMALLEST, Proof::Untruth),
    (Mutant::PacingIgnored, Setting::SMALLEST, Proof::Untruth),
    (
        Mutant::StandbyDeploysEarly,
        Setting::STANDBY,
        Proof::Untruth,
    ),
    (
        Mutant::EmergencySkipsTheWait,
        Setting::DELIVERY,
        Proof::Refusal,
    ),
    (
        Mutant::EmergencyNeverWaives,
        Setting::SECURITY,
        Proof::Untruth,
    ),
    (Mutant::AlarmsAreSilent, Setting::FAULTS, Proof::Untruth),
    (Mutant::StraysAreForgotten, Setting::STRAYS, Proof::Untruth),
    (
        Mutant::RetiresOnWhateverHostsDo,
        Setting::FAULTS,
        Proof::Untruth,
    ),
    (
        Mutant::StayingIsNotDemanded,
        Setting::STAYING,
        Proof::Refusal,
    ),
    (Mutant::OneZoneIsEnough, Setting::ZONES, Proof::Refusal),
    (
        Mutant::ObjectionsIgnored,
        Setting::OBJECTIONS,
        Proof::Untruth,
    ),
    (Mutant::HigherTtlIgnored, Setting::TTLS, Proof::Refusal),
];

/// Those of a world that changes.
pub(crate) const CHANGING: &[(Mutant, Setting, Proof)] = &[
    (
        Mutant::DepartedServerIsForgotten,
        Setting::SERVERS,
        Proof::Refusal,
    ),
    (Mutant::DarkServerIsFine, Setting::SERVERS, Proof::Refusal),
    (Mutant::ParentIsNotAsked, Setting::SERVERS, Proof::Refusal),
    (
        Mutant::WhoHadLeftIsNotStated,
        Setting::SERVER_HAD_LEFT,
        Proof::Refusal,
    ),
    (
        Mutant::TtlBeforeIsNotStated,
        Setting::TTL_BEFORE,
        Proof::Refusal,
    ),
    (Mutant::JoinsWithTheOthers, Setting::JOINS, Proof::Untruth),
    (Mutant::JoinWaitIsSkipped, Setting::JOINS, Proof::Refusal),
    (
        Mutant::WayBackForgetsWhoJoined,
        Setting::JOINS,
        Proof::Refusal,
    ),
    (
        Mutant::LateJoinIsIgnored,
        Setting::SHARED_JOINS,
        Proof::Refusal,
    ),
    (Mutant::LeftIsRequired, Setting::LOSSES, Proof::NoEnd),
    (Mutant::SilentLeaverIsFine, Setting::SHARED, Proof::Refusal),
    (
        Mutant::DepartedAddressIsForgotten,
        Setting::ADDRESSES,
        Proof::Refusal,
    ),
    (
        Mutant::OthersAreNotLookedAt,
        Setting::OTHERS,
        Proof::Refusal,
    ),
    (Mutant::HandsOnUnseen, Setting::RESTORES, Proof::Refusal),
    (
        Mutant::FirstIsHandedOnUnseen,
        Setting::STRANGERS,
        Proof::Refusal,
    ),
    (Mutant::EndsUnseen, Setting::RESTORES, Proof::Untruth),
    (Mutant::UnwatchedSoakCounts, Setting::LOOKS, Proof::Untruth),
    (
        Mutant::LastHandshakeCounts,
        Setting::BALANCED,
        Proof::Refusal,
    ),
    (
        Mutant::SeveralAreForgotten,
        Setting::BALANCED,
        Proof::Refusal,
    ),
    (
        Mutant::HandsOnByTheLastLook,
        Setting::BALANCED,
        Proof::Refusal,
    ),
    (Mutant::OldSignaturesAreFine, Setting::DAY, Proof::Untruth),
    (
        Mutant::ForwardKeepsTheClock,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
    (
        Mutant::RegressionOnTheWayBackIgnored,
        Setting::SMALLEST,
        Proof::Refusal,
    ),
];
