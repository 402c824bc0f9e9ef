//! The signed zone that follows what is merged: signed where something changed or would expire, verified, written, handed over.
//!
//! Its serial never goes back and moves whenever its bytes do, so that secondaries fetch refreshed signatures too. Where
//! somebody else signs there is only the reload, which is in `reload`.

use super::WorkflowError;
use super::head::Head;
use super::predecessor::{self, Predecessor};
use super::reload::{Reload, Served};
use crate::change::proposal::{Label, Proposal};
use crate::dnssec::delta::Delta;
use crate::dnssec::keys::SigningKey;
use crate::dnssec::keystore::load_keys;
use crate::dnssec::next::{BACKDATED, Next, NotNext, Numbering, Order, next};
use crate::dnssec::sign::{SigningPolicy, without_signatures};
use crate::dnssec::succession::{Held, Why};
use crate::files::read;
use crate::rotation::observation::{Authority, Seen};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{Signing, ZoneConfig};
use crate::workspace::durable::{Operation, WriteError};
use crate::workspace::handed_out::HandedOut;
use crate::workspace::inside;
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::signed::{SignedFile, seal_of, seal_verified, write_verified};
use crate::zone::content::Zone;
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// How long a proposal may be applied after it was made.
const APPLICABLE: Span = Span::days(7);

/// Brings the signed zone file to what is merged; says what was done. Before anything new is handed over, `may_be` is asked
/// whether it may be. What was `seen` in this run of the servers tells whether they took what they were given last.
pub(super) fn publish(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    (zone, head): (&ZoneConfig, &Head),
    seen: Option<Served<'_>>,
    now: Instant,
    may_be: impl FnOnce() -> Result<(), WorkflowError>,
) -> Result<Vec<String>, WorkflowError> {
    let mut deeds = Vec::new();
    let served = seen.as_ref().map(|(_, serials)| serials.clone());
    let reload = Reload::of(workspace, (zone, head), seen, now);
    let mut may_be = Some(may_be);
    let mut ask = || may_be.take().map_or(Ok(()), |may_be| may_be());
    if let Signing::Here { signed: path, .. } = &zone.signing {
        let seal = seal_of(&workspace.state(), &zone.name);
        if let Some(directory) = seal.parent() {
            inside::create_directory(directory, 0o777)?;
        }
        let (made, mut past) =
            following(workspace, (zone, head), &served.unwrap_or_default(), now)?;
        if let Some(deed) = made.deed(zone) {
            ask()?;
            reload.owe()?;
            deeds.extend(made.ended(now));
            deeds.push(deed);
            deeds.extend(made.held.iter().map(|held| held_told(zone, held)));
        }
        if made.next.is_new() {
            past.announce(workspace, zone, &made.next)?;
            made.write(path, &seal, now)?;
            past.follow(&made.next, now);
        } else {
            made.write(path, &seal, now)?;
        }
        past.keep(workspace, zone)?;
    }
    deeds.extend(reload.run(ask)?);
    Ok(deeds)
}

/// Makes the signatures of what was handed out last anew where they are due, with nothing of what the branch that counts holds:
/// a zone whose change may not be handed on must not become bogus meanwhile (RFC 6781 §4.4.2). Says what was done.
pub(super) fn renew(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    zone: &ZoneConfig,
    now: Instant,
) -> Result<Vec<String>, WorkflowError> {
    let Signing::Here { signed: path, .. } = &zone.signing else {
        return Ok(Vec::new());
    };
    let Some(present) = read_signed(path, zone)? else {
        return Ok(Vec::new());
    };
    let content = without_signatures(present).map_err(|e| cannot_sign(zone, &e))?;
    let mut text = String::new();
    for record in content.records() {
        let _ = writeln!(text, "{record}");
    }
    let source = path.display().to_string();
    let head = Head {
        file: Arc::new(ZoneFile::read(
            &source,
            text.into_bytes(),
            Some(&zone.name),
            &NoFiles,
        )),
        content: Arc::new(content),
        commit: None,
    };
    publish(workspace, lock, (zone, &head), None, now, || Ok(()))
}

/// Whether it is known what the next signed version has to follow; asks the servers where nothing else tells.
pub(super) fn can_follow(
    workspace: &Workspace,
    zone: &ZoneConfig,
    head: impl FnOnce() -> Result<Arc<Head>, WorkflowError>,
    now: Instant,
) -> Result<(), WorkflowError> {
    let Signing::Here { signed: path, .. } = &zone.signing else {
        return Ok(());
    };
    let mut past = Predecessor::recall(workspace, zone, || read_signed(path, zone), now)?;
    if past.is_known {
        return Ok(());
    }
    past.be_known(zone, &*head()?, now)
}

/// The signed delta from what is served now to `target`; `None` where somebody else signs, or nothing was signed yet.
pub(super) fn ahead(
    workspace: &Workspace,
    _lock: &WorkspaceLock,
    zone: &ZoneConfig,
    target: &ZoneFile,
    now: Instant,
) -> Result<Option<Delta>, WorkflowError> {
    let Signing::Here {
        signed: path, keys, ..
    } = &zone.signing
    else {
        return Ok(None);
    };
    let keys = load_keys(keys, &zone.name).map_err(|e| cannot_sign(zone, &e))?;
    let past = Predecessor::recall(workspace, zone, || read_signed(path, zone), now)?;
    let made = made((workspace, zone), target, keys, &past.handed_out, now)?;
    Ok(made.next.delta().cloned())
}

/// The proposal that `delta` is to the signed zone as it lies on disk; `what` is the rotation and the step.
pub(super) fn proposal(
    zone: &ZoneConfig,
    delta: Delta,
    what: (Option<Label>, Option<Label>),
    now: Instant,
) -> Result<Proposal, WorkflowError> {
    let before = handed_out(zone)?.unwrap_or_else(|| Zone::empty(zone.name.clone()));
    Proposal::of(before, delta, what, (now, now + APPLICABLE)).map_err(|e| cannot_sign(zone, &e))
}

/// The signed zone as it was handed out last; `None` where somebody else signs, or nothing was signed yet.
pub(super) fn handed_out(zone: &ZoneConfig) -> Result<Option<Zone>, WorkflowError> {
    match &zone.signing {
        Signing::Here { signed: path, .. } => read_signed(path, zone),
        Signing::External { .. } => Ok(None),
    }
}

/// The serial of the signed zone as it lies on disk; `None` where somebody else signs, or nothing was signed yet.
pub(super) fn serial(zone: &ZoneConfig) -> Result<Option<u32>, WorkflowError> {
    Ok(handed_out(zone)?
        .as_ref()
        .and_then(Zone::soa)
        .map(|soa| soa.serial))
}

/// The next version of a zone that is signed here, and what it was made from and with.
struct Made {
    next: Next,
    present: Option<SignedFile>,
    keys: Vec<SigningKey>,
    held: Vec<Held>,
}

/// The version that follows all that was handed out and all that the servers have, and what that is.
fn following(
    workspace: &Workspace,
    (zone, head): (&ZoneConfig, &Head),
    served: &BTreeMap<Authority, Seen<u32>>,
    now: Instant,
) -> Result<(Made, Predecessor), WorkflowError> {
    let Signing::Here {
        signed: path, keys, ..
    } = &zone.signing
    else {
        return Err(cannot_sign(zone, &"somebody else signs it"));
    };
    let mut past = Predecessor::recall(workspace, zone, || read_signed(path, zone), now)?;
    past.be_known(zone, head, now)?;
    past.was_served(served);
    let load = || load_keys(keys, &zone.name).map_err(|e| cannot_sign(zone, &e));
    let keys = load()?;
    // Where it cannot be asked, the key that it is known to have goes on signing.
    let _ = predecessor::ask_parent(&mut past.handed_out, zone, &keys, now);
    let mut next = made((workspace, zone), &head.file, keys, &past.handed_out, now)?;
    if next.next.is_new() {
        let before = past.handed_out.serial;
        if past.latest(zone, head) != before {
            next = made(
                (workspace, zone),
                &head.file,
                load()?,
                &past.handed_out,
                now,
            )?;
        }
        past.leads_to(zone, &next.next)?;
    }
    Ok((next, past))
}

/// That the keys which sign a zone are at hand, for who only looks.
pub(super) fn keys_at_hand(zone: &ZoneConfig, now: Instant) -> Result<(), WorkflowError> {
    let Signing::Here { keys, .. } = &zone.signing else {
        return Ok(());
    };
    let all = load_keys(keys, &zone.name).map_err(|e| cannot_sign(zone, &e))?;
    if all.iter().any(|key| key.is_active(now)) {
        return Ok(());
    }
    let why = format!("no key in {} is in use now", keys.display());
    Err(cannot_sign(zone, &why))
}

/// A key that goes on longer than its times say, in words.
pub(super) fn held_told(zone: &ZoneConfig, held: &Held) -> String {
    let (zone, key) = (&zone.name, held.key);
    match held.why {
        Why::NoneFollows(Some(at)) => {
            format!(
                "key {key} of {zone} goes on signing until {at}: caches may not have the key that follows it yet"
            )
        }
        Why::NoneFollows(None) => {
            format!("key {key} of {zone} goes on signing: no key that follows it is published")
        }
        Why::NoDs => format!(
            "key {key} of {zone} goes on signing the keys: the parent has not had the DS of the key that follows it for a day"
        ),
        Why::Remembered(until) => {
            format!("key {key} stays in {zone} until {until}: caches may have signatures by it")
        }
        Why::OnlyOne => {
            format!("key {key} of {zone} goes on signing: no other key of its algorithm is active")
        }
    }
}

impl Made {
    fn write(&self, path: &Path, seal: &Path, now: Instant) -> Result<(), WriteError> {
        for written in [path, seal] {
            inside::unlinked(Operation::Replace, written)?;
        }
        let keys = &self.keys;
        match (&self.next, &self.present) {
            (Next::Carried(carried), Some(present)) if carried.delta.is_some() => {
                present.write_next(path, seal, carried)
            }
            // What is there says the same, under signatures that last.
            (Next::Carried(_), _) => Ok(()),
            (next @ Next::Whole { signed, .. }, _) if next.is_new() => {
                write_verified(path, seal, &signed.zone, keys, now)
            }
            // Likewise, but it was not known to; now it is.
            (Next::Whole { signed, .. }, _) => seal_verified(path, seal, &signed.zone, keys, now),
        }
    }

    /// That the signatures of the present version had ended before this one took its place.
    fn ended(&self, now: Instant) -> Option<String> {
        let seal = self.present.as_ref()?.sealed().seal;
        let ended = seal.window()?.expiration;
        (ended <= now).then(|| {
            format!(
                "signatures of {} had ended on {ended}, because nothing ran in time: since then validating senders deferred mail; they are made anew",
                seal.zone
            )
        })
    }

    /// What a new version is told as.
    fn deed(&self, zone: &ZoneConfig) -> Option<String> {
        let (next, zone) = (&self.next, &zone.name);
        let (serial, made, kept) = (next.serial(), next.made(), next.kept());
        let told =
            || format!("signed {zone} with serial {serial}: {made} signatures made, {kept} kept");
        next.is_new().then(told)
    }
}

/// `file`, signed and verified, after what lies where the zone is signed to, and what was handed out of it.
fn made(
    (workspace, zone): (&Workspace, &ZoneConfig),
    file: &ZoneFile,
    mut keys: Vec<SigningKey>,
    past: &HandedOut,
    now: Instant,
) -> Result<Made, WorkflowError> {
    let Signing::Here {
        signed: path,
        validity,
        refresh,
        jitter,
        denial,
        ..
    } = &zone.signing
    else {
        return Err(cannot_sign(zone, &"somebody else signs it"));
    };
    let held = predecessor::hold(past, zone, &mut keys, file, now)?;
    let policy = SigningPolicy {
        now,
        inception: now - BACKDATED,
        expiration: now + *validity,
        refresh: *refresh,
        jitter: *jitter,
        denial: denial.clone(),
        ..SigningPolicy::default()
    };
    let order = Order {
        file,
        keys: &keys,
        policy: &policy,
        numbering: Numbering::Raised {
            handed_out: past.serial,
        },
        unverified: false,
    };
    let seal = seal_of(&workspace.state(), &zone.name);
    let present = SignedFile::open(path, &seal).map_err(|source| WorkflowError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let intact = present.as_ref().map(|present| present.sealed().intact());
    let next = next(&order, intact, |_| {
        read_signed(path, zone).map_err(Stop::Read)
    });
    let next = next.map_err(|stop| stop.told(zone, path))?;
    Ok(Made {
        next,
        present,
        keys,
        held,
    })
}

/// Why nothing was signed.
enum Stop {
    /// There is no next version.
    NotNext(NotNext),
    /// The present one cannot be read.
    Read(WorkflowError),
}

impl From<NotNext> for Stop {
    fn from(why: NotNext) -> Self {
        Self::NotNext(why)
    }
}

impl Stop {
    fn told(self, zone: &ZoneConfig, path: &Path) -> WorkflowError {
        match self {
            Self::Read(error) => error,
            Self::NotNext(NotNext::Unverified(findings)) => {
                let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
                WorkflowError::Unverified {
                    zone: zone.name.clone(),
                    findings: findings.join("\n"),
                }
            }
            Self::NotNext(NotNext::Zone(findings)) => WorkflowError::Zone(findings.to_string()),
            Self::NotNext(NotNext::Io(source)) => WorkflowError::Unreadable {
                path: path.to_owned(),
                source,
            },
            Self::NotNext(why) => cannot_sign(zone, &why),
        }
    }
}

/// The signed zone as it lies on disk. It can be made again, but not silently: its serial is what secondaries have.
pub(super) fn read_signed(path: &Path, zone: &ZoneConfig) -> Result<Option<Zone>, WorkflowError> {
    match read::read_unlinked(path, read::ZONE) {
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
