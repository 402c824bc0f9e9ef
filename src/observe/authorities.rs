//! What every address of every authoritative server of a zone answers for its TLSA names (RFC 7671 §8.1, RFC 7766 §5).
//!
//! No resolver and no cache stands between: each address is asked over UDP and over TCP. Every server has its own
//! deadline and nobody waits for another: a silent or hostile one costs its own answer and nothing else.

use super::addresses::AuthorityAddress;
use super::dns::{self, Reply, Silence, Transport};
use super::extended_error::Flaw;
use super::proof;
pub use super::proof::{ServedAlias, Trust, both};
use crate::rotation::observation::{Authority, Seen, ServedRrset, TlsaName};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant as Tick;

/// How long and how much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The wait for one answer over one transport.
    pub answer: Duration,
    /// The wait for everything from one server.
    pub server: Duration,
    /// Servers asked at once.
    pub servers: usize,
    /// Questions one server is asked at once.
    pub questions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            server: Duration::from_secs(30),
            servers: 32,
            questions: 8,
        }
    }
}

/// What all servers of a zone were seen to serve in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The TLSA RRset of each name at each address; `Unknown` where the name is an alias.
    pub tlsa: BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>,
    /// The names that are aliases, at each address that answers so.
    pub aliases: BTreeMap<TlsaName, BTreeMap<Authority, ServedAlias>>,
    /// The SOA serial at each address: who lags.
    pub serials: BTreeMap<Authority, Seen<u32>>,
}

/// What every question needs to know.
struct Run {
    apex: Name,
    names: Vec<Name>,
    trust: Trust,
    now: Instant,
    limits: Limits,
}

/// Asks every address for the TLSA RRset of each of `names`, all in the zone `apex`, and verifies what it says at `now`.
pub async fn see(
    apex: &Name,
    servers: &[AuthorityAddress],
    names: &[Name],
    trust: &Trust,
    now: Instant,
    limits: Limits,
) -> Served {
    let run = Arc::new(Run {
        apex: apex.clone(),
        names: names.to_vec(),
        trust: trust.clone(),
        now,
        limits,
    });
    let free = Arc::new(Semaphore::new(limits.servers.max(1)));
    let mut asked = JoinSet::new();
    for server in servers {
        let (run, free, server) = (Arc::clone(&run), Arc::clone(&free), server.clone());
        asked.spawn(async move {
            let _permit = free.acquire_owned().await;
            (server.authority(), see_server(&run, server.address).await)
        });
    }
    let mut seen = BTreeMap::new();
    while let Some(done) = asked.join_next().await {
        if let Ok((authority, server)) = done {
            seen.insert(authority, server);
        }
    }
    // Only a question whose task was killed is lost: it must not look like an answer.
    let lost = everything_unknown(&run, &Seen::Unknown(LOST.to_owned()), LOST);
    let mut served = Served::default();
    for server in servers {
        let authority = server.authority();
        let (serial, tlsa) = seen.get(&authority).unwrap_or(&lost);
        served.serials.insert(authority.clone(), serial.clone());
        for name in names {
            let answer = tlsa.get(name).cloned();
            let answer = answer.unwrap_or_else(|| Seen::Unknown(LOST.to_owned()));
            served.note(TlsaName::new(&name.to_string()), authority.clone(), answer);
        }
    }
    served
}

impl Served {
    fn note(&mut self, name: TlsaName, authority: Authority, answer: Seen<proof::Answer>) {
        let rrset = match answer {
            Seen::Known(proof::Answer::Rrset(rrset)) => Seen::Known(rrset),
            Seen::Known(proof::Answer::Alias(alias)) => {
                let why = format!("{name} is an alias (CNAME) of {}", alias.target);
                let aliases = self.aliases.entry(name.clone()).or_default();
                aliases.insert(authority.clone(), alias);
                Seen::Unknown(why)
            }
            Seen::Unknown(why) => Seen::Unknown(why),
        };
        self.tlsa.entry(name).or_default().insert(authority, rrset);
    }
}

const LOST: &str = "the question was abandoned";

type ServerSeen = (Seen<u32>, BTreeMap<Name, Seen<proof::Answer>>);

fn everything_unknown(run: &Run, serial: &Seen<u32>, why: &str) -> ServerSeen {
    let unknown = |name: &Name| (name.clone(), Seen::Unknown(why.to_owned()));
    (serial.clone(), run.names.iter().map(unknown).collect())
}

async fn see_server(run: &Arc<Run>, address: SocketAddr) -> ServerSeen {
    let deadline = Tick::now().checked_add(run.limits.server);
    let line = Line {
        address,
        deadline,
        limits: run.limits,
    };
    let (soa, dnskey) = tokio::join!(
        line.both(&run.apex, Rtype::SOA),
        line.both(&run.apex, Rtype::DNSKEY)
    );
    let serial = seen(soa.agree(
        |reply| proof::serial(reply, &run.apex).map_err(Flaw::from),
        |a, b| (a == b).then_some(*a),
    ));
    // The set of keys, or why there is none: what follows from it is the same for each name.
    let keys = dnskey.agree(
        |reply| proof::keys(reply, &run.apex, &run.trust, run.now),
        proof::Keys::one_of_both,
    );
    let keys = match keys {
        Ok(keys) => Arc::new(keys),
        Err(why) => return everything_unknown(run, &serial, &why),
    };
    let free = Arc::new(Semaphore::new(run.limits.questions.max(1)));
    let mut asked = JoinSet::new();
    for name in run.names.clone() {
        let (run, keys, free, line) = (
            Arc::clone(run),
            Arc::clone(&keys),
            Arc::clone(&free),
            line.clone(),
        );
        asked.spawn(async move {
            let _permit = free.acquire_owned().await;
            let answers = line.both(&name, Rtype::TLSA).await;
            let judge = proof::Judge {
                apex: &run.apex,
                keys: &keys,
                at: run.now,
            };
            let judge = |reply: &Reply| proof::tlsa(reply, &name, judge);
            let rrset = seen(answers.agree(judge, proof::Answer::one_of_both));
            (name, rrset)
        });
    }
    let mut tlsa = BTreeMap::new();
    while let Some(done) = asked.join_next().await {
        tlsa.extend(done);
    }
    (serial, tlsa)
}

fn seen<T>(outcome: Result<T, String>) -> Seen<T> {
    match outcome {
        Ok(known) => Seen::Known(known),
        Err(why) => Seen::Unknown(why),
    }
}

/// One server on the line, for as long as it may take.
#[derive(Clone)]
struct Line {
    address: SocketAddr,
    deadline: Option<Tick>,
    limits: Limits,
}

/// The answers to one question over both transports.
struct Both {
    udp: Result<Reply, Silence>,
    tcp: Result<Reply, Silence>,
}

impl Line {
    async fn both(&self, name: &Name, rtype: Rtype) -> Both {
        let left = self.deadline.map_or(self.limits.answer, |d| {
            d.saturating_duration_since(Tick::now())
        });
        let patience = self.limits.answer.min(left);
        let over = |transport| dns::ask(self.address, transport, name, rtype, patience);
        let (udp, tcp) = tokio::join!(over(Transport::Udp), over(Transport::Tcp));
        Both { udp, tcp }
    }
}

impl Both {
    /// What both transports say, each judged by itself; a truncated datagram leaves the word to TCP.
    fn agree<T: proof::Told>(
        &self,
        judge: impl Fn(&Reply) -> Result<T, Flaw>,
        merge: impl Fn(&T, &T) -> Option<T>,
    ) -> Result<T, String> {
        let judged = |answer: &Result<Reply, Silence>| match answer {
            Ok(reply) => judge(reply).map_err(|flaw| flaw.reason),
            Err(silence) => Err(silence.to_string()),
        };
        let truncated = self.udp.as_ref().is_ok_and(|reply| reply.truncated);
        match (judged(&self.udp), judged(&self.tcp)) {
            (_, Ok(tcp)) if truncated => Ok(tcp),
            (_, Err(tcp)) if truncated => Err(format!("TCP: {tcp}")),
            (Ok(udp), Ok(tcp)) => merge(&udp, &tcp).ok_or_else(|| {
                format!(
                    "UDP and TCP disagree: UDP says {}, TCP {}",
                    udp.told(),
                    tcp.told()
                )
            }),
            (Err(udp), Err(tcp)) if udp == tcp => Err(format!("{udp} (UDP and TCP)")),
            (Err(udp), Err(tcp)) => Err(format!("UDP: {udp}; TCP: {tcp}")),
            (Err(udp), Ok(_)) => Err(format!("UDP: {udp} (TCP is fine)")),
            (Ok(_), Err(tcp)) => Err(format!("TCP: {tcp} (UDP is fine)")),
        }
    }
}
