//! What is asked of a vantage, a place elsewhere from which hosts are looked at; how its answer is read; and what the
//! sightings of all vantages and our own come to together (RFC 7672 §3.1).
//!
//! # Trust
//!
//! A vantage is a program that the operator's configuration runs. What it says of a host counts as much as what is seen
//! from here, and it can lie about that: the handshake in which the host proved to hold its key was with the vantage. It
//! can say nothing else. What it says of places that it was not asked about, of another request, or in another form is set
//! aside as a whole. It cannot hide a key that was met from here or from another vantage, and its silence is never a yes:
//! a place that it does not reach is as unknown as if it had not been asked.

use super::probe::{self, Answer};
use super::survey::{Sighting, Target, WHERE_KEYS_DIFFER, doubt_refusals_of_everything};
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What an answer follows.
pub const ANSWER: &str = "tlsa-rotate/look/v1";
/// What a request follows.
pub const REQUEST: &str = "tlsa-rotate/look-request/v1";
/// The longest request that is read, in octets.
pub const LARGEST_REQUEST: u64 = 1 << 20;
/// The longest answer that is read, in octets.
pub const LARGEST_ANSWER: usize = 16 << 20;
/// Places in one request.
pub const MOST_PLACES: usize = 4096;
/// The longest time that one look may take.
pub const LONGEST: Duration = Duration::from_secs(600);
/// Characters of a reason that are shown.
const REASON: usize = 200;

/// A place to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Host and port as in the TLSA owner name.
    pub endpoint: Endpoint,
    /// Where to connect.
    pub address: SocketAddr,
    /// How many connections are made for each algorithm.
    pub connections: u8,
}

/// What is asked of a vantage, on its standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    schema: String,
    /// What its answer must repeat: an answer that was kept is no answer.
    pub nonce: String,
    seconds: u64,
    /// What is to be looked at.
    pub places: Vec<Place>,
}

/// What a vantage saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// That of the request; none where nobody asked on standard input.
    pub nonce: Option<String>,
    /// Each place, for each algorithm.
    pub places: Vec<SeenPlace>,
}

/// What was seen at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPlace {
    endpoint: Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
    connections: Vec<Met>,
}

/// What one connection met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Met {
    /// Certificates in DER as base64, the leaf first.
    Chain(Vec<String>),
    /// No chain of this algorithm.
    NotOffered,
    /// Why it could not be seen.
    Unknown(String),
}

/// A report in its envelope.
#[derive(Deserialize)]
struct Received {
    schema: String,
    nonce: Option<String>,
    places: Vec<SeenPlace>,
}

/// Why a request cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum NoRequest {
    /// It is longer than that.
    #[error("the request is longer than {LARGEST_REQUEST} octets")]
    TooLarge,
    /// It is not what a request looks like.
    #[error("this is no request ({0})")]
    NotRead(serde_json::Error),
    /// It follows another schema.
    #[error("a request has the schema `{REQUEST}`, this one `{}`", one_line(.0))]
    OtherSchema(String),
    /// Too much is asked at once.
    #[error("{0} places are asked for; {MOST_PLACES} is the most in one request")]
    TooMany(usize),
}

/// Why an answer is set aside.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It cannot be read.
    #[error("its answer is not what `tlsa-rotate look` prints ({0})")]
    NotRead(String),
    /// It is of another kind.
    #[error("its answer has the schema `{0}` instead of `{ANSWER}`")]
    OtherSchema(String),
    /// It answers another request.
    #[error("its answer has the nonce of another request")]
    OtherNonce,
    /// It tells of places that nobody asked about.
    #[error("its answer tells of {0}, which was not asked")]
    NotAsked(String),
    /// It tells of a place twice.
    #[error("its answer tells of {0} twice")]
    Twice(String),
    /// It does not rest on as many connections as were asked for.
    #[error(
        "its answer tells of {met} connections to {place}: {asked} were asked for, at most {WHERE_KEYS_DIFFER} are made"
    )]
    Connections {
        /// Where.
        place: String,
        /// How many it tells of.
        met: usize,
        /// How many were asked for.
        asked: u8,
    },
    /// What it calls a chain is none, or is of another algorithm.
    #[error("its answer for {place} holds no chain as it should be: {why}")]
    NoChain {
        /// Where.
        place: String,
        /// Why not.
        why: String,
    },
}

impl Request {
    /// For these places; the vantage is to answer `within` that time.
    pub fn new(nonce: String, within: Duration, places: Vec<Place>) -> Self {
        Self {
            schema: REQUEST.to_owned(),
            nonce,
            seconds: within.as_secs().max(1),
            places,
        }
    }

    /// Reads what stood on standard input.
    pub fn read(octets: &[u8]) -> Result<Self, NoRequest> {
        if u64::try_from(octets.len()).unwrap_or(u64::MAX) > LARGEST_REQUEST {
            return Err(NoRequest::TooLarge);
        }
        let request: Self = serde_json::from_slice(octets).map_err(NoRequest::NotRead)?;
        if request.schema != REQUEST {
            return Err(NoRequest::OtherSchema(request.schema));
        }
        if request.places.len() > MOST_PLACES {
            return Err(NoRequest::TooMany(request.places.len()));
        }
        Ok(request)
    }

    /// How long the looking may take.
    pub fn within(&self) -> Duration {
        Duration::from_secs(self.seconds).min(LONGEST)
    }
}

impl Place {
    /// Every place of these targets; `connections` says how often each is asked.
    pub fn of(targets: &[Target], connections: impl Fn(&Endpoint, &SocketAddr) -> u8) -> Vec<Self> {
        let mut places: Vec<Self> = Vec::new();
        for target in targets {
            for address in &target.addresses {
                let place = Self {
                    endpoint: target.endpoint.clone(),
                    address: *address,
                    connections: connections(&target.endpoint, address).clamp(1, WHERE_KEYS_DIFFER),
                };
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        places
    }

    /// As the survey takes it.
    pub fn target(&self) -> Target {
        Target {
            endpoint: self.endpoint.clone(),
            addresses: vec![self.address],
        }
    }

    fn text(&self) -> String {
        format!("{} at {}", self.endpoint, self.address)
    }
}

impl Report {
    /// What was seen.
    pub fn of(nonce: Option<String>, sightings: &[Sighting]) -> Self {
        let met = |answer: &Seen<Answer>| match answer {
            Seen::Known(Answer::Chain(chain)) => {
                Met::Chain(chain.iter().map(|der| BASE64.encode(der)).collect())
            }
            Seen::Known(Answer::NotOffered) => Met::NotOffered,
            Seen::Unknown(why) => Met::Unknown(one_line(why)),
        };
        let places = sightings.iter().map(|sighting| SeenPlace {
            endpoint: sighting.endpoint.clone(),
            address: sighting.address,
            algorithm: sighting.algorithm,
            connections: sighting.answers.iter().map(met).collect(),
        });
        Self {
            nonce,
            places: places.collect(),
        }
    }
}

/// Reads the answer of a vantage to `request`: all of it, or nothing.
pub fn read_answer(octets: &[u8], request: &Request) -> Result<Vec<Sighting>, Misfit> {
    let received: Received = serde_json::from_slice(octets)
        .map_err(|error| Misfit::NotRead(one_line(&error.to_string())))?;
    if received.schema != ANSWER {
        return Err(Misfit::OtherSchema(one_line(&received.schema)));
    }
    if received.nonce.as_ref() != Some(&request.nonce) {
        return Err(Misfit::OtherNonce);
    }
    let mut seen: BTreeMap<(Endpoint, SocketAddr, KeyAlgorithm), Sighting> = BTreeMap::new();
    for place in received.places {
        let sighting = place.sighting(request)?;
        let told = format!("{} for {}", place_of(&sighting), sighting.algorithm);
        let key = (
            sighting.endpoint.clone(),
            sighting.address,
            sighting.algorithm,
        );
        if seen.insert(key, sighting).is_some() {
            return Err(Misfit::Twice(told));
        }
    }
    // By place, and each place's algorithms one after the other.
    let mut sightings: Vec<Sighting> = seen.into_values().collect();
    doubt_refusals_of_everything(&mut sightings);
    Ok(sightings)
}

fn place_of(sighting: &Sighting) -> String {
    format!("{} at {}", sighting.endpoint, sighting.address)
}

impl SeenPlace {
    /// As it is seen from here, if it was asked for and is what it should be.
    fn sighting(self, request: &Request) -> Result<Sighting, Misfit> {
        let asked =
            |place: &&Place| (&place.endpoint, place.address) == (&self.endpoint, self.address);
        let Some(place) = request.places.iter().find(asked) else {
            let endpoint = one_line(&self.endpoint.to_string());
            return Err(Misfit::NotAsked(format!("{endpoint} at {}", self.address)));
        };
        let met = self.connections.len();
        let fewest = usize::from(place.connections);
        if met < fewest || met > fewest.max(WHERE_KEYS_DIFFER.into()) {
            return Err(Misfit::Connections {
                place: place.text(),
                met,
                asked: place.connections,
            });
        }
        let algorithm = self.algorithm;
        let answer = |met: Met| match met {
            Met::NotOffered => Ok(Seen::Known(Answer::NotOffered)),
            Met::Unknown(why) => Ok(Seen::Unknown(one_line(&why))),
            Met::Chain(chain) => {
                chain_of(&chain, algorithm)
                    .map(Seen::Known)
                    .map_err(|why| Misfit::NoChain {
                        place: place.text(),
                        why: one_line(&why),
                    })
            }
        };
        let answers: Result<Vec<Seen<Answer>>, Misfit> =
            self.connections.into_iter().map(answer).collect();
        Ok(Sighting {
            endpoint: self.endpoint,
            address: self.address,
            algorithm,
            answers: answers?,
        })
    }
}

fn chain_of(chain: &[String], algorithm: KeyAlgorithm) -> Result<Answer, String> {
    let decoded = |text: &String| BASE64.decode(text.as_bytes()).map_err(|e| e.to_string());
    let chain: Result<Vec<Vec<u8>>, String> = chain.iter().map(decoded).collect();
    probe::presented(chain?, algorithm).map_err(|obstacle| obstacle.to_string())
}

/// What was seen from here and, by name, from each vantage, as one: the sightings from here with everything that was met
/// elsewhere.
///
/// A place that nobody's connection got an answer from is as unknown as it was from here, with everyone's reasons. From
/// where at least one did, all connections count, those that failed among them; from where none did, none does.
pub fn together(mut here: Vec<Sighting>, elsewhere: &[(String, Vec<Sighting>)]) -> Vec<Sighting> {
    let mut theirs: BTreeMap<_, Vec<(&str, &Sighting)>> = BTreeMap::new();
    for (name, seen) in elsewhere {
        for sighting in seen {
            let key = (&sighting.endpoint, sighting.address, sighting.algorithm);
            theirs.entry(key).or_default().push((name, sighting));
        }
    }
    for sighting in &mut here {
        let key = (&sighting.endpoint, sighting.address, sighting.algorithm);
        let Some(theirs) = theirs.get(&key) else {
            continue;
        };
        let (reached, dark): (Vec<_>, Vec<_>) =
            theirs.iter().partition(|(_, one)| is_reached(&one.answers));
        if reached.is_empty() {
            if !is_reached(&sighting.answers) {
                say_why_everywhere(&mut sighting.answers, &dark);
            }
            continue;
        }
        if !is_reached(&sighting.answers) {
            sighting.answers.clear();
        }
        for (name, one) in reached {
            let answers = one.answers.iter().map(|answer| match answer {
                Seen::Unknown(why) => Seen::Unknown(format!("from {name}: {why}")),
                known @ Seen::Known(_) => known.clone(),
            });
            sighting.answers.extend(answers);
        }
    }
    doubt_refusals_of_everything(&mut here);
    here
}

/// Whether any connection was answered.
pub fn is_reached(answers: &[Seen<Answer>]) -> bool {
    answers
        .iter()
        .any(|answer| matches!(answer, Seen::Known(_)))
}

/// Adds to the first reason what the vantages say.
fn say_why_everywhere(answers: &mut [Seen<Answer>], dark: &[(&str, &Sighting)]) {
    let Some(Seen::Unknown(first)) = answers.first_mut() else {
        return;
    };
    for (name, sighting) in dark {
        if let Some(Seen::Unknown(why)) = sighting.answers.first() {
            *first = format!("{first}; from {name}: {why}");
        }
    }
}

/// What somebody else wrote, as a message can show it: one line, printable, and not endless.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let printable = words.join(" ");
    let printable = printable.chars().filter(|c| !c.is_control());
    let mut shown: String = printable.clone().take(REASON).collect();
    if printable.count() > REASON {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
#[path = "vantage_tests.rs"]
mod tests;
