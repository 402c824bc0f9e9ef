//! Which names of a zone are its own to sign: above, at and below zone cuts and DNAMEs (RFC 4035 §2.2, RFC 6672 §2.4).
//!
//! The signer's view. The verifier decides the same question in its own way.

use crate::zone::content::{Node, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// How a zone stands to one of its owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The zone speaks for the name and all its RRsets.
    Authoritative,
    /// A delegation: the zone speaks for DS and the proof of what is there, the child for the rest.
    Cut,
    /// Below a delegation (glue) or below a DNAME: nothing here is the zone's own.
    Occluded,
}

impl Standing {
    /// Whether the zone signs an RRset of this type here. RRSIGs are never signed, NSEC3 records always: below a DNAME at
    /// the apex, too, where nothing else may stand (RFC 6672 §2.4).
    pub(super) fn signs(self, rtype: Rtype) -> bool {
        match self {
            Self::Authoritative => rtype != Rtype::RRSIG,
            Self::Cut => rtype == Rtype::DS || rtype == Rtype::NSEC,
            Self::Occluded => rtype == Rtype::NSEC3,
        }
    }
}

/// Every owner with its RRsets and its standing, in canonical order.
pub(super) fn standings(zone: &Zone) -> impl Iterator<Item = (&Name, &Node, Standing)> {
    let mut occluder = None;
    let nodes = zone.nodes.iter();
    nodes.map(move |(owner, node)| (owner, node, standing(zone, owner, node, &mut occluder)))
}

/// The last owner that occludes what lies below it, if a further owner behind the last could lie there.
pub(super) fn occluder_at_end(zone: &Zone) -> Option<&Name> {
    let mut occluder = None;
    for (owner, node) in &zone.nodes {
        standing(zone, owner, node, &mut occluder);
    }
    occluder
}

/// The standing of the owner that comes next in canonical order, where whatever lies below a name follows it directly.
fn standing<'z>(
    zone: &Zone,
    owner: &'z Name,
    node: &Node,
    occluder: &mut Option<&'z Name>,
) -> Standing {
    if occluder.is_some_and(|above| owner.is_at_or_below(above)) {
        Standing::Occluded
    } else if *owner != zone.apex && node.contains_key(&Rtype::NS) {
        *occluder = Some(owner);
        Standing::Cut
    } else {
        if node.contains_key(&Rtype::DNAME) {
            *occluder = Some(owner);
        }
        Standing::Authoritative
    }
}
