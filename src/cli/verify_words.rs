//! What `verify` says of one address, or of a host, in whatever form: the verdict in a word, why, and what to do.

use crate::dane::judge::{Finding, Mismatch};
use crate::observe::chain::Alias;
use crate::observe::senders_view::{Host, NoTlsa, Tlsa, plain};
use crate::rotation::association::Association;
use crate::workflow::verdict::{Line, Verdict};

/// What was asked for.
pub(super) fn algorithm(line: &Line) -> String {
    let tls = if line.tls12_only { " in TLS 1.2" } else { "" };
    format!("{}{tls}", line.algorithm)
}

/// The address; with its port only where that is not the one in the name.
pub(super) fn shown_address(line: &Line, place: &str) -> String {
    if place.ends_with(&format!(":{}", line.address.port())) {
        line.address.ip().to_string()
    } else {
        line.address.to_string()
    }
}

/// The verdict in a word.
pub(super) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified(_) => "verified",
        Verdict::Unprotected(_) => "UNPROTECTED",
        Verdict::Refused(_) => "REFUSED",
        Verdict::NoTls(_) => "DEFERRED",
        Verdict::NotOffered => "not offered",
        Verdict::Unknown(_) => "unknown",
    }
}

/// Why a line says what it says.
pub(super) fn reason(line: &Line) -> String {
    let presented = line.presented.as_ref();
    let presented = presented.map_or_else(|| "nothing".to_owned(), |(key, _)| key.short());
    let reason = match &line.verdict {
        Verdict::Verified(by) => format!("matches {}", by.short()),
        Verdict::Unprotected(why) | Verdict::Unknown(why) => why.clone(),
        Verdict::NoTls(why) => format!("{why}; DANE asks for TLS, so a sender defers"),
        Verdict::NotOffered => "the server has no such chain".to_owned(),
        Verdict::Refused(records) => {
            let said: Vec<String> = records
                .iter()
                .map(|(record, finding)| format!("{} {finding}", record.short()))
                .collect();
            format!("presents the key {presented}; {}", said.join("; "))
        }
    };
    let silence = line.unanswered.as_ref();
    let silence = silence.map(|why| format!("in TLS 1.2 nothing was met: {why}"));
    let more = line.dissent.iter().cloned().chain(silence);
    std::iter::once(reason)
        .chain(more)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Why an MX record should not name a host that is an alias, and what it should name.
pub(super) fn forbidden_alias(
    preference: Option<u16>,
    aliases: &[Alias],
) -> Option<(String, String)> {
    let last = aliases.last().filter(|_| preference.is_some())?;
    let why = "an MX record names an alias, which RFC 2181 §10.3 and RFC 5321 §5.1 forbid: senders on Postfix follow it (RFC 7672 §2.2.2), others (Exim) use no DANE for such a host";
    let way_out = format!("name {} in the MX record", plain(&last.to));
    Some((why.to_owned(), way_out))
}

/// What to do about a line, if there is anything.
pub(super) fn remedy(host: &Host, line: &Line) -> Option<String> {
    match &line.verdict {
        Verdict::Refused(records) => Some(match (&line.presented, worst(records)) {
            (_, Some(Mismatch::AnchorNotPresented)) => {
                "let the server present the certificate of its issuer too, or publish 3 1 1 records of its keys".to_owned()
            }
            (_, Some(Mismatch::AnchorIsLeaf)) => "publish it with usage 3".to_owned(),
            (_, Some(Mismatch::Name)) => format!(
                "present a certificate for {}, or publish 3 1 1 records, for which names do not matter",
                host.tlsa.base().map(plain).unwrap_or_default()
            ),
            (_, Some(Mismatch::Path(_))) => {
                "renew what it names, or publish 3 1 1 records, for which issuers and validity do not matter".to_owned()
            }
            (_, Some(Mismatch::Weak(_))) => {
                "rotate to a key that senders take: ECDSA P-256, or RSA of 2048 bits".to_owned()
            }
            (Some((key, _)), _) => format!(
                "put the certificate with a published key back now; or publish `{}` beside the others and wait until caches have it",
                owned(host, key)
            ),
            (None, _) => "let the server present its certificate".to_owned(),
        }),
        Verdict::NoTls(_) => Some("let it speak TLS after STARTTLS, with everybody; until then no DANE sender delivers".to_owned()),
        Verdict::Unprotected(_) => line
            .presented
            .as_ref()
            .filter(|_| matches!(&host.tlsa, Tlsa::None { why: NoTlsa::ProvenAbsent { .. }, .. }))
            .map(|(key, _)| format!("publish `{}`", owned(host, key))),
        Verdict::Verified(_) => line.dissent.as_ref().map(|_| {
            "present the whole chain, the anchor included, each certificate behind the one it issued; or publish 3 1 1 records, by which all senders judge alike; a certificate that they do not take in needs another in its place".to_owned()
        }),
        Verdict::NotOffered | Verdict::Unknown(_) => None,
    }
}

fn owned(host: &Host, key: &Association) -> String {
    let owner = match &host.tlsa {
        Tlsa::Published { owner, .. }
        | Tlsa::None {
            why: NoTlsa::ProvenAbsent { owner },
            ..
        } => owner.to_string(),
        _ => String::new(),
    };
    format!("{owner} IN TLSA {key}")
}

/// The mismatch whose remedy helps most: that of an issuer's record before that of a key.
fn worst(records: &[(Association, Finding)]) -> Option<&Mismatch> {
    let mismatches = records.iter().filter_map(|(_, finding)| match finding {
        Finding::Mismatch(mismatch) => Some(mismatch),
        _ => None,
    });
    let simple = |m: &&Mismatch| matches!(m, Mismatch::Differs | Mismatch::DigestOfNothing);
    let mismatches: Vec<&Mismatch> = mismatches.collect();
    let special = mismatches.iter().find(|m| !simple(m));
    special.or(mismatches.first()).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::chain::Security;
    use crate::zone::name::Name;

    #[test]
    fn only_a_host_that_an_mx_record_names_may_be_no_alias() {
        let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
        let alias = |from: &str, to: &str| Alias {
            from: name(from),
            to: name(to),
            security: Security::Secure,
        };
        let aliases = [
            alias("mx.example.com.", "a.example.net."),
            alias("a.example.net.", "b.example.net."),
        ];
        let (why, way_out) = forbidden_alias(Some(10), &aliases).unwrap();
        assert!(
            why.contains("RFC 2181 §10.3") && why.contains("Exim"),
            "{why}"
        );
        assert_eq!(way_out, "name b.example.net in the MX record");
        assert_eq!(forbidden_alias(None, &aliases), None, "asked for by name");
        assert_eq!(forbidden_alias(Some(10), &[]), None);
    }
}
