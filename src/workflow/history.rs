//! What git remembers of a zone: the TTLs, name servers and addresses of versions that caches may still hold. A TTL that was
//! lowered counts until the larger one has run out of every cache (RFC 7671 §8.1, RFC 7583 §3.2.1), and so long is asked and
//! connected to who left (RFC 2181 §5.4.1).

use super::WorkflowError;
use super::head::{self, Head, Heads};
use super::surroundings::ttl_at;
use super::upstream::Upstream;
use crate::observe::addresses::{AuthorityAddress, in_zone};
use crate::observe::listing::Listing;
use crate::publish::git::{Repository, Version};
use crate::rotation::observation::Authority;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Versions listed and read, at most: more than a zone has that changes every hour of a week.
const MOST_VERSIONS: usize = 200;

/// From the date of a commit to the last server that serves it. What takes longer is seen on the servers themselves.
pub(super) const UNTIL_SERVED: Span = Span::hours(24);

/// Caches keep nothing longer without being told to (RFC 8767 §4 recommends this cap), so no older version is asked for a
/// TTL larger than any seen.
const LONGEST_CACHED: Span = Span::days(7);

/// What is looked for in the versions of a zone.
pub(super) struct Wanted<'a> {
    /// Names that TLSA RRsets, or aliases that lead to one, lie at.
    pub(super) owners: Vec<Name>,
    /// The hosts in it.
    pub(super) hosts: Vec<(&'a str, Name)>,
    /// How far back every version should be known.
    pub(super) back: Span,
}

/// What is remembered of a zone.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Since when every version of it is known; none where nothing remembers.
    pub(super) since: Option<Instant>,
    /// By owner: the largest TTL under which caches may hold a version of its RRset, alias or absence.
    pub(super) ttls: BTreeMap<Name, Ttl>,
    /// Name servers that the zone has no more: until when a cache may lead to each.
    pub(super) servers: BTreeMap<Authority, Instant>,
    /// By host: addresses that it has no more, and until when a cache may lead to each.
    pub(super) addresses: BTreeMap<String, BTreeMap<String, Instant>>,
}

impl Past {
    /// Whether every version is known for as long as `back`.
    pub(super) fn reaches(&self, back: Span, now: Instant) -> bool {
        self.since.is_some_and(|since| since + back <= now)
    }
}

/// What the history of a zone tells; nothing where there is none. What went wrong with it is noted.
pub(super) fn past(
    heads: &mut Heads<'_>,
    zone: &ZoneConfig,
    head: &Head,
    wanted: &Wanted<'_>,
    now: Instant,
    notes: &mut Vec<String>,
) -> Past {
    // Only git remembers what a zone held before.
    if zone.publication == Publication::File || zone.publication.is_elsewhere() {
        return Past::default();
    }
    let upstream = heads.upstream(zone);
    let walk = Walk {
        workspace: heads.workspace,
        zone,
        head,
        servers: leading_to(&head.content),
        wanted,
        now,
    };
    let past = upstream.and_then(|upstream| walk.past(&upstream, notes));
    past.unwrap_or_else(|why| {
        notes.push(format!(
            "the history of {} cannot be read, nothing is known of what it held before: {why}",
            zone.name
        ));
        Past::default()
    })
}

/// The servers that a zone refers resolvers to, each with the largest TTL of the records that lead to it. One that has no
/// address in the zone goes by its name alone.
pub(super) fn leading_to(content: &Zone) -> BTreeMap<Authority, Ttl> {
    let mut servers: BTreeMap<Authority, Ttl> = BTreeMap::new();
    let ns = content.rrset(&content.apex, Rtype::NS);
    for rdata in ns.into_iter().flat_map(|ns| &ns.rdatas) {
        let Ok((server, _)) = Name::split_wire(&rdata.0) else {
            continue;
        };
        let leads = ns.map_or(Ttl(0), |ns| ns.ttl);
        let found = in_zone(content, &server);
        if found.is_empty() {
            servers.insert(Authority(server.to_string()), leads);
        }
        for ip in found {
            let ttl = leads.max(address_ttl(content, &server, ip));
            let one = AuthorityAddress {
                server: Some(server.clone()),
                address: SocketAddr::new(ip, 53),
            };
            servers.insert(one.authority(), ttl);
        }
    }
    servers
}

/// The same of what the parent says: its glue, and the names of those without.
pub(super) fn led_to_by(listing: &Listing) -> BTreeMap<Authority, Ttl> {
    let mut servers = BTreeMap::new();
    for (server, leads) in &listing.servers {
        let placed = listing.addresses.get(server).into_iter().flatten();
        let placed = placed.map(|(ip, ttl)| {
            let one = AuthorityAddress {
                server: Some(server.clone()),
                address: SocketAddr::new(*ip, 53),
            };
            (one.authority(), (*ttl).max(*leads))
        });
        let before = servers.len();
        servers.extend(placed);
        if servers.len() == before {
            servers.insert(Authority(server.to_string()), *leads);
        }
    }
    servers
}

fn address_ttl(content: &Zone, host: &Name, ip: IpAddr) -> Ttl {
    let rtype = if ip.is_ipv4() { Rtype::A } else { Rtype::AAAA };
    content.rrset(host, rtype).map_or(Ttl(0), |rrset| rrset.ttl)
}

struct Walk<'a> {
    workspace: &'a Workspace,
    zone: &'a ZoneConfig,
    head: &'a Head,
    /// Who serves the zone as the branch that counts has it.
    servers: BTreeMap<Authority, Ttl>,
    wanted: &'a Wanted<'a>,
    now: Instant,
}

impl Walk<'_> {
    fn past(&self, upstream: &Upstream, notes: &mut Vec<String>) -> Result<Past, WorkflowError> {
        let repository = &upstream.repository;
        let tip = upstream.tip()?;
        let files: Vec<PathBuf> = self
            .head
            .file
            .sources()
            .iter()
            .map(|source| PathBuf::from(&*source.path))
            .collect();
        let mut past = Past::default();
        let mut read = BTreeMap::new();
        for versions in [
            repository.versions(&tip, &files, MOST_VERSIONS)?,
            repository.moves_of(&upstream.branch, upstream.site(), MOST_VERSIONS)?,
        ] {
            let whole = versions.len() < MOST_VERSIONS;
            let ended = self.walk(repository, versions, &mut past, &mut read);
            if !whole && !ended {
                notes.push(format!(
                    "the history of {} was read back over {MOST_VERSIONS} versions only",
                    self.zone.name
                ));
            }
        }
        Ok(past)
    }

    /// Reads versions until even the largest TTL so far lies entirely in the past; whether it came so far. `read` holds the
    /// versions of before, and whether the zone was in git there.
    fn walk(
        &self,
        repository: &Repository,
        versions: Vec<Version>,
        past: &mut Past,
        read: &mut BTreeMap<(String, Option<u64>), bool>,
    ) -> bool {
        let mut largest = LONGEST_CACHED.max(self.wanted.back);
        let mut unbroken = true;
        for version in versions {
            let until = version.until.map(Instant::from_unix);
            let last_served = until.map_or(self.now, |until| until + UNTIL_SERVED);
            if last_served + largest < self.now {
                if unbroken {
                    past.since = past.since.min(until).or(until);
                }
                return true;
            }
            let one = (version.commit.clone(), version.until);
            if let Some(in_git) = read.get(&one) {
                unbroken &= in_git;
                continue;
            }
            let head = head::at_commit(self.workspace, self.zone, repository, &version.commit);
            // Where it was not in git, nobody knows what was served.
            let in_git = !matches!(head, Err(WorkflowError::NotCommitted { .. }));
            unbroken &= in_git;
            read.insert(one, in_git);
            // A version that cannot be read was not served from here either.
            let Ok(head) = head else { continue };
            if unbroken {
                let made = Some(Instant::from_unix(version.made));
                past.since = past.since.min(made).or(made);
            }
            largest = largest.max(self.take_in(&head, last_served, past).span());
        }
        false
    }

    /// Takes in what caches may hold of a version that was served until `last_served`; the largest TTL in it.
    fn take_in(&self, version: &Head, last_served: Instant, past: &mut Past) -> Ttl {
        let mut largest = Ttl(0);
        for owner in &self.wanted.owners {
            let ttl = ttl_at(version, owner);
            largest = largest.max(ttl);
            if last_served + ttl.span() > self.now {
                let mark = past.ttls.entry(owner.clone()).or_default();
                *mark = (*mark).max(ttl);
            }
        }
        for (server, ttl) in leading_to(&version.content) {
            largest = largest.max(ttl);
            let same = |one: &Authority| one.0.eq_ignore_ascii_case(&server.0);
            let until = last_served + ttl.span();
            if until > self.now && !self.servers.keys().any(same) {
                let end = past.servers.entry(server).or_insert(until);
                *end = (*end).max(until);
            }
        }
        for (host, name) in &self.wanted.hosts {
            let present = in_zone(&self.head.content, name);
            for ip in in_zone(&version.content, name) {
                let ttl = address_ttl(&version.content, name, ip);
                largest = largest.max(ttl);
                let until = last_served + ttl.span();
                if until > self.now && !present.contains(&ip) {
                    let of_host = past.addresses.entry((*host).to_owned()).or_default();
                    let end = of_host.entry(ip.to_string()).or_insert(until);
                    *end = (*end).max(until);
                }
            }
        }
        largest
    }
}
