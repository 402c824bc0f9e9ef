//! Which keys sign what: key-signing and zone-signing keys, for every algorithm of the DNSKEY RRset (RFC 4035 §2.2, RFC 6840 §5.11).

use crate::dnssec::carry::SignerIds;
use crate::dnssec::dnskey::{Dnskey, KeyId};
use crate::dnssec::keys::SigningKey;
use crate::dnssec::rrsig::Rrsig;
use crate::rotation::timing::Instant;
use crate::zone::content::Zone;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;

/// The keys that sign, by what they sign.
pub(super) struct Signers<'k> {
    key_set: Vec<&'k SigningKey>,
    data: Vec<&'k SigningKey>,
}

/// Why the keys at hand cannot sign the zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// No DNSKEY in the zone and no published key.
    #[error("there is no key for {0}: make one with `tlsa-rotate key generate {0} --keys DIR`")]
    NoKeys(Name),
    /// No DNSKEY in the zone, and its keys are in use later only.
    #[error(
        "{zone} has a key, but it is in use from {from} on only: {stem}. Is the clock right? `dnssec-settime -P now -A now {stem}` in the directory of the keys puts it in use at once"
    )]
    NotInUseYet {
        /// The zone.
        zone: Name,
        /// The file name of the key that comes first.
        stem: String,
        /// When it does.
        from: Instant,
    },
    /// A key of another zone.
    #[error("the key {stem} is for {zone}, not for the zone to be signed")]
    ForeignKey {
        /// The key's file name.
        stem: String,
        /// Its zone.
        zone: Name,
    },
    /// A DNSKEY of an algorithm with which nothing can be signed now; every validator may insist on it.
    #[error(
        "the DNSKEY RRset holds key {0}, but no key of that algorithm is active: activate one, or take the DNSKEY out"
    )]
    AlgorithmWithoutKey(KeyId),
    /// A DNSKEY record that is not one.
    #[error("a DNSKEY record of the zone is truncated")]
    BrokenDnskey,
}

impl<'k> Signers<'k> {
    /// Chooses among `keys` those that sign `zone`, which already holds all its DNSKEYs.
    ///
    /// Within one algorithm: SEP keys sign the key set and the others the data, if there are both; otherwise each
    /// signs everything.
    pub(super) fn choose(
        zone: &Zone,
        keys: &'k [SigningKey],
        now: Instant,
    ) -> Result<Self, Unsignable> {
        if let Some(foreign) = keys.iter().find(|key| *key.zone() != zone.apex) {
            return Err(Unsignable::ForeignKey {
                stem: foreign.file_stem().to_owned(),
                zone: foreign.zone().clone(),
            });
        }
        let active: Vec<&SigningKey> = keys.iter().filter(|key| key.is_active(now)).collect();
        let mut chosen = Self {
            key_set: Vec::new(),
            data: Vec::new(),
        };
        let ids = one_key_per_algorithm(zone).map_err(|why| match why {
            Unsignable::NoKeys(_) => first_to_come(zone, keys, now).unwrap_or(why),
            _ => why,
        })?;
        for id in ids {
            let (entry, plain): (Vec<_>, Vec<_>) = active
                .iter()
                .copied()
                .filter(|key| key.id().algorithm == id.algorithm)
                .partition(|key| key.is_secure_entry_point());
            match (entry.is_empty(), plain.is_empty()) {
                (true, true) => return Err(Unsignable::AlgorithmWithoutKey(id)),
                (false, false) => {
                    chosen.key_set.extend(entry);
                    chosen.data.extend(plain);
                }
                (only_plain, _) => {
                    let all = if only_plain { plain } else { entry };
                    chosen.key_set.extend(&all);
                    chosen.data.extend(&all);
                }
            }
        }
        Ok(chosen)
    }

    /// Which keys they are.
    pub(super) fn ids(&self) -> SignerIds {
        let ids = |keys: &[&SigningKey]| keys.iter().map(|key| key.id()).collect();
        SignerIds {
            key_set: ids(&self.key_set),
            data: ids(&self.data),
        }
    }

    /// Every key that signs anything, some twice.
    pub(super) fn all(&self) -> impl Iterator<Item = &'k SigningKey> {
        self.key_set.iter().chain(&self.data).copied()
    }

    /// The keys that sign RRsets of this type. CDS and CDNSKEY speak to the parent, as the key set does (RFC 7344 §4.1).
    pub(super) fn of(&self, rtype: Rtype) -> &[&'k SigningKey] {
        match rtype {
            Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY => &self.key_set,
            _ => &self.data,
        }
    }
}

/// The keys that sign a signed zone: its key set, and its SOA as all else.
pub fn signers_of(zone: &Zone) -> SignerIds {
    let rrsigs = zone.rrset(&zone.apex, Rtype::RRSIG);
    let rrsigs = || rrsigs.into_iter().flat_map(|rrset| &rrset.rdatas);
    let over = |rtype| {
        let rrsigs = rrsigs().filter_map(|rdata| Rrsig::parse(rdata).ok());
        let over = rrsigs.filter(|rrsig| rrsig.covered == rtype);
        over.map(|rrsig| rrsig.key).collect()
    };
    SignerIds {
        key_set: over(Rtype::DNSKEY),
        data: over(Rtype::SOA),
    }
}

/// The key that will sign first, where all those at hand sign later only.
fn first_to_come(zone: &Zone, keys: &[SigningKey], now: Instant) -> Option<Unsignable> {
    let timed = keys
        .iter()
        .filter_map(|key| Some((key.timing().activate?, key)));
    let later = timed.filter(|(from, _)| *from > now);
    let (from, key) = later.min_by_key(|(from, _)| *from)?;
    Some(Unsignable::NotInUseYet {
        zone: zone.apex.clone(),
        stem: key.file_stem().to_owned(),
        from,
    })
}

/// The algorithms that must sign: those of all zone keys in the DNSKEY RRset, each with a key to name it by.
fn one_key_per_algorithm(zone: &Zone) -> Result<Vec<KeyId>, Unsignable> {
    let no_keys = || Unsignable::NoKeys(zone.apex.clone());
    let rrset = zone.rrset(&zone.apex, Rtype::DNSKEY).ok_or_else(no_keys)?;
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for rdata in &rrset.rdatas {
        let key = Dnskey::parse(rdata).ok_or(Unsignable::BrokenDnskey)?;
        if key.may_sign_zone_data() && seen.insert(key.algorithm) {
            ids.push(key.id());
        }
    }
    if ids.is_empty() {
        return Err(no_keys());
    }
    Ok(ids)
}
