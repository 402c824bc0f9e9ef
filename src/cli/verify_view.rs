//! What `verify` prints for people: verdict lines that can be acted on, or one line for Nagios.

use super::Failure;
use crate::dane::judge::{Finding, Mismatch};
use crate::observe::chain::{Alias, NoAnswer};
use crate::observe::senders_view::{Destination, Host, Tlsa, plain};
use crate::rotation::association::Association;
use crate::workflow::verdict::{Line, Standing, Verdict, of_failure};
use crate::workflow::verify::{SeenHost, Verification};
use crate::workflow::zone_servers::ZoneServers;
use crate::zone::name::Name;
use std::io::{self, Write};

/// The verdict words, as wide as the widest.
const WIDTH: usize = 12;

/// For people: where mail goes, what is published, a verdict line for each address and algorithm, a summary.
pub(super) fn text(
    found: &[Verification],
    zones: &[ZoneServers],
    out: &mut impl Write,
) -> Result<(), Failure> {
    for (number, verification) in found.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        if let Some(destination) = &verification.destination {
            route(&verification.question.name, destination, out)?;
        }
        for seen in &verification.hosts {
            host(seen, &verification.question.name, out)?;
        }
        writeln!(out, "{}", summary(verification))?;
    }
    super::verify_servers::text(zones, out)?;
    out.flush()?;
    Ok(())
}

fn route(domain: &Name, destination: &Destination, out: &mut impl Write) -> io::Result<()> {
    let domain = plain(domain);
    match destination {
        Destination::Exchanges {
            hosts,
            security,
            expanded,
        } => {
            let hosts: Vec<String> = hosts
                .iter()
                .map(|(preference, host)| format!("{} ({preference})", plain(host)))
                .collect();
            let alias = expanded
                .as_ref()
                .map(|to| format!(", an alias for {},", plain(to)));
            let alias = alias.unwrap_or_default();
            writeln!(
                out,
                "{domain}{alias} is served by {} (MX {security})",
                hosts.join(", ")
            )?;
            if let Some(flaw) = security.flaw() {
                verdict(out, "UNPROTECTED", &format!("{domain} MX: {flaw}"))?;
                advice(
                    out,
                    "sign the zone and give its DS to the parent: without a secure MX, DANE protects nothing",
                )?;
            }
        }
        Destination::Itself => writeln!(out, "{domain} has no MX: it is served by itself")?,
        Destination::NullMx => {
            verdict(out, "unknown", &format!("{domain} takes no mail (null MX)"))?;
        }
        Destination::NoSuchDomain => verdict(out, "unknown", &format!("{domain} does not exist"))?,
        Destination::Unknown(failure) => failed(out, &format!("{domain} MX"), failure)?,
    }
    Ok(())
}

fn host(seen: &SeenHost, domain: &Name, out: &mut impl Write) -> io::Result<()> {
    let place = format!("{}:{}", plain(&seen.name), seen.port);
    let Some(host) = &seen.host else {
        return verdict(
            out,
            "unknown",
            &format!("{place}: DNS did not answer in the time of the run"),
        );
    };
    for alias in &host.aliases {
        writeln!(
            out,
            "{} is an alias for {} ({})",
            plain(&alias.from),
            plain(&alias.to),
            alias.security
        )?;
    }
    if let Some((why, way_out)) = forbidden_alias(seen.preference, &host.aliases) {
        verdict(out, "note", &format!("{place}: {why}"))?;
        advice(out, &way_out)?;
    }
    if let Some(failure) = &host.address_failure
        && !matches!(host.tlsa, Tlsa::Unreachable(_))
    {
        failed(out, &format!("{place}, half of its addresses"), failure)?;
    }
    match &host.tlsa {
        Tlsa::Published {
            owner,
            records,
            ttl,
            zone,
            ..
        } => {
            let shown: Vec<String> = records.iter().map(Association::short).collect();
            let theirs = zone
                .as_ref()
                .filter(|zone| !seen.name.is_at_or_below(domain) && !domain.is_at_or_below(zone));
            let theirs = theirs
                .map(|zone| format!("; in the zone {}, whose operator rotates them", plain(zone)));
            let theirs = theirs.unwrap_or_default();
            writeln!(
                out,
                "{} has {} (TTL {ttl}{theirs})",
                plain(owner),
                shown.join(", ")
            )?;
        }
        // Each line below says why.
        Tlsa::None { .. } if !seen.lines.is_empty() => {}
        Tlsa::None { why, .. } => writeln!(out, "{place}: {why}")?,
        Tlsa::Unreachable(failure) => failed(
            out,
            &format!("{place}, its addresses or TLSA records"),
            failure,
        )?,
        Tlsa::NoAddress { exists } => {
            let what = if *exists {
                "has no address"
            } else {
                "does not exist"
            };
            verdict(
                out,
                "REFUSED",
                &format!("{place} {what}: no mail can be delivered to it"),
            )?;
            advice(
                out,
                "give it A or AAAA records, or take it out of the MX RRset",
            )?;
        }
    }
    for one in &seen.lines {
        line(&place, host, one, out)?;
    }
    Ok(())
}

fn line(place: &str, host: &Host, line: &Line, out: &mut impl Write) -> io::Result<()> {
    let word = word(&line.verdict);
    let place = format!("{place} {} {}", shown_address(line, place), algorithm(line));
    verdict(out, word, &format!("{place}: {}", reason(line)))?;
    if let Some(remedy) = remedy(host, line) {
        advice(out, &remedy)?;
    }
    Ok(())
}

fn algorithm(line: &Line) -> String {
    let tls = if line.tls12_only { " in TLS 1.2" } else { "" };
    format!("{}{tls}", line.algorithm)
}

/// The address; with its port only where that is not the one in the name.
fn shown_address(line: &Line, place: &str) -> String {
    if place.ends_with(&format!(":{}", line.address.port())) {
        line.address.ip().to_string()
    } else {
        line.address.to_string()
    }
}

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
fn forbidden_alias(preference: Option<u16>, aliases: &[Alias]) -> Option<(String, String)> {
    let last = aliases.last().filter(|_| preference.is_some())?;
    let why = "an MX record names an alias, which RFC 2181 §10.3 and RFC 5321 §5.1 forbid: senders on Postfix follow it (RFC 7672 §2.2.2), others (Exim) use no DANE for such a host";
    let way_out = format!("name {} in the MX record", plain(&last.to));
    Some((why.to_owned(), way_out))
}

/// What to do about a line, if there is anything.
fn remedy(host: &Host, line: &Line) -> Option<String> {
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
            .filter(|_| matches!(&host.tlsa, Tlsa::None { why: crate::observe::senders_view::NoTlsa::ProvenAbsent { .. }, .. }))
            .map(|(key, _)| format!("publish `{}`", owned(host, key))),
        Verdict::Verified(_) => line.dissent.as_ref().map(|_| {
            "present the whole chain, the anchor included, each certificate behind the one it issued; or publish 3 1 1 records, by which all senders judge alike; a certificate that they do not take in needs another in its place".to_owned()
        }),
        Verdict::NotOffered | Verdict::Unknown(_) => None,
    }
}

fn owned(host: &Host, key: &Association) -> String {
    use crate::observe::senders_view::NoTlsa;
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

fn failed(out: &mut impl Write, what: &str, failure: &NoAnswer) -> io::Result<()> {
    let standing = of_failure(failure);
    let (word, how) = match (failure, standing) {
        (_, Standing::Unknown) => ("unknown", "the lookup fails here"),
        (NoAnswer::Bogus(_), _) => (
            "DEFERRED",
            "DNSSEC validation fails (bogus), so a sender defers",
        ),
        (NoAnswer::Failed(_), _) => ("DEFERRED", "the lookup fails, so a sender defers"),
    };
    let flaw = failure.flaw();
    let why = format!("{what}: {how}: {flaw} [extended error {}]", flaw.error);
    verdict(out, word, &why)?;
    match standing {
        Standing::Unknown => advice(
            out,
            "name a resolver that answers, and passes DNSSEC records on, with --resolver",
        ),
        _ => Ok(()),
    }
}

pub(super) fn verdict(out: &mut impl Write, word: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{word:WIDTH$} {text}")
}

pub(super) fn advice(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{:WIDTH$} do: {text}", "")
}

/// One line: the whole in a word, and how many of what.
fn summary(verification: &Verification) -> String {
    let name = plain(&verification.question.name);
    let said = match verification.standing() {
        Standing::Verified if dissents(verification) => {
            "verified: senders on OpenSSL deliver, some others refuse"
        }
        Standing::Verified => "verified: every validating sender delivers",
        Standing::Unprotected => {
            "not protected: mail is delivered, somewhere without authentication"
        }
        Standing::Unknown => "could not tell",
        Standing::AtRisk => "DELIVERY AT RISK: a validating sender refuses or defers",
    };
    format!("{name}: {said} ({})", counts(verification))
}

fn dissents(verification: &Verification) -> bool {
    let mut lines = verification.hosts.iter().flat_map(|host| &host.lines);
    lines.any(|line| matches!(line.verdict, Verdict::Verified(_)) && line.dissent.is_some())
}

fn counts(verification: &Verification) -> String {
    let lines = || verification.hosts.iter().flat_map(|host| &host.lines);
    let words = [
        "verified",
        "REFUSED",
        "DEFERRED",
        "UNPROTECTED",
        "unknown",
        "not offered",
    ];
    let counted: Vec<String> = words
        .iter()
        .map(|one| {
            (
                one,
                lines().filter(|line| word(&line.verdict) == *one).count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(one, count)| format!("{count} {}", one.to_lowercase()))
        .collect();
    let hosts = verification.hosts.len();
    let hosts = format!("{hosts} host{}", if hosts == 1 { "" } else { "s" });
    if counted.is_empty() {
        hosts
    } else {
        format!("{hosts}; {}", counted.join(", "))
    }
}

/// `TLSA OK - …` with performance data, and the first thing that is wrong.
pub(super) fn nagios(
    found: &[Verification],
    standing: Standing,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let state = match standing {
        Standing::Verified => "OK",
        Standing::Unprotected => "WARNING",
        Standing::Unknown => "UNKNOWN",
        Standing::AtRisk => "CRITICAL",
    };
    let worst = found
        .iter()
        .max_by_key(|verification| verification.standing());
    let said = worst.map(summary).unwrap_or_default();
    let first = worst.and_then(|verification| first_wrong(verification, standing));
    let first = first.map(|text| format!("; {text}")).unwrap_or_default();
    let count = |wanted: &str| {
        let lines = found
            .iter()
            .flat_map(|v| &v.hosts)
            .flat_map(|host| &host.lines);
        lines.filter(|line| word(&line.verdict) == wanted).count()
    };
    // What stands behind `|` is for machines: it must not stand in the text.
    writeln!(
        out,
        "TLSA {state} - {} | verified={} refused={} deferred={} unprotected={} unknown={}",
        format!("{said}{first}").replace('|', "/"),
        count("verified"),
        count("REFUSED"),
        count("DEFERRED"),
        count("UNPROTECTED"),
        count("unknown")
    )?;
    out.flush()?;
    Ok(())
}

fn first_wrong(verification: &Verification, standing: Standing) -> Option<String> {
    verification.hosts.iter().find_map(|host| {
        let line = host
            .lines
            .iter()
            .find(|line| line.verdict.standing() == Some(standing));
        line.filter(|_| standing != Standing::Verified).map(|line| {
            let place = format!("{}:{}", plain(&host.name), host.port);
            format!(
                "{place} {} {}: {}",
                shown_address(line, &place),
                algorithm(line),
                reason(line)
            )
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::chain::Security;

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
