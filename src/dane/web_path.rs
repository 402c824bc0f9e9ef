//! Whether verified signatures lead from a leaf to a root that the Web trusts at a time (RFC 5280 §6): for MTA-STS and for
//! TLSA usages 0 and 1.
//!
//! The walk is that of `rustls-webpki`, whose rules are those of the Web PKI. Those of DANE-TA are not: see `path`.

use crate::dane::certificate::Certificate;
use crate::dane::der::{self, tag};
use crate::rotation::timing::Instant;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath};

/// Checks the path from the first certificate of `chain` to any of `roots`, which must pass `through` one certificate
/// above the leaf for which it holds, where that is asked (PKIX-TA, RFC 6698 §2.1.1).
pub(super) fn check_roots(
    chain: &[Certificate],
    roots: &[Certificate],
    at: Instant,
    through: Option<&dyn Fn(&Certificate) -> bool>,
) -> Result<(), String> {
    let valid: Vec<&Certificate> = roots
        .iter()
        .filter(|root| is_issuer(root).is_ok())
        .collect();
    let ders: Vec<CertificateDer<'_>> = valid.iter().map(|root| root.der().into()).collect();
    let anchors: Vec<TrustAnchor<'_>> = ders
        .iter()
        .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok())
        .collect();
    let to_root = |end: &str, error: &Error| match error {
        Error::UnknownIssuer => format!("no path leads from the leaf to a trusted root{end}"),
        other => words(other),
    };
    let Some(wanted) = through else {
        return walk(chain, &anchors, at, None).map_err(|e| to_root("", &e));
    };
    let holds = |path: &VerifiedPath<'_>| {
        let in_path = |certificate: &Certificate| {
            path.intermediate_certificates()
                .any(|link| link.der().as_ref() == certificate.der())
        };
        let is_anchor = |root: &Certificate| {
            der::only(tag::SEQUENCE, root.subject()) == Some(path.anchor().subject.as_ref())
                && der::only(tag::SEQUENCE, root.spki())
                    == Some(path.anchor().subject_public_key_info.as_ref())
        };
        let found = chain.iter().any(|c| in_path(c) && wanted(c))
            || valid.iter().any(|root| is_anchor(root) && wanted(root));
        if found {
            Ok(())
        } else {
            Err(Error::UnknownIssuer)
        }
    };
    walk(chain, &anchors, at, Some(&holds)).map_err(|e| to_root(" through it", &e))
}

/// A last word on a path that is otherwise good.
type Acceptance<'a> = dyn Fn(&VerifiedPath<'_>) -> Result<(), Error> + 'a;

fn walk(
    chain: &[Certificate],
    anchors: &[TrustAnchor<'_>],
    at: Instant,
    accept: Option<&Acceptance<'_>>,
) -> Result<(), Error> {
    let (leaf, others) = chain.split_first().ok_or(Error::UnknownIssuer)?;
    let leaf_der = CertificateDer::from(leaf.der());
    let others: Vec<CertificateDer<'_>> = others.iter().map(|c| c.der().into()).collect();
    let leaf = EndEntityCert::try_from(&leaf_der)?;
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        anchors,
        &others,
        UnixTime::since_unix_epoch(Duration::from_secs(at.unix())),
        KeyUsage::server_auth(),
        None,
        accept,
    )
    .map(|_| ())
}

/// A trust anchor's own validity is no part of the path (RFC 5280 §6.1.1), and senders do not look at it; but a
/// certificate that says it is no CA has issued nothing.
fn is_issuer(certificate: &Certificate) -> Result<(), String> {
    if certificate.is_ca() {
        return Ok(());
    }
    let name = certificate.subject_text();
    Err(format!("the trust anchor `{name}` is not a CA certificate"))
}

fn words(error: &Error) -> String {
    let time = |time: &UnixTime| Instant::from_unix(time.as_secs());
    match error {
        Error::CertExpired { not_after, .. } => {
            format!("a certificate of the path expired at {}", time(not_after))
        }
        Error::CertNotValidYet { not_before, .. } => {
            format!("a certificate of the path is valid from {} only", time(not_before))
        }
        Error::UnknownIssuer => "no path leads from the leaf to it".to_owned(),
        Error::InvalidSignatureForPublicKey => "a signature of the path is wrong".to_owned(),
        Error::CaUsedAsEndEntity => "the leaf is a CA certificate".to_owned(),
        Error::EndEntityUsedAsCa => "a certificate of the path is not a CA's".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => {
            "a certificate of the path is not for TLS servers (extended key usage)".to_owned()
        }
        Error::UnsupportedCertVersion => {
            "the leaf is an X.509 version 1 certificate, which cannot be in a path".to_owned()
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature of the path uses an algorithm that is not accepted (SHA-1, RSA below 2048 bits, …)"
                .to_owned()
        }
        other => format!("the path is not valid: {other}"),
    }
}
