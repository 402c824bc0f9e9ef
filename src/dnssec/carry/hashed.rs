//! The NSEC3 records of a part: kept where the same names have the same types as before (RFC 5155 §7.1).
//!
//! The hash of a name lies anywhere in the zone, and so does its neighbour in the chain: a name more, less, or with other
//! types takes the whole zone. A record more at a name that has others of its type takes none of that.

use crate::dnssec::authority::{Standing, standings};
use crate::dnssec::denial::types_shown;
use crate::dnssec::sign::is_made;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;

/// Gives `new`, still unsigned, the NSEC3 and NSEC3PARAM records of `old`; `None` if they do not fit it.
pub(super) fn keep_hashed(old: &Zone, new: &mut Zone) -> Option<()> {
    if names_shown(old) != names_shown(new) {
        return None;
    }
    for (owner, node) in &old.nodes {
        for rtype in [Rtype::NSEC3, Rtype::NSEC3PARAM] {
            if let Some(rrset) = node.get(&rtype) {
                let kept = new.nodes.entry(owner.clone()).or_default();
                kept.insert(rtype, rrset.clone());
            }
        }
    }
    Some(())
}

/// Every name that the chain speaks of on its own account, with the types it says are there.
fn names_shown(zone: &Zone) -> Vec<(&Name, Vec<u16>)> {
    let own = standings(zone).filter(|(_, _, standing)| *standing != Standing::Occluded);
    let shown = own.map(|(owner, node, standing)| {
        let mut types = types_shown(node, standing);
        types.retain(|rtype| !is_made(Rtype(*rtype)));
        (owner, types)
    });
    shown.filter(|(_, types)| !types.is_empty()).collect()
}
