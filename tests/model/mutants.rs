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
}

/// What counts as caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A sender refuses mail.
    Refusal,
    /// That, or the machine writes down what is not so, or asks for what it must not.
    Untruth,
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
