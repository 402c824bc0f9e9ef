//! The transition table: which step follows from an event, and from no other. RFC 7671 §8.1 with its ways back.

use super::emergency::Priority;
use super::event::Event;
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
            S::Hashed | S::Prepublishing | S::Retiring | S::Replacing | S::Reinstating,
            Event::HigherTtlSeen { .. },
        ) => step,
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
        (S::Deployed, Event::SoakPassed) => S::Verified,
        (S::Verified, Event::RetireDecided) => S::Retiring,
        (S::Retiring, Event::RetireServed) => S::Retired,
        // The way back.
        (S::Started | S::Generated | S::Hashed, Event::AbortRequested { .. }) => S::Aborted,
        (
            S::Prepublishing | S::Waiting | S::SwapOpen | S::Deployed | S::Verified,
            Event::AbortRequested { .. },
        ) => S::RollingBack,
        (S::RollingBack, Event::WithdrawalDecided) => S::Withdrawing,
        (S::Withdrawing, Event::WithdrawalServed) => S::Aborted,
        // The way back from step 7: caches may hold the incoming associations alone.
        (S::Retiring | S::Reinstating | S::Reinstated, Event::AbortRequested { .. })
            if rotation.abort_reason.is_none() =>
        {
            S::Reinstating
        }
        (S::Reinstating, Event::ReinstatementServed { .. }) => S::Reinstated,
        (S::Reinstated, Event::MergeReverted { .. } | Event::ServerRegressed { .. }) => {
            S::Reinstating
        }
        (S::Reinstated, Event::ReturnOpened) if rotation.abort_reason.is_some() => S::RollingBack,
        (S::Reinstated, Event::ReturnOpened) => S::SwapOpen,
        // Emergency.
        (_, Event::EmergencyDeclared { priority, .. }) => {
            return emergency(rotation, *priority);
        }
        (S::Replacing, Event::ReplacementServed { .. }) => S::Replaced,
        (S::Replaced, Event::MergeReverted { .. } | Event::ServerRegressed { .. }) => S::Replacing,
        (S::Replaced, Event::ReplacementVerified) => S::Retired,
        // What is only remembered.
        (
            _,
            Event::SignatureSeen { .. }
            | Event::RisksSeen { .. }
            | Event::ServersSeen { .. }
            | Event::ServersHadLeft { .. }
            | Event::AddressesSeen { .. }
            | Event::AddressesHadLeft { .. }
            | Event::OthersAwaited
            | Event::OthersReady
            | Event::CadenceHeld,
        ) => step,
        _ => return None,
    })
}

/// Once both are in every cache, no priority need break the promise; before, security does.
fn emergency(rotation: &Rotation, priority: Priority) -> Option<Step> {
    use self::Step as S;
    match (rotation.step, priority) {
        (S::Hashed | S::Prepublishing | S::Waiting, Priority::Security) => Some(S::Replacing),
        (S::Hashed | S::Prepublishing | S::Waiting, Priority::Delivery)
        | (S::SwapOpen | S::Deployed | S::Verified | S::Retiring, _) => Some(rotation.step),
        _ => None,
    }
}
