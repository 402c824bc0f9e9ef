//! Use case `start`: steps 1 and 2. The key files come first, so that a crash leaves a key without a rotation, which the
//! next start adopts, never a rotation without its key.

use super::WorkflowError;
use super::admit;
use super::case::Case;
use super::head;
use super::shared;
use crate::rotation::association::Association;
use crate::rotation::observation::{Endpoint, TlsaName};
use crate::rotation::step::{Event, Rotation};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::workspace::journal::RotationId;
use crate::workspace::lock::WorkspaceLock;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The files of the next key.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Begins a rotation of the certificate named `name`.
pub fn start(
    workspace: &Workspace,
    name: &str,
    offered: Option<&Offered>,
    now: Instant,
) -> Result<Started, WorkflowError> {
    let lock = workspace.lock()?;
    shared::synchronise(workspace, &lock)?;
    let mut case = Case::open(workspace, name, now)?;
    begin(workspace, &lock, &mut case, offered, now)
}

/// The same under a lock that is held already.
pub(super) fn begin(
    workspace: &Workspace,
    lock: &WorkspaceLock,
    case: &mut Case<'_>,
    offered: Option<&Offered>,
    now: Instant,
) -> Result<Started, WorkflowError> {
    if let Some((id, state)) = case.under_way() {
        return Err(WorkflowError::UnderWay {
            id: id.clone(),
            step: state.step,
        });
    }
    let (first, notes) = beginning(workspace, case.certificate, now)?;
    if let Event::Started { current, .. } = &first
        && let Some((key, id)) = current
            .iter()
            .find_map(|key| Some((key, case.retired(key)?)))
    {
        return Err(WorkflowError::StaleLive {
            association: key.clone(),
            id,
        });
    }
    let admitted = admit::admit(workspace, case, &case.next_id(), offered, now)?;
    case.begin(now, first)?;
    let not_after = admitted.not_after;
    case.note(now, Event::KeyAdmitted { not_after })?;
    let incoming = admitted.associations;
    case.note(now, Event::AssociationsComputed { incoming })?;
    case.keep(lock)?;
    let Some((id, state)) = case.rotation.clone() else {
        return Err(WorkflowError::NothingUnderWay {
            name: case.certificate.name.clone(),
        });
    };
    Ok(Started {
        id,
        state,
        files: admitted.files,
        notes,
    })
}

/// The first fact of a rotation, from the live certificates and the zones at HEAD; and what is odd about them.
pub fn beginning(
    workspace: &Workspace,
    certificate: &CertificateConfig,
    now: Instant,
) -> Result<(Event, Vec<String>), WorkflowError> {
    let endpoints: BTreeSet<Endpoint> = certificate.endpoints().collect();
    let current = admit::in_use(certificate)?;
    let (mut base, mut ttl) = (BTreeMap::new(), BTreeMap::new());
    let mut notes = Vec::new();
    for tlsa in endpoints.iter().map(Endpoint::tlsa_name) {
        let (associations, seen) = as_published(workspace, &tlsa, now)?;
        if let Some(other) = associations
            .iter()
            .find(|association| !association.is_3_1_1())
        {
            return Err(WorkflowError::OtherForm {
                name: tlsa,
                association: other.clone(),
            });
        }
        if associations.is_empty() {
            notes.push(format!(
                "{tlsa} has no TLSA record yet: the key in use is published beside the next one"
            ));
        }
        for key in current
            .difference(&associations)
            .filter(|_| !associations.is_empty())
        {
            notes.push(format!(
                "{tlsa} lacks {}, the key in use: it is published beside the next one",
                key.short()
            ));
        }
        for stray in associations.difference(&current) {
            notes.push(format!(
                "{tlsa} holds {}, which is of no key in use; it is left alone",
                stray.short()
            ));
        }
        base.insert(tlsa.clone(), associations);
        ttl.insert(tlsa, seen);
    }
    Ok((
        Event::Started {
            endpoints,
            current,
            base,
            ttl,
        },
        notes,
    ))
}

/// The TLSA RRset of a name at HEAD, and the TTL under which it, or its absence, is cached (RFC 2308 §5).
fn as_published(
    workspace: &Workspace,
    tlsa: &TlsaName,
    now: Instant,
) -> Result<(BTreeSet<Association>, Ttl), WorkflowError> {
    let no_zone = || WorkflowError::NoZone { name: tlsa.clone() };
    let name = Name::parse(tlsa.as_str().as_bytes(), None).map_err(|_| no_zone())?;
    let zone = workspace.config.zone_of(&name).ok_or_else(no_zone)?;
    let head = head::head(workspace, zone, now)?;
    let ttl = match head.content.rrset(&name, Rtype::TLSA) {
        Some(rrset) => rrset.ttl,
        None => head.negative_ttl(),
    };
    Ok((head::associations(&head.content, &name), ttl))
}
