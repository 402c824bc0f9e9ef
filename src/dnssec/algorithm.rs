//! DNSSEC algorithms: numbers, mnemonics, and the check of one signature (RFC 8624, RFC 3110, RFC 5702, RFC 6605, RFC 8080).

use ring::signature as ring_signature;
use std::fmt;
use std::str::FromStr;

/// An algorithm that zones can be signed and verified with here.
///
/// Everything else (RSASHA1 and older, Ed448, private ones) is neither signed nor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 8, RSA with SHA-256.
    RsaSha256,
    /// 10, RSA with SHA-512.
    RsaSha512,
    /// 13, the one to take (RFC 8624 §3.1).
    EcdsaP256Sha256,
    /// 14.
    EcdsaP384Sha384,
    /// 15.
    Ed25519,
}

/// A text that names no algorithm of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a supported DNSSEC algorithm: use ecdsap256sha256 (13), ed25519 (15), rsasha256 (8), \
     ecdsap384sha384 (14) or rsasha512 (10)"
)]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// All of them, by number.
    pub const ALL: [Self; 5] = [
        Self::RsaSha256,
        Self::RsaSha512,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::Ed25519,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::RsaSha256 => 8,
            Self::RsaSha512 => 10,
            Self::EcdsaP256Sha256 => 13,
            Self::EcdsaP384Sha384 => 14,
            Self::Ed25519 => 15,
        }
    }

    /// The algorithm of a number, if it is one of ours.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.number() == number)
    }

    /// The mnemonic of the IANA registry.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSASHA256",
            Self::RsaSha512 => "RSASHA512",
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Self::EcdsaP384Sha384 => "ECDSAP384SHA384",
            Self::Ed25519 => "ED25519",
        }
    }

    /// Whether `signature` over `message` was made with the key whose DNSKEY public key field is `public_key`.
    ///
    /// A field or a signature that is not well-formed is simply not valid. RSA moduli of 1024 bits and more are
    /// accepted, as validators do; shorter ones are not.
    pub fn verifies(self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::RsaSha256 => rsa_verifies(
                &ring_signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                public_key,
                message,
                signature,
            ),
            Self::RsaSha512 => rsa_verifies(
                &ring_signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                public_key,
                message,
                signature,
            ),
            Self::EcdsaP256Sha256 => point_verifies(
                &ring_signature::ECDSA_P256_SHA256_FIXED,
                public_key,
                message,
                signature,
            ),
            Self::EcdsaP384Sha384 => point_verifies(
                &ring_signature::ECDSA_P384_SHA384_FIXED,
                public_key,
                message,
                signature,
            ),
            Self::Ed25519 => {
                ring_signature::UnparsedPublicKey::new(&ring_signature::ED25519, public_key)
                    .verify(message, signature)
                    .is_ok()
            }
        }
    }
}

fn rsa_verifies(
    parameters: &'static ring_signature::RsaParameters,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    split_rsa(public_key).is_some_and(|(e, n)| {
        ring_signature::RsaPublicKeyComponents { n, e }
            .verify(parameters, message, signature)
            .is_ok()
    })
}

/// DNSSEC leaves out the octet that says "uncompressed point" (RFC 6605 §4); ring wants it.
fn point_verifies(
    algorithm: &'static ring_signature::EcdsaVerificationAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    ring_signature::UnparsedPublicKey::new(algorithm, uncompressed_point(public_key))
        .verify(message, signature)
        .is_ok()
}

/// The point in the form of SEC 1: with `04` in front.
pub(super) fn uncompressed_point(public_key: &[u8]) -> Vec<u8> {
    let mut point = Vec::with_capacity(public_key.len().saturating_add(1));
    point.push(4);
    point.extend_from_slice(public_key);
    point
}

/// Exponent and modulus of an RSA public key field, both without leading zeros (RFC 3110 §2).
pub(super) fn split_rsa(public_key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match public_key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let (exponent, modulus) = rest.split_at_checked(length)?;
    let (exponent, modulus) = (without_zeros(exponent), without_zeros(modulus));
    (!exponent.is_empty() && !modulus.is_empty()).then_some((exponent, modulus))
}

/// The RSA public key field of an exponent and a modulus (RFC 3110 §2).
pub(super) fn join_rsa(exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let (exponent, modulus) = (without_zeros(exponent), without_zeros(modulus));
    let mut field = if let Ok(short) = u8::try_from(exponent.len()) {
        vec![short]
    } else {
        let length = u16::try_from(exponent.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        vec![0, high, low]
    };
    field.extend_from_slice(exponent);
    field.extend_from_slice(modulus);
    field
}

/// A big-endian number without its leading zero octets.
pub(crate) fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number.get(zeros..).unwrap_or_default()
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// A mnemonic in any case, or a number.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|a| {
                text.eq_ignore_ascii_case(a.mnemonic()) || text.parse::<u8>() == Ok(a.number())
            })
            .ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_the_same_algorithm() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.mnemonic().parse(), Ok(algorithm));
            assert_eq!(
                algorithm.mnemonic().to_ascii_lowercase().parse(),
                Ok(algorithm)
            );
            assert_eq!(algorithm.number().to_string().parse(), Ok(algorithm));
            assert_eq!(Algorithm::from_number(algorithm.number()), Some(algorithm));
        }
        for refused in ["5", "7", "16", "rsasha1", "", "13x", "-13"] {
            assert_eq!(refused.parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
    }

    #[test]
    fn rsa_fields_split_in_both_length_forms() {
        let (e, n) = ([1, 0, 1], [0x80; 256]);
        let short = join_rsa(&e, &n);
        assert_eq!(split_rsa(&short), Some((&e[..], &n[..])));
        let mut long = vec![0, 0, 3];
        long.extend_from_slice(&short[1..]);
        assert_eq!(split_rsa(&long), Some((&e[..], &n[..])));
        let wide = join_rsa(&[1; 300], &n);
        assert_eq!(split_rsa(&wide), Some((&[1; 300][..], &n[..])));
        for broken in [
            &[][..],
            &[0],
            &[0, 0],
            &[3, 1, 0],
            &[3, 1, 0, 1],
            &[0, 0, 0, 1],
        ] {
            assert_eq!(split_rsa(broken), None, "{broken:?}");
        }
    }
}
