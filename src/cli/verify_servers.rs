//! What `verify --authorities` adds: one line for each address of each authoritative server.

use super::verify_view::{advice, verdict};
use crate::observe::senders_view::plain;
use crate::rotation::observation::Seen;
use crate::workflow::zone_servers::ZoneServers;
use serde_json::{Value, json};
use std::io::{self, Write};

/// For people.
pub(super) fn text(zones: &[ZoneServers], out: &mut impl Write) -> io::Result<()> {
    for seen in zones {
        let zone = plain(&seen.zone);
        let found = match &seen.delegation {
            Ok(found) => found,
            Err(why) => {
                verdict(out, "unknown", &format!("{zone}: {why}"))?;
                continue;
            }
        };
        let count = found.servers.len();
        let addresses = if count == 1 { "address" } else { "addresses" };
        writeln!(out, "{zone} is served at {count} {addresses}")?;
        for why in found
            .differences
            .iter()
            .chain(&found.parent_unknown)
            .chain(&found.child_unknown)
        {
            verdict(out, "note", why)?;
        }
        for server in &found.without_address {
            verdict(out, "lame", &format!("{server} has no address"))?;
        }
        for (authority, serial) in &seen.served.serials {
            let wrong: Vec<_> = seen
                .served
                .findings
                .iter()
                .filter(|f| f.authority == *authority)
                .collect();
            if let (true, Seen::Known(serial)) = (wrong.is_empty(), serial) {
                verdict(out, "serves", &format!("{authority} serial {serial}"))?;
            }
            for finding in wrong {
                verdict(
                    out,
                    &finding.ailment.to_string(),
                    &format!("{authority} {}", finding.reason),
                )?;
                advice(out, finding.ailment.remedy())?;
            }
        }
    }
    Ok(())
}

/// For programs.
pub(super) fn json(zones: &[ZoneServers]) -> Value {
    let zone = |seen: &ZoneServers| {
        let found = seen.delegation.as_ref().ok();
        let servers: Vec<Value> = seen.served.serials.iter().map(|(authority, serial)| {
            let findings = seen.served.findings.iter().filter(|f| f.authority == *authority);
            let findings: Vec<Value> = findings
                .map(|f| json!({"ailment": f.ailment.to_string(), "reason": f.reason}))
                .collect();
            json!({
                "server": authority,
                "serial": match serial { Seen::Known(serial) => Some(serial), Seen::Unknown(_) => None },
                "findings": findings,
            })
        }).collect();
        json!({
            "zone": plain(&seen.zone),
            "unknown": seen.delegation.as_ref().err(),
            "differences": found.map(|found| &found.differences),
            "without_address": found.map(|found| found.without_address.iter().map(plain).collect::<Vec<_>>()),
            "parent_unknown": found.and_then(|found| found.parent_unknown.as_ref()),
            "child_unknown": found.and_then(|found| found.child_unknown.as_ref()),
            "servers": servers,
        })
    };
    zones.iter().map(zone).collect()
}
