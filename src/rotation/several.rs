//! Several servers behind one address: a balancer shows one of them at a time, so what was met a while ago counts as well.

use super::observation::{Endpoint, Observation, Offer, Seen};
use super::step::{Event, Rotation, Step};
use super::timing::{Instant, Span};

/// For so long what one of several servers presented is taken to be there still, though another was met.
const REMEMBERED: Span = Span::hours(6);

/// How often it is worth a line of the journal that they still differ.
const NOTED: Span = Span::hours(1);

/// Until when an address counts as presenting several keys, if it does at `at`.
pub(super) fn until(
    rotation: &Rotation,
    endpoint: &Endpoint,
    address: &str,
    at: Instant,
) -> Option<Instant> {
    let last = rotation
        .several
        .get(&(endpoint.clone(), address.to_owned()))?;
    let until = *last + REMEMBERED;
    (at < until).then_some(until)
}

/// The addresses that were met with several keys in this run, as far as that is new, while hosts change their keys.
pub(super) fn evidence(rotation: &Rotation, observation: &Observation) -> Vec<Event> {
    if rotation.step < Step::SwapOpen {
        return Vec::new();
    }
    let mut facts = Vec::new();
    for (endpoint, offers) in &observation.presented {
        for (address, by_algorithm) in offers {
            let differ =
                |seen: &Seen<Offer>| matches!(seen, Seen::Known(offer) if offer.chains().len() > 1);
            let place = (endpoint.clone(), address.clone());
            let noted = rotation.several.get(&place);
            let is_new = noted.is_none_or(|last| observation.at.since(*last) >= NOTED);
            // Where there are several, one that is met alone is still one of them.
            let is_other = |seen: &Seen<Offer>| noted.is_some() && is_unwanted(rotation, seen);
            if is_new
                && by_algorithm
                    .values()
                    .any(|seen| differ(seen) || is_other(seen))
            {
                let (endpoint, address) = place;
                facts.push(Event::SeveralKeysSeen { endpoint, address });
            }
        }
    }
    facts
}

/// Whether a key was met that hosts are not to have where the rotation goes.
fn is_unwanted(rotation: &Rotation, seen: &Seen<Offer>) -> bool {
    let goes_back = matches!(rotation.step, Step::RollingBack | Step::Withdrawing);
    let wanted = if goes_back {
        &rotation.current
    } else {
        &rotation.incoming
    };
    let Seen::Known(offer) = seen else {
        return false;
    };
    let is_fine = |key| wanted.contains(key) || rotation.staying.contains(key);
    offer.chains().iter().any(|chain| !is_fine(&chain.key))
}
