//! Use case `start`: steps 1 and 2. The key files come first, so that a crash leaves a key without a rotation, which the
//! next start adopts, never a rotation without its key.

use super::WorkflowError;
use super::admit::{self, Admitted};
use super::awaited;
use super::before;
use super::case::Case;
use super::draft;
use super::head::{self, Heads};
use super::job::{self, follow};
use super::key_files;
use super::look::View;
use super::made_here;
use super::neighbours;
use super::places;
use super::present::Present;
use super::reach;
use super::renewed;
use super::run::Run;
use super::shared;
use super::surroundings::{Presentable, Surroundings};
use super::tracked;
use crate::dane::association;
use crate::dane::certificate::Certificate;
use crate::files::host;
use crate::publish::git::GitError;
use crate::rotation::association::Association;
use crate::rotation::step::{Event, Rotation, Step};
use crate::rotation::stray;
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use crate::workspace::strays::Kept;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A chain and key that the operator brings.
#[derive(Clone, Debug)]
pub struct Offered {
    /// PEM, the leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// A rotation that was begun.
#[derive(Debug)]
pub struct Started {
    /// Its name.
    pub id: RotationId,
    /// Its state.
    pub state: Rotation,
    /// What is taken for a TTL from before where nothing tells.
    pub assume_ttl: Ttl,
    /// The files of the next key.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Begins a rotation of the certificate named `name`. `ttl_before` is what the operator says that the TTL of its TLSA records
/// was at most; what the configuration says, if it is not said here. With `journal_is_lost` the journal that git tells of is
/// given up.
pub fn start(
    workspace: &Workspace,
    name: &str,
    offered: Option<&Offered>,
    ttl_before: Option<Ttl>,
    journal_is_lost: bool,
    present: &Present,
) -> Result<Started, WorkflowError> {
    tracked::none(workspace)?;
    let run = Run::begin(workspace, present)?;
    let now = run.now;
    let mut case = run.open_as_it_is(name)?;
    if journal_is_lost {
        case.give_up_lost()?;
    }
    run.may_begin(&case)?;
    let kept = renewed::kept(workspace, name).filter(|_| offered.is_none());
    let next = offered.or(kept.as_ref());
    let Some(lock) = run.lock() else {
        return rehearsed(workspace, &case, (next, ttl_before), now);
    };
    let mut heads = Heads::of(workspace, now);
    let mut started = begin(&mut heads, lock, &mut case, (next, ttl_before))?;
    if kept.is_some() {
        renewed::let_go(workspace, name)?;
    }
    let unreached = unreached(&mut heads, case.certificate, &started.state);
    started.notes.extend(unreached);
    Ok(started)
}

/// The places of a rotation that has just begun which nobody reaches, one sentence each.
pub(super) fn unreached<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
    state: &Rotation,
) -> Vec<String> {
    let now = heads.now;
    let view = View::of(heads, certificate, state.clone(), now);
    reach::unreached(&[view]).concat()
}

/// The same under a lock that is held already.
pub(super) fn begin<'w>(
    heads: &mut Heads<'w>,
    lock: &WorkspaceLock,
    case: &mut Case<'w>,
    (offered, ttl_before): (Option<&Offered>, Option<Ttl>),
) -> Result<Started, WorkflowError> {
    let workspace = heads.workspace;
    may_begin(heads, case, offered)?;
    let id = case.next_id();
    let taken_up = made_here::begin(workspace, &id)?;
    let had_none = taken_up.is_none();
    let begun = with_key(heads, case, (offered, ttl_before), taken_up);
    let (admitted, notes) = begun.inspect_err(|_| {
        if had_none {
            made_here::undo(workspace, &id);
        }
    })?;
    case.keep(lock).inspect_err(|error| {
        // Only if it is certain that nobody has heard of it: what others may have published keeps its key.
        if had_none && is_unheard_of(error) {
            made_here::undo(workspace, &id);
        }
    })?;
    let Some((id, state)) = case.rotation.clone() else {
        return Err(WorkflowError::NothingUnderWay {
            name: case.certificate.name.clone(),
        });
    };
    if !case.is_deferred() {
        made_here::end(workspace, &id)?;
    }
    Ok(Started {
        id,
        state,
        assume_ttl: case.certificate.assume_ttl,
        files: admitted.files,
        notes,
    })
}

/// Makes or admits the next key, and notes the start with it.
fn with_key<'w>(
    heads: &mut Heads<'w>,
    case: &mut Case<'w>,
    (offered, ttl_before): (Option<&Offered>, Option<Ttl>),
    taken_up: Option<String>,
) -> Result<(Admitted, Vec<String>), WorkflowError> {
    let (workspace, now) = (heads.workspace, heads.now);
    let admitted = admit::admit(workspace, case, &case.next_id(), offered, now)?;
    let mut found = surroundings(heads, case.certificate, &admitted.chains)?;
    awaited::whole_certificate(&admitted, &found)?;
    let mut notes = remember(heads, case.certificate, (&mut found, ttl_before), now);
    notes.extend(taken_up);
    notes.extend(key_files::exposed(case.certificate));
    notes.extend(awaited::told(workspace, &case.next_id()));
    case.begin(now, found.started())?;
    for fact in key_facts(case.workspace(), &found, admitted.not_after) {
        case.note(now, fact)?;
    }
    // What runs kept in mind while nothing was under way. That it is lost, they tell.
    let kept = Kept::read(&workspace.state()).unwrap_or_default();
    if let Some((_, state)) = &case.rotation {
        for fact in stray::taken_up(&kept.of(&case.certificate.name), state, now) {
            case.note(now, fact)?;
        }
    }
    Ok((admitted, notes))
}

/// Whether a push was refused, and the remote is where it was.
fn is_unheard_of(error: &WorkflowError) -> bool {
    matches!(
        error,
        WorkflowError::Git(
            GitError::PushRefused {
                untouched: true,
                ..
            } | GitError::NoIdentity { .. }
        )
    )
}

/// What a start would come to, without a key.
fn rehearsed(
    workspace: &Workspace,
    case: &Case<'_>,
    (offered, ttl_before): (Option<&Offered>, Option<Ttl>),
    now: Instant,
) -> Result<Started, WorkflowError> {
    let mut heads = Heads::of(workspace, now);
    may_begin(&mut heads, case, offered)?;
    let next = admit::on_offer(case.certificate, offered)?;
    let mut found = surroundings(&mut heads, case.certificate, &next)?;
    let found_before = (&mut found, ttl_before);
    let mut notes = remember(&mut heads, case.certificate, found_before, now);
    let id = case.next_id();
    notes.push(format!(
        "a start would make or admit the next key of {id}, and compute its record"
    ));
    let state = found.before_the_start(now);
    Ok(Started {
        id,
        state: state.map_err(WorkflowError::Illegal)?,
        assume_ttl: case.certificate.assume_ttl,
        files: Vec::new(),
        notes,
    })
}

/// What is known of the time before, and what the user should know of it.
fn remember<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
    (found, ttl_before): (&mut Surroundings, Option<Ttl>),
    now: Instant,
) -> Vec<String> {
    let mut notes = found.notes(&certificate.name);
    before::ask_servers(heads, certificate, found, now);
    let stated = ttl_before.or(certificate.ttl_before);
    notes.extend(before::remember(heads, certificate, found, stated, now));
    notes
}

/// Refuses what cannot be begun, before a key is made.
pub(super) fn may_begin(
    heads: &mut Heads<'_>,
    case: &Case<'_>,
    offered: Option<&Offered>,
) -> Result<(), WorkflowError> {
    case.is_whole(heads)?;
    has_not_left_dane(heads.workspace, &case.certificate.name)?;
    if let Some((id, state)) = case.under_way() {
        return Err(WorkflowError::UnderWay {
            id: id.clone(),
            step: state.step,
        });
    }
    let live = admit::in_use(case.certificate)?;
    for key in live.iter().filter_map(|chain| chain.first()) {
        let association = key.spki_association();
        if let Some(id) = case.retired(&association)? {
            return Err(WorkflowError::StaleLive { association, id });
        }
    }
    job::lets_begin(heads.workspace, &case.certificate.name)?;
    renews_the_same_key(heads, case.certificate, offered)?;
    // What cannot be published, or not be seen everywhere, is said before a key is made.
    let found = surroundings(heads, case.certificate, &[])?;
    places::hide_no_server(heads, found.base.keys())
}

/// Refuses to bring names back into DANE that a person took out of it.
pub(super) fn has_not_left_dane(workspace: &Workspace, name: &str) -> Result<(), WorkflowError> {
    if !follow::leaves_dane(workspace, name)? {
        return Ok(());
    }
    Err(WorkflowError::LeftDane {
        name: name.to_owned(),
    })
}

/// What had left before, and steps 1 and 2, as facts after the start.
pub(super) fn key_facts(
    workspace: &Workspace,
    found: &Surroundings,
    not_after: Instant,
) -> Vec<Event> {
    let mut facts = found.left.clone();
    // The others have its records, and not its key: who is asked to install it is told where it is.
    let made_by = shared::is_shared(workspace).then(host::name).flatten();
    facts.push(Event::KeyAdmitted { not_after, made_by });
    facts.extend(found.found());
    facts.push(Event::AssociationsComputed {
        incoming: found.incoming.clone(),
    });
    facts
}

/// What the rotation of a certificate to these chains finds on the branch that counts.
pub(super) fn surroundings(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    incoming: &[Presentable],
) -> Result<Surroundings, WorkflowError> {
    let live = admit::in_use(certificate)?;
    let next = admit::next_algorithms(certificate, incoming);
    let found = Surroundings::of(heads, certificate, &live, incoming, &next)?;
    let moved = &found.current | &found.incoming;
    neighbours::keep_their_keys(heads, certificate, found.base.keys(), &moved, |_| false)?;
    first_publication(heads, &found)?;
    Ok(found)
}

/// Refuses a first TLSA RRset that would change what others get, before a key is made for it. Where a name has one of its own
/// already, another record in it changes nothing for others.
fn first_publication(heads: &mut Heads<'_>, found: &Surroundings) -> Result<(), WorkflowError> {
    let mut is_first = false;
    for tlsa in found.base.keys() {
        if let Ok(name) = Name::parse(tlsa.as_str().as_bytes(), None)
            && let Some(zone) = heads.workspace.config.zone_of(&name)
        {
            is_first |= heads.get(zone)?.content.rrset(&name, Rtype::TLSA).is_none();
        }
    }
    if !is_first {
        return Ok(());
    }
    let (workspace, now) = (heads.workspace, heads.now);
    let state = found
        .before_the_start(now)
        .map_err(WorkflowError::Illegal)?;
    let mut requirement = state.requirement_in(Step::Prepublishing);
    // For the record of a key that is not there yet; it is written nowhere. Zeros would be a finding of `zone check`.
    let stand_in = state.current.first().map(|known| Association {
        data: vec![1; known.data.len()],
        ..known.clone()
    });
    requirement.present.extend(stand_in);
    for zone in head::zones_of(workspace, state.names()) {
        let head = heads.get(zone)?;
        draft::draft(workspace, &state, zone, head, &requirement, now)?;
    }
    Ok(())
}

/// What there is of a rotation before its start: the first fact, what stands beside it, and what is odd about it.
pub(super) fn beginning<'w>(
    heads: &mut Heads<'w>,
    certificate: &'w CertificateConfig,
) -> Result<(Surroundings, Vec<String>), WorkflowError> {
    // Files that are not there yet do not keep a plan from being made.
    let next = admit::on_offer(certificate, None).unwrap_or_default();
    let now = heads.now;
    let mut found = surroundings(heads, certificate, &next)?;
    let mut notes = found.notes(&certificate.name);
    let stated = certificate.ttl_before;
    notes.extend(before::remember(
        heads,
        certificate,
        &mut found,
        stated,
        now,
    ));
    Ok((found, notes))
}

/// Refuses a start whose every next key is in use already: with selector 1 nothing changes (RFC 7671 §8.1).
fn renews_the_same_key(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    offered: Option<&Offered>,
) -> Result<(), WorkflowError> {
    let next = admit::on_offer(certificate, offered)?;
    let Some(key) = same_key(certificate, &next)? else {
        return Ok(());
    };
    pinned(heads, certificate, &next)?;
    Err(WorkflowError::SameKey {
        certificate: certificate.name.clone(),
        key,
    })
}

/// Refuses a renewal under the key in use where a record of the whole certificate is published: it would not match.
pub(super) fn pinned(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    next: &[Presentable],
) -> Result<(), WorkflowError> {
    let found = surroundings(heads, certificate, &[])?;
    let pinned = found.current.iter().chain(&found.staying);
    let leaves = || next.iter().filter_map(|chain| chain.first());
    for record in pinned.filter(|record| record.selector == 0) {
        let goes_on = leaves().any(|leaf| {
            association::of_certificate(record.parameters(), leaf).as_ref() == Some(record)
        });
        if !goes_on {
            return Err(WorkflowError::RenewalPinned {
                record: record.clone(),
            });
        }
    }
    Ok(())
}

/// The key in use that the next certificates have, if they have no other.
fn same_key(
    certificate: &CertificateConfig,
    next: &[Presentable],
) -> Result<Option<Association>, WorkflowError> {
    let keys = |chains: &[Presentable]| -> BTreeSet<Association> {
        let leaves = chains.iter().filter_map(|chain| chain.first());
        leaves.map(Certificate::spki_association).collect()
    };
    let next = keys(next);
    if next.is_empty() || !next.is_subset(&keys(&admit::in_use(certificate)?)) {
        return Ok(None);
    }
    Ok(next.into_iter().next())
}

/// Says that there is nothing to rotate to, where the next certificate lies ready and has the key in use.
pub(super) fn nothing_to_do(certificate: &CertificateConfig) -> Option<String> {
    let next = admit::on_offer(certificate, None).ok()?;
    let key = same_key(certificate, &next).ok()??;
    Some(format!(
        "the next certificate has the key in use ({}): with selector 1 nothing changes, there is nothing to do",
        key.short()
    ))
}
