//! A zone that its primary keeps: what the primary answers itself is the HEAD of the zone, and updates change it.

use super::WorkflowError;
use super::head::Head;
use crate::publish::primary::{Conversation, Primary, RrsetChange};
use crate::publish::tsig::read_keys;
use crate::rotation::timing::Instant;
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, ZoneConfig};
use crate::zone::content::Zone;
use crate::zone::edit::Change;
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Rtype};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The primary of `zone`, with its key.
fn primary(server: SocketAddr, tsig: &Path) -> Result<Primary, WorkflowError> {
    let keys = read_keys(tsig)?;
    let mut keys = keys.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(Primary {
            server,
            key: Arc::clone(key),
        }),
        _ => Err(WorkflowError::SeveralKeys {
            path: tsig.to_owned(),
        }),
    }
}

/// The part of the zone that rotations depend on, as the primary answers it: its SOA and servers, the TLSA RRsets of every
/// certificate in it, and the addresses of their hosts.
pub(super) fn head(
    workspace: &Workspace,
    zone: &ZoneConfig,
    (server, tsig): (SocketAddr, &Path),
    now: Instant,
) -> Result<Head, WorkflowError> {
    let primary = primary(server, tsig)?;
    let mut conversation = primary.converse(now)?;
    let mut content = Zone::empty(zone.name.clone());
    for rtype in [Rtype::SOA, Rtype::NS] {
        fetch(&mut conversation, &mut content, &zone.name, rtype)?;
    }
    let servers = content.rrset(&zone.name, Rtype::NS);
    let servers = servers.into_iter().flat_map(|rrset| &rrset.rdatas);
    let mut hosts: BTreeSet<Name> = servers
        .filter_map(|rdata| Some(Name::split_wire(&rdata.0).ok()?.0))
        .collect();
    let mut owners = BTreeSet::new();
    for endpoint in workspace
        .config
        .certificates
        .iter()
        .flat_map(CertificateConfig::endpoints)
    {
        let tlsa = endpoint.tlsa_name();
        owners.extend(Name::parse(tlsa.as_str().as_bytes(), None));
        hosts.extend(Name::parse(endpoint.host.as_bytes(), Some(&Name::root())));
    }
    let ours = |name: &Name| {
        let deepest = workspace.config.zone_of(name);
        deepest.is_some_and(|found| found.name == zone.name)
    };
    for owner in owners.iter().filter(|name| ours(name)) {
        fetch(&mut conversation, &mut content, owner, Rtype::TLSA)?;
    }
    for host in hosts.iter().filter(|name| ours(name)) {
        for rtype in [Rtype::A, Rtype::AAAA] {
            fetch(&mut conversation, &mut content, host, rtype)?;
        }
    }
    // As a file too, so that a change can be shown as any other is.
    let path = zone.file.display().to_string();
    let file = ZoneFile::read(
        &path,
        content.to_string().into_bytes(),
        Some(&zone.name),
        &NoFiles,
    );
    let content = file
        .zone()
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))?;
    Ok(Head { file, content })
}

fn fetch(
    conversation: &mut Conversation<'_>,
    content: &mut Zone,
    owner: &Name,
    rtype: Rtype,
) -> Result<(), WorkflowError> {
    let reply = conversation.ask(&content.apex, owner, rtype)?;
    let wanted = |t: Rtype| t == rtype || t == Rtype::CNAME;
    for record in reply.answers {
        if record.owner == *owner && wanted(record.rtype) {
            content.insert(record);
        }
    }
    Ok(())
}

/// Sends the changes, on the condition that every RRset they touch is as `head` has it.
pub(super) fn update(
    zone: &ZoneConfig,
    head: &Head,
    changes: &[Change],
    (server, tsig): (SocketAddr, &Path),
    now: Instant,
) -> Result<(), WorkflowError> {
    let mut by_rrset: Vec<RrsetChange> = Vec::new();
    for change in changes {
        let (owner, rtype) = match change {
            Change::Add(record) => (&record.owner, record.rtype),
            Change::Remove { owner, rtype, .. } => (owner, *rtype),
        };
        let known = |known: &RrsetChange| known.owner == *owner && known.rtype == rtype;
        let at = by_rrset.iter().position(known).unwrap_or_else(|| {
            let before = head.content.rrset(owner, rtype);
            let before: Vec<Rdata> = before.map_or_else(Vec::new, |rrset| rrset.rdatas.clone());
            by_rrset.push(RrsetChange {
                owner: owner.clone(),
                rtype,
                before,
                added: Vec::new(),
                removed: Vec::new(),
            });
            by_rrset.len().saturating_sub(1)
        });
        if let Some(rrset) = by_rrset.get_mut(at) {
            match change {
                Change::Add(record) => rrset.added.push((record.ttl, record.rdata.clone())),
                Change::Remove { rdata, .. } => rrset.removed.push(rdata.clone()),
            }
        }
    }
    let primary = primary(server, tsig)?;
    Ok(primary.converse(now)?.update(&zone.name, &by_rrset)?)
}
