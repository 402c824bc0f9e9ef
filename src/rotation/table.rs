//! The transition table: which step follows from an event, and from no other. RFC 7671 §8.1 with its ways back.

use super::emergency::Priority;
use super::event::Event;
use super::members;
use super::step::{Rotation, Step};

/// The table itself: which step follows. One line for each transition, in the order of a rotation.
#[allow(clippy::match_same_arms)]
pub(super) fn successor(rotation: &Rotation, event: &Event) -> Option<Step> {
    use self::Step as S;
    let step = rotation.step;
    Some(match (step, event) {
        (S::Started, Event::KeyAdmitted { .. }) => S::Generated,
        (S::Started | S::Generated | S::Hashed, Event::SurroundingsFound { .. }) => step,
        (S::Generated, Event::AssociationsComputed { .. }) => S::Hashed,
        (S::Hashed, Event::PrepublishDecided) => S::Prepublishing,
        (
            S::Hashed
            | S::Prepublishing
            | S::Waiting
            | S::SwapOpen
            | S::Deployed
            | S::Verified
            | S::Retiring
            | S::Replacing
            | S::Reinstating
            | S::RollingBack,
            Event::HigherTtlSeen { name, .. },
        ) if step.publishes() || rotation.joining.contains_key(name) => step,
        (S::Prepublishing, Event::PrepublishServed { .. }) => S::Waiting,
        (
            S::Waiting | S::SwapOpen | S::Deployed | S::Verified,
            Event::MergeReverted { .. } | Event::ServerRegressed { .. },
        ) => S::Prepublishing,
        (S::Waiting, Event::SwapOpened) => S::SwapOpen,
        (
            S::Hashed | S::Prepublishing | S::Waiting | S::SwapOpen,
            Event::DeploymentReleased { .. },
        ) => step,
        (S::SwapOpen, Event::HostsPresentedIncoming) => S::Deployed,
        (S::Deployed | S::Verified, Event::HostRegressed { .. }) => S::SwapOpen,
        (S::SwapOpen | S::Deployed | S::Verified, Event::RollbackRequested { .. }) => S::SwapOpen,
        (S::Deployed | S::Verified, Event::OldWithdrawn { .. }) => S::Reinstating,
        (S::Deployed, Event::SoakSeen | Event::SoakInterrupted) => step,
        (S::Deployed, Event::SoakPassed) => S::Verified,
        (S::Verified, Event::RetireDecided) => S::Retiring,
        (S::Retiring, Event::RetireServed) => S::Retired,
        // The way back.
        (S::Started | S::Generated | S::Hashed, Event::AbortRequested { .. }) => S::Aborted,
        (
            S::Prepublishing | S::Waiting | S::SwapOpen | S::Deployed | S::Verified,
            Event::AbortRequested { .. },
        ) => S::RollingBack,
        (S::RollingBack, Event::MergeReverted { .. } | Event::ServerRegressed { .. }) => step,
        (S::RollingBack, Event::WithdrawalDecided) => S::Withdrawing,
        (S::Withdrawing, Event::WithdrawalServed) => S::Aborted,
        // The way back from step 7 and after it: caches may hold the incoming associations alone.
        (
            S::Retiring | S::Retired | S::Replacing | S::Replaced | S::Reinstating | S::Reinstated,
            Event::AbortRequested { .. },
        ) if rotation.abort_reason.is_none() && rotation.dane_left.is_none() => S::Reinstating,
        (S::Reinstating, Event::ReinstatementServed { .. }) => S::Reinstated,
        (S::Reinstated, Event::MergeReverted { .. } | Event::ServerRegressed { .. }) => {
            S::Reinstating
        }
        (S::Reinstated, Event::ReturnOpened) if rotation.abort_reason.is_some() => S::RollingBack,
        (S::Reinstated, Event::ReturnOpened) => S::SwapOpen,
        // Forward again: what was given up is taken up, with all its waits.
        (_, Event::ForwardRequested { .. })
            if !rotation.incoming.is_empty() && rotation.dane_left.is_none() =>
        {
            return forward(rotation);
        }
        // Emergency.
        (_, Event::EmergencyDeclared { priority, .. }) => {
            return emergency(rotation, *priority);
        }
        (S::Replacing, Event::ReplacementServed { .. }) => S::Replaced,
        (S::Replaced, Event::MergeReverted { .. } | Event::ServerRegressed { .. }) => S::Replacing,
        (S::Replaced, Event::ReplacementVerified) => S::Retired,
        // Hosts come and go, and their records move.
        (
            step,
            Event::HostsJoined {
                endpoints, aliases, ..
            },
        ) if !step.is_the_end()
            && members::after_moving(rotation, endpoints, aliases).is_some() =>
        {
            return members::after_moving(rotation, endpoints, aliases);
        }
        (S::Deployed | S::Verified, Event::HostsJoined { .. }) => S::SwapOpen,
        (step, Event::HostsJoined { .. }) if step <= S::SwapOpen => step,
        (step, Event::HostsLeft { .. }) if !step.is_the_end() => step,
        // Of an RRset that the rotation has already, they are one host more.
        (
            step,
            Event::HostsJoined {
                endpoints, aliases, ..
            },
        ) if !step.is_the_end() && members::adds_no_name(rotation, endpoints, aliases) => step,
        (
            S::Prepublishing | S::Waiting | S::SwapOpen | S::RollingBack,
            Event::JoinServed { .. } | Event::JoinRegressed { .. } | Event::JoinOpened { .. },
        ) => step,
        (step, Event::DaneLeft { .. }) if !step.is_the_end() => S::Aborted,
        (step, Event::DaneLeft { .. }) if rotation.dane_left.is_none() => step,
        // What is only remembered.
        (_, Event::ReportsSetAside { .. } | Event::CadenceHeld) => step,
        (_, fact) if fact.is_kept_in_mind() && *fact != Event::SoakSeen => step,
        _ => return None,
    })
}

/// Once both are in every cache, no priority need break the promise; before, security does. What was on its way back to
/// the key that is compromised goes forward again.
#[allow(clippy::match_same_arms)] // one line for each way
fn emergency(rotation: &Rotation, priority: Priority) -> Option<Step> {
    use self::Step as S;
    match (rotation.step, priority) {
        (S::Hashed | S::Prepublishing | S::Waiting, Priority::Security) => Some(S::Replacing),
        (S::Hashed | S::Prepublishing | S::Waiting, Priority::Delivery)
        | (S::SwapOpen | S::Deployed | S::Verified | S::Retiring, _) => Some(rotation.step),
        (S::RollingBack | S::Withdrawing, Priority::Security) if rotation.published.is_none() => {
            Some(S::Replacing)
        }
        (S::Reinstating | S::Reinstated, Priority::Security) => Some(S::Replacing),
        (S::RollingBack | S::Withdrawing | S::Reinstating | S::Reinstated, _) => forward(rotation),
        _ => None,
    }
}

/// Where the way forward begins again. Both keys stay published on the way back until the last step of it, so most of what
/// was waited for still counts; what does not is waited for anew.
fn forward(rotation: &Rotation) -> Option<Step> {
    use self::Step as S;
    match rotation.step {
        S::RollingBack if rotation.published.is_some() => Some(S::Waiting),
        S::RollingBack | S::Withdrawing | S::Aborted => Some(S::Prepublishing),
        // Not every host has the incoming key yet.
        S::Reinstating | S::Reinstated if rotation.emergency == Some(Priority::Security) => {
            Some(S::Replacing)
        }
        // Every host has it: the old one leaves again.
        S::Reinstating | S::Reinstated => Some(S::Retiring),
        _ => None,
    }
}
