//! The promise as one predicate: every RRset a cache may hold matches every key a host may present.
//!
//! RFC 7671 §8: each combination of usage, selector and matching type in an RRset must have a record that matches the
//! chain in use, in the zone and in caches. It is used as guard of every move, as alarm, and nowhere written twice.

use super::association::Association;
use super::exposure::{Exposure, Holder, Presenter};
use super::observation::TlsaName;
use std::collections::BTreeSet;
use std::fmt;

/// One way in which a validating sender would refuse mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The owner of the RRset.
    pub name: TlsaName,
    /// The RRset that does not match.
    pub rrset: BTreeSet<Association>,
    /// Who may hold it.
    pub holder: Holder,
    /// The key that it does not match.
    pub key: Association,
    /// Who may present it.
    pub presenter: Presenter,
    /// What is wrong between the two.
    pub mismatch: Mismatch,
}

/// Why an RRset does not match a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// No `3 1 1` record is of this key.
    KeyNotListed,
    /// The RRset holds records of another form, about which the machine cannot tell.
    Unjudged,
}

/// Every breach of the promise in this exposure; none is what must hold at every instant.
pub fn breaches(exposure: &Exposure) -> Vec<Breach> {
    let mut found = Vec::new();
    for (name, rrsets) in &exposure.caches {
        let keys = exposure.hosts.get(name);
        for (rrset, holder) in rrsets {
            for (key, presenter) in keys.into_iter().flatten() {
                if let Err(mismatch) = matches(rrset, key) {
                    found.push(Breach {
                        name: name.clone(),
                        rrset: rrset.clone(),
                        holder: holder.clone(),
                        key: key.clone(),
                        presenter: presenter.clone(),
                        mismatch,
                    });
                }
            }
        }
    }
    found
}

/// Whether a sender that holds `rrset` accepts a host that presents `key`.
///
/// An empty RRset is no DANE: mail flows under opportunistic TLS (RFC 7672 §2.2).
pub fn matches(rrset: &BTreeSet<Association>, key: &Association) -> Result<(), Mismatch> {
    if rrset.is_empty() {
        Ok(())
    } else if !rrset.iter().all(Association::is_3_1_1) {
        Err(Mismatch::Unjudged)
    } else if rrset.contains(key) {
        Ok(())
    } else {
        Err(Mismatch::KeyNotListed)
    }
}

impl Breach {
    /// Whether this and another breach are about the same RRset and key, whoever holds or presents them.
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        self.name == other.name && self.rrset == other.rrset && self.key == other.key
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<String> = self.rrset.iter().map(Association::short).collect();
        let (name, key) = (&self.name, self.key.short());
        match self.mismatch {
            Mismatch::KeyNotListed => write!(
                f,
                "{name} TLSA ({}) does not match {key}",
                listed.join(", ")
            )?,
            Mismatch::Unjudged => write!(
                f,
                "{name} TLSA ({}) holds more than `3 1 1` records, whether it matches {key} cannot be told",
                listed.join(", ")
            )?,
        }
        write!(f, ": {}, {}", self.holder, self.presenter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Association {
        Association::dane_ee_spki_sha256([byte; 32])
    }

    #[test]
    fn what_a_sender_accepts() {
        let ta = Association { usage: 2, ..key(9) };
        let table: [(&str, Vec<Association>, Result<(), Mismatch>); 5] = [
            ("no DANE at all", vec![], Ok(())),
            ("its own record", vec![key(1)], Ok(())),
            ("its own beside another", vec![key(1), key(2)], Ok(())),
            ("only another's", vec![key(2)], Err(Mismatch::KeyNotListed)),
            (
                "another form beside it",
                vec![key(1), ta],
                Err(Mismatch::Unjudged),
            ),
        ];
        for (situation, rrset, expected) in table {
            let rrset = rrset.into_iter().collect();
            assert_eq!(matches(&rrset, &key(1)), expected, "{situation}");
        }
    }
}
