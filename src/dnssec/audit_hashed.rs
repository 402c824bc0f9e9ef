//! Whether the NSEC3 chain is closed and says of every name exactly what is there (RFC 5155 §3, §7.1, RFC 9276 §3.2).

use crate::dnssec::audit_chain::Chain;
use crate::dnssec::audit_place::{Place, Spot};
use crate::dnssec::finding::{Fault, Finding};
use crate::dnssec::nsec3::{Hash, Hashing, MOST_ITERATIONS, Nsec3, hash_of_owner};
use crate::zone::content::{Node, Zone};
use crate::zone::name::Name;
use crate::zone::rdata::bitmap;
use crate::zone::record::{Rdata, Rtype};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Checks the chain of every NSEC3PARAM; a record of no such chain is a fault.
pub(super) fn check_hashed(zone: &Zone, spots: &[Spot<'_>], findings: &mut Vec<Finding>) -> Chain {
    let parameters = parameters(zone, findings);
    let mut chains: Vec<(Hashing, Links<'_>)> = Vec::new();
    chains.extend(parameters.into_iter().map(|p| (p, Links::new())));
    for spot in spots {
        let rrset = spot.node.get(&Rtype::NSEC3);
        for rdata in rrset.into_iter().flat_map(|rrset| &rrset.rdatas) {
            if let Err(fault) = sort_in(zone, spot.owner, rdata, &mut chains) {
                findings.push(Finding::new(spot.owner, Rtype::NSEC3, fault));
            }
        }
    }
    let known = known_names(zone, spots);
    let mut whole = Chain::default();
    for (hashing, links) in &chains {
        check_links(hashing, links, &known, findings);
        whole.names = whole.names.max(links.len());
        whole.opt_out |= links.values().any(|link| link.opt_out);
    }
    whole
}

/// The chains that the zone says it has.
fn parameters(zone: &Zone, findings: &mut Vec<Finding>) -> Vec<Hashing> {
    let mut fault = |fault| findings.push(Finding::new(&zone.apex, Rtype::NSEC3PARAM, fault));
    let Some(rrset) = zone.rrset(&zone.apex, Rtype::NSEC3PARAM) else {
        fault(Fault::NoNsec3Param);
        return Vec::new();
    };
    let mut usable = Vec::new();
    for rdata in &rrset.rdatas {
        match Hashing::from_nsec3param(rdata) {
            None => fault(Fault::BrokenNsec3Param),
            Some(hashing) if hashing.iterations > MOST_ITERATIONS => {
                fault(Fault::Iterations(hashing.iterations));
            }
            Some(hashing) => usable.push(hashing),
        }
    }
    usable
}

/// A record of a chain.
struct Link<'z> {
    owner: &'z Name,
    next: Vec<u8>,
    types: BTreeSet<Rtype>,
    opt_out: bool,
}

/// The records of one chain, by the hash that their owners stand for.
type Links<'z> = BTreeMap<Hash, Link<'z>>;

/// Puts a record into the chain whose parameters it has.
fn sort_in<'z>(
    zone: &Zone,
    owner: &'z Name,
    rdata: &Rdata,
    chains: &mut [(Hashing, Links<'z>)],
) -> Result<(), Fault> {
    let below_apex = owner.parent().is_some_and(|parent| parent == zone.apex);
    let hash = hash_of_owner(owner).and_then(|hash| Hash::try_from(hash).ok());
    let Some(hash) = hash.filter(|_| below_apex) else {
        return Err(Fault::StrayNsec3);
    };
    let (fields, windows) = Nsec3::parse(rdata).ok_or(Fault::BrokenNsec3)?;
    let types = bitmap::types(windows).ok_or(Fault::BrokenNsec3)?;
    // Validators pass over a record with flags that they do not know (RFC 5155 §8.2).
    let foreign_flags = rdata.0.get(1).is_none_or(|flags| *flags > 1);
    if foreign_flags || fields.next.len() != hash.len() {
        return Err(Fault::BrokenNsec3);
    }
    let mut of_it = chains.iter_mut().filter(|(h, _)| *h == fields.hashing);
    let (_, links) = of_it.next().ok_or(Fault::Nsec3OfNoChain)?;
    let link = Link {
        owner,
        next: fields.next,
        types: types.into_iter().collect(),
        opt_out: fields.opt_out,
    };
    match links.insert(hash, link) {
        None => Ok(()),
        Some(_) => Err(Fault::BrokenNsec3),
    }
}

/// What a chain must say of a name.
struct Known {
    name: Name,
    types: BTreeSet<Rtype>,
    /// Whether even opt-out leaves it in the chain: it is not, and does not only lead to, a delegation without DS.
    needed: bool,
}

/// Every name that the zone answers for: those that hold something, and those above them up to the apex.
fn known_names(zone: &Zone, spots: &[Spot<'_>]) -> Vec<Known> {
    let mut known = Vec::with_capacity(spots.len());
    let mut empty: HashMap<Name, bool> = HashMap::new();
    for spot in spots {
        if spot.place == Place::Beyond || !holds_data(spot.node) {
            continue;
        }
        let needed = spot.place == Place::Own || spot.node.contains_key(&Rtype::DS);
        let mut above = spot.owner.parent();
        while let Some(name) =
            above.filter(|name| *name != zone.apex && name.is_at_or_below(&zone.apex))
        {
            above = name.parent();
            if !zone.nodes.get(&name).is_some_and(holds_data) {
                *empty.entry(name).or_default() |= needed;
            }
        }
        known.push(Known {
            name: spot.owner.clone(),
            types: present(spot),
            needed,
        });
    }
    known.extend(empty.into_iter().map(|(name, needed)| Known {
        name,
        types: BTreeSet::new(),
        needed,
    }));
    known
}

/// Owners of nothing but NSEC3 records do not exist as names (RFC 5155 §7.2.8).
pub(super) fn holds_data(node: &Node) -> bool {
    let data = |rtype: &Rtype| !matches!(*rtype, Rtype::NSEC3 | Rtype::NSEC | Rtype::RRSIG);
    node.keys().any(data)
}

/// The types that are to be found when the zone's servers are asked for this name.
pub(super) fn present(spot: &Spot<'_>) -> BTreeSet<Rtype> {
    let own = spot.place == Place::Own;
    let answered = |rtype: &&Rtype| match **rtype {
        Rtype::NSEC3 | Rtype::RRSIG => false,
        Rtype::NS | Rtype::DS | Rtype::NSEC => true,
        _ => own,
    };
    let mut types: BTreeSet<Rtype> = spot.node.keys().filter(answered).copied().collect();
    // A delegation without DS has nothing that is signed under its name, unless there is an NSEC chain, too.
    if own || types.contains(&Rtype::DS) || types.contains(&Rtype::NSEC) {
        types.insert(Rtype::RRSIG);
    }
    types
}

fn check_links(hashing: &Hashing, links: &Links<'_>, known: &[Known], findings: &mut Vec<Finding>) {
    let mut unmet: BTreeSet<&Hash> = links.keys().collect();
    for name in known {
        let hash = hashing.hash_canonical(&name.name.canonical());
        let fault = match links.get(&hash) {
            Some(link) => {
                unmet.remove(&hash);
                Fault::of_types(&link.types, &name.types)
            }
            None if !name.needed && is_opted_out(&hash, links) => None,
            None => Some(Fault::NoNsec3),
        };
        findings.extend(fault.map(|fault| Finding::new(&name.name, Rtype::NSEC3, fault)));
    }
    let mut fault = |hash, fault| {
        if let Some(link) = links.get(hash) {
            findings.push(Finding::new(link.owner, Rtype::NSEC3, fault));
        }
    };
    for hash in unmet {
        fault(hash, Fault::StrayNsec3);
    }
    let nexts = links.keys().skip(1).chain(links.keys().take(1));
    for ((hash, link), next) in links.iter().zip(nexts) {
        if link.next != next {
            fault(hash, Fault::WrongNextHash);
        }
    }
}

/// Whether the record that spans the hash says that there may be more in its span (RFC 5155 §6).
fn is_opted_out(hash: &Hash, links: &Links<'_>) -> bool {
    let before = links.range::<Hash, _>(..hash).next_back();
    let spanning = before.or_else(|| links.last_key_value());
    spanning.is_some_and(|(_, link)| link.opt_out)
}
