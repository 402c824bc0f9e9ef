//! Which key one address of a host presents, asked separately for RSA and for ECDSA (RFC 7672 §3.1, §8.1).
//!
//! No mail is sent. "Has none of this algorithm" is said by a TLS alert to two ways of asking. A server that ends the
//! handshake in any other way says it too, if it fails both and then presents another key to whoever asks for anything.
//! All else (silence, garbage, a refused STARTTLS, a lost connection) is `Unknown`, never a yes and never a no.

use crate::dane::certificate::Certificate;
use crate::observe::smtp::{Caller, Session, SmtpError};
pub use crate::observe::survey::{
    Bounds, Sighting, Target, WHERE_KEYS_DIFFER, address_text, offers, probe_endpoints, survey,
};
use crate::observe::tls::{self, Ask, HandshakeError};
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Ports on which TLS begins with the first octet (RFC 8314 §3).
const IMPLICIT_TLS: &[u16] = &[443, 465, 993, 995];

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
        let first = converse(endpoint, address, Ask::Only(algorithm), caller).await;
        if !matches!(first, Err(Failure::NothingFits | Failure::NoHandshake(_))) {
            return first;
        }
        // The second way of asking: see `Ask::OnlySuites`.
        match converse(endpoint, address, Ask::OnlySuites(algorithm), caller).await {
            Err(Failure::NoHandshake(why)) => {
                let control = converse(endpoint, address, Ask::Anything, caller).await;
                by_control(control, algorithm, why)
            }
            second => second,
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

/// What follows for an algorithm from what is presented to whoever asks for anything, where asking for it ended `why`.
fn by_control(
    control: Result<Vec<Vec<u8>>, Failure>,
    algorithm: KeyAlgorithm,
    why: String,
) -> Result<Vec<Vec<u8>>, Failure> {
    let Ok(chain) = control else {
        return Err(Failure::NoHandshake(why));
    };
    let leaf = chain
        .first()
        .and_then(|leaf| Certificate::from_der(leaf).ok());
    match leaf.and_then(|leaf| leaf.key_algorithm()) {
        Some(presented) if presented == algorithm => Ok(chain),
        Some(_) => Err(Failure::NothingFits),
        None => Err(Failure::NoHandshake(why)),
    }
}

async fn within(
    conversation: impl Future<Output = Result<Vec<Vec<u8>>, Failure>>,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Result<Answer, Obstacle> {
    match timeout(caller.whole, conversation).await {
        Ok(Ok(chain)) => presented(chain, algorithm),
        Ok(Err(Failure::NothingFits)) => Ok(Answer::NotOffered),
        Ok(Err(Failure::NoHandshake(why))) => Err(Obstacle::Other(why)),
        Ok(Err(Failure::Stopped(obstacle))) => Err(obstacle),
        Err(_) => Err(Obstacle::Other(format!(
            "the conversation took longer than {} s",
            caller.whole.as_secs_f64()
        ))),
    }
}

/// Why a conversation gave no chain.
enum Failure {
    NothingFits,
    /// TLS began and came to no end: an alert that says nothing, an end without one, silence.
    NoHandshake(String),
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
            Failure::NoHandshake(format!(
                "no TLS handshake within {} s",
                caller.step.as_secs_f64()
            ))
        })?
        .map_err(|error| match error {
            HandshakeError::NothingFits(_) => Failure::NothingFits,
            HandshakeError::Failed(why) => Failure::NoHandshake(why),
            other @ HandshakeError::BadName(_) => Failure::other(other),
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

/// The answer that a chain is, if its leaf has the algorithm asked for.
pub(super) fn presented(chain: Vec<Vec<u8>>, asked: KeyAlgorithm) -> Result<Answer, Obstacle> {
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
