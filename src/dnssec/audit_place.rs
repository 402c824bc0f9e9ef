//! Where every name of a zone lies, as the verifier tells it: the zone's own, a delegation, or beyond (RFC 4035 §2.2, RFC 6672 §2.4).
//!
//! The signer decides the same question in its own way.

use crate::zone::content::{Node, Zone};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::HashMap;

/// How the zone stands to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The zone's own.
    Own,
    /// A delegation point.
    Delegation,
    /// Below a delegation or a DNAME, or not in the zone at all.
    Beyond,
}

/// An owner, what it holds, and where it lies.
#[derive(Clone, Copy)]
pub(super) struct Spot<'z> {
    pub(super) owner: &'z Name,
    pub(super) node: &'z Node,
    pub(super) place: Place,
}

/// Every owner of the zone, in canonical order.
pub(super) fn survey(zone: &Zone) -> Vec<Spot<'_>> {
    let boundaries = Boundaries::of(zone);
    let spot = |(owner, node)| Spot {
        owner,
        node,
        place: boundaries.place(owner),
    };
    zone.nodes.iter().map(spot).collect()
}

/// The names at which the zone's own ends.
struct Boundaries<'z> {
    apex: &'z Name,
    /// By canonical wire form: whether the name is a delegation, or else has a DNAME.
    delegated: HashMap<Vec<u8>, bool>,
}

impl<'z> Boundaries<'z> {
    fn of(zone: &'z Zone) -> Self {
        let boundary = |(owner, node): (&Name, &Node)| {
            let delegated = node.contains_key(&Rtype::NS) && *owner != zone.apex;
            (delegated || node.contains_key(&Rtype::DNAME)).then(|| (owner.canonical(), delegated))
        };
        Self {
            apex: &zone.apex,
            delegated: zone.nodes.iter().filter_map(boundary).collect(),
        }
    }

    /// Told from what stands at the name and at those above it.
    fn place(&self, owner: &Name) -> Place {
        if !owner.is_at_or_below(self.apex) {
            return Place::Beyond;
        }
        if self.delegated.is_empty() {
            return Place::Own;
        }
        let wire = owner.canonical();
        let mut above = wire.as_slice();
        while above.len() > self.apex.wire().len() {
            let label = usize::from(above.first().copied().unwrap_or(0));
            above = above.get(label.saturating_add(1)..).unwrap_or_default();
            if self.delegated.contains_key(above) {
                return Place::Beyond;
            }
        }
        match self.delegated.get(&wire) {
            Some(true) => Place::Delegation,
            _ => Place::Own,
        }
    }
}
