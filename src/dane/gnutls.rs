//! What a sender on GnuTLS (Exim as Debian builds it) makes of a chain and DANE records.
//!
//! Its library asks for two things of DANE-TA: that the anchor is sent, anywhere behind the leaf, and that one of the
//! certificates there issued the leaf. RFC 7671 §5.2 asks for a path; what is refused here alone is refused by some senders.

use crate::dane::association;
use crate::dane::certificate::Certificate;
use crate::dane::der::{self, Element, tag};
use crate::dane::key;
use crate::dane::name_check;
use crate::dane::parts::{self, BASIC_CONSTRAINTS, Parts};
use crate::dane::path::{Failure, Pair};
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use std::collections::BTreeSet;
use x509_parser::prelude::FromDer as _;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

/// Signatures with MD5 and SHA-1, by RSA and ECDSA.
const WEAK: &[&str] = &[
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.10045.4.1",
];

/// `id-ce-extKeyUsage` and `id-ce-keyUsage`.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// `id-ce-subjectAltName`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Purposes: TLS servers, any, and that of servers before there was one (Netscape's server gated cryptography).
const SERVERS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
const SERVER_GATED: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x04, 0x01];

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
    // Its handshake reads every certificate that is sent, whatever the records say.
    chain.iter().try_for_each(is_taken_in)?;
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
    let is_read = || leaf.common_names().len() == 1 && parts::is_readable(leaf.subject());
    let may_count = || is_read() && is_for_servers(leaf);
    name_check::carries_any(leaf, names) && (!by_common_name || may_count())
}

fn is_for_servers(leaf: &Certificate) -> bool {
    let Some(usage) = leaf
        .parts()
        .map(|parts| parts.extension(EXTENDED_KEY_USAGE))
    else {
        return false;
    };
    let Some(usage) = usage else {
        return true;
    };
    let mut rest = der::only(tag::SEQUENCE, usage.value).unwrap_or_default();
    while let Some((purpose, after)) = der::expect(tag::OID, rest) {
        // The old purpose counts in certificates of CAs.
        let is_gated = purpose == SERVER_GATED && leaf.is_ca();
        if purpose == SERVERS || purpose == ANY_PURPOSE || is_gated {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether a handshake takes a certificate in at all: it must be written as RFC 5280 §4.1 asks.
fn is_taken_in(certificate: &Certificate) -> Result<(), String> {
    let name = certificate.subject_text();
    let parts = certificate.parts();
    let parts = parts.ok_or_else(|| format!("`{name}` cannot be read"))?;
    let has_extensions = parts.version < 3 && !parts.extensions.is_empty();
    let why = if has_extensions || (parts.version < 2 && parts.has_unique_id) {
        "has parts that certificates of its version do not have"
    } else if parts.inner_algorithm != parts.outer_algorithm {
        "names two algorithms for its signature"
    } else if parts.has_duplicate_extension() {
        "has an extension twice"
    } else if !has_readable_names(&parts) {
        "has a subjectAltName that it does not read"
    } else if parts.validity.iter().any(|date| seconds(date).is_none()) {
        "has a date that it does not read"
    } else if !has_known_curve(parts.spki) {
        return Err(format!(
            "the key of `{name}` is on a curve that it does not know"
        ));
    } else {
        return Ok(());
    };
    Err(format!("`{name}` {why} (RFC 5280 §4.1)"))
}

/// Whether the subjectAltName extension is a list of names, if there is one.
fn has_readable_names(parts: &Parts<'_>) -> bool {
    let Some(names) = parts.extension(SUBJECT_ALT_NAME) else {
        return true;
    };
    let mut rest = der::only(tag::SEQUENCE, names.value);
    while let Some(one) = rest.filter(|rest| !rest.is_empty()) {
        let split = der::split(one)
            .ok()
            .filter(|(name, _)| name.tag & 0xc0 == 0x80);
        rest = split.map(|(_, after)| after);
    }
    rest.is_some()
}

/// Whether a key is not on a curve, or on one of NIST's.
fn has_known_curve(spki: &[u8]) -> bool {
    let algorithm =
        der::only(tag::SEQUENCE, spki).and_then(|body| der::expect(tag::SEQUENCE, body));
    let algorithm = algorithm.and_then(|(algorithm, _)| der::expect(tag::OID, algorithm));
    algorithm.is_none_or(|(kind, parameters)| {
        let curve = der::only(tag::OID, parameters);
        kind != key::EC || curve.is_some_and(|curve| CURVES.contains(&curve))
    })
}

const CURVES: &[&[u8]] = &[
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01],
    &[0x2b, 0x81, 0x04, 0x00, 0x21],
    key::P256,
    key::P384,
    key::P521,
];

/// A date as it is read there, in seconds since 1970: seconds may be missing, days that a month does not have are those of the
/// next, and all before 1970 is 1970.
fn seconds(date: &Element<'_>) -> Option<u64> {
    let digits = date.contents.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = match date.tag {
        tag::UTC_TIME => digits.split_at_checked(2)?,
        tag::GENERALIZED_TIME => digits.split_at_checked(4)?,
        _ => return None,
    };
    let number = |digits: &[u8]| -> Option<i64> { std::str::from_utf8(digits).ok()?.parse().ok() };
    let year = number(year)?;
    let year = match date.tag {
        tag::UTC_TIME if year < 50 => year.saturating_add(2000),
        tag::UTC_TIME => year.saturating_add(1900),
        _ => year,
    };
    let pair = |at: usize| match rest.get(at..)?.get(..2) {
        Some(pair) => number(pair),
        None => number(rest.get(at..)?),
    };
    let [month, day, hour, minute] = [pair(0)?, pair(2)?, pair(4)?, pair(6)?];
    let second = pair(8).unwrap_or(0);
    let exists = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && second <= 60;
    if !exists {
        return None;
    }
    let first =
        chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, 1)?;
    let start = first.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    let hours = day
        .saturating_sub(1)
        .saturating_mul(24)
        .saturating_add(hour);
    let minutes = hours.saturating_mul(60).saturating_add(minute);
    let seconds = minutes.saturating_mul(60).saturating_add(second);
    Some(u64::try_from(start.saturating_add(seconds)).unwrap_or(0))
}

fn in_time(certificate: &Certificate, at: Instant) -> Result<(), String> {
    let parts = certificate.parts();
    let validity = parts.as_ref().map(|parts| parts.validity);
    let [from, until] = validity.map_or([None; 2], |dates| dates.map(|date| seconds(&date)));
    let from = from.map(Instant::from_unix);
    let until = until.map(Instant::from_unix);
    let name = certificate.subject_text();
    match from.zip(until) {
        Some((from, _)) if at < from => Err(format!("`{name}` is valid from {from} only")),
        Some((_, until)) if at > until => Err(format!("`{name}` expired at {until}")),
        Some(_) => Ok(()),
        None => Err(format!("`{name}` has a date that it does not read")),
    }
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
    let is_excused = issuer.parts().is_some_and(|parts| parts.version == 1)
        || (is_silent && pair.is_issued_by_itself());
    if !issuer.is_ca() && !is_excused {
        return Err("the issuer of the leaf is not a CA certificate".to_owned());
    }
    if has_unknown_critical(leaf) || has_unknown_critical(issuer) {
        return Err("a certificate has a critical extension that it does not know".to_owned());
    }
    // What an issuer asks for, it asks for of all below it (RFC 7633 §4.2.2).
    if !features(issuer).is_subset(&features(leaf)) {
        return Err("the leaf lacks a TLS feature that its issuer asks for".to_owned());
    }
    let checked = pair.check(!(is_excused && has_no_usage));
    checked.map_err(|failure| match failure {
        Failure::NotReached => "the issuer of the leaf did not sign it".to_owned(),
        Failure::Bad(why) => why,
    })?;
    in_time(leaf, at)?;
    in_time(issuer, at)
}

/// No MD5 and no SHA-1; RSA-PSS only with the digests of TLS and, by a key that is not for PSS alone, with a salt as long as
/// the digest (RFC 4055 §3.1).
fn has_known_signature(certificate: &Certificate, issuer: &Certificate) -> bool {
    let Some(parts) = certificate.parts() else {
        return false;
    };
    let Ok((_, algorithm)) = AlgorithmIdentifier::from_der(parts.outer_algorithm) else {
        return false;
    };
    let name = algorithm.algorithm.to_id_string();
    if WEAK.contains(&name.as_str()) {
        return false;
    }
    if name != RSA_PSS {
        return true;
    }
    match SignatureAlgorithm::try_from(&algorithm) {
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
    certificate.parts().is_some_and(|parts| {
        let mut critical = parts.extensions.iter().filter(|one| one.critical);
        critical.any(|one| !KNOWN.contains(&one.oid))
    })
}

/// Extensions that may be critical.
const KNOWN: &[&[u8]] = &[
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    EXTENDED_KEY_USAGE,
    SUBJECT_ALT_NAME,
    &[0x55, 0x1d, 0x12],                               // issuerAltName
    &[0x55, 0x1d, 0x1e],                               // nameConstraints
    &[0x55, 0x1d, 0x20],                               // certificatePolicies
    &[0x55, 0x1d, 0x36],                               // inhibitAnyPolicy
    &[0x55, 0x1d, 0x1f],                               // cRLDistributionPoints
    &[0x55, 0x1d, 0x23],                               // authorityKeyIdentifier
    &[0x55, 0x1d, 0x0e],                               // subjectKeyIdentifier
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01], // authorityInfoAccess
    TLS_FEATURE,
];

/// `id-pe-tlsfeature` (RFC 7633).
const TLS_FEATURE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];

/// The features of TLS that a certificate asks for.
fn features(certificate: &Certificate) -> BTreeSet<Vec<u8>> {
    let parts = certificate.parts();
    let asked = parts.and_then(|parts| parts.extension(TLS_FEATURE));
    let mut rest = asked.and_then(|one| der::only(tag::SEQUENCE, one.value));
    let mut features = BTreeSet::new();
    while let Some((feature, after)) = rest.and_then(|rest| der::expect(tag::INTEGER, rest)) {
        features.insert(feature.to_vec());
        rest = Some(after);
    }
    features
}

/// Whether a certificate says nothing about being a CA's, and nothing about what its key may be used for.
fn silence(certificate: &Certificate) -> (bool, bool) {
    certificate.parts().map_or((false, false), |parts| {
        let lacks = |oid| parts.extension(oid).is_none();
        (lacks(BASIC_CONSTRAINTS), lacks(KEY_USAGE))
    })
}
