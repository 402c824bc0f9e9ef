//! A shared secret with its name and algorithm, and what is computed with it (RFC 8945 §4.2, §6).

use crate::zone::name::Name;
use ring::hmac;
use std::fmt;
use std::sync::Arc;

/// An HMAC, and how much of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    hash: Hash,
    /// Octets of the MAC: all of them, or fewer where both parties agreed to (RFC 8945 §5.2.2.1).
    length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const HASHES: [(Hash, &str); 3] = [
    (Hash::Sha256, "hmac-sha256"),
    (Hash::Sha384, "hmac-sha384"),
    (Hash::Sha512, "hmac-sha512"),
];

impl Hash {
    fn ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn name(self) -> &'static str {
        HASHES
            .iter()
            .find(|(hash, _)| *hash == self)
            .map_or("", |(_, name)| *name)
    }

    fn octets(self) -> usize {
        self.ring().digest_algorithm().output_len()
    }
}

impl Algorithm {
    /// Reads `hmac-sha256`, or with fewer bits `hmac-sha256-128`, as BIND writes them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        let refused = ["hmac-md5", "hmac-sha1", "hmac-sha224", "gss"];
        let found = HASHES
            .iter()
            .find_map(|(hash, name)| Some((*hash, lower.strip_prefix(name)?)));
        let Some((hash, rest)) = found else {
            let known = "hmac-sha256, hmac-sha384 and hmac-sha512 are";
            return Err(if refused.iter().any(|weak| lower.starts_with(weak)) {
                format!("{lower} is not accepted; {known}")
            } else {
                format!("this is not an algorithm of TSIG; {known}")
            });
        };
        let whole = hash.octets();
        if rest.is_empty() {
            return Ok(Self {
                hash,
                length: whole,
            });
        }
        let bits = rest.strip_prefix('-').and_then(|bits| bits.parse().ok());
        let octets = bits
            .filter(|bits: &usize| bits.is_multiple_of(8))
            .map(|bits| bits / 8);
        match octets {
            Some(length) if length >= whole / 2 && length <= whole => Ok(Self { hash, length }),
            _ => Err(format!(
                "{} can be cut to no less than {} bits, in whole octets (RFC 8945 §5.2.2.1)",
                hash.name(),
                whole.saturating_mul(4)
            )),
        }
    }

    /// The algorithm's name on the wire, which is that of the whole HMAC.
    pub(super) fn name(self) -> Name {
        let text = format!("{}.", self.hash.name());
        Name::parse(text.as_bytes(), None).unwrap_or_else(|_| Name::root())
    }

    /// Octets of the MAC that is sent, and the fewest that are taken.
    pub(super) fn length(self) -> usize {
        self.length
    }

    /// Octets of the whole HMAC.
    pub(super) fn whole(self) -> usize {
        self.hash.octets()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        if self.length == self.hash.octets() {
            Ok(())
        } else {
            write!(f, "-{}", self.length.saturating_mul(8))
        }
    }
}

/// A key; its secret can be used and never seen.
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    algorithm: Algorithm,
    secret: hmac::Key,
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TsigKey({} {})", self.name, self.algorithm)
    }
}

impl TsigKey {
    /// A key from its secret octets.
    pub fn new(name: Name, algorithm: Algorithm, secret: &[u8]) -> Self {
        Self {
            name,
            algorithm,
            secret: hmac::Key::new(algorithm.hash.ring(), secret),
        }
    }

    /// The name that both parties know it by.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The first `length` octets of the MAC over `parts` in a row.
    pub(super) fn mac(&self, parts: &[&[u8]], length: usize) -> Vec<u8> {
        let mut mac = self.whole_mac(parts).as_ref().to_vec();
        mac.truncate(length);
        mac
    }

    fn whole_mac(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.secret);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }

    /// Whether `mac`, of whatever length, is the beginning of the MAC over `parts`. Takes the same time either way: what
    /// is compared are MACs of the two, which say nothing about where they differ.
    pub(super) fn agrees(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        let ours = self.whole_mac(parts);
        let Some(beginning) = ours.as_ref().get(..mac.len()) else {
            return false;
        };
        let theirs = hmac::sign(&self.secret, mac);
        hmac::verify(&self.secret, beginning, theirs.as_ref()).is_ok()
    }
}

/// Keys by name.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<Arc<TsigKey>>);

impl Keyring {
    /// Adds a key, in place of one that has its name.
    pub fn insert(&mut self, key: TsigKey) {
        self.0.retain(|other| other.name != key.name);
        self.0.push(Arc::new(key));
    }

    /// The key of this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<TsigKey>> {
        self.0.iter().find(|key| key.name == *name)
    }

    /// The keys, in the order they came.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<TsigKey>> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn algorithms_are_read_as_bind_writes_them() {
        let table = [
            ("hmac-sha256", Some("hmac-sha256"), "whole"),
            ("HMAC-SHA512.", Some("hmac-sha512"), "case and dot"),
            ("hmac-sha256-128", Some("hmac-sha256-128"), "half"),
            ("hmac-sha384-384", Some("hmac-sha384"), "whole, said so"),
            ("hmac-sha256-120", None, "less than half"),
            ("hmac-sha256-129", None, "not whole octets"),
            ("hmac-sha256-264", None, "more than there is"),
            ("hmac-sha256x", None, "no such thing"),
            ("hmac-md5.sig-alg.reg.int", None, "broken"),
            ("hmac-sha1", None, "not for use any more"),
            ("", None, "nothing"),
        ];
        for (text, expected, why) in table {
            let read = Algorithm::parse(text).ok().map(|a| a.to_string());
            assert_eq!(read.as_deref(), expected, "{text}: {why}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let algorithm = Algorithm::parse("hmac-sha256").unwrap();
        let name = Name::parse(b"k.", None).unwrap();
        let key = TsigKey::new(name, algorithm, b"very secret octets");
        assert_eq!(format!("{key:?}"), "TsigKey(k. hmac-sha256)");
    }
}
