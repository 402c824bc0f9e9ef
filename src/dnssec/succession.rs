//! When a key may sign alone and when it may leave, whatever its times ask for (RFC 6781 §4.1.1, RFC 7583 §3.2.1, §3.3).
//!
//! A validator that has the old DNSKEY RRset in its cache must find a signature by a key of that, and one that has an old
//! signature must find its key. So a key signs alone only after its DNSKEY has been out for as long as caches may lack it,
//! and one that has signed stays in the zone for as long as caches may have its signatures. Until then keys are *held*: their
//! times are read as later ones. A key-signing key signs the key set alone only after the parent's DS has named it for a
//! day; who gives the DS to the parent is a person.

use crate::dnssec::dnskey::{Dnskey, Ds, KeyId, SEP};
use crate::dnssec::key_timing::Timing;
use crate::dnssec::keys::SigningKey;
use crate::rotation::timing::{Instant, Span, Ttl};
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use std::collections::BTreeSet;

/// How long a DS set that lacks the new key may be cached: what parents use, and most use less.
const DS_CACHED: Span = Span::days(1);

/// A DNSKEY that was handed out, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The record.
    pub dnskey: Rdata,
    /// Since when it has been in every version.
    pub published: Instant,
    /// Whether it signs the key set in the latest version.
    pub signs_keys: bool,
    /// Whether it signs everything else there.
    pub signs_data: bool,
    /// When a version with signatures of it was last replaced.
    pub signed: Option<Instant>,
    /// Since when the parent's DS has been seen to name it.
    pub vouched: Option<Instant>,
}

/// The keys that a zone was handed out with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    /// Those of the latest version, and earlier ones that caches may still need.
    pub keys: Vec<KnownKey>,
    /// The largest TTL that their RRset ever had.
    pub ttl: Ttl,
}

/// How long things take to be forgotten, beside the TTL of the key set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How long a server may be behind.
    pub propagation: Span,
    /// The largest TTL in the zone.
    pub longest: Ttl,
}

/// A key whose times are read as later ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The key.
    pub key: KeyId,
    /// Why.
    pub why: Why,
}

/// Why a key is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It goes on signing: no key that is to follow it is in every cache yet; one is at this time, if one is published.
    NoneFollows(Option<Instant>),
    /// It goes on signing the key set: the parent's DS names no key that is to follow it.
    NoDs,
    /// It stays in the zone: caches may have signatures by it until this time.
    Remembered(Instant),
    /// It goes on signing: no other key of its algorithm does, and it is not deleted (RFC 6840 §5.11).
    OnlyOne,
}

/// A key that is needed and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {key} is not in the directory any more, but caches need it {}", until.map_or("until a key that follows it is in every cache".to_owned(), |until| format!("until {until}")))]
pub struct Gone {
    /// The key.
    pub key: KeyId,
    /// Until when, if that is known.
    pub until: Option<Instant>,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    KeySet,
    Data,
}

impl KnownKey {
    fn id(&self) -> Option<KeyId> {
        Dnskey::parse(&self.dnskey).map(|key| key.id())
    }

    fn signs(&self, role: Role) -> bool {
        match role {
            Role::KeySet => self.signs_keys,
            Role::Data => self.signs_data,
        }
    }
}

impl Succession {
    fn known(&self, dnskey: &Rdata) -> Option<&KnownKey> {
        self.keys.iter().find(|known| known.dnskey == *dnskey)
    }

    /// When caches can have `dnskey`, if it is published.
    fn ready_at(&self, dnskey: &Rdata, waits: Waits) -> Option<Instant> {
        let known = self.known(dnskey)?;
        Some(known.published + self.ttl.span() + waits.propagation)
    }

    /// Whether the keys do by their times what they do in the latest version: then there is nothing to hold.
    pub fn is_settled(&self, keys: &[SigningKey], now: Instant) -> bool {
        let of = |role| -> BTreeSet<&Rdata> {
            let signing = signers(keys, role, now).into_iter();
            signing.map(SigningKey::dnskey).collect()
        };
        let known = |role| -> BTreeSet<&Rdata> {
            let signing = self.keys.iter().filter(|known| known.signs(role));
            signing.map(|known| &known.dnskey).collect()
        };
        let stays = |known: &KnownKey| {
            let mut same = keys.iter().filter(|key| *key.dnskey() == known.dnskey);
            same.any(|key| key.is_published(now))
        };
        let is_same = |role| of(role) == known(role);
        is_same(Role::KeySet) && is_same(Role::Data) && self.keys.iter().all(stays)
    }

    /// Whether the parent must be asked for its DS: a key is on its way to sign the key set beside, or instead of, another,
    /// and is not known there.
    pub fn wants_ds(&self, keys: &[SigningKey], now: Instant) -> bool {
        !self.unvouched(keys, now).is_empty()
    }

    /// The keys that are on their way to sign the key set, beside or instead of others, and whose DS the parent was not seen
    /// to have, each with the time from which it signs.
    pub fn unvouched(&self, keys: &[SigningKey], now: Instant) -> Vec<(KeyId, Instant)> {
        let retired = |dnskey: &Rdata| {
            let mut same = keys.iter().filter(|key| key.dnskey() == dnskey);
            !same.any(|key| key.is_active(now))
        };
        // Those that began together are known to the parent together, until one of them is to sign without the other.
        let others = |key: &SigningKey| {
            let since = self
                .known(key.dnskey())
                .map_or(now, |known| known.published);
            let old = self.keys.iter().filter(|known| known.signs_keys);
            let mut old = old.filter(|known| known.dnskey != *key.dnskey());
            old.any(|known| known.published < since || retired(&known.dnskey))
        };
        let signing = signers(keys, Role::KeySet, now);
        let on_its_way = |key: &&SigningKey| {
            let is_new = self.known(key.dnskey()).is_none_or(|k| k.vouched.is_none());
            let signs = signing.iter().any(|one| one.dnskey() == key.dnskey());
            let over = key.timing().inactive.is_some_and(|at| at <= now);
            is_new && !over && others(key) && (signs || key.is_secure_entry_point())
        };
        let published = keys.iter().filter(|key| key.is_published(now));
        let wanted = published.filter(on_its_way);
        let from = |key: &SigningKey| Some((key.id(), key.timing().activate?));
        wanted.filter_map(from).collect()
    }

    /// The parent's DS records were seen; none at all vouch for every key.
    pub fn vouch(&mut self, apex: &Name, ds: &[Rdata], now: Instant) {
        let ds: Vec<Ds<'_>> = ds.iter().filter_map(Ds::parse).collect();
        for known in &mut self.keys {
            let Some(key) = Dnskey::parse(&known.dnskey) else {
                continue;
            };
            let names = ds.is_empty() || ds.iter().any(|ds| ds.matches(apex, &key));
            known.vouched = known.vouched.or(Some(now)).filter(|_| names);
        }
    }

    /// Holds those of `keys` that caches still need; says which.
    pub fn hold(
        &self,
        keys: &mut [SigningKey],
        waits: Waits,
        now: Instant,
    ) -> Result<Vec<Held>, Gone> {
        let mut held = Vec::new();
        for role in [Role::Data, Role::KeySet] {
            self.hold_signers(keys, role, waits, now, &mut held)?;
        }
        self.hold_published(keys, waits, now, &mut held)?;
        hold_only_ones(keys, now, &mut held);
        Ok(held)
    }

    /// Lets those that signed go on, until one that is to follow is in every cache.
    fn hold_signers(
        &self,
        keys: &mut [SigningKey],
        role: Role,
        waits: Waits,
        now: Instant,
        held: &mut Vec<Held>,
    ) -> Result<(), Gone> {
        let next = signers(keys, role, now);
        let ready = |key: &&SigningKey| {
            let at = self.ready_at(key.dnskey(), waits);
            at.is_some_and(|at| at <= now)
        };
        // Where there was one key set signer all along, the parent need not be asked about it.
        let vouched = |key: &&SigningKey| {
            let known = self.known(key.dnskey());
            role == Role::Data
                || known.is_some_and(|known| {
                    let since = known.vouched.map(|at| at + DS_CACHED);
                    since.is_some_and(|at| at <= now)
                })
        };
        if next.iter().any(|key| ready(key) && vouched(key)) {
            return Ok(());
        }
        let why = if next.iter().any(ready) {
            Why::NoDs
        } else {
            let at = next
                .iter()
                .filter_map(|key| self.ready_at(key.dnskey(), waits));
            // One that is in no version yet will be in this one.
            let first = (!next.is_empty()).then(|| now + self.ttl.span() + waits.propagation);
            Why::NoneFollows(at.min().or(first))
        };
        let before: Vec<&KnownKey> = self.keys.iter().filter(|k| k.signs(role)).collect();
        let mut is_there = before.is_empty();
        for key in keys.iter_mut() {
            if !before.iter().any(|known| known.dnskey == *key.dnskey()) {
                continue;
            }
            is_there = true;
            if !key.is_active(now) {
                key.go_on(now);
                held.push(Held { key: key.id(), why });
            }
        }
        match before.first().and_then(|known| known.id()) {
            Some(key) if !is_there => Err(Gone { key, until: None }),
            _ => Ok(()),
        }
    }

    /// Keeps those in the zone whose signatures caches may have.
    fn hold_published(
        &self,
        keys: &mut [SigningKey],
        waits: Waits,
        now: Instant,
        held: &mut Vec<Held>,
    ) -> Result<(), Gone> {
        let longest = waits.longest.max(self.ttl).span();
        for known in &self.keys {
            let Some(id) = known.id() else { continue };
            let signs = known.signs_keys || known.signs_data;
            let Some(last) = known.signed.max(signs.then_some(now)) else {
                continue;
            };
            let until = last + longest + waits.propagation;
            let same = |key: &&mut SigningKey| *key.dnskey() == known.dnskey;
            let others =
                |key: &SigningKey| key.is_active(now) && key.id().algorithm == id.algorithm;
            // With its last key an algorithm leaves as a whole: signatures by it would be demanded otherwise.
            if until <= now || !keys.iter().any(others) {
                continue;
            }
            match keys.iter_mut().find(same) {
                Some(key) if key.is_published(now) => {}
                Some(key) => {
                    key.stay(now);
                    let why = Why::Remembered(until);
                    held.push(Held { key: id, why });
                }
                None => {
                    let until = Some(until);
                    return Err(Gone { key: id, until });
                }
            }
        }
        Ok(())
    }

    /// A version with these keys takes the place of the one before.
    pub fn follow(
        &mut self,
        dnskeys: &[Rdata],
        ttl: Ttl,
        (key_set, data): (&[KeyId], &[KeyId]),
        now: Instant,
    ) {
        self.ttl = self.ttl.max(ttl);
        for known in &mut self.keys {
            if known.signs_keys || known.signs_data {
                known.signed = Some(now);
            }
            (known.signs_keys, known.signs_data) = (false, false);
        }
        self.keys.retain(|known| dnskeys.contains(&known.dnskey));
        for dnskey in dnskeys {
            let Some(id) = Dnskey::parse(dnskey).map(|key| key.id()) else {
                continue;
            };
            let signs = (key_set.contains(&id), data.contains(&id));
            if let Some(known) = self.keys.iter_mut().find(|known| known.dnskey == *dnskey) {
                (known.signs_keys, known.signs_data) = signs;
                continue;
            }
            self.keys.push(KnownKey {
                dnskey: dnskey.clone(),
                published: now,
                signs_keys: signs.0,
                signs_data: signs.1,
                signed: None,
                vouched: None,
            });
        }
    }

    /// Whether one of `dnskeys` that signs the key set, one of `key_set`, is an entry point of `others` too.
    pub fn shares_entry(dnskeys: &[Rdata], key_set: &[KeyId], others: &[Rdata]) -> bool {
        let of = |set: &[Rdata]| -> BTreeSet<Rdata> {
            let keys = set
                .iter()
                .filter_map(|rdata| Some((rdata, Dnskey::parse(rdata)?)));
            let keys: Vec<_> = keys.filter(|(_, key)| key.may_sign_zone_data()).collect();
            let marked = keys.iter().any(|(_, key)| key.flags & SEP != 0);
            let entries = keys
                .iter()
                .filter(|(_, key)| !marked || key.flags & SEP != 0);
            entries.map(|(rdata, _)| (*rdata).clone()).collect()
        };
        let signs =
            |rdata: &&Rdata| Dnskey::parse(rdata).is_some_and(|key| key_set.contains(&key.id()));
        let (own, others) = (of(dnskeys), of(others));
        own.iter().filter(signs).any(|rdata| others.contains(rdata))
    }
}

/// Those that sign in this role by their times: within an algorithm SEP keys sign the key set and the others the data, if
/// there are both.
fn signers(keys: &[SigningKey], role: Role, now: Instant) -> Vec<&SigningKey> {
    let active: Vec<&SigningKey> = keys.iter().filter(|key| key.is_active(now)).collect();
    let has = |of: &SigningKey, entry: bool| {
        let mut same = active
            .iter()
            .filter(|k| k.id().algorithm == of.id().algorithm);
        same.any(|key| key.is_secure_entry_point() == entry)
    };
    let signs = |key: &&SigningKey| {
        let entry = key.is_secure_entry_point();
        !has(key, !entry) || entry == (role == Role::KeySet)
    };
    active.iter().copied().filter(signs).collect()
}

/// A key that is in the zone, inactive, and the last of its algorithm goes on signing: the zone would not validate without.
fn hold_only_ones(keys: &mut [SigningKey], now: Instant, held: &mut Vec<Held>) {
    let algorithms: BTreeSet<u8> = keys
        .iter()
        .filter(|key| key.is_active(now))
        .map(|key| key.id().algorithm)
        .collect();
    for key in keys {
        let begun = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let retired = key.is_published(now) && begun(key.timing().inactive);
        if retired && !algorithms.contains(&key.id().algorithm) {
            key.go_on(now);
            let why = Why::OnlyOne;
            held.push(Held { key: key.id(), why });
        }
    }
}

impl SigningKey {
    /// Reads its times as those of a key that is in use.
    fn go_on(&mut self, now: Instant) {
        let times = Timing {
            publish: Some(now),
            activate: Some(now),
            inactive: None,
            delete: None,
            ..*self.timing()
        };
        self.set_timing(times);
    }

    /// Reads its times as those of a key that is in the zone and does not sign.
    fn stay(&mut self, now: Instant) {
        let times = Timing {
            publish: Some(now),
            activate: None,
            inactive: None,
            delete: None,
            ..*self.timing()
        };
        self.set_timing(times);
    }
}

#[cfg(test)]
mod tests;
