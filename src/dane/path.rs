//! Whether a sender on OpenSSL takes a chain for one that a DANE-TA record anchors (RFC 7671 §5.2, RFC 5280 §6).
//!
//! The path is built here, as OpenSSL builds it for DANE: link by link from what was presented, until a link matches. The
//! path is then judged by OpenSSL itself, with that link trusted. So senders do, and where they differ from RFC 5280 (an
//! anchor's own dates count if it is self-signed; key identifiers select issuers), mail follows them.

use crate::dane::certificate::Certificate;
use crate::dane::der::{self, tag};
use crate::dane::parts;
use crate::rotation::timing::Instant;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};
use std::cmp::Ordering;

/// The security level at which Postfix authenticates a host: keys and signatures of 80 bits of strength or more.
const SECURITY_LEVEL: i32 = 1;
/// The strength of that level, in bits.
const SECURITY_BITS: u32 = 80;
/// Issuers above the leaf that Postfix follows (`smtp_tls_scert_verifydepth` and one).
const DEPTH: i32 = 10;
/// The same, as the length of a path with its leaf.
const LONGEST: usize = 12;

/// `X509_V_ERR_KEYUSAGE_NO_CERTSIGN`: the issuer by every other sign.
const NO_CERTSIGN: i32 = 32;

/// What a path must end at.
pub(super) struct Anchor<'a> {
    /// Whether a certificate is the anchor.
    pub(super) is: &'a dyn Fn(&Certificate) -> bool,
    /// The anchor as a bare key (`2 1 0`), which may have signed the uppermost certificate without having one of its own.
    pub(super) key: Option<&'a [u8]>,
    /// Certificates that come from DNS (`2 0 0`): candidates before those presented (RFC 7671 §5.2.2).
    pub(super) given: &'a [Certificate],
}

/// Why no path is good.
pub(super) enum Failure {
    /// No link of the path is the anchor.
    NotReached,
    /// There is a path, and this is wrong with it.
    Bad(String),
}

impl From<ErrorStack> for Failure {
    fn from(error: ErrorStack) -> Self {
        Self::Bad(format!("OpenSSL cannot judge the path: {error}"))
    }
}

/// Forgets at its end what OpenSSL noted of failures: it keeps a list for each thread, and a TLS conversation that goes on in
/// this one would take the entries for its own (`SSL_get_error(3)`).
pub(super) struct Quiet;

impl Drop for Quiet {
    fn drop(&mut self) {
        drop(ErrorStack::get());
    }
}

/// A certificate and OpenSSL's reading of it.
#[derive(Clone)]
struct Link<'a> {
    certificate: &'a Certificate,
    x509: X509,
}

impl<'a> Link<'a> {
    fn read(certificate: &'a Certificate) -> Option<Self> {
        let x509 = X509::from_der(certificate.der()).ok()?;
        Some(Self { certificate, x509 })
    }
}

/// Checks that a good path leads from the first certificate of `chain` to `anchor` at `at`.
pub(super) fn check(
    chain: &[Certificate],
    anchor: &Anchor<'_>,
    at: Instant,
) -> Result<(), Failure> {
    let leaf = chain
        .first()
        .and_then(Link::read)
        .ok_or(Failure::NotReached)?;
    let candidates = anchor
        .given
        .iter()
        .chain(chain)
        .filter_map(Link::read)
        .collect();
    let path = build(leaf, candidates, anchor.is, at);
    let top = path.links.last().ok_or(Failure::NotReached)?;
    let bare = !path.ends_at_anchor;
    if bare && !anchor.key.is_some_and(|key| is_signed_by(&top.x509, key)) {
        return Err(Failure::NotReached);
    }
    // OpenSSL leaves the dates of an anchor alone if another certificate would be needed to say that it is one.
    let dated = if bare || is_likely_issued(&top.x509, &top.x509) {
        path.links.len()
    } else {
        path.links.len().saturating_sub(1)
    };
    verify_whole(&path.links)?;
    path.links
        .iter()
        .take(dated)
        .try_for_each(|link| in_time(link.certificate, at))
}

/// A leaf and the certificate that says to be its issuer.
pub(super) struct Pair<'a> {
    /// The leaf first.
    links: [Link<'a>; 2],
}

impl<'a> Pair<'a> {
    /// The last of `others` that can have issued `leaf`, with it.
    pub(super) fn of(leaf: &'a Certificate, others: &'a [Certificate]) -> Option<Self> {
        let leaf = Link::read(leaf)?;
        let mut others = others.iter().rev().filter_map(Link::read);
        let issuer = others.find(|one| names_its_issuer(&leaf, one))?;
        Some(Self {
            links: [leaf, issuer],
        })
    }

    /// The issuer.
    pub(super) fn issuer(&self) -> &'a Certificate {
        let [_, issuer] = &self.links;
        issuer.certificate
    }

    /// Whether the issuer says that it issued itself.
    pub(super) fn is_issued_by_itself(&self) -> bool {
        let [_, issuer] = &self.links;
        names_its_issuer(issuer, issuer)
    }

    /// Checks the signature, for whatever use; with `extensions` if those say anything.
    pub(super) fn check(&self, extensions: bool) -> Result<(), Failure> {
        let [leaf, issuer] = &self.links;
        if extensions {
            return verify(&self.links, &Strictness::GnuTls);
        }
        if leaf.x509.verify(&*issuer.x509.public_key()?)? {
            Ok(())
        } else {
            Err(Failure::NotReached)
        }
    }
}

/// Whether names and, where both are there, key identifiers say that one issued the other.
fn names_its_issuer(subject: &Link<'_>, issuer: &Link<'_>) -> bool {
    let by_key = subject.x509.authority_key_id();
    let key = issuer.x509.subject_key_id();
    let keys_fit = by_key
        .zip(key)
        .is_none_or(|(one, other)| one.as_slice() == other.as_slice());
    let (named, own) = (subject.certificate.issuer(), issuer.certificate.subject());
    // The same words in other string types are the same name, as far as GnuTLS reads those.
    let alike = || {
        let issuer_name = subject.x509.issuer_name();
        let order = issuer_name.try_cmp(issuer.x509.subject_name());
        order.is_ok_and(Ordering::is_eq) && parts::is_readable(named) && parts::is_readable(own)
    };
    keys_fit && (named == own || alike())
}

/// Whether a key is strong enough for senders that authenticate by it; the error says what is missing.
pub(super) fn is_strong_enough(leaf: &Certificate) -> Result<(), String> {
    let key = PKey::public_key_from_der(leaf.spki())
        .map_err(|_| "its key is of a kind that senders do not know".to_owned())?;
    if key.security_bits() >= SECURITY_BITS {
        return Ok(());
    }
    Err(too_small(leaf))
}

/// Whether OpenSSL can read a key, to its last octet: a record of a key with more behind it is none that it uses.
pub(super) fn is_key(spki: &[u8]) -> bool {
    der::only(tag::SEQUENCE, spki).is_some() && PKey::public_key_from_der(spki).is_ok()
}

struct Path<'a> {
    /// The leaf first.
    links: Vec<Link<'a>>,
    ends_at_anchor: bool,
}

/// Goes from issuer to issuer, with no way back, until one is the anchor or none is left.
fn build<'a>(
    leaf: Link<'a>,
    mut candidates: Vec<Link<'a>>,
    is_anchor: &dyn Fn(&Certificate) -> bool,
    at: Instant,
) -> Path<'a> {
    let mut links = vec![leaf];
    while let Some(top) = links.last() {
        if links.len() >= LONGEST || is_likely_issued(&top.x509, &top.x509) {
            break;
        }
        let Some(place) = issuer_of(top, &candidates, &links, at) else {
            break;
        };
        let issuer = candidates.remove(place);
        let ends_at_anchor = is_anchor(issuer.certificate);
        links.push(issuer);
        if ends_at_anchor {
            return Path {
                links,
                ends_at_anchor,
            };
        }
    }
    Path {
        links,
        ends_at_anchor: false,
    }
}

/// The first issuer that is valid now, else the one that is valid longest.
fn issuer_of(
    subject: &Link<'_>,
    candidates: &[Link<'_>],
    links: &[Link<'_>],
    at: Instant,
) -> Option<usize> {
    let mut best: Option<(usize, Instant)> = None;
    for (place, candidate) in candidates.iter().enumerate() {
        let certificate = candidate.certificate;
        let used = links
            .iter()
            .any(|link| link.certificate.der() == certificate.der());
        if used || !is_likely_issued(&candidate.x509, &subject.x509) {
            continue;
        }
        if in_time(certificate, at).is_ok() {
            return Some(place);
        }
        let until = certificate.not_after();
        if best.is_none_or(|(_, longest)| until > longest) {
            best = Some((place, until));
        }
    }
    best.map(|(place, _)| place)
}

/// Whether names, key identifiers and the kind of key say so (RFC 5280 §4.2.1.1).
fn is_likely_issued(issuer: &X509Ref, subject: &X509Ref) -> bool {
    let said = issuer.issued(subject);
    said == X509VerifyResult::OK || said.as_raw() == NO_CERTSIGN
}

fn is_signed_by(certificate: &X509Ref, key: &[u8]) -> bool {
    let key: Result<PKey<Public>, ErrorStack> = PKey::public_key_from_der(key);
    key.and_then(|key| certificate.verify(&key))
        .unwrap_or(false)
}

/// OpenSSL's word on the path, but for dates.
///
/// Outside of DANE it looks for trust first, and would leave links out where the anchor goes for the issuer of a lower one,
/// too (one name, several keys). Such a path is judged in two parts.
fn verify_whole(path: &[Link<'_>]) -> Result<(), Failure> {
    if let Some((anchor, below)) = path.split_last()
        && let Some((_, lower)) = below.split_last()
        && lower
            .iter()
            .any(|link| is_likely_issued(&anchor.x509, &link.x509))
    {
        verify_whole(below)?;
        let upper = path.get(lower.len()..).unwrap_or_default();
        return verify(upper, &Strictness::Issuers);
    }
    verify(path, &Strictness::Server)
}

/// What of OpenSSL's rules holds for a part of a path.
enum Strictness {
    /// All, for a server.
    Server,
    /// All, for certificates of whatever purpose.
    Issuers,
    /// Signatures and what issuers may do: the rest of GnuTLS's rules stands with it.
    GnuTls,
}

fn verify(path: &[Link<'_>], strictness: &Strictness) -> Result<(), Failure> {
    let (Some(leaf), Some(top)) = (path.first(), path.last()) else {
        return Err(Failure::NotReached);
    };
    let between = path
        .get(1..path.len().saturating_sub(1))
        .unwrap_or_default();
    let mut links = Stack::new()?;
    for link in between {
        links.push(link.x509.clone())?;
    }
    let store = trusting(top, strictness)?;
    let mut context = X509StoreContext::new()?;
    let failed = context.init(&store, &leaf.x509, &links, |context| {
        let good = context.verify_cert()?;
        Ok((!good).then(|| (context.error(), context.error_depth())))
    })?;
    let Some((error, depth)) = failed else {
        return Ok(());
    };
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let link = path.get(depth).unwrap_or(top);
    Err(Failure::Bad(words(error, link.certificate)))
}

fn trusting(anchor: &Link<'_>, strictness: &Strictness) -> Result<X509Store, ErrorStack> {
    let mut settings = X509VerifyParam::new()?;
    // An anchor need not be a root.
    settings.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    match strictness {
        Strictness::Server => settings.set_purpose(X509PurposeId::SSL_SERVER)?,
        Strictness::Issuers => {}
        Strictness::GnuTls => settings.set_flags(X509VerifyFlags::IGNORE_CRITICAL)?,
    }
    settings.set_auth_level(match strictness {
        Strictness::GnuTls => 0,
        _ => SECURITY_LEVEL,
    });
    settings.set_depth(DEPTH);
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&settings)?;
    store.add_cert(anchor.x509.clone())?;
    Ok(store.build())
}

fn in_time(certificate: &Certificate, at: Instant) -> Result<(), Failure> {
    let name = certificate.subject_text();
    let (from, until) = (certificate.not_before(), certificate.not_after());
    if !certificate.has_plain_dates() {
        return Err(Failure::Bad(format!(
            "`{name}` of the path has a date that OpenSSL does not read (RFC 5280 §4.1.2.5)"
        )));
    }
    // RFC 5280 §4.1.2.5 counts the last second in, OpenSSL does not.
    if at >= until {
        return Err(Failure::Bad(format!(
            "`{name}` of the path expired at {until}"
        )));
    }
    if at < from {
        return Err(Failure::Bad(format!(
            "`{name}` of the path is valid from {from} only"
        )));
    }
    Ok(())
}

fn too_small(certificate: &Certificate) -> String {
    let strength = certificate
        .public_key()
        .map(|key| key.strength().to_string());
    let strength = strength.unwrap_or_else(|_| "of another kind".to_owned());
    let name = certificate.subject_text();
    format!("the key of `{name}` ({strength}) is too small: senders refuse RSA below 1024 bits")
}

/// `X509_V_ERR_*` in words of ours where people meet it.
fn words(error: X509VerifyResult, certificate: &Certificate) -> String {
    let name = certificate.subject_text();
    match error.as_raw() {
        7 => format!("the signature of `{name}` is wrong"),
        25 => format!("`{name}` does not allow so many issuers below it (path length)"),
        26 => format!("`{name}` may not be used for TLS servers (key usage or extended key usage)"),
        NO_CERTSIGN => format!("`{name}` may not sign certificates (key usage)"),
        34 => format!("`{name}` has a critical extension that senders do not know"),
        47 | 48 => format!("an issuer of `{name}` does not allow its names (name constraints)"),
        66 | 67 => too_small(certificate),
        68 => format!(
            "the signature of `{name}` uses a digest that senders do not accept (SHA-1, MD5)"
        ),
        79 => format!("`{name}` is not a CA certificate"),
        _ => format!("`{name}`: {}", error.error_string()),
    }
}
