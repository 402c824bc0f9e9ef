//! Recursive resolvers as a source of answers that nobody has to trust: which are asked, in which order, how many
//! questions at once (RFC 1034 §5.3.1, resolv.conf(5)).

use super::chain::Source;
use super::dns::{self, Reply, Silence, rcode_name};
use super::extended_error::Explanation;
use crate::files::read;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant as Tick, sleep, timeout};

/// The servers of a resolv.conf that are looked at, as the C library does.
const SERVERS: usize = 3;
const SERVFAIL: u16 = 2;
/// Where the system says which resolvers it uses.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How often every server is asked: an error may be over in a moment, and a validating sender's own resolver library asks
/// again, too.
const ROUNDS: u32 = 2;
/// The second round begins so long after the first: a resolver that has failed answers from memory for a second at least
/// (RFC 9520 §3.2), Unbound for five, which it counts in whole seconds.
const REST: Duration = Duration::from_millis(6_200);

/// Resolvers, asked one after the other until one has an answer.
#[derive(Debug)]
pub struct Resolvers {
    servers: Vec<SocketAddr>,
    patience: Duration,
    free: Semaphore,
}

impl Resolvers {
    /// These servers, in this order, each given `patience` for one question in each of two rounds, at most `at_once`
    /// questions under way. Both rounds together take no longer than one of all servers does at most, or twice `patience`
    /// if there is one server.
    pub fn new(servers: Vec<SocketAddr>, patience: Duration, at_once: usize) -> Self {
        Self {
            servers,
            patience,
            free: Semaphore::new(at_once.max(1)),
        }
    }

    /// How long one question may take, the time in which it waits for its turn aside.
    fn whole(&self) -> Duration {
        let servers = u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        self.patience.saturating_mul(servers.max(ROUNDS))
    }

    /// Asks every server that may answer better than it did; the first answer.
    async fn round(
        &self,
        words: &mut [Word],
        (name, rtype): (&Name, Rtype),
        began: Tick,
        whole: Duration,
    ) -> Option<Result<Reply, String>> {
        for (server, word) in self.servers.iter().zip(words) {
            if !word.may_change() {
                continue;
            }
            let left = whole.saturating_sub(began.elapsed());
            let patience = self.patience.min(left);
            let asked = dns::ask_resolver(*server, name, rtype, patience);
            match timeout(left, asked).await {
                Ok(Ok(reply)) if matches!(reply.rcode, 0 | 3) => return Some(Ok(reply)),
                Ok(Ok(reply)) => word.answered(reply),
                Ok(Err(Silence::Unaskable(why))) => return Some(Err(why)),
                Ok(Err(silence)) => word.was_silent(silence),
                Err(_elapsed) => word.was_silent(Silence::TimedOut(patience)),
            }
        }
        None
    }
}

/// How long to wait before the second round, of the time that is left: who was merely silent has been given time enough.
fn rest_of(words: &[Word], left: Duration) -> Duration {
    let silent = |word: &Word| matches!(word, Word::Silent(Silence::TimedOut(_)));
    if words.iter().all(silent) {
        return Duration::ZERO;
    }
    let quarter = left.checked_div(4).unwrap_or_default();
    REST.min(left.saturating_sub(quarter))
}

/// What one server came to so far.
enum Word {
    NotAsked,
    Silent(Silence),
    Refused(Reply),
}

impl Word {
    /// Whether it may be another the next time. A verdict stays one: the resolver has looked at the data.
    fn may_change(&self) -> bool {
        match self {
            Self::NotAsked | Self::Silent(_) => true,
            Self::Refused(reply) => {
                let verdict = reply
                    .explanation
                    .as_ref()
                    .is_some_and(Explanation::is_verdict);
                reply.rcode == SERVFAIL && !verdict
            }
        }
    }

    /// What explains more stays: an error from memory seldom says what it was.
    fn answered(&mut self, reply: Reply) {
        let explained = matches!(self, Self::Refused(before) if before.explanation.is_some());
        if !explained
            || reply
                .explanation
                .as_ref()
                .is_some_and(Explanation::is_verdict)
        {
            *self = Self::Refused(reply);
        }
    }

    /// One that did answer said more than silence does, and an error more than that nothing came.
    fn was_silent(&mut self, silence: Silence) {
        let says_more = !matches!(silence, Silence::TimedOut(_));
        match self {
            Self::Silent(_) if says_more => *self = Self::Silent(silence),
            Self::NotAsked => *self = Self::Silent(silence),
            Self::Silent(_) | Self::Refused(_) => {}
        }
    }
}

impl Source for Resolvers {
    /// The first answer; a server that is silent or answers neither NOERROR nor NXDOMAIN leaves the word to the next. If
    /// none has an answer, those whose error may be over in a moment are asked once more.
    async fn ask(&self, name: &Name, rtype: Rtype) -> Result<Reply, String> {
        let mut words: Vec<Word> = self.servers.iter().map(|_| Word::NotAsked).collect();
        let mut left = self.whole();
        for round in 1..=ROUNDS {
            // The semaphore is never closed; a permit it cannot give bounds nothing worse.
            let permit = self.free.acquire().await;
            let began = Tick::now();
            if let Some(done) = self.round(&mut words, (name, rtype), began, left).await {
                return done;
            }
            // Others may ask meanwhile.
            drop(permit);
            if round == ROUNDS || !words.iter().any(Word::may_change) {
                break;
            }
            left = left.saturating_sub(began.elapsed());
            let rest = rest_of(&words, left);
            sleep(rest).await;
            left = left.saturating_sub(rest);
        }
        last_word(&self.servers, words)
    }
}

/// What is to be said where no server has an answer: what the only one says, or why each of them has none.
fn last_word(servers: &[SocketAddr], mut words: Vec<Word>) -> Result<Reply, String> {
    let told = |(server, word): (&SocketAddr, &Word)| match word {
        Word::NotAsked => format!("{server}: not asked in time"),
        Word::Silent(silence) => format!("{server}: {silence}"),
        Word::Refused(reply) => format!("{server} answers {}", rcode_name(reply.rcode)),
    };
    let failures: Vec<String> = servers.iter().zip(&words).map(told).collect();
    match words.pop() {
        None => Err("no resolver is known".to_owned()),
        Some(Word::Refused(reply)) if words.is_empty() => Ok(reply),
        Some(_) => Err(failures.join("; ")),
    }
}

/// The system's resolvers; otherwise why it has none.
pub fn of_system() -> Result<Vec<SocketAddr>, String> {
    let text = read::read_text(Path::new(RESOLV_CONF), read::LIST)
        .map_err(|e| format!("{RESOLV_CONF}: {e}"))?;
    let servers = servers_of(&text);
    if servers.is_empty() {
        return Err(format!("{RESOLV_CONF} names no resolver"));
    }
    Ok(servers)
}

/// The servers that a resolv.conf names, on port 53. Lines that cannot be read are passed over, as the C library does.
pub fn servers_of(resolv_conf: &str) -> Vec<SocketAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == "nameserver").then_some(())?;
            let address: IpAddr = words.next()?.parse().ok()?;
            Some(SocketAddr::new(address, 53))
        })
        .take(SERVERS)
        .collect()
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
