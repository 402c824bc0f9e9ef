//! Which key every address of a host presents, asked separately for RSA and for ECDSA (RFC 7672 §3.1, §8.1).
//!
//! No mail is sent. Only a TLS alert counts as "has none of this algorithm", and only if two ways of asking agree;
//! silence, garbage, a refused STARTTLS or a lost connection is `Unknown`, never a yes and never a no.

use crate::dane::certificate::Certificate;
use crate::observe::in_time;
use crate::observe::smtp::{Caller, Session, SmtpError};
use crate::observe::tls::{self, Ask, HandshakeError};
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Offer, Offers, Seen};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Ports on which TLS begins with the first octet (RFC 8314 §3).
const IMPLICIT_TLS: &[u16] = &[443, 465, 993, 995];

/// An endpoint and where it is found.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host and port as in the TLSA owner name.
    pub endpoint: Endpoint,
    /// Where to connect: every A and AAAA of the host. The port is the endpoint's unless a test moved it.
    pub addresses: Vec<SocketAddr>,
}

/// What one address answered when it was asked for one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It presents this chain, leaf first, in DER, and holds the leaf's key.
    Chain(Vec<Vec<u8>>),
    /// It has none of this algorithm.
    NotOffered,
}

/// Why a conversation gave no chain, and none could be told from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Nobody can be spoken to there.
    #[error("{0}")]
    NoConnection(String),
    /// The server does not let TLS begin: STARTTLS is not offered, or refused.
    #[error("{0}")]
    NoStarttls(SmtpError),
    /// What was presented is not what was asked for.
    #[error("{0}")]
    Unfit(String),
    /// Anything else on the way to the handshake, or in it.
    #[error("{0}")]
    Other(String),
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whom.
    pub endpoint: Endpoint,
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub algorithm: KeyAlgorithm,
    /// With which result.
    pub answer: Seen<Answer>,
}

/// Bounds of a survey of many endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many conversations at once.
    pub at_once: usize,
    /// How long all of them together.
    pub overall: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 64,
            overall: Duration::from_secs(120),
        }
    }
}

/// Asks one address for the chain of one algorithm.
pub async fn probe(
    endpoint: &Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Seen<Answer> {
    match present(endpoint, address, algorithm, caller).await {
        Ok(answer) => Seen::Known(answer),
        Err(obstacle @ Obstacle::Unfit(_)) => Seen::Unknown(obstacle.to_string()),
        Err(obstacle) => Seen::Unknown(format!("{address}: {obstacle}")),
    }
}

/// The same, with the reason why there is no answer kept apart by kind.
pub async fn present(
    endpoint: &Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Result<Answer, Obstacle> {
    let conversation = async {
        match converse(endpoint, address, Ask::Only(algorithm), caller).await {
            // The second way of asking: see `Ask::OnlySuites`.
            Err(Failure::NothingFits) => {
                converse(endpoint, address, Ask::OnlySuites(algorithm), caller).await
            }
            first => first,
        }
    };
    within(conversation, algorithm, caller).await
}

/// The same in TLS 1.2, in which a server may present another chain than in TLS 1.3.
pub async fn present_tls12(
    endpoint: &Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Result<Answer, Obstacle> {
    let conversation = converse(endpoint, address, Ask::OnlySuites(algorithm), caller);
    within(conversation, algorithm, caller).await
}

async fn within(
    conversation: impl Future<Output = Result<Vec<Vec<u8>>, Failure>>,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Result<Answer, Obstacle> {
    match timeout(caller.whole, conversation).await {
        Ok(Ok(chain)) => presented(chain, algorithm),
        Ok(Err(Failure::NothingFits)) => Ok(Answer::NotOffered),
        Ok(Err(Failure::Stopped(obstacle))) => Err(obstacle),
        Err(_) => Err(Obstacle::Other(format!(
            "the conversation took longer than {} s",
            caller.whole.as_secs_f64()
        ))),
    }
}

/// Asks every address of every target for RSA and for ECDSA. Each question has an answer, in the order of the targets.
pub async fn survey(targets: &[Target], caller: &Caller, bounds: Bounds) -> Vec<Sighting> {
    let deadline = Instant::now().checked_add(bounds.overall);
    let slots = Arc::new(Semaphore::new(bounds.at_once.max(1)));
    let caller = Arc::new(caller.clone());
    let mut asked = JoinSet::new();
    let mut sightings: Vec<Sighting> = Vec::new();
    for target in targets {
        for address in &target.addresses {
            for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::Ecdsa] {
                let number = sightings.len();
                sightings.push(Sighting {
                    endpoint: target.endpoint.clone(),
                    address: *address,
                    algorithm,
                    answer: Seen::Unknown(format!("{address}: the probe ended early")),
                });
                let (endpoint, address) = (target.endpoint.clone(), *address);
                let (caller, slots) = (Arc::clone(&caller), Arc::clone(&slots));
                asked.spawn(async move {
                    let question = async {
                        // The semaphore is never closed; a permit it cannot give bounds nothing worse.
                        let _slot = slots.acquire().await;
                        probe(&endpoint, address, algorithm, &caller).await
                    };
                    (number, in_time(deadline, Box::pin(question)).await)
                });
            }
        }
    }
    while let Some(finished) = asked.join_next().await {
        let Ok((number, answer)) = finished else {
            continue;
        };
        if let Some(sighting) = sightings.get_mut(number) {
            sighting.answer = answer.unwrap_or_else(|| {
                Seen::Unknown(format!(
                    "{}: not answered within the {} s of the run",
                    sighting.address,
                    bounds.overall.as_secs_f64()
                ))
            });
        }
    }
    doubt_refusals_of_everything(&mut sightings);
    sightings
}

/// [`survey`], as the machine wants it, with each chain known by its leaf's key alone.
pub async fn probe_endpoints(
    targets: &[Target],
    caller: &Caller,
    bounds: Bounds,
) -> BTreeMap<Endpoint, Offers> {
    let sightings = survey(targets, caller, bounds).await;
    offers(targets, sightings, |_, _| BTreeSet::new())
}

/// What each address of each endpoint presents, by algorithm. `satisfied` says what else than the leaf's `3 1 1`
/// association a chain, leaf first, satisfies at an endpoint.
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
        let address = if sighting.address.port() == sighting.endpoint.port {
            sighting.address.ip().to_string()
        } else {
            sighting.address.to_string()
        };
        let offer = offer(sighting.answer, |chain| {
            satisfied(&sighting.endpoint, chain)
        });
        offers
            .entry(sighting.endpoint)
            .or_default()
            .entry(address)
            .or_default()
            .insert(sighting.algorithm, offer);
    }
    offers
}

fn offer(
    answer: Seen<Answer>,
    satisfied: impl Fn(&[Vec<u8>]) -> BTreeSet<Association>,
) -> Seen<Offer> {
    let chain = match answer {
        Seen::Known(Answer::Chain(chain)) => chain,
        Seen::Known(Answer::NotOffered) => return Seen::Known(Offer::NotOffered),
        Seen::Unknown(reason) => return Seen::Unknown(reason),
    };
    let leaf = chain.first().map(|der| Certificate::from_der(der));
    match leaf {
        Some(Ok(leaf)) => {
            let mut presented = leaf.presented();
            presented.satisfies.extend(satisfied(&chain));
            Seen::Known(Offer::Key(presented))
        }
        Some(Err(error)) => Seen::Unknown(format!("the presented leaf: {error}")),
        None => Seen::Unknown("no certificate was presented".to_owned()),
    }
}

/// An address that refuses both algorithms was not understood: it may speak only what this program does not.
fn doubt_refusals_of_everything(sightings: &mut [Sighting]) {
    for pair in sightings.chunks_mut(2) {
        let refused = Seen::Known(Answer::NotOffered);
        if pair.iter().all(|sighting| sighting.answer == refused) {
            for sighting in pair {
                sighting.answer = Seen::Unknown(format!(
                    "{}: the server refuses RSA and ECDSA alike: it offers no TLS this program speaks",
                    sighting.address
                ));
            }
        }
    }
}

/// Why a conversation gave no chain.
enum Failure {
    NothingFits,
    Stopped(Obstacle),
}

impl Failure {
    fn other(reason: impl Display) -> Self {
        Self::Stopped(Obstacle::Other(reason.to_string()))
    }

    /// An answer to STARTTLS that is not yes is the server's word; anything else may be the network's.
    fn starttls(error: SmtpError) -> Self {
        Self::Stopped(match error {
            SmtpError::NoStarttls | SmtpError::Refused { .. } => Obstacle::NoStarttls(error),
            other => Obstacle::Other(other.to_string()),
        })
    }
}

async fn converse(
    endpoint: &Endpoint,
    address: SocketAddr,
    ask: Ask,
    caller: &Caller,
) -> Result<Vec<Vec<u8>>, Failure> {
    let connected = connect(address, caller).await;
    let mut stream = connected.map_err(|e| Failure::Stopped(Obstacle::NoConnection(e)))?;
    let implicit = IMPLICIT_TLS.contains(&endpoint.port);
    if !implicit {
        let mut session = Session::greeted(stream, caller)
            .await
            .map_err(Failure::other)?;
        let extensions = session.ehlo(&caller.name).await.map_err(Failure::other)?;
        stream = session
            .starttls(&extensions)
            .await
            .map_err(Failure::starttls)?;
    }
    let secured = timeout(caller.step, tls::handshake(stream, &endpoint.host, ask))
        .await
        .map_err(|_| {
            Failure::other(format!(
                "no TLS handshake within {} s",
                caller.step.as_secs_f64()
            ))
        })?
        .map_err(|error| match error {
            HandshakeError::NothingFits(_) => Failure::NothingFits,
            other => Failure::other(other),
        })?;
    if !implicit {
        Session::resumed(secured.stream, caller).quit().await;
    }
    Ok(secured.chain)
}

/// Connects within one step, from the caller's own address if it has one of the same family.
pub async fn connect(address: SocketAddr, caller: &Caller) -> Result<TcpStream, String> {
    let opened = async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if let Some(via) = caller.via
            && via.is_ipv4() == address.is_ipv4()
        {
            let bound = socket.bind(SocketAddr::new(via, 0));
            bound.map_err(|e| io::Error::new(e.kind(), format!("from {via}: {e}")))?;
        }
        socket.connect(address).await
    };
    match timeout(caller.step, opened).await {
        // A conversation of short lines must not wait for acknowledgements that come late.
        Ok(Ok(stream)) => stream
            .set_nodelay(true)
            .map(|()| stream)
            .map_err(|e| format!("cannot connect: {e}")),
        Ok(Err(error)) => Err(format!("cannot connect: {error}")),
        Err(_) => Err(format!(
            "no connection within {} s",
            caller.step.as_secs_f64()
        )),
    }
}

fn presented(chain: Vec<Vec<u8>>, asked: KeyAlgorithm) -> Result<Answer, Obstacle> {
    let leaf = match chain.first().map(|der| Certificate::from_der(der)) {
        Some(Ok(leaf)) => leaf,
        Some(Err(error)) => return Err(Obstacle::Unfit(format!("the presented leaf: {error}"))),
        None => return Err(Obstacle::Unfit("no certificate was presented".to_owned())),
    };
    match leaf.key_algorithm() {
        Some(algorithm) if algorithm == asked => Ok(Answer::Chain(chain)),
        other => Err(Obstacle::Unfit(format!(
            "asked for {asked}, was presented a key of {}",
            other.map_or_else(|| "another algorithm".to_owned(), |a| a.to_string())
        ))),
    }
}
