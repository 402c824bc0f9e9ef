//! One X.509 certificate: its octets, its public key as it stands in them, and the facts other rooms ask for (RFC 5280 §4.1).
//!
//! Readable is what OpenSSL reads, as most senders do; what a sender refuses of it is for the judgement to say.

use crate::dane::association;
use crate::dane::der::{self, Element, tag};
use crate::dane::key::{KeyError, PublicKey};
use crate::dane::parts::Parts;
use crate::dane::path::Quiet;
use crate::rotation::association::Association;
use crate::rotation::observation::{KeyAlgorithm, Presented};
use crate::rotation::timing::Instant;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::x509::{X509, X509Ref};
use std::ops::Range;
use x509_parser::prelude::{FromDer as _, X509Name};

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
    has_plain_dates: bool,
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
        let _quiet = Quiet;
        if let Ok((_, rest)) = der::split(der)
            && !rest.is_empty()
        {
            return Err(CertificateError::TrailingData(rest.len()));
        }
        let read = X509::from_der(der).map_err(|error| {
            let why = error
                .errors()
                .first()
                .and_then(openssl::error::Error::reason);
            CertificateError::NotCertificate(why.unwrap_or("damaged").to_owned())
        })?;
        let part = || CertificateError::NotCertificate("it is not written in DER".to_owned());
        let parts = Parts::of(der).ok_or_else(part)?;
        PublicKey::from_spki(parts.spki)?;
        let slice = |part: &[u8]| range_of(part, der);
        Ok(Self {
            spki: slice(parts.spki).ok_or_else(part)?,
            subject: slice(parts.subject).ok_or_else(part)?,
            issuer: slice(parts.issuer).ok_or_else(part)?,
            facts: facts(&read, &parts),
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

    /// Whether OpenSSL can compare the dates.
    pub(super) fn has_plain_dates(&self) -> bool {
        self.facts.has_plain_dates
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

    /// The parts of its octets.
    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        Parts::of(&self.der)
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

fn facts(read: &X509Ref, parts: &Parts<'_>) -> Facts {
    let names = read.subject_alt_names();
    let dns_names = names.iter().flatten().filter_map(|name| name.dnsname());
    let common_names = read.subject_name().entries_by_nid(Nid::COMMONNAME);
    // Whatever its string type, in UTF-8; one that is damaged ends the list, as it ends OpenSSL's search.
    let common_names = common_names.map_while(|entry| entry.data().to_string().ok());
    let subject = X509Name::from_der(parts.subject);
    Facts {
        not_before: instant(read.not_before()),
        not_after: instant(read.not_after()),
        has_plain_dates: has_plain_dates(read, parts),
        dns_names: dns_names.map(str::to_owned).collect(),
        common_names: common_names.collect(),
        is_ca: parts.is_ca(),
        subject_text: subject.map_or_else(
            |_| "(a subject that cannot be read)".to_owned(),
            |(_, name)| name.to_string(),
        ),
    }
}

/// Whether both dates are written as RFC 5280 §4.1.2.5 has it, with seconds and in UTC: OpenSSL compares no others.
fn has_plain_dates(read: &X509Ref, parts: &Parts<'_>) -> bool {
    let is_plain = |element: &Element<'_>| {
        let octets = match element.tag {
            tag::UTC_TIME => "YYMMDDHHMMSS".len(),
            tag::GENERALIZED_TIME => "YYYYMMDDHHMMSS".len(),
            _ => return false,
        };
        let digits = element.contents.strip_suffix(b"Z").unwrap_or_default();
        digits.len() == octets && digits.iter().all(u8::is_ascii_digit)
    };
    // Of digits, and there may be no such day.
    let exists = |time: &Asn1TimeRef| Asn1Time::from_unix(0).is_ok_and(|t| t.diff(time).is_ok());
    parts.validity.iter().all(is_plain) && exists(read.not_before()) && exists(read.not_after())
}

/// A time before 1970 counts as 1970: no certificate that matters here began or ended then. So does what is no time.
fn instant(time: &Asn1TimeRef) -> Instant {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(time));
    let seconds = since.map_or(0, |since| {
        i64::from(since.days)
            .saturating_mul(86_400)
            .saturating_add(i64::from(since.secs))
    });
    Instant::from_unix(u64::try_from(seconds).unwrap_or_default())
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
