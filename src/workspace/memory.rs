//! What runs saw a zone to hold, and until when: the TTLs of its TLSA RRsets, its name servers, the addresses of its hosts.
//! Caches may hold it for its TTL after it has left (RFC 1035 §3.2.1, RFC 2181 §5.4.1), and only git remembers it elsewhere.
//!
//! One small JSON file for each zone in the state directory. It is written when something has changed, and once an hour, so
//! that a time in which nothing ran shows. Whoever loses it loses knowledge, never safety: what nobody knows is assumed.

use super::durable::{Operation, WriteError};
use super::inside;
use crate::files::read;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::zone::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;

/// Between two notes of the same.
pub const REFRESHED: Span = Span::hours(1);

/// The longest time between two notes of which it is taken that nothing came and left again within it: a run a day, and what
/// [`REFRESHED`] adds. After a longer one the memory begins anew; what it held before is kept until its TTL is over.
pub const LONGEST_GAP: Span = Span::hours(25);

/// What a zone holds at one time, each with its TTL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// By owner name: the TLSA RRset there, an alias, or the absence of both.
    pub ttls: BTreeMap<String, Ttl>,
    /// By name server and address.
    pub servers: BTreeMap<String, Ttl>,
    /// By host and address.
    pub addresses: BTreeMap<(String, String), Ttl>,
    /// What was learnt of the parent's delegation in this run.
    pub parent: Parent,
}

/// Whether it is known to whom the parent of a zone delegates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// Nobody asked it: the servers of before are not known to have left.
    Unasked,
    /// It was read: its servers are among those held.
    Read,
    /// It does not count.
    #[default]
    Aside,
}

/// What is remembered of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Since when runs have looked at it without a long gap.
    since: Instant,
    /// When it was noted last.
    last: Instant,
    ttls: Known<String>,
    servers: Known<String>,
    addresses: Known<(String, String)>,
    /// The parent's delegation was read at some time.
    parent_was_read: bool,
}

type Known<K> = BTreeMap<K, Times>;

/// One name, server or address through time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    /// Since when each note has it.
    since: Instant,
    values: Vec<Value>,
}

/// One TTL of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    ttl: Ttl,
    /// The first note without it; none as long as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Instant>,
}

impl Value {
    /// Until when a cache may hold it, where the servers follow within `lag`.
    fn cached_until(&self, now: Instant, lag: Span) -> Instant {
        self.gone.unwrap_or(now) + lag + self.ttl.span()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    since: Instant,
    last: Instant,
    ttls: Known<String>,
    servers: Known<String>,
    /// By host, then by address.
    addresses: BTreeMap<String, Known<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    parent_was_read: bool,
}

/// Where it is kept, below the state directory.
pub fn path(state: &Path, zone: &Name) -> PathBuf {
    state.join("seen").join(zone.to_string())
}

impl Memory {
    /// One that begins now and holds nothing yet.
    pub fn beginning(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            ttls: Known::new(),
            servers: Known::new(),
            addresses: Known::new(),
            parent_was_read: false,
        }
    }

    /// Reads it; `None` if nothing was noted yet.
    pub fn read(state: &Path, zone: &Name) -> io::Result<Option<Self>> {
        let text = match read::read_text_unlinked(&path(state, zone), read::STATE) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let damaged = |_| io::Error::new(ErrorKind::InvalidData, "it is damaged");
        let text: Text = serde_json::from_str(&text).map_err(damaged)?;
        if text.version != VERSION {
            let other = format!(
                "it has the form {}, this program knows {VERSION}",
                text.version
            );
            return Err(io::Error::new(ErrorKind::InvalidData, other));
        }
        let addresses = text.addresses.into_iter().flat_map(|(host, known)| {
            let of_host = known.into_iter();
            of_host.map(move |(address, times)| ((host.clone(), address), times))
        });
        Ok(Some(Self {
            since: text.since,
            last: text.last,
            ttls: text.ttls,
            servers: text.servers,
            addresses: addresses.collect(),
            parent_was_read: text.parent_was_read,
        }))
    }

    /// Writes it.
    pub fn write(self, state: &Path, zone: &Name) -> Result<(), WriteError> {
        let path = path(state, zone);
        if let Some(directory) = path.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let mut addresses: BTreeMap<String, Known<String>> = BTreeMap::new();
        for ((host, address), times) in self.addresses {
            addresses.entry(host).or_default().insert(address, times);
        }
        let text = Text {
            version: VERSION,
            since: self.since,
            last: self.last,
            ttls: self.ttls,
            servers: self.servers,
            addresses,
            parent_was_read: self.parent_was_read,
        };
        let mut text = serde_json::to_string(&text).map_err(|e| WriteError {
            operation: Operation::Replace,
            path: path.clone(),
            source: e.into(),
        })?;
        text.push('\n');
        inside::replace(&path, text.as_bytes()).map(|_| ())
    }

    /// Takes in what the zone holds now; whether that is to be written. What no cache can hold any more is forgotten, where
    /// the servers follow within `lag`. A present before the last note says nothing: it is a rehearsal, or a clock behind.
    pub fn take_in(&mut self, held: &Held, now: Instant, lag: Span) -> bool {
        if now < self.last {
            return false;
        }
        let is_broken = now.since(self.last) > LONGEST_GAP;
        if is_broken {
            self.since = now;
        }
        let mut servers = held.servers.clone();
        if held.parent == Parent::Unasked {
            for (server, times) in &self.servers {
                if let Some(there) = times.values.iter().find(|value| value.gone.is_none()) {
                    servers.entry(server.clone()).or_insert(there.ttl);
                }
            }
        }
        let is_read_first = held.parent == Parent::Read && !self.parent_was_read;
        self.parent_was_read |= is_read_first;
        // Each of them, whatever the one before says.
        let changed = is_read_first
            | follow(&mut self.ttls, &held.ttls, now, lag)
            | follow(&mut self.servers, &servers, now, lag)
            | follow(&mut self.addresses, &held.addresses, now, lag);
        let is_due = is_broken || changed || now.since(self.last) >= REFRESHED;
        if is_due {
            self.last = now;
        }
        is_due
    }

    /// Takes back what was noted by a clock that was ahead; whether anything was. What was seen then is taken to have been seen
    /// now, so that it is kept in mind for longer, never for less.
    pub fn bring_back_to(&mut self, now: Instant) -> bool {
        let before = self.clone();
        self.since = self.since.min(now);
        self.last = self.last.min(now);
        let addresses = self.addresses.values_mut();
        let names = self.ttls.values_mut().chain(self.servers.values_mut());
        for times in names.chain(addresses) {
            times.since = times.since.min(now);
            for value in &mut times.values {
                value.gone = value.gone.map(|gone| gone.min(now));
            }
        }
        *self != before
    }

    /// Whether the parent's delegation was ever read: that it cannot be read now is silence then, and no yes.
    pub fn parent_was_read(&self) -> bool {
        self.parent_was_read
    }

    /// Since when it knows who serves the zone.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// When it was noted last.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Since when it knows what was at an owner name; `None` if never.
    pub fn since_of(&self, owner: &str) -> Option<Instant> {
        let times = self.ttls.get(owner)?;
        Some(times.since.max(self.since))
    }

    /// The largest TTL under which caches may hold what was at an owner name; zero where nothing is known.
    pub fn ttl_of(&self, owner: &str, now: Instant, lag: Span) -> Ttl {
        let values = self.ttls.get(owner).into_iter();
        let cached = values
            .flat_map(|times| &times.values)
            .filter(|value| value.cached_until(now, lag) > now);
        cached.map(|value| value.ttl).max().unwrap_or_default()
    }

    /// The name servers that have left, each until when a cache may lead to it.
    pub fn servers_left(&self, now: Instant, lag: Span) -> BTreeMap<&str, Instant> {
        let left = left(&self.servers, now, lag);
        left.map(|(server, until)| (server.as_str(), until))
            .collect()
    }

    /// The addresses that a host has no more, each until when a cache may lead to it.
    pub fn addresses_left<'m>(
        &'m self,
        host: &'m str,
        now: Instant,
        lag: Span,
    ) -> impl Iterator<Item = (&'m str, Instant)> {
        let left = left(&self.addresses, now, lag);
        let of_host = left.filter(move |((of, _), _)| of == host);
        of_host.map(|((_, address), until)| (address.as_str(), until))
    }
}

/// Notes what has come and what has left; whether anything has.
fn follow<K: Ord + Clone>(
    known: &mut Known<K>,
    held: &BTreeMap<K, Ttl>,
    now: Instant,
    lag: Span,
) -> bool {
    let mut changed = false;
    for (key, times) in known.iter_mut() {
        let present = held.get(key);
        for value in &mut times.values {
            if value.gone.is_none() && present != Some(&value.ttl) {
                value.gone = Some(now);
                changed = true;
            }
        }
    }
    for (key, ttl) in held {
        let times = known.entry(key.clone()).or_insert_with(|| Times {
            since: now,
            values: Vec::new(),
        });
        if times.values.iter().any(|value| value.gone.is_none()) {
            continue;
        }
        // Where the last note had none of it, nothing is known of the time between.
        if !times.values.iter().any(|value| value.gone == Some(now)) {
            times.since = now;
        }
        times.values.retain(|value| value.ttl != *ttl);
        times.values.push(Value {
            ttl: *ttl,
            gone: None,
        });
        changed = true;
    }
    for times in known.values_mut() {
        let values = &mut times.values;
        values.retain(|value| value.gone.is_none() || value.cached_until(now, lag) > now);
    }
    let before = known.len();
    known.retain(|_, times| !times.values.is_empty());
    changed || known.len() != before
}

fn left<K: Ord>(known: &Known<K>, now: Instant, lag: Span) -> impl Iterator<Item = (&K, Instant)> {
    known.iter().filter_map(move |(key, times)| {
        let is_there = times.values.iter().any(|value| value.gone.is_none());
        let until = times
            .values
            .iter()
            .map(|v| v.cached_until(now, lag))
            .max()?;
        (!is_there && until > now).then_some((key, until))
    })
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
