//! Whether a signature holds over an RRset, judged as a validator does (RFC 4035 §5.3, RFC 6840, RFC 5011 §2.1).
//!
//! Takes no decision from the signer. What a validator must do besides: prove by NSEC that no closer name exists
//! when an answer was expanded from a wildcard ([`Verified::wildcard`]), and cap the TTL ([`Verified::original_ttl`]).

use crate::dnssec::algorithm::Algorithm;
use crate::dnssec::dnskey::{Dnskey, Ds, KeyId};
use crate::dnssec::rrsig::{CanonicalRrset, Rrsig, Timestamp};
use crate::rotation::observation::SignatureWindow;
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::content::Rrset;
use crate::zone::name::Name;
use crate::zone::rdata::FOLDED_BY_SOME;
use crate::zone::record::{Rdata, Rtype};
use std::cmp::Ordering;

pub use crate::dnssec::audit::verify_zone;

/// Keys of one tag that are tried for one signature. Honest zones have one; many are an attack on time (CVE-2023-50387).
const KEYS_TRIED: usize = 4;

/// What a signature that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key that made it.
    pub key: KeyId,
    /// From when until when it holds.
    pub window: SignatureWindow,
    /// The TTL in the zone. Nobody may cache the RRset for longer (RFC 4035 §5.3.3).
    pub original_ttl: Ttl,
    /// The wildcard that the answer was expanded from; only with a proof that nothing closer exists does it count.
    pub wildcard: Option<Name>,
}

/// Why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Truncated, or a signer that is not a name.
    #[error("the RRSIG record is malformed")]
    Malformed,
    /// It is over another type.
    #[error("the signature covers {0}")]
    CoversOther(Rtype),
    /// Signed in the name of another zone.
    #[error("the signer is {0}, not the zone")]
    ForeignSigner(Name),
    /// The owner is not in the zone.
    #[error("the owner lies outside the zone")]
    OwnerOutside,
    /// The labels field is larger than the owner has labels, or smaller than the zone has.
    #[error("the labels field is {0}, which fits no name of the zone above the owner")]
    Labels(u8),
    /// Inception after expiration, or further apart than serial arithmetic reaches.
    #[error("inception does not come before expiration")]
    Backwards,
    /// Not valid yet.
    #[error("the signature is not valid before {0}")]
    NotYet(Instant),
    /// Not valid any more.
    #[error("the signature expired at {0}")]
    Expired(Instant),
    /// An algorithm that cannot be checked here.
    #[error("key {0} has an algorithm that cannot be checked here")]
    Unsupported(KeyId),
    /// The DNSKEY RRset holds no such key.
    #[error("key {0} is not in the DNSKEY RRset")]
    NoSuchKey(KeyId),
    /// There is such a key, but it may not sign zone data.
    #[error("key {0} may not sign zone data: ZONE flag missing, revoked, or protocol not 3")]
    NotAZoneKey(KeyId),
    /// The arithmetic says no.
    #[error("the signature of key {0} does not fit the records")]
    Bogus(KeyId),
}

/// Checks one signature over one RRset with the zone's DNSKEY records at an instant.
///
/// `owner` is the owner as answered; `apex` the zone's name. The RRset's own TTL is not looked at: answers from
/// caches count down. The `dnskeys` must have been validated before, see [`verify_dnskeys`].
pub fn verify_rrset(
    owner: &Name,
    rtype: Rtype,
    rrset: &Rrset,
    rrsig: &Rdata,
    dnskeys: &[Rdata],
    apex: &Name,
    at: Instant,
) -> Result<Verified, Invalid> {
    let rrsig = Rrsig::parse(rrsig).map_err(|_| Invalid::Malformed)?;
    let ring = KeyRing::read(dnskeys);
    Judge::new(&ring, apex, at).judge(owner, rtype, rrset, &rrsig)
}

/// The keys of a DNSKEY RRset, read once for any number of signatures.
pub(super) struct KeyRing<'k> {
    keys: Vec<(KeyId, Dnskey<'k>)>,
}

impl<'k> KeyRing<'k> {
    pub(super) fn read(dnskeys: &'k [Rdata]) -> Self {
        let keys = dnskeys.iter().filter_map(Dnskey::parse);
        Self {
            keys: keys.map(|key| (key.id(), key)).collect(),
        }
    }

    /// Whether a key that the signature names made it over the message.
    fn vouches_for(&self, rrsig: &Rrsig<'_>, message: &[u8]) -> Result<(), Invalid> {
        if Algorithm::from_number(rrsig.key.algorithm).is_none() {
            return Err(Invalid::Unsupported(rrsig.key));
        }
        let mut refusal = Invalid::NoSuchKey(rrsig.key);
        let named = self.keys.iter().filter(|(id, _)| *id == rrsig.key);
        for (_, key) in named.take(KEYS_TRIED) {
            if !key.may_sign_zone_data() {
                if matches!(refusal, Invalid::NoSuchKey(_)) {
                    refusal = Invalid::NotAZoneKey(rrsig.key);
                }
            } else if key.verifies(message, rrsig.signature) {
                return Ok(());
            } else {
                refusal = Invalid::Bogus(rrsig.key);
            }
        }
        Err(refusal)
    }
}

/// Who judges signatures of one zone at one instant, with a buffer that serves for all of them.
pub(super) struct Judge<'a> {
    ring: &'a KeyRing<'a>,
    apex: &'a Name,
    at: Instant,
    message: Vec<u8>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(ring: &'a KeyRing<'a>, apex: &'a Name, at: Instant) -> Self {
        Self {
            ring,
            apex,
            at,
            message: Vec::with_capacity(512),
        }
    }

    /// See [`verify_rrset`].
    pub(super) fn judge(
        &mut self,
        owner: &Name,
        rtype: Rtype,
        rrset: &Rrset,
        rrsig: &Rrsig<'_>,
    ) -> Result<Verified, Invalid> {
        if rrsig.covered != rtype {
            return Err(Invalid::CoversOther(rrsig.covered));
        }
        if rrsig.signer != *self.apex {
            return Err(Invalid::ForeignSigner(rrsig.signer.clone()));
        }
        if !owner.is_at_or_below(self.apex) {
            return Err(Invalid::OwnerOutside);
        }
        let wildcard = wildcard_signed(owner, rrsig, self.apex)?;
        let window = window(rrsig, self.at)?;
        let signed_owner = wildcard.as_ref().unwrap_or(owner).canonical();
        let mut vouched = |records: CanonicalRrset<'_>| {
            self.message.clear();
            rrsig.append_front(&mut self.message);
            records.append_records(&signed_owner, rtype, rrsig.original_ttl, &mut self.message);
            self.ring.vouches_for(rrsig, &self.message)
        };
        match vouched(CanonicalRrset::new(rtype, rrset)) {
            // Others' signers do not agree on these.
            Err(Invalid::Bogus(_)) if FOLDED_BY_SOME.contains(&rtype) => {
                vouched(CanonicalRrset::as_written(rrset))?;
            }
            found => found?,
        }
        Ok(Verified {
            key: rrsig.key,
            window,
            original_ttl: rrsig.original_ttl,
            wildcard,
        })
    }
}

/// Checks a DNSKEY RRset against the parent's DS RRset (RFC 4035 §5.2): a key that a DS stands for must have signed it.
///
/// SHA-1 digests count only where the DS RRset has nothing better (RFC 4509 §3).
pub fn verify_dnskeys(
    apex: &Name,
    dnskeys: &Rrset,
    rrsigs: &[Rdata],
    ds: &[Rdata],
    at: Instant,
) -> Result<Verified, NoChain> {
    let entry_points = entry_points(apex, &dnskeys.rdatas, ds);
    if entry_points.is_empty() {
        return Err(NoChain::NoKeyForDs);
    }
    let mut first_refusal = None;
    for rrsig in rrsigs {
        if Rrsig::covered_by(rrsig) != Some(Rtype::DNSKEY) {
            continue;
        }
        match verify_rrset(apex, Rtype::DNSKEY, dnskeys, rrsig, &entry_points, apex, at) {
            Ok(verified) => return Ok(verified),
            Err(invalid) => first_refusal = first_refusal.or(Some(invalid)),
        }
    }
    Err(first_refusal.map_or(NoChain::Unsigned, NoChain::Invalid))
}

/// Why a DNSKEY RRset is not the one that the parent vouches for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChain {
    /// No key of the RRset matches any DS.
    #[error("no key of the DNSKEY RRset matches a DS record of the parent")]
    NoKeyForDs,
    /// There are keys for the DS, but no signature over the DNSKEY RRset at all.
    #[error("the DNSKEY RRset is not signed")]
    Unsigned,
    /// No signature of such a key holds; this is what is wrong with the first.
    #[error("the DNSKEY RRset is not validly signed by a key that the parent's DS names: {0}")]
    Invalid(Invalid),
}

/// The keys that the DS records stand for.
pub(super) fn entry_points(apex: &Name, dnskeys: &[Rdata], ds: &[Rdata]) -> Vec<Rdata> {
    let ds: Vec<Ds<'_>> = ds.iter().filter_map(Ds::parse).collect();
    let better_than_sha1 = ds.iter().any(|d| d.digest_type != 1 && d.is_checkable());
    let stands_for = |key: &Dnskey<'_>| {
        ds.iter()
            .filter(|d| d.digest_type != 1 || !better_than_sha1)
            .any(|d| d.matches(apex, key))
    };
    dnskeys
        .iter()
        .filter(|rdata| Dnskey::parse(rdata).is_some_and(|key| stands_for(&key)))
        .cloned()
        .collect()
}

/// The wildcard that the labels field points at; `None` if the answer's own owner was signed (RFC 4035 §5.3.2).
fn wildcard_signed(owner: &Name, rrsig: &Rrsig<'_>, apex: &Name) -> Result<Option<Name>, Invalid> {
    let labels = usize::from(rrsig.labels);
    let own = owner
        .label_count()
        .saturating_sub(usize::from(owner.is_wildcard()));
    if labels > own || labels < apex.label_count() {
        return Err(Invalid::Labels(rrsig.labels));
    }
    if labels == own {
        return Ok(None);
    }
    let mut encloser = owner.clone();
    while encloser.label_count() > labels {
        encloser = encloser.parent().ok_or(Invalid::Labels(rrsig.labels))?;
    }
    let wildcard = encloser.child(b"*");
    wildcard
        .map(Some)
        .map_err(|_| Invalid::Labels(rrsig.labels))
}

fn window(rrsig: &Rrsig<'_>, at: Instant) -> Result<SignatureWindow, Invalid> {
    let now = Timestamp::of(at);
    let forward = rrsig.inception.order(rrsig.expiration);
    if !matches!(forward, Some(Ordering::Less | Ordering::Equal)) {
        return Err(Invalid::Backwards);
    }
    let window = SignatureWindow {
        inception: rrsig.inception.near(at),
        expiration: rrsig.expiration.near(at),
    };
    // "Now" may lie on the far side of the circle from either end: only a known order counts.
    if !matches!(
        rrsig.inception.order(now),
        Some(Ordering::Less | Ordering::Equal)
    ) {
        return Err(Invalid::NotYet(window.inception));
    }
    if !matches!(
        now.order(rrsig.expiration),
        Some(Ordering::Less | Ordering::Equal)
    ) {
        return Err(Invalid::Expired(window.expiration));
    }
    Ok(window)
}

#[cfg(test)]
mod tests;
