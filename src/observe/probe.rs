//! Which key one address of a host presents, asked separately for RSA and for ECDSA (RFC 7672 §3.1, §8.1).
//!
//! No mail is sent. "Has none of this algorithm" is said by a TLS alert to two ways of asking. A server that ends the
//! handshake in any other way says it too, if it fails both and then presents another key to whoever asks for anything.
//! All else (silence, garbage, a refused STARTTLS, a lost connection) is `Unknown`, never a yes and never a no; what of it
//! keeps senders from delivering is an [`Obstacle`] of its own.

use crate::dane::certificate::Certificate;
use crate::observe::in_time;
use crate::observe::progress::Waiting;
use crate::observe::smtp::{Caller, Session, SmtpError};
pub use crate::observe::survey::{
    Bounds, Sighting, Target, WHERE_KEYS_DIFFER, address_text, offers, probe_endpoints, survey,
};
use crate::observe::tls::{self, Ask, HandshakeError};
use crate::observe::turns::{self, Outcome};
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// Ports on which TLS begins with the first octet (RFC 8314 §3).
const IMPLICIT_TLS: &[u16] = &[443, 465, 993, 995];

/// How long connecting may take, as Postfix has it; a host that is not there is not waited for like one that is slow.
const CONNECT: Duration = Duration::from_secs(30);

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
    /// No handshake can be done: the server ends each by an alert, or does what OpenSSL takes at no sender.
    #[error("{0}")]
    NoHandshake(String),
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
    let budget = Budget::of(caller);
    let asked = |ask| converse(endpoint, address, ask, caller, &budget);
    let conversation = || async {
        let first = asked(Ask::Only(algorithm)).await;
        let is_open = |found: &Result<_, Failure>| {
            matches!(
                found,
                Err(Failure::NothingFits | Failure::Ended(_) | Failure::NoHandshake(_))
            )
        };
        if !is_open(&first) {
            return first;
        }
        // The second way of asking: see `Ask::OnlySuites`.
        match asked(Ask::OnlySuites(algorithm)).await {
            Err(Failure::Ended(why) | Failure::NoHandshake(why)) => {
                by_control(asked(Ask::Anything).await, algorithm, why)
            }
            second => second,
        }
    };
    answer(patiently(address, conversation, caller).await, algorithm)
}

/// Whatever chain the server prefers: what a sender gets.
pub async fn present_anything(
    endpoint: &Endpoint,
    address: SocketAddr,
    caller: &Caller,
) -> Result<Vec<Vec<u8>>, Obstacle> {
    let budget = Budget::of(caller);
    let conversation = || async {
        let asked = converse(endpoint, address, Ask::Anything, caller, &budget).await;
        asked.map_err(Failure::by_word)
    };
    let found = patiently(address, conversation, caller).await?;
    found.ok_or_else(|| Obstacle::Other("nothing was presented".to_owned()))
}

/// The same in TLS 1.2, in which a server may present another chain than in TLS 1.3.
pub async fn present_tls12(
    endpoint: &Endpoint,
    address: SocketAddr,
    algorithm: KeyAlgorithm,
    caller: &Caller,
) -> Result<Answer, Obstacle> {
    let budget = Budget::of(caller);
    let conversation = || {
        converse(
            endpoint,
            address,
            Ask::OnlySuites(algorithm),
            caller,
            &budget,
        )
    };
    answer(patiently(address, conversation, caller).await, algorithm)
}

/// How long the conversations about one question may take, those that a server puts off included. For a greeting that comes
/// late there is time on top: a server that makes everybody wait does so each time.
struct Budget {
    until: Mutex<Option<Instant>>,
    whole: Duration,
}

impl Budget {
    fn of(caller: &Caller) -> Self {
        Self {
            until: Mutex::new(Instant::now().checked_add(caller.whole)),
            whole: caller.whole,
        }
    }

    async fn bound<T>(&self, part: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        in_time(until, part).await.unwrap_or_else(|| {
            let late = format!("the conversation took longer than {}", seconds(self.whole));
            Err(Failure::Stopped(Obstacle::Other(late)))
        })
    }

    fn add(&self, waited: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = until.and_then(|until| until.checked_add(waited));
    }
}

/// What follows for an algorithm from what is presented to whoever asks for anything, where asking for it ended `why`.
fn by_control(
    control: Result<Vec<Vec<u8>>, Failure>,
    algorithm: KeyAlgorithm,
    why: String,
) -> Result<Vec<Vec<u8>>, Failure> {
    let chain = match control.map_err(Failure::by_word) {
        Ok(chain) => chain,
        Err(word @ Failure::Ended(_)) => return Err(word),
        Err(_) => return Err(Failure::NoHandshake(why)),
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

/// What a conversation met that asked for one algorithm.
fn answer(
    met: Result<Option<Vec<Vec<u8>>>, Obstacle>,
    algorithm: KeyAlgorithm,
) -> Result<Answer, Obstacle> {
    met?.map_or(Ok(Answer::NotOffered), |chain| presented(chain, algorithm))
}

/// The chain that the last conversation met, of as many as a server that puts them off is asked for, all within the caller's
/// time; nothing where nothing fits.
async fn patiently<F>(
    address: SocketAddr,
    conversation: impl Fn() -> F,
    caller: &Caller,
) -> Result<Option<Vec<Vec<u8>>>, Obstacle>
where
    F: Future<Output = Result<Vec<Vec<u8>>, Failure>>,
{
    let one = || async {
        match conversation().await {
            Err(Failure::PutOff(obstacle)) => Outcome::PutOff(Err(Failure::Stopped(obstacle))),
            found => Outcome::Done(found),
        }
    };
    let began = Instant::now();
    let (found, asked) = turns::again(address, caller.whole, turns::USUAL, one).await;
    match found {
        Ok(chain) => Ok(Some(chain)),
        Err(Failure::NothingFits) => Ok(None),
        Err(Failure::Ended(why)) => Err(Obstacle::NoHandshake(why)),
        Err(Failure::NoHandshake(why)) => Err(Obstacle::Other(why).after(asked, began.elapsed())),
        Err(Failure::Stopped(obstacle) | Failure::PutOff(obstacle)) => {
            Err(obstacle.after(asked, began.elapsed()))
        }
    }
}

impl Obstacle {
    /// The same, with what was tried, where that was more than one conversation.
    fn after(self, asked: u32, span: Duration) -> Self {
        let tried = |why: String| match asked {
            1 => why,
            _ => format!("{why} (asked {asked} times in {} s)", span.as_secs()),
        };
        match self {
            Self::Other(why) => Self::Other(tried(why)),
            Self::NoStarttls(error) if asked > 1 && error.puts_off() && !error.has_no_tls_now() => {
                Self::Other(tried(error.to_string()))
            }
            other => other,
        }
    }
}

/// Why a conversation gave no chain.
enum Failure {
    NothingFits,
    /// The server ended the handshake by an alert that says something else, or OpenSSL did here.
    Ended(String),
    /// TLS began and came to no end: an end without an alert, silence.
    NoHandshake(String),
    Stopped(Obstacle),
    /// The server asks for another try, later.
    PutOff(Obstacle),
}

impl Failure {
    /// What stands in the way before STARTTLS.
    fn before(error: &SmtpError) -> Self {
        let obstacle = Obstacle::Other(error.to_string());
        if error.puts_off() {
            Self::PutOff(obstacle)
        } else {
            Self::Stopped(obstacle)
        }
    }

    /// Where anything would have done, "nothing fits" is a refusal to speak TLS.
    fn by_word(self) -> Self {
        match self {
            Self::NothingFits => Self::Ended("the server ends every TLS handshake".to_owned()),
            other => other,
        }
    }

    fn other(reason: impl Display) -> Self {
        Self::Stopped(Obstacle::Other(reason.to_string()))
    }

    /// An answer to STARTTLS that is not yes is the server's word; anything else may be the network's.
    fn starttls(error: SmtpError) -> Self {
        let puts_off = error.puts_off();
        let obstacle = match error {
            SmtpError::NoStarttls | SmtpError::Refused { .. } => Obstacle::NoStarttls(error),
            other => Obstacle::Other(other.to_string()),
        };
        if puts_off {
            Self::PutOff(obstacle)
        } else {
            Self::Stopped(obstacle)
        }
    }
}

async fn converse(
    endpoint: &Endpoint,
    address: SocketAddr,
    ask: Ask,
    caller: &Caller,
    budget: &Budget,
) -> Result<Vec<Vec<u8>>, Failure> {
    let stream = budget.bound(connected(address, caller)).await?;
    if IMPLICIT_TLS.contains(&endpoint.port) {
        let secured = budget
            .bound(Box::pin(secure(stream, endpoint, ask, caller)))
            .await?;
        return Ok(secured.chain);
    }
    let began = Instant::now();
    let session = budget
        .bound(Box::pin(greeted(stream, address, caller)))
        .await?;
    budget.add(began.elapsed());
    let rest = async {
        let stream = up_to_tls(session, caller).await?;
        let secured = secure(stream, endpoint, ask, caller).await?;
        Session::resumed(secured.stream, caller).quit().await;
        Ok(secured.chain)
    };
    budget.bound(Box::pin(rest)).await
}

async fn connected(address: SocketAddr, caller: &Caller) -> Result<TcpStream, Failure> {
    let connected = connect(address, caller).await;
    connected.map_err(|e| Failure::Stopped(Obstacle::NoConnection(e)))
}

async fn greeted(
    stream: TcpStream,
    address: SocketAddr,
    caller: &Caller,
) -> Result<Session<TcpStream>, Failure> {
    let _waiting = Waiting::at(address, "its greeting");
    let greeted = Session::greeted(stream, caller).await;
    greeted.map_err(|e| Failure::before(&e))
}

async fn up_to_tls(mut session: Session<TcpStream>, caller: &Caller) -> Result<TcpStream, Failure> {
    let extensions = session.ehlo(&caller.name).await;
    let extensions = extensions.map_err(|e| Failure::before(&e))?;
    let stream = session.starttls(&extensions).await;
    stream.map_err(Failure::starttls)
}

async fn secure(
    stream: TcpStream,
    endpoint: &Endpoint,
    ask: Ask,
    caller: &Caller,
) -> Result<tls::Secured<TcpStream>, Failure> {
    timeout(caller.step, tls::handshake(stream, &endpoint.host, ask))
        .await
        .map_err(|_| {
            Failure::NoHandshake(format!(
                "no TLS handshake within {} s",
                caller.step.as_secs_f64()
            ))
        })?
        .map_err(|error| match error {
            HandshakeError::NothingFits(_) => Failure::NothingFits,
            HandshakeError::Ended(why) => Failure::Ended(why),
            HandshakeError::Failed(why) => Failure::NoHandshake(why),
            other @ HandshakeError::BadName(_) => Failure::other(other),
        })
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
    let step = caller.step.min(CONNECT);
    let _waiting = Waiting::at(address, "a connection");
    match timeout(step, opened).await {
        // A conversation of short lines must not wait for acknowledgements that come late.
        Ok(Ok(stream)) => stream
            .set_nodelay(true)
            .map(|()| stream)
            .map_err(|e| format!("cannot connect: {e}")),
        Ok(Err(error)) => Err(format!("cannot connect: {error}")),
        Err(_) => Err(format!("no connection within {} s", step.as_secs_f64())),
    }
}

/// What is left of a run is told as the run: in whole seconds, or, of less than one, in tenths.
fn seconds(span: Duration) -> String {
    let tenths = span.as_millis().div_ceil(100);
    match tenths {
        0..10 => format!("0.{tenths} s"),
        _ => format!("{} s", tenths.div_ceil(10)),
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
