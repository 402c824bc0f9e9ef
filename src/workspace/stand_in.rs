//! A certificate that stands for a key whose own is still to come: it carries the key, and nobody vouches for it.
//!
//! It is made so that a key can be judged, and its record computed, as that of any other chain. It is signed by a key that is
//! thrown away and is put on no host.

use super::tls_key::TlsKeyError;
use crate::dane::key::{PublicKey, Strength};
use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};

/// What its subject is called, so that whoever meets it knows.
pub const NAME: &str = "stand-in: the certificate of this key is awaited";

struct Carried {
    algorithm: &'static SignatureAlgorithm,
    octets: Vec<u8>,
}

impl PublicKeyData for Carried {
    fn der_bytes(&self) -> &[u8] {
        &self.octets
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// The stand-in for the certificate of `key` that names `hosts`, in PEM. It ends in 9999 (RFC 5280 §4.1.2.5): when the
/// certificate will end is not known.
pub fn of(key: &PublicKey, hosts: &[String]) -> Result<String, TlsKeyError> {
    let algorithm = match key.strength() {
        Strength::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
        Strength::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Strength::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Strength::Ed25519 => &rcgen::PKCS_ED25519,
        Strength::P521 | Strength::Ed448 | Strength::Other => {
            let why = "keys of its algorithm are not known here";
            return Err(TlsKeyError::Generation(why.to_owned()));
        }
    };
    let failed = |e: &dyn std::fmt::Display| TlsKeyError::Generation(e.to_string());
    let (_, parsed) = SubjectPublicKeyInfo::from_der(key.spki()).map_err(|e| failed(&e))?;
    let carried = Carried {
        algorithm,
        octets: parsed.subject_public_key.data.to_vec(),
    };
    let mut parameters =
        CertificateParams::new(hosts).map_err(|e| TlsKeyError::Hosts(e.to_string()))?;
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, NAME);
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let thrown_away = KeyPair::generate().map_err(|e| failed(&e))?;
    let issuer = Issuer::new(parameters.clone(), thrown_away);
    let made = parameters
        .signed_by(&carried, &issuer)
        .map_err(|e| failed(&e))?;
    Ok(made.pem())
}
