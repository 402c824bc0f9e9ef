//! What a sender on GnuTLS (Exim as Debian builds it) makes of a chain and DANE records.
//!
//! Its library asks for two things of DANE-TA: that the anchor is sent, anywhere behind the leaf, and that one of the
//! certificates there issued the leaf. RFC 7671 §5.2 asks for a path; what is refused here alone is refused by some senders.

use crate::dane::association;
use crate::dane::certificate::Certificate;
use crate::dane::name_check;
use crate::dane::path::{Failure, Pair};
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Signatures with MD5 and SHA-1, by RSA and ECDSA.
const WEAK: &[&str] = &[
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.10045.4.1",
];

/// The purpose of servers before there was one (Netscape's server gated cryptography).
const SERVER_GATED: &str = "2.16.840.1.113730.4.1";

/// `id-RSASSA-PSS` (RFC 4055 §3.1).
const RSA_PSS: &str = "1.2.840.113549.1.1.10";

/// SHA-256, SHA-384 and SHA-512, and their octets.
const PSS_DIGESTS: &[(&str, u32)] = &[
    ("2.16.840.1.101.3.4.2.1", 32),
    ("2.16.840.1.101.3.4.2.2", 48),
    ("2.16.840.1.101.3.4.2.3", 64),
];

/// Judges `chain` (leaf first), for a host known by `names`; the error says why it is refused.
pub(super) fn judge(
    rrset: &[Association],
    chain: &[Certificate],
    names: &[&str],
    at: Instant,
) -> Result<(), String> {
    let Some(leaf) = chain.first() else {
        return Err("no certificate is presented".to_owned());
    };
    let ee = |record: &&Association| record.usage == 3 && association::matches(record, leaf);
    if rrset.iter().any(|record| ee(&record)) {
        return Ok(());
    }
    let mut why = "no record matches".to_owned();
    for record in rrset.iter().filter(|record| record.usage == 2) {
        match anchored(record, chain, at) {
            Ok(()) if is_named(leaf, names) => return Ok(()),
            Ok(()) => "the leaf is issued for other names".clone_into(&mut why),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

/// A common name counts only if there is one, in certificates for TLS servers.
fn is_named(leaf: &Certificate, names: &[&str]) -> bool {
    let by_common_name = leaf.dns_names().is_empty();
    let may_count = || leaf.common_names().len() == 1 && is_for_servers(leaf);
    name_check::carries_any(leaf, names) && (!by_common_name || may_count())
}

fn is_for_servers(leaf: &Certificate) -> bool {
    let parsed = X509Certificate::from_der(leaf.der());
    parsed.is_ok_and(|(_, parsed)| match parsed.extended_key_usage() {
        Ok(Some(usage)) => {
            let gated = |oid: &Oid<'_>| oid.to_id_string() == SERVER_GATED;
            // The old purpose counts in certificates of CAs.
            let is_gated = leaf.is_ca() && usage.value.other.iter().any(gated);
            usage.value.server_auth || usage.value.any || is_gated
        }
        Ok(None) => true,
        Err(_) => false,
    })
}

/// Whether the anchor that `record` names is sent, and a certificate behind the first of `chain` issued that one.
fn anchored(record: &Association, chain: &[Certificate], at: Instant) -> Result<(), String> {
    let (leaf, others) = chain.split_first().ok_or("no certificate is presented")?;
    if !others.iter().any(|link| association::matches(record, link)) {
        return Err("the anchor is not sent".to_owned());
    }
    let pair = Pair::of(leaf, others).ok_or("the issuer of the leaf is not sent")?;
    let issuer = pair.issuer();
    if !has_known_signature(leaf, issuer) {
        return Err("the signature of the leaf is of a kind that it does not accept".to_owned());
    }
    // A certificate of version 1 cannot say whether it is a CA's, and a root need not: they are taken for one.
    let (is_silent, has_no_usage) = silence(issuer);
    let is_excused = version(issuer) == 1 || (is_silent && pair.is_issued_by_itself());
    if !issuer.is_ca() && !is_excused {
        return Err("the issuer of the leaf is not a CA certificate".to_owned());
    }
    if has_unknown_critical(leaf) || has_unknown_critical(issuer) {
        return Err("a certificate has a critical extension that it does not know".to_owned());
    }
    pair.check(at, !(is_excused && has_no_usage))
        .map_err(|failure| match failure {
            Failure::NotReached => "the issuer of the leaf did not sign it".to_owned(),
            Failure::Bad(why) => why,
        })
}

fn version(certificate: &Certificate) -> u32 {
    let parsed = X509Certificate::from_der(certificate.der());
    parsed.map_or(0, |(_, parsed)| parsed.version().0.saturating_add(1))
}

/// No MD5 and no SHA-1; RSA-PSS only with the digests of TLS and, by a key that is not for PSS alone, with a salt as long as
/// the digest (RFC 4055 §3.1).
fn has_known_signature(certificate: &Certificate, issuer: &Certificate) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate.der()) else {
        return false;
    };
    let algorithm = &parsed.signature_algorithm;
    let name = algorithm.algorithm.to_id_string();
    if WEAK.contains(&name.as_str()) {
        return false;
    }
    if name != RSA_PSS {
        return true;
    }
    match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
            let hash = parameters.hash_algorithm_oid().to_id_string();
            let digest = PSS_DIGESTS.iter().find(|(name, _)| *name == hash);
            let of_pss = issuer.public_key().is_ok_and(|key| key.is_for_pss_alone());
            digest.is_some_and(|(_, octets)| of_pss || parameters.salt_length() == *octets)
        }
        _ => false,
    }
}

fn has_unknown_critical(certificate: &Certificate) -> bool {
    let parsed = X509Certificate::from_der(certificate.der());
    parsed.is_ok_and(|(_, parsed)| {
        let mut critical = parsed.extensions().iter().filter(|one| one.critical);
        critical.any(|one| {
            matches!(
                one.parsed_extension(),
                ParsedExtension::UnsupportedExtension { .. }
            )
        })
    })
}

/// Whether a certificate says nothing about being a CA's, and nothing about what its key may be used for.
fn silence(certificate: &Certificate) -> (bool, bool) {
    let parsed = X509Certificate::from_der(certificate.der());
    parsed.map_or((false, false), |(_, parsed)| {
        let constraints = matches!(parsed.basic_constraints(), Ok(None));
        (constraints, matches!(parsed.key_usage(), Ok(None)))
    })
}
