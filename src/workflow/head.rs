//! A zone as the branch that counts holds it: what *merged* means. Where there is no git, what lies on disk counts, or what
//! the primary says that is sent updates.

use super::look::Sight;
use super::lost_journal::{self, InGit};
use super::neighbours::{self, Neighbours};
use super::read_up_to::ReadUpTo;
use super::review::Reviews;
use super::traces::Traces;
use super::upstream::Upstream;
use super::vantages::Vantages;
use super::zone_look::Serials;
use super::{WorkflowError, elsewhere};
use crate::files::read;
use crate::observe::anchors;
use crate::observe::referral::Guide;
use crate::publish::git::{GitError, Repository};
use crate::rotation::association::Association;
use crate::rotation::observation::{Source, TlsaName};
use crate::rotation::timing::{Instant, Ttl};
use crate::workspace::Workspace;
use crate::workspace::config::{Publication, ZoneConfig};
use crate::workspace::lock::WorkspaceLock;
use crate::zone::answers::{self, Answer};
use crate::zone::content::{Rrset, Zone};
use crate::zone::file::ZoneFile;
use crate::zone::include::{Directory, Files, Included};
use crate::zone::name::Name;
use crate::zone::record::{Record, Rtype};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// A zone that was read.
#[derive(Clone)]
pub(super) struct Head {
    /// The master file with its layout.
    pub(super) file: Arc<ZoneFile>,
    /// What it means.
    pub(super) content: Arc<Zone>,
    /// The commit that holds it; none where the zone is not in git.
    pub(super) commit: Option<String>,
}

impl Head {
    /// A zone outside of git.
    fn read(
        path: &str,
        bytes: Vec<u8>,
        zone: &ZoneConfig,
        files: &dyn Files,
    ) -> Result<Self, WorkflowError> {
        let file = ZoneFile::read(path, bytes, Some(&zone.name), files);
        let content = file
            .zone()
            .map_err(|findings| WorkflowError::Zone(findings.to_string()))?;
        Ok(Self {
            file: Arc::new(file),
            content: Arc::new(content),
            commit: None,
        })
    }

    /// Whether a commit holds the text of all its files.
    fn is_at(&self, repository: &Repository, commit: &str) -> Result<bool, GitError> {
        let sources = self.file.sources().iter();
        let files = sources.map(|source| (Path::new(&source.path), source.bytes.as_slice()));
        let held = repository.holds_at(commit, files)?;
        Ok(held.into_iter().all(|held| held))
    }

    /// How long an absence is cached: the smaller of the SOA's TTL and its MINIMUM (RFC 2308 §5).
    pub(super) fn negative_ttl(&self) -> Ttl {
        let soa_ttl = self
            .content
            .rrset(&self.content.apex, Rtype::SOA)
            .map(|rrset| rrset.ttl);
        let minimum = self.content.soa().map(|soa| soa.minimum);
        minimum.min(soa_ttl).or(soa_ttl).unwrap_or_default()
    }
}

/// Where what counts as merged of a zone is kept, in the machine's terms.
pub(super) fn source(zone: &ZoneConfig) -> Source {
    match &zone.publication {
        Publication::GitDirect | Publication::GitBranch { .. } => Source::GitHead,
        Publication::File => Source::File,
        Publication::Update { server, .. } => Source::Primary(server.to_string()),
        Publication::Command(_) => Source::Provider,
    }
}

/// Zones as the branch that counts holds them, each read once.
pub(super) struct Heads<'w> {
    pub(super) workspace: &'w Workspace,
    pub(super) now: Instant,
    read: BTreeMap<Name, Arc<Head>>,
    /// What was read before, or written: what has the same text since need not be read again.
    before: BTreeMap<Name, Arc<Head>>,
    /// Who tells what the zones do not: asked once in a run.
    pub(super) guide: Guide,
    /// From where hosts are looked at: what failed once is not asked again in a run.
    pub(super) vantages: Vantages<'w>,
    /// Where what counts is, for the zones of each directory.
    upstreams: BTreeMap<(PathBuf, Option<String>), Upstream>,
    /// What this run wants reviewed.
    pub(super) reviews: Reviews,
    /// Whose RRsets lie where, by the zones that were read.
    neighbours: Option<Rc<Neighbours<'w>>>,
    /// The rotations that git knows of.
    in_git: Option<(InGit, ReadUpTo)>,
    /// What else shows that rotations began.
    traces: Option<Traces>,
    /// The serials that servers answered with when they were looked at last.
    pub(super) serials: Serials,
}

impl<'w> Heads<'w> {
    /// None is read yet.
    pub(super) fn of(workspace: &'w Workspace, now: Instant) -> Self {
        Self {
            workspace,
            now,
            read: BTreeMap::new(),
            before: BTreeMap::new(),
            guide: Guide::of_system(),
            vantages: Vantages::of(workspace),
            upstreams: BTreeMap::new(),
            reviews: Reviews::default(),
            neighbours: None,
            in_git: None,
            traces: None,
            serials: Serials::new(),
        }
    }

    /// The rotations that git knows of, asked once in a run.
    pub(super) fn in_git(&mut self) -> Result<&InGit, WorkflowError> {
        static NONE: InGit = InGit::new();
        if self.in_git.is_none() {
            self.in_git = Some(lost_journal::in_git(self.workspace)?);
        }
        Ok(self.in_git.as_ref().map_or(&NONE, |(in_git, _)| in_git))
    }

    /// What shows that rotations began where no journal tells of them, asked once in a run.
    pub(super) fn traces(&mut self) -> Result<&Traces, WorkflowError> {
        if self.traces.is_none() {
            self.traces = Some(Traces::of(self.workspace)?);
        }
        Ok(self.traces.get_or_insert_with(Traces::default))
    }

    /// Keeps how far git was read, for later runs, this run's own commits included, if it `has_acted`. Where that is not kept,
    /// they read it anew.
    pub(super) fn keep_read_up_to(&mut self, _lock: &WorkspaceLock, has_acted: bool) {
        if has_acted {
            self.in_git = lost_journal::in_git(self.workspace).ok();
        }
        if let Some((_, read)) = &mut self.in_git {
            let _ = read.keep(&self.workspace.state());
        }
    }

    /// What servers answered with when they were looked at.
    pub(super) fn saw(&mut self, sight: Option<&Sight>) {
        let serials = sight.map(|sight| sight.serials.clone());
        self.serials = serials.unwrap_or_default();
    }

    /// These zones are taken as they are given, whatever the branch that counts holds now.
    #[must_use]
    pub(super) fn with(mut self, zones: BTreeMap<Name, Arc<Head>>) -> Self {
        self.read.extend(zones);
        self
    }

    /// Whether a zone was read already.
    pub(super) fn holds(&self, zone: &ZoneConfig) -> bool {
        self.read.contains_key(&zone.name)
    }

    /// The zone as the branch that counts holds it.
    pub(super) fn get(&mut self, zone: &ZoneConfig) -> Result<Arc<Head>, WorkflowError> {
        match self.read.get(&zone.name) {
            Some(read) => Ok(Arc::clone(read)),
            None => self.get_anew(zone),
        }
    }

    /// The zone as the branch that counts holds it now, whatever was seen of it before.
    pub(super) fn get_anew(&mut self, zone: &ZoneConfig) -> Result<Arc<Head>, WorkflowError> {
        if zone.publication.is_git() {
            let upstream = self.upstream(zone)?;
            let commit = upstream.tip()?;
            return self.get_at(zone, &upstream, commit);
        }
        self.read.remove(&zone.name);
        let read = Arc::new(head(self.workspace, zone, self.now)?);
        self.read.insert(zone.name.clone(), Arc::clone(&read));
        self.neighbours = None;
        Ok(read)
    }

    /// The zone as the branch that counts holds it, whose tip is `commit` now.
    pub(super) fn get_at(
        &mut self,
        zone: &ZoneConfig,
        upstream: &Upstream,
        commit: String,
    ) -> Result<Arc<Head>, WorkflowError> {
        let before = self.read.remove(&zone.name);
        let before = before.or_else(|| self.before.get(&zone.name).cloned());
        let repository = &upstream.repository;
        let read = match before {
            Some(before) if before.commit.as_deref() == Some(&*commit) => before,
            Some(before) if before.is_at(repository, &commit)? => Arc::new(Head {
                commit: Some(commit),
                ..Head::clone(&before)
            }),
            _ => Arc::new(at_commit(self.workspace, zone, repository, &commit)?),
        };
        self.read.insert(zone.name.clone(), Arc::clone(&read));
        self.neighbours = None;
        Ok(read)
    }

    /// Where what counts of a zone is, asked once in a run for the zones of each directory: they are of one repository.
    pub(super) fn upstream(&mut self, zone: &ZoneConfig) -> Result<Upstream, WorkflowError> {
        let directory = zone.file.parent().unwrap_or(&zone.file).to_owned();
        let place = (directory, zone.remote.clone());
        if let Some(known) = self.upstreams.get(&place) {
            return Ok(known.clone());
        }
        let upstream = Upstream::of(self.workspace, zone)?;
        self.upstreams.insert(place, upstream.clone());
        Ok(upstream)
    }

    /// The certificates by the names that the RRsets of their hosts lie at.
    pub(super) fn neighbours(&mut self) -> &Rc<Neighbours<'w>> {
        let known = self.neighbours.take();
        let known = known.unwrap_or_else(|| Rc::new(neighbours::all(self)));
        self.neighbours.insert(known)
    }

    /// The branch that counts may have moved: every zone is asked for again.
    pub(super) fn forget(&mut self) {
        self.before.append(&mut self.read);
        self.neighbours = None;
    }

    /// The branch that counts holds the zone with this text now.
    pub(super) fn wrote(&mut self, zone: &ZoneConfig, file: ZoneFile) {
        self.read.remove(&zone.name);
        self.neighbours = None;
        if let Ok(content) = file.zone() {
            let head = Head {
                file: Arc::new(file),
                content: Arc::new(content),
                commit: None,
            };
            self.before.insert(zone.name.clone(), Arc::new(head));
        }
    }
}

/// The zone as the branch that counts holds it.
pub(super) fn head(
    workspace: &Workspace,
    zone: &ZoneConfig,
    now: Instant,
) -> Result<Head, WorkflowError> {
    match &zone.publication {
        Publication::Update { .. } | Publication::Command(_) => {
            elsewhere::head(workspace, zone, now)
        }
        Publication::File => {
            let bytes = read::read_unlinked(&zone.file, read::ZONE).map_err(|source| {
                WorkflowError::Unreadable {
                    path: zone.file.clone(),
                    source,
                }
            })?;
            let path = zone.file.display().to_string();
            Head::read(&path, bytes, zone, &Directory::below(&workspace.root))
        }
        Publication::GitDirect | Publication::GitBranch { .. } => {
            let upstream = Upstream::of(workspace, zone)?;
            let commit = upstream.tip()?;
            at_commit(workspace, zone, &upstream.repository, &commit)
        }
    }
}

/// The zone as a commit holds it.
pub(super) fn at_commit(
    workspace: &Workspace,
    zone: &ZoneConfig,
    repository: &Repository,
    commit: &str,
) -> Result<Head, WorkflowError> {
    let bytes = repository.file_at(commit, &zone.file)?;
    let bytes = bytes.ok_or_else(|| WorkflowError::NotCommitted {
        path: zone.file.clone(),
    })?;
    let files = AtCommit {
        repository,
        commit,
        root: &workspace.root,
    };
    let read = Head::read(&zone.file.display().to_string(), bytes, zone, &files)?;
    Ok(Head {
        commit: Some(commit.to_owned()),
        ..read
    })
}

/// Included files come from the same commit, and only from below the workspace.
struct AtCommit<'a> {
    repository: &'a Repository,
    commit: &'a str,
    root: &'a Path,
}

impl Files for AtCommit<'_> {
    fn open(&self, including: &str, wanted: &str) -> Result<Included, String> {
        let beside = Path::new(including).parent().unwrap_or(self.root);
        let path = without_dots(&beside.join(wanted));
        if !path.starts_with(self.root) {
            return Err(format!("{} lies outside of the workspace", path.display()));
        }
        let bytes = self
            .repository
            .file_at(self.commit, &path)
            .map_err(|e| e.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("{} is not committed", path.display()))?;
        Ok(Included {
            path: path.display().to_string(),
            bytes: bytes.into(),
        })
    }
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The TLSA RRset that a server answers with at `name`: its own, or that of the wildcard that stands for it (RFC 4592 §3.3).
pub(super) fn tlsa<'z>(content: &'z Zone, name: &Name) -> Option<&'z Rrset> {
    match answers::answer(content, name, Rtype::TLSA) {
        Answer::Records(rrset) => Some(rrset),
        _ => None,
    }
}

/// The associations of the TLSA RRset that a server answers with at `name`.
pub(super) fn associations(content: &Zone, name: &Name) -> BTreeSet<Association> {
    let rdatas = tlsa(content, name)
        .into_iter()
        .flat_map(|rrset| &rrset.rdatas);
    rdatas
        .filter_map(super::super::zone::record::Rdata::association)
        .collect()
}

/// The zones that these names lie in, each once.
pub(super) fn zones_of<'w, 'n>(
    workspace: &'w Workspace,
    names: impl IntoIterator<Item = &'n TlsaName>,
) -> Vec<&'w ZoneConfig> {
    let mut zones: Vec<&ZoneConfig> = Vec::new();
    for tlsa in names {
        let name = Name::parse(tlsa.as_str().as_bytes(), None).ok();
        if let Some(zone) = name.and_then(|name| workspace.config.zone_of(&name))
            && !zones.iter().any(|known| known.name == zone.name)
        {
            zones.push(zone);
        }
    }
    zones
}

/// The DS and DNSKEY records of an anchor file for a zone that somebody else signs.
pub(super) fn anchor_records(path: &Path, apex: &Name) -> Result<Vec<Record>, WorkflowError> {
    let wrong = |reason: &dyn std::fmt::Display| WorkflowError::NotAnAnchor {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let bytes = read::read(path, read::LIST).map_err(|source| match source.kind() {
        ErrorKind::NotFound => wrong(&format_args!("the trust anchor of {apex} is not there")),
        _ => WorkflowError::Unreadable {
            path: path.to_owned(),
            source,
        },
    })?;
    let records = anchors::records(&path.display().to_string(), &bytes, apex);
    let mut records = records.map_err(|e| wrong(&e))?;
    records.retain(|record| record.owner == *apex);
    if records.is_empty() {
        return Err(wrong(&format_args!(
            "there is no DS or DNSKEY record of {apex} in it"
        )));
    }
    Ok(records)
}
