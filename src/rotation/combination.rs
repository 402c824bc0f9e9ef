//! What a rotation would do to records of other forms: combinations of usage, selector and matching type that the chain in
//! use satisfies and the incoming one would not (RFC 7671 §8). Such records are kept, so this must be known before publishing.

use super::association::{Association, Combination};
use super::observation::TlsaName;
use super::step::Rotation;
use std::collections::{BTreeMap, BTreeSet};

/// A combination that would be left without a matching record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The RRset.
    pub name: TlsaName,
    /// Usage, selector and matching type.
    pub combination: Combination,
    /// Its records, all of which are kept.
    pub records: Vec<Association>,
    /// The incoming key whose chain satisfies none of them.
    pub key: Association,
    /// Records of this combination that the incoming chain would satisfy, to publish beside the others.
    pub would_match: Vec<Association>,
}

/// Every combination that would be lost once the incoming keys are in use.
pub fn lost(rotation: &Rotation) -> Vec<Lost> {
    let mut found = Vec::new();
    for name in rotation.names() {
        let base = rotation.base.get(name).cloned().unwrap_or_default();
        let mut by_combination: BTreeMap<Combination, BTreeSet<Association>> = BTreeMap::new();
        for record in base.iter().filter(|record| record.is_usable_for_smtp()) {
            let records = by_combination.entry(record.parameters()).or_default();
            records.insert(record.clone());
        }
        for (combination, mut records) in by_combination {
            let comes = |record: &&Association| record.parameters() == combination;
            records.extend(rotation.incoming.iter().filter(comes).cloned());
            found.extend(lost_of(rotation, name, combination, &records));
        }
    }
    found
}

/// A chain among several (RSA, ECDSA) may have satisfied none before: only one more that satisfies none is a loss.
fn lost_of(
    rotation: &Rotation,
    name: &TlsaName,
    combination: Combination,
    records: &BTreeSet<Association>,
) -> Option<Lost> {
    let without = |keys: &BTreeSet<Association>| {
        let mut chains = rotation.chains(keys);
        chains.retain(|chain| chain.satisfies.is_disjoint(records));
        chains
    };
    let (before, after) = (without(&rotation.current), without(&rotation.incoming));
    let chain = after.first().filter(|_| after.len() > before.len())?;
    let of_it = |record: &&Association| record.parameters() == combination;
    Some(Lost {
        name: name.clone(),
        combination,
        records: records.iter().cloned().collect(),
        key: chain.key.clone(),
        would_match: chain.satisfies.iter().filter(of_it).cloned().collect(),
    })
}
