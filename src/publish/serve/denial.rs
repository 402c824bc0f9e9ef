//! Which records of a signed zone prove that something is absent (RFC 4035 §3.1.3, RFC 5155 §7.2).

use crate::dnssec::nsec3::{self, Hashing, Nsec3};
use crate::zone::content::{Rrset, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

/// The chain of denial a zone carries, indexed so that a proof costs the same in a zone of any size.
#[derive(Clone, Debug)]
pub(super) enum Denial {
    /// The zone is not signed: absence is said and not proven.
    Unproven,
    /// Owners of NSEC records, in canonical order.
    Nsec(BTreeSet<Name>),
    /// Owners of NSEC3 records by hash.
    Nsec3(Hashed),
}

/// An NSEC3 chain (RFC 5155 §3).
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    hashing: Hashing,
    owners: BTreeMap<Vec<u8>, Name>,
}

/// Owners of the NSEC or NSEC3 records that make a proof, each once.
pub(super) type Proof = Vec<Name>;

impl Denial {
    /// The chain that `zone` carries: the NSEC3 chain its NSEC3PARAM names, else its NSEC records.
    pub(super) fn of(zone: &Zone) -> Self {
        if let Some(hashed) = zone
            .rrset(&zone.apex, Rtype::NSEC3PARAM)
            .and_then(|parameters| Hashed::of(zone, parameters))
        {
            return Self::Nsec3(hashed);
        }
        let owners: BTreeSet<Name> = zone
            .nodes
            .iter()
            .filter(|(_, node)| node.contains_key(&Rtype::NSEC))
            .map(|(owner, _)| owner.clone())
            .collect();
        if owners.is_empty() {
            Self::Unproven
        } else {
            Self::Nsec(owners)
        }
    }

    /// The type of the records that the owners in a proof hold.
    pub(super) fn rtype(&self) -> Rtype {
        match self {
            Self::Nsec3(_) => Rtype::NSEC3,
            Self::Unproven | Self::Nsec(_) => Rtype::NSEC,
        }
    }

    /// `name` exists and lacks the type asked for; also for a cut without DS (RFC 4035 §3.1.3.1, §3.1.4; RFC 5155 §7.2.3, §7.2.7).
    pub(super) fn of_type(&self, name: &Name) -> Proof {
        match self {
            Self::Unproven => Proof::new(),
            // An empty non-terminal has no NSEC; the one before it leads to a name below it, which shows that it exists.
            Self::Nsec(owners) => once(owners.get(name).or_else(|| before(owners, name))),
            Self::Nsec3(hashed) => match hashed.matching(name) {
                Some(owner) => vec![owner.clone()],
                // Left out of the chain by opt-out: show the closest encloser and the span that hides the rest.
                None => hashed.closest_encloser(name),
            },
        }
    }

    /// Neither `name` nor a wildcard that could stand for it exists (RFC 4035 §3.1.3.2, RFC 5155 §7.2.2).
    pub(super) fn of_name(&self, name: &Name, encloser: &Name) -> Proof {
        let wildcard = encloser.child(b"*").ok();
        match self {
            Self::Unproven => Proof::new(),
            Self::Nsec(owners) => {
                let both = [
                    before(owners, name),
                    wildcard.as_ref().and_then(|w| before(owners, w)),
                ];
                once(both.into_iter().flatten())
            }
            Self::Nsec3(hashed) => {
                let mut proof = hashed.closest_encloser(name);
                proof.extend(wildcard.and_then(|w| hashed.covering(&w)).cloned());
                once(&proof)
            }
        }
    }

    /// A wildcard stood for `name`, and nothing closer exists (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    pub(super) fn of_closer_match(&self, name: &Name, encloser: &Name) -> Proof {
        match self {
            Self::Unproven => Proof::new(),
            Self::Nsec(owners) => once(before(owners, name)),
            Self::Nsec3(hashed) => once(hashed.covering(&next_closer(name, encloser))),
        }
    }

    /// The wildcard that stands for `name` lacks the type asked for (RFC 4035 §3.1.3.4, RFC 5155 §7.2.5).
    pub(super) fn of_type_at_wildcard(&self, name: &Name, wildcard: &Name) -> Proof {
        match self {
            Self::Unproven => Proof::new(),
            Self::Nsec(owners) => once(
                [before(owners, name), owners.get(wildcard)]
                    .into_iter()
                    .flatten(),
            ),
            Self::Nsec3(hashed) => {
                let mut proof = hashed.closest_encloser(name);
                proof.extend(hashed.matching(wildcard).cloned());
                once(&proof)
            }
        }
    }
}

fn once<'a>(owners: impl IntoIterator<Item = &'a Name>) -> Proof {
    let mut proof = Proof::new();
    for owner in owners {
        if !proof.contains(owner) {
            proof.push(owner.clone());
        }
    }
    proof
}

/// The owner whose NSEC spans `name`: the last one before it. The apex has an NSEC, so there always is one.
fn before<'a>(owners: &'a BTreeSet<Name>, name: &Name) -> Option<&'a Name> {
    owners
        .range::<Name, _>((Unbounded, Excluded(name)))
        .next_back()
}

/// `name` cut to one label more than `encloser` (RFC 5155 §1.3).
fn next_closer(name: &Name, encloser: &Name) -> Name {
    let wanted = encloser.label_count().saturating_add(1);
    let mut closer = name.clone();
    while closer.label_count() > wanted {
        match closer.parent() {
            Some(parent) => closer = parent,
            None => break,
        }
    }
    closer
}

impl Hashed {
    fn of(zone: &Zone, parameters: &Rrset) -> Option<Self> {
        let hashing = parameters
            .rdatas
            .iter()
            .find_map(Hashing::from_nsec3param)?;
        let of_this_chain =
            |rdata| Nsec3::parse(rdata).is_some_and(|(nsec3, _)| nsec3.hashing == hashing);
        let owners = zone
            .nodes
            .iter()
            .filter(|(_, node)| {
                node.get(&Rtype::NSEC3)
                    .is_some_and(|rrset| rrset.rdatas.iter().any(of_this_chain))
            })
            .filter_map(|(owner, _)| Some((nsec3::hash_of_owner(owner)?, owner.clone())))
            .collect();
        Some(Self { hashing, owners })
    }

    fn matching(&self, name: &Name) -> Option<&Name> {
        self.owners.get(&self.hashing.hash(name))
    }

    /// The owner whose span covers the hash of `name`; the last one spans the end and the beginning.
    fn covering(&self, name: &Name) -> Option<&Name> {
        let hash = self.hashing.hash(name);
        let before = self.owners.range(..hash).next_back();
        before
            .or_else(|| self.owners.last_key_value())
            .map(|(_, owner)| owner)
    }

    /// The closest encloser proof: its match and the cover of the next closer name (RFC 5155 §7.2.1).
    fn closest_encloser(&self, name: &Name) -> Proof {
        let mut closer = name.clone();
        while let Some(encloser) = closer.parent() {
            if let Some(matching) = self.matching(&encloser) {
                return once(
                    [Some(matching), self.covering(&closer)]
                        .into_iter()
                        .flatten(),
                );
            }
            closer = encloser;
        }
        Proof::new()
    }
}
