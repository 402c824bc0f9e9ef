//! What `verify` prints for people: where mail goes, verdict lines that can be acted on, a summary.

use super::Failure;
use super::verify_words::{algorithm, forbidden_alias, reason, remedy, shown_address, word};
use crate::observe::chain::NoAnswer;
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
            has_null,
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
            if *has_null {
                verdict(
                    out,
                    "REFUSED",
                    &format!(
                        "{domain} MX: a null MX (`MX 0 .`) stands beside other MX records, which RFC 7505 §3 forbids: Postfix takes it that the domain takes no mail, and returns it"
                    ),
                )?;
                advice(out, "remove the null MX, or the others")?;
            }
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
            verdict(
                out,
                "note",
                &format!(
                    "{domain} says that it takes no mail (a null MX, RFC 7505): senders return it"
                ),
            )?;
        }
        Destination::NoSuchDomain => verdict(out, "unknown", &format!("{domain} does not exist"))?,
        Destination::Unknown(failure) => failed(out, &format!("{domain} MX"), ANY, failure)?,
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
        failed(
            out,
            &format!("{place}, half of its addresses"),
            ALONE,
            failure,
        )?;
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
            ANY,
            failure,
        )?,
        Tlsa::NoHostName(name) => {
            let name = plain(name);
            let why = format!(
                "{place}: {name} is no host name (RFC 1123 §2.1), and senders on Postfix do not go there"
            );
            verdict(out, "REFUSED", &why)?;
            advice(
                out,
                "give the host a name of letters, digits and hyphens, none of these at the end of a label",
            )?;
        }
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

/// Who defers.
const ANY: &str = "a sender";
/// The same where the other kind of address was found.
const ALONE: &str = "a sender that has this kind alone";

fn failed(out: &mut impl Write, what: &str, who: &str, failure: &NoAnswer) -> io::Result<()> {
    let standing = of_failure(failure);
    let (word, how) = match (failure, standing) {
        (_, Standing::Unknown) => ("unknown", "the lookup fails here".to_owned()),
        (NoAnswer::Bogus(_), _) => (
            "DEFERRED",
            format!("DNSSEC validation fails (bogus), so {who} defers"),
        ),
        (NoAnswer::Failed(_), _) => ("DEFERRED", format!("the lookup fails, so {who} defers")),
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
pub(super) fn summary(verification: &Verification) -> String {
    let name = plain(&verification.question.name);
    let said = match verification.standing() {
        Standing::Verified if dissents(verification) => {
            "verified: senders on OpenSSL deliver, some others refuse"
        }
        Standing::Verified => "verified: every validating sender delivers",
        Standing::NoMail => "takes no mail: there is no host to verify",
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
