//! Which keys every address of every host presents, met on several connections where that matters: there may be more than
//! one server behind an address (RFC 7672 §3.1, §8.1).

use super::in_time;
use super::probe::{Answer, probe};
use super::smtp::Caller;
use crate::dane::certificate::Certificate;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Offer, Offers, Presented, Seen};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// An endpoint and where it is found.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host and port as in the TLSA owner name.
    pub endpoint: Endpoint,
    /// Where to connect: every A and AAAA of the host. The port is the endpoint's unless a test moved it.
    pub addresses: Vec<SocketAddr>,
}

/// One question and its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whom.
    pub endpoint: Endpoint,
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub algorithm: KeyAlgorithm,
    /// With which results, one for each connection: there may be several servers behind one address.
    pub answers: Vec<Seen<Answer>>,
}

/// Bounds of a survey of many endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many conversations at once.
    pub at_once: usize,
    /// How long all of them together.
    pub overall: Duration,
    /// How much later one may end that was begun in time: for greetings that come late, each conversation with the place
    /// has time of its own.
    pub late: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 64,
            overall: Caller::LARGE,
            late: Caller::LARGE.saturating_mul(3),
        }
    }
}

/// Connections to an address at which different keys were met.
pub const WHERE_KEYS_DIFFER: u8 = 12;

/// Asks every address of every target for RSA and for ECDSA. Each question has an answer, in the order of the targets.
///
/// `connections` says how often a place is asked, at least once. A place that was to be asked more than once, and showed
/// different keys, is asked twelve times.
pub async fn survey(
    targets: &[Target],
    caller: &Caller,
    bounds: Bounds,
    connections: impl Fn(&Endpoint, &SocketAddr) -> u8,
) -> Vec<Sighting> {
    let survey = Survey {
        deadline: Instant::now().checked_add(bounds.overall),
        bounds,
        slots: Arc::new(Semaphore::new(bounds.at_once.max(1))),
        caller: Arc::new(caller.clone()),
    };
    let mut sightings: Vec<Sighting> = Vec::new();
    let mut times = Vec::new();
    for target in targets {
        for address in &target.addresses {
            for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
                times.push(connections(&target.endpoint, address).max(1));
                sightings.push(Sighting {
                    endpoint: target.endpoint.clone(),
                    address: *address,
                    algorithm,
                    answers: Vec::new(),
                });
            }
        }
    }
    survey.ask(&mut sightings, &times).await;
    let more = |(sighting, times): (&Sighting, &u8)| {
        let differ = *times > 1 && sighting.keys_differ();
        let more = WHERE_KEYS_DIFFER.saturating_sub(*times);
        if differ { more } else { 0 }
    };
    let more: Vec<u8> = sightings.iter().zip(&times).map(more).collect();
    survey.ask(&mut sightings, &more).await;
    doubt_refusals_of_everything(&mut sightings);
    sightings
}

/// Conversations that share their bounds.
struct Survey {
    deadline: Option<Instant>,
    bounds: Bounds,
    slots: Arc<Semaphore>,
    caller: Arc<Caller>,
}

impl Survey {
    /// Asks each place so many more times.
    async fn ask(&self, sightings: &mut [Sighting], times: &[u8]) {
        let mut asked = JoinSet::new();
        for (number, (sighting, times)) in sightings.iter_mut().zip(times).enumerate() {
            let address = sighting.address;
            for _ in 0..*times {
                let place = sighting.answers.len();
                let early = format!("{address}: the probe ended early");
                sighting.answers.push(Seen::Unknown(early));
                let (endpoint, algorithm) = (sighting.endpoint.clone(), sighting.algorithm);
                let (caller, slots) = (Arc::clone(&self.caller), Arc::clone(&self.slots));
                let (deadline, late) = (self.deadline, self.bounds.late);
                asked.spawn(async move {
                    // The semaphore is never closed; a permit it cannot give bounds nothing worse.
                    let Some(_slot) = in_time(deadline, slots.acquire()).await else {
                        return (number, place, None);
                    };
                    let caller = caller.until(deadline);
                    let question = Box::pin(probe(&endpoint, address, algorithm, &caller));
                    let end = deadline.and_then(|deadline| deadline.checked_add(late));
                    (number, place, in_time(end, question).await)
                });
            }
        }
        while let Some(finished) = asked.join_next().await {
            let Ok((number, place, answer)) = finished else {
                continue;
            };
            let Some(sighting) = sightings.get_mut(number) else {
                continue;
            };
            let address = sighting.address;
            if let Some(slot) = sighting.answers.get_mut(place) {
                *slot = answer.unwrap_or_else(|| {
                    let run = self.bounds.overall.as_secs_f64();
                    Seen::Unknown(format!(
                        "{address}: not answered within the {run} s of the run"
                    ))
                });
            }
        }
    }
}

impl Sighting {
    /// The chains that were met, leaf first.
    pub fn chains(&self) -> impl Iterator<Item = &Vec<Vec<u8>>> {
        self.answers.iter().filter_map(|answer| match answer {
            Seen::Known(Answer::Chain(chain)) => Some(chain),
            _ => None,
        })
    }

    fn keys_differ(&self) -> bool {
        let mut chains = self.chains();
        let first = chains.next();
        chains.any(|chain| Some(chain) != first)
    }

    /// Where, as it is told: the port is only said where it is not the endpoint's.
    fn place(&self) -> String {
        address_text(&self.endpoint, self.address)
    }
}

/// What the connections to a place met, each thing once, and one reason why some met nothing, if some did.
pub fn met(
    seen: &[Sighting],
    endpoint: &Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
) -> Vec<Seen<Answer>> {
    let place = |one: &&Sighting| {
        (&one.endpoint, one.address, one.algorithm) == (endpoint, address, algorithm)
    };
    let mut met: Vec<Seen<Answer>> = Vec::new();
    for answer in seen.iter().filter(place).flat_map(|one| &one.answers) {
        let is_told = match answer {
            known @ Seen::Known(_) => met.contains(known),
            Seen::Unknown(_) => met.iter().any(|one| matches!(one, Seen::Unknown(_))),
        };
        if !is_told {
            met.push(answer.clone());
        }
    }
    met
}

/// An address of an endpoint as it is told in [`Offers`]: the port is only said where it is not the endpoint's.
pub fn address_text(endpoint: &Endpoint, address: SocketAddr) -> String {
    if address.port() == endpoint.port {
        address.ip().to_string()
    } else {
        address.to_string()
    }
}

/// [`survey`] with one connection to each place, as the machine wants it, with each chain known by its leaf's key alone.
pub async fn probe_endpoints(
    targets: &[Target],
    caller: &Caller,
    bounds: Bounds,
) -> BTreeMap<Endpoint, Offers> {
    let sightings = survey(targets, caller, bounds, |_, _| 1).await;
    offers(targets, sightings, |_, _| BTreeSet::new())
}

/// What each address of each endpoint presents, by algorithm. `satisfied` says what else than the leaf's `3 1 1`
/// association a chain, leaf first, satisfies at an endpoint.
///
/// Where some connections met a chain and others failed, what was met is a fact, and what the others would have met is not
/// known.
pub fn offers(
    targets: &[Target],
    sightings: Vec<Sighting>,
    satisfied: impl Fn(&Endpoint, &[Vec<u8>]) -> BTreeSet<Association>,
) -> BTreeMap<Endpoint, Offers> {
    let mut offers: BTreeMap<Endpoint, Offers> = targets
        .iter()
        .map(|target| (target.endpoint.clone(), Offers::new()))
        .collect();
    for sighting in sightings {
        let address = sighting.place();
        let answers = sighting.answers.into_iter();
        let met =
            answers.map(|answer| met_once(answer, |chain| satisfied(&sighting.endpoint, chain)));
        let offer = together(met);
        offers
            .entry(sighting.endpoint)
            .or_default()
            .entry(address)
            .or_default()
            .insert(sighting.algorithm, offer);
    }
    offers
}

/// What one connection met; nothing where none of the algorithm is offered.
fn met_once(
    answer: Seen<Answer>,
    satisfied: impl Fn(&[Vec<u8>]) -> BTreeSet<Association>,
) -> Seen<Option<Presented>> {
    let chain = match answer {
        Seen::Known(Answer::Chain(chain)) => chain,
        Seen::Known(Answer::NotOffered) => return Seen::Known(None),
        Seen::Unknown(reason) => return Seen::Unknown(reason),
    };
    let leaf = chain.first().map(|der| Certificate::from_der(der));
    match leaf {
        Some(Ok(leaf)) => {
            let mut presented = leaf.presented();
            presented.satisfies.extend(satisfied(&chain));
            Seen::Known(Some(presented))
        }
        Some(Err(error)) => Seen::Unknown(format!("the presented leaf: {error}")),
        None => Seen::Unknown("no certificate was presented".to_owned()),
    }
}

/// What all connections to one place met.
fn together(met: impl Iterator<Item = Seen<Option<Presented>>>) -> Seen<Offer> {
    let (mut chains, mut failures, mut connections) = (Vec::new(), Vec::new(), 0_usize);
    for one in met {
        connections = connections.saturating_add(1);
        match one {
            Seen::Known(Some(presented)) if chains.contains(&presented) => {}
            Seen::Known(Some(presented)) => chains.push(presented),
            Seen::Known(None) => {}
            Seen::Unknown(why) => failures.push(why),
        }
    }
    if let Some(why) = failures.first() {
        let failed = failures.len();
        let unanswered = match (connections, chains.as_slice()) {
            (1, _) => why.clone(),
            (_, []) => format!("{why} ({failed} of {connections} connections)"),
            (_, [met, ..]) => format!(
                "{failed} of {connections} connections were not answered ({why}); another one met {}",
                met.key.short()
            ),
        };
        return if chains.is_empty() {
            Seen::Unknown(unanswered)
        } else {
            let met = chains;
            Seen::Known(Offer::InPart { met, unanswered })
        };
    }
    match (chains.pop(), chains.is_empty()) {
        (None, _) if connections == 0 => Seen::Unknown("it was not asked".to_owned()),
        (None, _) => Seen::Known(Offer::NotOffered),
        (Some(only), true) => Seen::Known(Offer::Key(only)),
        (Some(last), false) => {
            chains.push(last);
            Seen::Known(Offer::Several(chains))
        }
    }
}

/// An address that refuses both algorithms was not understood: it may speak only what no sender does.
pub(super) fn doubt_refusals_of_everything(sightings: &mut [Sighting]) {
    let same = |one: &Sighting, next: &Sighting| {
        (&one.endpoint, one.address) == (&next.endpoint, next.address)
    };
    for place in sightings.chunk_by_mut(same) {
        let refused = Seen::Known(Answer::NotOffered);
        let mut answers = place.iter().flat_map(|sighting| &sighting.answers);
        if answers.all(|answer| *answer == refused) {
            for sighting in place {
                let address = sighting.address;
                sighting.answers.fill(Seen::Unknown(format!(
                    "{address}: the server refuses RSA and ECDSA alike: no sender can speak TLS with it"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Presented {
        let key = Association::dane_ee_spki_sha256([byte; 32]);
        Presented::of_key(key, crate::rotation::timing::Instant::from_unix(9))
    }

    /// `?` is a connection that failed, `-` one that was told there is none.
    #[test]
    fn several_connections_are_one_fact_and_a_failed_one_takes_nothing_from_the_others() {
        #[rustfmt::skip]
        let table = [
            ("1", "key 1"), ("-", "none"), ("?", "unknown"), ("", "unknown"),
            ("111", "key 1"), ("---", "none"), ("???", "unknown"),
            ("121", "several 1 2"), ("1-1", "key 1"),
            ("-?-", "unknown"), ("11?", "in part 1"), ("?-1", "in part 1"),
            ("2??", "in part 2"), ("12?", "in part 1 2"),
        ];
        for (connections, expected) in table {
            let met = connections.chars().map(|c| match c {
                '?' => Seen::Unknown("no answer".to_owned()),
                '-' => Seen::Known(None),
                '1' => Seen::Known(Some(key(1))),
                _ => Seen::Known(Some(key(2))),
            });
            let number = |chain: &Presented| if *chain == key(1) { "1" } else { "2" };
            let numbers = |chains: &[Presented]| {
                let numbers: Vec<&str> = chains.iter().map(number).collect();
                numbers.join(" ")
            };
            let told = match together(met) {
                Seen::Unknown(_) => "unknown".to_owned(),
                Seen::Known(Offer::NotOffered) => "none".to_owned(),
                Seen::Known(Offer::Key(chain)) => format!("key {}", number(&chain)),
                Seen::Known(Offer::Several(chains)) => format!("several {}", numbers(&chains)),
                Seen::Known(Offer::InPart { met, .. }) => format!("in part {}", numbers(&met)),
            };
            assert_eq!(told, expected, "{connections}");
        }
    }
}
