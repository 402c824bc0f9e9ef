//! What was seen of an RRset that is reached through aliases (RFC 7671 §6): it counts for what it is only while every link to
//! it is, on the branch that counts and on every server, the one that the rotation found.
//!
//! A link's TTL and signature bind like the RRset's own: a cache may hold the chain as one, and a link that is not secure
//! makes the whole insecure.

use super::places::Place;
use super::surroundings;
use crate::observe::authorities::Served;
use crate::rotation::association::Association;
use crate::rotation::observation::{Authority, Seen, ServedRrset, TlsaName};
use crate::rotation::step::Rotation;
use std::collections::{BTreeMap, BTreeSet};

type Merged = BTreeMap<TlsaName, Seen<BTreeSet<Association>>>;
type ServedRrsets = BTreeMap<TlsaName, BTreeMap<Authority, Seen<ServedRrset>>>;

/// What the branch that counts holds at each name, unknown where an alias leads to it no more.
pub(super) fn merged(rotation: &Rotation, places: &[Place<'_>], mut merged: Merged) -> Merged {
    for (alias, name) in &rotation.aliases {
        let place = places.iter().find_map(|place| {
            let (_, owner) = place.names.iter().find(|(tlsa, _)| tlsa == alias)?;
            Some((place, owner))
        });
        let wrong = match place.map(|(place, owner)| (&place.head, owner)) {
            None => Some(format!("the alias {alias} lies in no configured zone")),
            Some((Err(why), _)) => Some(why.clone()),
            Some((Ok(head), owner)) => match surroundings::alias(head, owner) {
                Some(target) if leads_on(rotation, &target, name) => None,
                Some(target) => Some(repointed(alias, &target, name)),
                None => Some(no_alias(alias, name)),
            },
        };
        merged.remove(alias);
        if let Some(why) = wrong {
            merged.insert(name.clone(), Seen::Unknown(why));
        }
    }
    merged
}

/// What every server serves at each name, with the links to it. Where a server leads a resolver elsewhere, or answers with
/// records of the alias's own, those are what it serves for the rotation.
pub(super) fn served(rotation: &Rotation, asked: Served) -> ServedRrsets {
    let Served {
        tlsa: mut served,
        aliases,
        ..
    } = asked;
    for (alias, name) in &rotation.aliases {
        let answers = served.remove(alias).unwrap_or_default();
        if answers.is_empty() {
            let nobody = Authority(format!("the servers of {alias}"));
            let why = Seen::Unknown("nobody was asked for the alias".to_owned());
            served.entry(name.clone()).or_default().insert(nobody, why);
        }
        let links = aliases.get(alias);
        for (authority, answer) in answers {
            let instead = |behind: &ServedRrset| Seen::Known(behind.clone());
            let seen = match (links.and_then(|links| links.get(&authority)), answer) {
                (Some(link), _) if leads_on(rotation, &link.target, name) => {
                    let rrsets = served
                        .get_mut(name)
                        .into_iter()
                        .flat_map(|s| s.values_mut());
                    for seen in rrsets {
                        if let Seen::Known(rrset) = seen {
                            rrset.ttl = rrset.ttl.max(link.ttl);
                            rrset.signature = rrset.signature.both(link.signature);
                        }
                    }
                    continue;
                }
                (Some(link), _) => link.behind.as_ref().map_or_else(
                    || Seen::Unknown(repointed(alias, &link.target, name)),
                    instead,
                ),
                (None, Seen::Known(own)) => Seen::Known(own),
                (None, Seen::Unknown(why)) => {
                    Seen::Unknown(format!("{why} (asked for the alias {alias})"))
                }
            };
            let rrsets = served.entry(name.clone()).or_default();
            match seen {
                // Beside what it answers where it is asked for the name itself, as for other hosts.
                Seen::Known(_) => {
                    let asked = format!("{authority} (asked for {alias})");
                    rrsets.insert(Authority(asked), seen);
                }
                Seen::Unknown(_) => drop(rrsets.insert(authority, seen)),
            }
        }
    }
    // A name that the rotation knows as none, and that a server answers with an alias for.
    for name in rotation.names() {
        for (authority, link) in aliases.get(name).into_iter().flatten() {
            if let Some(behind) = &link.behind {
                let rrsets = served.entry(name.clone()).or_default();
                rrsets.insert(authority.clone(), Seen::Known(behind.clone()));
            }
        }
    }
    served
}

/// Whether a link's target is the name of the RRset, or the next link to it.
fn leads_on(rotation: &Rotation, target: &TlsaName, name: &TlsaName) -> bool {
    target == name || rotation.aliases.get(target) == Some(name)
}

fn repointed(alias: &TlsaName, target: &TlsaName, name: &TlsaName) -> String {
    format!("{alias} is an alias of {target} there, no longer of {name}")
}

fn no_alias(alias: &TlsaName, name: &TlsaName) -> String {
    format!("{alias} is no alias there, though the rotation found it to be one of {name}")
}
