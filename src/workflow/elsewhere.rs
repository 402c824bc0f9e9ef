//! A zone that somebody else keeps, a primary or a provider: what they say themselves counts, and they are asked to
//! change it on the condition that it is as it was seen.

use super::WorkflowError;
use super::head::Head;
use super::keeper_error::KeeperError;
use crate::publish::primary::{Primary, RrsetChange};
use crate::publish::provider::Provider;
use crate::publish::tsig::read_keys;
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{CertificateConfig, Publication, ZoneConfig};
use crate::workspace::halted;
use crate::zone::content::Zone;
use crate::zone::edit::Change;
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::mail;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Who keeps a zone.
enum Keeper<'w> {
    Primary(Primary),
    Provider(Provider<'w>),
}

impl<'w> Keeper<'w> {
    fn of(workspace: &'w Workspace, zone: &'w ZoneConfig) -> Result<Option<Self>, WorkflowError> {
        Ok(match &zone.publication {
            Publication::Update { server, tsig } => Some(Self::Primary(primary(*server, tsig)?)),
            Publication::Command(command) => Some(Self::Provider(Provider {
                command,
                directory: &workspace.root,
            })),
            Publication::File | Publication::GitDirect | Publication::GitBranch { .. } => None,
        })
    }

    /// The records of the RRsets named, as far as there are any.
    fn fetch(
        &self,
        zone: &Name,
        wanted: &[(Name, Rtype)],
        now: Instant,
    ) -> Result<Vec<Record>, WorkflowError> {
        let records = match self {
            Self::Provider(provider) => provider.show(zone, wanted)?,
            Self::Primary(primary) => {
                let mut conversation = primary.converse(now)?;
                let mut records = Vec::new();
                for (name, rtype) in wanted {
                    records.extend(conversation.ask(zone, name, *rtype)?.answers);
                }
                records
            }
        };
        let asked = |record: &Record| {
            let kinds = |rtype: Rtype| rtype == record.rtype || record.rtype == Rtype::CNAME;
            wanted
                .iter()
                .any(|(name, rtype)| *name == record.owner && kinds(*rtype))
        };
        Ok(records.into_iter().filter(asked).collect())
    }

    fn change(
        &self,
        zone: &Name,
        changes: &[RrsetChange],
        now: Instant,
    ) -> Result<(), WorkflowError> {
        match self {
            Self::Provider(provider) => provider.change(zone, changes)?,
            Self::Primary(primary) => primary.converse(now)?.update(zone, changes)?,
        }
        Ok(())
    }
}

/// A primary, with the one key in its file.
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

/// The part of the zone that rotations depend on, as its keeper holds it: its SOA and servers, the TLSA RRsets of every
/// certificate in it, the addresses of their hosts, and what the apex and the certificates' `domains` say of mail.
pub(super) fn head(
    workspace: &Workspace,
    zone: &ZoneConfig,
    now: Instant,
) -> Result<Head, WorkflowError> {
    let mut content = Zone::empty(zone.name.clone());
    if let Some(keeper) = Keeper::of(workspace, zone)? {
        let wanted = wanted(workspace, zone);
        for record in keeper.fetch(&zone.name, &wanted, now)? {
            content.insert(record);
        }
        let mut asked: BTreeSet<(Name, Rtype)> = wanted.iter().cloned().collect();
        // An RRset behind an alias is what counts, wherever in the zone it lies (RFC 7671 §6).
        for _ in 0..MOST_LINKS {
            let behind = behind_aliases(workspace, zone, &content);
            let behind: Vec<(Name, Rtype)> = behind.difference(&asked).cloned().collect();
            if behind.is_empty() {
                break;
            }
            for record in keeper.fetch(&zone.name, &behind, now)? {
                content.insert(record);
            }
            asked.extend(behind);
        }
        let mut led_to = addresses_of_servers(workspace, zone, &content);
        led_to.extend(of_exchanges(workspace, zone, &content));
        led_to.retain(|question| !asked.contains(question));
        if !led_to.is_empty() {
            for record in keeper.fetch(&zone.name, &led_to, now)? {
                content.insert(record);
            }
        }
    }
    // As a file too, so that a change can be shown as any other is.
    let path = zone.file.display().to_string();
    let text = content.to_string().into_bytes();
    let file = ZoneFile::read(&path, text, Some(&zone.name), &NoFiles);
    let content = file
        .zone()
        .map_err(|findings| WorkflowError::Zone(findings.to_string()))?;
    Ok(Head {
        file: Arc::new(file),
        content: Arc::new(content),
        commit: None,
    })
}

/// More links than any name needs.
const MOST_LINKS: usize = 8;

/// The TLSA RRsets that the aliases known so far lead to.
fn behind_aliases(
    workspace: &Workspace,
    zone: &ZoneConfig,
    content: &Zone,
) -> BTreeSet<(Name, Rtype)> {
    let aliases = content.nodes.values();
    let aliases = aliases.filter_map(|node| node.get(&Rtype::CNAME)?.rdatas.first());
    aliases
        .filter_map(|rdata| Some(Name::split_wire(&rdata.0).ok()?.0))
        .filter(|name| lies_in(workspace, zone, name))
        .map(|name| (name, Rtype::TLSA))
        .collect()
}

/// What must be known of a zone.
fn wanted(workspace: &Workspace, zone: &ZoneConfig) -> Vec<(Name, Rtype)> {
    let (mut owners, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    let certificates = workspace.config.certificates.iter();
    for endpoint in certificates.flat_map(CertificateConfig::endpoints) {
        let tlsa = endpoint.tlsa_name();
        owners.extend(Name::parse(tlsa.as_str().as_bytes(), None));
        hosts.extend(Name::parse(endpoint.host.as_bytes(), Some(&Name::root())));
    }
    let configured = workspace
        .config
        .certificates
        .iter()
        .flat_map(|c| &c.domains);
    let configured =
        configured.filter_map(|name| Name::parse(name.as_bytes(), Some(&Name::root())).ok());
    let domains: BTreeSet<Name> = configured.chain([zone.name.clone()]).collect();
    let tlsa = owners.into_iter().map(|owner| (owner, Rtype::TLSA));
    let apex = [Rtype::SOA, Rtype::NS].map(|rtype| (zone.name.clone(), rtype));
    apex.into_iter()
        .chain(tlsa)
        .chain(hosts.into_iter().flat_map(addresses))
        .chain(domains.iter().flat_map(of_mail))
        .filter(|(name, _)| lies_in(workspace, zone, name))
        .collect()
}

/// Where the zone's servers in it are: without it, the zone would not be one.
fn addresses_of_servers(
    workspace: &Workspace,
    zone: &ZoneConfig,
    content: &Zone,
) -> Vec<(Name, Rtype)> {
    let servers = content.rrset(&zone.name, Rtype::NS);
    servers
        .into_iter()
        .flat_map(|rrset| &rrset.rdatas)
        .filter_map(|rdata| Some(Name::split_wire(&rdata.0).ok()?.0))
        .filter(|name| lies_in(workspace, zone, name))
        .flat_map(addresses)
        .collect()
}

/// What is known of the MX hosts in the zone that present no certificate of ours: mail goes there just as well.
fn of_exchanges(
    workspace: &Workspace,
    zone: &ZoneConfig,
    content: &Zone,
) -> BTreeSet<(Name, Rtype)> {
    let exchanges = mail::exchanges(content).into_values().flatten();
    let hosts = exchanges.map(|(_, host)| host);
    hosts
        .filter_map(|host| {
            let tlsa = host.child(b"_tcp").and_then(|tcp| tcp.child(b"_25"));
            Some(
                [(tlsa.ok()?, Rtype::TLSA)]
                    .into_iter()
                    .chain(addresses(host)),
            )
        })
        .flatten()
        .filter(|(name, _)| lies_in(workspace, zone, name))
        .collect()
}

/// Where a domain says who takes its mail, and what senders should hold them to (RFC 8460 §3, RFC 8461 §3.1).
fn of_mail(domain: &Name) -> Vec<(Name, Rtype)> {
    let reports = domain.child(b"_tls").and_then(|tls| tls.child(b"_smtp"));
    let texts = [reports, domain.child(b"_mta-sts")].into_iter().flatten();
    let texts = texts.map(|owner| (owner, Rtype::TXT));
    texts.chain([(domain.clone(), Rtype::MX)]).collect()
}

fn addresses(host: Name) -> [(Name, Rtype); 2] {
    [(host.clone(), Rtype::A), (host, Rtype::AAAA)]
}

/// Whether `name` is of this zone, and of none below it.
pub(super) fn lies_in(workspace: &Workspace, zone: &ZoneConfig, name: &Name) -> bool {
    let deepest = workspace.config.zone_of(name);
    deepest.is_some_and(|found| found.name == zone.name)
}

/// Asks for the changes, on the condition that every RRset they touch is as `head` has it.
pub(super) fn change(
    workspace: &Workspace,
    zone: &ZoneConfig,
    head: &Head,
    changes: &[Change],
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
            let rrset = head.content.rrset(owner, rtype);
            let before: Vec<Rdata> = rrset.map_or_else(Vec::new, |rrset| rrset.rdatas.clone());
            let ttl = match change {
                Change::Add(record) => record.ttl,
                Change::Remove { .. } => rrset.map_or_else(Default::default, |rrset| rrset.ttl),
            };
            by_rrset.push(RrsetChange {
                owner: owner.clone(),
                rtype,
                before,
                ttl,
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
    may_change(workspace, zone)?;
    let Some(keeper) = Keeper::of(workspace, zone)? else {
        return Ok(());
    };
    ask(workspace, zone, (&keeper, &by_rrset), now)
}

/// Asks for changes, and for no more where something else came of it.
fn ask(
    workspace: &Workspace,
    zone: &ZoneConfig,
    (keeper, changes): (&Keeper<'_>, &[RrsetChange]),
    now: Instant,
) -> Result<(), WorkflowError> {
    let asked = keeper.change(&zone.name, changes, now);
    if let Err(WorkflowError::Provider(error)) = &asked
        && error.is_not_as_asked()
    {
        let why = format!("on {now}: {error}");
        halted::halt(&workspace.state(), &zone.name, &why)?;
    }
    asked
}

/// Refuses to have a zone changed whose provider did something else the last time, until a person says that it was mended:
/// each further attempt could take a record away that a host needs.
pub(super) fn may_change(workspace: &Workspace, zone: &ZoneConfig) -> Result<(), WorkflowError> {
    let state = workspace.state();
    let halted = halted::read(&state, &zone.name).map_err(|source| WorkflowError::Unreadable {
        path: halted::path(&state, &zone.name),
        source,
    })?;
    match halted {
        Some(why) if matches!(zone.publication, Publication::Command(_)) => {
            Err(WorkflowError::Keeper(KeeperError::Halted {
                zone: zone.name.clone(),
                why,
            }))
        }
        _ => Ok(()),
    }
}

/// Asks a provider for what is there already, each RRset as it is: whether its program does what it is asked for is seen
/// before anything depends on it.
pub(super) fn rehearse(
    workspace: &Workspace,
    zone: &ZoneConfig,
    rrsets: &[(Name, Rtype)],
    now: Instant,
) -> Result<(), WorkflowError> {
    let Some(keeper) = Keeper::of(workspace, zone)? else {
        return Ok(());
    };
    let shown = |records: &[Record], (name, rtype): &(Name, Rtype)| -> BTreeSet<(Ttl, Rdata)> {
        let of_rrset = records
            .iter()
            .filter(|one| one.owner == *name && one.rtype == *rtype);
        of_rrset.map(|one| (one.ttl, one.rdata.clone())).collect()
    };
    let before = keeper.fetch(&zone.name, rrsets, now)?;
    let the_same = rrsets.iter().filter_map(|rrset| {
        let there = shown(&before, rrset);
        Some(RrsetChange {
            owner: rrset.0.clone(),
            rtype: rrset.1,
            ttl: there.first()?.0,
            before: there.into_iter().map(|(_, rdata)| rdata).collect(),
            added: Vec::new(),
            removed: Vec::new(),
        })
    });
    let the_same: Vec<RrsetChange> = the_same.collect();
    if the_same.is_empty() {
        return Ok(());
    }
    ask(workspace, zone, (&keeper, &the_same), now)?;
    let after = keeper.fetch(&zone.name, rrsets, now)?;
    for rrset in rrsets {
        if shown(&before, rrset) != shown(&after, rrset) {
            return Err(WorkflowError::Keeper(KeeperError::RehearsalChanged {
                name: rrset.0.clone(),
                rtype: rrset.1,
            }));
        }
    }
    Ok(())
}
