//! Every zone that is signed here is kept signed, whether a host lies in it or not (RFC 6781 §4.4.2).
//!
//! A zone that fails says so and stops no other.

use super::WorkflowError;
use super::advance::Tick;
use super::known::Known;
use super::{act, head, sign};
use crate::dnssec::keystore::load_keys;
use crate::rotation::observation::TlsaName;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Signing, ZoneConfig};
use crate::workspace::handed_out::HandedOut;
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::signed::{SignedFile, seal_of};
use crate::zone::name::Name;
use std::collections::BTreeSet;

/// Signs and hands on the zones that this run has not tried yet; tells of each what was done, what failed, and what a person
/// has to do for its keys. Of a zone of which there is nothing to tell there is nothing. `certificates` is what the run made
/// of those.
///
/// No zone is signed of a certificate of which it is not known what it needs: that certificate's own error is told.
pub(super) fn keep_signed(
    known: &mut Known<'_>,
    lock: &WorkspaceLock,
    certificates: &[Tick],
) -> Vec<Tick> {
    let workspace = known.workspace;
    let mut ticks = Vec::new();
    let unknown = unknown(known, certificates);
    for zone in zones(workspace) {
        let mut tick = tick_of(zone);
        let is_signed = !unknown.contains(&zone.name);
        if is_signed && !known.was_tried(zone) {
            match act::hand_on(known, lock, zone, None, &mut tick.deeds) {
                Ok(()) => known.handed_on(zone),
                Err(error) => tick.failed = Some(error),
            }
        }
        if !known.was_handed_on(zone)
            && let Some(ended) = ended_since(workspace, zone, known.now)
        {
            ticks.push(Tick {
                failed: Some(ended),
                ..tick_of(zone)
            });
        }
        match ds_wanted(known, zone) {
            Wanted::Nothing => {}
            Wanted::Later(note) => tick.notes.push(note),
            Wanted::Due(error) => tick.failed = tick.failed.or(Some(error)),
        }
        if tick.failed.is_some() || !tick.deeds.is_empty() || !tick.notes.is_empty() {
            ticks.push(tick);
        }
    }
    ticks
}

/// The zones of certificates that failed and of which nothing is known.
fn unknown(known: &mut Known<'_>, certificates: &[Tick]) -> BTreeSet<Name> {
    let workspace = known.workspace;
    let mut unknown = BTreeSet::new();
    for tick in certificates.iter().filter(|tick| tick.failed.is_some()) {
        let is_older = matches!(tick.failed, Some(WorkflowError::JournalOlder { .. }));
        if known.rotation(&tick.certificate).is_some() && !is_older {
            continue;
        }
        let of_tick = |c: &&CertificateConfig| c.name == tick.certificate;
        let certificate = workspace.config.certificates.iter().find(of_tick);
        let names = certificate
            .into_iter()
            .flat_map(CertificateConfig::endpoints);
        let names: Vec<TlsaName> = names.map(|endpoint| endpoint.tlsa_name()).collect();
        let zones = head::zones_of(workspace, &names).into_iter();
        unknown.extend(zones.map(|zone| zone.name.clone()));
    }
    unknown
}

/// The zones whose signatures have ended, and those of which it is not known what the next version follows, for who only looks.
/// `certificates` is what was told of those already.
pub(super) fn ended(known: &mut Known<'_>, certificates: &[Tick]) -> Vec<Tick> {
    let (workspace, now) = (known.workspace, known.now);
    let mut ended = |zone: &ZoneConfig| {
        let mut tick = tick_of(zone);
        tick.failed = ended_since(workspace, zone, now);
        if tick.failed.is_none() {
            let unknown = sign::can_follow(workspace, zone, || known.heads.get(zone), now).err();
            tick.failed = unknown.filter(|unknown| !is_told(certificates, unknown));
        }
        if let Wanted::Due(error) = ds_wanted(known, zone) {
            tick.failed = tick.failed.or(Some(error));
        }
        tick.failed.is_some().then_some(tick)
    };
    zones(workspace).filter_map(&mut ended).collect()
}

fn is_told(certificates: &[Tick], error: &WorkflowError) -> bool {
    let told = certificates.iter().filter_map(|tick| tick.failed.as_ref());
    let mut told = told.map(ToString::to_string);
    told.any(|told| told == error.to_string())
}

/// That the signatures of a zone have ended, if they have.
pub(super) fn ended_since(
    workspace: &Workspace,
    zone: &ZoneConfig,
    now: Instant,
) -> Option<WorkflowError> {
    let Signing::Here { signed, .. } = &zone.signing else {
        return None;
    };
    let file = SignedFile::open(signed, &seal_of(&workspace.state(), &zone.name)).ok()??;
    let ended = file.sealed().seal.window()?.expiration;
    (ended <= now).then(|| WorkflowError::SignaturesEnded {
        zone: zone.name.clone(),
        ended,
    })
}

fn tick_of(zone: &ZoneConfig) -> Tick {
    Tick {
        zone: Some(zone.name.clone()),
        ..Tick::of(&zone.name.to_string())
    }
}

fn zones(workspace: &Workspace) -> impl Iterator<Item = &ZoneConfig> {
    let zones = workspace.config.zones.iter();
    zones.filter(|zone| {
        matches!(zone.signing, Signing::Here { .. }) && !zone.publication.is_elsewhere()
    })
}

/// What the keys of a zone want of a person: the DS of a key that is to follow another, told as long as the parent does not
/// have it, and due from a day before that key begins to sign, for so long do caches keep the old DS set.
fn ds_wanted(known: &Known<'_>, zone: &ZoneConfig) -> Wanted {
    let (workspace, now) = (known.workspace, known.now);
    let Signing::Here { keys, .. } = &zone.signing else {
        return Wanted::Nothing;
    };
    let past = HandedOut::read(&workspace.state(), &zone.name);
    // With one key in all there is none that is to follow.
    let several = |past: &HandedOut| past.keys.keys.len() > 1;
    let Some(past) = past.ok().flatten().filter(several) else {
        return Wanted::Nothing;
    };
    let Ok(keys) = load_keys(keys, &zone.name) else {
        return Wanted::Nothing;
    };
    let mut unvouched = past.keys.unvouched(&keys, now);
    unvouched.sort_by_key(|(_, from)| *from);
    match unvouched.first() {
        None => Wanted::Nothing,
        Some((key, from)) if *from <= now + AHEAD => Wanted::Due(WorkflowError::DsWanted {
            zone: zone.name.clone(),
            key: *key,
        }),
        Some((key, from)) => Wanted::Later(format!(
            "key {key} of {} signs from {from} on: the parent needs its DS a day before; `tlsa-rotate key ds {} --keys DIRECTORY` prints it",
            zone.name, zone.name
        )),
    }
}

/// How long before a key signs its DS is due.
const AHEAD: Span = Span::days(1);

/// What is wanted of a person.
enum Wanted {
    /// Nothing.
    Nothing,
    /// There is time for it.
    Later(String),
    /// It is due.
    Due(WorkflowError),
}
