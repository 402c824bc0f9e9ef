//! The signed zone that follows git HEAD: signed where something changed or would expire, verified, written, handed over.
//!
//! Its serial never goes back and moves whenever its bytes do, so that secondaries fetch refreshed signatures too. A
//! reload that is owed is remembered on disk, so that one that failed or was interrupted is run again. Where somebody else
//! signs there is only the reload: it is owed whenever HEAD has another text than the one that was loaded last.

use super::WorkflowError;
use super::head::Head;
use crate::change::proposal::{Label, Proposal};
use crate::dnssec::Earlier;
use crate::dnssec::audit::verify_zone;
use crate::dnssec::carry::{Carried, NotCarried, Serials, resign};
use crate::dnssec::delta::Delta;
use crate::dnssec::finding::Finding;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::keystore::load_keys;
use crate::dnssec::sign::{Signed, SigningPolicy, sign};
use crate::publish::command::Invocation;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::durable::{self, WriteError};
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::signed::{SignedFile, seal_of, seal_verified, write_verified};
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::serial;
use std::cmp::Ordering;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How long a server may take to reload.
const RELOAD: Duration = Duration::from_secs(60);

/// How long a proposal may be applied after it was made.
const APPLICABLE: Span = Span::days(7);

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
        let seal = seal_of(&workspace.state(), &zone.name);
        if let Some(directory) = seal.parent() {
            durable::create_directory(directory, 0o777)?;
        }
        let next = next(zone, path, &seal, &head.file, now)?;
        if let Some(deed) = next.deed(zone) {
            if zone.reload.is_some() {
                if let Some(directory) = owed.parent() {
                    durable::create_directory(directory, 0o777)?;
                }
                durable::replace(&owed, b"")?;
            }
            deeds.push(deed);
        }
        next.write(path, &seal, now)?;
    }
    // Where somebody else signs, the file itself is what the server loads.
    let external = matches!(zone.signing, Signing::External { .. });
    let loaded = external.then(|| digest(head));
    let is_owed = match &loaded {
        Some(loaded) => fs::read(&owed).ok().as_deref() != Some(loaded),
        None => owed.exists(),
    };
    if let Some(command) = zone.reload.as_ref().filter(|_| is_owed) {
        Invocation::new(command, &workspace.root, RELOAD).run()?;
        match &loaded {
            Some(loaded) => {
                if let Some(directory) = owed.parent() {
                    durable::create_directory(directory, 0o777)?;
                }
                durable::replace(&owed, loaded)?;
            }
            None => durable::remove(&owed)?,
        }
        deeds.push(format!("ran {}", command.join(" ")));
    }
    Ok(deeds)
}

/// What tells one text of a zone from another, as it is written beside the reload that it was given to.
fn digest(head: &Head) -> Vec<u8> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for source in head.file.sources() {
        context.update(&source.bytes);
    }
    let digest = data_encoding::HEXLOWER.encode(context.finish().as_ref());
    format!("loaded {digest}\n").into_bytes()
}

/// The signed delta from what is served now to `target`; `None` where somebody else signs, or nothing was signed yet.
pub(super) fn ahead(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    zone: &ZoneConfig,
    target: &ZoneFile,
    now: Instant,
) -> Result<Option<Delta>, WorkflowError> {
    match &zone.signing {
        Signing::Here { signed: path, .. } => {
            let next = next(
                zone,
                path,
                &seal_of(&workspace.state(), &zone.name),
                target,
                now,
            )?;
            Ok(next.delta().cloned())
        }
        Signing::External { .. } => Ok(None),
    }
}

/// The proposal that `delta` is to the signed zone as it lies on disk; `what` is the rotation and the step.
pub(super) fn proposal(
    zone: &ZoneConfig,
    delta: Delta,
    what: (Option<Label>, Option<Label>),
    now: Instant,
) -> Result<Proposal, WorkflowError> {
    let before = match &zone.signing {
        Signing::Here { signed: path, .. } => read_signed(path, zone)?,
        Signing::External { .. } => None,
    };
    let before = before.unwrap_or_else(|| Zone::empty(zone.name.clone()));
    Proposal::of(before, delta, what, (now, now + APPLICABLE)).map_err(|e| cannot_sign(zone, &e))
}

/// The serial of the signed zone as it lies on disk; `None` where somebody else signs, or nothing was signed yet.
pub(super) fn serial(zone: &ZoneConfig) -> Result<Option<u32>, WorkflowError> {
    let signed = match &zone.signing {
        Signing::Here { signed: path, .. } => read_signed(path, zone)?,
        Signing::External { .. } => None,
    };
    Ok(signed.as_ref().and_then(Zone::soa).map(|soa| soa.serial))
}

/// The next version of a signed zone, verified.
enum Next {
    /// What is there says the same, under signatures that last.
    Same,
    /// Likewise, but it was not known to; now it is.
    Unsealed(Signed, Vec<SigningKey>),
    /// Most of it is in the present file.
    Carried(SignedFile, Box<Carried>),
    /// All of it, by these keys.
    Whole(Signed, Vec<SigningKey>, Option<Delta>),
}

impl Next {
    fn delta(&self) -> Option<&Delta> {
        match self {
            Self::Same | Self::Unsealed(..) => None,
            Self::Carried(_, carried) => carried.delta.as_ref(),
            Self::Whole(_, _, delta) => delta.as_ref(),
        }
    }

    fn write(&self, path: &Path, seal: &Path, now: Instant) -> Result<(), WriteError> {
        match self {
            Self::Same => Ok(()),
            Self::Unsealed(signed, keys) => seal_verified(path, seal, &signed.zone, keys, now),
            Self::Carried(present, carried) => present.write_next(path, seal, carried),
            Self::Whole(signed, keys, _) => write_verified(path, seal, &signed.zone, keys, now),
        }
    }

    /// What a new version is told as.
    fn deed(&self, zone: &ZoneConfig) -> Option<String> {
        let (serial, made, kept) = match self {
            Self::Same | Self::Unsealed(..) => return None,
            Self::Carried(_, carried) => (carried.serial, carried.made.len(), carried.kept),
            Self::Whole(signed, ..) => {
                let serial = signed.zone.soa().map_or(0, |soa| soa.serial);
                (serial, signed.made.len(), signed.kept as u64)
            }
        };
        let zone = &zone.name;
        Some(format!(
            "signed {zone} with serial {serial}: {made} signatures made, {kept} kept"
        ))
    }
}

/// `file`, signed and verified, after what lies at `path`.
fn next(
    zone: &ZoneConfig,
    path: &Path,
    seal: &Path,
    file: &ZoneFile,
    now: Instant,
) -> Result<Next, WorkflowError> {
    let Signing::Here {
        keys,
        validity,
        refresh,
        jitter,
        denial,
        ..
    } = &zone.signing
    else {
        return Ok(Next::Same);
    };
    let keys = load_keys(keys, &zone.name).map_err(|e| cannot_sign(zone, &e))?;
    let policy = SigningPolicy {
        now,
        inception: now - BACKDATED,
        expiration: now + *validity,
        refresh: *refresh,
        jitter: *jitter,
        denial: denial.clone(),
        ..SigningPolicy::default()
    };
    let unreadable = |source| WorkflowError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if let Some(present) = SignedFile::open(path, seal).map_err(unreadable)? {
        let serials = serials(file, present.sealed().seal.serial);
        let sealed = present.sealed();
        let carried = sealed.intact();
        match carried.and_then(|intact| resign(intact, file, &keys, &policy, serials)) {
            Ok(carried) if carried.delta.is_none() => return Ok(Next::Same),
            Ok(carried) => return Ok(Next::Carried(present, Box::new(carried))),
            Err(e) if e.wants_the_whole() => {}
            Err(NotCarried::Unverified(findings)) => return Err(unverified(zone, &findings)),
            Err(NotCarried::Io(source)) => return Err(unreadable(source)),
            Err(e) => return Err(cannot_sign(zone, &e)),
        }
    }
    let before = read_signed(path, zone)?;
    whole(zone, file, before.as_ref(), keys, &policy)
}

/// A signed zone's serial never goes back, and moves with its content.
fn serials(file: &ZoneFile, present: u32) -> Serials {
    let ahead = |wanted| serial::compare(wanted, present) == Some(Ordering::Greater);
    if file.serial().is_some_and(ahead) {
        return Serials::default();
    }
    Serials {
        instead: Some(present),
        if_stuck: Some(present.wrapping_add(1)),
    }
}

fn whole(
    zone: &ZoneConfig,
    file: &ZoneFile,
    before: Option<&Zone>,
    keys: Vec<SigningKey>,
    policy: &SigningPolicy,
) -> Result<Next, WorkflowError> {
    let mut unsigned = file
        .zone()
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))?;
    let present = before.and_then(Zone::soa).map(|soa| soa.serial);
    let serials = present.map_or_else(Serials::default, |present| serials(file, present));
    let mut attempt = |serial: Option<u32>| {
        if let Some(serial) = serial {
            unsigned.set_serial(serial);
        }
        let earlier = Earlier {
            zone: before,
            ..Earlier::default()
        };
        sign(&unsigned, &keys, earlier, policy).map_err(|e| cannot_sign(zone, &e))
    };
    let mut signed = attempt(serials.instead)?;
    let is_same = before == Some(&signed.zone);
    if !is_same && serials.if_stuck.is_some() {
        signed = attempt(serials.if_stuck)?;
    }
    signed.made.sort();
    verify_zone(&signed.zone, policy.now, Span::ZERO, None)
        .map_err(|findings| unverified(zone, &findings))?;
    match before {
        Some(_) if is_same => Ok(Next::Unsealed(signed, keys)),
        None => Ok(Next::Whole(signed, keys, None)),
        Some(before) => {
            let delta = Delta::between(before, &signed.zone).map_err(|e| cannot_sign(zone, &e))?;
            Ok(Next::Whole(signed, keys, delta))
        }
    }
}

fn unverified(zone: &ZoneConfig, findings: &[Finding]) -> WorkflowError {
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    WorkflowError::Unverified {
        zone: zone.name.clone(),
        findings: findings.join("\n"),
    }
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
