//! The signed zone that follows git HEAD: signed where something changed or would expire, verified, written, handed over.
//!
//! Its serial never goes back and moves whenever its bytes do, so that secondaries fetch refreshed signatures too. A
//! reload that is owed is remembered on disk, so that one that failed or was interrupted is run again.

use super::WorkflowError;
use super::head::Head;
use crate::dnssec::Earlier;
use crate::dnssec::delta::Delta;
use crate::dnssec::denial::Denial;
use crate::dnssec::keystore::load_keys;
use crate::dnssec::sign::{Signed, SigningPolicy, sign};
use crate::dnssec::verify::verify_zone;
use crate::publish::command::Invocation;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::durable;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::content::Zone;
use crate::zone::record::Rtype;
use crate::zone::serial;
use std::cmp::Ordering;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

/// How long a server may take to reload.
const RELOAD: Duration = Duration::from_secs(60);

/// New signatures begin a little in the past, for resolvers whose clocks are behind.
const BACKDATED: Span = Span::hours(1);

/// Brings the signed zone file to what HEAD holds; says what was done.
pub(super) fn publish(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    zone: &ZoneConfig,
    head: &Head,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let owed = workspace.state().join("reload").join(zone.name.to_string());
    if let Signing::Here { signed: path, .. } = &zone.signing {
        let before = read_signed(path, zone)?;
        if let Some(signed) = bring_up_to(zone, &head.content, before.as_ref(), now)? {
            if zone.reload.is_some() {
                if let Some(directory) = owed.parent() {
                    durable::create_directory(directory, 0o777)?;
                }
                durable::replace(&owed, b"")?;
            }
            durable::replace(path, signed.zone.to_string().as_bytes())?;
            deeds.push(format!(
                "signed {} with serial {}: {} signatures made, {} kept",
                zone.name,
                signed.zone.soa().map_or(0, |soa| soa.serial),
                signed.made.len(),
                signed.kept
            ));
        }
    }
    if let Some(command) = zone.reload.as_ref().filter(|_| owed.exists()) {
        Invocation::new(command, &workspace.root, RELOAD).run()?;
        durable::remove(&owed)?;
        deeds.push(format!("ran {}", command.join(" ")));
    }
    Ok(deeds)
}

/// The signed delta from what is served now to `target`; `None` where somebody else signs.
pub(super) fn ahead(
    _lock: &WorkspaceLock,
    zone: &ZoneConfig,
    target: &Zone,
    now: Instant,
) -> Result<Option<Delta>, WorkflowError> {
    let Signing::Here { signed: path, .. } = &zone.signing else {
        return Ok(None);
    };
    let Some(before) = read_signed(path, zone)? else {
        return Ok(None);
    };
    let Some(after) = bring_up_to(zone, target, Some(&before), now)? else {
        return Ok(None);
    };
    Delta::between(&before, &after.zone).map_err(|e| cannot_sign(zone, &e))
}

/// `content`, signed and verified; `None` if what is there says the same under signatures that last.
fn bring_up_to(
    zone: &ZoneConfig,
    content: &Zone,
    before: Option<&Zone>,
    now: Instant,
) -> Result<Option<Signed>, WorkflowError> {
    let Signing::Here {
        keys,
        validity,
        refresh,
        ..
    } = &zone.signing
    else {
        return Ok(None);
    };
    let keys = load_keys(keys, &zone.name).map_err(|e| cannot_sign(zone, &e))?;
    let policy = SigningPolicy {
        now,
        inception: now - BACKDATED,
        expiration: now + *validity,
        refresh: *refresh,
        jitter: Span::ZERO,
        denial: Denial::Nsec,
        threads: threads(),
    };
    let attempt = |serial: u32| {
        let unsigned = with_serial(content, serial);
        let earlier = Earlier {
            zone: before,
            ..Earlier::default()
        };
        sign(&unsigned, &keys, earlier, &policy).map_err(|e| cannot_sign(zone, &e))
    };
    let wanted = content.soa().map_or(0, |soa| soa.serial);
    let present = before.and_then(Zone::soa).map(|soa| soa.serial);
    let mut signed = match present {
        Some(present) if serial::compare(wanted, present) != Some(Ordering::Greater) => {
            let same = attempt(present)?;
            if before == Some(&same.zone) {
                return Ok(None);
            }
            attempt(present.wrapping_add(1))?
        }
        _ => attempt(wanted)?,
    };
    signed.made.sort();
    verify_zone(&signed.zone, now, Span::ZERO, None).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        WorkflowError::Unverified {
            zone: zone.name.clone(),
            findings: findings.join("\n"),
        }
    })?;
    Ok(Some(signed))
}

/// As many threads as there are processors.
fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn with_serial(content: &Zone, serial: u32) -> Zone {
    let mut zone = content.clone();
    let Some(mut soa) = zone.soa() else {
        return zone;
    };
    soa.serial = serial;
    let apex = zone.apex.clone();
    if let Some(rrset) = zone
        .nodes
        .get_mut(&apex)
        .and_then(|node| node.get_mut(&Rtype::SOA))
    {
        rrset.rdatas = vec![soa.to_rdata()];
    }
    zone
}

/// The signed zone as it lies on disk. It can be made again, but not silently: its serial is what secondaries have.
fn read_signed(path: &Path, zone: &ZoneConfig) -> Result<Option<Zone>, WorkflowError> {
    match fs::read(path) {
        Ok(bytes) => Zone::parse(&bytes, Some(&zone.name))
            .map(Some)
            .map_err(|findings| WorkflowError::SignedUnreadable {
                path: path.to_owned(),
                findings: findings.to_string(),
            }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WorkflowError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

fn cannot_sign(zone: &ZoneConfig, reason: &dyn std::fmt::Display) -> WorkflowError {
    WorkflowError::Sign {
        zone: zone.name.clone(),
        reason: reason.to_string(),
    }
}
