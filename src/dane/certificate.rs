//! One X.509 certificate: its octets, its public key as it stands in them, and the facts other rooms ask for (RFC 5280 §4.1).

use crate::dane::association;
use crate::dane::key::{KeyError, PublicKey};
use crate::rotation::association::Association;
use crate::rotation::observation::{KeyAlgorithm, Presented};
use crate::rotation::timing::Instant;
use std::ops::Range;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate: the DER it was read from and what it says.
///
/// The parts that are digested or compared are slices of that DER, never re-encoded.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    spki: Range<usize>,
    subject: Range<usize>,
    issuer: Range<usize>,
    facts: Facts,
}

#[derive(Clone, Debug)]
struct Facts {
    not_before: Instant,
    not_after: Instant,
    dns_names: Vec<String>,
    common_names: Vec<String>,
    is_ca: bool,
    subject_text: String,
}

/// Why octets are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The structure of RFC 5280 §4.1 is not there.
    #[error("not an X.509 certificate: {0}")]
    NotCertificate(String),
    /// Octets after the end of the certificate.
    #[error("{0} octets follow the end of the certificate")]
    TrailingData(usize),
    /// Its public key cannot be told.
    #[error("the certificate's public key cannot be used: {0}")]
    Key(#[from] KeyError),
}

impl Certificate {
    /// Reads one DER certificate, to its last octet.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der)
            .map_err(|e| CertificateError::NotCertificate(e.to_string()))?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingData(rest.len()));
        }
        let spki = parsed.tbs_certificate.subject_pki.raw;
        PublicKey::from_spki(spki)?;
        let slice = |part: &[u8]| range_of(part, der);
        let name = || CertificateError::NotCertificate("a part lies outside of it".to_owned());
        Ok(Self {
            spki: slice(spki).ok_or_else(name)?,
            subject: slice(parsed.subject().as_raw()).ok_or_else(name)?,
            issuer: slice(parsed.issuer().as_raw()).ok_or_else(name)?,
            facts: facts(&parsed),
            der: der.to_vec(),
        })
    }

    /// The certificate's octets.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The `SubjectPublicKeyInfo` octets as they stand in the certificate.
    pub fn spki(&self) -> &[u8] {
        self.der.get(self.spki.clone()).unwrap_or_default()
    }

    /// The subject's distinguished name in DER.
    pub fn subject(&self) -> &[u8] {
        self.der.get(self.subject.clone()).unwrap_or_default()
    }

    /// The issuer's distinguished name in DER.
    pub fn issuer(&self) -> &[u8] {
        self.der.get(self.issuer.clone()).unwrap_or_default()
    }

    /// The subject for people: `CN=mx1.example.com`.
    pub fn subject_text(&self) -> &str {
        &self.facts.subject_text
    }

    /// The public key.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki(self.spki())
    }

    /// RSA or ECDSA; `None` for another algorithm.
    pub fn key_algorithm(&self) -> Option<KeyAlgorithm> {
        self.public_key().ok()?.algorithm()
    }

    /// Start of validity.
    pub fn not_before(&self) -> Instant {
        self.facts.not_before
    }

    /// End of validity (the last second in which it is valid).
    pub fn not_after(&self) -> Instant {
        self.facts.not_after
    }

    /// The DNS names of the subjectAltName extension, as written.
    pub fn dns_names(&self) -> &[String] {
        &self.facts.dns_names
    }

    /// The most specific common name of the subject.
    pub fn common_name(&self) -> Option<&str> {
        self.common_names().last().map(String::as_str)
    }

    /// The common names of the subject, the most specific one last.
    pub fn common_names(&self) -> &[String] {
        &self.facts.common_names
    }

    /// Whether basicConstraints says CA.
    pub fn is_ca(&self) -> bool {
        self.facts.is_ca
    }

    /// Whether subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// The `3 1 1` association of this certificate's own SPKI octets.
    pub fn spki_association(&self) -> Association {
        association::dane_ee_spki(self.spki())
    }

    /// Whether `key` (the public half of a private key) is this certificate's key, however it was written.
    pub fn belongs_to(&self, key: &PublicKey) -> bool {
        self.public_key().is_ok_and(|own| own.is(key))
    }

    /// The certificate as the leaf that a host presents.
    pub fn presented(&self) -> Presented {
        Presented::of_key(self.spki_association(), self.not_after())
    }
}

fn facts(parsed: &X509Certificate<'_>) -> Facts {
    let validity = parsed.validity();
    let names = parsed.subject_alternative_name().ok().flatten();
    let dns_names = names.iter().flat_map(|extension| {
        extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(dns) => Some((*dns).to_owned()),
                _ => None,
            })
    });
    Facts {
        not_before: instant(validity.not_before.timestamp()),
        not_after: instant(validity.not_after.timestamp()),
        dns_names: dns_names.collect(),
        common_names: parsed
            .subject()
            .iter_common_name()
            .filter_map(|cn| cn.as_str().ok().map(str::to_owned))
            .collect(),
        is_ca: parsed.is_ca(),
        subject_text: parsed.subject().to_string(),
    }
}

/// A time before 1970 counts as 1970: no certificate that matters here began or ended then.
fn instant(unix: i64) -> Instant {
    Instant::from_unix(u64::try_from(unix).unwrap_or_default())
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_of(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = part
        .as_ptr()
        .addr()
        .checked_sub(whole.as_ptr().addr())
        .filter(|start| *start <= whole.len())?;
    let end = start.checked_add(part.len())?;
    (whole.get(start..end)? == part).then_some(start..end)
}
