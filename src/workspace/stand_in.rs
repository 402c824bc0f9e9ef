//! A certificate that stands for a key whose own is still to come: it carries the key, and nobody vouches for it.
//!
//! It is made so that a key can be judged, and its record computed, as that of any other chain. It is signed by a key that is
//! thrown away and is put on no host.

use super::tls_key::TlsKeyError;
use crate::dane::key::PublicKey;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Builder, X509NameBuilder};

/// What its subject is called, so that whoever meets it knows.
pub const NAME: &str = "stand-in: the certificate of this key is awaited";

/// The stand-in for the certificate of `key` that names `hosts`, in PEM. It ends in 9999 (RFC 5280 §4.1.2.5): when the
/// certificate will end is not known.
pub fn of(key: &PublicKey, hosts: &[String]) -> Result<String, TlsKeyError> {
    made(key, hosts).map_err(|error| TlsKeyError::Generation(error.to_string()))
}

fn made(key: &PublicKey, hosts: &[String]) -> Result<String, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, NAME)?;
    let name = name.build();
    let mut certificate = X509Builder::new()?;
    certificate.set_version(2)?;
    let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
    certificate.set_serial_number(&serial)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    let (from, until) = (
        Asn1Time::from_unix(0)?,
        Asn1Time::from_str("99991231235959Z")?,
    );
    certificate.set_not_before(&from)?;
    certificate.set_not_after(&until)?;
    let public = PKey::public_key_from_der(key.spki())?;
    certificate.set_pubkey(&public)?;
    if !hosts.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for host in hosts {
            names.dns(host);
        }
        let names = names.build(&certificate.x509v3_context(None, None))?;
        certificate.append_extension(names)?;
    }
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let thrown_away = PKey::from_ec_key(EcKey::generate(&group)?)?;
    certificate.sign(&thrown_away, MessageDigest::sha256())?;
    let pem = certificate.build().to_pem()?;
    Ok(String::from_utf8_lossy(&pem).into_owned())
}
