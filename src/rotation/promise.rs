//! The promise as one predicate: every RRset a cache may hold matches every key a host may present.
//!
//! What senders do (RFC 7671 §5, §9: any usable record that matches will do, of several digests the strongest) and what
//! publishers must do (RFC 7671 §8: each combination of usage, selector and matching type must have a record that matches
//! the chain in use, for senders that support only some) are two findings. It is used as guard of every move, as alarm,
//! and nowhere written twice.

use super::association::{Association, Combination};
use super::exposure::{Exposure, Holder, Presenter};
use super::observation::TlsaName;
use std::collections::BTreeSet;
use std::fmt;

/// One way in which a validating sender would refuse mail, or some senders might.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The owner of the RRset.
    pub name: TlsaName,
    /// The RRset that does not match.
    pub rrset: BTreeSet<Association>,
    /// Who may hold it.
    pub holder: Holder,
    /// The key of the chain that it does not match.
    pub key: Association,
    /// Who may present it.
    pub presenter: Presenter,
    /// What is wrong between the two.
    pub mismatch: Mismatch,
}

/// Why an RRset does not match a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// No record that a sender would look at matches: mail is refused.
    KeyNotListed,
    /// Mail flows by another record, but no record of this combination matches: the publisher's duty is not met, and a
    /// sender that knows only this one refuses.
    Combination(Combination),
}

/// Every breach in this exposure. None of [`Mismatch::KeyNotListed`] is what must hold at every instant.
pub fn breaches(exposure: &Exposure) -> Vec<Breach> {
    let mut found = Vec::new();
    for (name, rrsets) in &exposure.caches {
        let chains = exposure.hosts.get(name);
        for (rrset, holder) in rrsets {
            for (chain, presenter) in chains.into_iter().flatten() {
                for mismatch in mismatches(rrset, &chain.satisfies) {
                    found.push(Breach {
                        name: name.clone(),
                        rrset: rrset.clone(),
                        holder: holder.clone(),
                        key: chain.key.clone(),
                        presenter: presenter.clone(),
                        mismatch,
                    });
                }
            }
        }
    }
    found
}

/// What is wrong between `rrset`, as a sender holds it, and a chain that satisfies these associations.
///
/// An RRset without a usable record is no DANE: mail flows, encrypted and unauthenticated (RFC 7672 §2.2).
pub fn mismatches(
    rrset: &BTreeSet<Association>,
    satisfied: &BTreeSet<Association>,
) -> Vec<Mismatch> {
    let usable = || rrset.iter().filter(|record| record.is_usable_for_smtp());
    let is_considered = |record: &Association| !usable().any(|other| record.is_weaker_than(other));
    if usable().next().is_some()
        && !usable().any(|record| satisfied.contains(record) && is_considered(record))
    {
        return vec![Mismatch::KeyNotListed];
    }
    let mut unmatched = Vec::new();
    for record in usable().filter(|record| !satisfied.contains(*record)) {
        let combination = record.parameters();
        let is_matched =
            usable().any(|other| other.parameters() == combination && satisfied.contains(other));
        let mismatch = Mismatch::Combination(combination);
        if !is_matched && !unmatched.contains(&mismatch) {
            unmatched.push(mismatch);
        }
    }
    unmatched
}

impl Breach {
    /// Whether mail is refused, not only a duty neglected.
    pub fn refuses_mail(&self) -> bool {
        self.mismatch == Mismatch::KeyNotListed
    }

    /// Whether this adds nothing to another breach: the same RRset and key, whoever holds or presents them; or a combination
    /// of that name that was left unmatched before.
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        let same_pair = self.rrset == other.rrset && self.key == other.key;
        self.name == other.name
            && self.mismatch == other.mismatch
            && (same_pair || !self.refuses_mail())
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<String> = self.rrset.iter().map(Association::short).collect();
        let (name, key, listed) = (&self.name, self.key.short(), listed.join(", "));
        match self.mismatch {
            Mismatch::KeyNotListed => write!(f, "{name} TLSA ({listed}) does not match {key}")?,
            Mismatch::Combination(combination) => write!(
                f,
                "{name} TLSA ({listed}) has no `{combination}` record that matches the chain of {key} (RFC 7671 §8)"
            )?,
        }
        write!(f, ": {}, {}", self.holder, self.presenter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Association {
        let (numbers, byte) = text.rsplit_once(' ').unwrap();
        let octets = if numbers.ends_with('2') { 64 } else { 32 };
        format!("{numbers} {}", byte.repeat(octets))
            .parse()
            .unwrap()
    }

    fn set(texts: &[&str]) -> BTreeSet<Association> {
        texts.iter().map(|text| record(text)).collect()
    }

    /// The presented chain: its leaf's key `aa`, its certificate `cc`, its issuer `ee`.
    const CHAIN: &[&str] = &["3 1 1 aa", "3 1 2 aa", "3 0 1 cc", "2 1 1 ee"];

    #[test]
    fn what_a_sender_accepts_and_what_a_publisher_owes() {
        let lacks = |usage, selector, matching| {
            vec![Mismatch::Combination(Combination {
                usage,
                selector,
                matching,
            })]
        };
        let refused = || vec![Mismatch::KeyNotListed];
        let table: [(&str, &[&str], Vec<Mismatch>); 15] = [
            ("no DANE at all", &[], vec![]),
            ("its own record", &["3 1 1 aa"], vec![]),
            ("its own beside another", &["3 1 1 aa", "3 1 1 bb"], vec![]),
            ("only another's", &["3 1 1 bb"], refused()),
            ("its issuer beside it", &["3 1 1 aa", "2 1 1 ee"], vec![]),
            (
                "another issuer beside it: mail flows, the duty is not met",
                &["3 1 1 aa", "2 1 1 ff"],
                lacks(2, 1, 1),
            ),
            (
                "the next issuer beside both",
                &["3 1 1 aa", "2 1 1 ff", "2 1 1 ee"],
                vec![],
            ),
            ("its issuer alone", &["2 1 1 ee"], vec![]),
            ("another issuer alone", &["2 1 1 ff"], refused()),
            (
                "its certificate, another's key",
                &["3 0 1 cc", "3 1 1 bb"],
                lacks(3, 1, 1),
            ),
            (
                "a stronger digest of another key: agility looks at that one only (RFC 7671 §9)",
                &["3 1 1 aa", "3 1 2 bb"],
                refused(),
            ),
            ("both digests of its own", &["3 1 1 aa", "3 1 2 aa"], vec![]),
            (
                "a stronger digest that matches, a weaker that does not",
                &["3 1 1 bb", "3 1 2 aa"],
                lacks(3, 1, 1),
            ),
            (
                "only PKIX usages: unusable, so no DANE (RFC 7672 §3.1.3)",
                &["0 1 1 bb", "1 1 1 bb"],
                vec![],
            ),
            (
                "PKIX usages do not count beside another key",
                &["1 1 1 aa", "3 1 1 bb"],
                refused(),
            ),
        ];
        for (situation, rrset, expected) in table {
            let found = mismatches(&set(rrset), &set(CHAIN));
            assert_eq!(found, expected, "{situation}");
        }
    }

    #[test]
    fn a_combination_that_was_unmatched_before_is_no_new_breach() {
        let breach = |rrset: &[&str], key: &str, mismatch| Breach {
            name: TlsaName::new("_25._tcp.mx.example.com."),
            rrset: set(rrset),
            holder: Holder::Server("ns".into()),
            key: record(key),
            presenter: Presenter::Step(super::super::step::Step::SwapOpen),
            mismatch,
        };
        let ta = Mismatch::Combination(record("2 1 1 ff").parameters());
        let before = breach(&["3 1 1 aa", "2 1 1 ff"], "3 1 1 aa", ta);
        let after = breach(&["3 1 1 aa", "3 1 1 bb", "2 1 1 ff"], "3 1 1 bb", ta);
        assert!(after.is_the_same_as(&before));
        let refused = breach(&["3 1 1 aa"], "3 1 1 bb", Mismatch::KeyNotListed);
        let known = breach(&["3 1 1 aa"], "3 1 1 cc", Mismatch::KeyNotListed);
        assert!(!refused.is_the_same_as(&known), "another key is refused");
    }
}
