//! Which names of a zone can break no rule, seen from their types, TTLs and labels: nearly all, and no more is asked of them.

use crate::zone::record::Rtype;
use crate::zone::records::{Records, Stored};

/// Whether the types and TTLs of an owner in the zone are such that no rule can be broken: true of nearly all.
pub(super) fn is_plain(node: &[u32], records: &Records) -> bool {
    let mut stored = node.iter().filter_map(|number| records.get(*number));
    let Some(first) = stored.next() else {
        return true;
    };
    let alone = node.len() == 1;
    let plain = |r: &Stored| match r.rtype {
        Rtype::SOA => false,
        Rtype::CNAME | Rtype::DNAME => alone,
        Rtype::NSEC3 => is_hashed(records.owner(r)),
        _ => r.ttl == first.ttl,
    };
    plain(first) && stored.all(plain) && !has_inner_wildcard(records.owner(first))
}

/// A wire name's first label, its length in front, and the rest.
fn split_label(owner: &[u8]) -> (&[u8], &[u8]) {
    let label = usize::from(owner.first().copied().unwrap_or(0)).saturating_add(1);
    owner.split_at_checked(label).unwrap_or((owner, &[]))
}

/// Whether the first label can be a hash in base32hex (RFC 5155 §3).
pub(super) fn is_hashed(owner: &[u8]) -> bool {
    let is_hash = |digit: &u8| matches!(digit.to_ascii_uppercase(), b'0'..=b'9' | b'A'..=b'V');
    split_label(owner).0.iter().skip(1).all(is_hash)
}

/// Whether a label of one octet, which is `*`, stands behind the first label.
pub(super) fn has_inner_wildcard(owner: &[u8]) -> bool {
    owner.contains(&b'*') && split_label(owner).1.windows(2).any(|pair| pair == b"\x01*")
}
