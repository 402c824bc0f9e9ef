//! DNSSEC signing keys and the signatures they make (RFC 5702, RFC 6605, RFC 8080).
//!
//! Randomness comes from the system: ECDSA nonces must never be somebody's argument.

use crate::dnssec::algorithm::{Algorithm, split_rsa, uncompressed_point, without_zeros};
use crate::dnssec::dnskey::{Dnskey, KeyId, REVOKE};
use crate::dnssec::key_timing::Timing;
use crate::dnssec::keyfile::{PrivateText, file_stem};
use crate::rotation::timing::{Instant, Ttl};
use crate::zone::name::Name;
use crate::zone::record::Rdata;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature as ring_signature;
use ring::signature::{EcdsaKeyPair, Ed25519KeyPair};
use std::fmt;

/// A key that can sign: its DNSKEY record, its times, and its secret half.
pub struct SigningKey {
    zone: Name,
    dnskey: Rdata,
    ttl: Option<Ttl>,
    algorithm: Algorithm,
    id: KeyId,
    timing: Timing,
    stem: String,
    secret: Secret,
}

pub(super) enum Secret {
    Rsa(
        Box<RsaKeyPair>,
        &'static dyn ring_signature::RsaEncoding,
        SystemRandom,
    ),
    Ecdsa(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

/// A signature could not be made: the system gave no randomness, or the key is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {0} could not make a signature: no randomness from the system, or the key is damaged")]
pub struct CannotSign(pub KeyId);

impl SigningKey {
    pub(super) fn assemble(
        zone: Name,
        dnskey: Rdata,
        ttl: Option<Ttl>,
        private: &PrivateText,
    ) -> Result<Self, &'static str> {
        let fields = Dnskey::parse(&dnskey).ok_or("the DNSKEY record is truncated")?;
        let id = fields.id();
        if fields.flags & REVOKE != 0 || private.timing.revoke.is_some() {
            return Err(
                "revoked keys (RFC 5011) are not supported; move the key out of the directory",
            );
        }
        if !fields.may_sign_zone_data() {
            return Err("this is not a zone key: flags must be 256 or 257 and the protocol 3");
        }
        let algorithm = Algorithm::from_number(id.algorithm)
            .ok_or("its algorithm is not supported (8, 10, 13, 14 and 15 are)")?;
        if private.algorithm != id.algorithm {
            return Err("the private and the public file name different algorithms");
        }
        let secret = Secret::new(algorithm, fields.public_key, private)?;
        Ok(Self {
            stem: file_stem(&zone, id),
            zone,
            ttl,
            algorithm,
            id,
            timing: private.timing,
            secret,
            dnskey,
        })
    }

    /// The zone it is for.
    pub fn zone(&self) -> &Name {
        &self.zone
    }

    /// Its DNSKEY RDATA.
    pub fn dnskey(&self) -> &Rdata {
        &self.dnskey
    }

    /// The TTL that its file gives the DNSKEY record, if it does.
    pub fn ttl(&self) -> Option<Ttl> {
        self.ttl
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Algorithm number and tag.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Its times.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Lets it have other times than its files say.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// The name of its files without their endings.
    pub fn file_stem(&self) -> &str {
        &self.stem
    }

    /// Whether it carries the SEP flag (257): a KSK, or a CSK.
    pub fn is_secure_entry_point(&self) -> bool {
        Dnskey::parse(&self.dnskey).is_some_and(|key| key.is_secure_entry_point())
    }

    /// Whether its DNSKEY belongs in the zone now.
    pub fn is_published(&self, now: Instant) -> bool {
        self.timing.is_published(now)
    }

    /// Whether it signs now.
    pub fn is_active(&self, now: Instant) -> bool {
        self.timing.is_active(now)
    }

    /// Whether `message` was signed with this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Dnskey::parse(&self.dnskey).is_some_and(|key| key.verifies(message, signature))
    }

    /// Signs `message`; appends the signature, in the form of an RRSIG record, to `out`.
    pub fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), CannotSign> {
        let failed = |_| CannotSign(self.id);
        match &self.secret {
            Secret::Rsa(pair, padding, random) => {
                let start = out.len();
                out.resize(start.saturating_add(pair.public().modulus_len()), 0);
                let signature = out.get_mut(start..).unwrap_or_default();
                pair.sign(*padding, random, message, signature)
                    .map_err(failed)
            }
            Secret::Ecdsa(pair, random) => {
                out.extend_from_slice(pair.sign(random, message).map_err(failed)?.as_ref());
                Ok(())
            }
            Secret::Ed25519(pair) => {
                out.extend_from_slice(pair.sign(message).as_ref());
                Ok(())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    /// The public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.stem)
    }
}

impl Secret {
    fn new(
        algorithm: Algorithm,
        public_key: &[u8],
        private: &PrivateText,
    ) -> Result<Self, &'static str> {
        let mismatch = "the private half is damaged or does not belong to the public half";
        let single = private.field("PrivateKey");
        let single = || single.ok_or("the field `PrivateKey` is missing");
        match algorithm {
            Algorithm::RsaSha256 => rsa_secret(public_key, private).map(|pair| {
                Self::Rsa(pair, &ring_signature::RSA_PKCS1_SHA256, SystemRandom::new())
            }),
            Algorithm::RsaSha512 => rsa_secret(public_key, private).map(|pair| {
                Self::Rsa(pair, &ring_signature::RSA_PKCS1_SHA512, SystemRandom::new())
            }),
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => {
                let curve = if algorithm == Algorithm::EcdsaP256Sha256 {
                    &ring_signature::ECDSA_P256_SHA256_FIXED_SIGNING
                } else {
                    &ring_signature::ECDSA_P384_SHA384_FIXED_SIGNING
                };
                let random = SystemRandom::new();
                let point = uncompressed_point(public_key);
                // The point holds two numbers as long as the scalar.
                let scalar = full_length(single()?, public_key.len() / 2).ok_or(mismatch)?;
                EcdsaKeyPair::from_private_key_and_public_key(curve, &scalar, &point, &random)
                    .map(|pair| Self::Ecdsa(pair, random))
                    .map_err(|_| mismatch)
            }
            Algorithm::Ed25519 => Ed25519KeyPair::from_seed_and_public_key(single()?, public_key)
                .map(Self::Ed25519)
                .map_err(|_| mismatch),
        }
    }
}

/// A big-endian number in exactly `octets` octets: BIND writes scalars without the zeros in front, which one key in
/// 256 has.
fn full_length(number: &[u8], octets: usize) -> Option<Vec<u8>> {
    let number = without_zeros(number);
    let zeros = octets.checked_sub(number.len())?;
    let mut padded = vec![0; zeros];
    padded.extend_from_slice(number);
    Some(padded)
}

fn rsa_secret(public_key: &[u8], private: &PrivateText) -> Result<Box<RsaKeyPair>, &'static str> {
    let field = |name| {
        private
            .field(name)
            .map(without_zeros)
            .ok_or("a field of the RSA private key is missing")
    };
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: field("Modulus")?,
            e: field("PublicExponent")?,
        },
        d: field("PrivateExponent")?,
        p: field("Prime1")?,
        q: field("Prime2")?,
        dP: field("Exponent1")?,
        dQ: field("Exponent2")?,
        qInv: field("Coefficient")?,
    };
    if split_rsa(public_key) != Some((components.public_key.e, components.public_key.n)) {
        return Err("the private half does not belong to the public half");
    }
    RsaKeyPair::from_components(&components)
        .map(Box::new)
        .map_err(|_| "the RSA key is damaged, or not of 2048 to 4096 bits with an exponent of 65537 or more")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dnssec::generate::draw;
    use crate::dnssec::keyfile::private_text;

    #[test]
    fn a_scalar_written_without_its_leading_zeros_is_the_same_key() {
        for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
            let short = |scalar: &[u8]| without_zeros(scalar).len() < scalar.len();
            let (public_key, scalar) = (0..20_000)
                .map(|_| draw(algorithm).unwrap())
                .find_map(|drawn| {
                    let (_, scalar) = drawn.fields.into_iter().next()?;
                    short(&scalar).then_some((drawn.public_key, scalar))
                })
                .unwrap();
            for written in [scalar.clone(), without_zeros(&scalar).to_vec()] {
                let fields = [("PrivateKey", written)];
                let text = private_text(algorithm, &fields, &Timing::default());
                let private = PrivateText::parse(&text).ok().unwrap();
                assert!(Secret::new(algorithm, &public_key, &private).is_ok());
            }
            let fields = [("PrivateKey", [vec![1], scalar].concat())];
            let text = private_text(algorithm, &fields, &Timing::default());
            let private = PrivateText::parse(&text).ok().unwrap();
            assert!(Secret::new(algorithm, &public_key, &private).is_err());
        }
    }
}
