//! What the servers of one zone are asked for rotations, and what came of it: TLSA RRsets, addresses of hosts, and who
//! serves the zone.
//!
//! Nothing here fails: what could not be asked is `Unknown` with its reason.

use super::look::trust;
use crate::observe::ailment::{Ailment, Finding};
use crate::observe::authorities::{Limits, Questions, Served};
use crate::observe::listing::{self, Addresses, Listing};
use crate::observe::referral::Guide;
use crate::observe::servers::{self, Beginning, HostSeen};
use crate::rotation::observation::{Authority, Seen, TlsaName, ZoneName};
use crate::rotation::reach::Reach;
use crate::rotation::step::Rotation;
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::config::ZoneConfig;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use std::collections::BTreeMap;

/// What the servers of a zone are asked.
pub(super) struct Question<'w> {
    pub(super) zone: &'w ZoneConfig,
    /// Who serves it, as it is kept; otherwise why that cannot be read.
    pub(super) kept: Result<Listing, String>,
    pub(super) names: BTreeMap<TlsaName, Name>,
    /// Each host in it, with its addresses as the zone is kept.
    pub(super) hosts: BTreeMap<String, (Name, Addresses)>,
    /// Who served it before, as far as a cache may still lead there.
    pub(super) earlier: Reach<Authority>,
    /// Who tells what the zone does not.
    pub(super) guide: Guide,
    /// An earlier run could read the parent's delegation.
    pub(super) parent_was_read: bool,
}

/// The SOA serial of each zone at each address of its servers.
pub(super) type Serials = BTreeMap<ZoneName, BTreeMap<Authority, Seen<u32>>>;

/// What was seen of several zones.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) served: Served,
    pub(super) servers: BTreeMap<ZoneName, Seen<BTreeMap<Authority, Ttl>>>,
    pub(super) hosts: BTreeMap<String, HostSeen>,
    pub(super) serials: Serials,
    /// The zones that every server refuses or refers away, with what the first of them answers.
    pub(super) denied: BTreeMap<ZoneName, String>,
    pub(super) notes: Vec<String>,
}

/// A zone as the machine knows it.
pub(super) fn zone_name(zone: &ZoneConfig) -> ZoneName {
    ZoneName::new(zone.name.to_string())
}

/// The servers that a rotation knows of a zone, and that some cache may still lead to.
pub(super) fn earlier(rotation: &Rotation, zone: &ZoneConfig, now: Instant) -> Reach<Authority> {
    let known = rotation.servers.get(&zone_name(zone)).into_iter().flatten();
    known
        .filter(|(_, reachable)| reachable.is_there(now))
        .map(|(authority, reachable)| (authority.clone(), *reachable))
        .collect()
}

/// Whether the parent's delegation counts: not where the operator has said who serves the zone, and named no resolver.
pub(super) fn asks_parent(zone: &ZoneConfig) -> bool {
    !zone.resolvers.is_empty() || zone.servers.is_empty()
}

/// The addresses of a host in the zone as it is kept.
pub(super) fn at_home(zone: Option<&Zone>, host: &Name) -> Addresses {
    zone.map(|zone| listing::in_zone(zone, host))
        .unwrap_or_default()
}

impl Question<'_> {
    /// Adds what another asks of the same zone.
    pub(super) fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.hosts.extend(other.hosts);
        for (authority, reachable) in other.earlier {
            let known = self.earlier.entry(authority).or_insert(reachable);
            known.ttl = known.ttl.max(reachable.ttl);
            // Whoever is present for one is present.
            known.until = known.until.zip(reachable.until).map(|(a, b)| a.max(b));
        }
    }

    /// Asks everybody who may be asked.
    pub(super) async fn ask(&self, now: Instant) -> Asked {
        let zone = zone_name(self.zone);
        let trust = match trust(self.zone, now) {
            Ok(trust) => trust,
            Err(why) => return self.nobody(&why),
        };
        let names: Vec<Name> = self.names.values().cloned().collect();
        let hosts: Vec<Name> = self.hosts.values().map(|(name, _)| name.clone()).collect();
        let questions = Questions {
            apex: self.zone.name.clone(),
            limits: Limits::for_names(names.len().saturating_add(hosts.len())),
            names,
            hosts,
            who_serves: true,
            trust,
            now,
        };
        let beginning = Beginning {
            kept: self.kept.clone(),
            configured: self.zone.servers.clone(),
            earlier: self.earlier.clone(),
            guide: self.guide.clone(),
            asks_parent: asks_parent(self.zone),
        };
        let mut circle = servers::see(questions, beginning).await;
        if let Some(why) = circle.parent_unknown.take() {
            let apex = &self.zone.name;
            if self.parent_was_read {
                circle.present = Seen::Unknown(format!(
                    "the parent's delegation of {apex} was read before, and cannot be read now: {why}"
                ));
            } else {
                circle.notes.push(format!(
                    "the parent's delegation of {apex} could not be read: {why}; only servers that the zone or its servers name \
                     are asked"
                ));
            }
        }
        if circle.served.serials.is_empty() {
            let why = match (self.kept.clone(), circle.present) {
                (Err(why), _) | (Ok(_), Seen::Unknown(why)) => why,
                (Ok(_), Seen::Known(_)) => "nobody was asked".to_owned(),
            };
            let mut asked = self.nobody(&why);
            asked.notes.extend(circle.notes);
            return asked;
        }
        let hosts = self.hosts.iter().map(|(host, (name, kept))| {
            let mut seen = circle.hosts.remove(name).unwrap_or_default();
            seen.add_known(kept);
            if let Err(why) = &self.kept {
                seen.missing.get_or_insert_with(|| why.clone());
            }
            (host.clone(), seen)
        });
        let denied = self.denied(&circle.served).map(|why| (zone.clone(), why));
        Asked {
            hosts: hosts.collect(),
            denied: denied.into_iter().collect(),
            serials: BTreeMap::from([(zone.clone(), circle.served.serials.clone())]),
            served: circle.served,
            servers: BTreeMap::from([(zone, circle.present)]),
            notes: circle.notes,
        }
    }

    /// What the first server answers, where every one that was asked says that it does not serve the zone. One that is silent
    /// may serve it; those of before count only where nobody says who serves it now.
    fn denied(&self, served: &Served) -> Option<String> {
        let configured: Vec<String> = self.zone.servers.iter().map(ToString::to_string).collect();
        let is_at =
            |authority: &Authority, one: &String| authority.0.rsplit(' ').next() == Some(one);
        let counts = |authority: &&Authority| {
            configured.is_empty() || configured.iter().any(|one| is_at(authority, one))
        };
        let mut first = None;
        for authority in served.serials.keys().filter(counts) {
            let mut findings = served.findings.iter();
            let is_denial =
                |one: &&Finding| one.authority == *authority && one.ailment == Ailment::Lame;
            let denial = findings.find(is_denial)?;
            first.get_or_insert_with(|| format!("{authority}: {}", denial.reason));
        }
        first
    }

    /// What is known where nobody could be asked.
    fn nobody(&self, why: &str) -> Asked {
        let authority = Authority(format!("the servers of {}", self.zone.name));
        let seen = BTreeMap::from([(authority, Seen::Unknown(why.to_owned()))]);
        let names = self.names.keys().cloned();
        let hosts = self.hosts.iter().map(|(host, (_, kept))| {
            let seen = HostSeen {
                known: kept.clone(),
                missing: Some(why.to_owned()),
            };
            (host.clone(), seen)
        });
        Asked {
            served: Served {
                tlsa: names.map(|name| (name, seen.clone())).collect(),
                ..Served::default()
            },
            servers: BTreeMap::from([(zone_name(self.zone), Seen::Unknown(why.to_owned()))]),
            hosts: hosts.collect(),
            serials: Serials::new(),
            denied: BTreeMap::new(),
            notes: Vec::new(),
        }
    }
}

impl Asked {
    /// Adds what was seen in another zone.
    pub(super) fn add(&mut self, other: Self) {
        self.served.add(other.served);
        self.servers.extend(other.servers);
        self.hosts.extend(other.hosts);
        self.serials.extend(other.serials);
        self.denied.extend(other.denied);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}
