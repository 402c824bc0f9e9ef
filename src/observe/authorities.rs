//! What every address of every authoritative server of a zone answers for its TLSA names (RFC 7671 §8.1, RFC 7766 §5).
//!
//! No resolver and no cache stands between: each address is asked over UDP and over TCP. Every server has its own
//! deadline and nobody waits for another: a silent or hostile one costs its own answer and nothing else.

use super::addresses::AuthorityAddress;
use super::ailment::{Ailment, Finding, Trouble, stale};
use super::dns::{self, Reply, Silence, Transport};
use super::extended_error::Flaw;
use super::proof;
pub use super::proof::Trust;
pub use super::served_answer::ServedAlias;
use super::served_answer::{Answer, Told};
use crate::rotation::observation::{Authority, Seen, ServedRrset, TlsaName};
use crate::rotation::timing::Instant;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant as Tick;

/// How long and how much at once. Looks that are given clones of the same limits take turns at servers together, however
/// many zones they are about.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The wait for one answer over one transport.
    pub answer: Duration,
    /// The wait for everything from one server.
    pub server: Duration,
    /// Questions one server is asked at once.
    pub questions: usize,
    /// Turns at servers: how many are asked at once.
    pub turns: Turns,
}

/// Turns that are taken one by one, shared by all clones.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

impl Turns {
    /// So many at once, and no fewer than one.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once.max(1))))
    }

    /// Waits for a turn, which lasts until what is given back is dropped.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; a turn it cannot give bounds nothing worse.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            server: Duration::from_secs(30),
            questions: 8,
            turns: Turns::new(32),
        }
    }
}

impl Limits {
    /// The usual ones for so many names: a server has more time where more is asked of it.
    pub fn for_names(names: usize) -> Self {
        const EACH: Duration = Duration::from_millis(100);
        let usual = Self::default();
        let more = EACH.saturating_mul(u32::try_from(names).unwrap_or(u32::MAX));
        Self {
            server: usual.server.saturating_add(more),
            ..usual
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
    /// What is wrong, each kind once for each address.
    pub findings: BTreeSet<Finding>,
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
    let mut asked = JoinSet::new();
    for server in servers {
        let (run, server) = (Arc::clone(&run), server.clone());
        asked.spawn(async move {
            let _turn = run.limits.turns.take().await;
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
    let trouble = Trouble::new(Ailment::Silent, LOST);
    let lost = everything_unknown(&run, Seen::Unknown(LOST.to_owned()), vec![], &trouble);
    let mut served = Served::default();
    for server in servers {
        let authority = server.authority();
        let ServerSeen {
            serial,
            tlsa,
            troubles,
        } = seen.get(&authority).unwrap_or(&lost);
        let finding = |trouble: &Trouble| trouble.at(&authority);
        served.findings.extend(troubles.iter().map(finding));
        served.serials.insert(authority.clone(), serial.clone());
        for name in names {
            let answer = tlsa.get(name).cloned();
            let answer = answer.unwrap_or_else(|| Seen::Unknown(LOST.to_owned()));
            served.note(TlsaName::new(name.to_string()), authority.clone(), answer);
        }
    }
    served.findings.extend(stale(&served.serials));
    served
}

impl Served {
    fn note(&mut self, name: TlsaName, authority: Authority, answer: Seen<Answer>) {
        let rrset = match answer {
            Seen::Known(Answer::Rrset(rrset)) => Seen::Known(rrset),
            Seen::Known(Answer::Alias(alias)) => {
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

/// What one server was seen to serve.
struct ServerSeen {
    serial: Seen<u32>,
    tlsa: BTreeMap<Name, Seen<Answer>>,
    troubles: Vec<Trouble>,
}

fn everything_unknown(
    run: &Run,
    serial: Seen<u32>,
    mut troubles: Vec<Trouble>,
    why: &Trouble,
) -> ServerSeen {
    let unknown = |name: &Name| (name.clone(), Seen::Unknown(why.reason.clone()));
    troubles.push(why.clone());
    ServerSeen {
        serial,
        tlsa: run.names.iter().map(unknown).collect(),
        troubles,
    }
}

async fn see_server(run: &Arc<Run>, address: SocketAddr) -> ServerSeen {
    let deadline = Tick::now().checked_add(run.limits.server);
    let line = Line {
        address,
        deadline,
        limits: run.limits.clone(),
    };
    let (soa, dnskey) = tokio::join!(
        line.both(&run.apex, Rtype::SOA),
        line.both(&run.apex, Rtype::DNSKEY)
    );
    let mut troubles = Vec::new();
    let serial = soa.agree(
        |reply| proof::serial(reply, &run.apex),
        |a, b| (a == b).then_some(*a),
    );
    let serial = seen(serial, &mut troubles);
    // The set of keys, or why there is none: what follows from it is the same for each name.
    let keys = dnskey.agree(
        |reply| proof::keys(reply, &run.apex, &run.trust, run.now),
        proof::Keys::one_of_both,
    );
    let keys = match keys {
        Ok(keys) => Arc::new(keys),
        Err(why) => return everything_unknown(run, serial, troubles, &why),
    };
    let turns = Turns::new(run.limits.questions);
    let mut asked = JoinSet::new();
    for name in run.names.clone() {
        let (run, keys, turns, line) = (
            Arc::clone(run),
            Arc::clone(&keys),
            turns.clone(),
            line.clone(),
        );
        asked.spawn(async move {
            let _turn = turns.take().await;
            let answers = line.both(&name, Rtype::TLSA).await;
            let judge = proof::Judge {
                apex: &run.apex,
                keys: &keys,
                at: run.now,
            };
            let judge = |reply: &Reply| proof::tlsa(reply, &name, judge);
            let mut troubles = Vec::new();
            let rrset = seen(answers.agree(judge, Answer::one_of_both), &mut troubles);
            (name, rrset, troubles)
        });
    }
    let mut tlsa = BTreeMap::new();
    while let Some(done) = asked.join_next().await {
        if let Ok((name, rrset, more)) = done {
            tlsa.insert(name, rrset);
            troubles.extend(more);
        }
    }
    ServerSeen {
        serial,
        tlsa,
        troubles,
    }
}

fn seen<T>(outcome: Result<T, Trouble>, troubles: &mut Vec<Trouble>) -> Seen<T> {
    match outcome {
        Ok(known) => Seen::Known(known),
        Err(trouble) => {
            troubles.push(trouble.clone());
            Seen::Unknown(trouble.reason)
        }
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
    fn agree<T: Told>(
        &self,
        judge: impl Fn(&Reply) -> Result<T, Flaw>,
        merge: impl Fn(&T, &T) -> Option<T>,
    ) -> Result<T, Trouble> {
        let judged = |answer: &Result<Reply, Silence>| match answer {
            Ok(reply) => judge(reply).map_err(Trouble::from),
            Err(silence) => Err(Trouble::from(silence)),
        };
        let truncated = self.udp.as_ref().is_ok_and(|reply| reply.truncated);
        match (judged(&self.udp), judged(&self.tcp)) {
            (_, Ok(tcp)) if truncated => Ok(tcp),
            // Whoever says "ask over TCP" and then does not answer there has cut his answer off.
            (_, Err(tcp)) if truncated => Err(Trouble::new(
                Ailment::Truncated,
                format!("TCP: {}", tcp.reason),
            )),
            (Ok(udp), Ok(tcp)) => merge(&udp, &tcp).ok_or_else(|| {
                let reason = format!(
                    "UDP and TCP disagree: UDP says {}, TCP {}",
                    udp.told(),
                    tcp.told()
                );
                Trouble::new(Ailment::Wrong, reason)
            }),
            (Err(udp), Err(tcp)) if udp == tcp => {
                Err(udp.saying(|why| format!("{why} (UDP and TCP)")))
            }
            (Err(udp), Err(tcp)) => Err(Trouble::new(
                udp.ailment.max(tcp.ailment),
                format!("UDP: {}; TCP: {}", udp.reason, tcp.reason),
            )),
            (Err(udp), Ok(_)) => Err(udp.saying(|why| format!("UDP: {why} (TCP is fine)"))),
            (Ok(_), Err(tcp)) => Err(tcp.saying(|why| format!("TCP: {why} (UDP is fine)"))),
        }
    }
}
