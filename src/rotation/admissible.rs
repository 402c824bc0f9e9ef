//! What may be handed to a server: a change of a TLSA RRset after which senders would still accept every host.
//!
//! An association that is added beside those that match refuses nobody. One that leaves may be the only one that some host
//! matches; the first one of a name, or a set that replaces another whole, makes senders ask for a match where they did not
//! before (RFC 7671 §8, RFC 7672 §2.2). Both need every place to have been seen in the same run. Silence is no yes.

use super::association::Association;
use super::blocker::Blocker;
use super::emergency::Priority;
use super::exposure::{Holder, Presenter};
use super::observation::{Endpoint, KeyAlgorithm, Observation, Seen, TlsaName};
use super::promise::{self, Breach, Mismatch};
use super::reach;
use super::several;
use super::step::{Rotation, Step};
use std::collections::BTreeSet;

/// Why `after` must not be answered at `name` where `before` is; empty if it may.
pub fn objections(
    rotation: &Rotation,
    observation: &Observation,
    name: &TlsaName,
    (before, after): (&BTreeSet<Association>, &BTreeSet<Association>),
) -> Vec<Blocker> {
    if !needs_a_look(rotation, (before, after)) {
        return Vec::new();
    }
    unmatched(rotation, observation, name, after)
}

/// The places of `name` that were not seen in this run, or with a key that `after` does not list. Silence is no yes.
pub fn unmatched(
    rotation: &Rotation,
    observation: &Observation,
    name: &TlsaName,
    after: &BTreeSet<Association>,
) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for endpoint in rotation.endpoints.iter().chain(rotation.left.keys()) {
        if rotation.name_of(endpoint) == *name {
            let place = Place {
                rotation,
                endpoint,
                name,
            };
            blockers.extend(place.objects(observation, after));
        }
    }
    blockers
}

/// Whether `after` may take the place of `before` only if every place was seen in the same run.
pub fn needs_a_look(
    rotation: &Rotation,
    (before, after): (&BTreeSet<Association>, &BTreeSet<Association>),
) -> bool {
    let replaces = matches!(rotation.step, Step::Replacing | Step::Replaced);
    let waived = replaces && rotation.emergency == Some(Priority::Security);
    !waived && could_refuse(before, after)
}

/// Whether senders could come to refuse what they accept now. No usable record at all is no DANE: that refuses nobody.
fn could_refuse(before: &BTreeSet<Association>, after: &BTreeSet<Association>) -> bool {
    let usable = |set: &BTreeSet<Association>| set.iter().any(Association::is_usable_for_smtp);
    let takes_out = || {
        let mut leaving = before.difference(after);
        leaving.any(Association::is_usable_for_smtp)
    };
    usable(after) && (!usable(before) || takes_out() || is_outranked(before, after))
}

/// A stronger digest makes senders look at it alone (RFC 7671 §9): what matched before may not count any more.
fn is_outranked(before: &BTreeSet<Association>, after: &BTreeSet<Association>) -> bool {
    let added = || after.difference(before);
    before
        .iter()
        .any(|one| added().any(|new| one.is_weaker_than(new)))
}

struct Place<'a> {
    rotation: &'a Rotation,
    endpoint: &'a Endpoint,
    name: &'a TlsaName,
}

impl Place<'_> {
    fn objects(&self, observation: &Observation, after: &BTreeSet<Association>) -> Vec<Blocker> {
        // A host that was let go is not waited for; where it is seen all the same, it counts.
        let is_let_go = self.rotation.is_let_go(self.endpoint, observation.at);
        let offers = observation.presented.get(self.endpoint);
        let Some(offers) = offers.filter(|offers| !offers.is_empty()) else {
            let what = self.endpoint.to_string();
            let waits = !is_let_go && !reach::is_nowhere(self.endpoint, self.rotation, observation);
            let unseen = waits.then_some(Blocker::NothingObserved { what });
            return unseen.into_iter().collect();
        };
        let mut blockers = Vec::new();
        for (address, by_algorithm) in offers {
            let several = several::until(self.rotation, self.endpoint, address, observation.at);
            blockers.extend(several.map(|until| Blocker::SeveralKeys {
                endpoint: self.endpoint.clone(),
                address: address.clone(),
                until,
            }));
            for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
                let why = match by_algorithm.get(&algorithm) {
                    Some(Seen::Known(offer)) => {
                        let refused = offer.chains().iter().filter(|chain| {
                            let found = promise::mismatches(after, &chain.satisfies);
                            found.contains(&Mismatch::KeyNotListed)
                        });
                        blockers.extend(
                            refused.map(|chain| self.would_refuse(address, &chain.key, after)),
                        );
                        match offer.unanswered() {
                            Some(why) => why.to_owned(),
                            None => continue,
                        }
                    }
                    Some(Seen::Unknown(why)) => why.clone(),
                    None => "it was not asked".to_owned(),
                };
                if !is_let_go {
                    blockers.push(Blocker::HostUnknown {
                        endpoint: self.endpoint.clone(),
                        address: address.clone(),
                        algorithm,
                        why,
                    });
                }
            }
        }
        blockers
    }

    fn would_refuse(
        &self,
        address: &str,
        key: &Association,
        after: &BTreeSet<Association>,
    ) -> Blocker {
        Blocker::WouldRefuse(Breach {
            name: self.name.clone(),
            rrset: after.clone(),
            holder: Holder::Change,
            key: key.clone(),
            presenter: Presenter::Host {
                endpoint: self.endpoint.clone(),
                address: address.to_owned(),
            },
            mismatch: Mismatch::KeyNotListed,
        })
    }
}
