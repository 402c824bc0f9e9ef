//! The high-water mark of TTLs from a zone's history in git: a TTL that was lowered counts until the larger one has run out
//! of every cache (RFC 7671 §8.1, RFC 7583 §3.2.1).

use super::head;
use super::surroundings::{Surroundings, ttl_at};
use crate::publish::git::{Repository, Version};
use crate::rotation::observation::TlsaName;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, ZoneConfig};
use crate::zone::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Versions listed and read, at most: more than a zone has that changes every hour of a week.
const MOST_VERSIONS: usize = 200;

/// From the date of a commit to the last server that serves it. What takes longer is seen on the servers themselves.
const UNTIL_SERVED: Span = Span::hours(24);

/// Caches keep nothing longer without being told to (RFC 8767 §4 recommends this cap), so no older version is asked for a
/// TTL larger than any seen.
const LONGEST_CACHED: Span = Span::days(7);

/// Raises the TTLs of a rotation that begins to the largest under which caches may still hold a version from before.
/// Says what it found, one sentence each.
pub(super) fn raise(workspace: &Workspace, found: &mut Surroundings, now: Instant) -> Vec<String> {
    let mut notes = Vec::new();
    let links = found
        .aliases
        .iter()
        .map(|(alias, name)| (alias.clone(), name.clone()));
    let own = found.base.keys().map(|name| (name.clone(), name.clone()));
    let names: Vec<(TlsaName, TlsaName)> = own.chain(links).collect();
    for zone in head::zones_of(workspace, names.iter().map(|(name, _)| name)) {
        // Only git remembers what a zone held before.
        if zone.publication == Publication::File || zone.publication.is_elsewhere() {
            continue;
        }
        let mut owners = BTreeMap::new();
        for (name, rrset) in &names {
            if let Ok(owner) = Name::parse(name.as_str().as_bytes(), None)
                && workspace
                    .config
                    .zone_of(&owner)
                    .is_some_and(|deepest| deepest.name == zone.name)
            {
                owners.insert(owner, rrset.clone());
            }
        }
        let walk = Walk {
            owners: owners.keys().cloned().collect(),
            workspace,
            zone,
            now,
        };
        match walk.marks(&mut notes) {
            Ok(marks) => {
                for (owner, ttl) in marks {
                    if let Some(rrset) = owners.get(&owner) {
                        let mark = found.ttl.entry(rrset.clone()).or_default();
                        if ttl > *mark {
                            notes.push(format!(
                                "an earlier version of {owner} may still be cached: it counts with its TTL of {}",
                                ttl.span()
                            ));
                            *mark = ttl;
                        }
                    }
                }
            }
            Err(why) => notes.push(format!(
                "the history of {} cannot be read, only the present TTL counts: {why}",
                zone.name
            )),
        }
    }
    notes
}

struct Walk<'a> {
    owners: Vec<Name>,
    workspace: &'a Workspace,
    zone: &'a ZoneConfig,
    now: Instant,
}

impl Walk<'_> {
    fn marks(&self, notes: &mut Vec<String>) -> Result<BTreeMap<Name, Ttl>, super::WorkflowError> {
        let repository = Repository::discover(&self.zone.file)?;
        let head = head::head(self.workspace, self.zone, self.now)?;
        let files: Vec<PathBuf> = head
            .file
            .sources()
            .iter()
            .map(|source| PathBuf::from(&*source.path))
            .collect();
        let mut marks = BTreeMap::new();
        let mut read = BTreeSet::new();
        for versions in [
            repository.versions(&files, MOST_VERSIONS)?,
            repository.moves_of_head(MOST_VERSIONS)?,
        ] {
            let whole = versions.len() < MOST_VERSIONS;
            let ended = self.walk(&repository, versions, &mut marks, &mut read);
            if !whole && !ended {
                notes.push(format!(
                    "the history of {} was read back over {MOST_VERSIONS} versions only",
                    self.zone.name
                ));
            }
        }
        Ok(marks)
    }

    /// Reads versions until even the largest TTL so far lies entirely in the past; whether it came so far.
    fn walk(
        &self,
        repository: &Repository,
        versions: Vec<Version>,
        marks: &mut BTreeMap<Name, Ttl>,
        read: &mut BTreeSet<(String, Option<u64>)>,
    ) -> bool {
        let mut largest = LONGEST_CACHED;
        for version in versions {
            let last_served = version
                .until
                .map_or(self.now, |until| Instant::from_unix(until) + UNTIL_SERVED);
            if last_served + largest < self.now {
                return true;
            }
            if !read.insert((version.commit.clone(), version.until)) {
                continue;
            }
            // A version that cannot be read was not served from here either.
            let Ok(head) = head::at_commit(self.workspace, self.zone, repository, &version.commit)
            else {
                continue;
            };
            for owner in &self.owners {
                let ttl = ttl_at(&head, owner);
                largest = largest.max(ttl.span());
                if last_served + ttl.span() > self.now {
                    let mark = marks.entry(owner.clone()).or_insert(Ttl(0));
                    *mark = (*mark).max(ttl);
                }
            }
        }
        false
    }
}
