//! New DNSSEC key pairs, in the pieces that key files are made of (RFC 3110, RFC 6605, RFC 8080).
//!
//! ring makes the elliptic ones; it makes no RSA keys, so the `rsa` crate does.

use crate::dnssec::algorithm::{Algorithm, join_rsa};
use crate::dnssec::randomness::Randomness;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};
use rsa::pkcs1::{self, EncodeRsaPrivateKey as _};
use rsa::pkcs8::{PrivateKeyInfoRef, der::Decode as _};

/// Modulus bits of new RSA keys (RFC 6781 §3.4.2).
const RSA_BITS: usize = 2048;

/// A fresh pair: the public key field of the DNSKEY record, and the named fields of the private file.
pub(super) struct Drawn {
    pub(super) public_key: Vec<u8>,
    pub(super) fields: Vec<(&'static str, Vec<u8>)>,
}

const NO_RANDOMNESS: &str = "the system gave no randomness";
const UNEXPECTED: &str = "the new key has an unexpected encoding";

/// Draws a key pair from the system's randomness.
pub(super) fn draw(algorithm: Algorithm) -> Result<Drawn, &'static str> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => draw_ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        Algorithm::EcdsaP384Sha384 => draw_ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, 48),
        Algorithm::Ed25519 => draw_ed25519(),
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => draw_rsa(),
    }
}

fn draw_ed25519() -> Result<Drawn, &'static str> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| NO_RANDOMNESS)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| UNEXPECTED)?;
    Ok(Drawn {
        public_key: pair.public_key().as_ref().to_vec(),
        fields: vec![("PrivateKey", seed.to_vec())],
    })
}

fn draw_ecdsa(curve: &'static EcdsaSigningAlgorithm, octets: usize) -> Result<Drawn, &'static str> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(curve, &random).map_err(|_| NO_RANDOMNESS)?;
    let pair =
        EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random).map_err(|_| UNEXPECTED)?;
    let [4, point @ ..] = pair.public_key().as_ref() else {
        return Err(UNEXPECTED);
    };
    let info = PrivateKeyInfoRef::from_der(document.as_ref()).map_err(|_| UNEXPECTED)?;
    let scalar = ec_private_scalar(info.private_key.as_bytes(), octets).ok_or(UNEXPECTED)?;
    Ok(Drawn {
        public_key: point.to_vec(),
        fields: vec![("PrivateKey", scalar.to_vec())],
    })
}

/// The scalar of a DER `ECPrivateKey` (RFC 5915 §3): a sequence of version 1, the scalar's octets, and more.
fn ec_private_scalar(der: &[u8], octets: usize) -> Option<&[u8]> {
    let body = match der {
        [0x30, 0x81, _, body @ ..] => body,
        [0x30, length, body @ ..] if *length < 0x80 => body,
        _ => return None,
    };
    let [0x02, 0x01, 0x01, 0x04, length, rest @ ..] = body else {
        return None;
    };
    let scalar = rest.get(..usize::from(*length))?;
    (scalar.len() == octets).then_some(scalar)
}

fn draw_rsa() -> Result<Drawn, &'static str> {
    let key = rsa::PrivateKey::new(&mut Randomness(&SystemRandom::new()), RSA_BITS)
        .map_err(|_| NO_RANDOMNESS)?;
    let document = key.to_pkcs1_der().map_err(|_| UNEXPECTED)?;
    let key = pkcs1::RsaPrivateKeyRef::from_der(document.as_bytes()).map_err(|_| UNEXPECTED)?;
    let octets = |number: pkcs1::UintRef<'_>| number.as_bytes().to_vec();
    Ok(Drawn {
        public_key: join_rsa(key.public_exponent.as_bytes(), key.modulus.as_bytes()),
        fields: vec![
            ("Modulus", octets(key.modulus)),
            ("PublicExponent", octets(key.public_exponent)),
            ("PrivateExponent", octets(key.private_exponent)),
            ("Prime1", octets(key.prime1)),
            ("Prime2", octets(key.prime2)),
            ("Exponent1", octets(key.exponent1)),
            ("Exponent2", octets(key.exponent2)),
            ("Coefficient", octets(key.coefficient)),
        ],
    })
}
