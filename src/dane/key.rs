//! Public keys: what kind, how strong, whether two are one key (RFC 5280 §4.1.2.7, RFC 5480, RFC 8017 §A.1, RFC 8410).

use crate::dane::der::{self, tag};
use crate::dane::private_key;
use crate::rotation::observation::KeyAlgorithm;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use std::fmt;

pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
pub(super) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
pub(super) const ED448: &[u8] = &[0x2b, 0x65, 0x71];
/// `id-RSASSA-PSS` (RFC 4055 §1.2): an RSA key for such signatures alone.
pub(super) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

/// A public key: the `SubjectPublicKeyInfo` octets it was read from, and what they say.
#[derive(Clone, Debug)]
pub struct PublicKey {
    spki: Vec<u8>,
    value: Value,
}

/// The key itself, whatever way it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
        /// Whether it is for RSA-PSS alone.
        pss: bool,
    },
    /// The point as `04 x y`.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    Ed448(Vec<u8>),
    /// Any other algorithm: its `AlgorithmIdentifier` and key octets as they stand.
    Other {
        algorithm: Vec<u8>,
        key: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
    /// Curve parameters written out, or a curve this program does not compute with.
    Unnamed,
}

/// What a key is made of, for people and for the gate that asks "strong enough?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// Something else: mail servers and senders cannot be expected to know it.
    Other,
}

impl Strength {
    /// Whether senders accept the key today: RSA of 2048 bits or more, NIST curves from P-256 on, Ed25519, Ed448 (BCP 195).
    pub fn is_enough(self) -> bool {
        match self {
            Self::Rsa { bits } => bits >= 2048,
            Self::P256 | Self::P384 | Self::P521 | Self::Ed25519 | Self::Ed448 => true,
            Self::Other => false,
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Ed448 => f.write_str("Ed448"),
            Self::Other => f.write_str("of another algorithm"),
        }
    }
}

/// Why octets are not a key, or not one whose public half can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a `SubjectPublicKeyInfo`.
    #[error("the public key is not a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)")]
    NotSpki,
    /// A `SubjectPublicKeyInfo` without key octets.
    #[error("the public key is empty")]
    Empty,
    /// Not PKCS#8, SEC1 or PKCS#1.
    #[error("the private key is neither PKCS#8, nor SEC1, nor PKCS#1")]
    NotPrivateKey,
    /// The private number is not one of the curve, or RSA numbers that do not fit together.
    #[error("the private key is damaged: {0}")]
    Damaged(&'static str),
    /// The file says one public key, its private key gives another.
    #[error("the public key written in the private key's file is not the one that belongs to it")]
    Contradiction,
    /// DSA, X25519, rare or written-out curves, more than two primes, …
    #[error("{0}: give the certificate or the public key instead")]
    Unsupported(&'static str),
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`; its octets are kept as they stand.
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let body = der::only(tag::SEQUENCE, spki).ok_or(KeyError::NotSpki)?;
        let (algorithm, rest) = der::expect(tag::SEQUENCE, body).ok_or(KeyError::NotSpki)?;
        let (oid, parameters) = der::expect(tag::OID, algorithm).ok_or(KeyError::NotSpki)?;
        let bits = der::only(tag::BIT_STRING, rest).ok_or(KeyError::NotSpki)?;
        let key = match bits.split_first() {
            Some((0, key)) if !key.is_empty() => key,
            Some((0, _)) | None => return Err(KeyError::Empty),
            Some(_) => return Err(KeyError::NotSpki),
        };
        let value = match oid {
            RSA => rsa_public(key, false),
            RSA_PSS => rsa_public(key, true),
            EC => ec_public(parameters, key),
            ED25519 => Some(Value::Ed25519(key.to_vec())),
            ED448 => Some(Value::Ed448(key.to_vec())),
            _ => None,
        };
        Ok(Self {
            spki: spki.to_vec(),
            value: value.unwrap_or_else(|| Value::Other {
                algorithm: algorithm.to_vec(),
                key: key.to_vec(),
            }),
        })
    }

    /// The public key that belongs to a private key in PKCS#8, SEC1 or PKCS#1 DER.
    pub fn from_private(private: &[u8]) -> Result<Self, KeyError> {
        private_key::public_half(private)
    }

    /// The RSA public key of PKCS#1 (`RSAPublicKey`), as a `SubjectPublicKeyInfo` (RFC 3279 §2.3.1).
    pub fn from_pkcs1(key: &[u8]) -> Result<Self, KeyError> {
        rsa_public(key, false).ok_or(KeyError::NotSpki)?;
        Self::from_spki(&rsa_spki(key))
    }

    /// The `SubjectPublicKeyInfo` octets.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// RSA (with RSA-PSS) or ECDSA (which Ed25519 and Ed448 are counted to); `None` for anything else.
    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        match self.value {
            Value::Rsa { .. } => Some(KeyAlgorithm::Rsa),
            Value::Ec { .. } | Value::Ed25519(_) | Value::Ed448(_) => Some(KeyAlgorithm::Ecdsa),
            Value::Other { .. } => None,
        }
    }

    /// Kind and size.
    pub fn strength(&self) -> Strength {
        match &self.value {
            Value::Rsa { modulus, .. } => Strength::Rsa {
                bits: bit_length(modulus),
            },
            Value::Ec { curve, .. } => match curve {
                Curve::P256 => Strength::P256,
                Curve::P384 => Strength::P384,
                Curve::P521 => Strength::P521,
                Curve::Unnamed => Strength::Other,
            },
            Value::Ed25519(_) => Strength::Ed25519,
            Value::Ed448(_) => Strength::Ed448,
            Value::Other { .. } => Strength::Other,
        }
    }

    /// Whether it signs by RSA-PSS alone (`id-RSASSA-PSS`, RFC 4055 §1.2).
    pub fn is_for_pss_alone(&self) -> bool {
        matches!(self.value, Value::Rsa { pss: true, .. })
    }

    /// Whether this is the same key, however each was written.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            // A curve written out in parameters has no name to compare; the point on it is the key.
            (Value::Ec { point: a, .. }, Value::Ec { point: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }

    /// The key octets that a signature is verified with: the curve point (uncompressed), the `RSAPublicKey`, the 32 octets.
    pub fn verification_octets(&self) -> Vec<u8> {
        match &self.value {
            Value::Ec { point, .. } => point.clone(),
            Value::Ed25519(key) | Value::Ed448(key) | Value::Other { key, .. } => key.clone(),
            Value::Rsa {
                modulus, exponent, ..
            } => {
                let numbers = [unsigned(modulus), unsigned(exponent)].concat();
                der::wrap(tag::SEQUENCE, &numbers)
            }
        }
    }
}

pub(super) fn bit_length(magnitude: &[u8]) -> usize {
    let leading = magnitude.first().map_or(0, |octet| octet.leading_zeros());
    magnitude
        .len()
        .saturating_mul(8)
        .saturating_sub(usize::try_from(leading).unwrap_or_default())
}

/// A DER INTEGER of an unsigned magnitude.
fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let sign = magnitude.first().is_none_or(|octet| octet & 0x80 != 0);
    let contents = [if sign { &[0][..] } else { &[] }, magnitude].concat();
    der::wrap(tag::INTEGER, &contents)
}

fn rsa_public(key: &[u8], pss: bool) -> Option<Value> {
    let numbers = der::only(tag::SEQUENCE, key)?;
    let (modulus, rest) = der::expect(tag::INTEGER, numbers)?;
    let exponent = der::only(tag::INTEGER, rest)?;
    Some(Value::Rsa {
        modulus: der::magnitude(modulus).to_vec(),
        exponent: der::magnitude(exponent).to_vec(),
        pss,
    })
}

fn ec_public(parameters: &[u8], key: &[u8]) -> Option<Value> {
    let named = der::only(tag::OID, parameters).and_then(curve);
    let (curve, point) = match named {
        Some((curve, nid)) => (curve, uncompressed(nid, key).ok()?),
        None => (Curve::Unnamed, key.to_vec()),
    };
    Some(Value::Ec { curve, point })
}

/// A curve by its object identifier.
fn curve(oid: &[u8]) -> Option<(Curve, Nid)> {
    match oid {
        P256 => Some((Curve::P256, Nid::X9_62_PRIME256V1)),
        P384 => Some((Curve::P384, Nid::SECP384R1)),
        P521 => Some((Curve::P521, Nid::SECP521R1)),
        _ => None,
    }
}

/// The curve's number in OpenSSL.
pub(super) fn curve_number(oid: &[u8]) -> Option<Nid> {
    curve(oid).map(|(_, nid)| nid)
}

/// `04 x y`, of a point in any form that lies on the curve.
fn uncompressed(curve: Nid, point: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, point, &mut context)?;
    point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
}

pub(super) fn ec_spki(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = [der::wrap(tag::OID, EC), der::wrap(tag::OID, curve)].concat();
    spki(&algorithm, point)
}

fn rsa_spki(key: &[u8]) -> Vec<u8> {
    let algorithm = [der::wrap(tag::OID, RSA), der::wrap(tag::NULL, &[])].concat();
    spki(&algorithm, key)
}

pub(super) fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = [&[0], key].concat();
    let body = [
        der::wrap(tag::SEQUENCE, algorithm),
        der::wrap(tag::BIT_STRING, &bits),
    ]
    .concat();
    der::wrap(tag::SEQUENCE, &body)
}
