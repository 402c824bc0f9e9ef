//! What a file holds that an association can be made of: certificates, requests, public and private keys, in PEM or DER.

use crate::dane::certificate::{Certificate, CertificateError};
use crate::dane::der::{self, NoElement, tag};
use crate::dane::key::{KeyError, PublicKey};
use crate::dane::pem::{self, PemError};
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

/// No certificate, chain or key is larger; files are read to one octet beyond it and then refused.
pub const MAX_OCTETS: usize = 1024 * 1024;

/// One thing to make an association of.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A certificate; of a chain, its first.
    Certificate(Box<Certificate>),
    /// The key of a PKCS#10 request (RFC 2986).
    Request(PublicKey),
    /// A public key.
    PublicKey(PublicKey),
    /// The public half of a private key; the private half is not kept.
    PrivateKey(PublicKey),
}

/// Why a file holds nothing to make an association of. Each says the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No octets at all, or blanks only.
    #[error("empty: did the command that should have written it fail?")]
    Empty,
    /// More than [`MAX_OCTETS`].
    #[error("larger than 1 MiB: not a certificate, chain or key")]
    TooLarge,
    /// DER that ends too early.
    #[error("truncated: at least {missing} octets are missing at the end")]
    Truncated {
        /// How many.
        missing: usize,
    },
    /// DER with more behind it.
    #[error("{0} octets follow the end of the DER: give one object per DER file, or use PEM")]
    TrailingData(usize),
    /// Neither PEM nor DER.
    #[error(
        "neither PEM (no `-----BEGIN …-----` line) nor DER: expected a certificate, chain, request, public or private key"
    )]
    Garbage,
    /// UTF-16 text, as some editors save it.
    #[error("UTF-16 text: save it as plain ASCII")]
    Utf16,
    /// PKCS#12.
    #[error("PKCS#12: take the certificate out with `openssl pkcs12 -in FILE -nokeys -clcerts`")]
    Pkcs12,
    /// PKCS#7.
    #[error(
        "PKCS#7: take the certificates out with `openssl pkcs7 -in FILE -print_certs` (DER: `-inform DER`)"
    )]
    Pkcs7,
    /// An encrypted private key.
    #[error(
        "an encrypted private key: decrypt it, or give its certificate or public key, which need no passphrase"
    )]
    Encrypted,
    /// DER of something else.
    #[error("DER, but not a certificate, request, public or private key")]
    OtherDer,
    /// PEM without any block of use.
    #[error(
        "PEM of another kind ({0}): expected a certificate, chain, request, public or private key"
    )]
    OtherPem(String),
    /// Broken PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A PEM block that does not hold what its label says.
    #[error("line {line}: the block `{label}`: {reason}")]
    Block {
        /// Where the block begins.
        line: usize,
        /// Its label.
        label: String,
        /// What is wrong.
        reason: Box<SubjectError>,
    },
    /// A broken certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A broken key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A broken request.
    #[error("not a PKCS#10 certificate request: {0}")]
    Request(String),
    /// A chain whose leaf does not come first.
    #[error(
        "the chain is in the wrong order: `{leaf}` is issued by `{issuer}` in front of it; the leaf must come first"
    )]
    Misordered {
        /// The certificate that should be first.
        leaf: String,
        /// The one that is.
        issuer: String,
    },
    /// A private key among certificates of other keys.
    #[error(
        "the private key in the file belongs to none of its certificates: a server would not start with it"
    )]
    ForeignKey,
}

impl Subject {
    /// The `SubjectPublicKeyInfo` octets.
    pub fn spki(&self) -> &[u8] {
        match self {
            Self::Certificate(certificate) => certificate.spki(),
            Self::Request(key) | Self::PublicKey(key) | Self::PrivateKey(key) => key.spki(),
        }
    }

    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Request(_) => "certificate request",
            Self::PublicKey(_) => "public key",
            Self::PrivateKey(_) => "private key",
        }
    }

    /// The public key.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki(self.spki())
    }
}

/// What a file holds, in order: one [`Subject`] for each chain (its leaf), request and key.
///
/// A certificate that issued the one in front of it continues that chain; any other begins its own. A private key
/// whose certificate is in the same file stands for nothing of its own and is left out.
pub fn read(octets: &[u8]) -> Result<Vec<Subject>, SubjectError> {
    let subjects = leaves(all(octets)?)?;
    without_known_keys(subjects)
}

/// Every certificate of a file in the order it stands in: a chain as a server presents it. Keys are passed over.
pub fn read_chain(octets: &[u8]) -> Result<Vec<Certificate>, SubjectError> {
    let certificates: Vec<Certificate> = all(octets)?
        .into_iter()
        .filter_map(|subject| match subject {
            Subject::Certificate(certificate) => Some(*certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(SubjectError::OtherPem("no certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn all(octets: &[u8]) -> Result<Vec<Subject>, SubjectError> {
    if octets.len() > MAX_OCTETS {
        return Err(SubjectError::TooLarge);
    }
    if octets.trim_ascii().is_empty() {
        return Err(SubjectError::Empty);
    }
    let element = der::split(octets);
    if let Ok((_, rest)) = element
        && octets.first() == Some(&tag::SEQUENCE)
    {
        return if rest.is_empty() {
            Ok(vec![from_der(octets)?])
        } else {
            Err(SubjectError::TrailingData(rest.len()))
        };
    }
    if pem::is_pem(octets) {
        return from_pem(octets);
    }
    match (octets, element) {
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], _) => Err(SubjectError::Utf16),
        ([tag::SEQUENCE, length, ..], Err(NoElement::Truncated { missing })) if *length >= 0x80 => {
            Err(SubjectError::Truncated { missing })
        }
        _ => Err(SubjectError::Garbage),
    }
}

fn from_pem(text: &[u8]) -> Result<Vec<Subject>, SubjectError> {
    let mut subjects = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    for block in pem::blocks(text)? {
        let subject = match block.label {
            _ if block.encrypted => Err(SubjectError::Encrypted),
            "ENCRYPTED PRIVATE KEY" => Err(SubjectError::Encrypted),
            "PKCS7" | "CMS" => Err(SubjectError::Pkcs7),
            "CERTIFICATE" | "X509 CERTIFICATE" => certificate(&block.octets),
            "TRUSTED CERTIFICATE" => trusted_certificate(&block.octets),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => request(&block.octets),
            "PUBLIC KEY" => public_key(&block.octets),
            "RSA PUBLIC KEY" => PublicKey::from_pkcs1(&block.octets)
                .map(Subject::PublicKey)
                .map_err(Into::into),
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => private_key(&block.octets),
            other => {
                others.push(other);
                continue;
            }
        };
        subjects.push(subject.map_err(|reason| SubjectError::Block {
            line: block.line,
            label: block.label.to_owned(),
            reason: Box::new(reason),
        })?);
    }
    if subjects.is_empty() {
        return Err(SubjectError::OtherPem(others.join(", ")));
    }
    Ok(subjects)
}

/// Tells DER objects apart by the tags they begin with.
fn from_der(octets: &[u8]) -> Result<Subject, SubjectError> {
    let body = der::only(tag::SEQUENCE, octets).ok_or(SubjectError::OtherDer)?;
    let first = der::split(body).map(|(element, _)| element.contents);
    let first = first.unwrap_or_default();
    match der::tags(body).as_slice() {
        [tag::SEQUENCE, tag::SEQUENCE, tag::BIT_STRING] => match der::tags(first).as_slice() {
            // CertificationRequestInfo: version, subject, key; TBSCertificate has an AlgorithmIdentifier second.
            [tag::INTEGER, tag::SEQUENCE, tag::SEQUENCE]
            | [tag::INTEGER, tag::SEQUENCE, tag::SEQUENCE, tag::CONTEXT_0] => request(octets),
            _ => certificate(octets),
        },
        [tag::SEQUENCE, tag::BIT_STRING] => public_key(octets),
        [tag::INTEGER, tag::INTEGER] => Ok(Subject::PublicKey(PublicKey::from_pkcs1(octets)?)),
        [tag::INTEGER, tag::SEQUENCE, tag::OCTET_STRING, ..]
        | [tag::INTEGER, tag::OCTET_STRING, ..]
        | [tag::INTEGER, tag::INTEGER, tag::INTEGER, ..] => private_key(octets),
        [tag::INTEGER, tag::SEQUENCE, ..] if first == [3] => Err(SubjectError::Pkcs12),
        [tag::SEQUENCE, tag::OCTET_STRING] => Err(SubjectError::Encrypted),
        [tag::OID, tag::CONTEXT_0] => Err(SubjectError::Pkcs7),
        _ => Err(SubjectError::OtherDer),
    }
}

fn certificate(der: &[u8]) -> Result<Subject, SubjectError> {
    Ok(Subject::Certificate(Box::new(Certificate::from_der(der)?)))
}

/// OpenSSL's own format: a certificate, then trust settings that are no part of it.
fn trusted_certificate(der: &[u8]) -> Result<Subject, SubjectError> {
    let whole = der::split(der).map(|(element, _)| element.octets);
    certificate(whole.unwrap_or(der))
}

fn request(der: &[u8]) -> Result<Subject, SubjectError> {
    let (rest, parsed) = X509CertificationRequest::from_der(der)
        .map_err(|e| SubjectError::Request(e.to_string()))?;
    if !rest.is_empty() {
        return Err(SubjectError::TrailingData(rest.len()));
    }
    let spki = parsed.certification_request_info.subject_pki.raw;
    Ok(Subject::Request(PublicKey::from_spki(spki)?))
}

fn public_key(der: &[u8]) -> Result<Subject, SubjectError> {
    Ok(Subject::PublicKey(PublicKey::from_spki(der)?))
}

fn private_key(der: &[u8]) -> Result<Subject, SubjectError> {
    Ok(Subject::PrivateKey(PublicKey::from_private(der)?))
}

fn leaves(subjects: Vec<Subject>) -> Result<Vec<Subject>, SubjectError> {
    let mut kept: Vec<Subject> = Vec::new();
    let mut previous: Option<Certificate> = None;
    for subject in subjects {
        let Subject::Certificate(certificate) = &subject else {
            kept.push(subject);
            continue;
        };
        let continues = previous.as_ref().is_some_and(|p| issued(certificate, p));
        previous = Some(certificate.as_ref().clone());
        if continues {
            continue;
        }
        let leaf = |kept: &Subject| match kept {
            Subject::Certificate(first) if issued(first, certificate) => Some(first.clone()),
            _ => None,
        };
        if let Some(issuer) = kept.iter().find_map(leaf) {
            return Err(SubjectError::Misordered {
                leaf: certificate.subject_text().to_owned(),
                issuer: issuer.subject_text().to_owned(),
            });
        }
        kept.push(subject);
    }
    Ok(kept)
}

/// Whether `issuer` can have issued `certificate`: by name, as a CA, and not itself.
///
/// Two self-signed certificates of one host name have each other's names: the end of a chain has no issuer.
fn issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    !certificate.is_self_issued() && issuer.subject() == certificate.issuer() && issuer.is_ca()
}

fn without_known_keys(subjects: Vec<Subject>) -> Result<Vec<Subject>, SubjectError> {
    let is_private = |subject: &Subject| matches!(subject, Subject::PrivateKey(_));
    if !subjects.iter().any(is_private) {
        return Ok(subjects);
    }
    let mut others = Vec::new();
    for subject in &subjects {
        if !is_private(subject) {
            others.push(subject.public_key()?);
        }
    }
    if others.is_empty() {
        return Ok(subjects);
    }
    let mut kept = Vec::new();
    for subject in subjects {
        match &subject {
            Subject::PrivateKey(key) if others.iter().any(|other| other.is(key)) => {}
            Subject::PrivateKey(_) => return Err(SubjectError::ForeignKey),
            _ => kept.push(subject),
        }
    }
    Ok(kept)
}
