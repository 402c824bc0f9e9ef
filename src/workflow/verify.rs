//! `verify`: would a DANE-validating sender deliver to this destination now, at every host, address and algorithm?
//! (RFC 7672 §2 to §3, RFC 7671.)
//!
//! First the sender's view (DNS), then a conversation with every address for each algorithm, in whatever TLS the server
//! prefers and in TLS 1.2, then the judgement. Nothing is sent but EHLO, STARTTLS and QUIT.

use crate::dane::certificate::Certificate;
use crate::dane::judge::{self, Finding, Rules};
use crate::observe::chain::{NoAnswer, Source};
use crate::observe::extended_error::ExtendedError;
use crate::observe::probe::{self, Answer, Obstacle};
use crate::observe::senders_view::{Destination, Host, Sender, Tlsa, plain};
use crate::observe::smtp::Caller;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, KeyAlgorithm};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant as Tick, timeout_at};

/// The port of mail between servers.
const SMTP: u16 = 25;

/// What is to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// A domain that takes mail, or a host.
    pub name: Name,
    /// The port; with one, `name` is a host and its MX records do not matter.
    pub port: Option<u16>,
    /// Whether the MX records are left alone without a port, too.
    pub is_host: bool,
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Conversations with mail hosts at once.
    pub conversations: usize,
    /// How long everything together may take.
    pub overall: Duration,
}

/// What was found out for one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The question.
    pub question: Question,
    /// Where mail goes; `None` if a host was asked for.
    pub destination: Option<Destination>,
    /// Every host, the preferred first.
    pub hosts: Vec<SeenHost>,
}

/// One host with all its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHost {
    /// Its MX preference, if it came from an MX RRset.
    pub preference: Option<u16>,
    /// The port.
    pub port: u16,
    /// DNS; `None` if it could not be told in time.
    pub host: Option<Host>,
    /// Its name.
    pub name: Name,
    /// One line for each address and algorithm, and one more where TLS 1.2 shows another chain.
    pub lines: Vec<Line>,
}

/// One address asked for one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub address: SocketAddr,
    /// For what.
    pub algorithm: KeyAlgorithm,
    /// In TLS 1.2, where that shows something else than TLS 1.3.
    pub tls12_only: bool,
    /// The `3 1 1` association of the leaf presented and the end of its validity, if one was.
    pub presented: Option<(Association, Instant)>,
    /// What a sender makes of it.
    pub verdict: Verdict,
}

/// What a sender makes of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It delivers, to a host that this record authenticates.
    Verified(Association),
    /// It delivers, but DANE does not protect the way there.
    Unprotected(String),
    /// It does not deliver to this address: nothing published matches what is presented.
    Refused(Vec<(Association, Finding)>),
    /// It does not deliver to this address: DANE asks for TLS, and there is none.
    NoTls(String),
    /// The server has no chain of this algorithm: nothing to verify.
    NotOffered,
    /// It could not be told.
    Unknown(String),
}

/// The whole in a word; later ones outweigh earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Everything that can be presented is authenticated.
    Verified,
    /// Mail is delivered, somewhere without authentication.
    Unprotected,
    /// Something could not be told.
    Unknown,
    /// A validating sender refuses or defers somewhere.
    AtRisk,
}

/// Verifies all questions at once; the answers are in their order.
pub async fn verify<S>(
    questions: &[Question],
    sender: Sender<S>,
    caller: &Caller,
    now: Instant,
    bounds: Bounds,
) -> Vec<Verification>
where
    S: Source + Send + Sync + 'static,
{
    let run = Arc::new(Run {
        sender,
        caller: caller.clone(),
        now,
        free: Semaphore::new(bounds.conversations.max(1)),
        deadline: Tick::now().checked_add(bounds.overall),
        overall: bounds.overall,
    });
    let mut asked = JoinSet::new();
    for (number, question) in questions.iter().enumerate() {
        let (run, question) = (Arc::clone(&run), question.clone());
        asked.spawn(async move { (number, run.question(question).await) });
    }
    let mut found: Vec<Option<Verification>> = questions.iter().map(|_| None).collect();
    while let Some(done) = asked.join_next().await {
        if let Ok((number, verification)) = done
            && let Some(place) = found.get_mut(number)
        {
            *place = Some(verification);
        }
    }
    let lost = |question: &Question| Verification {
        question: question.clone(),
        destination: None,
        hosts: vec![unseen(
            None,
            question.name.clone(),
            question.port.unwrap_or(SMTP),
        )],
    };
    let pairs = found.into_iter().zip(questions);
    pairs
        .map(|(found, question)| found.unwrap_or_else(|| lost(question)))
        .collect()
}

struct Run<S> {
    sender: Sender<S>,
    caller: Caller,
    now: Instant,
    free: Semaphore,
    deadline: Option<Tick>,
    overall: Duration,
}

impl<S: Source + Send + Sync + 'static> Run<S> {
    async fn question(self: Arc<Self>, question: Question) -> Verification {
        let port = question.port.unwrap_or(SMTP);
        let of_host = question.is_host || question.port.is_some();
        let destination = if of_host {
            None
        } else {
            self.in_time(self.sender.destination(&question.name)).await
        };
        let hosts: Vec<(Option<u16>, Name)> = match &destination {
            Some(Destination::Exchanges { hosts, .. }) => {
                let hosts = hosts.iter();
                hosts
                    .map(|(preference, host)| (Some(*preference), host.clone()))
                    .collect()
            }
            Some(Destination::Itself) => vec![(None, question.name.clone())],
            None => vec![(None, question.name.clone())],
            Some(Destination::NullMx | Destination::NoSuchDomain | Destination::Unknown(_)) => {
                vec![]
            }
        };
        let out_of_time = destination.is_none() && !of_host;
        // A certificate for the domain itself is good for any of its MX hosts (RFC 7672 §3.2.2).
        let mut also = Vec::new();
        if let Some(Destination::Exchanges {
            expanded, security, ..
        }) = &destination
        {
            also.push(question.name.clone());
            also.extend(expanded.iter().filter(|_| security.is_secure()).cloned());
        }
        let mut asked = JoinSet::new();
        for (number, (preference, name)) in hosts.iter().cloned().enumerate() {
            let (run, also) = (Arc::clone(&self), also.clone());
            if out_of_time {
                continue;
            }
            asked.spawn(async move { (number, run.host(preference, name, port, also).await) });
        }
        let mut seen: Vec<SeenHost> = hosts
            .into_iter()
            .map(|(preference, name)| unseen(preference, name, port))
            .collect();
        while let Some(done) = asked.join_next().await {
            if let Ok((number, host)) = done
                && let Some(place) = seen.get_mut(number)
            {
                *place = host;
            }
        }
        Verification {
            question,
            destination,
            hosts: seen,
        }
    }

    async fn host(
        self: Arc<Self>,
        preference: Option<u16>,
        name: Name,
        port: u16,
        also: Vec<Name>,
    ) -> SeenHost {
        let mut seen = unseen(preference, name.clone(), port);
        let Some(host) = self.in_time(self.sender.host(&name, port)).await else {
            return seen;
        };
        if let Some(base) = host.tlsa.base() {
            let case = Arc::new(Case {
                endpoint: Endpoint {
                    host: plain(base),
                    port,
                },
                names: names(base, &host, &also),
                tlsa: host.tlsa.clone(),
            });
            let mut asked = JoinSet::new();
            let mut number: usize = 0;
            for address in host.addresses.clone() {
                for algorithm in [KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa] {
                    let (run, case) = (Arc::clone(&self), Arc::clone(&case));
                    asked
                        .spawn(async move { (number, run.lines(&case, address, algorithm).await) });
                    number = number.saturating_add(1);
                }
            }
            let mut lines = Vec::new();
            while let Some(done) = asked.join_next().await {
                lines.extend(done);
            }
            lines.sort_by_key(|(number, _)| *number);
            seen.lines = lines.into_iter().flat_map(|(_, lines)| lines).collect();
            doubt_refusals_of_everything(&mut seen.lines);
        }
        seen.host = Some(host);
        seen
    }

    /// One address and algorithm: a line, and a second one if TLS 1.2 shows another chain.
    async fn lines(&self, case: &Case, address: SocketAddr, algorithm: KeyAlgorithm) -> Vec<Line> {
        let caller = &self.caller;
        let preferred = probe::present(&case.endpoint, address, algorithm, caller);
        let older = probe::present_tls12(&case.endpoint, address, algorithm, caller);
        let (preferred, older) = tokio::join!(self.in_turn(preferred), self.in_turn(older));
        let mut lines = vec![case.line(address, algorithm, false, &preferred, self.now)];
        let differs = match (&preferred, &older) {
            (Ok(Answer::Chain(_)), Ok(Answer::NotOffered)) => false,
            (Ok(one), Ok(other)) => one != other,
            // Offered in one conversation and not in the next: whether mail flows is luck.
            (Ok(_), Err(Obstacle::NoStarttls(_))) => true,
            _ => false,
        };
        if differs {
            lines.push(case.line(address, algorithm, true, &older, self.now));
        }
        lines
    }

    async fn in_turn(
        &self,
        conversation: impl Future<Output = Result<Answer, Obstacle>>,
    ) -> Result<Answer, Obstacle> {
        let question = async {
            // The semaphore is never closed; a permit it cannot give bounds nothing worse.
            let _slot = self.free.acquire().await;
            conversation.await
        };
        self.in_time(question).await.unwrap_or_else(|| {
            let overall = self.overall.as_secs_f64();
            Err(Obstacle::Other(format!(
                "not answered within the {overall} s of the run"
            )))
        })
    }

    async fn in_time<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        match self.deadline {
            Some(deadline) => timeout_at(deadline, question).await.ok(),
            None => Some(question.await),
        }
    }
}

fn unseen(preference: Option<u16>, name: Name, port: u16) -> SeenHost {
    SeenHost {
        preference,
        port,
        host: None,
        name,
        lines: Vec::new(),
    }
}

/// What everything presented by one host is judged by.
struct Case {
    /// Base domain and port.
    endpoint: Endpoint,
    /// The names a certificate may be for.
    names: Vec<String>,
    tlsa: Tlsa,
}

/// The reference identifiers (RFC 7672 §3.2.2): base domain, host, and for an MX host the domain it is for.
fn names(base: &Name, host: &Host, also: &[Name]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in [base, &host.name].into_iter().chain(also) {
        let name = plain(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Case {
    fn line(
        &self,
        address: SocketAddr,
        algorithm: KeyAlgorithm,
        tls12_only: bool,
        answer: &Result<Answer, Obstacle>,
        now: Instant,
    ) -> Line {
        let (verdict, presented) = self.judge(answer, now);
        Line {
            address,
            algorithm,
            tls12_only,
            presented,
            verdict,
        }
    }

    fn judge(
        &self,
        answer: &Result<Answer, Obstacle>,
        now: Instant,
    ) -> (Verdict, Option<(Association, Instant)>) {
        let records: &[Association] = match &self.tlsa {
            Tlsa::Published { records, .. } => records,
            _ => &[],
        };
        let chain = match answer {
            Ok(Answer::NotOffered) => return (Verdict::NotOffered, None),
            Ok(Answer::Chain(chain)) => chain,
            Err(obstacle @ Obstacle::NoStarttls(_)) => {
                let why = obstacle.to_string();
                // Even records of which none is usable make TLS mandatory (RFC 7672 §2.2).
                let verdict = match records {
                    [] => Verdict::Unprotected(format!("{why}: mail goes there in clear text")),
                    _ => Verdict::NoTls(why),
                };
                return (verdict, None);
            }
            Err(obstacle) => return (Verdict::Unknown(obstacle.to_string()), None),
        };
        let chain: Vec<Certificate> = match judge::presented(chain) {
            Ok(chain) => chain,
            Err(error) => {
                return (
                    Verdict::Unknown(format!("the presented leaf: {error}")),
                    None,
                );
            }
        };
        let leaf = chain
            .first()
            .map(|leaf| (leaf.spki_association(), leaf.not_after()));
        if let Tlsa::None { why, .. } = &self.tlsa {
            return (Verdict::Unprotected(why.to_string()), leaf);
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let judgement = judge::judge(records, &chain, &names, now, Rules::Smtp);
        let verdict = match judgement.verdict {
            judge::Verdict::Verified(by) => Verdict::Verified(by),
            judge::Verdict::Refused => Verdict::Refused(judgement.records),
            judge::Verdict::NoUsableRecords => Verdict::Unprotected(unusable(&judgement.records)),
        };
        (verdict, leaf)
    }
}

fn unusable(records: &[(Association, Finding)]) -> String {
    let said: Vec<String> = records
        .iter()
        .map(|(record, finding)| format!("{}: {finding}", record.short()))
        .collect();
    format!(
        "no TLSA record is usable, so senders use TLS without authentication ({})",
        said.join("; ")
    )
}

/// An address that refuses both algorithms was not understood: it may speak only what this program does not.
fn doubt_refusals_of_everything(lines: &mut [Line]) {
    let addresses: Vec<SocketAddr> = lines.iter().map(|line| line.address).collect();
    for address in addresses {
        let at = |line: &&mut Line| line.address == address;
        let mut here: Vec<&mut Line> = lines.iter_mut().filter(at).collect();
        if here.iter().all(|line| line.verdict == Verdict::NotOffered) {
            for line in &mut here {
                line.verdict = Verdict::Unknown(
                    "the server refuses RSA and ECDSA alike: it offers no TLS this program speaks"
                        .to_owned(),
                );
            }
        }
    }
}

impl Verdict {
    /// What it does to the whole; `None` if nothing.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Verified(_) => Some(Standing::Verified),
            Self::Unprotected(_) => Some(Standing::Unprotected),
            Self::Unknown(_) => Some(Standing::Unknown),
            Self::Refused(_) | Self::NoTls(_) => Some(Standing::AtRisk),
            Self::NotOffered => None,
        }
    }
}

impl SeenHost {
    /// The host in a word.
    pub fn standing(&self) -> Standing {
        let Some(host) = &self.host else {
            return Standing::Unknown;
        };
        let dns = match &host.tlsa {
            Tlsa::Unreachable(failure) => of_failure(failure),
            Tlsa::NoAddress { .. } => Standing::AtRisk,
            Tlsa::None { .. } => Standing::Unprotected,
            Tlsa::Published { .. } => Standing::Verified,
        };
        let failure = host.address_failure.as_ref().map(of_failure);
        let lines = self.lines.iter().filter_map(|line| line.verdict.standing());
        lines.chain(failure).fold(dns, Ord::max)
    }
}

impl Verification {
    /// The whole in a word.
    pub fn standing(&self) -> Standing {
        let destination = match &self.destination {
            Some(Destination::Unknown(failure)) => of_failure(failure),
            Some(Destination::Exchanges {
                security, hosts, ..
            }) if security.is_secure() && !hosts.is_empty() => Standing::Verified,
            // Whoever can forge the MX RRset sends mail where he likes (RFC 7672 §2.2.1).
            Some(Destination::Exchanges { .. }) => Standing::Unprotected,
            Some(Destination::Itself) | None => Standing::Verified,
            Some(Destination::NullMx | Destination::NoSuchDomain) => Standing::Unknown,
        };
        let hosts = self.hosts.iter().map(SeenHost::standing);
        hosts.fold(destination, Ord::max)
    }
}

/// A sender defers where validation fails or no authority answers; that our own resolver cannot be reached says nothing
/// about senders.
fn of_failure(failure: &NoAnswer) -> Standing {
    match failure {
        NoAnswer::Failed(flaw) if flaw.error == ExtendedError::NetworkError => Standing::Unknown,
        NoAnswer::Bogus(_) | NoAnswer::Failed(_) => Standing::AtRisk,
    }
}
