//! DNSKEY and DS records: their fields, the key tag, and the digest that ties one to the other (RFC 4034 §2, §5, App. B).

use crate::dnssec::algorithm::Algorithm;
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use ring::digest;
use std::fmt;
use std::str::FromStr;

/// The flag of keys that sign zone data (RFC 4034 §2.1.1).
pub const ZONE: u16 = 0x0100;
/// The flag of a revoked key (RFC 5011 §2.1).
pub const REVOKE: u16 = 0x0080;
/// The flag of a secure entry point: a key that the parent's DS points at (RFC 4034 §2.1.1).
pub const SEP: u16 = 0x0001;

/// What identifies a key in signatures and in talk: its algorithm number and its tag. Not unique by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Algorithm number.
    pub algorithm: u8,
    /// Key tag (RFC 4034 App. B).
    pub tag: u16,
}

/// The fields of a DNSKEY record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dnskey<'a> {
    /// Flags.
    pub flags: u16,
    /// Protocol, always 3.
    pub protocol: u8,
    /// Algorithm number.
    pub algorithm: u8,
    /// The public key field.
    pub public_key: &'a [u8],
    rdata: &'a [u8],
}

/// The fields of a DS record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ds<'a> {
    /// The key that is meant.
    pub key: KeyId,
    /// Digest type number.
    pub digest_type: u8,
    /// The digest.
    pub digest: &'a [u8],
}

/// A DS digest that we make (RFC 4509, RFC 6605 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestType {
    /// 2, the one that every validator knows.
    #[default]
    Sha256,
    /// 4.
    Sha384,
}

/// A text that names no digest type of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DS digest type that we make: use sha256 (2) or sha384 (4)")]
pub struct UnknownDigest;

impl<'a> Dnskey<'a> {
    /// Reads the fields; `None` if the octets end before the public key.
    pub fn parse(rdata: &'a Rdata) -> Option<Self> {
        match &*rdata.0 {
            [high, low, protocol, algorithm, public_key @ ..] if !public_key.is_empty() => {
                Some(Self {
                    flags: u16::from_be_bytes([*high, *low]),
                    protocol: *protocol,
                    algorithm: *algorithm,
                    public_key,
                    rdata: &rdata.0,
                })
            }
            _ => None,
        }
    }

    /// Algorithm and tag.
    pub fn id(&self) -> KeyId {
        KeyId {
            algorithm: self.algorithm,
            tag: key_tag(self.rdata),
        }
    }

    /// Whether signatures by it over zone data may count: ZONE set, protocol 3, not revoked (RFC 4035 §5.3.1, RFC 5011 §2.1).
    pub fn may_sign_zone_data(&self) -> bool {
        self.flags & ZONE != 0 && self.flags & REVOKE == 0 && self.protocol == 3
    }

    /// Whether it carries the SEP flag.
    pub fn is_secure_entry_point(&self) -> bool {
        self.flags & SEP != 0
    }

    /// Whether `message` was signed with this key. `false` for algorithms that are not ours.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Algorithm::from_number(self.algorithm)
            .is_some_and(|algorithm| algorithm.verifies(self.public_key, message, signature))
    }

    /// The DS RDATA for the parent of `owner`.
    pub fn ds(&self, owner: &Name, digest_type: DigestType) -> Rdata {
        let id = self.id();
        let digest = ds_digest(digest_type.algorithm(), owner, self.rdata);
        let mut rdata = id.tag.to_be_bytes().to_vec();
        rdata.extend_from_slice(&[self.algorithm, digest_type.number()]);
        rdata.extend_from_slice(digest.as_ref());
        Rdata(rdata.into())
    }
}

impl<'a> Ds<'a> {
    /// Reads the fields; `None` if the octets end before the digest.
    pub fn parse(rdata: &'a Rdata) -> Option<Self> {
        match &*rdata.0 {
            [high, low, algorithm, digest_type, digest @ ..] if !digest.is_empty() => Some(Self {
                key: KeyId {
                    algorithm: *algorithm,
                    tag: u16::from_be_bytes([*high, *low]),
                },
                digest_type: *digest_type,
                digest,
            }),
            _ => None,
        }
    }

    /// Whether the digest type is one that can be checked here: SHA-1, SHA-256, SHA-384.
    pub fn is_checkable(&self) -> bool {
        self.digest_algorithm().is_some()
    }

    /// Whether this DS stands for `dnskey` at `owner`. `false` for digest types that cannot be checked.
    pub fn matches(&self, owner: &Name, dnskey: &Dnskey<'_>) -> bool {
        self.key == dnskey.id()
            && self.digest_algorithm().is_some_and(|algorithm| {
                ds_digest(algorithm, owner, dnskey.rdata).as_ref() == self.digest
            })
    }

    fn digest_algorithm(&self) -> Option<&'static digest::Algorithm> {
        match self.digest_type {
            1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            2 => Some(&digest::SHA256),
            4 => Some(&digest::SHA384),
            _ => None,
        }
    }
}

/// The digest over owner and DNSKEY RDATA (RFC 4034 §5.1.4).
fn ds_digest(
    algorithm: &'static digest::Algorithm,
    owner: &Name,
    dnskey_rdata: &[u8],
) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    context.update(&owner.canonical());
    context.update(dnskey_rdata);
    context.finish()
}

/// The key tag of DNSKEY RDATA (RFC 4034 App. B; algorithm 1, which counted differently, is extinct).
pub fn key_tag(dnskey_rdata: &[u8]) -> u16 {
    let sum = dnskey_rdata
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
        .fold(0u32, u32::wrapping_add);
    let folded = sum.wrapping_add(sum >> 16) & 0xffff;
    u16::try_from(folded).unwrap_or_default()
}

impl DigestType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }
}

impl FromStr for DigestType {
    type Err = UnknownDigest;

    fn from_str(text: &str) -> Result<Self, UnknownDigest> {
        match text.to_ascii_lowercase().as_str() {
            "sha256" | "sha-256" | "2" => Ok(Self::Sha256),
            "sha384" | "sha-384" | "4" => Ok(Self::Sha384),
            _ => Err(UnknownDigest),
        }
    }
}

impl fmt::Display for KeyId {
    /// `12345 (ECDSAP256SHA256)`, as `dig +multi` and people put it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Algorithm::from_number(self.algorithm) {
            Some(algorithm) => write!(f, "{} ({algorithm})", self.tag),
            None => write!(f, "{} (algorithm {})", self.tag, self.algorithm),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::zone::record::Rtype;

    type Published = (&'static [u8], &'static [u8], u16, &'static [u8]);

    /// Key and DS of RFC 6605 §6.1 and RFC 8080 §6.1.
    const PUBLISHED: [Published; 2] = [
        (
            b"example.net.",
            b"257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            55648,
            b"55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
        ),
        (
            b"example.com.",
            b"257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            3613,
            b"3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
        ),
    ];

    fn rdata(rtype: Rtype, text: &[u8]) -> Rdata {
        Rdata::from_text(rtype, text, None).unwrap()
    }

    #[test]
    fn tags_add_up_as_the_appendix_says() {
        assert_eq!(key_tag(&[]), 0);
        assert_eq!(key_tag(&[1, 2, 3]), 0x0402);
        assert_eq!(
            key_tag(&[0xff, 0xff, 0x00, 0x01]),
            1,
            "the carry comes back in"
        );
    }

    #[test]
    fn tags_and_digests_are_those_that_the_rfcs_print() {
        for (owner, dnskey, tag, ds) in PUBLISHED {
            let owner = Name::parse(owner, None).unwrap();
            let dnskey = rdata(Rtype::DNSKEY, dnskey);
            let key = Dnskey::parse(&dnskey).unwrap();
            assert_eq!(key.id().tag, tag);
            assert_eq!(key.ds(&owner, DigestType::Sha256), rdata(Rtype::DS, ds));
        }
    }

    #[test]
    fn a_ds_matches_its_key_at_its_owner_and_no_other() {
        let (owner, dnskey, ..) = PUBLISHED[0];
        let lower = Name::parse(owner, None).unwrap();
        let upper = Name::parse(&owner.to_ascii_uppercase(), None).unwrap();
        let elsewhere = Name::parse(b"example.org.", None).unwrap();
        let dnskey = rdata(Rtype::DNSKEY, dnskey);
        let key = Dnskey::parse(&dnskey).unwrap();
        // Two octets two apart change places: the tag stays, only the digest tells.
        let mut octets = dnskey.0.to_vec();
        octets.swap(8, 10);
        let other = Rdata(octets.into());
        let other = Dnskey::parse(&other).unwrap();
        assert_eq!(other.id(), key.id());
        assert_ne!(other, key);
        for digest_type in [DigestType::Sha256, DigestType::Sha384] {
            let ds = key.ds(&lower, digest_type);
            let ds = Ds::parse(&ds).unwrap();
            assert!(ds.matches(&lower, &key) && ds.matches(&upper, &key));
            assert!(!ds.matches(&elsewhere, &key) && !ds.matches(&lower, &other));
        }
    }

    #[test]
    fn truncated_records_are_not_keys() {
        for octets in [&[][..], &[1, 1, 3], &[1, 1, 3, 13]] {
            assert_eq!(Dnskey::parse(&Rdata(octets.into())), None);
            assert_eq!(Ds::parse(&Rdata(octets.into())), None);
        }
    }
}
