//! What `verify` prints for Nagios and its kin: one line, and performance data behind it.

use super::Failure;
use super::verify_view::summary;
use super::verify_words::{algorithm, reason, shown_address, word};
use crate::observe::senders_view::plain;
use crate::workflow::verdict::Standing;
use crate::workflow::verify::Verification;
use std::io::Write;

/// `TLSA OK - …` with performance data, and the first thing that is wrong.
pub(super) fn nagios(
    found: &[Verification],
    standing: Standing,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let state = match standing {
        Standing::Verified => "OK",
        Standing::NoMail | Standing::Unprotected => "WARNING",
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
