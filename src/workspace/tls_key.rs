//! The next TLS key: private key, self-signed certificate and request, made once and kept (RFC 5280 §4.1, RFC 2986).
//!
//! The key comes first and is durable before anything is made from it. Whatever a crash left out is made again from
//! the key that is there; a key that is there is never made again.

use crate::dane::certificate::{Certificate, CertificateError};
use crate::dane::key::Strength;
use crate::dane::subject::{self, Subject, SubjectError};
use crate::dnssec::randomness::Randomness;
use crate::files::guard::{self, Unkept};
use crate::files::read;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::durable::{Operation, WriteError};
use crate::workspace::inside;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use ring::rand::SecureRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The last second X.509 can write (RFC 5280 §4.1.2.5).
const LAST_SECOND: u64 = 253_402_300_799;

/// How long a self-signed certificate is valid: DANE does not look at it, clients without DANE may.
pub const VALIDITY: Span = Span::days(3 * 365);

/// The kinds of keys that are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
}

/// Where a key and what is made from it lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// The private key, PKCS#8 in PEM, mode 0600.
    pub key: PathBuf,
    /// The self-signed certificate, PEM.
    pub certificate: PathBuf,
    /// The request for a certificate authority, PEM.
    pub request: PathBuf,
}

/// A key that is there, whole.
#[derive(Clone, Debug)]
pub struct NextKey {
    /// Its certificate.
    pub certificate: Certificate,
    /// Whether the private key was there before.
    pub adopted: bool,
}

/// Why there is no next key.
#[derive(Debug, thiserror::Error)]
pub enum TlsKeyError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file that is there could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is there holds something else.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: SubjectError,
    },
    /// Others may read the private key, or put another in its place.
    #[error("{0}; {way_out}", way_out = .0.hints().join("; "))]
    Unkept(#[from] Unkept),
    /// The key that is there is of another kind.
    #[error("{} holds a key that is {found}, and {wanted} is asked for: move it away, or ask for what it is", path.display())]
    OtherKind {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: Strength,
        /// What was asked for.
        wanted: KeyKind,
    },
    /// A certificate or request beside the key belongs to another key, or to other hosts.
    #[error("{} does not belong to {}: {reason}; move it away and it is made again", path.display(), key.display())]
    Foreign {
        /// The certificate or request.
        path: PathBuf,
        /// The key.
        key: PathBuf,
        /// How it can be told.
        reason: String,
    },
    /// No host, or a name that cannot stand in a certificate.
    #[error("the hosts cannot stand in a certificate: {0}")]
    Hosts(String),
    /// A time that X.509 cannot write.
    #[error("the certificate would be valid until after the year 9999")]
    Time,
    /// The generator failed.
    #[error("the key could not be generated: {0}")]
    Generation(String),
}

impl KeyKind {
    fn is(self, strength: Strength) -> bool {
        match self {
            Self::EcdsaP256 => strength == Strength::P256,
            Self::Rsa2048 => strength == Strength::Rsa { bits: 2048 },
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa2048 => "rsa-2048",
        })
    }
}

impl FromStr for KeyKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::EcdsaP256, Self::Rsa2048]
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| format!("there is no key kind `{text}`: use ecdsa-p256 or rsa-2048"))
    }
}

/// Sees to it that the key, its certificate for `hosts` (valid from `now`) and its request are in `files`.
///
/// What is there is adopted if it fits and refused if it does not; nothing is overwritten.
pub fn ensure(
    files: &KeyFiles,
    kind: KeyKind,
    hosts: &[String],
    now: Instant,
    random: &dyn SecureRandom,
) -> Result<NextKey, TlsKeyError> {
    let parameters = parameters(kind, hosts, now)?;
    let adopted = match generate_into(&files.key, kind, random) {
        Ok(()) => false,
        Err(TlsKeyError::Write(error)) if error.is_already_there() => true,
        Err(other) => return Err(other),
    };
    let pair = read_key(&files.key, kind)?;
    let failed = |e: rcgen::Error| TlsKeyError::Generation(e.to_string());
    if !exists(&files.certificate)? {
        let made = parameters.self_signed(&pair).map_err(failed)?;
        inside::create(&files.certificate, made.pem().as_bytes(), 0o644)?;
    }
    if !exists(&files.request)? {
        let made = parameters.serialize_request(&pair).map_err(failed)?;
        let pem = made.pem().map_err(failed)?;
        inside::create(&files.request, pem.as_bytes(), 0o644)?;
    }
    let certificate = read_back(files, hosts)?;
    Ok(NextKey {
        certificate,
        adopted,
    })
}

fn parameters(
    kind: KeyKind,
    hosts: &[String],
    now: Instant,
) -> Result<CertificateParams, TlsKeyError> {
    let first = hosts
        .first()
        .ok_or_else(|| TlsKeyError::Hosts("there is none".to_owned()))?;
    let mut parameters =
        CertificateParams::new(hosts).map_err(|e| TlsKeyError::Hosts(e.to_string()))?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    // RFC 5280 §A.1, ub-common-name: 64 characters. The names that count stand in the subjectAltName.
    if first.len() <= 64 {
        parameters
            .distinguished_name
            .push(DnType::CommonName, first.as_str());
    }
    #[allow(clippy::arithmetic_side_effects)] // instants saturate
    let until = now + VALIDITY;
    if until.unix() > LAST_SECOND {
        return Err(TlsKeyError::Time);
    }
    let at = |instant: Instant| {
        rcgen::date_time_ymd(1970, 1, 1).checked_add(
            Duration::from_secs(instant.unix())
                .try_into()
                .unwrap_or_default(),
        )
    };
    parameters.not_before = at(now).ok_or(TlsKeyError::Time)?;
    parameters.not_after = at(until).ok_or(TlsKeyError::Time)?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = match kind {
        KeyKind::EcdsaP256 => vec![KeyUsagePurpose::DigitalSignature],
        KeyKind::Rsa2048 => vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ],
    };
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}

fn generate_into(path: &Path, kind: KeyKind, random: &dyn SecureRandom) -> Result<(), TlsKeyError> {
    // An RSA key takes seconds; the exclusive creation below stays the one that decides.
    if exists(path)? {
        let source = io::ErrorKind::AlreadyExists.into();
        return Err(WriteError {
            operation: Operation::Create,
            path: path.to_owned(),
            source,
        }
        .into());
    }
    let failed = |e: &dyn fmt::Display| TlsKeyError::Generation(e.to_string());
    let pair = match kind {
        KeyKind::EcdsaP256 => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random)
                .map_err(|_| failed(&"the system has no randomness"))?;
            KeyPair::try_from(pkcs8.as_ref()).map_err(|e| failed(&e))?
        }
        KeyKind::Rsa2048 => {
            use rsa::pkcs8::EncodePrivateKey as _;
            let key =
                rsa::PrivateKey::new(&mut Randomness(random), 2048).map_err(|e| failed(&e))?;
            let pkcs8 = key.to_pkcs8_der().map_err(|e| failed(&e))?;
            KeyPair::try_from(pkcs8.as_bytes()).map_err(|e| failed(&e))?
        }
    };
    inside::create(path, pair.serialize_pem().as_bytes(), 0o600)?;
    Ok(())
}

fn read_key(path: &Path, kind: KeyKind) -> Result<KeyPair, TlsKeyError> {
    let file = read::open_unlinked(path).map_err(|source| unreadable(path, source))?;
    let open = file.metadata().map_err(|source| unreadable(path, source))?;
    guard::file(path, &open)?;
    let limit = u64::try_from(subject::MAX_OCTETS).unwrap_or(u64::MAX);
    let octets = read::bounded(&file, limit).map_err(|source| unreadable(path, source))?;
    let content = |reason| TlsKeyError::Content {
        path: path.to_owned(),
        reason,
    };
    let subjects = subject::read(&octets).map_err(content)?;
    let [Subject::PrivateKey(public)] = subjects.as_slice() else {
        let reason = "one private key, and nothing else, is expected here";
        return Err(content(SubjectError::OtherPem(reason.to_owned())));
    };
    let found = public.strength();
    if !kind.is(found) {
        return Err(TlsKeyError::OtherKind {
            path: path.to_owned(),
            found,
            wanted: kind,
        });
    }
    let text = std::str::from_utf8(&octets).map_err(|_| content(SubjectError::Garbage))?;
    KeyPair::from_pem(text).map_err(|e| TlsKeyError::Generation(e.to_string()))
}

/// Reads what is on disk now, and refuses a certificate or request of another key or without one of the hosts.
fn read_back(files: &KeyFiles, hosts: &[String]) -> Result<Certificate, TlsKeyError> {
    let foreign = |path: &Path, reason: &str| TlsKeyError::Foreign {
        path: path.to_owned(),
        key: files.key.clone(),
        reason: reason.to_owned(),
    };
    let subjects = |path: &Path| {
        subject::read(&read_file(path)?).map_err(|reason| TlsKeyError::Content {
            path: path.to_owned(),
            reason,
        })
    };
    let key = subjects(&files.key)?;
    let key = key
        .first()
        .ok_or_else(|| foreign(&files.key, "it is empty"))?
        .public_key()
        .map_err(|e| foreign(&files.key, &e.to_string()))?;
    let request = subjects(&files.request)?;
    let same_key = |subject: &Subject| subject.public_key().is_ok_and(|other| other.is(&key));
    if !matches!(request.as_slice(), [one @ Subject::Request(_)] if same_key(one)) {
        return Err(foreign(&files.request, "it is not one request of this key"));
    }
    let mut presented = subjects(&files.certificate)?;
    let Some(Subject::Certificate(certificate)) = presented.pop().filter(same_key) else {
        return Err(foreign(&files.certificate, "it is of another key"));
    };
    let named = |host: &String| {
        certificate
            .dns_names()
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
    };
    match hosts.iter().find(|host| !named(host)) {
        Some(host) => Err(foreign(
            &files.certificate,
            &format!("it is not for {host}"),
        )),
        None => Ok(*certificate),
    }
}

fn exists(path: &Path) -> Result<bool, TlsKeyError> {
    path.try_exists().map_err(|source| unreadable(path, source))
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsKeyError> {
    read::beginning(path, subject::MAX_OCTETS).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> TlsKeyError {
    TlsKeyError::Read {
        path: path.to_owned(),
        source,
    }
}

impl From<CertificateError> for TlsKeyError {
    fn from(error: CertificateError) -> Self {
        Self::Generation(error.to_string())
    }
}
