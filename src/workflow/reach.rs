//! Which places of a rotation that has not begun nobody reaches, from here or from a vantage: said before it begins, and not
//! when the swap waits for them.

use super::look::View;
use crate::observe::probe::{Sighting, Target};
use crate::observe::vantage;
use crate::rotation::observation::{Endpoint, Seen};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What makes a place reachable, or does without it.
pub(super) const WAY_OUT: &str = "make it reachable from here, name a [[vantage]] in the configuration that reaches it, give \
     where it is reached under `addresses` of the certificate, or take the host or the address out";

/// Looks at the places of all views at once. The answers are in their order: one sentence for each place that nobody reached
/// and each vantage that did not help.
pub(super) fn unreached(views: &[View<'_>]) -> Vec<Vec<String>> {
    let targets: Vec<Vec<Target>> = views.iter().map(View::known_targets).collect();
    let all = targets.concat();
    let Some(view) = views.first() else {
        return Vec::new();
    };
    let looked = crate::observe::wait_for(view.vantages.survey(&all, |_, _| 1));
    let (seen, aside) = match looked {
        Ok(looked) => looked,
        Err(why) => {
            let why = format!("nothing could be asked over the network: {why}");
            return views.iter().map(|_| vec![why.clone()]).collect();
        }
    };
    let of_view = |targets: &Vec<Target>| {
        let notes = targets.iter().flat_map(|target| of_target(target, &seen));
        let mut notes: Vec<String> = notes.collect();
        notes.extend(aside.iter().map(ToString::to_string));
        notes
    };
    targets.iter().map(of_view).collect()
}

fn of_target(target: &Target, seen: &[Sighting]) -> Vec<String> {
    let endpoint = &target.endpoint;
    let stops =
        "the rotation will stop at step 5 of 7, when every host must be seen with the next key";
    if target.addresses.is_empty() {
        return vec![format!(
            "no address of {endpoint} is known here: unless its servers tell one, {stops}"
        )];
    }
    let places = dark(endpoint, seen);
    let note = |(address, why): (SocketAddr, String)| {
        format!(
            "nobody reaches {endpoint} at {address} ({why}): unless that changes, {stops}; {WAY_OUT}"
        )
    };
    places.into_iter().map(note).collect()
}

/// The addresses of an endpoint from which no connection got an answer, neither for RSA nor for ECDSA, each with the first
/// reason.
pub(super) fn dark(endpoint: &Endpoint, seen: &[Sighting]) -> Vec<(SocketAddr, String)> {
    let mut whys: BTreeMap<SocketAddr, Option<String>> = BTreeMap::new();
    for sighting in seen.iter().filter(|one| one.endpoint == *endpoint) {
        let first = sighting.answers.iter().find_map(|answer| match answer {
            Seen::Unknown(why) => Some(why.clone()),
            Seen::Known(_) => None,
        });
        let why = whys.entry(sighting.address).or_insert(first);
        if vantage::is_reached(&sighting.answers) {
            *why = None;
        }
    }
    let dark = whys.into_iter();
    dark.filter_map(|(address, why)| Some((address, why?)))
        .collect()
}
