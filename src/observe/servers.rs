//! Every server that a resolver may be referred to for a zone, and what each of them answers (RFC 1034 §4.2.1, §5.3.3).
//!
//! Begun from the zone as it is kept and from what the parent delegates to, every server found is asked who else serves
//! the zone, until nobody new is named. Who has left, and may still be in a cache, is asked as well, and not believed about
//! others: a server that only itself still names would never be gone.

use super::addresses::{Placed, address_in, place};
use super::authorities::{Questions, Served, ServerSeen, see_server};
use super::listing::{Addresses, Listing};
use super::referral::Guide;
use crate::rotation::observation::{Authority, Seen};
use crate::rotation::reach::Reach;
use crate::rotation::timing::Ttl;
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Addresses of servers of one zone that are asked. Who names more has something wrong.
const MOST: usize = 64;

/// What is known of a zone's servers before anybody is asked.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// What the zone lists as it is kept; otherwise why that cannot be read.
    pub kept: Result<Listing, String>,
    /// The addresses that the operator gave for the servers.
    pub configured: Vec<SocketAddr>,
    /// Who was seen before, as far as a cache may still lead there.
    pub earlier: Reach<Authority>,
    /// Whom to ask for addresses of servers in other zones, and for the parent.
    pub guide: Guide,
    /// Whether the parent's delegation is read.
    pub asks_parent: bool,
}

/// The addresses of a host, as its zone's servers gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSeen {
    /// Those that any server gave, each with its largest TTL.
    pub known: Addresses,
    /// Why there may be more.
    pub missing: Option<String>,
}

/// What was seen of a zone's servers in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// What each server serves, those included that have left.
    pub served: Served,
    /// Who may be asked by a resolver now, each with the largest TTL of the records that lead to it.
    pub present: Seen<BTreeMap<Authority, Ttl>>,
    /// The addresses of each host that was asked for.
    pub hosts: BTreeMap<Name, HostSeen>,
    /// What could not be learnt.
    pub notes: Vec<String>,
    /// Why the parent's delegation is not known, where it was asked for.
    pub parent_unknown: Option<String>,
}

/// Finds every server of the zone and asks it everything.
pub async fn see(questions: Questions, beginning: Beginning) -> Circle {
    let questions = Arc::new(Questions {
        who_serves: true,
        ..questions
    });
    let mut gathered = Gathered::of(&beginning);
    let mut asked = BTreeSet::new();
    let mut looks = JoinSet::new();
    if beginning.asks_parent {
        let (guide, apex) = (beginning.guide.clone(), questions.apex.clone());
        looks.spawn(async move { Came::Parent(guide.delegation(&apex).await) });
    }
    loop {
        let circle = gathered.circle(&beginning);
        let places = circle.placed.iter().filter_map(|placed| placed.address);
        let earlier = beginning.earlier.keys().filter_map(address_in);
        for address in places.chain(earlier) {
            if asked.len() < MOST && asked.insert(address) {
                let questions = Arc::clone(&questions);
                looks.spawn(async move {
                    let seen = see_server(&questions, address).await;
                    Came::Server(address, Box::new(seen))
                });
            }
        }
        for server in circle.placed.iter().filter(|p| p.address.is_none()) {
            if let Some(name) = server.server.clone()
                && !gathered.resolved.contains_key(&name)
            {
                let looked_for = Err("it was not looked for to the end".to_owned());
                gathered.resolved.insert(name.clone(), looked_for);
                let guide = beginning.guide.clone();
                looks.spawn(async move {
                    let found = guide.addresses(&name).await;
                    Came::Addresses(name, found)
                });
            }
        }
        match looks.join_next().await {
            None => return gathered.told(&questions, &beginning, &circle),
            Some(Ok(came)) => gathered.take_in(came),
            // Its answer is missing, and counts as none.
            Some(Err(_killed)) => {}
        }
    }
}

enum Came {
    Parent(Result<Listing, String>),
    Server(SocketAddr, Box<ServerSeen>),
    Addresses(Name, Result<Addresses, String>),
}

/// What came so far.
struct Gathered {
    /// What is known without the servers themselves.
    base: Listing,
    parent_unknown: Option<String>,
    answers: BTreeMap<SocketAddr, Box<ServerSeen>>,
    resolved: BTreeMap<Name, Result<Addresses, String>>,
}

/// Who serves the zone, by what came so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    placed: Vec<Placed>,
    /// Whether somebody who may name others was not heard.
    is_open: bool,
}

impl Gathered {
    fn of(beginning: &Beginning) -> Self {
        Self {
            base: beginning.kept.clone().unwrap_or_default(),
            parent_unknown: None,
            answers: BTreeMap::new(),
            resolved: BTreeMap::new(),
        }
    }

    fn take_in(&mut self, came: Came) {
        match came {
            Came::Parent(Ok(listing)) => self.base.add(&listing),
            Came::Parent(Err(why)) => self.parent_unknown = Some(why),
            Came::Server(address, seen) => drop(self.answers.insert(address, seen)),
            Came::Addresses(name, found) => {
                for (address, ttl) in found.iter().flatten() {
                    self.base.place(&name, *address, *ttl);
                }
                self.resolved.insert(name, found);
            }
        }
    }

    fn circle(&self, beginning: &Beginning) -> Found {
        let listed = |address: &SocketAddr| self.answers.get(address).map(|seen| &seen.listed);
        let listed = |address: &SocketAddr| {
            listed(address).map(|listed| (&listed.listing, listed.missing.is_none()))
        };
        circle(beginning, &self.base, listed)
    }

    /// Everything, when nothing more comes.
    fn told(mut self, questions: &Arc<Questions>, beginning: &Beginning, circle: &Found) -> Circle {
        let parent_unknown = self.parent_unknown.take();
        let mut told = Circle {
            served: Served::default(),
            present: present(questions, circle),
            hosts: BTreeMap::new(),
            notes: Vec::new(),
            parent_unknown,
        };
        let placed = circle.placed.iter().map(|p| (p.authority(), p.address));
        let earlier = beginning.earlier.keys();
        let earlier = earlier.map(|authority| (authority.clone(), address_in(authority)));
        let servers: BTreeMap<Authority, Option<SocketAddr>> = earlier.chain(placed).collect();
        for (authority, address) in servers {
            let seen = address.and_then(|address| self.answers.get(&address));
            let unknown;
            let seen = if let Some(seen) = seen {
                seen
            } else {
                unknown = self.nobody(questions, &authority, address);
                &unknown
            };
            told.served.take_in(&authority, seen, &questions.names);
            for (host, found) in &seen.addresses {
                told.hosts
                    .entry(host.clone())
                    .or_default()
                    .add(&authority, found);
            }
        }
        told.served.conclude();
        told
    }

    /// A server that was not asked, and why.
    fn nobody(
        &self,
        questions: &Questions,
        authority: &Authority,
        address: Option<SocketAddr>,
    ) -> Box<ServerSeen> {
        let named =
            |(name, _): &(&Name, &Result<Addresses, String>)| authority.0 == name.to_string();
        let why = match (address, self.resolved.iter().find(named)) {
            (Some(_), _) => format!("more than {MOST} addresses of servers: it was not asked"),
            (None, Some((_, Err(why)))) => format!(
                "no address of it is known ({why}); set `servers` of the zone, every address of every server"
            ),
            (None, _) => "no address of it is known".to_owned(),
        };
        Box::new(ServerSeen::silent(questions, &why))
    }
}

impl HostSeen {
    /// Adds addresses that somebody gave.
    pub fn add_known(&mut self, found: &Addresses) {
        for (address, ttl) in found {
            let known = self.known.entry(*address).or_default();
            *known = (*ttl).max(*known);
        }
    }

    fn add(&mut self, authority: &Authority, found: &Seen<Addresses>) {
        match found {
            Seen::Known(found) => self.add_known(found),
            Seen::Unknown(why) => {
                let first = || format!("{authority} did not tell: {why}");
                self.missing.get_or_insert_with(first);
            }
        }
    }
}

/// Who may be asked now; unknown where there is nobody at all.
fn present(questions: &Questions, circle: &Found) -> Seen<BTreeMap<Authority, Ttl>> {
    let mut present: BTreeMap<Authority, Ttl> = BTreeMap::new();
    for placed in &circle.placed {
        let ttl = present.entry(placed.authority()).or_default();
        *ttl = placed.ttl.max(*ttl);
    }
    if present.is_empty() {
        return Seen::Unknown(format!("no server of {} is known", questions.apex));
    }
    Seen::Known(present)
}

/// Who serves the zone, by what is known without the servers (`base`), and by what each says who serves it too. `listed`
/// gives what a server lists, and whether that is all; nothing of one that was not heard.
fn circle<'a>(
    beginning: &Beginning,
    base: &Listing,
    listed: impl Fn(&SocketAddr) -> Option<(&'a Listing, bool)>,
) -> Found {
    let mut all = base.clone();
    let mut heard = BTreeSet::new();
    let mut found;
    loop {
        found = Found {
            placed: at_earlier_addresses(place(&all, &beginning.configured).placed, beginning),
            is_open: beginning.kept.is_err(),
        };
        let mut grew = false;
        for address in found.placed.iter().filter_map(|placed| placed.address) {
            let said = listed(&address);
            found.is_open |= !matches!(said, Some((_, true)));
            if let Some((listing, _)) = said
                && heard.insert(address)
            {
                all.add(listing);
                grew = true;
            }
        }
        if !grew {
            break;
        }
    }
    if found.is_open {
        stay(&mut found.placed, beginning);
    }
    found
}

/// A server whose addresses are not known now is asked where it was before.
fn at_earlier_addresses(placed: Vec<Placed>, beginning: &Beginning) -> Vec<Placed> {
    let mut all = Vec::with_capacity(placed.len());
    for one in placed {
        let before: Vec<Placed> = match (&one.server, one.address) {
            (Some(server), None) => {
                let of_it = |(authority, _): &(&Authority, _)| {
                    let name = authority.0.split(' ').next();
                    name == Some(&*server.to_string())
                };
                let earlier = beginning.earlier.iter().filter(of_it);
                let again = earlier.filter_map(|(authority, known)| {
                    Some(Placed {
                        address: Some(address_in(authority)?),
                        ttl: one.ttl.max(known.ttl),
                        ..one.clone()
                    })
                });
                again.collect()
            }
            _ => Vec::new(),
        };
        if before.is_empty() {
            all.push(one);
        } else {
            all.extend(before);
        }
    }
    all
}

/// While somebody who may name others is not heard, nobody is known to have left.
fn stay(placed: &mut Vec<Placed>, beginning: &Beginning) {
    let there: BTreeSet<Authority> = placed.iter().map(Placed::authority).collect();
    for (authority, known) in &beginning.earlier {
        let is_present = known.until.is_none() && !there.contains(authority);
        let server = authority.0.split(' ').next();
        let server = server.and_then(|name| Name::parse(name.as_bytes(), None).ok());
        let again = Placed {
            server,
            address: address_in(authority),
            ttl: known.ttl,
        };
        // One that is named otherwise cannot be told to be the same.
        if is_present && again.authority() == *authority {
            placed.push(again);
        }
    }
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
