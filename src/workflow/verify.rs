//! `verify`: would a DANE-validating sender deliver to this destination now, at every host, address and algorithm?
//! (RFC 7672 §2 to §3, RFC 7671.)
//!
//! First the sender's view (DNS), then a conversation with every address for each algorithm, in whatever TLS the server
//! prefers and in TLS 1.2, then the judgement. Nothing is sent but EHLO, STARTTLS and QUIT.

use super::verdict::{Case, Line, Standing, Verdict, of_failure};
use crate::observe::chain::Source;
use crate::observe::in_time;
use crate::observe::probe::{self, Answer, Obstacle};
use crate::observe::senders_view::{Destination, Host, Sender, Tlsa, plain};
use crate::observe::smtp::Caller;
use crate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant as Tick};

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

/// Verifies all questions at once; the answers are in their order.
pub async fn verify<S>(
    questions: &[Question],
    sender: &Arc<Sender<S>>,
    caller: &Caller,
    now: Instant,
    bounds: Bounds,
) -> Vec<Verification>
where
    S: Source + Send + Sync + 'static,
{
    let run = Arc::new(Run {
        sender: Arc::clone(sender),
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
    sender: Arc<Sender<S>>,
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
            Some(Destination::Itself) | None => vec![(None, question.name.clone())],
            Some(Destination::NullMx | Destination::NoSuchDomain | Destination::Unknown(_)) => {
                vec![]
            }
        };
        let out_of_time = destination.is_none() && !of_host;
        let also = also(&question.name, destination.as_ref());
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
            let case = Arc::new(case(base, &host, port, &also));
            let mut asked = JoinSet::new();
            let mut number: usize = 0;
            for address in host.addresses.clone() {
                for algorithm in [KeyAlgorithm::Ecdsa, KeyAlgorithm::Rsa] {
                    let (run, case) = (Arc::clone(&self), Arc::clone(&case));
                    asked.spawn(async move {
                        (number, Box::pin(run.lines(&case, address, algorithm)).await)
                    });
                    number = number.saturating_add(1);
                }
            }
            let mut lines = Vec::new();
            while let Some(done) = asked.join_next().await {
                lines.extend(done);
            }
            lines.sort_by_key(|(number, _)| *number);
            seen.lines = lines.into_iter().flat_map(|(_, lines)| lines).collect();
            for address in Case::refusing_everything(&seen.lines) {
                // It has answered: that it did so late leaves it the time for one more.
                let anything = Box::pin(probe::present_anything(
                    &case.endpoint,
                    address,
                    &self.caller,
                ))
                .await;
                case.settle(&mut seen.lines, address, Some(&anything));
            }
        }
        seen.host = Some(host);
        seen
    }

    /// One address and algorithm: a line, and a second one if TLS 1.2 shows another chain.
    async fn lines(&self, case: &Case, address: SocketAddr, algorithm: KeyAlgorithm) -> Vec<Line> {
        let endpoint = &case.endpoint;
        let preferred = self.in_turn(|caller| async move {
            probe::present(endpoint, address, algorithm, &caller).await
        });
        let older = self.in_turn(|caller| async move {
            probe::present_tls12(endpoint, address, algorithm, &caller).await
        });
        let (preferred, older) = tokio::join!(preferred, older);
        let mut lines = vec![case.line(address, algorithm, false, &preferred, self.now)];
        if differs(&preferred, &older) {
            lines.push(case.line(address, algorithm, true, &older, self.now));
        } else if let (Ok(Answer::Chain(_)), Err(why)) = (&preferred, &older)
            && let [line, ..] = lines.as_mut_slice()
        {
            line.unanswered = Some(why.to_string());
        }
        lines
    }

    /// Begins a conversation in time, and lets it come to its own end: that is later where a server greets late.
    async fn in_turn<T, F>(&self, conversation: impl FnOnce(Caller) -> F) -> Result<T, Obstacle>
    where
        F: Future<Output = Result<T, Obstacle>>,
    {
        // The semaphore is never closed; a permit it cannot give bounds nothing worse.
        let Some(_slot) = self.in_time(self.free.acquire()).await else {
            let overall = self.overall.as_secs_f64();
            return Err(Obstacle::Other(format!(
                "not answered within the {overall} s of the run"
            )));
        };
        Box::pin(conversation(self.caller.until(self.deadline))).await
    }

    async fn in_time<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        in_time(self.deadline, question).await
    }
}

/// The domain of MX hosts: a certificate for it is good for any of them (RFC 7672 §3.2.2).
fn also(domain: &Name, destination: Option<&Destination>) -> Vec<Name> {
    let mut also = Vec::new();
    if let Some(Destination::Exchanges {
        expanded, security, ..
    }) = destination
    {
        also.push(domain.clone());
        also.extend(expanded.iter().filter(|_| security.is_secure()).cloned());
    }
    also
}

/// Whether TLS 1.2 shows something else.
fn differs(preferred: &Result<Answer, Obstacle>, older: &Result<Answer, Obstacle>) -> bool {
    match (preferred, older) {
        (Ok(Answer::Chain(_)), Ok(Answer::NotOffered)) => false,
        (Ok(one), Ok(other)) => one != other,
        // Offered in one conversation and not in the next: whether mail flows is luck. What was seen counts, whatever stayed
        // silent.
        (Ok(_), Err(Obstacle::NoStarttls(_))) | (Err(_), Ok(Answer::Chain(_))) => true,
        _ => false,
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

fn case(base: &Name, host: &Host, port: u16, also: &[Name]) -> Case {
    Case {
        endpoint: Endpoint {
            host: plain(base),
            port,
        },
        names: names(base, also),
        tlsa: host.tlsa.clone(),
    }
}

/// The reference identifiers (RFC 7672 §3.2.2): the base domain, and for an MX host the domain it is for. The name of a host
/// that is an alias for its base domain is none: Postfix refuses a certificate for that alone.
fn names(base: &Name, also: &[Name]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in std::iter::once(base).chain(also) {
        let name = plain(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Verification {
    /// Judges what was met elsewhere where nothing could be told from here. `met` says what, at a place for an algorithm.
    pub fn look_elsewhere(
        &mut self,
        met: impl Fn(&Endpoint, SocketAddr, KeyAlgorithm) -> Vec<Seen<Answer>>,
        now: Instant,
    ) {
        let also = also(&self.question.name, self.destination.as_ref());
        for seen in &mut self.hosts {
            let Some((host, case)) = seen.host.as_ref().and_then(|host| {
                let base = host.tlsa.base()?;
                Some((host, case(base, host, seen.port, &also)))
            }) else {
                continue;
            };
            let own = Endpoint {
                host: plain(&host.name),
                port: seen.port,
            };
            let lines = std::mem::take(&mut seen.lines);
            for line in lines {
                let (address, algorithm) = (line.address, line.algorithm);
                let met = match line.verdict {
                    Verdict::Unknown(_) => met(&own, address, algorithm),
                    _ => Vec::new(),
                };
                if !met.iter().any(|one| matches!(one, Seen::Known(_))) {
                    seen.lines.push(line);
                    continue;
                }
                for met in met {
                    let met = match met {
                        Seen::Known(answer) => Ok(answer),
                        Seen::Unknown(why) => Err(Obstacle::Other(why)),
                    };
                    seen.lines
                        .push(case.line(address, algorithm, line.tls12_only, &met, now));
                }
            }
            for address in Case::refusing_everything(&seen.lines) {
                case.settle(&mut seen.lines, address, None);
            }
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
            Tlsa::NoAddress { .. } | Tlsa::NoHostName(_) => Standing::AtRisk,
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
            Some(Destination::Exchanges { has_null: true, .. }) => Standing::AtRisk,
            Some(Destination::Exchanges {
                security, hosts, ..
            }) if security.is_secure() && !hosts.is_empty() => Standing::Verified,
            // Whoever can forge the MX RRset sends mail where he likes (RFC 7672 §2.2.1).
            Some(Destination::Exchanges { .. }) => Standing::Unprotected,
            Some(Destination::Itself) | None => Standing::Verified,
            Some(Destination::NullMx) => Standing::NoMail,
            Some(Destination::NoSuchDomain) => Standing::Unknown,
        };
        let hosts = self.hosts.iter().map(SeenHost::standing);
        hosts.fold(destination, Ord::max)
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
