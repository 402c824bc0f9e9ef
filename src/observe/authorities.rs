//! What every address of every authoritative server of a zone answers for its TLSA names (RFC 7671 §8.1, RFC 7766 §5).
//!
//! No resolver and no cache stands between: each address is asked over UDP and over TCP. Every server has its own
//! deadline and nobody waits for another: a silent or hostile one costs its own answer and nothing else.

use super::addresses::AuthorityAddress;
use super::ailment::{Ailment, Finding, Trouble, stale};
use super::dns::Reply;
use super::line::Line;
use super::listing::{self, Addresses, Listed};
use super::proof;
pub use super::proof::Trust;
use super::served_answer::Answer;
pub use super::served_answer::ServedAlias;
use super::side_by_side::side_by_side;
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
    /// Who knows the zone without speaking for it.
    pub second_hand: BTreeSet<Authority>,
}

/// What every server is asked, and what its answers are measured by.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The zone.
    pub apex: Name,
    /// The names in it whose TLSA RRsets are asked for.
    pub names: Vec<Name>,
    /// The hosts in it whose addresses are asked for.
    pub hosts: Vec<Name>,
    /// Whether it is asked who serves the zone.
    pub who_serves: bool,
    /// What the zone's keys are measured by.
    pub trust: Trust,
    /// The present, which signatures are held against.
    pub now: Instant,
    /// How long and how much at once.
    pub limits: Limits,
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
    let questions = Arc::new(Questions {
        apex: apex.clone(),
        names: names.to_vec(),
        hosts: Vec::new(),
        who_serves: false,
        trust: trust.clone(),
        now,
        limits,
    });
    let mut asked = JoinSet::new();
    for server in servers {
        let (questions, server) = (Arc::clone(&questions), server.clone());
        asked.spawn(async move {
            let seen = see_server(&questions, server.address).await;
            (server.authority(), seen)
        });
    }
    let mut seen = BTreeMap::new();
    while let Some(done) = asked.join_next().await {
        if let Ok((authority, server)) = done {
            seen.insert(authority, server);
        }
    }
    // Only a question whose task was killed is lost: it must not look like an answer.
    let lost = ServerSeen::silent(&questions, LOST);
    let mut served = Served::default();
    for server in servers {
        let authority = server.authority();
        served.take_in(&authority, seen.get(&authority).unwrap_or(&lost), names);
    }
    served.conclude();
    served
}

impl Served {
    /// Adds the RRsets and aliases that were seen in another zone.
    pub fn add(&mut self, other: Self) {
        self.tlsa.extend(other.tlsa);
        self.aliases.extend(other.aliases);
    }

    /// What follows from all servers together: who is behind, and whether anybody was reached at all.
    pub(super) fn conclude(&mut self) {
        self.findings.extend(stale(&self.serials));
        let said = |ailment: Ailment| move |f: &&Finding| f.ailment == ailment;
        let silent = |authority: &Authority| {
            let silent = self.findings.iter().filter(said(Ailment::Silent));
            silent.into_iter().any(|f| f.authority == *authority)
        };
        let speaks = |(authority, serial): (&Authority, &Seen<u32>)| {
            matches!(serial, Seen::Known(_))
                || !(self.second_hand.contains(authority) || silent(authority))
        };
        if self.second_hand.is_empty() || self.serials.iter().any(speaks) {
            return;
        }
        let second_hand = std::mem::take(&mut self.second_hand);
        self.findings
            .retain(|finding| !second_hand.contains(&finding.authority));
        let reason = "every answer comes without authority (AA is missing), and has the zone: somebody on the way answers in \
                      place of its servers, or these are resolvers";
        let told = |authority: &Authority| Finding {
            authority: authority.clone(),
            ailment: Ailment::Intercepted,
            reason: reason.to_owned(),
        };
        self.findings.extend(second_hand.iter().map(told));
    }

    /// Adds what one server was seen to serve.
    pub(super) fn take_in(&mut self, authority: &Authority, seen: &ServerSeen, names: &[Name]) {
        let finding = |trouble: &Trouble| trouble.at(authority);
        self.findings.extend(seen.troubles.iter().map(finding));
        if seen.is_second_hand {
            self.second_hand.insert(authority.clone());
        }
        self.serials.insert(authority.clone(), seen.serial.clone());
        for name in names {
            let answer = seen.tlsa.get(name).cloned();
            let answer = answer.unwrap_or_else(|| Seen::Unknown(LOST.to_owned()));
            self.note(TlsaName::new(name.to_string()), authority.clone(), answer);
        }
    }

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
pub(super) struct ServerSeen {
    serial: Seen<u32>,
    tlsa: BTreeMap<Name, Seen<Answer>>,
    /// The addresses of each host.
    pub(super) addresses: BTreeMap<Name, Seen<Addresses>>,
    /// Who serves the zone, as it says.
    pub(super) listed: Listed,
    /// Whether it knows the zone and does not speak for it.
    is_second_hand: bool,
    troubles: Vec<Trouble>,
}

impl ServerSeen {
    /// Of one that said nothing, and why.
    pub(super) fn silent(questions: &Questions, why: &str) -> Self {
        let serial = Seen::Unknown(why.to_owned());
        everything_unknown(
            questions,
            serial,
            vec![],
            &Trouble::new(Ailment::Silent, why),
        )
    }
}

fn everything_unknown(
    questions: &Questions,
    serial: Seen<u32>,
    mut troubles: Vec<Trouble>,
    why: &Trouble,
) -> ServerSeen {
    troubles.push(why.clone());
    let reason = || why.reason.clone();
    let names = questions.names.iter().cloned();
    let hosts = questions.hosts.iter().cloned();
    ServerSeen {
        serial,
        tlsa: names.map(|name| (name, Seen::Unknown(reason()))).collect(),
        addresses: hosts.map(|host| (host, Seen::Unknown(reason()))).collect(),
        listed: Listed {
            missing: Some(reason()),
            ..Listed::default()
        },
        is_second_hand: false,
        troubles,
    }
}

/// Asks one server everything, when it is its turn.
pub(super) async fn see_server(questions: &Arc<Questions>, address: SocketAddr) -> ServerSeen {
    let _turn = questions.limits.turns.take().await;
    let line = Line {
        address,
        deadline: Tick::now().checked_add(questions.limits.server),
        limits: questions.limits.clone(),
    };
    let apex = &questions.apex;
    let (soa, dnskey) = tokio::join!(line.both(apex, Rtype::SOA), line.both(apex, Rtype::DNSKEY));
    let mut troubles = Vec::new();
    let serial = soa.agree(
        |reply| proof::serial(reply, apex),
        |a, b| (a == b).then_some(*a),
    );
    let serial = seen(serial, &mut troubles);
    let has_zone = |reply: &Reply| proof::rrset(&reply.answers, apex, Rtype::SOA).is_some();
    let is_second_hand = soa.is_second_hand(has_zone);
    // The set of keys, or why there is none: what follows from it is the same for each name.
    let keys = dnskey.agree(
        |reply| proof::keys(reply, apex, &questions.trust, questions.now),
        proof::Keys::one_of_both,
    );
    let keys = match keys {
        Ok(keys) => Arc::new(keys),
        Err(why) => {
            let unknown = everything_unknown(questions, serial, troubles, &why);
            return ServerSeen {
                is_second_hand,
                ..unknown
            };
        }
    };
    let judge = proof::Judge {
        apex,
        keys: &keys,
        at: questions.now,
    };
    let listed = async {
        if questions.who_serves {
            listing::listed(&line, judge).await
        } else {
            Listed::default()
        }
    };
    let (on_line, of_keys) = (&line, judge);
    let of_host = |host: &Name| {
        let host = host.clone();
        async move {
            let found = listing::of_host(on_line, &host, of_keys).await;
            (host, found.map_or_else(Seen::Unknown, Seen::Known))
        }
    };
    let hosts = side_by_side(&questions.hosts, questions.limits.questions, of_host);
    let (tlsa, listed, hosts) = tokio::join!(tlsa(questions, &keys, &line), listed, hosts);
    let (tlsa, more) = tlsa;
    troubles.extend(more);
    ServerSeen {
        serial,
        tlsa,
        addresses: hosts.into_iter().collect(),
        listed,
        is_second_hand,
        troubles,
    }
}

/// What stands at each TLSA name.
async fn tlsa(
    questions: &Arc<Questions>,
    keys: &Arc<proof::Keys>,
    line: &Line,
) -> (BTreeMap<Name, Seen<Answer>>, Vec<Trouble>) {
    let turns = Turns::new(questions.limits.questions);
    let mut asked = JoinSet::new();
    for name in questions.names.clone() {
        let (questions, keys) = (Arc::clone(questions), Arc::clone(keys));
        let (turns, line) = (turns.clone(), line.clone());
        asked.spawn(async move {
            let _turn = turns.take().await;
            let answers = line.both(&name, Rtype::TLSA).await;
            let judge = proof::Judge {
                apex: &questions.apex,
                keys: &keys,
                at: questions.now,
            };
            let judge = |reply: &Reply| proof::tlsa(reply, &name, judge);
            let mut troubles = Vec::new();
            let answer = match answers.agree(judge, Answer::one_of_both) {
                Err(trouble) => Err(tlsa_alone(&line, &name, trouble).await),
                known => known,
            };
            let rrset = seen(answer, &mut troubles);
            (name, rrset, troubles)
        });
    }
    let (mut tlsa, mut troubles) = (BTreeMap::new(), Vec::new());
    while let Some(done) = asked.join_next().await {
        if let Ok((name, rrset, more)) = done {
            tlsa.insert(name, rrset);
            troubles.extend(more);
        }
    }
    (tlsa, troubles)
}

/// The control question: who answers for another type at the same name drops or refuses TLSA alone.
async fn tlsa_alone(line: &Line, name: &Name, trouble: Trouble) -> Trouble {
    if !matches!(trouble.ailment, Ailment::Silent | Ailment::Lame) {
        return trouble;
    }
    let control = line.one(name, Rtype::A).await;
    match control {
        Ok(reply) if proof::speaks_for_the_zone(&reply).is_ok() => Trouble::new(
            Ailment::NoTlsa,
            format!(
                "it answers for A at {name}, and not for TLSA: {}",
                trouble.reason
            ),
        ),
        _ => trouble,
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
