//! What `verify` prints for programs: `tlsa-rotate/verify/v1`.

use super::Failure;
use super::document::Schema;
use super::verify_servers;
use super::verify_words::{forbidden_alias, reason, remedy, word};
use crate::observe::chain::{NoAnswer, Security};
use crate::observe::senders_view::{Destination, Host, Tlsa, plain};
use crate::workflow::verdict::{Line, Standing, Verdict};
use crate::workflow::verify::{SeenHost, Verification};
use crate::workflow::zone_servers::ZoneServers;
use serde_json::{Value, json};
use std::io::Write;

/// For programs.
pub(super) fn json(
    found: &[Verification],
    zones: &[ZoneServers],
    standing: Standing,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let document = json!({
        "standing": standing_word(standing),
        "targets": found.iter().map(target).collect::<Vec<_>>(),
        "authorities": verify_servers::json(zones),
    });
    Schema::Verify.write(out, document)?;
    Ok(out.flush()?)
}

fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Verified => "verified",
        Standing::NoMail => "takes-no-mail",
        Standing::Unprotected => "unprotected",
        Standing::Unknown => "unknown",
        Standing::AtRisk => "at-risk",
    }
}

fn target(verification: &Verification) -> Value {
    json!({
        "name": plain(&verification.question.name),
        "standing": standing_word(verification.standing()),
        "destination": verification.destination.as_ref().map(destination),
        "hosts": verification.hosts.iter().map(host_value).collect::<Vec<_>>(),
    })
}

fn destination(destination: &Destination) -> Value {
    match destination {
        Destination::Exchanges {
            hosts,
            security: s,
            expanded,
            has_null,
        } => json!({
            "kind": "mx",
            "hosts": hosts.iter().map(|(preference, host)| json!({"preference": preference, "host": plain(host)})).collect::<Vec<_>>(),
            "alias_for": expanded.as_ref().map(plain),
            "dnssec": security(s),
            "null_mx_beside": has_null,
        }),
        Destination::Itself => json!({"kind": "itself"}),
        Destination::NullMx => json!({"kind": "null-mx"}),
        Destination::NoSuchDomain => json!({"kind": "no-such-domain"}),
        Destination::Unknown(failure) => json!({"kind": "unknown", "dnssec": no_answer(failure)}),
    }
}

fn security(security: &Security) -> Value {
    match security.flaw() {
        None => json!({"status": "secure"}),
        Some(flaw) => json!({
            "status": security.to_string(), "reason": flaw.reason, "extended_error": flaw.error.code(),
        }),
    }
}

fn no_answer(failure: &NoAnswer) -> Value {
    let status = match failure {
        NoAnswer::Bogus(_) => "bogus",
        NoAnswer::Failed(_) => "failed",
    };
    let flaw = failure.flaw();
    json!({"status": status, "reason": flaw.reason, "extended_error": flaw.error.code()})
}

fn host_value(seen: &SeenHost) -> Value {
    let host = seen.host.as_ref();
    json!({
        "host": plain(&seen.name),
        "port": seen.port,
        "preference": seen.preference,
        "standing": standing_word(seen.standing()),
        "aliases": host.map(|host| host.aliases.iter().map(|alias| json!({
            "from": plain(&alias.from), "to": plain(&alias.to), "dnssec": security(&alias.security),
        })).collect::<Vec<_>>()),
        "notes": host.and_then(|host| forbidden_alias(seen.preference, &host.aliases)).into_iter()
            .map(|(what, remedy)| json!({"what": what, "remedy": remedy})).collect::<Vec<_>>(),
        "address_failure": host.and_then(|host| host.address_failure.as_ref()).map(no_answer),
        "tlsa": host.map(|host| tlsa(&host.tlsa)),
        "addresses": seen.lines.iter().map(|line| line_value(host, line)).collect::<Vec<_>>(),
    })
}

fn tlsa(tlsa: &Tlsa) -> Value {
    match tlsa {
        Tlsa::Published {
            base,
            owner,
            records,
            ttl,
            zone,
        } => json!({
            "status": "published",
            "base": plain(base),
            "owner": plain(owner),
            "records": records,
            "ttl": ttl.0,
            "zone": zone.as_ref().map(plain),
        }),
        Tlsa::None { base, why } => {
            json!({"status": "none", "base": plain(base), "reason": why.to_string()})
        }
        Tlsa::Unreachable(failure) => {
            json!({"status": "unreachable", "dnssec": no_answer(failure)})
        }
        Tlsa::NoAddress { exists } => json!({"status": "no-address", "exists": exists}),
        Tlsa::NoHostName(name) => json!({"status": "no-host-name", "name": plain(name)}),
    }
}

fn line_value(host: Option<&Host>, line: &Line) -> Value {
    json!({
        "address": line.address.to_string(),
        "algorithm": line.algorithm,
        "tls12_only": line.tls12_only,
        "verdict": word(&line.verdict).to_lowercase().replace(' ', "-"),
        "reason": reason(line),
        "remedy": host.and_then(|host| remedy(host, line)),
        "dissent": line.dissent,
        "unanswered_in_tls12": line.unanswered,
        "by": match &line.verdict { Verdict::Verified(by) => Some(by), _ => None },
        "presented": line.presented.as_ref().map(|(key, not_after)| json!({"key": key, "not_after": not_after.to_string()})),
    })
}
