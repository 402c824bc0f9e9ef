//! The chain of NSEC3 records: one for the hash of every name of the zone (RFC 5155 §7.1, RFC 9077 §3, RFC 9276 §3.1).

use crate::dnssec::authority::{Standing, standings};
use crate::dnssec::denial::types_shown;
use crate::dnssec::nsec3::{Hash, Hashing, MOST_ITERATIONS, Nsec3, label_of_hash};
use crate::rotation::timing::Ttl;
use crate::zone::content::{Node, Rrset, Zone};
use crate::zone::name::{Name, NameError};
use crate::zone::rdata::bitmap;
use crate::zone::record::{Rdata, Rtype};

/// NSEC3PARAM speaks to the zone's own servers, not to resolvers: caches need not hold it. BIND and Knot say so too.
const PARAMETERS_TTL: Ttl = Ttl(0);

/// The longest salt that its length octet can tell (RFC 5155 §3.2).
const LONGEST_SALT: usize = 255;

/// Why a zone cannot deny by NSEC3 as asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeniable {
    /// Validators would not accept the proofs.
    #[error(
        "{0} additional iterations of NSEC3: validators take a zone with more than {MOST_ITERATIONS} for unsigned or \
         answer SERVFAIL; use 0, as RFC 9276 says"
    )]
    Iterations(u16),
    /// The salt does not fit its field.
    #[error(
        "the NSEC3 salt has {0} octets, at most {LONGEST_SALT} are possible; use none, as RFC 9276 says"
    )]
    Salt(usize),
    /// Opt-out takes the proof away that a name does not exist; what holds TLSA wants that proof.
    #[error(
        "{0} holds TLSA records: a zone that does is not signed with opt-out, under which names can be made up between \
         those that are there; leave opt-out out"
    )]
    OptOut(Name),
    /// Two names with one hash.
    #[error("{0} and {1} have the same NSEC3 hash: choose another salt, or sign with NSEC")]
    Collision(Name, Name),
    /// The owners of NSEC3 records would be too long.
    #[error("the name of the zone is too long for a hash in front of it ({0}): sign with NSEC")]
    Apex(NameError),
}

/// A name of the zone, as its NSEC3 record will show it.
struct Link {
    hash: Hash,
    name: Name,
    types: Vec<u16>,
}

/// Adds NSEC3PARAM and the chain to a zone that has neither; `ttl` is the negative TTL (RFC 9077 §3).
///
/// Every name that owns data of the zone has a record, delegations and empty non-terminals too; glue and names below a
/// DNAME have none. With `opt_out` delegations without DS, and what is there only on their account, have none either.
pub(super) fn add_nsec3_chain(
    zone: &mut Zone,
    hashing: &Hashing,
    opt_out: bool,
    ttl: Ttl,
) -> Result<(), Undeniable> {
    check(zone, hashing, opt_out)?;
    let apex = zone.apex.clone();
    let parameters = Rrset {
        ttl: PARAMETERS_TTL,
        rdatas: vec![hashing.to_nsec3param()],
    };
    let node = zone.nodes.entry(apex.clone()).or_default();
    node.insert(Rtype::NSEC3PARAM, parameters);
    let mut links = links(zone, hashing, opt_out);
    links.sort_by_key(|link| link.hash);
    check_collisions(&links)?;
    // The last hash points back at the first (RFC 5155 §3.1.7).
    let nexts: Vec<Hash> = links
        .iter()
        .cycle()
        .skip(1)
        .map(|l| l.hash)
        .take(links.len())
        .collect();
    for (mut link, next) in links.into_iter().zip(nexts) {
        let label = label_of_hash(&link.hash);
        let owner = apex.child(label.as_bytes()).map_err(Undeniable::Apex)?;
        let fields = Nsec3 {
            hashing: hashing.clone(),
            opt_out,
            next: next.to_vec(),
        };
        let mut rdata = Vec::with_capacity(48);
        fields.append_front(&mut rdata);
        bitmap::append(&mut link.types, &mut rdata);
        let rdatas = vec![Rdata(rdata.into())];
        let node = zone.nodes.entry(owner).or_default();
        node.insert(Rtype::NSEC3, Rrset { ttl, rdatas });
    }
    Ok(())
}

fn check(zone: &Zone, hashing: &Hashing, opt_out: bool) -> Result<(), Undeniable> {
    if hashing.iterations > MOST_ITERATIONS {
        return Err(Undeniable::Iterations(hashing.iterations));
    }
    if hashing.salt.len() > LONGEST_SALT {
        return Err(Undeniable::Salt(hashing.salt.len()));
    }
    let holds_tlsa = |node: &Node| node.contains_key(&Rtype::TLSA);
    if opt_out && zone.nodes.values().any(holds_tlsa) {
        return Err(Undeniable::OptOut(zone.apex.clone()));
    }
    Ok(())
}

fn check_collisions(sorted: &[Link]) -> Result<(), Undeniable> {
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    match pairs.find(|(a, b)| a.hash == b.hash) {
        Some((a, b)) => Err(Undeniable::Collision(a.name.clone(), b.name.clone())),
        None => Ok(()),
    }
}

/// Every name that gets a record, with the types to be found there.
fn links(zone: &Zone, hashing: &Hashing, opt_out: bool) -> Vec<Link> {
    let link = |name: Name, types| Link {
        hash: hashing.hash_canonical(&name.canonical()),
        name,
        types,
    };
    let mut links: Vec<Link> = Vec::with_capacity(zone.nodes.len());
    let mut previous = &zone.apex;
    for (owner, node, standing) in standings(zone) {
        let unsigned = standing == Standing::Cut && !node.contains_key(&Rtype::DS);
        if standing == Standing::Occluded || (opt_out && unsigned) {
            continue;
        }
        // In canonical order a name above this one that is not above the one before has not been met: it owns nothing.
        let mut above = owner.parent();
        while let Some(name) = above.filter(|name| !previous.is_at_or_below(name)) {
            above = name.parent();
            links.push(link(name, Vec::new()));
        }
        let mut types = types_shown(node, standing);
        if !unsigned {
            types.push(Rtype::RRSIG.0);
        }
        links.push(link(owner.clone(), types));
        previous = owner;
    }
    links
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn two_names_with_one_hash_are_told() {
        let link = |name: &str, octet| Link {
            hash: [octet; 20],
            name: Name::parse(name.as_bytes(), None).unwrap(),
            types: Vec::new(),
        };
        let apart = [link("a.", 1), link("b.", 2), link("c.", 3)];
        assert_eq!(check_collisions(&apart), Ok(()));
        let one = [link("a.", 1), link("b.", 2), link("c.", 2)];
        let [_, b, c] = &one;
        let told = Undeniable::Collision(b.name.clone(), c.name.clone());
        assert_eq!(check_collisions(&one), Err(told));
    }

    #[test]
    fn a_zone_whose_name_leaves_no_room_for_a_hash_is_told() {
        let apex = Name::parse("abcdefghijklmnopqrst.".repeat(11).as_bytes(), None).unwrap();
        let mut zone = Zone::empty(apex.clone());
        zone.nodes.insert(apex, Node::new());
        let made = add_nsec3_chain(&mut zone, &Hashing::default(), false, Ttl(1));
        assert_eq!(made, Err(Undeniable::Apex(NameError::LongName)));
    }
}
