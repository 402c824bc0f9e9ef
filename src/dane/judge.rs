//! The judgement of a DANE client: a TLSA RRset and a presented chain, host names and a time, to a verdict and the
//! reason for each record (RFC 6698 §2.1, RFC 7671 §4 to §5 and §9, RFC 7672 §2.2, §3.1 and §3.2).
//!
//! That the RRset is DNSSEC-secure is the caller's premise; nothing here looks anything up.

use crate::dane::association;
use crate::dane::certificate::{Certificate, CertificateError};
use crate::dane::gnutls;
use crate::dane::name_check;
use crate::dane::path::{self, Anchor, Failure, Quiet};
use crate::dane::web_path;
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use std::collections::BTreeSet;
use std::fmt;

/// Which usages count.
#[derive(Clone, Copy, Debug)]
pub enum Rules<'a> {
    /// Opportunistic DANE for SMTP: usages 2 and 3; 0 and 1 are unusable (RFC 7672 §3.1.3).
    Smtp,
    /// RFC 6698 in full: usages 0 and 1 too, against these roots.
    Pkix {
        /// The trusted root certificates.
        roots: &'a [Certificate],
    },
}

/// What a client makes of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What became of each record, in the order given.
    pub records: Vec<(Association, Finding)>,
    /// What senders on GnuTLS make of it, or why they refuse; `None` if it was not asked by the rules of SMTP. The verdict is
    /// that of senders on OpenSSL, who are more.
    pub by_gnutls: Option<Result<(), String>>,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The host is authenticated by this record; mail may flow.
    Verified(Association),
    /// Usable records, none of which matches: mail must not be delivered to this host.
    Refused,
    /// No record is usable: TLS is mandatory, unauthenticated (RFC 7672 §2.2).
    NoUsableRecords,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It matches, with all that its usage demands.
    Matched,
    /// The client must act as if the record were not there.
    Unusable(Unusable),
    /// Not looked at: a stronger digest of the same usage and selector is published (RFC 7671 §9).
    Weaker,
    /// It does not match.
    Mismatch(Mismatch),
}

/// Why a record is unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Usage 0 or 1 for SMTP.
    PkixUsage,
    /// A usage, selector or matching type that nobody assigned.
    Unassigned,
    /// A digest of another length than its matching type has.
    DigestLength {
        /// Octets it has.
        octets: usize,
        /// Octets it should have.
        expected: usize,
    },
    /// Matching type 0 with data that is no certificate or key.
    NotDer,
}

/// Why a usable record does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// No certificate was presented.
    NothingPresented,
    /// Another key or certificate is presented.
    Differs,
    /// The data is the digest of the empty input: it matches nothing, ever.
    DigestOfNothing,
    /// No presented certificate above the leaf is the trust anchor.
    AnchorNotPresented,
    /// Usage 2 or 0 with the leaf's own key or certificate.
    AnchorIsLeaf,
    /// The anchor is there, the path to it is not good.
    Path(String),
    /// It is the presented key or certificate, and senders do not take such a key.
    Weak(String),
    /// The path is good, the certificate is for other names.
    Name,
}

impl Judgement {
    /// What some senders make of it where they are not of the verdict's mind.
    pub fn dissent(&self) -> Option<String> {
        match (&self.verdict, &self.by_gnutls) {
            (Verdict::Verified(_), Some(Err(why))) => Some(format!(
                "refused by some senders: those on GnuTLS (Exim, as Debian builds it) find that {why}"
            )),
            (Verdict::Refused, Some(Ok(()))) => Some(
                "some senders deliver all the same: those on GnuTLS (Exim, as Debian builds it)"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// The presented chain, from the DER that came over the wire.
///
/// The leaf must be readable. An unreadable certificate behind it is left out: it can be no link of a valid path.
pub fn presented(chain: &[Vec<u8>]) -> Result<Vec<Certificate>, CertificateError> {
    let Some((leaf, others)) = chain.split_first() else {
        return Ok(Vec::new());
    };
    let mut certificates = vec![Certificate::from_der(leaf)?];
    certificates.extend(
        others
            .iter()
            .filter_map(|der| Certificate::from_der(der).ok()),
    );
    Ok(certificates)
}

/// Judges `chain` (leaf first) by `rrset`, for a host known by `names` (the TLSA base domain first), at `at`.
///
/// An empty `rrset` gives [`Verdict::NoUsableRecords`].
pub fn judge(
    rrset: &[Association],
    chain: &[Certificate],
    names: &[&str],
    at: Instant,
    rules: Rules<'_>,
) -> Judgement {
    let _quiet = Quiet;
    let usable: Vec<&Association> = rrset
        .iter()
        .filter(|record| unusable(record, rules).is_none())
        .collect();
    let given = given(&usable);
    let case = Case {
        chain,
        given: &given,
        names,
        at,
        rules,
    };
    let records: Vec<(Association, Finding)> = rrset
        .iter()
        .map(|record| {
            let finding = if let Some(reason) = unusable(record, rules) {
                Finding::Unusable(reason)
            } else if is_weaker(record, &usable) {
                Finding::Weaker
            } else {
                case.finding(record)
            };
            (record.clone(), finding)
        })
        .collect();
    let matched = records
        .iter()
        .find(|(_, finding)| *finding == Finding::Matched);
    let verdict = match matched {
        Some((record, _)) => Verdict::Verified(record.clone()),
        None if usable.is_empty() => Verdict::NoUsableRecords,
        None => Verdict::Refused,
    };
    let by_gnutls = matches!(rules, Rules::Smtp).then(|| gnutls::judge(rrset, chain, names, at));
    Judgement {
        verdict,
        records,
        by_gnutls,
    }
}

/// Those of `candidates` that `chain` satisfies, each looked at by itself, under every one of `names`, by the rules of SMTP.
///
/// What a sender then makes of a whole RRset of them is for `rotation::promise`.
pub fn satisfied(
    candidates: &BTreeSet<Association>,
    chain: &[Certificate],
    names: &[&str],
    at: Instant,
) -> BTreeSet<Association> {
    let _quiet = Quiet;
    let rules = Rules::Smtp;
    let under_each_name = |record: &&Association| {
        unusable(record, rules).is_none()
            && names.iter().all(|name| {
                let names = [*name];
                let case = Case {
                    chain,
                    given: &given(&[record]),
                    names: &names,
                    at,
                    rules,
                };
                case.finding(record) == Finding::Matched
            })
    };
    candidates.iter().filter(under_each_name).cloned().collect()
}

fn unusable(record: &Association, rules: Rules<'_>) -> Option<Unusable> {
    if record.usage > 3 || record.selector > 1 || record.matching > 2 {
        return Some(Unusable::Unassigned);
    }
    if record.usage < 2 && matches!(rules, Rules::Smtp) {
        return Some(Unusable::PkixUsage);
    }
    let octets = record.data.len();
    let expected = match record.matching {
        1 => 32,
        2 => 64,
        _ => {
            let readable = match record.selector {
                0 => Certificate::from_der(&record.data).is_ok(),
                _ => path::is_key(&record.data),
            };
            return (!readable).then_some(Unusable::NotDer);
        }
    };
    (octets != expected).then_some(Unusable::DigestLength { octets, expected })
}

/// RFC 7671 §9: per usage and selector only the strongest digest counts.
fn is_weaker(record: &Association, usable: &[&Association]) -> bool {
    usable.iter().any(|other| record.is_weaker_than(other))
}

/// The certificates that the records hold whole.
fn given(records: &[&Association]) -> Vec<Certificate> {
    let whole = records
        .iter()
        .filter(|one| (one.usage, one.selector, one.matching) == (2, 0, 0));
    whole
        .filter_map(|one| Certificate::from_der(&one.data).ok())
        .collect()
}

struct Case<'a> {
    chain: &'a [Certificate],
    /// Trust anchors that came from DNS.
    given: &'a [Certificate],
    names: &'a [&'a str],
    at: Instant,
    rules: Rules<'a>,
}

impl Case<'_> {
    fn finding(&self, record: &Association) -> Finding {
        let outcome = match (self.chain.split_first(), record.usage) {
            _ if association::is_digest_of_nothing(record) => Err(Mismatch::DigestOfNothing),
            (None, _) => Err(Mismatch::NothingPresented),
            // RFC 7671 §5.1: neither names nor validity of the certificate matter; the DNSSEC signature says both.
            (Some((leaf, _)), 3) => same(record, leaf)
                .and_then(|()| path::is_strong_enough(leaf).map_err(Mismatch::Weak)),
            (Some((leaf, others)), 2) => self.dane_ta(record, leaf, others),
            (Some((leaf, _)), 1) => same(record, leaf).and_then(|()| self.pkix(leaf, None)),
            (Some((leaf, _)), _) => self.pkix_ta(record, leaf),
        };
        match outcome {
            Ok(()) => Finding::Matched,
            Err(mismatch) => Finding::Mismatch(mismatch),
        }
    }

    /// DANE-TA(2): the anchor is presented (RFC 7672 §3.1.2), or the record holds it whole (RFC 7671 §5.2.2).
    fn dane_ta(
        &self,
        record: &Association,
        leaf: &Certificate,
        others: &[Certificate],
    ) -> Result<(), Mismatch> {
        path::is_strong_enough(leaf).map_err(Mismatch::Weak)?;
        let anchor = Anchor {
            is: &|link| association::matches(record, link),
            key: ((record.selector, record.matching) == (1, 0)).then_some(&record.data),
            given: self.given,
        };
        match path::check(self.chain, &anchor, self.at) {
            Ok(()) => self.named(leaf),
            Err(Failure::Bad(reason)) => Err(Mismatch::Path(reason)),
            Err(Failure::NotReached) if association::matches(record, leaf) => {
                Err(Mismatch::AnchorIsLeaf)
            }
            Err(Failure::NotReached) => {
                let sent = others
                    .iter()
                    .any(|other| association::matches(record, other));
                Err(if sent || record.matching == 0 {
                    Mismatch::Path("no path leads from the leaf to it".to_owned())
                } else {
                    Mismatch::AnchorNotPresented
                })
            }
        }
    }

    fn pkix_ta(&self, record: &Association, leaf: &Certificate) -> Result<(), Mismatch> {
        if association::matches(record, leaf) {
            return Err(Mismatch::AnchorIsLeaf);
        }
        self.pkix(leaf, Some(&|link| association::matches(record, link)))
    }

    fn pkix(
        &self,
        leaf: &Certificate,
        through: Option<&dyn Fn(&Certificate) -> bool>,
    ) -> Result<(), Mismatch> {
        let Rules::Pkix { roots } = self.rules else {
            return Err(Mismatch::AnchorNotPresented);
        };
        web_path::check_roots(self.chain, roots, self.at, through).map_err(Mismatch::Path)?;
        self.named(leaf)
    }

    fn named(&self, leaf: &Certificate) -> Result<(), Mismatch> {
        if name_check::carries_any(leaf, self.names) {
            Ok(())
        } else {
            Err(Mismatch::Name)
        }
    }
}

fn same(record: &Association, leaf: &Certificate) -> Result<(), Mismatch> {
    if association::matches(record, leaf) {
        Ok(())
    } else {
        Err(Mismatch::Differs)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matched => f.write_str("matches"),
            Self::Unusable(reason) => write!(f, "unusable: {reason}"),
            Self::Weaker => f.write_str(
                "not looked at: a stronger digest of the same usage and selector is published",
            ),
            Self::Mismatch(reason) => write!(f, "does not match: {reason}"),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PkixUsage => f.write_str("usages 0 and 1 do not count for SMTP"),
            Self::Unassigned => f.write_str("its usage, selector or matching type is not assigned"),
            Self::DigestLength { octets, expected } => {
                write!(f, "its digest has {octets} octets where {expected} belong")
            }
            Self::NotDer => f.write_str("its data is not a certificate or key in DER"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingPresented => f.write_str("no certificate is presented"),
            Self::Differs => f.write_str("another key or certificate is presented"),
            Self::DigestOfNothing => {
                f.write_str("it is the digest of the empty input, published by a failed command")
            }
            Self::AnchorNotPresented => {
                f.write_str("no presented certificate above the leaf is this trust anchor")
            }
            Self::AnchorIsLeaf => {
                f.write_str("it names the leaf itself, its usage an issuer (use usage 3)")
            }
            Self::Path(reason) | Self::Weak(reason) => f.write_str(reason),
            Self::Name => f.write_str("the leaf is issued for other names"),
        }
    }
}
